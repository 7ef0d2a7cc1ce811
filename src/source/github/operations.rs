//! The operations that are sent, each with its variables and the points it is going to cost.
//!
//! GitHub's formula: for every connection the number of its parents, assuming that each page is full; the sum
//! divided by 100, rounded, at least 1. `tests/it/github_operations.rs` holds what is predicted here against the
//! formula applied to the text, and the text against GitHub's public schema.

use serde_json::{Value, json};

use crate::model::dirty::Stream;
use crate::model::time::Timestamp;

/// An operation's name and text.
#[derive(Debug)]
pub struct Operation {
    /// Its name, as GitHub's logs and ours have it.
    pub name: &'static str,
    /// Its text, fragments included.
    pub text: &'static str,
}

/// Declares the operations, one file each.
macro_rules! operations {
    ($($name:ident = $file:literal, $operation:literal;)*) => {
        $(static $name: Operation = Operation { name: $operation, text: include_str!($file) };)*
    };
}

operations! {
    DISCOVER = "discover.graphql", "Discover";
    REPOSITORIES_BY_NAME = "repositories_by_name.graphql", "RepositoriesByName";
    TEAMS = "teams.graphql", "Teams";
    TEAM_REPOSITORIES = "team_repositories.graphql", "TeamRepositories";
    PROBE = "probe.graphql", "Probe";
    REPOSITORY_PAGES = "repository_pages.graphql", "RepositoryPages";
    COMMIT_WALKS = "commit_walks.graphql", "CommitWalks";
    COMMIT_PULL_REQUESTS = "commit_pull_requests.graphql", "CommitPullRequests";
    PULL_REQUEST_REST = "pull_request_rest.graphql", "PullRequestRest";
    REPOSITORY_PLACES = "repository_places.graphql", "RepositoryPlaces";
    DEPLOYMENTS_BY_ID = "deployments_by_id.graphql", "DeploymentsById";
    STREAM_PROBE = "stream_probe.graphql", "StreamProbe";
    RELEASE_PAGES = "release_pages.graphql", "ReleasePages";
    RELEASES_BY_ID = "releases_by_id.graphql", "ReleasesById";
    TAG_PAGES = "tag_pages.graphql", "TagPages";
    WORKFLOW_PROBE = "workflow_probe.graphql", "WorkflowProbe";
    PULL_REQUEST_FILES = "pull_request_files.graphql", "PullRequestFiles";
    COMMITS_BY_OID = "commits_by_oid.graphql", "CommitsByOid";
    INSPECT = "inspect.graphql", "Inspect";
}

/// The largest page that GitHub gives.
pub(super) const PAGE_MAX: u64 = 100;
/// Repositories in one probe: with 4 connections each this is 1 point; 100 would cost the same for each and take
/// four times as long.
pub(super) const PROBE_IDS_MAX: usize = 25;
/// The streams that a probe can show. Each needs a permission of its own.
pub(super) const PROBED: [Stream; 4] =
    [Stream::Changes, Stream::Deployments, Stream::Issues, Stream::Commits];
/// Aliases in `repositories_by_name.graphql`.
pub(super) const NAMES_MAX: usize = 10;
/// Teams in one page; each brings a page of repositories.
const TEAMS_FIRST: u64 = 20;
/// Commits whose history is asked for in one request.
pub(super) const WALK_IDS_MAX: usize = 10;
/// Commits asked for their pull requests in one request: the most that `nodes` takes.
pub(super) const COMMIT_IDS_MAX: usize = 100;
/// Deployments re-read in one request: the most that `nodes` takes.
pub(super) const DEPLOYMENT_IDS_MAX: usize = 100;
/// Repositories that are looked at in one request by `check --online`: with 5 connections each this is 1 point.
pub(super) const INSPECT_IDS_MAX: usize = 25;
/// Pull requests whose commits and reviews are read on in one request.
pub(super) const REST_IDS_MAX: usize = 20;

/// Repositories whose newest releases and tags are looked at in one request: 1 point, if they have one of both.
pub(super) const STREAM_IDS_MAX: usize = 50;
/// Releases re-read in one request: the most that `nodes` takes.
pub(super) const RELEASE_IDS_MAX: usize = 100;
/// Workflows whose newest runs are looked at in one request: the most that `nodes` takes, for 1 point.
pub(super) const WORKFLOW_IDS_MAX: usize = 100;
/// Pull requests whose files are listed in one request: up to 2,500 paths, as many as are light.
pub(super) const FILES_IDS_MAX: usize = 25;
/// Aliases in `commits_by_oid.graphql`.
pub(super) const OIDS_MAX: usize = 10;

