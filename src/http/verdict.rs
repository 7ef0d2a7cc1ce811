//! What a refusal means, and what may be said of it.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};

use super::Reason;
use super::limits::{RESET_SECONDS_MAX, after, epoch, number};

/// A date that has passed already means soon, not at once.
const PAUSE_SECONDS_MIN: i64 = 1;
/// A message is cut there: it is for people, and could be anything.
const SNIPPET_CHARS_MAX: usize = 200;
/// What the secret is replaced by.
const REDACTED: &str = "<secret>";
/// What the texts of refusals have in them that are about a limit.
const LIMIT_WORDS: [&str; 3] = ["rate limit", "secondary limit", "abuse"];

/// A refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Why.
    pub(super) reason: Reason,
    /// Not before then, if the source said so.
    pub(super) retry_at: Option<DateTime<Utc>>,
    /// Whether that holds for all that this identity asks for, and not for one resource.
    pub(super) everything: bool,
}

/// Reads a status other than 2xx (and other than a redirect) with what came with it.
pub(super) fn read(status: u16, headers: &HeaderMap, text: &str, now: DateTime<Utc>) -> Verdict {
    let reason = match status {
        401 => Reason::Auth,
        429 => Reason::RateLimited,
        403 if speaks_of_a_limit(headers, text) => Reason::RateLimited,
        402 | 403 | 451 => Reason::Forbidden,
        404 | 410 => Reason::NotFound,
        408 => Reason::Timeout,
        500..=599 => Reason::Server,
        _ => Reason::Malformed,
    };
    let stated = retry_after(headers, now);
    let retry_at = match reason {
        Reason::RateLimited => stated.or_else(|| renewed_at(headers, now)),
        Reason::Server | Reason::Timeout => stated,
        Reason::Auth | Reason::Forbidden | Reason::NotFound | Reason::Network | Reason::Malformed => None,
    };
    let used_up = number(headers, "x-ratelimit-remaining") == Some(0);
    let one_resource = stated.is_none() && used_up && retry_at.is_some();
    Verdict {
        reason,
        retry_at: retry_at.map(|at| {
            at.clamp(now + TimeDelta::seconds(PAUSE_SECONDS_MIN), now + TimeDelta::seconds(RESET_SECONDS_MAX))
        }),
        everything: reason == Reason::RateLimited && !one_resource,
    }
}

/// Whether a 403 is about how much was asked. Single sign-on says so in a header, and never is.
fn speaks_of_a_limit(headers: &HeaderMap, text: &str) -> bool {
    if headers.contains_key("x-github-sso") {
        return false;
    }
    let text = text.to_lowercase();
    headers.contains_key(RETRY_AFTER)
        || number(headers, "x-ratelimit-remaining") == Some(0)
        || LIMIT_WORDS.iter().any(|words| text.contains(words))
}

/// `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(after(now, seconds)),
        Err(_) => DateTime::parse_from_rfc2822(text).ok().map(|at| at.to_utc()),
    }
}

/// When a used-up limit is renewed: GitHub gives an instant, PagerDuty the seconds that are left.
fn renewed_at(headers: &HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let github = number(headers, "x-ratelimit-reset")
        .filter(|_| number(headers, "x-ratelimit-remaining") == Some(0))
        .and_then(epoch);
    github.or_else(|| number(headers, "ratelimit-reset").map(|seconds| after(now, seconds)))
}

/// The beginning of a text on one line, without the secret, should the source have sent it back.
pub(super) fn snippet(text: &str, secret: Option<&SecretString>) -> String {
    let redacted = match secret.map(|secret| secret.expose_secret().trim()) {
        Some(secret) if !secret.is_empty() => text.replace(secret, REDACTED),
        Some(_) | None => text.to_owned(),
    };
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let line = redacted.chars().map(visible).collect::<String>();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(SNIPPET_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn verdict(
        status: u16,
        headers: &[(&'static str, &'static str)],
        text: &str,
    ) -> (Reason, Option<i64>, bool) {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let Verdict { reason, retry_at, everything } = read(status, &headers, text, at(0));
        (reason, retry_at.map(|until| (until - at(0)).num_seconds()), everything)
    }

    #[test]
    fn each_status_has_one_meaning() {
        for (status, reason) in [
            (401, Reason::Auth),
            (402, Reason::Forbidden),
            (403, Reason::Forbidden),
            (451, Reason::Forbidden),
            (404, Reason::NotFound),
            (410, Reason::NotFound),
            (408, Reason::Timeout),
            (500, Reason::Server),
            (502, Reason::Server),
            (599, Reason::Server),
            (304, Reason::Malformed),
            (400, Reason::Malformed),
            (422, Reason::Malformed),
        ] {
            assert_eq!(verdict(status, &[], ""), (reason, None, false), "{status}");
        }
    }

    #[test]
    fn a_403_is_a_limit_only_if_it_says_so() {
        let limited = (Reason::RateLimited, None, true);
        let forbidden = (Reason::Forbidden, None, false);
        for (headers, text, expected) in [
            (&[][..], "API rate limit exceeded for installation ID 1.", limited),
            (&[], "You have exceeded a secondary rate limit.", limited),
            (&[], "You have triggered an abuse detection mechanism.", limited),
            (&[("x-ratelimit-remaining", "4999")], "secondary Rate Limit", limited),
            (&[("retry-after", "5")], "", (Reason::RateLimited, Some(5), true)),
            (
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1800000600")],
                "",
                (Reason::RateLimited, Some(600), false),
            ),
            (&[], "Resource not accessible by integration", forbidden),
            (&[], "Repository access blocked", forbidden),
            (&[("x-github-sso", "required; url=…")], "", forbidden),
            (&[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "1800000600")], "", forbidden),
        ] {
            assert_eq!(verdict(403, headers, text), expected, "{headers:?} {text}");
        }
    }

    #[test]
    fn the_pause_is_what_the_source_says_within_reason() {
        for (headers, seconds) in [
            (&[][..], None),
            (&[("retry-after", "5")], Some(5)),
            (&[("retry-after", "Fri, 15 Jan 2027 08:01:30 GMT")], Some(90)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "0")], Some(1)),
            (&[("retry-after", "99999999999999999999")], None),
            (&[("retry-after", "9999999999")], Some(3_600)),
            (&[("retry-after", "7"), ("ratelimit-reset", "12")], Some(7)),
            (&[("ratelimit-reset", "12")], Some(12)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1799999999")], Some(1)),
            (&[("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "1800000600")], None),
        ] {
            assert_eq!(verdict(429, headers, "").1, seconds, "{headers:?}");
        }
        assert_eq!(verdict(503, &[("retry-after", "5")], ""), (Reason::Server, Some(5), false));
    }

    #[test]
    fn a_snippet_is_short_and_has_no_secret() {
        let secret = SecretString::from("hunter2");
        for (text, expected) in [
            ("a\r\n\tb\u{1b}[31m", "a b [31m".to_owned()),
            ("token hunter2, hunter2", "token <secret>, <secret>".to_owned()),
            (&"é".repeat(500), "é".repeat(200)),
            ("", String::new()),
        ] {
            assert_eq!(snippet(text, Some(&secret)), expected);
        }
        let at_the_cut = format!("{}hunter2", "x".repeat(198));
        assert!(!snippet(&at_the_cut, Some(&secret)).contains("hu"));
    }
}
