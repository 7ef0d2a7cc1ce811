//! What the sources say of their rate limits, and how much of that is ours. Unknown is unlimited, never zero.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderMap;

/// GitHub has about a dozen; a name beyond that is not one of a rate limit, and would be a label value.
const RESOURCES_MAX: usize = 16;
/// The longest name of a resource that is believed.
const RESOURCE_BYTES_MAX: usize = 40;
/// Limits are renewed within the hour; a later date is a mistake that must not silence a source.
pub(super) const RESET_SECONDS_MAX: i64 = 3_600;
/// Two statements whose ends are so close speak of the same period: PagerDuty counts whole seconds down.
const SAME_PERIOD_SECONDS: i64 = 2;
/// A product such as 0.57 × 100 is a hair below 57.
const ROUNDING: f64 = 1e-6;
/// The resource of limits that GitHub states without a name, as old servers do.
const GITHUB_RESOURCE: &str = "core";
/// The resource of PagerDuty's one limit.
const PAGERDUTY_RESOURCE: &str = "rest";

/// A limit as it was last stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    /// Requests or points in a period.
    pub(super) total: u64,
    /// Of which are left.
    pub(super) remaining: u64,
    /// When the period ends.
    pub(super) reset_at: DateTime<Utc>,
}

/// All that is known of one identity's limits.
#[derive(Debug)]
pub(super) struct Limits {
    share: f64,
    known: Vec<(String, Limit)>,
    paused_until: Option<DateTime<Utc>>,
}

impl Limits {
    /// Nothing is known yet; `share` of each limit may be used.
    pub(super) fn new(share: f64) -> Self {
        Self { share: share.clamp(0.0, 1.0), known: Vec::new(), paused_until: None }
    }

    /// Takes note, and says what is known then; `None` if the statement is of no use. What belongs to an earlier
    /// period is dropped, and within a period the smallest rest stands, since answers overtake each other.
    pub(super) fn observe(&mut self, resource: &str, stated: Limit, now: DateTime<Utc>) -> Option<Limit> {
        if stated.total == 0 {
            return None;
        }
        let mut stated = Limit {
            remaining: stated.remaining.min(stated.total),
            reset_at: stated.reset_at.min(now + TimeDelta::seconds(RESET_SECONDS_MAX)),
            ..stated
        };
        let Some((_, known)) = self.known.iter_mut().find(|(name, _)| name == resource) else {
            if self.known.len() == RESOURCES_MAX {
                return None;
            }
            self.known.push((resource.to_owned(), stated));
            return Some(stated);
        };
        let later_by = (stated.reset_at - known.reset_at).num_seconds();
        if later_by < -SAME_PERIOD_SECONDS {
            return None;
        }
        if later_by <= SAME_PERIOD_SECONDS {
            stated.remaining = stated.remaining.min(known.remaining);
            stated.reset_at = stated.reset_at.max(known.reset_at);
        }
        *known = stated;
        Some(stated)
    }

    /// If `cost` more would exceed our share: when the limit is renewed.
    pub(super) fn exhausted(&self, resource: &str, cost: u64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (_, known) = self.known.iter().find(|(name, _)| name == resource)?;
        let used = known.total.saturating_sub(known.remaining).saturating_add(cost);
        let exceeds = float(used) > self.share * float(known.total) + ROUNDING;
        (exceeds && now < known.reset_at).then_some(known.reset_at)
    }

    /// Nothing at all is asked until then.
    pub(super) fn pause(&mut self, until: DateTime<Utc>) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// Until when nothing is asked, if that is still to come.
    pub(super) fn paused(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.paused_until.filter(|until| now < *until)
    }
}

/// The limit that the headers of an answer state, with its resource.
pub(super) fn stated(headers: &HeaderMap, now: DateTime<Utc>) -> Option<(&str, Limit)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let (Some(total), Some(remaining), Some(reset)) = (
        number(headers, "x-ratelimit-limit"),
        number(headers, "x-ratelimit-remaining"),
        number(headers, "x-ratelimit-reset"),
    ) {
        let resource = text("x-ratelimit-resource").unwrap_or(GITHUB_RESOURCE);
        let believed = resource.len() <= RESOURCE_BYTES_MAX
            && resource.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let limit = Limit { total, remaining, reset_at: epoch(reset)? };
        return believed.then_some((resource, limit));
    }
    let limit = Limit {
        total: number(headers, "ratelimit-limit")?,
        remaining: number(headers, "ratelimit-remaining")?,
        reset_at: after(now, number(headers, "ratelimit-reset")?),
    };
    Some((PAGERDUTY_RESOURCE, limit))
}

/// The number in a header, also where more follows it (`960, 960;w=60`).
pub(super) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?;
    text.split([',', ';']).next()?.trim().parse().ok()
}

