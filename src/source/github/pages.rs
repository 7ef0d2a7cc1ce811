//! From pages to batches: facts, the cursor that goes with them, and what follows from what the store lacked.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::batch::{Applied, Batch, Contact};
use crate::model::fact::{Change, Commit, Fact};
use crate::model::name::{CommitId, RepositoryId, RepositoryName};
use crate::model::time::Timestamp;
use crate::source::{PollError, Sink};

use super::ask::{Ask, AskCommits, AskIssues, word};
use super::commits::{self, Listed};
use super::deployments::{Deployed, deployed};
use super::operations::{self, COMMIT_IDS_MAX};
use super::passes::{Endless, PASS_PAGES_MAX, Pass, Phase, Turn};
use super::progress::Pending;
use super::pulls::{self, Reading, change};
use super::reply::malformed;
use super::state::State;
use super::wire::{
    CommitPullsWire, CommitWire, DeploymentWire, HeadWire, HistoryWire, IssueWire, Page, PagesWire, PullWire,
};
use super::{Github, Problems, cover, issues};

/// A page of the commit graph, with what is to be done with it.
#[derive(Debug)]
struct Graph {
    /// The commit from which the page was listed.
    head: Option<String>,
    /// When its last commit was committed.
    reached: Option<Timestamp>,
    news: Vec<Listed>,
    /// The commits of the page.
    inside: BTreeSet<String>,
    /// The default branch's line through the page, and with what it goes on.
    line: BTreeSet<CommitId>,
    next: Option<CommitId>,
    frontier: Vec<Pending>,
    has_next: bool,
    end: Option<String>,
}

/// What was read of one repository, but for the graph as it came.
#[derive(Debug)]
pub(super) struct Part {
    ask: Ask,
    read_at: Timestamp,
    changes: Vec<Change>,
    pulls: Option<Walked>,
    graph: Option<Graph>,
    branch: Option<String>,
    deployments: Option<Page<DeploymentWire>>,
    issues: Option<Page<IssueWire>>,
}

/// What GitHub says of commits, by node, and the repositories of which it does not say everything.
#[derive(Debug, Default)]
pub(super) struct Belongs {
    known: BTreeMap<String, CommitPullsWire>,
    pub(super) unknown: BTreeSet<u64>,
}

/// Where a page of a stream led.
#[derive(Debug)]
struct Walked {
    times: Vec<Timestamp>,
    has_next: bool,
    end: Option<String>,
}

impl Walked {
    fn turn(&self) -> Turn<'_> {
        Turn { times: &self.times, has_next: self.has_next, end: self.end.as_deref() }
    }
}

impl Github {
    /// Stores what some requests brought, one repository after the other.
    pub(super) async fn store_parts(
        &mut self,
        parts: Vec<Part>,
        sink: &Sink,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let mut unclear = Vec::new();
        for part in &parts {
            if let Some(graph) = &part.graph {
                unclear.extend(self.unclear(part.ask.number, &graph.news, &graph.line));
            }
        }
        let belongs = self.pull_requests(unclear, problems).await?;
        for part in parts {
            if !belongs.unknown.contains(&part.ask.number) {
                self.store_part(part, &belongs, sink, problems).await?;
            }
        }
        Ok(())
    }

    /// Reads the pages of one repository.
    pub(super) fn part(&mut self, ask: Ask, wire: PagesWire, read_at: Timestamp) -> Part {
        let PagesWire { pull_requests, deployments, default_branch_ref, object, issues } = wire;
        let HeadWire { name: branch, target } = default_branch_ref.unwrap_or_default();
        let history = target.or(object);
        let pulls = ask.pulls.as_ref().map(|_| pull_requests.unwrap_or_default());
        let (changes, pulls) = pulls.map_or((Vec::new(), None), |page| {
            let (changes, walked) = self.changes(ask.number, page, read_at);
            (changes, Some(walked))
        });
        if let Some(tracked) = self.repositories.get_mut(&ask.number) {
            let branch = tracked.state.branch.as_ref();
            let landings = changes.iter().filter(|change| Some(&change.base) == branch);
            tracked.landed.extend(landings.filter_map(|change| Some((change.landing?, change.number))));
        }
        let graph = ask
            .commits
            .as_ref()
            .map(|asked| self.graph(ask.number, ask.phase, asked, history.unwrap_or_default(), read_at));
        Part {
            read_at,
            deployments: ask.deployments.as_ref().map(|_| deployments.unwrap_or_default()),
            issues: ask.issues.as_ref().map(|_| issues.unwrap_or_default()),
            ask,
            changes,
            pulls,
            graph,
            branch,
        }
    }

