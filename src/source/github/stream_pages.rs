//! Reading releases and tags: a look at the newest ones of many repositories, pages of those that changed, and
//! releases that are waited for.

use std::collections::BTreeMap;

use crate::http::Failure;
use crate::model::batch::Batch;
use crate::model::fact::{Attempt, Fact};
use crate::model::time::{Span, Timestamp};
use crate::source::{PollError, Sink};

use super::operations::{self, PageOf, RELEASE_IDS_MAX, STREAM_IDS_MAX};
use super::passes::{Pass, Phase, Turn};
use super::progress::Pending;
use super::releases::{self, Read};
use super::reply::{Trouble, malformed};
use super::state::State;
use super::streams::List;
use super::trouble::HEAVY_MAX;
use super::wire::{ListsWire, Page, ReleaseWire, TagWire, TagsWire};
use super::{Github, Problems, cover, ends_the_poll, tags};

/// Pages of one repository in one poll; what is left is read in the next one.
const ROUNDS_MAX: u32 = 500;
/// First pages of a first read: so many items of so many repositories in one request.
const FIRST_READ: (u64, usize) = (50, 5);
/// First pages of news.
const NEWS: (u64, usize) = (10, 10);
/// Drafts and the like of one repository that are waited for; one has few.
const WAITING_MAX: usize = 20;
/// They are read again so often: a draft is published by a person, who will wait that long to see it counted.
const WAITING_EVERY: Span = Span::from_minutes(10);

/// What to ask of one repository.
#[derive(Debug, Clone)]
struct Ask {
    number: u64,
    node: String,
    lane: usize,
    phase: Phase,
    pass: Pass,
    complete: bool,
    alone: bool,
}

impl Ask {
    /// Items in its page, and how many repositories may share the request.
    fn size(&self) -> (u64, usize) {
        match (&self.pass.after, self.complete) {
            (Some(_), _) => (operations::PAGE_MAX, 1),
            (None, complete) => {
                let (first, repositories) = if complete { NEWS } else { FIRST_READ };
                (first, if self.alone { 1 } else { repositories })
            }
        }
    }
}

/// A page as its items were read.
#[derive(Debug, Default)]
struct Items {
    times: Vec<Timestamp>,
    read: Vec<Read>,
    unread: u64,
    has_next: bool,
    end: Option<String>,
}

fn releases_seen(page: Option<&Page<ReleaseWire>>) -> String {
    let nodes = page.map(|page| page.nodes.as_slice()).unwrap_or_default();
    let each = nodes.iter().map(|release| {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        format!("{}@{}", text(&release.id), text(&release.updated_at))
    });
    format!("- {}", each.collect::<Vec<_>>().join(","))
}

fn tags_seen(tags: Option<&TagsWire>) -> String {
    let nodes = tags.map(|tags| tags.page.nodes.as_slice()).unwrap_or_default();
    let each = nodes.iter().map(|tag| {
        let oid = tag.target.as_ref().and_then(|target| target.oid.clone());
        format!("{}@{}", tag.name.clone().unwrap_or_default(), oid.unwrap_or_default())
    });
    let count = tags.and_then(|tags| tags.total_count).unwrap_or_default();
    format!("{count} {}", each.collect::<Vec<_>>().join(","))
}

