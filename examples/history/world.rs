//! The facts of teams of reference size L, the same in every run.

use std::sync::Arc;

use sextant::engine;
use sextant::engine::history::ComponentHistory;
use sextant::engine::link::Linked;
use sextant::engine::series::Level;
use sextant::model::batch::{Contact, RepositoryFacts, Seen, StoredIncident};
use sextant::model::component::{Component, OwnedIncident, SubjectRule};
use sextant::model::fact::{
    Attempt, Author, Change, Commit, Corrections, Incident, Origin, Outcome, OwnCommit, Reach, Repository,
    Subject,
};
use sextant::model::name::{
    CommitId, ComponentName, Environment, ExternalId, RepositoryId, RepositoryName, Severity, SourceName,
    TeamSlug,
};
use sextant::model::settings::{DeploymentsFrom, MetricSettings};
use sextant::model::time::{Span, Timestamp};

use crate::DAYS;

pub(crate) const GITHUB: &str = "github";
pub(crate) const PAGER: &str = "pager";
const REPOSITORIES: u64 = 10;
const DEPLOYMENTS: u64 = 400;
const CHANGES_PER_DEPLOYMENT: u64 = 5;
const INCIDENTS: u64 = 40;

pub(crate) fn day(day: i64) -> Timestamp {
    Timestamp::default().plus(Span::from_days(day))
}

/// The facts of a team.
pub(crate) struct World {
    pub(crate) team: TeamSlug,
    pub(crate) repositories: Vec<(Component, RepositoryFacts)>,
    pub(crate) histories: Vec<Arc<ComponentHistory>>,
    pub(crate) incidents: Vec<OwnedIncident>,
}

impl World {
    pub(crate) fn new(number: u64, settings: &MetricSettings) -> Self {
        let team = TeamSlug::new(format!("t{number}"));
        let mut dice = Dice(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let repositories: Vec<_> = (0..REPOSITORIES)
            .map(|place| repository(&team, number * REPOSITORIES + place, &mut dice))
            .collect();
        let histories = repositories.iter().flat_map(|(component, facts)| {
            engine::histories([component], facts, settings).into_iter().map(Arc::new)
        });
        let histories = histories.collect();
        let incidents = repositories.iter().flat_map(|(component, _)| incidents(component, &mut dice));
        let incidents = incidents.collect();
        Self { team, repositories, histories, incidents }
    }

    pub(crate) fn level(&self) -> Level {
        Level::Team(self.team.clone())
    }

    pub(crate) fn linked(&self, settings: &MetricSettings) -> Linked {
        engine::link(&self.histories, &self.incidents, settings)
    }
}

/// Xorshift: the same facts in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn span(&mut self, most: Span) -> Span {
        let bound = u64::try_from(most.millis()).unwrap_or(1);
        Span::from_millis(i64::try_from(self.below(bound)).unwrap_or(0))
    }
}

fn sha(repository: u64, number: u64) -> CommitId {
    let mut bytes = [0; 20];
    let mut state = repository.wrapping_mul(0xD134_2543_DE82_EF95) ^ number;
    for chunk in bytes.chunks_mut(4) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB).to_be_bytes();
        for (byte, mixed) in chunk.iter_mut().zip(mixed) {
            *byte = mixed;
        }
    }
    CommitId::new(bytes)
}

pub(crate) fn attempt(
    repository: &RepositoryId,
    id: u64,
    commit: CommitId,
    finished_at: Timestamp,
) -> Seen<Attempt> {
    Seen {
        fact: Attempt {
            origin: Origin::Deployment,
            repository: repository.clone(),
            id: ExternalId::new(id.to_string()),
            commit,
            environment: Environment::new("production"),
            created_at: finished_at.minus(Span::from_minutes(5)),
            finished: Some((Outcome::Success, finished_at)),
            url: None,
            corrections: Corrections::NONE,
        },
        contact: Contact::First,
    }
}

fn commit(repository: &RepositoryId, change: u64, opened_at: Timestamp, merged_at: Timestamp) -> Commit {
    let parent = change.checked_sub(1).map(|parent| sha(repository.number, parent));
    Commit {
        paths: None,
        repository: repository.clone(),
        id: sha(repository.number, change),
        parents: parent.into_iter().collect(),
        authored_at: opened_at,
        committed_at: merged_at,
        author: Author::Human,
        pull_request: Some(change),
        reverts: Vec::new(),
    }
}

