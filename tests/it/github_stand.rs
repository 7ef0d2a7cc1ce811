//! A GitHub source between a simulated GitHub and a store, and what must be in the store then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use sextant::clock::Clock;
use sextant::demo::serve::{Options, Servers, serve};
use sextant::demo::world::account::Account;
use sextant::demo::world::deployment::State;
use sextant::demo::world::pull::{Method, Proposal, Verdict};
use sextant::demo::world::repository::{Repository, RepositoryKey};
use sextant::demo::world::{SharedWorld, World};
use sextant::http::Governors;
use sextant::model::batch::RepositoryFacts;
use sextant::model::dirty::{Dirty, Stream};
use sextant::model::fact::Outcome;
use sextant::model::name::{CommitId, RepositoryId, SourceName};
use sextant::model::secret::Credential;
use sextant::model::settings::{RepositoryPatterns, TeamsFrom};
use sextant::model::time::{Span, Timestamp};
use sextant::source::github::Github;
use sextant::source::github::config::{Config, IssueRules, SignIn};
use sextant::source::{PollError, Polled, Request, Sink, Source};
use sextant::store::FactStore;
use sextant::store::memory::MemoryStore;
use sextant::telemetry::Telemetry;

#[derive(Debug)]
struct WorldClock(SharedWorld);

impl Clock for WorldClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.lock().now.datetime()
    }
}

/// A world, its servers, a store, and a source that reads the one into the other.
pub(crate) struct Stand {
    pub(crate) world: SharedWorld,
    pub(crate) servers: Servers,
    pub(crate) store: MemoryStore,
    source: Github,
    pub(crate) history: Span,
    _stop: tokio_util::sync::DropGuard,
}

pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T12:00:00Z").unwrap()
}

pub(crate) fn name() -> SourceName {
    SourceName::from("acme")
}

fn config(servers: &Servers, history: Span) -> Config {
    Config {
        name: name(),
        api_url: servers.github.url.clone(),
        sign_in: SignIn::Token(Credential::fixed(SecretString::from(Options::default().github_token))),
        ca_pem: None,
        organizations: vec!["acme".to_owned()],
        repositories: RepositoryPatterns::parse(["acme/*"]).unwrap(),
        exact_repositories: Vec::new(),
        poll_interval: Span::from_minutes(1),
        history,
        include_archived: false,
        include_forks: false,
        teams_from: TeamsFrom::GithubTeams,
        budget: 1.0,
        bots: Vec::new(),
        incidents: Some(IssueRules { labels: vec!["incident".to_owned()], severity_label: None }),
        ownership: Arc::default(),
    }
}

fn github(world: &SharedWorld, config: Config) -> Github {
    let telemetry = Telemetry::new().source("acme", "github");
    Github::new(config, &Governors::default(), Arc::new(WorldClock(world.clone())), telemetry).unwrap()
}

impl Stand {
    pub(crate) async fn new(world: World, history: Span) -> Self {
        let world = SharedWorld::new(world);
        let stop = CancellationToken::new();
        let servers =
            serve(world.clone(), Options::default(), &TaskTracker::new(), stop.clone()).await.unwrap();
        Self {
            source: github(&world, config(&servers, history)),
            world,
            servers,
            store: MemoryStore::new(),
            history,
            _stop: stop.drop_guard(),
        }
    }

    /// A new process: only the store is left.
    pub(crate) fn restart(&mut self) {
        self.restart_with(|_| {});
    }

