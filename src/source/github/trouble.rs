//! What to do about a question that failed: leave it for the next poll, ask for less, or do without one item.

use crate::http::{Failure, Reason};
use crate::model::batch::Batch;
use crate::model::dirty::Stream;
use crate::model::time::Timestamp;
use crate::source::{PollError, Sink};

use super::ask::{Ask, word};
use super::deployments::created_at;
use super::passes::{Endless, Turn};
use super::reader::only;
use super::reply::Trouble;
use super::tracked::Caution;
use super::wire::{DeploymentWire, IssueWire, PagesWire, PullWire};
use super::{Github, Problems, operations};
use super::{issues, pulls};

/// Answers in a row that are too heavy, however little is asked for; then it is GitHub that has a problem.
pub(super) const HEAVY_MAX: u32 = 12;
/// Items of one repository that are remembered to be too heavy; what is missing beyond them is not told one by one.
const TOO_HEAVY_MAX: usize = 20;

/// An item behind which reading goes on.
struct Place {
    name: String,
    times: Vec<Timestamp>,
    has_next: bool,
    end: Option<String>,
}

impl Github {
    /// What cannot be read is left for the next poll; what was too heavy is asked for in smaller pieces.
    pub(super) async fn give_up(
        &mut self,
        group: &[Ask],
        trouble: Trouble,
        sink: &Sink,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        match trouble {
            Trouble::TooHeavy(failure) => {
                self.heavy_in_a_row += 1;
                if self.heavy_in_a_row > HEAVY_MAX {
                    return Err(PollError::Source(failure));
                }
                match group {
                    [ask] => return self.lighten(ask, failure, sink, problems).await,
                    _ => self.caution(group, Caution::Alone),
                }
            }
            Trouble::StaleCursor => {
                for ask in group {
                    self.restart(ask.number);
                }
            }
            Trouble::Held(failure) => {
                tracing::debug!(%failure, "the rest of the history waits");
                let lane = group.first().map_or(0, |ask| self.lane_of(ask.number));
                self.lanes.hold(lane);
            }
            Trouble::Denied(stream, failure) => {
                for ask in group {
                    self.deny(ask.number, stream);
                }
                self.of_repository(group, &failure, problems);
            }
            Trouble::Failed(failure) => {
                if super::ends_the_poll(failure.reason) {
                    let numbers: Vec<u64> = group.iter().map(|ask| ask.number).collect();
                    return self.lose_lane_of(&numbers, failure, problems);
                }
                self.of_repository(group, &failure, problems);
            }
        }
        Ok(())
    }

    fn caution(&mut self, group: &[Ask], caution: Caution) {
        for ask in group {
            if let Some(tracked) = self.repositories.get_mut(&ask.number) {
                tracked.caution = caution;
            }
        }
    }

    /// One repository by itself was too heavy: its streams one by one, then smaller pages, and at last without the
    /// one item that is.
    async fn lighten(
        &mut self,
        ask: &Ask,
        failure: Failure,
        sink: &Sink,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let streams = ask.streams();
        let &[stream] = streams.as_slice() else {
            self.caution(std::slice::from_ref(ask), Caution::Apart);
            return Ok(());
        };
        if ask.size(stream) > 1 {
            if let Some(tracked) = self.repositories.get_mut(&ask.number) {
                tracked.state.shrunk.entry(word(stream).to_owned()).or_default().halve();
            }
            return self.remember(ask.number, sink).await;
        }
        match self.pass_by(ask, stream, sink).await? {
            Some(name) => {
                self.heavy_in_a_row = 0;
                let what = format!("{name} is too heavy for GitHub to show, and left out: {}", failure.what);
                self.tell(ask.number, &Failure { what, ..failure }, problems);
            }
            None => self.of_repository(std::slice::from_ref(ask), &failure, problems),
        }
        Ok(())
    }

