//! How far each repository has been read: the cursor, as it is stored, and the rules by which it advances.
//!
//! A stream is read in passes from its newest item down to where the last pass began. A pass is in the cursor after
//! every page, so that it goes on where it was.

use serde::{Deserialize, Serialize};

use crate::model::batch::{Contact, Scope};
use crate::model::fact::{Reach, Repository};
use crate::model::name::{CommitId, RepositoryId, RepositoryName};
use crate::model::time::{Span, Timestamp};

use super::streams::StreamCursors;

/// The layout of the cursor; one of another version is forgotten, and the repository is read again.
const VERSION: u32 = 1;
/// The begin of a repository's scope.
const SCOPE: &str = "repository:";
/// A pass reads again what was read in this time before the last one: GitHub's times have seconds, and its lists
/// lag a little.
const OVERLAP: Span = Span::from_minutes(10);
/// No pass is longer: at 100 an item, 200,000 pull requests.
pub(super) const PASS_PAGES_MAX: u32 = 2_000;
/// Commits that are known to be needed and are not read yet; more of them are not remembered.
pub(super) const PENDING_MAX: usize = 1_000;
/// Commits that are known to be nowhere; the oldest are forgotten, and asked for again if anything names them.
pub(super) const ABSENT_MAX: usize = 1_000;
/// Deployments without an end, the newest; older ones are not read again.
pub(super) const OPEN_MAX: usize = 1_000;

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
    pub(super) head: Option<String>,
    pub(super) created_at: i64,
    pub(super) reach: StoredReach,
    /// Whether an earlier poll left it out: archived, a fork, not meant any more.
    pub(super) left_out: bool,
    /// The first read goes back to here.
    pub(super) horizon: Option<i64>,
    /// Whether the store has been told that history is complete since then.
    pub(super) covered: bool,
    pub(super) pulls: Walk,
    pub(super) deployments: Walk,
    /// Deployments that are read again by id, the newest last.
    pub(super) open: Vec<Open>,
    pub(super) commits: Commits,
    pub(super) issues: Issues,
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

/// How far a stream has been read that is listed newest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Walk {
    /// What the probe showed when the last pass began.
    pub(super) seen: Option<String>,
    /// The newest item of the last pass.
    watermark: Option<i64>,
    /// Whether the first read is done.
    pub(super) complete: bool,
    pass: Option<Pass>,
}

/// A pass that has begun.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pass {
    seen: Option<String>,
    pub(super) after: Option<String>,
    newest: Option<i64>,
    stop: i64,
    pages: u32,
}

/// What a page says about where to go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'a> {
    /// The times that the stream is ordered by, in the order of the page.
    pub(super) times: &'a [Timestamp],
    pub(super) has_next: bool,
    pub(super) end: Option<&'a str>,
}

/// A page that cannot be: it says that it follows itself, or the pass has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endless;

impl Walk {
    /// The pass to go on with, or to begin; `None` if there is nothing to read. `seen` is what the probe shows, and
    /// `None` if it shows nothing.
    pub(super) fn due(&self, seen: Option<&String>, horizon: Timestamp) -> Option<Pass> {
        if let Some(pass) = &self.pass {
            return Some(pass.clone());
        }
        let stop = match self.watermark {
            Some(newest) if self.complete => Timestamp::from_millis(newest).minus(OVERLAP).max(horizon),
            Some(_) | None => horizon,
        };
        let changed = seen.is_some() && seen != self.seen.as_ref();
        (changed || !self.complete).then(|| Pass {
            seen: seen.cloned(),
            stop: stop.millis(),
            ..Pass::default()
        })
    }

    /// Takes the page into account that was read with `pass`: the pass goes on, or is done, or is given up.
    pub(super) fn advance(&mut self, mut pass: Pass, turn: Turn<'_>) -> Result<(), Endless> {
        let Turn { times, has_next, end } = turn;
        pass.newest = pass.newest.or(times.first().map(|at| at.millis()));
        pass.pages += 1;
        let reached = times.iter().any(|at| at.millis() < pass.stop);
        if reached || !has_next {
            self.watermark = pass.newest.or(self.watermark);
            self.seen = pass.seen;
            self.complete = true;
            self.pass = None;
            return Ok(());
        }
        if end.is_none() || end == pass.after.as_deref() || pass.pages >= PASS_PAGES_MAX {
            self.pass = None;
            return Err(Endless);
        }
        pass.after = end.map(str::to_owned);
        self.pass = Some(pass);
        Ok(())
    }

    /// Whether a pass has begun and not ended.
    pub(super) fn is_under_way(&self) -> bool {
        self.pass.is_some()
    }

    /// A pass that reads again what may have changed without the newest items showing it, down to `stop`.
    pub(super) fn look_again(seen: Option<&String>, stop: Timestamp) -> Pass {
        Pass { seen: seen.cloned(), stop: stop.millis(), ..Pass::default() }
    }

