//! The whole way from the world to the numbers, against a second opinion.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use sextant::demo::config::{Paths, config_toml};
use sextant::demo::generate::generate;
use sextant::demo::live::Live;
use sextant::demo::world::World;
use sextant::engine::snapshot::{Delivery, Incidents, Snapshot, WindowValues};
use sextant::model::time::{Span, Timestamp};

use crate::oracle::{self, Found, Said, Seen, Told, quantile};
use crate::rig::Rig;

/// A Sunday evening, so that weeks and months begin in the middle of things.
pub(crate) const NOW: &str = "2026-11-22T17:00:00Z";

/// The configuration of the example organisation, for a rig.
pub(crate) fn example_toml(world: &World) -> String {
    config_toml(
        world,
        &Paths {
            github_url: "{github}",
            pagerduty_url: "{pagerduty}",
            github_token_file: Path::new("{directory}/github-token"),
            pagerduty_token_file: Path::new("{directory}/pagerduty-token"),
            listen: "127.0.0.1:0",
            store_url: "sqlite:unused.db",
            poll_interval: "60s",
        },
    )
}

/// What the oracle must be told of the example organisation's configuration.
pub(crate) fn told(world: &World, rig: &Rig) -> Told {
    let mut services = BTreeMap::new();
    for service in &world.pagerduty.services {
        let named =
            world.keys().map(|key| world.at(key)).find(|one| one.name.eq_ignore_ascii_case(&service.name));
        if let Some(repository) = named {
            services.insert(service.id.clone(), repository.name.clone());
        }
    }
    for rule in &rig.config.ownership.components {
        for service in &rule.pagerduty_services {
            services.insert(service.as_str().to_owned(), rule.name.as_str().to_owned());
        }
    }
    let all = |names: &[&str]| names.iter().map(|name| format!("acme/{name}")).collect();
    let parts = ["login", "feed", "chat"].map(|part| {
        let paths = vec![format!("services/{part}/"), "shared/".to_owned()];
        (part.to_owned(), paths)
    });
    Told {
        rules: vec![
            (all(&["website"]), Found::Merges),
            (all(&["app-ios", "app-android", "pricing"]), Found::Releases),
            (all(&["search-ui", "gateway"]), Found::Tags(Regex::new(r"^v\d").unwrap())),
            (all(&["etl", "identity", "suggest"]), Found::Runs("deploy.yml", "main")),
            (all(&["*"]), Found::Environment(Regex::new("(?i)^prod").unwrap())),
        ],
        parts: BTreeMap::from([("acme/app-backend".to_owned(), parts.to_vec())]),
        bots: vec![Regex::new("^renovate").unwrap()],
        services,
        urgencies: vec!["high"],
        exclude_title: Some(Regex::new(r"(?i)\b(test|drill)\b").unwrap()),
    }
}

