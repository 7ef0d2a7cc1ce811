//! Components that are parts of a repository: `definitions.md` §1, 2.5 and §5.

use sextant::engine;
use sextant::engine::history::ComponentHistory;
use sextant::engine::snapshot::{Completeness, Snapshot};
use sextant::model::batch::{CountedKey, Coverage};
use sextant::model::fact::{Change, RevertOf};
use sextant::model::name::{ComponentName, SourceName, TeamSlug};
use sextant::model::settings::{DeploymentsFrom, MetricSettings};

use crate::engine_world::{DAY, Repo, World, brought, minute, pull, shop};

/// `a ─ b(#1) ─ c(#2) ─ d(#3) ─ e`, where `e` is a push: the parts `shop` and `pay`.
fn monorepo(touched: &str) -> Repo {
    let pulls = [pull(1, "b", 10), pull(2, "c", 20), pull(3, "d", 30)];
    let repo = shop().commits("a b:a@10 c:b@20 d:c@30 e:d@40").head("e").pulls(pulls);
    repo.only("shop/** lib/*").part("pay", "pay/** lib/*").touching(&format!("a=README {touched}"))
}

fn histories(repo: &Repo) -> [ComponentHistory; 2] {
    repo.histories(&MetricSettings::new()).try_into().unwrap()
}

#[test]
fn a_part_has_the_changes_that_touch_it() {
    for (touched, shop, pay, why) in [
        ("#1=shop/a #2=pay/a #3=shop/x,pay/y e=pay/z", "- #1,#3", "- #2,#3,push", "one change of both"),
        ("#1=lib/a #2=lib/a/b #3=docs/x e=", "- #1", "- #1", "shared, too deep, nobody's, empty"),
        ("#1=Shop/a #2=shop #3=shop/a/b/c e=shop/x", "- #3,push", "-  -", "case and folders matter"),
        ("#2=shop/a #3=pay/a", "- #2", "- #3", "what was not read is nobody's"),
    ] {
        let [of_shop, of_pay] = histories(&monorepo(touched).deploys("a@50 e@60"));
        assert_eq!(brought(&of_shop), shop, "{why}");
        assert_eq!(brought(&of_pay).replace(' ', ""), pay.replace(' ', ""), "{why}");
    }
}

#[test]
fn only_merges_that_touch_a_part_deploy_it() {
    let mut repo = monorepo("#1=shop/a #2=pay/a #3=shop/x,pay/y e=pay/z");
    repo.component.from = DeploymentsFrom::Merges;
    repo.parts[0].from = DeploymentsFrom::Merges;
    let [shop, pay] = histories(&repo);
    let merged = |history: &ComponentHistory| {
        let ids: Vec<_> = history.deployments.iter().map(|deployment| deployment.id.to_string()).collect();
        ids.join(" ")
    };
    assert_eq!((merged(&shop), brought(&shop)), ("1 3".into(), "- #3".into()));
    assert_eq!((merged(&pay), brought(&pay)), ("2 3".into(), "- #3".into()));
    // The counters count the merge of #3 for both.
    let world = World::of([repo]);
    let linked = world.linked();
    let third = engine::countables(&linked, &linked.teams, &world.settings).filter_map(|countable| {
        match countable.key {
            CountedKey::PartAttempt(component, _, id, _) if id.as_str() == "3" => Some(component),
            CountedKey::PartAttempt(..)
            | CountedKey::Attempt(..)
            | CountedKey::Incident(..)
            | CountedKey::LeadTime(..)
            | CountedKey::Recovery(..) => None,
        }
    });
    assert_eq!(third.collect::<Vec<_>>(), ["pay", "shop"]);
}

