//! Releases and tags, and what happens to them.

use super::World;
use super::account::Account;
use super::repository::{Repository, RepositoryKey};
use crate::model::name::CommitId;
use crate::model::time::Timestamp;

/// Who tags and releases.
const RELEASER: &str = "rhea";

/// A tag: lightweight if no tag object stands between its name and the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The place of the commit.
    pub commit: usize,
    /// The tag objects from the name down to the commit; two and more are tags of tags.
    pub objects: Vec<TagObject>,
}

/// What an annotated tag adds to a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagObject {
    /// The name it was made with; it stays when the tag is pushed under another name.
    pub name: String,
    /// Who made it.
    pub tagger: Account,
    /// When, by that one's clock.
    pub at: Timestamp,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// GitHub's number.
    pub database_id: u64,
    /// Its tag; a draft's tag need not exist.
    pub tag: String,
    /// Whether it is a draft: nobody sees it but those who may push.
    pub draft: bool,
    /// Whether it is a preview.
    pub prerelease: bool,
    /// The commit that it will tag when it is published.
    pub target: CommitId,
    /// The date of its commit, as GitHub has it.
    pub created_at: Timestamp,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who made it.
    pub author: Account,
}

/// A release of a repository. Good until it is deleted: then stories about it tell nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseKey {
    /// The repository.
    pub repository: RepositoryKey,
    /// GitHub's number of the release.
    pub database_id: u64,
}

impl World {
    /// Tags a commit, annotated if there is a date for the tag object.
    pub fn tag(&mut self, key: RepositoryKey, name: &str, commit: CommitId, annotated_at: Option<Timestamp>) {
        let repository = self.at_mut(key);
        if let Some(commit) = repository.place(commit) {
            let objects = annotated_at.map(|at| tag_object(name, at)).into_iter().collect();
            repository.tags.insert(name.to_owned(), Tag { commit, objects });
        }
    }

    /// Pushes a tag. One of this name is moved, which wants force.
    pub fn push_tag(
        &mut self,
        key: RepositoryKey,
        name: &str,
        commit: CommitId,
        annotated: bool,
        at: Timestamp,
    ) {
        self.advance(at);
        self.tag(key, name, commit, annotated.then_some(at));
        self.at_mut(key).pushed(at);
    }

    /// Pushes an annotated tag of what another annotated tag points at: a tag of a tag.
    pub fn tag_a_tag(&mut self, key: RepositoryKey, name: &str, of: &str, at: Timestamp) {
        self.advance(at);
        let repository = self.at_mut(key);
        if let Some(mut tag) = repository.tags.get(of).cloned() {
            tag.objects.insert(0, tag_object(name, at));
            repository.tags.insert(name.to_owned(), tag);
            repository.pushed(at);
        }
    }

    /// Deletes a tag. A release of it stays, as GitHub keeps it.
    pub fn delete_tag(&mut self, key: RepositoryKey, name: &str, at: Timestamp) {
        self.advance(at);
        let repository = self.at_mut(key);
        if repository.tags.remove(name).is_some() {
            repository.pushed(at);
        }
    }

    /// Publishes a release of a commit, and tags it. A tag with a dash makes it a prerelease.
    pub fn release(&mut self, key: RepositoryKey, tag: &str, commit: CommitId, at: Timestamp) -> ReleaseKey {
        let release = self.draft_release(key, tag, commit, at);
        self.publish_release(release, at);
        release
    }

    /// Drafts a release of a commit, which is not tagged yet.
    pub fn draft_release(
        &mut self,
        key: RepositoryKey,
        tag: &str,
        commit: CommitId,
        at: Timestamp,
    ) -> ReleaseKey {
        self.advance(at);
        let database_id = self.next_database_id();
        let repository = self.at_mut(key);
        let place = repository.place(commit);
        let committed_at = place.and_then(|place| repository.commits.get(place)).map(|it| it.committed_at);
        repository.releases.push(Release {
            database_id,
            tag: tag.to_owned(),
            draft: true,
            prerelease: tag.contains('-'),
            target: commit,
            created_at: committed_at.unwrap_or(at),
            published_at: None,
            updated_at: at,
            author: Account::from(RELEASER),
        });
        ReleaseKey { repository: key, database_id }
    }

    /// Publishes a draft; its commit is tagged unless the tag is there.
    pub fn publish_release(&mut self, key: ReleaseKey, at: Timestamp) {
        let Some((tag, target)) = self.at(key.repository).release(key).map(|it| (it.tag.clone(), it.target))
        else {
            return;
        };
        if !self.at(key.repository).tags.contains_key(&tag) {
            self.push_tag(key.repository, &tag, target, false, at);
        }
        self.edit_release(key, at, |release| {
            release.draft = false;
            release.published_at = Some(at);
        });
    }

    /// Changes a release: its tag, whether it is a preview.
    pub fn edit_release(&mut self, key: ReleaseKey, at: Timestamp, edit: impl FnOnce(&mut Release)) {
        self.advance(at);
        let releases = &mut self.at_mut(key.repository).releases;
        if let Some(release) = releases.iter_mut().find(|it| it.database_id == key.database_id) {
            edit(release);
            release.updated_at = release.updated_at.max(at);
        }
    }

    /// Deletes a release; its tag stays.
    pub fn delete_release(&mut self, key: ReleaseKey, at: Timestamp) {
        self.advance(at);
        self.at_mut(key.repository).releases.retain(|release| release.database_id != key.database_id);
    }
}

impl Repository {
    /// The release of this key, unless it was deleted.
    pub fn release(&self, key: ReleaseKey) -> Option<&Release> {
        self.releases.iter().find(|release| release.database_id == key.database_id)
    }
}

fn tag_object(name: &str, at: Timestamp) -> TagObject {
    TagObject { name: name.to_owned(), tagger: Account::from(RELEASER), at }
}
