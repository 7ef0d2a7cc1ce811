//! Accounts and repositories as REST and webhooks write them, with all their addresses.

use serde_json::{Map, Value, json};

use super::caller::number_of;
use super::{opaque, url, written};
use crate::demo::world::World;
use crate::demo::world::account::Account;
use crate::demo::world::organization::Organization;
use crate::demo::world::repository::Repository;

/// The world, and what every address in a record begins with.
#[derive(Debug, Clone, Copy)]
pub(in crate::demo) struct Site<'a> {
    pub(in crate::demo) world: &'a World,
    /// `http://host`, with the prefix of an enterprise server.
    pub(in crate::demo) base: &'a str,
}

/// The addresses of a repository: the name of the field before `_url`, and the path below the repository's own.
const REPOSITORY_URLS: [(&str, &str); 36] = [
    ("archive", "/{archive_format}{/ref}"),
    ("assignees", "/assignees{/user}"),
    ("blobs", "/git/blobs{/sha}"),
    ("branches", "/branches{/branch}"),
    ("collaborators", "/collaborators{/collaborator}"),
    ("comments", "/comments{/number}"),
    ("commits", "/commits{/sha}"),
    ("compare", "/compare/{base}...{head}"),
    ("contents", "/contents/{+path}"),
    ("contributors", "/contributors"),
    ("deployments", "/deployments"),
    ("downloads", "/downloads"),
    ("events", "/events"),
    ("forks", "/forks"),
    ("git_commits", "/git/commits{/sha}"),
    ("git_refs", "/git/refs{/sha}"),
    ("git_tags", "/git/tags{/sha}"),
    ("hooks", "/hooks"),
    ("issue_comment", "/issues/comments{/number}"),
    ("issue_events", "/issues/events{/number}"),
    ("issues", "/issues{/number}"),
    ("keys", "/keys{/key_id}"),
    ("labels", "/labels{/name}"),
    ("languages", "/languages"),
    ("merges", "/merges"),
    ("milestones", "/milestones{/number}"),
    ("notifications", "/notifications{?since,all,participating}"),
    ("pulls", "/pulls{/number}"),
    ("releases", "/releases{/id}"),
    ("stargazers", "/stargazers"),
    ("statuses", "/statuses/{sha}"),
    ("subscribers", "/subscribers"),
    ("subscription", "/subscription"),
    ("tags", "/tags"),
    ("teams", "/teams"),
    ("trees", "/git/trees{/sha}"),
];
/// The addresses of an account, likewise.
const ACCOUNT_URLS: [(&str, &str); 9] = [
    ("events", "/events{/privacy}"),
    ("followers", "/followers"),
    ("following", "/following{/other_user}"),
    ("gists", "/gists{/gist_id}"),
    ("organizations", "/orgs"),
    ("received_events", "/received_events"),
    ("repos", "/repos"),
    ("starred", "/starred{/owner}{/repo}"),
    ("subscriptions", "/subscriptions"),
];

/// An account; null for a deleted one.
pub(in crate::demo) fn account(site: Site<'_>, account: &Account) -> Value {
    let login = account.signature();
    match account {
        Account::Deleted => Value::Null,
        Account::User(_) | Account::Mannequin(_) => owner(site, &login, number_of(&login), "User"),
        Account::Bot(_) => owner(site, &login, number_of(&login), "Bot"),
    }
}

/// An organisation as the owner of something.
pub(in crate::demo) fn organization(site: Site<'_>, organization: &Organization) -> Value {
    owner(site, &organization.login, organization.database_id, "Organization")
}