/// Compares everything that the oracle knows with a snapshot; returns how many numbers agreed.
fn compare(snapshot: &Snapshot, said: &BTreeMap<String, Said>) -> usize {
    let mut differences = Vec::new();
    let mut agreed = 0;
    for (index, window) in snapshot.windows.iter().enumerate() {
        let (from, to) = (snapshot.at.minus(window.length), snapshot.at);
        for ((team, component), values) in &snapshot.components {
            let found = differing(&values.windows[index], &[&said[component.as_str()]], from, to);
            agreed += found.0;
            let place = |text| format!("{team}/{component} {}: {text}", window.label);
            differences.extend(found.1.into_iter().map(place));
        }
        for (team, values) in &snapshot.teams {
            let own: Vec<&Said> = snapshot
                .components
                .keys()
                .filter(|(owner, _)| owner == team)
                .map(|(_, component)| &said[component.as_str()])
                .collect();
            // Incidents may belong to a team without a component, which the oracle does not follow.
            let found = differing(&without_incidents(&values.values.windows[index]), &own, from, to);
            agreed += found.0;
            differences.extend(found.1.into_iter().map(|text| format!("{team} {}: {text}", window.label)));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    agreed
}

fn without_incidents(values: &WindowValues) -> WindowValues {
    WindowValues { incidents: None, ..values.clone() }
}

/// A number's name, ours, the oracle's.
type Row = (&'static str, String, String);

/// How many numbers agree, and those that do not.
fn differing(values: &WindowValues, said: &[&Said], from: Timestamp, to: Timestamp) -> (usize, Vec<String>) {
    let ever = said.iter().flat_map(|said| &said.rollouts).any(|rollout| rollout.at < to);
    let mut rows = vec![("delivery", values.delivery.is_some().to_string(), ever.to_string())];
    if let Some(delivery) = &values.delivery {
        rows.extend(delivery_rows(delivery, said, from, to));
    }
    if let Some(incidents) = &values.incidents {
        rows.extend(incident_rows(incidents, said, from, to));
    }
    let all = rows.len();
    let wrong: Vec<_> = rows
        .into_iter()
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(what, ours, theirs)| format!("{what}: {ours}, the oracle says {theirs}"))
        .collect();
    (all - wrong.len(), wrong)
}

fn delivery_rows(delivery: &Delivery, said: &[&Said], from: Timestamp, to: Timestamp) -> Vec<Row> {
    let within = |at: Timestamp| from <= at && at < to;
    let all = || said.iter().flat_map(|said| &said.rollouts);
    let rollouts: Vec<_> = all().filter(|rollout| within(rollout.at)).collect();
    let times: Vec<Span> = rollouts.iter().flat_map(|rollout| rollout.lead_times.clone()).collect();
    let recoveries: Vec<Span> = all()
        .filter(|rollout| rollout.at < to)
        .filter_map(|rollout| rollout.recovery(to))
        .filter(|(_, ended)| within(*ended))
        .map(|(began, ended)| ended.since(began).max(Span::ZERO))
        .collect();
    let attempts = |success| {
        let all = said.iter().flat_map(|said| &said.attempts);
        all.filter(|(at, outcome)| within(*at) && *outcome == success).count()
    };
    let count = |is: fn(&oracle::Rollout) -> bool| rollouts.iter().filter(|rollout| is(rollout)).count();
    let sum = |of: fn(&oracle::Rollout) -> usize| rollouts.iter().map(|rollout| of(rollout)).sum::<usize>();
    let counts = [
        ("deployments", delivery.deployments, rollouts.len()),
        ("attempts succeeded", delivery.attempts_succeeded, attempts(true)),
        ("attempts failed", delivery.attempts_failed, attempts(false)),
        ("changes", delivery.changes, times.len()),
        ("bots", delivery.bot_changes, sum(|rollout| rollout.bot_changes)),
        ("unreviewed", delivery.unreviewed_changes, sum(|rollout| rollout.unreviewed)),
        ("failed", delivery.failed_deployments, count(oracle::Rollout::failed)),
        ("rework", delivery.rework_deployments, count(|rollout| rollout.unplanned)),
        ("recovered", delivery.recovered_deployments, recoveries.len()),
    ];
    let spans = [
        ("lead time p50", delivery.lead_time.p50, quantile(&times, 50)),
        ("lead time p90", delivery.lead_time.p90, quantile(&times, 90)),
        ("recovery p50", delivery.recovery_time.p50, quantile(&recoveries, 50)),
        ("recovery p90", delivery.recovery_time.p90, quantile(&recoveries, 90)),
    ];
    let counts = counts.map(|(what, ours, theirs)| (what, ours.to_string(), theirs.to_string()));
    let spans = spans.map(|(what, ours, theirs)| (what, format!("{ours:?}"), format!("{theirs:?}")));
    counts.into_iter().chain(spans).collect()
}

fn incident_rows(incidents: &Incidents, said: &[&Said], from: Timestamp, to: Timestamp) -> Vec<Row> {
    let within = |at: Timestamp| from <= at && at < to;
    let all = || said.iter().flat_map(|said| &said.incidents);
    let started = all().filter(|(start, _)| within(*start)).count();
    let ended = all().filter_map(|(start, end)| end.filter(|end| within(*end)).map(|end| end.since(*start)));
    let resolved: Vec<Span> = ended.collect();
    let (ours, theirs) = (incidents.resolution_time.p50, quantile(&resolved, 50));
    vec![
        ("incidents", incidents.started.values().sum::<u64>().to_string(), started.to_string()),
        ("resolved", incidents.resolved.to_string(), resolved.len().to_string()),
        ("resolution p50", format!("{ours:?}"), format!("{theirs:?}")),
    ]
}

#[tokio::test]
async fn every_number_of_the_example_equals_the_second_opinion() {
    let world = generate(7, Timestamp::parse(NOW).unwrap());
    let toml = example_toml(&world);
    let mut rig = Rig::new(world, &toml).await;
    let snapshot = rig.look().await;
    let said = rig.world.tell(|world| oracle::ask(world, &told(world, &rig), &mut Seen::default()));
    let agreed = compare(&snapshot, &said);
    assert!(agreed > 1_000, "only {agreed} numbers were compared");
    // Every way to find deployments has some to be compared, and every part changes of its own.
    let mut changes = Vec::new();
    for name in ["app-ios", "gateway", "identity", "etl", "website", "cart", "login", "feed", "chat"] {
        let (_, values) = snapshot.components.iter().find(|((_, one), _)| one.as_str() == name).unwrap();
        let delivery = values.windows[2].delivery.as_ref().unwrap();
        assert!(delivery.deployments > 5 && delivery.changes > 5, "{name}: {delivery:?}");
        changes.push(delivery.changes);
    }
    assert!(changes[6..].windows(2).any(|pair| pair[0] != pair[1]), "{changes:?}");
}

#[tokio::test]
async fn news_reach_the_numbers_poll_by_poll() {
    let world = generate(11, Timestamp::parse(NOW).unwrap());
    let toml = example_toml(&world);
    let mut rig = Rig::new(world, &toml).await;
    rig.look().await;
    let mut seen = Seen::default();
    rig.world.tell(|world| oracle::ask(world, &told(world, &rig), &mut seen));
    let mut live = rig.world.tell(|world| Live::new(world, 11));
    for step in 0..12 {
        rig.later(Span::from_minutes(7));
        let now = rig.now();
        rig.world.tell(|world| live.step(world, now));
        rig.poll().await;
        rig.later(Span::from_seconds(1));
        let kept = rig.compute().await;
        if step % 4 == 3 {
            let anew = rig.compute_anew().await;
            assert_eq!(kept.snapshot, anew.snapshot, "what is kept from before changes nothing");
            assert_eq!((&kept.newest_fact, &kept.subjects), (&anew.newest_fact, &anew.subjects));
        }
        let snapshot = kept.snapshot;
        let said = rig.world.tell(|world| oracle::ask(world, &told(world, &rig), &mut seen));
        compare(&snapshot, &said);
    }
}

#[tokio::test]
async fn a_restart_shows_the_same_numbers() {
    let world = generate(3, Timestamp::parse(NOW).unwrap());
    let toml = example_toml(&world);
    let mut rig = Rig::new(world, &toml).await;
    let before = rig.look().await;
    let asked = rig.servers.github.tally.requests();
    let mut rig = rig.restart().await;
    let after = rig.compute().await.snapshot;
    assert_eq!(before, after);
    assert_eq!(rig.servers.github.tally.requests(), asked, "a restart asks nobody");
    rig.poll().await;
    let polled = rig.servers.github.tally.requests() - asked;
    assert!(polled <= 10, "{polled} requests after a restart: it begins again instead of going on");
    assert_eq!(rig.compute().await.snapshot, before);
}
