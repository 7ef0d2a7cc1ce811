//! One question: which series, and at which instants.

use regex::{Regex, RegexBuilder};

use super::{Refused, wire};
use crate::engine::series::Instants;
use crate::model::time::{Span, Timestamp};

/// Matchers of one question; people write a handful.
const MATCHERS_MAX: usize = 64;
/// A compiled regular expression, in bytes: an alternative of a thousand names.
const REGEX_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Instants of one question: five years by the hour. Prometheus itself draws at most 11,000 points.
const INSTANTS_MAX: usize = 50_000;
/// How far Prometheus looks back for the value at an instant, unless it is told otherwise.
const LOOKBACK: Span = Span::from_minutes(5);
/// No series is finer than this: what Prometheus scrapes at.
const STEP_MIN: Span = Span::from_seconds(15);
const METRIC_NAME: &str = "__name__";

/// What is asked.
#[derive(Debug)]
pub struct Query {
    from: Timestamp,
    to: Timestamp,
    matchers: Vec<Matcher>,
    hints: Option<Hints>,
}

/// What is asked of one label; a label that is not there is empty.
#[derive(Debug)]
struct Matcher {
    label: String,
    test: Test,
    /// Whether who passes the test is meant, or who does not.
    passing: bool,
}

#[derive(Debug)]
enum Test {
    Is(String),
    Matches(Regex),
}

/// What Prometheus says of the query for which it asks.
#[derive(Debug, Clone, Copy)]
struct Hints {
    start: Timestamp,
    step: Span,
    range: Span,
}

impl Query {
    pub(super) fn new(query: wire::Query) -> Result<Self, Refused> {
        let wire::Query { start_timestamp_ms, end_timestamp_ms, matchers, hints } = query;
        if matchers.len() > MATCHERS_MAX {
            return Err(Refused::TooMuch(format!("a query has more than {MATCHERS_MAX} matchers")));
        }
        let hints = hints.map(|wire::ReadHints { step, start, range }| Hints {
            start: Timestamp::from_millis(start),
            step: Span::from_millis(step),
            range: Span::from_millis(range),
        });
        Ok(Self {
            from: Timestamp::from_millis(start_timestamp_ms),
            to: Timestamp::from_millis(end_timestamp_ms),
            matchers: matchers.into_iter().map(Matcher::new).collect::<Result<_, _>>()?,
            hints,
        })
    }

    /// Whether series of a metric with these labels can be meant.
    pub fn wants(&self, metric: &str, labels: &[&str]) -> bool {
        self.matchers.iter().all(|matcher| match matcher.label.as_str() {
            METRIC_NAME => matcher.admits(metric),
            label => labels.contains(&label) || matcher.admits(""),
        })
    }

    /// Whether series with this value of a label that they have can be meant.
    pub fn admits(&self, label: &str, value: &str) -> bool {
        self.matchers.iter().all(|matcher| matcher.label != label || matcher.admits(value))
    }

    /// The instants at which Prometheus needs values, none of them later than `now`, nor before 1970, when nobody had
    /// anything to collect from.
    ///
    /// For a range (`last_over_time(m[2h])`) and for readers who say nothing of their query, these are the multiples of
    /// `resolution`, or two in each range if it is shorter. For a bare `m`, Prometheus looks for a value in the five
    /// minutes before each of its own steps, and would find next to none by the hour: so these are just those steps.
    pub fn instants(&self, resolution: Span, now: Timestamp) -> Result<Instants, Refused> {
        let epoch = Timestamp::default();
        let (earliest, to) = (self.from.max(epoch), self.to.min(now));
        let mut grids: Vec<(Timestamp, Span)> = Vec::new();
        match self.hints {
            Some(Hints { start, step, range }) if range <= Span::ZERO => {
                // Whole seconds, since some versions look back a millisecond less.
                let first = start.plus(LOOKBACK);
                let first = Timestamp::from_seconds(first.millis().div_euclid(1_000));
                grids.push((first, step));
                // Subqueries have their steps at multiples.
                grids.extend((step > Span::ZERO).then_some((epoch, step)));
            }
            Some(Hints { start: _, step: _, range }) => {
                grids.push((epoch, resolution.min(Span::from_millis(range.millis() / 2))));
            }
            None => grids.push((epoch, resolution)),
        }
        let mut instants = vec![now];
        for (anchor, step) in grids {
            if step <= Span::ZERO {
                instants.push(anchor);
                continue;
            }
            let step = step.max(STEP_MIN);
            let from = first_on_grid(earliest, anchor, step);
            if Instants::count(from, to, step) > INSTANTS_MAX {
                return Err(Refused::TooMuch(format!(
                    "the query asks for more than {INSTANTS_MAX} instants: make its range shorter, or its step longer"
                )));
            }
            instants.extend(Instants::range(from, to, step).iter());
        }
        Ok(instants.into_iter().filter(|at| (earliest..=to).contains(at)).collect())
    }
}

