//! Reading workflow runs: REST is asked only where the look at the newest runs shows news, a run is still open, or it
//! is time to look back.

use crate::http::{Failure, Reason};
use crate::model::batch::{Applied, Batch, Contact};
use crate::model::dirty::Stream;
use crate::model::fact::{Attempt, Fact};
use crate::model::name::RepositoryId;
use crate::model::time::Timestamp;
use crate::source::{PollError, Sink};

use super::operations::{self, OIDS_MAX};
use super::progress::{ABSENT_MAX, Pending};
use super::reply::malformed;
use super::run_windows::Step;
use super::runs::{self, Of, Run, RunWire, RunsWire};
use super::wire::CommitNodeWire;
use super::workflow_lists::RunsCursor;
use super::workflows::Workflow;
use super::{Github, Problems, cover};

/// Pages of runs of one workflow in one poll; what is left is read in the next one.
const PAGES_MAX: u32 = 200;
/// Attempts of one run that are read; GitHub allows 50.
const ATTEMPTS_MAX: usize = 50;
/// Open runs in one poll, those first that have waited longest for a look.
const LOOKS_MAX: usize = 100;

/// A page of runs, as attempts.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    attempts: Vec<Attempt>,
    runs: Vec<Run>,
}

impl Github {
    /// Reads the runs of all repositories that want them. REST failing keeps GraphQL from nothing, but for a token
    /// that is refused altogether.
    pub(super) async fn read_runs(
        &mut self,
        sink: &Sink,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let selected = self.selected(Stream::Runs, now);
        if selected.is_empty() {
            return Ok(());
        }
        let read = self.read_runs_of(&selected, sink, now, problems).await;
        self.name_commits(&selected, problems).await?;
        match read {
            Err(PollError::Source(failure)) if failure.reason != Reason::Auth => {
                problems.push(failure);
                Ok(())
            }
            other => other,
        }
    }

    async fn read_runs_of(
        &mut self,
        selected: &[u64],
        sink: &Sink,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        for number in selected {
            self.list_workflows(*number, now, problems).await?;
        }
        self.probe_workflows(selected, problems).await?;
        for number in selected {
            let count = self.runs(*number).map_or(0, |runs| runs.workflows.len());
            for index in 0..count {
                self.read_windows(*number, index, sink, now, problems).await?;
            }
        }
        self.reread_runs(selected, sink, now, problems).await?;
        self.read_again(selected, sink, problems).await
    }

    pub(super) fn runs(&self, number: u64) -> Option<&RunsCursor> {
        self.repositories.get(&number)?.state.streams.runs.as_ref()
    }

    pub(super) fn runs_mut(&mut self, number: u64) -> Option<&mut RunsCursor> {
        self.repositories.get_mut(&number)?.state.streams.runs.as_mut()
    }

    pub(super) fn workflow_mut(&mut self, number: u64, index: usize) -> Option<&mut Workflow> {
        self.runs_mut(number)?.workflows.get_mut(index)
    }

    /// Where a repository is in the REST API.
    pub(super) fn rest_path(&self, number: u64, rest: &str) -> String {
        let name = self.repositories.get(&number).map(|tracked| tracked.state.name.as_str());
        format!("/repos/{}/{rest}", name.unwrap_or_default())
    }

    /// Reads what is to be read of one workflow, page after page.
    async fn read_windows(
        &mut self,
        number: u64,
        index: usize,
        sink: &Sink,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let horizon =
            self.repositories.get(&number).map(|tracked| tracked.state.horizon()).unwrap_or_default();
        let Some(workflow) = self.workflow_mut(number, index) else {
            return Ok(());
        };
        let before = workflow.clone();
        let under_way = workflow.begin(horizon, now);
        let changed = *workflow != before;
        if let Some(tracked) = self.repositories.get_mut(&number).filter(|_| changed) {
            tracked.dirty = true;
        }
        if !under_way {
            return Ok(());
        }
        for _ in 0..PAGES_MAX {
            let Some(workflow) = self.workflow_mut(number, index).map(|workflow| workflow.clone()) else {
                return Ok(());
            };
            if workflow.windows.is_empty() {
                return Ok(());
            }
            match self.read_window(number, index, workflow, sink, problems).await {
                Ok(()) => {}
                Err(PollError::Source(failure)) => {
                    if let Some(workflow) = self.workflow_mut(number, index) {
                        workflow.failed = true;
                    }
                    return keep(failure, problems);
                }
                Err(PollError::NotStored) => return Err(PollError::NotStored),
            }
        }
        tracing::warn!(pages = PAGES_MAX, "there are more runs than one poll reads; the next one goes on");
        Ok(())
    }

