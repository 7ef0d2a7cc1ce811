//! The page of sources: how each is doing, what was wrong with its last poll, and why nothing may be found in a
//! repository. Everything by name; teams are not on it.

use std::borrow::Cow;

use askama::Template;

use super::ServerState;
use super::words;
use crate::engine::snapshot::{RepositoryState, RepositoryView};
use crate::exposition::{Published, SourceState, source_states};
use crate::model::component::{IncidentSubjects, SubjectRule};
use crate::model::name::SourceName;
use crate::model::time::Timestamp;
use crate::telemetry::LastProblems;

/// Repositories of one state that are named; the page says how many more there are.
const REPOSITORIES_SHOWN_MAX: usize = 200;
/// Services without an owner that are named.
const SERVICES_SHOWN_MAX: usize = 100;

#[derive(Template)]
#[template(path = "sources.html")]
struct Page<'a> {
    organization: &'a str,
    at: Option<Timestamp>,
    sources: Vec<Source<'a>>,
}

struct Source<'a> {
    state: &'a SourceState,
    problems: Option<&'a LastProblems>,
    repositories: u64,
    groups: Vec<Group<'a>>,
    rules: Vec<(&'static str, u64)>,
    unmapped: Vec<(&'a str, u64)>,
    unmapped_left_out: usize,
}

impl Source<'_> {
    fn history(&self) -> Cow<'static, str> {
        match (self.state.backfill_complete, self.state.backfill_progress) {
            (Some(true), _) => "complete".into(),
            (Some(false), Some(progress)) => format!("being read, {} so far", words::share(progress)).into(),
            (Some(false), None) => "being read, newest first".into(),
            (None, _) => "not known yet".into(),
        }
    }

    fn waited(&self) -> String {
        words::seconds(self.state.throttled_seconds)
    }

    fn failures(&self) -> String {
        let failures = self.state.failures.iter().map(|(reason, count)| format!("{reason} {count:.0}"));
        let failures: Vec<_> = failures.collect();
        if failures.is_empty() { "none".to_owned() } else { failures.join(", ") }
    }
}

/// The repositories of one state.
struct Group<'a> {
    state: RepositoryState,
    count: u64,
    repositories: Vec<&'a RepositoryView>,
    left_out: usize,
}

impl Group<'_> {
    const fn title(&self) -> &'static str {
        match self.state {
            RepositoryState::Inaccessible => "Cannot be read",
            RepositoryState::Empty => "Have no commits",
            RepositoryState::Unowned => "Belong to no team",
            RepositoryState::NoDeployments => "Have no deployments",
            RepositoryState::Ok => "Are counted",
        }
    }

    const fn reason(&self) -> &'static str {
        match self.state {
            RepositoryState::Inaccessible => {
                "They were there once: deleted, made private, or the token lost them. Their history stays."
            }
            RepositoryState::Empty => "Nothing can be deployed from them yet.",
            RepositoryState::Unowned => {
                "No [[teams]] of the configuration names them, and no team of the source holds them with write access. \
                 Their numbers are those of the team unowned."
            }
            RepositoryState::NoDeployments => {
                "The rule of each finds nothing. What was seen instead is a hint at the rule that it needs in \
                 [[github.deployments]]."
            }
            RepositoryState::Ok => "They have an owner and deployments.",
        }
    }
}

/// The page; without a publication it shows the sources alone.
pub(super) fn sources(state: &ServerState, published: Option<&Published>) -> Result<String, askama::Error> {
    let (states, problems) = (source_states(&state.telemetry.gather()), state.telemetry.last_problems());
    let sources = states.iter().map(|state| {
        let found = problems.iter().find(|(name, _)| *name == state.name);
        source(state, found.map(|(_, problems)| problems), published)
    });
    let page = Page {
        organization: published.map_or("", |published| &published.organization),
        at: published.map(|published| published.snapshot.at),
        sources: sources.collect(),
    };
    page.render()
}

fn source<'a>(
    state: &'a SourceState,
    problems: Option<&'a LastProblems>,
    published: Option<&'a Published>,
) -> Source<'a> {
    let name = SourceName::from(state.name.as_str());
    let groups: Vec<_> = published.map(|published| groups(&name, published)).unwrap_or_default();
    let subjects = published.and_then(|published| published.subjects.get(&name));
    let unmapped = subjects.into_iter().flat_map(|subjects| &subjects.unmapped);
    Source {
        state,
        problems: problems.filter(|problems| problems.count > 0),
        repositories: groups.iter().map(|group| group.count).sum(),
        groups,
        rules: subjects.map(rules).unwrap_or_default(),
        unmapped: unmapped
            .take(SERVICES_SHOWN_MAX)
            .map(|(service, count)| (service.as_str(), *count))
            .collect(),
        unmapped_left_out: subjects
            .map_or(0, |subjects| subjects.unmapped.len().saturating_sub(SERVICES_SHOWN_MAX)),
    }
}

/// The states that some repository of the source has, in their order.
fn groups<'a>(source: &SourceName, published: &'a Published) -> Vec<Group<'a>> {
    let snapshot = &published.snapshot;
    let groups = RepositoryState::ALL.into_iter().map(|state| {
        let views = || snapshot.views.iter().filter(|view| view.source == *source && view.state == state);
        let key = (source.clone(), state);
        Group {
            state,
            count: snapshot.repositories.get(&key).copied().unwrap_or_default(),
            repositories: views().take(REPOSITORIES_SHOWN_MAX).collect(),
            left_out: views().count().saturating_sub(REPOSITORIES_SHOWN_MAX),
        }
    });
    groups.filter(|group| group.count > 0).collect()
}

/// Incidents by the rule that said whose they are, in the order in which the rules are asked.
fn rules(subjects: &IncidentSubjects) -> Vec<(&'static str, u64)> {
    let rules = subjects.by_rule.iter().map(|(rule, count)| {
        let words = match rule {
            SubjectRule::Configured => "the configuration names the service",
            SubjectRule::Name => "the service is called like a component",
            SubjectRule::Repository => "the issue is in the component's repository",
            SubjectRule::Team => "the source names the team",
            SubjectRule::None => "nothing says whose it is",
        };
        (words, *count)
    });
    rules.collect()
}
