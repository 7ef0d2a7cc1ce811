//! The simulated `PagerDuty` behaves as the documentation says: windows, zones, pages, limits, states.

use serde_json::{Value, json};
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::demo::world::incident::Urgency;

use super::demo_stage::{Stage, acme, ago, now};

/// One incident every twelve hours.
fn outages(count: i64) -> World {
    let mut world = acme();
    let service = world.service("shop", Some("Crew"), ago(5_000));
    for index in (0..count).rev() {
        let incident = world.open_incident(service, &format!("Outage {index}"), ago(12 * index + 6));
        world.resolve_incident(incident, ago(12 * index + 5));
    }
    world
}

fn titles(body: &Value) -> Vec<&str> {
    let incidents = body["incidents"].as_array().unwrap();
    incidents.iter().map(|incident| incident["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_tell_whether_there_is_more_and_the_total_only_when_asked() {
    let stage = Stage::of(outages(60)).await;
    let (_, page) = stage.page("/incidents", &[("date_range", "all")]).await;
    assert_eq!(
        (&page["limit"], &page["offset"], &page["more"], &page["total"]),
        (&json!(25), &json!(0), &json!(true), &Value::Null)
    );
    let mut walked = Vec::new();
    for offset in ["0", "20", "40"] {
        let query = [
            ("date_range", "all"),
            ("limit", "20"),
            ("offset", offset),
            ("total", "true"),
            ("sort_by", "created_at:desc"),
        ];
        let (_, page) = stage.page("/incidents", &query).await;
        assert_eq!((&page["total"], &page["more"]), (&json!(60), &json!(offset != "40")));
        walked.extend(titles(&page).into_iter().map(str::to_owned));
    }
    let expected: Vec<_> = (0..60).map(|index| format!("Outage {index}")).collect();
    assert_eq!(walked, expected);
}

#[tokio::test]
async fn the_window_looks_at_creation_and_is_a_month_where_it_has_no_end() {
    let stage = Stage::of(outages(300)).await;
    let count = async |query: &[(&str, &str)]| {
        let mut query = query.to_vec();
        query.extend([("time_zone", "UTC"), ("total", "true"), ("limit", "1")]);
        stage.page("/incidents", &query).await.1["total"].as_i64().unwrap()
    };
    assert_eq!(count(&[("date_range", "all")]).await, 300);
    assert_eq!(count(&[]).await, 62, "31 days");
    assert_eq!(count(&[("since", "2026-09-01T00:00:00Z")]).await, 60, "September");
    assert_eq!(count(&[("until", "2026-10-01")]).await, 60, "September");
    assert_eq!(count(&[("since", "2026-11-21"), ("until", "2026-11-22")]).await, 2);
    assert_eq!(
        count(&[("since", "2026-11-21T11:00:00Z"), ("until", "2026-11-21T23:00:00Z")]).await,
        1,
        "half-open"
    );
    let longer = [("since", "2026-05-01"), ("until", "2026-11-02"), ("time_zone", "UTC")];
    let (status, body) = stage.page("/incidents", &longer).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!(2001)), "{body}");
}

#[tokio::test]
async fn without_a_zone_instants_are_those_of_the_account() {
    let stage = Stage::of(outages(1)).await;
    let (_, berlin) = stage.page("/incidents", &[]).await;
    assert_eq!(berlin["incidents"][0]["created_at"], "2026-11-22T12:00:00+01:00");
    let (_, utc) = stage.page("/incidents", &[("time_zone", "UTC")]).await;
    assert_eq!(utc["incidents"][0]["created_at"], "2026-11-22T11:00:00Z");
}

#[tokio::test]
async fn nothing_lies_beyond_ten_thousand_and_nonsense_is_refused() {
    let stage = Stage::of(outages(1)).await;
    for (query, status, code) in [
        (("offset", "9975"), 200, Value::Null),
        (("offset", "9976"), 400, json!(2002)),
        (("limit", "101"), 400, json!(2001)),
        (("limit", "many"), 400, json!(2001)),
        (("statuses[]", "gone"), 400, json!(2001)),
        (("sort_by", "title"), 400, json!(2001)),
        (("since", "yesterday"), 400, json!(2001)),
        (("time_zone", "Mars"), 400, json!(2001)),
        (("date_range", "some"), 400, json!(2001)),
    ] {
        let (got, body) = stage.page("/incidents", &[query]).await;
        assert_eq!((got, &body["error"]["code"]), (status, &code), "{query:?}");
    }
}

