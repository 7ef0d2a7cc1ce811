//! The numbers of every level: `definitions.md` §3 to §5.

use sextant::engine;
use sextant::engine::countable::Count;
use sextant::engine::snapshot::{
    Completeness, Delivery, Incidents, LevelValues, Quantiles, RepositoryState, Snapshot,
};
use sextant::model::batch::{Contact, CountedKey, Coverage, Inventory};
use sextant::model::fact::{Author, Change, Corrections, Exclusion, Outcome, Reach, RevertOf};
use sextant::model::name::{ComponentName, ExternalId, Severity, SourceName, TeamSlug};
use sextant::model::settings::{BotChanges, ComponentDetail, DeploymentsFrom, FailOn};
use sextant::model::time::Timestamp;

use crate::engine_world::{DAY, Repo, World, incident, minute, minutes, own, pull, sha, shop};

/// Over the first window, seven days.
fn delivery(level: &LevelValues) -> &Delivery {
    level.windows[0].delivery.as_ref().unwrap()
}

fn incidents(level: &LevelValues) -> &Incidents {
    level.windows[0].incidents.as_ref().unwrap()
}

fn team<'s>(snapshot: &'s Snapshot, slug: &str) -> &'s LevelValues {
    &snapshot.teams[&TeamSlug::new(slug)].values
}

