//! How far each repository has been read: the cursor, as it is stored. Its parts and the rules by which they advance
//! are in `passes`, `progress`, `open` and `heavy`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::batch::{Contact, Scope};
use crate::model::dirty::Stream;
use crate::model::fact::{Fact, Reach, Repository};
use crate::model::name::{CommitId, RepositoryId, RepositoryName};
use crate::model::settings::Streams;
use crate::model::time::{Span, Timestamp};

use super::heavy::Shrunk;
use super::open::Open;
use super::passes::{Phase, Walk};
use super::progress::{Commits, Issues};
use super::streams::StreamCursors;

/// The layout of the cursor; one of another version is forgotten, and the repository is read again.
const VERSION: u32 = 1;
/// The begin of a repository's scope.
const SCOPE: &str = "repository:";
/// Deployments without an end, the newest; older ones are not read again.
pub(super) const OPEN_MAX: usize = 1_000;

/// What happened shortly before has its say in what came after: a deployment that waited for its end, the one before
/// the first, what a revert remedies. History that is only partly read is said to be known from so much later.
const MARGIN: Span = Span::from_days(7);
/// What is known is told in steps of a day: each makes everybody look at the coverage again.
const TOLD_EVERY: Span = Span::from_days(1);
/// Names that the default branch had before.
const FORMER_BRANCHES_MAX: usize = 10;

/// A repository's cursor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    version: u32,
    /// GitHub's id of it for `nodes`.
    pub(super) node: String,
    /// What is known of it, to say it again when it cannot be read any more.
    pub(super) name: String,
    pub(super) branch: Option<String>,
    /// What the default branch was called before it was renamed: changes that went there went into it.
    pub(super) former_branches: Vec<String>,
    pub(super) head: Option<String>,
    pub(super) created_at: i64,
    pub(super) reach: StoredReach,
    /// Whether an earlier poll left it out: archived, a fork, not meant any more.
    pub(super) left_out: bool,
    /// The first read goes back to here.
    pub(super) horizon: Option<i64>,
    /// Since when history is complete, as far as the store has been told.
    told: Option<i64>,
    pub(super) pulls: Walk,
    pub(super) deployments: Walk,
    /// Deployments that are read again by id, the newest last.
    pub(super) open: Vec<Open>,
    pub(super) commits: Commits,
    pub(super) issues: Issues,
    /// Pages that had to become smaller, by stream.
    pub(super) shrunk: BTreeMap<String, Shrunk>,
    /// Items that GitHub cannot show even by themselves: what is missing.
    pub(super) too_heavy: Vec<String>,
    /// What has to be read of it, by the configuration; not a part of the cursor.
    #[serde(skip)]
    pub(super) wanted: Streams,
    /// Releases, tags, runs and files, where the rules want them.
    pub(super) streams: StreamCursors,
}

/// [`Reach`], as it is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum StoredReach {
    #[default]
    Ok,
    Empty,
    Inaccessible,
}

impl State {
    /// The cursor of a repository that has not been read.
    pub(super) fn new(node: &str, horizon: Timestamp) -> Self {
        Self { version: VERSION, node: node.to_owned(), horizon: Some(horizon.millis()), ..Self::default() }
    }

    /// Reads a cursor; `None` if it is not one of a repository, or not of this version.
    pub(super) fn parse(scope: &str, cursor: &str) -> Option<(u64, Self)> {
        let number = scope.strip_prefix(SCOPE)?.parse().ok()?;
        let state: Self = serde_json::from_str(cursor).ok()?;
        (state.version == VERSION && !state.node.is_empty()).then_some((number, state))
    }

    /// The cursor, to be stored.
    pub(super) fn cursor(&self, number: u64) -> (Scope, Option<String>) {
        (format!("{SCOPE}{number}"), serde_json::to_string(self).ok())
    }

    /// Reads further back if the history has been made longer; it is never made shorter.
    pub(super) fn reach_back(&mut self, horizon: Timestamp) {
        if self.horizon.is_some_and(|known| known <= horizon.millis()) {
            return;
        }
        self.horizon = Some(horizon.millis());
        self.pulls.deepen();
        self.deployments.deepen();
        self.commits.deepen();
        self.issues.restart(self.issues.rules.clone());
        self.streams.deepen();
    }

    /// Back to where the first read goes.
    pub(super) fn horizon(&self) -> Timestamp {
        Timestamp::from_millis(self.horizon.unwrap_or_default())
    }

    /// Whether GitHub Deployments are read at all.
    pub(super) fn wants_deployments(&self) -> bool {
        self.wanted.has(Stream::Deployments)
    }

