//! Who owns what (`definitions.md` §1 "Ownership"), and what an incident is about (4.1), one table for each rule.

use sextant::model::batch::{Contact, Inventory, StoredIncident};
use sextant::model::component::{OwnedIncident, SubjectRule};
use sextant::model::fact::{HoldingTeam, Incident, Permission, Reach, Repository, Subject};
use sextant::model::name::{RepositoryId, RepositoryName, ServiceId, SourceName};
use sextant::model::settings::{
    ComponentRule, DeployedBy, DeploymentRule, DeploymentsFrom, OwnershipRules, RepositoryPatterns, TeamRule,
    TeamsFrom, environment_pattern,
};
use sextant::ownership::Ownership;

use crate::engine_world::incident;

fn id(number: u64) -> RepositoryId {
    RepositoryId { source: SourceName::new("github"), number }
}

/// Repositories numbered from 1, in this order.
fn repositories(names: &[&str]) -> Inventory {
    let repository = |(number, name): (u64, &&str)| Repository {
        id: id(number),
        name: RepositoryName::from(*name),
        reach: Reach::Ok,
        default_branch: Some("main".into()),
        head: None,
        created_at: sextant::model::time::Timestamp::from_seconds(0),
    };
    Inventory { repositories: (1..).zip(names).map(repository).collect(), ..Inventory::default() }
}

fn patterns(patterns: &[&str]) -> RepositoryPatterns {
    RepositoryPatterns::parse(patterns.iter().copied()).unwrap()
}

/// The rules of a configuration that reads all of `acme` and says nothing else.
fn rules() -> OwnershipRules {
    let github = || SourceName::new("github");
    OwnershipRules {
        collected: [(github(), patterns(&["acme/*", "labs/*"]))].into(),
        teams_from: [(github(), TeamsFrom::GithubTeams)].into(),
        ..OwnershipRules::default()
    }
}

fn team(name: &str, owned: &[&str]) -> TeamRule {
    TeamRule {
        slug: name.to_lowercase().replace(' ', "-").as_str().into(),
        name: name.into(),
        repositories: patterns(owned),
        github_teams: Vec::new(),
        pagerduty_services: Vec::new(),
        info: std::collections::BTreeMap::new(),
    }
}

fn component(name: &str, repository: &str, team: Option<&str>) -> ComponentRule {
    ComponentRule {
        name: name.into(),
        repository: repository.into(),
        paths: None,
        deployed_by: None,
        team: team.map(Into::into),
        pagerduty_services: Vec::new(),
    }
}

/// Teams of the source as `slug=1:admin,2:write`; what they are called is their slug in capitals.
fn holding(teams: &str) -> Vec<HoldingTeam> {
    let permission = |text: &str| match text {
        "admin" => Permission::Admin,
        "maintain" => Permission::Maintain,
        "write" => Permission::Write,
        "read" => Permission::Read,
        other => panic!("{other}"),
    };
    let holds = |text: &str| {
        let (number, may) = text.split_once(':').unwrap();
        (id(number.parse().unwrap()), permission(may))
    };
    let team = |text: &str| {
        let (slug, repositories) = text.split_once('=').unwrap();
        HoldingTeam {
            slug: slug.into(),
            name: format!("The {}", slug.to_uppercase()),
            repositories: repositories.split(',').filter(|text| !text.is_empty()).map(holds).collect(),
        }
    };
    teams.split_whitespace().map(team).collect()
}

