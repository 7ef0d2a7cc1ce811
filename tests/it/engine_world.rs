//! Facts in a few words, for the engine's tables. Instants are minutes; commits have names.

use std::collections::BTreeSet;
use std::sync::Arc;

use sextant::engine::assessment::{Cause, Rework};
use sextant::engine::change::ChangeName;
use sextant::engine::failure::Remedy;
use sextant::engine::link::Linked;
use sextant::engine::snapshot::Snapshot;
use sextant::engine::{self, history::ComponentHistory};
use sextant::model::batch::{Contact, Coverage, Inventory, RepositoryFacts, Seen, StoredIncident};
use sextant::model::component::{Component, OwnedIncident, SubjectRule};
use sextant::model::fact::{
    Attempt, Author, Change, Commit, Corrections, Incident, Origin, Outcome, OwnCommit, Reach, Repository,
};
use sextant::model::name::{
    CommitId, CommitPrefix, ComponentName, Environment, ExternalId, RepositoryId, RepositoryName, Severity,
    SourceName, TeamSlug,
};
use sextant::model::settings::{
    DEFAULT_PRODUCTION, DeploymentsFrom, MetricSettings, PathPatterns, environment_pattern,
};
use sextant::model::time::{Span, Timestamp};

/// A day in minutes.
pub(crate) const DAY: i64 = 1440;

pub(crate) fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_seconds(minutes * 60)
}

pub(crate) fn minutes(minutes: i64) -> Span {
    Span::from_minutes(minutes)
}

/// The commit of that name.
pub(crate) fn sha(name: &str) -> CommitId {
    let mut bytes = [0; 20];
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes().chain([0; 4]) {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        state = state.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23) ^ place as u64;
        *byte = state.to_be_bytes()[0];
    }
    CommitId::new(bytes)
}

/// The first ten digits of the commit of that name.
pub(crate) fn prefix(name: &str) -> CommitPrefix {
    let digits: String = sha(name).to_string().chars().take(10).collect();
    CommitPrefix::parse(&digits).unwrap()
}

fn repository_id(number: u64) -> RepositoryId {
    RepositoryId { source: SourceName::new("github"), number }
}

/// A pull request that was opened ten minutes before its merge, from one commit ten minutes older.
pub(crate) fn pull(number: u64, landing: &str, merged: i64) -> Change {
    Change {
        paths: None,
        repository: repository_id(1),
        number,
        title: format!("T{number}"),
        base: "main".into(),
        head: format!("feature-{number}"),
        labels: Vec::new(),
        author: Author::Human,
        landing: Some(sha(landing)),
        own_commits: own(&format!("o{number}@{}", merged - 20)),
        opened_at: minute(merged - 10),
        ready_at: None,
        reviewed_at: None,
        merged_at: minute(merged),
        reverts: Vec::new(),
        corrections: Corrections::NONE,
    }
}

/// Own commits of a pull request: `x@5 y@6`.
pub(crate) fn own(commits: &str) -> Vec<OwnCommit> {
    let parse = |text: &str| {
        let (name, at) = text.split_once('@').unwrap();
        OwnCommit { id: sha(name), authored_at: minute(at.parse().unwrap()) }
    };
    commits.split_whitespace().map(parse).collect()
}

/// Facts of one repository.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    pub(crate) component: Component,
    /// Its other components.
    pub(crate) parts: Vec<Component>,
    pub(crate) facts: RepositoryFacts,
}

impl Repo {
    /// The only component `name` of the repository `acme/name`, owned by `team`.
    pub(crate) fn new(number: u64, name: &str, team: &str) -> Self {
        let repository_name = RepositoryName::new(format!("acme/{name}"));
        Self {
            component: Component {
                name: ComponentName::new(name),
                repository: repository_id(number),
                repository_name: repository_name.clone(),
                team: TeamSlug::new(team),
                from: DeploymentsFrom::Deployments(environment_pattern(DEFAULT_PRODUCTION).unwrap()),
                paths: None,
            },
            parts: Vec::new(),
            facts: RepositoryFacts {
                repository: Repository {
                    id: repository_id(number),
                    name: repository_name,
                    reach: Reach::Ok,
                    default_branch: Some("main".into()),
                    head: None,
                    created_at: minute(0),
                },
                commits: Vec::new(),
                changes: Vec::new(),
                attempts: Vec::new(),
            },
        }
    }

    /// Commits as `name[:parent,parent][@minute written]`.
    pub(crate) fn commits(mut self, commits: &str) -> Self {
        for text in commits.split_whitespace() {
            let (text, at) = text.split_once('@').unwrap_or((text, "0"));
            let (name, parents) = text.split_once(':').unwrap_or((text, ""));
            let at = minute(at.parse().unwrap());
            let parents = parents.split(',').filter(|parent| !parent.is_empty());
            self.facts.commits.push(Commit {
                paths: None,
                repository: self.component.repository.clone(),
                id: sha(name),
                parents: parents.map(sha).collect(),
                authored_at: at,
                committed_at: at,
                author: Author::Human,
                pull_request: None,
                reverts: Vec::new(),
            });
        }
        self
    }