    /// Every stream that is read: whether all of it has been, and back to when. Issues have a coverage of their own.
    fn parts(&self) -> impl Iterator<Item = (bool, Option<Timestamp>)> {
        let horizon = self.horizon();
        let Self { pulls, commits, deployments, streams, .. } = self;
        let deployments =
            self.wants_deployments().then(|| (deployments.complete, deployments.reached(horizon)));
        let others = streams.complete();
        [
            (pulls.complete, pulls.reached(horizon)),
            (commits.complete, commits.read_to(horizon)),
            (others, others.then_some(horizon)),
        ]
        .into_iter()
        .chain(deployments)
    }

    /// Whether the first read of everything but issues is done.
    pub(super) fn complete(&self) -> bool {
        self.parts().all(|(complete, _)| complete)
    }

    /// Back to when everything has been read; `None`: not at all.
    pub(super) fn reached(&self) -> Option<Timestamp> {
        self.parts().try_fold(self.horizon(), |latest, (_, part)| Some(latest.max(part?)))
    }

    /// Since when the store may be told that everything is known, if that is more than it has been told.
    pub(super) fn tell(&mut self) -> Option<Timestamp> {
        let complete = self.complete();
        let since = if complete { self.horizon() } else { self.reached()?.plus(MARGIN) };
        let step = if complete { Span::from_millis(1) } else { TOLD_EVERY };
        let more = self.told.is_none_or(|told| Timestamp::from_millis(told).since(since) >= step);
        more.then(|| {
            self.told = Some(since.millis());
            since
        })
    }

    /// The share of its history that has been read, in thousandths.
    pub(super) fn permille(&self, now: Timestamp) -> u64 {
        if self.complete() {
            return 1_000;
        }
        let whole = now.since(self.horizon()).millis().max(1);
        let read = self.reached().map_or(0, |reached| now.since(reached).millis());
        u64::try_from(read.saturating_mul(1_000) / whole).unwrap_or_default().min(999)
    }

    /// Whether changes and deployments read now are news.
    pub(super) fn contact(&self, phase: Phase) -> Contact {
        let deployments = self.wants_deployments().then(|| self.deployments.contact(phase));
        deployments.filter(|contact| *contact == Contact::First).unwrap_or_else(|| self.pulls.contact(phase))
    }

    /// The default branch is another one now. If it is the same commit by another name it was renamed, and changes
    /// that went into the former name are read again as what they are; else it is another line of history, and which
    /// commits were pushed to it has to be asked anew.
    pub(super) fn switch(&mut self, branch: Option<String>, head: Option<&String>) {
        let former = std::mem::replace(&mut self.branch, branch);
        let Some(former) = former.filter(|former| Some(former) != self.branch.as_ref()) else {
            return;
        };
        if self.branch.is_none() {
            return;
        }
        if head.is_some() && head == self.head.as_ref() {
            self.former_branches.retain(|known| Some(known) != self.branch.as_ref());
            self.former_branches.push(former);
            let surplus = self.former_branches.len().saturating_sub(FORMER_BRANCHES_MAX);
            self.former_branches.drain(..surplus);
            self.pulls.deepen();
        } else {
            self.former_branches.clear();
            self.commits.deepen();
        }
    }

    /// The name by which the branch goes today.
    pub(super) fn present_name<'a>(&'a self, branch: &'a str) -> &'a str {
        let renamed = self.former_branches.iter().any(|former| former == branch);
        if renamed { self.branch.as_deref().unwrap_or(branch) } else { branch }
    }

    /// Pages of these streams came: those that are small may grow.
    pub(super) fn answered(&mut self, streams: impl Iterator<Item = &'static str>) {
        for stream in streams {
            if self.shrunk.get_mut(stream).is_some_and(|shrunk| !shrunk.answered()) {
                self.shrunk.remove(stream);
            }
        }
    }

    /// What was too heavy and was read after all is missing no more.
    pub(super) fn can_show(&mut self, facts: &[Fact]) {
        if self.too_heavy.is_empty() {
            return;
        }
        let read = |name: &String| {
            facts.iter().any(|fact| match fact {
                Fact::Change(change) => *name == format!("pull request {}", change.number),
                Fact::Attempt(attempt) => *name == format!("deployment {}", attempt.id),
                Fact::Repository(_)
                | Fact::Teams(..)
                | Fact::Commit(_)
                | Fact::Incident(_)
                | Fact::NoIncident(..) => false,
            })
        };
        self.too_heavy.retain(|name| !read(name));
    }

    /// A deployment need not be read again.
    pub(super) fn unwatch(&mut self, node: &str) {
        self.open.retain(|open| open.node != node);
    }

    /// Remembers that a deployment is to be read again.
    pub(super) fn watch(&mut self, open: Open) {
        self.unwatch(&open.node);
        self.open.push(open);
        let surplus = self.open.len().saturating_sub(OPEN_MAX);
        if surplus > 0 {
            self.open.sort_by_key(|open| open.since);
            self.open.drain(..surplus);
        }
    }

