//! Whom the simulated GitHub lets in, what it shows to whom, and with which words it refuses.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sextant::demo::identity::{App, Identities, Installation, Permission, Permissions, Selection, Token};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::demo::world::pull::Proposal;
use sextant::model::time::Span;

use super::demo_stage::{Stage, acme, ago, now};

const PRIVATE_KEY: &str = include_str!("../fixtures/github-app/private-key.pem");
const PUBLIC_KEY: &str = include_str!("../fixtures/github-app/public-key.pem");
const APP: u64 = 77;

/// `acme/shop` and `globex/reactor`, each with something of everything; `acme/open` is public.
fn two_organizations() -> World {
    let mut world = acme();
    world.found("globex", ago(200));
    for name in ["acme/shop", "acme/open", "globex/reactor"] {
        let key = world.repository(name, ago(100));
        world.at_mut(key).private = name != "acme/open";
        let commit = world.push(key, "ada", "Begin", ago(90), ago(90));
        world.open_pull(key, Proposal::new("Change", "ada"), ago(80));
        world.deploy(key, commit, "production", ago(70));
        world.workflow(key, "deploy.yml", "Deploy", ago(60));
        world.draft_release(key, "v1", commit, ago(50));
    }
    world.team("acme", "payments", ago(40));
    world.advance(now());
    world
}

async fn staged(identities: Identities) -> Stage {
    Stage::with(two_organizations(), Options { github_identities: identities, ..Options::default() }).await
}

async fn call(stage: &Stage, method: Method, token: &str, path: &str) -> Response {
    let request = stage.client.request(method, format!("{}{path}", stage.servers.github.url));
    request.bearer_auth(token).send().await.unwrap()
}

async fn refused(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["message"].as_str().unwrap_or_default().to_owned())
}

async fn ask(stage: &Stage, token: &str, query: &str) -> Value {
    let request = stage.client.post(format!("{}/graphql", stage.servers.github.url)).bearer_auth(token);
    request.json(&json!({"query": query})).send().await.unwrap().json().await.unwrap()
}

fn signature(key: &str, issuer: &str, from_now: Span, life: Span) -> String {
    let at = now().plus(from_now);
    let until = at.plus(life);
    let claims = json!({"iss": issuer, "iat": at.millis() / 1_000, "exp": until.millis() / 1_000});
    let key = EncodingKey::from_rsa_pem(key.as_bytes()).unwrap();
    encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
}

fn good_signature() -> String {
    signature(PRIVATE_KEY, &APP.to_string(), Span::from_seconds(-60), Span::from_minutes(9))
}

fn app() -> App {
    let acme = Installation::new(1, "acme", Permissions::to_read());
    let globex = Installation::new(2, "globex", Permissions::to_read());
    App::new(APP, "sextant", PUBLIC_KEY).installed(acme).installed(globex)
}

const BOTH: &str = "{ acme: repository(owner: \"acme\", name: \"shop\") { name } globex: repository(owner: \"globex\", name: \"reactor\") { name } }";

#[tokio::test]
async fn a_token_sees_what_its_grant_holds_and_the_rest_is_not_there() {
    let mut selected = Token::fine_grained("pat-one", "cleo", "acme", Permissions::to_read());
    let world = two_organizations();
    let open = world.at(world.find("acme/open").unwrap()).database_id;
    if let sextant::demo::identity::Grant::FineGrained { repositories, .. } = &mut selected.grant {
        *repositories = Selection::Only(vec![open]);
    }
    let tokens = vec![
        Token::classic("classic", "ada", &["repo"]),
        Token::classic("public", "bela", &["public_repo"]),
        Token::fine_grained("pat", "cleo", "acme", Permissions::to_read()),
        selected,
    ];
    let stage = staged(Identities::new(tokens, Vec::new())).await;
    for (token, acme, globex) in
        [("classic", true, true), ("public", false, false), ("pat", true, false), ("pat-one", false, false)]
    {
        let body = ask(&stage, token, BOTH).await;
        assert_eq!(body["data"]["acme"].is_object(), acme, "{token}: {body}");
        assert_eq!(body["data"]["globex"].is_object(), globex, "{token}: {body}");
        let missing = body["errors"].as_array().map_or(0, Vec::len);
        assert_eq!(missing, usize::from(!acme) + usize::from(!globex));
        for (path, seen) in
            [("/repos/acme/shop", acme), ("/repos/globex/reactor", globex), ("/repos/acme/open", true)]
        {
            let status = call(&stage, Method::GET, token, path).await.status();
            assert_eq!(status == 200, seen, "{token} {path}: {status}");
        }
    }
    let classic = call(&stage, Method::GET, "classic", "/user").await;
    assert_eq!(classic.headers()["x-oauth-scopes"], "repo");
    assert_eq!(classic.json::<Value>().await.unwrap()["login"], "ada");
    let fine = call(&stage, Method::GET, "pat", "/user").await;
    assert!(!fine.headers().contains_key("x-oauth-scopes"));
}

