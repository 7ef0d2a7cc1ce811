//! The renderer: what was computed → what is served, once per snapshot.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::exposition::{Background, Limits, Published, signal_families};
use crate::model::signal::Signals;
use crate::model::time::Span;
use crate::recompute::Computed;
use crate::telemetry::Telemetry;

/// What rendering needs besides the numbers; a reload changes it.
#[derive(Debug, Clone)]
pub(super) struct Rendering {
    /// The organisation's name.
    pub(super) organization: String,
    /// How much is exposed at most.
    pub(super) limits: Limits,
    /// The step of history whose reader asks for none.
    pub(super) resolution: Span,
    /// The sources of the configuration, by name and kind.
    pub(super) sources: Vec<(String, &'static str)>,
}

/// Renders every snapshot, and the newest again when a signal or how to render changes, until it is cancelled.
/// Rendering 50,000 series and compressing them takes tens of milliseconds, so it never runs on the runtime's own
/// threads; what changes meanwhile is rendered together.
pub(super) async fn run(
    telemetry: Telemetry,
    mut computed: watch::Receiver<Option<Arc<Computed>>>,
    mut rendering: watch::Receiver<Rendering>,
    mut signals: watch::Receiver<Signals>,
    published: watch::Sender<Option<Arc<Published>>>,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            changed = computed.changed() => if changed.is_err() { return },
            changed = rendering.changed() => if changed.is_err() { return },
            changed = signals.changed() => if changed.is_err() { return },
        }
        let Some(newest) = computed.borrow_and_update().clone() else {
            continue;
        };
        let (telemetry, rendering) = (telemetry.clone(), rendering.borrow_and_update().clone());
        let signals = signals.borrow_and_update().clone();
        let rendered =
            tokio::task::spawn_blocking(move || render(&telemetry, &rendering, &newest, signals)).await;
        match rendered {
            Ok(Ok(fresh)) => {
                if fresh.rendered.dropped > 0 {
                    tracing::warn!(
                        dropped = fresh.rendered.dropped,
                        "more series than `metrics.max_series` allows: those of components are left out"
                    );
                }
                published.send_replace(Some(Arc::new(fresh)));
            }
            Ok(Err(error)) => tracing::error!("cannot render, the last values stay: {error}"),
            Err(error) => tracing::error!("rendering ended early, the last values stay: {error}"),
        }
    }
}

fn render(
    telemetry: &Telemetry,
    rendering: &Rendering,
    computed: &Computed,
    signals: Signals,
) -> Result<Published, std::io::Error> {
    let Computed {
        snapshot,
        linked,
        past,
        counters,
        facts,
        newest_fact,
        subjects,
        settings,
        tracker,
        turns,
        took,
    } = computed;
    telemetry.snapshot(took.as_secs_f64());
    telemetry.facts(facts);
    for (name, kind) in &rendering.sources {
        let newest = newest_fact.iter().find(|(source, _)| source.as_str() == name);
        if let Some((_, at)) = newest {
            telemetry.source(name, kind).newest_fact(at.seconds());
        }
    }
    let organization = rendering.organization.clone();
    let mut own = telemetry.gather();
    own.extend(signal_families(&signals));
    let published = Published::new(organization, Arc::clone(snapshot), counters, &own, rendering.limits)?;
    let background = Background {
        tracker: Arc::clone(tracker),
        turns: Arc::clone(turns),
        linked: Arc::clone(linked),
        settings: Arc::clone(settings),
    };
    let published = published.with_subjects(Arc::clone(subjects)).with_background(background);
    Ok(published.with_past(past.clone(), rendering.resolution).with_signals(signals))
}
