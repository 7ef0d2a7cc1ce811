//! Reading what changed: pages of several repositories in one request, further pages one repository at a time with
//! all its unfinished streams side by side.

use std::collections::BTreeMap;

use crate::http::Failure;
use crate::model::name::CommitId;
use crate::model::time::Timestamp;
use crate::source::{PollError, Sink};

use super::client::{Node, Trouble};
use super::operations::{
    self, DEPLOYMENT_IDS_MAX, FIRST_READ, FURTHER, NEWS, PageOf, Pages, REST_IDS_MAX, Sizes,
};
use super::pages::Part;
use super::probe::{Seen, node_of};
use super::state::Pass;
use super::wire::{DeploymentWire, PagesWire, PullWire, RestWire};
use super::{Github, HEAVY_MAX, Problems, Tracked, pulls};

/// Pages of one repository in one poll; what is left is read in the next one.
const ROUNDS_MAX: u32 = 500;
/// Requests whose pages are in memory together, so that one question about their commits does for all.
const GROUPS_TOGETHER: usize = 16;
/// Pages of 100 own commits, or reviews, of one pull request; GitHub itself stops at 250 commits.
const REST_PAGES_MAX: u32 = 10;
/// Pages of 100 statuses of one deployment.
const STATUS_PAGES_MAX: u32 = 10;

/// What to ask of one repository in one request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) number: u64,
    node: String,
    pub(super) pulls: Option<Pass>,
    pub(super) deployments: Option<Pass>,
    pub(super) commits: Option<AskCommits>,
    pub(super) issues: Option<AskIssues>,
    first_read: bool,
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

