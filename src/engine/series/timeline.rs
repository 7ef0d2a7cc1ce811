//! Everything that counts for one level, window by window and instant by instant.

use std::collections::BTreeMap;

use crate::engine::change::Phases;
use crate::engine::completeness::Since;
use crate::engine::series::before::{Before, Known, reach};
use crate::engine::series::instants::Instants;
use crate::engine::series::parts::Parts;
use crate::engine::series::spell::{EVER, Spell};
use crate::engine::series::sweep::Sweep;
use crate::model::day::Day;
use crate::model::name::Severity;
use crate::model::settings::Window;
use crate::model::time::{Span, Timestamp};

/// One of each of the things that are counted in windows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counted<T> {
    pub(super) deployments: T,
    pub(super) reworked: T,
    pub(super) forward: T,
    pub(super) traced: T,
    pub(super) succeeded: T,
    pub(super) failed_attempts: T,
    pub(super) failed: T,
    pub(super) changes: T,
    pub(super) unreviewed: T,
    pub(super) bots: T,
    pub(super) merged: T,
    pub(super) contained: T,
    pub(super) recovered: T,
    pub(super) incidents: T,
    pub(super) attributed: T,
    pub(super) resolved: T,
}

impl<T> Counted<T> {
    /// The same of something else.
    pub(super) fn map<'t, U>(&'t self, to: impl Fn(&'t T) -> U) -> Counted<U> {
        Counted {
            deployments: to(&self.deployments),
            reworked: to(&self.reworked),
            forward: to(&self.forward),
            traced: to(&self.traced),
            succeeded: to(&self.succeeded),
            failed_attempts: to(&self.failed_attempts),
            failed: to(&self.failed),
            changes: to(&self.changes),
            unreviewed: to(&self.unreviewed),
            bots: to(&self.bots),
            merged: to(&self.merged),
            contained: to(&self.contained),
            recovered: to(&self.recovered),
            incidents: to(&self.incidents),
            attributed: to(&self.attributed),
            resolved: to(&self.resolved),
        }
    }

    /// Looks at each together with that of others.
    fn both(&self, other: &Self, mut look: impl FnMut(&T, &T)) {
        look(&self.deployments, &other.deployments);
        look(&self.reworked, &other.reworked);
        look(&self.forward, &other.forward);
        look(&self.traced, &other.traced);
        look(&self.succeeded, &other.succeeded);
        look(&self.failed_attempts, &other.failed_attempts);
        look(&self.failed, &other.failed);
        look(&self.changes, &other.changes);
        look(&self.unreviewed, &other.unreviewed);
        look(&self.bots, &other.bots);
        look(&self.merged, &other.merged);
        look(&self.contained, &other.contained);
        look(&self.recovered, &other.recovered);
        look(&self.incidents, &other.incidents);
        look(&self.attributed, &other.attributed);
        look(&self.resolved, &other.resolved);
    }
}

/// What counts for one level, at the instants for which it was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Timeline {
    pub(super) counted: Counted<Vec<Spell>>,
    /// By severity: incidents started.
    pub(super) started: BTreeMap<Severity, Vec<Spell>>,
    /// By severity: incidents open.
    pub(super) open: BTreeMap<Severity, Vec<Spell>>,
    pub(super) unrecovered: Vec<Spell>,
    /// Of each counted change.
    pub(super) lead_times: Vec<Span>,
    /// Of each counted change. Empty if nobody asks for them.
    pub(super) phases: Vec<Option<Phases>>,
    /// Of each deployment that recovered.
    pub(super) recovery_times: Vec<Span>,
    /// Of each incident that was resolved.
    pub(super) resolution_times: Vec<Span>,
    /// The date of each deployment in the organisation's time zone.
    pub(super) dates: Vec<Day>,
    /// The newest deployment of those that are in no window any more.
    pub(super) deployed_before: Option<Timestamp>,
    /// When the level had its first incident.
    pub(super) first_incident_at: Option<Timestamp>,
    /// When each severity was first known in the organisation.
    pub(super) severities: BTreeMap<Severity, Timestamp>,
    /// Since when its repositories and the sources of incidents are complete.
    pub(super) since: Since,
    /// When something happened of which nobody knows whose it is: sorted.
    pub(super) unknown_at: Vec<Timestamp>,
    /// Deployments that brought counted changes. Empty if nobody asks for what lead times lie in.
    pub(super) brought: Vec<Spell>,
    /// And how many each of them did.
    pub(super) sizes: Vec<u64>,
    /// What was before the windows; `None` if nobody asks for what any number lies in.
    pub(super) before: Option<Before>,
}

