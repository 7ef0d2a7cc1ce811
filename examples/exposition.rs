//! What a scrape costs: renders 50,000 series, serves them on loopback to eight clients at once, prints a table.
//!
//! `cargo run --release --example exposition`
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use sextant::engine::snapshot::{
    Bounds, Completeness, Coverage, Delivery, Incidents, LevelValues, Quantiles, Snapshot, TeamValues,
    WindowValues,
};
use sextant::exposition::{Limits, Published, render};
use sextant::model::name::Severity;
use sextant::model::settings::Window;
use sextant::model::time::{Span, Timestamp};
use sextant::server::{ServerState, serve};
use sextant::telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const TEAMS: u64 = 74;
const COMPONENTS_PER_TEAM: u64 = 5;
const RENDERINGS: u32 = 9;
const CLIENTS: usize = 8;
const SCRAPES_PER_CLIENT: usize = 250;

/// A number that differs from place to place, so that the text does not compress better than a real one.
fn scattered(place: u64) -> u64 {
    place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

#[expect(clippy::cast_precision_loss, reason = "24 bits")]
fn ratio(place: u64) -> f64 {
    scattered(place) as f64 / f64::from(1_u32 << 24)
}

fn quantiles(place: u64) -> Quantiles {
    let span = |place| Span::from_seconds(i64::try_from(scattered(place)).unwrap_or_default());
    Quantiles { p50: Some(span(place)), p90: Some(span(place + 1)) }
}

fn window(place: u64) -> WindowValues {
    let severities = ["sev1", "sev2", "none"].map(Severity::new);
    let delivery = Delivery {
        deployments: scattered(place) % 1_000,
        deployments_per_day: ratio(place),
        changes: scattered(place + 2) % 1_000,
        lead_time: quantiles(place + 3),
        phases: [5, 7, 9, 11].map(|step| quantiles(place + step)),
        change_fail_ratio: Some(ratio(place + 13)),
        rework_ratio: Some(ratio(place + 14)),
        recovery_time: quantiles(place + 15),
        ..Delivery::default()
    };
    let incidents = Incidents {
        started: severities.map(|severity| (severity, scattered(place) % 10)).into(),
        per_day: ratio(place + 17),
        resolved: 3,
        resolution_time: quantiles(place + 18),
    };
    WindowValues {
        delivery: Some(delivery),
        incidents: Some(incidents),
        coverage: Coverage {
            deployments_with_changes: Some(ratio(place + 20)),
            changes_deployed: Some(ratio(place + 21)),
            incidents_attributed: Some(ratio(place + 22)),
        },
        complete: Completeness::Complete,
        bounds: Bounds::default(),
    }
}

fn level(place: u64) -> LevelValues {
    let seconds = 1_700_000_000 + i64::try_from(scattered(place)).unwrap_or_default();
    LevelValues {
        windows: [0, 100, 200].map(|step| window(place * 1_000 + step)).into(),
        last_deployment_at: Some(Timestamp::from_seconds(seconds)),
        unrecovered_deployments: Some(0),
        open_incidents: Some(BTreeMap::from([(Severity::none(), 0)])),
    }
}

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot {
        at: Timestamp::from_seconds(1_763_830_800),
        windows: ["7d", "30d", "90d"].into_iter().filter_map(Window::parse).collect(),
        organization: level(0),
        ..Snapshot::default()
    };
    for team in 0..TEAMS {
        let slug = format!("team-{team}");
        let values = TeamValues { values: level(team + 1), info: BTreeMap::new() };
        snapshot.teams.insert(slug.as_str().into(), values);
        for component in 0..COMPONENTS_PER_TEAM {
            let name = format!("service-{team}-{component}");
            let values = level(1_000 + team * COMPONENTS_PER_TEAM + component);
            snapshot.components.insert((slug.as_str().into(), name.as_str().into()), values);
        }
    }
    snapshot
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> String {
    format!("{:8.2} ms", time.as_secs_f64() * 1_000.0)
}

fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    let times = (0..RENDERINGS).map(|_| {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    });
    median(times.collect())
}

fn main() -> anyhow::Result<()> {
    let snapshot = snapshot();
    let own = Telemetry::new().gather();
    let rendered = render(&snapshot, &[], &own, Limits::default())?;
    println!("series                                {:>8}", rendered.series);
    println!("text, bytes                           {:>8}", rendered.text.len());
    println!("text gzip, bytes                      {:>8}", rendered.text_gzip.len());
    let whole = time(|| render(&snapshot, &[], &own, Limits::default()));
    println!("render + gzip, both formats           {}", milliseconds(whole));
    for level in [1, 3, 4, 6] {
        let compress = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
            encoder.write_all(&rendered.text)?;
            encoder.finish()
        };
        let (size, took) = (compress()?.len(), time(compress));
        println!("gzip level {level}, one format              {} {size:>8} bytes", milliseconds(took));
    }
    let published = Published::new("acme".into(), Arc::new(snapshot), &[], &own, Limits::default())?;
    // As in the daemon: the server has a runtime of its own, here so have the clients.
    let (servers, clients) = (runtime(1)?, runtime(1)?);
    for (encoding, scrapes) in [("gzip", SCRAPES_PER_CLIENT), ("identity", SCRAPES_PER_CLIENT / 5)] {
        let mut times = scrape(&servers, &clients, published.clone(), encoding, scrapes)?;
        times.sort();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        println!(
            "GET /metrics, {CLIENTS} clients, {encoding:<8}      p50 {} p99 {} n {}",
            milliseconds(at(50)),
            milliseconds(at(99)),
            times.len()
        );
    }
    Ok(())
}

fn runtime(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

fn scrape(
    servers: &tokio::runtime::Runtime,
    clients: &tokio::runtime::Runtime,
    published: Published,
    encoding: &'static str,
    scrapes: usize,
) -> anyhow::Result<Vec<Duration>> {
    let listener = servers.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let url = format!("http://{}/metrics", listener.local_addr()?);
    let (_publish, published) = watch::channel(Some(Arc::new(published)));
    let shutdown = CancellationToken::new();
    let server = servers.spawn(serve(listener, ServerState::new(published), shutdown.clone()));
    let client = reqwest::Client::builder().no_gzip().build()?;
    let times = clients.block_on(async {
        let tasks = TaskTracker::new();
        let tasks: Vec<_> = (0..CLIENTS)
            .map(|_| tasks.spawn(scrape_often(client.clone(), url.clone(), encoding, scrapes)))
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await??);
        }
        anyhow::Ok(times)
    })?;
    shutdown.cancel();
    servers.block_on(server)?;
    Ok(times)
}

async fn scrape_often(
    client: reqwest::Client,
    url: String,
    encoding: &'static str,
    scrapes: usize,
) -> reqwest::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(scrapes);
    for _ in 0..scrapes {
        let start = Instant::now();
        let response = client.get(&url).header("accept-encoding", encoding).send().await?;
        response.error_for_status()?.bytes().await?;
        times.push(start.elapsed());
    }
    Ok(times)
}