fn assert_ratio(ratio: Option<f64>, expected: Option<f64>, what: &str) {
    let close = match (ratio, expected) {
        (Some(ratio), Some(expected)) => (ratio - expected).abs() < 1e-12,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    assert!(close, "{what}: {ratio:?} is not {expected:?}");
}

#[test]
fn a_quiet_week_has_a_rate_of_zero_and_no_times() {
    let world = World::of([shop().commits("a b:a").pulls([pull(1, "b", 15)]).deploys("a@10 b@20")]);
    let snapshot = world.at(20 * DAY);
    let quiet = delivery(&snapshot.organization);
    assert_eq!((quiet.deployments, quiet.deployment_dates, quiet.changes), (0, 0, 0));
    assert_ratio(Some(quiet.deployments_per_day), Some(0.0), "rate");
    assert_ratio(quiet.change_fail_ratio, None, "change fail ratio");
    assert_ratio(quiet.rework_ratio, None, "rework ratio");
    assert_eq!(quiet.lead_time, Quantiles::default());
    assert_eq!(quiet.recovery_time, Quantiles::default());
    assert_eq!(snapshot.organization.last_deployment_at, Some(minute(20)));
    let month = snapshot.organization.windows[1].delivery.as_ref().unwrap();
    assert_eq!((month.deployments, month.changes), (2, 1));
    assert_ratio(Some(month.deployments_per_day), Some(2.0 / 30.0), "rate");
}

#[test]
fn what_never_deployed_has_no_numbers_not_even_zeros() {
    let mut dropped = incident(1, "shop", 30, None);
    dropped.stored.incident.excluded = Some(Exclusion::Test);
    let world = World::of([shop().commits("a").deploys("a@10! a@20/staging")]).incidents([dropped]);
    let snapshot = world.at(100);
    assert!(snapshot.components.is_empty());
    for level in [&snapshot.organization, team(&snapshot, "web")] {
        assert_eq!(level.windows.len(), 3);
        assert!(level.windows.iter().all(|window| window.delivery.is_none() && window.incidents.is_none()));
        assert_eq!(level.last_deployment_at, None);
        assert_eq!(level.unrecovered_deployments, None);
        assert_eq!(level.open_incidents, None);
    }
}

#[test]
fn an_incident_alone_gives_incident_counts_and_no_delivery() {
    let world = World::of([shop()]).incidents([incident(1, "shop", 30, None)]);
    let snapshot = world.at(100);
    for level in [
        &snapshot.organization,
        team(&snapshot, "web"),
        &snapshot.components[&(TeamSlug::new("web"), ComponentName::new("shop"))],
    ] {
        assert!(level.windows[0].delivery.is_none());
        assert_eq!(incidents(level).started[&Severity::none()], 1);
        assert_ratio(Some(incidents(level).per_day), Some(1.0 / 7.0), "incidents per day");
        assert_eq!(level.open_incidents.as_ref().unwrap()[&Severity::none()], 1);
    }
    assert!(world.at(30).components.is_empty(), "not before it started");
}

#[test]
fn the_change_fail_ratio_counts_deployments_not_incidents() {
    let two_on_one = [incident(1, "shop", 21, None), incident(2, "shop", 22, None)];
    let world = World::of([shop().commits("a b:a").deploys("a@10 b@20")]).incidents(two_on_one);
    let snapshot = world.at(100);
    let numbers = delivery(&snapshot.organization);
    assert_eq!((numbers.deployments, numbers.failed_deployments), (2, 1));
    assert_ratio(numbers.change_fail_ratio, Some(0.5), "change fail ratio");
    assert_eq!(snapshot.organization.unrecovered_deployments, Some(1));
    assert_eq!(incidents(&snapshot.organization).started[&Severity::none()], 2);
}

#[test]
fn a_failed_attempt_is_no_failed_deployment() {
    let world = World::of([shop().commits("a").deploys("a@10! a@20 a@30!")]);
    let snapshot = world.at(100);
    let numbers = delivery(&snapshot.organization);
    assert_eq!((numbers.deployments, numbers.failed_deployments), (1, 0));
    assert_eq!((numbers.attempts_succeeded, numbers.attempts_failed), (1, 2));
}

#[test]
fn windows_are_half_open() {
    for (at, expected) in [(10, None), (11, Some(1)), (10 + 7 * DAY, Some(1)), (11 + 7 * DAY, Some(0))] {
        let world = World::of([shop().commits("a").deploys("a@10")]);
        let found = world.at(at).organization.windows[0].delivery.as_ref().map(|d| d.deployments);
        assert_eq!(found, expected, "at {at}");
    }
}

#[test]
fn what_happens_at_the_edge_of_a_window_is_in_it() {
    let week = 7 * DAY;
    let world = World::of([shop().commits("a b:a").deploys("a@10 b@20")]).incidents([incident(
        1,
        "shop",
        30,
        Some(60),
    )]);
    for (at, started, resolved, recovered) in
        [(30 + week, 1, 1, 1), (31 + week, 0, 1, 1), (60 + week, 0, 1, 1), (61 + week, 0, 0, 0)]
    {
        let snapshot = world.at(at);
        let level = &snapshot.organization;
        assert_eq!(incidents(level).started[&Severity::none()], started, "at {at}");
        assert_eq!(incidents(level).resolved, resolved, "at {at}");
        assert_eq!(delivery(level).recovered_deployments, recovered, "at {at}");
    }
}

#[test]
fn a_change_that_was_not_yet_merged_does_not_count() {
    let world = World::of([shop().commits("a b:a").pulls([pull(1, "b", 25)]).deploys("a@10 b@20")]);
    for (at, expected) in [(21, 0), (25, 0), (26, 1)] {
        assert_eq!(delivery(&world.at(at).organization).changes, expected, "at {at}");
    }
}

#[test]
fn events_are_pooled_over_a_team_and_never_averaged() {
    // Lead times: shop 30; pay 40, 50, 60, 70.
    let shop = shop().commits("a b:a").pulls([pull(1, "b", 30)]).deploys("a@10 b@40");
    let pay = Repo::new(2, "pay", "web")
        .commits("p q:p r:q s:r t:s")
        .pulls([pull(1, "q", 60), pull(2, "r", 50), pull(3, "s", 40), pull(4, "t", 30)])
        .deploys("p@10 t@80");
    let snapshot = World::of([shop, pay]).at(100);
    for level in [&snapshot.organization, team(&snapshot, "web")] {
        let lead_time = delivery(level).lead_time;
        assert_eq!(lead_time.p50, Some(minutes(50)));
        assert_eq!(lead_time.p90, Some(minutes(70)));
        assert_eq!(delivery(level).changes, 5);
    }
}

#[test]
fn dates_are_those_of_the_organisation() {
    // 22:50 and 23:10 in UTC: in Berlin an hour later, on two dates.
    let repo = || shop().commits("a b:a c:b").deploys("a@10 b@1370 c@1390");
    let utc = World::of([repo()]).at(2 * DAY);
    assert_eq!(delivery(&utc.organization).deployment_dates, 1);
    let berlin = World::of([repo()]).set(|s| s.timezone = "Europe/Berlin".parse().unwrap()).at(2 * DAY);
    assert_eq!(delivery(&berlin.organization).deployment_dates, 2);
    // In New York a date begins at 5:00 in UTC, and in summer at 4:00.
    for (month, hour, dates) in [(2, 4, 1), (2, 5, 2), (6, 3, 1), (6, 4, 2)] {
        let midnight = month * 30 * DAY;
        let deploys = format!("a@10 b@{} c@{}", midnight + hour * 60 - 1, midnight + (hour + 1) * 60 - 1);
        let york = World::of([shop().commits("a b:a c:b").deploys(&deploys)])
            .set(|s| s.timezone = "America/New_York".parse().unwrap())
            .set(|s| s.windows.truncate(1))
            .at(midnight + DAY);
        assert_eq!(delivery(&york.organization).deployment_dates, dates, "{month} {hour}");
    }
    let other = Repo::new(2, "pay", "web").commits("p").deploys("p@20");
    let both = World::of([repo(), other]).at(2 * DAY);
    assert_eq!(delivery(&both.organization).deployment_dates, 1, "a date counts once for a team");
}

#[test]
fn bots_changes_are_counted_apart() {
    let bot = Change { author: Author::Bot, ..pull(1, "b", 15) };
    let reviewed = Change { reviewed_at: Some(minute(12)), ..pull(2, "c", 16) };
    let commits = "a b:a c:b d:c e:d";
    let repo = shop().commits(commits).head("e").pulls([bot, reviewed, pull(3, "d", 17)]);
    let mut world = World::of([repo.deploys("a@10 e@20")]);
    let snapshot = world.at(100);
    let numbers = delivery(&snapshot.organization);
    assert_eq!((numbers.changes, numbers.bot_changes), (3, 1));
    assert_eq!(numbers.unreviewed_changes, 2, "a pull request and a direct push");
    assert_eq!(numbers.phases[1].p50, Some(minutes(6)), "pickup only of the reviewed one");
    world.settings.bot_changes = BotChanges::Included;
    let snapshot = world.at(100);
    let numbers = delivery(&snapshot.organization);
    assert_eq!((numbers.changes, numbers.bot_changes, numbers.unreviewed_changes), (4, 1, 2));
}

#[test]
fn severities_known_anywhere_are_zero_elsewhere() {
    let mut severe = incident(1, "pay", 30, Some(50));
    severe.stored.incident.severity = Severity::new("p1");
    severe.team = TeamSlug::new("money");
    let pay = Repo::new(2, "pay", "money");
    let idle = Repo::new(3, "idle", "idle");
    let world = World::of([shop().commits("a").deploys("a@10"), pay, idle]).incidents([severe]);
    let snapshot = world.at(100);
    let p1 = Severity::new("p1");
    assert_eq!(incidents(team(&snapshot, "web")).started[&p1], 0);
    assert_eq!(team(&snapshot, "web").open_incidents.as_ref().unwrap()[&p1], 0);
    assert_eq!(incidents(team(&snapshot, "money")).started[&p1], 1);
    assert_eq!(incidents(team(&snapshot, "money")).resolved, 1);
    assert_eq!(incidents(team(&snapshot, "money")).resolution_time.p50, Some(minutes(20)));
    assert_eq!(team(&snapshot, "money").open_incidents.as_ref().unwrap()[&p1], 0);
    assert!(team(&snapshot, "idle").open_incidents.is_none());
    let before = world.at(30);
    assert!(incidents(team(&before, "web")).started.is_empty(), "not yet known");
}

#[test]
fn an_incident_without_a_component_counts_for_its_team() {
    let mut nobodys = incident(1, "shop", 30, None);
    nobodys.component = None;
    nobodys.team = TeamSlug::unowned();
    let world = World::of([shop().commits("a").deploys("a@10")]).incidents([nobodys]);
    let snapshot = world.at(100);
    assert_eq!(incidents(team(&snapshot, "unowned")).started[&Severity::none()], 1);
    assert_eq!(incidents(team(&snapshot, "web")).started[&Severity::none()], 0);
    assert_eq!(incidents(&snapshot.organization).started[&Severity::none()], 1);
    let values = &snapshot.components[&(TeamSlug::new("web"), ComponentName::new("shop"))];
    assert_eq!(incidents(values).started[&Severity::none()], 0);
}

#[test]
fn component_detail_can_be_switched_off_and_a_team_without_anything_be_named() {
    let world =
        World::of([shop().commits("a").deploys("a@10")]).set(|s| s.component_detail = ComponentDetail::Off);
    let mut linked = world.linked();
    linked.teams.insert(TeamSlug::new("new"));
    let snapshot = engine::snapshot(&linked, &world.inventory(), &world.settings, minute(100));
    assert!(snapshot.components.is_empty());
    assert_eq!(team(&snapshot, "new").windows.len(), 3);
    assert!(team(&snapshot, "new").windows[0].delivery.is_none());
}

#[test]
fn coverage_says_how_much_is_known() {
    let unattributed = incident(1, "elsewhere", 85, None);
    let repo = shop()
        .commits("a b:a c:b z")
        .pulls([pull(1, "a", 5), pull(2, "b", 15), pull(3, "c", 16), pull(4, "z", 17)])
        .deploys("a@20 u@30 b@40 c@50");
    let world = World::of([repo]).incidents([unattributed, incident(2, "shop", 90, None)]);
    for (at, traced, contained, attributed) in [
        (20, None, None, None),
        (21, None, Some(0.25), None),
        (41, Some(0.0), Some(0.5), None),
        (100, Some(1.0 / 3.0), Some(0.75), Some(0.5)),
    ] {
        let coverage = world.at(at).organization.windows[0].coverage;
        assert_ratio(coverage.deployments_with_changes, traced, "deployments with changes");
        assert_ratio(coverage.changes_deployed, contained, "changes deployed");
        assert_ratio(coverage.incidents_attributed, attributed, "incidents attributed");
    }
}

#[test]
fn a_window_is_complete_if_everything_in_it_was_collected() {
    let at = 100 * DAY;
    let week_ago = at - 7 * DAY;
    for (repository, source, created, expected, why) in [
        (Some(week_ago), Some(week_ago), 0, true, "covered to the minute"),
        (Some(week_ago + 1), Some(0), 0, false, "not quite"),
        (Some(at - DAY), Some(0), at - DAY, true, "a repository younger than the window"),
        (Some(0), Some(week_ago + 1), 0, false, "incidents are not covered"),
        (None, Some(0), 0, false, "a repository that is not collected yet"),
        (Some(0), None, 0, false, "a source of incidents that is not collected yet"),
    ] {
        let world =
            World::of([shop().commits("a").deploys("a@10")]).incidents([incident(1, "shop", 30, None)]);
        let mut inventory = world.inventory();
        inventory.covered.clear();
        let id = inventory.repositories[0].id.clone();
        let repository = repository.map(|since| (Coverage::Repository(id), minute(since)));
        let source = source.map(|since| (Coverage::Incidents(SourceName::new("pager")), minute(since)));
        inventory.covered.extend(repository.into_iter().chain(source));
        inventory.repositories[0].created_at = minute(created);
        let snapshot = engine::snapshot(&world.linked(), &inventory, &world.settings, minute(at));
        let complete = team(&snapshot, "web").windows[0].complete;
        assert_eq!(complete == Completeness::Complete, expected, "{why}");
        assert_eq!(snapshot.organization.windows[0].complete, complete, "{why}");
    }
    let empty = World::of([]);
    let complete = |inventory| {
        let snapshot = engine::snapshot(&empty.linked(), &inventory, &empty.settings, minute(at));
        snapshot.organization.windows[0].complete
    };
    assert_eq!(complete(empty.inventory()), Completeness::Complete, "a covered source alone");
    assert_eq!(complete(Inventory::default()), Completeness::Partial, "nothing was collected");
}

#[test]
fn a_repository_has_one_state() {
    let reach = |mut repo: Repo, reach| {
        repo.facts.repository.reach = reach;
        repo
    };
    let deployed =
        |number, name: &str, team: &str| Repo::new(number, name, team).commits("a").deploys("a@10");
    let world = World::of([
        deployed(1, "ok", "web"),
        Repo::new(2, "none", "web"),
        deployed(3, "unowned", "unowned"),
        reach(deployed(4, "gone", "web"), Reach::Inaccessible),
        reach(Repo::new(5, "empty", "web"), Reach::Empty),
    ]);
    let states = |at| {
        let snapshot = world.at(at);
        RepositoryState::ALL.map(|state| snapshot.repositories[&(SourceName::new("github"), state)])
    };
    assert_eq!(states(100), [1, 1, 1, 1, 1]);
    assert_eq!(states(10), [1, 1, 1, 2, 0], "not deployed yet");
}

#[test]
fn facts_used_with_a_correction_are_counted_once() {
    let mut future = pull(1, "b", 15);
    future.corrections = Corrections::FUTURE.and(Corrections::UNKNOWN_VALUE);
    let skewed = Change { own_commits: own("x@16"), ..pull(2, "c", 17) };
    let repo = shop().commits("a b:a c:b").pulls([future, skewed]).deploys("a@10 c@20");
    let mut second = repo.clone();
    second.component.name = ComponentName::new("shop-eu");
    second.facts.attempts.clear();
    let mut odd = incident(1, "shop", 30, None);
    odd.stored.incident.corrections = Corrections::FUTURE;
    let suspects = World::of([repo, second]).incidents([odd]).at(100).suspects;
    assert_eq!((suspects.clock_skew, suspects.future, suspects.unknown_value), (1, 2, 1));
}

#[test]
fn countables_are_what_counters_count() {
    let mut repo = shop()
        .commits("a b:a c:b")
        .pulls([pull(1, "b", 15), Change { reverts: vec![RevertOf::PullRequest(1)], ..pull(2, "c", 25) }])
        .deploys("a@10 b@20 x@22! c@30");
    repo.facts.attempts[0].contact = Contact::First;
    repo.facts.attempts[1].contact = Contact::First;
    let world = World::of([repo]).incidents([incident(7, "shop", 35, None)]);
    let linked = world.linked();
    let mut found: Vec<_> = engine::countables(&linked, &linked.teams, &world.settings)
        .map(|countable| (countable.key, countable.count, countable.contact))
        .collect();
    let id = world.repos[0].component.repository.clone();
    let attempt = |number: &str, outcome: Outcome, contact| {
        let key = CountedKey::Attempt(id.clone(), ExternalId::new(number), outcome == Outcome::Success);
        (key, Count::Attempt(ComponentName::new("shop"), outcome), contact)
    };
    let lead = |landing: &str, lead, contact| {
        let key = CountedKey::LeadTime("shop".into(), id.clone(), sha(landing));
        (key, Count::LeadTime(minutes(lead)), contact)
    };
    let incident = CountedKey::Incident(SourceName::new("pager"), ExternalId::new("7"));
    let recovery = CountedKey::Recovery("shop".into(), id.clone(), ExternalId::new("2"));
    let mut expected = vec![
        attempt("1", Outcome::Success, Contact::First),
        attempt("2", Outcome::Success, Contact::First),
        attempt("3", Outcome::Failure, Contact::Live),
        attempt("4", Outcome::Success, Contact::Live),
        (incident, Count::Incident(Severity::none()), Contact::Live),
        lead("b", 25, Contact::First),
        lead("c", 25, Contact::Live),
        (recovery, Count::Recovery(minutes(10)), Contact::Live),
    ];
    found.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected);
}

