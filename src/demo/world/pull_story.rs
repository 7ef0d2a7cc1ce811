//! What happens to pull requests.

use super::World;
use super::account::Account;
use super::changed_file::ChangedFile;
use super::commit::Draft;
use super::pull::{Event, EventKind, Landing, Method, Proposal, PullKey, PullRequest, Review, Verdict};
use super::repository::{Numbered, Repository, RepositoryKey};
use crate::model::name::CommitId;
use crate::model::time::Timestamp;

impl World {
    /// Opens a pull request. Its branch leaves the base where that was when the first own commit was written.
    pub fn open_pull(&mut self, repository: RepositoryKey, proposal: Proposal, at: Timestamp) -> PullKey {
        self.advance(at);
        let database_id = self.next_database_id();
        let held = self.at_mut(repository);
        let place = held.pulls.len();
        let number = held.take_number(Numbered::Pull(place));
        let Proposal {
            title,
            author,
            body,
            branch,
            base,
            labels,
            draft,
            cross_repository,
            mut commits,
            paths,
        } = proposal;
        if commits.is_empty() {
            commits.push((at, title.clone()));
        }
        let branch = branch.unwrap_or_else(|| format!("topic-{number}"));
        let base = base.unwrap_or_else(|| held.default_branch.clone());
        let base_commit = held.branches.get(&base).copied();
        let first_at = commits.iter().map(|(authored_at, _)| *authored_at).min().unwrap_or(at);
        let mut parent = base_commit.map(|head| held.tip_at(head, first_at));
        let mut own = Vec::with_capacity(commits.len());
        for (authored_at, message) in commits {
            let place = held.commit(Draft {
                parents: parent.into_iter().collect(),
                authored_at,
                committed_at: authored_at.min(at),
                message,
                author: author.clone(),
                pulls: vec![number],
                brings: Vec::new(),
            });
            own.push(place);
            if let (Some(paths), Some(commit)) = (&paths, held.commits.get_mut(place)) {
                commit.files = Some(paths.iter().map(|path| ChangedFile::modified(path)).collect());
            }
            parent = Some(place);
        }
        if let (Some(tip), false) = (parent, cross_repository) {
            held.branches.insert(branch.clone(), tip);
            held.pushed(at);
        }
        held.pulls.push(PullRequest {
            database_id,
            number,
            title,
            body,
            author,
            branch,
            base,
            base_commit,
            labels,
            draft,
            weight: 1,
            cross_repository,
            created_at: at,
            updated_at: at,
            closed_at: None,
            landing: None,
            commits: own,
            reviews: Vec::new(),
            events: Vec::new(),
        });
        PullKey { repository, place }
    }

    /// The pull request of this key.
    pub fn pull(&self, key: PullKey) -> Option<&PullRequest> {
        self.at(key.repository).pulls.get(key.place)
    }

    /// Its number in the repository; 0 if it is not there.
    pub fn number(&self, key: PullKey) -> u64 {
        self.pull(key).map_or(0, |pull| pull.number)
    }

    /// Changes a pull request, as a comment, a label or an edit of its text does.
    pub fn edit_pull(&mut self, key: PullKey, at: Timestamp, edit: impl FnOnce(&mut PullRequest)) {
        self.advance(at);
        if let Some(pull) = self.at_mut(key.repository).pulls.get_mut(key.place) {
            edit(pull);
            pull.updated_at = pull.updated_at.max(at);
        }
    }

    /// Pushes another own commit.
    pub fn push_to_pull(&mut self, key: PullKey, message: &str, at: Timestamp) -> Option<CommitId> {
        let pull = self.pull(key)?.clone();
        let repository = self.at_mut(key.repository);
        let place = repository.commit(Draft {
            parents: pull.commits.last().copied().into_iter().collect(),
            authored_at: at,
            committed_at: at,
            message: message.to_owned(),
            author: pull.author,
            pulls: vec![pull.number],
            brings: Vec::new(),
        });
        repository.branches.insert(pull.branch, place);
        repository.pushed(at);
        let id = repository.commits.get(place).map(|commit| commit.id);
        self.edit_pull(key, at, |pull| pull.commits.push(place));
        id
    }

    /// Reviews a pull request.
    pub fn review(&mut self, key: PullKey, reviewer: &str, verdict: Verdict, at: Timestamp) {
        let database_id = self.next_database_id();
        let author = Account::from(reviewer);
        self.edit_pull(key, at, |pull| {
            pull.reviews.push(Review { database_id, author, verdict, at });
        });
    }

