//! A level through time: at each instant the numbers that a snapshot would have.

use std::collections::BTreeMap;

use crate::engine::completeness;
use crate::engine::regression::live::{Bounding, Sample, Times};
use crate::engine::series::before::Weeks;
use crate::engine::series::instants::Instants;
use crate::engine::series::parts::Parts;
use crate::engine::series::slide::{Count, Dates, Samples, Squared, Values};
use crate::engine::series::spell::Spell;
use crate::engine::series::timeline::{Counted, Led, Timeline};
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
    sampled: Sampled<'t>,
    windows: Vec<InWindow<'t>>,
    unrecovered: Count<'t>,
    /// By severity; `None` if nobody asks.
    open: Option<BTreeMap<&'t Severity, Count<'t>>>,
    /// What was before the windows; `None` if nobody asks.
    weeks: Option<Weeks<'t>>,
    /// Deployments that have happened.
    deployed: usize,
}

/// What quantiles are taken of, ranked once for all windows; `None` if nobody asks.
#[derive(Debug)]
struct Sampled<'t> {
    lead_time: Option<Values<'t, 1>>,
    phases: Option<Values<'t, 4>>,
    recovery: Option<Values<'t, 1>>,
    resolution: Option<Values<'t, 1>>,
}

impl<'t> Sampled<'t> {
    /// Things that have a value are counted, too, in the same order.
    fn new(timeline: &'t Timeline, parts: Parts) -> Self {
        let Timeline { counted, changes, recoveries, resolutions, .. } = timeline;
        let times = |things: &[(Spell, Span)], spells| Values::new(things, spells, [|one| Some(one.1)]);
        Self {
            lead_time: parts
                .contain(Parts::LEAD_TIME)
                .then(|| Values::new(changes, &counted.changes, [|led| Some(led.lead_time)])),
            phases: parts.contain(Parts::PHASES).then(|| {
                let phases: [fn(&Led) -> Option<Span>; 4] =
                    [|led| led.coding, |led| led.pickup, |led| led.review, |led| led.deploy];
                Values::new(changes, &counted.changes, phases)
            }),
            recovery: parts.contain(Parts::RECOVERY).then(|| times(recoveries, &counted.recovered)),
            resolution: parts.contain(Parts::RESOLUTION).then(|| times(resolutions, &counted.resolved)),
        }
    }
}

/// A window that slides.
#[derive(Debug)]
struct InWindow<'t> {
    window: &'t Window,
    counted: Counted<Count<'t>>,
    dates: Dates<'t>,
    /// By severity; `None` if nobody asks.
    started: Option<BTreeMap<&'t Severity, Count<'t>>>,
    lead_time: Option<Samples<'t, 1>>,
    phases: Option<Samples<'t, 4>>,
    recovery: Option<Samples<'t, 1>>,
    resolution: Option<Samples<'t, 1>>,
    brought: Squared<'t>,
    bounding: Bounding,
}

