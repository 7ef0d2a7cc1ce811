//! Pull requests with their commits, reviews and timelines.

use apollo_compiler::resolvers::ResolveInfo;

use super::account::or_null;
use super::execute::Context;
use super::issue::labels;
use super::node::{
    Prefix, Resolved, Thing, asked, id, instant, leaf, number, object, order, text, time, words,
};
use super::paging::{Item, Rank, connection, count};
use super::repository::url;
use crate::demo::world::changed_file::How;
use crate::demo::world::commit::Commit;
use crate::demo::world::pull::{Event, EventKind, PullRequest, Review, Verdict};
use crate::demo::world::repository::Repository;

/// A pull request as an item of a list ordered by this field.
pub(super) fn item<'a>(field: &str, repository: &'a Repository, pull: &'a PullRequest) -> Item<'a> {
    let rank = match field {
        "UPDATED_AT" => pull.updated_at.millis(),
        "COMMENTS" => i64::from(count(pull.reviews.len())),
        _ => pull.created_at.millis(),
    };
    Item::new(Rank::Number(rank), pull.database_id, Thing::Pull(repository, pull))
}

/// The pull requests of a repository that the arguments ask for.
pub(super) fn list<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    info: &'a ResolveInfo<'a>,
) -> Resolved<'a> {
    let states = words(info.arguments().get("states"));
    let any_of = words(info.arguments().get("labels"));
    let towards = text(info, "baseRefName");
    let from = text(info, "headRefName");
    let held = repository.pulls.iter().filter(|pull| {
        asked(states.as_deref(), state(pull))
            && towards.is_none_or(|base| pull.base == base)
            && from.is_none_or(|from| pull.branch == from)
            && any_of
                .as_ref()
                .is_none_or(|any_of| pull.labels.iter().any(|label| any_of.contains(&label.as_str())))
    });
    let (field, descending) = order(info);
    connection(cx, info, held.map(|pull| item(field, repository, pull)).collect(), descending)
}

pub(super) fn field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    pull: &'a PullRequest,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "id" => id("PR", &[repository.database_id, pull.number]),
        "databaseId" => number(pull.database_id),
        "fullDatabaseId" => leaf(pull.database_id.to_string()),
        "number" => number(pull.number),
        "title" => leaf(pull.title.as_str()),
        "body" => leaf(pull.body.as_str()),
        "url" => leaf(pull_url(repository, pull)),
        "state" => leaf(state(pull)),
        "closed" => leaf(pull.closed_at.is_some()),
        "merged" => leaf(pull.landing.is_some()),
        "isDraft" => leaf(pull.draft),
        "isCrossRepository" => leaf(pull.cross_repository),
        "createdAt" => time(pull.created_at),
        "updatedAt" => time(pull.updated_at),
        "publishedAt" => time(pull.published_at()),
        "closedAt" => time(pull.closed_at),
        "mergedAt" => time(pull.landing.as_ref().map(|landing| landing.at)),
        "author" => object(cx, or_null(&pull.author)),
        "mergedBy" => object(cx, pull.landing.as_ref().and_then(|landing| or_null(&landing.by))),
        "repository" => object(cx, Thing::Repository(repository)),
        "labels" => labels(cx, repository, &pull.labels, info),
        "commits" => {
            let own = pull.commits.iter().map(|place| Thing::PullCommit(repository, pull, *place));
            connection(cx, info, own.enumerate().map(Item::placed).collect(), false)
        }
        "reviews" => reviews(cx, repository, pull, info),
        "timelineItems" => timeline(cx, repository, pull, info),
        "files" => {
            let places = 0..repository.files_of(pull).len();
            let files = places.map(|place| Thing::File(repository, pull, place));
            connection(cx, info, files.enumerate().map(Item::placed).collect(), false)
        }
        _ => return git_field(cx, repository, pull, info),
    })
}

/// The fields that look at branches and commits.
fn git_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    pull: &'a PullRequest,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let own = || pull.commits.iter().filter_map(|place| repository.commits.get(*place));
    let oid = |commit: Option<&Commit>| leaf(commit.map(|commit| commit.id.to_string()).unwrap_or_default());
    let branch = |name: &str| {
        let (name, _) = repository.branches.get_key_value(name)?;
        Some(Thing::Ref(repository, Prefix::Heads, name.as_str()))
    };
    Some(match info.field_name() {
        "additions" => leaf(own().map(|commit| commit.additions).sum::<u32>()),
        "deletions" => leaf(own().map(|commit| commit.deletions).sum::<u32>()),
        "changedFiles" => leaf(count(repository.files_of(pull).len())),
        "baseRefName" => leaf(pull.base.as_str()),
        "baseRefOid" => oid(pull.base_commit.and_then(|place| repository.commits.get(place))),
        "baseRef" => object(cx, branch(&pull.base)),
        "headRefName" => leaf(pull.branch.as_str()),
        "headRefOid" => oid(own().next_back()),
        "headRef" => object(cx, branch(&pull.branch)),
        "mergeCommit" => {
            let landed = pull.landing.as_ref().map(|landing| landing.commit);
            let here =
                landed.filter(|place| repository.commits.get(*place).is_some_and(|commit| !commit.gone));
            object(cx, here.map(|place| Thing::Commit(repository, place)))
        }
        _ => return None,
    })
}