#[tokio::test]
async fn a_missing_permission_is_an_error_with_a_path_and_a_403_that_names_it() {
    let rows = [
        (Permission::Deployments, "deployments(first: 1) { totalCount }", Some("deployments")),
        (Permission::PullRequests, "pullRequests(first: 1) { totalCount }", Some("pullRequests")),
        (Permission::Issues, "issues(first: 1) { totalCount }", Some("issues")),
        (Permission::Contents, "releases(first: 1) { totalCount }", Some("releases")),
        (Permission::Contents, "defaultBranchRef { name }", Some("defaultBranchRef")),
        (Permission::Members, "name", None),
    ];
    for (missing, field, wrong) in rows {
        let permissions = Permissions::to_read().without(missing);
        let tokens = vec![Token::fine_grained("pat", "cleo", "acme", permissions.clone())];
        let apps =
            vec![App::new(APP, "sextant", PUBLIC_KEY).installed(Installation::new(1, "acme", permissions))];
        let stage = staged(Identities::new(tokens, apps)).await;
        let minted =
            call(&stage, Method::POST, &good_signature(), "/app/installations/1/access_tokens").await;
        let minted: Value = minted.json().await.unwrap();
        let rows = [
            ("pat", "Resource not accessible by personal access token"),
            (minted["token"].as_str().unwrap(), "Resource not accessible by integration"),
        ];
        for (token, message) in rows {
            let query =
                format!("{{ viewer {{ login }} repository(owner: \"acme\", name: \"shop\") {{ {field} }} }}");
            let body = ask(&stage, token, &query).await;
            let Some(wrong) = wrong else {
                assert_eq!(body.get("errors"), None, "{body}");
                continue;
            };
            let error = &body["errors"][0];
            assert_eq!((&error["type"], &error["message"]), (&json!("FORBIDDEN"), &json!(message)), "{body}");
            assert_eq!(error["path"], json!(["repository", wrong]));
            assert!(body["data"]["viewer"].is_object(), "the rest is there");
        }
    }
    let permissions = Permissions::to_read().without(Permission::Actions);
    let stage = staged(Identities::of_token(Token::fine_grained("pat", "cleo", "acme", permissions))).await;
    let response = call(&stage, Method::GET, "pat", "/repos/acme/shop/actions/workflows").await;
    assert_eq!(response.headers()["x-accepted-github-permissions"], "actions=read");
    assert_eq!(refused(response).await, (403, "Resource not accessible by personal access token".to_owned()));
    let stage = staged(Identities::of_token(Token::classic("narrow", "ada", &["repo"]))).await;
    let body =
        ask(&stage, "narrow", "{ organization(login: \"acme\") { login teams(first: 1) { totalCount } } }")
            .await;
    assert_eq!((body["errors"][0]["type"].as_str(), body.get("data")), (Some("INSUFFICIENT_SCOPES"), None));
}

#[tokio::test]
async fn one_forbidden_repository_spoils_no_batch() {
    let permissions = Permissions::to_read().without(Permission::Deployments);
    let stage = staged(Identities::of_token(Token::fine_grained("pat", "cleo", "acme", permissions))).await;
    let found = stage.data(BOTH.replace("{ name }", "{ id }").as_str(), json!({})).await;
    let (shop, reactor) = (&found["acme"]["id"], &found["globex"]["id"]);
    let inner = "... on Repository { name deployments(first: 1) { totalCount } }";
    let query = format!("{{ nodes(ids: [{shop}, {reactor}]) {{ __typename {inner} }} viewer {{ login }} }}");
    let body = ask(&stage, "pat", &query).await;
    assert_eq!(body["data"]["nodes"], json!([null, null]));
    let mut kinds: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["type"].as_str().unwrap(), error["path"].clone()))
        .collect();
    kinds.sort_by_key(|(kind, _)| *kind);
    let expected = [("FORBIDDEN", json!(["nodes", 0, "deployments"])), ("NOT_FOUND", json!(["nodes", 1]))];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn drafts_are_for_those_who_may_push() {
    let writes = Permissions::to_read().to_write(Permission::Contents);
    let tokens = vec![
        Token::fine_grained("reads", "cleo", "acme", Permissions::to_read()),
        Token::fine_grained("writes", "dina", "acme", writes),
    ];
    let stage = staged(Identities::new(tokens, Vec::new())).await;
    let query = "{ repository(owner: \"acme\", name: \"shop\") { releases(first: 5) { totalCount } } }";
    for (token, count) in [("reads", 0), ("writes", 1), ("demo-github-token", 1)] {
        let body = ask(&stage, token, query).await;
        assert_eq!(body["data"]["repository"]["releases"]["totalCount"], count, "{token}");
    }
}

