//! History in a real `VictoriaMetrics`: it takes the export in the way that `docs/history.md` says, and gives back
//! every value; and it does what is said there of its retention.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers fail by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;
use sextant::engine::series::Instants;
use sextant::model::time::{Span, Timestamp};

use crate::process::{Process, free_port, get, until};
use crate::real_history::{CHANGE_FAIL_RATIO, LEAD_TIME, Points, Stand, change_fail_ratio, lead_time};

/// The first and the last instant of the export in the documentation, where midnight is Berlin's, a day from one to the
/// next. The last midnight is an hour later than the step reaches: the clocks were put back.
const BEGIN: &str = "2026-08-23T22:00:00Z";
const END: &str = "2026-11-21T22:00:00Z";
/// It keeps numbers as decimals, of which a block of a series shares the exponent: some twelve digits of sixteen stay.
const DIGITS_LOST: f64 = 1e-10;

/// A series by its name and labels, with its values.
type Samples = BTreeMap<String, BTreeMap<i64, f64>>;

/// What to type, as the documentation has it: what writes the text, and the path that it is sent to.
struct Documented {
    writes: String,
    path: String,
}

impl Documented {
    fn read() -> Self {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/history.md");
        let docs = std::fs::read_to_string(docs).unwrap();
        let section = docs.split("\n## VictoriaMetrics\n").nth(1).unwrap().split("\n## ").next().unwrap();
        let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
        let (writes, sends) = block.rsplit_once('|').unwrap();
        let to = Regex::new(r"--data-binary @- http://victoria:8428(/\S+)").unwrap();
        let path = to.captures(sends).unwrap_or_else(|| panic!("{sends} sends nothing"))[1].to_owned();
        Self { writes: writes.trim().to_owned(), path }
    }

    /// Runs it, a day from one value to the next instead of an hour.
    fn text(&self, directory: &Path) -> String {
        let mut command = self.writes.clone();
        for (from, to) in
            [("sextant export", &*format!("{} export", env!("CARGO_BIN_EXE_sextant"))), (" 1h ", " 1d ")]
        {
            assert_eq!(command.matches(from).count(), 1, "{command}");
            command = command.replace(from, to);
        }
        let output = Command::new("sh").args(["-c", &command]).current_dir(directory).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A server of its own.
struct Victoria {
    url: String,
    client: Client,
    process: Process,
}

impl Victoria {
    async fn start(directory: &Path, name: &str, retention: Option<&str>) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new("victoria-metrics");
        command
            .arg(format!("-httpListenAddr={address}"))
            .arg(format!("-storageDataPath={}", directory.join(name).display()))
            .args(retention.map(|retention| format!("-retentionPeriod={retention}")));
        let process = Process::start(&mut command, directory, name);
        let url = format!("http://{address}");
        until("VictoriaMetrics is up", async || {
            matches!(get(&format!("{url}/health")).await, Some((200, _)))
        })
        .await;
        Self { url, client: Client::builder().no_proxy().build().unwrap(), process }
    }

    /// Sends a text, and makes it visible now instead of in a second.
    async fn import(&self, path: &str, text: String) {
        let sent = self.client.post(format!("{}{path}", self.url)).body(text).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::NO_CONTENT);
        for path in ["/internal/force_flush", "/internal/resetRollupResultCache"] {
            assert_eq!(get(&format!("{}{path}", self.url)).await.unwrap().0, 200, "{path}");
        }
    }