fn reviews<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    pull: &'a PullRequest,
    info: &'a ResolveInfo<'a>,
) -> Resolved<'a> {
    let states = words(info.arguments().get("states"));
    let author = text(info, "author");
    let held = pull.reviews.iter().filter(|review| {
        asked(states.as_deref(), verdict(review.verdict))
            && author.is_none_or(|author| review.author.login() == Some(author))
    });
    let things = held.map(|review| Thing::Review(repository, pull, review));
    connection(cx, info, things.enumerate().map(Item::placed).collect(), false)
}

fn timeline<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    pull: &'a PullRequest,
    info: &'a ResolveInfo<'a>,
) -> Resolved<'a> {
    let kinds = words(info.arguments().get("itemTypes"));
    let since = instant(info, "since");
    let commits = pull.commits.iter().filter_map(|place| {
        let at = repository.commits.get(*place)?.committed_at;
        Some((at, "PULL_REQUEST_COMMIT", Thing::PullCommit(repository, pull, *place)))
    });
    let reviews = pull
        .reviews
        .iter()
        .map(|review| (review.at, "PULL_REQUEST_REVIEW", Thing::Review(repository, pull, review)));
    let events = pull
        .events
        .iter()
        .map(|event| (event.at, event_kind(event.kind), Thing::Event(repository, pull, event)));
    let items = commits.chain(reviews).chain(events).enumerate();
    let wanted = items
        .filter(|(_, (at, kind, _))| asked(kinds.as_deref(), kind) && since.is_none_or(|since| *at >= since));
    let items =
        wanted.map(|(place, (at, _, thing))| Item::new(Rank::Number(at.millis()), place as u64, thing));
    connection(cx, info, items.collect(), false)
}

pub(super) fn file_field<'a>(
    repository: &'a Repository,
    pull: &'a PullRequest,
    place: usize,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let files = repository.files_of(pull);
    let file = files.get(place)?;
    Some(match info.field_name() {
        "path" => leaf(file.path.as_str()),
        "additions" => leaf(file.additions),
        "deletions" => leaf(file.deletions),
        "changeType" => leaf(match file.how {
            How::Added => "ADDED",
            How::Removed => "DELETED",
            How::Modified => "MODIFIED",
            How::RenamedFrom(_) => "RENAMED",
        }),
        _ => return None,
    })
}

pub(super) fn commit_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    pull: &'a PullRequest,
    place: usize,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let oid = || repository.commits.get(place).map(|commit| commit.id.to_string()).unwrap_or_default();
    Some(match info.field_name() {
        "id" => id("PURC", &[repository.database_id, pull.number, place as u64]),
        "commit" => object(cx, Thing::Commit(repository, place)),
        "pullRequest" => object(cx, Thing::Pull(repository, pull)),
        "url" => leaf(format!("{}/commits/{}", pull_url(repository, pull), oid())),
        _ => return None,
    })
}

pub(super) fn review_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    pull: &'a PullRequest,
    review: &'a Review,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let submitted_at = (review.verdict != Verdict::Pending).then_some(review.at);
    Some(match info.field_name() {
        "id" => id("PRR", &[repository.database_id, review.database_id]),
        "databaseId" => number(review.database_id),
        "fullDatabaseId" => leaf(review.database_id.to_string()),
        "state" => leaf(verdict(review.verdict)),
        "author" => object(cx, or_null(&review.author)),
        "body" => leaf(""),
        "createdAt" | "updatedAt" => time(review.at),
        "publishedAt" | "submittedAt" => time(submitted_at),
        "commit" => object(cx, pull.commits.last().map(|place| Thing::Commit(repository, *place))),
        "pullRequest" => object(cx, Thing::Pull(repository, pull)),
        "repository" => object(cx, Thing::Repository(repository)),
        "url" => leaf(format!("{}#pullrequestreview-{}", pull_url(repository, pull), review.database_id)),
        _ => return None,
    })
}

pub(super) fn event_field<'a>(
    cx: &'a Context<'a>,
    repository: &'a Repository,
    pull: &'a PullRequest,
    event: &'a Event,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "id" => id("EV", &[repository.database_id, event.database_id]),
        "actor" => object(cx, or_null(&event.actor)),
        "createdAt" => time(event.at),
        "pullRequest" => object(cx, Thing::Pull(repository, pull)),
        _ => return None,
    })
}

fn pull_url(repository: &Repository, pull: &PullRequest) -> String {
    format!("{}/pull/{}", url(repository), pull.number)
}

const fn state(pull: &PullRequest) -> &'static str {
    match (&pull.landing, pull.closed_at) {
        (Some(_), _) => "MERGED",
        (None, Some(_)) => "CLOSED",
        (None, None) => "OPEN",
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approved => "APPROVED",
        Verdict::ChangesRequested => "CHANGES_REQUESTED",
        Verdict::Commented => "COMMENTED",
        Verdict::Dismissed => "DISMISSED",
        Verdict::Pending => "PENDING",
    }
}

const fn event_kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::ReadyForReview => "READY_FOR_REVIEW_EVENT",
        EventKind::ConvertToDraft => "CONVERT_TO_DRAFT_EVENT",
        EventKind::AddedToMergeQueue => "ADDED_TO_MERGE_QUEUE_EVENT",
        EventKind::RemovedFromMergeQueue => "REMOVED_FROM_MERGE_QUEUE_EVENT",
        EventKind::Merged => "MERGED_EVENT",
        EventKind::Closed => "CLOSED_EVENT",
        EventKind::Reopened => "REOPENED_EVENT",
        EventKind::HeadRefForcePushed => "HEAD_REF_FORCE_PUSHED_EVENT",
    }
}
