//! The files that changes touch, read only in repositories of several components: of pull requests by GraphQL, of
//! direct pushes by REST, which alone has them.
//!
//! A change is never stored without them there, and never with a part of them: a list that is longer than GitHub
//! tells is not known, and that is said.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::http::{Failure, Reason};
use crate::model::fact::Commit;
use crate::model::name::CommitId;
use crate::source::PollError;

use super::ask::Ask;
use super::client::Client;
use super::operations::{self, FILES_IDS_MAX};
use super::reader::only;
use super::reply::{Trouble, malformed};
use super::wire::{FileWire, Files, FilesWire, Page, PagesWire};
use super::{Github, Problems, pulls};

/// GitHub lists no more files of a pull request or a commit: what has as many may have more.
const FILES_MAX: usize = 3_000;
/// Pages of the files of one pull request: 100 each.
const PULL_PAGES_MAX: u32 = 30;
/// Pages of the files of one commit: 300 each, and on a server that gives fewer there are more.
const COMMIT_PAGES_MAX: u32 = 30;

/// A commit in the REST API; everything but its files is known.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CommitWire {
    files: Option<Vec<CommitFileWire>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CommitFileWire {
    filename: Option<String>,
    previous_filename: Option<String>,
}

/// The files of direct pushes that have been read and are not stored yet: a page of commits has many of them, and
/// when the limit is used up in the middle of it, the next poll goes on there.
pub(super) type Pushed = BTreeMap<(u64, CommitId), Option<Vec<String>>>;
/// So many are kept.
const PUSHED_MAX: usize = 10_000;

/// All files of a pull request, if the list is whole: GitHub says how many there are.
fn whole(page: Page<FileWire>, count: Option<u64>) -> Option<Vec<String>> {
    let Page { nodes, malformed, has_next, end: _ } = page;
    let paths: Vec<String> = nodes.into_iter().filter_map(|file| file.path).collect();
    let told = u64::try_from(paths.len()).unwrap_or(u64::MAX);
    let is_whole =
        malformed == 0 && !has_next && paths.len() < FILES_MAX && count.is_none_or(|count| told >= count);
    is_whole.then_some(paths)
}

/// The paths of a commit's files: a file that was moved touches both places.
fn paths(files: Vec<CommitFileWire>) -> Vec<String> {
    let both = |file: CommitFileWire| [file.previous_filename, file.filename];
    files.into_iter().flat_map(both).flatten().collect()
}

