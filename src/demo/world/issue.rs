//! Issues.

use super::World;
use super::account::Account;
use super::repository::{Numbered, RepositoryKey};
use crate::model::time::Timestamp;

/// Why an issue has the state that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateReason {
    /// Done.
    Completed,
    /// Another one says the same.
    Duplicate,
    /// It will not be done.
    NotPlanned,
    /// It was closed once.
    Reopened,
}

/// An issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// GitHub's number over all repositories.
    pub database_id: u64,
    /// Its number in the repository.
    pub number: u64,
    /// What it is titled.
    pub title: String,
    /// What it says.
    pub body: String,
    /// Who opened it.
    pub author: Account,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// Why it is open or closed, if anybody said so.
    pub state_reason: Option<StateReason>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was closed, if it is.
    pub closed_at: Option<Timestamp>,
}

/// An issue's place: its repository and its place among that repository's issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssueKey {
    /// The repository.
    pub repository: RepositoryKey,
    /// The place.
    pub place: usize,
}

impl World {
    /// Opens an issue.
    pub fn open_issue(
        &mut self,
        repository: RepositoryKey,
        title: &str,
        labels: &[&str],
        at: Timestamp,
    ) -> IssueKey {
        self.advance(at);
        let database_id = self.next_database_id();
        let held = self.at_mut(repository);
        let place = held.issues.len();
        let number = held.take_number(Numbered::Issue(place));
        held.issues.push(Issue {
            database_id,
            number,
            title: title.to_owned(),
            body: String::new(),
            author: Account::from("vera"),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            state_reason: None,
            created_at: at,
            updated_at: at,
            closed_at: None,
        });
        IssueKey { repository, place }
    }

    /// The issue of this key.
    pub fn issue(&self, key: IssueKey) -> Option<&Issue> {
        self.at(key.repository).issues.get(key.place)
    }

    /// Changes an issue, as an edit of its text or of its labels does.
    pub fn edit_issue(&mut self, key: IssueKey, at: Timestamp, edit: impl FnOnce(&mut Issue)) {
        self.advance(at);
        if let Some(issue) = self.at_mut(key.repository).issues.get_mut(key.place) {
            edit(issue);
            issue.updated_at = issue.updated_at.max(at);
        }
    }

    /// Closes an issue.
    pub fn close_issue(&mut self, key: IssueKey, reason: StateReason, at: Timestamp) {
        self.edit_issue(key, at, |issue| {
            issue.closed_at = Some(at);
            issue.state_reason = Some(reason);
        });
    }

    /// Opens an issue again.
    pub fn reopen_issue(&mut self, key: IssueKey, at: Timestamp) {
        self.edit_issue(key, at, |issue| {
            issue.closed_at = None;
            issue.state_reason = Some(StateReason::Reopened);
        });
    }
}
