//! Commits, and walks over their graph.

use std::collections::{BTreeSet, BinaryHeap};

use super::account::Account;
use super::changed_file::ChangedFile;
use super::repository::Repository;
use crate::demo::random::Random;
use crate::model::name::CommitId;
use crate::model::time::Timestamp;

/// A commit of a repository. Parents are places in [`Repository::commits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its SHA-1.
    pub id: CommitId,
    /// Its parents, the first one first.
    pub parents: Vec<usize>,
    /// When it was written, by its author's clock.
    pub authored_at: Timestamp,
    /// When it was committed: rewritten by a rebase.
    pub committed_at: Timestamp,
    /// Its message.
    pub message: String,
    /// Who wrote it.
    pub author: Account,
    /// The numbers of the pull requests that it belongs to.
    pub pulls: Vec<u64>,
    /// Lines added.
    pub additions: u32,
    /// Lines deleted.
    pub deletions: u32,
    /// The files it changes, where somebody told; see [`Repository::changed_files`].
    pub files: Option<Vec<ChangedFile>>,
    /// The places of a pull request's own commits that it brings to the base: their files are its files.
    pub brings: Vec<usize>,
    /// No branch holds it any more and it was collected: GitHub answers null for it.
    pub gone: bool,
}

/// What a new commit says; the rest follows from where it is put.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) parents: Vec<usize>,
    pub(super) authored_at: Timestamp,
    pub(super) committed_at: Timestamp,
    pub(super) message: String,
    pub(super) author: Account,
    pub(super) pulls: Vec<u64>,
    pub(super) brings: Vec<usize>,
}

impl Repository {
    /// Adds a commit and returns its place.
    pub(super) fn commit(&mut self, draft: Draft) -> usize {
        let place = self.commits.len();
        let mut random =
            Random::new(self.database_id.wrapping_mul(1_000_003) ^ (place as u64).rotate_left(32));
        let mut bytes = [0; 20];
        for chunk in bytes.chunks_mut(8) {
            for (byte, drawn) in chunk.iter_mut().zip(random.bits().to_be_bytes()) {
                *byte = drawn;
            }
        }
        let id = CommitId::new(bytes);
        let additions = 1 + random.below(240);
        let deletions = random.below(90);
        self.places.insert(id, place);
        self.commits.push(Commit {
            id,
            parents: draft.parents,
            authored_at: draft.authored_at,
            committed_at: draft.committed_at,
            message: draft.message,
            author: draft.author,
            pulls: draft.pulls,
            additions,
            deletions,
            files: None,
            brings: draft.brings,
            gone: false,
        });
        place
    }

    /// The place of a commit, unless it is gone.
    pub fn place(&self, id: CommitId) -> Option<usize> {
        let place = *self.places.get(&id)?;
        self.commits.get(place).filter(|commit| !commit.gone)?;
        Some(place)
    }

    /// The newest commit of the default branch.
    pub fn head(&self) -> Option<&Commit> {
        self.commits.get(*self.branches.get(&self.default_branch)?)
    }

    /// The newest commit of the first-parent line from `place` that was committed by this instant; else the oldest.
    pub(super) fn tip_at(&self, mut place: usize, at: Timestamp) -> usize {
        while let Some(commit) = self.commits.get(place) {
            match commit.parents.first() {
                Some(parent) if commit.committed_at > at => place = *parent,
                _ => break,
            }
        }
        place
    }

    /// All commits reachable from `place`, in the order of `git log`: newest committed first, children first.
    pub fn history(&self, place: usize) -> Vec<usize> {
        let mut seen = vec![false; self.commits.len()];
        let mut queue = BinaryHeap::new();
        if let Some(commit) = self.commits.get(place) {
            queue.push((commit.committed_at, place));
        }
        let mut walk = Vec::new();
        while let Some((_, place)) = queue.pop() {
            walk.push(place);
            for parent in self.commits.get(place).map_or(&[][..], |commit| &commit.parents) {
                if let (Some(commit), Some(seen @ false)) = (self.commits.get(*parent), seen.get_mut(*parent))
                {
                    *seen = true;
                    queue.push((commit.committed_at, *parent));
                }
            }
        }
        walk
    }

    /// Marks what only `old_head` held as gone.
    pub(super) fn collect_garbage(&mut self, old_head: usize) {
        let mut held = BTreeSet::new();
        for head in self.branches.values() {
            held.extend(self.history(*head));
        }
        for place in self.history(old_head) {
            if !held.contains(&place)
                && let Some(commit) = self.commits.get_mut(place)
            {
                commit.gone = true;
            }
        }
    }
}
