//! History where people read it: a real Prometheus asks the running daemon for ninety days on the first day, promtool
//! makes blocks of an export, and both give back what the engine says of every instant.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use sextant::config::Config;
use sextant::daemon::{self, Daemon, ExportFormat};
use sextant::demo::generate::generate;
use sextant::demo::serve::{Options, serve};
use sextant::demo::world::SharedWorld;
use sextant::engine;
use sextant::engine::series::{Instants, Past};
use sextant::engine::snapshot::WindowValues;
use sextant::exposition::history;
use sextant::model::time::{Span, Timestamp};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::dashboards::{filled_in, list, panels, shipped, text};
use crate::process::{Process, free_port, get, until};
use crate::rig::WorldClock;
use crate::story_numbers::{NOW, example_toml};

const SEED: u64 = 5;

const GUARDRAILS: &str = r#"
[[guardrails]]
name = "lead-time"
measure = "lead_time"
stat = "p90"
max = "7d"
window = "90d"

[[guardrails]]
name = "change-fail"
measure = "change_fail_ratio"
max = 0.15
window = "30d"
"#;

fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

/// A daemon that has read the whole example organisation, at an instant at which time stands still.
pub(crate) struct Stand {
    config: Config,
    clock: Arc<WorldClock>,
    pub(crate) daemon: Daemon,
    past: Past,
    /// With the configuration, `sextant.toml`.
    pub(crate) directory: TempDir,
    _servers: DropGuard,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        let world = generate(SEED, now());
        let toml = example_toml(&world);
        let shared = SharedWorld::new(world);
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let options = Options::default();
        let servers = serve(shared.clone(), options.clone(), &tracker, stop.clone()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        for (name, token) in [("github", &options.github_token), ("pagerduty", &options.pagerduty_token)] {
            std::fs::write(directory.path().join(format!("{name}-token")), token).unwrap();
        }
        let path = directory.path().to_str().unwrap();
        let toml = format!("{toml}{GUARDRAILS}")
            .replace("poll_interval = \"60s\"", "poll_interval = \"10s\"")
            .replace("{github}", &servers.github.url)
            .replace("{pagerduty}", &servers.pagerduty.url)
            .replace("{directory}", path)
            .replace("sqlite:unused.db", &format!("sqlite:{path}/sextant.db"));
        std::fs::write(directory.path().join("sextant.toml"), &toml).unwrap();
        let config =
            Config::parse(&toml, "sextant.toml", &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
        let clock = Arc::new(WorldClock(shared));
        let daemon = Daemon::start(config.clone(), Arc::clone(&clock) as _).await.unwrap();
        let metrics = format!("http://{}/metrics", daemon.address());
        until("all of history has been read", async || {
            let (_, metrics) = get(&metrics).await.unwrap_or_default();
            let read = metrics.lines().filter(|line| line.starts_with("sextant_source_backfill_complete"));
            read.filter(|line| line.ends_with(" 1")).count() == 2
        })
        .await;
        // What the last poll stored is in the next snapshot but one at the latest.
        let mut computed = daemon.computed();
        for _ in 0..2 {
            computed.mark_unchanged();
            computed.changed().await.unwrap();
        }
        let past = computed.borrow().as_ref().unwrap().past.clone();
        Self { config, clock, daemon, past, directory, _servers: stop.drop_guard() }
    }

    /// A Prometheus with this configuration that has the history of `tsdb` in its directory, if any.
    fn prometheus(&self, config: &str, tsdb: &str) -> (Process, String) {
        let address = format!("127.0.0.1:{}", free_port());
        let file = self.directory.path().join(format!("{tsdb}.yml"));
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", self.directory.path().join(tsdb).display()))
            .arg("--storage.tsdb.retention.time=10y")
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn");
        (Process::start(&mut command, self.directory.path(), tsdb), format!("http://{address}"))
    }

    /// What the engine says of each team at these instants.
    pub(crate) fn expected(
        &self,
        instants: &Instants,
        of: fn(&WindowValues) -> Option<f64>,
    ) -> BTreeMap<String, Points> {
        let Past { linked, inventory, settings } = &self.past;
        let window = settings.windows.iter().position(|window| window.label == "30d").unwrap();
        let mut expected: BTreeMap<String, Points> = BTreeMap::new();
        for at in instants.iter() {
            let snapshot = engine::snapshot(linked, inventory, settings, at);
            for (team, values) in &snapshot.teams {
                if let Some(value) = of(&values.values.windows[window]) {
                    expected.entry(team.to_string()).or_default().push((at.millis() / 1_000, value));
                }
            }
        }
        expected
    }
}

/// Instants in seconds, with values.
pub(crate) type Points = Vec<(i64, f64)>;

pub(crate) fn lead_time(values: &WindowValues) -> Option<f64> {
    Some(values.delivery.as_ref()?.lead_time.p50?.seconds())
}

pub(crate) fn change_fail_ratio(values: &WindowValues) -> Option<f64> {
    values.delivery.as_ref()?.change_fail_ratio
}

fn lowest(values: &WindowValues) -> Option<f64> {
    Some(values.bounds.change_fail_ratio?.lower)
}

fn highest(values: &WindowValues) -> Option<f64> {
    Some(values.bounds.change_fail_ratio?.upper)
}

pub(crate) const LEAD_TIME: &str = "dora_team_lead_time_seconds{window=\"30d\",stat=\"p50\"}";
pub(crate) const CHANGE_FAIL_RATIO: &str = "dora_team_change_fail_ratio{window=\"30d\"}";

async fn answer(prometheus: &str, path: &str, parameters: &[(&str, &str)]) -> Value {
    let mut url = reqwest::Url::parse(&format!("{prometheus}/api/v1/{path}")).unwrap();
    url.query_pairs_mut().extend_pairs(parameters);
    let Some((_, text)) = get(url.as_str()).await else { return Value::Null };
    serde_json::from_str(&text).unwrap_or_default()
}

/// The series that Prometheus has for a query, by team.
async fn range(prometheus: &str, promql: &str, from: Timestamp, step: Span) -> BTreeMap<String, Points> {
    let (start, end) = (from.seconds().to_string(), now().seconds().to_string());
    let step = step.seconds().to_string();
    let parameters = [("query", promql), ("start", &start), ("end", &end), ("step", &step)];
    let answer = answer(prometheus, "query_range", &parameters).await;
    assert_eq!(answer["status"], "success", "{answer}");
    assert_eq!(answer["warnings"], Value::Null, "{answer}");
    let series = answer["data"]["result"].as_array().unwrap().iter().map(|series| {
        let points = series["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|point| (point[0].as_i64().unwrap(), point[1].as_str().unwrap().parse().unwrap()));
        (series["metric"]["team"].as_str().unwrap_or_default().to_owned(), points.collect())
    });
    series.collect()
}

async fn is_up(prometheus: &str) -> bool {
    matches!(get(&format!("{prometheus}/-/ready")).await, Some((200, _)))
}

#[tokio::test]
async fn prometheus_draws_ninety_days_on_the_first_day() {
    let stand = Stand::new().await;
    let config = format!(
        "remote_read:\n  - url: http://{}/api/v1/read\n    read_recent: true\n",
        stand.daemon.address()
    );
    let (process, prometheus) = stand.prometheus(&config, "reads");
    until("Prometheus is up", async || is_up(&prometheus).await).await;

    let (begin, hour, day) = (now().minus(Span::from_days(90)), Span::from_hours(1), Span::from_days(1));
    // Every hour of ninety days, of a bare selector: what five minutes of looking back would not find by the hour. The
    // snapshot is asked at some of them.
    let some = Instants::range(begin, now(), Span::from_hours(60));
    let mut whole = Vec::new();
    for (promql, of) in [(LEAD_TIME, lead_time as fn(&_) -> _), (CHANGE_FAIL_RATIO, change_fail_ratio)] {
        let mut found = range(&prometheus, promql, begin, hour).await;
        whole =
            found.iter().filter(|(_, points)| points.len() == 2_161).map(|(team, _)| team.clone()).collect();
        assert!(whole.len() >= 4, "{promql}: {whole:?}");
        for points in found.values_mut() {
            points.retain(|(at, _)| some.iter().any(|some| some.millis() == at * 1_000));
        }
        found.retain(|_, points| !points.is_empty());
        assert_eq!(found, stand.expected(&some, of), "{promql}");
    }
    // Steps that lie beside the hours, matchers of every kind, and a subquery, whose steps lie elsewhere again.
    let beside = begin.plus(Span::from_seconds(1_234));
    let expected = stand.expected(&Instants::range(beside, now(), day), lead_time);
    let matched = "dora_team_lead_time_seconds{window=~\"3.d\",stat!=\"p90\",team!~\"unown.*\",cluster=\"\"}";
    let found = range(&prometheus, matched, beside, day).await;
    assert_eq!(found, expected.into_iter().filter(|(team, _)| team != "unowned").collect());
    let subquery = format!("count_over_time({LEAD_TIME}[1d:1h])");
    let counts = range(&prometheus, &subquery, begin.plus(day), day).await;
    for team in &whole {
        // 24 or 25: some versions count both ends.
        assert!(counts[team].iter().all(|(_, count)| *count >= 24.0), "{team}: {counts:?}");
    }
    // Ranges, by the hour.
    let newest = range(&prometheus, &format!("last_over_time({LEAD_TIME}[2h])"), begin.plus(day), day).await;
    let expected = stand.expected(&Instants::range(begin.plus(day), now(), day), lead_time);
    assert_eq!(newest, expected);
    boards_have_what_was_before_they_were_there(&prometheus, begin).await;
    // What is not ours, or not asked for, is empty; what is too much says what would be less.
    for none in ["up", "dora_team_changes{team=\"nobody\"}", "dora_team_changes{cluster=\"eu\"}"] {
        assert_eq!(range(&prometheus, none, begin, day).await, BTreeMap::new(), "{none}");
    }
    let parameters = [
        ("query", "max_over_time(dora_team_changes[5m:15s])"),
        ("start", "0"),
        ("end", "1700000000"),
        ("step", "10000000"),
    ];
    let too_much = answer(&prometheus, "query_range", &parameters).await;
    let warning = too_much["warnings"][0].as_str().unwrap();
    assert!(warning.contains("413") && warning.contains("make its range shorter"), "{warning}");
    assert!(!process.output().contains("panic"), "{}", process.output());
    stand.daemon.stop().await.unwrap();
}

/// Of what a Prometheus that only scrapes has nothing on the first day, one that reads history has all: the values of one
/// window earlier, and the incidents that were open.
async fn boards_have_what_was_before_they_were_there(prometheus: &str, begin: Timestamp) {
    const RICH: &str = "dora_component_recovery_time_seconds{window=\"30d\",stat=\"p50\"} offset 30d";
    let time = now().seconds().to_string();
    let rich = answer(prometheus, "query", &[("query", RICH), ("time", &time)]).await;
    let rich = rich["data"]["result"][0]["metric"].clone();
    let mut asked = 0;
    for (file, board) in shipped() {
        let annotations = list(&board["annotations"]["list"]);
        for target in panels(&board).flat_map(|panel| list(&panel["targets"])).chain(annotations) {
            let promql = text(&target["expr"])
                .replace("$window", "30d")
                .replace("$team", text(&rich["team"]))
                .replace("$component", text(&rich["component"]));
            if promql.contains("offset 30d") || promql.contains("[2h]))) > 0") {
                asked += 1;
                let found = range(prometheus, &filled_in(&promql), begin, Span::from_hours(1)).await;
                assert!(!found.is_empty(), "{file}: {promql}");
            }
        }
    }
    assert!(asked > 18, "{asked}");
}

#[tokio::test]
async fn promtool_makes_blocks_of_an_export_while_the_daemon_runs() {
    let stand = Stand::new().await;
    let (begin, step) = (now().minus(Span::from_days(30)), Span::from_days(1));
    let instants = Instants::range(begin, now(), step);
    let mut texts = Vec::new();
    let file = stand.directory.path().join("history.om");
    for format in [ExportFormat::Csv, ExportFormat::OpenMetrics] {
        let out = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
        let clock = Arc::clone(&stand.clock);
        let exported = daemon::export(&stand.config, clock, instants.clone(), format, out).await.unwrap();
        texts.push((std::fs::read_to_string(&file).unwrap(), exported));
    }
    let (table, (openmetrics, exported)) = (&texts[0].0, &texts[1]);
    assert!(table.starts_with("metric,team,component,"), "{}", table.lines().next().unwrap());
    assert_eq!(table.lines().count(), exported.samples + 1);
    is_openmetrics(openmetrics, exported.samples);
    is_what_is_shown(openmetrics, &stand).await;

    let blocks = stand.directory.path().join("blocks");
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=720h"])
        .args([&file, &blocks])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (process, prometheus) = stand.prometheus("", "blocks");
    until("Prometheus is up", async || is_up(&prometheus).await).await;
    for (promql, of) in [(LEAD_TIME, lead_time as fn(&_) -> _), (CHANGE_FAIL_RATIO, change_fail_ratio)] {
        assert_eq!(range(&prometheus, promql, begin, step).await, stand.expected(&instants, of), "{promql}");
    }
    // Every value of the file is in the blocks: nothing was doubled, dropped or out of order.
    let mut written: BTreeMap<&str, usize> = BTreeMap::new();
    for line in openmetrics.lines().filter(|line| !line.starts_with('#')) {
        *written.entry(line.split(['{', ' ']).next().unwrap()).or_default() += 1;
    }
    let time = now().seconds().to_string();
    for (metric, values) in written {
        let promql = format!("sum(count_over_time({metric}[100d]))");
        let counted = answer(&prometheus, "query", &[("query", &promql), ("time", &time)]).await;
        let counted = &counted["data"]["result"][0]["value"][1];
        assert_eq!(counted, &Value::from(values.to_string()), "{metric}");
    }
    assert!(!process.output().contains("level=error"), "{}", process.output());
    stand.daemon.stop().await.unwrap();
}

/// The head of each family stands once, every value has its line, and the end is marked.
fn is_openmetrics(text: &str, samples: usize) {
    assert!(text.ends_with("\n# EOF\n"));
    let heads: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let distinct: BTreeSet<_> = heads.iter().collect();
    assert_eq!(heads.len(), distinct.len());
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), samples);
}

