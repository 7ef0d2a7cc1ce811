//! What needs the push token, over real HTTP: reloading, and telling of deployments.

use reqwest::RequestBuilder;
use sextant::model::fact::Outcome;
use sextant::model::time::Timestamp;
use sextant::server::{PushedDeployment, Refused};

use crate::webhooks::{Open, TOKEN, status};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn bearer(request: RequestBuilder) -> RequestBuilder {
    request.bearer_auth(TOKEN)
}

/// A deployment as it is pushed, with one field replaced, or removed where the value is null.
fn deployment(field: &str, value: serde_json::Value) -> String {
    let mut body = serde_json::json!({
        "component": "shop", "environment": "production", "commit": COMMIT, "status": "success",
        "created_at": "2026-11-20T11:50:00Z", "finished_at": "2026-11-20T13:00:00+01:00",
        "url": "https://ci.acme.example/runs/7",
    });
    let fields = body.as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(field);
    } else if !field.is_empty() {
        fields.insert(field.to_owned(), value);
    }
    body.to_string()
}

#[tokio::test]
async fn reloading_needs_the_token_and_says_whether_it_worked() {
    let mut server = Open::new().await;
    let ask = |server: &Open| server.request("POST", "/-/reload");
    assert_eq!(status(ask(&server)).await, 401);
    assert_eq!(status(ask(&server).bearer_auth("another")).await, 401);
    assert_eq!(status(ask(&server).basic_auth(TOKEN, Some(""))).await, 401);
    assert!(server.reloads.try_recv().is_err(), "nobody was asked");
    for (outcome, expected) in [(Ok(()), 200), (Err("teams[0].nam: unknown key".to_owned()), 422)] {
        let asked = bearer(ask(&server));
        let (found, ()) = tokio::join!(status(asked), async {
            server.reloads.recv().await.unwrap().send(outcome).unwrap();
        });
        assert_eq!(found, expected);
    }
    let asked = bearer(ask(&server)).send();
    let (answer, ()) = tokio::join!(asked, async {
        let answer = server.reloads.recv().await.unwrap();
        answer.send(Err("teams[0].nam: unknown key".to_owned())).unwrap();
    });
    assert!(
        answer.unwrap().text().await.unwrap().contains("teams[0].nam: unknown key"),
        "it says what is wrong"
    );
    let asked = bearer(ask(&server));
    let (found, ()) = tokio::join!(status(asked), async { drop(server.reloads.recv().await.unwrap()) });
    assert_eq!(found, 503, "the daemon ends meanwhile");
    server.inbound.send_replace(None);
    assert_eq!(status(bearer(ask(&server))).await, 404);
}

#[tokio::test]
async fn a_deployment_is_told_with_its_whole_state() {
    let mut server = Open::new().await;
    let put = bearer(server.request("PUT", "/api/v1/deployments/jenkins/deploy-7"));
    let (found, told) = tokio::join!(status(put.body(deployment("", serde_json::Value::Null))), async {
        let told = server.deployments.recv().await.unwrap();
        told.answer.send(Ok(())).unwrap();
        (told.id, told.deployment)
    });
    assert_eq!(found, 200);
    let at = |text| Timestamp::parse(text).unwrap();
    let expected = PushedDeployment {
        component: "shop".into(),
        environment: "production".into(),
        commit: sextant::model::name::CommitId::parse(COMMIT).unwrap(),
        outcome: Outcome::Success,
        created_at: at("2026-11-20T11:50:00Z"),
        finished_at: at("2026-11-20T12:00:00Z"),
        url: Some("https://ci.acme.example/runs/7".to_owned()),
    };
    assert_eq!((told.0.as_str(), told.1), ("push:jenkins:deploy-7", Some(expected)));
    for (refused, expected) in [
        (Refused::Impossible("there is no component \"shop\"".to_owned()), 422),
        (Refused::Taken("it is another's".to_owned()), 409),
        (Refused::Unknown, 404),
        (Refused::NotStored, 503),
    ] {
        let delete = bearer(server.request("DELETE", "/api/v1/deployments/jenkins/deploy-7"));
        let (found, ()) = tokio::join!(status(delete), async {
            let told = server.deployments.recv().await.unwrap();
            assert_eq!((told.id.as_str(), told.deployment), ("push:jenkins:deploy-7", None));
            told.answer.send(Err(refused)).unwrap();
        });
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_deployment_that_cannot_be_is_refused_and_told_to_nobody() {
    use serde_json::json;
    let mut server = Open::new().await;
    let rows = [
        ("component", json!(null), 400),
        ("component", json!(""), 422),
        ("component", json!("x".repeat(300)), 422),
        ("environment", json!(null), 400),
        ("commit", json!(null), 422),
        ("commit", json!("0123456"), 422),
        ("commit", json!(7), 400),
        ("status", json!("pending"), 400),
        ("finished_at", json!("yesterday"), 422),
        ("finished_at", json!("2026-11-20"), 422),
        ("created_at", json!("2026-11-20T12:30:00Z"), 422),
        ("url", json!("javascript:alert(1)"), 422),
        ("url", json!(format!("https://{}", "x".repeat(3_000))), 422),
        ("incident", json!("PABC"), 422),
        ("severity", json!("high"), 400),
        ("url", json!("x".repeat(70_000)), 413),
    ];
    for (field, value, expected) in rows {
        let put = bearer(server.request("PUT", "/api/v1/deployments/jenkins/7"));
        let body = deployment(field, value);
        let shown: String = body.chars().take(400).collect();
        assert_eq!(status(put.body(body)).await, expected, "{field}: {shown}");
    }
    let body = || deployment("", json!(null));
    for (path, expected) in [
        ("jenkins/%20", 422),
        ("jen:kins/7", 422),
        ("jenkins/7/8", 404),
        ("jenkins/", 404),
        ("jenkins/%ff", 400),
        (&format!("jenkins/{}", "7".repeat(300)), 422),
    ] {
        let request = bearer(server.request("PUT", &format!("/api/v1/deployments/{path}")));
        assert_eq!(status(request.body(body())).await, expected, "{path}");
    }
    for (method, expected) in [("PUT", 401), ("DELETE", 401), ("GET", 405), ("POST", 405)] {
        let request = server.request(method, "/api/v1/deployments/jenkins/7");
        assert_eq!(status(request.body(body())).await, expected, "{method}");
    }
    assert!(server.deployments.try_recv().is_err());
    server.inbound.send_replace(None);
    let request = bearer(server.request("PUT", "/api/v1/deployments/jenkins/7"));
    assert_eq!(status(request.body(body())).await, 404);
}
