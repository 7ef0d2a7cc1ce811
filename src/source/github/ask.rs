//! What to ask next: which pages of which streams, of which repositories, and what of it fits one request.

use crate::model::dirty::Stream;
use crate::model::time::Timestamp;

use super::operations::{FIRST_READ, FURTHER, NEWS, PageOf, Pages, Sizes};
use super::passes::{Pass, Phase};
use super::probe::{Seen, node_of};
use super::tracked::{Caution, Tracked};

/// What to ask of one repository in one request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) number: u64,
    pub(super) node: String,
    pub(super) phase: Phase,
    pub(super) pulls: Option<Pass>,
    pub(super) deployments: Option<Pass>,
    pub(super) commits: Option<AskCommits>,
    pub(super) issues: Option<AskIssues>,
    pub(super) sizes: Sizes,
    /// The files of changes merged since then are wanted; `None`: of none.
    pub(super) files_since: Option<Timestamp>,
    alone: bool,
}

/// Which page of the commit graph.
#[derive(Debug, Clone)]
pub(super) struct AskCommits {
    /// From this commit; `None`: from the default branch's newest.
    pub(super) from: Option<String>,
    pub(super) after: Option<String>,
    since: Timestamp,
}

/// Which page of issues.
#[derive(Debug, Clone)]
pub(super) struct AskIssues {
    pub(super) since: Timestamp,
    pub(super) after: Option<String>,
}

/// The word for a stream in the cursor.
pub(super) const fn word(stream: Stream) -> &'static str {
    match stream {
        Stream::Repository => "repository",
        Stream::Commits => "commits",
        Stream::Changes => "changes",
        Stream::Deployments => "deployments",
        Stream::Releases => "releases",
        Stream::Tags => "tags",
        Stream::Runs | Stream::Run(_) => "runs",
        Stream::Issues => "issues",
        Stream::Teams => "teams",
    }
}

impl Ask {
    /// What is to be read of a repository; `None` if nothing is, or nobody has looked at it.
    pub(super) fn of(number: u64, tracked: &Tracked, issues: bool, phase: Phase) -> Option<Self> {
        let state = &tracked.state;
        let seen = tracked.look.seen.as_ref().filter(|_| !tracked.failed)?;
        let horizon = state.horizon();
        let forced = |stream| phase == Phase::News && tracked.forced.contains(&stream);
        let watched = !forced(Stream::Deployments) && is_watched(tracked, seen);
        let deployments = state
            .deployments
            .due(phase, seen.deployments.as_ref(), horizon, forced(Stream::Deployments))
            .filter(|_| state.wants_deployments() && !(phase == Phase::News && watched));
        let mut ask = Self {
            number,
            node: state.node.clone(),
            phase,
            pulls: state.pulls.due(phase, seen.pulls.as_ref(), horizon, forced(Stream::Changes)),
            deployments,
            commits: commits(tracked, seen, phase, forced(Stream::Commits)),
            issues: if issues { issues_of(tracked, seen, phase, forced(Stream::Issues)) } else { None },
            sizes: FURTHER,
            files_since: state.wanted.paths.then_some(horizon),
            alone: tracked.caution != Caution::None,
        };
        ask.keep_shown(seen);
        if tracked.caution == Caution::Apart {
            ask.keep_one();
        }
        ask.set_sizes(tracked);
        (!ask.streams().is_empty()).then_some(ask)
    }

