//! The REST resources: routes, pages, and the words in which GitHub refuses.

mod actions;
mod app;
mod commit;
mod page;

use serde_json::{Value, json};

use super::caller::{Caller, word};
use super::record::{self, Site};
use super::refusal;
use crate::demo::exchange::{Answer, Request};
use crate::demo::identity::{Access, Identities, Permission};
use crate::demo::world::repository::Repository;

/// Where GitHub Enterprise Server has its REST API.
pub(super) const ENTERPRISE_PREFIX: &str = "/api/v3";

/// A request with what answers need.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) site: Site<'a>,
    pub(super) request: &'a Request,
    pub(super) caller: &'a Caller,
    /// The version of an enterprise server.
    pub(super) version: Option<&'a str>,
}

/// What a path names, its parts in order.
pub(super) fn answer(ask: Ask<'_>, identities: &mut Identities, path: &str) -> Answer {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if let Some(answer) = app::of_app(ask, identities, &parts) {
        return answer;
    }
    match (ask.request.method.as_str(), parts.as_slice()) {
        ("GET", ["meta"]) => Answer::json(200, &meta(ask.version)),
        ("GET", ["user"]) => app::user(ask),
        ("GET", ["installation", "repositories"]) => app::repositories(ask),
        ("DELETE", ["installation", "token"]) => app::give_up(ask, identities),
        ("GET", ["repos", owner, name, rest @ ..]) => by_name(ask, &format!("{owner}/{name}"), rest),
        ("GET", ["repositories", id, rest @ ..]) => {
            let found = id.parse().ok().and_then(|id: u64| {
                ask.site.world.repositories.iter().find(|it| it.database_id == id && ask.caller.sees(it))
            });
            found.map_or_else(not_found, |repository| in_repository(ask, repository, rest))
        }
        _ => not_found(),
    }
}

/// What a server says of itself.
fn meta(version: Option<&str>) -> Value {
    let mut record = json!({"verifiable_password_authentication": version.is_some()});
    if let (Some(version), Some(record)) = (version, record.as_object_mut()) {
        record.insert("installed_version".to_owned(), json!(version));
    }
    record
}

/// A repository by its name today, or the way to it by an older one.
fn by_name(ask: Ask<'_>, name: &str, rest: &[&str]) -> Answer {
    let today = ask.site.world.find(name).map(|key| ask.site.world.at(key));
    if let Some(repository) = today.filter(|repository| ask.caller.sees(repository)) {
        return in_repository(ask, repository, rest);
    }
    let was = |old: &String| old.eq_ignore_ascii_case(name);
    let mut live = ask.site.world.repositories.iter().filter(|it| ask.caller.sees(it));
    let Some(moved) = live.find(|it| it.previous_names.iter().any(was)) else {
        return not_found();
    };
    let mut location = format!("{}/repositories/{}", ask.site.base, moved.database_id);
    for part in rest {
        location.push('/');
        location.push_str(part);
    }
    let query = page::query(ask.request, None);
    if !query.is_empty() {
        location = format!("{location}?{query}");
    }
    let body = json!({"message": "Moved Permanently", "url": location, "documentation_url": super::DOCUMENTATION_URL});
    let mut answer = Answer::json(301, &body);
    answer.headers.push(("location", location));
    answer
}

fn in_repository(ask: Ask<'_>, repository: &Repository, rest: &[&str]) -> Answer {
    let needed = match rest {
        ["actions", ..] => Permission::Actions,
        ["commits", ..] => Permission::Contents,
        _ => Permission::Metadata,
    };
    if let Err(denied) = ask.caller.may(&repository.owner, needed, Access::Read) {
        return denied.refusal();
    }
    let mut answer = match rest {
        [] => Answer::json(200, &record::full_repository(ask.site, repository)),
        ["actions", rest @ ..] => actions::answer(ask, repository, rest),
        ["commits", reference @ ..] if !reference.is_empty() => {
            commit::answer(ask, repository, &reference.join("/"))
        }
        _ => not_found(),
    };
    answer.headers.push(("x-accepted-github-permissions", format!("{}=read", word(needed))));
    answer
}

/// The list of one page under a name beside the number of all, as GitHub's younger resources have it.
fn counted(name: &str, total: usize, items: &[Value]) -> Value {
    json!({"total_count": total, name: items})
}

pub(super) fn not_found() -> Answer {
    refusal(404, "Not Found")
}
