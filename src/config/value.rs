//! Values that several sections have: durations, patterns, URLs, names. Each says what is wrong with it, or is typed.

use std::ops::RangeInclusive;

use chrono::{Datelike as _, NaiveDate};
use regex::Regex;
use reqwest::Url;

use super::reader::{Once, Table, Value, quoted};
use crate::model::day::Day;
use crate::model::name::{RepositoryName, ServiceId};
use crate::model::settings::{RepositoryPatterns, environment_pattern};
use crate::model::text::closest;
use crate::model::time::Span;

/// Characters of a name: names are labels of metrics and parts of URLs.
const NAME_CHARS_MAX: usize = 100;
/// Characters of a pattern of repositories: GitHub's owners have at most 39, its repositories 100, and a glob of any
/// length does not compile.
const PATTERN_CHARS_MAX: usize = 200;
/// No source knows anything of other years, and a date of them is a slip of the pen.
pub(super) const YEARS: RangeInclusive<i32> = 2000..=2099;

impl<'a> Value<'a> {
    /// A name as people write it: not empty, on one line, not too long.
    pub(super) fn name(&self) -> Option<&'a str> {
        let text = self.text("a name")?;
        if text.is_empty() {
            self.refuse("a name is empty");
        } else if text.trim() != text {
            self.refuse(format!("{} has blanks at its beginning or end", quoted(text)));
        } else if text.chars().any(char::is_control) {
            self.refuse(format!("{} has control characters", quoted(text)));
        } else if text.chars().count() > NAME_CHARS_MAX {
            self.refuse(format!("the name is longer than {NAME_CHARS_MAX} characters: {}", quoted(text)));
        } else {
            return Some(text);
        }
        None
    }

    /// One of a few words; `later` are words of the specification that mean nothing yet.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)], later: &[&str]) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        let listed = || words().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        let text = self.text(&format!("one of {}", listed()))?;
        let chosen = choices.iter().find(|(word, _)| *word == text);
        if chosen.is_none() {
            if later.contains(&text) {
                self.refuse_with(
                    format!("{text:?} is not yet supported"),
                    format!("allowed now: {}", listed()),
                );
            } else {
                let meant =
                    closest(text, words()).map_or(String::new(), |word| format!("did you mean {word:?}? "));
                self.refuse_with(
                    format!("unknown value {}", quoted(text)),
                    format!("{meant}allowed: {}", listed()),
                );
            }
        }
        chosen.map(|(_, choice)| *choice)
    }

    /// Words out of a few, at least one, each once.
    pub(super) fn choices<T: Copy>(&self, choices: &[(&str, T)]) -> Option<Vec<T>> {
        let mut once = Once::default();
        every(self.some_items("strings")?.iter().map(|item| {
            let choice = item.choice(choices, &[])?;
            once.claim(item, item.text("")?).then_some(choice)
        }))
    }

    /// A duration within limits; `why` says why these.
    pub(super) fn duration(&self, limits: RangeInclusive<Span>, why: &str) -> Option<Span> {
        let text = self.text("a duration such as \"60s\", \"15m\", \"24h\" or \"180d\"")?;
        let Some(length) = parse_duration(text) else {
            self.refuse_with(
                format!("{} is no duration", quoted(text)),
                "a whole number and a unit: \"60s\", \"15m\", \"24h\", \"180d\"",
            );
            return None;
        };
        if limits.contains(&length) {
            return Some(length);
        }
        let (low, high) = (duration_text(*limits.start()), duration_text(*limits.end()));
        self.refuse_with(format!("{} is not between \"{low}\" and \"{high}\"", quoted(text)), why);
        None
    }

    /// A calendar day: `"2026-08-01"`, also without quotes.
    pub(super) fn day(&self) -> Option<Day> {
        let Some(text) = self.as_date_text() else {
            self.refuse_type("a date such as \"2026-08-01\"");
            return None;
        };
        let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok();
        // Of "2026-8-1" as well as of "+2026-08-01" there is a second way to write the same.
        let Some(date) = date.filter(|date| date.to_string() == text) else {
            self.refuse_with(
                format!("{} is no date", quoted(&text)),
                "year, month and day, such as \"2026-08-01\"",
            );
            return None;
        };
        if !YEARS.contains(&date.year()) {
            let (first, last) = (YEARS.start(), YEARS.end());
            self.refuse(format!("{} is not between the years {first} and {last}", quoted(&text)));
            return None;
        }
        Some(Day::from(date))
    }

    /// A regular expression, as it is.
    pub(super) fn regex(&self) -> Option<Regex> {
        self.compiled(Regex::new)
    }

    /// A pattern of production environments (`definitions.md` 2.1).
    pub(super) fn environment(&self) -> Option<Regex> {
        self.compiled(environment_pattern)
    }

    fn compiled(&self, compile: impl Fn(&str) -> Result<Regex, regex::Error>) -> Option<Regex> {
        let pattern = self.text("a regular expression")?;
        if pattern.is_empty() {
            self.refuse_with(
                "an empty regular expression matches everything",
                "leave the key out, or write \".*\" if that is meant",
            );
            return None;
        }
        match compile(pattern) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or("").trim_start_matches("error: ");
                self.refuse(format!("{} is no regular expression: {reason}", quoted(pattern)));
                None
            }
        }
    }

    /// Names, at least one, each once.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        let mut once = Once::default();
        self.claimed_names(&mut once)
    }

    /// Names, at least one, each once here and wherever else `once` is used.
    pub(super) fn claimed_names(&self, once: &mut Once) -> Option<Vec<String>> {
        every(self.some_items("strings")?.iter().map(|item| {
            let name = item.name()?;
            once.claim(item, name).then(|| name.to_owned())
        }))
    }

    /// An array that says something.
    pub(super) fn some_items(&self, what: &str) -> Option<Vec<Self>> {
        let items = self.items(what)?;
        if items.is_empty() {
            self.refuse_with("the array is empty", "leave the key out, or name something");
            return None;
        }
        Some(items)
    }

    /// Patterns of repositories that take something in.
    pub(super) fn repositories(&self) -> Option<RepositoryPatterns> {
        let patterns = self.patterns(|_, _| true)?;
        if patterns.iter().all(|pattern| pattern.starts_with('!')) {
            self.refuse_with(
                "the patterns only leave out, and take nothing in",
                "begin with \"*/*\" to take in everything else",
            );
            return None;
        }
        RepositoryPatterns::parse(patterns).ok()
    }

    /// Patterns of repositories; `accepted` refuses what is wrong only here.
    pub(super) fn patterns(&self, accepted: impl Fn(&Self, &str) -> bool) -> Option<Vec<&'a str>> {
        let mut once = Once::default();
        let items = self.some_items("patterns such as \"acme/*\"")?;
        every(items.iter().map(|item| {
            let pattern = item.pattern()?;
            (once.claim(item, pattern) && accepted(item, pattern)).then_some(pattern)
        }))
    }

    fn pattern(&self) -> Option<&'a str> {
        let pattern = self.text("a pattern such as \"acme/*\"")?;
        let name = pattern.strip_prefix('!').unwrap_or(pattern);
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() != 2 || parts.contains(&"") || name.contains(char::is_whitespace) {
            self.refuse_with(
                format!("{} cannot match a repository", quoted(pattern)),
                "a repository is `owner/name`: \"acme/shop\", \"acme/*\", \"!acme/sandbox-*\"",
            );
            return None;
        }
        if pattern.chars().count() > PATTERN_CHARS_MAX {
            self.refuse(format!(
                "the pattern is longer than {PATTERN_CHARS_MAX} characters: {}",
                quoted(pattern)
            ));
            return None;
        }
        if let Err((_, error)) = RepositoryPatterns::parse([pattern]) {
            self.refuse(format!("{} is no pattern: {}", quoted(pattern), error.kind()));
            return None;
        }
        Some(pattern)
    }

    /// One repository, by name.
    pub(super) fn repository(&self) -> Option<RepositoryName> {
        let pattern = self.pattern()?;
        if !is_exact(pattern) {
            self.refuse_with(
                format!("{} is a pattern, not one repository", quoted(pattern)),
                "write one `owner/name`",
            );
            return None;
        }
        Some(RepositoryName::new(pattern))
    }

    /// An HTTP(S) address without credentials, query or a slash at its end. Its text is never repeated: people put
    /// secrets into URLs.
    pub(super) fn url(&self) -> Option<Url> {
        let text = self.text("a URL")?;
        let Ok(url) = Url::parse(text) else {
            self.refuse_with(
                "not a URL",
                "begin with http:// or https://, as in \"https://host.example/path\"",
            );
            return None;
        };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            self.refuse("expected a URL that begins with http:// or https://");
        } else if !url.username().is_empty() || url.password().is_some() {
            self.refuse("a URL must not hold a user name or a password");
        } else if url.query().is_some() || url.fragment().is_some() {
            self.refuse("a URL must not have a query or a fragment here");
        } else if url.path().contains("//") {
            self.refuse("the URL has an empty part in its path");
        } else {
            return Some(url);
        }
        None
    }
}

