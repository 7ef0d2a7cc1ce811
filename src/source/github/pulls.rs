//! Merged pull requests into changes. Logins are compared here and go no further.

use crate::model::fact::{Author, Change, Corrections, OwnCommit};
use crate::model::name::{CommitId, RepositoryId, RepositoryName};
use crate::model::text::{Described, change_reverts};
use crate::model::time::Timestamp;

use super::actor::Bots;
use super::wire::{ActorWire, Files, OwnCommitWire, Page, PullWire, ReviewWire};

/// What a page is read with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) repository: &'a RepositoryId,
    pub(super) name: &'a RepositoryName,
    pub(super) bots: Bots<'a>,
    pub(super) read_at: Timestamp,
}

/// Whether its commits, or the reviews among which none counts so far, go on after what was read.
pub(super) fn is_cut(wire: &PullWire, bots: Bots<'_>) -> bool {
    let more = |has_next: Option<bool>| has_next == Some(true);
    let commits = more(wire.commits.as_ref().map(|page| page.has_next));
    let reviews = more(wire.reviews.as_ref().map(|page| page.has_next));
    let merged_at = wire.merged_at.as_deref().and_then(Timestamp::parse);
    let reviewed = merged_at.and_then(|merged_at| first_review(wire, merged_at, bots));
    commits || (reviews && reviewed.is_none())
}

/// When it was last changed: what its list is ordered by.
pub(super) fn updated_at(wire: &PullWire) -> Option<Timestamp> {
    wire.updated_at.as_deref().and_then(Timestamp::parse)
}

/// When it was merged.
pub(super) fn merged_at(wire: &PullWire) -> Option<Timestamp> {
    wire.merged_at.as_deref().and_then(Timestamp::parse)
}

/// Reads a pull request; `None` if it lacks what makes it a change.
pub(super) fn change(wire: PullWire, reading: Reading<'_>) -> Option<Change> {
    let Reading { repository, name, bots, read_at } = reading;
    let merged_at = Timestamp::parse(wire.merged_at.as_deref()?)?;
    let reviewed_at = first_review(&wire, merged_at, bots);
    let PullWire {
        id: _,
        number,
        title,
        body,
        base_ref_name,
        head_ref_name,
        created_at,
        updated_at: _,
        merged_at: _,
        author,
        merge_commit,
        labels,
        commits,
        reviews: _,
        timeline_items,
        files,
    } = wire;
    let mut corrections = Corrections::NONE;
    let ready_at = timeline_items
        .unwrap_or_default()
        .nodes
        .iter()
        .filter_map(|event| Timestamp::parse(event.created_at.as_deref()?))
        .filter(|at| *at <= merged_at)
        .max();
    let (own_commits, messages) = own_commits(commits.unwrap_or_default(), &mut corrections, read_at);
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let title = title.unwrap_or_default();
    let head = head_ref_name.unwrap_or_default();
    let reverts = change_reverts(Described {
        repository: name,
        title: &title,
        body: body.as_deref().unwrap_or_default(),
        head: &head,
        messages: &messages,
    });
    Some(Change {
        paths: match files {
            Some(Files::Whole(paths)) => Some(paths),
            Some(Files::TooMany) | None => None,
        },
        repository: repository.clone(),
        number: number?,
        title,
        base: base_ref_name?,
        head,
        labels: labels.unwrap_or_default().nodes.into_iter().filter_map(|label| label.name).collect(),
        author: bots.account(author.as_ref()),
        landing: merge_commit.and_then(|commit| CommitId::parse(&commit.oid?)),
        own_commits,
        opened_at: corrections.not_after(Timestamp::parse(&created_at?)?, read_at),
        ready_at: ready_at.map(|at| corrections.not_after(at, read_at)),
        reviewed_at: reviewed_at.map(|at| corrections.not_after(at, read_at)),
        merged_at: corrections.not_after(merged_at, read_at),
        reverts,
        corrections,
    })
}

fn own_commits(
    page: Page<OwnCommitWire>,
    corrections: &mut Corrections,
    read_at: Timestamp,
) -> (Vec<OwnCommit>, Vec<String>) {
    let mut commits = Vec::new();
    let mut messages = Vec::new();
    for wire in page.nodes.into_iter().filter_map(|node| node.commit) {
        let id = wire.oid.as_deref().and_then(CommitId::parse);
        let authored_at = wire.authored_date.as_deref().and_then(Timestamp::parse);
        if let (Some(id), Some(authored_at)) = (id, authored_at) {
            commits.push(OwnCommit { id, authored_at: corrections.not_after(authored_at, read_at) });
        }
        messages.extend(wire.message);
    }
    (commits, messages)
}

/// The first review before the merge by a human other than the author. Who reviewed in the second of the merge
/// reviewed before it: an approval may set off the merge.
fn first_review(wire: &PullWire, merged_at: Timestamp, bots: Bots<'_>) -> Option<Timestamp> {
    let reviews = wire.reviews.as_ref()?;
    reviews
        .nodes
        .iter()
        .filter(|review| is_by_another_human(review, wire.author.as_ref(), bots))
        .filter_map(|review| Timestamp::parse(review.submitted_at.as_deref()?))
        .filter(|at| *at <= merged_at)
        .min()
}