/// Reads the files of the pull requests of some pages, where they are wanted. Where they could not be read, the whole
/// page is left for the next poll: a change is not stored without them.
pub(super) async fn complete(
    client: &Client,
    group: &[Ask],
    read: &mut [Result<Option<PagesWire>, Trouble>],
) -> Result<(), Trouble> {
    let mut ids = Vec::new();
    for (ask, node) in group.iter().zip(&*read) {
        let pulls = node.as_ref().ok().and_then(|wire| wire.as_ref()?.pull_requests.as_ref());
        for pull in pulls.map(|page| page.nodes.as_slice()).unwrap_or_default() {
            let young = ask.files_since.is_some_and(|since| pulls::merged_at(pull) >= Some(since));
            ids.extend(pull.id.clone().filter(|_| young));
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let mut found = files_of(client, &ids).await?;
    for node in read {
        let Ok(Some(wire)) = node else {
            continue;
        };
        let mut trouble = None;
        for pull in wire.pull_requests.iter_mut().flat_map(|page| &mut page.nodes) {
            match pull.id.as_ref().and_then(|id| found.remove(id)) {
                Some(Ok(files)) => pull.files = Some(files),
                Some(Err(failed)) => trouble = Some(failed),
                None => {}
            }
        }
        if let Some(trouble) = trouble {
            *node = Err(trouble);
        }
    }
    Ok(())
}

/// The files of pull requests by their ids, or what went wrong with some of them.
async fn files_of(
    client: &Client,
    ids: &[String],
) -> Result<BTreeMap<String, Result<Files, Trouble>>, Trouble> {
    let build = |ids: &[String]| operations::pull_request_files(ids, None);
    let (nodes, _) = client.nodes::<FilesWire>(ids, FILES_IDS_MAX, build).await?;
    let mut found = BTreeMap::new();
    for (id, node) in nodes {
        let FilesWire { changed_files, files } = match node {
            Ok(wire) => wire.unwrap_or_default(),
            Err(trouble) => {
                found.insert(id, Err(trouble));
                continue;
            }
        };
        let mut files = files.unwrap_or_default();
        let many = changed_files.and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        for _ in 1..PULL_PAGES_MAX {
            if !files.has_next || many >= FILES_MAX {
                break;
            }
            let after = files.end.clone();
            let build = |ids: &[String]| operations::pull_request_files(ids, after.as_deref());
            let (nodes, _) = client.nodes::<FilesWire>(std::slice::from_ref(&id), 1, build).await?;
            let next = only(nodes)?.and_then(|wire| wire.files);
            files.append(next.unwrap_or_default());
        }
        let whole = whole(files, changed_files).map_or(Files::TooMany, Files::Whole);
        found.insert(id, Ok(whole));
    }
    Ok(found)
}

impl Github {
    /// Says which pull requests of a page touch more files than can be known.
    pub(super) fn tell_of_files(&self, number: u64, wire: &PagesWire, problems: &mut Problems) {
        let pulls = wire.pull_requests.iter().flat_map(|page| &page.nodes);
        for pull in pulls.filter(|pull| pull.files == Some(Files::TooMany)) {
            let what = format!("pull request {}", pull.number.unwrap_or_default());
            problems.push(self.too_many(number, &what));
        }
    }

    fn too_many(&self, number: u64, what: &str) -> Failure {
        let name = self.repositories.get(&number).map(|tracked| tracked.state.name.as_str());
        malformed(&format!(
            "{}: {what} touches more files than GitHub lists, so it is not known which components it changes",
            name.unwrap_or_default()
        ))
    }

    /// Whether the rules want to know which files a repository's changes touch.
    fn wants_paths(&self, number: u64) -> bool {
        self.repositories.get(&number).is_some_and(|tracked| tracked.state.wanted.paths)
    }

    /// Commits with the files of those that are direct pushes; `None` if not all of these could be read, so that the
    /// commits wait for the next poll.
    pub(super) async fn with_files(
        &mut self,
        number: u64,
        commits: Vec<Commit>,
        line: &BTreeSet<CommitId>,
        problems: &mut Problems,
    ) -> Result<Option<Vec<Commit>>, PollError> {
        if !self.wants_paths(number) {
            return Ok(Some(commits));
        }
        let mut complete = Vec::with_capacity(commits.len());
        for commit in commits {
            if commit.pull_request.is_some() || !line.contains(&commit.id) {
                complete.push(commit);
                continue;
            }
            let paths = match self.pushed(number, commit.id, problems).await {
                Ok(paths) => paths,
                Err(failure) if failure.reason == Reason::Auth => return Err(PollError::Source(failure)),
                Err(failure) => {
                    problems.push(failure);
                    self.set_aside(number);
                    return Ok(None);
                }
            };
            complete.push(Commit { paths, ..commit });
        }
        self.pushed.retain(|(of, _), _| *of != number);
        Ok(Some(complete))
    }

    /// The files of a direct push; `None` if they are not to be known.
    async fn pushed(
        &mut self,
        number: u64,
        commit: CommitId,
        problems: &mut Problems,
    ) -> Result<Option<Vec<String>>, Failure> {
        if let Some(known) = self.pushed.get(&(number, commit)) {
            return Ok(known.clone());
        }
        let path = self.rest_path(number, &format!("commits/{commit}"));
        let mut all = Vec::new();
        let mut more = true;
        for page in 1..=COMMIT_PAGES_MAX {
            let query = [("page", page.to_string())];
            let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
            let (wire, has_next) = self.client_of(number).get::<CommitWire>(&path, &query).await?;
            let files = wire.files.unwrap_or_default();
            more = has_next && !files.is_empty();
            all.extend(files);
            if !more {
                break;
            }
        }
        let known = !more && all.len() < FILES_MAX;
        if !known {
            problems.push(self.too_many(number, &format!("commit {commit}")));
        }
        let paths = known.then(|| paths(all));
        if self.pushed.len() < PUSHED_MAX {
            self.pushed.insert((number, commit), paths.clone());
        }
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn page(value: Value) -> Page<FileWire> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_list_of_files_is_whole_or_not_known() {
        let many = |count: usize| (0..count).map(|n| json!({ "path": format!("{n}") })).collect::<Vec<_>>();
        let next = json!({ "hasNextPage": true, "endCursor": "c" });
        for (name, wire, count, expected) in [
            ("whole", json!({ "nodes": many(2) }), Some(2), Some(2)),
            ("nobody says how many", json!({ "nodes": many(2) }), None, Some(2)),
            ("none", json!({ "nodes": [] }), Some(0), Some(0)),
            ("cut", json!({ "nodes": many(2), "pageInfo": next }), Some(2), None),
            ("short", json!({ "nodes": many(2) }), Some(3), None),
            ("not read", json!({ "nodes": [{ "path": "a" }, { "path": 7 }] }), None, None),
            ("a null", json!({ "nodes": [{ "path": "a" }, null] }), Some(2), None),
            ("without a path", json!({ "nodes": [{ "path": "a" }, {}] }), Some(2), None),
            ("as many as are listed at most", json!({ "nodes": many(2_999) }), Some(2_999), Some(2_999)),
            ("perhaps more", json!({ "nodes": many(3_000) }), Some(3_000), None),
        ] {
            assert_eq!(whole(page(wire), count).map(|paths| paths.len()), expected, "{name}");
        }
    }

    #[test]
    fn a_file_that_was_moved_touches_both_places() {
        let wire = json!({ "sha": "x", "files": [
            { "filename": "b/x", "previous_filename": "a/x", "status": "renamed" },
            { "filename": "c", "previous_filename": null }, {},
        ] });
        let wire: CommitWire = serde_json::from_value(wire).unwrap();
        assert_eq!(paths(wire.files.unwrap()), ["a/x", "b/x", "c"]);
        let empty: CommitWire = serde_json::from_value(json!({ "files": null })).unwrap();
        assert!(empty.files.is_none());
    }
}
