//! A level through time: at each instant the numbers that a snapshot would have.

use std::collections::BTreeMap;

use crate::engine::change::Phases;
use crate::engine::completeness;
use crate::engine::regression::live::{Bounding, Sample, Times};
use crate::engine::series::before::Weeks;
use crate::engine::series::cuts::Cuts;
use crate::engine::series::flow::{Flow, Look, Passing, Queue};
use crate::engine::series::instants::Instants;
use crate::engine::series::parts::Parts;
use crate::engine::series::slide::{self, Dates, Squared, Values};
use crate::engine::series::spell::Spell;
use crate::engine::series::timeline::{Counted, Timeline};
use crate::engine::snapshot::{Bounds, Coverage, Delivery, Incidents, LevelValues, Quantiles, WindowValues};
use crate::engine::tally::{per_day, ratio};
use crate::model::name::Severity;
use crate::model::settings::Window;
use crate::model::time::{Span, Timestamp};

/// The numbers of a level, instant by instant.
#[derive(Debug)]
pub struct Sweep<'t> {
    timeline: &'t Timeline,
    instants: &'t [Timestamp],
    cuts: Cuts,
    flows: Flows<'t>,
    sampled: Sampled,
    windows: Vec<InWindow<'t>>,
    /// What was before the windows; `None` if nobody asks.
    weeks: Option<Weeks<'t>>,
    /// Deployments that have happened, and the newest of them.
    passing: Passing,
    newest: Option<Timestamp>,
}

/// Things as they come and go.
#[derive(Debug)]
struct Flows<'t> {
    counted: Counted<Flow>,
    /// Deployments once more, one by one.
    deployments: Queue,
    /// Those that brought counted changes.
    brought: Queue,
    unrecovered: Flow,
    /// By severity; `None` if nobody asks.
    started: Option<BTreeMap<&'t Severity, Flow>>,
    open: Option<BTreeMap<&'t Severity, Flow>>,
}

impl<'t> Flows<'t> {
    fn new(timeline: &'t Timeline, cuts: &Cuts, windows: &[Span], parts: Parts) -> Self {
        let queue = |spells: &[Spell], flow: &Flow| Queue::new(cuts, spells, windows, flow);
        let counted = timeline.counted.map(|spells| Flow::new(cuts, spells, windows));
        let states = |spells: &[Spell]| Flow::new(cuts, spells, &STATES);
        let severities = |spells: &'t BTreeMap<Severity, Vec<Spell>>, windows: &[Span]| {
            let flow = |(severity, spells): (&'t Severity, &'t Vec<Spell>)| {
                (severity, Flow::new(cuts, spells, windows))
            };
            parts.contain(Parts::SEVERITIES).then(|| spells.iter().map(flow).collect())
        };
        Self {
            deployments: queue(&timeline.counted.deployments, &counted.deployments),
            brought: queue(&timeline.brought, &Flow::new(cuts, &timeline.brought, windows)),
            unrecovered: states(&timeline.unrecovered),
            started: severities(&timeline.started, windows),
            open: severities(&timeline.open, &STATES),
            counted,
        }
    }
}

/// The window of what is so whatever the window.
const STATES: [Span; 1] = [Span::ZERO];

/// What quantiles are taken of, ranked once for all windows; `None` if nobody asks.
#[derive(Debug)]
struct Sampled {
    lead_time: Option<Values>,
    phases: Option<[Values; 4]>,
    recovery: Option<Values>,
    resolution: Option<Values>,
}

impl Sampled {
    /// Things that have a value are counted, too, at the same place.
    fn new(timeline: &Timeline, flows: &Flows<'_>, cuts: &Cuts, windows: &[Span], parts: Parts) -> Self {
        let (spells, flows) = (&timeline.counted, &flows.counted);
        let times = |part: Parts, times: &[Span], spells: &[Spell], flow: &Flow| {
            let queue = || Queue::new(cuts, spells, windows, flow);
            parts.contain(part).then(|| Values::new(&queue(), times.iter().copied().map(Some)))
        };
        let phases = || {
            let queue = Queue::new(cuts, &spells.changes, windows, &flows.changes);
            let phases: [fn(Phases) -> Option<Span>; 4] = [
                |phases| Some(phases.coding),
                |phases| phases.reviewed.map(|reviewed| reviewed.pickup),
                |phases| phases.reviewed.map(|reviewed| reviewed.review),
                |phases| Some(phases.deploy),
            ];
            phases.map(|phase| Values::new(&queue, timeline.phases.iter().map(|all| all.and_then(phase))))
        };
        let Timeline { lead_times, recovery_times, resolution_times, .. } = timeline;
        Self {
            lead_time: times(Parts::LEAD_TIME, lead_times, &spells.changes, &flows.changes),
            phases: parts.contain(Parts::PHASES).then(phases),
            recovery: times(Parts::RECOVERY, recovery_times, &spells.recovered, &flows.recovered),
            resolution: times(Parts::RESOLUTION, resolution_times, &spells.resolved, &flows.resolved),
        }
    }
}

