//! The catalogue: every exposed metric as data, in one place (`interfaces.md` §4).
//!
//! A doc comment below is the metric's HELP. The order here is the order of `/metrics`, and of worth: when
//! `max_series` is reached, families are dropped from the end of the catalogue, [`Tier::Component`] first. To add a
//! metric, add a line here; the exhaustive matches in `exposition` and the fields of `telemetry` say what is missing.

mod family;
mod level;
mod own;

pub use self::family::{Family, Label, Sample};
pub use self::level::LevelGauge;
pub use self::own::{Closing, Derived, Own, Signal};

/// A metric: one family of `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name, as people query it; a histogram's without `_bucket`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it is measured in: the end of its name.
    pub unit: Unit,
    /// The names of its labels, in the order in which they are written; a histogram's without `le`.
    pub labels: &'static [&'static str],
    /// What it means, in which unit, and the line of `definitions.md` that defines it.
    pub help: &'static str,
    /// What happens to it when there are too many series.
    pub tier: Tier,
    /// Where its values come from.
    pub id: Id,
}

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only goes up.
    Counter,
    /// Counts by upper bound: [`BUCKETS_SECONDS`](crate::model::settings::BUCKETS_SECONDS).
    Histogram,
}

impl Kind {
    /// The word of both text formats.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// What a metric is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Things are counted, or a flag is shown: no unit.
    One,
    /// Seconds; of an instant, since the Unix epoch.
    Seconds,
    /// A share in [0, 1].
    Ratio,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// The word of OpenMetrics, with which the metric's name ends.
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::One => None,
            Self::Seconds => Some("seconds"),
            Self::Ratio => Some("ratio"),
            Self::Bytes => Some("bytes"),
        }
    }
}

/// What happens to a metric when there are more series than `max_series`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// It stays: the organisation and the daemon itself.
    Always,
    /// It goes after all components have gone.
    Team,
    /// It goes first.
    Component,
}

/// Where a metric's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Id {
    /// A level of the snapshot.
    Level(LevelGauge, Level),
    /// The rest of the snapshot, and the persistent counters.
    Derived(Derived),
    /// North stars and signals.
    Signal(Signal),
    /// The daemon itself.
    Own(Own),
    /// The scrape itself.
    Closing(Closing),
}

/// Whose numbers: the `L` of `dora_L_…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// All teams together.
    Organization,
    /// A team.
    Team,
    /// A component.
    Component,
}

impl Metric {
    /// Whether series may have labels besides [`Metric::labels`]: what is known of a team is free-form.
    pub fn takes_more_labels(&self) -> bool {
        self.id == Id::Derived(Derived::TeamInfo)
    }
}

/// All metrics, in the order of `/metrics`.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    let level = |level| LevelGauge::ALL.iter().map(move |gauge| gauge.metric(level));
    let derived = |tier| {
        let all = Derived::ALL.iter().map(|derived| derived.metric());
        all.filter(move |metric| metric.tier == tier)
    };
    let signal = |tier| {
        let all = Signal::ALL.iter().map(|signal| signal.metric());
        all.filter(move |metric| metric.tier == tier)
    };
    level(Level::Organization)
        .chain(signal(Tier::Always))
        .chain(Own::ALL.iter().map(|own| own.metric()))
        .chain(derived(Tier::Always))
        .chain(level(Level::Team))
        .chain(signal(Tier::Team))
        .chain(derived(Tier::Team))
        .chain(level(Level::Component))
        .chain(derived(Tier::Component))
        .chain(Closing::ALL.iter().map(|closing| closing.metric()))
}

/// The values of the label `outcome`.
pub const OUTCOMES: [&str; 2] = ["success", "failure"];

/// The values of the label `reason` of `sextant_source_request_failures_total`.
pub const FAILURE_REASONS: [&str; 8] =
    ["auth", "forbidden", "not_found", "rate_limited", "timeout", "server", "network", "malformed"];
