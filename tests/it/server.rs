//! The server, over real HTTP.
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use sextant::engine::snapshot::{Snapshot, TeamValues};
use sextant::exposition::{Limits, Published};
use sextant::model::settings::Window;
use sextant::server::{ConnectionLimits, ServerState, serve};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exposition_fixture::{busy, counters, idle, snapshot, telemetry};

/// A server on a free port.
struct Running {
    address: SocketAddr,
    publish: watch::Sender<Option<Arc<Published>>>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    client: Client,
}

impl Running {
    async fn start() -> Self {
        Self::with(ConnectionLimits::default()).await
    }

    async fn with(limits: ConnectionLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (publish, published) = watch::channel(None);
        let state = ServerState::new(published).limited(limits);
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(serve(listener, state, shutdown.clone()));
        let client = Client::builder().no_gzip().timeout(Duration::from_secs(30)).build().unwrap();
        Self { address, publish, shutdown, tasks, client }
    }

    fn publish(&self) -> Arc<Published> {
        let own = telemetry().gather();
        self.publish_snapshot(
            Published::new("acme".into(), Arc::new(snapshot()), &counters(), &own, Limits::default())
                .unwrap(),
        )
    }

    fn publish_snapshot(&self, published: Published) -> Arc<Published> {
        let published = Arc::new(published);
        self.publish.send_replace(Some(Arc::clone(&published)));
        published
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, response.bytes().await.unwrap().into())
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
        self.ask(Method::GET, path, &[]).await
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[tokio::test]
async fn it_is_healthy_at_once_and_ready_with_the_first_snapshot() {
    let server = Running::start().await;
    assert_eq!(server.get("/-/healthy").await.0, 200);
    for path in ["/-/ready", "/metrics"] {
        let (status, headers, body) = server.get(path).await;
        assert_eq!((status.as_u16(), &headers["retry-after"]), (503, &"1".parse().unwrap()), "{path}");
        assert_eq!(headers["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains("first snapshot"));
    }
    assert_eq!(server.get("/").await.0, 200);
    server.publish();
    for path in ["/-/ready", "/-/healthy", "/metrics", "/"] {
        assert_eq!(server.get(path).await.0, 200, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn metrics_come_in_the_format_and_encoding_that_was_asked_for() {
    let server = Running::start().await;
    let rendered = server.publish().rendered.clone();
    let text = "text/plain; version=0.0.4; charset=utf-8";
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, encoding, content_type, body) in [
        ("*/*", "identity", text, &rendered.text),
        ("*/*", "gzip", text, &rendered.text_gzip),
        (prometheus, "gzip", openmetrics, &rendered.openmetrics_gzip),
        (prometheus, "gzip;q=0", openmetrics, &rendered.openmetrics),
    ] {
        let headers = [("accept", accept), ("accept-encoding", encoding)];
        let (status, found, received) = server.ask(Method::GET, "/metrics", &headers).await;
        assert_eq!(status, 200);
        assert_eq!(found["content-type"], content_type, "{accept}");
        assert_eq!(found["vary"], "accept, accept-encoding");
        assert_eq!(found.get("content-encoding").is_some(), encoding == "gzip", "{encoding}");
        assert!(received == body[..], "{accept} {encoding}");
        let (status, found, received) = server.ask(Method::HEAD, "/metrics", &headers).await;
        assert_eq!((status.as_u16(), received.len()), (200, 0));
        assert_eq!(found["content-length"], body.len().to_string().as_str());
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_document_and_never_a_5xx() {
    let server = Running::start().await;
    server.publish();
    for (method, path, status) in [
        (Method::GET, "/nothing", 404),
        (Method::GET, "/metrics/", 404),
        (Method::GET, "/%00%ff?x=%zz", 404),
        (Method::GET, "//", 404),
        (Method::POST, "/-/reload", 404),
        (Method::POST, "/metrics", 405),
        (Method::PUT, "/", 405),
        (Method::DELETE, "/-/ready", 405),
        (Method::OPTIONS, "/-/healthy", 405),
    ] {
        let (found, headers, body) = server.ask(method.clone(), path, &[]).await;
        assert_eq!(found, status, "{method} {path}");
        assert_eq!(headers["content-type"], "application/problem+json", "{method} {path}");
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["status"], status);
        for field in ["type", "title", "detail"] {
            assert!(problem[field].is_string(), "{field}");
        }
        if status == 405 {
            assert_eq!(headers["allow"], "GET,HEAD", "{method} {path}");
        }
    }
    let long = "x".repeat(20_000);
    assert_eq!(server.ask(Method::GET, "/metrics", &[("x-long", &long)]).await.0, 431);
    server.stop().await;
}

#[tokio::test]
async fn every_answer_tells_the_browser_to_load_nothing() {
    let server = Running::start().await;
    server.publish();
    for path in ["/", "/metrics", "/-/healthy", "/nothing"] {
        let (_, headers, _) = server.get(path).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_landing_page_says_what_is_known_and_shows_a_dash_for_what_is_not() {
    let server = Running::start().await;
    server.publish();
    let (_, headers, body) = server.get("/").await;
    let page = String::from_utf8(body).unwrap();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    for expected in [
        "<h1>acme</h1>",
        "<td><span class=\"quiet\">not enough data: 5 of 14 working days</span> <span class=\"quiet\">n 8</span></td>",
        "<td><span class=\"value\">3.0 per day</span> <span class=\"quiet\"><span class=\"value\">0.50</span> to \
         <span class=\"value\">2.2</span></span> <span class=\"quiet\">n 21</span></td>",
        "<td><span class=\"value\">1 h 30 min</span> <span class=\"quiet\"><span class=\"value\">1 h 0 min</span> to \
         <span class=\"value\">2 h 30 min</span></span> <span class=\"quiet\">n 11</span></td>",
        "<td><span class=\"quiet\">not enough data: 8 of 10 deployments</span></td>",
        "<td><span class=\"quiet\">not enough data: 1 of 6 recoveries</span></td>",
        "<td><span class=\"quiet\">not enough data: it could be almost anything</span> <span class=\"quiet\">n 21</span></td>",
        "30d <span class=\"quiet\">history incomplete</span>",
        "<th scope=\"row\">acme-github</th><td>github</td><td>succeeded</td>",
        "<th scope=\"row\">acme-pagerduty</th><td>pagerduty</td><td>failed</td>",
        "href=\"/metrics\"",
        "href=\"/-/healthy\"",
        "href=\"/-/ready\"",
    ] {
        assert!(page.contains(expected), "{expected} is missing in {page}");
    }
    let tables: Vec<&str> = page.split("<caption>").collect();
    let names: Vec<&str> = tables[1..].iter().map(|table| table.split_once('<').unwrap().0).collect();
    assert_eq!(names, ["payments", "platform", "search"]);
    assert!(page.contains("<div class=\"wide\" id=\"payments\">"), "alerts lead to a team: {page}");
    let unknown = "<td><abbr title=\"unknown\">–</abbr></td>";
    let (never, _) = tables[3].split_once("</table>").unwrap();
    assert_eq!(never.matches(unknown).count(), 10, "a team that never deployed: {never}");
    assert_eq!(tables[2].matches(unknown).count(), 0, "a team that deployed once, long ago: {}", tables[2]);
    assert!(tables[2].contains("not enough data: 0 of 6 changes"), "{}", tables[2]);
    assert!(!page.contains("<script"));
    server.stop().await;
}

#[tokio::test]
async fn names_on_the_page_are_text_and_a_long_list_of_teams_is_cut_with_a_word() {
    let server = Running::start().await;
    let mut snapshot = Snapshot { windows: vec![Window::parse("7d").unwrap()], ..snapshot() };
    let mut values = snapshot.teams.values().next().cloned().unwrap();
    values.values = idle();
    snapshot.teams = (0..510).map(|n| (format!("team{n:03}").as_str().into(), values.clone())).collect();
    values.values = busy();
    snapshot.teams.insert("<b>&\"".into(), values);
    snapshot.teams.insert("anew".into(), TeamValues::default());
    let published = Published::new("<i>".into(), Arc::new(snapshot), &[], &[], Limits::default()).unwrap();
    server.publish_snapshot(published);
    let page = String::from_utf8(server.get("/").await.2).unwrap();
    assert!(!page.contains("<i>") && !page.contains("<b>"));
    assert!(page.contains("12 more teams are in the metrics"));
    let (_, anew) = page.split_once("<caption>anew<").unwrap();
    let (anew, _) = anew.split_once("</table>").unwrap();
    assert!(anew.contains("<th scope=\"col\">7d"), "a team of which nothing is known yet: {anew}");
    assert_eq!(anew.matches("<td><abbr title=\"unknown\">").count(), 5, "{anew}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_is_cut_off() {
    let limits = ConnectionLimits { head_read: Duration::from_millis(20), ..ConnectionLimits::default() };
    let server = Running::with(limits).await;
    let address = server.address;
    let cut_off = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest)
    });
    let rest = cut_off.await.unwrap();
    assert!(rest.is_ok(), "closed, not timed out: {rest:?}");
    server.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_and_old_ones_make_room() {
    let limits = ConnectionLimits {
        connections_max: 1,
        connection: Duration::from_millis(20),
        ..ConnectionLimits::default()
    };
    let server = Running::with(limits).await;
    let address = server.address;
    // Opens the only connection there may be and says nothing; it is closed in time, and the next one is served.
    let held = tokio::task::spawn_blocking(move || std::net::TcpStream::connect(address).unwrap());
    let held = held.await.unwrap();
    assert_eq!(server.get("/-/healthy").await.0, 200);
    drop(held);
    server.stop().await;
}

#[tokio::test]
async fn shutdown_ends_idle_connections_and_refuses_new_ones() {
    let server = Running::start().await;
    assert_eq!(server.get("/-/healthy").await.0, 200);
    let (address, client) = (server.address, server.client.clone());
    server.stop().await;
    let refused = client.get(format!("http://{address}/-/healthy")).send().await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn the_runbook_of_an_alert_is_at_its_name() {
    let running = Running::start().await;
    let (status, _, body) = running.get("/runbooks/DoraRegressed").await;
    let body = String::from_utf8(body).unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(body.starts_with("DoraRegressed\n\n**Says**") && body.contains("**Clears**"), "{body}");
    assert!(!body.contains("## "), "one alert's text and no other's: {body}");
    let (status, _, _) = running.get("/runbooks/Dora").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    running.stop().await;
}