/// A window that slides.
#[derive(Debug)]
struct InWindow<'t> {
    window: &'t Window,
    dates: Dates,
    lead_time: Option<slide::Sample>,
    phases: Option<[slide::Sample; 4]>,
    recovery: Option<slide::Sample>,
    resolution: Option<slide::Sample>,
    brought: Squared,
    bounding: Bounding,
}

impl<'t> Sweep<'t> {
    pub(super) fn new(
        timeline: &'t Timeline,
        windows: &'t [Window],
        parts: Parts,
        instants: &'t Instants,
    ) -> Self {
        let lengths: Vec<_> = windows.iter().map(|window| window.length).collect();
        let cuts = Cuts::new(instants.as_slice(), &lengths);
        let flows = Flows::new(timeline, &cuts, &lengths, parts);
        let sampled = Sampled::new(timeline, &flows, &cuts, &lengths, parts);
        let in_window = |window: &'t Window| InWindow {
            window,
            dates: Dates::new(&timeline.dates),
            lead_time: sampled.lead_time.as_ref().map(Values::empty),
            phases: sampled.phases.as_ref().map(|phases| phases.each_ref().map(Values::empty)),
            recovery: sampled.recovery.as_ref().map(Values::empty),
            resolution: sampled.resolution.as_ref().map(Values::empty),
            brought: Squared::default(),
            bounding: Bounding::new(parts.bounded()),
        };
        Self {
            timeline,
            instants: instants.as_slice(),
            windows: windows.iter().map(in_window).collect(),
            weeks: timeline.before.as_ref().filter(|_| parts.bounded().next().is_some()).map(Weeks::new),
            passing: Passing::default(),
            newest: timeline.deployed_before,
            cuts,
            flows,
            sampled,
        }
    }

    fn at(&mut self, at: Timestamp) -> LevelValues {
        let Self { timeline, instants: _, cuts, flows, sampled, windows, weeks, passing, newest } = self;
        let cut = |at: Timestamp| cuts.place(at).saturating_sub(1);
        let now = Look { at, cut: cut(at), begin: cut(at), window: 0 };
        let come = flows.deployments.coming(passing, now);
        let come = come.filter_map(|thing| timeline.counted.deployments.get(usize::try_from(thing).ok()?));
        *newest = come.map(|spell| spell.after).max().max(*newest);
        let deployed = newest.is_some();
        let had_incident = timeline.first_incident_at.is_some_and(|first| first < at);
        let counts_incidents = deployed || had_incident;
        let since = timeline.since.and(completeness::known_since(&timeline.unknown_at, at));
        let known = timeline.severities.iter().filter(|(_, first)| **first < at);
        let known: Vec<_> = known.map(|(severity, _)| severity).collect();
        let windows = (0_usize..).zip(windows).map(|(index, window)| {
            let begin = at.minus(window.window.length);
            let look = Look { begin: cut(begin), window: index, ..now };
            let counted = flows.counted.map(|flow| flow.count(look));
            let delivery = deployed.then(|| window.delivery(&counted, timeline, flows, sampled, look));
            let known_of = (deployed, counts_incidents);
            let brought = window.brought.at(&flows.brought, &timeline.sizes, look);
            WindowValues {
                bounds: weeks
                    .as_ref()
                    .map(|weeks| window.bounds(weeks, (&counted, brought), sampled, known_of, at))
                    .unwrap_or_default(),
                delivery,
                incidents: counts_incidents.then(|| Incidents {
                    started: by_severity(flows.started.as_ref(), &known, look),
                    per_day: per_day(counted.incidents, window.window),
                    resolved: counted.resolved,
                    resolution_time: quantiles(window.resolution.as_mut(), sampled.resolution.as_ref(), look),
                }),
                coverage: Coverage {
                    deployments_with_changes: ratio(counted.traced, counted.forward),
                    changes_deployed: ratio(counted.contained, counted.merged),
                    incidents_attributed: ratio(counted.attributed, counted.incidents),
                },
                complete: since.covers(begin),
            }
        });
        LevelValues {
            windows: windows.collect(),
            last_deployment_at: *newest,
            unrecovered_deployments: deployed.then(|| flows.unrecovered.count(now)),
            open_incidents: counts_incidents.then(|| by_severity(flows.open.as_ref(), &known, now)),
        }
    }
}

