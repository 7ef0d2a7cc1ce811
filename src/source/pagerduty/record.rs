//! An incident as PagerDuty writes it, read into ours. Pure, and forgiving: what is missing or of another type is
//! left out, and only a record without an identity or a beginning is none.
//!
//! `/incidents` knows no start of the impact, so an incident starts when it was created. Acknowledgements are gone
//! once it is resolved, and so is ours: what depends on the day it was read is no fact.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::model::fact::{Corrections, Exclusion, Incident, Subject};
use crate::model::name::{ExternalId, ServiceId, Severity, SourceName};
use crate::model::text;
use crate::model::time::Timestamp;

/// PagerDuty's ids have 7 to 14 characters.
const ID_BYTES_MAX: usize = 64;
/// PagerDuty's own limit of a title.
const TITLE_CHARS_MAX: usize = 1_024;
/// A name beyond that is none that anybody could show.
const NAME_CHARS_MAX: usize = 100;
/// The one type of `resolve_reason` that is documented.
const MERGED: &str = "merge_resolve_reason";

/// Why a record is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("an incident without an id")]
    Id,
    #[error("incident {0} without a date of creation")]
    CreatedAt(String),
    #[error("incident {0} is resolved, but has no date of it")]
    ResolvedAt(String),
}

#[derive(Debug, Deserialize)]
struct Record {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    body: Option<Body>,
    #[serde(default, deserialize_with = "lenient")]
    html_url: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    created_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_status_change_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    resolved_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    acknowledgements: Option<Vec<Acknowledgement>>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    resolve_reason: Option<ResolveReason>,
    #[serde(default, deserialize_with = "lenient")]
    urgency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    priority: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    service: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    teams: Option<Vec<Reference>>,
}

#[derive(Debug, Deserialize)]
struct Reference {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    summary: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Acknowledgement {
    #[serde(default, deserialize_with = "lenient")]
    at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ResolveReason {
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Body {
    #[serde(default, deserialize_with = "lenient")]
    details: Option<String>,
}

/// What is of another type than documented is as if it were not there.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Value::deserialize(deserializer).map(|value| serde_json::from_value(value).ok())
}

/// What the status says.
enum Status {
    Open,
    Resolved,
    Unknown,
}

impl Status {
    fn parse(text: Option<&str>) -> Self {
        match text {
            Some("triggered" | "acknowledged") => Self::Open,
            Some("resolved") => Self::Resolved,
            Some(_) | None => Self::Unknown,
        }
    }
}

/// Reads a record of `source`, as it was at `read_at`.
pub(super) fn incident(
    source: &SourceName,
    record: Value,
    read_at: Timestamp,
) -> Result<Incident, Unreadable> {
    let Record {
        id,
        title,
        description,
        body,
        html_url,
        created_at,
        last_status_change_at,
        resolved_at,
        acknowledgements,
        status,
        resolve_reason,
        urgency,
        priority,
        service,
        teams,
    } = serde_json::from_value(record).map_err(|_| Unreadable::Id)?;
    let id = id.filter(|id| is_id(id)).ok_or(Unreadable::Id)?;
    let mut corrections = Corrections::NONE;
    let mut instant = |text: Option<String>| {
        text.and_then(|text| Timestamp::parse(&text)).map(|at| corrections.not_after(at, read_at))
    };
    let started_at = instant(created_at).ok_or_else(|| Unreadable::CreatedAt(id.clone()))?;
    let acknowledged = acknowledgements.unwrap_or_default();
    let acknowledged_at = acknowledged.into_iter().filter_map(|Acknowledgement { at }| instant(at)).min();
    let status = Status::parse(status.as_deref());
    let resolved_at = match status {
        Status::Open => None,
        Status::Unknown => instant(resolved_at),
        Status::Resolved => Some(
            instant(resolved_at)
                .or_else(|| instant(last_status_change_at))
                .ok_or_else(|| Unreadable::ResolvedAt(id.clone()))?,
        ),
    };
    let excluded = match status {
        Status::Resolved => resolve_reason
            .filter(|ResolveReason { kind }| kind.as_deref() == Some(MERGED))
            .map(|_| Exclusion::Merged),
        Status::Open | Status::Unknown => None,
    };
    if matches!(status, Status::Unknown) {
        corrections = corrections.and(Corrections::UNKNOWN_VALUE);
    }
    let title = title.unwrap_or_default();
    let details = body.and_then(|Body { details }| details);
    let said = [Some(title.as_str()), description.as_deref(), details.as_deref()];
    let said = said.into_iter().flatten().collect::<Vec<_>>().join("\n");
    Ok(Incident {
        source: source.clone(),
        id: ExternalId::new(id),
        title: title.chars().take(TITLE_CHARS_MAX).collect(),
        url: html_url.filter(|url| url.starts_with("https://") || url.starts_with("http://")),
        started_at,
        acknowledged_at,
        resolved_at,
        severity: priority
            .and_then(Reference::called)
            .map_or_else(Severity::none, |name| Severity::new(name.to_lowercase())),
        urgency: urgency.map(|urgency| urgency.to_lowercase()),
        subjects: subjects(service, teams.unwrap_or_default()),
        references: text::references(&said),
        verdict: text::verdict(&said),
        excluded,
        corrections,
    })
}

/// Whether it can be an id: it becomes part of a path.
fn is_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The service, then the teams.
fn subjects(service: Option<Reference>, teams: Vec<Reference>) -> Vec<Subject> {
    let service = service.and_then(|service| {
        let id = service.id.clone()?;
        let name = service.called().unwrap_or_else(|| id.clone());
        Some(Subject::Service(ServiceId::new(id), name))
    });
    let teams = teams.into_iter().filter_map(Reference::called).map(Subject::Team);
    service.into_iter().chain(teams).collect()
}

impl Reference {
    /// What it is called; references have a summary, whole records a name as well.
    fn called(self) -> Option<String> {
        let Self { id: _, summary, name } = self;
        let called = summary.or(name)?;
        let called = called.trim();
        (!called.is_empty()).then(|| called.chars().take(NAME_CHARS_MAX).collect())
    }
}

#[cfg(test)]
mod tests;
