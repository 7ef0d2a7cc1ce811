//! Facts to store: one of each kind with everything filled in.

use sextant::model::fact::{
    Attempt, Author, Change, Commit, Corrections, Incident, Origin, Outcome, OwnCommit, Reach, Reference,
    Repository, RevertOf, Subject, Verdict,
};
use sextant::model::name::{
    CommitId, CommitPrefix, Environment, ExternalId, RepositoryId, RepositoryName, ServiceId, Severity,
    SourceName,
};
use sextant::model::time::Timestamp;

pub(super) fn acme() -> SourceName {
    SourceName::from("acme")
}

pub(super) fn other() -> SourceName {
    SourceName::from("other")
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub(super) fn sha(n: u8) -> CommitId {
    CommitId::new([n; 20])
}

pub(super) fn repository_id(number: u64) -> RepositoryId {
    RepositoryId { source: acme(), number }
}

pub(super) fn prefix(digits: &str) -> CommitPrefix {
    CommitPrefix::parse(digits).unwrap()
}

pub(super) fn repository(number: u64) -> Repository {
    Repository {
        id: repository_id(number),
        name: RepositoryName::new(format!("acme/repository-{number}")),
        reach: Reach::Ok,
        default_branch: Some("main".to_owned()),
        head: Some(sha(1)),
        created_at: at(1),
    }
}

/// A commit whose parent is the one before.
pub(super) fn commit(repository: u64, n: u8) -> Commit {
    Commit {
        paths: None,
        repository: repository_id(repository),
        id: sha(n),
        parents: n.checked_sub(1).map(sha).into_iter().collect(),
        authored_at: at(i64::from(n)),
        committed_at: at(i64::from(n) + 1),
        author: Author::Human,
        pull_request: None,
        reverts: vec![RevertOf::Commit(prefix("abcdef0"))],
    }
}

pub(super) fn change(repository: u64, number: u64) -> Change {
    Change {
        paths: None,
        repository: repository_id(repository),
        number,
        title: "Größer".to_owned(),
        base: "main".to_owned(),
        head: "feature".to_owned(),
        labels: vec!["hotfix".to_owned(), String::new()],
        author: Author::Bot,
        landing: Some(sha(2)),
        own_commits: vec![OwnCommit { id: sha(8), authored_at: at(1) }],
        opened_at: at(2),
        ready_at: Some(at(3)),
        reviewed_at: None,
        merged_at: at(4),
        reverts: vec![RevertOf::PullRequest(12), RevertOf::Branch(12), RevertOf::Title("T".to_owned())],
        corrections: Corrections::FUTURE,
    }
}

pub(super) fn attempt(repository: u64, id: &str) -> Attempt {
    Attempt {
        origin: Origin::Deployment,
        repository: repository_id(repository),
        id: ExternalId::new(id),
        commit: sha(2),
        environment: Environment::from("production"),
        created_at: at(5),
        finished: Some((Outcome::Success, at(6))),
        url: Some("https://github.example/1".to_owned()),
        corrections: Corrections::NONE,
    }
}

pub(super) fn incident(id: &str) -> Incident {
    Incident {
        source: acme(),
        id: ExternalId::new(id),
        title: "Checkout is down".to_owned(),
        url: None,
        started_at: at(7),
        acknowledged_at: Some(at(8)),
        resolved_at: Some(at(9)),
        severity: Severity::none(),
        urgency: None,
        subjects: vec![
            Subject::Service(ServiceId::from("S1"), "shop".to_owned()),
            Subject::Repository(repository_id(1)),
            Subject::Team("payments".to_owned()),
        ],
        references: vec![
            Reference::Commit(None, prefix("abcdef0")),
            Reference::Commit(Some(RepositoryName::from("acme/shop")), prefix("abcdef0")),
            Reference::PullRequest(RepositoryName::from("acme/shop"), 12),
            Reference::Deployment(RepositoryName::from("acme/shop"), ExternalId::new("9")),
        ],
        verdict: Some(Verdict::Deployment("none".to_owned())),
        excluded: None,
        corrections: Corrections::UNKNOWN_VALUE,
    }
}
