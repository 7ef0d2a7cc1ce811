//! The collector: whether the daemon can see, and why nothing is where something is expected.

use serde_json::json;

use super::board::Board;
use super::panel::Panel;
use super::query::{Query, SEXTANT, process};
use super::words::{flag, in_colour, millis, spaced};

pub(crate) fn board() -> Board {
    Board::new(
        "sextant-collector",
        "sextant / Collector",
        "Whether sextant can see: its sources, how fresh they are, what they cost, and why nothing is where something \
         is expected.",
    )
    .from("now-24h")
    .section("Sources", sources())
    .section("Why is nothing here?", why())
    .section("What the sources are asked", asked())
    .section("The daemon", daemon())
}

fn sources() -> Vec<Panel> {
    let of = |end: &str| SEXTANT.now(end, &["source", "kind"], "");
    let backfill = SEXTANT.now("source_backfill_complete", &["source"], "");
    let progress = SEXTANT.now("source_backfill_progress_ratio", &["source"], "");
    let none = "No source has been polled: is one configured?";
    vec![
        Panel::table("Sources", 24, 5)
            .ask(of("source_up"), "Last poll")
            .ask(of("source_last_success_timestamp_seconds").map(millis), "Last success")
            .ask(of("source_newest_fact_timestamp_seconds").map(millis), "Newest fact")
            .ask(of("source_poll_duration_seconds"), "Poll took")
            .ask(backfill, "History")
            .ask(progress, "History read")
            .side_by_side("source", &[("source", "Source"), ("kind", "Kind")], &[])
            .unit("none")
            .field("Last poll", &[("mappings", flag("succeeded", "failed")), in_colour()])
            .field("History", &[("mappings", flag("whole", "being read")), in_colour()])
            .field("Last success", &[("unit", json!("dateTimeFromNow"))])
            .field("Newest fact", &[("unit", json!("dateTimeFromNow"))])
            .field("Poll took", &[("unit", json!("s"))])
            .field("History read", &[("unit", json!("percentunit")), ("noValue", json!("at once"))])
            .nothing(none),
        Panel::live("Age of the last success", 12, 7)
            .ask(
                SEXTANT
                    .now("source_last_success_timestamp_seconds", &["source"], "")
                    .map(|at| format!("time() - {at}")),
                "{{source}}",
            )
            .unit("s")
            .nothing(none),
        Panel::bars("Budget that remains", 12, 7)
            .note("sextant stops at its configured share of the limit, and others may use the same token.")
            .ask(budget(), "{{source}} {{resource}}")
            .unit("percentunit")
            .set("min", json!(0))
            .set("max", json!(1))
            .set("decimals", json!(0))
            .nothing("No source has told its limit yet"),
    ]
}

fn budget() -> Query {
    let of = |end: &str| SEXTANT.now(end, &["source", "resource"], "");
    of("source_rate_limit_remaining").with(of("source_rate_limit"), |left, all| format!("{left} / {all}"))
}

fn why() -> Vec<Panel> {
    vec![
        Panel::table("Repositories", 7, 9)
            .note("Each has one state, the first that fits. Unowned: say in [[teams]] whose it is. No deployments: see [[github.deployments]].")
            .ask(SEXTANT.now("repositories", &["source", "state"], ""), "Repositories")
            .unit("none")
            .side_by_side("source", &[("source", "Source"), ("state", "State")], &[])
            .field("State", &[("mappings", spaced())])
            .nothing("No repository: is its organisation or name in [[github]], and may the token see it?"),
        Panel::table("Incidents that are not counted", 7, 9)
            .ask(SEXTANT.now("source_excluded", &["source", "reason"], ""), "Incidents")
            .unit("none")
            .side_by_side("source", &[("source", "Source"), ("reason", "Reason")], &[])
            .field("Reason", &[("mappings", spaced())])
            .nothing("Every incident is counted"),
        corrected(6, 9),
        Panel::stat("Series left out", 4, 9)
            .note("Above 0: raise metrics.max_series, or switch metrics.component_detail off.")
            .ask(SEXTANT.now("series_dropped", &[], ""), "")
            .nothing("sextant is not scraped"),
        Panel::table("Teams' own files", 24, 5)
            .note("A file with a mistake leaves the organisation's settings in force; the team's page says what is wrong.")
            .ask(SEXTANT.now("team_config_valid", &["repository"], ""), "File")
            .side_by_side("repository", &[("repository", "Repository")], &[])
            .field("File", &[("mappings", flag("in force", "refused")), in_colour()])
            .nothing("No repository has a file of its own"),
    ]
}

