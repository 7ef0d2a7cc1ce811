//! What the owner resolves: components with their teams, and whose an incident is.

use std::collections::BTreeMap;

use super::batch::StoredIncident;
use super::name::{ComponentName, RepositoryId, RepositoryName, SourceName, TeamSlug};
use super::settings::{DeploymentsFrom, PathPatterns};

/// A component with everything resolved: what the engine computes for.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Its name.
    pub name: ComponentName,
    /// Its repository.
    pub repository: RepositoryId,
    /// What its repository is called today.
    pub repository_name: RepositoryName,
    /// The team that owns it.
    pub team: TeamSlug,
    /// How its deployments are found.
    pub from: DeploymentsFrom,
    /// The part of its repository that it is; `None`: all of it.
    pub paths: Option<PathPatterns>,
}

/// Which rule said what an incident is about (`definitions.md` 4.1), shown on `/sources`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectRule {
    /// The configuration of a component or a team.
    Configured,
    /// A service called like a component.
    Name,
    /// The repository that holds the issue.
    Repository,
    /// A team that the source named.
    Team,
    /// None: it belongs to the team `unowned`.
    None,
}

/// An incident with whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedIncident {
    /// The incident, as it is stored.
    pub stored: StoredIncident,
    /// The component it is about, if one is known.
    pub component: Option<ComponentName>,
    /// The team it belongs to.
    pub team: TeamSlug,
    /// Which rule said so.
    pub rule: SubjectRule,
}

/// What the incidents of a source are about, all together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncidentSubjects {
    /// Incidents by the rule that said whose they are.
    pub by_rule: BTreeMap<SubjectRule, u64>,
    /// Incidents by the service that no rule maps to a component or a team, by its name.
    pub unmapped: BTreeMap<String, u64>,
}

/// [`IncidentSubjects`] by source.
pub type Subjects = BTreeMap<SourceName, IncidentSubjects>;
