//! Pull requests: what they are. What happens to them is told in [`super::pull_story`].

use super::account::Account;
use super::repository::RepositoryKey;
use crate::model::time::Timestamp;

/// How a pull request lands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A commit with two parents; the own commits stay.
    Merge,
    /// One new commit.
    Squash,
    /// Each own commit written anew.
    Rebase,
}

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Go ahead.
    Approved,
    /// Not yet.
    ChangesRequested,
    /// Remarks only.
    Commented,
    /// Taken back.
    Dismissed,
    /// Begun, and not submitted.
    Pending,
}

/// A review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// GitHub's number.
    pub database_id: u64,
    /// Who wrote it.
    pub author: Account,
    /// What it says.
    pub verdict: Verdict,
    /// When it was submitted, or begun if it is pending.
    pub at: Timestamp,
}

/// What else happened to a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It left the state of a draft.
    ReadyForReview,
    /// It became a draft.
    ConvertToDraft,
    /// It joined the merge queue.
    AddedToMergeQueue,
    /// It left the merge queue.
    RemovedFromMergeQueue,
    /// It was merged.
    Merged,
    /// It was closed.
    Closed,
    /// It was opened again.
    Reopened,
    /// Its branch was rewritten.
    HeadRefForcePushed,
}

/// An entry of a pull request's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// GitHub's number.
    pub database_id: u64,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Account,
}

/// How a pull request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// When.
    pub at: Timestamp,
    /// Who pressed the button.
    pub by: Account,
    /// The place of the merge commit, the squash commit, or the last commit of a rebase.
    pub commit: usize,
    /// How.
    pub method: Method,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// GitHub's number over all repositories.
    pub database_id: u64,
    /// Its number in the repository.
    pub number: u64,
    /// What it is titled.
    pub title: String,
    /// What it says.
    pub body: String,
    /// Who opened it.
    pub author: Account,
    /// The branch it comes from.
    pub branch: String,
    /// The branch it goes to.
    pub base: String,
    /// The place of the base branch's newest commit when it was opened.
    pub base_commit: Option<usize>,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// Whether it is a draft now.
    pub draft: bool,
    /// How heavy it is for the server to show; 1 is usual.
    pub weight: u64,
    /// Whether it comes from a fork.
    pub cross_repository: bool,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed: any review, push, label, comment or merge.
    pub updated_at: Timestamp,
    /// When it was closed or merged.
    pub closed_at: Option<Timestamp>,
    /// How it was merged, if it was.
    pub landing: Option<Landing>,
    /// The places of its own commits, oldest first.
    pub commits: Vec<usize>,
    /// Its reviews, oldest first.
    pub reviews: Vec<Review>,
    /// What else happened to it, oldest first.
    pub events: Vec<Event>,
}

/// A pull request's place: its repository and its place among that repository's pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PullKey {
    /// The repository.
    pub repository: RepositoryKey,
    /// The place.
    pub place: usize,
}

/// What somebody proposes.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub(super) title: String,
    pub(super) author: Account,
    pub(super) body: String,
    pub(super) branch: Option<String>,
    pub(super) base: Option<String>,
    pub(super) labels: Vec<String>,
    pub(super) draft: bool,
    pub(super) cross_repository: bool,
    pub(super) commits: Vec<(Timestamp, String)>,
    pub(super) paths: Option<Vec<String>>,
}

impl Proposal {
    /// A proposal with one commit, written when it is opened, on a branch named after the title.
    pub fn new(title: &str, author: &str) -> Self {
        Self {
            title: title.to_owned(),
            author: Account::from(author),
            body: String::new(),
            branch: None,
            base: None,
            labels: Vec::new(),
            draft: false,
            cross_repository: false,
            commits: Vec::new(),
            paths: None,
        }
    }

    /// With this text.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// From this branch.
    #[must_use]
    pub fn branch(mut self, branch: &str) -> Self {
        self.branch = Some(branch.to_owned());
        self
    }

    /// Into this branch.
    #[must_use]
    pub fn base(mut self, base: &str) -> Self {
        self.base = Some(base.to_owned());
        self
    }

    /// With this label.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.labels.push(label.to_owned());
        self
    }

    /// Opened as a draft.
    #[must_use]
    pub fn draft(mut self) -> Self {
        self.draft = true;
        self
    }

    /// From a fork.
    #[must_use]
    pub fn from_fork(mut self) -> Self {
        self.cross_repository = true;
        self
    }

    /// Every own commit changes these files.
    #[must_use]
    pub fn paths(mut self, paths: &[&str]) -> Self {
        self.paths = Some(paths.iter().map(|path| (*path).to_owned()).collect());
        self
    }

    /// With another own commit, written then.
    #[must_use]
    pub fn commit(mut self, authored_at: Timestamp, message: &str) -> Self {
        self.commits.push((authored_at, message.to_owned()));
        self
    }
}
