//! The simulated GitHub tells releases, tags and changed files as the schema says.

use serde_json::{Value, json};
use sextant::demo::world::World;
use sextant::demo::world::changed_file::{ChangedFile, How};
use sextant::demo::world::pull::{Method, Proposal};
use sextant::demo::world::repository::RepositoryKey;
use sextant::model::name::CommitId;

use super::demo_stage::{Stage, acme, ago};

fn shop(world: &mut World) -> (RepositoryKey, Vec<CommitId>) {
    let shop = world.repository("acme/shop", ago(400));
    let commits = (1..=4).map(|n| world.push(shop, "ada", &format!("Step {n}"), ago(400 - n), ago(400 - n)));
    let commits = commits.collect();
    (shop, commits)
}

const RELEASES: &str = "{ repository(owner: \"acme\", name: \"shop\") { releases(first: 9, orderBy: {field: CREATED_AT, direction: DESC}) {
  nodes { tagName isDraft isPrerelease isLatest createdAt publishedAt updatedAt tagCommit { oid } } } } }";

#[tokio::test]
async fn a_draft_has_no_tag_and_is_published_with_the_date_of_its_commit() {
    let mut world = acme();
    let (shop, commits) = shop(&mut world);
    world.release(shop, "v1", commits[0], ago(50));
    let draft = world.draft_release(shop, "v2", commits[1], ago(40));
    world.release(shop, "v3-rc", commits[2], ago(30));
    let stage = Stage::of(world).await;
    let nodes = |data: Value| data["repository"]["releases"]["nodes"].as_array().unwrap().clone();
    let before = nodes(stage.data(RELEASES, json!({})).await);
    let tags: Vec<_> = before.iter().map(|node| node["tagName"].as_str().unwrap()).collect();
    assert_eq!(tags, ["v3-rc", "v2", "v1"], "newest commit first, whenever they were published");
    assert_eq!((&before[0]["isPrerelease"], &before[0]["isLatest"]), (&json!(true), &json!(false)));
    assert_eq!((&before[1]["isDraft"], &before[1]["tagCommit"]), (&json!(true), &Value::Null));
    assert_eq!((&before[2]["isLatest"], &before[1]["publishedAt"]), (&json!(true), &Value::Null));
    stage.world.tell(|world| world.publish_release(draft, ago(10)));
    let after = nodes(stage.data(RELEASES, json!({})).await);
    assert_eq!(
        (&after[1]["publishedAt"], &after[1]["createdAt"], &after[1]["updatedAt"]),
        (&json!(ago(10).to_string()), &json!(ago(398).to_string()), &json!(ago(10).to_string()))
    );
    assert_eq!(after[1]["tagCommit"]["oid"], commits[1].to_string());
    assert_eq!((&after[1]["isLatest"], &after[2]["isLatest"]), (&json!(true), &json!(false)));
    stage.world.tell(|world| {
        world.edit_release(draft, ago(5), |release| release.prerelease = true);
        world.delete_tag(shop, "v1", ago(4));
    });
    let edited = nodes(stage.data(RELEASES, json!({})).await);
    assert_eq!(
        (&edited[1]["isPrerelease"], &edited[1]["updatedAt"]),
        (&json!(true), &json!(ago(5).to_string()))
    );
    assert_eq!((&edited[2]["tagName"], &edited[2]["tagCommit"]), (&json!("v1"), &Value::Null));
    stage.world.tell(|world| world.delete_release(draft, ago(3)));
    assert_eq!(nodes(stage.data(RELEASES, json!({})).await).len(), 2);
}

const TAGS: &str = "query Tags($direction: OrderDirection!) { repository(owner: \"acme\", name: \"shop\") { pushedAt
  refs(refPrefix: \"refs/tags/\", first: 9, orderBy: {field: TAG_COMMIT_DATE, direction: $direction}) { nodes { name target { __typename oid
    ... on Tag { name tagger { date } target { __typename oid ... on Tag { name target { __typename oid } } } } } } } } }";

