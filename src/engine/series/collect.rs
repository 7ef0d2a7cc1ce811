//! From what is linked to what counts: the rules of [`engine::snapshot`](crate::engine::snapshot()) turned from "does it
//! count at this instant" into "at which instants does it".

use std::collections::BTreeMap;

use crate::engine::assessment::Failure;
use crate::engine::change::DeployedChange;
use crate::engine::completeness::Since;
use crate::engine::exposure::Calendar;
use crate::engine::history::{self, ComponentHistory, Deployment};
use crate::engine::kind::Kind;
use crate::engine::link::{LinkedComponent, LinkedIncident};
use crate::engine::regression::collected::Begin;
use crate::engine::regression::past::Almanac;
use crate::engine::series::History;
use crate::engine::series::before::{Before, Known, NEXT, brought, reach};
use crate::engine::series::instants::Instants;
use crate::engine::series::parts::Parts;
use crate::engine::series::spell::{EVER, Spell};
use crate::engine::series::timeline::{Counted, Timeline};
use crate::model::day::Day;
use crate::model::fact::{Author, Outcome};
use crate::model::measure::Measure;
use crate::model::settings::longest;
use crate::model::time::{Span, Timestamp};

/// What is to be said of a deployment for some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It has not failed.
    Sound,
    /// It failed and has not recovered.
    Unrecovered,
    /// It failed, and recovered then, after so long.
    Recovered(Timestamp, Span),
}

/// A timeline as it grows.
#[derive(Debug)]
pub(super) struct Collecting<'h, 'f> {
    history: &'h History<'f>,
    first: Timestamp,
    last: Timestamp,
    longest: Span,
    /// Whether anybody asks for what lead times lie in.
    brings: bool,
    /// Whether anybody asks for phases of lead times.
    phases: bool,
    /// From when on the history of what was taken in is collected; `None` while it is read for the first time.
    begin: Option<Begin>,
    timeline: Timeline,
}

impl<'h, 'f> Collecting<'h, 'f> {
    /// Of a level with these days.
    pub(super) fn new(
        history: &'h History<'f>,
        instants: &Instants,
        parts: Parts,
        calendar: &Calendar,
    ) -> Self {
        let severities = history.severities.iter();
        let longest = longest(&history.settings.windows);
        let (first, last) = (instants.first().unwrap_or_default(), instants.last().unwrap_or_default());
        let before = || Before {
            almanac: Almanac::new(calendar, longest, (first, last)),
            begin: None,
            deployments: Vec::new(),
            unplanned: Vec::new(),
            incidents: Vec::new(),
            failed: Vec::new(),
            brought: Vec::new(),
        };
        Self {
            history,
            first,
            last,
            longest,
            brings: parts.contain(Parts::bound(Measure::LeadTime)),
            phases: parts.contain(Parts::PHASES),
            begin: Some(Begin::default()),
            timeline: Timeline {
                counted: Counted::default(),
                started: BTreeMap::new(),
                open: BTreeMap::new(),
                unrecovered: Vec::new(),
                lead_times: Vec::new(),
                phases: Vec::new(),
                recovery_times: Vec::new(),
                resolution_times: Vec::new(),
                dates: Vec::new(),
                deployed_before: None,
                first_incident_at: None,
                severities: severities.map(|(severity, at)| ((*severity).clone(), *at)).collect(),
                since: Since::Nothing,
                unknown_at: Vec::new(),
                brought: Vec::new(),
                sizes: Vec::new(),
                before: parts.bounded().next().is_some().then(before),
            },
        }
    }

    /// Of a level of one component: from when on that is collected.
    pub(super) fn begin(&mut self, begin: Option<Begin>) {
        self.begin = begin;
    }

    /// Whether something counts at any of the instants.
    fn counts(&self, spell: Spell) -> bool {
        self.counts_for(spell, self.longest)
    }

    fn counts_for(&self, spell: Spell, longest: Span) -> bool {
        let through = spell.over(longest).map(|(_, through)| through);
        spell.after < self.last && through.is_some_and(|through| through >= self.first)
    }

