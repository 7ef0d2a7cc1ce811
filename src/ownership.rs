//! Who owns what: repositories → components → teams, and whose an incident is (`definitions.md` §1 and 4.1).
//!
//! Configuration first, then what the source says. Pure: the same rules and the same inventory give the same owners.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::batch::{Inventory, StoredIncident};
use crate::model::component::{Component, OwnedIncident, SubjectRule};
use crate::model::fact::{HoldingTeam, Permission, Repository, Subject};
use crate::model::name::{ComponentName, RepositoryId, RepositoryName, ServiceId, TeamSlug};
use crate::model::settings::{ComponentRule, DeploymentsFrom, OwnershipRules, PathPatterns, TeamsFrom};

/// Everything owned: the result of the rules over an inventory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ownership {
    /// All components of collected repositories, by name.
    pub components: Vec<Component>,
    /// Every team that the configuration or an owner names, with the labels of `dora_team_info`.
    pub teams: BTreeMap<TeamSlug, BTreeMap<String, String>>,
    /// Where the components of a repository are among all: incidents ask, and there are many of both.
    of_repositories: HashMap<RepositoryId, Vec<usize>>,
    /// Services that the configuration ties to a component, with the component's team.
    component_services: BTreeMap<ServiceId, (ComponentName, TeamSlug)>,
    /// Services that the configuration ties to a team.
    team_services: BTreeMap<ServiceId, TeamSlug>,
    /// Teams by what a source may call them, case folded.
    team_names: BTreeMap<String, TeamSlug>,
    /// Components, also of repositories that are not collected, by name, case folded.
    component_names: BTreeMap<String, (ComponentName, TeamSlug)>,
}

impl Ownership {
    /// Applies the rules to what is known. Repositories that the rules do not collect any more have no component.
    pub fn resolve(rules: &OwnershipRules, inventory: &Inventory) -> Self {
        let collected: Vec<&Repository> =
            inventory.repositories.iter().filter(|repository| rules.collects(repository)).collect();
        let holding = holding_teams(rules, inventory);
        let holders = holders(&holding);
        let taken = taken_names(rules, &collected);
        let mut owned = Self::default();
        for repository in &collected {
            let team = || owner_of(repository, rules, &holders);
            let from = rules.deployments_from(&repository.id.source, &repository.name);
            let named: Vec<_> = rules.components_of(&repository.name).collect();
            if named.is_empty() {
                let name = default_name(repository, &taken);
                owned.components.push(component(name, repository, team(), from.clone(), None));
            }
            for rule in named {
                let team = rule.team.clone().unwrap_or_else(team);
                let from = from.narrowed(rule.deployed_by.as_ref());
                owned.components.push(component(
                    rule.name.clone(),
                    repository,
                    team,
                    from,
                    rule.paths.clone(),
                ));
            }
        }
        owned.components.sort_by(|a, b| a.name.cmp(&b.name));
        owned.index_teams(rules, &holding);
        owned.index_components(rules);
        owned
    }

    /// Whose the incident is, and by which rule: the first that answers. `None` for an issue of a repository that is
    /// not collected any more: it left the configuration with its component.
    pub fn incident(&self, stored: &StoredIncident) -> Option<OwnedIncident> {
        let subjects = &stored.incident.subjects;
        let collected = |id: &RepositoryId| self.of_repositories.contains_key(id);
        if !subjects.iter().filter_map(as_repository).all(collected) {
            return None;
        }
        let (component, team, rule) = self
            .by_configuration(subjects)
            .or_else(|| self.by_name(subjects))
            .or_else(|| self.by_repository(subjects))
            .or_else(|| self.by_team(subjects))
            .unwrap_or((None, TeamSlug::unowned(), SubjectRule::None));
        Some(OwnedIncident { stored: stored.clone(), component, team, rule })
    }

    fn index_teams(&mut self, rules: &OwnershipRules, holding: &[&HoldingTeam]) {
        for rule in &rules.teams {
            self.teams.insert(rule.slug.clone(), rule.info.clone());
            for service in &rule.pagerduty_services {
                self.team_services.insert(service.clone(), rule.slug.clone());
            }
            for name in [rule.slug.as_str(), &rule.name] {
                self.team_names.insert(fold(name), rule.slug.clone());
            }
        }
        // Slugs before names: a slug is unique, and what one team is called may be another's slug.
        let slugs = holding.iter().map(|team| (&team.slug, *team));
        let names = holding.iter().map(|team| (&team.name, *team));
        for (name, team) in slugs.chain(names) {
            let team = || team_of_holding(team, rules);
            self.team_names.entry(fold(name)).or_insert_with(team);
        }
        for component in &self.components {
            self.teams.entry(component.team.clone()).or_default();
            self.team_names.entry(fold(component.team.as_str())).or_insert_with(|| component.team.clone());
        }
    }

