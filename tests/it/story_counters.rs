//! The persistent counters, told as one story of the example organisation: what was there before is not counted, and
//! everything after that once.

use std::collections::BTreeMap;

use sextant::demo::generate::generate;
use sextant::demo::world::World;
use sextant::demo::world::deployment::State;
use sextant::demo::world::pull::{Method, Proposal};
use sextant::demo::world::repository::RepositoryKey;
use sextant::model::name::{CommitId, TeamSlug};
use sextant::model::time::{Span, Timestamp};

use crate::rig::Rig;
use crate::story_numbers::{NOW, example_toml};

/// Values by `name{labels}`, without the buckets.
type Values = BTreeMap<String, f64>;

async fn values(rig: &mut Rig) -> Values {
    let counters = rig.compute().await.counters;
    let told = counters.into_iter().filter(|(key, _)| !key.name.ends_with("_bucket"));
    told.map(|(key, value)| (format!("{}{{{}}}", key.name, key.labels.join(",")), value)).collect()
}

/// Polls what happened, and says which counters moved, and by how much.
async fn news(rig: &mut Rig, known: &mut Values) -> Vec<(String, f64)> {
    rig.later(Span::from_seconds(1));
    rig.poll().await;
    let now = values(rig).await;
    let moved = now.iter().map(|(name, value)| {
        let before = known.get(name).copied().unwrap_or_default();
        (name.clone(), value - before)
    });
    let moved = moved.filter(|(_, by)| *by > 0.0).collect();
    *known = now;
    moved
}

fn moved(expected: &[(&str, f64)]) -> Vec<(String, f64)> {
    let named = expected.iter().map(|(name, by)| ((*name).to_owned(), *by));
    named.collect::<Values>().into_iter().collect()
}

/// The example organisation; the component of the story has deployed all that it has, and nothing is the matter with
/// it.
fn quiet_example() -> World {
    let mut world = generate(7, Timestamp::parse(NOW).unwrap());
    let gateway = world.find("acme/gateway").unwrap();
    let head = world.head(gateway).unwrap();
    rolled_out(&mut world, gateway, head, State::Success);
    world
}

/// An hour later a deployment begins, which ends ten minutes after that.
fn rolled_out(world: &mut World, key: RepositoryKey, commit: CommitId, end: State) {
    let at = world.now.plus(Span::from_hours(1));
    let deployment = world.deploy(key, commit, "production", at);
    world.status(deployment, end, at.plus(Span::from_minutes(10)));
}

/// A pull request from an hour ago is merged now.
fn merged_now(world: &mut World, key: RepositoryKey, title: &str) -> CommitId {
    let begun = world.now;
    let proposal = Proposal::new(title, "uma").commit(begun, title);
    let pull = world.open_pull(key, proposal, begun.plus(Span::from_minutes(30)));
    world.merge(pull, Method::Squash, begun.plus(Span::from_hours(1)))
}

#[tokio::test]
async fn counters_count_what_is_new_once_and_history_never() {
    let world = quiet_example();
    let toml = example_toml(&world);
    let mut rig = Rig::new(world, &toml).await;
    rig.poll().await;
    rig.later(Span::from_seconds(1));
    let mut known = values(&mut rig).await;
    assert_eq!(known, Values::new(), "the first read is history");
    assert_eq!(news(&mut rig, &mut known).await, []);

    let (gateway, website) = rig.world.tell(|world| {
        let found = ["acme/gateway", "acme/website"].map(|name| world.find(name).unwrap());
        (found[0], found[1])
    });

    // A change of 2 h 10 min: an hour to its merge, an hour to the deployment, ten minutes of that.
    rig.world.tell(|world| {
        let landing = merged_now(world, gateway, "Route by region");
        rolled_out(world, gateway, landing, State::Failure);
    });
    assert_eq!(
        news(&mut rig, &mut known).await,
        moved(&[("dora_deployments_total{platform,gateway,failure}", 1.0)])
    );
    rig.world.tell(|world| {
        let head = world.head(gateway).unwrap();
        rolled_out(world, gateway, head, State::Success);
    });
    let lead_time = 3_600.0 * 3.0 + 600.0 * 2.0 + 1.0;
    assert_eq!(
        news(&mut rig, &mut known).await,
        moved(&[
            ("dora_deployments_total{platform,gateway,success}", 1.0),
            ("dora_change_lead_time_seconds_count{platform}", 1.0),
            ("dora_change_lead_time_seconds_sum{platform}", lead_time),
        ])
    );

    // Where merges deploy, a merge is a deployment, too.
    rig.world.tell(|world| merged_now(world, website, "New colours"));
    assert_eq!(
        news(&mut rig, &mut known).await,
        moved(&[
            ("dora_deployments_total{checkout,website,success}", 1.0),
            ("dora_change_lead_time_seconds_count{checkout}", 1.0),
            ("dora_change_lead_time_seconds_sum{checkout}", 3_600.0),
        ])
    );

    // The last deployment turns out to be a bad one, for half an hour.
    let incident = rig.world.tell(|world| {
        let service = world.service_named("gateway (production)").unwrap();
        world.open_incident(service, "Requests go nowhere", world.now)
    });
    assert_eq!(news(&mut rig, &mut known).await, moved(&[("dora_incidents_total{platform,none}", 1.0)]));
    let resolved_at = rig.now().plus(Span::from_minutes(30));
    rig.world.tell(|world| world.resolve_incident(incident, resolved_at));
    assert_eq!(
        news(&mut rig, &mut known).await,
        moved(&[
            ("dora_deployment_recovery_time_seconds_count{platform}", 1.0),
            ("dora_deployment_recovery_time_seconds_sum{platform}", 1_801.0),
        ])
    );
    Box::pin(what_was_counted_stays_counted(rig, known, gateway)).await;
}

/// A restart counts nothing again, nor does another owner; what is new after that is the new owner's.
async fn what_was_counted_stays_counted(rig: Rig, mut known: Values, gateway: RepositoryKey) {
    let mut rig = rig.restart().await;
    assert_eq!(values(&mut rig).await, known);
    assert_eq!(news(&mut rig, &mut known).await, []);
    let teams = &mut rig.config.ownership.teams;
    let platform = teams.iter_mut().find(|team| team.slug.as_str() == "platform");
    platform.unwrap().slug = TeamSlug::from("foundation");
    let mut rig = rig.restart().await;
    assert_eq!(values(&mut rig).await, known);
    rig.world.tell(|world| {
        let head = world.head(gateway).unwrap();
        rolled_out(world, gateway, head, State::Success);
    });
    assert_eq!(
        news(&mut rig, &mut known).await,
        moved(&[("dora_deployments_total{foundation,gateway,success}", 1.0)])
    );
}
