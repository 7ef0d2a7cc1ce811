//! What a list request asks for.

use std::cmp::Ordering;

use chrono::{DateTime, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{Refusal, state_word, urgency_word};
use crate::demo::exchange::Request;
use crate::demo::world::World;
use crate::demo::world::incident::{Incident, PagerDuty};
use crate::model::time::Timestamp;

/// Items on a page unless asked otherwise, and at most.
const LIMIT_DEFAULT: usize = 25;
const LIMIT_MAX: usize = 100;
/// The last item that paging reaches.
const REACH_MAX: usize = 10_000;
/// How far `since` and `until` may be apart, and how far they are if one or both are missing.
const RANGE_MAX: Months = Months::new(6);
const RANGE_DEFAULT: Months = Months::new(1);
/// The fields that `sort_by` may name at once.
const SORT_FIELDS_MAX: usize = 2;

/// Which part of a list.
pub(super) struct Page {
    pub(super) limit: usize,
    pub(super) offset: usize,
    counted: bool,
}

impl Page {
    pub(super) fn read(request: &Request) -> Result<Self, Refusal> {
        let number = |name: &'static str, otherwise| match request.parameter(name) {
            None => Ok(otherwise),
            Some(text) => text.parse().map_err(|_| Refusal::invalid(format!("{name} must be an integer."))),
        };
        let limit = number("limit", LIMIT_DEFAULT)?;
        let offset = number("offset", 0)?;
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Refusal::invalid(format!("limit must be between 1 and {LIMIT_MAX}.")));
        }
        if offset.saturating_add(limit) > REACH_MAX {
            return Err(Refusal {
                code: 2002,
                message: "Arguments Caused Error",
                ..Refusal::invalid(format!("Offset+limit exceeds maximum allowed value of {REACH_MAX}"))
            });
        }
        Ok(Self { limit, offset, counted: request.parameter("total") == Some("true") })
    }

    /// The body of a list answer.
    pub(super) fn body(&self, name: &str, shown: &[Value], total: usize) -> Value {
        json!({
            name: shown,
            "limit": self.limit,
            "offset": self.offset,
            "total": self.counted.then_some(total),
            "more": self.offset + self.limit < total,
        })
    }
}

/// What `GET /incidents` was asked for.
pub(super) struct Query {
    pub(super) page: Page,
    pub(super) zone: Tz,
    created: Option<(Timestamp, Timestamp)>,
    statuses: Vec<String>,
    urgencies: Vec<String>,
    services: Vec<String>,
    teams: Vec<String>,
    sort: Vec<(SortField, bool)>,
}

#[derive(Clone, Copy)]
enum SortField {
    Number,
    CreatedAt,
    ResolvedAt,
    Urgency,
}

impl Query {
    pub(super) fn read(world: &World, request: &Request) -> Result<Self, Refusal> {
        let zone = zone(world, request)?;
        let created = match request.parameter("date_range") {
            Some("all") => None,
            Some(other) => return Err(Refusal::invalid(format!("date_range {other} is invalid."))),
            None => Some(created(world, request, zone)?),
        };
        let words = |name, known: &[&str]| -> Result<Vec<String>, Refusal> {
            let given: Vec<_> = request.parameters(name).map(str::to_owned).collect();
            match given.iter().find(|word| !known.is_empty() && !known.contains(&word.as_str())) {
                Some(one) => Err(Refusal::invalid(format!("{name} does not know {one}."))),
                None => Ok(given),
            }
        };
        Ok(Self {
            page: Page::read(request)?,
            zone,
            created,
            statuses: words("statuses[]", &["triggered", "acknowledged", "resolved"])?,
            urgencies: words("urgencies[]", &["high", "low"])?,
            services: words("service_ids[]", &[])?,
            teams: words("team_ids[]", &[])?,
            sort: sort(request)?,
        })
    }

