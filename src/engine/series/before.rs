//! What was before the windows, as far as it says how certain their numbers are (`regressions.md` 3.5): for an instant
//! the same [`Past`] as a snapshot has, bit for bit. Its sums are those of weeks that slide, each the difference of two
//! sums from the beginning on.

use crate::engine::count::size;
use crate::engine::dispersion::{GroupSums, Grouped};
use crate::engine::history::Deployment;
use crate::engine::regression::headline::DISPERSION_WEEKS;
use crate::engine::regression::live::Bounding;
use crate::engine::regression::past::{Almanac, Frame, Lengths, PAST, Past, Week};
use crate::engine::series::spell::{EVER, Spell};
use crate::model::measure::Measure;
use crate::model::settings::{MetricSettings, Window};
use crate::model::time::{Span, Timestamp};

/// The next instant after another.
pub(super) const NEXT: Span = Span::from_millis(1);

/// Everything that was before the windows at the instants for which it was asked; each list is sorted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) almanac: Almanac,
    /// From when on the level's history is collected.
    pub(super) begin: Option<Timestamp>,
    pub(super) deployments: Vec<Timestamp>,
    pub(super) unplanned: Vec<Timestamp>,
    pub(super) incidents: Vec<Timestamp>,
    pub(super) failed: Vec<Known<()>>,
    pub(super) brought: Vec<Known<Lengths>>,
}

/// Something of a deployment, for as long as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Known<T> {
    pub(super) deployed_at: Timestamp,
    /// It is known later than this, …
    pub(super) after: Timestamp,
    /// … and no later than this.
    pub(super) until: Timestamp,
    pub(super) what: T,
}

impl<T> Known<T> {
    fn is_known(&self, at: Timestamp) -> bool {
        self.after < at && at <= self.until
    }

    /// Whether it is known as soon as the deployment is, for ever.
    fn is_plain(&self) -> bool {
        self.after <= self.deployed_at && self.until == EVER
    }

    /// The same as what counts in windows.
    pub(super) const fn spell(&self) -> Spell {
        Spell { after: self.after, within: self.deployed_at, until: self.until }
    }
}

impl Before {
    pub(super) fn sort(&mut self) {
        for instants in [&mut self.deployments, &mut self.unplanned, &mut self.incidents] {
            instants.sort_unstable();
        }
        self.failed.sort_unstable();
        self.brought.sort_unstable();
    }
}

/// How far the past of windows of at most this length goes back from where they end.
pub(super) fn reach(longest: Span) -> Span {
    Span::from_millis(longest.millis().saturating_add(PAST.millis()))
}

/// What a deployment brought, piece by piece: a change whose merge is dated after the deployment is known only then.
pub(super) fn brought(
    deployment: &Deployment,
    settings: &MetricSettings,
    values: &mut Vec<f64>,
) -> Vec<Known<Lengths>> {
    let deployed_at = deployment.deployed_at;
    let later = deployment.changes.iter().map(|change| change.merged_at).filter(|at| *at > deployed_at);
    let mut turns: Vec<_> = std::iter::once(deployed_at).chain(later).collect();
    turns.sort_unstable();
    turns.dedup();
    let ends = turns.iter().skip(1).copied().chain([EVER]);
    let pieces = turns.iter().zip(ends).map(|(after, until)| Known {
        deployed_at,
        after: *after,
        until,
        what: Lengths::of(deployment, settings, after.plus(NEXT), values),
    });
    pieces.filter(|known| known.what.all.count() > 0).collect()
}

/// What was before the windows, summed up.
#[derive(Debug)]
pub(super) struct Weeks<'t> {
    before: &'t Before,
    /// Of what brought changes and was known at once: when it was deployed, …
    brought: Vec<Timestamp>,
    /// … and up to each of them, and to the end, the sums of lead times and of their middles.
    lead_times: Vec<(Grouped, GroupSums)>,
    /// All others: they are few.
    late: Vec<&'t Known<Lengths>>,
}

impl<'t> Weeks<'t> {
    pub(super) fn new(before: &'t Before) -> Self {
        let (plain, late): (Vec<&Known<Lengths>>, Vec<_>) =
            before.brought.iter().partition(|one| one.is_plain());
        let mut sums = (Grouped::EMPTY, GroupSums::default());
        let mut lead_times = vec![sums];
        for brought in &plain {
            sums.0.add(&brought.what.all);
            sums.1.absorb(&brought.what.middle);
            lead_times.push(sums);
        }
        let brought = plain.iter().map(|one| one.deployed_at).collect();
        Self { before, brought, lead_times, late }
    }

