//! `POST /api/v1/read`: history for Prometheus's `remote_read` (docs/history.md).

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::ServerState;
use super::computing::GoOn;
use super::problem::Problem;
use crate::engine::series::Instants;
use crate::exposition::history::{INTERVAL_WORTH, Known, Plan, Wanted};
use crate::model::time::{Span, Timestamp};
use crate::remote_read::{self, Answers, Query, Refused};

/// A question packed: some kilobytes even with a long regular expression.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// What a request may ask for, as [`Plan::worth`] has it: some four seconds, and ten on a slow core. A panel of 90 days
/// by the hour with what the numbers of 250 teams lie in is two thirds of it.
const WORTH_MAX: usize = 8_000_000;

pub(super) async fn read(State(state): State<ServerState>, headers: HeaderMap, body: Body) -> Response {
    match answered(&state, &headers, body).await {
        Ok(packed) => {
            let fields = [(CONTENT_TYPE, "application/x-protobuf"), (CONTENT_ENCODING, "snappy")];
            (fields, packed).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

async fn answered(state: &ServerState, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let body = state.bodies.read(headers, body, BODY_BYTES_MAX).await?;
    let published = state.newest().ok_or(Problem::NotReady)?;
    let (past, resolution) = published.past.clone().ok_or(Problem::NotReady)?;
    state
        .computing
        .run(move |go_on| {
            // Here, since regular expressions take their time, too.
            let queries = remote_read::queries(&body.bytes)?;
            let known = Known { past: &past, tracker: &published.background.tracker };
            answer(known, resolution, published.snapshot.at, &queries, go_on)
        })
        .await
}

/// The history that is asked for, until `now`: what comes later is not known yet. Nothing of it is computed unless all of
/// it can be.
fn answer(
    known: Known<'_>,
    resolution: Span,
    now: Timestamp,
    queries: &[Query],
    go_on: GoOn<'_>,
) -> Result<Vec<u8>, Problem> {
    let mut asked = Vec::new();
    let mut worth = 0_usize;
    for query in queries {
        go_on()?;
        let instants = query.instants(resolution, now)?;
        worth = worth.saturating_add(planned(known, query, &instants, |plan| plan.worth()));
        asked.push((query, instants));
    }
    if worth > WORTH_MAX {
        return Err(Problem::TooMuch(format!(
            "the answer takes as long as {worth} values, which is more than {WORTH_MAX}; what one lies in (`…_bound`) \
             takes as long as {INTERVAL_WORTH}: ask for fewer metrics, teams, components or windows, for a shorter \
             range or a longer step"
        )));
    }
    let mut answers = Answers::default();
    for (query, instants) in &asked {
        answers.begin();
        planned(known, query, instants, |plan| {
            plan.each(go_on, |series| {
                let labels = series.labels.iter().map(|(name, value)| (*name, value.as_str()));
                Ok(answers.series(series.metric.name, labels, &series.points)?)
            })
        })?;
    }
    Ok(answers.pack()?)
}

/// Does something with what a query takes.
fn planned<T>(known: Known<'_>, query: &Query, instants: &Instants, then: impl FnOnce(Plan<'_>) -> T) -> T {
    let wanted = Wanted {
        instants,
        metric: &|metric| query.wants(metric.name, metric.labels),
        label: &|name, value| query.admits(name, value),
    };
    then(Plan::new(known, &wanted))
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Malformed(detail) => Self::Malformed(detail),
            Refused::TooMuch(detail) => Self::TooMuch(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use prost::Message as _;

    use super::*;
    use crate::engine::link::Linked;
    use crate::engine::regression::tracker::Tracker;
    use crate::engine::series::Past;
    use crate::exposition::history;
    use crate::model::batch::Inventory;
    use crate::model::guardrail::{Guardrail, Limit};
    use crate::model::measure::{Measure, Stat};
    use crate::model::name::TeamSlug;
    use crate::model::regressions::TeamPatterns;
    use crate::model::settings::MetricSettings;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Request {
        #[prost(message, repeated, tag = "1")]
        queries: Vec<Asked>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Asked {
        #[prost(int64, tag = "1")]
        from: i64,
        #[prost(int64, tag = "2")]
        to: i64,
        #[prost(message, repeated, tag = "3")]
        matchers: Vec<Matcher>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Matcher {
        #[prost(int32, tag = "1")]
        kind: i32,
        #[prost(string, tag = "2")]
        name: String,
        #[prost(string, tag = "3")]
        value: String,
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const TEAMS: usize = 250;

    /// Of so many hours until now.
    fn question(matchers: &[(&str, &str)], hours: i64) -> Asked {
        let matcher = |(name, value): &(&str, &str)| Matcher {
            kind: if value.contains(['.', '|']) { 2 } else { 0 },
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        let from = NOW.minus(Span::from_hours(hours)).millis();
        Asked { from, to: NOW.millis(), matchers: matchers.iter().map(matcher).collect() }
    }

    /// The largest organisation for which all panels are drawn, with a guardrail.
    fn past() -> Past {
        let teams = (0..TEAMS).map(|team| TeamSlug::new(format!("team-{team}")));
        let mut settings = MetricSettings::new();
        settings.guardrails = vec![Guardrail {
            name: "lead-time".into(),
            measure: Measure::LeadTime,
            stat: Stat::P50,
            limit: Limit::Max(3_600.0),
            window: settings.windows[1].clone(),
            min_samples: 6,
            teams: TeamPatterns::parse(["*"]).unwrap(),
        }];
        Past {
            linked: Arc::new(Linked { teams: teams.collect(), ..Linked::default() }),
            inventory: Arc::new(Inventory::default()),
            settings: Arc::new(settings),
        }
    }

    /// What comes of questions, given up when the work asks for the `last` time whether to go on; how often it did.
    fn asked(
        past: &Past,
        queries: Vec<Asked>,
        resolution: Span,
        last: usize,
    ) -> (Result<(), Problem>, usize) {
        let body = snap::raw::Encoder::new().compress_vec(&Request { queries }.encode_to_vec()).unwrap();
        let queries = remote_read::queries(&body).unwrap();
        let count = Cell::new(0);
        let go_on = || {
            count.set(count.get() + 1);
            if count.get() < last { Ok(()) } else { Err(Problem::Unanswered) }
        };
        let known = Known { past, tracker: &Tracker::default() };
        (answer(known, resolution, NOW, &queries, &go_on).map(drop), count.get())
    }

    #[test]
    fn what_takes_minutes_is_refused_before_anything_is_computed() {
        let past = past();
        let quarter = Span::from_seconds(15);
        for (what, resolution, queries) in [
            ("all there is, for a hundred hours", quarter, vec![question(&[("__name__", "dora_.*")], 100)]),
            (
                "what nobody has, which is not known before",
                quarter,
                vec![question(&[("__name__", "dora_.*"), ("severity", "nope|")], 100)],
            ),
            (
                "half a century, three instants of it",
                Span::from_days(20_000),
                vec![question(&[("__name__", "dora_.*(_bound|_guardrail.*)")], 24 * 21_000)],
            ),
            (
                "a little, sixteen times",
                quarter,
                vec![question(&[("__name__", "dora_team_lead_time_seconds_bound"), ("window", "7d")], 1); 16],
            ),
        ] {
            let count = queries.len();
            let (outcome, went_on) = asked(&past, queries, resolution, usize::MAX);
            let Err(Problem::TooMuch(detail)) = outcome else { panic!("{what}: {outcome:?}") };
            assert!(detail.contains("more than 8000000") && detail.contains("ask for fewer"), "{detail}");
            assert_eq!(went_on, count, "{what}: each question is looked at, and nothing else");
        }
    }

    #[test]
    fn labels_that_no_series_has_cost_nothing() {
        let past = past();
        for label in
            ["bound", "stat", "phase", "kind", "outcome", "state", "measure", "window", "guardrail", "team"]
        {
            let question = question(&[("__name__", "dora_team.*"), (label, "nope")], 1_000);
            let (outcome, went_on) = asked(&past, vec![question], Span::from_hours(1), usize::MAX);
            assert_eq!((outcome, went_on), (Ok(()), 1), "{label}");
        }
    }

    #[test]
    fn a_panel_of_ninety_days_by_the_hour_is_answered_in_the_largest_organisation() {
        let past = past();
        for metric in history::metrics() {
            let mut matchers = vec![("__name__", metric.name)];
            matchers.extend(metric.labels.contains(&"window").then_some(("window", "30d")));
            let (outcome, _) = asked(&past, vec![question(&matchers, 90 * 24)], Span::from_hours(1), 2);
            // It has begun, or there was nothing to do; it is not computed to its end here.
            assert!(matches!(outcome, Ok(()) | Err(Problem::Unanswered)), "{}: {outcome:?}", metric.name);
        }
    }

    #[test]
    fn what_nobody_waits_for_is_given_up_at_the_next_instant() {
        let past = past();
        for name in ["dora_organization_window_complete", "dora_team_deployments", "dora_team_guardrail"] {
            // One team: between its instants, and not between teams.
            let question = question(&[("__name__", name), ("team", "team-7|")], 100);
            let (outcome, went_on) = asked(&past, vec![question], Span::from_hours(1), 50);
            assert_eq!((outcome, went_on), (Err(Problem::Unanswered), 50), "{name}");
        }
    }
}