impl Github {
    /// Looks at the newest releases and tags.
    pub(super) async fn probe_lists(
        &mut self,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        // What has been shown in this poll already need not be looked at twice.
        let unseen = |list: List| {
            let mut selected = self.selected(list.stream(), now);
            selected.retain(|number| {
                let tracked = self.repositories.get(number);
                tracked
                    .and_then(|tracked| tracked.state.streams.list(list))
                    .is_some_and(|one| one.shown.is_none())
            });
            selected
        };
        let (releases, tags) = (unseen(List::Releases), unseen(List::Tags));
        let both: Vec<u64> = releases.iter().copied().filter(|number| tags.contains(number)).collect();
        let only = |numbers: &[u64]| -> Vec<u64> {
            numbers.iter().copied().filter(|number| !both.contains(number)).collect()
        };
        let all: Vec<u64> =
            only(&releases).into_iter().chain(only(&tags)).chain(both.iter().copied()).collect();
        // What fits one request is one, although it shows some of them more than they want.
        let groups = if all.len() <= STREAM_IDS_MAX {
            vec![(all, !releases.is_empty(), !tags.is_empty())]
        } else {
            vec![(only(&releases), true, false), (only(&tags), false, true), (both.clone(), true, true)]
        };
        for (numbers, releases, tags) in groups {
            let wanted = numbers
                .into_iter()
                .filter_map(|number| Some((number, self.repositories.get(&number)?.state.node.clone())));
            let wanted: Vec<(u64, String)> = wanted.collect();
            let build = |ids: &[String]| operations::stream_probe(ids, releases, tags);
            for (number, (_, node)) in
                self.nodes_of::<ListsWire>(wanted, STREAM_IDS_MAX, build, problems).await?
            {
                match node {
                    Ok(Some(wire)) => self.show_lists(number, &wire, releases, tags),
                    Ok(None) => {}
                    Err(trouble) => problems.keep(trouble)?,
                }
            }
        }
        Ok(())
    }

    fn show_lists(&mut self, number: u64, wire: &ListsWire, releases: bool, tags: bool) {
        let Some(tracked) = self.repositories.get_mut(&number) else {
            return;
        };
        let cursors = &mut tracked.state.streams;
        if let Some(cursor) = cursors.releases.as_mut().filter(|_| releases) {
            cursor.shown = Some(releases_seen(wire.releases.as_ref()));
        }
        if let Some(cursor) = cursors.tags.as_mut().filter(|_| tags) {
            cursor.shown = Some(tags_seen(wire.refs.as_ref()));
        }
    }

    /// Reads what changed of a list, page after page.
    pub(super) async fn read_list(
        &mut self,
        list: List,
        sink: &Sink,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        for _ in 0..ROUNDS_MAX {
            let asks = self.list_asks(list, now);
            if asks.is_empty() {
                return Ok(());
            }
            for group in asks {
                self.read_list_group(list, &group, sink, now, problems).await?;
            }
        }
        tracing::warn!(rounds = ROUNDS_MAX, ?list, "there is more to read than one poll reads");
        Ok(())
    }

    /// What to ask next, in as few requests as possible.
    fn list_asks(&self, list: List, now: Timestamp) -> Vec<Vec<Ask>> {
        let mut groups: BTreeMap<(usize, u64, usize), Vec<Ask>> = BTreeMap::new();
        for number in self.readable() {
            let Some(state) = self.repositories.get(&number).map(|tracked| &tracked.state) else {
                continue;
            };
            let Some(cursor) = state.streams.list(list) else {
                continue;
            };
            if let Some((phase, pass)) = cursor.due(list, state.horizon(), now) {
                let (complete, alone, lane) = (cursor.walk.complete, cursor.alone, self.lane_of(number));
                let ask = Ask { number, node: state.node.clone(), lane, phase, pass, complete, alone };
                let (first, at_once) = ask.size();
                groups.entry((lane, first, at_once)).or_default().push(ask);
            }
        }
        groups
            .into_iter()
            .flat_map(|((_, _, at_once), asks)| asks.chunks(at_once).map(<[Ask]>::to_vec).collect::<Vec<_>>())
            .collect()
    }

    async fn read_list_group(
        &mut self,
        list: List,
        group: &[Ask],
        sink: &Sink,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let Some(first) = group.first() else {
            return Ok(());
        };
        let ids: Vec<String> = group.iter().map(|ask| ask.node.clone()).collect();
        let page = PageOf { first: first.size().0, after: first.pass.after.clone() };
        let build = |halvings| match list {
            List::Releases => operations::release_pages(&ids, &page, halvings),
            List::Tags => operations::tag_pages(&ids, &page, halvings),
        };
        let reply = match self.lanes.client(first.lane).clone().ask(build).await {
            Ok(reply) => reply,
            Err(trouble) => return self.give_up_list(list, group, &trouble, problems),
        };
        let read_at = reply.read_at;
        for (ask, (_, node)) in group.iter().zip(reply.nodes::<ListsWire>(&ids)) {
            match node {
                Ok(Some(wire)) => {
                    let items = self.items(list, ask.number, wire, read_at);
                    self.store_list(list, ask, items, sink, now, problems).await?;
                }
                Ok(None) => self.fail_list(list, ask.number),
                Err(trouble) => self.give_up_list(list, std::slice::from_ref(ask), &trouble, problems)?,
            }
        }
        Ok(())
    }

