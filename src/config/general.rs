//! `[organization]`, `[store]` and `[metrics]`.

use std::path::PathBuf;

use chrono_tz::{TZ_VARIANTS, Tz};
use regex::Regex;

use super::Store;
use super::reader::{Once, Table, Value, quoted};
use super::value::{duration_text, every, parse_duration};
use crate::model::settings::{
    BotChanges, ComponentDetail, FailOn, LeadTimeFrom, MetricSettings, RollbackBlames, TeamAttribution,
    Window,
};
use crate::model::text::closest;
use crate::model::time::Span;

/// Default of `store.url`.
const DEFAULT_STORE: &str = "data/sextant.db";
/// Default of `metrics.max_series`.
const DEFAULT_MAX_SERIES: usize = 200_000;
/// Every window multiplies the series; more than these nobody looks at.
const WINDOWS_MAX: usize = 10;
/// A shorter window is empty most of the time.
const WINDOW_MIN: Span = Span::from_hours(1);
/// Two years: nobody steers by what is older.
const WINDOW_MAX: Span = Span::from_days(731);
/// A deployment is hardly to blame for what happens later.
const ATTRIBUTION_WINDOW_MAX: Span = Span::from_days(30);
/// What comes later is new work, not a remedy.
const REMEDIATION_WINDOW_MAX: Span = Span::from_days(90);
/// More than a Prometheus server takes from one target.
const SERIES_MAX: u64 = 10_000_000;

/// Reads `[organization]`: its name, and the time zone of calendar days.
pub(super) fn organization(document: &mut Table<'_>) -> Option<(String, Tz)> {
    let Some(mut table) = document.table("organization") else {
        if !document.has("organization") {
            document.refuse(
                "the table `[organization]` is missing",
                Some("add `[organization]` with `name = \"acme\"`"),
            );
        }
        return None;
    };
    let name = table.required("name", "name = \"acme\"").and_then(|value| value.name());
    let timezone = match table.optional("timezone") {
        Some(value) => zone(&value),
        None => Some(Tz::UTC),
    };
    table.finish();
    Some((name?.to_owned(), timezone?))
}

fn zone(value: &Value<'_>) -> Option<Tz> {
    let text = value.text("a time zone such as \"Europe/Berlin\"")?;
    let zone = text.parse().ok();
    if zone.is_none() {
        let meant = closest(text, TZ_VARIANTS.iter().map(|zone| zone.name()));
        value.refuse_with(
            format!("unknown time zone {}", quoted(text)),
            meant.map_or("a name of the IANA database, such as \"Europe/Berlin\"".to_owned(), |zone| {
                format!("did you mean {zone:?}?")
            }),
        );
    }
    zone
}

/// Reads `[store]`.
pub(super) fn store(document: &mut Table<'_>) -> Option<Store> {
    let default = Store::Sqlite(PathBuf::from(DEFAULT_STORE));
    let Some(mut table) = document.table("store") else {
        return Some(default);
    };
    let store = match table.optional("url") {
        Some(url) => store_url(&url),
        None => Some(default),
    };
    table.finish();
    store
}

/// The URL is never repeated: that of a database server holds its password.
fn store_url(value: &Value<'_>) -> Option<Store> {
    let text = value.text("a URL such as \"sqlite:data/sextant.db\"")?;
    let (scheme, path) = text.split_once(':').unwrap_or(("", text));
    if matches!(scheme, "postgres" | "postgresql") {
        value.refuse_with("PostgreSQL is not yet supported", "allowed now: \"sqlite:data/sextant.db\"");
    } else if scheme != "sqlite" {
        value.refuse_with(
            "expected a URL that begins with sqlite:",
            "a path on a local disk: \"sqlite:data/sextant.db\"",
        );
    } else if path.is_empty()
        || path.ends_with('/')
        || path.starts_with("//")
        || path.contains([':', '?', '\0'])
    {
        value.refuse_with(
            "no path of a file after sqlite:",
            "write \"sqlite:data/sextant.db\" or \"sqlite:/var/lib/sextant/sextant.db\"",
        );
    } else {
        return Some(Store::Sqlite(PathBuf::from(path)));
    }
    None
}

/// What `[metrics]` says.
pub(super) struct Metrics {
    pub(super) settings: MetricSettings,
    pub(super) bots: Vec<Regex>,
    pub(super) max_series: usize,
}

