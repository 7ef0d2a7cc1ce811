//! Which workflows the repositories have that want runs, and a look at the newest runs of many of them at once; what
//! is wrong with the rules for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::http::{Failure, Reason};
use crate::model::dirty::Stream;
use crate::model::settings::RunRule;
use crate::model::time::{Span, Timestamp};
use crate::source::PollError;

use super::operations::{self, WORKFLOW_IDS_MAX};
use super::reply::Trouble;
use super::run_pages::keep;
use super::run_windows::PER_PAGE;
use super::runs::{self, WorkflowWire, WorkflowsWire};
use super::wire::WorkflowRunsWire;
use super::workflows::{self, Listed, Workflow};
use super::{Github, Problems};

/// Workflows are listed again so often: new ones are rare.
const LIST_EVERY: Span = Span::from_hours(24);
/// Sooner, if one that the rules name was not there. Where the token may not list them, with each discovery.
const LIST_AGAIN: Span = Span::from_hours(1);
/// Pages of 100 workflows of one repository.
const LIST_PAGES_MAX: u32 = 10;
/// Repositories that are named when none of them may be read.
const NAMED_MAX: usize = 5;

/// How far the runs of a repository have been read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RunsCursor {
    /// The rules by which the workflows were chosen, as text.
    rules: String,
    #[serde(skip)]
    wanted: Vec<RunRule>,
    listed_at: Option<i64>,
    /// What is wrong with the rules, told until the workflows are listed again.
    problem: Option<String>,
    /// Whether the token may not list workflows.
    refused: bool,
    pub(super) workflows: Vec<Workflow>,
    /// Commits that runs name and that are not stored: GitHub is still to be asked what they are.
    pub(super) nameless: Vec<String>,
}

impl RunsCursor {
    /// Takes in the rules; whether they changed.
    pub(super) fn follow(&mut self, wanted: &[RunRule]) -> bool {
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        let rules = format!("{wanted:?}");
        self.wanted = wanted;
        let changed = rules != self.rules;
        if changed {
            self.rules = rules;
            self.listed_at = None;
        }
        changed
    }

    /// Begins a poll.
    pub(super) fn begin(&mut self) {
        for workflow in &mut self.workflows {
            (workflow.shown, workflow.failed) = (None, false);
        }
    }

    /// Whether the first read is done.
    pub(super) fn complete(&self) -> bool {
        self.listed_at.is_some() && self.workflows.iter().all(|workflow| workflow.complete)
    }

    /// Begins again: the history goes further back now.
    pub(super) fn deepen(&mut self) {
        self.workflows.iter_mut().for_each(Workflow::deepen);
    }

    fn list_is_due(&self, now: Timestamp) -> bool {
        let every = if self.problem.is_some() { LIST_AGAIN } else { LIST_EVERY };
        self.refused || self.listed_at.is_none_or(|at| now.since(Timestamp::from_millis(at)) >= every)
    }
}

impl Github {
    pub(super) async fn list_workflows(
        &mut self,
        number: u64,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        if !self.runs(number).is_some_and(|runs| runs.list_is_due(now)) {
            return Ok(());
        }
        let path = self.rest_path(number, "actions/workflows");
        let mut listed: Vec<Listed> = Vec::new();
        for page in 1..=LIST_PAGES_MAX {
            let query = [("per_page", "100"), ("page", &page.to_string())];
            let wire = match self.client_of(number).get::<WorkflowsWire>(&path, &query).await {
                Ok((wire, _)) => wire,
                Err(failure) if matches!(failure.reason, Reason::Forbidden | Reason::NotFound) => {
                    self.refuse_runs(number);
                    return Ok(());
                }
                Err(failure) => return keep(failure, problems),
            };
            let WorkflowsWire { total_count: _, workflows: records } = wire;
            let (records, unread) = runs::each::<WorkflowWire>(records);
            let count = u64::try_from(records.len()).unwrap_or_default() + unread;
            let read: Vec<Listed> = records.into_iter().filter_map(workflows::listed).collect();
            self.client().count_malformed(count - u64::try_from(read.len()).unwrap_or_default(), "workflows");
            listed.extend(read);
            if count < PER_PAGE {
                break;
            }
        }
        let Some(tracked) = self.repositories.get_mut(&number) else {
            return Ok(());
        };
        let name = tracked.state.name.clone();
        if let Some(runs) = &mut tracked.state.streams.runs {
            tracked.dirty = true;
            runs.listed_at = Some(now.millis());
            runs.refused = false;
            let (chosen, missing) = workflows::chosen(&listed, &runs.wanted, &runs.workflows);
            runs.workflows = chosen;
            runs.problem = (!missing.is_empty()).then(|| workflows::missing(&name, &missing, &listed));
        }
        Ok(())
    }

