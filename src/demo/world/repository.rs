//! Repositories and what happens to them as a whole.

use std::collections::{BTreeMap, HashMap};

use super::World;
use super::account::Account;
use super::commit::{Commit, Draft};
use super::deployment::Deployment;
use super::issue::Issue;
use super::pull::PullRequest;
use super::release::{Release, Tag};
use super::workflow::Workflow;
use crate::model::name::CommitId;
use crate::model::time::Timestamp;

/// A repository's place in [`World::repositories`]; made by a world and good for that world alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryKey(pub(crate) usize);

/// What stands behind a number: GitHub counts issues and pull requests together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbered {
    /// A place in [`Repository::pulls`].
    Pull(usize),
    /// A place in [`Repository::issues`].
    Issue(usize),
}

/// A repository with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// GitHub's number; it never changes.
    pub database_id: u64,
    /// The organisation's login.
    pub owner: String,
    /// What it is called today.
    pub name: String,
    /// What it was called before, as `owner/name`.
    pub previous_names: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its settings last changed.
    pub updated_at: Timestamp,
    /// When somebody last pushed; `None` if nobody did.
    pub pushed_at: Option<Timestamp>,
    /// When it was archived, if it is.
    pub archived_at: Option<Timestamp>,
    /// Whether it is a fork of somebody else's.
    pub fork: bool,
    /// Whether only the organisation sees it.
    pub private: bool,
    /// Whether it was deleted, or the token lost it: GitHub answers as if it had never been.
    pub deleted: bool,
    /// The name of its default branch.
    pub default_branch: String,
    /// Its commits, parents before children.
    pub commits: Vec<Commit>,
    /// Its branches and the places of their newest commits.
    pub branches: BTreeMap<String, usize>,
    /// Its tags by name.
    pub tags: BTreeMap<String, Tag>,
    /// Its pull requests, oldest first.
    pub pulls: Vec<PullRequest>,
    /// Its issues, oldest first.
    pub issues: Vec<Issue>,
    /// Its deployments, oldest first.
    pub deployments: Vec<Deployment>,
    /// Its releases, oldest first.
    pub releases: Vec<Release>,
    /// Its workflows, oldest first.
    pub workflows: Vec<Workflow>,
    /// Its files on the default branch by path.
    pub files: BTreeMap<String, String>,
    /// Its topics.
    pub topics: Vec<String>,
    pub(super) numbers: Vec<Numbered>,
    pub(super) places: HashMap<CommitId, usize>,
}

impl Repository {
    /// `owner/name`.
    pub fn name_with_owner(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// What stands behind this number.
    pub fn numbered(&self, number: u64) -> Option<Numbered> {
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        self.numbers.get(place).copied()
    }

    /// The pull request of this number.
    pub fn pull(&self, number: u64) -> Option<&PullRequest> {
        match self.numbered(number)? {
            Numbered::Pull(place) => self.pulls.get(place),
            Numbered::Issue(_) => None,
        }
    }

    /// The issue of this number.
    pub fn issue(&self, number: u64) -> Option<&Issue> {
        match self.numbered(number)? {
            Numbered::Issue(place) => self.issues.get(place),
            Numbered::Pull(_) => None,
        }
    }

    pub(super) fn pushed(&mut self, at: Timestamp) {
        self.pushed_at = self.pushed_at.max(Some(at));
    }

    /// Takes the next number for what is about to be added.
    pub(super) fn take_number(&mut self, numbered: Numbered) -> u64 {
        self.numbers.push(numbered);
        self.numbers.len() as u64
    }
}

impl World {
    /// Creates an empty repository, `owner/name`, with the default branch `main`.
    pub fn repository(&mut self, name_with_owner: &str, at: Timestamp) -> RepositoryKey {
        let (owner, name) = name_with_owner.split_once('/').unwrap_or(("acme", name_with_owner));
        let database_id = self.next_database_id();
        self.repositories.push(Repository {
            database_id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            previous_names: Vec::new(),
            created_at: at,
            updated_at: at,
            pushed_at: None,
            archived_at: None,
            fork: false,
            private: true,
            deleted: false,
            default_branch: "main".to_owned(),
            commits: Vec::new(),
            branches: BTreeMap::new(),
            tags: BTreeMap::new(),
            pulls: Vec::new(),
            issues: Vec::new(),
            deployments: Vec::new(),
            releases: Vec::new(),
            workflows: Vec::new(),
            files: BTreeMap::new(),
            topics: Vec::new(),
            numbers: Vec::new(),
            places: HashMap::new(),
        });
        self.advance(at);
        RepositoryKey(self.repositories.len() - 1)
    }

