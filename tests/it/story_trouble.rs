//! What goes wrong at GitHub, one story each: the daemon survives, says so, loses nothing, and does not hammer.

use std::sync::Arc;

use sextant::demo::faults::{Fault, Which};
use sextant::demo::serve::Options;
use sextant::engine::snapshot::Snapshot;
use sextant::http::Reason;
use sextant::model::time::{Span, Timestamp};
use sextant::source::PollError;

use crate::rig::{ACME, Rig, organization};
use crate::stage::{deploy, hours_ago, merged, small};

/// The small world, read without any trouble, and looked at when `other` is.
async fn undisturbed(other: &Rig) -> Arc<Snapshot> {
    let mut rig = Rig::new(small(), ACME).await;
    rig.poll().await;
    rig.later(other.now().since(rig.now()));
    rig.compute().await.snapshot
}

/// Polls until a poll succeeds; the world's time goes on meanwhile. Returns how many polls failed, with their reasons.
async fn persist(rig: &mut Rig) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for _ in 0..40 {
        match rig.poll_github().await {
            Ok(()) => return reasons,
            Err(PollError::Source(failure)) => {
                reasons.push(failure.reason);
                // As long as the collector would wait, and a little longer.
                let wait = failure.retry_at.map(|at| Timestamp::from(at).since(rig.now()));
                rig.later(wait.unwrap_or(Span::from_minutes(1)).max(Span::from_seconds(1)));
            }
            Err(PollError::NotStored) => panic!("the store is well"),
        }
    }
    panic!("it never recovers: {reasons:?}");
}

#[tokio::test]
async fn a_wrong_token_is_tried_once_and_the_last_values_stay() {
    let mut rig = Rig::new(small(), ACME).await;
    let before = rig.look().await;
    rig.replace_token("github", "revoked");
    let asked = rig.servers.github.tally.requests();
    let failed = rig.poll_github().await;
    assert!(matches!(failed, Err(PollError::Source(failure)) if failure.reason == Reason::Auth));
    assert_eq!(rig.servers.github.tally.requests() - asked, 1, "a retry cannot help");
    assert_eq!(rig.own("sextant_source_up", &["acme-github"]), Some(0.0));
    let failures = rig.own("sextant_source_request_failures_total", &["acme-github", "auth"]);
    assert_eq!(failures, Some(1.0));
    let after = rig.compute().await.snapshot;
    assert_eq!(before, after);

    rig.replace_token("github", &Options::default().github_token);
    rig.poll_github().await.unwrap();
    assert_eq!(rig.own("sextant_source_up", &["acme-github"]), Some(1.0));
}

#[tokio::test]
async fn a_repository_that_is_gone_does_not_spoil_its_batch_and_keeps_its_history() {
    let mut rig = Rig::new(small(), ACME).await;
    let before = rig.look().await;
    rig.world.tell(|world| {
        let gone = world.find("acme/pay").unwrap();
        world.delete_repository(gone, world.now);
        let shop = world.find("acme/shop").unwrap();
        let (_, landing) = merged(world, shop, "News", hours_ago(4));
        deploy(world, shop, landing, hours_ago(1));
    });
    for _ in 0..3 {
        rig.later(Span::from_hours(1));
        rig.poll().await;
    }
    let after = rig.look().await;
    let (was, is) = (organization(&before, "90d"), organization(&after, "90d"));
    let deployments =
        |values: &sextant::engine::snapshot::WindowValues| values.delivery.clone().unwrap().deployments;
    assert_eq!(deployments(is), deployments(was) + 1);
    let inaccessible = sextant::engine::snapshot::RepositoryState::Inaccessible;
    assert_eq!(after.repositories[&("acme-github".into(), inaccessible)], 1);
}

#[tokio::test]
async fn incidents_leave_with_their_source() {
    let mut world = small();
    let service = world.service("shop", None, hours_ago(9));
    world.open_incident(service, "Checkout is slow", hours_ago(8));
    let mut rig = Rig::new(world, ACME).await;
    let before = rig.look().await;
    let started = |snapshot: &Snapshot| -> u64 {
        let incidents = organization(snapshot, "30d").incidents.clone().unwrap();
        incidents.started.values().sum()
    };
    assert_eq!(started(&before), 1);
    rig.config.metrics.incident_filters.remove(&"acme-pagerduty".into());
    rig.config.pagerduty.clear();
    let mut rig = rig.restart().await;
    let after = rig.compute().await.snapshot;
    assert_eq!(started(&after), 0);
    let mut sources = after.excluded.keys().map(|(source, _)| source.as_str());
    assert!(!sources.any(|source| source == "acme-pagerduty"));
}

#[tokio::test]
async fn every_fault_of_the_wire_is_survived_and_the_numbers_are_the_same() {
    let server = |status| Fault::status(status, "Something went wrong");
    let faults: Vec<(&str, Fault)> = vec![
        ("bad gateway", server(502)),
        ("gateway timeout", server(504)),
        ("unavailable", server(503)),
        ("truncated", Fault::Truncated),
        ("reset", Fault::Reset),
        ("html", Fault::Html),
        ("rate limited", Fault::RateLimited),
        ("resource limits", Fault::ResourceLimits),
        ("secondary limit", Fault::secondary_limit(Some(1))),
        ("extra fields", Fault::ExtraFields),
    ];
    for (name, fault) in faults {
        for nth in 1..=3 {
            let mut rig = Rig::new(small(), ACME).await;
            rig.servers.github.faults.nth(nth, Which::Any, fault.clone());
            persist(&mut rig).await;
            rig.poll_pagerduty().await.unwrap();
            rig.later(Span::from_seconds(1));
            let (snapshot, expected) = (rig.compute().await.snapshot, undisturbed(&rig).await);
            assert_eq!(
                snapshot.organization,
                expected.organization,
                "after {name} at request {nth}: {:?}",
                rig.servers.github.tally.by_operation()
            );
        }
    }
}

