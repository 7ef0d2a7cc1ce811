//! Answers as GitHub sends them, as forgiving as they can be read: everything may be null or absent, what is unknown
//! is ignored, and an item that cannot be read spoils neither its page nor its neighbours.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An answer to any operation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Envelope {
    pub(super) data: Option<Value>,
    pub(super) errors: Option<Vec<GraphError>>,
}

/// An entry of `errors`. Its message is for people.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GraphError {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) message: Option<String>,
    pub(super) path: Option<Vec<Value>>,
    pub(super) extensions: Option<Extensions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Extensions {
    pub(super) code: Option<String>,
    pub(super) saml_failure: Option<bool>,
}

/// `rateLimit`; null on servers without limits.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RateLimit {
    pub(super) cost: Option<u64>,
    pub(super) limit: Option<u64>,
    pub(super) remaining: Option<u64>,
    pub(super) reset_at: Option<String>,
}

/// A page of a connection.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "RawPage", bound = "T: DeserializeOwned")]
pub(super) struct Page<T> {
    pub(super) nodes: Vec<T>,
    /// Items that could not be read.
    pub(super) malformed: u64,
    pub(super) has_next: bool,
    pub(super) end: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), malformed: 0, has_next: false, end: None }
    }
}

impl<T> Page<T> {
    /// Goes on with the next page. A page that brings nothing is the last one, whatever it says.
    pub(super) fn append(&mut self, next: Self) {
        let Self { nodes, malformed, has_next, end } = next;
        self.has_next = has_next && !nodes.is_empty() && end != self.end;
        self.end = end.or(self.end.take());
        self.nodes.extend(nodes);
        self.malformed += malformed;
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawPage {
    #[serde(alias = "edges")]
    nodes: Option<Vec<Value>>,
    page_info: Option<PageInfo>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageInfo {
    has_next_page: Option<bool>,
    end_cursor: Option<String>,
}

impl<T: DeserializeOwned> From<RawPage> for Page<T> {
    fn from(raw: RawPage) -> Self {
        let RawPage { nodes, page_info } = raw;
        let PageInfo { has_next_page, end_cursor } = page_info.unwrap_or_default();
        let mut page = Self { has_next: has_next_page.unwrap_or(false), end: end_cursor, ..Self::default() };
        for node in nodes.unwrap_or_default() {
            if node.is_null() {
                continue;
            }
            match serde_json::from_value(node) {
                Ok(node) => page.nodes.push(node),
                Err(_) => page.malformed += 1,
            }
        }
        page
    }
}

/// Declares records: every field may be absent or null.
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub(super) struct $name { $($(#[$attribute])* pub(super) $field: Option<$type>,)* }
    )*};
}

records! {
    /// An account; its login goes no further than the function that reads it.
    ActorWire { #[serde(rename = "__typename")] kind: String, login: String, }
    OidWire { oid: String, }
    IdWire { id: String, }
    NumberWire { database_id: u64, }
    NameWire { name: String, }
    BranchWire { name: String, target: OidWire, }

    /// A repository, when it is discovered and when it is probed.
    RepositoryWire {
        id: String,
        database_id: u64,
        name_with_owner: String,
        is_archived: bool,
        is_disabled: bool,
        is_fork: bool,
        created_at: String,
        pushed_at: String,
        default_branch_ref: BranchWire,
        branch_hidden: bool,
        deployments: Page<NewestWire>,
        pull_requests: Page<NewestWire>,
        issues: Page<NewestWire>,
    }
    NewestWire { id: String, updated_at: String, }
    OwnerWire { repositories: Page<RepositoryWire>, }
    OwnerData { organization: OwnerWire, user: OwnerWire, }

    OrganizationData { organization: OrganizationWire, }
    OrganizationWire { teams: Page<TeamWire>, team: TeamWire, }
    TeamWire { slug: String, name: String, repositories: Page<TeamEdgeWire>, }
    TeamEdgeWire { permission: String, node: NumberWire, }

    /// Pages of the streams of a repository.
    PagesWire {
        pull_requests: Page<PullWire>,
        deployments: Page<DeploymentWire>,
        default_branch_ref: HeadWire,
        object: HistoryWire,
        issues: Page<IssueWire>,
    }
    HeadWire { name: String, target: HistoryWire, }
    HistoryWire { oid: String, history: Page<CommitWire>, }

    /// A merged pull request.
    PullWire {
        id: String,
        number: u64,
        title: String,
        body: String,
        base_ref_name: String,
        head_ref_name: String,
        created_at: String,
        updated_at: String,
        merged_at: String,
        author: ActorWire,
        merge_commit: OidWire,
        labels: Page<NameWire>,
        commits: Page<OwnCommitWire>,
        reviews: Page<ReviewWire>,
        timeline_items: Page<ReadyWire>,
        /// Not asked for with the rest: put here when they have been read, or are more than GitHub lists.
        #[serde(skip)] files: Files,
    }
    OwnCommitWire { commit: OwnCommitFieldsWire, }
    OwnCommitFieldsWire { oid: String, authored_date: String, message: String, }
    ReviewWire { submitted_at: String, author: ActorWire, }
    ReadyWire { created_at: String, }
    RestWire { commits: Page<OwnCommitWire>, reviews: Page<ReviewWire>, }

    /// A deployment with its statuses.
    DeploymentWire {
        id: String,
        database_id: u64,
        commit_oid: String,
        commit: DeployedWire,
        environment: String,
        created_at: String,
        statuses: Page<StatusWire>,
    }
    DeployedWire { id: String, committed_date: String, }
    StatusWire { state: String, created_at: String, log_url: String, }

    /// A commit of a history.
    CommitWire {
        id: String,
        oid: String,
        authored_date: String,
        committed_date: String,
        message: String,
        author: GitActorWire,
        parents: Page<ParentWire>,
    }
    GitActorWire { name: String, user: UserWire, }
    UserWire { login: String, }
    ParentWire { id: String, oid: String, committed_date: String, }

    /// The newest releases and tags, when they are probed, and pages of them.
    ListsWire { releases: Page<ReleaseWire>, refs: TagsWire, }
    ReleaseWire {
        id: String,
        database_id: u64,
        tag_name: String,
        is_draft: bool,
        is_prerelease: bool,
        created_at: String,
        published_at: String,
        updated_at: String,
        url: String,
        tag_commit: CommitNodeWire,
    }
    CommitNodeWire { id: String, oid: String, committed_date: String, }
    TagWire { name: String, target: TargetWire, }
    /// What a tag points at: a commit, another tag, or something else.
    TargetWire {
        #[serde(rename = "__typename")] kind: String,
        id: String,
        oid: String,
        committed_date: String,
        tagger: TaggerWire,
        target: Box<TargetWire>,
    }
    TaggerWire { date: String, }

    /// A workflow's newest runs.
    WorkflowRunsWire { runs: Page<NewestRunWire>, }
    NewestRunWire { id: String, event: String, created_at: String, updated_at: String, }

    /// The files of a pull request.
    FilesWire { changed_files: u64, files: Page<FileWire>, }
    FileWire { path: String, }

    /// What a commit belongs to.
    CommitPullsWire { oid: String, associated_pull_requests: Page<AssociatedWire>, }
    AssociatedWire {
        number: u64,
        merged: bool,
        base_ref_name: String,
        merge_commit: OidWire,
        repository: IdWire,
    }

    /// An issue.
    IssueWire {
        number: u64,
        title: String,
        body: String,
        url: String,
        state: String,
        state_reason: String,
        created_at: String,
        updated_at: String,
        closed_at: String,
        labels: Page<NameWire>,
    }
}

/// The files that a pull request touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Files {
    /// All of them.
    Whole(Vec<String>),
    /// More than GitHub lists.
    TooMany,
}

/// A page of tags, with how many there are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TagsWire {
    pub(super) total_count: Option<u64>,
    #[serde(flatten)]
    pub(super) page: Page<TagWire>,
}

/// `nodes(ids:)`: one entry for each id, in their order.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodesData {
    pub(super) nodes: Option<Vec<Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_cannot_be_read_spoils_no_page() {
        let page: Page<NameWire> = serde_json::from_str(
            r#"{"totalCount": 4, "nodes": [{"name": "a", "new": 1}, null, {"name": 7}, {}],
                "pageInfo": {"hasNextPage": true, "endCursor": "c"}}"#,
        )
        .unwrap();
        assert_eq!((page.nodes.len(), page.malformed, page.has_next), (2, 1, true));
        assert_eq!(page.end.as_deref(), Some("c"));
    }

    #[test]
    fn nulls_and_absent_fields_are_no_errors() {
        for text in [r"{}", r#"{"nodes": null, "pageInfo": null}"#] {
            let page: Page<PullWire> = serde_json::from_str(text).unwrap();
            assert!(page.nodes.is_empty() && !page.has_next);
        }
        let pull: PullWire =
            serde_json::from_str(r#"{"author": null, "mergeCommit": null, "labels": {"nodes": [null]}}"#)
                .unwrap();
        assert!(pull.author.is_none() && pull.labels.unwrap().nodes.is_empty());
    }
}