#[tokio::test]
async fn tags_are_lightweight_annotated_tags_of_tags_moved_and_deleted() {
    let mut world = acme();
    let (shop, commits) = shop(&mut world);
    world.push_tag(shop, "light", commits[1], false, ago(9));
    world.push_tag(shop, "heavy", commits[0], true, ago(8));
    world.tag_a_tag(shop, "twice", "heavy", ago(7));
    let stage = Stage::of(world).await;
    let found = stage.data(TAGS, json!({"direction": "DESC"})).await["repository"].clone();
    assert_eq!(found["pushedAt"], ago(7).to_string(), "a tag is a push");
    let nodes = &found["refs"]["nodes"];
    let names = |nodes: &Value| -> Vec<String> {
        nodes.as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(nodes), ["light", "twice", "heavy"], "by the commit underneath");
    assert_eq!(nodes[0]["target"], json!({"__typename": "Commit", "oid": commits[1].to_string()}));
    assert_eq!(nodes[2]["target"]["tagger"]["date"], ago(8).to_string());
    assert_eq!(nodes[2]["target"]["target"]["oid"], commits[0].to_string());
    let twice = &nodes[1]["target"];
    assert_eq!((&twice["name"], &twice["target"]["name"]), (&json!("twice"), &json!("heavy")));
    assert_eq!(twice["target"]["oid"], nodes[2]["target"]["oid"], "the same tag object");
    assert_eq!(twice["target"]["target"]["oid"], commits[0].to_string());
    stage.world.tell(|world| {
        world.push_tag(shop, "light", commits[3], false, ago(2));
        world.delete_tag(shop, "twice", ago(1));
    });
    let moved = stage.data(TAGS, json!({"direction": "ASC"})).await["repository"]["refs"]["nodes"].clone();
    assert_eq!(names(&moved), ["heavy", "light"]);
    assert_eq!(moved[1]["target"]["oid"], commits[3].to_string());
}

#[tokio::test]
async fn a_pull_request_tells_its_files_and_so_does_what_it_landed_as() {
    for method in [Method::Merge, Method::Squash, Method::Rebase] {
        let mut world = acme();
        let (shop, _) = shop(&mut world);
        let proposal = Proposal::new("Both", "ada").paths(&["web/b.rs", "api/a.rs"]).commit(ago(9), "Both");
        let pull = world.open_pull(shop, proposal, ago(9));
        let more = world.push_to_pull(pull, "Away", ago(8)).unwrap();
        let renamed = How::RenamedFrom("old.rs".to_owned());
        let file = |path: &str, how| ChangedFile { path: path.to_owned(), how, additions: 3, deletions: 0 };
        world.touch_files(shop, more, vec![file("new.rs", renamed), file("api/a.rs", How::Removed)]);
        let landed = world.merge(pull, method, ago(7));
        let stage = Stage::of(world).await;
        let query = "{ repository(owner: \"acme\", name: \"shop\") { pullRequest(number: 1) { changedFiles
          files(first: 2) { totalCount pageInfo { hasNextPage endCursor } nodes { path changeType additions deletions } } } } }";
        let pull = stage.data(query, json!({})).await["repository"]["pullRequest"].clone();
        assert_eq!((&pull["changedFiles"], &pull["files"]["totalCount"]), (&json!(3), &json!(3)));
        assert_eq!(pull["files"]["pageInfo"]["hasNextPage"], true);
        let expected = json!([
            {"path": "api/a.rs", "changeType": "DELETED", "additions": 5, "deletions": 1},
            {"path": "new.rs", "changeType": "RENAMED", "additions": 3, "deletions": 0},
        ]);
        assert_eq!(pull["files"]["nodes"], expected);
        let commit = stage.resource(&format!("/repos/acme/shop/commits/{landed}")).await;
        let files: Vec<_> = commit["files"].as_array().unwrap().iter().map(|it| &it["filename"]).collect();
        match method {
            Method::Rebase => assert_eq!(files, ["api/a.rs", "new.rs"], "the last of two"),
            Method::Merge | Method::Squash => assert_eq!(files, ["api/a.rs", "new.rs", "web/b.rs"]),
        }
        assert_eq!(commit["files"][1]["previous_filename"], "old.rs");
    }
}
