//! `definitions.md` §2 and 3.2, one table for each rule.

use sextant::engine::change::{ChangeName, Phases, Reviewed};
use sextant::model::fact::{Author, Change};
use sextant::model::name::ExternalId;
use sextant::model::settings::{DeploymentsFrom, LeadTimeFrom, MetricSettings};

use crate::engine_world::{DAY, Repo, minute, minutes, own, pull, sha, shop};

/// Deployments as `commit@minute:attempt,attempt`, in their order.
fn rollouts(repo: &Repo, names: &str) -> String {
    let history = repo.history(&MetricSettings::new());
    let rollouts = history.deployments.iter().map(|deployment| {
        let commit = names.split(' ').find(|name| sha(name) == deployment.commit);
        let attempts: Vec<_> = deployment.attempts().map(ExternalId::as_str).collect();
        let at = deployment.deployed_at.millis() / 60_000;
        format!("{}@{at}:{}", commit.unwrap(), attempts.join(","))
    });
    rollouts.collect::<Vec<_>>().join(" ")
}

#[test]
fn attempts_of_one_commit_are_one_deployment_until_an_environment_is_reached_twice() {
    let day_later = format!("a@0/prod-eu a@{DAY}/prod-us a@{}/prod-ap", DAY + 1);
    for (attempts, expected, why) in [
        ("a@1/prod-eu a@2/prod-us a@3/prod-ap", "a@1:1,2,3", "regions"),
        ("a@1 a@5", "a@1:1 a@5:2", "the same environment again"),
        ("a@1/prod-eu b@2/prod-eu a@3/prod-us b@4/prod-us", "a@1:1,3 b@2:2,4", "overlapping rollouts"),
        (
            "a@0/prod-eu a@10/prod-eu a@20/prod-us a@21/prod-us a@22/prod-us",
            "a@0:1,4 a@10:2,3 a@22:5",
            "the latest one first",
        ),
        (&day_later, "a@0:1,2 a@1441:3", "a rollout waits a day"),
        ("a@1! a@2", "a@2:2", "a failed attempt did not reach production"),
        ("a@1/staging a@2/preproduction a@3/Live", "a@3:3", "only production counts"),
        ("a@1 b@2 a@3", "a@1:1 b@2:2 a@3:3", "back to an older commit"),
        ("b@5 a@5", "b@5:1 a@5:2", "ties by id"),
        ("a@9 b@2", "b@2:2 a@9:1", "by finish"),
        ("", "", "none"),
    ] {
        assert_eq!(rollouts(&shop().deploys(attempts), "a b"), expected, "{why}");
    }
}

#[test]
fn kinds_follow_ancestry() {
    for (attempts, expected, why) in [
        ("a@1 b@2 c@3", "first forward forward", "ahead"),
        ("a@1 a@2 b@3 b@4", "first redeploy forward redeploy", "the same again"),
        ("b@1 a@2", "first rollback", "to an ancestor that was never deployed here"),
        ("a@1 c@2 b@3", "first forward rollback", "to a commit in between"),
        ("a@1 b@5 a@2-6", "first forward late", "a hung job"),
        ("a@1 b@5 a@5-6", "first forward rollback", "created with the previous one"),
        ("b@1 x@2 b@3", "first forward forward", "branches are no ancestors of each other"),
        ("u@1 v@2 u@3", "first forward rollback", "unknown ancestry: deployed earlier"),
        ("u@1 v@2 w@3", "first forward forward", "unknown ancestry: never deployed"),
        ("u@1 v@5 u@2-6", "first forward forward", "unknown ancestry: created before"),
        ("a@1 u@2 a@3", "first forward rollback", "one of them is unknown"),
        ("c@1 b@2 a@3", "first rollback rollback", "twice back"),
    ] {
        let repo = shop().commits("a b:a c:b x:a").deploys(attempts);
        assert_eq!(repo.kinds(), expected, "{why}: {attempts}");
    }
}

