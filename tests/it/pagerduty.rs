//! PagerDuty over HTTP: what a poll asks, what it stores, and what it does about answers that are bad.
#![expect(clippy::wildcard_enum_match_arm, reason = "a fact of another kind fails the test")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};
use sextant::clock::Clock;
use sextant::http::{Bounds, Governors, Reason};
use sextant::model::batch::{Applied, Batch, Contact, Coverage};
use sextant::model::fact::{Fact, Incident};
use sextant::model::name::SourceName;
use sextant::model::secret::Credential;
use sextant::model::time::{Span, Timestamp};
use sextant::source::pagerduty::Pagerduty;
use sextant::source::pagerduty::config::Config;
use sextant::source::{Backfill, PollError, Polled, Request as SinkRequest, Sink, Source};
use sextant::telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const NOW: &str = "2026-11-22T17:00:00Z";
const REACH: usize = 10_000;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// So many days before now, written as PagerDuty does.
fn ago(days: i64) -> String {
    at(NOW).minus(Span::from_days(days)).to_string()
}

fn open(id: &str, days: i64) -> Value {
    json!({"id": id, "title": id, "created_at": ago(days), "status": "triggered", "resolved_at": null})
}

fn resolved(id: &str, days: i64) -> Value {
    let end = at(NOW).minus(Span::from_days(days)).plus(Span::from_minutes(30)).to_string();
    json!({"id": id, "title": id, "created_at": ago(days), "status": "resolved", "resolved_at": end})
}

/// A fault: what to answer instead, by the request line.
type Fault = Box<dyn Fn(&str) -> Option<(u16, String)> + Send>;

/// An account, and who asked for what.
#[derive(Default)]
struct Account {
    incidents: Vec<Value>,
    fault: Option<Fault>,
    asked: Vec<String>,
    accepted: Vec<String>,
}

impl Account {
    fn incident(&mut self, id: &str) -> &mut Value {
        self.incidents.iter_mut().find(|incident| incident["id"] == id).unwrap()
    }

    fn list(&self, query: &[(String, String)]) -> (u16, String) {
        let first = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let number = |name: &str| first(name).unwrap().parse::<usize>().unwrap();
        let (offset, limit) = (number("offset"), number("limit"));
        if offset + limit > REACH || limit > 100 {
            return (400, json!({"error": {"code": 2002}}).to_string());
        }
        let statuses: Vec<_> =
            query.iter().filter(|(key, _)| key == "statuses[]").map(|(_, value)| value).collect();
        let created = |incident: &Value| {
            let created_at = at(incident["created_at"].as_str().unwrap());
            first("date_range") == Some("all")
                || (at(first("since").unwrap())..at(first("until").unwrap())).contains(&created_at)
        };
        let status =
            |incident: &Value| statuses.is_empty() || statuses.iter().any(|one| incident["status"] == **one);
        let mut found: Vec<_> = self.incidents.iter().filter(|it| created(it) && status(it)).collect();
        found.sort_by_key(|incident| at(incident["created_at"].as_str().unwrap()));
        let page: Vec<_> = found.iter().skip(offset).take(limit).collect();
        let total = (first("total") == Some("true")).then_some(found.len());
        let more = offset + limit < found.len();
        (
            200,
            json!({"incidents": page, "offset": offset, "limit": limit, "more": more, "total": total})
                .to_string(),
        )
    }
}

async fn answer(State(account): State<Arc<Mutex<Account>>>, request: Request) -> (StatusCode, String) {
    let mut account = account.lock().unwrap();
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).unwrap();
    let path = request.uri().path().to_owned();
    let line = query.iter().fold(path.clone(), |line, (key, value)| format!("{line} {key}={value}"));
    account.asked.push(line.clone());
    let headers = request.headers();
    account.accepted.push(format!("{:?} {:?}", headers["authorization"], headers["accept"]));
    let fault = account.fault.as_ref().and_then(|fault| fault(&line));
    let (status, body) = fault.unwrap_or_else(|| match path.strip_prefix("/incidents/") {
        None => account.list(&query),
        Some(id) => match account.incidents.iter().find(|incident| incident["id"] == id) {
            Some(incident) => (200, json!({ "incident": incident }).to_string()),
            None => (404, json!({"error": {"code": 2100}}).to_string()),
        },
    });
    (StatusCode::from_u16(status).unwrap(), body)
}

