//! A real Prometheus scrapes the running daemon, and each headline metric is read back through its HTTP API.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use sextant::config::Config;
use sextant::daemon::Daemon;
use sextant::demo::generate::generate;
use sextant::demo::serve::{Options, serve};
use sextant::demo::world::SharedWorld;
use sextant::engine::snapshot::{Completeness, Snapshot, WindowValues};
use sextant::model::time::{Span, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::process::{Process, free_port, get, until, value};
use crate::rig::WorldClock;
use crate::story_numbers::{NOW, example_toml};

/// What the API answers to a query: the value of each series by its team.
async fn query(prometheus: &str, promql: &str) -> BTreeMap<String, f64> {
    let mut url = reqwest::Url::parse(&format!("{prometheus}/api/v1/query")).unwrap();
    url.query_pairs_mut().append_pair("query", promql);
    let Some((_, text)) = get(url.as_str()).await else {
        return BTreeMap::new();
    };
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    let read = |series: &Value| {
        let team = series["metric"]["team"].as_str().unwrap_or_default().to_owned();
        Some((team, series["value"][1].as_str()?.parse().ok()?))
    };
    series.iter().filter_map(read).collect()
}

/// A headline metric: its query, and the same number in the snapshot.
type Headline = (&'static str, fn(&WindowValues) -> Option<f64>);

const HEADLINES: [Headline; 6] = [
    ("dora_team_deployments_per_day", |values| Some(values.delivery.as_ref()?.deployments_per_day)),
    ("dora_team_lead_time_seconds", |values| Some(values.delivery.as_ref()?.lead_time.p50?.seconds())),
    ("dora_team_change_fail_ratio", |values| values.delivery.as_ref()?.change_fail_ratio),
    ("dora_team_recovery_time_seconds", |values| {
        Some(values.delivery.as_ref()?.recovery_time.p50?.seconds())
    }),
    ("dora_team_rework_ratio", |values| values.delivery.as_ref()?.rework_ratio),
    ("dora_team_incidents_per_day", |values| Some(values.incidents.as_ref()?.per_day)),
];

fn expected(
    snapshot: &Snapshot,
    window: &str,
    of: fn(&WindowValues) -> Option<f64>,
) -> BTreeMap<String, f64> {
    let index = snapshot.windows.iter().position(|known| known.label == window).unwrap();
    let teams = snapshot.teams.iter();
    teams.filter_map(|(team, values)| Some((team.to_string(), of(&values.values.windows[index])?))).collect()
}

#[tokio::test]
async fn prometheus_reads_every_headline_metric_back() {
    let world = generate(5, Timestamp::parse(NOW).unwrap());
    let toml = example_toml(&world);
    let shared = SharedWorld::new(world);
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let _stop = stop.clone().drop_guard();
    let options = Options::default();
    let servers = serve(shared.clone(), options.clone(), &tracker, stop).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (name, token) in [("github", &options.github_token), ("pagerduty", &options.pagerduty_token)] {
        std::fs::write(directory.path().join(format!("{name}-token")), token).unwrap();
    }
    let path = directory.path().to_str().unwrap();
    let toml = toml
        .replace("{github}", &servers.github.url)
        .replace("{pagerduty}", &servers.pagerduty.url)
        .replace("{directory}", path)
        .replace("sqlite:unused.db", &format!("sqlite:{path}/sextant.db"));
    let config = Config::parse(&toml, "sextant.toml", &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
    // What happened at the present has happened a second before it is looked at, and then time stands still.
    shared.tell(|world| world.advance(world.now.plus(Span::from_seconds(1))));
    let daemon = Daemon::start(config, Arc::new(WorldClock(shared))).await.unwrap();
    let mut computed = daemon.computed();
    let complete = computed.wait_for(|newest| {
        newest.as_ref().is_some_and(|computed| {
            let windows = &computed.snapshot.organization.windows;
            windows.iter().all(|window| window.complete == Completeness::Complete)
        })
    });
    let snapshot = Arc::clone(&complete.await.unwrap().as_ref().unwrap().snapshot);

    let address = format!("127.0.0.1:{}", free_port());
    let file = directory.path().join("prometheus.yml");
    let scrape = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: sextant\n    static_configs:\n      \
         - targets: [\"{}\"]\n",
        daemon.address()
    );
    std::fs::write(&file, scrape).unwrap();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={path}/tsdb"))
        .arg(format!("--web.listen-address={address}"))
        .arg("--log.level=warn");
    let process = Process::start(&mut command, directory.path(), "prometheus");
    let prometheus = format!("http://{address}");
    until("Prometheus has scraped the whole history", async || {
        let complete = query(&prometheus, "min(dora_organization_window_complete)").await;
        complete.get("") == Some(&1.0)
    })
    .await;

    for window in ["7d", "30d", "90d"] {
        for (metric, of) in HEADLINES {
            let stat = if metric.ends_with("_seconds") { ",stat=\"p50\"" } else { "" };
            let read = query(&prometheus, &format!("{metric}{{window=\"{window}\"{stat}}}")).await;
            let expected = expected(&snapshot, window, of);
            assert_eq!(read, expected, "{metric} over {window}");
            assert!(window != "90d" || read.len() >= 6, "{metric}: {read:?}");
        }
    }
    nothing_was_lost_on_the_way(&prometheus).await;
    for trouble in ["duplicate", "out of order", "error"] {
        assert!(!process.output().to_lowercase().contains(trouble), "{}", process.output());
    }
    daemon.stop().await.unwrap();
}

/// The scrape succeeded, all of it was kept, and types and help came with it.
async fn nothing_was_lost_on_the_way(prometheus: &str) {
    assert_eq!(query(prometheus, "up").await.get(""), Some(&1.0));
    let quantiles = "histogram_quantile(0.5, sum by (le) (dora_change_lead_time_seconds_bucket))";
    assert_eq!(query(prometheus, quantiles).await.len(), 1, "a histogram as Prometheus knows it");
    let (_, metadata) =
        get(&format!("{prometheus}/api/v1/metadata?metric=dora_team_change_fail_ratio")).await.unwrap();
    assert!(metadata.contains("\"type\":\"gauge\""), "{metadata}");
    assert!(metadata.contains("\"help\":\""), "{metadata}");
    // Only OpenMetrics calls the family of a counter by its name without `_total`: that is what was negotiated.
    let (_, metadata) = get(&format!("{prometheus}/api/v1/metadata?metric=dora_deployments")).await.unwrap();
    assert!(metadata.contains("\"type\":\"counter\""), "{metadata}");
    let kept = query(prometheus, "scrape_samples_post_metric_relabeling").await;
    assert_eq!(kept, query(prometheus, "sextant_series").await, "every series that is exposed is kept");
    let (_, own) = get(&format!("{prometheus}/metrics")).await.unwrap();
    for trouble in ["duplicate_timestamp", "out_of_bounds", "out_of_order"] {
        let dropped = format!("prometheus_target_scrapes_sample_{trouble}_total");
        assert_eq!(value(&own, &dropped), Some(0.0), "{dropped}");
    }
}
