//! What changed: a cheap look at the newest item of every stream, many repositories at once.

use crate::model::dirty::Stream;
use crate::model::time::Timestamp;
use crate::source::PollError;

use super::discover::found;
use super::operations::{self, PROBE_IDS_MAX};
use super::reply::Trouble;
use super::schedule::{Candidate, Tier, due};
use super::state::StoredReach;
use super::wire::{NewestWire, Page, RepositoryWire};
use super::{Github, Problems};

/// A repository that is not there so often in a row is inaccessible: once may be a hiccup.
const MISSES_MAX: u32 = 2;

/// The newest items of a repository's streams, as text that is compared: empty if there are none, `None` if they are not
/// for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) pulls: Option<String>,
    pub(super) deployments: Option<String>,
    pub(super) issues: Option<String>,
    /// The newest commit of the default branch.
    pub(super) head: Option<String>,
    /// Whether commits are not for us: then nobody knows of a branch either.
    pub(super) head_hidden: bool,
}

impl Seen {
    /// Whether this stream was to be seen.
    pub(super) const fn shows(&self, stream: Stream) -> bool {
        match stream {
            Stream::Changes => self.pulls.is_some(),
            Stream::Deployments => self.deployments.is_some(),
            Stream::Issues => self.issues.is_some(),
            // Releases and tags take the same permission as commits.
            Stream::Commits | Stream::Releases | Stream::Tags => !self.head_hidden,
            Stream::Repository | Stream::Runs | Stream::Run(_) | Stream::Teams => true,
        }
    }
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

/// When something last happened in any of its streams.
fn moved_at(wire: &RepositoryWire) -> Option<Timestamp> {
    let pages = [&wire.pull_requests, &wire.deployments, &wire.issues];
    let newest = pages.into_iter().filter_map(|page| page.as_ref()?.nodes.first()?.updated_at.as_deref());
    newest.filter_map(Timestamp::parse).max()
}

impl Github {
    /// Looks at the repositories whose turn it is, and at those that were not there if `all`.
    pub(super) async fn probe(
        &mut self,
        all: bool,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let mut wanted = self.whose_turn(all, now);
        // Each time round another stream is known not to be for us; there are few.
        while !wanted.is_empty() {
            let mut again = Vec::new();
            for (streams, wanted) in self.by_streams(wanted) {
                again.extend(self.look_at(wanted, &streams, now, problems).await?);
            }
            wanted = again;
        }
        Ok(())
    }

    /// Looks at these streams of repositories; those of which one is not for us are to be looked at again without it.
    async fn look_at(
        &mut self,
        wanted: Vec<(u64, String)>,
        streams: &[Stream],
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<Vec<(u64, String)>, PollError> {
        let build = |ids: &[String]| operations::probe(ids, streams);
        let nodes = self.nodes_of::<RepositoryWire>(wanted, PROBE_IDS_MAX, build, problems).await?;
        let read_at = self.now();
        let mut again = Vec::new();
        for (number, (id, node)) in nodes {
            if let Some(tracked) = self.repositories.get_mut(&number) {
                tracked.look.at = Some(now);
            }
            match node {
                Ok(Some(wire)) => self.looked(number, &wire, read_at),
                Ok(None) => self.miss(number),
                Err(Trouble::Denied(Stream::Repository, failure)) => self.bar(number, failure, problems),
                Err(Trouble::Denied(stream, _)) if self.deny(number, stream) => again.push((number, id)),
                Err(trouble) => problems.keep(trouble)?,
            }
        }
        Ok(again)
    }

    fn looked(&mut self, number: u64, wire: &RepositoryWire, read_at: Timestamp) {
        let Some(mut found) = found(wire).filter(|found| found.number == number) else {
            self.client().count_malformed(1, "probes");
            return;
        };
        let denied = self.repositories.get(&number).map(|tracked| &tracked.look.denied);
        let shown = |stream, page: Option<&Page<NewestWire>>| {
            let denied = denied.is_some_and(|denied| denied.contains(&stream));
            (!denied).then(|| newest(page))
        };
        let seen = Seen {
            pulls: shown(Stream::Changes, wire.pull_requests.as_ref()),
            deployments: shown(Stream::Deployments, wire.deployments.as_ref()),
            issues: shown(Stream::Issues, wire.issues.as_ref()),
            head: found.head.clone(),
            head_hidden: denied.is_some_and(|denied| denied.contains(&Stream::Commits)),
        };
        if seen.head_hidden {
            found.hide_branch();
        }
        self.note(found, read_at);
        if let Some(tracked) = self.repositories.get_mut(&number) {
            let look = &mut tracked.look;
            look.newest = look.newest.max(moved_at(wire));
            (look.seen, look.missed) = (Some(seen), 0);
        }
    }

    /// Those to look at, as many as the budget of their lane allows.
    fn whose_turn(&self, all: bool, now: Timestamp) -> Vec<(u64, String)> {
        let mut lanes: Vec<Vec<Candidate>> = vec![Vec::new(); self.lanes.count()];
        for (number, tracked) in &self.repositories {
            let absent = !tracked.is_active() && !tracked.state.left_out;
            let named = self.only.as_ref().map(|only| only.contains(number));
            let barred = tracked.look.denied.contains(&Stream::Repository);
            if named == Some(false) || barred || !(tracked.is_active() || (all && absent)) {
                continue;
            }
            let lane = self.lanes.of(&tracked.state.name);
            let at_once = named == Some(true) || absent;
            let tier = if at_once { Tier::Active } else { tracked.tier(now) };
            if let Some(lane) = lanes.get_mut(lane) {
                lane.push(Candidate { number: *number, tier, looked_at: tracked.look.at });
            }
        }
        let mut turn = Vec::new();
        for (lane, candidates) in lanes.into_iter().enumerate() {
            if self.lanes.is_lost(lane) {
                continue;
            }
            // A probe costs a point. If not even one is allowed, that is told when it is asked for.
            let points = self.lanes.client(lane).allowance(self.config.poll_interval);
            let requests = points.map_or(usize::MAX, |points| usize::try_from(points).unwrap_or(usize::MAX));
            let allowed = requests.max(1).saturating_mul(PROBE_IDS_MAX);
            turn.extend(due(&candidates, now, PROBE_IDS_MAX, allowed));
        }
        turn.sort_unstable();
        turn.into_iter()
            .filter_map(|number| Some((number, self.repositories.get(&number)?.state.node.clone())))
            .collect()
    }

    fn miss(&mut self, number: u64) {
        let Some(tracked) = self.repositories.get_mut(&number) else {
            return;
        };
        tracked.look.missed += 1;
        tracked.look.seen = None;
        if tracked.look.missed >= MISSES_MAX && tracked.state.reach != StoredReach::Inaccessible {
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