    /// There is nothing in this stream.
    pub(super) fn nothing(&mut self, seen: String) {
        self.complete = true;
        self.pass = None;
        self.seen = Some(seen);
    }

    /// Begins again: the history goes further back now.
    pub(super) fn deepen(&mut self) {
        self.complete = false;
        self.pass = None;
    }

    /// Begins the pass again from its first page: GitHub has forgotten the place.
    pub(super) fn restart(&mut self) {
        self.pass = None;
    }
}

/// How far the commit graph has been read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Commits {
    /// The newest commit of the default branch when it was last read.
    pub(super) seen: Option<String>,
    /// Whether the first read is done.
    pub(super) complete: bool,
    /// The first read: from which commit, after which page.
    pub(super) from: Option<String>,
    pub(super) after: Option<String>,
    pub(super) pages: u32,
    /// The first parent with which the default branch's line goes on.
    pub(super) line: Option<String>,
    /// Commits that are needed and not read yet.
    pub(super) pending: Vec<Pending>,
    /// Commits that are needed and nowhere, or older than the horizon.
    pub(super) absent: Vec<String>,
}

/// A commit that is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// GitHub's id of it.
    pub(super) node: String,
    /// Its SHA-1.
    pub(super) oid: String,
}

impl Commits {
    /// Notes that these commits are needed, but for those that are nowhere.
    pub(super) fn need(&mut self, needed: impl IntoIterator<Item = Pending>) {
        for pending in needed {
            let known = self.pending.iter().any(|known| known.oid == pending.oid);
            if !known && !self.absent.contains(&pending.oid) {
                self.pending.push(pending);
            }
        }
        let surplus = self.pending.len().saturating_sub(PENDING_MAX);
        if surplus > 0 {
            tracing::warn!(surplus, "more commits are missing than are remembered");
            self.pending.drain(..surplus);
        }
    }

    /// These need not be read any more.
    pub(super) fn found(&mut self, has: impl Fn(&str) -> bool) {
        self.pending.retain(|pending| !has(&pending.oid));
    }

    /// This one is nowhere, or too old.
    pub(super) fn give_up(&mut self, oid: &str) {
        self.pending.retain(|pending| pending.oid != oid);
        self.absent.push(oid.to_owned());
        let surplus = self.absent.len().saturating_sub(ABSENT_MAX);
        self.absent.drain(..surplus);
    }

    /// Begins again.
    pub(super) fn deepen(&mut self) {
        *self = Self { seen: self.seen.take(), ..Self::default() };
    }
}

/// How far issues have been read: forwards, by the time of their last change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Issues {
    /// What the probe showed when the last pass ended.
    pub(super) seen: Option<String>,
    /// The rules by which they were read; by other rules they are read again.
    pub(super) rules: String,
    /// The last change that has been read.
    watermark: Option<i64>,
    /// Whether the first read is done.
    pub(super) complete: bool,
}

impl Issues {
    /// Changes since when are to be listed; `None` if there is nothing to read.
    pub(super) fn due(&self, seen: Option<&String>, horizon: Timestamp) -> Option<Timestamp> {
        let since = self
            .watermark
            .map_or(horizon, |newest| Timestamp::from_millis(newest).minus(OVERLAP).max(horizon));
        let changed = seen.is_some() && seen != self.seen.as_ref();
        (changed || !self.complete).then_some(since)
    }

    /// A page has been read, of items up to this change.
    pub(super) fn read_to(&mut self, newest: Option<Timestamp>) {
        self.watermark = self.watermark.max(newest.map(Timestamp::millis));
    }

    /// The last page has been read.
    pub(super) fn done(&mut self, seen: Option<String>) {
        self.seen = seen;
        self.complete = true;
    }

    /// Begins again, perhaps by other rules.
    pub(super) fn restart(&mut self, rules: String) {
        *self = Self { rules, ..Self::default() };
    }
}

/// A deployment whose end may still come, or change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    /// GitHub's id of it.
    pub(super) node: String,
    /// Since when it waits: when it was created, or when it failed.
    pub(super) since: i64,
    /// Whether it failed; it may yet succeed.
    pub(super) failed: bool,
    /// When it was last read, in this process.
    #[serde(skip)]
    pub(super) read_at: Option<Timestamp>,
}

/// A deployment without an end is waited for so long: jobs may wait for approval for 30 days.
const UNFINISHED_FOR: Span = Span::from_days(30);
/// A failed one is watched for so long, since it can be run again.
const FAILED_FOR: Span = Span::from_hours(24);
/// One that is waited for is read again after this part of the time that it has been waiting …
const PATIENCE: i64 = 20;
/// … a failed one not sooner than this …
const FAILED_EVERY: Span = Span::from_minutes(10);
/// … none twice at one time …
const EVERY_MIN: Span = Span::from_millis(1);
/// … and none later than this.
const EVERY_MAX: Span = Span::from_hours(1);