    fn changes(&self, number: u64, page: Page<PullWire>, read_at: Timestamp) -> (Vec<Change>, Walked) {
        let Page { nodes, malformed: mut unread, has_next, end } = page;
        let id = self.id(number);
        let state = self.repositories.get(&number).map(|tracked| &tracked.state);
        let name = RepositoryName::new(state.map_or("", |state| state.name.as_str()));
        let horizon = state.map(State::horizon).unwrap_or_default();
        let reading = Reading { repository: &id, name: &name, bots: self.bots(), read_at };
        let times = nodes.iter().filter_map(pulls::updated_at).collect();
        let mut changes = Vec::with_capacity(nodes.len());
        for node in nodes {
            match change(node, reading) {
                Some(change) if change.merged_at < horizon => {}
                Some(mut change) => {
                    if let Some(state) = state {
                        change.base = state.present_name(&change.base).into();
                    }
                    changes.push(change);
                }
                None => unread += 1,
            }
        }
        self.client().count_malformed(unread, "pull requests");
        let walked = Walked { times, has_next, end };
        (changes, walked)
    }

    /// Commits out of their records.
    pub(super) fn listed(
        &self,
        number: u64,
        page: Vec<CommitWire>,
        unread: u64,
        read_at: Timestamp,
    ) -> Vec<Listed> {
        let id = self.id(number);
        let count = page.len();
        let listed: Vec<Listed> =
            page.into_iter().filter_map(|wire| commits::listed(wire, &id, self.bots(), read_at)).collect();
        let unread = unread + u64::try_from(count - listed.len()).unwrap_or_default();
        self.client().count_malformed(unread, "commits");
        listed
    }

    fn graph(
        &self,
        number: u64,
        phase: Phase,
        asked: &AskCommits,
        wire: HistoryWire,
        read_at: Timestamp,
    ) -> Graph {
        let HistoryWire { oid: head, history } = wire;
        let Page { nodes, malformed: unread, has_next, end } = history.unwrap_or_default();
        let page = self.listed(number, nodes, unread, read_at);
        let state = self.repositories.get(&number).map(|tracked| &tracked.state);
        let horizon = state.map(State::horizon).unwrap_or_default();
        let commits = state.map(|state| state.commits.clone()).unwrap_or_default();
        let parse = |oid: Option<&String>| oid.and_then(|oid| CommitId::parse(oid));
        let known = parse(commits.seen.as_ref()).filter(|_| phase == Phase::News);
        let from = if asked.after.is_none() { head.as_ref() } else { commits.line.as_ref() };
        let (line, next) = commits::line(&page, parse(from), known);
        let inside = commits::inside(&page);
        let page_end = page.last().map(|listed| listed.commit.committed_at);
        let news = commits::news(page, known);
        Graph {
            frontier: commits::frontier(&news, &inside, horizon),
            reached: page_end,
            head,
            news,
            inside,
            line,
            next,
            has_next,
            end,
        }
    }

    fn landed(&self, number: u64, id: CommitId) -> Option<u64> {
        self.repositories.get(&number)?.landed(id)
    }

    /// The commits of the line, by node, that no change which was read has landed as.
    pub(super) fn unclear(
        &self,
        number: u64,
        page: &[Listed],
        line: &BTreeSet<CommitId>,
    ) -> Vec<(u64, String)> {
        page.iter()
            .filter(|listed| {
                line.contains(&listed.commit.id) && self.landed(number, listed.commit.id).is_none()
            })
            .map(|listed| (number, listed.node.clone()))
            .collect()
    }

    /// What GitHub says of commits that may be direct pushes. A repository of which it does not say everything
    /// waits for the next poll: a change taken for a direct push would be a wrong number.
    pub(super) async fn pull_requests(
        &mut self,
        unclear: Vec<(u64, String)>,
        problems: &mut Problems,
    ) -> Result<Belongs, PollError> {
        let mut belongs =
            Belongs { unknown: unclear.iter().map(|(number, _)| *number).collect(), ..Belongs::default() };
        let build = operations::commit_pull_requests;
        let nodes = self.nodes_of::<CommitPullsWire>(unclear, COMMIT_IDS_MAX, build, problems).await?;
        let mut failed = BTreeSet::new();
        for (number, (node, found)) in nodes {
            belongs.unknown.remove(&number);
            match found {
                Ok(Some(wire)) => {
                    belongs.known.insert(node, wire);
                }
                Ok(None) => {}
                Err(trouble) => {
                    problems.keep(trouble)?;
                    failed.insert(number);
                }
            }
        }
        belongs.unknown.append(&mut failed);
        for number in &belongs.unknown {
            self.set_aside(*number);
        }
        Ok(belongs)
    }