fn is_by_another_human(review: &ReviewWire, author: Option<&ActorWire>, bots: Bots<'_>) -> bool {
    let login = |actor: Option<&ActorWire>| actor.and_then(|actor| actor.login.clone());
    let human = match bots.account(review.author.as_ref()) {
        Author::Human => true,
        Author::Bot => false,
    };
    // Two deleted accounts may be one: then nobody is known to be another.
    human && login(review.author.as_ref()) != login(author)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::RevertOf;
    use crate::model::name::SourceName;
    use serde_json::{Value, json};

    const SHA: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn read(value: Value) -> Option<Change> {
        let repository = RepositoryId { source: SourceName::from("acme"), number: 1 };
        let reading = Reading {
            repository: &repository,
            name: &RepositoryName::from("acme/shop"),
            bots: Bots(&[]),
            read_at: Timestamp::parse("2026-11-22T12:00:00Z").unwrap(),
        };
        change(serde_json::from_value(value).unwrap(), reading)
    }

    fn full() -> Value {
        json!({
            "id": "PR_1", "number": 12, "title": "Add a cart", "body": "Reverts #3", "baseRefName": "main",
            "headRefName": "cart", "createdAt": "2026-11-20T10:00:00Z", "updatedAt": "2026-11-21T10:00:00Z",
            "mergedAt": "2026-11-21T09:00:00Z", "author": { "__typename": "User", "login": "ann" },
            "mergeCommit": { "oid": SHA }, "labels": { "nodes": [{ "name": "hotfix" }, null] },
            "commits": { "nodes": [
                { "commit": { "oid": SHA, "authoredDate": "2026-11-19T10:00:00Z", "message": "m" } },
                { "commit": null },
            ] },
            "reviews": { "nodes": [] },
            "timelineItems": { "nodes": [
                { "createdAt": "2026-11-20T11:00:00Z" }, {}, { "createdAt": "2026-11-20T12:00:00Z" },
                { "createdAt": "2026-11-21T12:00:00Z" },
            ] },
            "brandNew": [1],
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut full = full();
        full[field] = value;
        full
    }

    #[test]
    fn a_pull_request_becomes_a_change() {
        let change = read(full()).unwrap();
        assert_eq!((change.number, change.author), (12, Author::Human));
        assert_eq!(change.landing, CommitId::parse(SHA));
        assert_eq!(change.own_commits.len(), 1);
        assert_eq!(change.labels, ["hotfix"]);
        assert_eq!(change.reverts, [RevertOf::PullRequest(3)]);
        assert_eq!(
            change.ready_at,
            Timestamp::parse("2026-11-20T12:00:00Z"),
            "the last one before the merge"
        );
        assert_eq!(change.corrections, Corrections::NONE);
    }

    #[test]
    fn a_review_counts_if_a_human_other_than_the_author_gave_it_before_the_merge() {
        let by = |typename: &str, login: &str, at: &str| json!({ "submittedAt": at, "author": { "__typename": typename, "login": login } });
        let (early, late) = ("2026-11-20T13:00:00Z", "2026-11-20T15:00:00Z");
        for (reviews, expected) in [
            (json!([]), None),
            (json!([by("User", "bob", late), by("User", "eve", early)]), Some(early)),
            (json!([by("User", "ann", early), by("User", "bob", late)]), Some(late)),
            (json!([by("Bot", "copilot", early)]), None),
            (json!([by("User", "check[bot]", early)]), None),
            (json!([{ "submittedAt": early, "author": null }]), Some(early)),
            (json!([{ "submittedAt": null, "author": { "__typename": "User", "login": "bob" } }]), None),
            (json!([by("User", "bob", "2026-11-21T09:00:01Z")]), None),
            (json!([by("User", "bob", "2026-11-21T09:00:00Z")]), Some("2026-11-21T09:00:00Z")),
            (Value::Null, None),
        ] {
            let change = read(with("reviews", json!({ "nodes": reviews }))).unwrap();
            assert_eq!(change.reviewed_at, expected.and_then(Timestamp::parse), "{reviews}");
        }
    }

    #[test]
    fn what_is_absent_is_absent_and_what_is_needed_is_needed() {
        for field in
            ["author", "mergeCommit", "labels", "commits", "reviews", "timelineItems", "body", "headRefName"]
        {
            assert!(read(with(field, Value::Null)).is_some(), "{field}");
        }
        for field in ["number", "mergedAt", "createdAt", "baseRefName"] {
            assert!(read(with(field, Value::Null)).is_none(), "{field}");
        }
    }

    #[test]
    fn dates_of_the_future_are_used_as_of_now() {
        let commits =
            json!({ "nodes": [{ "commit": { "oid": SHA, "authoredDate": "2030-01-01T00:00:00Z" } }] });
        let change = read(with("commits", commits)).unwrap();
        assert_eq!(change.own_commits[0].authored_at, Timestamp::parse("2026-11-22T12:00:00Z").unwrap());
        assert_eq!(change.corrections, Corrections::FUTURE);
    }

    #[test]
    fn more_is_asked_for_only_where_it_is_needed() {
        let cut = |value| is_cut(&serde_json::from_value(value).unwrap(), Bots(&[]));
        let more = json!({ "hasNextPage": true });
        let review = json!({ "submittedAt": "2026-11-20T13:00:00Z", "author": { "login": "bob" } });
        assert!(!cut(full()));
        assert!(cut(with("commits", json!({ "pageInfo": more, "nodes": [] }))));
        assert!(cut(with("reviews", json!({ "pageInfo": more, "nodes": [] }))));
        assert!(!cut(with("reviews", json!({ "pageInfo": more, "nodes": [review] }))));
    }
}