/// The newest value of each series is the one that is on `/metrics`: of all metrics that have a history, those of what
/// numbers lie in, of states and of guardrails among them.
async fn is_what_is_shown(openmetrics: &str, stand: &Stand) {
    let (_, metrics) = get(&format!("http://{}/metrics", stand.daemon.address())).await.unwrap();
    let of_levels = |line: &&str| {
        let name = line.split(['{', ' ']).next().unwrap();
        history::metrics().any(|metric| metric.name == name)
    };
    let shown: BTreeSet<&str> = metrics.lines().filter(of_levels).collect();
    let newest = format!(" {}", now().seconds());
    let exported: BTreeSet<&str> =
        openmetrics.lines().filter_map(|line| line.strip_suffix(&newest)).collect();
    let differing: Vec<_> = shown.symmetric_difference(&exported).take(5).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert!(shown.len() > 1_000);
    for some in ["dora_team_lead_time_seconds_bound{", "dora_team_state{", "dora_team_guardrail{"] {
        assert!(shown.iter().any(|line| line.starts_with(some)), "{some}");
    }
}

/// Whether the history covers a window is what is on `/metrics`, and `null` where that says nothing.
async fn completeness_is_what_is_shown(stand: &Stand) {
    let address = stand.daemon.address();
    let (_, metrics) = get(&format!("http://{address}/metrics")).await.unwrap();
    for (level, labels) in
        [("organization", &[][..]), ("team", &["team"]), ("component", &["team", "component"])]
    {
        let name = format!("dora_{level}_window_complete{{");
        let shown: BTreeSet<&str> = metrics.lines().filter(|line| line.starts_with(&name)).collect();
        let mut told = BTreeSet::new();
        for window in ["7d", "90d"] {
            let query = format!("level={level}&measure=lead_time&window={window}&at={}", now());
            let (_, text) = get(&format!("http://{address}/api/v1/series?{query}")).await.unwrap();
            let answer: Value = serde_json::from_str(&text).unwrap();
            for one in answer["series"].as_array().unwrap() {
                let Some(complete) = one["complete"][0].as_bool() else { continue };
                let label = |label: &&str| format!("{label}=\"{}\",", one[*label].as_str().unwrap());
                let labels: String = labels.iter().map(label).collect();
                told.insert(format!("{name}{labels}window=\"{window}\"}} {}", u8::from(complete)));
            }
        }
        let shown: BTreeSet<String> =
            shown.into_iter().filter(|line| !line.contains("30d")).map(str::to_owned).collect();
        assert_eq!(told, shown, "{level}");
        assert!(!told.is_empty());
    }
}

