//! Looking again at deployments without an end: no list shows that their statuses changed.

use std::collections::BTreeMap;

use crate::model::batch::Batch;
use crate::model::dirty::Stream;
use crate::model::fact::Fact;
use crate::model::time::Timestamp;
use crate::source::{PollError, Sink};

use super::deployments::{Deployed, deployed};
use super::reader::deployments_by_id;
use super::wire::DeploymentWire;
use super::{Github, Problems};

/// Deployments in one poll, those first that have waited longest for a look.
const LOOKS_MAX: usize = 2_000;

impl Github {
    /// Reads those again whose time has come.
    pub(super) async fn reread(
        &mut self,
        sink: &Sink,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let due = self.due(now);
        if due.is_empty() {
            return Ok(());
        }
        let mut looked: BTreeMap<u64, Vec<(String, Option<DeploymentWire>)>> = BTreeMap::new();
        for (lane, numbers, ids) in self.by_lane(due) {
            let nodes = match deployments_by_id(self.lanes.client(lane), &ids).await {
                Ok((nodes, _)) => nodes,
                Err(trouble) => {
                    self.lose_lane(lane, trouble.failure(), problems)?;
                    continue;
                }
            };
            for (number, (id, node)) in numbers.into_iter().zip(nodes) {
                match node {
                    Ok(wire) => looked.entry(number).or_default().push((id, wire)),
                    Err(trouble) => problems.keep(trouble)?,
                }
            }
        }
        let read_at = self.now();
        let mut batch = Batch::default();
        for (number, looks) in looked {
            let id = self.id(number);
            let Some(tracked) = self.repositories.get_mut(&number) else {
                continue;
            };
            let before = tracked.state.cursor(number);
            for (node, wire) in looks {
                // One that was deleted is looked at no more; what is known of it stays.
                tracked.state.unwatch(&node);
                if tracked.moved() == Some(node.as_str()) {
                    tracked.state.deployments.seen =
                        tracked.look.seen.as_ref().and_then(|seen| seen.deployments.clone());
                }
                let read = wire.and_then(|wire| deployed(wire, &id, read_at));
                if let Some(Deployed { node: _, attempt, open, commit: _ }) = read {
                    batch.facts.push(Fact::Attempt(attempt));
                    if let Some(open) = open {
                        tracked.state.watch(open);
                    }
                }
            }
            tracked.state.open.sort_by(|a, b| (a.since, &a.node).cmp(&(b.since, &b.node)));
            let after = tracked.state.cursor(number);
            if after != before {
                batch.cursors.push(after);
            }
        }
        if batch != Batch::default() {
            sink.apply(batch).await?;
        }
        Ok(())
    }

    fn due(&mut self, now: Timestamp) -> Vec<(u64, String)> {
        let mut due = Vec::new();
        for number in self.readable() {
            let tracked = self
                .repositories
                .get_mut(&number)
                .filter(|tracked| tracked.state.wants_deployments() && tracked.may_see(Stream::Deployments));
            let Some(tracked) = tracked else {
                continue;
            };
            let count = tracked.state.open.len();
            tracked.state.open.retain(|open| !open.expired(now));
            tracked.dirty |= tracked.state.open.len() != count;
            let moved = tracked.moved();
            let told = tracked.forced.contains(&Stream::Deployments);
            let open = tracked.state.open.iter();
            let open = open.filter(|open| told || open.due(now) || moved == Some(open.node.as_str()));
            due.extend(open.map(|open| (open.read_at, number, open.node.clone())));
        }
        due.sort_unstable();
        due.truncate(LOOKS_MAX);
        due.into_iter().map(|(_, number, node)| (number, node)).collect()
    }
}
