//! A Prometheus that answers as it is told, after the description of its HTTP API: what it answers depends on the
//! query alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How a query is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// With this status, type and body.
    With(u16, &'static str, String),
    /// Never.
    Hang,
}

/// A successful answer with this `data`.
pub(crate) fn data(data: &str) -> Reply {
    Reply::With(200, "application/json", format!(r#"{{"status":"success","data":{data}}}"#))
}

/// A vector of one sample.
pub(crate) fn one(value: &str) -> Reply {
    data(&format!(r#"{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"{value}"]}}]}}"#))
}

/// A refusal as Prometheus words it.
pub(crate) fn refusal(status: u16, kind: &str, error: &str) -> Reply {
    let body = serde_json::json!({ "status": "error", "errorType": kind, "error": error });
    Reply::With(status, "application/json", body.to_string())
}

/// A question that was asked: its path, its parameters, its headers.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) path: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
}

#[derive(Debug, Default)]
struct Script {
    values: Mutex<BTreeMap<String, Reply>>,
    histories: Mutex<BTreeMap<String, Reply>>,
    questions: Mutex<Vec<Question>>,
}

/// The server.
pub(crate) struct ScriptedPrometheus {
    pub(crate) url: String,
    script: Arc<Script>,
    _serving: JoinSet<()>,
}

impl ScriptedPrometheus {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Script::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script, _serving: serving }
    }

    /// What a query gives from now on; its past is empty until it is told.
    pub(crate) fn give(&self, query: &str, reply: Reply) {
        self.script.values.lock().unwrap().insert(query.to_owned(), reply);
    }

    /// What the past of a query is from now on.
    pub(crate) fn give_past(&self, query: &str, reply: Reply) {
        self.script.histories.lock().unwrap().insert(query.to_owned(), reply);
    }

    /// What was asked since this was asked for last.
    pub(crate) fn asked(&self) -> Vec<Question> {
        std::mem::take(&mut *self.script.questions.lock().unwrap())
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let parameters: BTreeMap<String, String> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let path = request.uri().path().to_owned();
    let asked = parameters.get("query").cloned().unwrap_or_default();
    let headers = request.headers().clone();
    script.questions.lock().unwrap().push(Question { path: path.clone(), parameters, headers });
    let nothing = || data(r#"{"resultType":"matrix","result":[]}"#);
    let reply = match path.as_str() {
        "/api/v1/query" => script.values.lock().unwrap().get(&asked).cloned(),
        "/api/v1/query_range" => {
            Some(script.histories.lock().unwrap().get(&asked).cloned().unwrap_or_else(nothing))
        }
        _ => None,
    };
    let (status, kind, body) = match reply {
        Some(Reply::With(status, kind, body)) => (status, kind, body),
        Some(Reply::Hang) => std::future::pending().await,
        None => (404, "text/plain", "404 page not found\n".to_owned()),
    };
    Response::builder().status(status).header("content-type", kind).body(Body::from(body)).unwrap()
}