fn pull(
    repository: &RepositoryId,
    change: u64,
    opened_at: Timestamp,
    merged_at: Timestamp,
    dice: &mut Dice,
) -> Seen<Change> {
    let landing = sha(repository.number, change);
    let open = merged_at.since(opened_at).max(Span::from_millis(1));
    let written_at = opened_at.minus(dice.span(Span::from_days(2)));
    let fact = Change {
        paths: None,
        repository: repository.clone(),
        number: change,
        title: String::new(),
        base: "main".into(),
        head: if dice.below(50) == 0 { "hotfix/x".into() } else { "feature".into() },
        labels: Vec::new(),
        author: if dice.below(8) == 0 { Author::Bot } else { Author::Human },
        landing: Some(landing),
        own_commits: vec![OwnCommit { id: landing, authored_at: written_at }],
        opened_at,
        ready_at: None,
        reviewed_at: (dice.below(10) > 0).then(|| opened_at.plus(dice.span(open))),
        merged_at,
        reverts: Vec::new(),
        corrections: Corrections::NONE,
    };
    Seen { fact, contact: Contact::First }
}

/// A repository in which everything is a pull request of one commit, deployed by fives.
fn repository(team: &TeamSlug, number: u64, dice: &mut Dice) -> (Component, RepositoryFacts) {
    let id = RepositoryId { source: SourceName::new(GITHUB), number };
    let name = RepositoryName::new(format!("acme/{team}-r{number}"));
    let component = Component {
        name: ComponentName::new(format!("r{number}")),
        repository: id.clone(),
        repository_name: name.clone(),
        team: team.clone(),
        from: DeploymentsFrom::production(),
        paths: None,
    };
    let changes = DEPLOYMENTS * CHANGES_PER_DEPLOYMENT;
    let between = Span::from_millis(Span::from_days(DAYS).millis() / i64::try_from(changes).unwrap_or(1));
    let mut facts = RepositoryFacts {
        repository: Repository {
            id: id.clone(),
            name,
            reach: Reach::Ok,
            default_branch: Some("main".into()),
            head: Some(sha(number, changes - 1)),
            created_at: day(0),
        },
        commits: Vec::new(),
        changes: Vec::new(),
        attempts: Vec::new(),
    };
    let mut merged_at = day(0);
    for change in 0..changes {
        merged_at = merged_at.plus(Span::from_millis(between.millis() / 2)).plus(dice.span(between));
        let opened_at = merged_at.minus(dice.span(Span::from_days(4)));
        facts.commits.push(commit(&id, change, opened_at, merged_at));
        facts.changes.push(pull(&id, change, opened_at, merged_at, dice));
        if change % CHANGES_PER_DEPLOYMENT == 0 {
            let finished_at = merged_at.plus(dice.span(Span::from_minutes(50)));
            facts.attempts.push(attempt(&id, change, sha(number, change), finished_at));
        }
    }
    facts.commits.sort_by_key(|commit| commit.id);
    (component, facts)
}

fn incidents(component: &Component, dice: &mut Dice) -> Vec<OwnedIncident> {
    let severities = ["sev1", "sev2", "sev3", "none"];
    let one = |number: u64, dice: &mut Dice| {
        let started_at = day(0).plus(dice.span(Span::from_days(DAYS)));
        let lasted = dice.span(Span::from_hours(9));
        let severity = usize::try_from(dice.below(4)).ok().and_then(|one| severities.get(one)).copied();
        OwnedIncident {
            stored: StoredIncident {
                incident: Incident {
                    source: SourceName::new(PAGER),
                    id: ExternalId::new(format!("{}-{number}", component.repository.number)),
                    title: String::new(),
                    url: None,
                    started_at,
                    acknowledged_at: None,
                    resolved_at: Some(started_at.plus(lasted)),
                    severity: Severity::new(severity.unwrap_or("none")),
                    urgency: None,
                    subjects: vec![Subject::Repository(component.repository.clone())],
                    references: Vec::new(),
                    verdict: None,
                    excluded: None,
                    corrections: Corrections::NONE,
                },
                appeared: Contact::First,
                resolved: Contact::First,
            },
            component: Some(component.name.clone()),
            team: component.team.clone(),
            rule: SubjectRule::Configured,
        }
    };
    (0..INCIDENTS).map(|number| one(number, dice)).collect()
}