/// What numbers lie in, by series over HTTP and by the engine.
async fn intervals_are_told_if_asked_for(stand: &Stand, instants: &Instants) {
    let begin = instants.first().unwrap();
    let ask = async |more: &str| {
        let address = stand.daemon.address();
        let query = format!("level=team&measure=change_fail_ratio&from={begin}{more}");
        let (_, text) = get(&format!("http://{address}/api/v1/series?{query}")).await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["series"].as_array().unwrap().clone()
    };
    assert!(ask("").await.iter().all(|one| one.get("lower").is_none()));
    let found = ask("&interval=true").await;
    for (end, of) in [("lower", lowest as fn(&_) -> _), ("upper", highest)] {
        let mut expected = stand.expected(instants, of);
        assert!(expected.values().any(|points| points.len() > 20), "there are some to compare");
        for one in &found {
            let expected = expected.remove(one["team"].as_str().unwrap()).unwrap_or_default();
            let known: Vec<f64> = one[end].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
            assert_eq!(known.len(), expected.len(), "{one}");
            let mut pairs = known.iter().zip(&expected);
            assert!(pairs.all(|(known, (_, expected))| (known - expected).abs() < 1e-9), "{one}");
        }
        assert_eq!(expected, BTreeMap::new(), "{end}");
    }
}