/// All components as `team/name`.
fn owners(rules: &OwnershipRules, inventory: &Inventory) -> String {
    let owned = Ownership::resolve(rules, inventory);
    let components = owned.components.iter();
    let words = components.map(|component| format!("{}/{}", component.team, component.name));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn of_several_teams_that_hold_a_repository_one_owns_it() {
    for (teams, expected, why) in [
        ("", "unowned", "nobody holds it"),
        ("a=1:read", "unowned", "reading is not owning"),
        ("a=1:write", "a", "write, if nobody may more"),
        ("a=1:write b=1:maintain", "b", "maintain beats write"),
        ("a=1:maintain,2:read b=1:admin,2:read,3:read", "b", "admin beats maintain, whatever else it holds"),
        ("a=1:admin,2:admin b=1:admin", "b", "fewer repositories"),
        ("a=1:admin,2:read b=1:admin", "b", "fewer repositories, whatever it may there"),
        ("a=1:write,2:write b=1:write", "b", "also with write"),
        ("b=1:admin a=1:admin", "a", "by slug"),
    ] {
        let mut inventory = repositories(&["acme/shop"]);
        inventory.teams = [(SourceName::new("github"), holding(teams))].into();
        assert_eq!(owners(&rules(), &inventory), format!("{expected}/shop"), "{why}");
        let mut rules = rules();
        rules.teams_from.clear();
        assert_eq!(owners(&rules, &inventory), "unowned/shop", "the configuration does not ask them");
    }
}

#[test]
fn the_configuration_comes_first_and_of_its_teams_the_first_that_matches() {
    let mut inventory = repositories(&["acme/pay-api", "acme/pay-web", "acme/shop"]);
    inventory.teams = [(SourceName::new("github"), holding("gh=1:admin,2:admin,3:admin"))].into();
    let mut rules = rules();
    assert_eq!(owners(&rules, &inventory), "gh/pay-api gh/pay-web gh/shop");
    rules.teams = vec![team("Web", &["acme/*-web"]), team("Payments", &["ACME/pay-*"])];
    assert_eq!(owners(&rules, &inventory), "payments/pay-api web/pay-web gh/shop");
    rules.teams.reverse();
    assert_eq!(owners(&rules, &inventory), "payments/pay-api payments/pay-web gh/shop");
    rules.components = vec![component("checkout", "Acme/Pay-API", Some("web"))];
    assert_eq!(
        owners(&rules, &inventory),
        "web/checkout payments/pay-web gh/shop",
        "a component's own team beats its repository's"
    );
    rules.teams[1].github_teams = vec!["GH".into()];
    assert_eq!(
        owners(&rules, &inventory),
        "web/checkout payments/pay-web web/shop",
        "a team of the source is the one that claims it"
    );
}

#[test]
fn a_component_is_called_like_its_repository_unless_two_collide() {
    for (names, configured, expected) in [
        (&["acme/shop", "labs/cart"][..], None, "cart shop"),
        (&["acme/shop", "labs/Shop"], None, "acme/shop labs/Shop"),
        (&["acme/shop", "other/shop"], None, "shop"),
        (&["acme/shop", "labs/cart"], Some(("cart", "acme/shop")), "cart labs/cart"),
        (&["acme/shop", "labs/shop"], Some(("checkout", "acme/shop")), "checkout shop"),
        (&["acme/shop"], Some(("cart", "acme/gone")), "shop"),
    ] {
        let mut rules = rules();
        rules.components.extend(configured.map(|(name, repository)| component(name, repository, None)));
        let owned = Ownership::resolve(&rules, &repositories(names));
        let found: Vec<_> = owned.components.iter().map(|component| component.name.as_str()).collect();
        assert_eq!(found.join(" "), expected, "{names:?} {configured:?}");
    }
}

#[test]
fn the_first_deployment_rule_that_matches_wins_and_a_components_environment_beats_it() {
    let rule = |repositories: &[&str], from| DeploymentRule {
        source: SourceName::new("github"),
        repositories: patterns(repositories),
        from,
    };
    let blue = || environment_pattern("^blue$").unwrap();
    let mut rules = rules();
    rules.deployments = vec![
        DeploymentRule { source: SourceName::new("other"), ..rule(&["acme/*"], DeploymentsFrom::Push) },
        rule(&["acme/book"], DeploymentsFrom::Merges),
        rule(&["acme/*", "!acme/checkout", "!acme/shop"], DeploymentsFrom::Tags(None)),
        rule(&["acme/*"], DeploymentsFrom::Deployments(blue())),
    ];
    rules.components = vec![component("checkout", "acme/checkout", None)];
    rules.components[0].deployed_by = Some(DeployedBy::Environment(environment_pattern("^green$").unwrap()));
    let inventory = repositories(&["acme/book", "acme/shop", "acme/checkout", "acme/lib", "labs/shop-2"]);
    let owned = Ownership::resolve(&rules, &inventory);
    let from = owned.components.iter().map(|component| format!("{}: {}", component.name, component.from));
    assert_eq!(
        from.collect::<Vec<_>>(),
        [
            "book: merges",
            "checkout: GitHub Deployments to environments ^green$",
            "lib: every tag",
            "shop: GitHub Deployments to environments ^blue$",
            "shop-2: GitHub Deployments to environments ^(prod|production|live)([-_/ ].*)?$",
        ]
    );
}

fn about(subjects: Vec<Subject>) -> StoredIncident {
    let OwnedIncident { stored, .. } = incident(1, "", 10, None);
    StoredIncident {
        incident: Incident { subjects, ..stored.incident },
        appeared: Contact::Live,
        resolved: Contact::Live,
    }
}

/// Two components of two teams, of which the configuration ties services to one, and a team of services alone.
fn ownership() -> Ownership {
    let mut rules = rules();
    rules.teams =
        vec![team("Web", &["acme/shop"]), team("Ship It", &["acme/pay", "acme/gone"]), team("gh", &[])];
    rules.teams[0].pagerduty_services = vec!["PWEB".into()];
    rules.components = vec![
        component("checkout", "acme/pay", None),
        component("legacy", "acme/gone", None),
        component("archive", "acme/archive", Some("web")),
    ];
    rules.components[0].pagerduty_services = vec!["PPAY".into()];
    rules.components[1].pagerduty_services = vec!["POLD".into()];
    let mut inventory = repositories(&["acme/shop", "acme/pay", "acme/free"]);
    inventory.teams = [
        (SourceName::new("github"), holding("sre= web=3:read gh=3:write")),
        (SourceName::new("elsewhere"), holding("others=")),
    ]
    .into();
    Ownership::resolve(&rules, &inventory)
}

/// What an incident is about: `PABC=name` a service, `@name` a team, `#2` the repository of an issue.
fn subjects(text: &str) -> Vec<Subject> {
    let subject = |text: &str| {
        if let Some(team) = text.strip_prefix('@') {
            Subject::Team(team.into())
        } else if let Some(number) = text.strip_prefix('#') {
            Subject::Repository(id(number.parse().unwrap()))
        } else {
            let (id, name) = text.split_once('=').unwrap();
            Subject::Service(ServiceId::new(id), name.into())
        }
    };
    text.split(", ").filter(|text| !text.is_empty()).map(subject).collect()
}

#[test]
fn an_incident_is_about_what_the_first_rule_says() {
    use SubjectRule::{Configured, Name, None, Repository as Issue, Team};
    for (about_it, expected, rule, why) in [
        ("", "unowned/-", None, "nothing said"),
        ("PPAY=x", "ship-it/checkout", Configured, "the component's service"),
        ("PPAY=shop", "ship-it/checkout", Configured, "whatever it is called"),
        ("POLD=x", "ship-it/legacy", Configured, "not collected"),
        ("PWEB=x", "web/-", Configured, "the team's service"),
        ("PWEB=Shop", "web/shop", Configured, "called like its component"),
        ("PWEB=checkout", "web/-", Configured, "called like another team's"),
        ("PWEB=x, @Ship It", "web/-", Configured, "before what is said"),
        ("PNEW=CheckOut", "ship-it/checkout", Name, "called like a component"),
        ("PNEW=Archive", "web/archive", Name, "not collected"),
        ("PNEW=pay", "unowned/-", None, "a repository, no component"),
        ("PNEW=free, @Web", "gh/free", Name, "a component beats a team"),
        ("#2", "ship-it/checkout", Issue, "an issue"),
        ("@ship it", "ship-it/-", Team, "a team by name"),
        ("@SHIP-IT", "ship-it/-", Team, "by slug"),
        ("@The SRE", "sre/-", Team, "a team of GitHub by name"),
        ("@Sre", "sre/-", Team, "by slug, also if it owns nothing"),
        ("@x, @web", "web/-", Team, "the first that is known"),
        ("@others", "unowned/-", None, "of a source that is not asked"),
        ("PNEW=x, @x", "unowned/-", None, "nothing known"),
    ] {
        let owned = ownership().incident(&about(subjects(about_it))).unwrap();
        let component = owned.component.as_ref().map_or("-", |name| name.as_str());
        assert_eq!(format!("{}/{component}", owned.team), expected, "{about_it}: {why}");
        assert_eq!(owned.rule, rule, "{about_it}: {why}");
    }
}

#[test]
fn an_issue_of_a_repository_of_several_parts_is_about_none_of_them() {
    for (teams, expected, rule) in [
        ([Some("web"), Some("web")], "web", SubjectRule::Repository),
        ([Some("web"), Some("pay")], "unowned", SubjectRule::None),
        ([None, None], "unowned", SubjectRule::Repository),
    ] {
        let mut rules = rules();
        rules.components =
            ["a", "b"].iter().zip(teams).map(|(name, team)| component(name, "acme/all", team)).collect();
        let owned = Ownership::resolve(&rules, &repositories(&["acme/all"]));
        let incident = owned.incident(&about(subjects("#1"))).unwrap();
        assert_eq!((incident.team.as_str(), incident.component, incident.rule), (expected, None, rule));
    }
}

#[test]
fn an_issue_leaves_with_its_repository() {
    assert_eq!(ownership().incident(&about(subjects("#9"))), None);
}

#[test]
fn what_left_the_configuration_is_owned_by_nobody() {
    let inventory = repositories(&["acme/shop", "gone/shop"]);
    assert_eq!(owners(&rules(), &inventory), "unowned/shop");
    let none = OwnershipRules::default();
    assert_eq!(owners(&none, &inventory), "");
}