    async fn read_window(
        &mut self,
        number: u64,
        index: usize,
        mut workflow: Workflow,
        sink: &Sink,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let Some(window) = workflow.windows.pop() else {
            return Ok(());
        };
        let path = self.rest_path(number, &format!("actions/workflows/{}/runs", workflow.number));
        let (created, page) = (window.created(), window.page.to_string());
        let mut query = vec![
            ("created", created.as_str()),
            ("per_page", "100"),
            ("page", page.as_str()),
            ("exclude_pull_requests", "true"),
        ];
        query.extend(workflow.branch.as_deref().map(|branch| ("branch", branch)));
        query.extend(workflow.event.as_deref().map(|event| ("event", event)));
        let (RunsWire { total_count, workflow_runs }, _) = self.client_of(number).get(&path, &query).await?;
        let records = workflow_runs.unwrap_or_default();
        let step = window.after(records.len(), total_count);
        let first = !workflow.complete;
        let mut read = Attempts::default();
        if let Step::Halve(older, newer) = step {
            workflow.windows.extend([older, newer]);
        } else {
            let (records, unread) = runs::each::<RunWire>(Some(records));
            self.client().count_malformed(unread, "runs");
            read = self.attempts_of(number, &mut workflow, records).await?;
            match step {
                Step::GoOn(next) => workflow.windows.push(next),
                Step::Full => {
                    let name = self.rest_path(number, &workflow.file);
                    problems.push(malformed(&format!("{name}: more runs in {created} than GitHub lists")));
                }
                Step::Done | Step::Halve(..) => {}
            }
        }
        if workflow.windows.is_empty() {
            workflow.done();
        }
        let contact = if first { Contact::First } else { Contact::Live };
        self.store_runs(number, index, workflow, read, contact, sink).await
    }

    /// Runs with their earlier attempts, as far as those have not been read to their ends.
    pub(super) async fn attempts_of(
        &self,
        number: u64,
        workflow: &mut Workflow,
        records: Vec<RunWire>,
    ) -> Result<Attempts, PollError> {
        let id = self.id(number);
        let mut all = Attempts::default();
        for wire in records {
            let Some(run) = self.run(wire, &id, workflow) else {
                continue;
            };
            let read_at = self.now();
            for attempt in workflow.earlier(run.id, run.number).take(ATTEMPTS_MAX) {
                let path = self.rest_path(number, &format!("actions/runs/{}/attempts/{attempt}", run.id));
                let query = [("exclude_pull_requests", "true")];
                match self.client_of(number).get::<RunWire>(&path, &query).await {
                    Ok((wire, _)) => {
                        all.attempts.extend(self.run(wire, &id, workflow).and_then(|run| run.attempt));
                    }
                    // GitHub has forgotten it already.
                    Err(failure) if failure.reason == Reason::NotFound => {}
                    Err(failure) => return Err(PollError::Source(failure)),
                }
            }
            workflow.read_before(run.id, run.number);
            workflow.watch(run.id, run.open.then_some(run.created_at), read_at);
            all.runs.push(run);
        }
        Ok(all)
    }

    fn run(&self, wire: RunWire, id: &RepositoryId, workflow: &Workflow) -> Option<Run> {
        let of = Of { repository: id, file: &workflow.file, name: &workflow.name };
        let run = runs::run(wire, of, self.now());
        self.client().count_malformed(u64::from(run.is_none()), "runs");
        run
    }

    /// Stores attempts with the cursor. Commits that they name are in it until it is known what they are.
    pub(super) async fn store_runs(
        &mut self,
        number: u64,
        index: usize,
        workflow: Workflow,
        read: Attempts,
        contact: Contact,
        sink: &Sink,
    ) -> Result<(), PollError> {
        let Some(mut state) = self.repositories.get(&number).map(|tracked| tracked.state.clone()) else {
            return Ok(());
        };
        let horizon = state.horizon();
        let Attempts { attempts, runs } = read;
        let attempts = attempts.into_iter().chain(runs.into_iter().filter_map(|run| run.attempt));
        let attempts: Vec<Attempt> = attempts.filter(|attempt| attempt.created_at >= horizon).collect();
        let Some(cursor) = &mut state.streams.runs else {
            return Ok(());
        };
        if let Some(place) = cursor.workflows.get_mut(index) {
            *place = workflow;
        }
        let before = cursor.nameless.clone();
        cursor.nameless.extend(attempts.iter().map(|attempt| attempt.commit.to_string()));
        cursor.nameless.sort_unstable();
        cursor.nameless.dedup();
        cursor.nameless.truncate(ABSENT_MAX);
        let facts = attempts.into_iter().map(Fact::Attempt).collect();
        let mut batch = Batch { facts, contact, ..Batch::default() };
        cover(&mut state, &self.id(number), &mut batch);
        batch.cursors.push(state.cursor(number));
        let Applied { rows_written: _, repositories: _, incidents: _, inventory: _, missing_commits } =
            sink.apply(batch).await?;
        let missing: Vec<String> = missing_commits.iter().map(|(_, commit)| commit.to_string()).collect();
        let commits = &state.commits;
        if let Some(cursor) = &mut state.streams.runs {
            let known = |oid: &String| {
                commits.absent.contains(oid) || commits.pending.iter().any(|pending| pending.oid == *oid)
            };
            // The store says only which of this batch are missing; those of earlier ones are still to be asked for.
            let wanted = |oid: &String| before.contains(oid) || missing.contains(oid);
            let count = cursor.nameless.len();
            cursor.nameless.retain(|oid| wanted(oid) && !known(oid));
            if let Some(tracked) = self.repositories.get_mut(&number) {
                tracked.dirty |= cursor.nameless.len() != count;
            }
        }
        if let Some(tracked) = self.repositories.get_mut(&number) {
            tracked.state = state;
        }
        Ok(())
    }

