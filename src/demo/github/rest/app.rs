//! Apps and their installations, and who one is.

use serde_json::{Map, Value, json};

use super::page::Page;
use super::{Ask, counted, not_found, record};
use crate::demo::exchange::Answer;
use crate::demo::github::caller::{Caller, word};
use crate::demo::github::node::written;
use crate::demo::github::{opaque, refusal};
use crate::demo::identity::{Access, App, Identities, Installation, Permissions, Selection};
use crate::demo::world::repository::Repository;

/// The number of the account behind an App is not the App's own.
const OWNER_OFFSET: u64 = 1_000;

/// What only an App as itself may ask for; `None`: it is no such resource.
pub(super) fn of_app(ask: Ask<'_>, identities: &mut Identities, parts: &[&str]) -> Option<Answer> {
    let question = (ask.request.method.as_str(), parts);
    let is_one = matches!(
        question,
        (
            "GET",
            ["app"] | ["app", "installations"] | ["app", "installations", _] | ["orgs", _, "installation"]
        ) | ("POST", ["app", "installations", _, "access_tokens"])
    );
    if !is_one {
        return None;
    }
    let Caller::App(app) = ask.caller else {
        return Some(refusal(401, "A JSON web token could not be decoded"));
    };
    Some(match question {
        ("GET", ["app"]) => Answer::json(200, &app_record(ask, app)),
        ("GET", ["app", "installations"]) => installations(ask, app),
        ("GET", ["app", "installations", id]) => {
            let found = app.installations.iter().find(|it| it.id.to_string() == *id);
            one(ask, app, found)
        }
        ("POST", ["app", "installations", id, "access_tokens"]) => {
            let found = app.installations.iter().find(|it| it.id.to_string() == *id);
            mint(ask, identities, app, found)
        }
        (_, ["orgs", login, _]) => {
            let found = app.installations.iter().find(|it| it.organization.eq_ignore_ascii_case(login));
            one(ask, app, found)
        }
        _ => not_found(),
    })
}

fn one(ask: Ask<'_>, app: &App, found: Option<&Installation>) -> Answer {
    found.map_or_else(not_found, |it| Answer::json(200, &installation_record(ask, app, it)))
}

fn installations(ask: Ask<'_>, app: &App) -> Answer {
    let page = Page::of(ask.request, app.installations.len());
    let held = app.installations.get(page.places()).unwrap_or_default();
    let items: Vec<Value> = held.iter().map(|one| installation_record(ask, app, one)).collect();
    let mut answer = Answer::json(200, &Value::Array(items));
    page.link(ask, None, &mut answer);
    answer
}

fn mint(ask: Ask<'_>, identities: &mut Identities, app: &App, found: Option<&Installation>) -> Answer {
    let Some(installation) = found else {
        return not_found();
    };
    if installation.suspended_at.is_some() {
        return refusal(403, "This installation has been suspended");
    }
    let minted = identities.mint(app.id, installation.id, ask.site.world.now);
    let body = json!({
        "token": minted.secret,
        "expires_at": written(minted.expires_at),
        "permissions": permissions(&installation.permissions),
        "repository_selection": selection(installation),
    });
    Answer::json(201, &body)
}

/// `DELETE /installation/token`: a token gives itself up.
pub(super) fn give_up(ask: Ask<'_>, identities: &mut Identities) -> Answer {
    let secret = ask.request.authorization.as_deref().and_then(|it| it.split_once(' '));
    match (ask.caller, secret) {
        (Caller::Installation(..), Some((_, secret))) => {
            identities.revoke(secret);
            Answer { status: 204, headers: Vec::new(), body: Vec::new(), points: 0 }
        }
        _ => refusal(403, "Resource not accessible by personal access token"),
    }
}

/// `/installation/repositories`.
pub(super) fn repositories(ask: Ask<'_>) -> Answer {
    let Caller::Installation(_, installation) = ask.caller else {
        return refusal(
            403,
            "You must authenticate with an installation access token in order to list repositories for an installation.",
        );
    };
    let held: Vec<&Repository> =
        ask.site.world.repositories.iter().filter(|it| !it.deleted && installation.holds(it)).collect();
    let page = Page::of(ask.request, held.len());
    let shown = held.get(page.places()).unwrap_or_default();
    let items: Vec<Value> = shown.iter().map(|it| record::listed_repository(ask.site, it)).collect();
    let mut body = counted("repositories", held.len(), &items);
    if let Some(body) = body.as_object_mut() {
        body.insert("repository_selection".to_owned(), json!(selection(installation)));
    }
    let mut answer = Answer::json(200, &body);
    page.link(ask, None, &mut answer);
    answer
}

/// `/user`.
pub(super) fn user(ask: Ask<'_>) -> Answer {
    match ask.caller {
        Caller::Token(token) => Answer::json(200, &record::user(ask.site, &token.login)),
        Caller::Installation(..) | Caller::App(_) => refusal(403, "Resource not accessible by integration"),
    }
}

fn app_record(ask: Ask<'_>, app: &App) -> Value {
    let owner = ask.site.world.organizations.first().map(|it| record::organization(ask.site, it));
    json!({
        "id": app.id,
        "node_id": opaque::node_id("A", &[app.id]),
        "client_id": app.client_id,
        "slug": app.slug,
        "name": app.slug,
        "owner": owner,
        "description": null,
        "external_url": "https://example.com",
        "html_url": format!("https://github.com/apps/{}", app.slug),
        "created_at": written(ask.site.world.now),
        "updated_at": written(ask.site.world.now),
        "permissions": app.installations.first().map_or_else(|| json!({}), |it| permissions(&it.permissions)),
        "events": [],
        "installations_count": app.installations.len(),
    })
}

fn installation_record(ask: Ask<'_>, app: &App, installation: &Installation) -> Value {
    let login = &installation.organization;
    let organization = ask.site.world.organization(login);
    let target = organization.map_or(installation.id + OWNER_OFFSET, |it| it.database_id);
    json!({
        "id": installation.id,
        "app_id": app.id,
        "app_slug": app.slug,
        "client_id": app.client_id,
        "account": organization.map(|it| record::organization(ask.site, it)),
        "target_id": target,
        "target_type": "Organization",
        "repository_selection": selection(installation),
        "permissions": permissions(&installation.permissions),
        "events": [],
        "access_tokens_url": format!("{}/app/installations/{}/access_tokens", ask.site.base, installation.id),
        "repositories_url": format!("{}/installation/repositories", ask.site.base),
        "html_url": format!("https://github.com/organizations/{login}/settings/installations/{}", installation.id),
        "single_file_name": null,
        "created_at": written(organization.map_or(ask.site.world.now, |it| it.created_at)),
        "updated_at": written(installation.suspended_at.unwrap_or(ask.site.world.now)),
        "suspended_by": null,
        "suspended_at": installation.suspended_at.map(written),
    })
}

fn permissions(held: &Permissions) -> Value {
    let words = held.iter().map(|(permission, access)| {
        let access = match access {
            Access::Read => "read",
            Access::Write => "write",
        };
        (word(permission).to_owned(), json!(access))
    });
    Value::Object(words.collect::<Map<_, _>>())
}

const fn selection(installation: &Installation) -> &'static str {
    match installation.repositories {
        Selection::All => "all",
        Selection::Only(_) => "selected",
    }
}
