//! Reading what changed: pages of several repositories in one request, further pages one repository at a time with
//! all its unfinished streams side by side. While some pages are stored the next ones are on their way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::http::Priority;
use crate::model::time::Timestamp;
use crate::source::{PollError, Sink};

use super::ask::{Ask, skip_empty};
use super::passes::Phase;
use super::reader::{GroupRead, Reader};
use super::{Github, Problems};

/// Questions of one poll and phase; what is left is read in the next one.
const QUESTIONS_MAX: u64 = 20_000;
/// Questions whose pages are in memory together, so that one question about their commits does for all.
const TOGETHER: usize = 12;
/// Questions that are under way or wait for their turn: there are always some while others are stored.
const AHEAD: usize = 6;

type Reading = FuturesUnordered<BoxFuture<'static, GroupRead>>;

/// What is under way.
#[derive(Debug, Default)]
struct Flow {
    reading: Reading,
    read: Vec<GroupRead>,
    /// Repositories of which pages are under way or not stored yet.
    busy: BTreeSet<u64>,
    asked: u64,
    /// Whether there may be more to ask than is under way.
    more: bool,
    /// Nothing more is asked.
    over: bool,
    ended: Option<PollError>,
}

impl Flow {
    fn has_room(&self) -> bool {
        self.more && !self.over && self.reading.len() <= AHEAD / 2
    }
}

impl Github {
    /// Reads all streams that changed, or that have a past which has not been read, page after page. History is read
    /// until `until`, which is when the next poll is due.
    pub(super) async fn fetch(
        &mut self,
        phase: Phase,
        until: Option<Timestamp>,
        sink: &Sink,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let mut flow = Flow { more: true, ..Flow::default() };
        loop {
            flow.over |= until.is_some_and(|until| self.now() >= until);
            if flow.has_room() {
                self.ask_ahead(phase, &mut flow);
            }
            if flow.read.len() < TOGETHER
                && let Some(group) = flow.reading.next().await
            {
                flow.read.push(group);
                continue;
            }
            if flow.read.is_empty() {
                return flow.ended.map_or(Ok(()), Err);
            }
            let mut batch = std::mem::take(&mut flow.read);
            batch.sort_by_key(|group| group.place);
            let done: Vec<u64> = batch.iter().flat_map(|group| &group.group).map(|ask| ask.number).collect();
            let taken = Box::pin(self.take_in(batch, sink, problems));
            match alongside(taken, &mut flow.reading, &mut flow.read).await {
                Ok(()) => {}
                Err(PollError::NotStored) => return Err(PollError::NotStored),
                Err(error) => {
                    flow.over = true;
                    flow.ended.get_or_insert(error);
                }
            }
            for number in done {
                flow.busy.remove(&number);
            }
            flow.more = true;
        }
    }

    /// Asks for as much as there is room for.
    fn ask_ahead(&mut self, phase: Phase, flow: &mut Flow) {
        let room = AHEAD.saturating_sub(flow.reading.len());
        let groups = self.groups(phase, &flow.busy, room);
        flow.more = groups.len() >= room;
        for (lane, group) in groups {
            if flow.asked >= QUESTIONS_MAX {
                tracing::warn!(questions = QUESTIONS_MAX, "there is more to read than one poll reads");
                flow.over = true;
                return;
            }
            let priority = match phase {
                Phase::News => Priority::Live,
                Phase::History => Priority::Backfill,
            };
            let client = self.lanes.client(lane).clone();
            let reader = Reader { client, config: Arc::clone(&self.config), priority };
            flow.busy.extend(group.iter().map(|ask| ask.number));
            flow.reading.push(Box::pin(reader.read(flow.asked, group)));
            flow.asked += 1;
        }
    }

    /// What to ask next, in as few requests as possible, with their lanes: at most so many. The repository whose
    /// history has been read least far comes first, so that recent times are complete everywhere before older ones are
    /// anywhere.
    fn groups(&mut self, phase: Phase, busy: &BTreeSet<u64>, room: usize) -> Vec<(usize, Vec<Ask>)> {
        let issues = self.config.incidents.is_some();
        let mut asks = Vec::new();
        for number in self.readable() {
            let Some(tracked) = self.repositories.get_mut(&number).filter(|_| !busy.contains(&number)) else {
                continue;
            };
            let lane = self.lanes.of(&tracked.state.name);
            if phase == Phase::History && self.lanes.is_held(lane) {
                continue;
            }
            skip_empty(tracked);
            if let Some(ask) = Ask::of(number, tracked, issues, phase) {
                asks.push((tracked.state.reached(), ask.key(lane), lane, ask));
            }
        }
        // Nothing at all having been read counts as the newest.
        asks.sort_by_key(|(reached, _, _, ask)| (reached.is_some(), Reverse(*reached), ask.number));
        let mut groups: Vec<(usize, Vec<Ask>)> = Vec::new();
        let mut open: BTreeMap<String, usize> = BTreeMap::new();
        for (_, key, lane, ask) in asks {
            let joined = open.get(&key).and_then(|place| groups.get_mut(*place));
            if let Some((_, group)) = joined.filter(|(_, group)| group.len() < ask.sizes.repositories) {
                group.push(ask);
            } else if groups.len() < room {
                open.insert(key, groups.len());
                groups.push((lane, vec![ask]));
            }
        }
        groups
    }

    /// Takes in what several questions brought; if one of them ends the poll, the others are stored nevertheless.
    async fn take_in(
        &mut self,
        batch: Vec<GroupRead>,
        sink: &Sink,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let mut parts = Vec::new();
        let mut ended = Ok(());
        for GroupRead { place: _, group, outcome, read_at } in batch {
            let nodes = match outcome {
                Ok(nodes) => nodes,
                Err(trouble) => {
                    ended = ended.and(self.give_up(&group, trouble, sink, problems).await);
                    continue;
                }
            };
            self.heavy_in_a_row = 0;
            for (ask, node) in group.into_iter().zip(nodes) {
                match node {
                    Ok(Some(wire)) => {
                        self.tell_of_files(ask.number, &wire, problems);
                        parts.push(self.part(ask, wire, read_at));
                    }
                    Ok(None) => self.set_aside(ask.number),
                    Err(trouble) => {
                        let group = std::slice::from_ref(&ask);
                        ended = ended.and(self.give_up(group, trouble, sink, problems).await);
                    }
                }
            }
        }
        self.store_parts(parts, sink, problems).await?;
        ended
    }

    /// The rest of a repository waits for the next poll.
    pub(super) fn set_aside(&mut self, number: u64) {
        if let Some(tracked) = self.repositories.get_mut(&number) {
            tracked.failed = true;
        }
    }
}

/// Does one thing while questions stay under way: whoever holds a place among them must not wait for us.
async fn alongside<T>(work: impl Future<Output = T>, reading: &mut Reading, read: &mut Vec<GroupRead>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(group) = reading.next(), if !reading.is_empty() => read.push(group),
        }
    }
}