    /// What cannot be read is left for the next poll; what was too heavy in company is asked for alone.
    fn give_up_list(
        &mut self,
        list: List,
        group: &[Ask],
        trouble: &Trouble,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let heavy = matches!(trouble, Trouble::TooHeavy(_));
        if heavy {
            self.heavy_in_a_row += 1;
        }
        let failure = trouble.clone().failure();
        let ends = ends_the_poll(failure.reason) && *trouble != Trouble::StaleCursor;
        if ends && (!heavy || self.heavy_in_a_row > HEAVY_MAX) {
            let numbers: Vec<u64> = group.iter().map(|ask| ask.number).collect();
            return self.lose_lane_of(&numbers, failure, problems);
        }
        for ask in group {
            let Some(tracked) = self.repositories.get_mut(&ask.number) else {
                continue;
            };
            let Some(cursor) = tracked.state.streams.list_mut(list) else {
                continue;
            };
            if heavy && group.len() > 1 {
                cursor.alone = true;
                continue;
            }
            cursor.failed = true;
            if *trouble == Trouble::StaleCursor {
                cursor.walk.restart();
                tracked.dirty = true;
                continue;
            }
            let what = format!("{}: {}", tracked.state.name, failure.what);
            problems.push(Failure { what, ..failure.clone() });
        }
        Ok(())
    }

    fn fail_list(&mut self, list: List, number: u64) {
        let tracked = self.repositories.get_mut(&number);
        if let Some(cursor) = tracked.and_then(|tracked| tracked.state.streams.list_mut(list)) {
            cursor.failed = true;
        }
    }

    fn items(&self, list: List, number: u64, wire: ListsWire, read_at: Timestamp) -> Items {
        let id = self.id(number);
        let ListsWire { releases, refs } = wire;
        match list {
            List::Releases => {
                let page: Page<ReleaseWire> = releases.unwrap_or_default();
                let times = page.nodes.iter().filter_map(releases::created_at).collect();
                let read = page.nodes.into_iter().map(|wire| releases::release(wire, &id, read_at));
                let read = read.collect();
                Items { times, read, unread: page.malformed, has_next: page.has_next, end: page.end }
            }
            List::Tags => {
                let page: Page<TagWire> = refs.unwrap_or_default().page;
                let times = page.nodes.iter().filter_map(tags::committed_at).collect();
                let read = page.nodes.into_iter().map(|wire| tags::tag(wire, &id, read_at)).collect();
                Items { times, read, unread: page.malformed, has_next: page.has_next, end: page.end }
            }
        }
    }

    async fn store_list(
        &mut self,
        list: List,
        ask: &Ask,
        items: Items,
        sink: &Sink,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let Items { times, read, mut unread, has_next, end } = items;
        let number = ask.number;
        let Some(mut state) = self.repositories.get(&number).map(|tracked| tracked.state.clone()) else {
            return Ok(());
        };
        let mut batch = Batch::default();
        let mut candidates = Vec::new();
        for read in read {
            unread += u64::from(!keep(read, list, &mut state, &mut batch, &mut candidates));
        }
        self.client().count_malformed(unread, "releases or tags");
        let mut advanced = Ok(());
        if let Some(cursor) = state.streams.list_mut(list) {
            batch.contact = cursor.walk.contact(ask.phase);
            if cursor.sweep_is_due(now) {
                cursor.swept_at = Some(now.millis());
            }
            let turn = Turn { times: &times, has_next, end: end.as_deref() };
            advanced = cursor.walk.advance(ask.phase, ask.pass.clone(), turn);
            cursor.failed = advanced.is_err();
        }
        cover(&mut state, &self.id(number), &mut batch);
        let name = state.name.clone();
        self.store(number, state, batch, candidates, sink).await?;
        if advanced.is_err() {
            self.client().count_malformed(1, "lists without an end");
            problems.push(malformed(&format!("{name}: the list of {list:?} does not end")));
        }
        Ok(())
    }

