//! Counts and samples of one level over one window. Levels are sums of components: events are pooled, never averages
//! averaged (`definitions.md` §3).

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::assessment::Failure;
use crate::engine::change::DeployedChange;
use crate::engine::count::size;
use crate::engine::history::{self, ComponentHistory};
use crate::engine::kind::Kind;
use crate::engine::link::LinkedComponent;
use crate::engine::quantile::quantiles;
use crate::engine::regression::live::{Sample, Times};
use crate::engine::snapshot::{Coverage, Delivery, Incidents};
use crate::model::day::Day;
use crate::model::fact::{Author, Outcome};
use crate::model::name::Severity;
use crate::model::settings::{MetricSettings, Window};
use crate::model::time::{Span, Timestamp};

/// How many of how many.
#[derive(Debug, Clone, Copy, Default)]
pub struct Share {
    part: u64,
    whole: u64,
}

impl Share {
    /// One more, which is part of it or not.
    pub fn count(&mut self, is_part: bool) {
        self.whole += 1;
        self.part += u64::from(is_part);
    }

    fn absorb(&mut self, other: Self) {
        self.part += other.part;
        self.whole += other.whole;
    }

    fn ratio(self) -> Option<f64> {
        ratio(self.part, self.whole)
    }
}

/// Absent at n = 0.
#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^53 deployments")]
pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^53 deployments")]
pub(super) fn per_day(count: u64, window: &Window) -> f64 {
    count as f64 / window.length.days()
}

/// What happened in a window.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    deployments: u64,
    /// The date of each.
    dates: Vec<Day>,
    succeeded: u64,
    failed_attempts: u64,
    unreviewed: u64,
    bots: u64,
    lead_times: Vec<Span>,
    /// Deployments that brought those, and the sum of the squares of how many each of them brought.
    bringing: u64,
    squares: u64,
    phases: [Vec<Span>; 4],
    failed: u64,
    reworked: u64,
    recoveries: Vec<Span>,
    traced: Share,
    contained: Share,
    /// Of the incidents started in the window, those attributed.
    pub attributed: Share,
    /// Incidents started in the window.
    pub started: BTreeMap<Severity, u64>,
    /// From start to resolution, of those resolved in the window.
    pub resolutions: Vec<Span>,
}

impl Tally {
    /// What a component did in [`from`, `at`), with its failures as one could know them at `at`.
    pub fn of(
        component: &LinkedComponent,
        failures: &[(usize, Failure)],
        settings: &MetricSettings,
        (from, at): (Timestamp, Timestamp),
    ) -> Self {
        let history = &*component.history;
        let before = history.before(at);
        let mut tally = Self::default();
        let first = history.before(from).len().min(before.len());
        for (index, deployment) in before.iter().enumerate().skip(first) {
            tally.deployments += 1;
            tally.dates.push(Day::of(deployment.deployed_at, settings.timezone));
            tally.reworked += u64::from(component.is_unplanned(index));
            if deployment.kind == Kind::Forward {
                tally.traced.count(deployment.traced);
            }
            let counted = tally.lead_times.len();
            let known = deployment.changes.iter().filter(|change| change.merged_at < at);
            for change in known {
                tally.count_change(change, settings);
            }
            let brought = size(tally.lead_times.get(counted..).unwrap_or_default());
            tally.bringing += u64::from(brought > 0);
            tally.squares += brought.pow(2);
        }
        tally.dates.dedup();
        for (index, failure) in failures {
            tally.failed += u64::from(*index >= first);
            let recovery = failure.recovery.filter(|recovery| recovery.recovered_at >= from);
            tally.recoveries.extend(recovery.map(|recovery| recovery.span));
        }
        tally.count_attempts(history, from, at);
        if !before.is_empty() {
            tally.count_merges(history, from, at);
        }
        tally
    }

    fn count_change(&mut self, change: &DeployedChange, settings: &MetricSettings) {
        match change.author {
            Author::Bot => self.bots += 1,
            Author::Human => self.unreviewed += u64::from(change.is_unreviewed()),
        }
        if !history::counts(change, settings) {
            return;
        }
        self.lead_times.push(change.lead_time);
        if let Some(phases) = change.phases {
            let [coding, pickup, review, deploy] = &mut self.phases;
            coding.push(phases.coding);
            pickup.extend(phases.reviewed.map(|reviewed| reviewed.pickup));
            review.extend(phases.reviewed.map(|reviewed| reviewed.review));
            deploy.push(phases.deploy);
        }
    }

