//! Workflow runs as deployments: read over REST only when something moved, whatever GitHub lists and forgets.

use sextant::demo::world::repository::RepositoryKey;
use sextant::demo::world::workflow::{Conclusion, Progress, WorkflowKey};
use sextant::http::Reason;
use sextant::model::batch::Contact;
use sextant::model::dirty::Stream;
use sextant::model::fact::{Origin, Outcome};
use sextant::model::name::CommitId;
use sextant::model::settings::{DeploymentsFrom, RunRule};
use sextant::model::time::Span;

use crate::github_releases::{ago, all_by, attempts, later, poll_at};
use crate::github_stand::{Stand, now, small_world};

fn runs_of(workflow: &str) -> DeploymentsFrom {
    DeploymentsFrom::WorkflowRuns(RunRule {
        workflow: workflow.to_owned(),
        branch: Some("main".to_owned()),
        event: None,
    })
}

/// One repository with a workflow, read by a rule for `deploy.yml`.
async fn stand() -> (Stand, RepositoryKey, WorkflowKey, CommitId) {
    let (mut world, keys) = small_world(1);
    let commit = world.push(keys[0], "ann", "step", ago(100), ago(100));
    let workflow = world.workflow(keys[0], "deploy.yml", "Deploy", ago(110));
    world.workflow(keys[0], "ci.yml", "CI", ago(110));
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.restart_with(|config| config.ownership = all_by(runs_of("deploy.yml")));
    (stand, keys[0], workflow, commit)
}

#[tokio::test]
async fn every_attempt_of_a_run_is_one_and_what_goes_on_is_read_again() {
    let (mut stand, shop, workflow, commit) = stand().await;
    let [good, again, _, open] = stand.world.tell(|world| {
        let runs =
            [ago(50), ago(40), ago(30), ago(2)].map(|at| world.start_run(workflow, "push", commit, at));
        world.finish_run(runs[0], Conclusion::Success, ago(49));
        world.finish_run(runs[1], Conclusion::Failure, ago(39));
        world.rerun(runs[1], ago(35));
        world.finish_run(runs[1], Conclusion::Success, ago(34));
        world.finish_run(runs[2], Conclusion::Cancelled, ago(29));
        world.progress_run(runs[3], Progress::InProgress, ago(1));
        let other = world.start_run(workflow, "push", commit, ago(20));
        world.edit_run(other, ago(20), |run| run.branch = Some("topic".to_owned()));
        runs
    });
    poll_at(&mut stand, now()).await;
    let stored = attempts(&stand, shop).await;
    let ends: Vec<_> =
        stored.values().map(|(attempt, _)| attempt.finished.map(|(outcome, _)| outcome)).collect();
    assert_eq!(stored.len(), 5, "of four runs on main");
    assert_eq!(ends.iter().filter(|end| end.is_none()).count(), 2, "one was cancelled, one goes on");
    let attempt = |stored: &std::collections::BTreeMap<String, (_, Contact)>, run: u64, n: u32| {
        let (attempt, contact): (sextant::model::fact::Attempt, _) =
            stored[&format!("run:{run}/{n}")].clone();
        (attempt.created_at, attempt.finished, contact)
    };
    let first = Contact::First;
    assert_eq!(attempt(&stored, good.database_id, 1), (ago(50), Some((Outcome::Success, ago(49))), first));
    assert_eq!(attempt(&stored, again.database_id, 1), (ago(40), Some((Outcome::Failure, ago(39))), first));
    assert_eq!(attempt(&stored, again.database_id, 2), (ago(35), Some((Outcome::Success, ago(34))), first));
    let (told, _) = &stored[&format!("run:{}/1", good.database_id)];
    let Origin::Run { workflow: file, name, branch, event } = told.origin.clone() else { panic!("{told:?}") };
    assert_eq!([file, name, branch, event], ["deploy.yml", "Deploy", "main", "push"]);

    let soon = now().plus(Span::from_minutes(1));
    assert_eq!(
        poll_at(&mut stand, soon).await,
        2,
        "a look at repositories and one at workflows, and no REST"
    );
    stand.world.tell(|world| world.finish_run(open, Conclusion::TimedOut, soon.plus(Span::from_minutes(1))));
    let soon = soon.plus(Span::from_minutes(2));
    poll_at(&mut stand, soon).await;
    let stored = attempts(&stand, shop).await;
    let end = Some((Outcome::Failure, soon.minus(Span::from_minutes(1))));
    assert_eq!(attempt(&stored, open.database_id, 1), (ago(2), end, Contact::Live));
}

