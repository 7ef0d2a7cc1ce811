//! What the simulated GitHub answers over REST is what GitHub's description of its API allows: routes, parameters,
//! statuses, fields, types, words.

use std::path::Path;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};
use sextant::demo::github::Enterprise;
use sextant::demo::identity::{App, Identities, Installation, Permissions, Token};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::demo::world::changed_file::{ChangedFile, How};
use sextant::demo::world::workflow::{Conclusion, Progress};
use sextant::model::time::Span;

use super::demo_stage::{Stage, acme, ago, now};

const PRIVATE_KEY: &str = include_str!("../fixtures/github-app/private-key.pem");
const PUBLIC_KEY: &str = include_str!("../fixtures/github-app/public-key.pem");

/// A published description, cut down to what is served.
struct Contract(Value);

impl Contract {
    fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/openapi").join(name);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; run scripts/fetch-schemas", path.display()));
        Self(serde_json::from_str(&text).unwrap())
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.resolve(self.0.pointer(reference.trim_start_matches('#')).unwrap()),
            None => schema,
        }
    }

    /// The parameters of an operation that go into the query.
    fn knows_parameter(&self, operation: &Value, name: &str) -> bool {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        parameters.iter().map(|it| self.resolve(it)).any(|it| it["in"] == "query" && it["name"] == name)
    }

    /// What is wrong with a value, with the place of each fault.
    fn faults(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        self.faults_of(schema, value, at, false, faults);
    }

    /// A part of several does not know all fields: then it is lenient.
    fn faults_of(&self, schema: &Value, value: &Value, at: &str, lenient: bool, faults: &mut Vec<String>) {
        let schema = self.resolve(schema);
        if value.is_null() {
            let parts = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array());
            let allows =
                |it: &Value| self.resolve(it)["nullable"] == true || self.resolve(it)["type"] == "null";
            if schema["nullable"] != true
                && !parts.is_some_and(|parts| parts.iter().any(allows))
                && !schema["type"].is_null()
            {
                faults.push(format!("{at} is null"));
            }
            return;
        }
        for (name, all) in [("allOf", true), ("anyOf", false), ("oneOf", false)] {
            let Some(parts) = schema[name].as_array() else { continue };
            let of_each = parts.iter().map(|part| {
                let mut own = Vec::new();
                self.faults_of(part, value, at, lenient || all || schema["properties"].is_object(), &mut own);
                own
            });
            let of_each: Vec<_> = of_each.collect();
            if all {
                faults.extend(of_each.into_iter().flatten());
            } else if let Some(least) = of_each.into_iter().min_by_key(Vec::len) {
                faults.extend(least);
            }
        }
        let fits = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            _ => true,
        };
        if !fits {
            faults.push(format!("{at} is {value}, no {}", schema["type"]));
        }
        if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
            faults.push(format!("{at} is {value}, none of {}", schema["enum"]));
        }
        if let Some(items) = value.as_array() {
            for (place, item) in items.iter().enumerate() {
                self.faults(&schema["items"], item, &format!("{at}[{place}]"), faults);
            }
        }
        if let (Some(fields), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let missing =
                required.iter().filter_map(Value::as_str).filter(|name| !object.contains_key(*name));
            faults.extend(missing.map(|name| format!("{at}.{name} is missing")));
            for (name, inner) in object {
                let open = lenient || !schema["additionalProperties"].is_null();
                match fields.get(name) {
                    Some(schema) => self.faults(schema, inner, &format!("{at}.{name}"), faults),
                    None if open => {}
                    None => faults.push(format!("{at}.{name} is unheard of")),
                }
            }
        }
    }

    /// What is wrong with an answer.
    fn check(&self, method: &Method, template: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
        let operation = &self.0["paths"][template][method.as_str().to_lowercase()];
        let mut faults = Vec::new();
        if operation.is_null() {
            return vec![format!("there is no {method} {template}")];
        }
        let query = path.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap();
            if !self.knows_parameter(operation, name) {
                faults.push(format!("{template} has no parameter {name}"));
            }
        }
        let response = self.resolve(&operation["responses"][status.to_string()]);
        if response.is_null() {
            faults.push(format!("{method} {template} never answers {status}"));
        }
        let schema = &response["content"]["application/json"]["schema"];
        if schema.is_null() != body.is_null() {
            faults.push(format!("{method} {template} {status}: a body where there is none, or none"));
        } else if !schema.is_null() {
            self.faults(schema, body, template, &mut faults);
        }
        faults
    }
}