/// Connections within each item of a page, all at once.
const PULL_CONNECTIONS: u64 = 4;
const DEPLOYMENT_CONNECTIONS: u64 = 1;
const COMMIT_CONNECTIONS: u64 = 1;
const ISSUE_CONNECTIONS: u64 = 1;

/// An operation with its variables.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is asked.
    pub operation: &'static Operation,
    /// Of what.
    pub variables: Value,
    /// What it will cost, in points.
    pub cost: u64,
}

impl Request {
    fn new(operation: &'static Operation, connections: u64, variables: Value) -> Self {
        Self { operation, variables, cost: points(connections) }
    }
}

/// Points for so many visits of connections.
fn points(connections: u64) -> u64 {
    ((connections + 50) / 100).max(1)
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// A page size, halved so many times.
fn shrunk(first: u64, halvings: u32) -> u64 {
    (first >> halvings.min(63)).max(1)
}

/// An owner is an organisation or a user, and GitHub has to be told which.
pub(super) fn discover(owner: &str, kind: OwnerKind, after: Option<&str>, halvings: u32) -> Request {
    let first = shrunk(PAGE_MAX, halvings);
    let organization = kind == OwnerKind::Organization;
    let variables = json!({ "owner": owner, "organization": organization, "first": first, "after": after });
    Request::new(&DISCOVER, 1, variables)
}

/// What an owner of repositories is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnerKind {
    Organization,
    User,
}

impl OwnerKind {
    /// The field of the answer.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::User => "user",
        }
    }
}

/// At most [`NAMES_MAX`] pairs of owner and name; the last one stands in for those that are missing.
pub(super) fn repositories_by_name(names: &[(&str, &str)]) -> Request {
    let mut variables = serde_json::Map::new();
    let filled = names.iter().chain(names.last().into_iter().cycle());
    for (index, (owner, name)) in filled.take(NAMES_MAX).enumerate() {
        variables.insert(format!("owner{index}"), json!(owner));
        variables.insert(format!("name{index}"), json!(name));
    }
    Request::new(&REPOSITORIES_BY_NAME, 0, Value::Object(variables))
}

pub(super) fn teams(organization: &str, after: Option<&str>, halvings: u32) -> Request {
    let (first, repositories) = (shrunk(TEAMS_FIRST, halvings), shrunk(PAGE_MAX, halvings));
    let variables =
        json!({ "organization": organization, "first": first, "after": after, "repositories": repositories });
    Request::new(&TEAMS, 1 + first, variables)
}

pub(super) fn team_repositories(
    organization: &str,
    team: &str,
    after: Option<&str>,
    halvings: u32,
) -> Request {
    let first = shrunk(PAGE_MAX, halvings);
    let variables = json!({ "organization": organization, "team": team, "first": first, "after": after });
    Request::new(&TEAM_REPOSITORIES, 1, variables)
}

/// Looks at repositories, at these streams of them.
pub(super) fn probe(ids: &[String], streams: &[Stream]) -> Request {
    let [pulls, deployments, issues, contents] = PROBED.map(|stream| streams.contains(&stream));
    let connections = count(ids) * (u64::from(pulls) + u64::from(deployments) + u64::from(issues));
    let variables = json!({
        "ids": ids, "pulls": pulls, "deployments": deployments, "issues": issues, "contents": contents,
    });
    Request::new(&PROBE, connections, variables)
}

pub(super) fn commit_walks(ids: &[String], since: Timestamp) -> Request {
    let connections = count(ids) * (1 + PAGE_MAX * COMMIT_CONNECTIONS);
    let variables = json!({ "ids": ids, "first": PAGE_MAX, "since": since.to_string() });
    Request::new(&COMMIT_WALKS, connections, variables)
}

pub(super) fn commit_pull_requests(ids: &[String]) -> Request {
    Request::new(&COMMIT_PULL_REQUESTS, count(ids), json!({ "ids": ids }))
}

pub(super) fn pull_request_rest(ids: &[String], commits: Option<&str>, reviews: Option<&str>) -> Request {
    let variables = json!({ "ids": ids, "commitsAfter": commits, "reviewsAfter": reviews });
    Request::new(&PULL_REQUEST_REST, count(ids) * 2, variables)
}

pub(super) fn deployments_by_id(ids: &[String], after: Option<&str>) -> Request {
    Request::new(&DEPLOYMENTS_BY_ID, count(ids), json!({ "ids": ids, "after": after }))
}

pub(super) fn stream_probe(ids: &[String], releases: bool, tags: bool) -> Request {
    let connections = count(ids) * (u64::from(releases) + u64::from(tags));
    let variables = json!({ "ids": ids, "releases": releases, "tags": tags });
    Request::new(&STREAM_PROBE, connections, variables)
}