    /// Goes on behind the one item of a page; what it is, if that is possible.
    async fn pass_by(&mut self, ask: &Ask, stream: Stream, sink: &Sink) -> Result<Option<String>, PollError> {
        let after = match stream {
            Stream::Changes => ask.pulls.as_ref().and_then(|pass| pass.after.clone()),
            Stream::Deployments => ask.deployments.as_ref().and_then(|pass| pass.after.clone()),
            Stream::Issues => ask.issues.as_ref().and_then(|asked| asked.after.clone()),
            // Commits are light, and behind one that is missing nothing could be reached.
            Stream::Commits
            | Stream::Repository
            | Stream::Releases
            | Stream::Tags
            | Stream::Runs
            | Stream::Run(_)
            | Stream::Teams => return Ok(None),
        };
        let since = ask.issues.as_ref().map(|asked| asked.since);
        let build = |ids: &[String]| operations::repository_places(ids, stream, after.as_deref(), since);
        let ids = [ask.node.clone()];
        let asked = self.client_of(ask.number).nodes::<PagesWire>(&ids, 1, build).await;
        let Some(wire) = asked.and_then(|(nodes, _)| only(nodes)).ok().flatten() else {
            return Ok(None);
        };
        let Some(place) = place(wire) else {
            return Ok(None);
        };
        let Place { name, times, has_next, end } = place;
        let Some(tracked) = self.repositories.get_mut(&ask.number) else {
            return Ok(None);
        };
        let turn = Turn { times: &times, has_next, end: end.as_deref() };
        let state = &mut tracked.state;
        let passed = match (stream, ask.pulls.clone(), ask.deployments.clone(), ask.issues.clone()) {
            (Stream::Changes, Some(pass), ..) => state.pulls.advance(ask.phase, pass, turn),
            (Stream::Deployments, _, Some(pass), _) => state.deployments.advance(ask.phase, pass, turn),
            (Stream::Issues, _, _, Some(asked)) => {
                let seen = tracked.look.seen.as_ref().and_then(|seen| seen.issues.clone());
                tracked.issues_after = end.filter(|_| has_next).map(|end| (asked.since, end));
                if tracked.issues_after.is_none() {
                    state.issues.done(seen);
                }
                Ok(())
            }
            _ => Err(Endless),
        };
        if passed.is_err() {
            return Ok(None);
        }
        if state.too_heavy.len() < TOO_HEAVY_MAX && !state.too_heavy.contains(&name) {
            state.too_heavy.push(name.clone());
        }
        self.remember(ask.number, sink).await?;
        Ok(Some(name))
    }

    /// Stores a cursor by itself, at once: what was learnt the hard way.
    async fn remember(&mut self, number: u64, sink: &Sink) -> Result<(), PollError> {
        let Some(tracked) = self.repositories.get_mut(&number) else {
            return Ok(());
        };
        let cursors = vec![tracked.state.cursor(number)];
        sink.apply(Batch { cursors, ..Batch::default() }).await?;
        Ok(())
    }

    /// A problem of one repository, which names it.
    pub(super) fn tell(&self, number: u64, failure: &Failure, problems: &mut Problems) {
        let name = self.repositories.get(&number).map_or("", |tracked| tracked.state.name.as_str());
        problems.push(Failure { what: format!("{name}: {}", failure.what), ..failure.clone() });
    }

    /// What GitHub cannot show is missing in the numbers as long as it cannot.
    pub(super) fn tell_what_is_left_out(&self, problems: &mut Problems) {
        for (number, tracked) in &self.repositories {
            if tracked.is_active() && !tracked.state.too_heavy.is_empty() {
                let what = format!("left out as too heavy: {}", tracked.state.too_heavy.join(", "));
                self.tell(*number, &Failure { reason: Reason::Server, what, retry_at: None }, problems);
            }
        }
    }

    fn of_repository(&mut self, group: &[Ask], failure: &Failure, problems: &mut Problems) {
        for ask in group {
            self.tell(ask.number, failure, problems);
            self.set_aside(ask.number);
        }
    }

    /// GitHub has forgotten where a page ended: the next poll begins the passes again.
    fn restart(&mut self, number: u64) {
        if let Some(tracked) = self.repositories.get_mut(&number) {
            tracked.state.pulls.restart();
            tracked.state.deployments.restart();
            tracked.state.commits.restart();
            tracked.issues_after = None;
            (tracked.failed, tracked.dirty) = (true, true);
        }
    }
}

/// What is there, and where it goes on.
fn place(wire: PagesWire) -> Option<Place> {
    let PagesWire { pull_requests, deployments, issues: tickets, default_branch_ref: _, object: _ } = wire;
    if let Some(page) = pull_requests {
        let pull = page.nodes.first()?;
        let PullWire { number, .. } = pull;
        let times = pulls::updated_at(pull).into_iter().collect();
        return Some(Place {
            name: format!("pull request {}", (*number)?),
            times,
            has_next: page.has_next,
            end: page.end,
        });
    }
    if let Some(page) = deployments {
        let deployment = page.nodes.first()?;
        let DeploymentWire { database_id, .. } = deployment;
        let times = created_at(deployment).into_iter().collect();
        return Some(Place {
            name: format!("deployment {}", (*database_id)?),
            times,
            has_next: page.has_next,
            end: page.end,
        });
    }
    let page = tickets?;
    let issue = page.nodes.first()?;
    let IssueWire { number, .. } = issue;
    let times = issues::updated_at(issue).into_iter().collect();
    Some(Place { name: format!("issue {}", (*number)?), times, has_next: page.has_next, end: page.end })
}
