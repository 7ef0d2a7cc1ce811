//! An alert on its whole way. A team of the example became worse; the daemon, a process with the real time, sees it;
//! Prometheus reads it by the rules that `sextant rules` writes; Alertmanager routes by team, as that command writes,
//! too; and those who are told find, at the addresses in the message, pages of the daemon. On the way back, the daemon
//! reads the organisation's north star from that Prometheus.
//!
//! What is changed of the files that are written is what must not be waited for: how long an alert lasts before it is
//! told (`for`, `group_wait`), and the office hours.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers fail by panicking")]

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract;
use axum::extract::Request;
use regex::Regex;
use serde_json::Value;
use sextant::demo::generate::generate;
use sextant::engine::regression::machine::State;
use sextant::model::measure::Measure;
use sextant::model::time::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::daemon::Stage;
use crate::process::{Process, free_port, get, until, value};
use crate::rig::Rig;
use crate::story_numbers::example_toml;

/// The team that the example tells to have become worse, and in what.
const TEAM: &str = "checkout";
const MEASURE: &str = "change_fail_ratio";
/// The business metric that is the north star, and its values.
const CONVERSION: &str = "acme_checkout_conversion_ratio";
const CONVERSIONS: [f64; 2] = [0.036, 0.0375];
/// Larger than any message.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What else the organisation runs: a shop with a metric, and where messages arrive.
struct Organization {
    address: String,
    heard: Arc<Heard>,
    _serving: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Heard {
    conversion: Mutex<f64>,
    /// Each message with the path that it was sent to.
    messages: Mutex<Vec<(String, Value)>>,
}

impl Organization {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Heard { conversion: Mutex::new(CONVERSIONS[0]), ..Heard::default() });
        let router = Router::new().fallback(hear).with_state(Arc::clone(&heard));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, heard, _serving: serving }
    }

    /// The messages that were sent here.
    fn messages(&self, path: &str) -> Vec<Value> {
        let messages = self.heard.messages.lock().unwrap();
        messages.iter().filter(|(sent_to, _)| sent_to == path).map(|(_, body)| body.clone()).collect()
    }
}

async fn hear(extract::State(heard): extract::State<Arc<Heard>>, request: Request) -> String {
    let path = request.uri().path().to_owned();
    if path == "/metrics" {
        return format!("# TYPE {CONVERSION} gauge\n{CONVERSION} {}\n", heard.conversion.lock().unwrap());
    }
    let body = axum::body::to_bytes(request.into_body(), MESSAGE_BYTES_MAX).await.unwrap();
    heard.messages.lock().unwrap().push((path, serde_json::from_slice(&body).unwrap()));
    "ok".to_owned()
}

/// What the configuration of the example has not: a channel for every team, and a north star that is read.
fn configured(toml: &str, prometheus: &str) -> String {
    let team = Regex::new("\\[\\[teams\\]\\]\nname = \"([a-z]+)\"\n").unwrap();
    assert!(team.is_match(toml));
    let toml = team.replace_all(toml, "${0}slack = \"#${1}-alerts\"\n");
    format!(
        "{toml}\n[prometheus]\nurl = \"http://{prometheus}\"\npoll_interval = \"1s\"\n[[north_star]]\nname = \
         \"checkout-conversion\"\npromql = \"max({CONVERSION})\"\nformat = \"percent\"\nstart = 0.031\ntarget = \
         0.04\nby = \"2099-12-31\"\n"
    )
}

/// The text with this put for that, which must be in it.
fn changed(text: &str, from: &str, to: &str) -> String {
    let from = Regex::new(from).unwrap();
    assert!(from.is_match(text), "no {from} in\n{text}");
    from.replace_all(text, to).into_owned()
}

