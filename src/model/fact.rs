//! Facts: what sources observed, stored by identity and never derived from each other (`definitions.md` §1).
//!
//! People are not facts: whether an account is a bot, and whether a reviewer is somebody other than the author, is
//! decided while a page is read; no login gets this far.

use super::name::{
    CommitId, CommitPrefix, ComponentName, Environment, ExternalId, RepositoryId, RepositoryName, ServiceId,
    Severity, SourceName,
};
use super::time::Timestamp;

/// One observation, upserted by its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A repository as it is now.
    Repository(Repository),
    /// All teams of a source with what they hold: replaces what was known of them.
    Teams(SourceName, Vec<HoldingTeam>),
    /// A commit; it never changes but for what GitHub says of its pull request.
    Commit(Commit),
    /// A merged pull request.
    Change(Change),
    /// One try to deploy.
    Attempt(Attempt),
    /// An incident.
    Incident(Incident),
    /// Something that may have been read as an incident before and is none: excluded as `filtered` if it is known,
    /// forgotten if it is not (an issue that lost its label, or never had it).
    NoIncident(SourceName, ExternalId),
}

/// Corrections with which a fact is used, counted in `sextant_suspect_facts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Corrections(u8);

impl Corrections {
    /// Nothing was corrected.
    pub const NONE: Self = Self(0);
    /// It was dated after the time it was read, and is used with that time.
    pub const FUTURE: Self = Self(1);
    /// It had a value that its source does not document, which was left out.
    pub const UNKNOWN_VALUE: Self = Self(2);

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `other` is among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// As it is stored.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From what was stored.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// `at`, or `read_at` if that is earlier, in which case the correction is noted.
    #[must_use]
    pub fn not_after(&mut self, at: Timestamp, read_at: Timestamp) -> Timestamp {
        if at > read_at {
            *self = self.and(Self::FUTURE);
        }
        at.min(read_at)
    }
}

/// Whether a repository can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// It can, and has commits.
    Ok,
    /// It can, and has none.
    Empty,
    /// It was there once and cannot be read now: deleted, private, or the token lost it. Its history stays.
    Inaccessible,
}

/// A repository as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its identity.
    pub id: RepositoryId,
    /// What it is called today.
    pub name: RepositoryName,
    /// Whether it can be read.
    pub reach: Reach,
    /// The name of its default branch, if it has one.
    pub default_branch: Option<String>,
    /// The newest commit of the default branch.
    pub head: Option<CommitId>,
    /// When it was created; a window is complete for a component younger than the window.
    pub created_at: Timestamp,
}

/// What a team may do in a repository, the highest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Too little to own it: read or triage.
    Read,
    /// Push.
    Write,
    /// Manage without access to sensitive actions.
    Maintain,
    /// Everything.
    Admin,
}

/// A team of the source with the repositories that it holds; input of the ownership rule of `definitions.md` §1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldingTeam {
    /// The team's slug in the source.
    pub slug: String,
    /// What it is called.
    pub name: String,
    /// Its repositories, with what it may do there.
    pub repositories: Vec<(RepositoryId, Permission)>,
}

/// A human or a bot (`definitions.md` §1; a deleted account is human).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Author {
    /// A person; whose number is nobody's business.
    Human,
    /// A bot, by account type, by the ending `[bot]` or by the setting `bots`.
    Bot,
}

/// A commit of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Where it is.
    pub repository: RepositoryId,
    /// Its SHA-1.
    pub id: CommitId,
    /// Its parents, the first one first.
    pub parents: Vec<CommitId>,
    /// When it was written, by its author's clock.
    pub authored_at: Timestamp,
    /// When it was committed: rewritten by a rebase.
    pub committed_at: Timestamp,
    /// Who wrote it.
    pub author: Author,
    /// The merged pull request into the default branch that GitHub says it belongs to.
    pub pull_request: Option<u64>,
    /// What its message says it reverts.
    pub reverts: Vec<RevertOf>,
    /// The files that it touches, read only of direct pushes to repositories of several components; `None`: not read.
    pub paths: Option<Vec<String>>,
}

/// What a change says it reverts (`definitions.md` 3.3). The order of the rules is [`RevertOf::rule`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevertOf {
    /// `Reverts owner/repo#12` or `Reverts #12` in the body.
    PullRequest(u64),
    /// `This reverts commit <sha>` in the body, in the landing commit's message or in one of its own commits'.
    Commit(CommitPrefix),
    /// The branch `revert-12-…`.
    Branch(u64),
    /// The title `Revert "T"`, with T.
    Title(String),
}

impl RevertOf {
    /// The place of its rule in the order of `definitions.md` 3.3: the first that resolves wins.
    pub const fn rule(&self) -> u8 {
        match self {
            Self::PullRequest(_) => 0,
            Self::Commit(_) => 1,
            Self::Branch(_) => 2,
            Self::Title(_) => 3,
        }
    }

    /// Whether it is a commit that is named.
    pub const fn names_commit(&self) -> bool {
        match self {
            Self::Commit(_) => true,
            Self::PullRequest(_) | Self::Branch(_) | Self::Title(_) => false,
        }
    }
}

/// A commit that a pull request was made of, before it was merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnCommit {
    /// Its SHA-1.
    pub id: CommitId,
    /// When it was written; a rebase keeps it, which tells a rebase merge from a squash.
    pub authored_at: Timestamp,
}

