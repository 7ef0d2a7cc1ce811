//! Looking again at deployments without an end: no list shows that their statuses changed.

use std::collections::BTreeMap;

use crate::model::batch::Batch;
use crate::model::fact::Fact;
use crate::model::time::Timestamp;
use crate::source::{PollError, Sink};

use super::deployments::{Deployed, deployed};
use super::fetch::ended;
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
        let (numbers, ids): (Vec<u64>, Vec<String>) = due.into_iter().unzip();
        let (nodes, read_at) = self.deployments_by_id(&ids).await.map_err(ended)?;
        let mut looked: BTreeMap<u64, Vec<(String, Option<DeploymentWire>)>> = BTreeMap::new();
        for (number, (id, node)) in numbers.into_iter().zip(nodes) {
            match node {
                Ok(wire) => looked.entry(number).or_default().push((id, wire)),
                Err(trouble) => problems.keep(trouble)?,
            }
        }
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
                        tracked.seen.as_ref().map(|seen| seen.deployments.clone());
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
        for (number, tracked) in &mut self.repositories {
            if !tracked.is_active() || tracked.failed || !tracked.state.deployments.complete {
                continue;
            }
            let count = tracked.state.open.len();
            tracked.state.open.retain(|open| !open.expired(now));
            tracked.dirty |= tracked.state.open.len() != count;
            let moved = tracked.moved();
            let open =
                tracked.state.open.iter().filter(|open| open.due(now) || moved == Some(open.node.as_str()));
            due.extend(open.map(|open| (open.read_at, *number, open.node.clone())));
        }
        due.sort_unstable();
        due.truncate(LOOKS_MAX);
        due.into_iter().map(|(_, number, node)| (number, node)).collect()
    }
}