/// Reads `[metrics]`; time zone and incident filters are said elsewhere. What is wrong counts as its default, since
/// the errors are told and nothing starts.
pub(super) fn metrics(document: &mut Table<'_>) -> Metrics {
    let mut metrics =
        Metrics { settings: MetricSettings::new(), bots: Vec::new(), max_series: DEFAULT_MAX_SERIES };
    let Some(mut table) = document.table("metrics") else {
        return metrics;
    };
    rules(&mut table, &mut metrics.settings);
    if let Some(bots) = table.optional("bots").and_then(|value| value.items("regular expressions")) {
        metrics.bots = bots.iter().filter_map(Value::regex).collect();
    }
    if let Some(value) = table.optional("max_series") {
        let count = value.integer().filter(|count| (1..=SERIES_MAX).contains(count));
        match count.and_then(|count| usize::try_from(count).ok()) {
            Some(count) => metrics.max_series = count,
            None => value.refuse(format!("expected a whole number between 1 and {SERIES_MAX}")),
        }
    }
    table.finish();
    metrics
}

fn rules(table: &mut Table<'_>, settings: &mut MetricSettings) {
    if let Some(windows) = table.optional("windows").and_then(|value| windows(&value)) {
        settings.windows = windows;
    }
    if !table.boolean("component_detail", true) {
        settings.component_detail = ComponentDetail::Off;
    }
    let choices = [
        ("first_commit", LeadTimeFrom::FirstCommit),
        ("opened", LeadTimeFrom::Opened),
        ("merged", LeadTimeFrom::Merged),
    ];
    let lead_time_from = table.optional("lead_time_from");
    if let Some(from) = lead_time_from.and_then(|value| value.choice(&choices, &[])) {
        settings.lead_time_from = from;
    }
    let choices = [
        ("incident", FailOn::Incident),
        ("rollback", FailOn::Rollback),
        ("revert", FailOn::Revert),
        ("hotfix", FailOn::Hotfix),
    ];
    if let Some(causes) = table.optional("fail_on").and_then(|value| value.choices(&choices)) {
        settings.fail_on = causes;
    }
    let choices = [("last", RollbackBlames::Last), ("first", RollbackBlames::First)];
    let rollback_blames = table.optional("rollback_blames");
    if let Some(blamed) = rollback_blames.and_then(|value| value.choice(&choices, &[])) {
        settings.rollback_blames = blamed;
    }
    let from_a_minute = |key, table: &mut Table<'_>, max| {
        let why = "a deployment and what follows from it lie at least a minute apart, and not for ever";
        table.optional(key).and_then(|value| value.duration(Span::from_minutes(1)..=max, why))
    };
    if let Some(window) = from_a_minute("attribution_window", table, ATTRIBUTION_WINDOW_MAX) {
        settings.attribution_window = window;
    }
    if let Some(window) = from_a_minute("remediation_window", table, REMEDIATION_WINDOW_MAX) {
        settings.remediation_window = window;
    }
    if table.boolean("include_bot_changes", false) {
        settings.bot_changes = BotChanges::Included;
    }
    if let Some(pattern) = table.optional("hotfix_branch").and_then(|value| value.regex()) {
        settings.hotfix_branch = pattern;
    }
    if let Some(pattern) = table.optional("hotfix_label").and_then(|value| value.regex()) {
        settings.hotfix_label = pattern;
    }
    if table.boolean("team_attribution", false) {
        settings.team_attribution = TeamAttribution::On;
    }
}

fn windows(value: &Value<'_>) -> Option<Vec<Window>> {
    let items = value.some_items("durations")?;
    if items.len() > WINDOWS_MAX {
        value.refuse_with(
            format!("more than {WINDOWS_MAX} windows"),
            "every window multiplies the number of series",
        );
    }
    let mut once = Once::default();
    every(items.iter().map(|item| {
        item.duration(
            WINDOW_MIN..=WINDOW_MAX,
            "shorter windows are empty most of the time, longer ones nobody steers by",
        )?;
        let label = item.text("a duration")?;
        // "7d" and "168h" are one window with two names: the shortest way to write it is the one that counts.
        let length = duration_text(parse_duration(label)?);
        once.claim(item, &length).then(|| Window::parse(label)).flatten()
    }))
}
