//! Tags into attempts: when they were tagged, else when their commit was committed (`definitions.md` 2.2).

use crate::model::fact::{Attempt, Corrections, Origin, Outcome};
use crate::model::name::{CommitId, Environment, ExternalId, RepositoryId};
use crate::model::time::Timestamp;

use super::releases::{ENVIRONMENT, Read, pending};
use super::wire::{CommitNodeWire, TagWire, TaggerWire, TargetWire};

/// Tags of tags are followed so far: as deep as `tag_pages.graphql` asks.
const DEPTH_MAX: u32 = 3;

/// What the list is ordered by: the date of the commit.
pub(super) fn committed_at(wire: &TagWire) -> Option<Timestamp> {
    let mut target = wire.target.as_ref();
    for _ in 0..DEPTH_MAX {
        let here = target?;
        if let Some(date) = &here.committed_date {
            return Timestamp::parse(date);
        }
        target = here.target.as_deref();
    }
    None
}

/// Reads a tag: nothing if it is one of a tree or a file, malformed if it is one of tags without end.
pub(super) fn tag(wire: TagWire, repository: &RepositoryId, read_at: Timestamp) -> Read {
    let TagWire { name, target } = wire;
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Read::Malformed;
    };
    let mut target = target;
    let mut tagged_at = None;
    for _ in 0..DEPTH_MAX {
        let Some(TargetWire { kind, id, oid, committed_date, tagger, target: next }) = target else {
            return Read::Malformed;
        };
        match kind.as_deref() {
            Some("Commit") => {
                let commit = CommitNodeWire { id, oid, committed_date };
                return attempt(name, commit, tagged_at, repository, read_at).unwrap_or(Read::Malformed);
            }
            Some("Tag") => {
                let TaggerWire { date } = tagger.unwrap_or_default();
                tagged_at = tagged_at.or(date.as_deref().and_then(Timestamp::parse));
                target = next.map(|next| *next);
            }
            Some(_) => return Read::Nothing,
            None => return Read::Malformed,
        }
    }
    Read::Malformed
}

fn attempt(
    name: String,
    wire: CommitNodeWire,
    tagged_at: Option<Timestamp>,
    repository: &RepositoryId,
    read_at: Timestamp,
) -> Option<Read> {
    let commit = CommitId::parse(wire.oid.as_deref()?)?;
    let committed_at = wire.committed_date.as_deref().and_then(Timestamp::parse);
    let mut corrections = Corrections::NONE;
    let at = corrections.not_after(tagged_at.or(committed_at)?, read_at);
    let attempt = Attempt {
        repository: repository.clone(),
        id: ExternalId::new(format!("tag:{name}")),
        origin: Origin::Tag { name },
        commit,
        environment: Environment::new(ENVIRONMENT),
        created_at: at,
        finished: Some((Outcome::Success, at)),
        url: None,
        corrections,
    };
    Some(Read::Attempt(Box::new(attempt), pending(wire, commit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::SourceName;
    use serde_json::{Value, json};

    const SHA: &str = "1111111111111111111111111111111111111111";
    const COMMITTED: &str = "2026-11-20T10:00:00Z";

    fn commit() -> Value {
        json!({ "__typename": "Commit", "id": "C_1", "oid": SHA, "committedDate": COMMITTED })
    }

    fn annotated(date: impl Into<Value>, target: impl Into<Value>) -> Value {
        json!({ "__typename": "Tag", "id": "T", "oid": "2", "tagger": { "date": date.into() }, "target": target.into() })
    }

    fn wire(target: &Value) -> TagWire {
        serde_json::from_value(json!({ "name": "v1", "new": 1, "target": target })).unwrap()
    }

    fn read(target: &Value) -> Read {
        let repository = RepositoryId { source: SourceName::from("acme"), number: 1 };
        tag(wire(target), &repository, Timestamp::parse("2026-11-22T12:00:00Z").unwrap())
    }

    #[test]
    fn a_tag_is_as_old_as_its_annotation_else_as_its_commit() {
        let tagged = "2026-11-21T10:00:00Z";
        for (target, expected) in [
            (commit(), COMMITTED),
            (annotated(json!(tagged), commit()), tagged),
            (annotated(Value::Null, commit()), COMMITTED),
            (annotated(json!("some day"), commit()), COMMITTED),
            (annotated(json!(tagged), annotated(json!("2026-11-20T11:00:00Z"), commit())), tagged),
            (annotated(Value::Null, annotated(json!(tagged), commit())), tagged),
            (annotated(json!("2027-01-01T00:00:00Z"), commit()), "2026-11-22T12:00:00Z"),
        ] {
            let Read::Attempt(attempt, Some((pending, _))) = read(&target) else { panic!("{target}") };
            let expected = Timestamp::parse(expected).unwrap();
            assert_eq!(attempt.finished, Some((Outcome::Success, expected)), "{target}");
            assert_eq!(attempt.created_at, expected);
            assert_eq!((attempt.id.as_str(), pending.node.as_str()), ("tag:v1", "C_1"));
            assert_eq!(attempt.commit.to_string(), SHA);
            assert_eq!(committed_at(&wire(&target)), Timestamp::parse(COMMITTED), "by which they are listed");
        }
    }

    #[test]
    fn what_is_no_commit_is_no_attempt() {
        let tree = json!({ "__typename": "Tree", "oid": SHA });
        let deep = annotated(Value::Null, annotated(Value::Null, annotated(Value::Null, commit())));
        for (target, expected) in [
            (tree.clone(), Read::Nothing),
            (annotated(json!(COMMITTED), tree), Read::Nothing),
            (json!({ "__typename": "Blob" }), Read::Nothing),
            (json!({ "__typename": "BrandNew" }), Read::Nothing),
            (json!({ "__typename": null }), Read::Malformed),
            (Value::Null, Read::Malformed),
            (annotated(Value::Null, Value::Null), Read::Malformed),
            (json!({ "__typename": "Commit", "oid": "short", "committedDate": COMMITTED }), Read::Malformed),
            (json!({ "__typename": "Commit", "oid": SHA, "committedDate": null }), Read::Malformed),
            (deep, Read::Malformed),
        ] {
            assert_eq!(read(&target), expected, "{target}");
        }
    }
}
