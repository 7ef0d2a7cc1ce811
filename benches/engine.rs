//! How long the engine takes: a repository of a million commits, and an organisation of a thousand repositories.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a bench may stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sextant::engine::ancestry::{Ancestry, CommitGraph};
use sextant::engine::{self, history::ComponentHistory};
use sextant::model::batch::{Contact, Inventory, RepositoryFacts, Seen, StoredIncident};
use sextant::model::component::{Component, OwnedIncident, SubjectRule};
use sextant::model::fact::{
    Attempt, Author, Change, Commit, Corrections, Incident, Origin, Outcome, OwnCommit, Reach, Repository,
};
use sextant::model::name::{
    CommitId, ComponentName, Environment, ExternalId, RepositoryId, RepositoryName, Severity, SourceName,
    TeamSlug,
};
use sextant::model::settings::{
    DEFAULT_PRODUCTION, DeploymentsFrom, MetricSettings, PathPatterns, environment_pattern,
};
use sextant::model::time::{Span, Timestamp};

/// A merge of a branch of four commits: one pull request each.
const COMMITS_PER_MERGE: u64 = 5;
/// A deployment of every tenth merge.
const MERGES_PER_DEPLOYMENT: u64 = 10;
/// A merge every half hour.
const STEP: Span = Span::from_minutes(30);

fn sha(repository: u64, number: u64) -> CommitId {
    let mut bytes = [0; 20];
    let mut state = repository.wrapping_mul(0xD134_2543_DE82_EF95) ^ number;
    for chunk in bytes.chunks_mut(4) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        chunk.copy_from_slice(&mixed.to_be_bytes()[..4]);
    }
    CommitId::new(bytes)
}

fn instant(merge: u64) -> Timestamp {
    let offset = STEP.millis().saturating_mul(i64::try_from(merge).unwrap_or(i64::MAX));
    Timestamp::from_millis(offset)
}

fn component(number: u64) -> Component {
    let pattern = environment_pattern(DEFAULT_PRODUCTION).expect("our own pattern compiles");
    Component {
        name: ComponentName::new(format!("r{number}")),
        repository: RepositoryId { source: SourceName::new("github"), number },
        repository_name: RepositoryName::new(format!("acme/r{number}")),
        team: TeamSlug::new(format!("t{}", number % 100)),
        from: DeploymentsFrom::Deployments(pattern),
        paths: None,
    }
}

/// Components of the one large repository.
const PARTS: u64 = 10;
/// Files of a pull request.
const FILES: u64 = 8;

/// A component that is a part of another one's repository.
fn part(of: &Component, number: u64) -> Component {
    let pattern = format!("services/s{number}/**");
    Component {
        name: ComponentName::new(format!("s{number}")),
        paths: Some(PathPatterns::parse([pattern.as_str()]).expect("our own pattern compiles")),
        ..of.clone()
    }
}

/// Each pull request touches the files of one part.
fn touching(mut facts: RepositoryFacts) -> RepositoryFacts {
    for Seen { fact, .. } in &mut facts.changes {
        let folder = format!("services/s{}/src", fact.number % PARTS);
        fact.paths = Some((0..FILES).map(|file| format!("{folder}/file-{file}.rs")).collect());
    }
    facts
}

/// A branch of four commits and its merge.
fn branch_and_merge(repository: &RepositoryId, merge: u64) -> [Commit; 5] {
    let first = merge * COMMITS_PER_MERGE;
    let id = |number: u64| sha(repository.number, number);
    std::array::from_fn(|place| {
        let number = first + place as u64;
        let base = first.checked_sub(1).map(id);
        let parents = match place {
            0 => base.into_iter().collect(),
            4 => base.into_iter().chain([id(number - 1)]).collect(),
            _ => vec![id(number - 1)],
        };
        Commit {
            paths: None,
            repository: repository.clone(),
            id: id(number),
            parents,
            authored_at: instant(merge),
            committed_at: instant(merge),
            author: Author::Human,
            pull_request: None,
            reverts: Vec::new(),
        }
    })
}

fn pull(repository: &RepositoryId, merge: u64) -> Change {
    let first = merge * COMMITS_PER_MERGE;
    let own = (first..first + 4)
        .map(|number| OwnCommit { id: sha(repository.number, number), authored_at: instant(merge) });
    Change {
        paths: None,
        repository: repository.clone(),
        number: merge,
        title: format!("T{merge}"),
        base: "main".into(),
        head: "feature".into(),
        labels: Vec::new(),
        author: Author::Human,
        landing: Some(sha(repository.number, first + 4)),
        own_commits: own.collect(),
        opened_at: instant(merge),
        ready_at: None,
        reviewed_at: Some(instant(merge)),
        merged_at: instant(merge),
        reverts: Vec::new(),
        corrections: Corrections::NONE,
    }
}

