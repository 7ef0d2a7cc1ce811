//! Commits: a page of history into facts, the default branch's line through it, and what is still to be read.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::fact::Commit;
use crate::model::name::{CommitId, RepositoryId};
use crate::model::text::commit_reverts;
use crate::model::time::Timestamp;

use super::actor::Bots;
use super::progress::Pending;
use super::wire::{AssociatedWire, CommitPullsWire, CommitWire, ParentWire};

/// A commit that was read.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// GitHub's id of it.
    pub(super) node: String,
    pub(super) commit: Commit,
    /// What GitHub calls its parents, with the times by which it is known whether they are worth reading.
    parents: Vec<(Pending, Timestamp)>,
}

/// Reads a commit; `None` if it lacks what makes it one.
pub(super) fn listed(
    wire: CommitWire,
    repository: &RepositoryId,
    bots: Bots<'_>,
    read_at: Timestamp,
) -> Option<Listed> {
    let CommitWire { id: node, oid, authored_date, committed_date, message, author, parents } = wire;
    let parents = parents.unwrap_or_default().nodes;
    let committed_at = Timestamp::parse(&committed_date?)?.min(read_at);
    let authored_at = authored_date.as_deref().and_then(Timestamp::parse);
    let commit = Commit {
        paths: None,
        repository: repository.clone(),
        id: CommitId::parse(&oid?)?,
        parents: parents.iter().filter_map(|parent| CommitId::parse(parent.oid.as_deref()?)).collect(),
        authored_at: authored_at.unwrap_or(committed_at).min(read_at),
        committed_at,
        author: bots.committer(author.as_ref()),
        pull_request: None,
        reverts: commit_reverts(message.as_deref().unwrap_or_default()),
    };
    Some(Listed { node: node?, commit, parents: parents.into_iter().filter_map(parent).collect() })
}

fn parent(wire: ParentWire) -> Option<(Pending, Timestamp)> {
    let ParentWire { id, oid, committed_date } = wire;
    let pending = Pending { node: id?, oid: CommitId::parse(&oid?)?.to_string() };
    Some((pending, Timestamp::parse(&committed_date?)?))
}

/// The commits of the default branch's line in a page: from `next` by first parents, up to `stop`; and the commit
/// with which the line goes on outside the page.
pub(super) fn line(
    page: &[Listed],
    next: Option<CommitId>,
    stop: Option<CommitId>,
) -> (BTreeSet<CommitId>, Option<CommitId>) {
    let first_parents: BTreeMap<CommitId, Option<CommitId>> =
        page.iter().map(|listed| (listed.commit.id, listed.commit.parents.first().copied())).collect();
    let mut line = BTreeSet::new();
    let mut next = next;
    while let Some(id) = next.filter(|id| Some(*id) != stop) {
        let Some(parent) = first_parents.get(&id) else {
            return (line, Some(id));
        };
        if !line.insert(id) {
            break;
        }
        next = *parent;
    }
    (line, None)
}

/// What of a page is new if everything that `known` contains has been read: the rest of the page would only say
/// again what is stored.
pub(super) fn news(page: Vec<Listed>, known: Option<CommitId>) -> Vec<Listed> {
    let parents: BTreeMap<CommitId, Vec<CommitId>> =
        page.iter().map(|listed| (listed.commit.id, listed.commit.parents.clone())).collect();
    let mut contained = BTreeSet::new();
    let mut open: Vec<CommitId> = known.into_iter().collect();
    while let Some(id) = open.pop() {
        if contained.insert(id) {
            open.extend(parents.get(&id).into_iter().flatten());
        }
    }
    page.into_iter().filter(|listed| !contained.contains(&listed.commit.id)).collect()
}

/// The commits of a page.
pub(super) fn inside(page: &[Listed]) -> BTreeSet<String> {
    page.iter().map(|listed| listed.commit.id.to_string()).collect()
}

/// Parents outside the page that are not older than the horizon: where the history may have to be read on.
pub(super) fn frontier(page: &[Listed], inside: &BTreeSet<String>, horizon: Timestamp) -> Vec<Pending> {
    let mut frontier = BTreeMap::new();
    for (parent, committed_at) in page.iter().flat_map(|listed| &listed.parents) {
        if *committed_at >= horizon && !inside.contains(&parent.oid) {
            frontier.insert(parent.oid.clone(), parent.clone());
        }
    }
    frontier.into_values().collect()
}

