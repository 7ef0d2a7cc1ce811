//! Signing in, against a server that knows only what an App asks for.

use std::collections::VecDeque;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::clock::Clock;
use crate::http::{Bounds, Governors, Options};
use crate::telemetry::Telemetry;

const PRIVATE_KEY: &str = include_str!("../../../../tests/fixtures/github-app/private-key.pem");
const PUBLIC_KEY: &str = include_str!("../../../../tests/fixtures/github-app/public-key.pem");
const LONG_TOKEN: &str = "ghs_4711_eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLXdpdGgtLWRhc2hlcw";

#[derive(Debug)]
struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        at(0).datetime()
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

#[derive(Debug, Default)]
struct Script {
    replies: Mutex<VecDeque<(u16, String)>>,
    asked: Mutex<Vec<(String, String)>>,
}

/// A server that answers as it is told, the last answer for ever.
struct GitHub {
    url: String,
    script: Arc<Script>,
    telemetry: Telemetry,
    _serving: JoinSet<()>,
}

impl GitHub {
    async fn start(replies: impl IntoIterator<Item = (u16, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v3", listener.local_addr().unwrap());
        let script = Arc::new(Script::default());
        script
            .replies
            .lock()
            .unwrap()
            .extend(replies.into_iter().map(|(status, body)| (status, body.to_string())));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script, telemetry: Telemetry::new(), _serving: serving }
    }

    fn signer(&self, key: &str, installation: Option<u64>) -> Signer {
        let key = key.to_owned();
        self.signer_by(Credential::new(move || Ok(SecretString::from(key.clone()))), installation)
    }

    fn signer_by(&self, key: Credential, installation: Option<u64>) -> Signer {
        let options = Options {
            source: "acme".to_owned(),
            base_url: self.url.clone(),
            scheme: "Bearer ",
            credential: Credential::new(|| Err("nobody signed in".to_owned())),
            identity: "app 4711".to_owned(),
            headers: Vec::new(),
            budget: 0.8,
            ca_pem: None,
        };
        let telemetry = self.telemetry.source("acme", "github");
        let http = Http::with_bounds(
            options,
            Bounds::default(),
            &Governors::default(),
            Arc::new(FixedClock),
            telemetry,
        );
        Signer::app(http.unwrap(), self.url.clone(), "4711".to_owned(), key, installation)
    }

