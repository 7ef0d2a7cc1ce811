//! The daemon as its users have it: a process with signals, exit codes and pages.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use sextant::clock::{Clock as _, SystemClock};
use sextant::config::Config;
use sextant::daemon::Daemon;
use sextant::demo::config::{Paths, config_toml};
use sextant::demo::generate::generate;
use sextant::demo::serve::{Options, Servers, serve};
use sextant::demo::world::SharedWorld;
use sextant::demo::world::deployment::State;
use sextant::model::time::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::process::{Process, free_port, get, until, value};

/// The simulated organisation, as of now, and a directory with a configuration that reads it.
pub(crate) struct Stage {
    pub(crate) world: SharedWorld,
    pub(crate) servers: Servers,
    pub(crate) directory: TempDir,
    pub(crate) url: String,
    _stop: DropGuard,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let world = generate(5, Timestamp::from(SystemClock.now()));
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let options = Options::default();
        let shared = SharedWorld::new(world.clone());
        let servers = serve(shared.clone(), options.clone(), &tracker, stop.clone()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let token = |name: &str, token: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, token).unwrap();
            path
        };
        let listen = format!("127.0.0.1:{}", free_port());
        let paths = Paths {
            github_url: &servers.github.url,
            pagerduty_url: &servers.pagerduty.url,
            github_token_file: &token("github-token", &options.github_token),
            pagerduty_token_file: &token("pagerduty-token", &options.pagerduty_token),
            listen: &listen,
            store_url: &format!("sqlite:{}", directory.path().join("data/sextant.db").display()),
            poll_interval: "1s",
        };
        let toml = config_toml(&world, &paths);
        std::fs::write(directory.path().join("sextant.toml"), toml).unwrap();
        Self { world: shared, servers, directory, url: format!("http://{listen}"), _stop: stop.drop_guard() }
    }

    pub(crate) fn config(&self) -> String {
        self.directory.path().join("sextant.toml").display().to_string()
    }

    pub(crate) fn edit(&self, edit: impl FnOnce(String) -> String) {
        let toml = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), edit(toml)).unwrap();
    }

    pub(crate) fn run(&self, name: &str) -> Process {
        Process::sextant(&["run", "--config", &self.config()], self.directory.path(), name)
    }

    pub(crate) async fn metrics(&self) -> Option<String> {
        let (status, text) = get(&format!("{}/metrics", self.url)).await?;
        (status == 200).then_some(text)
    }

    /// Waits until everything has been read, and answers `/metrics` then.
    pub(crate) async fn read(&self) -> String {
        let mut metrics = String::new();
        until("the history is read", async || {
            metrics = self.metrics().await.unwrap_or_default();
            ["demo-github", "demo-pagerduty"].iter().all(|source| {
                let complete = format!("sextant_source_backfill_complete{{source=\"{source}\"}}");
                value(&metrics, &complete) == Some(1.0)
            })
        })
        .await;
        metrics
    }

    /// Waits until everything has been read and is in the numbers. A snapshot may have been begun before the last
    /// facts came; the next one, of after another poll, was not.
    async fn settled(&self) -> String {
        let mut metrics = self.read().await;
        for _ in 0..2 {
            let before = value(&metrics, SNAPSHOT_AT).unwrap();
            until("a later snapshot, of after a later poll", async || {
                metrics = self.metrics().await.unwrap_or_default();
                let polled = ["github", "pagerduty"].map(|kind| {
                    let labels = format!("{{source=\"demo-{kind}\",kind=\"{kind}\"}}");
                    let name = "sextant_source_last_success_timestamp_seconds";
                    value(&metrics, &format!("{name}{labels}")).unwrap_or_default()
                });
                let polled = polled[0].min(polled[1]);
                polled > before && value(&metrics, SNAPSHOT_AT) > Some(polled)
            })
            .await;
        }
        metrics
    }
}

const SNAPSHOT_AT: &str = "sextant_snapshot_timestamp_seconds";

