//! Which workflows of a repository the rules mean, and how far the runs of each have been read.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::settings::RunRule;
use crate::model::time::{Span, Timestamp};

use super::open::Open;
use super::run_windows::{self, Window};
use super::runs::WorkflowWire;
use super::wire::{NewestRunWire, Page};

/// Runs are found by when they were created; GitHub's lists lag, and clocks differ.
const OVERLAP: Span = Span::from_hours(1);
/// So far ahead of our clock GitHub's may be.
const AHEAD: Span = Span::from_minutes(10);
/// A run can be run again for 30 days, keeps the time it was created, and takes up to five more days to wait …
const LOOKED_BACK: Span = Span::from_days(35);
/// … so all runs of that time are looked at again so often.
const LOOK_AGAIN_EVERY: Span = Span::from_hours(24);
/// Runs without an end that are watched, of one workflow; older ones are found by the daily look.
const OPEN_MAX: usize = 200;
/// Runs with several attempts of which it is known which were read; the oldest are read again.
const RERUNS_MAX: usize = 1_000;
/// Workflows that are named when one is missing.
const NAMED_MAX: usize = 10;

/// How far the runs of a workflow have been read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Workflow {
    /// GitHub's number of it.
    pub(super) number: u64,
    /// GitHub's id of it for `nodes`.
    pub(super) node: String,
    /// Its file without the folder.
    pub(super) file: String,
    pub(super) name: String,
    /// Only runs on this branch are asked for, and only those by this event.
    pub(super) branch: Option<String>,
    pub(super) event: Option<String>,
    /// The newest runs that the probe showed when what is read now, or was read last, was begun.
    seen: Option<Vec<Shown>>,
    /// What is still to be read, as a stack.
    pub(super) windows: Vec<Window>,
    /// Whether the first read is done.
    pub(super) complete: bool,
    /// Runs created until then have been read, or are in `windows`.
    read_to: Option<i64>,
    looked_at: Option<i64>,
    /// Runs whose end is still to come.
    pub(super) open: Vec<Open>,
    /// Runs with several attempts: up to which one they have been read to their ends.
    reruns: BTreeMap<u64, u32>,
    /// What the probe of this poll showed.
    #[serde(skip)]
    pub(super) shown: Option<Vec<Shown>>,
    /// Something failed in this poll: the workflow waits for the next one.
    #[serde(skip)]
    pub(super) failed: bool,
}

/// A run as the probe shows it, by its id for `nodes`: runs' numbers outgrew GraphQL's integers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    id: String,
    event: String,
    created_at: i64,
    updated_at: String,
}

/// Reads what a probe shows.
pub(super) fn shown(page: Page<NewestRunWire>) -> Vec<Shown> {
    let run = |wire: NewestRunWire| {
        let NewestRunWire { id, event, created_at, updated_at } = wire;
        Some(Shown {
            id: id?,
            event: event.unwrap_or_default(),
            created_at: Timestamp::parse(&created_at?)?.millis(),
            updated_at: updated_at.unwrap_or_default(),
        })
    };
    page.nodes.into_iter().filter_map(run).collect()
}

impl Workflow {
    /// Begins to read what is to be read, if nothing is under way. Whether anything is.
    pub(super) fn begin(&mut self, horizon: Timestamp, now: Timestamp) -> bool {
        let Some(shown) = self.shown.clone().filter(|_| !self.failed) else {
            return false;
        };
        if !self.windows.is_empty() {
            return true;
        }
        let to = now.plus(AHEAD);
        let look = self.looked_at.is_none_or(|at| now.since(Timestamp::from_millis(at)) >= LOOK_AGAIN_EVERY);
        if self.complete {
            let from = if look { Some(now.minus(LOOKED_BACK)) } else { self.news_since(&shown) };
            self.windows.extend(from.map(|from| Window::between(from.max(horizon), to)));
        } else {
            self.windows = run_windows::first_read(horizon, to);
        }
        if look {
            self.looked_at = Some(now.millis());
        }
        if !self.windows.is_empty() {
            self.read_to = Some(now.millis());
        }
        self.seen = Some(shown);
        !self.windows.is_empty()
    }

    /// Since when runs are to be listed, if what the probe shows is news. If it shows a run that it showed before, it
    /// shows all that came since then; what it shows to have changed is in the list even if it is older.
    fn news_since(&self, shown: &[Shown]) -> Option<Timestamp> {
        let seen = self.seen.as_deref().unwrap_or_default();
        let known = shown.iter().any(|run| seen.iter().any(|seen| seen.id == run.id)) || seen.is_empty();
        let meant = |run: &Shown| self.event.as_ref().is_none_or(|event| *event == run.event);
        let moved: Vec<&Shown> = shown.iter().filter(|run| !seen.contains(run)).collect();
        let oldest = moved.iter().filter(|run| meant(run)).map(|run| run.created_at).min();
        if moved.is_empty() || (known && oldest.is_none()) {
            return None;
        }
        let since = Timestamp::from_millis(self.read_to.unwrap_or_default()).minus(OVERLAP);
        Some(oldest.map_or(since, |oldest| since.min(Timestamp::from_millis(oldest))))
    }

