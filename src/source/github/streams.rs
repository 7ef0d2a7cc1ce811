//! Releases, tags, workflow runs and changed files: what is read only where the configuration's rules want it, how
//! far it has been read, and in which order a poll reads it.

use serde::{Deserialize, Serialize};

use crate::model::dirty::Stream;
use crate::model::name::RepositoryName;
use crate::model::settings;
use crate::model::time::{Span, Timestamp};
use crate::source::{PollError, Sink};

use super::passes::{Pass, Phase, Walk};
use super::workflow_lists::RunsCursor;
use super::{Github, Problems};

/// The lists are read again so often further back than the newest items: releases are edited and tags are moved
/// without any list showing it.
const SWEEP_EVERY: Span = Span::from_hours(24);
/// A sweep goes back so far: what is older is hardly edited any more, and a repository has one page of it or two.
const SWEPT: Span = Span::from_days(90);
/// Releases are listed by the dates of their commits, and published later: the first read goes so much further back.
const PUBLISHED_AFTER: Span = Span::from_days(30);

/// How far the streams that the rules want have been read; `None`: not wanted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StreamCursors {
    pub(super) releases: Option<ListCursor>,
    pub(super) tags: Option<ListCursor>,
    pub(super) runs: Option<RunsCursor>,
    /// Whether changes are read with the files that they touch.
    pub(super) paths: bool,
    /// Whether GitHub Deployments are read; how far is in the cursor of the repository.
    deployments: bool,
}

/// What the rules want that they did not want before, of what is not read by a cursor of its own here.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Anew {
    /// The files of changes that have been read.
    files: bool,
    /// GitHub Deployments: what came while nobody wanted them is no news.
    deployments: bool,
}

/// A list that is read newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Releases,
    Tags,
}

impl List {
    /// The stream that it is.
    pub(super) const fn stream(self) -> Stream {
        match self {
            Self::Releases => Stream::Releases,
            Self::Tags => Stream::Tags,
        }
    }
}

/// How far a list has been read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ListCursor {
    pub(super) walk: Walk,
    /// When it was last read further back than the newest items.
    pub(super) swept_at: Option<i64>,
    /// Releases that are drafts, or have no commit yet, by their ids for `nodes`.
    pub(super) waiting: Vec<String>,
    /// When those were last read, in this process.
    #[serde(skip)]
    pub(super) waited_at: Option<Timestamp>,
    /// What the probe of this poll showed.
    #[serde(skip)]
    pub(super) shown: Option<String>,
    /// Something failed in this poll: the list waits for the next one.
    #[serde(skip)]
    pub(super) failed: bool,
    /// It was too heavy in company.
    #[serde(skip)]
    pub(super) alone: bool,
}

/// A probe's text without how many items there are: what it says of the newest ones.
fn newest(seen: &str) -> &str {
    seen.split_once(' ').map_or(seen, |(_, newest)| newest)
}

impl ListCursor {
    /// The pass to go on with, or to begin: news, then what has not been read yet, then what may have changed without
    /// the newest items showing it.
    pub(super) fn due(&self, list: List, horizon: Timestamp, now: Timestamp) -> Option<(Phase, Pass)> {
        let shown = self.shown.as_ref().filter(|_| !self.failed)?;
        let horizon = match list {
            List::Releases => horizon.minus(PUBLISHED_AFTER),
            List::Tags => horizon,
        };
        let walk = &self.walk;
        let sweep = || (Phase::News, Pass::down_to(Some(shown), now.minus(SWEPT).max(horizon)));
        // The number alone changed: something came, or went, further back.
        let hidden = walk.seen.as_ref().is_some_and(|seen| seen != shown && newest(seen) == newest(shown));
        if walk.complete && hidden && !walk.has_news_under_way() {
            return Some(sweep());
        }
        let pass = |phase| Some((phase, walk.due(phase, Some(shown), horizon, false)?));
        pass(Phase::News).or_else(|| pass(Phase::History)).or_else(|| self.sweep_is_due(now).then(sweep))
    }

    /// Whether it is time to look further back.
    pub(super) fn sweep_is_due(&self, now: Timestamp) -> bool {
        self.swept_at.is_none_or(|at| now.since(Timestamp::from_millis(at)) >= SWEEP_EVERY)
    }
}

impl StreamCursors {
    /// The cursor of a list, if it is wanted.
    pub(super) fn list(&self, list: List) -> Option<&ListCursor> {
        match list {
            List::Releases => self.releases.as_ref(),
            List::Tags => self.tags.as_ref(),
        }
    }

