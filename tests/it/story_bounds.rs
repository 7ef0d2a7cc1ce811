//! What each number lies in, the whole way: from the world to `/metrics`, and against a second opinion.

use std::collections::BTreeMap;
use std::sync::Arc;

use sextant::config::Config;
use sextant::daemon::Daemon;
use sextant::demo::generate::generate;
use sextant::demo::serve::{Options, serve};
use sextant::demo::world::deployment::State;
use sextant::demo::world::{SharedWorld, World};
use sextant::engine::interval::Interval;
use sextant::engine::snapshot::{Bounds, Completeness, WindowValues};
use sextant::model::name::TeamSlug;
use sextant::model::time::{Span, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::oracle::{self, Rollout, Said, Seen};
use crate::oracle_bounds::{self, Deployed, Ends, Within};
use crate::process::{get, until, value};
use crate::rig::{Rig, WorldClock};
use crate::story_numbers::{NOW, example_toml, told};

/// From when on the example's configuration reads.
fn horizon() -> Timestamp {
    Timestamp::parse(NOW).unwrap().minus(Span::from_days(180))
}

/// From when on the history of a component is collected: from the horizon, or since its repository was created.
fn since(world: &World, component: &str) -> Timestamp {
    let name = if ["login", "feed", "chat"].contains(&component) { "app-backend" } else { component };
    let mut repositories = world.keys().map(|key| world.at(key));
    repositories.find(|one| one.name == name).unwrap().created_at.max(horizon())
}

/// The deployments of a component that are collected, with what is known of their changes.
fn collected(said: &Said, at: Timestamp) -> Vec<Rollout> {
    let known = said.rollouts.iter().filter(|rollout| (horizon()..at).contains(&rollout.at));
    let mut known: Vec<_> = known.cloned().collect();
    for (index, rollout) in known.iter_mut().enumerate() {
        let merged = std::mem::take(&mut rollout.merged);
        // What the first one brought is all that was before, and what was merged before is not known.
        let mut counted = merged.into_iter().map(|at| index > 0 && at >= horizon());
        rollout.lead_times.retain(|_| counted.next().unwrap());
    }
    known
}

/// Ours and the oracle's. Incidents of a team may be of no component, which the oracle does not follow.
fn rows(
    values: &WindowValues,
    said: &[&Said],
    within: Within,
    incidents: bool,
) -> Vec<(&'static str, Option<Interval>, Option<Ends>)> {
    let Bounds {
        deployments_per_day,
        lead_time,
        lead_time_p90: _,
        change_fail_ratio,
        incidents_per_day,
        recovery_time: _,
        recovery_time_p90: _,
        rework_ratio,
    } = values.bounds;
    let all: Vec<Rollout> = said.iter().flat_map(|said| collected(said, within.at)).collect();
    let of = |bad: fn(&Rollout) -> bool| -> Vec<Deployed> {
        all.iter().map(|rollout| (rollout.at, bad(rollout), rollout.lead_times.clone())).collect()
    };
    let (failed, unplanned) = (of(Rollout::failed), of(|rollout| rollout.unplanned));
    let times: Vec<Timestamp> = all.iter().map(|rollout| rollout.at).collect();
    let started = said.iter().flat_map(|said| &said.incidents).map(|incident| incident.0);
    let started: Vec<Timestamp> = started.collect();
    let mut rows = vec![
        ("change fail ratio", change_fail_ratio, oracle_bounds::share(&within, &failed)),
        ("rework ratio", rework_ratio, oracle_bounds::share(&within, &unplanned)),
        ("lead time", lead_time, oracle_bounds::lead_time(&within, &failed)),
    ];
    if values.delivery.is_some() {
        let rate = oracle_bounds::rate(&within, &times, true);
        rows.push(("deployments", deployments_per_day, rate));
    }
    if values.incidents.is_some() && incidents {
        rows.push(("incidents", incidents_per_day, oracle_bounds::rate(&within, &started, false)));
    }
    rows
}

#[tokio::test]
async fn every_interval_of_the_example_equals_the_second_opinion() {
    let world = generate(7, Timestamp::parse(NOW).unwrap());
    let toml = example_toml(&world);
    let mut rig = Rig::new(world, &toml).await;
    let snapshot = rig.look().await;
    let said = rig.world.tell(|world| oracle::ask(world, &told(world, &rig), &mut Seen::default()));
    let since: BTreeMap<&str, Timestamp> =
        rig.world.tell(|world| said.keys().map(|name| (name.as_str(), since(world, name))).collect());
    let mut agreed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differences = Vec::new();
    let owned = |team: Option<&TeamSlug>| -> Vec<&str> {
        let own = snapshot.components.keys().filter(|(owner, _)| team.is_none_or(|team| team == owner));
        own.map(|(_, name)| name.as_str()).collect()
    };
    let mut levels = vec![("organization".to_owned(), owned(None), &snapshot.organization)];
    for (team, values) in &snapshot.teams {
        levels.push((team.to_string(), owned(Some(team)), &values.values));
    }
    for ((team, name), values) in &snapshot.components {
        levels.push((format!("{team}/{name}"), vec![name.as_str()], values));
    }
    for (level, own, values) in levels {
        let parts: Vec<&Said> = own.iter().map(|name| &said[*name]).collect();
        let Some(since) = own.iter().map(|name| since[name]).min() else {
            continue;
        };
        for (window, values) in snapshot.windows.iter().zip(&values.windows) {
            let timezone = chrono_tz::Tz::Europe__Berlin;
            let within = Within { at: snapshot.at, length: window.length, since, timezone };
            for (what, ours, theirs) in rows(values, &parts, within, level.contains('/')) {
                let written = |(lower, upper): Ends| format!("{lower:.6e}..{upper:.6e}");
                let ours = ours.map(|found| written((found.lower, found.upper)));
                let theirs = theirs.map(written);
                if ours == theirs {
                    *agreed.entry(what).or_default() += usize::from(ours.is_some());
                } else {
                    let place = format!("{level} {} {what}", window.label);
                    differences.push(format!("{place}: {ours:?}, the oracle says {theirs:?}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(agreed.len() == 5 && agreed.values().all(|count| *count >= 10), "{agreed:?}");
}

/// An interval as it is scraped.
fn scraped(metrics: &str, name: &str, labels: &str) -> Option<Interval> {
    let end = |bound: &str| value(metrics, &format!("{name}_bound{{{labels},bound=\"{bound}\"}}"));
    Some(Interval { lower: end("lower")?, upper: end("upper")? })
}

/// Each number of these levels; all of the organisation's have one.
fn lie_in_their_intervals(metrics: &str, levels: &[(&str, &str)]) {
    for (level, labels) in levels {
        for (measure, stat) in [
            ("deployments_per_day", ""),
            ("change_fail_ratio", ""),
            ("rework_ratio", ""),
            ("incidents_per_day", ""),
            ("lead_time_seconds", ",stat=\"p50\""),
            ("recovery_time_seconds", ",stat=\"p50\""),
        ] {
            let name = format!("dora_{level}_{measure}");
            let number = value(metrics, &format!("{name}{{{labels}{stat}}}"));
            match scraped(metrics, &name, labels) {
                Some(Interval { lower, upper }) => {
                    let number = number.unwrap();
                    assert!(lower <= number && number <= upper, "{name}: {lower} {number} {upper}");
                }
                None => assert_ne!(*level, "organization", "{name} has no interval"),
            }
        }
    }
}

#[tokio::test]
async fn a_scrape_has_what_each_number_lies_in_and_news_move_it() {
    let world = generate(5, Timestamp::parse(NOW).unwrap());
    let toml = example_toml(&world).replace("60s", "1s");
    let world = SharedWorld::new(world);
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let _stop = stop.clone().drop_guard();
    let options = Options::default();
    let servers = serve(world.clone(), options.clone(), &tracker, stop).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (name, token) in [("github", &options.github_token), ("pagerduty", &options.pagerduty_token)] {
        std::fs::write(directory.path().join(format!("{name}-token")), token).unwrap();
    }
    let path = directory.path().to_str().unwrap();
    let toml = toml
        .replace("{github}", &servers.github.url)
        .replace("{pagerduty}", &servers.pagerduty.url)
        .replace("{directory}", path)
        .replace("sqlite:unused.db", &format!("sqlite:{path}/sextant.db"));
    let config = Config::parse(&toml, "sextant.toml", &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
    world.tell(|world| world.advance(world.now.plus(Span::from_seconds(1))));
    let daemon = Daemon::start(config, Arc::new(WorldClock(world.clone()))).await.unwrap();
    let mut computed = daemon.computed();
    let complete = computed.wait_for(|newest| {
        newest.as_ref().is_some_and(|computed| {
            let windows = &computed.snapshot.organization.windows;
            windows.iter().all(|window| window.complete == Completeness::Complete)
        })
    });
    drop(complete.await.unwrap());
    let url = format!("http://{}/metrics", daemon.address());
    let mut metrics = String::new();
    let team = "team=\"platform\",window=\"90d\"";
    let component = "team=\"platform\",component=\"feature-flags\",window=\"90d\"";
    until("the intervals are there", async || {
        metrics = get(&url).await.map(|(_, text)| text).unwrap_or_default();
        // While history is read, it grows backwards.
        scraped(&metrics, "dora_organization_lead_time_seconds", "window=\"90d\"").is_some()
            && scraped(&metrics, "dora_component_deployments_per_day", component).is_some()
    })
    .await;
    lie_in_their_intervals(
        &metrics,
        &[("organization", "window=\"90d\""), ("team", team), ("component", component)],
    );
    let deployments = "dora_component_deployments_per_day";
    let before = scraped(&metrics, deployments, component).unwrap();
    world.tell(|world| {
        let flags = world.find("acme/feature-flags").unwrap();
        let (commit, now) = (world.head(flags).unwrap(), world.now);
        let deployment = world.deploy(flags, commit, "production", now);
        world.status(deployment, State::Success, now);
        world.advance(now.plus(Span::from_seconds(1)));
    });
    until("the news is in the interval", async || {
        metrics = get(&url).await.map(|(_, text)| text).unwrap_or_default();
        scraped(&metrics, deployments, component)
            .is_some_and(|after| before.lower < after.lower && before.upper < after.upper)
    })
    .await;
    daemon.stop().await.unwrap();
}
