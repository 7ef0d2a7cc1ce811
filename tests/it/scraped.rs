//! The stage of tests with a real Prometheus: it scrapes the running daemon, which has read the whole example.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sextant::config::Config;
use sextant::daemon::Daemon;
use sextant::demo::generate::generate;
use sextant::demo::serve::{Options, serve};
use sextant::demo::world::SharedWorld;
use sextant::engine::snapshot::{Completeness, Snapshot};
use sextant::model::time::{Span, Timestamp};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::process::{Process, free_port, until};
use crate::rig::WorldClock;
use crate::story_numbers::{NOW, example_toml};

/// Longer than any query of the tests takes on a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// What the example has not: a limit for every team; a north star, which is read from the Prometheus that scrapes; and
/// signals of the organisation and of a team, which are pushed.
const MORE: &str = r#"
[[guardrails]]
name = "change-fail"
measure = "change_fail_ratio"
max = 0.15
window = "30d"

[server.push]
token_file = "{directory}/push-token"

[prometheus]
url = "{prometheus}"
poll_interval = "1s"

[[north_star]]
name = "checkout-conversion"
promql = "vector(0.031) + 0.005"
format = "percent"
start = 0.031
target = 0.04
by = "2099-12-31"

[[signals]]
name = "refunds"
start = 14
target = 8
by = "2099-12-31"

[[signals]]
name = "support-requests"
team = "checkout"
start = 30
target = 10
by = "2099-12-31"
"#;
const PUSH_TOKEN: &str = "a-token-that-only-tests-push-with";
/// What is pushed: the signal and what is told of it.
const PUSHED: [(&str, &str); 2] =
    [("refunds", r#"{"value": 12.5}"#), ("support-requests", r#"{"value": 15, "team": "checkout"}"#)];

/// A daemon that has read everything, and a Prometheus that has scraped it.
pub(crate) struct Scraped {
    daemon: Daemon,
    /// What the daemon shows.
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) process: Process,
    pub(crate) prometheus: Prometheus,
    _directory: TempDir,
    _stop: DropGuard,
}

impl Scraped {
    pub(crate) async fn new() -> Self {
        let world = generate(5, Timestamp::parse(NOW).unwrap());
        let toml = example_toml(&world);
        let shared = SharedWorld::new(world);
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let guard = stop.clone().drop_guard();
        let options = Options::default();
        let servers = serve(shared.clone(), options.clone(), &tracker, stop).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let own = [("github", &*options.github_token), ("pagerduty", &options.pagerduty_token)];
        for (name, token) in own.into_iter().chain([("push", PUSH_TOKEN)]) {
            std::fs::write(directory.path().join(format!("{name}-token")), token).unwrap();
        }
        let path = directory.path().to_str().unwrap();
        // Each of the two must know where the other will be.
        let listen = format!("127.0.0.1:{}", free_port());
        let (process, prometheus) = scrape(&listen, &directory);
        until("Prometheus is up", async || prometheus.ask("query", &[("query", "1")]).await != Value::Null)
            .await;
        let toml = (toml + MORE)
            .replace("{github}", &servers.github.url)
            .replace("{pagerduty}", &servers.pagerduty.url)
            .replace("{prometheus}", &prometheus.url)
            .replace("{directory}", path)
            .replace("127.0.0.1:0", &listen)
            .replace("sqlite:unused.db", &format!("sqlite:{path}/sextant.db"));
        let config =
            Config::parse(&toml, "sextant.toml", &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
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
        push(&format!("http://{listen}")).await;
        for (what, query) in [
            ("the whole history", "min(dora_organization_window_complete)"),
            ("the north star", "count(dora_north_star_value)"),
            ("what was pushed", "count(dora_organization_signal_value) * count(dora_team_signal_value)"),
        ] {
            until(&format!("Prometheus has scraped {what}"), async || {
                let found = prometheus.ask("query", &[("query", query)]).await;
                found["data"]["result"][0]["value"][1] == "1"
            })
            .await;
        }
        Self { daemon, snapshot, process, prometheus, _directory: directory, _stop: guard }
    }

    /// Ends the daemon in order.
    pub(crate) async fn end(self) {
        self.daemon.stop().await.unwrap();
    }
}

async fn push(url: &str) {
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWERED_WITHIN).build().unwrap();
    for (name, body) in PUSHED {
        let request = client.put(format!("{url}/api/v1/signals/{name}")).bearer_auth(PUSH_TOKEN).body(body);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200, "{name}");
    }
}

fn scrape(target: &str, directory: &TempDir) -> (Process, Prometheus) {
    let address = format!("127.0.0.1:{}", free_port());
    let file = directory.path().join("prometheus.yml");
    let scrape = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: sextant\n    static_configs:\n      \
         - targets: [\"{target}\"]\n"
    );
    std::fs::write(&file, scrape).unwrap();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}/tsdb", directory.path().display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--log.level=warn");
    let process = Process::start(&mut command, directory.path(), "prometheus");
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWERED_WITHIN).build().unwrap();
    (process, Prometheus { url: format!("http://{address}"), client })
}

/// The API of Prometheus.
pub(crate) struct Prometheus {
    pub(crate) url: String,
    client: reqwest::Client,
}

impl Prometheus {
    /// What it answers; `null` if it does not.
    pub(crate) async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let mut url = reqwest::Url::parse(&format!("{}/api/v1/{path}", self.url)).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        let Ok(answer) = self.client.get(url).send().await else {
            return Value::Null;
        };
        serde_json::from_str(&answer.text().await.unwrap_or_default()).unwrap_or_default()
    }
}