#[test]
fn a_change_is_deployed_once_by_the_first_deployment_that_contains_it() {
    // a ─ b(#1) ─ c(#2) ─ d(#3)      x: a branch from b that #4 squashed into d's successor e
    let commits = "a b:a c:b d:c x:b e:d";
    for (attempts, expected, why) in [
        ("a@50 b@60 c@70 d@80", "- #1 #2 #3", "one each"),
        ("a@50 d@80", "- #1,#2,#3", "a batch"),
        ("d@80", "-", "history starts here"),
        ("a@50 d@60 b@70 d@80", "- #1,#2,#3 - -", "a rollback and its undoing bring nothing"),
        ("a@50 c@60 c@70 d@80", "- #1,#2 - #3", "a redeploy brings nothing"),
        ("a@50 c@60 b@55-70 d@80", "- #1,#2 - #3", "a late one brings nothing"),
        ("u@50 b@60 c@70", "- - #2", "nobody knows what the unknown first one contained"),
        ("a@50 u@60 c@70", "- - #1,#2", "an unknown one in between brings nothing"),
        ("a@50 x@60 e@70", "- #1 #2,#3,#4", "by ancestry, not by time"),
    ] {
        let pulls = [pull(1, "b", 10), pull(2, "c", 20), pull(3, "d", 30), pull(4, "e", 40)];
        let repo = shop().commits(commits).pulls(pulls).deploys(attempts);
        assert_eq!(repo.changes(), expected, "{why}: {attempts}");
    }
}

#[test]
fn a_first_parent_commit_of_no_pull_request_is_a_direct_push() {
    let attempts = "a@50 g@60";
    let rebased = Change { own_commits: own("x@11 y@12 z@13"), ..pull(1, "d", 20) };
    let squashed = Change { own_commits: own("x@11 y@12"), ..pull(1, "d", 20) };
    let single = Change { own_commits: own("x@13"), ..pull(1, "d", 20) };
    for (commits, change, expected, why) in [
        ("a b:a@11 c:b@12 d:c@13 g:d", &rebased, "- #1,push", "rebase merge"),
        ("a b:a@11 c:b@99 d:c@13 g:d", &rebased, "- #1,push,push,push", "only as far as dates agree"),
        ("a b:a@12 c:b@12 d:c@20 g:d", &squashed, "- #1,push,push,push", "a squash has a date of its own"),
        ("a b:a@12 c:b@12 d:c@13 g:d", &single, "- #1,push,push,push", "one commit is no rebase"),
        (
            "a b:a x:a c:b,x d:c g:d",
            &single,
            "- #1,push,push,push",
            "what a merge brings is not first-parent",
        ),
        ("a b:a@11 c:b@12 x:a d:c,x@13 g:d", &rebased, "- #1,push,push,push", "two parents are no rebase"),
        ("a b:q a1:a d:a1 g:d", &single, "- #1,push,push", "unknown parents end the branch"),
    ] {
        let repo = shop().commits(commits).head("g").pulls([change.clone()]).deploys(attempts);
        assert_eq!(repo.changes(), expected, "{why}");
    }
}

#[test]
fn a_commit_that_github_gives_to_a_pull_request_is_no_direct_push() {
    let mut repo = shop().commits("a b:a c:b").head("c").deploys("a@50 c@60");
    assert_eq!(repo.changes(), "- push,push");
    repo.facts.commits[1].pull_request = Some(7);
    assert_eq!(repo.changes(), "- push");
    repo.facts.repository.head = None;
    assert_eq!(repo.changes(), "- -", "without a head nobody knows the branch");
}

#[test]
fn a_direct_push_has_a_lead_time_and_no_phases() {
    let mut settings = MetricSettings::new();
    settings.lead_time_from = LeadTimeFrom::Merged;
    let repo = shop().commits("a b:a@20").head("b").deploys("a@50 b@60");
    let history = repo.history(&settings);
    let change = &history.deployments[1].changes[0];
    assert_eq!(change.name, ChangeName::Push(sha("b")));
    assert_eq!(change.lead_time, minutes(40));
    assert_eq!(change.phases, None);
    assert!(change.is_unreviewed());
}