    /// The repository of this key.
    #[expect(
        clippy::indexing_slicing,
        reason = "a key is the place of a repository of this world, and none is ever removed"
    )]
    pub fn at(&self, key: RepositoryKey) -> &Repository {
        &self.repositories[key.0]
    }

    /// The repository of this key, to be changed.
    #[expect(
        clippy::indexing_slicing,
        reason = "a key is the place of a repository of this world, and none is ever removed"
    )]
    pub fn at_mut(&mut self, key: RepositoryKey) -> &mut Repository {
        &mut self.repositories[key.0]
    }

    /// The newest commit of the default branch.
    pub fn head(&self, key: RepositoryKey) -> Option<CommitId> {
        self.at(key).head().map(|commit| commit.id)
    }

    /// Pushes one commit straight to the default branch; the first one creates the branch.
    pub fn push(
        &mut self,
        key: RepositoryKey,
        author: &str,
        message: &str,
        authored_at: Timestamp,
        at: Timestamp,
    ) -> CommitId {
        self.advance(at);
        let repository = self.at_mut(key);
        let branch = repository.default_branch.clone();
        let place = repository.commit(Draft {
            parents: repository.branches.get(&branch).copied().into_iter().collect(),
            authored_at,
            committed_at: at,
            message: message.to_owned(),
            author: Account::from(author),
            pulls: Vec::new(),
            brings: Vec::new(),
        });
        repository.branches.insert(branch, place);
        repository.pushed(at);
        repository.commits.last().map_or(CommitId::new([0; 20]), |commit| commit.id)
    }

    /// Creates or moves a branch without looking back; what nothing holds any more is gone.
    pub fn force_push(&mut self, key: RepositoryKey, branch: &str, to: CommitId, at: Timestamp) {
        self.advance(at);
        let repository = self.at_mut(key);
        let Some(place) = repository.place(to) else { return };
        if let Some(old_head) = repository.branches.insert(branch.to_owned(), place) {
            repository.collect_garbage(old_head);
        }
        repository.pushed(at);
    }

    /// Gives a repository another name, `owner/name`; the old one is still followed.
    pub fn rename(&mut self, key: RepositoryKey, name_with_owner: &str, at: Timestamp) {
        self.advance(at);
        let repository = self.at_mut(key);
        let Some((owner, name)) = name_with_owner.split_once('/') else {
            return;
        };
        repository.previous_names.push(repository.name_with_owner());
        owner.clone_into(&mut repository.owner);
        name.clone_into(&mut repository.name);
        repository.updated_at = repository.updated_at.max(at);
    }

    /// Archives a repository: readable, and nothing happens to it any more.
    pub fn archive(&mut self, key: RepositoryKey, at: Timestamp) {
        self.advance(at);
        let repository = self.at_mut(key);
        repository.archived_at = Some(at);
        repository.updated_at = repository.updated_at.max(at);
    }

    /// Deletes a repository, or takes the token's access to it away.
    pub fn delete_repository(&mut self, key: RepositoryKey, at: Timestamp) {
        self.advance(at);
        self.at_mut(key).deleted = true;
    }

    /// Gives access back, with everything that was there.
    pub fn restore_repository(&mut self, key: RepositoryKey, at: Timestamp) {
        self.advance(at);
        self.at_mut(key).deleted = false;
    }

    /// Writes a file on the default branch (its content alone; no commit is told).
    pub fn file(&mut self, key: RepositoryKey, path: &str, text: &str) {
        self.at_mut(key).files.insert(path.to_owned(), text.to_owned());
    }
}
