//! The exposition: a snapshot, the persistent counters and the daemon's own numbers as the bytes of `/metrics`.
//!
//! Rendered and compressed once per snapshot, then immutable and shared: a scrape copies nothing and asks nobody.
//! Invariants, each with its test in `tests/it/exposition.rs`: every family is in the catalogue and has exactly its
//! labels; no series occurs twice; an absent value makes no line, and a family without lines no HELP; both formats
//! have the same series; what `max_series` cuts is counted.

use std::io::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::catalogue::{self, Closing, Family, Id, Metric, Sample, Tier};
use crate::engine::link::Linked;
use crate::engine::regression::tracker::Tracker;
use crate::engine::series::Past;
use crate::engine::snapshot::Snapshot;
use crate::model::batch::CounterKey;
use crate::model::component::Subjects;
use crate::model::settings::MetricSettings;
use crate::model::signal::Signals;
use crate::model::time::Span;
use crate::model::transition::StoredTurn;

mod counters;
mod derived;
mod guardrails;
pub mod history;
mod levels;
mod signals;
mod sources;
mod states;
mod write;

use self::counters::Persisted;
pub use self::signals::signal_families;
pub use self::sources::{RateLimit, SourceState, source_states};
use self::write::Writer;

/// How much is exposed at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Series in one scrape (`metrics.max_series`). The organisation's and the daemon's own are never dropped.
    pub series_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { series_max: 200_000 }
    }
}

/// `/metrics`, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Prometheus text 0.0.4.
    pub text: Bytes,
    /// The same, compressed.
    pub text_gzip: Bytes,
    /// OpenMetrics text 1.0.
    pub openmetrics: Bytes,
    /// The same, compressed.
    pub openmetrics_gzip: Bytes,
    /// Series in each of them.
    pub series: usize,
    /// Series left out because of [`Limits::series_max`]; whoever renders logs it.
    pub dropped: usize,
}

/// What the server serves: one snapshot with everything that was rendered from it.
#[derive(Debug, Clone)]
pub struct Published {
    /// The organisation's configured name.
    pub organization: String,
    /// The numbers.
    pub snapshot: Arc<Snapshot>,
    /// The sources, by name.
    pub sources: Vec<SourceState>,
    /// By which rule the incidents of each source got their owner.
    pub subjects: Arc<Subjects>,
    /// What pages explain the numbers with.
    pub background: Background,
    /// North stars and signals.
    pub signals: Signals,
    /// `/metrics`.
    pub rendered: Rendered,
    /// What the numbers at any other instant are made of, and how fine its grid is; `None`: nobody may ask.
    pub past: Option<(Past, Span)>,
}

/// What the numbers were made of, for those who ask why.
#[derive(Debug, Clone, Default)]
pub struct Background {
    /// Every look at every team.
    pub tracker: Arc<Tracker>,
    /// Every change of a team's state that was seen.
    pub turns: Arc<Vec<StoredTurn>>,
    /// Every deployment, change and incident.
    pub linked: Arc<Linked>,
    /// The rules by which they count.
    pub settings: Arc<MetricSettings>,
}

impl Published {
    /// Renders a snapshot for publication.
    pub fn new(
        organization: String,
        snapshot: Arc<Snapshot>,
        counters: &[(CounterKey, f64)],
        own: &[Family<'static>],
        limits: Limits,
    ) -> io::Result<Self> {
        let rendered = render(&snapshot, counters, own, limits)?;
        Ok(Self {
            organization,
            snapshot,
            sources: source_states(own),
            subjects: Arc::default(),
            background: Background::default(),
            signals: Signals::new(),
            rendered,
            past: None,
        })
    }

    /// With by which rule incidents got their owner.
    #[must_use]
    pub fn with_subjects(self, subjects: Arc<Subjects>) -> Self {
        Self { subjects, ..self }
    }

    /// With what the numbers at any other instant are made of, and the step of series whose reader asks for none.
    #[must_use]
    pub fn with_past(self, past: Past, resolution: Span) -> Self {
        Self { past: Some((past, resolution)), ..self }
    }

    /// With what the numbers were made of.
    #[must_use]
    pub fn with_background(self, background: Background) -> Self {
        Self { background, ..self }
    }

    /// With north stars and signals.
    #[must_use]
    pub fn with_signals(self, signals: Signals) -> Self {
        Self { signals, ..self }
    }
}

/// Renders `/metrics`; `own` are the families that the snapshot has nothing to do with: those of the daemon itself and
/// of [`signal_families`]. Counters exist where the gauges do, at 0 from the start, so that `increase()` sees the first
/// event; those of teams and components that left the configuration are left out.
///
/// Fails only if the compressor does, which writes to memory.
pub fn render(
    snapshot: &Snapshot,
    counters: &[(CounterKey, f64)],
    own: &[Family<'static>],
    limits: Limits,
) -> io::Result<Rendered> {
    let persisted = Persisted::new(counters);
    let mut writer = Writer::default();
    let mut budget = Budget::new(limits);
    for metric in catalogue::metrics() {
        let samples = match metric.id {
            Id::Level(gauge, level) => levels::samples(metric, gauge, level, snapshot),
            Id::Derived(id) => derived::samples(metric, id, snapshot, &persisted),
            Id::Signal(_) | Id::Own(_) => {
                let family = own.iter().find(|family| family.metric == metric);
                family.map(|family| family.samples.clone()).unwrap_or_default()
            }
            Id::Closing(Closing::Series) => vec![Sample::new(metric, &[], count(budget.written))],
            Id::Closing(Closing::SeriesDropped) => vec![Sample::new(metric, &[], count(budget.dropped))],
        };
        if budget.admits(metric, samples.len()) {
            writer.family(&Family { metric, samples });
        }
    }
    let (text, openmetrics) = writer.finish();
    Ok(Rendered {
        text_gzip: gzip(&text)?,
        openmetrics_gzip: gzip(&openmetrics)?,
        text: text.into(),
        openmetrics: openmetrics.into(),
        series: budget.written,
        dropped: budget.dropped,
    })
}

/// Which families still fit. From the first that does not, all that may be dropped are: a reader finds families
/// either whole or not at all, and the same ones in every scrape of the same size.
#[derive(Debug)]
struct Budget {
    series_max: usize,
    written: usize,
    dropped: usize,
}

impl Budget {
    fn new(limits: Limits) -> Self {
        Self {
            series_max: limits.series_max,
            // The closing families are counted before they are written: they tell the count.
            written: Closing::ALL.len(),
            dropped: 0,
        }
    }

    fn admits(&mut self, metric: &Metric, series: usize) -> bool {
        let full = self.dropped > 0 || self.written.saturating_add(series) > self.series_max;
        match (metric.id, metric.tier) {
            (Id::Closing(_), _) => true,
            (_, Tier::Team | Tier::Component) if full => {
                self.dropped = self.dropped.saturating_add(series);
                false
            }
            (_, Tier::Always | Tier::Team | Tier::Component) => {
                self.written = self.written.saturating_add(series);
                true
            }
        }
    }
}

/// Speed against size, measured on 50,000 series by `examples/exposition.rs`: level 6 takes twice as long for 2 % less,
/// level 1 a quarter as long for 27 % more, and the size decides how long a scrape takes.
const COMPRESSION: Compression = Compression::new(4);

fn gzip(text: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), COMPRESSION);
    encoder.write_all(text)?;
    Ok(encoder.finish()?.into())
}

/// A count as metrics show it.
#[expect(clippy::cast_precision_loss, reason = "nothing is counted beyond 2^53")]
fn count(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}