/// A person, as that person sees it.
pub(in crate::demo) fn user(site: Site<'_>, login: &str) -> Value {
    let mut record = owner(site, login, number_of(login), "User");
    let created_at = written(site.world.organizations.first().map_or(site.world.now, |it| it.created_at));
    let more = json!({
        "user_view_type": "private",
        "name": null,
        "company": null,
        "blog": null,
        "location": null,
        "email": null,
        "hireable": null,
        "bio": null,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "private_gists": 0,
        "total_private_repos": 0,
        "owned_private_repos": 0,
        "disk_usage": 0,
        "collaborators": 0,
        "two_factor_authentication": true,
        "created_at": created_at,
        "updated_at": created_at,
    });
    if let (Some(record), Value::Object(more)) = (record.as_object_mut(), more) {
        record.extend(more);
    }
    record
}

fn owner(site: Site<'_>, login: &str, id: u64, kind: &str) -> Value {
    let api = format!("{}/users/{login}", site.base);
    let mut record = json!({
        "login": login,
        "id": id,
        "node_id": opaque::node_id(kind.get(..1).unwrap_or_default(), &[id]),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "",
        "url": api,
        "html_url": format!("https://github.com/{login}"),
        "type": kind,
        "site_admin": false,
    });
    add_urls(&mut record, &ACCOUNT_URLS, &api);
    record
}

/// A repository inside something else.
pub(in crate::demo) fn minimal_repository(site: Site<'_>, repository: &Repository) -> Value {
    let api = format!("{}/repos/{}", site.base, repository.name_with_owner());
    let organization = site.world.organization(&repository.owner);
    let mut record = json!({
        "id": repository.database_id,
        "node_id": opaque::node_id("R", &[repository.database_id]),
        "name": repository.name,
        "full_name": repository.name_with_owner(),
        "private": repository.private,
        "owner": organization.map(|organization| self::organization(site, organization)),
        "html_url": url(repository),
        "description": null,
        "fork": repository.fork,
        "url": api,
    });
    add_urls(&mut record, &REPOSITORY_URLS, &api);
    record
}

/// A repository in a list.
pub(in crate::demo) fn listed_repository(site: Site<'_>, repository: &Repository) -> Value {
    let mut record = full_repository(site, repository);
    if let Some(record) = record.as_object_mut() {
        record.retain(|name, _| name != "network_count" && name != "subscribers_count");
    }
    record
}

/// A repository by itself.
pub(in crate::demo) fn full_repository(site: Site<'_>, repository: &Repository) -> Value {
    let name = repository.name_with_owner();
    let mut record = minimal_repository(site, repository);
    let open = repository.issues.iter().filter(|issue| issue.closed_at.is_none()).count();
    let more = json!({
        "archived": repository.archived_at.is_some(),
        "disabled": false,
        "visibility": if repository.private { "private" } else { "public" },
        "default_branch": repository.default_branch,
        "topics": repository.topics,
        "created_at": written(repository.created_at),
        "updated_at": written(repository.updated_at),
        "pushed_at": written(repository.pushed_at.unwrap_or(repository.created_at)),
        "clone_url": format!("https://github.com/{name}.git"),
        "git_url": format!("git://github.com/{name}.git"),
        "ssh_url": format!("git@github.com:{name}.git"),
        "svn_url": format!("https://github.com/{name}"),
        "mirror_url": null,
        "homepage": null,
        "language": null,
        "license": null,
        "has_issues": true,
        "has_projects": false,
        "has_wiki": false,
        "has_pages": false,
        "has_discussions": false,
        "has_downloads": true,
        "forks": 0,
        "forks_count": 0,
        "open_issues": open,
        "open_issues_count": open,
        "size": repository.commits.len(),
        "stargazers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "network_count": 0,
        "subscribers_count": 0,
    });
    if let (Some(record), Value::Object(more)) = (record.as_object_mut(), more) {
        record.extend(more);
    }
    record
}

fn add_urls(record: &mut Value, urls: &[(&str, &str)], base: &str) {
    let urls: Map<String, Value> =
        urls.iter().map(|(name, path)| (format!("{name}_url"), json!(format!("{base}{path}")))).collect();
    if let Some(record) = record.as_object_mut() {
        record.extend(urls);
    }
}
