//! Which change a revert reverts, and which changes are hotfixes (`definitions.md` 3.3).

use std::cell::OnceCell;
use std::collections::HashMap;

use crate::engine::change::{Changes, Commits, Landed, Unplanned};
use crate::model::fact::{Change, RevertOf};
use crate::model::name::{CommitId, CommitPrefix};
use crate::model::settings::MetricSettings;
use crate::model::time::Timestamp;

/// How a commit belongs to a change; where one belongs to several, the first of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Belonging {
    Landing,
    Own,
    Rewritten,
}

/// A commit of a change: how it belongs to it, when that was merged, and which it is.
type Belongs = (CommitId, Belonging, Timestamp, usize);

/// Finds changes by what people call them in a revert.
#[derive(Debug)]
pub struct Reverts<'f, 'c> {
    changes: &'c Changes<'f>,
    commits: &'c Commits<'f>,
    by_number: HashMap<u64, usize>,
    /// Only built if some change names a commit: there are many.
    by_commit: OnceCell<Vec<Belongs>>,
    by_title: HashMap<&'f str, Vec<(Timestamp, usize)>>,
}

impl<'f, 'c> Reverts<'f, 'c> {
    /// Over all changes of a repository.
    pub fn new(changes: &'c Changes<'f>, commits: &'c Commits<'f>) -> Self {
        let mut by_number = HashMap::new();
        let mut by_title: HashMap<_, Vec<_>> = HashMap::new();
        for (index, landed) in changes.landed.iter().enumerate() {
            let merged_at = landed.merged_at();
            if let Landed::PullRequest(pull) = landed {
                by_number.insert(pull.number, index);
                by_title.entry(pull.title.as_str()).or_default().push((merged_at, index));
            }
        }
        for titled in by_title.values_mut() {
            titled.sort_unstable();
        }
        Self { changes, commits, by_number, by_commit: OnceCell::new(), by_title }
    }

    /// Why a change is unplanned: because it reverts something, because it is a hotfix, both or neither.
    pub fn unplanned(&self, index: usize, settings: &MetricSettings) -> Vec<Unplanned> {
        let Some(landed) = self.changes.landed.get(index) else {
            return Vec::new();
        };
        let hotfix = match landed {
            Landed::PullRequest(pull) if is_hotfix(pull, settings) => Some(Unplanned::Hotfix),
            Landed::PullRequest(_) | Landed::Push(_) => None,
        };
        let revert = self.reverted_by(index, landed);
        revert.into_iter().chain(hotfix).collect()
    }

    /// What a change reverts, if it is a revert. What it undoes of its own is none.
    fn reverted_by(&self, index: usize, landed: &Landed<'f>) -> Option<Unplanned> {
        let mut references = self.references(landed);
        references.sort_by_key(|reference| reference.rule());
        let mut is_revert = false;
        for reference in references {
            match self.resolve(reference, landed.merged_at()) {
                Some(itself) if itself == index => {}
                Some(other) => {
                    return Some(Unplanned::Revert(self.changes.landed.get(other).map(Landed::name)));
                }
                None => is_revert = true,
            }
        }
        is_revert.then_some(Unplanned::Revert(None))
    }

    /// What the pull request says, then its landing commit, then its own commits. Of commits only what they say of
    /// other commits: the title that counts is the pull request's.
    fn references(&self, landed: &Landed<'f>) -> Vec<&'f RevertOf> {
        match landed {
            Landed::Push(commit) => commit.reverts.iter().collect(),
            Landed::PullRequest(pull) => {
                let own = pull.own_commits.iter().map(|own| own.id);
                let said = pull.landing.into_iter().chain(own);
                let by_commits = said.filter_map(|id| self.commits.get(id));
                let by_commits = by_commits.flat_map(|commit| &commit.reverts);
                let by_commits = by_commits.filter(|reference| reference.names_commit());
                pull.reverts.iter().chain(by_commits).collect()
            }
        }
    }

    fn resolve(&self, reference: &RevertOf, merged_at: Timestamp) -> Option<usize> {
        match reference {
            RevertOf::PullRequest(number) | RevertOf::Branch(number) => self.by_number.get(number).copied(),
            RevertOf::Commit(prefix) => self.belongs_to(prefix),
            RevertOf::Title(title) => {
                let titled = self.by_title.get(title.as_str())?;
                let earlier = titled.partition_point(|(at, _)| *at < merged_at);
                titled.get(earlier.checked_sub(1)?).map(|(_, index)| *index)
            }
        }
    }

    /// The change of the one commit that begins like `prefix`; a beginning that several have names none.
    fn belongs_to(&self, prefix: &CommitPrefix) -> Option<usize> {
        let (low, high) = prefix.bounds();
        let by_commit = self.by_commit.get_or_init(|| belongings(self.changes));
        let from = by_commit.partition_point(|(id, ..)| *id < low);
        let to = by_commit.partition_point(|(id, ..)| *id <= high);
        let named = by_commit.get(from..to)?;
        let (id, _, _, index) = named.first()?;
        (named.last()?.0 == *id).then_some(*index)
    }
}

/// All commits that belong to changes, sorted.
fn belongings(changes: &Changes<'_>) -> Vec<Belongs> {
    let mut found = Vec::new();
    for (index, landed) in changes.landed.iter().enumerate() {
        let merged_at = landed.merged_at();
        let landing = landed.landing();
        found.extend(landing.map(|id| (id, Belonging::Landing, merged_at, index)));
        if let Landed::PullRequest(pull) = landed {
            let own = pull.own_commits.iter();
            found.extend(own.map(|own| (own.id, Belonging::Own, merged_at, index)));
        }
    }
    let rewritten = changes.rewritten.iter();
    found.extend(rewritten.filter_map(|(id, index)| {
        let merged_at = changes.landed.get(*index)?.merged_at();
        Some((*id, Belonging::Rewritten, merged_at, *index))
    }));
    found.sort_unstable();
    found
}

fn is_hotfix(pull: &Change, settings: &MetricSettings) -> bool {
    settings.hotfix_branch.is_match(&pull.head)
        || pull.labels.iter().any(|label| settings.hotfix_label.is_match(label))
}