    /// The newest commit of the default branch.
    pub(crate) fn head(mut self, name: &str) -> Self {
        self.facts.repository.head = Some(sha(name));
        self
    }

    pub(crate) fn pulls(mut self, pulls: impl IntoIterator<Item = Change>) -> Self {
        for mut pull in pulls {
            pull.repository = self.component.repository.clone();
            self.facts.changes.push(Seen { fact: pull, contact: Contact::Live });
        }
        self
    }

    /// Attempts as `commit@[created-]finished[/environment][!]`, `!` for a failure; ids count from 1.
    pub(crate) fn deploys(mut self, attempts: &str) -> Self {
        for text in attempts.split_whitespace() {
            let outcome = if text.ends_with('!') { Outcome::Failure } else { Outcome::Success };
            let text = text.trim_end_matches('!');
            let (text, environment) = text.split_once('/').unwrap_or((text, "production"));
            let (commit, times) = text.split_once('@').unwrap();
            let (created, finished) = times.split_once('-').unwrap_or((times, times));
            let id = ExternalId::new((self.facts.attempts.len() + 1).to_string());
            self.facts.attempts.push(Seen {
                fact: Attempt {
                    origin: Origin::Deployment,
                    repository: self.component.repository.clone(),
                    id,
                    commit: sha(commit),
                    environment: Environment::new(environment),
                    created_at: minute(created.parse().unwrap()),
                    finished: Some((outcome, minute(finished.parse().unwrap()))),
                    url: None,
                    corrections: Corrections::NONE,
                },
                contact: Contact::Live,
            });
        }
        self
    }

    /// Of its first component.
    pub(crate) fn history(&self, settings: &MetricSettings) -> ComponentHistory {
        self.histories(settings).remove(0)
    }

    /// Of all its components.
    pub(crate) fn histories(&self, settings: &MetricSettings) -> Vec<ComponentHistory> {
        engine::histories(std::iter::once(&self.component).chain(&self.parts), &self.facts, settings)
    }

    /// The only component is the part of the repository with these paths.
    pub(crate) fn only(mut self, paths: &str) -> Self {
        self.component.paths = Some(PathPatterns::parse(paths.split(' ')).unwrap());
        self
    }

    /// Another component, with these paths.
    pub(crate) fn part(mut self, name: &str, paths: &str) -> Self {
        self.parts.push(Component {
            name: ComponentName::new(name),
            paths: Some(PathPatterns::parse(paths.split(' ')).unwrap()),
            ..self.component.clone()
        });
        self
    }

    /// What pull requests and commits touch: `#1=shop/a,pay/b c=` the pull request of that number, the commit of that
    /// name; nothing touches nothing.
    pub(crate) fn touching(mut self, touched: &str) -> Self {
        for text in touched.split_whitespace() {
            let (name, paths) = text.split_once('=').unwrap();
            let paths = paths.split(',').filter(|path| !path.is_empty()).map(str::to_owned).collect();
            if let Some(number) = name.strip_prefix('#') {
                let number: u64 = number.parse().unwrap();
                let mut changes = self.facts.changes.iter_mut();
                changes.find(|seen| seen.fact.number == number).unwrap().fact.paths = Some(paths);
            } else {
                let mut commits = self.facts.commits.iter_mut();
                commits.find(|commit| commit.id == sha(name)).unwrap().paths = Some(paths);
            }
        }
        self
    }

    /// The kind of each deployment.
    pub(crate) fn kinds(&self) -> String {
        let history = self.history(&MetricSettings::new());
        let kinds: Vec<_> = history.deployments.iter().map(|d| d.kind.as_str()).collect();
        kinds.join(" ")
    }

    /// What each deployment of the first component brought.
    pub(crate) fn changes(&self) -> String {
        brought(&self.history(&MetricSettings::new()))
    }
}

/// What each deployment brought: `-` nothing, `#1,push` a pull request and a direct push.
pub(crate) fn brought(history: &ComponentHistory) -> String {
    let brought = history.deployments.iter().map(|deployment| {
        let names: Vec<_> = deployment
            .changes
            .iter()
            .map(|change| match change.name {
                ChangeName::PullRequest(number) => format!("#{number}"),
                ChangeName::Push(_) => "push".into(),
            })
            .collect();
        if names.is_empty() { "-".into() } else { names.join(",") }
    });
    brought.collect::<Vec<_>>().join(" ")
}

/// The component `shop` of the team `web`.
pub(crate) fn shop() -> Repo {
    Repo::new(1, "shop", "web")
}