#[tokio::test]
async fn filters_are_repeated_parameters() {
    let mut world = outages(3);
    let other = world.service("cart", Some("Other"), ago(5_000));
    let open = world.open_incident(other, "Open", ago(2));
    world.edit_incident(open, ago(2), |incident| incident.urgency = Urgency::Low);
    let seen = world.open_incident(other, "Seen", ago(1));
    world.acknowledge_incident(seen, ago(1));
    let (service, team) = {
        let service = world.pagerduty.service(other).unwrap();
        (service.id.clone(), world.pagerduty.teams[service.team.unwrap()].0.clone())
    };
    let stage = Stage::of(world).await;
    for (query, expected) in [
        (vec![("statuses[]", "triggered"), ("statuses[]", "acknowledged")], vec!["Open", "Seen"]),
        (vec![("urgencies[]", "low")], vec!["Open"]),
        (vec![("service_ids[]", service.as_str()), ("urgencies[]", "high")], vec!["Seen"]),
        (vec![("team_ids[]", team.as_str())], vec!["Open", "Seen"]),
        (vec![("service_ids[]", "PNOBODY")], vec![]),
    ] {
        let (_, body) = stage.page("/incidents", &query).await;
        assert_eq!(titles(&body), expected, "{query:?}");
    }
    let (_, services) = stage.page("/services", &[]).await;
    assert_eq!(services["services"][1]["name"], "cart");
}

#[tokio::test]
async fn a_record_follows_the_life_of_its_incident() {
    let mut world = acme();
    let service = world.service("shop", Some("Crew"), ago(500));
    let first = world.open_incident(service, "Down", ago(9));
    world.acknowledge_incident(first, ago(8));
    let id = world.incident(first).unwrap().id.clone();
    let stage = Stage::of(world).await;
    let path = format!("/incidents/{id}");
    let read = async || stage.page(&path, &[("time_zone", "UTC")]).await.1["incident"].clone();
    let seen = read().await;
    assert_eq!(
        (&seen["status"], &seen["acknowledgements"][0]["at"]),
        (&json!("acknowledged"), &json!(ago(8).to_string()))
    );
    assert_eq!((&seen["service"]["summary"], &seen["teams"][0]["summary"]), (&json!("shop"), &json!("Crew")));

    stage.world.tell(|world| world.resolve_incident(first, ago(7)));
    let resolved = read().await;
    assert_eq!(
        (&resolved["status"], &resolved["resolved_at"]),
        (&json!("resolved"), &json!(ago(7).to_string()))
    );
    assert_eq!((&resolved["acknowledgements"], &resolved["resolve_reason"]), (&json!([]), &Value::Null));

    stage.world.tell(|world| world.reopen_incident(first, ago(6)));
    let reopened = read().await;
    assert_eq!((&reopened["status"], &reopened["resolved_at"]), (&json!("triggered"), &Value::Null));
    assert_eq!(reopened["updated_at"], ago(6).to_string());

    let into = stage.world.tell(|world| {
        let second = world.open_incident(service, "Down too", ago(5));
        world.merge_incident(first, second, ago(4));
        world.incident(second).unwrap().id.clone()
    });
    let merged = read().await;
    assert_eq!(merged["resolve_reason"]["type"], "merge_resolve_reason");
    assert_eq!(merged["resolve_reason"]["incident"]["id"], into);
    let (status, body) = stage.page("/incidents/QNOTHING", &[]).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!(2100)));
}

#[tokio::test]
async fn the_wrong_token_is_refused_and_the_minute_has_a_limit() {
    let options = Options { pagerduty_requests_per_minute: 2, ..Options::default() };
    let stage = Stage::with(outages(1), options).await;
    let url = format!("{}/incidents", stage.servers.pagerduty.url);
    let wrong = stage.client.get(&url).header("authorization", "Token token=wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    let right = || {
        let request = stage.client.get(&url).header("authorization", "Token token=demo-pagerduty-token");
        request.header("accept", "application/vnd.pagerduty+json;version=2").send()
    };
    let first = right().await.unwrap();
    assert_eq!(first.status(), 200);
    assert_eq!(
        (&first.headers()["ratelimit-remaining"], &first.headers()["ratelimit-reset"]),
        (&"1".parse().unwrap(), &"60".parse().unwrap())
    );
    assert_eq!(right().await.unwrap().status(), 200);
    assert_eq!(right().await.unwrap().status(), 429);
    stage.world.tell(|world| world.advance(now().plus(sextant::model::time::Span::from_minutes(1))));
    assert_eq!(right().await.unwrap().status(), 200);
    assert_eq!(stage.servers.pagerduty.tally.requests(), 5);
}