    /// Runs of this repository are not for us: nothing more is asked of them before the next discovery.
    fn refuse_runs(&mut self, number: u64) {
        self.deny(number, Stream::Runs);
        if let Some(tracked) = self.repositories.get_mut(&number)
            && let Some(runs) = &mut tracked.state.streams.runs
        {
            tracked.dirty |= !runs.refused;
            runs.refused = true;
        }
    }

    /// Looks at the newest runs of all workflows.
    pub(super) async fn probe_workflows(
        &mut self,
        selected: &[u64],
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let mut places = BTreeMap::new();
        let mut wanted = Vec::new();
        for number in selected {
            let workflows = self.runs(*number).map(|runs| runs.workflows.as_slice()).unwrap_or_default();
            for (index, workflow) in workflows.iter().enumerate().filter(|(_, one)| one.shown.is_none()) {
                places.insert(workflow.node.clone(), index);
                wanted.push((*number, workflow.node.clone()));
            }
        }
        let build = operations::workflow_probe;
        let nodes = self.nodes_of::<WorkflowRunsWire>(wanted, WORKFLOW_IDS_MAX, build, problems).await?;
        for (number, (node, found)) in nodes {
            let Some(index) = places.get(&node).copied() else {
                continue;
            };
            match found {
                Ok(Some(wire)) => {
                    if let Some(workflow) = self.workflow_mut(number, index) {
                        workflow.shown = Some(workflows::shown(wire.runs.unwrap_or_default()));
                    }
                }
                // It was deleted: what there is instead is asked in the next poll.
                Ok(None) => {
                    if let Some(runs) = self.runs_mut(number).filter(|runs| runs.problem.is_none()) {
                        runs.listed_at = Some(0);
                    }
                }
                Err(trouble) => match trouble.failure() {
                    Failure { reason: Reason::Forbidden, .. } => self.refuse_runs(number),
                    failure => problems.keep(Trouble::Failed(failure))?,
                },
            }
        }
        Ok(())
    }

    /// Says what is wrong with the rules, and of all repositories together that the token may not read their runs.
    pub(super) fn tell_of_runs(&self, problems: &mut Problems) {
        let mut refused = Vec::new();
        for tracked in self.repositories.values().filter(|tracked| tracked.is_active()) {
            let Some(runs) = &tracked.state.streams.runs else {
                continue;
            };
            if let Some(what) = &runs.problem {
                problems.push(Failure { reason: Reason::NotFound, what: what.clone(), retry_at: None });
            }
            if runs.refused {
                refused.push(tracked.state.name.as_str());
            }
        }
        if !refused.is_empty() {
            problems.push(Failure { reason: Reason::Forbidden, what: refusal(&refused), retry_at: None });
        }
    }
}

/// That the token lacks a permission in these repositories.
fn refusal(names: &[&str]) -> String {
    let first: Vec<&str> = names.iter().copied().take(NAMED_MAX).collect();
    let more = match names.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the token may not read workflow runs (permission Actions: read) in {}{more}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_is_told_once_for_all_repositories() {
        for (names, expected) in [
            (vec!["acme/a"], "the token may not read workflow runs (permission Actions: read) in acme/a"),
            (
                vec!["a/1", "a/2", "a/3", "a/4", "a/5", "a/6", "a/7"],
                "the token may not read workflow runs (permission Actions: read) in a/1, a/2, a/3, a/4, a/5 and 2 \
                 more",
            ),
        ] {
            assert_eq!(refusal(&names), expected);
        }
    }

    #[test]
    fn workflows_are_listed_daily_and_sooner_if_something_was_wrong() {
        let at = |hours: i64| Timestamp::from_seconds(hours * 3_600);
        let mut runs = RunsCursor::default();
        assert!(runs.list_is_due(at(0)) && !runs.complete());
        runs.listed_at = Some(0);
        assert!(!runs.list_is_due(at(23)) && runs.list_is_due(at(24)) && runs.complete());
        runs.problem = Some("no workflow deploy.yml".to_owned());
        assert!(runs.list_is_due(at(1)));
        (runs.problem, runs.refused) = (None, true);
        assert!(runs.list_is_due(at(0)), "nothing is asked before the next discovery anyway");
        let rule = RunRule { workflow: "deploy.yml".to_owned(), branch: None, event: None };
        assert!(runs.follow(std::slice::from_ref(&rule)) && runs.list_is_due(at(0)));
        assert!(!runs.follow(&[rule]));
    }
}