fn facts(component: &Component, commits: u64) -> RepositoryFacts {
    let merges = commits / COMMITS_PER_MERGE;
    let id = &component.repository;
    let attempts = (0..merges).step_by(10).map(|merge| Seen {
        fact: Attempt {
            origin: Origin::Deployment,
            repository: id.clone(),
            id: ExternalId::new(merge.to_string()),
            commit: sha(id.number, merge * COMMITS_PER_MERGE + 4),
            environment: Environment::new("production"),
            created_at: instant(merge),
            finished: Some((Outcome::Success, instant(merge + 1))),
            url: None,
            corrections: Corrections::NONE,
        },
        contact: Contact::Live,
    });
    let mut commits: Vec<_> = (0..merges).flat_map(|merge| branch_and_merge(id, merge)).collect();
    // As the store gives them.
    commits.sort_by_key(|commit| commit.id);
    RepositoryFacts {
        repository: Repository {
            id: id.clone(),
            name: component.repository_name.clone(),
            reach: Reach::Ok,
            default_branch: Some("main".into()),
            head: Some(sha(id.number, merges * COMMITS_PER_MERGE - 1)),
            created_at: instant(0),
        },
        commits,
        changes: (0..merges).map(|merge| Seen { fact: pull(id, merge), contact: Contact::First }).collect(),
        attempts: attempts.collect(),
    }
}

fn incident(component: &Component, number: u64) -> OwnedIncident {
    OwnedIncident {
        stored: StoredIncident {
            incident: Incident {
                source: SourceName::new("pager"),
                id: ExternalId::new(format!("{}-{number}", component.repository.number)),
                title: String::new(),
                url: None,
                started_at: instant(number * MERGES_PER_DEPLOYMENT * 7 + 3),
                acknowledged_at: None,
                resolved_at: Some(instant(number * MERGES_PER_DEPLOYMENT * 7 + 5)),
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
        component: Some(component.name.clone()),
        team: component.team.clone(),
        rule: SubjectRule::Configured,
    }
}

/// One repository of a million commits, 200 thousand pull requests and 20 thousand deployments.
fn million_commits(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("million_commits");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    let component = component(1);
    let facts = facts(&component, 1_000_000);
    let settings = MetricSettings::new();
    let mut sorted: Vec<_> = facts.commits.iter().collect();
    sorted.sort_by_key(|commit| commit.id);
    group.bench_function("graph", |bench| {
        bench.iter(|| CommitGraph::new(black_box(&sorted)));
    });
    group.bench_function("history", |bench| {
        bench.iter_batched(
            || (),
            |()| engine::histories([&component], &facts, &settings),
            BatchSize::PerIteration,
        );
    });
    let parts: Vec<_> = (0..PARTS).map(|number| part(&component, number)).collect();
    let facts = touching(facts.clone());
    group.bench_function("histories_of_ten_parts", |bench| {
        bench.iter_batched(|| (), |()| engine::histories(&parts, &facts, &settings), BatchSize::PerIteration);
    });
    let graph = CommitGraph::new(&sorted);
    let node = |number: u64| graph.find(sha(1, number)).expect("it is in the graph");
    let mut ancestry = Ancestry::new(&graph);
    for (name, older, newer) in [
        ("ancestor/next_deployment", node(900_000), node(900_049)),
        ("ancestor/of_a_month", node(850_004), node(857_204)),
        ("ancestor/whole_history", node(0), node(999_999)),
        ("ancestor/no", node(999_999), node(500_000)),
    ] {
        group.bench_function(name, |bench| {
            bench.iter(|| ancestry.is_proper_ancestor(black_box(older), newer));
        });
    }
    group.finish();
}

/// A thousand repositories of a thousand commits, 20 deployments and 3 incidents each.
fn organisation(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("thousand_repositories");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    let settings = MetricSettings::new();
    let components: Vec<_> = (1..=1000).map(component).collect();
    let histories: Vec<Arc<ComponentHistory>> = components
        .iter()
        .flat_map(|component| engine::histories([component], &facts(component, 1000), &settings))
        .map(Arc::new)
        .collect();
    let incidents: Vec<_> =
        components.iter().flat_map(|component| (0..3).map(|number| incident(component, number))).collect();
    let one = facts(&components[0], 1000);
    group.bench_function("history_of_one", |bench| {
        bench.iter(|| engine::histories([&components[0]], &one, &settings));
    });
    group.bench_function("link", |bench| {
        bench.iter(|| engine::link(&histories, &incidents, &settings));
    });
    let linked = engine::link(&histories, &incidents, &settings);
    let inventory = Inventory::default();
    group.bench_function("snapshot", |bench| {
        bench.iter(|| engine::snapshot(&linked, &inventory, &settings, instant(201)));
    });
    group.bench_function("countables", |bench| {
        bench.iter(|| engine::countables(&linked, &linked.teams, &settings));
    });
    group.finish();
}

criterion_group!(benches, million_commits, organisation);
criterion_main!(benches);
