//! Workflow runs that a webhook says were run again: a list shows them where they were before, and the look at the newest
//! ones does not. Others are found by the daily look back.

use crate::http::Reason;
use crate::model::batch::Contact;
use crate::source::{PollError, Sink};

use super::run_pages::keep;
use super::runs::RunWire;
use super::{Github, Problems};

/// Runs that are read by themselves at one time; the daily look back finds the others.
const AGAIN_MAX: usize = 50;

impl Github {
    /// Reads those runs, if they belong to a workflow that deploys.
    pub(super) async fn read_again(
        &mut self,
        selected: &[u64],
        sink: &Sink,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let mut named = Vec::new();
        for number in selected {
            if let Some(tracked) = self.repositories.get_mut(number) {
                named.extend(std::mem::take(&mut tracked.again).into_iter().map(|run| (*number, run)));
            }
        }
        if named.len() > AGAIN_MAX {
            tracing::warn!(runs = named.len(), "more runs were run again than are read at one time");
            named.truncate(AGAIN_MAX);
        }
        for (number, run) in named {
            match self.read_one_again(number, run, sink).await {
                Ok(()) => {}
                // It was deleted meanwhile; what is known of it stays.
                Err(PollError::Source(failure)) if failure.reason == Reason::NotFound => {}
                Err(PollError::Source(failure)) => keep(failure, problems)?,
                Err(PollError::NotStored) => return Err(PollError::NotStored),
            }
        }
        Ok(())
    }

    async fn read_one_again(&mut self, number: u64, run: u64, sink: &Sink) -> Result<(), PollError> {
        let path = self.rest_path(number, &format!("actions/runs/{run}"));
        let query = [("exclude_pull_requests", "true")];
        let (wire, _) =
            self.client_of(number).get::<RunWire>(&path, &query).await.map_err(PollError::Source)?;
        let workflows = self.runs(number).map(|runs| runs.workflows.as_slice()).unwrap_or_default();
        let place = workflows.iter().position(|workflow| Some(workflow.number) == wire.workflow_id);
        let Some((index, mut workflow)) = place.and_then(|at| Some((at, workflows.get(at)?.clone()))) else {
            return Ok(());
        };
        let read = self.attempts_of(number, &mut workflow, vec![wire]).await?;
        self.store_runs(number, index, workflow, read, Contact::Live, sink).await
    }
}