    /// Reads releases again that were drafts, or had no commit yet.
    pub(super) async fn read_waiting(
        &mut self,
        sink: &Sink,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let mut due: Vec<(u64, String)> = Vec::new();
        for number in self.selected(List::Releases.stream(), now) {
            let told = self.is_told();
            let tracked = self.repositories.get_mut(&number);
            let Some(cursor) = tracked.and_then(|tracked| tracked.state.streams.releases.as_mut()) else {
                continue;
            };
            let late = cursor.waited_at.is_none_or(|at| now.since(at) >= WAITING_EVERY);
            if late || told {
                cursor.waited_at = Some(now);
                due.extend(cursor.waiting.iter().map(|node| (number, node.clone())));
            }
        }
        let build = operations::releases_by_id;
        let nodes = self.nodes_of::<ReleaseWire>(due, RELEASE_IDS_MAX, build, problems).await?;
        let read_at = self.now();
        let mut looked: BTreeMap<u64, Vec<(String, Option<ReleaseWire>)>> = BTreeMap::new();
        for (number, (id, node)) in nodes {
            match node {
                Ok(wire) => looked.entry(number).or_default().push((id, wire)),
                Err(trouble) => problems.keep(trouble)?,
            }
        }
        for (number, looks) in looked {
            self.store_waiting(number, looks, read_at, sink).await?;
        }
        Ok(())
    }

    async fn store_waiting(
        &mut self,
        number: u64,
        looks: Vec<(String, Option<ReleaseWire>)>,
        read_at: Timestamp,
        sink: &Sink,
    ) -> Result<(), PollError> {
        let Some(mut state) = self.repositories.get(&number).map(|tracked| tracked.state.clone()) else {
            return Ok(());
        };
        let before = state.cursor(number);
        let id = self.id(number);
        let mut batch = Batch::default();
        let mut candidates = Vec::new();
        for (node, wire) in looks {
            // One that was deleted, or cannot be read, is waited for no more.
            if let Some(cursor) = state.streams.releases.as_mut() {
                cursor.waiting.retain(|waiting| *waiting != node);
            }
            let read = wire.map_or(Read::Nothing, |wire| releases::release(wire, &id, read_at));
            if !keep(read, List::Releases, &mut state, &mut batch, &mut candidates) {
                self.client().count_malformed(1, "releases");
            }
        }
        if batch == Batch::default() && state.cursor(number) == before {
            return Ok(());
        }
        self.store(number, state, batch, candidates, sink).await
    }
}

/// Takes an item into the batch and the cursor; `false` if it could not be read.
fn keep(read: Read, list: List, state: &mut State, batch: &mut Batch, candidates: &mut Vec<Pending>) -> bool {
    let horizon = state.horizon();
    match read {
        Read::Attempt(attempt, commit) => {
            if finished_at(&attempt) >= horizon {
                candidates.extend(commit.filter(|(_, at)| *at >= horizon).map(|(pending, _)| pending));
                batch.facts.push(Fact::Attempt(*attempt));
            }
        }
        Read::Waiting(node) => {
            if let Some(cursor) = state.streams.list_mut(list)
                && !cursor.waiting.contains(&node)
                && cursor.waiting.len() < WAITING_MAX
            {
                cursor.waiting.push(node);
            }
        }
        Read::Nothing => {}
        Read::Malformed => return false,
    }
    true
}

fn finished_at(attempt: &Attempt) -> Timestamp {
    attempt.finished.map_or(attempt.created_at, |(_, at)| at)
}
