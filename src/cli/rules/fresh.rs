//! How long a source may not be read before what follows from it is stale. Each has its own time: one that is read once
//! an hour is not late after a quarter of it, and one that is read each minute is, whatever the other does.

use std::collections::BTreeMap;

use super::quoted;
use crate::config::Config;
use crate::model::time::Span;
use crate::source::promql;

/// So many polls in a row may fail before the data is called stale …
const POLLS_MISSED: i64 = 5;
/// … but not before this: a short outage of an API concerns nobody.
const STALE_MIN: Span = Span::from_minutes(15);
/// A poll that fails is tried again within this, or when the next one is due: then the source is down.
const POLLS_FAILED: i64 = 2;

const LAST_SUCCESS: &str = "sextant_source_last_success_timestamp_seconds";
const MILLIS_PER_SECOND: i64 = 1_000;
const SECONDS_PER_MINUTE: i64 = 60;

/// The sources that numbers of delivery are made of. Prometheus is read for north stars and signals alone: whatever
/// becomes of those, the numbers stay true.
fn of_delivery(config: &Config) -> Vec<(&str, Span)> {
    let github = config.github.iter().map(|source| (source.name.as_str(), source.poll_interval));
    let pagerduty = config.pagerduty.iter().map(|source| (source.name.as_str(), source.poll_interval));
    github.chain(pagerduty).collect()
}

fn all(config: &Config) -> Vec<(&str, Span)> {
    let signals = config.prometheus.iter().map(|source| (promql::NAME, source.poll_interval));
    of_delivery(config).into_iter().chain(signals).collect()
}

fn seconds(poll_interval: Span, polls: i64, min: Span) -> i64 {
    poll_interval.millis().saturating_mul(polls).max(min.millis()) / MILLIS_PER_SECOND
}

/// The age of the last success of each, compared with what it may be; `all` matches those of the only group.
fn ages(sources: &[(&str, Span)], compared: &str, all: &str) -> String {
    let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (name, poll_interval) in sources {
        let most = seconds(*poll_interval, POLLS_MISSED, STALE_MIN);
        groups.entry(most).or_default().push(name.replace('.', "\\."));
    }
    let is_one = groups.len() == 1;
    let each = groups.iter().map(|(most, names)| {
        let matcher =
            if is_one { all.to_owned() } else { format!("{{source=~{}}}", quoted(&names.join("|"))) };
        format!("time() - {LAST_SUCCESS}{matcher} {compared} {most}")
    });
    each.collect::<Vec<_>>().join("\nor ")
}

/// The sources that were not read for too long.
pub(super) fn stale(config: &Config) -> String {
    ages(&all(config), ">", "")
}

/// 1 for each source of delivery that was read lately, and 0 for each other.
pub(super) fn lately(config: &Config) -> String {
    ages(&of_delivery(config), "< bool", &format!("{{source!={}}}", quoted(promql::NAME)))
}

/// For how long a source is down before it is told: longer than one poll that failed.
pub(super) fn down(config: &Config) -> String {
    let slowest = all(config).into_iter().map(|(_, poll_interval)| poll_interval).max().unwrap_or_default();
    let minutes =
        seconds(slowest, POLLS_FAILED, STALE_MIN).saturating_add(SECONDS_PER_MINUTE - 1) / SECONDS_PER_MINUTE;
    format!("{minutes}m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(github: &str, prometheus: &str) -> Config {
        let toml = format!(
            "[organization]\nname = \"acme\"\n[[github]]\nname = \"acme.hub\"\ntoken_env = \"T\"\norganizations = \
             [\"acme\"]\n{github}\n[[pagerduty]]\nname = \"pages\"\ntoken_env = \"T\"\n{prometheus}"
        );
        Config::parse(&toml, "t.toml", &|_| Some("token".to_owned())).unwrap()
    }

    #[test]
    fn what_is_read_as_often_is_one_question() {
        let config = config("", "");
        assert_eq!(stale(&config), format!("time() - {LAST_SUCCESS} > 900"));
        assert_eq!(lately(&config), format!("time() - {LAST_SUCCESS}{{source!=\"prometheus\"}} < bool 900"));
        assert_eq!(down(&config), "15m");
    }

    #[test]
    fn each_source_may_be_as_old_as_five_of_its_polls_and_prometheus_is_not_of_delivery() {
        let signals = "[prometheus]\nurl = \"http://127.0.0.1:9090\"\npoll_interval = \"10m\"\n";
        let config = config("poll_interval = \"24h\"", signals);
        let age =
            |name: &str, compared: &str| format!("time() - {LAST_SUCCESS}{{source=~\"{name}\"}} {compared}");
        let (hub, pages, own) = ("acme\\\\.hub", "pages", "prometheus");
        assert_eq!(
            stale(&config),
            format!("{} 900\nor {} 3000\nor {} 432000", age(pages, ">"), age(own, ">"), age(hub, ">"))
        );
        assert_eq!(
            lately(&config),
            format!("{} 900\nor {} 432000", age(pages, "< bool"), age(hub, "< bool"))
        );
        assert_eq!(down(&config), "2880m", "two polls of the slowest");
    }
}
