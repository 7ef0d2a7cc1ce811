//! Following commits that are named and not stored: parents of news, and deployed commits that are not on the
//! default branch. Each step brings up to a hundred of their ancestors.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::batch::Batch;
use crate::model::dirty::Stream;
use crate::model::fact::Fact;
use crate::model::name::CommitId;
use crate::model::time::Timestamp;
use crate::source::{PollError, Sink};

use super::commits::{self, Listed};
use super::operations::{self, WALK_IDS_MAX};
use super::progress::Pending;
use super::reply::Node;
use super::wire::HistoryWire;
use super::{Github, Problems};

/// Steps in one poll; what is left is in the cursors.
const STEPS_MAX: u32 = 100;
/// Commits of one repository in one step: their histories overlap, and the first may bring the others.
const OF_ONE_REPOSITORY_MAX: usize = 2;

/// Where the histories of one repository's missing commits led.
#[derive(Debug, Default)]
struct Walked {
    page: Vec<Listed>,
    nowhere: Vec<String>,
}

impl Github {
    /// Walks until nothing is missing.
    pub(super) async fn walk(&mut self, sink: &Sink, problems: &mut Problems) -> Result<(), PollError> {
        for _ in 0..STEPS_MAX {
            let targets = self.targets();
            if targets.is_empty() {
                return Ok(());
            }
            let horizons = targets.iter().filter_map(|(number, _)| self.repositories.get(number));
            let since = horizons.map(|tracked| tracked.state.horizon()).min().unwrap_or_default();
            let build = |ids: &[String]| operations::commit_walks(ids, since);
            let wanted = targets.iter().map(|(number, pending)| (*number, pending.node.clone())).collect();
            let nodes = self.nodes_of::<HistoryWire>(wanted, WALK_IDS_MAX, build, problems).await?;
            let read_at = self.now();
            let mut pendings: BTreeMap<(u64, String), Pending> = targets
                .into_iter()
                .map(|(number, pending)| ((number, pending.node.clone()), pending))
                .collect();
            let mut walked: BTreeMap<u64, Walked> = BTreeMap::new();
            for (number, node) in nodes {
                if let Some(pending) = pendings.remove(&(number, node.0.clone())) {
                    self.arrive(number, pending, node, read_at, &mut walked, problems)?;
                }
            }
            self.store_walks(walked, sink, problems).await?;
        }
        tracing::warn!(
            steps = STEPS_MAX,
            "more commits are missing than one poll reads; the next one goes on"
        );
        Ok(())
    }

    /// The next commits to start from, beside their repositories.
    fn targets(&self) -> Vec<(u64, Pending)> {
        let mut targets = Vec::new();
        for number in self.readable() {
            // Without pull requests nobody can tell whether a commit was pushed or merged.
            let tracked = self.repositories.get(&number);
            let tracked = tracked
                .filter(|tracked| tracked.may_see(Stream::Changes) && tracked.may_see(Stream::Commits));
            let commits = tracked.map(|tracked| &tracked.state.commits);
            let Some(commits) = commits.filter(|commits| commits.complete) else {
                continue;
            };
            let pending = commits.pending.iter().rev().take(OF_ONE_REPOSITORY_MAX);
            targets.extend(pending.map(|pending| (number, pending.clone())));
            if targets.len() >= WALK_IDS_MAX {
                targets.truncate(WALK_IDS_MAX);
                break;
            }
        }
        targets
    }

    fn arrive(
        &mut self,
        number: u64,
        pending: Pending,
        (_, node): Node<HistoryWire>,
        read_at: Timestamp,
        walked: &mut BTreeMap<u64, Walked>,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let history = match node {
            Ok(wire) => wire.and_then(|wire| wire.history).unwrap_or_default(),
            Err(trouble) => {
                problems.keep(trouble)?;
                self.set_aside(number);
                return Ok(());
            }
        };
        let listed = self.listed(number, history.nodes, history.malformed, read_at);
        let walked = walked.entry(number).or_default();
        if commits::inside(&listed).contains(&pending.oid) {
            walked.page.extend(listed);
        } else {
            walked.nowhere.push(pending.oid);
        }
        Ok(())
    }

    async fn store_walks(
        &mut self,
        walked: BTreeMap<u64, Walked>,
        sink: &Sink,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let mut lines = BTreeMap::new();
        let mut unclear = Vec::new();
        for (number, walked) in &walked {
            let state = self.repositories.get(number).map(|tracked| &tracked.state);
            let line = state.and_then(|state| CommitId::parse(state.commits.line.as_deref()?));
            let (line, next) = commits::line(&walked.page, line, None);
            unclear.extend(self.unclear(*number, &walked.page, &line));
            lines.insert(*number, (line, next));
        }
        unclear.sort_unstable();
        unclear.dedup();
        let belongs = self.pull_requests(unclear, problems).await?;
        for (number, Walked { page, nowhere }) in walked {
            if belongs.unknown.contains(&number) {
                continue;
            }
            let Some(mut state) = self.repositories.get(&number).map(|tracked| tracked.state.clone()) else {
                continue;
            };
            let inside = commits::inside(&page);
            let candidates = commits::frontier(&page, &inside, state.horizon());
            state.commits.found(|oid| inside.contains(oid));
            for oid in &nowhere {
                state.commits.give_up(oid);
            }
            let (line, next): (BTreeSet<CommitId>, _) = lines.remove(&number).unwrap_or_default();
            state.commits.line = next.map(|id: CommitId| id.to_string());
            let facts = self.with_pull_requests(number, page, &belongs);
            let Some(facts) = self.with_files(number, facts, &line, problems).await? else {
                continue;
            };
            let batch = Batch { facts: facts.into_iter().map(Fact::Commit).collect(), ..Batch::default() };
            self.store(number, state, batch, candidates, sink).await?;
        }
        Ok(())
    }
}