    /// The components of a repository, by name.
    pub fn of_repository(&self, id: &RepositoryId) -> impl Iterator<Item = &Component> {
        let places = self.of_repositories.get(id).into_iter().flatten();
        places.filter_map(|place| self.components.get(*place))
    }

    fn index_components(&mut self, rules: &OwnershipRules) {
        for (place, component) in self.components.iter().enumerate() {
            self.of_repositories.entry(component.repository.clone()).or_default().push(place);
            let owned = (component.name.clone(), component.team.clone());
            self.component_names.insert(fold(component.name.as_str()), owned);
        }
        for rule in &rules.components {
            let team = self.team_of(rule, rules);
            let owned = (rule.name.clone(), team);
            for service in &rule.pagerduty_services {
                self.component_services.insert(service.clone(), owned.clone());
            }
            self.component_names.insert(fold(rule.name.as_str()), owned);
        }
    }

    /// The team of a configured component, also of one whose repository is not collected.
    fn team_of(&self, rule: &ComponentRule, rules: &OwnershipRules) -> TeamSlug {
        let collected = self.components.iter().find(|component| component.name == rule.name);
        collected
            .map(|component| component.team.clone())
            .or_else(|| rule.team.clone())
            .or_else(|| configured_owner(&rule.repository, rules))
            .unwrap_or_else(TeamSlug::unowned)
    }

    fn by_configuration(&self, subjects: &[Subject]) -> Option<Owner> {
        let services = || subjects.iter().filter_map(as_service);
        if let Some((component, team)) = services().find_map(|(id, _)| self.component_services.get(id)) {
            return Some((Some(component.clone()), team.clone(), SubjectRule::Configured));
        }
        let (team, name) = services().find_map(|(id, name)| Some((self.team_services.get(id)?, name)))?;
        // The team is settled. A component called like the service narrows it down, if it is that team's.
        let component = self.component_names.get(&fold(name)).filter(|(_, owner)| owner == team);
        let component = component.map(|(component, _)| component.clone());
        Some((component, team.clone(), SubjectRule::Configured))
    }

    fn by_name(&self, subjects: &[Subject]) -> Option<Owner> {
        let mut names = subjects.iter().filter_map(as_service).map(|(_, name)| fold(name));
        let (component, team) = names.find_map(|name| self.component_names.get(&name))?;
        Some((Some(component.clone()), team.clone(), SubjectRule::Name))
    }

    fn by_repository(&self, subjects: &[Subject]) -> Option<Owner> {
        let repository = subjects.iter().find_map(as_repository)?;
        let mut components = self.of_repository(repository);
        let first = components.next()?;
        let others: Vec<_> = components.collect();
        if others.iter().any(|other| other.team != first.team) {
            return None;
        }
        // Of several parts of a repository nobody knows which one an issue is about.
        let component = others.is_empty().then(|| first.name.clone());
        Some((component, first.team.clone(), SubjectRule::Repository))
    }

    fn by_team(&self, subjects: &[Subject]) -> Option<Owner> {
        let mut names = subjects.iter().filter_map(as_team).map(fold);
        let team = names.find_map(|name| self.team_names.get(&name))?;
        Some((None, team.clone(), SubjectRule::Team))
    }
}

/// A component, if one is known, the team, and the rule that said so.
type Owner = (Option<ComponentName>, TeamSlug, SubjectRule);

