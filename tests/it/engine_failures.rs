//! `definitions.md` 3.3 to 3.5, one table for each rule.

use sextant::model::fact::{Change, RevertOf};
use sextant::model::name::{CommitId, CommitPrefix};
use sextant::model::settings::{FailOn, RollbackBlames};

use crate::engine_world::{DAY, Repo, World, incident, minute, prefix, pull, shop};

const CHAIN: &str = "a b:a c:b d:c e:d f:e";

/// Deployments of `a` to `f`, each with one pull request numbered from 1.
fn chain() -> Repo {
    let landings = ["b", "c", "d", "e", "f"].into_iter().zip(1_u64..).zip(1_i64..);
    shop().commits(CHAIN).pulls(landings.map(|((landing, number), merged)| pull(number, landing, merged)))
}

fn edited(mut repo: Repo, number: u64, edit: impl FnOnce(&mut Change)) -> Repo {
    let mut changes = repo.facts.changes.iter_mut();
    edit(&mut changes.find(|seen| seen.fact.number == number).unwrap().fact);
    repo
}

#[test]
fn a_rollback_blames_what_it_removed_and_remedies_everything_after_its_target() {
    use RollbackBlames::{First, Last};
    for (attempts, blames, expected, why) in [
        ("a@10 b@20 c@30 a@40", Last, "3:rollback=10", "the one in place"),
        ("a@10 b@20 c@30 a@40", First, "2:rollback=20", "the first after the target"),
        ("a@10 b@20 b@30 a@40", Last, "2:rollback=20", "redeploys are skipped"),
        ("a@10 a@15 b@20 c@30 a@40", First, "3:rollback=20", "a redeploy of the target too"),
        ("b@20 c@30 a@40", First, "1:rollback=20", "no target in the history"),
        ("a@10 c@30 d@35 b@40", First, "2:rollback=10", "the target is an ancestor"),
        ("a@10 b@20 a@15-30", Last, "", "a late one is no rollback"),
        ("a@10 b@20 c@30 b@40 a@50", Last, "3:rollback=10 4:rollback=10", "twice back"),
    ] {
        let world = World::of([shop().commits(CHAIN).deploys(attempts)]).set(|s| s.rollback_blames = blames);
        assert_eq!(world.failures(1000), expected, "{why}");
    }
}

#[test]
fn a_rollback_remedies_also_what_it_does_not_blame() {
    let world = World::of([shop().commits(CHAIN).deploys("a@10 b@20 c@30 a@40")])
        .incidents([incident(1, "shop", 25, Some(90)), incident(2, "shop", 35, None)]);
    assert_eq!(world.failures(1000), "2:incident=15 3:incident+rollback=5");
    let silent = world.clone().set(|s| s.fail_on = vec![FailOn::Incident]);
    assert_eq!(silent.failures(1000), "2:incident=15 3:incident=5", "without the switch too");
    assert_eq!(world.failures(40), "2:incident=open 3:incident=open", "not before it is there");
}

#[test]
fn an_incident_fails_its_deployment_until_all_are_resolved() {
    let world = World::of([shop().commits(CHAIN).deploys("a@10 b@20")]).incidents([
        incident(1, "shop", 25, Some(60)),
        incident(2, "shop", 30, Some(40)),
        incident(3, "shop", 70, Some(90)),
    ]);
    for (at, expected) in [
        (25, ""),
        (26, "2:incident=open"),
        (41, "2:incident=open"),
        (60, "2:incident=open"),
        (61, "2:incident=35"),
        (71, "2:incident=open"),
        (91, "2:incident=65"),
    ] {
        assert_eq!(world.failures(at), expected, "at {at}");
    }
    let without = world.set(|s| s.fail_on = vec![FailOn::Rollback]);
    assert_eq!(without.failures(91), "");
}

#[test]
fn a_resolution_before_the_start_is_a_span_of_zero_and_is_counted() {
    let world = World::of([shop().commits(CHAIN).deploys("a@10 b@20")]).incidents([incident(
        1,
        "shop",
        25,
        Some(22),
    )]);
    assert_eq!(world.failures(100), "2:incident=0");
    assert_eq!(world.at(100).suspects.clock_skew, 2, "the recovery and the resolution");
}