/// The first instant not before `from` that is a whole number of steps away from `anchor`.
fn first_on_grid(from: Timestamp, anchor: Timestamp, step: Span) -> Timestamp {
    let past = from.since(anchor).millis().rem_euclid(step.millis());
    let missing = if past == 0 { 0 } else { step.millis() - past };
    from.plus(Span::from_millis(missing))
}

impl Matcher {
    fn new(matcher: wire::LabelMatcher) -> Result<Self, Refused> {
        let is_regex = matcher.is_regex();
        let wire::LabelMatcher { kind, name, value } = matcher;
        let passing = match kind {
            0 | 2 => true,
            1 | 3 => false,
            _ => return Err(Refused::Malformed(format!("a matcher of {name:?} is of no known type"))),
        };
        let test = if is_regex { Test::Matches(anchored(&name, &value)?) } else { Test::Is(value) };
        Ok(Self { label: name, test, passing })
    }

    fn admits(&self, value: &str) -> bool {
        let passes = match &self.test {
            Test::Is(wanted) => wanted == value,
            Test::Matches(regex) => regex.is_match(value),
        };
        passes == self.passing
    }
}

/// Prometheus's regular expressions have to match the whole value.
fn anchored(label: &str, pattern: &str) -> Result<Regex, Refused> {
    let built = RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|error| {
        if let regex::Error::CompiledTooBig(_) = error {
            return Refused::TooMuch(format!("the regular expression of {label:?} is too large"));
        }
        // The last line says what is wrong, those before it show all of the expression.
        let text = error.to_string();
        let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Refused::Malformed(format!("the regular expression of {label:?} cannot be read: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(matchers: &[(i32, &str, &str)]) -> Query {
        query(matchers, 0, 0, None).unwrap()
    }

    fn query(
        matchers: &[(i32, &str, &str)],
        from: i64,
        to: i64,
        hints: Option<(i64, i64, i64)>,
    ) -> Result<Query, Refused> {
        let matchers = matchers.iter().map(|(kind, name, value)| wire::LabelMatcher {
            kind: *kind,
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        });
        Query::new(wire::Query {
            start_timestamp_ms: from * 1_000,
            end_timestamp_ms: to * 1_000,
            matchers: matchers.collect(),
            hints: hints.map(|(start, step, range)| wire::ReadHints {
                start: start * 1_000,
                step: step * 1_000,
                range: range * 1_000,
            }),
        })
    }

    #[test]
    fn matchers_mean_what_they_mean_in_prometheus() {
        let is_wanted = |matchers: &[(i32, &str, &str)]| {
            let query = matching(matchers);
            query.wants("dora_team_changes", &["team", "window"])
                && query.admits("team", "payments")
                && query.admits("window", "30d")
        };
        for (matchers, expected) in [
            (&[][..], true),
            (&[(0, "__name__", "dora_team_changes")], true),
            (&[(0, "__name__", "dora_team")], false),
            (&[(2, "__name__", "dora_team")], false),
            (&[(2, "__name__", "dora_.*")], true),
            (&[(3, "__name__", "up|node_.*")], true),
            (&[(0, "team", "payments"), (1, "window", "7d")], true),
            (&[(0, "team", "payments"), (1, "window", "30d")], false),
            (&[(2, "team", "pay")], false),
            (&[(2, "team", "pay.*|core")], true),
            (&[(3, "team", "pay.*")], false),
            // A label that is not there is empty.
            (&[(0, "cluster", "")], true),
            (&[(0, "cluster", "eu")], false),
            (&[(1, "cluster", "eu")], true),
            (&[(2, "cluster", ".*")], true),
            (&[(2, "cluster", ".+")], false),
            (&[(0, "team", "")], false),
        ] {
            assert_eq!(is_wanted(matchers), expected, "{matchers:?}");
        }
    }

    #[test]
    fn a_matcher_that_cannot_be_is_refused() {
        for (matcher, said) in [
            ((2, "team", "("), "the regular expression of \"team\" cannot be read: unclosed group"),
            ((7, "team", "x"), "no known type"),
        ] {
            let error = query(&[matcher], 0, 0, None).unwrap_err();
            assert!(matches!(&error, Refused::Malformed(text) if text.contains(said)), "{error}");
        }
        let huge = query(&[(2, "team", "(a{1000}){1000}")], 0, 0, None).unwrap_err();
        assert!(matches!(&huge, Refused::TooMuch(_)), "{huge}");
        let many = query(&[(0, "team", "x"); MATCHERS_MAX + 1], 0, 0, None).unwrap_err();
        assert!(matches!(&many, Refused::TooMuch(_)), "{many}");
    }

    const HOUR: i64 = 3_600;

    #[test]
    fn values_are_where_prometheus_looks_for_them() {
        let now = 1_000_000 * HOUR;
        for (what, from, to, hints, expected) in [
            (
                "no hints: multiples of the resolution",
                now - 2 * HOUR - 1,
                now - 1,
                None,
                vec![-2 * HOUR, -HOUR],
            ),
            (
                "a bare selector: its steps, which begin five minutes after what it asks for, and their multiples",
                now - 1_000 - 300,
                now - 100,
                Some((now - 1_000 - 300, 300, 0)),
                vec![-1_300, -1_200, -1_000, -900, -700, -600, -400, -300, -100],
            ),
            (
                "an instant: just that one",
                now - 777 - 300,
                now - 777,
                Some((now - 777 - 300, 0, 0)),
                vec![-777],
            ),
            (
                "a range: multiples of the resolution",
                now - 3 * HOUR,
                now - 10,
                Some((now - 3 * HOUR, 60, 2 * HOUR)),
                vec![-3 * HOUR, -2 * HOUR, -HOUR],
            ),
            (
                "a range shorter than the resolution: two in each",
                now - 2 * HOUR,
                now - 10,
                Some((now - 2 * HOUR, 60, HOUR)),
                vec![-2 * HOUR, -HOUR - HOUR / 2, -HOUR, -HOUR / 2],
            ),
            ("what is to come is not known", now - 5, now + 9 * HOUR, None, vec![0]),
            ("nothing", now + 5, now + 9 * HOUR, None, vec![]),
        ] {
            let query = query(&[], from, to, hints).unwrap();
            let found = query.instants(Span::from_hours(1), Timestamp::from_seconds(now)).unwrap();
            let found: Vec<_> = found.iter().map(|at| at.millis() / 1_000 - now).collect();
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn a_millisecond_less_of_lookback_is_no_other_step() {
        let now = Timestamp::from_seconds(1_000_000);
        let mut query = query(&[], 990_000, 999_999, Some((990_000, 0, 0))).unwrap();
        for start in [990_000_000, 990_000_001] {
            query.hints =
                Some(Hints { start: Timestamp::from_millis(start), step: Span::ZERO, range: Span::ZERO });
            let instants = query.instants(Span::from_hours(1), now).unwrap();
            assert_eq!(instants.first(), Some(Timestamp::from_seconds(990_300)));
        }
    }

    #[test]
    fn a_thousand_names_are_no_large_expression() {
        let names: Vec<_> = (0..1_000).map(|number| format!("payments-service-{number}")).collect();
        let query = query(&[(2, "component", &names.join("|"))], 0, 0, None).unwrap();
        assert!(query.admits("component", "payments-service-7"));
        assert!(!query.admits("component", "payments-service-1000"));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_asked_the_instants_are_few_and_in_between(
            from in proptest::prelude::any::<i64>(), to in proptest::prelude::any::<i64>(),
            hints in proptest::option::of(proptest::prelude::any::<(i64, i64, i64)>()),
            small in 0_u32..60,
        ) {
            let [from, to] = [from, to].map(|at| Timestamp::from_millis(at >> small));
            let hints = hints.map(|(start, step, range)| Hints {
                start: Timestamp::from_millis(start >> small),
                step: Span::from_millis(step >> small),
                range: Span::from_millis(range >> small),
            });
            let query = Query { from, to, matchers: Vec::new(), hints };
            let now = Timestamp::from_seconds(1_764_000_000);
            if let Ok(instants) = query.instants(Span::from_hours(1), now) {
                proptest::prop_assert!(instants.len() <= 2 * INSTANTS_MAX + 2);
                let between = from.max(Timestamp::default())..=to.min(now);
                proptest::prop_assert!(instants.iter().all(|at| between.contains(&at)));
            }
        }
    }

    #[test]
    fn too_many_instants_are_refused_before_they_are_counted_out() {
        let forever = query(&[], i64::MIN / 1_000, i64::MAX / 1_000, None).unwrap();
        let now = Timestamp::from_seconds(1_764_000_000);
        assert!(matches!(forever.instants(Span::from_hours(1), now), Err(Refused::TooMuch(_))));
    }
}
