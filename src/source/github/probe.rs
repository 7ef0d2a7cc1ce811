//! What changed: a cheap look at the newest item of every stream, many repositories at once.

use crate::source::PollError;

use super::discover::found;
use super::operations::{self, PROBE_IDS_MAX};
use super::state::StoredReach;
use super::wire::{NewestWire, Page, RepositoryWire};
use super::{Github, Problems};

/// A repository that is not there so often in a row is inaccessible: once may be a hiccup.
const MISSES_MAX: u32 = 2;

/// The newest items of a repository's streams, as text that is compared; empty if there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) pulls: String,
    pub(super) deployments: String,
    pub(super) issues: String,
    /// The newest commit of the default branch.
    pub(super) head: Option<String>,
}

/// The node's id of what a probe showed.
pub(super) fn node_of(seen: &str) -> &str {
    seen.split_once('@').map_or(seen, |(node, _)| node)
}

fn newest(page: Option<&Page<NewestWire>>) -> String {
    let newest = page.and_then(|page| page.nodes.first());
    newest.map_or_else(String::new, |NewestWire { id, updated_at }| {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        format!("{}@{}", text(id), text(updated_at))
    })
}

impl Github {
    /// Looks at all repositories that are read, and at those that were not there if `all`.
    pub(super) async fn probe(&mut self, all: bool, problems: &mut Problems) -> Result<(), PollError> {
        let (numbers, ids): (Vec<u64>, Vec<String>) = self
            .repositories
            .iter()
            .filter(|(_, tracked)| tracked.is_active() || (all && !tracked.state.left_out))
            .map(|(number, tracked)| (*number, tracked.state.node.clone()))
            .unzip();
        let issues = self.config.incidents.is_some();
        let asked = self
            .client
            .nodes::<RepositoryWire>(&ids, PROBE_IDS_MAX, |ids| operations::probe(ids, issues))
            .await;
        let (nodes, read_at) = asked.map_err(|trouble| PollError::Source(trouble.failure()))?;
        for (number, (_, node)) in numbers.into_iter().zip(nodes) {
            match node {
                Ok(Some(wire)) => match found(&wire).filter(|found| found.number == number) {
                    Some(found) => {
                        let seen = Seen {
                            pulls: newest(wire.pull_requests.as_ref()),
                            deployments: newest(wire.deployments.as_ref()),
                            issues: newest(wire.issues.as_ref()),
                            head: found.head.clone(),
                        };
                        self.missed.remove(&number);
                        self.note(found, read_at);
                        if let Some(tracked) = self.repositories.get_mut(&number) {
                            tracked.seen = Some(seen);
                        }
                    }
                    None => self.client.count_malformed(1, "probes"),
                },
                Ok(None) => self.miss(number),
                Err(trouble) => problems.keep(trouble)?,
            }
        }
        Ok(())
    }

    fn miss(&mut self, number: u64) {
        let misses = self.missed.entry(number).or_default();
        *misses += 1;
        if *misses >= MISSES_MAX
            && let Some(tracked) = self.repositories.get_mut(&number)
            && tracked.state.reach != StoredReach::Inaccessible
        {
            tracked.state.reach = StoredReach::Inaccessible;
            tracked.dirty = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_compared_as_text() {
        let page = |text| serde_json::from_str::<Page<NewestWire>>(text).unwrap();
        let one = page(r#"{"nodes":[{"id":"D_1","updatedAt":"2026-11-22T10:00:00Z"}]}"#);
        assert_eq!(newest(Some(&one)), "D_1@2026-11-22T10:00:00Z");
        assert_eq!(node_of(&newest(Some(&one))), "D_1");
        assert_eq!(newest(Some(&page(r#"{"nodes":[]}"#))), "");
        assert_eq!(newest(None), "");
        assert_eq!(newest(Some(&page(r#"{"nodes":[{"id":null}]}"#))), "@");
    }
}