#[test]
fn a_revert_blames_what_deployed_the_part_it_takes_back() {
    let reverting = |reverts| Change { reverts: vec![RevertOf::PullRequest(reverts)], ..pull(3, "d", 30) };
    for (reverts, touched, failures, rework, why) in [
        (1, "#1=shop/a #2=pay/a #3=shop/a", "2:revert=10", "3:revert", "its own change"),
        (2, "#1=shop/a #2=pay/a #3=shop/a", "", "3:revert", "the other part's change: still a revert"),
        (1, "#1=shop/a #2=pay/a #3=pay/a", "", "", "taken back elsewhere"),
        (9, "#1=shop/a #2=pay/a #3=shop/a", "", "3:revert", "nobody's"),
    ] {
        let mut repo = monorepo(&format!("{touched} e=docs/a")).deploys("a@50 c@60 d@70");
        repo.facts.changes[2].fact =
            Change { paths: repo.facts.changes[2].fact.paths.clone(), ..reverting(reverts) };
        repo.parts.clear();
        let world = World::of([repo]);
        assert_eq!(world.failures(100), failures, "{why}");
        assert_eq!(world.rework(), rework, "{why}");
    }
}

/// At `at`, with incidents that are complete for ever.
fn snapshot(world: &World, at: i64) -> Snapshot {
    let mut inventory = world.inventory();
    inventory.covered.insert(Coverage::Incidents(SourceName::new("pager")), minute(-1000 * DAY));
    engine::snapshot(&world.linked(), &inventory, &world.settings, minute(at))
}

fn complete(snapshot: &Snapshot, component: &str) -> String {
    let level = &snapshot.components[&(TeamSlug::new("web"), ComponentName::new(component))];
    let windows = level.windows.iter().map(|window| match window.complete {
        Completeness::Complete => '1',
        Completeness::Partial => '0',
    });
    windows.collect()
}

#[test]
fn a_change_of_unknown_paths_leaves_its_windows_incomplete() {
    // #2 landed at minute 20 and was deployed a week and a half later.
    let deployed = 11 * DAY;
    let repo = monorepo("#1=shop/a #3=pay/a e=docs/a").deploys(&format!("a@15 b@16 c@{deployed}"));
    let world = World::of([repo, Repo::new(2, "whole", "web").commits("a").deploys("a@15")]);
    for (at, expected, why) in [
        (20, "111", "not landed yet"),
        (21, "000", "landed"),
        (10 * DAY, "100", "landed before the week"),
        (deployed + 1, "000", "deployed in the week"),
        (deployed + 8 * DAY, "100", "deployed before the week"),
        (deployed + 31 * DAY, "110", "and before the month"),
        (deployed + 91 * DAY, "111", "and before everything"),
    ] {
        let snapshot = snapshot(&world, at);
        for part in ["shop", "pay"] {
            assert_eq!(complete(&snapshot, part), expected, "{part} at {at}: {why}");
        }
        assert_eq!(complete(&snapshot, "whole"), "111", "the other repository at {at}");
        let organization = &snapshot.organization.windows;
        let all = organization.iter().all(|window| window.complete == Completeness::Complete);
        assert_eq!(all, expected == "111", "the organisation at {at}");
    }
}

#[test]
fn what_a_first_deployment_contains_is_not_missed() {
    let repo = monorepo("#3=pay/a e=docs/a").deploys(&format!("c@{} d@{}", 8 * DAY, 9 * DAY));
    // #1 and #2 were not read, and landed before the week; the first deployment would have owned neither.
    assert_eq!(complete(&snapshot(&World::of([repo]), 9 * DAY), "shop"), "100");
}

#[test]
fn shares_are_of_a_parts_own_changes() {
    let repo = monorepo("#1=shop/a #2=pay/a #3=pay/y e=docs/a").deploys("a@12 b@15 c@25");
    let snapshot = World::of([repo]).at(100);
    for (component, contained, unreviewed) in [("shop", 1.0, 1), ("pay", 0.5, 1)] {
        let window = &snapshot.components[&(TeamSlug::new("web"), ComponentName::new(component))].windows[0];
        let found = window.coverage.changes_deployed.unwrap();
        assert!((found - contained).abs() < 1e-9, "{component}: {found}");
        assert_eq!(window.delivery.as_ref().unwrap().unreviewed_changes, unreviewed, "{component}");
    }
}