#[tokio::test]
async fn an_old_run_that_is_run_again_is_found_within_a_day_and_what_github_deletes_stays() {
    let (mut stand, shop, workflow, commit) = stand().await;
    let old = stand.world.tell(|world| {
        let runs: Vec<_> = (0..12)
            .map(|n| {
                let run = world.start_run(workflow, "push", commit, ago(90 - 5 * n));
                world.finish_run(run, Conclusion::Success, ago(89 - 5 * n));
                run
            })
            .collect();
        runs[0]
    });
    poll_at(&mut stand, now()).await;
    assert_eq!(attempts(&stand, shop).await.len(), 12);
    stand.world.tell(|world| {
        world.rerun(old, later(1));
        world.finish_run(old, Conclusion::Failure, later(2));
    });
    poll_at(&mut stand, later(3)).await;
    poll_at(&mut stand, later(25)).await;
    let stored = attempts(&stand, shop).await;
    assert_eq!(stored.len(), 13);
    let (again, contact) = &stored[&format!("run:{}/2", old.database_id)];
    assert_eq!((again.created_at, again.finished), (later(1), Some((Outcome::Failure, later(2)))));
    assert_eq!(*contact, Contact::Live);
    stand.world.tell(|world| world.delete_runs(shop, later(20), later(26)));
    poll_at(&mut stand, later(50)).await;
    assert_eq!(attempts(&stand, shop).await.len(), 13);
}

#[tokio::test]
async fn a_webhook_that_names_an_old_run_that_was_run_again_shows_it_at_once() {
    let (mut stand, shop, workflow, commit) = stand().await;
    let (number, runs) = stand.world.tell(|world| {
        let runs: Vec<_> = (0..8)
            .map(|n| {
                let run = world.start_run(workflow, "push", commit, ago(90 - 5 * n));
                world.finish_run(run, Conclusion::Success, ago(89 - 5 * n));
                run
            })
            .collect();
        (world.at(shop).database_id, runs)
    });
    poll_at(&mut stand, now()).await;
    let (old, before) = (runs[0], attempts(&stand, shop).await.len());
    stand.world.tell(|world| {
        world.rerun(old, later(1));
        world.finish_run(old, Conclusion::Failure, later(2));
        world.advance(later(3));
    });
    stand.told(Some(number), Stream::Runs).await;
    assert_eq!(attempts(&stand, shop).await.len(), before, "it is not among the newest");
    let (requests, _) = stand.told(Some(number), Stream::Run(old.database_id)).await;
    assert_eq!(requests, 4, "a look at the repository, one at its workflows, the run, and its first attempt");
    let stored = attempts(&stand, shop).await;
    let (again, contact) = &stored[&format!("run:{}/2", old.database_id)];
    assert_eq!((again.created_at, again.finished), (later(1), Some((Outcome::Failure, later(2)))));
    assert_eq!((stored.len(), *contact), (before + 1, Contact::Live));
    stand.told(Some(number), Stream::Run(4_711)).await;
}

#[tokio::test]
async fn more_runs_than_github_lists_are_read_whole_also_when_a_poll_is_cut_off() {
    let (mut stand, shop, workflow, commit) = stand().await;
    stand.world.tell(|world| {
        for n in 0..2_300 {
            let at = ago(90).plus(Span::from_seconds(20 * n));
            let run = world.start_run(workflow, "push", commit, at);
            world.finish_run(run, Conclusion::Success, at.plus(Span::from_seconds(5)));
        }
        world.advance(now());
    });
    let mut batches = 1;
    while stand.poll_with(batches).await.is_err() {
        stand.restart_with(|config| config.ownership = all_by(runs_of("deploy")));
        batches += 9;
    }
    assert_eq!(attempts(&stand, shop).await.len(), 2_300);
}

#[tokio::test]
async fn a_workflow_that_is_not_there_is_named_with_those_that_are() {
    let (mut stand, shop, ..) = stand().await;
    stand.restart_with(|config| config.ownership = all_by(runs_of("ship.yml")));
    for _ in 0..2 {
        let problems = stand.poll().await.unwrap().problems;
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!(problem.reason, Reason::NotFound);
        assert_eq!(problem.what, "no workflow ship.yml in acme/r0; it has ci.yml, deploy.yml");
    }
    stand.world.tell(|world| world.workflow(shop, "ship.yml", "Ship", later(1)));
    poll_at(&mut stand, later(2)).await;
}

#[tokio::test]
async fn a_commit_that_only_a_run_names_is_read() {
    let (mut stand, shop, workflow, commit) = stand().await;
    let lost = stand.world.tell(|world| {
        let lost = world.push(shop, "ann", "lost", ago(10), ago(10));
        let run = world.start_run(workflow, "push", lost, ago(9));
        world.finish_run(run, Conclusion::Success, ago(8));
        world.force_push(shop, "release-1", lost, ago(8));
        world.force_push(shop, "main", commit, ago(7));
        world.push(shop, "ann", "anew", ago(6), ago(6));
        lost
    });
    poll_at(&mut stand, now()).await;
    let number = stand.world.lock().at(shop).database_id;
    let facts = stand.facts(number).await;
    assert!(facts.commits.iter().any(|found| found.id == lost));
}
