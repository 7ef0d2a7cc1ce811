//! One commit with the files that it changes.

use serde_json::{Value, json};

use super::page::Page;
use super::{Ask, record};
use crate::demo::exchange::Answer;
use crate::demo::github::commit::git_object;
use crate::demo::github::node::{Thing, written};
use crate::demo::github::repository::url;
use crate::demo::github::{DOCUMENTATION_URL, opaque, refusal};
use crate::demo::world::changed_file::{ChangedFile, How};
use crate::demo::world::commit::Commit;
use crate::demo::world::repository::Repository;

/// Files on a page where no number is asked for, and in all: what is beyond is not shown at all.
const FILES_PER_PAGE: usize = 300;
const FILES_MAX: usize = 3_000;

/// `/repos/{owner}/{repo}/commits/{ref}`.
pub(super) fn answer(ask: Ask<'_>, repository: &Repository, reference: &str) -> Answer {
    if repository.branches.is_empty() {
        return refusal(409, "Git Repository is empty.");
    }
    let found = match git_object(repository, None, Some(reference)) {
        Some(Thing::Commit(_, place)) => repository.commits.get(place).map(|commit| (place, commit)),
        _ => None,
    };
    let Some((place, commit)) = found else {
        let message = format!("No commit found for SHA: {reference}");
        return Answer::json(422, &json!({"message": message, "documentation_url": DOCUMENTATION_URL}));
    };
    let files = repository.changed_files(place);
    let page = Page::sized(ask.request, files.len().min(FILES_MAX), FILES_PER_PAGE);
    let mut body = commit_record(ask, repository, commit);
    let shown = files.get(page.places()).unwrap_or_default();
    let shown: Vec<Value> = shown.iter().map(|file| file_record(ask, repository, commit, file)).collect();
    let (added, deleted) = files
        .iter()
        .fold((0, 0), |(added, deleted), file| (added + file.additions, deleted + file.deletions));
    if let Some(body) = body.as_object_mut() {
        body.insert(
            "stats".to_owned(),
            json!({"additions": added, "deletions": deleted, "total": added + deleted}),
        );
        body.insert("files".to_owned(), Value::Array(shown));
    }
    let mut answer = Answer::json(200, &body);
    page.link(ask, Some(repository), &mut answer);
    answer
}

fn commit_record(ask: Ask<'_>, repository: &Repository, commit: &Commit) -> Value {
    let sha = commit.id.to_string();
    let api = format!("{}/repos/{}", ask.site.base, repository.name_with_owner());
    let signed = |at| {
        let name = commit.author.signature();
        json!({"name": name, "email": format!("{name}@users.noreply.github.com"), "date": written(at)})
    };
    let parents = commit.parents.iter().filter_map(|parent| repository.commits.get(*parent));
    let parents: Vec<Value> = parents
        .map(|parent| {
            json!({
                "sha": parent.id.to_string(),
                "url": format!("{api}/commits/{}", parent.id),
                "html_url": format!("{}/commit/{}", url(repository), parent.id),
            })
        })
        .collect();
    json!({
        "sha": sha,
        "node_id": opaque::node_id_of_words("C", &[&repository.database_id.to_string(), &sha]),
        "url": format!("{api}/commits/{sha}"),
        "html_url": format!("{}/commit/{sha}", url(repository)),
        "comments_url": format!("{api}/commits/{sha}/comments"),
        "author": record::account(ask.site, &commit.author),
        "committer": record::account(ask.site, &commit.author),
        "parents": parents,
        "commit": {
            "url": format!("{api}/git/commits/{sha}"),
            "author": signed(commit.authored_at),
            "committer": signed(commit.committed_at),
            "message": commit.message,
            "comment_count": 0,
            "tree": {"sha": sha, "url": format!("{api}/git/trees/{sha}")},
            "verification": {
                "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null,
            },
        },
    })
}

fn file_record(ask: Ask<'_>, repository: &Repository, commit: &Commit, file: &ChangedFile) -> Value {
    let ChangedFile { path, how, additions, deletions } = file;
    let sha = commit.id.to_string();
    let mut record = json!({
        "sha": sha,
        "filename": path,
        "additions": additions,
        "deletions": deletions,
        "changes": additions + deletions,
        "status": match how {
            How::Added => "added",
            How::Removed => "removed",
            How::Modified => "modified",
            How::RenamedFrom(_) => "renamed",
        },
        "blob_url": format!("{}/blob/{sha}/{path}", url(repository)),
        "raw_url": format!("{}/raw/{sha}/{path}", url(repository)),
        "contents_url":
            format!("{}/repos/{}/contents/{path}?ref={sha}", ask.site.base, repository.name_with_owner()),
    });
    if let (How::RenamedFrom(old), Some(record)) = (how, record.as_object_mut()) {
        record.insert("previous_filename".to_owned(), json!(old));
    }
    record
}