    fn count_attempts(&mut self, history: &ComponentHistory, from: Timestamp, at: Timestamp) {
        let first = history.attempts.partition_point(|attempt| attempt.finished_at < from);
        let attempts = history.attempts.iter().skip(first);
        for attempt in attempts.take_while(|attempt| attempt.finished_at < at) {
            match attempt.outcome {
                Outcome::Success => self.succeeded += 1,
                Outcome::Failure => self.failed_attempts += 1,
            }
        }
    }

    fn count_merges(&mut self, history: &ComponentHistory, from: Timestamp, at: Timestamp) {
        let first = history.merged.partition_point(|pull| pull.merged_at < from);
        let merged = history.merged.iter().skip(first);
        for pull in merged.take_while(|pull| pull.merged_at < at) {
            let contained = pull.contained_at.is_some_and(|contained_at| contained_at < at);
            self.contained.count(contained);
        }
    }

    /// Adds another component's.
    pub fn absorb(&mut self, other: &Self) {
        self.deployments += other.deployments;
        self.dates.extend(&other.dates);
        self.succeeded += other.succeeded;
        self.failed_attempts += other.failed_attempts;
        self.unreviewed += other.unreviewed;
        self.bots += other.bots;
        self.lead_times.extend(&other.lead_times);
        self.bringing += other.bringing;
        self.squares += other.squares;
        for (phase, other) in self.phases.iter_mut().zip(&other.phases) {
            phase.extend(other);
        }
        self.failed += other.failed;
        self.reworked += other.reworked;
        self.recoveries.extend(&other.recoveries);
        self.traced.absorb(other.traced);
        self.contained.absorb(other.contained);
        self.attributed.absorb(other.attributed);
        for (severity, count) in &other.started {
            *self.started.entry(severity.clone()).or_default() += count;
        }
        self.resolutions.extend(&other.resolutions);
    }

    /// What derives from deployments.
    pub fn delivery(&mut self, window: &Window) -> Delivery {
        let [coding, pickup, review, deploy] = &mut self.phases;
        // Those of one component after those of another, each in order.
        self.dates.sort();
        self.dates.dedup();
        Delivery {
            deployments: self.deployments,
            deployments_per_day: per_day(self.deployments, window),
            deployment_dates: size(&self.dates),
            attempts_succeeded: self.succeeded,
            attempts_failed: self.failed_attempts,
            changes: size(&self.lead_times),
            unreviewed_changes: self.unreviewed,
            bot_changes: self.bots,
            lead_time: quantiles(&mut self.lead_times),
            phases: [quantiles(coding), quantiles(pickup), quantiles(review), quantiles(deploy)],
            failed_deployments: self.failed,
            change_fail_ratio: ratio(self.failed, self.deployments),
            rework_deployments: self.reworked,
            rework_ratio: ratio(self.reworked, self.deployments),
            recovered_deployments: size(&self.recoveries),
            recovery_time: quantiles(&mut self.recoveries),
        }
    }

    /// What derives from incidents, with a zero for every severity in `known`.
    pub fn incidents(&mut self, known: &BTreeSet<Severity>, window: &Window) -> Incidents {
        let mut started: BTreeMap<_, _> = known.iter().map(|severity| (severity.clone(), 0)).collect();
        started.extend(std::mem::take(&mut self.started));
        Incidents {
            per_day: per_day(started.values().sum(), window),
            started,
            resolved: size(&self.resolutions),
            resolution_time: quantiles(&mut self.resolutions),
        }
    }

    /// What intervals are taken of. It is there for a level that has `deployed` and one that counts incidents.
    pub fn sample(&mut self, deployed: bool, counts_incidents: bool) -> Sample<'_> {
        Sample {
            deployments: deployed.then_some([self.deployments, self.failed, self.reworked]),
            incidents: counts_incidents.then(|| self.started.values().sum()),
            lead_times: Times::of(&mut self.lead_times),
            bringing: self.bringing,
            squares: self.squares,
            recoveries: Times::of(&mut self.recoveries),
        }
    }

    /// How far these can be trusted.
    pub fn coverage(&self) -> Coverage {
        Coverage {
            deployments_with_changes: self.traced.ratio(),
            changes_deployed: self.contained.ratio(),
            incidents_attributed: self.attributed.ratio(),
        }
    }
}