impl Ask {
    /// What is to be read of a repository; `None` if nothing is.
    fn of(number: u64, tracked: &Tracked, issues: bool) -> Option<Self> {
        let state = &tracked.state;
        let seen = tracked.seen.as_ref().filter(|_| !tracked.failed)?;
        let horizon = state.horizon();
        let from_head = AskCommits { from: None, after: None, since: horizon };
        let commits = if !state.commits.complete {
            Some(AskCommits {
                from: state.commits.after.as_ref().and(state.commits.from.clone()),
                after: state.commits.after.clone(),
                since: horizon,
            })
        } else if seen.head.is_some() && seen.head != state.commits.seen {
            Some(from_head)
        } else {
            None
        };
        let issues = issues.then(|| match &tracked.issues_after {
            Some((since, after)) => Some(AskIssues { since: *since, after: Some(after.clone()) }),
            None => {
                state.issues.due(Some(&seen.issues), horizon).map(|since| AskIssues { since, after: None })
            }
        });
        let ask = Self {
            number,
            node: state.node.clone(),
            pulls: state.pulls.due(Some(&seen.pulls), horizon),
            deployments: state
                .deployments
                .due(Some(&seen.deployments), horizon)
                .filter(|_| !is_watched(tracked, seen)),
            commits,
            issues: issues.flatten(),
            first_read: !state.complete(),
            alone: tracked.alone,
        };
        let something =
            ask.pulls.is_some() || ask.deployments.is_some() || ask.commits.is_some() || ask.issues.is_some();
        something.then_some(ask)
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

    /// Requests with the same key can be one.
    fn key(&self) -> String {
        if self.alone || !self.is_fresh() {
            return format!("alone {}", self.number);
        }
        let Self { number: _, node: _, pulls, deployments, commits, issues, first_read, alone: _ } = self;
        let since = issues.as_ref().map(|ask| ask.since);
        let streams = (pulls.is_some(), deployments.is_some(), commits.is_some());
        format!("{first_read} {streams:?} {since:?}")
    }

    fn sizes(&self) -> Sizes {
        match (self.is_fresh(), self.first_read) {
            (false, _) => FURTHER,
            (true, true) => FIRST_READ,
            (true, false) => NEWS,
        }
    }
}

/// Whether the newest deployment is the one that it was, and is looked at again anyway until it ends.
fn is_watched(tracked: &Tracked, seen: &Seen) -> bool {
    let state = &tracked.state;
    let node = node_of(&seen.deployments);
    state.deployments.complete
        && state.deployments.seen.as_deref().map(node_of) == Some(node)
        && state.open.iter().any(|open| open.node == node)
}

/// One request for several asks that go together.
fn pages(group: &[Ask]) -> Option<Pages> {
    let first = group.first()?;
    let sizes = first.sizes();
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

impl Github {
    /// Reads all streams that changed, page after page.
    pub(super) async fn fetch(&mut self, sink: &Sink, problems: &mut Problems) -> Result<(), PollError> {
        for _ in 0..ROUNDS_MAX {
            let groups = self.groups();
            if groups.is_empty() {
                return Ok(());
            }
            for together in groups.chunks(GROUPS_TOGETHER) {
                self.read_groups(together, sink, problems).await?;
            }
        }
        tracing::warn!(
            rounds = ROUNDS_MAX,
            "there is more to read than one poll reads; the next one goes on"
        );
        Ok(())
    }

    /// What to ask next, in as few requests as possible.
    fn groups(&mut self) -> Vec<Vec<Ask>> {
        let issues = self.config.incidents.is_some();
        let mut groups: BTreeMap<String, Vec<Ask>> = BTreeMap::new();
        for (number, tracked) in &mut self.repositories {
            if !tracked.is_active() {
                continue;
            }
            skip_empty(tracked);
            if let Some(ask) = Ask::of(*number, tracked, issues) {
                groups.entry(ask.key()).or_default().push(ask);
            }
        }
        groups
            .into_values()
            .flat_map(|asks| {
                let at_once = asks.first().map_or(1, |ask| ask.sizes().repositories);
                asks.chunks(at_once).map(<[Ask]>::to_vec).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Reads several requests before their commits are asked about and stored; if one of them ends the poll, those
    /// before it are stored nevertheless.
    async fn read_groups(
        &mut self,
        groups: &[Vec<Ask>],
        sink: &Sink,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let mut parts = Vec::new();
        let mut read = Ok(());
        for group in groups {
            read = self.read_group(group, &mut parts, problems).await;
            if read.is_err() {
                break;
            }
        }
        self.store_parts(parts, sink, problems).await?;
        read
    }

    async fn read_group(
        &mut self,
        group: &[Ask],
        parts: &mut Vec<Part>,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let Some(pages) = pages(group) else {
            return Ok(());
        };
        let asked = self.client.ask(|halvings| operations::repository_pages(&pages, halvings)).await;
        let reply = match asked {
            Ok(reply) => reply,
            Err(trouble) => return self.give_up(group, trouble, problems),
        };
        let read_at = reply.read_at;
        let mut read = Vec::with_capacity(group.len());
        for (ask, (_, node)) in group.iter().zip(reply.nodes::<PagesWire>(&pages.ids)) {
            match node {
                Ok(Some(wire)) => read.push((ask.clone(), wire)),
                Ok(None) => self.set_aside(ask.number),
                Err(trouble) => self.give_up(std::slice::from_ref(ask), trouble, problems)?,
            }
        }
        let completed = self.complete_pulls(&mut read).await;
        self.tolerate(completed)?;
        let completed = self.complete_statuses(&mut read).await;
        self.tolerate(completed)?;
        let read = self.complete_files(read, problems).await?;
        for (ask, wire) in read {
            parts.push(self.part(ask, wire, read_at));
        }
        Ok(())
    }

    /// What cannot be read is left for the next poll; what was too heavy in company is asked for alone.
    pub(super) fn give_up(
        &mut self,
        group: &[Ask],
        trouble: Trouble,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        match trouble {
            Trouble::TooHeavy(failure) => {
                self.heavy += 1;
                if self.heavy > HEAVY_MAX {
                    return Err(PollError::Source(failure));
                }
                if let [_, _, ..] = group {
                    for ask in group {
                        if let Some(tracked) = self.repositories.get_mut(&ask.number) {
                            tracked.alone = true;
                        }
                    }
                    return Ok(());
                }
                self.of_repository(group, &failure, problems);
            }
            Trouble::StaleCursor => {
                for ask in group {
                    self.restart(ask.number);
                }
            }
            Trouble::Failed(failure) => {
                if super::ends_the_poll(failure.reason) {
                    return Err(PollError::Source(failure));
                }
                self.of_repository(group, &failure, problems);
            }
        }
        Ok(())
    }

    /// What lies beyond the page of one item is not worth the poll, if it is too heavy even by itself.
    pub(super) fn tolerate(&mut self, result: Result<(), Trouble>) -> Result<(), PollError> {
        match result {
            Err(Trouble::TooHeavy(failure)) if self.heavy < HEAVY_MAX => {
                self.heavy += 1;
                tracing::warn!(%failure, "used what fitted the page");
                Ok(())
            }
            other => other.map_err(ended),
        }
    }

    fn of_repository(&mut self, group: &[Ask], failure: &Failure, problems: &mut Problems) {
        for ask in group {
            let name = self.repositories.get(&ask.number).map(|tracked| tracked.state.name.clone());
            problems.push(Failure {
                what: format!("{}: {}", name.unwrap_or_default(), failure.what),
                ..failure.clone()
            });
            self.set_aside(ask.number);
        }
    }

    /// The rest of a repository waits for the next poll.
    pub(super) fn set_aside(&mut self, number: u64) {
        if let Some(tracked) = self.repositories.get_mut(&number) {
            tracked.failed = true;
        }
    }

    /// GitHub has forgotten where a page ended: the next poll begins the passes again.
    fn restart(&mut self, number: u64) {
        if let Some(tracked) = self.repositories.get_mut(&number) {
            tracked.state.pulls.restart();
            tracked.state.deployments.restart();
            tracked.state.commits.after = None;
            tracked.issues_after = None;
            (tracked.failed, tracked.dirty) = (true, true);
        }
    }

    /// Reads on where the commits of a pull request, or its reviews, did not fit the page. The first request begins
    /// again with larger pages, for all of them at once.
    async fn complete_pulls(&mut self, read: &mut [(Ask, PagesWire)]) -> Result<(), Trouble> {
        let bots = super::Bots(&self.config.bots);
        let mut cut: Vec<&mut PullWire> = read
            .iter_mut()
            .filter_map(|(_, wire)| wire.pull_requests.as_mut())
            .flat_map(|page| &mut page.nodes)
            .filter(|wire| pulls::is_cut(wire, bots))
            .collect();
        let ids: Vec<String> = cut.iter().filter_map(|wire| wire.id.clone()).collect();
        if ids.len() != cut.len() || ids.is_empty() {
            return Ok(());
        }
        let build = |ids: &[String]| operations::pull_request_rest(ids, None, None);
        let (nodes, _) = self.client.nodes::<RestWire>(&ids, REST_IDS_MAX, build).await?;
        for (wire, (id, node)) in cut.iter_mut().zip(nodes) {
            let Ok(Some(RestWire { commits, reviews })) = node else {
                continue;
            };
            let (mut commits, mut reviews) = (commits.unwrap_or_default(), reviews.unwrap_or_default());
            for _ in 1..REST_PAGES_MAX {
                if !commits.has_next && !reviews.has_next {
                    break;
                }
                let (commits_after, reviews_after) = (commits.end.clone(), reviews.end.clone());
                let build = |ids: &[String]| {
                    operations::pull_request_rest(ids, commits_after.as_deref(), reviews_after.as_deref())
                };
                let ids = [id.clone()];
                let (nodes, _) = self.client.nodes::<RestWire>(&ids, 1, build).await?;
                let next = only(nodes)?.unwrap_or_default();
                commits.append(next.commits.unwrap_or_default());
                reviews.append(next.reviews.unwrap_or_default());
            }
            wire.commits = Some(commits);
            wire.reviews = Some(reviews);
        }
        Ok(())
    }

    async fn complete_statuses(&mut self, read: &mut [(Ask, PagesWire)]) -> Result<(), Trouble> {
        let mut cut: Vec<&mut DeploymentWire> = read
            .iter_mut()
            .filter_map(|(_, wire)| wire.deployments.as_mut())
            .flat_map(|page| &mut page.nodes)
            .filter(|wire| wire.statuses.as_ref().is_some_and(|page| page.has_next))
            .collect();
        let ids: Vec<String> = cut.iter().filter_map(|wire| wire.id.clone()).collect();
        if ids.len() != cut.len() || ids.is_empty() {
            return Ok(());
        }
        let nodes = self.deployments_by_id(&ids).await?.0;
        for (wire, (_, node)) in cut.iter_mut().zip(nodes) {
            if let Ok(Some(whole)) = node {
                **wire = whole;
            }
        }
        Ok(())
    }

    /// Deployments with all their statuses.
    pub(super) async fn deployments_by_id(
        &mut self,
        ids: &[String],
    ) -> Result<(Vec<Node<DeploymentWire>>, Timestamp), Trouble> {
        let build = |ids: &[String]| operations::deployments_by_id(ids, None);
        let (mut nodes, read_at) =
            self.client.nodes::<DeploymentWire>(ids, DEPLOYMENT_IDS_MAX, build).await?;
        for (id, node) in &mut nodes {
            let Ok(Some(wire)) = node else {
                continue;
            };
            let mut statuses = wire.statuses.take().unwrap_or_default();
            for _ in 1..STATUS_PAGES_MAX {
                if !statuses.has_next {
                    break;
                }
                let after = statuses.end.clone();
                let build = |ids: &[String]| operations::deployments_by_id(ids, after.as_deref());
                let ids = [id.clone()];
                let (next, _) = self.client.nodes::<DeploymentWire>(&ids, 1, build).await?;
                statuses.append(only(next)?.and_then(|next| next.statuses).unwrap_or_default());
            }
            wire.statuses = Some(statuses);
        }
        Ok((nodes, read_at))
    }

    /// Landing commits of what was read, with the numbers of the changes, that GitHub need not be asked for.
    pub(super) fn landed(&self, number: u64, id: CommitId) -> Option<u64> {
        self.repositories.get(&number)?.landed.get(&id).copied()
    }
}

/// The only node of a request for one.
fn only<T>(nodes: Vec<Node<T>>) -> Result<Option<T>, Trouble> {
    nodes.into_iter().next().map_or(Ok(None), |(_, node)| node)
}

/// A trouble after which the poll cannot go on.
pub(super) fn ended(trouble: Trouble) -> PollError {
    PollError::Source(trouble.failure())
}

/// Streams in which the probe saw nothing at all need not be asked for.
fn skip_empty(tracked: &mut Tracked) {
    let Some(seen) = &tracked.seen else {
        return;
    };
    let state = &mut tracked.state;
    for (walk, seen) in [(&mut state.pulls, &seen.pulls), (&mut state.deployments, &seen.deployments)] {
        if seen.is_empty() && (!walk.complete || walk.seen.as_ref() != Some(seen)) {
            walk.nothing(seen.clone());
            tracked.dirty = true;
        }
    }
    if seen.head.is_none() && !state.commits.complete {
        state.commits.complete = true;
        tracked.dirty = true;
    }
    if seen.issues.is_empty() && !state.issues.complete {
        state.issues.done(Some(seen.issues.clone()));
        tracked.dirty = true;
    }
}