#[tokio::test]
async fn series_over_http_say_what_the_engine_says_and_what_is_wrong_with_a_question() {
    let stand = Stand::new().await;
    let series = async |query: &str| {
        let (status, text) =
            get(&format!("http://{}/api/v1/series{query}", stand.daemon.address())).await.unwrap();
        (status, serde_json::from_str::<Value>(&text).unwrap())
    };
    let begin = now().minus(Span::from_days(30));
    let instants = Instants::range(begin, now(), Span::from_days(1));
    let (status, answer) =
        series(&format!("?level=team&measure=lead_time&measure=change_fail_ratio&from={begin}")).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["instants"].as_array().unwrap().len(), 31);
    for (measure, of) in [("lead_time", lead_time as fn(&_) -> _), ("change_fail_ratio", change_fail_ratio)] {
        let expected = stand.expected(&instants, of);
        let mut found = BTreeMap::new();
        for series in
            answer["series"].as_array().unwrap().iter().filter(|series| series["measure"] == measure)
        {
            let points =
                answer["instants"].as_array().unwrap().iter().zip(series["values"].as_array().unwrap());
            let known = points.filter_map(|(at, value)| {
                let at = Timestamp::parse(at.as_str().unwrap()).unwrap();
                Some((at.millis() / 1_000, value.as_f64()?))
            });
            let known: Points = known.collect();
            if !known.is_empty() {
                found.insert(series["team"].as_str().unwrap().to_owned(), known);
            }
        }
        // The parser here is a last digit off now and then.
        let rounded = |found: BTreeMap<String, Points>| -> BTreeMap<String, Points> {
            let round = |(at, value): (i64, f64)| (at, (value * 1e9).round() / 1e9);
            found.into_iter().map(|(team, points)| (team, points.into_iter().map(round).collect())).collect()
        };
        assert_eq!(rounded(found), rounded(expected), "{measure}");
    }
    intervals_are_told_if_asked_for(&stand, &instants).await;
    // All six measures of the organisation at one instant, each with its n.
    let (_, answer) = series("?at=2026-11-20").await;
    let measures: Vec<_> = answer["series"].as_array().unwrap().iter().map(|one| &one["measure"]).collect();
    assert_eq!(measures.len(), 6);
    for one in answer["series"].as_array().unwrap() {
        assert!(one["values"][0].is_number() && one["n"][0].is_number(), "{one}");
    }
    completeness_is_what_is_shown(&stand).await;
    // Before anything was known there is nothing, not 0; of the organisation that is known to be so.
    let (_, answer) = series("?at=2020-01-01").await;
    for one in answer["series"].as_array().unwrap() {
        assert!(one["values"][0].is_null() && one["complete"][0] == false, "{one}");
    }
    let (_, answer) = series("?level=team&at=2020-01-01").await;
    assert!(answer["series"].as_array().unwrap().iter().all(|one| one["complete"][0].is_null()), "{answer}");
    for (query, expected, said) in [
        ("?team=nobody", 404, "there is no team \"nobody\""),
        ("?window=8d", 400, "allowed: 7d, 30d, 90d"),
        ("?level=component&step=1h&from=2025-12-01", 413, "values are more than 500000"),
        ("?level=team&step=1h&interval=true", 413, "values with intervals are more than 50000"),
        ("?colour=red", 400, "unknown parameter"),
        ("?measure=%ff", 400, "measure"),
    ] {
        let (status, problem) = series(query).await;
        assert_eq!(status, expected, "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{query}: {problem}");
    }
    // What is no remote read is no failure of ours either.
    let url = format!("http://{}/api/v1/read", stand.daemon.address());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for body in [&b""[..], b"hello", &[0xff; 300], &[0x80, 0x80, 0x80, 0x80, 0x0f, 0, 0]] {
        let answer = client.post(&url).body(body.to_vec()).send().await.unwrap();
        assert!(matches!(answer.status().as_u16(), 200 | 400 | 413), "{}", answer.status());
    }
    stand.daemon.stop().await.unwrap();
}
