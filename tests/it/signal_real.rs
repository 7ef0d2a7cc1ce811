//! The same questions put to a real Prometheus.

use std::process::Command;
use std::sync::Arc;

use sextant::clock::Clock as _;
use sextant::clock::SystemClock;
use sextant::http::Governors;
use sextant::model::signal::SignalPoint;
use sextant::model::time::{Span, Timestamp};
use sextant::source::promql::Promql;
use sextant::source::promql::config::{Config, SignIn};
use sextant::telemetry::SourceTelemetry;

use crate::process::{Process, free_port, get, until};

#[tokio::test]
async fn a_real_prometheus_is_understood() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let file = directory.path().join("prometheus.yml");
    std::fs::write(&file, "global: {scrape_interval: 1s}\n").unwrap();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", directory.path().join("tsdb").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--web.external-url=http://prometheus.example/behind/")
        .arg("--log.level=warn");
    let _process = Process::start(&mut command, directory.path(), "prometheus");
    let url = format!("http://{address}/behind");
    until("Prometheus is ready", async || {
        get(&format!("{url}/-/ready")).await.is_some_and(|(status, _)| status == 200)
    })
    .await;
    let config = Config { url, sign_in: SignIn::Nobody, ca_pem: None, poll_interval: Span::from_minutes(1) };
    let governors = Governors::default();
    let promql = Promql::new(&config, &governors, Arc::new(SystemClock), SourceTelemetry::default()).unwrap();
    let now: Timestamp = SystemClock.now().into();
    for (query, expected) in [
        ("vector(0.035)", Ok(Some(0.035))),
        ("1e3 / 2", Ok(Some(500.0))),
        ("-vector(2)", Ok(Some(-2.0))),
        ("acme_unknown", Ok(None)),
        ("vector(1) > 2", Ok(None)),
        ("label_replace(vector(1), \"a\", \"b\", \"\", \"\") or vector(1)", Err("2 series")),
        ("vector(0) / 0", Err("NaN")),
        ("1 / 0", Err("inf")),
        ("\"a text\"", Err("a text")),
        ("up[5m]", Err("a range")),
        ("sum(", Err("parse error")),
        ("", Err("no expression found")),
    ] {
        match (promql.value(query, now).await, expected) {
            (Ok(found), Ok(expected)) => {
                let expected = expected.and_then(|value| SignalPoint::new(now, value));
                assert_eq!(found.point, expected, "{query}");
            }
            (Err(trouble), Err(expected)) => {
                assert!(trouble.to_string().contains(expected), "{query}: {trouble}");
            }
            (found, _) => panic!("{query}: {found:?}"),
        }
    }
    let past = promql.history("vector(2)", now).await.unwrap();
    assert_eq!(past.len(), 361);
    assert_eq!(past.first().map(|point| now.since(point.at())), Some(Span::from_days(90)));
    let seconds = promql.history("time() - 7", now).await.unwrap();
    assert!(seconds.iter().all(|point| (point.value() + 7.0 - point.at().seconds()).abs() < 1e-3));
    assert!(promql.history("sum(", now).await.unwrap_err().to_string().contains("parse error"));
}