    /// The cursor of a list, if it is wanted.
    pub(super) fn list_mut(&mut self, list: List) -> Option<&mut ListCursor> {
        match list {
            List::Releases => self.releases.as_mut(),
            List::Tags => self.tags.as_mut(),
        }
    }

    /// Whether the first read of all that is wanted is done.
    pub(super) fn complete(&self) -> bool {
        let Self { releases, tags, runs, paths: _, deployments: _ } = self;
        let list = |cursor: &Option<ListCursor>| cursor.as_ref().is_none_or(|cursor| cursor.walk.complete);
        list(releases) && list(tags) && runs.as_ref().is_none_or(RunsCursor::complete)
    }

    /// Begins again: the history goes further back now.
    pub(super) fn deepen(&mut self) {
        for cursor in [&mut self.releases, &mut self.tags].into_iter().flatten() {
            cursor.walk.deepen();
        }
        if let Some(runs) = &mut self.runs {
            runs.deepen();
        }
    }

    /// Takes in what the rules want. What is wanted anew is read from the beginning; what is not wanted any more is
    /// forgotten here, and its facts stay. Whether anything changed, and what else is wanted anew.
    fn want(&mut self, wanted: &settings::Streams) -> (bool, Anew) {
        let before = (self.releases.is_some(), self.tags.is_some(), self.paths, self.deployments);
        let keep =
            |cursor: Option<ListCursor>, stream| wanted.has(stream).then(|| cursor.unwrap_or_default());
        self.releases = keep(self.releases.take(), Stream::Releases);
        self.tags = keep(self.tags.take(), Stream::Tags);
        let had_runs = self.runs.is_some();
        self.runs = wanted.has(Stream::Runs).then(|| self.runs.take().unwrap_or_default());
        let rules = self.runs.as_mut().is_some_and(|runs| runs.follow(&wanted.runs));
        let deployments = wanted.has(Stream::Deployments);
        let anew = Anew { files: wanted.paths && !self.paths, deployments: deployments && !self.deployments };
        (self.paths, self.deployments) = (wanted.paths, deployments);
        let after = (self.releases.is_some(), self.tags.is_some(), self.paths, self.deployments);
        (before != after || had_runs != self.runs.is_some() || rules, anew)
    }

    /// Begins a poll.
    fn begin(&mut self) {
        for cursor in [&mut self.releases, &mut self.tags].into_iter().flatten() {
            (cursor.shown, cursor.failed, cursor.alone) = (None, false, false);
        }
        if let Some(runs) = &mut self.runs {
            runs.begin();
        }
    }
}

impl Github {
    /// Takes note of what the rules want of each repository, before anything of it is read.
    pub(super) fn want_streams(&mut self) {
        let Self { config, repositories, .. } = self;
        for tracked in repositories.values_mut() {
            let state = &mut tracked.state;
            let wanted = config.ownership.streams(&config.name, &RepositoryName::new(state.name.as_str()));
            let (changed, Anew { files, deployments }) = state.streams.want(&wanted);
            state.wanted = wanted;
            state.streams.begin();
            tracked.dirty |= changed;
            if files {
                state.pulls.deepen();
                state.commits.deepen();
            }
            if deployments {
                state.deployments = Walk::default();
            }
        }
    }

    /// Reads releases, tags and runs where they are wanted: of all repositories that this poll looked at, or of those
    /// that a webhook told of. What fails here does not keep the rest of a poll from going on.
    pub(super) async fn read_streams(
        &mut self,
        sink: &Sink,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        self.probe_lists(now, problems).await?;
        for list in [List::Releases, List::Tags] {
            self.read_list(list, sink, now, problems).await?;
        }
        self.read_waiting(sink, now, problems).await?;
        self.read_runs(sink, now, problems).await
    }

    /// Whether a webhook asks for this, and not the time.
    pub(super) const fn is_told(&self) -> bool {
        self.only.is_some()
    }

    /// The repositories whose stream is to be looked at: of those looked at now, or told of. Their commits come
    /// first, so that the store can say which of those that attempts name are missing.
    pub(super) fn selected(&self, stream: Stream, now: Timestamp) -> Vec<u64> {
        let mut selected = self.readable();
        selected.retain(|number| {
            self.repositories.get(number).is_some_and(|tracked| {
                let meant = if self.is_told() {
                    tracked.forced.contains(&stream)
                } else {
                    tracked.look.at == Some(now) && tracked.look.seen.is_some()
                };
                // For commits that are not for us nobody need wait.
                let awaited = tracked.may_see(Stream::Commits) && tracked.may_see(Stream::Changes);
                let commits = tracked.state.commits.complete || !awaited;
                meant && commits && tracked.may_see(stream) && tracked.state.wanted.has(stream)
            })
        });
        selected
    }
}
