//! Releases and tags as deployments: what is stored is what the simulated GitHub tells, also of what is published,
//! edited, moved and deleted later.

use std::collections::BTreeMap;
use std::sync::Arc;

use sextant::demo::world::repository::RepositoryKey;
use sextant::model::batch::Contact;
use sextant::model::fact::{Attempt, Origin, Outcome, Stage};
use sextant::model::name::CommitId;
use sextant::model::settings::{
    DeploymentRule, DeploymentsFrom, OwnershipRules, Prereleases, ReleaseRule, RepositoryPatterns,
};
use sextant::model::time::{Span, Timestamp};

use crate::github_stand::{Stand, name, now, small_world};

/// The rules by which all repositories are deployed like this.
pub(crate) fn all_by(from: DeploymentsFrom) -> Arc<OwnershipRules> {
    let repositories = RepositoryPatterns::parse(["acme/*"]).unwrap();
    let deployments = vec![DeploymentRule { source: name(), repositories, from }];
    Arc::new(OwnershipRules { deployments, ..OwnershipRules::default() })
}

fn releases() -> DeploymentsFrom {
    DeploymentsFrom::Releases(ReleaseRule { tag: None, prereleases: Prereleases::LeftOut })
}

/// So many hours before the first poll.
pub(crate) fn ago(hours: i64) -> Timestamp {
    now().minus(Span::from_hours(hours))
}

/// So many hours after it.
pub(crate) fn later(hours: i64) -> Timestamp {
    now().plus(Span::from_hours(hours))
}

/// One repository with some commits, read by these rules.
async fn stand(from: DeploymentsFrom) -> (Stand, RepositoryKey, Vec<CommitId>) {
    let (mut world, keys) = small_world(1);
    let commits = (1..=6).map(|n| world.push(keys[0], "ann", "step", ago(60 - n), ago(60 - n))).collect();
    let mut stand = Stand::new(world, Span::from_days(31)).await;
    stand.restart_with(|config| config.ownership = all_by(from));
    (stand, keys[0], commits)
}

/// The attempts that are no GitHub Deployments, by id.
pub(crate) async fn attempts(stand: &Stand, key: RepositoryKey) -> BTreeMap<String, (Attempt, Contact)> {
    let number = stand.world.lock().at(key).database_id;
    let facts = stand.facts(number).await;
    let others = facts.attempts.into_iter().filter(|seen| seen.fact.origin != Origin::Deployment);
    others.map(|seen| (seen.fact.id.as_str().to_owned(), (seen.fact, seen.contact))).collect()
}

/// Lets the world be as late as this, and polls.
pub(crate) async fn poll_at(stand: &mut Stand, at: Timestamp) -> u64 {
    stand.world.tell(|world| world.advance(at));
    stand.cost().await.0
}

#[tokio::test]
async fn a_release_is_a_deployment_when_it_is_published_and_stays_one() {
    let (mut stand, shop, commits) = stand(releases()).await;
    let (first, draft, preview) = stand.world.tell(|world| {
        let first = world.release(shop, "v1", commits[0], ago(40));
        let draft = world.draft_release(shop, "v2", commits[1], ago(30));
        (first, draft, world.release(shop, "v3-rc", commits[2], ago(20)))
    });
    poll_at(&mut stand, now()).await;
    let stored = attempts(&stand, shop).await;
    let id = |number: u64| format!("release:{number}");
    assert_eq!(stored.len(), 2, "a draft is nothing yet");
    let (v1, contact) = &stored[&id(first.database_id)];
    assert_eq!((v1.finished, v1.commit), (Some((Outcome::Success, ago(40))), commits[0]));
    assert_eq!(*contact, Contact::First);
    let (v3, _) = &stored[&id(preview.database_id)];
    assert_eq!(v3.origin, Origin::Release { tag: "v3-rc".to_owned(), stage: Stage::Prerelease });

    poll_at(&mut stand, later(1)).await;
    let idle = poll_at(&mut stand, later(1).plus(Span::from_minutes(1))).await;
    assert_eq!(idle, 2, "one look at repositories, one at releases");

    stand.world.tell(|world| world.publish_release(draft, later(2)));
    poll_at(&mut stand, later(2)).await;
    let stored = attempts(&stand, shop).await;
    let (v2, contact) = &stored[&id(draft.database_id)];
    assert_eq!((v2.finished, v2.commit), (Some((Outcome::Success, later(2))), commits[1]));
    assert_eq!(*contact, Contact::Live);

    stand.world.tell(|world| world.delete_release(first, later(3)));
    poll_at(&mut stand, later(30)).await;
    assert_eq!(attempts(&stand, shop).await.len(), 3, "what was deployed was deployed");
}

