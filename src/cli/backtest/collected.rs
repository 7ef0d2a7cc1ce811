//! The teams of a configuration, as its store has them now.

use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;

use super::Team;
use crate::cli::{Failure, runtime};
use crate::config::Config;
use crate::daemon;
use crate::engine::exposure::{Calendar, QuietPeriod};
use crate::engine::regression::detect::{Acceptance, Settings};
use crate::engine::regression::facts;
use crate::model::day::Day;
use crate::model::name::TeamSlug;
use crate::model::settings::MetricSettings;
use crate::recompute::Computed;

/// All teams but the one of what nobody owns, by name. The store is only read; a daemon that writes it is not
/// disturbed.
pub(super) fn teams(path: &Path) -> Result<Vec<Team>, Failure> {
    let config = Config::load(path).map_err(|errors| Failure::Usage(errors.to_string()))?;
    let looked = runtime()?.block_on(daemon::look(&config, &daemon::system_clock()))?;
    let Some(Computed { snapshot, linked, inventory, .. }) = looked else {
        let mend = "`sextant run` collects it";
        return Err(Failure::Failed(anyhow!("{}: nothing is collected yet; {mend}", path.display())));
    };
    let (linked, inventory) = (Arc::clone(&linked), Arc::clone(&inventory));
    let settings = &config.metrics;
    // The last whole day is yesterday.
    let end = Day::of(snapshot.at, settings.timezone);
    let found = facts::teams(&linked, &inventory, settings, end.begin(settings.timezone));
    let named = found.into_iter().filter(|(team, _)| *team != TeamSlug::unowned());
    let teams = named.map(|(team, series)| Team {
        calendar: calendar(settings, &team),
        settings: detector(settings, &team),
        name: team.to_string(),
        series,
        end,
    });
    Ok(teams.collect())
}

/// A team's days: the organisation's holidays, and the slow times that were declared for it.
fn calendar(settings: &MetricSettings, team: &TeamSlug) -> Calendar {
    let own = settings.regressions.quiet.iter().filter(|period| period.teams.matches(team));
    let quiet = own.map(|period| QuietPeriod { from: period.from, to: period.to, factor: period.factor });
    let closed = settings.regressions.closed.clone();
    Calendar { timezone: settings.timezone, closed, quiet: quiet.collect() }
}

/// How a team is looked at.
fn detector(settings: &MetricSettings, team: &TeamSlug) -> Settings {
    let accepted = settings.regressions.accepted.iter().filter(|accepted| accepted.team == *team);
    let raised = settings.regressions.raised.iter().filter(|raised| raised.team == *team);
    Settings {
        sensitivity: settings.regressions.sensitivity,
        attribution_window: settings.attribution_window,
        accepted: accepted
            .map(|accepted| Acceptance {
                measure: accepted.measure,
                from: accepted.from,
                reason: accepted.reason.clone(),
            })
            .collect(),
        raised: raised.map(|raised| (raised.measure, raised.threshold)).collect(),
    }
}