/// The teams of the sources by repository.
type Holders<'a> = BTreeMap<&'a RepositoryId, Vec<(Permission, &'a HoldingTeam)>>;

fn component(
    name: ComponentName,
    repository: &Repository,
    team: TeamSlug,
    from: DeploymentsFrom,
    paths: Option<PathPatterns>,
) -> Component {
    let (id, repository_name) = (repository.id.clone(), repository.name.clone());
    Component { name, repository: id, repository_name, team, from, paths }
}

/// How often each name would be given: by default where the configuration names no component, and by it.
fn taken_names(rules: &OwnershipRules, collected: &[&Repository]) -> BTreeMap<String, usize> {
    let mut taken = BTreeMap::new();
    let is_named = |repository: &Repository| rules.components_of(&repository.name).next().is_some();
    let unnamed = collected.iter().filter(|repository| !is_named(repository));
    let defaults = unnamed.flat_map(|repository| {
        let full = fold(repository.name.as_str());
        BTreeSet::from([fold(short_name(&repository.name)), full])
    });
    let configured = rules.components.iter().map(|rule| fold(rule.name.as_str()));
    for name in defaults.chain(configured) {
        *taken.entry(name).or_insert(0) += 1;
    }
    taken
}

/// The repository's name; `owner/name` where two collide; with its source in front where even those do.
fn default_name(repository: &Repository, taken: &BTreeMap<String, usize>) -> ComponentName {
    let unique = |name: &str| taken.get(&fold(name)).copied().unwrap_or(0) <= 1;
    let (short, full) = (short_name(&repository.name), repository.name.as_str());
    if unique(short) {
        ComponentName::new(short)
    } else if unique(full) {
        ComponentName::new(full)
    } else {
        ComponentName::new(format!("{}:{full}", repository.id.source))
    }
}

fn owner_of(repository: &Repository, rules: &OwnershipRules, holders: &Holders<'_>) -> TeamSlug {
    let from_source = || match rules.teams_from.get(&repository.id.source) {
        Some(TeamsFrom::GithubTeams) => holding_owner(repository, rules, holders),
        Some(TeamsFrom::Config) | None => None,
    };
    configured_owner(&repository.name, rules).or_else(from_source).unwrap_or_else(TeamSlug::unowned)
}

fn configured_owner(name: &RepositoryName, rules: &OwnershipRules) -> Option<TeamSlug> {
    rules.teams.iter().find(|team| team.repositories.matches(name)).map(|team| team.slug.clone())
}

/// `definitions.md` §1: the highest permission, then the team with the fewest repositories, then by slug.
fn holding_owner(repository: &Repository, rules: &OwnershipRules, holders: &Holders<'_>) -> Option<TeamSlug> {
    let eligible =
        holders.get(&repository.id)?.iter().filter(|(permission, _)| *permission > Permission::Read);
    let (_, team) = eligible.min_by(|(a_permission, a), (b_permission, b)| {
        let by_permission = b_permission.cmp(a_permission);
        by_permission.then(a.repositories.len().cmp(&b.repositories.len())).then(a.slug.cmp(&b.slug))
    })?;
    Some(team_of_holding(team, rules))
}

/// The team that a team of the source is: the configured one that claims it, else one of its own name.
fn team_of_holding(team: &HoldingTeam, rules: &OwnershipRules) -> TeamSlug {
    let is_it = |slug: &String| fold(slug) == fold(&team.slug);
    let mut configured = rules.teams.iter();
    configured
        .find(|rule| rule.github_teams.iter().any(is_it))
        .map_or_else(|| TeamSlug::new(team.slug.as_str()), |rule| rule.slug.clone())
}

/// The teams of the sources that say who owns what; what is stored of others is not asked.
fn holding_teams<'a>(rules: &OwnershipRules, inventory: &'a Inventory) -> Vec<&'a HoldingTeam> {
    let asked = inventory
        .teams
        .iter()
        .filter(|(source, _)| rules.teams_from.get(*source) == Some(&TeamsFrom::GithubTeams));
    asked.flat_map(|(_, teams)| teams).collect()
}

fn holders<'a>(holding: &[&'a HoldingTeam]) -> Holders<'a> {
    let mut holders = Holders::new();
    for team in holding {
        for (repository, permission) in &team.repositories {
            holders.entry(repository).or_default().push((*permission, *team));
        }
    }
    holders
}

fn short_name(name: &RepositoryName) -> &str {
    name.as_str().rsplit('/').next().unwrap_or(name.as_str())
}

fn fold(name: &str) -> String {
    name.to_lowercase()
}

fn as_service(subject: &Subject) -> Option<(&ServiceId, &str)> {
    match subject {
        Subject::Service(id, name) => Some((id, name)),
        Subject::Repository(_) | Subject::Team(_) => None,
    }
}

fn as_repository(subject: &Subject) -> Option<&RepositoryId> {
    match subject {
        Subject::Repository(id) => Some(id),
        Subject::Service(..) | Subject::Team(_) => None,
    }
}

fn as_team(subject: &Subject) -> Option<&str> {
    match subject {
        Subject::Team(name) => Some(name),
        Subject::Service(..) | Subject::Repository(_) => None,
    }
}
