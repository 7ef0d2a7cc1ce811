//! The cells of the table: histories made, looked at, and counted.

use std::num::NonZero;
use std::thread;

use sextant::engine::regression::backtest::{self, Outcome, backtest};
use sextant::engine::regression::detect::{Look, Settings, looks};
use sextant::engine::regression::headline::Headlines;
use sextant::engine::regression::machine::State;
use sextant::model::measure::Measure;

use crate::rivals::{Alarms, charts, months};
use crate::table::{Mean, Target, row};
use crate::world::{Change, Plan, Profile, Size, World, begin, make};

/// Before this day nothing is counted: the longest window and its whole baseline.
const SETTLED: i64 = 266;
const YEAR: i64 = 365;
/// When a change comes: on a Wednesday, well into a settled history.
const CHANGE_AT: i64 = SETTLED + 37;
const HORIZON_MAX: i64 = 84;
const CELL_MIN: u64 = 100;
/// Of incidents, how probable it is that one brings another: their number scatters 1.67 times as much as without.
const CONTAGION: f64 = 0.25;
/// The same for 1.2 times, the least dispersion that the detector believes of incidents.
const CONTAGION_LOW: f64 = 1.0 / 11.0;

/// Of neighbouring weeks: what `typical` teams have.
const LIKENESS_LOW: f64 = 0.2;

/// A change, the share of deployments that fail before it, and for each row: within how many days, whether regressed
/// and not only watched, and the target.
type Cell<'c> = (Size, &'c str, Change, Option<f64>, &'c [(i64, bool, f64)]);