impl Iterator for Sweep<'_> {
    type Item = (Timestamp, LevelValues);

    fn next(&mut self) -> Option<Self::Item> {
        let (at, later) = self.instants.split_first()?;
        self.instants = later;
        Some((*at, self.at(*at)))
    }
}

impl InWindow<'_> {
    fn delivery(
        &mut self,
        counted: &Counted<u64>,
        timeline: &Timeline,
        flows: &Flows<'_>,
        sampled: &Sampled,
        look: Look,
    ) -> Delivery {
        Delivery {
            deployments: counted.deployments,
            deployments_per_day: per_day(counted.deployments, self.window),
            deployment_dates: self.dates.at(&flows.deployments, &timeline.dates, look),
            attempts_succeeded: counted.succeeded,
            attempts_failed: counted.failed_attempts,
            changes: counted.changes,
            unreviewed_changes: counted.unreviewed,
            bot_changes: counted.bots,
            lead_time: quantiles(self.lead_time.as_mut(), sampled.lead_time.as_ref(), look),
            phases: self.phases(sampled, look),
            failed_deployments: counted.failed,
            change_fail_ratio: ratio(counted.failed, counted.deployments),
            rework_deployments: counted.reworked,
            rework_ratio: ratio(counted.reworked, counted.deployments),
            recovered_deployments: counted.recovered,
            recovery_time: quantiles(self.recovery.as_mut(), sampled.recovery.as_ref(), look),
        }
    }

    fn phases(&mut self, sampled: &Sampled, look: Look) -> [Quantiles; 4] {
        let mut found = [Quantiles::default(); 4];
        if let (Some(samples), Some(values)) = (&mut self.phases, &sampled.phases) {
            for (found, (sample, values)) in found.iter_mut().zip(samples.iter_mut().zip(values)) {
                *found = sample.at(values, look);
            }
        }
        found
    }

    /// What the numbers lie in. The samples must have been brought to `at`.
    fn bounds(
        &mut self,
        weeks: &Weeks<'_>,
        (counted, (bringing, squares)): (&Counted<u64>, (u64, u64)),
        sampled: &Sampled,
        (deployed, counts_incidents): (bool, bool),
        at: Timestamp,
    ) -> Bounds {
        let frame = weeks.frame(self.window, at);
        if !frame.has_past(weeks.begin()) {
            return Bounds::default();
        }
        let sample = Sample {
            deployments: deployed.then_some([counted.deployments, counted.failed, counted.reworked]),
            incidents: counts_incidents.then_some(counted.incidents),
            lead_times: times(self.lead_time.as_ref(), sampled.lead_time.as_ref()),
            bringing,
            squares,
            recoveries: times(self.recovery.as_ref(), sampled.recovery.as_ref()),
        };
        let past = weeks.past(&frame, &self.bounding, at);
        self.bounding.bounds(sample, &past, &frame, weeks.begin())
    }
}

fn times<'s>(sample: Option<&'s slide::Sample>, values: Option<&'s Values>) -> Times<'s> {
    let both = sample.zip(values);
    both.map_or_else(|| Times::new(0, |_| None), |(sample, values)| sample.times(values))
}

/// Counts of every known severity; of none if nobody asks.
fn by_severity(
    flows: Option<&BTreeMap<&Severity, Flow>>,
    known: &[&Severity],
    look: Look,
) -> BTreeMap<Severity, u64> {
    let Some(flows) = flows else {
        return BTreeMap::new();
    };
    let count = |severity: &&Severity| {
        let count = flows.get(*severity).map_or(0, |flow| flow.count(look));
        ((*severity).clone(), count)
    };
    known.iter().map(count).collect()
}

fn quantiles(sample: Option<&mut slide::Sample>, values: Option<&Values>, look: Look) -> Quantiles {
    let both = sample.zip(values);
    both.map(|(sample, values)| sample.at(values, look)).unwrap_or_default()
}