    /// What was asked, each with its `Authorization`.
    fn asked(&self) -> Vec<(String, String)> {
        self.script.asked.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|(line, _)| line).collect()
    }

    fn then(&self, status: u16, body: &Value) {
        *self.script.replies.lock().unwrap() = [(status, body.to_string())].into();
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response<Body> {
    let authorization = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
    let asked = (format!("{} {}", request.method(), request.uri()), authorization.to_owned());
    script.asked.lock().unwrap().push(asked);
    let (status, body) = {
        let mut replies = script.replies.lock().unwrap();
        let reply = replies.pop_front().unwrap();
        if replies.is_empty() {
            replies.push_back(reply.clone());
        }
        reply
    };
    let body = body.replace("<authorization>", authorization);
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

fn installation(id: u64, login: &str) -> Value {
    json!({"id": id, "account": {"login": login, "type": "Organization"}, "suspended_at": null})
}

fn token(secret: &str, seconds: i64) -> Value {
    json!({"token": secret, "expires_at": at(seconds).to_string(), "permissions": {"metadata": "read"}})
}

fn present(identity: &Identity) -> Result<String, String> {
    identity.credential.secret().map(|secret| secret.expose_secret().to_owned())
}

#[tokio::test]
async fn a_token_of_the_configuration_is_one_identity_for_every_owner() {
    let tokens = Mutex::new(VecDeque::from(["old", "new"]));
    let credential =
        Credential::new(move || Ok(SecretString::from(tokens.lock().unwrap().pop_front().unwrap())));
    let signer = Signer::token(credential, "env GITHUB_TOKEN".to_owned());
    let found = signer.identities(at(0)).await.unwrap();
    let [identity] = &found.identities[..] else { panic!("{found:?}") };
    assert_eq!((&identity.account, &*identity.label), (&None, "env GITHUB_TOKEN"));
    signer.fresh(identity, at(0)).await.unwrap();
    assert!(!identity.void(at(9_999)));
    assert_eq!(present(identity), Ok("old".to_owned()));
    assert_eq!(present(identity), Ok("new".to_owned()), "a token that was replaced is found");
}

#[tokio::test]
async fn an_app_finds_its_installations_on_all_pages_and_signs_each_question() {
    let first: Vec<Value> = (1..=100).map(|n| installation(n, &format!("org-{n}"))).collect();
    let second = vec![installation(101, "last"), json!({"id": 102, "account": null, "new_key": [1]})];
    let github = GitHub::start([(200, json!(first)), (200, json!(second))]).await;
    let signed = github.signer(PRIVATE_KEY, None).identities(at(0)).await.unwrap();

    assert_eq!((signed.identities.len(), signed.problems.len()), (102, 0));
    assert_eq!(signed.identities[100].account.as_deref(), Some("last"));
    assert_eq!((signed.identities[100].installation, &signed.identities[101].account), (Some(101), &None));
    assert_eq!(
        github.lines(),
        [
            "GET /api/v3/app/installations?per_page=100&page=1",
            "GET /api/v3/app/installations?per_page=100&page=2"
        ]
    );
    for (_, authorization) in github.asked() {
        let jwt = authorization.strip_prefix("Bearer ").unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        let key = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).unwrap();
        let claims = jsonwebtoken::decode::<Value>(jwt, &key, &validation).unwrap().claims;
        assert_eq!(claims, json!({"iss": "4711", "iat": 1_799_999_940, "exp": 1_800_000_540}));
    }
}

#[tokio::test]
async fn a_suspended_installation_is_told_and_left_out() {
    let suspended = json!({"id": 2, "account": {"login": "globex"}, "suspended_at": "2026-11-01T00:00:00Z"});
    let github = GitHub::start([(200, json!([installation(1, "acme"), suspended]))]).await;
    let signed = github.signer(PRIVATE_KEY, None).identities(at(0)).await.unwrap();
    let accounts: Vec<_> = signed.identities.iter().map(|identity| identity.account.as_deref()).collect();
    assert_eq!(accounts, [Some("acme")]);
    let [problem] = &signed.problems[..] else { panic!("{signed:?}") };
    assert_eq!(problem.reason, Reason::Forbidden);
    assert!(problem.what.contains("the App's installation for globex is suspended"), "{problem}");
}

#[tokio::test]
async fn a_token_is_minted_once_for_all_who_wait_and_renewed_before_it_ends() {
    let github = GitHub::start([
        (200, installation(7, "acme")),
        (201, token(LONG_TOKEN, 3_600)),
        (201, token("ghs_second", 7_200)),
    ])
    .await;
    let signer = github.signer(PRIVATE_KEY, Some(7));
    let found = signer.identities(at(0)).await.unwrap();
    let identity = &found.identities[0];
    assert_eq!(present(identity), Err("there is no token of the installation 7 yet".to_owned()));

    let waiting = (0..10).map(|_| signer.fresh(identity, at(0)));
    for outcome in futures_util::future::join_all(waiting).await {
        outcome.unwrap();
    }
    assert_eq!(present(identity).as_deref(), Ok(LONG_TOKEN));
    for (now, requests, expected) in
        [(3_299, 2, LONG_TOKEN), (3_300, 3, "ghs_second"), (3_301, 3, "ghs_second")]
    {
        signer.fresh(identity, at(now)).await.unwrap();
        assert_eq!((github.asked().len(), present(identity).as_deref()), (requests, Ok(expected)), "{now}");
    }
    assert_eq!(github.lines()[0], "GET /api/v3/app/installations/7");
    assert_eq!(github.lines()[1], "POST /api/v3/app/installations/7/access_tokens");
}

#[tokio::test]
async fn a_refused_token_is_forgotten_unless_it_is_new() {
    let github =
        GitHub::start([(200, installation(7, "acme")), (201, token("a", 3_600)), (201, token("b", 7_200))])
            .await;
    let signer = github.signer(PRIVATE_KEY, Some(7));
    let identity = signer.identities(at(0)).await.unwrap().identities.remove(0);
    signer.fresh(&identity, at(0)).await.unwrap();
    assert!(!identity.void(at(59)), "it would be minted again and again");
    assert!(identity.void(at(60)));
    assert!(!identity.void(at(60)), "it is forgotten once");
    signer.fresh(&identity, at(60)).await.unwrap();
    assert_eq!(present(&identity).as_deref(), Ok("b"));
}

#[tokio::test]
async fn a_token_outlives_a_failed_renewal_and_the_next_look_for_installations() {
    let github = GitHub::start([(200, json!([installation(7, "acme")])), (201, token("a", 3_600))]).await;
    let signer = github.signer(PRIVATE_KEY, None);
    let identity = signer.identities(at(0)).await.unwrap().identities.remove(0);
    signer.fresh(&identity, at(0)).await.unwrap();

    github.then(502, &json!("bad gateway"));
    signer.fresh(&identity, at(3_500)).await.unwrap();
    assert_eq!(present(&identity).as_deref(), Ok("a"));
    let failure = signer.fresh(&identity, at(3_600)).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Server);

    github.then(200, &json!([installation(7, "acme"), installation(8, "globex")]));
    let again = signer.identities(at(3_600)).await.unwrap().identities;
    assert_eq!(present(&again[0]).as_deref(), Ok("a"), "the same slot");
    assert!(present(&again[1]).is_err());
}