#[tokio::test]
async fn the_example_runs_moves_and_ends_when_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let scratch = directory.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
    command.args(["demo", "--listen", &listen]).env("TMPDIR", &scratch);
    let mut demo = Process::start(&mut command, directory.path(), "demo");
    let url = format!("http://{listen}/metrics");
    let mut metrics = String::new();
    until("six teams have numbers", async || {
        metrics = get(&url).await.map(|(_, text)| text).unwrap_or_default();
        let teams = ["checkout", "data", "mobile", "payments", "platform", "search"];
        teams.iter().all(|team| {
            let has = |metric: &str, rest: &str| {
                let begins = format!("dora_team_{metric}{{team=\"{team}\",window=\"90d\"{rest}}}");
                value(&metrics, &begins).is_some_and(|value| value > 0.0)
            };
            has("deployments_per_day", "")
                && has("lead_time_seconds", ",stat=\"p50\"")
                && has("change_fail_ratio", "")
                && has("recovery_time_seconds", ",stat=\"p50\"")
                && has("rework_ratio", "")
        })
    })
    .await;
    let wish = |metrics: &str| value(metrics, "dora_north_star_value{name=\"checkout-conversion\"}");
    let mut first = None;
    until("the north star moves", async || {
        metrics = get(&url).await.map(|(_, text)| text).unwrap_or_default();
        let (before, now) = (first, wish(&metrics));
        first = before.or(now);
        before.is_some() && now.is_some() && now != before
    })
    .await;
    let (_, page) = get(&format!("http://{listen}/")).await.unwrap();
    for words in ["Visitors who complete checkout", "Support requests per 1,000 orders", "<polyline"] {
        assert!(page.contains(words), "{words}");
    }
    let seconds = |metrics: &str| value(metrics, "sextant_snapshot_timestamp_seconds").unwrap();
    let merged = |metrics: &str| value(metrics, "sextant_facts{fact=\"change\"}").unwrap();
    let before = (seconds(&metrics), merged(&metrics));
    until("something happens", async || {
        let now = get(&url).await.map(|(_, text)| text).unwrap_or_default();
        value(&now, "sextant_facts{").is_some() && seconds(&now) > before.0 && merged(&now) > before.1
    })
    .await;
    assert!(demo.output().contains(&format!("http://{listen}/metrics")), "it says where to look");
    demo.signal("TERM");
    assert!(demo.ended().await.success(), "{}", demo.output());
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "it leaves nothing behind");
}

#[tokio::test]
async fn a_backtest_reads_the_store_of_a_running_daemon() {
    let stage = Stage::new().await;
    let daemon = stage.run("run");
    stage.read().await;
    let asked = ["backtest", "--config", &stage.config(), "--permutations", "2", "--format", "json"];
    let mut backtest = Process::sextant(&asked, stage.directory.path(), "backtest");
    let status = backtest.ended().await;
    let output = backtest.output();
    assert!(status.success(), "{output}");
    // A team for each of the six of the example, a line of progress for each, and none for what nobody owns.
    assert_eq!(output.matches("\"measure\": \"lead_time\"").count(), 6, "{output}");
    assert!(output.contains("\"name\": \"payments\"") && output.contains("6 of 6: "), "{output}");
    assert!(!output.contains("unowned"), "{output}");
    assert_eq!(get(&format!("{}/-/ready", stage.url)).await.unwrap().0, 200, "{}", daemon.output());
}

#[tokio::test]
async fn a_bad_reload_keeps_what_runs_and_a_good_one_changes_it() {
    let stage = Stage::new().await;
    let mut daemon = stage.run("run");
    let metrics = stage.read().await;
    assert_eq!(get(&format!("{}/-/ready", stage.url)).await.unwrap().0, 200);
    assert_eq!(value(&metrics, "sextant_config_last_reload_successful"), Some(1.0));
    assert!(metrics.contains("team=\"payments\""));

    stage.edit(|toml| toml.replace("[[teams]]\nname = \"payments\"", "[[teams]]\nnam = \"payments\""));
    daemon.signal("HUP");
    until("the bad file is refused", async || {
        let metrics = stage.metrics().await.unwrap_or_default();
        value(&metrics, "sextant_config_last_reload_successful") == Some(0.0)
    })
    .await;
    assert!(daemon.output().contains("did you mean `name`?"), "it says what is wrong");
    assert!(stage.metrics().await.unwrap().contains("dora_team_deployments{team=\"payments\""));

    stage.edit(|toml| toml.replace("[[teams]]\nnam = \"payments\"", "[[teams]]\nname = \"money\""));
    daemon.signal("HUP");
    until("the good file is in force", async || {
        let metrics = stage.metrics().await.unwrap_or_default();
        value(&metrics, "sextant_config_last_reload_successful") == Some(1.0)
            && metrics.contains("dora_team_deployments{team=\"money\"")
    })
    .await;
    let metrics = stage.metrics().await.unwrap();
    assert!(!metrics.contains("team=\"payments\""), "a team that left has no series");
    daemon.signal("TERM");
    assert!(daemon.ended().await.success());
}

/// What is served of the facts: all but what depends on the moment and on the process.
fn numbers(metrics: &str) -> BTreeSet<&str> {
    metrics.lines().filter(|line| line.starts_with("dora_") || line.starts_with("sextant_facts{")).collect()
}