impl Table<'_> {
    /// PagerDuty services of a team or a component; none if it says none.
    pub(super) fn pagerduty_services(&mut self, once: &mut Once) -> Vec<ServiceId> {
        self.optional("pagerduty_services")
            .and_then(|value| value.claimed_names(once))
            .unwrap_or_default()
            .into_iter()
            .map(ServiceId::new)
            .collect()
    }

    /// A boolean with a default.
    pub(super) fn boolean(&mut self, key: &'static str, default: bool) -> bool {
        self.optional(key).and_then(|value| value.boolean()).unwrap_or(default)
    }
}

/// All of them or none; in contrast to collecting options it reads on after the first that is wrong, so that the
/// others tell what is wrong with them too.
pub(super) fn every<T>(read: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    read.collect::<Vec<_>>().into_iter().collect()
}

/// Whether a pattern names one repository.
pub(super) fn is_exact(pattern: &str) -> bool {
    !pattern.starts_with('!') && !has_wildcards(pattern)
}

/// Whether a pattern, or a part of one, has wildcards.
pub(super) fn has_wildcards(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// A URL without the slash at its end, so that paths can be appended.
pub(super) fn base(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// A duration that begins with a digit: a sign would be a second way to write the same.
pub(super) fn parse_duration(text: &str) -> Option<Span> {
    text.starts_with(|first: char| first.is_ascii_digit()).then(|| Span::parse(text)).flatten()
}

/// A duration as the configuration has it, in its largest whole unit.
pub(super) fn duration_text(span: Span) -> String {
    let seconds = span.millis() / 1_000;
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let (each, unit) =
        units.into_iter().find(|(each, _)| seconds >= *each && seconds % each == 0).unwrap_or((1, 's'));
    format!("{}{unit}", seconds / each)
}