impl<'t> Sweep<'t> {
    pub(super) fn new(
        timeline: &'t Timeline,
        windows: &'t [Window],
        parts: Parts,
        instants: &'t Instants,
    ) -> Self {
        let sampled = Sampled::new(timeline, parts);
        let severities = |spells: &'t BTreeMap<Severity, Vec<Spell>>, window: Span| {
            let count = move |(severity, spells): (&'t Severity, &'t Vec<Spell>)| {
                (severity, Count::new(spells, window))
            };
            parts.contain(Parts::SEVERITIES).then(|| spells.iter().map(count).collect())
        };
        let in_window = |window: &'t Window| {
            let length = window.length;
            InWindow {
                window,
                counted: timeline.counted.map(|spells| Count::new(spells, length)),
                dates: Dates::new(&timeline.counted.deployments, &timeline.dates, length),
                started: severities(&timeline.started, length),
                lead_time: sampled.lead_time.as_ref().map(|values| values.over(length)),
                phases: sampled.phases.as_ref().map(|values| values.over(length)),
                recovery: sampled.recovery.as_ref().map(|values| values.over(length)),
                resolution: sampled.resolution.as_ref().map(|values| values.over(length)),
                brought: Squared::new(&timeline.brought, &timeline.sizes, length),
                bounding: Bounding::new(parts.bounded()),
            }
        };
        Self {
            timeline,
            instants: instants.as_slice(),
            windows: windows.iter().map(in_window).collect(),
            unrecovered: Count::new(&timeline.unrecovered, Span::ZERO),
            open: severities(&timeline.open, Span::ZERO),
            weeks: timeline.before.as_ref().filter(|_| parts.bounded().next().is_some()).map(Weeks::new),
            deployed: 0,
            sampled,
        }
    }

    fn at(&mut self, at: Timestamp) -> LevelValues {
        let deployments = &self.timeline.counted.deployments;
        let newer = deployments.iter().skip(self.deployed);
        self.deployed += newer.take_while(|deployment| deployment.after < at).count();
        let newest = self.deployed.checked_sub(1).and_then(|newest| deployments.get(newest));
        let last_deployment_at = newest.map(|newest| newest.after).max(self.timeline.deployed_before);
        let deployed = last_deployment_at.is_some();
        let had_incident = self.timeline.first_incident_at.is_some_and(|first| first < at);
        let counts_incidents = deployed || had_incident;
        let since = self.timeline.since.and(completeness::known_since(&self.timeline.unknown_at, at));
        let known = self.timeline.severities.iter().filter(|(_, first)| **first < at);
        let known: Vec<_> = known.map(|(severity, _)| severity).collect();
        let windows = self.windows.iter_mut().map(|window| {
            let counted = window.counted.at(at);
            let delivery = deployed.then(|| window.delivery(&counted, &self.sampled, at));
            let weeks = self.weeks.as_ref();
            let known_of = (deployed, counts_incidents);
            WindowValues {
                bounds: weeks
                    .map(|weeks| window.bounds(weeks, &counted, &self.sampled, known_of, at))
                    .unwrap_or_default(),
                delivery,
                incidents: counts_incidents.then(|| window.incidents(&counted, &self.sampled, &known, at)),
                coverage: Coverage {
                    deployments_with_changes: ratio(counted.traced, counted.forward),
                    changes_deployed: ratio(counted.contained, counted.merged),
                    incidents_attributed: ratio(counted.attributed, counted.incidents),
                },
                complete: since.covers(at.minus(window.window.length)),
            }
        });
        LevelValues {
            windows: windows.collect(),
            last_deployment_at,
            unrecovered_deployments: deployed.then(|| self.unrecovered.at(at)),
            open_incidents: counts_incidents.then(|| by_severity(self.open.as_mut(), &known, at)),
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
    fn delivery(&mut self, counted: &Counted<u64>, sampled: &Sampled<'_>, at: Timestamp) -> Delivery {
        Delivery {
            deployments: counted.deployments,
            deployments_per_day: per_day(counted.deployments, self.window),
            deployment_dates: self.dates.at(at),
            attempts_succeeded: counted.succeeded,
            attempts_failed: counted.failed_attempts,
            changes: counted.changes,
            unreviewed_changes: counted.unreviewed,
            bot_changes: counted.bots,
            lead_time: only(self.lead_time.as_mut(), sampled.lead_time.as_ref(), at),
            phases: quantiles(self.phases.as_mut(), sampled.phases.as_ref(), at),
            failed_deployments: counted.failed,
            change_fail_ratio: ratio(counted.failed, counted.deployments),
            rework_deployments: counted.reworked,
            rework_ratio: ratio(counted.reworked, counted.deployments),
            recovered_deployments: counted.recovered,
            recovery_time: only(self.recovery.as_mut(), sampled.recovery.as_ref(), at),
        }
    }

    fn incidents(
        &mut self,
        counted: &Counted<u64>,
        sampled: &Sampled<'_>,
        known: &[&Severity],
        at: Timestamp,
    ) -> Incidents {
        Incidents {
            started: by_severity(self.started.as_mut(), known, at),
            per_day: per_day(counted.incidents, self.window),
            resolved: counted.resolved,
            resolution_time: only(self.resolution.as_mut(), sampled.resolution.as_ref(), at),
        }
    }
}

impl InWindow<'_> {
    /// What the numbers lie in. The samples must have been brought to `at`.
    fn bounds(
        &mut self,
        weeks: &Weeks<'_>,
        counted: &Counted<u64>,
        sampled: &Sampled<'_>,
        (deployed, counts_incidents): (bool, bool),
        at: Timestamp,
    ) -> Bounds {
        let frame = weeks.frame(self.window, at);
        let (bringing, squares) = self.brought.at(at);
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

fn times<'s>(samples: Option<&'s Samples<'_, 1>>, values: Option<&'s Values<'_, 1>>) -> Times<'s> {
    let both = samples.zip(values);
    both.map_or_else(|| Times::new(0, |_| None), |(samples, values)| samples.times(values))
}

impl Counted<Count<'_>> {
    fn at(&mut self, at: Timestamp) -> Counted<u64> {
        self.map_mut(|count| count.at(at))
    }
}

/// Counts of every known severity; of none if nobody asks.
fn by_severity(
    counts: Option<&mut BTreeMap<&Severity, Count<'_>>>,
    known: &[&Severity],
    at: Timestamp,
) -> BTreeMap<Severity, u64> {
    let Some(counts) = counts else {
        return BTreeMap::new();
    };
    let count = |severity: &&Severity| {
        let count = counts.get_mut(*severity).map_or(0, |count| count.at(at));
        ((*severity).clone(), count)
    };
    known.iter().map(count).collect()
}

fn quantiles<const KINDS: usize>(
    samples: Option<&mut Samples<'_, KINDS>>,
    values: Option<&Values<'_, KINDS>>,
    at: Timestamp,
) -> [Quantiles; KINDS] {
    let both = samples.zip(values);
    both.map_or([Quantiles::default(); KINDS], |(samples, values)| samples.at(values, at))
}

fn only(samples: Option<&mut Samples<'_, 1>>, values: Option<&Values<'_, 1>>, at: Timestamp) -> Quantiles {
    let [only] = quantiles(samples, values, at);
    only
}
