//! Records as the published examples have them.

use chrono::SecondsFormat;
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{state_word, urgency_word};
use crate::demo::world::incident::{Incident, PagerDuty, Service};
use crate::model::time::Timestamp;

/// The id of the account's one escalation policy and its one agent.
const POLICY_ID: &str = "PT20YPA";
const AGENT_ID: &str = "PXPGF42";

pub(super) fn incident(pagerduty: &PagerDuty, incident: &Incident, zone: Tz) -> Value {
    let host = &pagerduty.subdomain;
    let service = pagerduty.service(incident.service);
    let team = service.and_then(|service| pagerduty.teams.get(service.team?));
    let teams: Vec<Value> =
        team.iter().map(|(id, name)| reference(host, "team", "teams", id, name)).collect();
    let merged = incident.merged_into.and_then(|key| pagerduty.incident(key));
    let acknowledgements: Vec<Value> = incident
        .acknowledged_at
        .iter()
        .map(|at| {
            let acknowledger = reference(host, "user", "users", AGENT_ID, "On call");
            json!({"at": written(*at, zone), "acknowledger": acknowledger})
        })
        .collect();
    let open = incident.resolved_at.is_none();
    json!({
        "id": incident.id,
        "type": "incident",
        "summary": format!("[#{}] {}", incident.number, incident.title),
        "self": format!("https://api.pagerduty.com/incidents/{}", incident.id),
        "html_url": format!("https://{host}.pagerduty.com/incidents/{}", incident.id),
        "incident_number": incident.number,
        "title": incident.title,
        "created_at": written(incident.created_at, zone),
        "updated_at": written(incident.updated_at, zone),
        "status": state_word(incident.state),
        "incident_key": null,
        "service": service.map(|it| reference(host, "service", "service-directory", &it.id, &it.name)),
        "assignments": [],
        "last_status_change_at": written(incident.state_changed_at, zone),
        "resolved_at": incident.resolved_at.map(|at| written(at, zone)),
        "first_trigger_log_entry": null,
        "alert_counts": {
            "all": 1,
            "triggered": u8::from(open),
            "resolved": u8::from(!open),
        },
        "is_mergeable": true,
        "incident_type": {"name": "incident_default"},
        "escalation_policy": reference(host, "escalation_policy", "escalation_policies", POLICY_ID, "Default"),
        "teams": teams,
        "pending_actions": [],
        "acknowledgements": acknowledgements,
        "priority": incident.priority.as_ref().map(|name| json!({
            "id": "P53ZZH5",
            "type": "priority_reference",
            "summary": name,
            "name": name,
            "self": "https://api.pagerduty.com/priorities/P53ZZH5",
            "html_url": null,
        })),
        "resolve_reason": merged.map(|into| json!({
            "type": "merge_resolve_reason",
            "incident": reference(host, "incident", "incidents", &into.id, &into.title),
        })),
        "conference_bridge": null,
        "urgency": urgency_word(incident.urgency),
    })
}

pub(super) fn service(pagerduty: &PagerDuty, service: &Service, zone: Tz) -> Value {
    let host = &pagerduty.subdomain;
    let team = service.team.and_then(|team| pagerduty.teams.get(team));
    let teams: Vec<Value> =
        team.iter().map(|(id, name)| reference(host, "team", "teams", id, name)).collect();
    json!({
        "id": service.id,
        "type": "service",
        "summary": service.name,
        "self": format!("https://api.pagerduty.com/services/{}", service.id),
        "html_url": format!("https://{host}.pagerduty.com/service-directory/{}", service.id),
        "name": service.name,
        "description": null,
        "created_at": written(service.created_at, zone),
        "status": "active",
        "teams": teams,
        "escalation_policy": reference(host, "escalation_policy", "escalation_policies", POLICY_ID, "Default"),
    })
}

fn reference(host: &str, kind: &str, path: &str, id: &str, summary: &str) -> Value {
    json!({
        "id": id,
        "type": format!("{kind}_reference"),
        "summary": summary,
        "self": format!("https://api.pagerduty.com/{kind}s/{id}"),
        "html_url": format!("https://{host}.pagerduty.com/{path}/{id}"),
    })
}

fn written(at: Timestamp, zone: Tz) -> String {
    let local = at.datetime().with_timezone(&zone);
    local.to_rfc3339_opts(SecondsFormat::Secs, zone == Tz::UTC)
}
