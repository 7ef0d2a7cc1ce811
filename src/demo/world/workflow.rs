//! Workflows and their runs, as GitHub Actions tells them.

use super::World;
use super::account::Account;
use super::repository::{Repository, RepositoryKey};
use crate::model::name::CommitId;
use crate::model::time::Timestamp;

/// A workflow file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// GitHub's number.
    pub database_id: u64,
    /// What it calls itself.
    pub name: String,
    /// `.github/workflows/<file>`.
    pub path: String,
    /// Whether somebody switched it off.
    pub disabled: bool,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Its runs, oldest first.
    pub runs: Vec<Run>,
    /// How many runs it ever had.
    pub run_count: u64,
}

/// A run: it keeps its number over all its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// GitHub's number.
    pub database_id: u64,
    /// Its number in the workflow.
    pub number: u64,
    /// What started it: `push`, `workflow_dispatch`, …
    pub event: String,
    /// The branch; `None` for what runs on none.
    pub branch: Option<String>,
    /// The commit.
    pub commit: CommitId,
    /// What the list shows: the commit's headline.
    pub title: String,
    /// Who started it.
    pub actor: Account,
    /// When it was created; a re-run does not change it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Its attempts, oldest first; never empty.
    pub attempts: Vec<Attempt>,
}

/// One attempt at a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub started_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Where it stands.
    pub progress: Progress,
}

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It waits for a runner.
    Queued,
    /// It waits for somebody's approval.
    Waiting,
    /// It runs.
    InProgress,
    /// It is over.
    Completed(Conclusion),
    /// It is over and nobody knows how: the conclusion is null.
    Unconcluded,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// Well.
    Success,
    /// Badly.
    Failure,
    /// Somebody stopped it.
    Cancelled,
    /// Nothing was to be done.
    Skipped,
    /// It took too long.
    TimedOut,
    /// Somebody has to look at it.
    ActionRequired,
    /// It says nothing either way.
    Neutral,
    /// GitHub gave it up.
    Stale,
    /// Its file is wrong.
    StartupFailure,
    /// A word that GitHub has added since.
    Unheard(&'static str),
}

/// A workflow's place: its repository and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkflowKey {
    /// The repository.
    pub repository: RepositoryKey,
    /// The place.
    pub place: usize,
}

/// A run of a workflow. Good until the run is deleted: then stories about it tell nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// The workflow.
    pub workflow: WorkflowKey,
    /// GitHub's number of the run.
    pub database_id: u64,
}

impl Run {
    /// The newest attempt, with its number.
    pub fn last(&self) -> Option<(u64, &Attempt)> {
        Some((self.attempts.len() as u64, self.attempts.last()?))
    }
}

impl Repository {
    /// The run of this number with its workflow.
    pub fn run(&self, database_id: u64) -> Option<(&Workflow, &Run)> {
        self.workflows.iter().find_map(|workflow| {
            let place = workflow.runs.binary_search_by_key(&database_id, |run| run.database_id).ok()?;
            Some((workflow, workflow.runs.get(place)?))
        })
    }
}

impl World {
    /// Adds a workflow, `.github/workflows/<file>`.
    pub fn workflow(
        &mut self,
        repository: RepositoryKey,
        file: &str,
        name: &str,
        at: Timestamp,
    ) -> WorkflowKey {
        self.advance(at);
        let database_id = self.next_database_id();
        let workflows = &mut self.at_mut(repository).workflows;
        workflows.push(Workflow {
            database_id,
            name: name.to_owned(),
            path: format!(".github/workflows/{file}"),
            disabled: false,
            created_at: at,
            updated_at: at,
            runs: Vec::new(),
            run_count: 0,
        });
        WorkflowKey { repository, place: workflows.len() - 1 }
    }

    /// Starts a run on the default branch, which waits for a runner.
    pub fn start_run(&mut self, key: WorkflowKey, event: &str, commit: CommitId, at: Timestamp) -> RunKey {
        self.advance(at);
        let database_id = self.next_database_id();
        let repository = self.at_mut(key.repository);
        let branch = Some(repository.default_branch.clone());
        let place = repository.place(commit);
        let message = place.and_then(|place| repository.commits.get(place)).map(|it| it.message.as_str());
        let title = message.and_then(|it| it.lines().next()).unwrap_or_default().to_owned();
        if let Some(workflow) = repository.workflows.get_mut(key.place) {
            workflow.run_count += 1;
            workflow.runs.push(Run {
                database_id,
                number: workflow.run_count,
                event: event.to_owned(),
                branch,
                commit,
                title,
                actor: Account::from("rhea"),
                created_at: at,
                updated_at: at,
                attempts: vec![Attempt { started_at: at, updated_at: at, progress: Progress::Queued }],
            });
        }
        RunKey { workflow: key, database_id }
    }

    /// The newest attempt of a run goes on.
    pub fn progress_run(&mut self, key: RunKey, progress: Progress, at: Timestamp) {
        self.edit_run(key, at, |run| {
            if let Some(attempt) = run.attempts.last_mut() {
                attempt.progress = progress;
                attempt.updated_at = attempt.updated_at.max(at);
            }
        });
    }

    /// The newest attempt of a run is over.
    pub fn finish_run(&mut self, key: RunKey, conclusion: Conclusion, at: Timestamp) {
        self.progress_run(key, Progress::Completed(conclusion), at);
    }

    /// Another attempt begins: the run keeps its number and the time of its creation.
    pub fn rerun(&mut self, key: RunKey, at: Timestamp) {
        self.edit_run(key, at, |run| {
            run.attempts.push(Attempt { started_at: at, updated_at: at, progress: Progress::Queued });
        });
    }

    /// Changes a run: its branch, its event.
    pub fn edit_run(&mut self, key: RunKey, at: Timestamp, edit: impl FnOnce(&mut Run)) {
        self.advance(at);
        let workflow = self.at_mut(key.workflow.repository).workflows.get_mut(key.workflow.place);
        let mut runs = workflow.map(|workflow| &mut workflow.runs).into_iter().flatten();
        if let Some(run) = runs.find(|run| run.database_id == key.database_id) {
            edit(run);
            run.updated_at = run.updated_at.max(at);
        }
    }

    /// GitHub deletes runs that were created before this instant: the retention of Actions.
    pub fn delete_runs(&mut self, repository: RepositoryKey, before: Timestamp, at: Timestamp) {
        self.advance(at);
        for workflow in &mut self.at_mut(repository).workflows {
            workflow.runs.retain(|run| run.created_at >= before);
        }
    }
}