/// Seconds since the Unix epoch as an instant.
pub(super) fn epoch(seconds: u64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)
}

/// So many seconds after `now`, at most [`RESET_SECONDS_MAX`].
pub(super) fn after(now: DateTime<Utc>, seconds: u64) -> DateTime<Utc> {
    let seconds = i64::try_from(seconds).unwrap_or(RESET_SECONDS_MAX);
    now + TimeDelta::seconds(seconds.min(RESET_SECONDS_MAX))
}

/// A count as metrics have it; no limit comes near the largest.
pub(super) fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn limit(total: u64, remaining: u64, reset: i64) -> Limit {
        Limit { total, remaining, reset_at: at(reset) }
    }

    #[test]
    fn the_share_is_used_to_the_last_point_and_no_further() {
        for (share, remaining, cost, now, allowed) in [
            (0.8, 5_000, 1, 0, true),
            (0.8, 1_001, 1, 0, true),
            (0.8, 1_000, 1, 0, false),
            (0.8, 1_010, 10, 0, true),
            (0.8, 1_010, 11, 0, false),
            (0.8, 0, 0, 0, false),
            (0.8, 0, 1, 599, false),
            (0.8, 0, 1, 600, true),
            (1.0, 1, 1, 0, true),
            (1.0, 0, 1, 0, false),
            (0.57, 2_151, 1, 0, true),
            (0.57, 2_150, 1, 0, false),
            (0.8, 5_000, u64::MAX, 0, false),
        ] {
            let mut limits = Limits::new(share);
            limits.observe("graphql", limit(5_000, remaining, 600), at(0));
            let refused = limits.exhausted("graphql", cost, at(now));
            assert_eq!(refused, (!allowed).then_some(at(600)), "{share} {remaining} {cost} {now}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_limited() {
        let mut limits = Limits::new(0.8);
        assert_eq!(limits.exhausted("graphql", 1, at(0)), None);
        assert_eq!(limits.observe("graphql", limit(0, 0, 600), at(0)), None);
        assert_eq!(limits.exhausted("graphql", 1, at(0)), None);
    }

    #[test]
    fn statements_may_overtake_each_other() {
        for (name, second, expected) in [
            ("of an earlier period", limit(100, 90, 500), limit(100, 50, 600)),
            ("of the same period, earlier", limit(100, 60, 600), limit(100, 50, 600)),
            ("of the same period, later", limit(100, 40, 601), limit(100, 40, 601)),
            ("counted down a second early", limit(100, 40, 599), limit(100, 40, 600)),
            ("of the next period", limit(100, 99, 1_200), limit(100, 99, 1_200)),
            ("with another limit", limit(50, 60, 600), limit(50, 50, 600)),
            ("from a broken clock", limit(100, 99, 9_999_999), limit(100, 99, 3_600)),
        ] {
            let mut limits = Limits::new(1.0);
            limits.observe("core", limit(100, 50, 600), at(0));
            limits.observe("core", second, at(0));
            assert_eq!(limits.known, [("core".to_owned(), expected)], "{name}");
        }
    }

    #[test]
    fn invented_resources_do_not_pile_up() {
        let mut limits = Limits::new(1.0);
        for n in 0..100 {
            limits.observe(&format!("r{n}"), limit(100, 50, 600), at(0));
        }
        assert_eq!(limits.known.len(), RESOURCES_MAX);
    }

    #[test]
    fn a_pause_holds_until_its_end_and_is_never_shortened() {
        let mut limits = Limits::new(1.0);
        limits.pause(at(60));
        limits.pause(at(30));
        assert_eq!(limits.paused(at(59)), Some(at(60)));
        assert_eq!(limits.paused(at(60)), None);
    }

    #[test]
    fn headers_of_both_vendors_are_read() {
        let github = |resource| {
            vec![
                ("x-ratelimit-limit", "5000"),
                ("x-ratelimit-remaining", "4999"),
                ("x-ratelimit-reset", "1800000600"),
                ("x-ratelimit-resource", resource),
            ]
        };
        let pagerduty = |limit| {
            vec![("ratelimit-limit", limit), ("ratelimit-remaining", "959"), ("ratelimit-reset", "6")]
        };
        for (headers, expected) in [
            (github("graphql"), Some(("graphql", limit(5_000, 4_999, 600)))),
            (github("{evil=\"1\"}"), None),
            (vec![("x-ratelimit-limit", "5000")], None),
            (pagerduty("960"), Some(("rest", limit(960, 959, 6)))),
            (pagerduty("960, 960;w=60"), Some(("rest", limit(960, 959, 6)))),
            (pagerduty("many"), None),
            (vec![], None),
        ] {
            let headers: HeaderMap = headers
                .into_iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            let headers: &HeaderMap = &headers;
            assert_eq!(stated(headers, at(0)), expected, "{headers:?}");
        }
    }
}