#[tokio::test]
async fn a_token_ends_is_revoked_and_is_replaced() {
    let mut token = Token::classic("old", "ada", &["repo"]);
    token.expires_at = Some(now().plus(Span::from_minutes(5)));
    let stage = staged(Identities::of_token(token.clone())).await;
    assert_eq!(call(&stage, Method::GET, "old", "/user").await.status(), 200);
    stage.world.tell(|world| world.advance(now().plus(Span::from_minutes(5))));
    let bad = (401, "Bad credentials".to_owned());
    assert_eq!(refused(call(&stage, Method::GET, "old", "/user").await).await, bad);
    stage.servers.identities.tell(|identities| {
        identities.revoke("old");
        identities.tokens.push(Token { secret: "new".to_owned(), expires_at: None, ..token });
    });
    assert_eq!(refused(call(&stage, Method::GET, "old", "/user").await).await, bad);
    assert_eq!(call(&stage, Method::GET, "new", "/user").await.status(), 200);
    let none = stage.client.get(format!("{}/user", stage.servers.github.url)).send().await.unwrap();
    assert_eq!(refused(none).await, (401, "Requires authentication".to_owned()));
}

#[tokio::test]
async fn single_sign_on_is_demanded_by_an_organization() {
    let mut token = Token::classic("pat", "ada", &["repo", "read:org"]);
    token.without_single_sign_on.push("globex".to_owned());
    let stage = staged(Identities::of_token(token)).await;
    let body = ask(&stage, "pat", BOTH).await;
    assert_eq!((&body["data"]["acme"]["name"], &body["data"]["globex"]), (&json!("shop"), &Value::Null));
    let error = &body["errors"][0];
    assert_eq!((&error["type"], &error["path"]), (&json!("FORBIDDEN"), &json!(["globex"])));
    assert_eq!(error["extensions"], json!({"saml_failure": true}));
    let response = call(&stage, Method::GET, "pat", "/repos/globex/reactor").await;
    let header = response.headers()["x-github-sso"].to_str().unwrap().to_owned();
    assert!(header.starts_with("required; url=https://github.com/orgs/globex/sso"), "{header}");
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn an_app_proves_itself_by_a_signature_of_the_near_past() {
    let stage = staged(Identities::of_app(app())).await;
    let (minute, nine) = (Span::from_seconds(-60), Span::from_minutes(9));
    let id = APP.to_string();
    let other = PRIVATE_KEY;
    let undecodable = "A JSON web token could not be decoded";
    let future = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires";
    let far = "'Expiration time' claim ('exp') is too far in the future";
    let issued =
        "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
    let mut torn = signature(other, &id, minute, nine);
    torn.truncate(torn.len() - 8);
    let rows = [
        (signature(PRIVATE_KEY, &id, minute, nine), 200, ""),
        (signature(PRIVATE_KEY, &app().client_id, minute, nine), 200, ""),
        (torn, 401, undecodable),
        ("a.b.c".to_owned(), 401, undecodable),
        ("demo-github-token".to_owned(), 401, undecodable),
        (signature(PRIVATE_KEY, "78", minute, nine), 404, "Integration not found"),
        (signature(PRIVATE_KEY, &id, Span::from_minutes(-10), nine), 401, future),
        (signature(PRIVATE_KEY, &id, Span::ZERO, Span::from_minutes(11)), 401, far),
        (signature(PRIVATE_KEY, &id, Span::from_seconds(30), Span::from_minutes(5)), 401, issued),
    ];
    for (jwt, status, message) in rows {
        let response = call(&stage, Method::GET, &jwt, "/app").await;
        assert_eq!(refused(response).await, (status, message.to_owned()));
    }
    let nothing = call(&stage, Method::GET, &good_signature(), "/repos/acme/shop").await;
    assert_eq!(nothing.status(), 404, "an App as itself sees no repository");
}

#[tokio::test]
async fn installations_are_paged_and_their_tokens_last_an_hour_of_the_world() {
    let stage = staged(Identities::of_app(app())).await;
    let jwt = good_signature();
    let first = call(&stage, Method::GET, &jwt, "/app/installations?per_page=1").await;
    let link = first.headers()["link"].to_str().unwrap().to_owned();
    assert!(link.contains("page=2>; rel=\"next\""), "{link}");
    let list: Value = first.json().await.unwrap();
    assert_eq!((&list[0]["id"], &list[0]["account"]["login"]), (&json!(1), &json!("acme")));
    let of_globex: Value =
        call(&stage, Method::GET, &jwt, "/orgs/globex/installation").await.json().await.unwrap();
    assert_eq!(of_globex["id"], 2);
    let minted = call(&stage, Method::POST, &jwt, "/app/installations/1/access_tokens").await;
    assert_eq!(minted.status(), 201);
    let minted: Value = minted.json().await.unwrap();
    assert_eq!(minted["expires_at"], now().plus(Span::from_hours(1)).to_string());
    let token = minted["token"].as_str().unwrap();
    assert!(token.starts_with("ghs_") && token.len() != 40);
    let body = ask(&stage, token, BOTH).await;
    assert_eq!((&body["data"]["acme"]["name"], &body["data"]["globex"]), (&json!("shop"), &Value::Null));
    let held: Value =
        call(&stage, Method::GET, token, "/installation/repositories").await.json().await.unwrap();
    assert_eq!((&held["total_count"], &held["repository_selection"]), (&json!(2), &json!("all")));
    let user = refused(call(&stage, Method::GET, token, "/user").await).await;
    assert_eq!(user, (403, "Resource not accessible by integration".to_owned()));
    stage.world.tell(|world| world.advance(now().plus(Span::from_minutes(59))));
    assert_eq!(call(&stage, Method::GET, token, "/repos/acme/shop").await.status(), 200);
    stage.world.tell(|world| world.advance(now().plus(Span::from_hours(1))));
    assert_eq!(refused(call(&stage, Method::GET, token, "/repos/acme/shop").await).await.0, 401);
    assert_eq!(stage.servers.identities.lock().mints(), 1);
}

#[tokio::test]
async fn suspended_and_removed_installations_are_told_apart() {
    let stage = staged(Identities::of_app(app())).await;
    let jwt = good_signature();
    let mint = async |id: u32| {
        let path = format!("/app/installations/{id}/access_tokens");
        call(&stage, Method::POST, &jwt, &path).await.json::<Value>().await.unwrap()
    };
    let (first, second) = (mint(1).await, mint(2).await);
    stage.servers.identities.tell(|identities| {
        identities.installation_mut(1).unwrap().suspended_at = Some(now());
        identities.uninstall(2);
    });
    let suspended = "This installation has been suspended";
    assert_eq!(mint(1).await["message"], suspended);
    assert_eq!(mint(2).await["message"], "Not Found");
    let old = call(&stage, Method::GET, first["token"].as_str().unwrap(), "/repos/acme/shop").await;
    assert_eq!(refused(old).await, (403, suspended.to_owned()));
    let gone = call(&stage, Method::GET, second["token"].as_str().unwrap(), "/repos/acme/shop").await;
    assert_eq!(refused(gone).await.0, 401);
    let list: Value = call(&stage, Method::GET, &jwt, "/app/installations").await.json().await.unwrap();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["suspended_at"]), (1, &json!(now().to_string())));
    stage.servers.identities.tell(|identities| identities.installation_mut(1).unwrap().suspended_at = None);
    let again = mint(1).await;
    let given_up =
        call(&stage, Method::DELETE, again["token"].as_str().unwrap(), "/installation/token").await;
    assert_eq!(given_up.status(), 204);
    let after = call(&stage, Method::GET, again["token"].as_str().unwrap(), "/repos/acme/shop").await;
    assert_eq!(refused(after).await.0, 401);
}