fn everything() -> World {
    let mut world = acme();
    let shop = world.repository("acme/shop", ago(300));
    let commit = world.push(shop, "ada", "Begin", ago(299), ago(299));
    let renamed = How::RenamedFrom("b.rs".to_owned());
    let file = |path: &str, how| ChangedFile { path: path.to_owned(), how, additions: 3, deletions: 1 };
    world.touch_files(
        shop,
        commit,
        vec![file("a.rs", How::Added), file("c.rs", renamed), file("d.rs", How::Removed)],
    );
    let workflow = world.workflow(shop, "deploy.yml", "Deploy", ago(298));
    for (hours, progress) in [
        (90, Progress::Completed(Conclusion::Success)),
        (80, Progress::Completed(Conclusion::StartupFailure)),
        (70, Progress::Unconcluded),
        (60, Progress::Waiting),
    ] {
        let run = world.start_run(workflow, "push", commit, ago(hours));
        world.progress_run(run, progress, ago(hours - 1));
    }
    let last = world.start_run(workflow, "workflow_dispatch", commit, ago(50));
    world.finish_run(last, Conclusion::Failure, ago(49));
    world.rerun(last, ago(48));
    world.edit_run(last, ago(47), |run| run.branch = None);
    world.advance(now());
    world
}

fn signature() -> String {
    let claims = json!({
        "iss": "77",
        "iat": now().minus(Span::from_minutes(1)).millis() / 1_000,
        "exp": now().plus(Span::from_minutes(8)).millis() / 1_000,
    });
    let key = EncodingKey::from_rsa_pem(PRIVATE_KEY.as_bytes()).unwrap();
    encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
}

/// Who asks a question.
#[derive(Clone, Copy)]
enum Who {
    Classic,
    Narrow,
    App,
    Installation,
}

/// A route, who asks, the path, and the status to be answered.
fn questions(number: u64, enterprise: bool) -> Vec<(String, Who, String, u16)> {
    let workflow = "/repos/{owner}/{repo}/actions/workflows/{workflow_id}";
    let run = "/repos/{owner}/{repo}/actions/runs/{run_id}";
    let filters = "branch=main&event=push&status=completed&created=%3E2020-01-01&per_page=2&page=1&exclude_pull_requests=true";
    vec![
        ("/user".to_owned(), Who::Classic, "/user".to_owned(), 200),
        ("/meta".to_owned(), Who::Classic, "/meta".to_owned(), 200),
        (
            "/rate_limit".to_owned(),
            Who::Classic,
            "/rate_limit".to_owned(),
            if enterprise { 404 } else { 200 },
        ),
        ("/repos/{owner}/{repo}".to_owned(), Who::Classic, "/repos/acme/shop".to_owned(), 200),
        (
            "/repos/{owner}/{repo}/actions/workflows".to_owned(),
            Who::Classic,
            "/repos/acme/shop/actions/workflows?per_page=1".to_owned(),
            200,
        ),
        (workflow.to_owned(), Who::Classic, "/repos/acme/shop/actions/workflows/deploy.yml".to_owned(), 200),
        (
            format!("{workflow}/runs"),
            Who::Classic,
            "/repos/acme/shop/actions/workflows/deploy.yml/runs".to_owned(),
            200,
        ),
        (
            format!("{workflow}/runs"),
            Who::Classic,
            format!("/repos/acme/shop/actions/workflows/deploy.yml/runs?{filters}"),
            200,
        ),
        (run.to_owned(), Who::Classic, format!("/repos/acme/shop/actions/runs/{number}"), 200),
        (
            format!("{run}/attempts/{{attempt_number}}"),
            Who::Classic,
            format!("/repos/acme/shop/actions/runs/{number}/attempts/1"),
            200,
        ),
        (
            "/repos/{owner}/{repo}/commits/{ref}".to_owned(),
            Who::Classic,
            "/repos/acme/shop/commits/main?per_page=2&page=1".to_owned(),
            200,
        ),
        (
            "/repos/{owner}/{repo}/commits/{ref}".to_owned(),
            Who::Classic,
            "/repos/acme/shop/commits/nowhere".to_owned(),
            422,
        ),
        ("/repos/{owner}/{repo}".to_owned(), Who::Narrow, "/repos/acme/shop".to_owned(), 404),
        ("/app".to_owned(), Who::App, "/app".to_owned(), 200),
        ("/app/installations".to_owned(), Who::App, "/app/installations?per_page=1&page=1".to_owned(), 200),
        ("/app/installations/{installation_id}".to_owned(), Who::App, "/app/installations/1".to_owned(), 200),
        ("/app/installations/{installation_id}".to_owned(), Who::App, "/app/installations/2".to_owned(), 404),
        ("/orgs/{org}/installation".to_owned(), Who::App, "/orgs/acme/installation".to_owned(), 200),
        (
            "/installation/repositories".to_owned(),
            Who::Installation,
            "/installation/repositories?per_page=1".to_owned(),
            200,
        ),
    ]
}