#[tokio::test]
async fn killed_again_and_again_it_ends_with_the_same_numbers_and_counts_once() {
    let stage = Stage::new().await;
    // The one window begins before everything, so that nothing leaves it between two looks at the same world.
    stage.edit(|toml| {
        let toml = toml.replace("history = \"180d\"", "history = \"365d\"");
        toml.replace("windows = [\"7d\", \"30d\", \"90d\"]", "windows = [\"365d\"]")
    });
    for round in 1..=4 {
        let (github, enough) = (&stage.servers.github, round * 12);
        let mut daemon = stage.run("killed");
        until("it has read a part", async || github.tally.requests() >= enough).await;
        daemon.kill();
    }
    let mut daemon = stage.run("survivor");
    let survived = stage.settled().await;
    daemon.kill();
    stage.edit(|toml| toml.replace("data/sextant.db", "other/sextant.db"));
    let mut undisturbed = stage.run("undisturbed");
    let expected = stage.settled().await;
    assert_eq!(numbers(&survived), numbers(&expected));
    assert!(numbers(&survived).iter().any(|line| line.starts_with("dora_team_deployments{")));
    for counter in
        ["dora_deployments_total{", "dora_incidents_total{", "dora_change_lead_time_seconds_count{"]
    {
        let mut counted = survived.lines().filter(|line| line.starts_with(counter)).peekable();
        assert!(counted.peek().is_some(), "{counter}");
        assert!(counted.all(|line| line.ends_with(" 0")), "history is not counted");
    }

    // News are counted once, whoever is killed when.
    stage.world.tell(|world| {
        let flags = world.find("acme/feature-flags").unwrap();
        let (commit, now) = (world.head(flags).unwrap(), Timestamp::from(SystemClock.now()));
        world.advance(now);
        let deployment = world.deploy(flags, commit, "production", now);
        world.status(deployment, State::Success, now);
    });
    let counter = "dora_deployments_total{team=\"platform\",component=\"feature-flags\",outcome=\"success\"}";
    for round in 0..2 {
        until("the news is counted", async || {
            value(&stage.metrics().await.unwrap_or_default(), counter) == Some(1.0)
        })
        .await;
        undisturbed.kill();
        undisturbed = stage.run("undisturbed");
        let metrics = stage.settled().await;
        assert_eq!(value(&metrics, counter), Some(1.0), "after kill number {round}");
    }
}

#[tokio::test]
async fn a_token_is_nowhere_to_be_seen_and_a_wrong_one_is_said_so() {
    let stage = Stage::new().await;
    let directory = stage.directory.path();
    std::fs::write(directory.join("github-token"), "a-token-that-was-revoked").unwrap();
    let everything = ["run", "--config", &stage.config(), "--log-level", "trace"];
    let daemon = Process::sextant(&everything, directory, "wrong");
    let up = "sextant_source_up{source=\"demo-github\",kind=\"github\"}";
    until("the source is down", async || value(&stage.metrics().await.unwrap_or_default(), up) == Some(0.0))
        .await;
    let metrics = stage.metrics().await.unwrap();
    let failures =
        "sextant_source_request_failures_total{source=\"demo-github\",kind=\"github\",reason=\"auth\"}";
    assert!(value(&metrics, failures) >= Some(1.0));
    assert_eq!(get(&format!("{}/-/ready", stage.url)).await.unwrap().0, 200, "what is known is served");
    let asked = "sextant_source_requests_total{source=\"demo-github\",kind=\"github\"}";
    assert_eq!(value(&metrics, asked), value(&metrics, failures), "one request a poll, and no second try");
    std::fs::write(directory.join("github-token"), Options::default().github_token).unwrap();
    until("the new token is found", async || {
        value(&stage.metrics().await.unwrap_or_default(), up) == Some(1.0)
    })
    .await;
    let (_, page) = get(&format!("{}/", stage.url)).await.unwrap();
    let metrics = stage.metrics().await.unwrap();
    for secret in
        ["a-token-that-was-revoked", &Options::default().github_token, &Options::default().pagerduty_token]
    {
        for (place, text) in [("logs", daemon.output()), ("page", page.clone()), ("metrics", metrics.clone())]
        {
            assert!(!text.contains(secret), "a token is in the {place}");
        }
    }
}