#[tokio::test]
async fn every_refusal_says_what_to_do_and_no_secret() {
    let echo = json!({"message": "Bad credentials", "echo": "<authorization>"});
    let skew = json!({"message": "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"});
    let late = json!({"message": "'Expiration time' claim ('exp') is too far in the future"});
    let nobody = json!({"message": "Integration not found"});
    let secondary = json!({"message": "You have exceeded a secondary rate limit."});
    for (status, body, reason, said) in [
        (401, echo, Reason::Auth, "the private key is not one of the App 4711"),
        (401, skew, Reason::Auth, "the clock of this machine is wrong"),
        (401, late, Reason::Auth, "the clock of this machine is wrong"),
        (404, nobody, Reason::NotFound, "the installation 7 of the App 4711 is gone"),
        (
            403,
            json!({"message": "This installation has been suspended"}),
            Reason::Forbidden,
            "has been suspended",
        ),
        (403, secondary, Reason::RateLimited, "secondary rate limit"),
        (502, json!("bad gateway"), Reason::Server, "answered 502"),
        (301, json!({}), Reason::Malformed, "answered 301"),
        (200, json!({"token": 5, "echo": LONG_TOKEN}), Reason::Malformed, "cannot be read"),
    ] {
        let github = GitHub::start([(200, installation(7, "acme"))]).await;
        let signer = github.signer(PRIVATE_KEY, Some(7));
        let identity = signer.identities(at(0)).await.unwrap().identities.remove(0);
        github.then(status, &body);
        let failure = signer.fresh(&identity, at(0)).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{failure}");
        assert!(failure.what.contains(said), "{failure}");
        let jwt = github.asked().pop().unwrap().1;
        for text in [failure.to_string(), format!("{signer:?} {identity:?} {failure:?}")] {
            for secret in [LONG_TOKEN, jwt.trim_start_matches("Bearer "), PRIVATE_KEY.lines().nth(1).unwrap()]
            {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn an_app_that_is_installed_nowhere_says_where_to_install_it() {
    let github = GitHub::start([(200, json!([]))]).await;
    let failure = github.signer(PRIVATE_KEY, None).identities(at(0)).await.unwrap_err();
    assert_eq!(failure.reason, Reason::NotFound);
    assert!(failure.what.contains("install it from its settings"), "{failure}");
}

#[tokio::test]
async fn a_key_is_read_for_each_signature_and_a_bad_one_is_not_sent() {
    for (key, said) in [
        (Ok("hunter2"), "is no RSA private key in PEM"),
        (Ok(PUBLIC_KEY), "is no RSA private key in PEM"),
        (Err("/keys/app.pem: not found"), "/keys/app.pem: not found"),
    ] {
        let github = GitHub::start([(200, json!([installation(7, "acme")]))]).await;
        let keys = Mutex::new(VecDeque::from([key, Ok(PRIVATE_KEY)]));
        let key = Credential::new(move || {
            keys.lock().unwrap().pop_front().unwrap().map(SecretString::from).map_err(str::to_owned)
        });
        let signer = github.signer_by(key, None);
        let failure = signer.identities(at(0)).await.unwrap_err();
        assert_eq!(failure.reason, Reason::Auth, "{failure}");
        assert!(failure.what.contains(said) && !failure.what.contains("hunter2"), "{failure}");
        assert!(github.asked().is_empty());
        assert_eq!(signer.identities(at(0)).await.unwrap().identities.len(), 1, "a key that was replaced");
    }
}