/// What to measure.
pub(crate) struct Run {
    pub(crate) teams: u64,
    pub(crate) seed: u64,
    pub(crate) only: Option<String>,
    pub(crate) rivals: bool,
    pub(crate) permutations: u32,
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred teams")]
const fn real(count: usize) -> f64 {
    count as f64
}

/// What was found in one history.
struct Seen {
    looks: Vec<Look>,
    months: Alarms,
    charts: Alarms,
    world: World,
}

fn see(plan: Plan, rivals: bool) -> Seen {
    let world = make(plan);
    let days = begin()..begin().plus(plan.days);
    let looks = looks(&world.series, &world.calendar, &Settings::default(), &days);
    let (months, charts) = if rivals {
        (months(&world, begin(), plan.days), charts(&world, begin(), plan.days))
    } else {
        (Vec::new(), Vec::new())
    };
    Seen { looks, months, charts, world }
}

/// How often a state begins in a range of days: entering it from one that is not of its kind.
fn episodes(looks: &[Look], days: std::ops::Range<i64>, is_in: impl Fn(State) -> bool) -> usize {
    let counted = looks.iter().filter(|look| days.contains(&look.day.since(begin())));
    counted.filter(|look| is_in(look.state) && !is_in(look.previous)).count()
}

const fn is_regression(state: State) -> bool {
    matches!(state, State::Regressed | State::Recovering)
}

const fn is_watched(state: State) -> bool {
    matches!(state, State::Watch | State::Regressed | State::Recovering)
}

impl Run {
    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.starts_with(only.as_str()) || only.starts_with(name))
    }

    /// Each history of a cell, looked at; all cores, and the order of seeds.
    fn each<T: Send>(&self, teams: u64, plan: Plan, count: impl Fn(&Seen) -> T + Sync) -> Vec<T> {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let seeds: Vec<u64> = (0..teams).map(|team| self.seed.wrapping_mul(1_000_003) + team).collect();
        let chunk = seeds.len().div_ceil(threads).max(1);
        let rivals = self.rivals;
        thread::scope(|scope| {
            let parts: Vec<_> = seeds
                .chunks(chunk)
                .map(|seeds| {
                    let count = &count;
                    scope.spawn(move || {
                        seeds
                            .iter()
                            .map(|seed| count(&see(Plan { seed: *seed, ..plan }, rivals)))
                            .collect::<Vec<T>>()
                    })
                })
                .collect();
            // A part that panicked has said so itself.
            parts.into_iter().filter_map(|part| part.join().ok()).flatten().collect()
        })
    }

    /// R1, R2, R6.
    pub(crate) fn false_alarms(&self) {
        for profile in [Profile::Typical, Profile::Oss] {
            let mut mean: Vec<Mean> = Vec::new();
            for (index, size) in Size::ALL.into_iter().enumerate() {
                let name = match profile {
                    Profile::Typical => "R1",
                    Profile::Oss => "R6",
                };
                if !self.wants(&format!("{name} {}", size.label())) {
                    continue;
                }
                let plan = plan(size, profile, SETTLED + YEAR);
                let counted = SETTLED..SETTLED + YEAR;
                let found = self.each(self.teams, plan, |seen| {
                    let of = |alarms: &Alarms| alarms.iter().filter(|(_, day)| counted.contains(day)).count();
                    let by_measure: Vec<usize> = Measure::ALL
                        .iter()
                        .map(|measure| {
                            let looks: Vec<Look> =
                                seen.looks.iter().filter(|look| look.measure == *measure).cloned().collect();
                            episodes(&looks, counted.clone(), is_regression)
                        })
                        .collect();
                    let watched = episodes(&seen.looks, counted.clone(), is_watched);
                    (by_measure, watched, of(&seen.months), of(&seen.charts))
                });
                let teams = real(found.len());
                let regressed = Mean::of(found.iter().map(|(regressed, ..)| real(regressed.iter().sum())));
                let watched = Mean::of(found.iter().map(|(_, watched, ..)| real(*watched)));
                let rivals = (
                    real(found.iter().map(|(.., months, _)| months).sum()) / teams,
                    real(found.iter().map(|(.., charts)| charts).sum()) / teams,
                );
                let rivals = self.rivals.then_some(rivals);
                for (place, measure) in Measure::ALL.iter().enumerate() {
                    let of: usize = found.iter().filter_map(|(by_measure, ..)| by_measure.get(place)).sum();
                    eprintln!(
                        "{} {}: {} {:.3}",
                        profile.label(),
                        size.label(),
                        measure.label(),
                        real(of) / teams
                    );
                }
                let pick = |targets: [f64; 3]| Target::AtMost(targets.get(index).copied().unwrap_or(0.0));
                let (what, targets) = match profile {
                    Profile::Typical => ("regressed episodes per team-year", [0.10, 0.20, 0.30]),
                    Profile::Oss => ("the same, `oss`", [0.1, 0.35, 0.9]),
                };
                mean.push(regressed);
                row(&format!("{name} {} {what}", size.label()), regressed, pick(targets), false, rivals);
                if profile == Profile::Typical {
                    let name = format!("R2 {} watched episodes per team-year", size.label());
                    row(&name, watched, pick([0.5, 1.5, 2.2]), false, None);
                }
            }
            if profile == Profile::Typical && self.wants("R1 mean") {
                let value = mean.iter().map(|one| one.value).sum::<f64>() / real(mean.len());
                let error = mean.iter().map(|one| one.error.powi(2)).sum::<f64>().sqrt() / real(mean.len());
                row("R1 mean of the three", Mean { value, error }, Target::AtMost(0.15), false, None);
            }
        }
    }

    /// R3, R4.
    pub(crate) fn power(&self) {
        use Size::{L, M};
        let cells: [Cell<'_>; 10] = [
            (M, "lead time x3", Change::LeadTime(3.0), None, &[(56, true, 0.80), (28, false, 0.70)]),
            (M, "lead time x2", Change::LeadTime(2.0), None, &[(56, true, 0.40), (56, false, 0.62)]),
            (M, "deployments -50 %", Change::Deployments(0.5), None, &[(56, true, 0.32), (84, true, 0.58)]),
            (
                M,
                "change fail ratio 5→25 %",
                Change::FailRatio(5.0),
                Some(0.05),
                &[(56, true, 0.40), (56, false, 0.72)],
            ),
            (L, "lead time x2", Change::LeadTime(2.0), None, &[(56, true, 0.82), (28, false, 0.68)]),
            (L, "deployments -50 %", Change::Deployments(0.5), None, &[(56, true, 0.68), (28, false, 0.45)]),
            (L, "change fail ratio 5→15 %", Change::FailRatio(3.0), Some(0.05), &[(56, true, 0.62)]),
            (L, "rework x3", Change::Rework(3.0), None, &[(56, true, 0.75)]),
            (L, "recovery x4", Change::Recovery(4.0), None, &[(56, true, 0.73)]),
            (L, "incidents x3", Change::Incidents(3.0), None, &[(56, true, 0.60)]),
        ];
        for cell in cells {
            self.change(cell, CONTAGION);
        }
        let alone = (
            L,
            "incidents x3, few of them in clusters",
            Change::Incidents(3.0),
            None,
            &[(56, true, 0.60)][..],
        );
        self.change(alone, CONTAGION_LOW);
    }

    fn change(&self, (size, name, change, fail_ratio, wanted): Cell<'_>, contagion: f64) {
        if !self.wants(&format!("R3 {} {name}", size.label())) {
            return;
        }
        let days = CHANGE_AT + HORIZON_MAX + 1;
        let plan = Plan { change, fail_ratio, contagion, ..plan(size, Profile::Typical, days) };
        let measure = measure_of(change);
        let found = self.each(self.cell(), plan, |seen| {
            let each = wanted.iter().map(|(horizon, regressed, _)| {
                let is_in = if *regressed { is_regression } else { is_watched };
                let days = CHANGE_AT..=CHANGE_AT + horizon;
                let fresh = |alarms: &Alarms| {
                    alarms.iter().any(|(of, day)| Some(*of) == measure && days.contains(day))
                };
                let hit = seen.looks.iter().any(|look| {
                    let in_time = days.contains(&look.day.since(begin()));
                    Some(look.measure) == measure && in_time && is_in(look.state)
                });
                (hit, fresh(&seen.months), fresh(&seen.charts))
            });
            each.collect::<Vec<_>>()
        });
        for (index, (horizon, regressed, target)) in wanted.iter().enumerate() {
            let cell: Vec<_> = found.iter().filter_map(|found| found.get(index).copied()).collect();
            let share = |is: fn(&(bool, bool, bool)) -> bool| Mean::share(cell.iter().map(is));
            let (row_name, state) = if *regressed { ("R3", "regressed") } else { ("R4", "watched") };
            let name = format!("{row_name} {} {name}, {state} within {horizon} d", size.label());
            let rivals = self.rivals.then(|| (share(|found| found.1).value, share(|found| found.2).value));
            row(&name, share(|found| found.0), Target::AtLeast(*target), true, rivals);
        }
    }

    /// R6 if neighbouring weeks were no more alike than the detector's factor for them takes in.
    pub(crate) fn less_alike(&self) {
        for (size, target) in [(Size::S, 0.10), (Size::M, 0.35), (Size::L, 0.90)] {
            if !self.wants(&format!("R6 less alike {}", size.label())) {
                continue;
            }
            let plan = Plan { likeness: Some(LIKENESS_LOW), ..plan(size, Profile::Oss, SETTLED + YEAR) };
            let counted = SETTLED..SETTLED + YEAR;
            let found = self
                .each(self.teams, plan, |seen| real(episodes(&seen.looks, counted.clone(), is_regression)));
            let name = format!("R6 less alike {}, `oss`, weeks as alike as `typical`", size.label());
            row(&name, Mean::of(found.into_iter()), Target::AtMost(target), false, None);
        }
    }

    /// R6 with thresholds that were raised by what a year and nine months of each team's own history says: false
    /// alarms in the year after that.
    pub(crate) fn raised(&self) {
        for (size, target) in [(Size::S, 0.10), (Size::M, 0.35), (Size::L, 0.30)] {
            if !self.wants(&format!("R6 raised {}", size.label())) {
                continue;
            }
            let trained = SETTLED + YEAR;
            let counted = trained..trained + YEAR;
            let found = self.each(self.cell(), plan(size, Profile::Oss, trained + YEAR), |seen| {
                let World { series, calendar, truth: _ } = &seen.world;
                let permutations = backtest::Plan { permutations: self.permutations, seed: self.seed };
                let known = begin().plus(trained);
                let tested = backtest(series, calendar, &Settings::default(), known, permutations);
                let raises = tested.measures.iter().filter_map(|(measure, outcome)| match outcome {
                    Outcome::Insufficient => None,
                    Outcome::Tested(tested) => Some((*measure, tested.raise?)),
                });
                let settings = Settings { raised: raises.collect(), ..Settings::default() };
                let days = begin()..begin().plus(trained + YEAR);
                let after = looks(series, calendar, &settings, &days);
                let told = tested.alarms.map_or(0.0, |alarms| alarms.per_year);
                (
                    real(episodes(&after, counted.clone(), is_regression)),
                    real(episodes(&seen.looks, counted.clone(), is_regression)),
                    told,
                    settings.raised.len(),
                )
            });
            let name = format!("R6 raised {}", size.label());
            let before = Mean::of(found.iter().map(|found| found.1));
            let told = Mean::of(found.iter().map(|found| found.2));
            let teams = found.iter().filter(|found| found.3 > 0).count();
            eprintln!(
                "{name}: {:.3} ± {:.3} unraised, backtest says {:.3}; raised for {teams} of {}",
                before.value,
                before.error,
                told.value,
                found.len()
            );
            let after = Mean::of(found.iter().map(|found| found.0));
            row(
                &format!("{name}, `oss`, thresholds by backtest"),
                after,
                Target::AtMost(target),
                false,
                None,
            );
        }
    }

    /// R5.
    pub(crate) fn nuisances(&self) {
        for (name, change, target) in [
            ("improvement", Change::Improvement, 0.05),
            ("freak deployment", Change::Freak, 0.05),
            ("burst", Change::Burst, 0.08),
            ("declared outage", Change::Outage, 0.10),
        ] {
            if !self.wants(&format!("R5 {name}")) {
                continue;
            }
            let mut cell = Vec::new();
            for size in Size::ALL {
                let plan = Plan { change, ..plan(size, Profile::Typical, CHANGE_AT + 57) };
                cell.extend(self.each(self.cell(), plan, |seen| {
                    let days = CHANGE_AT..CHANGE_AT + 57;
                    let fresh = |alarms: &Alarms| alarms.iter().any(|(_, day)| days.contains(day));
                    let new = episodes(&seen.looks, days.clone(), is_regression) > 0;
                    (new, fresh(&seen.months), fresh(&seen.charts))
                }));
            }
            let share = |is: fn(&(bool, bool, bool)) -> bool| Mean::share(cell.iter().map(is));
            let rivals = self.rivals.then(|| (share(|found| found.1).value, share(|found| found.2).value));
            let name = format!("R5 {name}: teams newly regressed within 56 d");
            row(&name, share(|found| found.0), Target::AtMost(target), true, rivals);
        }
    }

    /// R7: how often the truth lies in the interval of 28 days.
    pub(crate) fn coverage(&self) {
        for (profile, target) in [(Profile::Typical, 0.90), (Profile::Oss, 0.86)] {
            for size in Size::ALL {
                if !self.wants(&format!("R7 {} {}", size.label(), profile.label())) {
                    continue;
                }
                let days = SETTLED + 4 * 28;
                let found = self.each(self.teams, plan(size, profile, days), |seen| covered(seen, days));
                for (index, measure) in Measure::ALL.into_iter().enumerate() {
                    let cells = || found.iter().flatten().filter_map(|row| row.get(index).copied().flatten());
                    let all = cells().count();
                    let asked = found.iter().flatten().count();
                    let name = format!("R7 {} {} {}", size.label(), profile.label(), measure.label());
                    if all * 20 < asked {
                        eprintln!("{name}: answered {all} of {asked}");
                        continue;
                    }
                    row(&name, Mean::share(cells()), Target::AtLeast(target), true, None);
                }
            }
        }
    }

    /// R8: the same in two halves as at once, and a state for each measure and day.
    pub(crate) fn determinism(&self) {
        if !self.wants("R8") {
            return;
        }
        let days = SETTLED + 100;
        let same = self.each(20, plan(Size::M, Profile::Typical, days), |seen| {
            let World { series, calendar, truth: _ } = &seen.world;
            let half = begin().plus(SETTLED);
            let settings = Settings::default();
            let mut pieces = looks(series, calendar, &settings, &(begin()..half));
            pieces.extend(looks(series, calendar, &settings, &(half..begin().plus(days))));
            let complete = seen.looks.len() == usize::try_from(days * 6).unwrap_or(0);
            let agree = pieces.iter().all(|piece| {
                seen.looks.iter().any(|look| {
                    look.measure == piece.measure && look.day == piece.day && look.state == piece.state
                })
            });
            complete && agree
        });
        let share = Mean::share(same.into_iter());
        row("R8 complete, and the same in pieces", share, Target::AtLeast(1.0), true, None);
    }

    fn cell(&self) -> u64 {
        (self.teams / 2).max(CELL_MIN)
    }
}