/// A page of releases of one repository, or the first pages of several.
pub(super) fn release_pages(ids: &[String], page: &PageOf, halvings: u32) -> Request {
    let variables = json!({ "ids": ids, "first": shrunk(page.first, halvings), "after": page.after });
    Request::new(&RELEASE_PAGES, count(ids), variables)
}

pub(super) fn releases_by_id(ids: &[String]) -> Request {
    Request::new(&RELEASES_BY_ID, 0, json!({ "ids": ids }))
}

/// A page of tags of one repository, or the first pages of several.
pub(super) fn tag_pages(ids: &[String], page: &PageOf, halvings: u32) -> Request {
    let variables = json!({ "ids": ids, "first": shrunk(page.first, halvings), "after": page.after });
    Request::new(&TAG_PAGES, count(ids), variables)
}

pub(super) fn workflow_probe(ids: &[String]) -> Request {
    Request::new(&WORKFLOW_PROBE, count(ids), json!({ "ids": ids }))
}

pub(super) fn pull_request_files(ids: &[String], after: Option<&str>) -> Request {
    Request::new(&PULL_REQUEST_FILES, count(ids), json!({ "ids": ids, "after": after }))
}

/// At most [`OIDS_MAX`] commits of one repository; the last one stands in for those that are missing.
pub(super) fn commits_by_oid(node: &str, oids: &[String]) -> Request {
    let mut variables = serde_json::Map::new();
    variables.insert("id".to_owned(), json!(node));
    let filled = oids.iter().chain(oids.last().into_iter().cycle());
    for (index, oid) in filled.take(OIDS_MAX).enumerate() {
        variables.insert(format!("oid{index}"), json!(oid));
    }
    Request::new(&COMMITS_BY_OID, 0, Value::Object(variables))
}

/// What there is of each of these repositories, besides commits and merged pull requests: of deployments, releases,
/// tags and issues, as `wanted` says in this order.
pub(super) fn inspect(ids: &[String], wanted: [bool; 4]) -> Request {
    let [deployments, releases, tags, issues] = wanted;
    let connections = 1 + wanted.into_iter().map(u64::from).sum::<u64>();
    let variables = json!({
        "ids": ids,
        "deployments": deployments,
        "releases": releases,
        "tags": tags,
        "issues": issues,
    });
    Request::new(&INSPECT, count(ids) * connections, variables)
}

/// A page of one stream: how many, after what.
#[derive(Debug, Clone, Default)]
pub(super) struct PageOf {
    pub(super) first: u64,
    pub(super) after: Option<String>,
}

/// Pages of several streams, of one repository or of several at once (then all of them first pages).
#[derive(Debug, Clone, Default)]
pub(super) struct Pages {
    pub(super) ids: Vec<String>,
    pub(super) pulls: Option<PageOf>,
    pub(super) deployments: Option<PageOf>,
    pub(super) commits: Option<PageOf>,
    /// The commit whose history goes on; `None`: the default branch's newest.
    pub(super) commit: Option<String>,
    pub(super) commits_since: Option<Timestamp>,
    pub(super) issues: Option<PageOf>,
    pub(super) issues_since: Option<Timestamp>,
}

pub(super) fn repository_pages(pages: &Pages) -> Request {
    let first = |page: &Option<PageOf>| page.as_ref().map_or(1, |page| page.first);
    let after = |page: &Option<PageOf>| page.as_ref().and_then(|page| page.after.clone());
    let connections = |page: &Option<PageOf>, each: u64| page.as_ref().map_or(0, |_| 1 + first(page) * each);
    let per_repository = connections(&pages.pulls, PULL_CONNECTIONS)
        + connections(&pages.deployments, DEPLOYMENT_CONNECTIONS)
        + connections(&pages.commits, COMMIT_CONNECTIONS)
        + connections(&pages.issues, ISSUE_CONNECTIONS);
    let variables = json!({
        "ids": pages.ids,
        "pulls": pages.pulls.is_some(),
        "pullsFirst": first(&pages.pulls),
        "pullsAfter": after(&pages.pulls),
        "deployments": pages.deployments.is_some(),
        "deploymentsFirst": first(&pages.deployments),
        "deploymentsAfter": after(&pages.deployments),
        "head": pages.commits.is_some() && pages.commit.is_none(),
        "history": pages.commits.is_some() && pages.commit.is_some(),
        "commit": pages.commit,
        "commitsFirst": first(&pages.commits),
        "commitsAfter": after(&pages.commits),
        "commitsSince": pages.commits_since.map(|since| since.to_string()),
        "issues": pages.issues.is_some(),
        "issuesFirst": first(&pages.issues),
        "issuesAfter": after(&pages.issues),
        "issuesSince": pages.issues_since.map(|since| since.to_string()),
    });
    Request::new(&REPOSITORY_PAGES, count(&pages.ids) * per_repository, variables)
}

