//! `definitions.md` §4, one table for each rule.

use regex::Regex;
use sextant::model::component::OwnedIncident;
use sextant::model::fact::{Exclusion, Incident, Reference, Verdict};
use sextant::model::name::{ComponentName, ExternalId, RepositoryName, Severity, SourceName, TeamSlug};
use sextant::model::settings::{IncidentFilter, Standing, TeamAttribution};

use crate::engine_world::{DAY, Repo, World, incident, prefix, pull, sha, shop};

fn world() -> World {
    let shop = shop()
        .commits("a b:a c:b d:c")
        .pulls([pull(1, "b", 15), pull(2, "c", 25)])
        .deploys("a@10 c@30 d@40 d@50");
    let pay = Repo::new(2, "pay", "web").commits("p q:p").deploys("p@20 q@45");
    let ops = Repo::new(3, "ops", "infra").commits("x y:x").deploys("x@20 y@48");
    World::of([shop, pay, ops])
}

fn edited(mut owned: OwnedIncident, edit: impl FnOnce(&mut Incident)) -> OwnedIncident {
    edit(&mut owned.stored.incident);
    owned
}

fn of_team(mut owned: OwnedIncident, team: &str) -> OwnedIncident {
    owned.component = None;
    owned.team = TeamSlug::new(team);
    owned
}

#[test]
fn the_latest_deployment_of_the_component_within_the_window_is_blamed() {
    for (started, expected) in [
        (10, "-"),
        (11, "shop/1:component"),
        (30, "shop/1:component"),
        (45, "shop/3:component"),
        (50 + DAY, "shop/4:component"),
        (51 + DAY, "-"),
    ] {
        let world = world().incidents([incident(1, "shop", started, None)]);
        assert_eq!(world.attributions(), expected, "{started}");
    }
    let elsewhere = world().incidents([incident(1, "not-collected", 45, None)]);
    assert_eq!(elsewhere.attributions(), "-");
}

#[test]
fn a_team_is_blamed_only_if_that_is_switched_on_and_no_component_is_named() {
    let world = world().incidents([
        of_team(incident(1, "shop", 46, None), "web"),
        of_team(incident(2, "shop", 47, None), "nobody"),
        incident(3, "not-collected", 48, None),
    ]);
    assert_eq!(world.attributions(), "- - -");
    let on = world.set(|s| s.team_attribution = TeamAttribution::On);
    assert_eq!(on.attributions(), "pay/2:team - -");
}

#[test]
fn a_reference_names_the_deployment_of_that_commit_or_the_one_that_brought_it() {
    let of = |name: &str| RepositoryName::new(name);
    let bare = |name: &str| Reference::Commit(None, prefix(name));
    let deployment = |name: &str, id: &str| Reference::Deployment(of(name), ExternalId::new(id));
    for (references, expected, why) in [
        (vec![bare("c")], "shop/2:reference", "the commit of a deployment"),
        (vec![bare("d")], "shop/4:reference", "the last of that commit"),
        (vec![bare("b")], "shop/2:reference", "the one that brought it"),
        (vec![bare("q")], "pay/2:reference", "of another component"),
        (vec![bare("y")], "ops/2:reference", "of another team"),
        (vec![bare("nothing")], "shop/4:component", "unknown: the next rule"),
        (vec![Reference::Commit(Some(of("Acme/Shop")), prefix("a"))], "shop/1:reference", "by its URL"),
        (vec![Reference::Commit(Some(of("acme/pay")), prefix("a"))], "shop/4:component", "not there"),
        (vec![Reference::PullRequest(of("acme/shop"), 1)], "shop/2:reference", "a pull request"),
        (vec![Reference::PullRequest(of("acme/shop"), 9)], "shop/4:component", "an unknown one"),
        (vec![deployment("acme/shop", "2")], "shop/2:reference", "a deployment"),
        (vec![deployment("acme/other", "2")], "shop/4:component", "of an unknown repository"),
        (vec![bare("a"), bare("c")], "shop/2:reference", "of several the latest"),
        (vec![bare("c"), bare("a")], "shop/2:reference", "in any order"),
    ] {
        let incident = edited(incident(1, "shop", 60, None), |i| i.references = references);
        assert_eq!(world().incidents([incident]).attributions(), expected, "{why}");
    }
    let early = edited(incident(1, "shop", 29, None), |i| i.references = vec![bare("c")]);
    assert_eq!(world().incidents([early]).attributions(), "shop/1:component", "not yet deployed");
    let late = edited(incident(1, "shop", 99 * DAY, None), |i| {
        i.references = vec![bare("c")];
    });
    assert_eq!(world().incidents([late]).attributions(), "shop/2:reference", "however long ago");
}

