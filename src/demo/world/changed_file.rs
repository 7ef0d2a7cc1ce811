//! The files that commits and pull requests change.

use std::collections::BTreeMap;

use super::World;
use super::commit::Commit;
use super::pull::PullRequest;
use super::repository::{Repository, RepositoryKey};
use crate::model::name::CommitId;

/// Lines that one file of an untold change has at most.
const LINES_PER_FILE: u32 = 60;

/// How a file changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content changed.
    Modified,
    /// It had this path before.
    RenamedFrom(String),
}

/// One file of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// Its path, after the change.
    pub path: String,
    /// How it changed.
    pub how: How,
    /// Lines added.
    pub additions: u32,
    /// Lines deleted.
    pub deletions: u32,
}

impl ChangedFile {
    /// A file of which a few lines changed.
    pub fn modified(path: &str) -> Self {
        Self { path: path.to_owned(), how: How::Modified, additions: 2, deletions: 1 }
    }
}

impl World {
    /// Tells which paths a commit changes. What was told before is forgotten.
    pub fn touch(&mut self, key: RepositoryKey, commit: CommitId, paths: &[&str]) {
        self.touch_files(key, commit, paths.iter().map(|path| ChangedFile::modified(path)).collect());
    }

    /// Tells which files a commit changes, and how.
    pub fn touch_files(&mut self, key: RepositoryKey, commit: CommitId, files: Vec<ChangedFile>) {
        let repository = self.at_mut(key);
        let place = repository.place(commit);
        if let Some(commit) = place.and_then(|place| repository.commits.get_mut(place)) {
            commit.files = Some(files);
        }
    }
}

impl Repository {
    /// The files that the commit at this place changes against its first parent, in the order of their paths. Where
    /// nobody told, they follow from its size.
    pub fn changed_files(&self, place: usize) -> Vec<ChangedFile> {
        let Some(commit) = self.commits.get(place) else {
            return Vec::new();
        };
        match &commit.files {
            None if commit.brings.is_empty() => untold(commit),
            None => self.union(&commit.brings),
            Some(told) => merged(told.iter().cloned()),
        }
    }

    /// The files that a pull request changes, in the order of their paths.
    pub fn files_of(&self, pull: &PullRequest) -> Vec<ChangedFile> {
        self.union(&pull.commits)
    }

    fn union(&self, places: &[usize]) -> Vec<ChangedFile> {
        merged(places.iter().flat_map(|place| self.changed_files(*place)))
    }
}

/// One entry for each path: lines are added up, the last word on how it changed counts.
fn merged(files: impl Iterator<Item = ChangedFile>) -> Vec<ChangedFile> {
    let mut by_path: BTreeMap<String, ChangedFile> = BTreeMap::new();
    for file in files {
        match by_path.get_mut(&file.path) {
            Some(known) => {
                known.additions += file.additions;
                known.deletions += file.deletions;
                if known.how == How::Modified {
                    known.how = file.how;
                }
            }
            None => {
                by_path.insert(file.path.clone(), file);
            }
        }
    }
    by_path.into_values().collect()
}

fn untold(commit: &Commit) -> Vec<ChangedFile> {
    let count = 1 + commit.additions / LINES_PER_FILE;
    let name = commit.id.to_string();
    let name = name.get(..6).unwrap_or_default();
    let share = |lines: u32, file: u32| lines / count + u32::from(file < lines % count);
    let file = |file: u32| ChangedFile {
        path: format!("src/{name}/part_{file}.rs"),
        how: How::Modified,
        additions: share(commit.additions, file),
        deletions: share(commit.deletions, file),
    };
    (0..count).map(file).collect()
}
