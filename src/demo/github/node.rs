//! Everything that a query can reach, and the small words that all resolvers use.

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonValue;
use chrono::SecondsFormat;

use super::access;
use super::execute::{Context, problem};
use super::{account, commit, deployment, issue, opaque, pull, query, release, repository, team, workflow};
use crate::demo::world::account::Account;
use crate::demo::world::deployment::{Deployment, Status};
use crate::demo::world::issue::Issue;
use crate::demo::world::organization::{Organization, Team};
use crate::demo::world::pull::{Event, EventKind, PullRequest, Review};
use crate::demo::world::release::{Release, Tag};
use crate::demo::world::repository::Repository;
use crate::demo::world::workflow::{Run, Workflow};
use crate::model::time::Timestamp;

/// What a resolver returns.
pub(super) type Resolved<'a> = Result<ResolvedValue<'a>, FieldError>;

/// An object of the answer: what of the world it shows.
#[derive(Clone, Copy)]
pub(super) enum Thing<'a> {
    Query {
        dry: bool,
    },
    RateLimit,
    Organization(&'a Organization),
    Team(&'a Organization, &'a Team),
    Account(&'a Account),
    Repository(&'a Repository),
    RepositoryTopic(&'a str),
    Topic(&'a str),
    Ref(&'a Repository, Prefix, &'a str),
    Commit(&'a Repository, usize),
    /// The n-th tag object below a tag's name.
    Tag(&'a Repository, &'a str, &'a Tag, usize),
    Blob(&'a Repository, &'a str, &'a str),
    GitActor(&'a Account, Timestamp),
    Pull(&'a Repository, &'a PullRequest),
    PullCommit(&'a Repository, &'a PullRequest, usize),
    Review(&'a Repository, &'a PullRequest, &'a Review),
    Event(&'a Repository, &'a PullRequest, &'a Event),
    Label(&'a Repository, &'a str),
    Deployment(&'a Repository, &'a Deployment),
    Status(&'a Repository, &'a Deployment, &'a Status),
    Issue(&'a Repository, &'a Issue),
    Release(&'a Repository, &'a Release),
    /// The n-th file of a pull request.
    File(&'a Repository, &'a PullRequest, usize),
    Workflow(&'a Repository, &'a Workflow),
    Run(&'a Repository, &'a Workflow, &'a Run),
    CheckSuite(&'a Repository, &'a Workflow, &'a Run),
}

/// Where a ref lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Heads,
    Tags,
}

impl Prefix {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Heads => "refs/heads/",
            Self::Tags => "refs/tags/",
        }
    }
}

/// A thing with what its resolvers need.
pub(super) struct Node<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) thing: Thing<'a>,
}

impl ObjectValue for Node<'_> {
    fn type_name(&self) -> &str {
        match self.thing {
            Thing::Query { .. } => "Query",
            Thing::RateLimit => "RateLimit",
            Thing::Organization(_) => "Organization",
            Thing::Team(..) => "Team",
            Thing::Account(account) => account::type_name(account),
            Thing::Repository(_) => "Repository",
            Thing::RepositoryTopic(_) => "RepositoryTopic",
            Thing::Topic(_) => "Topic",
            Thing::Ref(..) => "Ref",
            Thing::Commit(..) => "Commit",
            Thing::Tag(..) => "Tag",
            Thing::Blob(..) => "Blob",
            Thing::GitActor(..) => "GitActor",
            Thing::Pull(..) => "PullRequest",
            Thing::PullCommit(..) => "PullRequestCommit",
            Thing::Review(..) => "PullRequestReview",
            Thing::Event(_, _, event) => event_type_name(event.kind),
            Thing::Label(..) => "Label",
            Thing::Deployment(..) => "Deployment",
            Thing::Status(..) => "DeploymentStatus",
            Thing::Issue(..) => "Issue",
            Thing::Release(..) => "Release",
            Thing::File(..) => "PullRequestChangedFile",
            Thing::Workflow(..) => "Workflow",
            Thing::Run(..) => "WorkflowRun",
            Thing::CheckSuite(..) => "CheckSuite",
        }
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        let cx = self.cx;
        if let Err((kind, message)) = access::of_field(cx, &self.thing, info.field_name()) {
            return Err(problem(kind, &message));
        }
        let resolved = match self.thing {
            Thing::Query { dry } => query::field(cx, dry, info),
            Thing::RateLimit => query::rate_limit_field(cx, info),
            Thing::Organization(organization) => team::organization_field(cx, organization, info),
            Thing::Team(organization, team) => team::field(cx, organization, team, info),
            Thing::Account(account) => account::field(cx, account, info),
            Thing::Repository(repository) => repository::field(cx, repository, info),
            Thing::RepositoryTopic(name) | Thing::Topic(name) => repository::topic_field(cx, name, info),
            Thing::Ref(repository, prefix, name) => repository::ref_field(cx, repository, prefix, name, info),
            Thing::Commit(repository, place) => commit::field(cx, repository, place, info),
            Thing::Tag(repository, name, tag, depth) => {
                commit::tag_field(cx, repository, name, tag, depth, info)
            }
            Thing::Blob(repository, path, text) => commit::blob_field(cx, repository, path, text, info),
            Thing::GitActor(account, at) => account::git_actor_field(cx, account, at, info),
            Thing::Pull(repository, pull) => pull::field(cx, repository, pull, info),
            Thing::PullCommit(repository, pull, place) => {
                pull::commit_field(cx, repository, pull, place, info)
            }
            Thing::Review(repository, pull, review) => pull::review_field(cx, repository, pull, review, info),
            Thing::Event(repository, pull, event) => pull::event_field(cx, repository, pull, event, info),
            Thing::Label(repository, name) => issue::label_field(repository, name, info),
            Thing::Deployment(repository, held) => deployment::field(cx, repository, held, info),
            Thing::Status(repository, held, status) => {
                deployment::status_field(cx, repository, held, status, info)
            }
            Thing::Issue(repository, issue) => issue::field(cx, repository, issue, info),
            Thing::Release(repository, release) => release::field(cx, repository, release, info),
            Thing::File(repository, pull, place) => pull::file_field(repository, pull, place, info),
            Thing::Workflow(repository, workflow) => workflow::field(cx, repository, workflow, info),
            Thing::Run(repository, workflow, run) => workflow::run_field(cx, repository, workflow, run, info),
            Thing::CheckSuite(repository, workflow, run) => {
                workflow::suite_field(cx, repository, workflow, run, info)
            }
        };
        resolved.unwrap_or_else(|| Err(self.unknown_field_error(info)))
    }
}

const fn event_type_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::ReadyForReview => "ReadyForReviewEvent",
        EventKind::ConvertToDraft => "ConvertToDraftEvent",
        EventKind::AddedToMergeQueue => "AddedToMergeQueueEvent",
        EventKind::RemovedFromMergeQueue => "RemovedFromMergeQueueEvent",
        EventKind::Merged => "MergedEvent",
        EventKind::Closed => "ClosedEvent",
        EventKind::Reopened => "ReopenedEvent",
        EventKind::HeadRefForcePushed => "HeadRefForcePushedEvent",
    }
}

/// A scalar, or null.
#[expect(clippy::unnecessary_wraps, reason = "every arm of a resolver is a result")]
pub(super) fn leaf<'a>(value: impl Into<JsonValue>) -> Resolved<'a> {
    Ok(ResolvedValue::leaf(value))
}

/// An instant, to the second.
pub(super) fn time<'a>(at: impl Into<Option<Timestamp>>) -> Resolved<'a> {
    leaf(at.into().map(written))
}

/// An instant as GitHub writes it.
pub(in crate::demo) fn written(at: Timestamp) -> String {
    at.datetime().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An object, or null.
#[expect(clippy::unnecessary_wraps, reason = "every arm of a resolver is a result")]
pub(super) fn object<'a>(cx: &'a Context<'a>, thing: impl Into<Option<Thing<'a>>>) -> Resolved<'a> {
    Ok(ResolvedValue::nullable_object(thing.into().map(|thing| Node { cx, thing })))
}

/// A node id made of numbers.
pub(super) fn id<'a>(prefix: &str, numbers: &[u64]) -> Resolved<'a> {
    leaf(opaque::node_id(prefix, numbers))
}

/// A number of GitHub's, as its `Int` fields have it: null where it does not fit.
pub(super) fn number<'a>(number: u64) -> Resolved<'a> {
    leaf(i32::try_from(number).ok())
}

/// A text argument.
pub(super) fn text<'a>(info: &ResolveInfo<'a>, name: &str) -> Option<&'a str> {
    info.arguments().get(name).and_then(JsonValue::as_str)
}

/// An argument that is an instant; what is no date asks for nothing.
pub(super) fn instant(info: &ResolveInfo<'_>, name: &str) -> Option<Timestamp> {
    text(info, name).and_then(Timestamp::parse)
}

/// A boolean argument.
pub(super) fn truth(info: &ResolveInfo<'_>, name: &str) -> Option<bool> {
    info.arguments().get(name).and_then(JsonValue::as_bool)
}

/// The words of a list; `None` where the list is not given.
pub(super) fn words(value: Option<&JsonValue>) -> Option<Vec<&str>> {
    Some(value?.as_array()?.iter().filter_map(JsonValue::as_str).collect())
}

/// Whether a word is among those asked for; everything is if nothing was asked for.
pub(super) fn asked(words: Option<&[&str]>, word: &str) -> bool {
    words.is_none_or(|words| words.contains(&word))
}

/// The field and whether the direction is down, of the argument `orderBy`.
pub(super) fn order<'a>(info: &ResolveInfo<'a>) -> (&'a str, bool) {
    let given = info.arguments().get("orderBy").and_then(JsonValue::as_object);
    let part = |name| given.and_then(|order| order.get(name)).and_then(JsonValue::as_str);
    (part("field").unwrap_or_default(), part("direction") == Some("DESC"))
}