    /// What of things in order happened when it can be in a window.
    fn within<'a, T>(&self, things: &'a [T], at: fn(&T) -> Timestamp) -> &'a [T] {
        let from = self.first.minus(self.longest);
        let before = |end: Timestamp| things.partition_point(|thing| at(thing) < end);
        things.get(before(from)..before(self.last)).unwrap_or_default()
    }

    /// Makes room for what components have most of.
    pub(super) fn expect(&mut self, components: &[LinkedComponent]) {
        let (mut deployments, mut changes, mut attempts, mut merged) = (0, 0, 0, 0);
        for history in components.iter().map(|component| &component.history) {
            let deployed = self.within(&history.deployments, |deployment| deployment.deployed_at);
            deployments += deployed.len();
            changes += deployed.iter().map(|deployment| deployment.changes.len()).sum::<usize>();
            attempts += self.within(&history.attempts, |attempt| attempt.finished_at).len();
            merged += self.within(&history.merged, |pull| pull.merged_at).len();
        }
        let Timeline { counted, lead_times, phases, .. } = &mut self.timeline;
        counted.deployments.reserve(deployments);
        counted.forward.reserve(deployments);
        counted.traced.reserve(deployments);
        counted.succeeded.reserve(attempts);
        counted.changes.reserve(changes);
        counted.merged.reserve(merged);
        counted.contained.reserve(merged);
        lead_times.reserve(changes);
        phases.reserve(if self.phases { changes } else { 0 });
    }

    /// Takes a component in.
    pub(super) fn component(&mut self, component: &LinkedComponent) {
        let history = &*component.history;
        let covered = self.history.covered.get(&history.repository).copied();
        self.timeline.since = self.timeline.since.and(covered.into());
        self.timeline.unknown_at.extend(&history.unknown_at);

        self.component_before(component);
        let gone = history.before(self.first.minus(self.longest));
        let before = history.before(self.last);
        let newest_gone = gone.last().map(|newest| newest.deployed_at);
        self.timeline.deployed_before = self.timeline.deployed_before.max(newest_gone);
        for (index, deployment) in before.iter().enumerate().skip(gone.len()) {
            self.deployment(component, index, deployment);
        }
        for index in &component.troubled {
            self.failures(component, *index);
        }
        self.attempts(history);
        self.merges(history);
    }

    /// Takes in what was before the windows. What is read for the first time is left out until it is read: a part of
    /// its facts would look like a team that became busy.
    fn component_before(&mut self, component: &LinkedComponent) {
        let Some(mut before) = self.timeline.before.take() else {
            return;
        };
        let begins = self.history.collected.component(component);
        if let (Some(begin), Some(part)) = (self.begin, begins) {
            self.begin = Some(begin.and(part));
        }
        let history = &*component.history;
        let first = history.before(self.first.minus(reach(self.longest))).len();
        let mut values = Vec::new();
        for (index, deployment) in history.before(self.last).iter().enumerate().skip(first) {
            if begins.is_some() {
                before.deployments.push(deployment.deployed_at);
                before.unplanned.extend(component.is_unplanned(index).then_some(deployment.deployed_at));
            }
            if self.brings {
                let brought = brought(deployment, self.history.settings, &mut values);
                for known in &brought {
                    if self.counts(known.spell()) {
                        self.timeline.brought.push(known.spell());
                        self.timeline.sizes.push(known.what.all.count());
                    }
                }
                before.brought.extend(brought.into_iter().filter(|_| begins.is_some()));
            }
        }
        self.timeline.before = Some(before);
    }

    fn deployment(&mut self, component: &LinkedComponent, index: usize, deployment: &Deployment) {
        let spell = Spell::of(deployment.deployed_at);
        let counted = &mut self.timeline.counted;
        counted.deployments.push(spell);
        if component.is_unplanned(index) {
            counted.reworked.push(spell);
        }
        if deployment.kind == Kind::Forward {
            counted.forward.push(spell);
            if deployment.traced {
                counted.traced.push(spell);
            }
        }
        for change in &deployment.changes {
            let spell = Spell::known(deployment.deployed_at, change.merged_at);
            if self.counts(spell) {
                self.change(spell, change);
            }
        }
    }

    fn change(&mut self, spell: Spell, change: &DeployedChange) {
        let counted = &mut self.timeline.counted;
        match change.author {
            Author::Bot => counted.bots.push(spell),
            Author::Human if change.is_unreviewed() => counted.unreviewed.push(spell),
            Author::Human => {}
        }
        if !history::counts(change, self.history.settings) {
            return;
        }
        counted.changes.push(spell);
        self.timeline.lead_times.push(change.lead_time);
        if self.phases {
            self.timeline.phases.push(change.phases);
        }
    }

    /// What is to be said of a deployment changes only when something about it happens; in between it is what it was
    /// right after that.
    fn failures(&mut self, component: &LinkedComponent, index: usize) {
        let Some(deployment) = component.history.deployments.get(index) else {
            return;
        };
        let mut pieces: Vec<(Timestamp, Said)> = Vec::new();
        for at in self.turns(component, index, deployment) {
            let said = self.said(component, index, at.plus(NEXT));
            if pieces.last().is_none_or(|(_, former)| *former != said) {
                pieces.push((at, said));
            }
        }
        self.failures_before(component, deployment, &pieces);
        let ends: Vec<_> = pieces.iter().skip(1).map(|(at, _)| *at).chain([EVER]).collect();
        for ((after, said), until) in pieces.into_iter().zip(ends) {
            let failed = Spell { after, within: deployment.deployed_at, until };
            let spell = match said {
                Said::Sound => continue,
                Said::Unrecovered => Spell::state(after, until),
                Said::Recovered(recovered_at, _) => Spell { after, within: recovered_at, until },
            };
            if self.counts(failed) {
                self.timeline.counted.failed.push(failed);
            }
            match said {
                _ if !self.counts(spell) => {}
                Said::Sound => {}
                Said::Unrecovered => self.timeline.unrecovered.push(spell),
                Said::Recovered(_, span) => {
                    self.timeline.counted.recovered.push(spell);
                    self.timeline.recovery_times.push(span);
                }
            }
        }
    }

    /// The same for what was before the windows: that it failed, whatever became of it.
    fn failures_before(
        &mut self,
        component: &LinkedComponent,
        deployment: &Deployment,
        pieces: &[(Timestamp, Said)],
    ) {
        let mut turns: Vec<_> = pieces.iter().map(|(at, said)| (*at, *said != Said::Sound)).collect();
        turns.dedup_by_key(|(_, failed)| *failed);
        let ends: Vec<_> = turns.iter().skip(1).map(|(at, _)| *at).chain([EVER]).collect();
        let failed = turns.iter().zip(ends).filter(|((_, failed), _)| *failed);
        let known = failed.map(|((after, _), until)| Known {
            deployed_at: deployment.deployed_at,
            after: *after,
            until,
            what: (),
        });
        let known = known.filter(|known| self.counts_for(known.spell(), reach(self.longest)));
        let known: Vec<_> = known.collect();
        let is_collected = self.history.collected.component(component).is_some();
        if let Some(before) = self.timeline.before.as_mut().filter(|_| is_collected) {
            before.failed.extend(known);
        }
    }

    fn said(&self, component: &LinkedComponent, index: usize, at: Timestamp) -> Said {
        match self.history.linked.failure(component, index, self.history.settings, at) {
            None => Said::Sound,
            Some(Failure { causes: _, failed_at: _, recovery: None }) => Said::Unrecovered,
            Some(Failure { causes: _, failed_at: _, recovery: Some(recovery) }) => {
                Said::Recovered(recovery.recovered_at, recovery.span)
            }
        }
    }

    /// When something happens that can change what is to be said of a deployment: in order.
    fn turns(&self, component: &LinkedComponent, index: usize, deployment: &Deployment) -> Vec<Timestamp> {
        let caused = component.caused.get(&index).into_iter().flatten();
        let incidents = caused.filter_map(|incident| self.history.linked.incidents.get(*incident));
        let incidents = incidents.flat_map(|incident| [Some(incident.started_at), incident.resolved_at]);
        let remedies = deployment.blamed.iter().map(|blame| blame.by).chain(deployment.taken_back_by);
        let remedies =
            remedies.map(|by| component.history.deployments.get(by).map(|remedy| remedy.deployed_at));
        let all = incidents.chain(remedies).flatten().chain([deployment.deployed_at]);
        let mut turns: Vec<_> = all.collect();
        turns.sort_unstable();
        turns.dedup();
        turns
    }

    fn attempts(&mut self, history: &ComponentHistory) {
        for attempt in self.within(&history.attempts, |attempt| attempt.finished_at) {
            let counted = match attempt.outcome {
                Outcome::Success => &mut self.timeline.counted.succeeded,
                Outcome::Failure => &mut self.timeline.counted.failed_attempts,
            };
            counted.push(Spell::of(attempt.finished_at));
        }
    }

    /// Merges count once something was deployed; before that there is nothing that could contain them.
    fn merges(&mut self, history: &ComponentHistory) {
        let Some(first_deployed_at) = history.deployments.first().map(|first| first.deployed_at) else {
            return;
        };
        for pull in self.within(&history.merged, |pull| pull.merged_at) {
            let merged = Spell::known(pull.merged_at, first_deployed_at);
            if self.counts(merged) {
                self.timeline.counted.merged.push(merged);
            }
            let contained_at = pull.contained_at.map(|at| at.max(first_deployed_at));
            let contained = contained_at.map(|at| Spell::known(pull.merged_at, at));
            if let Some(contained) = contained.filter(|contained| self.counts(*contained)) {
                self.timeline.counted.contained.push(contained);
            }
        }
    }

    /// Takes an incident in.
    pub(super) fn incident(&mut self, incident: &LinkedIncident) {
        let started_at = incident.started_at;
        let first = self.timeline.first_incident_at.map_or(started_at, |first| first.min(started_at));
        self.timeline.first_incident_at = Some(first);
        let severity = &incident.severity;
        let started = Spell::of(started_at);
        if self.counts_for(started, reach(self.longest))
            && let Some(before) = self.timeline.before.as_mut()
        {
            before.incidents.push(started_at);
        }
        if self.counts(started) {
            self.timeline.counted.incidents.push(started);
            self.timeline.started.entry(severity.clone()).or_default().push(started);
        }
        let deployed_at = incident.attribution.and_then(|attribution| {
            let component = self.history.linked.components.get(attribution.place.component)?;
            Some(component.history.deployments.get(attribution.place.deployment)?.deployed_at)
        });
        let attributed = deployed_at.map(|deployed_at| Spell::known(started_at, deployed_at));
        if let Some(attributed) = attributed.filter(|attributed| self.counts(*attributed)) {
            self.timeline.counted.attributed.push(attributed);
        }
        let open = Spell::state(started_at, incident.resolved_at.unwrap_or(EVER));
        if self.counts(open) {
            self.timeline.open.entry(severity.clone()).or_default().push(open);
        }
        let resolved = incident.resolved_at.map(|resolved_at| Spell::known(resolved_at, started_at));
        if let Some((resolved, resolved_at)) = resolved.zip(incident.resolved_at)
            && self.counts(resolved)
        {
            let span = resolved_at.since(started_at).max(Span::ZERO);
            self.timeline.counted.resolved.push(resolved);
            self.timeline.resolution_times.push(span);
        }
    }

    /// What was taken in.
    pub(super) fn finish(self) -> Timeline {
        let Self { history, first: _, last: _, longest: _, brings: _, phases: _, begin, mut timeline } = self;
        let deployed = timeline.counted.deployments.iter();
        timeline.dates = deployed.map(|spell| Day::of(spell.after, history.settings.timezone)).collect();
        timeline.unknown_at.sort();
        timeline.since = timeline.since.and(history.incidents_since);
        if let Some(before) = timeline.before.as_mut() {
            before.begin = begin.and_then(|begin| begin.and(history.collected.incidents()).at());
            before.sort();
        }
        timeline
    }
}