#[tokio::test]
async fn a_draft_far_down_the_list_is_found_when_it_is_published_and_an_edit_within_a_day() {
    let (mut stand, shop, commits) = stand(releases()).await;
    let (draft, old) = stand.world.tell(|world| {
        let draft = world.draft_release(shop, "v0", commits[0], ago(50));
        let old = world.release(shop, "v1", commits[0], ago(50));
        for n in 0..30 {
            world.release(shop, &format!("v2.{n}"), commits[3], ago(40 - n));
        }
        (draft, old)
    });
    poll_at(&mut stand, now()).await;
    assert_eq!(attempts(&stand, shop).await.len(), 31);
    stand.world.tell(|world| {
        world.publish_release(draft, later(1));
        world.edit_release(old, later(1), |release| release.prerelease = true);
    });
    poll_at(&mut stand, later(2)).await;
    let stored = attempts(&stand, shop).await;
    assert!(stored.contains_key(&format!("release:{}", draft.database_id)));
    let origin = |stored: &BTreeMap<String, (Attempt, Contact)>| {
        stored[&format!("release:{}", old.database_id)].0.origin.clone()
    };
    poll_at(&mut stand, later(25)).await;
    let stored = attempts(&stand, shop).await;
    assert_eq!(origin(&stored), Origin::Release { tag: "v1".to_owned(), stage: Stage::Prerelease });
}

#[tokio::test]
async fn a_tag_is_a_deployment_when_it_was_tagged_and_moves_with_its_name() {
    let (mut stand, shop, commits) = stand(DeploymentsFrom::Tags(None)).await;
    stand.world.tell(|world| {
        world.push_tag(shop, "light", commits[0], false, ago(10));
        world.push_tag(shop, "heavy", commits[1], true, ago(9));
        world.tag_a_tag(shop, "twice", "heavy", ago(8));
    });
    poll_at(&mut stand, now()).await;
    let stored = attempts(&stand, shop).await;
    let told = |stored: &BTreeMap<String, (Attempt, Contact)>, tag: &str| {
        let (attempt, contact) = &stored[&format!("tag:{tag}")];
        (attempt.created_at, attempt.commit, *contact)
    };
    assert_eq!(told(&stored, "light"), (ago(59), commits[0], Contact::First), "as old as its commit");
    assert_eq!(told(&stored, "heavy"), (ago(9), commits[1], Contact::First));
    assert_eq!(told(&stored, "twice"), (ago(8), commits[1], Contact::First));

    assert_eq!(
        poll_at(&mut stand, later(1)).await - 2,
        2,
        "a look at repositories, owners and teams, one at tags"
    );
    stand.world.tell(|world| world.push_tag(shop, "light", commits[5], false, later(2)));
    poll_at(&mut stand, later(2)).await;
    assert_eq!(told(&attempts(&stand, shop).await, "light").1, commits[5]);
    stand.world.tell(|world| {
        for n in 0..12 {
            world.push_tag(shop, &format!("t{n}"), commits[5], true, later(3));
        }
    });
    poll_at(&mut stand, later(3)).await;
    stand.world.tell(|world| world.push_tag(shop, "back", commits[0], true, later(4)));
    poll_at(&mut stand, later(4)).await;
    let stored = attempts(&stand, shop).await;
    assert_eq!(stored.len(), 16);
    assert_eq!(told(&stored, "back"), (later(4), commits[0], Contact::Live), "though its commit is old");
}

#[tokio::test]
async fn a_rule_that_comes_later_is_first_contact_and_many_pages_are_read_from_where_a_poll_was_cut_off() {
    let (mut stand, shop, commits) = stand(DeploymentsFrom::Merges).await;
    stand.world.tell(|world| {
        for n in 0..230 {
            world.push_tag(shop, &format!("t{n}"), commits[n % 6], true, ago(20));
        }
    });
    poll_at(&mut stand, now()).await;
    assert!(attempts(&stand, shop).await.is_empty());
    let tags = |stand: &mut Stand| {
        stand.restart_with(|config| config.ownership = all_by(DeploymentsFrom::Tags(None)));
    };
    tags(&mut stand);
    let mut batches = 1;
    while stand.poll_with(batches).await.is_err() {
        tags(&mut stand);
        batches += 1;
    }
    let stored = attempts(&stand, shop).await;
    assert_eq!(stored.len(), 230);
    assert!(stored.values().all(|(_, contact)| *contact == Contact::First));
}