    /// The streams that are asked for.
    pub(super) fn streams(&self) -> Vec<Stream> {
        let Self { pulls, deployments, commits, issues, .. } = self;
        [
            pulls.is_some().then_some(Stream::Changes),
            deployments.is_some().then_some(Stream::Deployments),
            commits.is_some().then_some(Stream::Commits),
            issues.is_some().then_some(Stream::Issues),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What may not be seen is not asked for. Commits wait for pull requests: nobody else can tell which of them were
    /// pushed and which were merged.
    fn keep_shown(&mut self, seen: &Seen) {
        self.pulls = self.pulls.take().filter(|_| seen.shows(Stream::Changes));
        self.commits =
            self.commits.take().filter(|_| seen.shows(Stream::Changes) && seen.shows(Stream::Commits));
        self.deployments = self.deployments.take().filter(|_| seen.shows(Stream::Deployments));
        self.issues = self.issues.take().filter(|_| seen.shows(Stream::Issues));
    }

    /// One stream, the lighter ones first: what is heavy keeps nothing else waiting.
    fn keep_one(&mut self) {
        let one = self.streams().last().copied();
        self.pulls = self.pulls.take().filter(|_| one == Some(Stream::Changes));
        self.deployments = self.deployments.take().filter(|_| one == Some(Stream::Deployments));
        self.commits = self.commits.take().filter(|_| one == Some(Stream::Commits));
        self.issues = self.issues.take().filter(|_| one == Some(Stream::Issues));
    }

    /// How large pages are: as usual, or as GitHub can answer them for this repository.
    fn set_sizes(&mut self, tracked: &Tracked) {
        let usual = match (self.is_fresh(), self.phase) {
            (false, Phase::News | Phase::History) => FURTHER,
            (true, Phase::History) => FIRST_READ,
            (true, Phase::News) => NEWS,
        };
        let shrunk = &tracked.state.shrunk;
        self.alone |= self.streams().into_iter().any(|stream| shrunk.contains_key(word(stream)));
        let size = |stream, usual: u64| shrunk.get(word(stream)).map_or(usual, |shrunk| shrunk.size(usual));
        self.sizes = Sizes {
            repositories: usual.repositories,
            pulls: size(Stream::Changes, usual.pulls),
            deployments: size(Stream::Deployments, usual.deployments),
            commits: size(Stream::Commits, usual.commits),
            issues: size(Stream::Issues, usual.issues),
        };
    }

    /// The size of a stream's page.
    pub(super) fn size(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Changes => self.sizes.pulls,
            Stream::Deployments => self.sizes.deployments,
            Stream::Commits => self.sizes.commits,
            Stream::Issues => self.sizes.issues,
            Stream::Repository
            | Stream::Releases
            | Stream::Tags
            | Stream::Runs
            | Stream::Run(_)
            | Stream::Teams => 1,
        }
    }

    /// Whether every page asked for is a first one: then others can join.
    fn is_fresh(&self) -> bool {
        let afters = [
            self.pulls.as_ref().and_then(|pass| pass.after.as_ref()),
            self.deployments.as_ref().and_then(|pass| pass.after.as_ref()),
            self.commits.as_ref().and_then(|ask| ask.after.as_ref()),
            self.issues.as_ref().and_then(|ask| ask.after.as_ref()),
        ];
        afters.iter().all(Option::is_none)
    }

    /// Asks of the same lane with the same key can be one request.
    pub(super) fn key(&self, lane: usize) -> String {
        if self.alone || !self.is_fresh() {
            return format!("{lane} alone {}", self.number);
        }
        let since = self.issues.as_ref().map(|ask| ask.since);
        format!("{lane} {:?} {:?} {since:?}", self.phase, self.streams())
    }
}

fn commits(tracked: &Tracked, seen: &Seen, phase: Phase, forced: bool) -> Option<AskCommits> {
    let commits = &tracked.state.commits;
    let since = tracked.state.horizon();
    match phase {
        Phase::History => (!commits.complete).then(|| AskCommits {
            from: commits.after.as_ref().and(commits.from.clone()),
            after: commits.after.clone(),
            since,
        }),
        Phase::News => {
            let begun = commits.complete || commits.seen.is_some();
            let news = seen.head.is_some() && (seen.head != commits.seen || forced);
            (begun && news).then_some(AskCommits { from: None, after: None, since })
        }
    }
}

fn issues_of(tracked: &Tracked, seen: &Seen, phase: Phase, forced: bool) -> Option<AskIssues> {
    let issues = &tracked.state.issues;
    if issues.complete != (phase == Phase::News) {
        return None;
    }
    if let Some((since, after)) = &tracked.issues_after {
        return Some(AskIssues { since: *since, after: Some(after.clone()) });
    }
    let since = issues.due(seen.issues.as_ref(), tracked.state.horizon(), forced)?;
    Some(AskIssues { since, after: None })
}

/// Whether the newest deployment is the one that it was, and is looked at again anyway until it ends.
fn is_watched(tracked: &Tracked, seen: &Seen) -> bool {
    let state = &tracked.state;
    let Some(node) = seen.deployments.as_deref().map(node_of) else {
        return false;
    };
    state.deployments.seen.as_deref().map(node_of) == Some(node)
        && state.open.iter().any(|open| open.node == node)
}

/// One request for several asks that go together.
pub(super) fn pages(group: &[Ask]) -> Option<Pages> {
    let first = group.first()?;
    let sizes = first.sizes;
    let page = |wanted: bool, first: u64, after: Option<&String>| {
        wanted.then(|| PageOf { first, after: after.cloned() })
    };
    let pulls = first.pulls.as_ref();
    let deployments = first.deployments.as_ref();
    let commits = first.commits.as_ref();
    let issues = first.issues.as_ref();
    Some(Pages {
        ids: group.iter().map(|ask| ask.node.clone()).collect(),
        pulls: page(pulls.is_some(), sizes.pulls, pulls.and_then(|pass| pass.after.as_ref())),
        deployments: page(
            deployments.is_some(),
            sizes.deployments,
            deployments.and_then(|pass| pass.after.as_ref()),
        ),
        commits: page(commits.is_some(), sizes.commits, commits.and_then(|ask| ask.after.as_ref())),
        commit: commits.and_then(|ask| ask.from.clone()),
        commits_since: group.iter().filter_map(|ask| Some(ask.commits.as_ref()?.since)).min(),
        issues: page(issues.is_some(), sizes.issues, issues.and_then(|ask| ask.after.as_ref())),
        issues_since: issues.map(|ask| ask.since),
    })
}

/// Streams in which the probe saw nothing at all need not be asked for.
pub(super) fn skip_empty(tracked: &mut Tracked) {
    let Some(seen) = &tracked.look.seen else {
        return;
    };
    let state = &mut tracked.state;
    for (walk, seen) in [(&mut state.pulls, &seen.pulls), (&mut state.deployments, &seen.deployments)] {
        if let Some(seen) = seen.as_ref().filter(|seen| seen.is_empty())
            && (!walk.complete || walk.seen.as_ref() != Some(seen))
        {
            walk.nothing(seen.clone());
            tracked.dirty = true;
        }
    }
    if seen.head.is_none() && !seen.head_hidden && !state.commits.complete {
        state.commits.complete = true;
        tracked.dirty = true;
    }
    if seen.issues.as_ref().is_some_and(String::is_empty) && !state.issues.complete {
        state.issues.done(seen.issues.clone());
        tracked.dirty = true;
    }
}