#[test]
fn of_several_components_in_one_repository_the_incidents_own_comes_first() {
    let europe = |deploys: &str| {
        let mut europe = shop().commits("a b:a").deploys(deploys);
        europe.component.name = ComponentName::new("shop-eu");
        europe
    };
    let reference = Reference::Commit(Some(RepositoryName::new("acme/shop")), prefix("b"));
    for (deploys, expected) in [("a@10 b@20", "shop-eu/2:reference"), ("a@10", "shop/2:reference")] {
        let world = World::of([shop().commits("a b:a").deploys("a@10 b@30"), europe(deploys)]);
        let incident = edited(incident(1, "shop-eu", 60, None), |i| {
            i.references = vec![reference.clone()];
        });
        assert_eq!(world.incidents([incident]).attributions(), expected);
    }
}

#[test]
fn an_explicit_word_wins() {
    let named = |text: &str| Some(Verdict::Deployment(text.into()));
    for (verdict, expected, why) in [
        (named("2"), "shop/2:explicit", "an id, of the own component first"),
        (named(&sha("q").to_string()), "pay/2:explicit", "a commit of another component"),
        (named(prefix("b").as_str()), "shop/2:explicit", "a commit that was brought"),
        (named("4"), "shop/4:explicit", "a deployment after the start: somebody said so"),
        (named("999"), "shop/1:reference", "unknown: the next rule"),
        (Some(Verdict::None), "-", "no deployment"),
        (None, "shop/1:reference", "nothing said"),
    ] {
        let incident = edited(incident(1, "shop", 49, None), |i| {
            i.verdict = verdict;
            i.references = vec![Reference::Commit(None, prefix("a"))];
        });
        assert_eq!(world().incidents([incident]).attributions(), expected, "{why}");
    }
}

#[test]
fn dropped_incidents_are_counted_by_reason_and_nowhere_else() {
    let filter = IncidentFilter {
        urgencies: Some(vec!["high".into()]),
        exclude_title: Some(Regex::new("(?i)drill").unwrap()),
        standing: Standing::Primary,
    };
    let urgent = |id, urgency: &str| {
        edited(incident(id, "shop", 45, None), |i| {
            i.urgency = Some(urgency.into());
        })
    };
    let world = world()
        .set(|s| {
            s.incident_filters.insert(SourceName::new("pager"), filter);
        })
        .incidents([
            urgent(1, "high"),
            urgent(2, "low"),
            edited(urgent(3, "High"), |i| i.title = "Fire drill".into()),
            edited(urgent(4, "high"), |i| i.excluded = Some(Exclusion::Merged)),
            edited(urgent(5, "low"), |i| i.excluded = Some(Exclusion::Test)),
        ]);
    let snapshot = world.at(100);
    let excluded = |reason| snapshot.excluded[&(SourceName::new("pager"), reason)];
    let counts = Exclusion::ALL.map(excluded);
    assert_eq!(counts, [1, 0, 0, 0, 0, 1, 2], "in the order of the definitions");
    let incidents = snapshot.organization.windows[0].incidents.as_ref().unwrap();
    assert_eq!(incidents.started.values().sum::<u64>(), 1);
    assert_eq!(world.at(45).excluded.values().sum::<u64>(), 0, "nothing had happened before");
}

#[test]
fn a_secondary_source_does_not_repeat_a_primary_one() {
    let second = |id, component: &str, started| {
        edited(incident(id, component, started, None), |i| {
            i.source = SourceName::new("issues");
        })
    };
    let world = world()
        .set(|s| {
            let secondary = IncidentFilter { standing: Standing::Secondary, ..IncidentFilter::default() };
            s.incident_filters.insert(SourceName::new("issues"), secondary);
        })
        .incidents([
            incident(1, "shop", 100, None),
            edited(incident(2, "shop", 200, None), |i| {
                i.excluded = Some(Exclusion::Test);
            }),
            second(3, "shop", 90),
            second(4, "shop", 110),
            second(5, "shop", 111),
            second(6, "shop", 89),
            second(7, "pay", 100),
            second(8, "shop", 200),
            of_team(second(9, "shop", 100), "web"),
        ]);
    let kept: Vec<_> = world.linked().incidents.iter().map(|i| i.id.as_str().to_owned()).collect();
    assert_eq!(kept, ["6", "7", "9", "1", "5", "8"]);
    let excluded = world.at(1000).excluded;
    assert_eq!(excluded[&(SourceName::new("issues"), Exclusion::Duplicate)], 2);
}

#[test]
fn at_most_twenty_severities_have_a_name_and_the_first_ones_keep_theirs() {
    let severe = |id: u64, started: i64, severity: String| {
        edited(incident(id, "shop", started, None), |i| {
            i.severity = Severity::new(severity);
        })
    };
    let many = (0..30).map(|n| severe(n, 100 + i64::try_from(n).unwrap(), format!("s{:02}", 29 - n)));
    let world = world().incidents(many);
    let started = |at| world.at(at).organization.open_incidents.unwrap();
    assert_eq!(started(1000).len(), 21);
    assert_eq!(started(1000)[&Severity::new("other")], 10);
    assert_eq!(started(120).len(), 20, "the first twenty");
    assert!(started(120).keys().all(|severity| started(1000).contains_key(severity)));
}
