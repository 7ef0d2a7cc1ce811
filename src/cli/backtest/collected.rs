//! The teams of a configuration, as its store has them now.

use std::path::Path;

use anyhow::anyhow;

use super::Team;
use crate::cli::{Failure, runtime};
use crate::config::Config;
use crate::daemon;
use crate::engine::regression::detect::Watched;
use crate::model::name::TeamSlug;

/// All teams but the one of what nobody owns, by name, until and with the last whole day. The store is only read; a
/// daemon that writes it is not disturbed.
pub(super) fn teams(path: &Path) -> Result<Vec<Team>, Failure> {
    let config = Config::load(path).map_err(|errors| Failure::Usage(errors.to_string()))?;
    let looked = runtime()?.block_on(daemon::look(&config, &daemon::system_clock()))?;
    let mend = "`sextant run` collects it";
    let nothing = || Failure::Failed(anyhow!("{}: nothing is collected yet; {mend}", path.display()));
    let tracker = looked.ok_or_else(nothing)?.tracker;
    let end = tracker.newest_day().ok_or_else(nothing)?;
    let named = tracker.teams().filter(|team| **team != TeamSlug::unowned());
    let watched = named.filter_map(|team| Some((team, tracker.watched(team)?)));
    let teams = watched.map(|(team, Watched { series, calendar, settings, witness: _ })| Team {
        name: team.to_string(),
        series: series.clone(),
        calendar: calendar.clone(),
        settings: settings.clone(),
        end,
    });
    Ok(teams.collect())
}