/// What comes next in one stream of a repository, without anything that could be heavy.
pub(super) fn repository_places(
    ids: &[String],
    stream: Stream,
    after: Option<&str>,
    issues_since: Option<Timestamp>,
) -> Request {
    let variables = json!({
        "ids": ids,
        "pulls": stream == Stream::Changes,
        "deployments": stream == Stream::Deployments,
        "issues": stream == Stream::Issues,
        "after": after,
        "issuesSince": issues_since.map(|since| since.to_string()),
    });
    Request::new(&REPOSITORY_PLACES, count(ids), variables)
}

/// How much of each stream is asked for at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Repositories in one request.
    pub(super) repositories: usize,
    pub(super) pulls: u64,
    pub(super) deployments: u64,
    pub(super) commits: u64,
    pub(super) issues: u64,
}

/// The first pages of a first read: a month of most repositories, for several of them at once.
pub(super) const FIRST_READ: Sizes =
    Sizes { repositories: 5, pulls: 25, deployments: 50, commits: 50, issues: 25 };
/// What is new since the last poll: little, so that it costs little.
pub(super) const NEWS: Sizes =
    Sizes { repositories: 10, pulls: 10, deployments: 10, commits: 20, issues: 20 };
/// Further pages, of one repository. A pull request brings lists of its own, and GitHub gives up on heavy pages after
/// ten seconds: half a page of them.
pub(super) const FURTHER: Sizes =
    Sizes { repositories: 1, pulls: 50, deployments: PAGE_MAX, commits: PAGE_MAX, issues: 50 };

/// Every operation as it is sent at its largest, for the test that validates and prices them.
pub fn largest() -> Vec<Request> {
    let ids = |n: usize| (0..n).map(|n| format!("N_{n}")).collect::<Vec<_>>();
    let after = Some("cursor");
    let pages = |sizes: Sizes, after: Option<&str>, commit: Option<&str>| {
        let page = |first| {
            let after = after.map(str::to_owned);
            Some(PageOf { first, after })
        };
        let pages = Pages {
            ids: ids(sizes.repositories),
            pulls: page(sizes.pulls),
            deployments: page(sizes.deployments),
            commits: page(sizes.commits),
            commit: commit.map(str::to_owned),
            commits_since: Some(Timestamp::default()),
            issues: page(sizes.issues),
            issues_since: Some(Timestamp::default()),
        };
        repository_pages(&pages)
    };
    let list_page = |after: Option<&str>| PageOf { first: PAGE_MAX, after: after.map(str::to_owned) };
    vec![
        discover("acme", OwnerKind::Organization, after, 0),
        discover("uma", OwnerKind::User, after, 0),
        repositories_by_name(&[("acme", "shop"), ("acme", "pay")]),
        teams("acme", after, 0),
        team_repositories("acme", "payments", after, 0),
        probe(&ids(PROBE_IDS_MAX), &PROBED),
        probe(&ids(PROBE_IDS_MAX), &[Stream::Changes, Stream::Deployments]),
        pages(FIRST_READ, None, None),
        pages(NEWS, None, None),
        pages(FURTHER, after, Some("0000000000000000000000000000000000000000")),
        commit_walks(&ids(WALK_IDS_MAX), Timestamp::default()),
        commit_pull_requests(&ids(COMMIT_IDS_MAX)),
        pull_request_rest(&ids(REST_IDS_MAX), after, after),
        repository_places(&ids(1), Stream::Issues, after, Some(Timestamp::default())),
        deployments_by_id(&ids(DEPLOYMENT_IDS_MAX), after),
        stream_probe(&ids(STREAM_IDS_MAX), true, true),
        stream_probe(&ids(STREAM_IDS_MAX), true, false),
        release_pages(&ids(5), &list_page(after), 0),
        releases_by_id(&ids(RELEASE_IDS_MAX)),
        tag_pages(&ids(5), &list_page(after), 0),
        workflow_probe(&ids(WORKFLOW_IDS_MAX)),
        pull_request_files(&ids(FILES_IDS_MAX), after),
        commits_by_oid("R_1", &["0000000000000000000000000000000000000000".to_owned()]),
        inspect(&ids(INSPECT_IDS_MAX), [true; 4]),
    ]
}
