//! A real Prometheus scrapes the running daemon, and each headline metric is read back through its HTTP API.

use std::collections::BTreeMap;

use serde_json::Value;
use sextant::engine::snapshot::{Snapshot, WindowValues};

use crate::process::{get, value};
use crate::scraped::{Prometheus, Scraped};

/// What the API answers to a query: the value of each series by its team.
async fn query(prometheus: &Prometheus, promql: &str) -> BTreeMap<String, f64> {
    let answer = prometheus.ask("query", &[("query", promql)]).await;
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
    let stage = Scraped::new().await;
    let Scraped { snapshot, process, prometheus, .. } = &stage;
    for window in ["7d", "30d", "90d"] {
        for (metric, of) in HEADLINES {
            let stat = if metric.ends_with("_seconds") { ",stat=\"p50\"" } else { "" };
            let read = query(prometheus, &format!("{metric}{{window=\"{window}\"{stat}}}")).await;
            let expected = expected(snapshot, window, of);
            assert_eq!(read, expected, "{metric} over {window}");
            assert!(window != "90d" || read.len() >= 6, "{metric}: {read:?}");
        }
    }
    nothing_was_lost_on_the_way(prometheus).await;
    for trouble in ["duplicate", "out of order", "error"] {
        assert!(!process.output().to_lowercase().contains(trouble), "{}", process.output());
    }
    stage.end().await;
}

/// The scrape succeeded, all of it was kept, and types and help came with it.
async fn nothing_was_lost_on_the_way(prometheus: &Prometheus) {
    let url = &prometheus.url;
    assert_eq!(query(prometheus, "up").await.get(""), Some(&1.0));
    let quantiles = "histogram_quantile(0.5, sum by (le) (dora_change_lead_time_seconds_bucket))";
    assert_eq!(query(prometheus, quantiles).await.len(), 1, "a histogram as Prometheus knows it");
    let (_, metadata) =
        get(&format!("{url}/api/v1/metadata?metric=dora_team_change_fail_ratio")).await.unwrap();
    assert!(metadata.contains("\"type\":\"gauge\""), "{metadata}");
    assert!(metadata.contains("\"help\":\""), "{metadata}");
    // Only OpenMetrics calls the family of a counter by its name without `_total`: that is what was negotiated.
    let (_, metadata) = get(&format!("{url}/api/v1/metadata?metric=dora_deployments")).await.unwrap();
    assert!(metadata.contains("\"type\":\"counter\""), "{metadata}");
    let kept = query(prometheus, "scrape_samples_post_metric_relabeling").await;
    assert_eq!(kept, query(prometheus, "sextant_series").await, "every series that is exposed is kept");
    let (_, own) = get(&format!("{url}/metrics")).await.unwrap();
    for trouble in ["duplicate_timestamp", "out_of_bounds", "out_of_order"] {
        let dropped = format!("prometheus_target_scrapes_sample_{trouble}_total");
        assert_eq!(value(&own, &dropped), Some(0.0), "{dropped}");
    }
}
