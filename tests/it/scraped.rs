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

/// A limit for every team: the example has none.
const GUARDRAIL: &str = "
[[guardrails]]
name = \"change-fail\"
measure = \"change_fail_ratio\"
max = 0.15
window = \"30d\"
";

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
        for (name, token) in [("github", &options.github_token), ("pagerduty", &options.pagerduty_token)] {
            std::fs::write(directory.path().join(format!("{name}-token")), token).unwrap();
        }
        let path = directory.path().to_str().unwrap();
        let toml = toml
            .replace("{github}", &servers.github.url)
            .replace("{pagerduty}", &servers.pagerduty.url)
            .replace("{directory}", path)
            .replace("sqlite:unused.db", &format!("sqlite:{path}/sextant.db"))
            + GUARDRAIL;
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
        let (process, prometheus) = scrape(&daemon, &directory);
        until("Prometheus has scraped the whole history", async || {
            let complete = prometheus.ask("query", &[("query", "min(dora_organization_window_complete)")]);
            complete.await["data"]["result"][0]["value"][1] == "1"
        })
        .await;
        Self { daemon, snapshot, process, prometheus, _directory: directory, _stop: guard }
    }

    /// Ends the daemon in order.
    pub(crate) async fn end(self) {
        self.daemon.stop().await.unwrap();
    }
}

fn scrape(daemon: &Daemon, directory: &TempDir) -> (Process, Prometheus) {
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