/// Facts that were not used as they are.
pub(crate) fn corrected(width: u32, height: u32) -> Panel {
    Panel::table("Facts used with a correction", width, height)
        .ask(SEXTANT.now("suspect_facts", &["reason"], ""), "Facts")
        .unit("none")
        .side_by_side("reason", &[("reason", "Reason")], &[])
        .field("Reason", &[("mappings", spaced())])
        .nothing("No fact needed a correction")
}

fn asked() -> Vec<Panel> {
    vec![
        Panel::live("Requests", 8, 7)
            .ask(SEXTANT.rate("source_requests_total", &["source", "kind"], ""), "{{source}}")
            .unit("reqps")
            .nothing("Not scraped for long enough: two scrapes are needed"),
        Panel::live("Failures, by reason", 8, 7)
            .ask(
                SEXTANT
                    .rate("source_request_failures_total", &["source", "kind", "reason"], "")
                    .map(|rate| format!("{rate} > 0")),
                "{{source}} {{reason}}",
            )
            .unit("reqps")
            .nothing("No request has failed"),
        Panel::live("Share of time waited to stay inside the budget", 8, 7)
            .ask(SEXTANT.rate("source_throttled_seconds_total", &["source"], ""), "{{source}}")
            .unit("percentunit")
            .set("max", json!(1))
            .nothing("Not scraped for long enough: two scrapes are needed"),
        Panel::live("Webhooks", 8, 7)
            .ask(
                SEXTANT.rate("webhooks_total", &["source", "event", "outcome"], ""),
                "{{source}} {{event}} {{outcome}}",
            )
            .unit("reqps")
            .nothing("No webhook has come: see [server.push]"),
        Panel::live("Budget that remains", 8, 7)
            .ask(budget(), "{{source}} {{resource}}")
            .unit("percentunit")
            .set("max", json!(1))
            .nothing("No source has told its limit yet"),
        Panel::table("Facts in the store", 8, 7)
            .ask(SEXTANT.now("facts", &["fact"], ""), "Rows")
            .unit("none")
            .side_by_side("fact", &[("fact", "Fact")], &[])
            .nothing("Nothing has been read yet"),
    ]
}

fn daemon() -> Vec<Panel> {
    let memory = process("resident_memory_bytes", str::to_owned);
    let processor = process("cpu_seconds_total", |total| format!("rate({total}[$__rate_interval])"));
    let nothing = "sextant is not scraped";
    vec![
        Panel::table("Version", 8, 4)
            .ask(SEXTANT.now("build_info", &["version", "revision"], ""), "Is")
            .side_by_side("version", &[("version", "Version"), ("revision", "Revision")], &["Is"])
            .nothing(nothing),
        Panel::stat("Configuration", 4, 4)
            .ask(SEXTANT.now("config_last_reload_successful", &[], ""), "")
            .set("mappings", flag("as written", "reload failed"))
            .nothing(nothing),
        Panel::stat("Loaded", 4, 4)
            .ask(SEXTANT.now("config_last_reload_success_timestamp_seconds", &[], "").map(millis), "")
            .nothing(nothing),
        Panel::stat("Snapshot", 4, 4)
            .ask(SEXTANT.now("snapshot_timestamp_seconds", &[], "").map(millis), "")
            .nothing(nothing),
        Panel::stat("Series", 4, 4).ask(SEXTANT.now("series", &[], ""), "").nothing(nothing),
        Panel::live("A snapshot takes", 8, 7)
            .ask(SEXTANT.now("snapshot_duration_seconds", &[], ""), "to compute and render")
            .nothing(nothing),
        Panel::live("Memory", 8, 7).ask(memory, "resident").nothing(nothing),
        Panel::live("Processor", 8, 7).ask(processor, "share of a core").unit("percentunit").nothing(nothing),
    ]
}
