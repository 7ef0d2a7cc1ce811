//! Everything that counts for one level, window by window and instant by instant.

use std::collections::BTreeMap;

use crate::engine::completeness::Since;
use crate::engine::series::before::{Before, reach};
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

    /// The same of something else, for which each is changed.
    pub(super) fn map_mut<U>(&mut self, mut to: impl FnMut(&mut T) -> U) -> Counted<U> {
        Counted {
            deployments: to(&mut self.deployments),
            reworked: to(&mut self.reworked),
            forward: to(&mut self.forward),
            traced: to(&mut self.traced),
            succeeded: to(&mut self.succeeded),
            failed_attempts: to(&mut self.failed_attempts),
            failed: to(&mut self.failed),
            changes: to(&mut self.changes),
            unreviewed: to(&mut self.unreviewed),
            bots: to(&mut self.bots),
            merged: to(&mut self.merged),
            contained: to(&mut self.contained),
            recovered: to(&mut self.recovered),
            incidents: to(&mut self.incidents),
            attributed: to(&mut self.attributed),
            resolved: to(&mut self.resolved),
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

/// A change that has a lead time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Led {
    pub(super) spell: Spell,
    pub(super) lead_time: Span,
    pub(super) coding: Option<Span>,
    pub(super) pickup: Option<Span>,
    pub(super) review: Option<Span>,
    pub(super) deploy: Option<Span>,
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
    pub(super) changes: Vec<Led>,
    pub(super) recoveries: Vec<(Spell, Span)>,
    pub(super) resolutions: Vec<(Spell, Span)>,
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
        let mut touched = Vec::new();
        let spells = |mine: &[Spell], others: &[Spell], touched: &mut Vec<_>| {
            touched.extend(differing(mine, others).filter_map(|spell| spell.over(longest)));
        };
        self.counted.both(&other.counted, |mine, others| spells(mine, others, &mut touched));
        for (mine, others) in [(&self.started, &other.started), (&self.open, &other.open)] {
            for severity in mine.keys().chain(others.keys()) {
                let of = |spells: &BTreeMap<Severity, Vec<Spell>>| {
                    spells.get(severity).cloned().unwrap_or_default()
                };
                spells(&of(mine), &of(others), &mut touched);
            }
        }
        spells(&self.unrecovered, &other.unrecovered, &mut touched);
        let changes = differing(&self.changes, &other.changes).map(|led| led.spell);
        let times = differing(&self.recoveries, &other.recoveries)
            .chain(differing(&self.resolutions, &other.resolutions))
            .map(|(spell, _)| spell);
        let (mine, others) = (self.bringing(), other.bringing());
        let brought = differing(&mine, &others).map(|(spell, _)| spell);
        let all = changes.chain(times).chain(brought);
        touched.extend(all.filter_map(|spell| spell.over(longest)));
        self.touched_states(other, longest, &mut touched);
        self.touched_before(other, reach(longest), &mut touched);
        merged(touched)
    }

    fn bringing(&self) -> Vec<(Spell, u64)> {
        self.brought.iter().copied().zip(self.sizes.iter().copied()).collect()
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
            touched.extend(differing(mine, others).filter_map(|at| Spell::of(at).over(reach)));
        }
        let failed = differing(&mine.failed, &others.failed).map(|one| one.spell());
        let brought = differing(&mine.brought, &others.brought).map(|one| one.spell());
        touched.extend(failed.chain(brought).filter_map(|spell| spell.over(reach)));
    }

    /// What is no spell: the newest deployment, what was ever known, and completeness.
    fn touched_states(&self, other: &Self, longest: Span, touched: &mut Vec<(Timestamp, Timestamp)>) {
        let ever = |at: &Option<Timestamp>| at.unwrap_or(EVER);
        let between = |one: Timestamp, another: Timestamp| (one.min(another), one.max(another));
        for spell in differing(&self.counted.deployments, &other.counted.deployments) {
            let next = |timeline: &Self| {
                let deployments = &timeline.counted.deployments;
                let later = deployments.partition_point(|later| later.after <= spell.after);
                deployments.get(later).map_or(EVER, |later| later.after)
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
        touched.extend(unknown.filter_map(|at| Spell::of(at.plus(Span::from_millis(1))).over(longest)));
        touched.extend(
            differing(&self.unknown_at, &other.unknown_at).map(|at| (at, at.plus(Span::from_millis(1)))),
        );
    }
}

/// What is in one of two sorted lists and not in the other.
fn differing<'t, T: Ord + Copy>(mine: &'t [T], others: &'t [T]) -> impl Iterator<Item = T> + 't {
    let (mut mine, mut others) = (mine.iter().peekable(), others.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            match (mine.peek(), others.peek()) {
                (Some(one), Some(another)) if one == another => {
                    mine.next();
                    others.next();
                }
                (Some(one), Some(another)) if one > another => return others.next().copied(),
                (Some(_), _) => return mine.next().copied(),
                (None, _) => return others.next().copied(),
            }
        }
    })
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