#[test]
fn merges_deploy_where_they_are_configured_to() {
    let other_base = Change { base: "release".into(), ..pull(3, "c", 35) };
    let unlanded = Change { landing: None, ..pull(4, "d", 36) };
    let mut repo = shop()
        .commits("a b:a p:b c:p d:c")
        .head("d")
        .pulls([pull(2, "b", 20), pull(1, "a", 10), other_base, unlanded, pull(5, "d", 40)])
        .deploys("a@99");
    repo.component.from = DeploymentsFrom::Merges;
    let history = repo.history(&MetricSettings::new());
    let merged: Vec<_> = history.deployments.iter().map(|d| (d.id.as_str(), d.deployed_at)).collect();
    assert_eq!(merged, [("1", minute(10)), ("2", minute(20)), ("5", minute(40))]);
    assert_eq!(repo.changes(), "- #2 #3,#5,push", "a push deploys with the next merge");
}

fn hour(first_commit: i64, opened: i64, ready: Option<i64>, reviewed: Option<i64>, merged: i64) -> Change {
    Change {
        own_commits: own(&format!("y@{} x@{first_commit}", first_commit + 1)),
        opened_at: minute(opened),
        ready_at: ready.map(minute),
        reviewed_at: reviewed.map(minute),
        ..pull(1, "b", merged)
    }
}

fn phases(coding: i64, reviewed: Option<(i64, i64)>, deploy: i64) -> Phases {
    Phases {
        coding: minutes(coding),
        reviewed: reviewed
            .map(|(pickup, review)| Reviewed { pickup: minutes(pickup), review: minutes(review) }),
        deploy: minutes(deploy),
    }
}

#[test]
fn phases_follow_each_other_and_clocks_that_disagree_are_counted() {
    for (change, lead, expected, skewed, why) in [
        (hour(10, 20, None, Some(25), 40), 50, phases(10, Some((5, 15)), 20), false, "all four"),
        (hour(10, 20, Some(30), Some(35), 40), 50, phases(20, Some((5, 5)), 20), false, "a draft is coding"),
        (
            hour(10, 20, Some(30), Some(25), 40),
            50,
            phases(20, Some((0, 10)), 20),
            true,
            "reviewed as a draft: a pickup of less than nothing",
        ),
        (
            hour(25, 20, Some(30), Some(35), 40),
            35,
            phases(5, Some((5, 5)), 20),
            false,
            "commit after opening, before it was ready: coding is not negative",
        ),
        (hour(10, 20, None, None, 40), 50, phases(10, None, 20), false, "no review"),
        (hour(30, 20, None, Some(35), 40), 30, phases(0, Some((5, 5)), 20), true, "commit after opening"),
        (hour(10, 20, None, Some(25), 65), 50, phases(10, Some((5, 35)), 0), true, "merge after deployment"),
        (hour(70, 80, None, None, 90), 0, phases(0, None, 0), true, "everything after deployment"),
    ] {
        let repo = shop().commits("a b:a").pulls([change]).deploys("a@5 b@60");
        let history = repo.history(&MetricSettings::new());
        let change = &history.deployments[1].changes[0];
        assert_eq!(change.lead_time, minutes(lead), "{why}");
        assert_eq!(change.phases, Some(expected), "{why}");
        assert_eq!(change.skewed, skewed, "{why}");
    }
}

#[test]
fn lead_time_starts_where_it_is_configured_to() {
    for (from, expected) in
        [(LeadTimeFrom::FirstCommit, 50), (LeadTimeFrom::Opened, 40), (LeadTimeFrom::Merged, 20)]
    {
        let mut settings = MetricSettings::new();
        settings.lead_time_from = from;
        let repo = shop().commits("a b:a").pulls([hour(10, 20, None, None, 40)]).deploys("a@5 b@60");
        let change = &repo.history(&settings).deployments[1].changes[0];
        assert_eq!(change.lead_time, minutes(expected));
        assert_eq!(change.phases, Some(phases(10, None, 20)), "coding is from the first commit");
    }
}

#[test]
fn without_own_commits_the_landing_commit_or_the_opening_starts_lead_time() {
    for (commits, expected) in [("a b:a@12", 48), ("a", 30)] {
        let change = Change { own_commits: Vec::new(), author: Author::Bot, ..hour(0, 30, None, None, 40) };
        let commits = shop().commits(commits).pulls([change]);
        let history = commits.deploys("a@5 b@60").history(&MetricSettings::new());
        let lead = history.deployments[1].changes.first().map(|change| change.lead_time);
        // A landing commit that is not known is in no deployment.
        assert_eq!(lead, (expected == 48).then(|| minutes(48)));
    }
}