    /// A window with the weeks before it.
    pub(super) fn frame(&self, window: &Window, at: Timestamp) -> Frame<'t> {
        Frame::new(window, &self.before.almanac, at)
    }

    /// From when on the level's history is collected.
    pub(super) const fn begin(&self) -> Option<Timestamp> {
        self.before.begin
    }

    /// What was before a window, as far as it is asked for.
    pub(super) fn past(&self, frame: &Frame<'_>, asked: &Bounding, at: Timestamp) -> Past {
        let (failures, rework) = (asked.has(Measure::ChangeFailRatio), asked.has(Measure::ReworkRatio));
        let edges: Vec<Timestamp> = frame.edges().collect();
        let mut weeks = vec![Week::default(); DISPERSION_WEEKS];
        if failures || rework || asked.has(Measure::DeploymentsPerDay) {
            each(&mut weeks, &self.before.deployments, &edges, |week, these| week.deployments = size(these));
        }
        if rework {
            each(&mut weeks, &self.before.unplanned, &edges, |week, these| week.unplanned = size(these));
        }
        if asked.has(Measure::IncidentsPerDay) {
            each(&mut weeks, &self.before.incidents, &edges, |week, these| week.incidents = size(these));
        }
        if failures {
            self.count_failed(&mut weeks, frame, &edges, at);
        }
        let middles = if asked.has(Measure::LeadTime) {
            self.sum_lead_times(&mut weeks, frame, &edges, at)
        } else {
            Vec::new()
        };
        Past { weeks, middles }
    }

    fn count_failed(&self, weeks: &mut [Week], frame: &Frame<'_>, edges: &[Timestamp], at: Timestamp) {
        let failed = &self.before.failed;
        let first = edges.last().map_or(0, |first| failed.partition_point(|one| one.deployed_at < *first));
        let failed = failed.iter().skip(first).take_while(|one| one.deployed_at < frame.end);
        for one in failed.filter(|one| one.is_known(at)) {
            if let Some(week) = frame.week_of(one.deployed_at).and_then(|week| weeks.get_mut(week)) {
                week.failed += 1;
            }
        }
    }

    fn sum_lead_times(
        &self,
        weeks: &mut [Week],
        frame: &Frame<'_>,
        edges: &[Timestamp],
        at: Timestamp,
    ) -> Vec<GroupSums> {
        for (week, (from, to)) in weeks.iter_mut().zip(slices(&self.brought, edges.iter().copied())) {
            if let Some(((before, _), (until, _))) = self.sums(from).zip(self.sums(to)) {
                week.lead_times = until.without(before);
            }
        }
        let mut middles = vec![GroupSums::default(); DISPERSION_WEEKS];
        for (sums, (from, to)) in middles.iter_mut().zip(slices(&self.brought, frame.mondays())) {
            if let Some(((_, before), (_, until))) = self.sums(from).zip(self.sums(to)) {
                *sums = until.without(before);
            }
        }
        for one in self.late.iter().filter(|one| one.is_known(at)) {
            if let Some(week) = frame.week_of(one.deployed_at).and_then(|week| weeks.get_mut(week)) {
                week.lead_times.add(&one.what.all);
                let week = frame.calendar_week_of(one.deployed_at);
                if let Some(middle) = week.and_then(|week| middles.get_mut(week)) {
                    middle.absorb(&one.what.middle);
                }
            }
        }
        middles
    }

    fn sums(&self, place: usize) -> Option<&(Grouped, GroupSums)> {
        self.lead_times.get(place)
    }
}

/// Tells each week what happened in it.
fn each(
    weeks: &mut [Week],
    sorted: &[Timestamp],
    edges: &[Timestamp],
    tell: impl Fn(&mut Week, &[Timestamp]),
) {
    for (week, (from, to)) in weeks.iter_mut().zip(slices(sorted, edges.iter().copied())) {
        tell(week, sorted.get(from..to).unwrap_or_default());
    }
}

/// Which of some sorted instants lie between each two neighbours of `edges`, which go backwards.
fn slices(
    sorted: &[Timestamp],
    edges: impl Iterator<Item = Timestamp>,
) -> impl Iterator<Item = (usize, usize)> {
    let place = |edge: Timestamp| sorted.partition_point(|at| *at < edge);
    let mut places = edges.map(place);
    let mut to = places.next().unwrap_or_default();
    places.map(move |from| (from, std::mem::replace(&mut to, from)))
}
