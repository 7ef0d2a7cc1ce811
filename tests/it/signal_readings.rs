//! Values that are read from Prometheus: one row for each way in which an answer can be, and what stays when it fails.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sextant::clock::{Clock, SharedClock};
use sextant::collect::signals::{Board, Reader};
use sextant::config::Config;
use sextant::http::{Bounds, Governors};
use sextant::model::secret::Credential;
use sextant::model::signal::{SignalPoint, SignalRule, SignalState, Signals};
use sextant::model::time::{Span, Timestamp};
use sextant::source::promql::Promql;
use sextant::source::promql::config::{Config as PromqlConfig, SignIn};
use sextant::store::memory::MemoryStore;
use sextant::telemetry::{SourceTelemetry, Telemetry};
use tokio::sync::watch;

use crate::config_errors::environment;
use crate::signal_prometheus::{Reply, ScriptedPrometheus, data, one, refusal};

const BODY_BYTES: usize = 2_000;

/// A clock that is set by hand.
#[derive(Debug)]
struct SetClock(Mutex<DateTime<Utc>>);

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

fn start() -> Timestamp {
    Timestamp::parse("2026-11-20T12:00:00Z").unwrap()
}

/// The signals of a configuration: names with their queries, the first of which is the north star.
fn rules(queries: &[(&str, &str)]) -> Vec<SignalRule> {
    let mut toml = "[organization]\nname = \"acme\"\n[[github]]\nname = \"a\"\ntoken_env = \"GITHUB_TOKEN\"\n\
                    organizations = [\"acme\"]\n[prometheus]\nurl = \"http://127.0.0.1:9090\"\n[[teams]]\nname = \
                    \"payments\"\n"
        .to_owned();
    for (index, (name, query)) in queries.iter().enumerate() {
        let header = if index == 0 { "[[north_star]]" } else { "[[signals]]\nteam = \"payments\"" };
        write!(
            toml,
            "{header}\nname = {name:?}\npromql = {query:?}\nstart = 1\ntarget = 2\nby = \"2027-03-31\"\n"
        )
        .unwrap();
    }
    Config::parse(&toml, "f", &environment).unwrap_or_else(|errors| panic!("{errors}")).signals
}

/// A reader of a scripted Prometheus, and what it shows.
struct Stand {
    prometheus: ScriptedPrometheus,
    clock: Arc<SetClock>,
    store: MemoryStore,
    telemetry: Telemetry,
    shown: watch::Receiver<Signals>,
    reader: Reader<MemoryStore>,
}

impl Stand {
    async fn new(queries: &[(&str, &str)]) -> Self {
        Self::signed_in(queries, SignIn::Nobody).await
    }

    async fn signed_in(queries: &[(&str, &str)], sign_in: SignIn) -> Self {
        let prometheus = ScriptedPrometheus::start().await;
        let (store, telemetry) = (MemoryStore::new(), Telemetry::new());
        let clock = Arc::new(SetClock(Mutex::new(start().datetime())));
        let (shown, reader) = reader(&prometheus, queries, sign_in, &clock, &store, &telemetry).await;
        Self { prometheus, clock, store, telemetry, shown, reader }
    }

    /// As after a restart, or a reload, with these queries.
    async fn restart(&mut self, queries: &[(&str, &str)]) {
        let (prometheus, clock) = (&self.prometheus, &self.clock);
        let begun = reader(prometheus, queries, SignIn::Nobody, clock, &self.store, &self.telemetry).await;
        (self.shown, self.reader) = begun;
    }