#[derive(Debug)]
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed)).datetime()
    }
}

/// A source, the account it reads, and what it has handed over.
struct Story {
    account: Arc<Mutex<Account>>,
    source: Pagerduty,
    clock: Arc<SetClock>,
    cursors: BTreeMap<String, String>,
    batches: Vec<Batch>,
    _serving: JoinSet<()>,
}

impl Story {
    async fn begin(history_days: i64, incidents: Vec<Value>) -> Self {
        let account = Arc::new(Mutex::new(Account { incidents, ..Account::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config {
            name: SourceName::from("acme"),
            api_url: format!("http://{}", listener.local_addr().unwrap()),
            credential: Credential::fixed(SecretString::from("s3cr3t")),
            ca_pem: None,
            poll_interval: Span::from_minutes(1),
            history: Span::from_days(history_days),
        };
        let router = Router::new().fallback(answer).with_state(Arc::clone(&account));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let bounds = Bounds { backoff: Duration::from_millis(1), ..Bounds::default() };
        let clock = Arc::new(SetClock(AtomicI64::new(0)));
        let telemetry = Telemetry::new().source("acme", "pagerduty");
        Self {
            account,
            source: Pagerduty::with_bounds(
                config,
                bounds,
                &Governors::default(),
                Arc::<SetClock>::clone(&clock),
                telemetry,
            )
            .unwrap(),
            clock,
            cursors: BTreeMap::new(),
            batches: Vec::new(),
            _serving: serving,
        }
    }

    /// Polls at an instant, and answers the source as whoever collects does.
    async fn poll_at(&mut self, now: Timestamp) -> Result<Polled, PollError> {
        self.clock.0.store(now.millis(), Ordering::Relaxed);
        self.batches.clear();
        self.account.lock().unwrap().asked.clear();
        let (sink, mut queue) = Sink::channel();
        let mut polling = std::pin::pin!(self.source.poll(&sink, now));
        loop {
            tokio::select! {
                polled = &mut polling => return polled,
                Some(request) = queue.recv() => match request {
                    SinkRequest::Cursors(answer) => answer.send(self.cursors.clone().into_iter().collect()).unwrap(),
                    SinkRequest::Apply(batch, answer) => {
                        for (scope, cursor) in batch.cursors.clone() {
                            self.cursors.insert(scope, cursor.unwrap());
                        }
                        self.batches.push(batch);
                        answer.send(Applied::default()).unwrap();
                    }
                },
            }
        }
    }

    async fn poll(&mut self) -> Result<Polled, PollError> {
        self.poll_at(at(NOW)).await
    }

    fn change(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.account.lock().unwrap());
    }

    fn fault(&self, fault: impl Fn(&str) -> Option<(u16, String)> + Send + 'static) {
        self.change(|account| account.fault = Some(Box::new(fault)));
    }

    fn asked(&self) -> Vec<String> {
        self.account.lock().unwrap().asked.clone()
    }

    /// The last word on each incident of the last poll.
    fn incidents(&self) -> BTreeMap<String, Incident> {
        let facts = self.batches.iter().flat_map(|batch| &batch.facts);
        facts
            .filter_map(|fact| match fact {
                Fact::Incident(incident) => Some((incident.id.to_string(), incident.clone())),
                Fact::NoIncident(..) => None,
                other => unreachable!("no fact of PagerDuty's: {other:?}"),
            })
            .collect()
    }

    fn ids(&self) -> Vec<String> {
        self.incidents().into_keys().collect()
    }

    fn gone(&self) -> Vec<String> {
        let facts = self.batches.iter().flat_map(|batch| &batch.facts);
        facts
            .filter_map(|fact| match fact {
                Fact::NoIncident(_, id) => Some(id.to_string()),
                Fact::Incident(_) => None,
                other => unreachable!("no fact of PagerDuty's: {other:?}"),
            })
            .collect()
    }
}

fn failed(polled: Result<Polled, PollError>) -> Reason {
    match polled.unwrap_err() {
        PollError::Source(failure) => failure.reason,
        PollError::NotStored => unreachable!("everything is stored"),
    }
}

#[tokio::test]
async fn the_first_poll_reads_the_history_and_the_next_asks_twice() {
    let incidents = vec![resolved("P1", 1), resolved("P40", 40), open("P100", 100), resolved("P200", 200)];
    let mut story = Story::begin(89, incidents).await;
    let polled = story.poll().await.unwrap();
    assert_eq!(polled, Polled { backfill: Backfill::Complete, ..Polled::default() });
    assert_eq!(story.ids(), ["P1", "P100", "P40"]);
    assert!(story.batches.iter().all(|batch| batch.contact == Contact::First));
    let covered: Vec<_> = story.batches.iter().flat_map(|batch| batch.covered.clone()).collect();
    assert_eq!(covered, [(Coverage::Incidents("acme".into()), at("2026-08-25T00:00:00Z"))]);

    let asked = story.asked();
    assert_eq!(asked.len(), 2 + 3, "{asked:#?}");
    for line in &asked {
        let both_ends = line.contains(" since=") && line.contains(" until=");
        assert!(both_ends || line.contains(" date_range=all"), "{line}");
        for part in [" time_zone=UTC", " limit=100", " sort_by=created_at:asc"] {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(line.contains(" total=true"), both_ends && line != &asked[0], "{line}");
    }
    let accepted = story.account.lock().unwrap().accepted.clone();
    assert_eq!(accepted[0], r#""Token token=s3cr3t" "application/vnd.pagerduty+json;version=2""#);

    let polled = story.poll().await.unwrap();
    assert_eq!(polled.backfill, Backfill::Complete);
    let asked = story.asked();
    assert_eq!(asked.len(), 2, "{asked:#?}");
    assert!(asked[0].contains("since=2026-11-18T00:00:00Z until=2026-11-24T00:00:00Z"), "{asked:#?}");
    assert!(asked[1].contains("statuses[]=triggered statuses[]=acknowledged date_range=all"), "{asked:#?}");
    assert_eq!(story.ids(), ["P1", "P100"]);
    assert!(story.batches.iter().all(|batch| batch.contact == Contact::Live && batch.cursors.is_empty()));
}

#[tokio::test]
async fn an_old_incident_that_left_the_list_of_open_ones_is_asked_for_once() {
    let mut story = Story::begin(90, vec![open("P1", 20), open("P2", 20)]).await;
    story.poll().await.unwrap();
    story.change(|account| {
        account.incident("P1")["status"] = json!("resolved");
        account.incident("P1")["resolved_at"] = json!(ago(0));
        account.incident("P2")["status"] = json!("acknowledged");
    });
    story.poll().await.unwrap();
    assert_eq!(story.asked().len(), 3);
    assert_eq!(story.asked()[2], "/incidents/P1 time_zone=UTC");
    assert_eq!(story.incidents()["P1"].resolved_at, Some(at(NOW)));
    assert_eq!(story.incidents()["P2"].resolved_at, None);

    story.poll().await.unwrap();
    assert_eq!((story.asked().len(), story.ids()), (2, vec!["P2".to_owned()]));
}

#[tokio::test]
async fn an_incident_that_is_reopened_is_open_again() {
    let mut story = Story::begin(90, vec![resolved("P1", 20)]).await;
    story.poll().await.unwrap();
    assert!(story.incidents()["P1"].resolved_at.is_some());
    story.change(|account| account.incidents = vec![open("P1", 20)]);
    story.poll().await.unwrap();
    assert_eq!(story.incidents()["P1"].resolved_at, None);
}

#[tokio::test]
async fn an_incident_is_gone_only_if_it_is_not_found_again_and_again() {
    let mut story = Story::begin(90, vec![open("P1", 20), open("P2", 20)]).await;
    story.poll().await.unwrap();
    let blink = story.account.lock().unwrap().incidents.pop();
    story.change(|account| account.incidents.clear());
    let mut gone = Vec::new();
    for poll in 0..4 {
        if poll == 1 {
            story.change(|account| account.incidents.extend(blink.clone()));
        }
        story.poll().await.unwrap();
        gone.push(story.gone());
    }
    assert_eq!(gone, [vec![], vec![], vec!["P1".to_owned()], vec![]]);
    assert_eq!((story.asked().len(), story.ids()), (2, vec!["P2".to_owned()]));
}

#[tokio::test]
async fn a_lost_permission_is_no_deletion() {
    let mut story = Story::begin(90, vec![open("P1", 20), resolved("P2", 1)]).await;
    story.poll().await.unwrap();
    story.change(|account| drop(account.incidents.remove(0)));
    story.fault(|line| line.starts_with("/incidents/P1").then(|| (403, "no".to_owned())));
    for _ in 0..5 {
        let polled = story.poll().await.unwrap();
        assert_eq!(polled.problems.len(), 1);
        assert_eq!(polled.problems[0].reason, Reason::Forbidden);
        assert_eq!((story.ids(), story.gone()), (vec!["P2".to_owned()], vec![]));
    }
    story.fault(|_| Some((402, "no".to_owned())));
    assert_eq!(failed(story.poll().await), Reason::Forbidden);
    assert!(story.batches.is_empty());
}

#[tokio::test]
async fn what_was_read_is_stored_before_a_failed_question_ends_the_poll() {
    let mut story = Story::begin(90, vec![open("P1", 20), open("P2", 1)]).await;
    story.poll().await.unwrap();
    story.change(|account| drop(account.incidents.remove(0)));
    story.fault(|line| line.starts_with("/incidents/").then(|| (500, String::new())));
    assert_eq!(failed(story.poll().await), Reason::Server);
    assert_eq!((story.ids(), story.gone()), (vec!["P2".to_owned()], vec![]));
    assert!(story.batches.iter().all(|batch| batch.cursors.is_empty()));
}

#[tokio::test]
async fn a_list_that_breaks_in_the_middle_changes_nothing() {
    let many = || (0..150).map(|n| open(&format!("P{n}"), 1)).collect::<Vec<_>>();
    let page_twice = json!({"incidents": [open("P1", 1)], "more": true}).to_string();
    let empty_page = json!({"incidents": [], "more": true}).to_string();
    for (second_page, reason) in [
        ((500, String::new()), Reason::Server),
        ((401, String::new()), Reason::Auth),
        ((429, String::new()), Reason::RateLimited),
        ((200, "{\"incidents\": [".to_owned()), Reason::Malformed),
        ((200, "null".to_owned()), Reason::Malformed),
        ((200, page_twice), Reason::Malformed),
        ((200, empty_page), Reason::Malformed),
    ] {
        let mut story = Story::begin(90, many()).await;
        let answer = second_page.clone();
        story.fault(move |line| line.contains("offset=100").then(|| answer.clone()));
        assert_eq!(failed(story.poll().await), reason, "{second_page:?}");
        assert!(story.batches.is_empty() && story.cursors.is_empty(), "{second_page:?}");
        assert!(story.asked().len() <= 4, "{second_page:?}");
    }
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let mut story = Story::begin(90, vec![]).await;
    story.fault(|line| {
        let id = line.split("offset=").nth(1).unwrap_or_default();
        Some((200, json!({"incidents": [open(&format!("P{id}"), 1)], "more": true}).to_string()))
    });
    assert_eq!(failed(story.poll().await), Reason::Malformed);
    assert_eq!((story.asked().len(), story.batches.len()), (100, 0));
}

#[tokio::test]
async fn of_a_day_with_too_many_incidents_ten_thousand_are_read_and_it_is_told() {
    let incidents = (0..REACH + 50).map(|n| resolved(&format!("P{n}"), 1)).collect();
    let mut story = Story::begin(1, incidents).await;
    let polled = story.poll().await.unwrap();
    assert_eq!(story.ids().len(), REACH);
    let told: Vec<_> = polled.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["acme: more than 10000 incidents were created on a day; the rest cannot be read (malformed)"]
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_left_out_and_told() {
    let bad = json!({"id": "P1", "created_at": ago(1), "status": "resolved", "resolved_at": "yesterday"});
    let mut story = Story::begin(2, vec![bad, resolved("P2", 1)]).await;
    let polled = story.poll().await.unwrap();
    assert_eq!(story.ids(), ["P2"]);
    let told: Vec<_> = polled.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["acme: incident P1 is resolved, but has no date of it (malformed)"]);
}

#[tokio::test]
async fn a_window_with_too_many_incidents_is_halved_until_it_fits() {
    let incidents: Vec<_> = (0..60).map(|day| resolved(&format!("P{day}"), day)).collect();
    let mut story = Story::begin(59, incidents).await;
    story.fault(|line| {
        let bound = |name: &str| at(line.split(name).nth(1).unwrap().split(' ').next().unwrap());
        let counted = line.contains("total=true");
        (counted && bound("until=").since(bound("since=")) > Span::from_days(6))
            .then(|| (200, json!({"incidents": [], "more": true, "total": REACH + 1}).to_string()))
    });
    let polled = story.poll().await.unwrap();
    assert_eq!(polled, Polled { backfill: Backfill::Complete, ..Polled::default() });
    assert_eq!(story.ids().len(), 60);
}

#[tokio::test]
async fn a_backfill_that_was_interrupted_goes_on_where_it_was() {
    let incidents: Vec<_> = (0..90).map(|day| resolved(&format!("P{day}"), day)).collect();
    let mut story = Story::begin(89, incidents).await;
    story.fault(|line| line.contains("until=2026-10-25").then(|| (500, String::new())));
    assert_eq!(failed(story.poll().await), Reason::Server);
    assert!(story.ids().contains(&"P29".to_owned()) && !story.ids().contains(&"P32".to_owned()));

    story.change(|account| account.fault = None);
    let polled = story.poll().await.unwrap();
    assert_eq!(polled.backfill, Backfill::Complete);
    assert_eq!(story.asked().len(), 2 + 2, "{:#?}", story.asked());
    assert!(story.ids().contains(&"P89".to_owned()) && !story.ids().contains(&"P20".to_owned()));
}

#[tokio::test]
async fn a_late_edit_of_an_old_incident_is_seen_by_the_next_sweep_and_is_no_first_contact() {
    let mut story = Story::begin(90, vec![resolved("P1", 60)]).await;
    story.poll().await.unwrap();
    story.change(|account| account.incident("P1")["priority"] = json!({"summary": "P1"}));
    story.poll().await.unwrap();
    assert_eq!(story.ids(), [""; 0]);
    story.poll_at(at(NOW).plus(Span::from_hours(15))).await.unwrap();
    assert_eq!(story.incidents()["P1"].severity.as_str(), "p1");
    assert!(story.batches.iter().all(|batch| batch.contact == Contact::Live));
}

#[tokio::test]
async fn a_wrong_token_is_asked_with_once() {
    let mut story = Story::begin(90, vec![open("P1", 1)]).await;
    story.fault(|_| Some((401, json!({"error": {"code": 2006}}).to_string())));
    assert_eq!(failed(story.poll().await), Reason::Auth);
    assert_eq!((story.asked().len(), story.batches.len()), (1, 0));
}

#[tokio::test]
async fn a_cursor_that_cannot_be_read_is_begun_anew() {
    let mut story = Story::begin(90, vec![open("P1", 60)]).await;
    story.cursors.insert("incidents".to_owned(), "{\"version\":99}".to_owned());
    let polled = story.poll().await.unwrap();
    assert_eq!((polled.backfill, story.ids()), (Backfill::Complete, vec!["P1".to_owned()]));
}