/// The merged pull request into the default branch of the same repository that a commit belongs to: the one that
/// landed as this commit, else the one with the lowest number.
pub(super) fn pull_request(wire: CommitPullsWire, node: &str, branch: &str) -> Option<u64> {
    let CommitPullsWire { oid, associated_pull_requests } = wire;
    associated_pull_requests?
        .nodes
        .into_iter()
        .filter_map(|associated| {
            let AssociatedWire { number, merged, base_ref_name, merge_commit, repository } = associated;
            let here = repository?.id.as_deref() == Some(node) && base_ref_name.as_deref() == Some(branch);
            let landed = merge_commit.is_some_and(|commit| commit.oid == oid);
            (here && merged == Some(true)).then_some((!landed, number?))
        })
        .min()
        .map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::Author;
    use crate::model::name::SourceName;
    use serde_json::{Value, json};

    fn sha(digit: char) -> String {
        digit.to_string().repeat(40)
    }

    fn id(digit: char) -> CommitId {
        CommitId::parse(&sha(digit)).unwrap()
    }

    fn read(value: Value) -> Option<Listed> {
        let repository = RepositoryId { source: SourceName::from("acme"), number: 1 };
        let read_at = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        listed(serde_json::from_value(value).unwrap(), &repository, Bots(&[]), read_at)
    }

    /// A commit with its parents, all committed at this hour.
    fn commit(digit: char, parents: &str) -> Listed {
        let date = "2026-11-22T10:00:00Z";
        let parents: Vec<_> = parents
            .chars()
            .map(|digit| json!({ "id": format!("C_{digit}"), "oid": sha(digit), "committedDate": date }))
            .collect();
        read(json!({
            "id": format!("C_{digit}"), "oid": sha(digit), "authoredDate": date, "committedDate": date,
            "message": "m", "author": null, "parents": { "nodes": parents },
        }))
        .unwrap()
    }

    #[test]
    fn a_commit_needs_its_identity_and_its_date_only() {
        for absent in ["authoredDate", "message", "author", "parents"] {
            let mut value = json!({ "id": "C", "oid": sha('a'), "committedDate": "2026-11-22T10:00:00Z" });
            value[absent] = Value::Null;
            assert_eq!(read(value).unwrap().commit.author, Author::Human);
        }
        assert!(read(json!({ "id": "C", "oid": sha('a') })).is_none());
        assert!(read(json!({ "id": "C", "oid": "x", "committedDate": "2026-11-22T10:00:00Z" })).is_none());
    }

    #[test]
    fn the_line_follows_first_parents_through_pages() {
        let page = [commit('e', "dc"), commit('d', "b"), commit('c', "b")];
        let set = |digits: &str| digits.chars().map(id).collect::<BTreeSet<_>>();
        assert_eq!(line(&page, Some(id('e')), None), (set("ed"), Some(id('b'))));
        assert_eq!(line(&page, Some(id('e')), Some(id('d'))), (set("e"), None));
        assert_eq!(line(&page, Some(id('b')), None), (set(""), Some(id('b'))), "it goes on in a later page");
        assert_eq!(line(&page, None, None), (set(""), None));
        assert_eq!(line(&[commit('a', "")], Some(id('a')), None), (set("a"), None));
        assert_eq!(line(&[commit('a', "a")], Some(id('a')), None), (set("a"), None), "a circle ends");
    }

    #[test]
    fn what_the_last_head_contains_is_not_news() {
        let page =
            vec![commit('e', "dc"), commit('d', "b"), commit('c', "a"), commit('b', "a"), commit('a', "")];
        let news: String = news(page, Some(id('d')))
            .iter()
            .filter_map(|listed| listed.commit.id.to_string().chars().next())
            .collect();
        assert_eq!(news, "ec");
    }

    #[test]
    fn the_frontier_is_what_the_page_names_and_lacks() {
        let page = [commit('e', "dc"), commit('d', "b")];
        let oids = |horizon: &str| {
            let horizon = Timestamp::parse(horizon).unwrap();
            frontier(&page, &inside(&page), horizon)
                .into_iter()
                .map(|pending| pending.node)
                .collect::<Vec<_>>()
        };
        assert_eq!(oids("2026-11-01T00:00:00Z"), ["C_b", "C_c"]);
        assert!(oids("2026-11-22T11:00:00Z").is_empty(), "older than the horizon");
    }

    #[test]
    fn a_commit_belongs_to_a_merged_pull_request_into_the_default_branch_here() {
        let pull = |number: u64, merged: bool, base: &str, repository: &str, landing: char| {
            json!({ "number": number, "merged": merged, "baseRefName": base, "repository": { "id": repository },
                    "mergeCommit": { "oid": sha(landing) } })
        };
        for (pulls, expected) in [
            (json!([]), None),
            (json!([pull(1, true, "main", "R", 'b')]), Some(1)),
            (json!([pull(1, true, "main", "R", 'b'), pull(2, true, "main", "R", 'a')]), Some(2)),
            (json!([pull(1, false, "main", "R", 'a')]), None),
            (json!([pull(1, true, "release", "R", 'a')]), None),
            (json!([pull(1, true, "main", "fork", 'a')]), None),
            (json!([null, {}]), None),
        ] {
            let wire = json!({ "oid": sha('a'), "associatedPullRequests": { "nodes": pulls } });
            let wire = serde_json::from_value(wire).unwrap();
            assert_eq!(pull_request(wire, "R", "main"), expected, "{pulls}");
        }
    }
}