    fn pass(&self, span: Span) {
        *self.clock.0.lock().unwrap() += chrono::TimeDelta::milliseconds(span.millis());
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    fn state(&self, name: &str) -> Arc<SignalState> {
        let shown = self.shown.borrow();
        Arc::clone(shown.iter().find(|state| state.rule.name.as_str() == name).unwrap())
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.state(name).history.latest().map(SignalPoint::value)
    }

    /// Whether the last poll is said to have succeeded, and the reasons of all failures so far.
    fn told(&self) -> (bool, Vec<String>) {
        let families = self.telemetry.gather();
        let samples = |name: &str| {
            let family = families.iter().find(|family| family.metric.name == name);
            family.map(|family| family.samples.clone()).unwrap_or_default()
        };
        let failed = samples("sextant_source_request_failures_total");
        let failed = failed.iter().filter(|sample| sample.value > 0.0);
        let reasons = failed.map(|sample| sample.label("reason").unwrap().to_owned());
        (samples("sextant_source_up").iter().any(|sample| sample.value > 0.0), reasons.collect())
    }
}

async fn reader(
    prometheus: &ScriptedPrometheus,
    queries: &[(&str, &str)],
    sign_in: SignIn,
    clock: &Arc<SetClock>,
    store: &MemoryStore,
    telemetry: &Telemetry,
) -> (watch::Receiver<Signals>, Reader<MemoryStore>) {
    let config = PromqlConfig {
        url: prometheus.url.clone(),
        sign_in,
        ca_pem: None,
        poll_interval: Span::from_minutes(1),
    };
    let bounds =
        Bounds { whole: Duration::from_millis(500), retries: 0, body_bytes: BODY_BYTES, ..Bounds::default() };
    let clock: SharedClock = Arc::clone(clock) as SharedClock;
    let own: SourceTelemetry = telemetry.source("prometheus", "prometheus");
    let governors = Governors::default();
    let promql = Promql::with_bounds(&config, bounds, &governors, Arc::clone(&clock), own.clone()).unwrap();
    let (rules, (show, shown)) = (rules(queries), watch::channel(Signals::new()));
    let board = Board::load(store.clone(), &rules, show).await.unwrap();
    (shown, Reader::new(board, promql, &rules, clock, own, Span::from_minutes(1)))
}

#[tokio::test]
async fn every_answer_is_a_value_or_says_what_is_wrong() {
    let series = |count: usize| vec![r#"{"metric":{},"value":[1,"1"]}"#; count].join(",");
    let vector = |count| data(&format!(r#"{{"resultType":"vector","result":[{}]}}"#, series(count)));
    let text = |status, body: &str| Reply::With(status, "text/html", body.to_owned());
    let bad = "invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis";
    for (reply, value, trouble, reason) in [
        (one("3.5"), Some(3.5), None, None),
        (one("-0.25e-3"), Some(-0.000_25), None, None),
        (data(r#"{"resultType":"scalar","result":[1,"7"]}"#), Some(7.0), None, None),
        (vector(0), None, Some("the query returned nothing"), None),
        (vector(3), None, Some("the query gives 3 series, and one is needed"), Some("malformed")),
        (one("NaN"), None, Some("the query gives NaN"), Some("malformed")),
        (one("+Inf"), None, Some("the query gives inf"), Some("malformed")),
        (data(r#"{"resultType":"string","result":[1,"a"]}"#), None, Some("gives a text"), Some("malformed")),
        (refusal(400, "bad_data", bad), None, Some(bad), Some("malformed")),
        (
            refusal(422, "execution", "found duplicate series"),
            None,
            Some("duplicate series"),
            Some("malformed"),
        ),
        (refusal(503, "timeout", "query timed out"), None, Some("query timed out (server)"), Some("server")),
        (refusal(200, "internal", "odd"), None, Some("odd (malformed)"), Some("malformed")),
        (text(200, "<html>Sign in</html>"), None, Some("cannot be read"), Some("malformed")),
        (text(200, ""), None, Some("cannot be read"), Some("malformed")),
        (text(401, "who are you?"), None, Some("who are you? (auth)"), Some("auth")),
        (text(403, "no"), None, Some("(forbidden)"), Some("forbidden")),
        (text(404, "404 page not found"), None, Some("(not_found)"), Some("not_found")),
        (text(502, "bad gateway"), None, Some("bad gateway (server)"), Some("server")),
        (one(&"1".repeat(BODY_BYTES)), None, Some("larger than 2000 bytes"), Some("malformed")),
        (Reply::Hang, None, Some("(timeout)"), Some("timeout")),
    ] {
        let shown = format!("{reply:?}").chars().take(200).collect::<String>();
        let mut stand = Stand::new(&[("conversion", "acme")]).await;
        stand.prometheus.give("acme", reply);
        stand.reader.poll_once().await;
        let state = stand.state("conversion");
        assert_eq!(stand.value("conversion"), value, "{shown}");
        assert_eq!(
            value.is_some(),
            state.history.points().all(|point| point.at() == stand.now()) && value.is_some()
        );
        match (&state.trouble, trouble) {
            (None, None) => {}
            (Some(found), Some(expected)) => assert!(found.contains(expected), "{shown}: {found}"),
            (found, _) => panic!("{shown}: {found:?}"),
        }
        let expected: Vec<String> = reason.into_iter().map(str::to_owned).collect();
        assert_eq!(stand.told().1, expected, "{shown}");
    }
}

#[tokio::test]
async fn what_is_asked_is_the_query_at_this_instant_and_once_its_past() {
    let mut stand = Stand::new(&[("conversion", "sum(a{b=\"c d\"}) / 2 > 1")]).await;
    stand.prometheus.give("sum(a{b=\"c d\"}) / 2 > 1", one("1"));
    stand.reader.poll_once().await;
    let asked = stand.prometheus.asked();
    let [value, past] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((value.path.as_str(), past.path.as_str()), ("/api/v1/query", "/api/v1/query_range"));
    assert_eq!(value.parameters["query"], "sum(a{b=\"c d\"}) / 2 > 1");
    assert_eq!(value.parameters["time"], "2026-11-20T12:00:00Z");
    assert_eq!(past.parameters["end"], "2026-11-20T12:00:00Z");
    assert_eq!(past.parameters["start"], "2026-08-22T12:00:00Z");
    assert_eq!(past.parameters["step"], "21600");
    assert!(!value.headers.contains_key("authorization"), "nobody signs in");
    stand.pass(Span::from_minutes(1));
    stand.reader.poll_once().await;
    let asked = stand.prometheus.asked();
    assert_eq!(asked.iter().map(|question| question.path.as_str()).collect::<Vec<_>>(), ["/api/v1/query"]);
}

#[tokio::test]
async fn the_last_value_stays_with_its_age_and_comes_back() {
    let mut stand = Stand::new(&[("conversion", "acme")]).await;
    stand.prometheus.give("acme", one("1.5"));
    stand.reader.poll_once().await;
    assert_eq!(stand.told(), (true, Vec::new()));
    for trouble in [data(r#"{"resultType":"vector","result":[]}"#), one("NaN"), Reply::Hang] {
        stand.pass(Span::from_hours(1));
        stand.prometheus.give("acme", trouble);
        stand.reader.poll_once().await;
        let state = stand.state("conversion");
        assert_eq!(
            state.history.latest(),
            SignalPoint::new(start(), 1.5),
            "never zero, never younger than it is"
        );
        assert!(state.trouble.is_some());
        assert_eq!(stand.telemetry.last_problems()[0].1.count, 1);
    }
    stand.pass(Span::from_hours(1));
    stand.prometheus.asked();
    stand.prometheus.give("acme", one("1.6"));
    stand.reader.poll_once().await;
    let state = stand.state("conversion");
    assert_eq!((stand.value("conversion"), state.trouble.as_deref()), (Some(1.6), None));
    assert_eq!(stand.prometheus.asked().len(), 2, "what was missed meanwhile is read again");
}

#[tokio::test]
async fn a_signal_that_fails_touches_no_other() {
    let queries = [("good", "a"), ("slow", "b"), ("bad", "c"), ("none", "d"), ("fine", "e")];
    let mut stand = Stand::new(&queries).await;
    stand.prometheus.give("a", one("1"));
    stand.prometheus.give("b", Reply::Hang);
    stand.prometheus.give("c", refusal(400, "bad_data", "parse error"));
    stand.prometheus.give("d", data(r#"{"resultType":"vector","result":[]}"#));
    stand.prometheus.give("e", one("5"));
    stand.reader.poll_once().await;
    let values: Vec<_> = queries.iter().map(|(name, _)| stand.value(name)).collect();
    assert_eq!(values, [Some(1.0), None, None, None, Some(5.0)]);
    assert!(stand.told().0, "Prometheus itself answered");
    let problems = &stand.telemetry.last_problems()[0].1;
    assert_eq!(problems.count, 3);
    assert!(
        problems.words.iter().any(|words| words.starts_with("payments/bad: prometheus: ")),
        "{problems:?}"
    );
}

#[tokio::test]
async fn a_wrong_token_is_not_tried_with_every_query() {
    let queries: Vec<(String, String)> = (0..20).map(|n| (format!("s{n}"), format!("q{n}"))).collect();
    let queries: Vec<(&str, &str)> = queries.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let mut stand = Stand::new(&queries).await;
    for (_, query) in &queries {
        stand.prometheus.give(query, Reply::With(401, "text/plain", "unauthorized".to_owned()));
    }
    stand.reader.poll_once().await;
    let asked = stand.prometheus.asked().len();
    assert!(asked <= 4, "those that were under way at once: {asked}");
    assert!(queries.iter().all(|(name, _)| stand.state(name).trouble.as_ref().unwrap().contains("auth")));
    assert!(!stand.told().0);
}

#[tokio::test]
async fn the_past_is_what_there_was_one_number_of() {
    let mut stand = Stand::new(&[("conversion", "acme")]).await;
    let at = |hours| start().minus(Span::from_hours(hours)).seconds();
    let series = |values: String| format!(r#"{{"metric":{{"a":"b"}},"values":[{values}]}}"#);
    let first = series(format!(r#"[{},"1"],[{},"2"],[{},"NaN"]"#, at(18), at(12), at(6)));
    let second = series(format!(r#"[{},"9"],[{},"3"]"#, at(12), at(1)));
    stand.prometheus.give("acme", one("4"));
    stand
        .prometheus
        .give_past("acme", data(&format!(r#"{{"resultType":"matrix","result":[{first},{second}]}}"#)));
    stand.reader.poll_once().await;
    let history = stand.state("conversion").history.clone();
    let hours = |point: SignalPoint| start().since(point.at()).millis() / 3_600_000;
    let found: Vec<_> = history.points().map(|point| (hours(point), point.value())).collect();
    assert_eq!(found, [(18, 1.0), (1, 3.0), (0, 4.0)]);
    // A past that cannot be read is no trouble of the present.
    let mut stand = Stand::new(&[("conversion", "acme")]).await;
    stand.prometheus.give("acme", one("4"));
    stand.prometheus.give_past("acme", refusal(422, "execution", "too many samples"));
    stand.reader.poll_once().await;
    assert_eq!((stand.value("conversion"), stand.state("conversion").trouble.clone()), (Some(4.0), None));
}

#[tokio::test]
async fn a_restart_shows_the_last_value_and_another_query_begins_anew() {
    let mut stand = Stand::new(&[("conversion", "acme")]).await;
    stand.prometheus.give("acme", one("1.5"));
    stand.reader.poll_once().await;
    stand.prometheus.give("acme", Reply::Hang);
    stand.pass(Span::from_hours(3));
    stand.restart(&[("conversion", "acme")]).await;
    assert_eq!(
        stand.state("conversion").history.latest(),
        SignalPoint::new(start(), 1.5),
        "before it is asked"
    );
    stand.reader.poll_once().await;
    assert_eq!(stand.value("conversion"), Some(1.5));
    stand.restart(&[("conversion", "acme * 100")]).await;
    assert_eq!(stand.value("conversion"), None, "another query is another number");
    stand.restart(&[("conversion", "acme")]).await;
    assert_eq!(stand.value("conversion"), Some(1.5), "and the former one is kept");
}

#[tokio::test]
async fn who_signs_in_does_so_and_no_secret_is_shown() {
    let secret = |text: &str| Credential::fixed(SecretString::from(text)).named("env PROMETHEUS");
    let token = SignIn::Token(secret("t0ken-of-acme"));
    let password = SignIn::Password { user: "sextant".to_owned(), password: secret("pass: word") };
    for (sign_in, header, secrets) in [
        (token, "Bearer t0ken-of-acme", ["t0ken-of-acme", "t0ken"]),
        (password, "Basic c2V4dGFudDpwYXNzOiB3b3Jk", ["pass: word", "c2V4dGFudDpwYXNzOiB3b3Jk"]),
    ] {
        let debug = format!("{sign_in:?}");
        let mut stand = Stand::signed_in(&[("conversion", "acme")], sign_in).await;
        let echo = format!("no entry with {header} for pass: word");
        stand.prometheus.give("acme", Reply::With(401, "text/plain", echo));
        stand.reader.poll_once().await;
        let asked = stand.prometheus.asked();
        assert_eq!(asked[0].headers["authorization"], header);
        let trouble = stand.state("conversion").trouble.clone().unwrap();
        assert!(trouble.contains("<secret>"), "{trouble}");
        let shown = format!("{trouble}{debug}{:?}{:?}", stand.reader, stand.telemetry.last_problems());
        for secret in secrets {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn another_host_never_sees_the_token() {
    let other = ScriptedPrometheus::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let away = other.url.clone();
    let router =
        axum::Router::new().fallback(move || async move { axum::response::Redirect::temporary(&away) });
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let sign_in = SignIn::Token(Credential::fixed(SecretString::from("t0ken-of-acme")));
    let config = PromqlConfig { url, sign_in, ca_pem: None, poll_interval: Span::from_minutes(1) };
    let clock: SharedClock = Arc::new(SetClock(Mutex::new(start().datetime())));
    let promql = Promql::new(&config, &Governors::default(), clock, SourceTelemetry::default()).unwrap();
    let failure = promql.value("acme", start()).await.unwrap_err();
    assert!(failure.to_string().contains("redirected to"), "{failure}");
    assert!(other.asked().is_empty());
}
