//! Recording rules: what alerts about teams ask first.

use super::quiet::LAST;
use super::{Setting, indented};

/// 1 where the numbers of a daemon can be trusted: every source of them was read lately, all of their history is there,
/// and they are computed from that. One poll that failed changes nothing of what is known: it must not end alerts and start
/// them anew, so it is asked when the last one succeeded, and not whether it did. What is read of Prometheus is not asked
/// for, since no number of delivery is made of it.
pub(super) const TRUSTED: &str = "sextant:trusted:bool";

/// A source that has not been read since the daemon started has no last success that could be old.
const EXPR: &str = "
min by (job, instance) (
  <lately>
)
* min by (job, instance) (sextant_source_backfill_complete{source!=\"prometheus\"})
* min by (job, instance) (time() - sextant_snapshot_timestamp_seconds < bool 300)
unless on (job, instance) (
  sextant_source_throttled_seconds_total{source!=\"prometheus\"}
  unless on (job, instance, source) sextant_source_last_success_timestamp_seconds
)
";

/// For how long a team has not deployed, in seconds, without what was no time to deploy.
pub(super) const SILENCE: &str = "sextant:deployment_silence:seconds";

/// The file of all recording rules.
pub(super) fn file(setting: &Setting) -> String {
    let (terms, year) = &setting.quiet;
    let silence = format!("time() - {LAST}\n{terms}");
    let holidays = year.map_or_else(String::new, |year| {
        format!("      # Holidays up to the end of {year} are in it: write it again before that.\n")
    });
    format!(
        "# What the alerts ask first. Written by `sextant rules`.\ngroups:\n  - name: sextant\n    rules:\n      \
         # 1: all sources were read lately, all of their history is known, and the numbers are made of it. 0, or none: not so.\n      \
         - record: {TRUSTED}\n        expr: |\n{}\n      \
         # Seconds since a team's last deployment, without holidays and what quiet periods are not worth.\n{holidays}      \
         - record: {SILENCE}\n        expr: |\n{}\n",
        indented(&setting.fill(EXPR), 10),
        indented(&silence, 10),
    )
}
