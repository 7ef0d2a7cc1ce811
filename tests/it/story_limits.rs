//! Limits that are not the hourly budget, and a budget that several share.

use std::time::Duration;

use sextant::demo::generate::generate;
use sextant::demo::github::Secondary;
use sextant::demo::serve::Options;
use sextant::demo::world::World;
use sextant::http::Reason;
use sextant::model::time::{Span, Timestamp};
use sextant::source::PollError;

use crate::rig::{ACME, Rig};
use crate::stage::{deploy, hours_ago, merged, now, small};
use crate::story_numbers::{NOW, example_toml};

const FAILURES: &str = "sextant_source_request_failures_total";

fn world() -> World {
    generate(7, Timestamp::parse(NOW).unwrap())
}

#[tokio::test]
async fn a_whole_first_read_never_trips_a_secondary_limit() {
    let limits = Secondary { concurrent_max: 2, ..Secondary::default() };
    // Long enough that all that may be under way at once is.
    let latency = Duration::from_millis(5);
    let options = Options { github_secondary: Some(limits), latency, ..Options::default() };
    let toml = example_toml(&world()).replace("history = \"180d\"", "history = \"40d\"");
    let mut rig = Rig::with(world(), &toml, options).await;
    rig.poll_github().await.unwrap();
    rig.later(Span::from_seconds(1));
    assert!(rig.servers.github.tally.requests() > 40, "{}", rig.servers.github.tally.requests());
    assert_eq!(rig.own(FAILURES, &["acme-github", "rate_limited"]), Some(0.0));
    assert_eq!(rig.told(), Vec::<String>::new());
    let mut usual = Rig::new(world(), &toml).await;
    usual.poll_github().await.unwrap();
    usual.later(Span::from_seconds(1));
    let (seen, expected) = (rig.compute().await.snapshot, usual.compute().await.snapshot);
    assert_eq!(seen.components, expected.components);
}

#[tokio::test]
async fn a_limit_that_somebody_else_used_up_pauses_until_it_is_over() {
    const A_MINUTE: u64 = 10;
    let limits = Secondary { graphql_per_minute: A_MINUTE, ..Secondary::default() };
    let options = Options { github_secondary: Some(limits), ..Options::default() };
    let token = options.github_token.clone();
    let mut rig = Rig::with(small(), ACME, options).await;
    let client = reqwest::Client::builder().no_proxy().user_agent("somebody else").build().unwrap();
    for _ in 0..A_MINUTE - 2 {
        let request = client.post(format!("{}/graphql", rig.servers.github.url)).bearer_auth(&token);
        let answer = request.body("{\"query\": \"{ rateLimit { used } }\"}").send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let Err(PollError::Source(failure)) = rig.poll_github().await else { panic!("the limit is not met") };
    assert_eq!(failure.reason, Reason::RateLimited);
    let wait = Timestamp::from(failure.retry_at.unwrap()).since(rig.now());
    assert_eq!(wait, Span::from_minutes(1), "as long as it says");
    let refused = rig.own(FAILURES, &["acme-github", "rate_limited"]).unwrap();
    assert!(refused <= 2.0, "{refused}: what was under way, and no more");
    // Nobody who is the same identity asks anything meanwhile.
    let asked = rig.servers.github.tally.requests();
    rig.later(Span::from_seconds(30));
    assert!(rig.poll_github().await.is_err());
    assert_eq!(rig.servers.github.tally.requests(), asked);

    rig.later(Span::from_seconds(31));
    rig.poll_github().await.unwrap();
    assert_eq!(rig.own("sextant_source_backfill_complete", &["acme-github"]), Some(1.0));
    let mut usual = Rig::new(small(), ACME).await;
    usual.poll_github().await.unwrap();
    usual.later(rig.now().since(usual.now()));
    let (seen, expected) = (rig.compute().await.snapshot, usual.compute().await.snapshot);
    assert_eq!(seen.organization, expected.organization);
    assert_eq!(seen.components, expected.components);
}

#[tokio::test]
async fn two_sources_with_one_token_keep_to_the_share_together() {
    const HOURLY: u64 = 30;
    let second = r#"[[github]]
name = "globex-github"
api_url = "{github}"
token_file = "{directory}/github-token"
organizations = ["globex"]
history = "180d"

[[pagerduty]]"#;
    let toml = ACME.replacen("[[pagerduty]]", second, 1);
    let world = || {
        let mut world = small();
        world.found("globex", hours_ago(24 * 300));
        for name in ["globex/reactor", "globex/coolant"] {
            let key = world.repository(name, hours_ago(24 * 30));
            world.push(key, "vera", "Initial commit", hours_ago(24 * 30), hours_ago(24 * 30));
            let (_, landing) = merged(&mut world, key, "Rod", hours_ago(200));
            deploy(&mut world, key, landing, hours_ago(190));
        }
        world.advance(now());
        world
    };
    let options = Options { github_points_per_hour: HOURLY, ..Options::default() };
    let mut rig = Rig::with(world(), &toml, options).await;
    let complete = |rig: &Rig| {
        ["acme-github", "globex-github"]
            .iter()
            .all(|source| rig.own("sextant_source_backfill_complete", &[source]) == Some(1.0))
    };
    // Looking every two minutes takes sixty points an hour.
    for hour in 0..3 {
        let before = rig.servers.github.tally.points();
        for _ in 0..30 {
            let (one, other) = rig.poll_both().await;
            for failure in [one, other].into_iter().filter_map(Result::err) {
                assert!(
                    matches!(&failure, PollError::Source(it) if it.reason == Reason::RateLimited),
                    "{failure}"
                );
            }
            rig.later(Span::from_minutes(2));
        }
        let spent = rig.servers.github.tally.points() - before;
        assert!((20..=HOURLY * 8 / 10).contains(&spent), "{spent} points of {HOURLY} in hour {hour}");
        // The next hour of the limit begins with its first request.
        rig.later(Span::from_minutes(1));
    }
    assert!(complete(&rig), "{:?}", rig.servers.github.tally.by_operation());
    let mut usual = Rig::new(world(), &toml).await;
    let (one, other) = usual.poll_both().await;
    one.and(other).unwrap();
    usual.later(rig.now().since(usual.now()));
    let (seen, expected) = (rig.compute().await.snapshot, usual.compute().await.snapshot);
    assert_eq!(seen.organization, expected.organization);
    assert_eq!(seen.components, expected.components);
}