impl Open {
    /// Whether it is not worth looking any more.
    pub(super) fn expired(&self, now: Timestamp) -> bool {
        let waited = now.since(Timestamp::from_millis(self.since));
        waited > if self.failed { FAILED_FOR } else { UNFINISHED_FOR }
    }

    /// Whether it is time to look.
    pub(super) fn due(&self, now: Timestamp) -> bool {
        let waited = now.since(Timestamp::from_millis(self.since));
        let patience = Span::from_millis(waited.millis() / PATIENCE).clamp(EVERY_MIN, EVERY_MAX);
        let every = if self.failed { patience.max(FAILED_EVERY) } else { patience };
        self.read_at.is_none_or(|read_at| now.since(read_at) >= every)
    }
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
        self.covered = false;
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

    /// Whether the first read of changes, deployments of any kind and commits is done.
    pub(super) fn complete(&self) -> bool {
        self.pulls.complete && self.deployments.complete && self.commits.complete && self.streams.complete()
    }

    /// Whether changes and deployments read now are news.
    pub(super) fn contact(&self) -> Contact {
        if self.pulls.complete && self.deployments.complete { Contact::Live } else { Contact::First }
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

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_seconds(minutes * 60)
    }

    fn turn<'a>(times: &'a [Timestamp], end: Option<&'a str>) -> Turn<'a> {
        Turn { times, has_next: end.is_some(), end }
    }

    #[test]
    fn a_first_read_goes_to_the_horizon_and_later_ones_to_the_overlap() {
        let mut walk = Walk::default();
        let seen = "newest".to_owned();
        let pass = walk.due(Some(&seen), at(100)).unwrap();
        walk.advance(pass, turn(&[at(300), at(200)], Some("a"))).unwrap();
        assert!(!walk.complete, "the horizon is not reached");
        let pass = walk.due(None, at(100)).unwrap();
        assert_eq!(pass.after.as_deref(), Some("a"), "a pass goes on where it was");
        walk.advance(pass, turn(&[at(150), at(99)], Some("b"))).unwrap();
        assert!(walk.complete && walk.due(Some(&seen), at(100)).is_none());

        let newer = "newer".to_owned();
        let pass = walk.due(Some(&newer), at(100)).unwrap();
        assert_eq!(pass.stop, at(290).millis(), "ten minutes before the newest of the first page");
        walk.advance(pass, turn(&[at(310), at(289)], Some("c"))).unwrap();
        assert!(walk.due(Some(&newer), at(100)).is_none());
    }

    #[test]
    fn a_page_with_items_at_the_stop_is_not_the_last_one() {
        let mut walk = Walk::default();
        let pass = walk.due(None, at(100)).unwrap();
        walk.advance(pass, turn(&[at(100)], Some("a"))).unwrap();
        assert!(walk.due(None, at(100)).is_some());
    }

    #[test]
    fn endless_pages_end() {
        let mut walk = Walk::default();
        let pass = walk.due(None, at(100)).unwrap();
        walk.advance(pass, turn(&[at(300)], Some("a"))).unwrap();
        let pass = walk.due(None, at(100)).unwrap();
        assert_eq!(walk.advance(pass, turn(&[at(300)], Some("a"))), Err(Endless));
        assert!(!walk.complete, "what was not read is not said to be complete");
        for page in 1..PASS_PAGES_MAX {
            let pass = walk.due(None, at(100)).unwrap();
            walk.advance(pass, turn(&[], Some(&page.to_string()))).unwrap();
        }
        let pass = walk.due(None, at(100)).unwrap();
        assert_eq!(walk.advance(pass, turn(&[], Some("z"))), Err(Endless));
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

    #[test]
    fn open_deployments_are_read_less_and_less_often_and_then_no_more() {
        let open =
            |failed, read: i64| Open { node: "D".to_owned(), since: 0, failed, read_at: Some(at(read)) };
        assert!(open(false, 19).due(at(20)), "a twentieth of 20 minutes");
        assert!(!open(false, 199).due(at(200)));
        assert!(open(false, 20_000 - 60).due(at(20_000)), "at least hourly");
        assert!(!open(true, 19).due(at(20)));
        assert!(open(true, 10).due(at(20)));
        assert!(!open(false, 0).expired(at(30 * 24 * 60)) && open(false, 0).expired(at(30 * 24 * 60 + 1)));
        assert!(open(true, 0).expired(at(24 * 60 + 1)));
    }

    #[test]
    fn what_is_nowhere_is_not_asked_for_again() {
        let pending = |oid: &str| Pending { node: oid.to_owned(), oid: oid.to_owned() };
        let mut commits = Commits::default();
        commits.need([pending("a"), pending("b"), pending("a")]);
        assert_eq!(commits.pending.len(), 2);
        commits.give_up("a");
        commits.need([pending("a")]);
        commits.found(|oid| oid == "b");
        assert!(commits.pending.is_empty());
    }
}