    /// Commits as facts, with the pull requests that they belong to.
    pub(super) fn with_pull_requests(
        &self,
        number: u64,
        page: Vec<Listed>,
        belongs: &Belongs,
    ) -> Vec<Commit> {
        let state = self.repositories.get(&number).map(|tracked| &tracked.state);
        let node = state.map_or("", |state| state.node.as_str());
        let branch = state.and_then(|state| state.branch.as_deref()).unwrap_or_default();
        page.into_iter()
            .map(|listed| {
                let asked = belongs.known.get(&listed.node).cloned();
                Commit {
                    pull_request: self
                        .landed(number, listed.commit.id)
                        .or_else(|| commits::pull_request(asked?, node, branch)),
                    ..listed.commit
                }
            })
            .collect()
    }

    async fn store_part(
        &mut self,
        part: Part,
        belongs: &Belongs,
        sink: &Sink,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let Part { ask, read_at, changes, pulls, graph, branch, deployments, issues } = part;
        let number = ask.number;
        let id = self.id(number);
        let streams = ask.streams();
        let Some(mut state) = self.repositories.get(&number).map(|tracked| tracked.state.clone()) else {
            return Ok(());
        };
        state.answered(streams.iter().map(|stream| word(*stream)));
        let mut batch = Batch { contact: state.contact(ask.phase), ..Batch::default() };
        let mut endless = Ok(());
        batch.facts.extend(changes.into_iter().map(Fact::Change));
        if let (Some(pass), Some(walked)) = (ask.pulls, pulls) {
            endless = endless.and(state.pulls.advance(ask.phase, pass, walked.turn()));
        }
        let mut candidates = Vec::new();
        if let (Some(asked), Some(mut graph)) = (ask.commits, graph) {
            let news = std::mem::take(&mut graph.news);
            let commits = self.with_pull_requests(number, news, belongs);
            let Some(commits) = self.with_files(number, commits, &graph.line, problems).await? else {
                return Ok(());
            };
            batch.facts.extend(commits.into_iter().map(Fact::Commit));
            candidates.append(&mut graph.frontier);
            if asked.from.is_none() {
                self.was_read_from(number, graph.head.clone());
            }
            endless = endless.and(advance_graph(&mut state, ask.phase, &asked, graph, branch));
        }
        if let (Some(pass), Some(page)) = (ask.deployments, deployments) {
            let attempts = self.attempts(page, &id, read_at);
            let kept = keep_attempts(&mut state, ask.phase, pass, attempts, &mut batch, &mut candidates);
            endless = endless.and(kept);
        }
        state.can_show(&batch.facts);
        cover(&mut state, &id, &mut batch);
        batch.facts.insert(0, Fact::Repository(state.repository(id)));
        self.store(number, state, batch, candidates, sink).await?;
        if let (Some(asked), Some(page)) = (ask.issues, issues) {
            self.store_issues(number, &asked, page, read_at, sink).await?;
        }
        if let Some(tracked) = self.repositories.get_mut(&number) {
            tracked.forced.retain(|stream| !streams.contains(stream));
        }
        if let Err(Endless) = endless {
            self.client().count_malformed(1, "lists without an end");
            self.tell(number, &malformed("a list does not end"), problems);
            self.set_aside(number);
        }
        Ok(())
    }

    /// Stores a batch of one repository with its cursor. `candidates` are commits that it names and that may be
    /// missing: they are in the cursor until the store has said which of them it has.
    pub(super) async fn store(
        &mut self,
        number: u64,
        mut state: State,
        mut batch: Batch,
        candidates: Vec<Pending>,
        sink: &Sink,
    ) -> Result<(), PollError> {
        let before: BTreeSet<String> =
            state.commits.pending.iter().map(|pending| pending.oid.clone()).collect();
        let named: BTreeSet<String> = candidates.iter().map(|pending| pending.oid.clone()).collect();
        state.commits.need(candidates);
        batch.cursors.push(state.cursor(number));
        let Applied { rows_written: _, repositories: _, incidents: _, inventory: _, missing_commits } =
            sink.apply(batch).await?;
        let missing: BTreeSet<String> =
            missing_commits.iter().map(|(_, commit)| commit.to_string()).collect();
        let count = state.commits.pending.len();
        state.commits.found(|oid| named.contains(oid) && !before.contains(oid) && !missing.contains(oid));
        if let Some(tracked) = self.repositories.get_mut(&number) {
            tracked.dirty = state.commits.pending.len() != count;
            tracked.state = state;
        }
        Ok(())
    }