/// A merged pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it was merged.
    pub repository: RepositoryId,
    /// Its number there.
    pub number: u64,
    /// What it is titled.
    pub title: String,
    /// The branch it was merged into.
    pub base: String,
    /// The branch it came from.
    pub head: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Who opened it.
    pub author: Author,
    /// The commit it landed as: the merge commit, the squash commit, or the last commit of a rebase.
    pub landing: Option<CommitId>,
    /// The commits it was made of, oldest first.
    pub own_commits: Vec<OwnCommit>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was last marked ready for review before the merge, if it ever was a draft.
    pub ready_at: Option<Timestamp>,
    /// The first review before the merge by a human other than the author.
    pub reviewed_at: Option<Timestamp>,
    /// When it was merged.
    pub merged_at: Timestamp,
    /// What it reverts, in the order of the text, not yet resolved.
    pub reverts: Vec<RevertOf>,
    /// The files that it touches, read only in repositories of several components; `None`: not read.
    pub paths: Option<Vec<String>>,
    /// With what it is used.
    pub corrections: Corrections,
}

/// How a deployment attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It reached its environment.
    Success,
    /// It did not.
    Failure,
}

/// Whether a release is for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It is.
    Final,
    /// It is marked as a preview.
    Prerelease,
}

/// What an attempt was in its source, with what the rules of `[[github.deployments]]` choose by. Ids of all but
/// GitHub's deployments begin with a word of their own, so that no two are the same: `run:`, `release:`, `tag:`, `push:`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A GitHub Deployment, chosen by its environment.
    Deployment,
    /// One attempt of an Actions workflow run.
    Run {
        /// The workflow's file without its folder: `deploy.yml`.
        workflow: String,
        /// What the workflow is called.
        name: String,
        /// The branch or tag that it ran on; empty if GitHub does not say.
        branch: String,
        /// What started it: `push`, `workflow_dispatch`, ….
        event: String,
    },
    /// A published release.
    Release {
        /// Its tag.
        tag: String,
        /// Whether it is for everybody.
        stage: Stage,
    },
    /// A tag.
    Tag {
        /// What it is called.
        name: String,
    },
    /// What the push API was told about a component.
    Pushed {
        /// Which one.
        component: ComponentName,
    },
}

/// One try to put a commit into an environment (`definitions.md` 2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The repository whose commit it was.
    pub repository: RepositoryId,
    /// The source's id of it.
    pub id: ExternalId,
    /// What it was there.
    pub origin: Origin,
    /// The commit.
    pub commit: CommitId,
    /// Where to; `production` where the source has no environments.
    pub environment: Environment,
    /// When it was created.
    pub created_at: Timestamp,
    /// How and when it ended; `None` while it runs, or if it was cancelled or skipped.
    pub finished: Option<(Outcome, Timestamp)>,
    /// Where a person can look at it.
    pub url: Option<String>,
    /// With what it is used.
    pub corrections: Corrections,
}

/// Why an incident is not counted (`definitions.md` 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words of definitions.md 4.1")]
pub enum Exclusion {
    Merged,
    Duplicate,
    NotPlanned,
    Cancelled,
    Declined,
    Test,
    Filtered,
}

impl Exclusion {
    /// All of them, in the order of `definitions.md` 4.1.
    pub const ALL: [Self; 7] = [
        Self::Merged,
        Self::Duplicate,
        Self::NotPlanned,
        Self::Cancelled,
        Self::Declined,
        Self::Test,
        Self::Filtered,
    ];

    /// The value of the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::Duplicate => "duplicate",
            Self::NotPlanned => "not_planned",
            Self::Cancelled => "cancelled",
            Self::Declined => "declined",
            Self::Test => "test",
            Self::Filtered => "filtered",
        }
    }
}

/// What an incident is about, as its source says it; the owner resolves it (`definitions.md` 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A service of the incident source, by id and name.
    Service(ServiceId, String),
    /// A repository: the one that holds the issue.
    Repository(RepositoryId),
    /// A team, by the slug or name that the source has for it.
    Team(String),
}

/// A trace of a deployment in an incident's text (`definitions.md` 4.3, rule `reference`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A commit: bare, or at the end of its URL, then with the repository.
    Commit(Option<RepositoryName>, CommitPrefix),
    /// A pull request's URL.
    PullRequest(RepositoryName, u64),
    /// A deployment's URL.
    Deployment(RepositoryName, ExternalId),
}

/// What a person or the source said about the cause (`definitions.md` 4.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// This deployment, by the id of one of its attempts, or by its commit.
    Deployment(String),
    /// No deployment.
    None,
}

/// An unplanned degradation, as the incident source reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The source that reported it.
    pub source: SourceName,
    /// The source's id of it.
    pub id: ExternalId,
    /// What it is called there.
    pub title: String,
    /// Where a person can look at it.
    pub url: Option<String>,
    /// Start of the impact as the source states it, else when it was created.
    pub started_at: Timestamp,
    /// When somebody took it.
    pub acknowledged_at: Option<Timestamp>,
    /// When it was resolved; `None` while it is open, also when it was reopened.
    pub resolved_at: Option<Timestamp>,
    /// How bad it is.
    pub severity: Severity,
    /// How urgent it is, where the source says (PagerDuty: `high`, `low`).
    pub urgency: Option<String>,
    /// What it is about, the most telling first.
    pub subjects: Vec<Subject>,
    /// What its text names, in order.
    pub references: Vec<Reference>,
    /// An explicit word about its cause.
    pub verdict: Option<Verdict>,
    /// Why its source says that it does not count.
    pub excluded: Option<Exclusion>,
    /// With what it is used.
    pub corrections: Corrections,
}
