//! A world that does not stand still while it is read, and one that refuses.

use std::time::Duration;

use sextant::demo::faults::{Fault, Which};
use sextant::demo::world::World;
use sextant::demo::world::deployment::State;
use sextant::demo::world::pull::{Method, Proposal, PullKey, Verdict};
use sextant::model::time::Span;

use crate::rig::{ACME, Rig, organization};
use crate::stage::{deploy, hours_ago, merged, repository, small};

/// So much happens, once for each request.
const STEPS: usize = 24;
/// Polls after which everything must have been read.
const POLLS_MAX: u32 = 80;

/// Something everyday happens in one of the repositories: a merge, its deployment, an edit of what was read already.
fn happen(world: &mut World, step: usize) {
    let name = ["acme/shop", "acme/pay", "acme/search"][step % 3];
    let key = world.find(name).unwrap();
    let minute = |minutes: i64| world.now.plus(Span::from_minutes(minutes));
    let (opened, reviewed, merged_at, deployed, succeeded) =
        (minute(1), minute(2), minute(3), minute(4), minute(5));
    let proposal = Proposal::new(&format!("Step {step}"), "uma").commit(opened, "Work");
    let pull = world.open_pull(key, proposal, opened);
    world.review(pull, "vera", Verdict::Approved, reviewed);
    let method = [Method::Squash, Method::Merge, Method::Rebase][step / 3 % 3];
    let landing = world.merge(pull, method, merged_at);
    if step.is_multiple_of(2) {
        let deployment = world.deploy(key, landing, "production", deployed);
        world.status(deployment, State::Success, succeeded);
    } else {
        world.push(key, "vera", "A quick fix", deployed, succeeded);
    }
    // An edit makes an old item the newest of its list: pages that are still to come move.
    let old = PullKey { repository: key, place: step % world.at(key).pulls.len() };
    world.edit_pull(old, succeeded, |pull| pull.labels.push(format!("step-{step}")));
}

/// Three repositories with enough in them for many pages.
fn long() -> World {
    let mut world = small();
    for name in ["acme/shop", "acme/pay", "acme/search"] {
        let key = world.find(name).unwrap();
        for step in 0..70 {
            let opened = hours_ago(300 - step * 4);
            let (_, landing) = merged(&mut world, key, &format!("More {step}"), opened);
            if step % 3 == 0 {
                deploy(&mut world, key, landing, opened.plus(Span::from_hours(3)));
            }
        }
    }
    world
}

#[tokio::test]
async fn pages_that_drift_while_they_are_read_lose_nothing_and_double_nothing() {
    let mut rig = Rig::new(long(), ACME).await;
    let (world, github) = (rig.world.clone(), std::sync::Arc::clone(&rig.servers.github));
    let moving = async {
        let (mut seen, mut step) = (0, 0);
        loop {
            let asked = github.tally.requests();
            if asked > seen && step < STEPS {
                seen = asked;
                world.tell(|world| happen(world, step));
                step += 1;
            }
            tokio::task::yield_now().await;
        }
    };
    // What happens takes minutes of the world's time, so that the history is read in several polls.
    let reading = async {
        for polls in 1..=POLLS_MAX {
            rig.poll_github().await.unwrap();
            let read = rig.own("sextant_source_backfill_complete", &["acme-github"]) == Some(1.0);
            if read && github.tally.requests() > u64::try_from(STEPS).unwrap() {
                return polls;
            }
            rig.later(Span::from_minutes(1));
        }
        panic!("it is never read: {:?}", github.tally.by_operation());
    };
    let polls = tokio::select! {
        polls = reading => polls,
        () = moving => unreachable!("it never ends"),
    };
    assert!(polls > 1, "everything was read in one poll: nothing could drift");
    for _ in 0..2 {
        rig.later(Span::from_minutes(1));
        rig.poll_github().await.unwrap();
    }
    rig.later(Span::from_seconds(1));
    let snapshot = rig.compute().await.snapshot;

    // The same world, read by somebody who comes when everything has happened.
    let world = rig.world.lock().clone();
    let mut later = Rig::new(world, ACME).await;
    for _ in 0..3 {
        later.poll_github().await.unwrap();
    }
    let expected = later.compute().await.snapshot;
    assert_eq!(snapshot.organization, expected.organization);
    assert_eq!(snapshot.components, expected.components);
}

#[tokio::test]
async fn late_answers_change_nothing() {
    let mut rig = Rig::new(small(), ACME).await;
    rig.servers.github.faults.always(Which::Any, Fault::Late(Duration::from_millis(15)));
    let late = rig.look().await;
    let mut prompt = Rig::new(small(), ACME).await;
    assert_eq!(late.organization, prompt.look().await.organization);
}

#[tokio::test]
async fn single_sign_on_refuses_once_is_told_and_nothing_is_zeroed() {
    let mut rig = Rig::new(small(), ACME).await;
    let before = rig.look().await;
    rig.servers.github.faults.always(Which::Any, Fault::single_sign_on());
    rig.later(Span::from_hours(2));
    let asked = rig.servers.github.tally.requests();
    let outcome = rig.poll_github().await;
    let requests = rig.servers.github.tally.requests() - asked;
    assert!(requests <= 3, "{requests} requests against a refusal that stands ({outcome:?})");
    let forbidden = rig.own("sextant_source_request_failures_total", &["acme-github", "forbidden"]);
    assert!(forbidden >= Some(1.0), "{forbidden:?}");
    let after = rig.compute().await.snapshot;
    let deployments = |snapshot: &sextant::engine::snapshot::Snapshot| {
        organization(snapshot, "90d").delivery.clone().unwrap().deployments
    };
    assert_eq!(deployments(&before), deployments(&after));
}

#[tokio::test]
async fn a_deleted_account_is_a_human_nobody_knows() {
    let mut world = small();
    let key = repository(&mut world, "ghostly");
    let opened = hours_ago(30);
    let proposal = Proposal::new("By nobody", "").commit(opened.minus(Span::from_hours(1)), "Work");
    let pull = world.open_pull(key, proposal, opened);
    world.review(pull, "", Verdict::Approved, opened.plus(Span::from_minutes(10)));
    let landing = world.merge(pull, Method::Squash, opened.plus(Span::from_hours(1)));
    deploy(&mut world, key, landing, opened.plus(Span::from_hours(2)));
    world.advance(crate::stage::now());
    let mut rig = Rig::new(world, ACME).await;
    let snapshot = rig.look().await;
    let values = &snapshot.components[&("unowned".into(), "ghostly".into())].windows[0];
    let delivery = values.delivery.as_ref().unwrap();
    assert_eq!((delivery.changes, delivery.bot_changes), (1, 0));
}