#[tokio::test]
async fn exit_codes_say_who_has_to_mend_it() {
    let stage = Stage::new().await;
    let directory = stage.directory.path();
    let write = |name: &str, from: &str, to: &str| {
        let toml = std::fs::read_to_string(stage.config()).unwrap();
        assert!(toml.contains(from), "{from}");
        let path = directory.join(name);
        std::fs::write(&path, toml.replacen(from, to, 1)).unwrap();
        path.display().to_string()
    };
    let good = stage.config();
    let bad = write("bad.toml", "poll_interval", "pol_interval");
    let twice =
        std::fs::read_to_string(&bad).unwrap().replacen("name = \"payments\"", "nam = \"payments\"", 1);
    std::fs::write(&bad, twice).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_at = &taken.local_addr().unwrap().to_string();
    let occupied = format!("listen = \"{taken_at}\"");
    let listen = format!("listen = \"{}\"", stage.url.trim_start_matches("http://"));
    let port = write("port.toml", &listen, &occupied);
    let store = write("store.toml", "/data/sextant.db", "");
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let github = &stage.servers.github.url;
    let rows: [(&[&str], i32, &str); 16] = [
        (&["--help"], 0, "Usage: sextant"),
        (&["--version"], 0, "sextant 0."),
        (&["check", "--config", &good], 0, "6"),
        (&["check", "--config", &bad], 64, "did you mean `poll_interval`?"),
        (&["check", "--config", &bad], 64, "did you mean `name`?"),
        (&["run", "--config", &bad], 64, "pol_interval: unknown key"),
        (&["run", "--config", "/no/such/file.toml"], 64, "cannot be read"),
        (&["run", "--config", &port], 1, "cannot listen on"),
        (&["run", "--config", &store], 1, "director"),
        (&["frobnicate"], 64, "frobnicate"),
        (&["run"], 64, "--config"),
        (&["run", "--config", &good, "--log-level", "sextant=loud"], 64, "log level"),
        (&["demo", "--listen", taken_at], 1, "cannot listen on"),
        (&["backtest", "--config", &good], 1, "nothing is collected yet"),
        (&["health", "--url", &nobody], 1, "no answer"),
        (&["health", "--url", github], 1, "not ready"),
    ];
    for (index, (arguments, code, says)) in rows.into_iter().enumerate() {
        let mut process = Process::sextant(arguments, directory, &format!("exit-{index}"));
        let status = process.ended().await;
        let output = process.output();
        assert_eq!(status.code(), Some(code), "{arguments:?}: {output}");
        assert!(output.contains(says), "{arguments:?} does not say {says:?}: {output}");
    }
}

#[tokio::test]
async fn health_asks_whether_it_is_ready() {
    let stage = Stage::new().await;
    let _daemon = stage.run("run");
    stage.read().await;
    let mut health = Process::sextant(&["health", "--url", &stage.url], stage.directory.path(), "health");
    assert!(health.ended().await.success());
    assert!(Path::new(&stage.config()).exists());
}

#[tokio::test]
async fn whether_a_reload_worked_is_shown_without_waiting_for_another_snapshot() {
    let stage = Stage::new().await;
    std::fs::write(stage.directory.path().join("github-token"), "a-token-that-was-revoked").unwrap();
    // One poll each, and nothing for an hour after that.
    stage.edit(|toml| toml.replace("poll_interval = \"1s\"", "poll_interval = \"1h\""));
    let path = stage.directory.path().join("sextant.toml");
    let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
    let mut daemon = Daemon::start(config, Arc::new(SystemClock)).await.unwrap();
    let up = |kind: &str| format!("sextant_source_up{{source=\"demo-{kind}\",kind=\"{kind}\"}}");
    until("both polls are over", async || {
        let metrics = stage.metrics().await.unwrap_or_default();
        value(&metrics, &up("github")) == Some(0.0) && value(&metrics, &up("pagerduty")) == Some(1.0)
    })
    .await;
    let (mut snapshot, mut seen) = (None, 0);
    until("no snapshot comes any more", async || {
        let newest = value(&stage.metrics().await.unwrap(), SNAPSHOT_AT);
        seen = if newest == snapshot { seen + 1 } else { 0 };
        snapshot = newest;
        seen == 10
    })
    .await;
    std::fs::write(&path, "[organisation]\n").unwrap();
    daemon.reload_file(&path).await.unwrap_err();
    let mut metrics = String::new();
    until("the failure is shown", async || {
        metrics = stage.metrics().await.unwrap_or_default();
        value(&metrics, "sextant_config_last_reload_successful") == Some(0.0)
    })
    .await;
    assert_eq!(value(&metrics, SNAPSHOT_AT), snapshot, "with the snapshot that was there");
    assert_eq!(
        stage.servers.github.tally.requests(),
        1,
        "a token that is refused is not tried again at once"
    );
    daemon.stop().await.unwrap();
}