/// An incident of `component`, open if it has no end.
pub(crate) fn incident(id: u64, component: &str, started: i64, resolved: Option<i64>) -> OwnedIncident {
    OwnedIncident {
        stored: StoredIncident {
            incident: Incident {
                source: SourceName::new("pager"),
                id: ExternalId::new(id.to_string()),
                title: format!("I{id}"),
                url: None,
                started_at: minute(started),
                acknowledged_at: None,
                resolved_at: resolved.map(minute),
                severity: Severity::none(),
                urgency: None,
                subjects: Vec::new(),
                references: Vec::new(),
                verdict: None,
                excluded: None,
                corrections: Corrections::NONE,
            },
            appeared: Contact::Live,
            resolved: Contact::Live,
        },
        component: Some(ComponentName::new(component)),
        team: TeamSlug::new("web"),
        rule: SubjectRule::Configured,
    }
}

/// Everything known of an organisation.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) settings: MetricSettings,
    pub(crate) repos: Vec<Repo>,
    pub(crate) incidents: Vec<OwnedIncident>,
}

impl World {
    pub(crate) fn of(repos: impl Into<Vec<Repo>>) -> Self {
        Self { settings: MetricSettings::new(), repos: repos.into(), incidents: Vec::new() }
    }

    pub(crate) fn incidents(mut self, incidents: impl IntoIterator<Item = OwnedIncident>) -> Self {
        self.incidents.extend(incidents);
        self
    }

    pub(crate) fn set(mut self, set: impl FnOnce(&mut MetricSettings)) -> Self {
        set(&mut self.settings);
        self
    }

    pub(crate) fn linked(&self) -> Linked {
        let histories = self.repos.iter().flat_map(|repo| repo.histories(&self.settings));
        let histories: Vec<_> = histories.map(Arc::new).collect();
        engine::link(&histories, &self.incidents, &self.settings)
    }

    /// All repositories and the source of incidents, complete since minute 0.
    pub(crate) fn inventory(&self) -> Inventory {
        let repositories: Vec<_> = self.repos.iter().map(|repo| repo.facts.repository.clone()).collect();
        let covered = repositories.iter().map(|repository| Coverage::Repository(repository.id.clone()));
        let covered = covered.chain([Coverage::Incidents(SourceName::new("pager"))]);
        Inventory {
            covered: covered.map(|coverage| (coverage, minute(0))).collect(),
            repositories,
            ..Inventory::default()
        }
    }

    pub(crate) fn at(&self, at: i64) -> Snapshot {
        engine::snapshot(&self.linked(), &self.inventory(), &self.settings, minute(at))
    }

    /// The failures of the first component at `at`: `2:rollback+incident=30` failed for these reasons and recovered
    /// within half an hour, `=open` has not; numbers are those of the first attempts.
    pub(crate) fn failures(&self, at: i64) -> String {
        let linked = self.linked();
        let component = &linked.components[0];
        let failed = (0..component.history.deployments.len()).filter_map(|index| {
            let failure = linked.failure(component, index, &self.settings, minute(at))?;
            let causes: BTreeSet<_> = failure.causes.iter().map(|cause| cause_word(*cause)).collect();
            let causes: Vec<_> = causes.into_iter().collect();
            let recovery = failure
                .recovery
                .map_or("open".into(), |recovery| (recovery.span.millis() / 60_000).to_string());
            let id = component.history.deployments[index].id.as_str();
            Some(format!("{id}:{}={recovery}", causes.join("+")))
        });
        failed.collect::<Vec<_>>().join(" ")
    }

    /// The unplanned deployments of the first component: `3:rollback+incident`.
    pub(crate) fn rework(&self) -> String {
        let linked = self.linked();
        let component = &linked.components[0];
        let reworked = component.history.deployments.iter().enumerate();
        let reworked = reworked.filter_map(|(index, deployment)| {
            let reasons = component.rework(index);
            let words: BTreeSet<_> = reasons.iter().map(|reason| rework_word(*reason)).collect();
            let words: Vec<_> = words.into_iter().collect();
            (!words.is_empty()).then(|| format!("{}:{}", deployment.id, words.join("+")))
        });
        reworked.collect::<Vec<_>>().join(" ")
    }

    /// Where the incidents belong, by start: `shop/2:component`, or `-`.
    pub(crate) fn attributions(&self) -> String {
        let linked = self.linked();
        let places = linked.incidents.iter().map(|incident| match incident.attribution {
            None => "-".into(),
            Some(found) => {
                let history = &linked.components[found.place.component].history;
                let id = &history.deployments[found.place.deployment].id;
                format!("{}/{id}:{}", history.name, found.rule.as_str())
            }
        });
        places.collect::<Vec<_>>().join(" ")
    }
}

fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Incident(_) => "incident",
        Cause::Blame(blame) => match blame.remedy {
            Remedy::Rollback => "rollback",
            Remedy::Revert => "revert",
            Remedy::Hotfix => "hotfix",
        },
    }
}

fn rework_word(reason: Rework) -> &'static str {
    match reason {
        Rework::Rollback => "rollback",
        Rework::Revert => "revert",
        Rework::Hotfix => "hotfix",
        Rework::Incident(_) => "incident",
    }
}
