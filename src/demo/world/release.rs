//! Releases and tags.

use super::World;
use super::account::Account;
use super::repository::RepositoryKey;
use crate::model::name::CommitId;
use crate::model::time::Timestamp;

/// A tag: annotated if it has a tagger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The place of the commit.
    pub commit: usize,
    /// Who tagged it when, if it is annotated.
    pub tagger: Option<(Account, Timestamp)>,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// GitHub's number.
    pub database_id: u64,
    /// Its tag.
    pub tag: String,
    /// Whether it is a draft: nobody sees it but those who may push.
    pub draft: bool,
    /// Whether it is a preview.
    pub prerelease: bool,
    /// The date of its commit, as GitHub has it.
    pub created_at: Timestamp,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who made it.
    pub author: Account,
}

impl World {
    /// Tags a commit.
    pub fn tag(&mut self, key: RepositoryKey, name: &str, commit: CommitId, annotated_at: Option<Timestamp>) {
        let repository = self.at_mut(key);
        if let Some(commit) = repository.place(commit) {
            let tagger = annotated_at.map(|at| (Account::from("rhea"), at));
            repository.tags.insert(name.to_owned(), Tag { commit, tagger });
        }
    }

    /// Publishes a release of a commit, and tags it.
    pub fn release(&mut self, key: RepositoryKey, tag: &str, commit: CommitId, at: Timestamp) {
        self.advance(at);
        let database_id = self.next_database_id();
        self.tag(key, tag, commit, None);
        let repository = self.at_mut(key);
        let place = repository.place(commit);
        let committed_at = place.and_then(|place| repository.commits.get(place)).map(|it| it.committed_at);
        repository.releases.push(Release {
            database_id,
            tag: tag.to_owned(),
            draft: false,
            prerelease: tag.contains('-'),
            created_at: committed_at.unwrap_or(at),
            published_at: Some(at),
            updated_at: at,
            author: Account::from("rhea"),
        });
    }
}
