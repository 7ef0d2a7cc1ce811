//! From what is linked and declared to the teams as they are looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::count::real;
use crate::engine::dispersion::WeekShare;
use crate::engine::exposure::{Calendar, QuietPeriod};
use crate::engine::kind::Kind;
use crate::engine::link::Linked;
use crate::engine::regression::compare::WINDOWS;
use crate::engine::regression::detect::{Acceptance, Settings, Watched};
use crate::engine::regression::facts;
use crate::engine::regression::suspect::{BLIND_MAX, Witness};
use crate::model::batch::Inventory;
use crate::model::day::Day;
use crate::model::name::{SourceName, TeamSlug};
use crate::model::regressions::{self, Accepted, RegressionSettings};
use crate::model::settings::MetricSettings;
use crate::model::time::Timestamp;

/// Some teams of components and incidents, as they are looked at with what was known at `at`; `silences` are those of
/// the sources on that day.
pub fn teams(
    teams: &BTreeSet<TeamSlug>,
    linked: &Linked,
    inventory: &Inventory,
    settings: &MetricSettings,
    (silences, at): (&Silences, Timestamp),
) -> BTreeMap<TeamSlug, Watched> {
    let mut witnesses = witnesses(teams, linked, settings, silences);
    let series = facts::teams(teams, linked, inventory, settings, at);
    let teams = series.into_iter().map(|(team, series)| {
        let watched = Watched {
            series,
            calendar: calendar(settings, &team),
            settings: detector(settings, &team),
            witness: Some(witnesses.remove(&team).unwrap_or_default()),
        };
        (team, watched)
    });
    teams.collect()
}

/// A team's days: the organisation's holidays, and the slow times that were declared for it.
pub fn calendar(settings: &MetricSettings, team: &TeamSlug) -> Calendar {
    days(settings, |period| period.teams.matches(team))
}

/// The days of the organisation: its holidays, and the slow times of all of its teams.
pub fn shared_calendar(settings: &MetricSettings, teams: &BTreeSet<TeamSlug>) -> Calendar {
    days(settings, |period| teams.iter().all(|team| period.teams.matches(team)))
}

fn days(settings: &MetricSettings, is_meant: impl Fn(&regressions::QuietPeriod) -> bool) -> Calendar {
    let RegressionSettings { sensitivity: _, holidays: _, closed, quiet, accepted: _, raised: _ } =
        &settings.regressions;
    let quiet = quiet.iter().filter(|period| is_meant(period));
    let quiet =
        quiet.map(|period| QuietPeriod { from: period.from, to: period.to, factor: period.factor }).collect();
    Calendar { timezone: settings.timezone, closed: closed.clone(), quiet }
}

/// How a team is looked at, and what its owners declared.
pub fn detector(settings: &MetricSettings, team: &TeamSlug) -> Settings {
    let RegressionSettings { sensitivity, holidays: _, closed: _, quiet: _, accepted, raised } =
        &settings.regressions;
    let raised = raised.iter().filter(|raised| raised.team == *team);
    let own = accepted.iter().filter(|accepted| accepted.team == *team);
    Settings {
        sensitivity: *sensitivity,
        attribution_window: settings.attribution_window,
        accepted: own
            .map(|Accepted { team: _, measure, from, reason, link: _ }| Acceptance {
                measure: *measure,
                from: *from,
                reason: reason.clone(),
            })
            .collect(),
        raised: raised.map(|raised| (raised.measure, raised.threshold)).collect(),
    }
}

/// The sources that were probably not read lately, with the first day of that.
pub type Silences = BTreeMap<SourceName, Day>;

/// Which sources are silent on `today`; `newest` is the newest fact of each.
pub fn silences(newest: &BTreeMap<SourceName, Timestamp>, settings: &MetricSettings, today: Day) -> Silences {
    let silent = newest.iter().filter_map(|(source, at)| {
        Some((source.clone(), silent_from(Day::of(*at, settings.timezone), today)?))
    });
    silent.collect()
}

fn witnesses(
    teams: &BTreeSet<TeamSlug>,
    linked: &Linked,
    settings: &MetricSettings,
    silences: &Silences,
) -> BTreeMap<TeamSlug, Witness> {
    let day = |at: Timestamp| Day::of(at, settings.timezone);
    let mut witnesses: BTreeMap<TeamSlug, Witness> = BTreeMap::new();
    for history in linked.components.iter().map(|component| &component.history) {
        if !teams.contains(&history.team) {
            continue;
        }
        let witness = witnesses.entry(history.team.clone()).or_default();
        for pull in &history.merged {
            *witness.merges.entry(day(pull.merged_at)).or_default() += 1;
        }
        for deployment in history.deployments.iter().filter(|deployment| deployment.kind == Kind::Forward) {
            let nothing = WeekShare { part: 0, whole: 0 };
            let of_day = witness.linkage.entry(day(deployment.deployed_at)).or_insert(nothing);
            of_day.whole += 1;
            of_day.part += u64::from(deployment.traced);
        }
        let silent = silences.get(&history.repository.source).copied();
        witness.unread_from = witness.unread_from.into_iter().chain(silent).min();
    }
    witnesses
}

/// A source of repositories of which nothing at all was heard for so long that it fills a tenth of the shortest window
/// was probably not read: then from when on. Incidents are rare, and silence about them says nothing.
fn silent_from(newest: Day, today: Day) -> Option<Day> {
    let from = newest.plus(1);
    let enough = WINDOWS.iter().any(|window| {
        real(today.since(from).max(0).unsigned_abs()) > real(window.unsigned_abs()) * BLIND_MAX
    });
    enough.then_some(from)
}
