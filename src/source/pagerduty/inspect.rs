//! Trying a PagerDuty source, for `check --online`: is it reached, does it sign in, and which services have incidents.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::clock::SharedClock;
use crate::http::{Answer, Failure, Governors, Http, Options, Priority};
use crate::model::time::{Span, Timestamp};
use crate::source::report::Report;
use crate::telemetry::Telemetry;

use super::config::Config;

/// Trying ends after this: it is one request, perhaps repeated.
const WHOLE_MAX: Duration = Duration::from_mins(1);
/// PagerDuty's one limit.
const RESOURCE: &str = "rest";
/// It is one request.
const BUDGET: f64 = 1.0;
/// How far back it looks.
const BACK: Span = Span::from_days(30);
/// The largest page.
const INCIDENTS: &str = "100";

#[derive(Debug, Deserialize)]
struct Page {
    incidents: Vec<IncidentWire>,
    #[serde(default)]
    total: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct IncidentWire {
    #[serde(default)]
    service: Option<ServiceWire>,
}

#[derive(Debug, Deserialize)]
struct ServiceWire {
    id: Option<String>,
    summary: Option<String>,
}

/// Tries a source.
pub async fn inspect(config: &Config, clock: SharedClock) -> Report {
    let mut report = Report::new(format!("{}: PagerDuty at {}", config.name, config.api_url));
    let renew = format!(
        "make a new REST API key in PagerDuty (Integrations → API Access Keys; read-only suffices) and put it into {}",
        config.credential.identity()
    );
    match tokio::time::timeout(WHOLE_MAX, ask(config, clock)).await {
        Ok(Ok((answer, page))) => tell(config, &answer, page, &mut report),
        Ok(Err(failure)) => report.refused(&failure, &renew),
        Err(_) => report.fault("reached", format!("no answer in {} seconds", WHOLE_MAX.as_secs())),
    }
    report
}

async fn ask(config: &Config, clock: SharedClock) -> Result<(Answer, Page), Failure> {
    let telemetry = Telemetry::new().source(config.name.as_str(), "pagerduty");
    let now = Timestamp::from(clock.now());
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
    let http = Http::new(options, &Governors::default(), clock, telemetry)?;
    let (since, until) = (now.minus(BACK).to_string(), now.to_string());
    let query = [
        ("since", since.as_str()),
        ("until", &until),
        ("time_zone", "UTC"),
        ("sort_by", "created_at:desc"),
        ("limit", INCIDENTS),
        ("total", "true"),
    ];
    let permit = http.admit(RESOURCE, 1, Priority::Live).await?;
    let answer = http.get(permit, "/incidents", &query).await?;
    let page = http.read(&answer, "a page of incidents")?;
    Ok((answer, page))
}

fn tell(config: &Config, answer: &Answer, page: Page, report: &mut Report) {
    let Page { incidents, total } = page;
    let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    report.say("reached", "PagerDuty");
    report.say("signs in", format!("a token from {}", config.credential.identity()));
    if let (Some(limit), Some(left)) = (number("ratelimit-limit"), number("ratelimit-remaining")) {
        report.say("rate limit", format!("{left} of {limit} requests a minute left"));
    }
    let total = total.unwrap_or(u64::try_from(incidents.len()).unwrap_or(u64::MAX));
    report.say("incidents", format!("{total} in the last {} days", BACK.days()));
    let services: BTreeMap<String, String> = incidents
        .into_iter()
        .filter_map(|incident| {
            let ServiceWire { id, summary } = incident.service?;
            Some((id?, summary.unwrap_or_default()))
        })
        .collect();
    report.services = services.into_iter().collect();
}
