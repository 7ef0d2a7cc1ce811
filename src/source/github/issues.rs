//! Issues as incidents (`definitions.md` §4). Every issue that changed is read, labelled or not: one that lost its
//! label would never be seen otherwise.

use crate::model::fact::{Corrections, Exclusion, Fact, Incident, Subject};
use crate::model::name::{ExternalId, RepositoryId, Severity};
use crate::model::text::{references, verdict};
use crate::model::time::Timestamp;

use super::config::IssueRules;
use super::wire::IssueWire;

/// When it was last changed: what its list is ordered by.
pub(super) fn updated_at(wire: &IssueWire) -> Option<Timestamp> {
    wire.updated_at.as_deref().and_then(Timestamp::parse)
}

/// The rules as the cursor remembers them.
pub(super) fn fingerprint(rules: &IssueRules) -> String {
    let IssueRules { labels, severity_label } = rules;
    let severity = severity_label.as_ref().map_or("", regex::Regex::as_str);
    format!("{labels:?} {severity:?}")
}

/// Reads an issue: an incident, or that it is none. `None` if it lacks what makes it an issue.
pub(super) fn issue(
    wire: IssueWire,
    rules: &IssueRules,
    repository: &RepositoryId,
    read_at: Timestamp,
) -> Option<Fact> {
    let IssueWire {
        number,
        title,
        body,
        url,
        state,
        state_reason,
        created_at,
        updated_at: _,
        closed_at,
        labels,
    } = wire;
    // The number alone is unique in its repository only, and GitHub's own ids do not fit every field that has them.
    let id = ExternalId::new(format!("{}#{}", repository.number, number?));
    let labels: Vec<String> =
        labels.unwrap_or_default().nodes.into_iter().filter_map(|label| label.name).collect();
    let wanted = |label: &String| rules.labels.iter().any(|rule| rule.to_lowercase() == label.to_lowercase());
    if !labels.iter().any(wanted) {
        return Some(Fact::NoIncident(repository.source.clone(), id));
    }
    let mut corrections = Corrections::NONE;
    let resolved_at =
        closed_at.as_deref().and_then(Timestamp::parse).filter(|_| state.as_deref() != Some("OPEN"));
    let excluded = match state_reason.as_deref() {
        Some("NOT_PLANNED") => Some(Exclusion::NotPlanned),
        Some("DUPLICATE") => Some(Exclusion::Duplicate),
        Some("COMPLETED" | "REOPENED") | None => None,
        Some(_) => {
            corrections = corrections.and(Corrections::UNKNOWN_VALUE);
            None
        }
    };
    let title = title.unwrap_or_default();
    let text = format!("{title}\n{}", body.unwrap_or_default());
    Some(Fact::Incident(Incident {
        source: repository.source.clone(),
        id,
        title,
        url,
        started_at: corrections.not_after(Timestamp::parse(&created_at?)?, read_at),
        acknowledged_at: None,
        resolved_at: resolved_at.map(|at| corrections.not_after(at, read_at)),
        severity: severity(&labels, rules),
        urgency: None,
        subjects: vec![Subject::Repository(repository.clone())],
        references: references(&text),
        verdict: verdict(&text),
        excluded: excluded.filter(|_| resolved_at.is_some()),
        corrections,
    }))
}

fn severity(labels: &[String], rules: &IssueRules) -> Severity {
    let captured = rules.severity_label.as_ref().and_then(|pattern| {
        labels.iter().find_map(|label| {
            let severity = pattern.captures(label)?.name("severity")?.as_str().to_lowercase();
            (!severity.is_empty()).then(|| Severity::new(severity))
        })
    });
    captured.unwrap_or_else(Severity::none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::SourceName;
    use regex::Regex;
    use serde_json::{Value, json};

    fn read(value: Value) -> Option<Fact> {
        let rules = IssueRules {
            labels: vec!["Incident".to_owned(), "outage".to_owned()],
            severity_label: Some(Regex::new(r"^sev[-:/ ]?(?<severity>\w+)$").unwrap()),
        };
        let repository = RepositoryId { source: SourceName::from("acme"), number: 42 };
        let read_at = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        issue(serde_json::from_value(value).unwrap(), &rules, &repository, read_at)
    }

    fn full() -> Value {
        json!({
            "number": 7, "title": "Checkout is down", "body": "since a1b2c3d4\ndeployment: 99", "url": "https://x",
            "state": "CLOSED", "stateReason": "COMPLETED", "createdAt": "2026-11-22T10:00:00Z",
            "updatedAt": "2026-11-22T11:30:00Z", "closedAt": "2026-11-22T11:00:00Z",
            "labels": { "nodes": [{ "name": "incident" }, { "name": "sev-A" }] },
        })
    }

    fn incident(changes: &[(&str, Value)]) -> Incident {
        let mut value = full();
        for (field, changed) in changes {
            value[*field] = changed.clone();
        }
        match read(value) {
            Some(Fact::Incident(incident)) => incident,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_labelled_issue_is_an_incident() {
        let read = incident(&[]);
        assert_eq!(read.id.as_str(), "42#7");
        assert_eq!(read.severity, Severity::from("a"));
        assert_eq!(read.resolved_at, Timestamp::parse("2026-11-22T11:00:00Z"));
        assert_eq!((read.references.len(), read.verdict.is_some(), read.excluded), (1, true, None));
    }

    #[test]
    fn it_is_resolved_while_it_is_closed_and_counts_unless_it_was_none() {
        for (state, reason, resolved, excluded) in [
            ("CLOSED", json!("COMPLETED"), true, None),
            ("CLOSED", Value::Null, true, None),
            ("CLOSED", json!("NOT_PLANNED"), true, Some(Exclusion::NotPlanned)),
            ("CLOSED", json!("DUPLICATE"), true, Some(Exclusion::Duplicate)),
            ("OPEN", json!("REOPENED"), false, None),
            ("OPEN", json!("NOT_PLANNED"), false, None),
        ] {
            let read = incident(&[("state", json!(state)), ("stateReason", reason.clone())]);
            assert_eq!((read.resolved_at.is_some(), read.excluded), (resolved, excluded), "{state} {reason}");
        }
        let odd = incident(&[("stateReason", json!("BORED"))]);
        assert_eq!((odd.excluded, odd.corrections), (None, Corrections::UNKNOWN_VALUE));
    }

    #[test]
    fn an_issue_without_the_label_is_none() {
        for labels in [json!({ "nodes": [{ "name": "bug" }] }), Value::Null] {
            let mut value = full();
            value["labels"] = labels;
            assert_eq!(
                read(value),
                Some(Fact::NoIncident(SourceName::from("acme"), ExternalId::new("42#7")))
            );
        }
        assert_eq!(read(json!({ "title": "no number" })), None);
    }

    #[test]
    fn without_a_severity_label_the_severity_is_none() {
        let read = incident(&[("labels", json!({ "nodes": [{ "name": "OUTAGE" }] }))]);
        assert_eq!(read.severity, Severity::none());
    }
}
