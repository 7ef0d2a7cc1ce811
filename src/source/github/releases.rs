//! Releases into attempts: published, and of a commit (`definitions.md` 2.2). Which of them count is the owner's
//! business; a draft is none yet.

use crate::model::fact::{Attempt, Corrections, Origin, Outcome, Stage};
use crate::model::name::{CommitId, Environment, ExternalId, RepositoryId};
use crate::model::time::{Span, Timestamp};

use super::progress::Pending;
use super::wire::{CommitNodeWire, ReleaseWire};

/// What has no environments of its own is deployed there.
pub(super) const ENVIRONMENT: &str = "production";
/// A draft, or a release whose tag is not there yet, is waited for so long: what took longer was forgotten by people.
pub(super) const WAITED_FOR: Span = Span::from_days(90);

/// What a record of a release or a tag says.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// It is an attempt, with its commit and the time by which it is known whether that is worth reading.
    Attempt(Box<Attempt>, Option<(Pending, Timestamp)>),
    /// It may become one: to be read again, by this id.
    Waiting(String),
    /// It is none, and nobody waits for it any more.
    Nothing,
    /// It lacks what makes it one.
    Malformed,
}

/// What the list is ordered by: the date of the commit, as long as there is one.
pub(super) fn created_at(wire: &ReleaseWire) -> Option<Timestamp> {
    wire.created_at.as_deref().and_then(Timestamp::parse)
}

/// Reads a release.
pub(super) fn release(wire: ReleaseWire, repository: &RepositoryId, read_at: Timestamp) -> Read {
    let created_at = created_at(&wire);
    let ReleaseWire {
        id,
        database_id,
        tag_name,
        is_draft,
        is_prerelease,
        created_at: _,
        published_at,
        updated_at: _,
        url,
        tag_commit,
    } = wire;
    let Some(node) = id else {
        return Read::Malformed;
    };
    let published_at = published_at.as_deref().and_then(Timestamp::parse).filter(|_| is_draft != Some(true));
    let commit = tag_commit.as_ref().and_then(|commit| CommitId::parse(commit.oid.as_deref()?));
    let (Some(published_at), Some(commit)) = (published_at, commit) else {
        let since = published_at.or(created_at);
        let waited = since.map(|since| read_at.since(since));
        return if waited.is_none_or(|waited| waited > WAITED_FOR) {
            Read::Nothing
        } else {
            Read::Waiting(node)
        };
    };
    let Some(tag) = tag_name else {
        return Read::Malformed;
    };
    let number = database_id.map_or_else(|| node.clone(), |number| number.to_string());
    let mut corrections = Corrections::NONE;
    let at = corrections.not_after(published_at, read_at);
    let stage = if is_prerelease == Some(true) { Stage::Prerelease } else { Stage::Final };
    let attempt = Attempt {
        repository: repository.clone(),
        id: ExternalId::new(format!("release:{number}")),
        origin: Origin::Release { tag, stage },
        commit,
        environment: Environment::new(ENVIRONMENT),
        created_at: at,
        finished: Some((Outcome::Success, at)),
        url,
        corrections,
    };
    Read::Attempt(Box::new(attempt), tag_commit.and_then(|wire| pending(wire, commit)))
}

/// A commit that may have to be read.
pub(super) fn pending(wire: CommitNodeWire, commit: CommitId) -> Option<(Pending, Timestamp)> {
    let CommitNodeWire { id, oid: _, committed_date } = wire;
    let pending = Pending { node: id?, oid: commit.to_string() };
    Some((pending, Timestamp::parse(&committed_date?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::SourceName;
    use serde_json::{Value, json};

    const SHA: &str = "1111111111111111111111111111111111111111";

    fn full() -> Value {
        json!({
            "id": "RE_1", "databaseId": 9, "tagName": "v1.2", "isDraft": false, "isPrerelease": false,
            "createdAt": "2026-11-01T10:00:00Z", "publishedAt": "2026-11-22T10:00:00Z", "brandNew": 1,
            "url": "https://github.example/acme/shop/releases/tag/v1.2",
            "tagCommit": { "id": "C_1", "oid": SHA, "committedDate": "2026-11-01T10:00:00Z" },
        })
    }

    fn read(wire: Value) -> Read {
        let repository = RepositoryId { source: SourceName::from("acme"), number: 1 };
        let read_at = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        release(serde_json::from_value(wire).unwrap(), &repository, read_at)
    }

    fn with(field: &str, value: Value) -> Read {
        let mut wire = full();
        wire[field] = value;
        read(wire)
    }

    fn attempt(read: Read) -> Attempt {
        match read {
            Read::Attempt(attempt, _) => *attempt,
            Read::Waiting(_) | Read::Nothing | Read::Malformed => panic!("{read:?}"),
        }
    }

    #[test]
    fn a_published_release_is_a_success_when_it_was_published() {
        let Read::Attempt(attempt, Some((pending, _))) = read(full()) else { panic!("no attempt") };
        let published = Timestamp::parse("2026-11-22T10:00:00Z").unwrap();
        assert_eq!((attempt.id.as_str(), attempt.commit.to_string().as_str()), ("release:9", SHA));
        assert_eq!(attempt.finished, Some((Outcome::Success, published)));
        assert_eq!(attempt.created_at, published);
        assert_eq!(attempt.origin, Origin::Release { tag: "v1.2".to_owned(), stage: Stage::Final });
        assert_eq!(pending, Pending { node: "C_1".to_owned(), oid: SHA.to_owned() });
    }

    #[test]
    fn a_preview_is_kept_as_one_and_the_future_is_now() {
        let preview = attempt(with("isPrerelease", json!(true)));
        assert_eq!(preview.origin, Origin::Release { tag: "v1.2".to_owned(), stage: Stage::Prerelease });
        let early = attempt(with("publishedAt", json!("2026-11-23T00:00:00Z")));
        assert_eq!(early.created_at, Timestamp::parse("2026-11-22T12:00:00Z").unwrap());
        assert!(early.corrections.contains(Corrections::FUTURE));
    }

    #[test]
    fn drafts_and_releases_without_a_commit_are_waited_for_and_not_for_ever() {
        let waiting = Read::Waiting("RE_1".to_owned());
        for (field, value) in [
            ("isDraft", json!(true)),
            ("publishedAt", Value::Null),
            ("publishedAt", json!("some day")),
            ("tagCommit", Value::Null),
            ("tagCommit", json!({ "oid": "short" })),
        ] {
            assert_eq!(with(field, value.clone()), waiting, "{field} {value}");
        }
        let mut old = full();
        (old["isDraft"], old["createdAt"]) = (json!(true), json!("2026-08-01T00:00:00Z"));
        assert_eq!(read(old.clone()), Read::Nothing);
        old["createdAt"] = Value::Null;
        assert_eq!(read(old), Read::Nothing);
    }

    #[test]
    fn whatever_is_null_spoils_at_most_its_own_release() {
        for field in full().as_object().unwrap().keys() {
            let read = with(field, Value::Null);
            let expected = match field.as_str() {
                "id" | "tagName" => read == Read::Malformed,
                "publishedAt" | "tagCommit" => matches!(read, Read::Waiting(_)),
                _ => matches!(read, Read::Attempt(..)),
            };
            assert!(expected, "{field}: {read:?}");
        }
        let mut lost = full();
        lost["tagCommit"] = json!({ "oid": SHA });
        assert!(matches!(read(lost), Read::Attempt(_, None)));
    }
}
