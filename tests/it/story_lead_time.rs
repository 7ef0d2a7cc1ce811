//! The two walkthroughs of ARCHITECTURE.md, told as stories.

use sextant::demo::world::deployment::State;
use sextant::demo::world::pull::{Method, Proposal, Verdict};
use sextant::engine::snapshot::Quantiles;
use sextant::model::time::Span;

use crate::rig::{ACME, Rig, organization, team};
use crate::stage::{deploy, empty, hours_ago, merged, now, repository};

const TEAMS: &str = r#"
[[teams]]
name = "payments"
repositories = ["acme/pay"]
"#;

fn both(span: Span) -> Quantiles {
    Quantiles { p50: Some(span), p90: Some(span) }
}

#[tokio::test]
async fn a_merged_pull_request_becomes_lead_time() {
    let mut world = empty();
    let pay = repository(&mut world, "pay");
    let proposal = Proposal::new("Pay by card", "uma")
        .draft()
        .commit(hours_ago(30), "Begin")
        .commit(hours_ago(27), "Go on");
    let pull = world.open_pull(pay, proposal, hours_ago(26));
    world.review(pull, "uma", Verdict::Commented, hours_ago(25));
    world.ready_for_review(pull, hours_ago(24));
    world.review(pull, "checker[bot]", Verdict::Commented, hours_ago(23));
    world.review(pull, "vera", Verdict::Approved, hours_ago(20));
    let landing = world.merge(pull, Method::Merge, hours_ago(10));
    let tried = world.deploy(pay, landing, "production", hours_ago(9));
    world.status(tried, State::Failure, hours_ago(8));
    let deployment = world.deploy(pay, landing, "production", hours_ago(7));
    world.status(deployment, State::Success, hours_ago(6));
    world.advance(now());

    let toml = format!("{ACME}{TEAMS}");
    let mut rig = Rig::new(world, &toml).await;
    let snapshot = rig.look().await;
    let week = team(&snapshot, "payments", "7d").delivery.clone().unwrap();
    assert_eq!((week.deployments, week.changes, week.unreviewed_changes, week.bot_changes), (1, 1, 0, 0));
    assert_eq!((week.attempts_succeeded, week.attempts_failed), (1, 1));
    assert_eq!(week.failed_deployments, 0, "a failed attempt never reached production");
    assert_eq!(week.lead_time, both(Span::from_hours(24)));
    assert_eq!(week.phases, [6, 4, 10, 4].map(|hours| both(Span::from_hours(hours))));
    let coverage = team(&snapshot, "payments", "7d").coverage;
    assert_eq!((coverage.deployments_with_changes, coverage.changes_deployed), (Some(1.0), Some(1.0)));
}

#[tokio::test]
async fn an_incident_becomes_a_failed_deployment() {
    let mut world = empty();
    let pay = repository(&mut world, "pay");
    let service = world.service("pay", Some("Payments"), hours_ago(1_000));
    let (_, good) = merged(&mut world, pay, "Good", hours_ago(60));
    deploy(&mut world, pay, good, hours_ago(50));
    let (_, bad) = merged(&mut world, pay, "Bad", hours_ago(40));
    deploy(&mut world, pay, bad, hours_ago(30));
    let incident = world.open_incident(service, "Cards are refused", hours_ago(29));
    world.acknowledge_incident(incident, hours_ago(28));
    world.advance(now());

    let toml = format!("{ACME}{TEAMS}");
    let mut rig = Rig::new(world, &toml).await;
    let open = rig.look().await;
    let values = &open.teams[&"payments".into()].values;
    assert_eq!(values.unrecovered_deployments, Some(1));
    assert_eq!(values.open_incidents.as_ref().unwrap()[&"none".into()], 1);
    let week = team(&open, "payments", "7d");
    let delivery = week.delivery.as_ref().unwrap();
    assert_eq!((delivery.deployments, delivery.failed_deployments), (2, 1));
    assert_eq!(delivery.change_fail_ratio, Some(0.5));
    assert_eq!(delivery.recovered_deployments, 0);
    assert_eq!(delivery.recovery_time, Quantiles::default(), "unknown, not zero");
    assert_eq!(week.coverage.incidents_attributed, Some(1.0));

    // The fix is deployed while the incident is open: rework. Then the incident is resolved: recovered.
    let resolved_at = rig.now().plus(Span::from_hours(2));
    rig.world.tell(|world| {
        let at = world.now.plus(Span::from_minutes(20));
        let (_, fix) = merged(world, pay, "Accept cards again", at.minus(Span::from_hours(2)));
        deploy(world, pay, fix, at);
        world.resolve_incident(incident, resolved_at);
    });
    let over = rig.look().await;
    let delivery = team(&over, "payments", "7d").delivery.clone().unwrap();
    assert_eq!((delivery.deployments, delivery.failed_deployments, delivery.rework_deployments), (3, 1, 1));
    assert_eq!(delivery.recovered_deployments, 1);
    assert_eq!(delivery.recovery_time, both(resolved_at.since(hours_ago(29))));
    assert_eq!(over.teams[&"payments".into()].values.unrecovered_deployments, Some(0));
}

#[tokio::test]
async fn a_late_fact_corrects_the_past() {
    let mut world = empty();
    let pay = repository(&mut world, "pay");
    let (_, landing) = merged(&mut world, pay, "Pay by card", hours_ago(40));
    let deployment = world.deploy(pay, landing, "production", hours_ago(30));
    world.status(deployment, State::InProgress, hours_ago(30));
    world.advance(now());
    let mut rig = Rig::new(world, ACME).await;
    let snapshot = rig.look().await;
    let running = organization(&snapshot, "7d").delivery.clone().unwrap();
    assert_eq!((running.deployments, running.changes), (0, 0));

    // A status that is dated hours ago arrives now; and later ones change nothing.
    rig.world.tell(|world| {
        world.status(deployment, State::Success, hours_ago(20));
        world.status(deployment, State::Inactive, hours_ago(1));
    });
    rig.later(Span::from_minutes(10));
    let snapshot = rig.look().await;
    let done = organization(&snapshot, "7d").delivery.clone().unwrap();
    assert_eq!((done.deployments, done.changes), (1, 1));
    assert_eq!(snapshot.organization.last_deployment_at, Some(hours_ago(20)));
}