    /// Tells something else of a pull request, done by its author.
    pub fn event(&mut self, key: PullKey, kind: EventKind, at: Timestamp) {
        let database_id = self.next_database_id();
        self.edit_pull(key, at, |pull| {
            pull.apply(kind, at);
            let actor = pull.author.clone();
            pull.events.push(Event { database_id, kind, at, actor });
        });
    }

    /// A draft is ready for review.
    pub fn ready_for_review(&mut self, key: PullKey, at: Timestamp) {
        self.event(key, EventKind::ReadyForReview, at);
    }

    /// Back to a draft.
    pub fn convert_to_draft(&mut self, key: PullKey, at: Timestamp) {
        self.event(key, EventKind::ConvertToDraft, at);
    }

    /// Closes a pull request without merging it.
    pub fn close_pull(&mut self, key: PullKey, at: Timestamp) {
        self.event(key, EventKind::Closed, at);
    }

    /// Merges a pull request into its base, by its last approver, else by its author. Returns the landing commit;
    /// the zero commit if there is no such pull request, or no base.
    pub fn merge(&mut self, key: PullKey, method: Method, at: Timestamp) -> CommitId {
        let nothing = CommitId::new([0; 20]);
        let Some(pull) = self.pull(key).cloned() else {
            return nothing;
        };
        let repository = self.at_mut(key.repository);
        let Some(base) = repository.branches.get(&pull.base).copied() else {
            return nothing;
        };
        let commit = repository.land(&pull, base, method, at);
        let id = repository.commits.get(commit).map_or(nothing, |commit| commit.id);
        repository.branches.insert(pull.base.clone(), commit);
        if !pull.cross_repository {
            repository.branches.remove(&pull.branch);
        }
        repository.pushed(at);
        let approvals = pull.reviews.iter().rev().filter(|review| review.verdict == Verdict::Approved);
        let by = approvals.map(|review| review.author.clone()).next().unwrap_or(pull.author);
        self.event(key, EventKind::Merged, at);
        self.edit_pull(key, at, |pull| {
            pull.draft = false;
            pull.landing = Some(Landing { at, by, commit, method });
        });
        id
    }
}

impl PullRequest {
    /// When it was first shown to reviewers, if it was.
    pub fn published_at(&self) -> Option<Timestamp> {
        let ready = self.events.iter().find(|event| event.kind == EventKind::ReadyForReview);
        match ready {
            Some(event) => Some(event.at),
            None => (!self.draft).then_some(self.created_at),
        }
    }

    fn apply(&mut self, kind: EventKind, at: Timestamp) {
        match kind {
            EventKind::ReadyForReview => self.draft = false,
            EventKind::ConvertToDraft => self.draft = true,
            EventKind::Merged | EventKind::Closed => self.closed_at = Some(at),
            EventKind::Reopened => self.closed_at = None,
            EventKind::AddedToMergeQueue
            | EventKind::RemovedFromMergeQueue
            | EventKind::HeadRefForcePushed => {}
        }
    }
}

impl Repository {
    /// Writes the commits with which a pull request lands on `base`; returns the place of the last.
    fn land(&mut self, pull: &PullRequest, base: usize, method: Method, at: Timestamp) -> usize {
        let number = pull.number;
        let draft = |parents: Vec<usize>, message: String| Draft {
            parents,
            authored_at: at,
            committed_at: at,
            message,
            author: pull.author.clone(),
            pulls: vec![number],
            brings: pull.commits.clone(),
        };
        match method {
            Method::Merge => {
                let tip = pull.commits.last().copied();
                let message = format!(
                    "Merge pull request #{number} from {}/{}\n\n{}",
                    self.owner, pull.branch, pull.title
                );
                self.commit(draft(std::iter::once(base).chain(tip).collect(), message))
            }
            Method::Squash => {
                let message = format!("{} (#{number})\n\n{}", pull.title, pull.body);
                self.commit(draft(vec![base], message.trim_end().to_owned()))
            }
            Method::Rebase => {
                let mut parent = base;
                for own in &pull.commits {
                    let Some(commit) = self.commits.get(*own).cloned() else {
                        continue;
                    };
                    parent = self.commit(Draft {
                        authored_at: commit.authored_at,
                        author: commit.author,
                        brings: vec![*own],
                        ..draft(vec![parent], commit.message)
                    });
                }
                parent
            }
        }
    }
}