    /// The last window has been read.
    pub(super) fn done(&mut self) {
        self.complete = true;
    }

    /// Begins again: the history goes further back now.
    pub(super) fn deepen(&mut self) {
        self.complete = false;
        self.windows.clear();
    }

    /// The earlier attempts of a run that have not been read to their ends.
    pub(super) fn earlier(&self, run: u64, attempt: u32) -> std::ops::Range<u32> {
        self.reruns.get(&run).copied().unwrap_or_default() + 1..attempt
    }

    /// The attempts of a run before this one have been read.
    pub(super) fn read_before(&mut self, run: u64, attempt: u32) {
        if attempt > 1 {
            self.reruns.insert(run, attempt - 1);
        }
        while self.reruns.len() > RERUNS_MAX {
            self.reruns.pop_first();
        }
    }

    /// Remembers that a run is to be read again, or that it need not be.
    pub(super) fn watch(&mut self, run: u64, since: Option<Timestamp>, read_at: Timestamp) {
        let node = run.to_string();
        self.open.retain(|open| open.node != node);
        let open =
            since.map(|since| Open { node, since: since.millis(), failed: false, read_at: Some(read_at) });
        self.open.extend(open.filter(|open| !open.expired(read_at)));
        self.open.sort_by_key(|open| open.since);
        let surplus = self.open.len().saturating_sub(OPEN_MAX);
        self.open.drain(..surplus);
    }
}

/// A workflow that GitHub lists: what the rules choose by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    number: u64,
    node: String,
    file: String,
    name: String,
}

/// Reads a workflow; `None` if it lacks what makes it one.
pub(super) fn listed(wire: WorkflowWire) -> Option<Listed> {
    let WorkflowWire { id, node_id, name, path } = wire;
    let path = path?;
    let file = path.rsplit('/').next().unwrap_or(&path).to_owned();
    Some(Listed { number: id?, node: node_id?, name: name.unwrap_or_else(|| file.clone()), file })
}

/// The workflows that the rules mean, each as far as it has been read before, and what the rules name in vain. Where
/// all rules for a workflow agree on a branch or an event, GitHub is asked for no other; where that is no longer so,
/// the runs are read anew.
pub(super) fn chosen(
    listed: &[Listed],
    rules: &[RunRule],
    known: &[Workflow],
) -> (Vec<Workflow>, Vec<String>) {
    let mut workflows = Vec::new();
    for listed in listed {
        let rules: Vec<&RunRule> =
            rules.iter().filter(|rule| rule.is_for(&listed.file, &listed.name)).collect();
        if rules.is_empty() {
            continue;
        }
        let agreed = |of: fn(&RunRule) -> &Option<String>| {
            let values: BTreeSet<&Option<String>> = rules.iter().map(|rule| of(rule)).collect();
            values.first().filter(|_| values.len() == 1).and_then(|value| (*value).clone())
        };
        let (branch, event) = (agreed(|rule| &rule.branch), agreed(|rule| &rule.event));
        let same = |known: &&Workflow| {
            known.number == listed.number && known.branch == branch && known.event == event
        };
        let Listed { number, node, file, name } = listed.clone();
        let known = known.iter().find(same).cloned().unwrap_or_default();
        workflows.push(Workflow { number, node, file, name, branch, event, ..known });
    }
    let missing = rules
        .iter()
        .filter(|rule| !listed.iter().any(|listed| rule.is_for(&listed.file, &listed.name)))
        .map(|rule| rule.workflow.clone())
        .collect::<BTreeSet<_>>();
    (workflows, missing.into_iter().collect())
}

/// What is said if workflows are named in vain.
pub(super) fn missing(repository: &str, missing: &[String], listed: &[Listed]) -> String {
    let mut files: Vec<&str> = listed.iter().map(|listed| listed.file.as_str()).collect();
    files.sort_unstable();
    let more = files.len().saturating_sub(NAMED_MAX);
    files.truncate(NAMED_MAX);
    let has = match (files.as_slice(), more) {
        ([], _) => "none".to_owned(),
        (files, 0) => files.join(", "),
        (files, more) => format!("{} and {more} more", files.join(", ")),
    };
    format!("no workflow {} in {repository}; it has {has}", missing.join(", "))
}

#[cfg(test)]
mod tests;
