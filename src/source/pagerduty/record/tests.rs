use serde_json::json;

use super::*;
use crate::model::fact::{Reference as Named, Verdict};
use crate::model::name::CommitPrefix;

const NOW: &str = "2026-11-22T17:00:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn read(record: Value) -> Result<Incident, Unreadable> {
    incident(&SourceName::from("acme"), record, at(NOW))
}

/// The documented example, with some of its fields replaced.
fn example(fields: &Value) -> Value {
    let mut record = json!({
        "id": "PT4KHLK",
        "type": "incident",
        "summary": "[#1234] The server is on fire.",
        "html_url": "https://acme.pagerduty.com/incidents/PT4KHLK",
        "incident_number": 1234,
        "title": "The server is on fire.",
        "created_at": "2026-11-20T21:30:42Z",
        "updated_at": "2026-11-20T21:40:23Z",
        "status": "resolved",
        "last_status_change_at": "2026-11-20T21:38:23Z",
        "resolved_at": "2026-11-20T21:38:23Z",
        "acknowledgements": [],
        "urgency": "high",
        "service": {"id": "PIJ90N7", "type": "service_reference", "summary": "My Mail Service"},
        "teams": [{"id": "PQ9K7I8", "type": "team_reference", "summary": "Engineering"}],
        "priority": {"id": "P53ZZH5", "type": "priority_reference", "summary": "P2"},
        "resolve_reason": null,
        "incident_type": {"name": "incident_default"},
    });
    for (name, value) in fields.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

#[test]
fn the_documented_example_is_read() {
    assert_eq!(
        read(example(&json!({}))),
        Ok(Incident {
            source: SourceName::from("acme"),
            id: ExternalId::new("PT4KHLK"),
            title: "The server is on fire.".to_owned(),
            url: Some("https://acme.pagerduty.com/incidents/PT4KHLK".to_owned()),
            started_at: at("2026-11-20T21:30:42Z"),
            acknowledged_at: None,
            resolved_at: Some(at("2026-11-20T21:38:23Z")),
            severity: Severity::new("p2"),
            urgency: Some("high".to_owned()),
            subjects: vec![
                Subject::Service(ServiceId::new("PIJ90N7"), "My Mail Service".to_owned()),
                Subject::Team("Engineering".to_owned()),
            ],
            references: vec![],
            verdict: None,
            excluded: None,
            corrections: Corrections::NONE,
        })
    );
}

#[test]
fn what_a_status_says_of_the_end() {
    let end = "2026-11-20T21:38:23Z";
    for (name, fields, resolved, excluded) in [
        ("resolved", json!({}), Some(end), None),
        (
            "resolved long ago, without its own date",
            json!({"resolved_at": null, "last_status_change_at": "2026-11-20T22:00:00Z"}),
            Some("2026-11-20T22:00:00Z"),
            None,
        ),
        (
            "acknowledged, which is not resolved",
            json!({"status": "acknowledged", "resolved_at": null}),
            None,
            None,
        ),
        ("reopened: the end is void, whatever is left of it", json!({"status": "triggered"}), None, None),
        (
            "merged into another",
            json!({"resolve_reason": {"type": "merge_resolve_reason", "incident": {"id": "P2"}}}),
            Some(end),
            Some(Exclusion::Merged),
        ),
        (
            "resolved for a reason not documented",
            json!({"resolve_reason": {"type": "boredom_resolve_reason"}}),
            Some(end),
            None,
        ),
        (
            "an end before the beginning is kept: the engine clamps and counts it",
            json!({"resolved_at": "2026-11-20T21:00:00Z"}),
            Some("2026-11-20T21:00:00Z"),
            None,
        ),
    ] {
        let incident = read(example(&fields)).unwrap();
        assert_eq!(incident.resolved_at, resolved.map(at), "{name}");
        assert_eq!(incident.excluded, excluded, "{name}");
        assert_eq!(incident.corrections, Corrections::NONE, "{name}");
    }
}

#[test]
fn what_is_not_documented_or_not_possible_is_used_with_a_correction() {
    let end = "2026-11-20T21:38:23Z";
    for (name, fields, resolved, corrections) in [
        (
            "a status not documented, open",
            json!({"status": "snoozed", "resolved_at": null}),
            None,
            Corrections::UNKNOWN_VALUE,
        ),
        (
            "a status not documented, with an end",
            json!({"status": "archived"}),
            Some(end),
            Corrections::UNKNOWN_VALUE,
        ),
        ("no status at all", json!({"status": null, "resolved_at": null}), None, Corrections::UNKNOWN_VALUE),
        (
            "an end in the future is now",
            json!({"resolved_at": "2026-12-24T00:00:00Z"}),
            Some(NOW),
            Corrections::FUTURE,
        ),
    ] {
        let incident = read(example(&fields)).unwrap();
        assert_eq!(incident.resolved_at, resolved.map(at), "{name}");
        assert_eq!(incident.excluded, None, "{name}");
        assert_eq!(incident.corrections, corrections, "{name}");
    }
}

#[test]
fn instants_have_any_offset_and_none_is_after_now() {
    let incident = read(example(&json!({
        "created_at": "2026-11-20T22:30:42+01:00",
        "status": "acknowledged",
        "acknowledgements": [{"at": "2026-11-20T23:00:00Z"}, {"at": "2026-11-20T21:35:00Z"}, {"at": "soon"}, {}],
    })))
    .unwrap();
    assert_eq!(incident.started_at, at("2026-11-20T21:30:42Z"));
    assert_eq!(incident.acknowledged_at, Some(at("2026-11-20T21:35:00Z")));

    let incident =
        read(example(&json!({"created_at": "2026-11-23T00:00:00Z", "status": "triggered"}))).unwrap();
    assert_eq!((incident.started_at, incident.corrections), (at(NOW), Corrections::FUTURE));
}

#[test]
fn severity_is_the_priority_in_lower_case() {
    for (priority, severity) in [
        (json!({"summary": "P1"}), "p1"),
        (json!({"summary": " SEV 2 "}), "sev 2"),
        (json!({"name": "Major"}), "major"),
        (json!({"summary": ""}), "none"),
        (json!({}), "none"),
        (json!("P1"), "none"),
        (json!(null), "none"),
    ] {
        let incident = read(example(&json!({"priority": priority}))).unwrap();
        assert_eq!(incident.severity, Severity::new(severity), "{priority}");
    }
}

#[test]
fn subjects_are_what_has_a_name() {
    let service = |name: &str| Subject::Service(ServiceId::new("P1"), name.to_owned());
    for (fields, expected) in [
        (json!({"service": null, "teams": null}), vec![]),
        (json!({"service": {"id": "P1"}, "teams": []}), vec![service("P1")]),
        (json!({"service": {"summary": "x"}, "teams": "none"}), vec![]),
        (
            json!({"service": {"id": "P1", "summary": "Mail"}, "teams": [{"summary": "a"}, {"id": "P2"}]}),
            vec![service("Mail"), Subject::Team("a".to_owned())],
        ),
    ] {
        assert_eq!(read(example(&fields)).unwrap().subjects, expected, "{fields}");
    }
}

#[test]
fn what_people_write_is_read() {
    let incident = read(example(&json!({
        "title": "Checkout fails since a1b2c3d",
        "description": "deployment: 99",
        "body": {"details": "see https://github.com/acme/shop/pull/12"},
    })))
    .unwrap();
    assert_eq!(
        incident.references,
        [
            Named::Commit(None, CommitPrefix::parse("a1b2c3d").unwrap()),
            Named::PullRequest("acme/shop".into(), 12),
        ]
    );
    assert_eq!(incident.verdict, Some(Verdict::Deployment("99".to_owned())));
}

#[test]
fn only_web_addresses_are_links_and_texts_have_an_end() {
    let incident =
        read(example(&json!({"html_url": "javascript:alert(1)", "title": "é".repeat(5_000)}))).unwrap();
    assert_eq!((incident.url, incident.title.chars().count()), (None, TITLE_CHARS_MAX));
}

#[test]
fn a_record_of_null_and_wrong_types_is_survived() {
    let names: Vec<String> = example(&json!({})).as_object().unwrap().keys().cloned().collect();
    for name in names.iter().filter(|name| !["id", "created_at"].contains(&name.as_str())) {
        for value in [json!(null), json!(5), json!([[]]), json!({"at": {}}), json!("")] {
            let incident = read(example(&json!({ name.as_str(): value })));
            assert!(incident.is_ok(), "{name}: {value}: {incident:?}");
        }
    }
}

#[test]
fn what_has_no_identity_or_no_dates_is_no_record() {
    for (record, unreadable) in [
        (json!(null), Unreadable::Id),
        (json!([]), Unreadable::Id),
        (json!({}), Unreadable::Id),
        (example(&json!({"id": 5})), Unreadable::Id),
        (example(&json!({"id": ""})), Unreadable::Id),
        (example(&json!({"id": "../users"})), Unreadable::Id),
        (example(&json!({"id": "P".repeat(65)})), Unreadable::Id),
        (example(&json!({"created_at": null})), Unreadable::CreatedAt("PT4KHLK".to_owned())),
        (example(&json!({"created_at": "2026-11-20"})), Unreadable::CreatedAt("PT4KHLK".to_owned())),
        (
            example(&json!({"resolved_at": null, "last_status_change_at": null})),
            Unreadable::ResolvedAt("PT4KHLK".to_owned()),
        ),
    ] {
        assert_eq!(read(record.clone()), Err(unreadable), "{record}");
    }
}
