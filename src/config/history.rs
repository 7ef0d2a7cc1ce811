//! `[history]`.

use super::History;
use super::reader::Table;
use crate::model::time::Span;

/// Default of `history.resolution`.
const DEFAULT_RESOLUTION: Span = Span::from_hours(1);
/// What is finer than a snapshot is no history.
const RESOLUTION_MIN: Span = Span::from_minutes(1);
/// What is coarser than a day tells nothing about weeks.
const RESOLUTION_MAX: Span = Span::from_days(1);

/// Reads `[history]`.
pub(super) fn history(document: &mut Table<'_>) -> Option<History> {
    let default = History { resolution: DEFAULT_RESOLUTION };
    let Some(mut table) = document.table("history") else {
        return (!document.has("history")).then_some(default);
    };
    let resolution = match table.optional("resolution") {
        Some(value) => value.duration(RESOLUTION_MIN..=RESOLUTION_MAX, "it is the step of trends"),
        None => Some(DEFAULT_RESOLUTION),
    };
    table.finish();
    Some(History { resolution: resolution? })
}