#[test]
fn a_merge_that_deploys_is_news_if_its_change_is() {
    let mut repo = shop().commits("a b:a c:b").pulls([pull(1, "a", 10), pull(2, "b", 20), pull(3, "c", 30)]);
    repo.component.from = DeploymentsFrom::Merges;
    repo.facts.changes[0].contact = Contact::First;
    repo.facts.changes[1].contact = Contact::First;
    let world = World::of([repo]);
    let linked = world.linked();
    let mut news: Vec<_> = engine::countables(&linked, &linked.teams, &world.settings)
        .filter(|countable| countable.contact == Contact::Live)
        .map(|countable| countable.key)
        .collect();
    news.sort();
    let id = world.repos[0].component.repository.clone();
    let expected = [
        CountedKey::Attempt(id.clone(), ExternalId::new("3"), true),
        CountedKey::LeadTime("shop".into(), id, sha("c")),
    ];
    assert_eq!(news, expected);
}

#[test]
fn a_recovery_counts_where_it_happened() {
    // Failed in the first week, recovered in the third.
    let world = World::of([shop().commits("a b:a").deploys("a@10 b@20")])
        .incidents([incident(1, "shop", 25, Some(16 * DAY))])
        .set(|s| s.fail_on = vec![FailOn::Incident]);
    for (at, failed, recovered, open) in
        [(DAY, 1, 0, 1), (15 * DAY, 0, 0, 1), (17 * DAY, 0, 1, 0), (30 * DAY, 0, 0, 0)]
    {
        let snapshot = world.at(at);
        let numbers = delivery(&snapshot.organization);
        assert_eq!(numbers.failed_deployments, failed, "at {at}");
        assert_eq!(numbers.recovered_deployments, recovered, "at {at}");
        assert_eq!(snapshot.organization.unrecovered_deployments, Some(open), "at {at}");
    }
}

#[test]
fn impossible_dates_do_no_harm() {
    let first = Timestamp::from_millis(i64::MIN);
    let last = Timestamp::from_millis(i64::MAX);
    let mut change = pull(1, "b", 15);
    change.opened_at = first;
    change.own_commits[0].authored_at = last;
    let mut repo = shop().commits("a b:a").pulls([change]).deploys("a@10 b@20 a@30");
    repo.facts.attempts[0].fact.finished = Some((Outcome::Success, first));
    repo.facts.attempts[2].fact.finished = Some((Outcome::Success, last));
    for timezone in ["America/New_York", "Asia/Tokyo"] {
        let world = World::of([repo.clone()]).incidents([incident(1, "shop", 25, None)]);
        let world = world.set(|s| s.timezone = timezone.parse().unwrap());
        for at in [first, minute(100), last] {
            let snapshot = engine::snapshot(&world.linked(), &world.inventory(), &world.settings, at);
            assert_eq!(snapshot.at, at);
        }
    }
}
