//! Of which teams new facts may say something else: of no fewer, so that what is kept is right, and of few, so that it
//! is kept.
#![expect(clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;

use sextant::engine;
use sextant::engine::history::ComponentHistory;
use sextant::engine::series::Past;
use sextant::model::batch::{Coverage, Inventory};
use sextant::model::component::OwnedIncident;
use sextant::model::name::TeamSlug;
use sextant::model::settings::MetricSettings;

use crate::engine_world::{Repo, World, incident, minute};

/// Facts as the daemon keeps them: a past for each component, made again if its repository changed.
struct Kept {
    settings: Arc<MetricSettings>,
    inventory: Inventory,
    histories: Vec<Arc<ComponentHistory>>,
    incidents: Vec<OwnedIncident>,
}

impl Kept {
    /// Two teams, `web` with two components and `ops` with one; the shop had an incident, and the search has one that
    /// nobody knows a component of.
    fn new() -> Self {
        let world = World::of([repo(1, "shop", "web"), repo(2, "cart", "web"), repo(3, "search", "ops")]);
        let settings = world.settings.clone();
        let histories = world.repos.iter().flat_map(|repo| repo.histories(&settings)).map(Arc::new);
        let mut of_ops = OwnedIncident { team: "ops".into(), ..incident(2, "search", 45, None) };
        of_ops.component = None;
        let of_web = OwnedIncident { team: "web".into(), ..incident(1, "shop", 35, Some(60)) };
        Self {
            inventory: world.inventory(),
            histories: histories.collect(),
            incidents: vec![of_web, of_ops],
            settings: Arc::new(settings),
        }
    }

    fn past(&self) -> Past {
        Past {
            linked: Arc::new(engine::link(&self.histories, &self.incidents, &self.settings)),
            inventory: Arc::new(self.inventory.clone()),
            settings: Arc::clone(&self.settings),
        }
    }

    /// A component's repository is read again.
    fn read(&mut self, place: usize, repo: &Repo) {
        self.histories[place] = Arc::new(repo.history(&self.settings));
    }
}

fn repo(number: u64, name: &str, team: &str) -> Repo {
    Repo::new(number, name, team).commits("a b:a c:b").deploys("a@10 b@20 c@30")
}

#[test]
fn new_facts_touch_the_teams_that_they_are_of_and_no_other() {
    type Change = fn(&mut Kept);
    let rows: [(&str, Change, &[&str]); 11] = [
        ("nothing", |_| {}, &[]),
        ("a late deployment", |kept| kept.read(0, &repo(1, "shop", "web").deploys("a@15")), &["web"]),
        ("one of the other team", |kept| kept.read(2, &repo(3, "search", "ops").deploys("a@15")), &["ops"]),
        ("an incident of a component", |kept| kept.incidents.push(in_web(3, "cart", 50)), &["web"]),
        (
            "an incident ends",
            |kept| kept.incidents[1].stored.incident.resolved_at = Some(minute(70)),
            &["ops"],
        ),
        ("an incident is gone", |kept| drop(kept.incidents.remove(0)), &["web"]),
        ("an incident goes to the other team", |kept| kept.incidents[1].team = "web".into(), &["ops", "web"]),
        (
            "an incident of a team is attributed to the other's deployment",
            |kept| kept.incidents[1].component = Some("shop".into()),
            &["ops", "web"],
        ),
        ("a repository is known from an earlier day on", |kept| cover(kept, 3), &["ops"]),
        ("a component moves", |kept| kept.read(1, &repo(2, "cart", "ops")), &["ops", "web"]),
        ("all incidents are known", |kept| kept.inventory.covered.clear(), &["ops", "web"]),
    ];
    for (what, change, touched) in rows {
        let mut kept = Kept::new();
        let before = kept.past();
        change(&mut kept);
        let found = engine::touched(&before, &kept.past());
        let found: BTreeSet<&str> = found.iter().map(TeamSlug::as_str).collect();
        assert_eq!(found, touched.iter().copied().collect(), "{what}");
    }
}

fn in_web(id: u64, component: &str, at: i64) -> OwnedIncident {
    OwnedIncident { team: "web".into(), ..incident(id, component, at, None) }
}

fn cover(kept: &mut Kept, number: u64) {
    let repositories = kept.inventory.repositories.iter();
    let id = repositories.map(|repository| &repository.id).find(|id| id.number == number).cloned();
    kept.inventory.covered.extend(id.map(|id| (Coverage::Repository(id), minute(-60))));
}