    /// The fact that the repository is there, as it is known.
    pub(super) fn repository(&self, id: RepositoryId) -> Repository {
        let reach = match self.reach {
            StoredReach::Ok => Reach::Ok,
            StoredReach::Empty => Reach::Empty,
            StoredReach::Inaccessible => Reach::Inaccessible,
        };
        Repository {
            id,
            name: RepositoryName::new(self.name.as_str()),
            reach,
            default_branch: self.branch.clone(),
            head: self.head.as_deref().and_then(CommitId::parse),
            created_at: Timestamp::from_millis(self.created_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::github::progress::Pending;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_seconds(minutes * 60)
    }

    #[test]
    fn a_cursor_survives_the_store_and_what_is_unknown_in_it() {
        let mut state = State::new("R_1", at(5));
        state.name = "acme/shop".to_owned();
        state.commits.need([Pending { node: "C_1".to_owned(), oid: "a".repeat(40) }]);
        let (scope, cursor) = state.cursor(42);
        let mut value: serde_json::Value = serde_json::from_str(&cursor.unwrap()).unwrap();
        assert_eq!(State::parse(&scope, &value.to_string()), Some((42, state)));
        value["new"] = 1.into();
        value.as_object_mut().unwrap().remove("open");
        assert!(State::parse(&scope, &value.to_string()).is_some());
        value["version"] = 2.into();
        assert_eq!(State::parse(&scope, &value.to_string()), None);
        assert_eq!(State::parse("teams", "{}"), None);
        assert_eq!(State::parse("repository:1", "no JSON"), None);
    }

    #[test]
    fn a_longer_history_is_read_and_a_shorter_one_changes_nothing() {
        let mut state = State::new("R_1", at(500));
        for walk in [&mut state.pulls, &mut state.deployments] {
            walk.complete = true;
        }
        state.commits.complete = true;
        state.reach_back(at(600));
        assert!(state.complete());
        state.reach_back(at(400));
        assert!(!state.complete());
        assert_eq!(state.horizon(), at(400));
    }

    /// A repository of which everything is read but for this part of its pull requests.
    fn partly(pulls: &str) -> State {
        let done = r#"{"complete":true}"#;
        let cursor = format!(
            r#"{{"version":1,"node":"R","horizon":0,"pulls":{pulls},"deployments":{done},"commits":{done}}}"#
        );
        State::parse("repository:1", &cursor).unwrap().1
    }

    #[test]
    fn what_is_partly_read_is_known_from_a_week_later_and_told_by_the_day() {
        let days = |days: i64| days * 24 * 60;
        let reached =
            |days_read: i64| partly(&format!(r#"{{"pass":{{"reached":{}}}}}"#, at(days(days_read)).millis()));
        let mut state = reached(100);
        assert!(!state.complete());
        assert_eq!(state.tell(), Some(at(days(107))));
        assert_eq!(state.tell(), None, "only once");
        assert_eq!(state.permille(at(days(200))), 500);
        state.pulls = reached(99).pulls;
        assert_eq!(state.tell(), Some(at(days(106))));
        state.pulls = partly(r#"{"complete":true}"#).pulls;
        assert_eq!(state.tell(), Some(at(0)), "to the horizon itself when all is read");
        assert_eq!(state.permille(at(days(200))), 1_000);
        assert_eq!(partly("{}").tell(), None, "one stream of which nothing is known yet");
    }

    #[test]
    fn deployments_count_only_where_they_are_wanted() {
        let mut state = partly(r#"{"complete":true}"#);
        state.deployments = Walk::default();
        assert!(state.complete());
        state.wanted.wanted.insert(Stream::Deployments);
        assert!(!state.complete() && state.contact(Phase::News) == Contact::First);
    }

    #[test]
    fn a_renamed_branch_keeps_its_commits_and_another_branch_is_read_anew() {
        let begin = || {
            let mut state = partly(r#"{"complete":true}"#);
            (state.branch, state.head) = (Some("main".to_owned()), Some("a".to_owned()));
            state
        };
        for (branch, head, pulls_read, commits_read, present) in [
            (Some("main"), "b", true, true, "main"),
            (Some("trunk"), "a", false, true, "trunk"),
            (Some("develop"), "b", true, false, "main"),
            (None, "a", true, true, "main"),
        ] {
            let mut state = begin();
            state.switch(branch.map(str::to_owned), Some(&head.to_owned()));
            assert_eq!(
                (state.pulls.complete, state.commits.complete),
                (pulls_read, commits_read),
                "{branch:?}"
            );
            assert_eq!(state.present_name("main"), present, "{branch:?}");
        }
    }
}
