//! Everything at once: a first read through a storm of faults ends in the numbers of an undisturbed one.

use sextant::demo::faults::{Fault, Which};
use sextant::demo::generate::generate;
use sextant::demo::random::Random;
use sextant::demo::world::World;
use sextant::model::time::{Span, Timestamp};
use sextant::source::PollError;

use crate::rig::Rig;
use crate::story_numbers::{NOW, example_toml};

/// Of every thousand requests so many go wrong.
const SPOILED_PER_MILLE: u32 = 250;
/// Requests over which faults are spread: more than a first read of the example takes.
const REQUESTS: u32 = 250;
/// Polls after which a read through the storm must be over.
const POLLS_MAX: u32 = 400;

fn world(seed: u64) -> World {
    generate(seed, Timestamp::parse(NOW).unwrap())
}

/// One thing that goes wrong, none of which changes what is true.
fn fault(random: &mut Random) -> Fault {
    let message = "Something went wrong while executing your query.";
    match random.below(14) {
        0 => Fault::status(502, message),
        1 => Fault::status(503, message),
        2 => Fault::status(504, message),
        3 => Fault::Truncated,
        4 => Fault::Reset,
        5 => Fault::Html,
        6 => Fault::RateLimited,
        7 => Fault::ResourceLimits,
        8 => Fault::secondary_limit(None),
        9 => Fault::ExtraFields,
        10 => Fault::single_sign_on(),
        11 => Fault::status(401, "Bad credentials"),
        12 => Fault::status(403, "Resource not accessible by personal access token"),
        _ => Fault::Late(std::time::Duration::from_millis(20)),
    }
}

/// Polls until everything is read and no fault is left to come.
async fn persist(rig: &mut Rig) -> u32 {
    let mut failures = 0;
    for _ in 0..POLLS_MAX {
        let polled = rig.poll_github().await;
        let calm = rig.servers.github.faults.pending() == 0;
        let read = rig.own("sextant_source_backfill_complete", &["acme-github"]) == Some(1.0);
        match polled {
            // What failed in a part stands until the next discovery.
            Ok(()) if calm && read => return failures,
            Ok(()) => rig.later(Span::from_minutes(1)),
            Err(PollError::Source(failure)) => {
                failures += 1;
                let wait = failure.retry_at.map(|at| Timestamp::from(at).since(rig.now()));
                rig.later(wait.unwrap_or(Span::from_minutes(1)).max(Span::from_seconds(1)));
            }
            Err(PollError::NotStored) => panic!("the store is well"),
        }
        if read && !calm {
            // Fewer requests were needed than there are faults: the storm is over.
            rig.servers.github.faults.clear();
        }
    }
    panic!("it is never through: {:?}", rig.servers.github.tally.by_operation());
}

#[tokio::test]
async fn a_first_read_through_a_storm_of_faults_ends_in_the_same_numbers() {
    for seed in [1, 2] {
        let mut random = Random::new(seed);
        let toml = example_toml(&world(7));
        let mut rig = Rig::new(world(7), &toml).await;
        let mut scripted = 0;
        for nth in 1..=REQUESTS {
            if random.chance(SPOILED_PER_MILLE) {
                rig.servers.github.faults.nth(nth, Which::Any, fault(&mut random));
                scripted += 1;
            }
        }
        let failures = persist(&mut rig).await;
        assert!(failures > 0, "seed {seed}: of {scripted} faults none ended a poll");
        rig.poll_pagerduty().await.unwrap();
        // A repository that was refused is looked for again with the next discovery.
        rig.later(Span::from_hours(2));
        rig.poll().await;
        rig.later(Span::from_seconds(1));
        let snapshot = rig.compute().await.snapshot;

        let mut calm = Rig::new(world(7), &toml).await;
        calm.poll().await;
        calm.later(rig.now().since(calm.now()));
        let expected = calm.compute().await.snapshot;
        assert_eq!(snapshot.organization, expected.organization, "seed {seed}, {failures} failed polls");
        assert_eq!(snapshot.teams, expected.teams, "seed {seed}");
        assert_eq!(snapshot.components, expected.components, "seed {seed}");
    }
}