    /// A new process with another configuration.
    pub(crate) fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = config(&self.servers, self.history);
        change(&mut config);
        self.source = github(&self.world, config);
    }

    /// One minute later.
    pub(crate) fn minutes(&self, minutes: i64) {
        self.world.tell(|world| {
            let now = world.now.plus(Span::from_minutes(minutes));
            world.advance(now);
        });
    }

    /// What a webhook makes it do, with its requests and points.
    pub(crate) async fn told(&mut self, repository: Option<u64>, stream: Stream) -> (u64, u64) {
        let tally = &self.servers.github.tally;
        let before = (tally.requests(), tally.points());
        let (sink, mut requests) = Sink::channel();
        let store = self.store.clone();
        let answer = async move {
            while let Some(request) = requests.recv().await {
                match request {
                    Request::Apply(batch, answer) => {
                        answer.send(store.apply(&name(), batch).await.unwrap()).unwrap();
                    }
                    Request::Cursors(answer) => answer.send(store.cursors(&name()).await.unwrap()).unwrap(),
                }
            }
            std::future::pending::<()>().await;
        };
        let dirty = [Dirty { repository, stream }];
        let now = self.world.lock().now;
        tokio::select! {
            polled = self.source.read_now(&dirty, &sink, now) => polled.map(drop).unwrap(),
            () = answer => unreachable!(),
        }
        let tally = &self.servers.github.tally;
        (tally.requests() - before.0, tally.points() - before.1)
    }

    pub(crate) async fn poll(&mut self) -> Result<Polled, PollError> {
        self.poll_with(u32::MAX).await
    }

    /// A poll whose store stops to answer after so many batches.
    pub(crate) async fn poll_with(&mut self, mut batches: u32) -> Result<Polled, PollError> {
        let now = self.world.lock().now;
        let (sink, mut queue) = Sink::channel();
        let store = self.store.clone();
        let answer = async move {
            while let Some(request) = queue.recv().await {
                match request {
                    Request::Apply(batch, answer) => {
                        if batches == 0 {
                            break;
                        }
                        batches -= 1;
                        answer.send(store.apply(&name(), batch).await.unwrap()).unwrap();
                    }
                    Request::Cursors(answer) => answer.send(store.cursors(&name()).await.unwrap()).unwrap(),
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            polled = self.source.poll(&sink, now) => polled,
            () = answer => unreachable!(),
        }
    }

    /// Requests and points of what `poll` does.
    pub(crate) async fn cost(&mut self) -> (u64, u64) {
        let tally = &self.servers.github.tally;
        let before = (tally.requests(), tally.points());
        let polled = self.poll().await.unwrap();
        assert_eq!(polled.problems, []);
        let tally = &self.servers.github.tally;
        (tally.requests() - before.0, tally.points() - before.1)
    }

    pub(crate) async fn facts(&self, number: u64) -> RepositoryFacts {
        let source = name();
        self.store.repository(&RepositoryId { source, number }).await.unwrap().unwrap()
    }

    /// Holds everything that is stored against the world.
    pub(crate) async fn holds_the_truth(&self) {
        let world = self.world.lock().clone();
        let horizon = now().minus(self.history);
        for repository in &world.repositories {
            if repository.fork || repository.archived_at.is_some() || repository.deleted {
                continue;
            }
            let facts = self.facts(repository.database_id).await;
            assert_eq!(facts.repository.head, repository.head().map(|head| head.id));
            changes_hold(repository, &facts, horizon);
            attempts_hold(repository, &facts, horizon);
            commits_hold(repository, &facts, horizon);
        }
    }
}

fn changes_hold(repository: &Repository, facts: &RepositoryFacts, horizon: Timestamp) {
    let merged = repository.pulls.iter().filter_map(|pull| {
        let landing = pull.landing.as_ref().filter(|landing| landing.at >= horizon)?;
        let another = |author: &Account| author != &pull.author && !matches!(author, Account::Bot(_));
        let reviews = pull.reviews.iter().filter(|review| {
            review.verdict != Verdict::Pending && review.at <= landing.at && another(&review.author)
        });
        let reviewed_at = reviews.map(|review| review.at).min();
        let id = repository.commits[landing.commit].id;
        Some((pull.number, landing.at, id, pull.commits.len(), pull.created_at, reviewed_at))
    });
    let stored = facts.changes.iter().map(|seen| &seen.fact).map(|change| {
        let own = change.own_commits.len();
        (change.number, change.merged_at, change.landing.unwrap(), own, change.opened_at, change.reviewed_at)
    });
    assert_eq!(stored.collect::<BTreeSet<_>>(), merged.collect(), "{}", repository.name);
}

fn attempts_hold(repository: &Repository, facts: &RepositoryFacts, horizon: Timestamp) {
    let first = |statuses: &[(State, Timestamp)], states: &[State]| {
        statuses.iter().filter(|(state, _)| states.contains(state)).map(|(_, at)| *at).min()
    };
    let deployments = repository.deployments.iter().filter(|deployment| deployment.created_at >= horizon);
    let told: BTreeMap<_, _> = deployments
        .map(|deployment| {
            let statuses: Vec<_> =
                deployment.statuses.iter().map(|status| (status.state, status.at)).collect();
            let success = first(&statuses, &[State::Success]).map(|at| (Outcome::Success, at));
            let failure = first(&statuses, &[State::Failure, State::Error]).map(|at| (Outcome::Failure, at));
            (deployment.database_id.to_string(), success.or(failure))
        })
        .collect();
    let stored: BTreeMap<_, _> = facts
        .attempts
        .iter()
        .map(|attempt| (attempt.fact.id.as_str().to_owned(), attempt.fact.finished))
        .collect();
    assert_eq!(stored, told, "{}", repository.name);
}

fn commits_hold(repository: &Repository, facts: &RepositoryFacts, horizon: Timestamp) {
    let stored: BTreeMap<CommitId, Option<u64>> =
        facts.commits.iter().map(|commit| (commit.id, commit.pull_request)).collect();
    let Some(head) = repository.branches.get(&repository.default_branch).copied() else {
        assert!(stored.is_empty());
        return;
    };
    for place in repository.history(head) {
        let commit = &repository.commits[place];
        if commit.committed_at >= horizon {
            assert!(stored.contains_key(&commit.id), "{} lacks {}", repository.name, commit.id);
        }
    }
    let landings: BTreeSet<CommitId> = facts.changes.iter().filter_map(|seen| seen.fact.landing).collect();
    let mut line = Some(head);
    while let Some(commit) = line.map(|place| &repository.commits[place]) {
        if commit.committed_at >= horizon && !landings.contains(&commit.id) {
            let pushed = stored[&commit.id].is_none();
            assert_eq!(pushed, commit.pulls.is_empty(), "{} {}", repository.name, commit.id);
        }
        line = commit.parents.first().copied();
    }
}

/// A repository with a pushed commit and one merged and deployed change.
pub(crate) fn small_world(repositories: usize) -> (World, Vec<RepositoryKey>) {
    let begin = now().minus(Span::from_days(5));
    let mut world = World::new("acme", begin);
    let keys = (0..repositories)
        .map(|n| {
            let key = world.repository(&format!("acme/r{n}"), begin);
            world.push(key, "ann", "begin", begin, begin.plus(Span::from_minutes(1)));
            change(&mut world, key, "first", begin.plus(Span::from_hours(1)));
            key
        })
        .collect();
    world.advance(now());
    (world, keys)
}

/// Merges a change and deploys it.
pub(crate) fn change(world: &mut World, key: RepositoryKey, title: &str, at: Timestamp) -> CommitId {
    let minutes = |n| at.plus(Span::from_minutes(n));
    let pull = world.open_pull(key, Proposal::new(title, "ann").commit(at, title), minutes(1));
    let landing = world.merge(pull, Method::Squash, minutes(2));
    let deployment = world.deploy(key, landing, "production", minutes(3));
    world.status(deployment, State::Success, minutes(4));
    landing
}