async fn faults(contract: &Contract, enterprise: Option<Enterprise>) -> Vec<String> {
    let installation = Installation::new(1, "acme", Permissions::to_read());
    let app = App::new(77, "sextant", PUBLIC_KEY).installed(installation);
    let stranger = Token::fine_grained("narrow", "bela", "globex", Permissions::to_read());
    let prefix = if enterprise.is_some() { "/api/v3" } else { "" };
    let options = Options {
        github_identities: Identities::new(vec![stranger], vec![app]),
        github_enterprise: enterprise.clone(),
        ..Options::default()
    };
    let stage = Stage::with(everything(), options).await;
    let number = stage.world.tell(|world| world.repositories[0].workflows[0].runs[4].database_id);
    let (classic, narrow, jwt) = ("demo-github-token".to_owned(), "narrow".to_owned(), signature());
    let send = async |method: &Method, token: &str, path: &str| {
        let url = format!("{}{prefix}{path}", stage.servers.github.url);
        let response = stage.client.request(method.clone(), url).bearer_auth(token).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap_or_default())
    };
    let minted = send(&Method::POST, &jwt, "/app/installations/1/access_tokens").await.1;
    let minted = minted["token"].as_str().unwrap().to_owned();
    let mut wrong = Vec::new();
    for (template, who, path, expected) in questions(number, enterprise.is_some()) {
        let token = match who {
            Who::Classic => &classic,
            Who::Narrow => &narrow,
            Who::App => &jwt,
            Who::Installation => &minted,
        };
        let (status, body) = send(&Method::GET, token, &path).await;
        if status != expected {
            wrong.push(format!("{path}: {status} {body}"));
        }
        wrong.extend(contract.check(&Method::GET, &template, &path, status, &body));
    }
    let mint = "/app/installations/{installation_id}/access_tokens";
    let (status, body) = send(&Method::POST, &jwt, "/app/installations/1/access_tokens").await;
    wrong.extend(contract.check(&Method::POST, mint, "", status, &body));
    let (status, body) = send(&Method::DELETE, &minted, "/installation/token").await;
    wrong.extend(contract.check(&Method::DELETE, "/installation/token", "", status, &body));
    wrong
}

#[tokio::test]
async fn rest_answers_are_those_of_the_published_description() {
    assert_eq!(faults(&Contract::read("github.json"), None).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_enterprise_server_answers_as_its_own_description_says() {
    let enterprise = Some(Enterprise::default());
    assert_eq!(faults(&Contract::read("enterprise.json"), enterprise).await, Vec::<String>::new());
}

#[test]
fn a_wrong_answer_is_found() {
    let contract = Contract::read("github.json");
    let template = "/repos/{owner}/{repo}/actions/workflows";
    let rows = [
        (json!({"total_count": 0, "workflows": []}), 0),
        (json!({"workflows": []}), 1),
        (json!({"total_count": "0", "workflows": []}), 1),
        (json!({"total_count": 0, "workflows": [], "more": 1}), 1),
        (json!({"total_count": 0, "workflows": [null]}), 1),
    ];
    for (body, faults) in rows {
        let found = contract.check(&Method::GET, template, template, 200, &body);
        assert_eq!(found.len(), faults, "{body}: {found:?}");
    }
    assert!(
        !contract
            .check(&Method::GET, template, "/x?nonsense=1", 200, &json!({"total_count": 0, "workflows": []}))
            .is_empty()
    );
    assert!(!contract.check(&Method::GET, "/nowhere", "", 200, &json!({})).is_empty());
    assert!(!contract.check(&Method::GET, template, "", 418, &json!({})).is_empty());
}