/// Rules and routes as `sextant rules` writes them, and then in a hurry.
fn written(stage: &Stage, directory: &Path, organization: &Organization) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
    let command = command.args(["rules", "--config", &stage.config(), "--out"]).arg(directory);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let alerts = std::fs::read_to_string(directory.join("alerts.yml")).unwrap();
    std::fs::write(directory.join("alerts.yml"), changed(&alerts, r"for: \w+", "for: 2s")).unwrap();

    let mut routes = std::fs::read_to_string(directory.join("alertmanager.example.yml")).unwrap();
    let webhook = Regex::new(r#"/etc/alertmanager/slack/(\w+)""#).unwrap();
    for team in webhook.captures_iter(&routes).map(|found| found[1].to_owned()) {
        let url = format!("http://{}/slack/{team}", organization.address);
        std::fs::write(directory.join(format!("slack-{team}")), url).unwrap();
    }
    for (from, to) in [
        ("/etc/alertmanager/slack/", &*format!("{}/slack-", directory.display())),
        (r"group_wait: \w+", "group_wait: 1s"),
        (r"group_interval: \w+", "group_interval: 1s"),
        (r#"\["monday:friday"\]"#, r#"["sunday:saturday"]"#),
        (r#"start_time: "09:00", end_time: "17:00""#, r#"start_time: "00:00", end_time: "24:00""#),
        // Every receiver tells us as well, in the words of Alertmanager.
        (
            r#"  - name: "?(platform|team-\w+)"?\n"#,
            &format!(
                "${{0}}    webhook_configs: [{{ url: 'http://{}/told/${{1}}' }}]\n",
                organization.address
            ),
        ),
    ] {
        routes = changed(&routes, from, to);
    }
    std::fs::write(directory.join("alertmanager.yml"), routes).unwrap();
}

fn alertmanager(directory: &Path) -> (Process, String) {
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new("prometheus-alertmanager");
    command
        .arg(format!("--config.file={}", directory.join("alertmanager.yml").display()))
        .arg(format!("--storage.path={}", directory.join("alertmanager").display()))
        .arg(format!("--web.listen-address={address}"))
        // It has no peers.
        .arg("--cluster.listen-address=");
    (Process::start(&mut command, directory, "alertmanager"), address)
}

fn prometheus(directory: &Path, address: &str, alertmanager: &str, targets: [&str; 2]) -> Process {
    let config = format!(
        "global: {{ scrape_interval: 2s, evaluation_interval: 1s }}\nrule_files: [recording.yml, \
         alerts.yml]\nalerting:\n  alertmanagers:\n    - static_configs: [{{ targets: ['{alertmanager}'] \
         }}]\nscrape_configs:\n  - job_name: sextant\n    static_configs: [{{ targets: ['{}'] }}]\n  - job_name: \
         shop\n    static_configs: [{{ targets: ['{}'] }}]\n",
        targets[0], targets[1]
    );
    let file = directory.join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", directory.join("tsdb").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--log.level=warn");
    Process::start(&mut command, directory, "prometheus")
}

#[tokio::test]
async fn a_team_that_became_worse_is_told_with_links_to_what_was_seen_and_to_what_to_do() {
    let organization = Organization::open().await;
    let stage = Stage::new().await;
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    let own_address = format!("127.0.0.1:{}", free_port());
    stage.edit(|toml| configured(&toml, &own_address));
    let daemon = stage.run("sextant");
    written(&stage, directory, &organization);
    stage.read().await;
    let regressed = format!("dora_team_state{{team=\"{TEAM}\",measure=\"{MEASURE}\",state=\"regressed\"}}");
    until("the daemon sees that the team became worse", async || {
        value(&stage.metrics().await.unwrap_or_default(), &regressed) == Some(1.0)
    })
    .await;

    let (told, alertmanager) = alertmanager(directory);
    until("Alertmanager is up", async || {
        matches!(get(&format!("http://{alertmanager}/-/ready")).await, Some((200, _)))
    })
    .await;
    let listen = stage.url.trim_start_matches("http://");
    let asked = prometheus(directory, &own_address, &alertmanager, [listen, &organization.address]);
    let path = format!("/told/team-{TEAM}");
    let is_it = |alert: &Value| {
        let labels = &alert["labels"];
        labels["alertname"] == "DoraRegressed" && labels["measure"] == MEASURE
    };
    let (mut found, mut message) = (None, None);
    until("the team is told", async || {
        let messages = organization.messages(&path);
        let alerts = messages.iter().flat_map(|message| message["alerts"].as_array().unwrap());
        found = alerts.clone().find(|alert| is_it(alert)).cloned();
        message = in_slack(&organization);
        found.is_some() && message.is_some()
    })
    .await;
    let alert = found.unwrap();
    assert_eq!(alert["status"], "firing");
    for (label, expected) in [("team", TEAM), ("severity", "ticket"), ("audience", "team")] {
        assert_eq!(alert["labels"][label], expected, "{alert}");
    }
    let annotation = |name: &str| alert["annotations"][name].as_str().unwrap().to_owned();
    assert!(annotation("summary").contains("worse than its own history"), "{alert}");
    assert!(annotation("description").starts_with(&format!("{MEASURE} of {TEAM} is worse")), "{alert}");
    let [evidence, runbook] = ["dashboard_url", "runbook_url"].map(annotation);
    leads_to_pages(&stage, &evidence, &runbook).await;
    is_readable(&message.unwrap(), &evidence, &runbook);
    each_team_is_told_of_itself_alone(&organization);
    the_north_star_is_read(&organization, &stage, &own_address).await;
    for (process, trouble) in [(&daemon, "panic"), (&asked, "level=error"), (&told, "level=error")] {
        assert!(!process.output().contains(trouble), "{}", process.output());
    }
}

#[tokio::test]
async fn the_example_has_one_team_that_became_worse_whenever_it_begins() {
    for (seed, now) in [(1, "2026-03-02T00:30:00Z"), (2, "2027-01-01T12:00:00Z")] {
        let world = generate(seed, Timestamp::parse(now).unwrap());
        let toml = example_toml(&world);
        let mut rig = Rig::new(world, &toml).await;
        let standings = &rig.look().await.standings;
        let regressed = standings.iter().filter(|(_, standing)| standing.state == State::Regressed);
        let regressed: Vec<_> = regressed.map(|((team, measure), _)| (team.as_str(), *measure)).collect();
        assert!(regressed.contains(&(TEAM, Measure::ChangeFailRatio)), "{now}: {regressed:?}");
        assert!(regressed.iter().all(|(team, _)| *team == TEAM), "{now}: {regressed:?}");
    }
}

/// What is behind the addresses in the message.
async fn leads_to_pages(stage: &Stage, evidence: &str, runbook: &str) {
    assert_eq!(evidence, format!("{}/teams/{TEAM}/{MEASURE}", stage.url));
    assert_eq!(runbook, format!("{}/runbooks/DoraRegressed", stage.url));
    let (status, page) = get(evidence).await.unwrap();
    assert_eq!(status, 200, "{page}");
    for words in ["Change fail rate", TEAM, "regressed", "beyond doubt"] {
        assert!(page.contains(words), "the evidence lacks {words}:\n{page}");
    }
    let (status, page) = get(runbook).await.unwrap();
    assert_eq!(status, 200, "{page}");
    assert!(page.starts_with("DoraRegressed\n"), "{page}");
}

/// Whatever else became worse by chance: it was routed as it should.
fn each_team_is_told_of_itself_alone(organization: &Organization) {
    let messages = organization.heard.messages.lock().unwrap();
    for (path, message) in messages.iter().filter(|(path, _)| path.starts_with("/told/")) {
        let receiver = path.trim_start_matches("/told/");
        assert_eq!(message["receiver"], receiver);
        for alert in message["alerts"].as_array().unwrap() {
            let labels = &alert["labels"];
            // What nobody owns has nobody's channel.
            let expected = if labels["audience"] == "team" && labels["team"] != "unowned" {
                format!("team-{}", labels["team"].as_str().unwrap())
            } else {
                "platform".to_owned()
            };
            assert_eq!(receiver, expected, "{alert}");
        }
    }
}

/// The message that the routes that are shipped make of it for the channel of the team.
fn in_slack(organization: &Organization) -> Option<Value> {
    let is_it = |message: &Value| {
        let text = message["attachments"][0]["text"].as_str().unwrap();
        text.contains(&format!("{MEASURE} of {TEAM} is worse"))
    };
    organization.messages(&format!("/slack/{TEAM}")).into_iter().find(is_it)
}

fn is_readable(message: &Value, evidence: &str, runbook: &str) {
    let attachment = &message["attachments"][0];
    assert!(attachment["title"].as_str().unwrap().contains("worse than its own history"), "{message}");
    let text = attachment["text"].as_str().unwrap();
    assert!(text.contains(&format!("\n{evidence} · {runbook}\n")), "{message}");
}

/// A metric of the shop, scraped by Prometheus, read by the daemon, scraped by Prometheus; and so is what it becomes.
async fn the_north_star_is_read(organization: &Organization, stage: &Stage, prometheus: &str) {
    for conversion in CONVERSIONS {
        *organization.heard.conversion.lock().unwrap() = conversion;
        until("the daemon reads the north star", async || {
            let metrics = stage.metrics().await.unwrap_or_default();
            value(&metrics, "dora_north_star_value{name=\"checkout-conversion\"}") == Some(conversion)
        })
        .await;
        until("Prometheus has it back", async || {
            let url = format!("http://{prometheus}/api/v1/query?query=dora_north_star_value");
            let (_, answer) = get(&url).await.unwrap_or_default();
            answer.contains(&format!("\"{conversion}\""))
        })
        .await;
    }
    let metrics = stage.metrics().await.unwrap();
    assert_eq!(value(&metrics, "sextant_source_up{source=\"prometheus\""), Some(1.0));
    let (_, page) = get(&format!("{}/", stage.url)).await.unwrap();
    assert!(page.contains("3.75"), "the page lacks the north star:\n{page}");
}
