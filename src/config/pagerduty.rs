//! `[[pagerduty]]`.

use super::Variables;
use super::reader::{Once, Table};
use super::secret::{TOKEN, required};
use super::source::{api_url, ca_pem, history, poll_interval, source_name};
use crate::model::settings::{IncidentFilter, Standing};
use crate::source::pagerduty::config::Config;

/// Default of `api_url`.
const DEFAULT_API_URL: &str = "https://api.pagerduty.com";
/// The urgencies that PagerDuty has.
const URGENCIES: [(&str, &str); 2] = [("high", "high"), ("low", "low")];

/// Reads one `[[pagerduty]]`, with which of its incidents count.
pub(super) fn pagerduty(
    mut table: Table<'_>,
    names: &mut Once,
    variables: &Variables<'_>,
) -> Option<(Config, IncidentFilter)> {
    let name = source_name(&mut table, names);
    let api_url = api_url(&mut table, DEFAULT_API_URL, |_| None);
    let credential = required(&mut table, &TOKEN, variables);
    let ca_pem = ca_pem(&mut table);
    let poll_interval = poll_interval(&mut table);
    let history = history(&mut table);
    let filter = filter(&mut table);
    table.finish();
    let config = Config {
        name: name?,
        api_url: api_url?,
        credential: credential?,
        ca_pem,
        poll_interval: poll_interval?,
        history: history?,
    };
    Some((config, filter?))
}

fn filter(table: &mut Table<'_>) -> Option<IncidentFilter> {
    let urgencies = match table.optional("urgencies") {
        Some(value) => value.choices(&URGENCIES).map(Some),
        None => Some(None),
    };
    let exclude_title = match table.optional("exclude_title") {
        Some(value) => value.regex().map(Some),
        None => Some(None),
    };
    let standing = if table.boolean("secondary", false) { Standing::Secondary } else { Standing::Primary };
    if let Some(value) = table.optional("related_change_events")
        && value.boolean() == Some(true)
    {
        value.refuse_with("related change events are not yet supported", "allowed now: false");
    }
    Some(IncidentFilter {
        urgencies: urgencies?.map(|words| words.into_iter().map(str::to_owned).collect()),
        exclude_title: exclude_title?,
        standing,
    })
}