    fn attempts(
        &self,
        page: Page<DeploymentWire>,
        id: &RepositoryId,
        read_at: Timestamp,
    ) -> (Vec<Deployed>, Walked) {
        let Page { nodes, malformed: unread, has_next, end } = page;
        let count = nodes.len();
        let attempts: Vec<Deployed> =
            nodes.into_iter().filter_map(|wire| deployed(wire, id, read_at)).collect();
        let unread = unread + u64::try_from(count - attempts.len()).unwrap_or_default();
        self.client().count_malformed(unread, "deployments");
        let times = attempts.iter().map(|deployed| deployed.attempt.created_at).collect();
        (attempts, Walked { times, has_next, end })
    }

    async fn store_issues(
        &mut self,
        number: u64,
        asked: &AskIssues,
        page: Page<IssueWire>,
        read_at: Timestamp,
        sink: &Sink,
    ) -> Result<(), PollError> {
        let Page { nodes, malformed: mut unread, has_next, end } = page;
        let id = self.id(number);
        let Some(rules) = self.config.incidents.as_ref() else {
            return Ok(());
        };
        let newest = nodes.iter().filter_map(issues::updated_at).max();
        let mut facts = Vec::with_capacity(nodes.len());
        for wire in nodes {
            match issues::issue(wire, rules, &id, read_at) {
                Some(fact) => facts.push(fact),
                None => unread += 1,
            }
        }
        self.client().count_malformed(unread, "issues");
        let Some(tracked) = self.repositories.get_mut(&number) else {
            return Ok(());
        };
        let mut state = tracked.state.clone();
        let contact = if state.issues.complete { Contact::Live } else { Contact::First };
        state.issues.read_to(newest);
        let goes_on = has_next && end.is_some() && end != asked.after;
        if goes_on {
            tracked.issues_after = end.map(|end| (asked.since, end));
        } else {
            tracked.issues_after = None;
            state.issues.done(tracked.look.seen.as_ref().and_then(|seen| seen.issues.clone()));
        }
        let batch = Batch { facts, contact, ..Batch::default() };
        self.store(number, state, batch, Vec::new(), sink).await
    }
}

impl Github {
    /// The branch was read from this commit, which is newer than what the probe saw if somebody pushed since: either
    /// way this poll needs no other read of it.
    fn was_read_from(&mut self, number: u64, head: Option<String>) {
        let seen = self.repositories.get_mut(&number).and_then(|tracked| tracked.look.seen.as_mut());
        if let Some(seen) = seen {
            seen.head = head;
        }
    }
}

/// Takes a page of the commit graph into the cursor.
fn advance_graph(
    state: &mut State,
    phase: Phase,
    asked: &AskCommits,
    graph: Graph,
    branch: Option<String>,
) -> Result<(), Endless> {
    let Graph { head, reached, news: _, inside, line: _, next, frontier: _, has_next, end } = graph;
    if asked.from.is_none() {
        if branch.is_some() {
            state.switch(branch, head.as_ref());
        }
        state.head.clone_from(&head);
    }
    let commits = &mut state.commits;
    commits.found(|oid| inside.contains(oid));
    if phase == Phase::News {
        commits.seen = head;
        if commits.complete {
            commits.line = next.map(|id| id.to_string());
        } else if next.is_some() {
            // More came than a page holds while history is still read: its line begins anew at the newest commit.
            commits.restart();
        }
        return Ok(());
    }
    commits.line = next.map(|id| id.to_string());
    if asked.from.is_none() {
        commits.from.clone_from(&head);
        commits.seen = head;
        commits.pages = 0;
    }
    commits.reached = reached.map(Timestamp::millis).or(commits.reached);
    commits.pages += 1;
    if !has_next {
        commits.complete = true;
        commits.from = None;
        (commits.after, commits.pages) = (None, 0);
        return Ok(());
    }
    if end.is_none() || end == asked.after || commits.pages >= PASS_PAGES_MAX {
        commits.restart();
        return Err(Endless);
    }
    commits.after = end;
    Ok(())
}

/// Takes a page of deployments into the batch and the cursor.
fn keep_attempts(
    state: &mut State,
    phase: Phase,
    pass: Pass,
    (attempts, walked): (Vec<Deployed>, Walked),
    batch: &mut Batch,
    candidates: &mut Vec<Pending>,
) -> Result<(), Endless> {
    let horizon = state.horizon();
    for deployed in attempts {
        let Deployed { node, attempt, open, commit } = deployed;
        if attempt.created_at < horizon {
            continue;
        }
        state.unwatch(&node);
        if let Some(open) = open {
            state.watch(open);
        }
        candidates.extend(commit.filter(|(_, at)| *at >= horizon).map(|(pending, _)| pending));
        batch.facts.push(Fact::Attempt(attempt));
    }
    state.deployments.advance(phase, pass, walked.turn())
}