    /// All that is kept.
    async fn kept(&self) -> Samples {
        let mut url = Url::parse(&format!("{}/api/v1/export", self.url)).unwrap();
        url.query_pairs_mut().append_pair("match[]", "{__name__!=\"\"}");
        let text = self.client.get(url).send().await.unwrap().text().await.unwrap();
        let series = text.lines().map(|line| {
            let series: Value = serde_json::from_str(line).unwrap();
            let mut labels: BTreeMap<String, String> =
                serde_json::from_value(series["metric"].clone()).unwrap();
            let name = labels.remove("__name__").unwrap();
            let at = series["timestamps"].as_array().unwrap().iter().map(|at| at.as_i64().unwrap());
            let values = series["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
            (key(&name, labels), at.zip(values).collect())
        });
        series.collect()
    }

    /// What it answers to a query over a range, by team.
    async fn range(
        &self,
        promql: &str,
        from: Timestamp,
        to: Timestamp,
        step: Span,
    ) -> BTreeMap<String, Points> {
        let mut url = Url::parse(&format!("{}/api/v1/query_range", self.url)).unwrap();
        let (start, end, step) = (from.seconds(), to.seconds(), step.seconds());
        url.query_pairs_mut()
            .append_pair("query", promql)
            .append_pair("start", &start.to_string())
            .append_pair("end", &end.to_string())
            .append_pair("step", &step.to_string())
            // Else it moves the instants to multiples of the step.
            .append_pair("nocache", "1");
        let answer: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{answer}");
        let series = answer["data"]["result"].as_array().unwrap().iter().map(|series| {
            let points = series["values"].as_array().unwrap().iter();
            let points =
                points.map(|point| (point[0].as_i64().unwrap(), point[1].as_str().unwrap().parse().unwrap()));
            (series["metric"]["team"].as_str().unwrap().to_owned(), points.collect())
        });
        series.collect()
    }
}

fn key(name: &str, labels: BTreeMap<String, String>) -> String {
    let labels: Vec<_> = labels.into_iter().map(|(label, value)| format!("{label}={value}")).collect();
    format!("{name}{{{}}}", labels.join(","))
}

/// The values of a text, of which every line is one.
fn sent(text: &str) -> Samples {
    let line = Regex::new(r"^([a-z0-9_]+)(?:\{(.*)\})? (\S+) (\d+)$").unwrap();
    let label = Regex::new(r#"([a-z_]+)="([^"\\]*)""#).unwrap();
    let mut samples = Samples::new();
    for found in text.lines().map(|text| line.captures(text).unwrap_or_else(|| panic!("what is {text}?"))) {
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        let labels = label.captures_iter(labels).map(|label| (label[1].to_owned(), label[2].to_owned()));
        let series = samples.entry(key(&found[1], labels.collect())).or_default();
        assert_eq!(
            series.insert(found[4].parse().unwrap(), found[3].parse().unwrap()),
            None,
            "{}",
            &found[0]
        );
    }
    samples
}

fn count(samples: &Samples) -> usize {
    samples.values().map(BTreeMap::len).sum()
}

fn is_equal(one: f64, other: f64) -> bool {
    (one - other).abs() <= DIGITS_LOST * one.abs().max(other.abs())
}

fn assert_same(found: &BTreeMap<String, Points>, expected: &BTreeMap<String, Points>, promql: &str) {
    assert!(!expected.is_empty());
    assert!(found.keys().eq(expected.keys()), "{promql}: {:?}, not {:?}", found.keys(), expected.keys());
    for (team, expected) in expected {
        let found = &found[team];
        let is_same = found.len() == expected.len()
            && found.iter().zip(expected).all(|(one, other)| one.0 == other.0 && is_equal(one.1, other.1));
        assert!(is_same, "{promql} of {team}: {found:?}, not {expected:?}");
    }
}

#[tokio::test]
async fn victoriametrics_takes_an_export_and_gives_back_every_value() {
    let stand = Stand::new().await;
    let directory = stand.directory.path();
    let documented = Documented::read();
    let text = documented.text(directory);
    let sent = sent(&text);
    assert!(count(&sent) > 10_000, "{}", count(&sent));

    let victoria = Victoria::start(directory, "victoria", Some("100y")).await;
    victoria.import(&documented.path, text.clone()).await;
    let kept = victoria.kept().await;
    assert_eq!(count(&kept), count(&sent));
    for (series, expected) in &sent {
        let found = kept.get(series).unwrap_or_else(|| panic!("{series} is lost"));
        let is_same =
            found.iter().zip(expected).all(|(one, other)| one.0 == other.0 && is_equal(*one.1, *other.1));
        assert!(is_same, "{series}: {found:?}, not {expected:?}");
    }

    // And that is what the engine says, at every midnight of ninety days.
    let [begin, end] = [BEGIN, END].map(|at| Timestamp::parse(at).unwrap());
    let (day, hour) = (Span::from_days(1), Span::from_hours(1));
    let instants = Instants::range(begin, end, day);
    for (promql, of) in [(LEAD_TIME, lead_time as fn(&_) -> _), (CHANGE_FAIL_RATIO, change_fail_ratio)] {
        let found = victoria.range(promql, begin, end, day).await;
        assert_same(&found, &stand.expected(&instants, of), promql);
    }
    // A bare selector draws, in steps much finer than the values are apart: it sees from the values how far that is.
    let fine = victoria.range(LEAD_TIME, begin, end, hour).await;
    assert!(fine.values().any(|points| points.len() == 90 * 24 + 1), "{fine:?}");
    // At a single instant it does not see that.
    let late = end.plus(hour);
    let minutes = Span::from_minutes(5);
    assert_eq!(victoria.range(LEAD_TIME, late, late, minutes).await, BTreeMap::new());
    let found = victoria.range(&format!("last_over_time({LEAD_TIME}[2h])"), late, late, minutes).await;
    let expected = stand.expected(&Instants::range(end, end, day), lead_time);
    let moved = |points: Points| points.into_iter().map(|(at, value)| (at + 3_600, value)).collect();
    let expected = expected.into_iter().map(|(team, points)| (team, moved(points))).collect();
    assert_same(&found, &expected, "the newest value");

    // Without a retention the same import is answered in the same way, and what is older than a month is not there.
    let short = Victoria::start(directory, "short", None).await;
    short.import(&documented.path, text).await;
    let kept = count(&short.kept().await);
    assert!(kept < count(&sent) / 2, "{kept} of {}", count(&sent));
    for victoria in [&victoria, &short] {
        assert!(!victoria.process.output().contains("\tpanic\t"), "{}", victoria.process.output());
    }
    stand.daemon.stop().await.unwrap();
}