#[tokio::test]
async fn everybody_has_a_budget_and_the_tokens_of_one_person_share_it() {
    let mut tokens = vec![
        Token::classic("first", "ada", &["repo"]),
        Token::classic("second", "ada", &["repo"]),
        Token::classic("other", "bela", &["repo"]),
    ];
    for token in &mut tokens {
        token.points_per_hour = 2;
        token.requests_per_hour = 2;
    }
    let mut app = app();
    app.installations[0].points_per_hour = 1;
    let stage = staged(Identities::new(tokens, vec![app])).await;
    let limited = |body: &Value| body["errors"][0]["type"] == "RATE_LIMITED";
    let query = "{ viewer { login } }";
    for (token, expected) in
        [("first", false), ("second", false), ("first", true), ("second", true), ("other", false)]
    {
        assert_eq!(limited(&ask(&stage, token, query).await), expected, "{token}");
    }
    for (token, status) in [("first", 200), ("first", 200), ("second", 403), ("other", 200)] {
        assert_eq!(call(&stage, Method::GET, token, "/user").await.status(), status, "{token}");
    }
    let jwt = good_signature();
    for id in [1, 1, 2] {
        let path = format!("/app/installations/{id}/access_tokens");
        let minted: Value = call(&stage, Method::POST, &jwt, &path).await.json().await.unwrap();
        let body = ask(&stage, minted["token"].as_str().unwrap(), query).await;
        let spent = id == 1 && stage.servers.identities.lock().mints() == 2;
        assert_eq!(limited(&body), spent, "another token of the same installation draws on the same budget");
    }
}