#[tokio::test]
async fn an_unknown_status_is_left_out_and_counted() {
    let mut rig = Rig::new(small(), ACME).await;
    rig.servers.github.faults.always(Which::Any, Fault::Word("\"SUCCESS\"", "\"TRANSMOGRIFIED\""));
    let snapshot = rig.look().await;
    assert!(snapshot.suspects.unknown_value > 0, "{:?}", snapshot.suspects);
}

#[tokio::test]
async fn null_items_are_survived() {
    for list in ["nodes"] {
        for place in 0..2 {
            let mut rig = Rig::new(small(), ACME).await;
            rig.servers.github.faults.nth(3, Which::Any, Fault::NullItem(list, place));
            persist(&mut rig).await;
        }
    }
}

#[tokio::test]
async fn endless_pages_end() {
    let mut rig = Rig::new(small(), ACME).await;
    rig.servers.github.faults.always(Which::Any, Fault::EndlessPages);
    let outcome = rig.poll_github().await;
    let asked = rig.servers.github.tally.requests();
    assert!(asked < 60, "{asked} requests against pages without end ({outcome:?})");
    rig.servers.github.faults.clear();
    for _ in 0..3 {
        rig.later(Span::from_hours(1));
        persist(&mut rig).await;
    }
    let snapshot = rig.compute().await.snapshot;
    let expected = undisturbed(&rig).await;
    let deployments =
        |snapshot: &Snapshot| organization(snapshot, "30d").delivery.clone().unwrap().deployments;
    assert_eq!(deployments(&snapshot), deployments(&expected));
}

#[tokio::test]
async fn a_secondary_limit_without_a_time_is_respected() {
    let mut rig = Rig::new(small(), ACME).await;
    rig.servers.github.faults.always(Which::Any, Fault::secondary_limit(None));
    let asked = rig.servers.github.tally.requests();
    let Err(PollError::Source(failure)) = rig.poll_github().await else { panic!("it is limited") };
    assert_eq!(failure.reason, Reason::RateLimited);
    let wait = failure.retry_at.map(|at| Timestamp::from(at).since(rig.now()));
    assert!(wait >= Some(Span::from_seconds(60)), "{wait:?}");
    assert_eq!(rig.servers.github.tally.requests() - asked, 1);
}

#[tokio::test]
async fn the_share_of_the_budget_is_never_exceeded() {
    let options = Options { github_points_per_hour: 20, ..Options::default() };
    let mut rig = Rig::with(small(), ACME, options).await;
    let mut polls = 0;
    while rig.poll_github().await.is_ok() && polls < 40 {
        polls += 1;
        rig.later(Span::from_seconds(60));
    }
    let points = rig.servers.github.tally.points();
    assert!(points <= 16, "{points} points of 20 with a share of 0.8, in {polls} polls");
    assert!(points >= 10, "only {points} points were used: it gives up too early");
    // The next hour has a budget of its own.
    rig.later(Span::from_minutes(61));
    rig.poll_github().await.unwrap();
}

#[tokio::test]
async fn a_poll_that_is_dropped_anywhere_goes_on_where_it_was() {
    for after in 1..12 {
        let mut rig = Rig::new(small(), ACME).await;
        rig.servers.github.faults.nth(after, Which::Any, Fault::Hang);
        let hung = rig.servers.github.tally.requests() + u64::from(after);
        let dropped = {
            let servers = rig.servers.clone();
            let reached = async move {
                while servers.github.tally.requests() < hung {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                outcome = rig.poll_github() => outcome.is_err(),
                () = reached => true,
            }
        };
        rig.servers.github.faults.clear();
        let mut rig = rig.restart().await;
        rig.poll().await;
        rig.later(Span::from_seconds(1));
        let (snapshot, expected) = (rig.compute().await.snapshot, undisturbed(&rig).await);
        assert_eq!(
            snapshot.organization, expected.organization,
            "after request {after} (dropped: {dropped})"
        );
    }
}

#[tokio::test]
async fn what_is_pushed_between_the_probe_and_the_read_is_read_once() {
    let mut rig = Rig::new(small(), ACME).await;
    rig.poll().await;
    rig.later(Span::from_minutes(1));
    push(&rig);
    let (world, github) = (rig.world.clone(), std::sync::Arc::clone(&rig.servers.github));
    let probes = move || github.tally.by_operation().get("Probe").copied().unwrap_or(0);
    let before = probes();
    // The answer of the probe is made before anybody else runs, so this push comes right after it.
    let pushing = async {
        while probes() == before {
            tokio::task::yield_now().await;
        }
        world.tell(|world| {
            let shop = world.find("acme/shop").unwrap();
            let now = world.now;
            world.push(shop, "vera", "Another one", now, now);
        });
    };
    let asked = rig.servers.github.tally.requests();
    let (polled, ()) = tokio::join!(rig.poll_github(), pushing);
    polled.unwrap();
    let took = rig.servers.github.tally.requests() - asked;
    assert!(took <= 5, "{took} requests: {:?}", rig.servers.github.tally.by_operation());
}

/// Pushes a commit straight to `shop`.
fn push(rig: &Rig) {
    rig.world.tell(|world| {
        let shop = world.find("acme/shop").unwrap();
        let now = world.now;
        world.push(shop, "vera", "One", now, now);
    });
}