#[test]
fn a_revert_blames_the_deployment_of_what_it_reverts() {
    let deployed = |repo: Repo| World::of([repo.deploys("a@10 b@20 c@30 d@40 e@50")]).failures(1000);
    let said = |reverts: Vec<RevertOf>| deployed(edited(chain(), 4, |change| change.reverts = reverts));
    let title = |text: &str| RevertOf::Title(text.into());
    for (reverts, expected, why) in [
        (vec![RevertOf::PullRequest(1)], "2:revert=30", "number"),
        (vec![RevertOf::Commit(prefix("b"))], "2:revert=30", "landing commit"),
        (vec![RevertOf::Commit(prefix("o2"))], "3:revert=20", "own commit"),
        (vec![RevertOf::Branch(3)], "4:revert=10", "branch"),
        (vec![title("T2")], "3:revert=20", "title"),
        (vec![title("T5")], "", "a title that came later"),
        (vec![RevertOf::PullRequest(99)], "", "something unknown"),
        (vec![RevertOf::PullRequest(4)], "", "itself"),
        (vec![RevertOf::Branch(1), RevertOf::PullRequest(2)], "3:revert=20", "rules have an order"),
        (vec![RevertOf::PullRequest(2), RevertOf::PullRequest(1)], "3:revert=20", "the first of one kind"),
        (vec![RevertOf::PullRequest(99), title("T1")], "2:revert=30", "the first that resolves"),
        (vec![RevertOf::PullRequest(5)], "", "deployed later"),
    ] {
        assert_eq!(said(reverts), expected, "{why}");
    }
    let repeated = edited(chain(), 2, |change| change.title = "T1".into());
    let repeated = edited(repeated, 4, |change| change.reverts = vec![title("T1")]);
    assert_eq!(deployed(repeated), "3:revert=20", "the latest earlier change of that title");
    let together = edited(chain(), 3, |change| change.merged_at = minute(4));
    let together = edited(together, 4, |change| change.reverts = vec![title("T3")]);
    assert_eq!(deployed(together), "", "merged together is not earlier");
    let mut by_message = chain();
    by_message.facts.commits[4].reverts = vec![RevertOf::Commit(prefix("b"))];
    assert_eq!(deployed(by_message), "2:revert=30", "the landing commit says so");
    let mut by_own_title = chain();
    by_own_title.facts.commits[4].reverts = vec![RevertOf::Commit(prefix("o4")), title("T1")];
    let undone = World::of([by_own_title.deploys("a@10 b@20 c@30 d@40 e@50")]);
    assert_eq!(
        (undone.failures(1000), undone.rework()),
        (String::new(), String::new()),
        "a commit that undoes another of its pull request is no revert, whatever it is titled"
    );
    let mut pushed = chain().head("e");
    pushed.facts.changes.retain(|seen| seen.fact.number != 4 && seen.fact.number != 1);
    pushed.facts.commits[4].reverts = vec![RevertOf::Commit(prefix("b"))];
    assert_eq!(deployed(pushed), "2:revert=30", "a direct push reverts a direct push");
}

#[test]
fn a_beginning_that_several_commits_have_names_none() {
    let commit = |last: u8| {
        let mut bytes = [1; 20];
        bytes[19] = last;
        CommitId::new(bytes)
    };
    for (second, expected) in [(1, "2:revert=30"), (2, "")] {
        let mut repo = edited(chain(), 1, |change| change.own_commits[0].id = commit(1));
        repo = edited(repo, 2, |change| change.own_commits[0].id = commit(second));
        let named = CommitPrefix::parse("01010101").unwrap();
        repo = edited(repo, 4, |change| change.reverts = vec![RevertOf::Commit(named)]);
        let world = World::of([repo.deploys("a@10 b@20 c@30 d@40 e@50")]);
        assert_eq!(world.failures(1000), expected, "of two changes the first merged, of two commits none");
        assert_eq!(world.rework(), "5:revert");
    }
}