const fn plan(size: Size, profile: Profile, days: i64) -> Plan {
    Plan {
        size,
        profile,
        seed: 0,
        days,
        change: Change::None,
        change_at: CHANGE_AT,
        fail_ratio: None,
        likeness: None,
        contagion: CONTAGION,
    }
}

const fn measure_of(change: Change) -> Option<Measure> {
    match change {
        Change::LeadTime(_) => Some(Measure::LeadTime),
        Change::Deployments(_) => Some(Measure::DeploymentsPerDay),
        Change::FailRatio(_) => Some(Measure::ChangeFailRatio),
        Change::Rework(_) => Some(Measure::ReworkRatio),
        Change::Recovery(_) => Some(Measure::RecoveryTime),
        Change::Incidents(_) => Some(Measure::IncidentsPerDay),
        Change::None | Change::Improvement | Change::Freak | Change::Burst | Change::Outage => None,
    }
}

/// On a day every four weeks, for each measure, whether its interval holds the truth; none without an interval.
fn covered(seen: &Seen, days: i64) -> Vec<Vec<Option<bool>>> {
    let World { series, calendar, truth } = &seen.world;
    let headlines = Headlines::new(series, calendar, begin().plus(days));
    let offsets = (SETTLED..=days).step_by(28);
    let each = offsets.map(|offset| {
        let of = |measure: Measure| {
            let window = usize::try_from(offset - 28).unwrap_or(0)..usize::try_from(offset).unwrap_or(0);
            let expected: f64 = truth.deployments.get(window).unwrap_or_default().iter().sum();
            let value = match measure {
                Measure::DeploymentsPerDay => expected / 28.0,
                Measure::LeadTime => truth.lead_time_hours,
                Measure::ChangeFailRatio => truth.fail_ratio,
                Measure::IncidentsPerDay => truth.incidents_per_day,
                Measure::RecoveryTime => truth.recovery_hours,
                Measure::ReworkRatio => truth.rework_ratio,
            };
            let found = headlines.on(measure, begin().plus(offset), 28).interval?;
            Some(found.lower <= value && value <= found.upper)
        };
        Measure::ALL.map(of).to_vec()
    });
    each.collect()
}