impl Timeline {
    /// The numbers at each of the instants, over windows no longer than the longest configured one. Instants and parts
    /// must be among those that the timeline was asked for. Only `parts` of them are told; what is not asked for is as
    /// if nothing was known.
    pub fn sweep<'t>(&'t self, windows: &'t [Window], parts: Parts, instants: &'t Instants) -> Sweep<'t> {
        Sweep::new(self, windows, parts, instants)
    }

    /// At which instants the numbers over windows of at most this length can differ from those of another timeline of
    /// the same level, asked for the same: later than the first of each pair, not later than the second. Everywhere else
    /// they are the same. What they lie in depends on the 26 weeks before the windows, too.
    pub fn touched(&self, other: &Self, longest: Span) -> Vec<(Timestamp, Timestamp)> {
        let mut differ = Vec::new();
        self.counted.both(&other.counted, |mine, others| differ.extend(differing(mine, others)));
        for (mine, others) in [(&self.started, &other.started), (&self.open, &other.open)] {
            for severity in mine.keys().chain(others.keys()) {
                let of = |spells: &BTreeMap<Severity, Vec<Spell>>| {
                    spells.get(severity).cloned().unwrap_or_default()
                };
                differ.extend(differing(&of(mine), &of(others)));
            }
        }
        differ.extend(differing(&self.unrecovered, &other.unrecovered));
        let times: [fn(&Self) -> Valued<Span>; 3] = [
            |one| valued(&one.counted.changes, &one.lead_times),
            |one| valued(&one.counted.recovered, &one.recovery_times),
            |one| valued(&one.counted.resolved, &one.resolution_times),
        ];
        for times in times {
            differ.extend(differing(&times(self), &times(other)).iter().map(|(spell, _)| *spell));
        }
        let phases = |one: &Self| valued(&one.counted.changes, &one.phases);
        differ.extend(differing(&phases(self), &phases(other)).iter().map(|(spell, _)| *spell));
        let brought = |one: &Self| valued(&one.brought, &one.sizes);
        differ.extend(differing(&brought(self), &brought(other)).iter().map(|(spell, _)| *spell));
        let mut touched: Vec<_> = differ.iter().filter_map(|spell| spell.over(longest)).collect();
        self.touched_states(other, longest, &mut touched);
        self.touched_before(other, reach(longest), &mut touched);
        merged(touched)
    }

    /// What was before the windows, of which the begin lies this far back.
    fn touched_before(&self, other: &Self, reach: Span, touched: &mut Vec<(Timestamp, Timestamp)>) {
        let (mine, others) = match (&self.before, &other.before) {
            (None, None) => return,
            (Some(mine), Some(others)) if mine.begin == others.begin && mine.almanac == others.almanac => {
                (mine, others)
            }
            (_, _) => return touched.push((Timestamp::from_millis(i64::MIN), EVER)),
        };
        for (mine, others) in [
            (&mine.deployments, &others.deployments),
            (&mine.unplanned, &others.unplanned),
            (&mine.incidents, &others.incidents),
        ] {
            let differ = differing(mine, others);
            touched.extend(differ.into_iter().filter_map(|at| Spell::of(at).over(reach)));
        }
        let (failed, brought) =
            (differing(&mine.failed, &others.failed), differing(&mine.brought, &others.brought));
        let spells = failed.iter().map(Known::spell).chain(brought.iter().map(Known::spell));
        touched.extend(spells.filter_map(|spell| spell.over(reach)));
    }

    /// What is no spell: the newest deployment, what was ever known, and completeness.
    fn touched_states(&self, other: &Self, longest: Span, touched: &mut Vec<(Timestamp, Timestamp)>) {
        let ever = |at: &Option<Timestamp>| at.unwrap_or(EVER);
        let between = |one: Timestamp, another: Timestamp| (one.min(another), one.max(another));
        for spell in differing(&self.counted.deployments, &other.counted.deployments) {
            let next = |timeline: &Self| {
                let deployments = timeline.counted.deployments.iter().map(|later| later.after);
                deployments.filter(|later| *later > spell.after).min().unwrap_or(EVER)
            };
            touched.push((spell.after, next(self).min(next(other))));
        }
        let before = (ever(&self.deployed_before), ever(&other.deployed_before));
        if before.0 != before.1 {
            touched.push((before.0.min(before.1), EVER));
        }
        touched.push(between(ever(&self.first_incident_at), ever(&other.first_incident_at)));
        for severity in self.severities.keys().chain(other.severities.keys()) {
            let first = |timeline: &Self| ever(&timeline.severities.get(severity).copied());
            touched.push(between(first(self), first(other)));
        }
        if self.since != other.since {
            touched.push((Timestamp::from_millis(i64::MIN), EVER));
        }
        let unknown = differing(&self.unknown_at, &other.unknown_at);
        let next = |at: &Timestamp| at.plus(Span::from_millis(1));
        touched.extend(unknown.iter().filter_map(|at| Spell::of(next(at)).over(longest)));
        touched.extend(unknown.iter().map(|at| (*at, next(at))));
    }
}

/// Things, each with a value.
type Valued<T> = Vec<(Spell, T)>;

fn valued<T: Copy>(spells: &[Spell], values: &[T]) -> Valued<T> {
    spells.iter().copied().zip(values.iter().copied()).collect()
}

/// What is in one of two lists and not in the other. They are nearly the same, in nearly the same order.
fn differing<T: Ord + Copy>(mine: &[T], others: &[T]) -> Vec<T> {
    let before = mine.iter().zip(others).take_while(|(one, another)| one == another).count();
    let later = |all: &'_ [T]| all.get(before..).unwrap_or_default().to_vec();
    let (mut mine, mut others) = (later(mine), later(others));
    let after =
        mine.iter().rev().zip(others.iter().rev()).take_while(|(one, another)| one == another).count();
    for list in [&mut mine, &mut others] {
        list.truncate(list.len() - after);
        list.sort_unstable();
    }
    let (mut mine, mut others) = (mine.into_iter().peekable(), others.into_iter().peekable());
    let next = || {
        loop {
            match (mine.peek(), others.peek()) {
                (Some(one), Some(another)) if one == another => {
                    mine.next();
                    others.next();
                }
                (Some(one), Some(another)) if one > another => return others.next(),
                (Some(_), _) => return mine.next(),
                (None, _) => return others.next(),
            }
        }
    };
    std::iter::from_fn(next).collect()
}

/// The same instants in as few pairs as possible, in order.
fn merged(mut touched: Vec<(Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    touched.retain(|(after, through)| after < through);
    touched.sort_unstable();
    let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (after, through) in touched {
        match merged.last_mut() {
            Some((_, end)) if after <= *end => *end = through.max(*end),
            Some(_) | None => merged.push((after, through)),
        }
    }
    merged
}
