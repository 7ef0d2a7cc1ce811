//! What is asked of PagerDuty: lists of incidents, page by page, and single incidents.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::clock::SharedClock;
use crate::http::{Bounds, Failure, Governors, Http, Options, Priority};
use crate::model::fact::Incident;
use crate::model::name::SourceName;
use crate::telemetry::SourceTelemetry;

use super::config::Config;
use super::days::Days;
use super::record;

/// The share of the limit (960 requests a minute) that is ours: the rest is for people and their other tools.
const BUDGET: f64 = 0.8;
/// The name that the HTTP client has for PagerDuty's one limit.
const RESOURCE: &str = "rest";
/// The largest page that PagerDuty serves.
const PAGE_INCIDENTS: usize = 100;
/// PagerDuty answers 400 to what lies beyond.
const REACH_INCIDENTS: usize = 10_000;
/// So many full pages reach as far; more pages, of which some are not full, have no end.
const PAGES_MAX: usize = REACH_INCIDENTS / PAGE_INCIDENTS;
/// Records that cannot be read are all counted, but no more are named.
const UNREADABLE_NAMED_MAX: usize = 5;

/// Asks PagerDuty.
#[derive(Debug)]
pub(super) struct Client {
    http: Http,
    clock: SharedClock,
    source: SourceName,
}

/// A list that was read.
#[derive(Debug)]
pub(super) struct Listed {
    /// Its incidents, each once.
    pub(super) incidents: Vec<Incident>,
    /// Records that could not be read.
    pub(super) problems: Vec<Failure>,
    /// Whether that is all.
    pub(super) end: End,
    /// How many pages it took.
    pub(super) pages: usize,
}

/// How a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// There is no more.
    Whole,
    /// There is, but PagerDuty does not serve it.
    CutOff,
}

/// Whether to ask for the number of all incidents first, which costs PagerDuty time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Total {
    /// To know at once that there are too many.
    Asked,
    /// There will not be many.
    NotAsked,
}

#[derive(Deserialize)]
struct Page {
    incidents: Vec<Value>,
    #[serde(default)]
    more: Option<bool>,
    #[serde(default)]
    total: Option<usize>,
}

#[derive(Deserialize)]
struct One {
    incident: Value,
}

impl Client {
    /// A client for a source.
    pub(super) fn new(
        config: &Config,
        bounds: Bounds,
        governors: &Governors,
        clock: SharedClock,
        telemetry: SourceTelemetry,
    ) -> Result<Self, Failure> {
        let options = Options {
            source: config.name.to_string(),
            base_url: config.api_url.clone(),
            scheme: "Token token=",
            credential: config.credential.clone(),
            headers: vec![
                ("accept", "application/vnd.pagerduty+json;version=2"),
                ("content-type", "application/json"),
            ],
            identity: config.credential.identity().to_owned(),
            budget: BUDGET,
            ca_pem: config.ca_pem.clone(),
        };
        Ok(Self {
            http: Http::with_bounds(options, bounds, governors, Arc::clone(&clock), telemetry)?,
            clock,
            source: config.name.clone(),
        })
    }

    /// The incidents created on these days, and perhaps on others nearby.
    pub(super) async fn created_on(&self, days: Days, total: Total) -> Result<Listed, Failure> {
        let (since, until) = days.bounds();
        self.list(&[("since", &since), ("until", &until)], total).await
    }

    /// The incidents that are open, whenever they were created.
    pub(super) async fn open(&self) -> Result<Listed, Failure> {
        let query = [("statuses[]", "triggered"), ("statuses[]", "acknowledged"), ("date_range", "all")];
        self.list(&query, Total::NotAsked).await
    }

    /// One incident.
    pub(super) async fn incident(&self, id: &str) -> Result<Incident, Failure> {
        let permit = self.http.admit(RESOURCE, 1, Priority::Live).await?;
        let answer = self.http.get(permit, &format!("/incidents/{id}"), &[("time_zone", "UTC")]).await?;
        let One { incident } = self.http.read(&answer, "an incident")?;
        let incident = record::incident(&self.source, incident, self.clock.now().into())
            .map_err(|unreadable| self.http.malformed(&unreadable.to_string()))?;
        if incident.id.as_str() == id {
            Ok(incident)
        } else {
            Err(self.http.malformed(&format!("asked for incident {id}, got another")))
        }
    }

    /// A list from its beginning to its end, the oldest first, so that new incidents do not move the pages.
    async fn list(&self, filter: &[(&str, &str)], total: Total) -> Result<Listed, Failure> {
        let mut listed = Listed { incidents: Vec::new(), problems: Vec::new(), end: End::CutOff, pages: 0 };
        let mut seen = HashSet::new();
        let mut offset = 0;
        while offset + PAGE_INCIDENTS <= REACH_INCIDENTS {
            let page = self.page(filter, offset, total).await?;
            listed.pages += 1;
            if page.total.is_some_and(|total| total > REACH_INCIDENTS) && total == Total::Asked {
                return Ok(listed);
            }
            offset += page.incidents.len();
            let news = self.take(page.incidents, &mut seen, &mut listed);
            if page.more != Some(true) {
                listed.end = End::Whole;
                return Ok(listed);
            }
            if !news || listed.pages == PAGES_MAX && offset < REACH_INCIDENTS {
                return Err(self.http.malformed("a list of incidents does not come to an end"));
            }
        }
        Ok(listed)
    }

    async fn page(&self, filter: &[(&str, &str)], offset: usize, total: Total) -> Result<Page, Failure> {
        let (limit, offset_text) = (PAGE_INCIDENTS.to_string(), offset.to_string());
        let mut query = filter.to_vec();
        query.extend([
            ("time_zone", "UTC"),
            ("sort_by", "created_at:asc"),
            ("limit", &limit),
            ("offset", &offset_text),
        ]);
        if total == Total::Asked && offset == 0 {
            query.push(("total", "true"));
        }
        let permit = self.http.admit(RESOURCE, 1, Priority::Live).await?;
        let answer = self.http.get(permit, "/incidents", &query).await?;
        self.http.read(&answer, "a page of incidents")
    }

    /// Reads the records of a page; says whether any was new.
    fn take(&self, records: Vec<Value>, seen: &mut HashSet<String>, listed: &mut Listed) -> bool {
        let read_at = self.clock.now().into();
        let mut news = false;
        for record in records {
            let id = record.get("id").and_then(Value::as_str).unwrap_or_default();
            if !seen.insert(id.to_owned()) {
                continue;
            }
            news = true;
            match record::incident(&self.source, record, read_at) {
                Ok(incident) => listed.incidents.push(incident),
                Err(unreadable) => {
                    let failure = self.http.malformed(&unreadable.to_string());
                    if listed.problems.len() < UNREADABLE_NAMED_MAX {
                        listed.problems.push(failure);
                    }
                }
            }
        }
        news
    }

    /// A list that PagerDuty does not serve to its end, counted.
    pub(super) fn cut_off(&self, what: &str) -> Failure {
        self.http.malformed(&format!("more than {REACH_INCIDENTS} {what}; the rest cannot be read"))
    }
}