    /// Looks again at runs whose end is still to come.
    async fn reread_runs(
        &mut self,
        selected: &[u64],
        sink: &Sink,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let told = self.is_told();
        let mut due = Vec::new();
        for number in selected {
            let workflows = self.runs(*number).map(|runs| runs.workflows.as_slice()).unwrap_or_default();
            for (index, workflow) in workflows.iter().enumerate() {
                let open = workflow.open.iter().filter(|open| told || open.due(now));
                due.extend(open.map(|open| (open.read_at, *number, index, open.node.clone())));
            }
        }
        due.sort_unstable();
        due.truncate(LOOKS_MAX);
        for (_, number, index, node) in due {
            let Some(mut workflow) = self.workflow_mut(number, index).map(|workflow| workflow.clone()) else {
                continue;
            };
            let path = self.rest_path(number, &format!("actions/runs/{node}"));
            let asked =
                self.client_of(number).get::<RunWire>(&path, &[("exclude_pull_requests", "true")]).await;
            let read = match asked {
                Ok((wire, _)) => self.attempts_of(number, &mut workflow, vec![wire]).await,
                Err(failure) if failure.reason == Reason::NotFound => {
                    // It was deleted; what is known of it stays.
                    workflow.open.retain(|open| open.node != node);
                    Ok(Attempts::default())
                }
                Err(failure) => Err(PollError::Source(failure)),
            };
            match read {
                Ok(read) => self.store_runs(number, index, workflow, read, Contact::Live, sink).await?,
                Err(PollError::Source(failure)) => keep(failure, problems)?,
                Err(PollError::NotStored) => return Err(PollError::NotStored),
            }
        }
        Ok(())
    }

    /// Asks GitHub what the commits are that runs name and that are not stored: those that are there and young enough
    /// are walked to like any other.
    async fn name_commits(&mut self, selected: &[u64], problems: &mut Problems) -> Result<(), PollError> {
        for number in selected {
            let tracked = self.repositories.get(number);
            let Some(tracked) = tracked.filter(|tracked| tracked.may_see(Stream::Commits)) else {
                continue;
            };
            let nameless = self.runs(*number).map(|runs| runs.nameless.clone()).unwrap_or_default();
            let node = tracked.state.node.clone();
            for oids in nameless.chunks(OIDS_MAX) {
                let asked = self.client_of(*number).ask(|_| operations::commits_by_oid(&node, oids)).await;
                let reply = match asked {
                    Ok(reply) => reply,
                    Err(trouble) => {
                        problems.keep(trouble)?;
                        break;
                    }
                };
                let objects: Vec<Option<CommitNodeWire>> = (0..oids.len())
                    .map(|index| reply.data.get("node")?.get(format!("object{index}")))
                    .map(|object| object.and_then(|object| serde_json::from_value(object.clone()).ok()))
                    .collect();
                self.named(*number, oids, objects);
            }
        }
        Ok(())
    }

    fn named(&mut self, number: u64, oids: &[String], objects: Vec<Option<CommitNodeWire>>) {
        let Some(tracked) = self.repositories.get_mut(&number) else {
            return;
        };
        let state = &mut tracked.state;
        let horizon = state.horizon();
        for (oid, object) in oids.iter().zip(objects) {
            let CommitNodeWire { id, oid: _, committed_date } = object.unwrap_or_default();
            let committed_at = committed_date.as_deref().and_then(Timestamp::parse);
            match id.filter(|_| committed_at.is_some_and(|at| at >= horizon)) {
                Some(node) => state.commits.need([Pending { node, oid: oid.clone() }]),
                None => state.commits.give_up(oid),
            }
        }
        if let Some(runs) = &mut state.streams.runs {
            runs.nameless.retain(|oid| !oids.contains(oid));
        }
        tracked.dirty = true;
    }
}

/// Keeps what concerns a part of REST; hands back what ends this poll's reading of runs, or the poll.
pub(super) fn keep(failure: Failure, problems: &mut Problems) -> Result<(), PollError> {
    match failure.reason {
        Reason::Forbidden | Reason::NotFound | Reason::Malformed => {
            problems.push(failure);
            Ok(())
        }
        Reason::Auth | Reason::RateLimited | Reason::Timeout | Reason::Server | Reason::Network => {
            Err(PollError::Source(failure))
        }
    }
}
