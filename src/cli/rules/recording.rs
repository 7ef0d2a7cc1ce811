//! Recording rules: the one question that every alert about a team asks first.

use super::{Setting, indented};

/// 1 where the numbers of a daemon can be trusted: every source was read lately, all of its history is there, and they
/// are computed from that. One poll that failed changes nothing of what is known: it must not end alerts and start them
/// anew, so it is asked when the last one succeeded, and not whether it did.
pub(super) const TRUSTED: &str = "sextant:trusted:bool";

const EXPR: &str = "
  min by (job, instance) (time() - sextant_source_last_success_timestamp_seconds < bool <stale>)
* min by (job, instance) (sextant_source_backfill_complete)
* min by (job, instance) (time() - sextant_snapshot_timestamp_seconds < bool 300)
";

/// The file of all recording rules.
pub(super) fn file(setting: &Setting) -> String {
    format!(
        "# What the alerts ask first. Written by `sextant rules`.\ngroups:\n  - name: sextant\n    rules:\n      \
         # 1: all sources were read lately, all of their history is known, and the numbers are made of it. 0: not so.\n      \
         - record: {TRUSTED}\n        expr: |\n{}\n",
        indented(&setting.fill(EXPR), 10)
    )
}