#[test]
fn a_revert_with_its_original_in_one_deployment_blames_nothing() {
    let repo = edited(chain(), 3, |change| {
        change.reverts = vec![RevertOf::PullRequest(2)];
    });
    let world = World::of([repo.deploys("a@10 b@20 d@40")]);
    assert_eq!(world.failures(1000), "");
    assert_eq!(world.rework(), "3:revert");
}

#[test]
fn a_remedy_must_come_within_its_window() {
    let week = 7 * DAY;
    for (finish, expected) in [(20 + week, format!("2:revert={week}")), (21 + week, String::new())] {
        let repo = edited(chain(), 2, |change| {
            change.reverts = vec![RevertOf::PullRequest(1)];
        });
        let world = World::of([repo.deploys(&format!("a@10 b@20 c@{finish}"))]);
        assert_eq!(world.failures(1_000_000), expected);
    }
}

#[test]
fn a_hotfix_blames_the_deployment_right_before_it() {
    for (attempts, expected, why) in [
        ("a@10 b@20 c@30", "2:hotfix=10", "right before"),
        ("a@10 b@20 b@25 c@30", "2:hotfix=10", "redeploys are skipped"),
        ("a@10 c@30", "1:hotfix=20", "a first one can be blamed"),
        ("a@10 b@20 d@30", "2:hotfix=10", "among other changes"),
        ("c@30", "", "a first deployment has no changes"),
    ] {
        let by_branch = edited(chain(), 2, |change| change.head = "hotfix/login".into());
        let by_label = edited(chain(), 2, |change| change.labels = vec!["hotfix".into()]);
        for repo in [by_branch, by_label] {
            assert_eq!(World::of([repo.deploys(attempts)]).failures(1000), expected, "{why}");
        }
    }
}

#[test]
fn only_what_is_switched_on_fails_a_deployment() {
    let repo = edited(chain(), 2, |change| {
        change.head = "hotfix/1".into();
        change.reverts = vec![RevertOf::PullRequest(1)];
    });
    let world =
        World::of([repo.deploys("a@10 b@20 c@30 b@40")]).incidents([incident(1, "shop", 25, Some(70))]);
    for (switch, expected) in [
        (FailOn::Incident, "2:incident=5"),
        (FailOn::Rollback, "3:rollback=10"),
        (FailOn::Revert, "2:revert=5"),
        (FailOn::Hotfix, "2:hotfix=5"),
    ] {
        let only = world.clone().set(|s| s.fail_on = vec![switch]);
        assert_eq!(only.failures(1000), expected, "{switch:?}");
    }
    assert_eq!(world.failures(1000), "2:hotfix+incident+revert=5 3:rollback=10");
}

#[test]
fn unplanned_deployments_are_rework() {
    let hotfix = edited(chain(), 2, |change| change.head = "hotfix/1".into());
    let revert = edited(chain(), 2, |change| {
        change.reverts = vec![RevertOf::PullRequest(99)];
    });
    let own_undone = edited(chain(), 2, |change| {
        change.reverts = vec![RevertOf::Commit(prefix("o2"))];
    });
    for (repo, attempts, incidents, expected, why) in [
        (chain(), "a@10 b@20 a@30", vec![], "3:rollback", "a rollback"),
        (hotfix, "a@10 c@20", vec![], "2:hotfix", "a hotfix"),
        (revert, "a@10 c@20", vec![], "2:revert", "a revert of something unknown"),
        (own_undone, "a@10 c@20", vec![], "", "what a change undoes of its own"),
        (
            chain(),
            "a@10 b@20 c@30 d@40",
            vec![incident(1, "shop", 25, Some(90))],
            "3:incident",
            "the first one after an incident's start",
        ),
        (chain(), "a@10 b@20 c@30", vec![incident(1, "shop", 25, Some(30))], "", "it was resolved"),
        (chain(), "a@10 b@20 c@30", vec![incident(1, "shop", 30, None)], "3:incident", "at its start"),
        (chain(), "a@10 b@20 c@2000", vec![incident(1, "shop", 1900, None)], "", "it is not attributed"),
    ] {
        let world = World::of([repo.deploys(attempts)]).incidents(incidents);
        assert_eq!(world.rework(), expected, "{why}");
    }
}