    pub(super) fn wants(&self, pagerduty: &PagerDuty, incident: &Incident) -> bool {
        let service = pagerduty.service(incident.service);
        let team = service.and_then(|service| pagerduty.teams.get(service.team?));
        let among = |asked: &[String], word: Option<&str>| {
            asked.is_empty() || word.is_some_and(|word| asked.iter().any(|one| one == word))
        };
        self.created.is_none_or(|(since, until)| (since..until).contains(&incident.created_at))
            && among(&self.statuses, Some(state_word(incident.state)))
            && among(&self.urgencies, Some(urgency_word(incident.urgency)))
            && among(&self.services, service.map(|service| service.id.as_str()))
            && among(&self.teams, team.map(|(id, _)| id.as_str()))
    }

    pub(super) fn sort(&self, incidents: &mut [&Incident]) {
        incidents.sort_by(|a, b| {
            let by_field = |(field, descending): &(SortField, bool)| {
                let order = match field {
                    SortField::Number => a.number.cmp(&b.number),
                    SortField::CreatedAt => a.created_at.cmp(&b.created_at),
                    SortField::ResolvedAt => a.resolved_at.cmp(&b.resolved_at),
                    SortField::Urgency => urgency_word(a.urgency).cmp(urgency_word(b.urgency)),
                };
                if *descending { order.reverse() } else { order }
            };
            let first = self.sort.iter().map(by_field).find(|order| order.is_ne());
            first.unwrap_or(Ordering::Equal).then(a.number.cmp(&b.number))
        });
    }
}

fn sort(request: &Request) -> Result<Vec<(SortField, bool)>, Refusal> {
    let Some(text) = request.parameter("sort_by") else {
        return Ok(Vec::new());
    };
    let invalid = || Refusal::invalid(format!("sort_by {text} is invalid."));
    let mut fields = Vec::new();
    for part in text.split(',') {
        let (field, direction) = part.split_once(':').unwrap_or((part, "asc"));
        let field = match field {
            "incident_number" => SortField::Number,
            "created_at" => SortField::CreatedAt,
            "resolved_at" => SortField::ResolvedAt,
            "urgency" => SortField::Urgency,
            _ => return Err(invalid()),
        };
        match direction {
            "asc" => fields.push((field, false)),
            "desc" => fields.push((field, true)),
            _ => return Err(invalid()),
        }
    }
    if fields.len() > SORT_FIELDS_MAX {
        return Err(invalid());
    }
    Ok(fields)
}

/// The zone in which instants are read and written: as asked for, else the account's.
pub(super) fn zone(world: &World, request: &Request) -> Result<Tz, Refusal> {
    match request.parameter("time_zone") {
        None => Ok(world.pagerduty.time_zone),
        Some(name) => name.parse().map_err(|_| Refusal::invalid(format!("time_zone {name} is not known."))),
    }
}

/// The range of creation, `[since, until)`.
fn created(world: &World, request: &Request, zone: Tz) -> Result<(Timestamp, Timestamp), Refusal> {
    let end = |name: &'static str| match request.parameter(name) {
        None => Ok(None),
        Some(text) => match instant(text, zone) {
            Some(at) => Ok(Some(at)),
            None => Err(Refusal::invalid(format!("{name} {text} is no date."))),
        },
    };
    let after = |at: DateTime<Utc>, months| at.checked_add_months(months).unwrap_or(at);
    let before = |at: DateTime<Utc>, months| at.checked_sub_months(months).unwrap_or(at);
    let (since, until) = match (end("since")?, end("until")?) {
        (Some(since), Some(until)) => (since, until),
        (Some(since), None) => (since, after(since, RANGE_DEFAULT)),
        (None, Some(until)) => (before(until, RANGE_DEFAULT), until),
        (None, None) => {
            let now = world.now.datetime();
            (before(now, RANGE_DEFAULT), now)
        }
    };
    if after(since, RANGE_MAX) < until {
        return Err(Refusal::invalid("The range of since and until cannot be longer than 6 months."));
    }
    Ok((since.into(), until.into()))
}

/// An instant with an offset, or a time or a date of the zone.
fn instant(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| date.and_time(NaiveTime::MIN));
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").or_else(|_| date()).ok()?;
    Some(zone.from_local_datetime(&local).earliest()?.to_utc())
}
