//! A second opinion: the measures computed straight from the simulated world, by the words of `definitions.md`, as
//! naively as they can be written and without a line of the engine. Whatever lies between the world and `/metrics`
//! (two APIs, paging, the store, the engine) must come to the same numbers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::LazyLock;

use regex::Regex;
use sextant::demo::world::World;
use sextant::demo::world::account::Account;
use sextant::demo::world::changed_file::ChangedFile;
use sextant::demo::world::deployment::State;
use sextant::demo::world::issue::StateReason;
use sextant::demo::world::pull::PullRequest;
use sextant::demo::world::repository::Repository;
use sextant::demo::world::workflow::{Conclusion, Progress, Run};
use sextant::model::name::CommitId;
use sextant::model::time::{Span, Timestamp};

static HOTFIX: LazyLock<Regex> = LazyLock::new(|| Regex::new("^hotfix[/-]").unwrap());
static REVERTS_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\breverts\s+(?:([\w.-]+/[\w.-]+))?#(\d+)").unwrap());
static REVERT_BRANCH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^revert-(\d+)-").unwrap());
static REVERT_TITLE: LazyLock<Regex> = LazyLock::new(|| Regex::new("^Revert \"(.*)\"$").unwrap());
static REVERTS_COMMIT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)this reverts commit ([0-9a-f]{7,40})").unwrap());
static SHA: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9a-f]{7,40}\b").unwrap());

thread_local! {
    /// What is reachable from a commit never changes, and a test has a thread and a world of its own.
    static REACHED: RefCell<HashMap<CommitId, Rc<BTreeSet<usize>>>> = RefCell::default();
}

/// What the oracle has to be told, since no API says it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// How each repository's deployments are found: the first whose names have it.
    pub(crate) rules: Vec<(Vec<String>, Found)>,
    /// Repositories of several components, `owner/name`: what each is called, and how the paths begin that are its.
    pub(crate) parts: BTreeMap<String, Vec<(String, Vec<String>)>>,
    /// Logins that are bots besides the obvious ones.
    pub(crate) bots: Vec<Regex>,
    /// PagerDuty service id → the component it is about.
    pub(crate) services: BTreeMap<String, String>,
    /// Urgencies that count.
    pub(crate) urgencies: Vec<&'static str>,
    /// Titles that do not.
    pub(crate) exclude_title: Option<Regex>,
}

/// How deployments are found (2.2).
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// GitHub Deployments to such environments.
    Environment(Regex),
    /// Published releases that are no previews.
    Releases,
    /// Tags that are called like this.
    Tags(Regex),
    /// Runs of the workflow of this file on this branch.
    Runs(&'static str, &'static str),
    /// Merged pull requests.
    Merges,
}

/// Workflow runs that the oracle has seen: GitHub deletes them, and what was deployed was deployed.
#[derive(Debug, Default)]
pub(crate) struct Seen(BTreeMap<u64, (u64, String, Run)>);

impl Seen {
    fn look(&mut self, world: &World) {
        for repository in &world.repositories {
            for workflow in &repository.workflows {
                for run in &workflow.runs {
                    let told = (repository.database_id, workflow.path.clone(), run.clone());
                    self.0.insert(run.database_id, told);
                }
            }
        }
    }
}

/// A deployment as the oracle sees it.
#[derive(Debug, Clone)]
pub(crate) struct Rollout {
    pub(crate) at: Timestamp,
    created_at: Timestamp,
    commit: usize,
    environments: BTreeSet<String>,
    pub(crate) kind: &'static str,
    /// Lead times of human changes that it deployed first.
    pub(crate) lead_times: Vec<Span>,
    /// When each of these was merged.
    pub(crate) merged: Vec<Timestamp>,
    pub(crate) bot_changes: usize,
    pub(crate) unreviewed: usize,
    reverts_or_hotfixes: bool,
    /// Own changes, by landing place.
    landings: BTreeSet<usize>,
    /// Landing places of the changes that its changes revert.
    reverted: BTreeSet<usize>,
    pub(crate) incidents: Vec<(Timestamp, Option<Timestamp>)>,
    /// When each remedy of it finished.
    pub(crate) remedies: Vec<Timestamp>,
    /// Whether a rollback, a revert or a hotfix blames it.
    blamed: bool,
    pub(crate) unplanned: bool,
}

impl Rollout {
    pub(crate) fn failed(&self) -> bool {
        self.blamed || !self.incidents.is_empty()
    }

    fn take_back(&mut self, reverts: &Reverts) {
        match reverts {
            Reverts::Nothing => return,
            Reverts::Unknown => {}
            Reverts::Landing(place) => drop(self.reverted.insert(*place)),
        }
        self.reverts_or_hotfixes = true;
    }

    /// When it failed and when it recovered, as of `t`.
    pub(crate) fn recovery(&self, t: Timestamp) -> Option<(Timestamp, Timestamp)> {
        if !self.failed() {
            return None;
        }
        let began = self.incidents.iter().map(|(started, _)| *started).min().unwrap_or(self.at);
        let resolved: Option<Vec<_>> = self.incidents.iter().map(|(_, end)| *end).collect();
        let by_incidents = resolved.and_then(|ends| ends.into_iter().max());
        let ends = by_incidents.into_iter().chain(self.remedies.iter().copied());
        ends.filter(|end| *end < t).min().map(|end| (began, end))
    }
}

/// What the oracle says of one component.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) rollouts: Vec<Rollout>,
    /// Finished production attempts: when, and whether they succeeded.
    pub(crate) attempts: Vec<(Timestamp, bool)>,
    /// Incidents that count: start and resolution, whatever their cause.
    pub(crate) incidents: Vec<(Timestamp, Option<Timestamp>)>,
}

/// A component: what it is called, its repository, how the paths begin that are its (all, if nothing is said).
type Part<'a> = (String, &'a Repository, Option<&'a [String]>);

/// All components by name.
pub(crate) fn ask(world: &World, told: &Told, seen: &mut Seen) -> BTreeMap<String, Said> {
    seen.look(world);
    let mut parts: Vec<Part<'_>> = Vec::new();
    for repository in world.keys().map(|key| world.at(key)) {
        match told.parts.get(&repository.name_with_owner()) {
            Some(named) => parts
                .extend(named.iter().map(|(name, paths)| (name.clone(), repository, Some(paths.as_slice())))),
            None => parts.push((repository.name.clone(), repository, None)),
        }
    }
    let mut said: BTreeMap<_, _> =
        parts.iter().map(|part| (part.0.clone(), component(part, told, seen))).collect();
    for incident in &world.pagerduty.incidents {
        let service = world.pagerduty.service(incident.service).unwrap();
        let urgency = format!("{:?}", incident.urgency).to_lowercase();
        let dropped = incident.merged_into.is_some()
            || !told.urgencies.contains(&urgency.as_str())
            || told.exclude_title.as_ref().is_some_and(|title| title.is_match(&incident.title));
        let Some(name) = told.services.get(&service.id) else {
            continue;
        };
        let part = parts.iter().find(|part| part.0 == *name);
        let (Some((_, repository, _)), Some(said)) = (part, said.get_mut(name)) else {
            continue;
        };
        if !dropped {
            let found = found_by(repository, told);
            attribute(repository, found, said, &incident.title, incident.created_at, incident.resolved_at);
        }
    }
    for (name, repository, paths) in &parts {
        let labelled =
            repository.issues.iter().filter(|issue| issue.labels.iter().any(|label| label == "incident"));
        for issue in labelled {
            assert!(
                paths.is_none(),
                "whose the issues of a repository of parts are, the oracle does not follow"
            );
            let dropped =
                matches!(issue.state_reason, Some(StateReason::NotPlanned | StateReason::Duplicate));
            if !dropped {
                let text = format!("{}\n{}", issue.title, issue.body);
                let said = said.get_mut(name).unwrap();
                let found = found_by(repository, told);
                attribute(repository, found, said, &text, issue.created_at, issue.closed_at);
            }
        }
    }
    for said in said.values_mut() {
        rework(&mut said.rollouts);
    }
    said
}

fn found_by<'a>(repository: &Repository, told: &'a Told) -> &'a Found {
    let name = repository.name_with_owner();
    let meant = |names: &[String]| names.iter().any(|one| *one == name || one == "acme/*");
    &told.rules.iter().find(|(names, _)| meant(names)).unwrap().1
}

fn is_bot(account: &Account, told: &Told) -> bool {
    match account {
        Account::Bot(_) => true,
        Account::User(login) | Account::Mannequin(login) => {
            login.ends_with("[bot]") || told.bots.iter().any(|bot| bot.is_match(login))
        }
        Account::Deleted => false,
    }
}

/// GitHub tells whole seconds.
fn as_told(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.millis().div_euclid(1000))
}

fn reach(repository: &Repository, place: usize) -> Rc<BTreeSet<usize>> {
    let id = repository.commits[place].id;
    if let Some(known) = REACHED.with_borrow(|reached| reached.get(&id).cloned()) {
        return known;
    }
    let mut seen = BTreeSet::new();
    let mut queue = vec![place];
    while let Some(place) = queue.pop() {
        if seen.insert(place) {
            queue.extend(&repository.commits[place].parents);
        }
    }
    let seen = Rc::new(seen);
    REACHED.with_borrow_mut(|reached| reached.insert(id, Rc::clone(&seen)));
    seen
}

/// A successful production attempt: finish, id, creation, place of its commit, environment.
type Success = (Timestamp, Vec<Piece>, Timestamp, usize, String);

/// A piece of an id: numbers sort as numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Number(u64),
    Text(String),
}

fn pieces(id: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for character in id.chars() {
        let digit = character.to_digit(10).map(u64::from);
        match (pieces.last_mut(), digit) {
            (Some(Piece::Number(number)), Some(digit)) => *number = *number * 10 + digit,
            (_, Some(digit)) => pieces.push(Piece::Number(digit)),
            (Some(Piece::Text(text)), None) => text.push(character),
            (_, None) => pieces.push(Piece::Text(character.to_string())),
        }
    }
    pieces
}

fn component(part: &Part<'_>, told: &Told, seen: &Seen) -> Said {
    let (_, repository, paths) = part;
    let mut said = Said::default();
    let mut successes = match found_by(repository, told) {
        Found::Environment(production) => deployments(repository, production, &mut said),
        Found::Releases => releases(repository, &mut said),
        Found::Tags(named) => tags(repository, named, &mut said),
        Found::Runs(file, branch) => runs(repository, file, branch, seen, &mut said),
        Found::Merges => merges(repository, &mut said),
    };
    for (at, _) in &mut said.attempts {
        *at = as_told(*at);
    }
    for (at, _, created_at, ..) in &mut successes {
        (*at, *created_at) = (as_told(*at), as_told(*created_at));
    }
    successes.sort_by_key(|success| (success.0, success.1.clone()));
    for success in successes {
        roll_out(&mut said.rollouts, success);
    }
    changes(repository, *paths, told, &mut said.rollouts);
    blame(repository, &mut said.rollouts);
    said
}

fn place_of(repository: &Repository, commit: CommitId) -> usize {
    repository.commits.iter().position(|one| one.id == commit).unwrap()
}

/// What is a success by being there: when it finished, its id, its commit.
fn instant(said: &mut Said, at: Timestamp, id: &str, commit: usize) -> Success {
    said.attempts.push((at, true));
    (at, pieces(id), at, commit, "production".to_owned())
}

fn merges(repository: &Repository, said: &mut Said) -> Vec<Success> {
    let pulls = repository.pulls.iter().filter(|pull| pull.base == repository.default_branch);
    let landed = pulls.filter_map(|pull| Some((pull, pull.landing.as_ref()?)));
    landed
        .map(|(pull, landing)| instant(said, landing.at, &pull.number.to_string(), landing.commit))
        .collect()
}

fn releases(repository: &Repository, said: &mut Said) -> Vec<Success> {
    let out = repository.releases.iter().filter(|release| !release.draft && !release.prerelease);
    out.map(|release| {
        let commit = repository.tags[&release.tag].commit;
        instant(said, release.published_at.unwrap(), &release.database_id.to_string(), commit)
    })
    .collect()
}

fn tags(repository: &Repository, named: &Regex, said: &mut Said) -> Vec<Success> {
    let tags = repository.tags.iter().filter(|(name, _)| named.is_match(name));
    tags.map(|(name, tag)| {
        let tagged_at = tag.objects.first().map(|object| object.at);
        let at = tagged_at.unwrap_or(repository.commits[tag.commit].committed_at);
        instant(said, at, name, tag.commit)
    })
    .collect()
}

fn runs(repository: &Repository, file: &str, branch: &str, seen: &Seen, said: &mut Said) -> Vec<Success> {
    let mut successes = Vec::new();
    let own = seen.0.values().filter(|(number, path, run)| {
        *number == repository.database_id
            && path.ends_with(&format!("/{file}"))
            && run.branch.as_deref() == Some(branch)
    });
    for (_, _, run) in own {
        for (number, attempt) in (1..).zip(&run.attempts) {
            let Progress::Completed(conclusion) = attempt.progress else {
                continue;
            };
            if conclusion == Conclusion::Success {
                said.attempts.push((attempt.updated_at, true));
                let id = pieces(&format!("{}/{number}", run.database_id));
                let commit = place_of(repository, run.commit);
                let environment = "production".to_owned();
                successes.push((attempt.updated_at, id, attempt.started_at, commit, environment));
            } else if matches!(
                conclusion,
                Conclusion::Failure | Conclusion::TimedOut | Conclusion::StartupFailure
            ) {
                said.attempts.push((attempt.updated_at, false));
            }
        }
    }
    successes
}

fn deployments(repository: &Repository, production: &Regex, said: &mut Said) -> Vec<Success> {
    let mut successes = Vec::new();
    for deployment in repository.deployments.iter().filter(|one| production.is_match(&one.environment)) {
        let when = |states: &[State]| {
            deployment.statuses.iter().filter(|one| states.contains(&one.state)).map(|one| one.at).min()
        };
        if let Some(at) = when(&[State::Success]) {
            said.attempts.push((at, true));
            let place = place_of(repository, deployment.commit);
            let (id, created_at) = (pieces(&deployment.database_id.to_string()), deployment.created_at);
            successes.push((at, id, created_at, place, deployment.environment.clone()));
        } else if let Some(at) = when(&[State::Failure, State::Error]) {
            said.attempts.push((at, false));
        }
    }
    successes
}

/// 2.5: of a part of a repository, only the changes that touch its paths count.
fn touches(paths: Option<&[String]>, files: &[ChangedFile]) -> bool {
    let Some(paths) = paths else { return true };
    files.iter().any(|file| paths.iter().any(|path| file.path.starts_with(path.as_str())))
}

/// 2.3.
fn roll_out(rollouts: &mut Vec<Rollout>, (at, _, created_at, commit, environment): Success) {
    let joined = rollouts.iter_mut().rev().find(|rollout| {
        rollout.commit == commit
            && at.since(rollout.at) <= Span::from_hours(24)
            && !rollout.environments.contains(&environment)
    });
    if let Some(rollout) = joined {
        rollout.environments.insert(environment);
        return;
    }
    rollouts.push(Rollout {
        at,
        created_at,
        commit,
        environments: BTreeSet::from([environment]),
        kind: "",
        lead_times: Vec::new(),
        merged: Vec::new(),
        bot_changes: 0,
        unreviewed: 0,
        reverts_or_hotfixes: false,
        landings: BTreeSet::new(),
        reverted: BTreeSet::new(),
        incidents: Vec::new(),
        remedies: Vec::new(),
        blamed: false,
        unplanned: false,
    });
}

/// Kinds (2.4) and own changes (2.5).
fn changes(repository: &Repository, paths: Option<&[String]>, told: &Told, rollouts: &mut [Rollout]) {
    let line = first_parents(repository);
    let mut before: BTreeSet<usize> = BTreeSet::new();
    for index in 0..rollouts.len() {
        let here = reach(repository, rollouts[index].commit);
        let (at, created_at, commit) =
            (rollouts[index].at, rollouts[index].created_at, rollouts[index].commit);
        let kind = match index.checked_sub(1).map(|previous| &rollouts[previous]) {
            None => "first",
            Some(previous) if previous.commit == commit => "redeploy",
            Some(previous) if reach(repository, previous.commit).contains(&commit) => {
                if created_at < previous.at { "late" } else { "rollback" }
            }
            Some(_) => "forward",
        };
        let rollout = &mut rollouts[index];
        rollout.kind = kind;
        if kind == "forward" {
            let fresh: BTreeSet<usize> = here.difference(&before).copied().collect();
            for pull in &repository.pulls {
                let landed = pull.landing.as_ref().is_some_and(|landing| fresh.contains(&landing.commit));
                if landed && touches(paths, &repository.files_of(pull)) {
                    take(repository, told, rollout, pull, at);
                }
            }
            for place in fresh.intersection(&line) {
                let commit = &repository.commits[*place];
                if commit.pulls.is_empty() && touches(paths, &repository.changed_files(*place)) {
                    rollout.landings.insert(*place);
                    if is_bot(&commit.author, told) || commit.author.signature().ends_with("[bot]") {
                        rollout.bot_changes += 1;
                    } else {
                        rollout.unreviewed += 1;
                        let lead_time = as_told(at).since(as_told(commit.authored_at));
                        rollout.lead_times.push(lead_time.max(Span::ZERO));
                        rollout.merged.push(commit.committed_at);
                    }
                    rollout.take_back(&reverted_commit(repository, &commit.message));
                }
            }
        }
        before.extend(here.iter());
    }
}

fn first_parents(repository: &Repository) -> BTreeSet<usize> {
    let mut line = BTreeSet::new();
    let mut next = repository.branches.get(&repository.default_branch).copied();
    while let Some(place) = next {
        line.insert(place);
        next = repository.commits[place].parents.first().copied();
    }
    line
}

fn take(repository: &Repository, told: &Told, rollout: &mut Rollout, pull: &PullRequest, at: Timestamp) {
    let landing = pull.landing.as_ref().unwrap();
    rollout.landings.insert(landing.commit);
    let reviewed = pull.reviews.iter().any(|review| {
        review.at <= landing.at
            && review.author != pull.author
            && !is_bot(&review.author, told)
            && !format!("{:?}", review.verdict).eq("Pending")
    });
    if is_bot(&pull.author, told) {
        rollout.bot_changes += 1;
    } else {
        rollout.unreviewed += usize::from(!reviewed);
        let first = pull.commits.iter().map(|own| repository.commits[*own].authored_at).min().unwrap();
        let lead_time = as_told(at).since(as_told(first));
        rollout.lead_times.push(lead_time.max(Span::ZERO));
        rollout.merged.push(landing.at);
    }
    let hotfix = HOTFIX.is_match(&pull.branch) || pull.labels.iter().any(|label| label == "hotfix");
    rollout.reverts_or_hotfixes |= hotfix;
    rollout.take_back(&reverts(repository, pull));
}

/// What a change reverts.
enum Reverts {
    /// Nothing: it is no revert.
    Nothing,
    /// It is one, of nothing known.
    Unknown,
    /// What landed as the commit at this place.
    Landing(usize),
}

/// 3.3.
fn reverts(repository: &Repository, pull: &PullRequest) -> Reverts {
    let landing_of = |number: &str| {
        let pull = repository.pull(number.parse().ok()?)?;
        pull.landing.as_ref().map(|landing| landing.commit)
    };
    let landing = &repository.commits[pull.landing.as_ref().unwrap().commit];
    let own = pull.commits.iter().map(|own| &repository.commits[*own].message);
    let texts: Vec<&String> = [&pull.body, &landing.message].into_iter().chain(own).collect();
    let mut found = false;
    let body = &*REVERTS_NUMBER;
    for capture in body.captures_iter(&pull.body) {
        let here = capture.get(1).is_none_or(|name| name.as_str() == repository.name_with_owner());
        found = true;
        if let Some(place) = here.then(|| landing_of(&capture[2])).flatten() {
            return Reverts::Landing(place);
        }
    }
    for text in texts {
        match reverted_commit(repository, text) {
            Reverts::Landing(place) => return Reverts::Landing(place),
            Reverts::Unknown => found = true,
            Reverts::Nothing => {}
        }
    }
    if let Some(capture) = REVERT_BRANCH.captures(&pull.branch) {
        found = true;
        if let Some(place) = landing_of(&capture[1]) {
            return Reverts::Landing(place);
        }
    }
    if let Some(capture) = REVERT_TITLE.captures(&pull.title) {
        found = true;
        let merged_at = pull.landing.as_ref().unwrap().at;
        let titled =
            repository.pulls.iter().filter(|other| other.title == capture[1] && other.number != pull.number);
        let landings =
            titled.filter_map(|other| other.landing.as_ref()).filter(|landing| landing.at < merged_at);
        if let Some(landing) = landings.max_by_key(|landing| landing.at) {
            return Reverts::Landing(landing.commit);
        }
    }
    if found { Reverts::Unknown } else { Reverts::Nothing }
}

fn reverted_commit(repository: &Repository, text: &str) -> Reverts {
    let Some(capture) = REVERTS_COMMIT.captures(text) else {
        return Reverts::Nothing;
    };
    let place = repository.commits.iter().position(|commit| commit.id.to_string().starts_with(&capture[1]));
    let Some(place) = place else {
        return Reverts::Unknown;
    };
    let of_pull =
        repository.pulls.iter().find(|pull| pull.landing.is_some() && pull.commits.contains(&place));
    Reverts::Landing(of_pull.map_or(place, |pull| pull.landing.as_ref().unwrap().commit))
}

/// 3.3 (b) and (c), with the defaults: the last deployment is blamed, within 7 days.
fn blame(repository: &Repository, rollouts: &mut [Rollout]) {
    let window = Span::from_days(7);
    for index in 1..rollouts.len() {
        let at = rollouts[index].at;
        if rollouts[index].kind == "rollback" {
            let mut blamed = index - 1;
            while rollouts[blamed].kind == "redeploy" {
                blamed -= 1;
            }
            rollouts[blamed].blamed = true;
            let (commit, below) = (rollouts[index].commit, reach(repository, rollouts[index].commit));
            let same = (0..index).rev().find(|other| rollouts[*other].commit == commit);
            let target =
                same.or_else(|| (0..index).rev().find(|other| below.contains(&rollouts[*other].commit)));
            let first = target.map_or(0, |target| target + 1);
            rollouts[first..index].iter_mut().for_each(|rollout| rollout.remedies.push(at));
        }
        let reverted = rollouts[index].reverted.clone();
        for earlier in &mut rollouts[..index] {
            if at.since(earlier.at) <= window && !earlier.landings.is_disjoint(&reverted) {
                earlier.blamed = true;
                earlier.remedies.push(at);
            }
        }
        if has_hotfix(repository, &rollouts[index]) {
            let mut blamed = index - 1;
            while rollouts[blamed].kind == "redeploy" {
                blamed -= 1;
            }
            if at.since(rollouts[blamed].at) <= window {
                rollouts[blamed].blamed = true;
                rollouts[blamed].remedies.push(at);
            }
        }
    }
}

fn has_hotfix(repository: &Repository, rollout: &Rollout) -> bool {
    let branch = &*HOTFIX;
    repository.pulls.iter().any(|pull| {
        let own = pull.landing.as_ref().is_some_and(|landing| rollout.landings.contains(&landing.commit));
        own && (branch.is_match(&pull.branch) || pull.labels.iter().any(|label| label == "hotfix"))
    })
}

/// 4.3: what the text names (the last deployment of exactly that, else the one that brought it), else the latest
/// deployment within 24 hours.
fn attribute(
    repository: &Repository,
    found: &Found,
    said: &mut Said,
    text: &str,
    started: Timestamp,
    resolved: Option<Timestamp>,
) {
    let (started, resolved) = (as_told(started), resolved.map(as_told));
    said.incidents.push((started, resolved));
    let earlier: Vec<usize> =
        (0..said.rollouts.len()).filter(|index| said.rollouts[*index].at < started).collect();
    let found = referenced(repository, found, text).and_then(|commit| {
        let is = |index: &usize| said.rollouts[*index].commit == commit;
        let contains = |index: &usize| reach(repository, said.rollouts[*index].commit).contains(&commit);
        earlier.iter().rev().copied().find(is).or_else(|| earlier.iter().copied().find(contains))
    });
    let recent = |index: &usize| started.since(said.rollouts[*index].at) <= Span::from_hours(24);
    if let Some(index) = found.or_else(|| earlier.last().copied().filter(recent)) {
        said.rollouts[index].incidents.push((started, resolved));
    }
}

/// The place of the commit that a title names: by sha, by a commit's, a pull request's or a deployment's URL.
fn referenced(repository: &Repository, found: &Found, title: &str) -> Option<usize> {
    let name = regex::escape(&repository.name_with_owner());
    let number = |pattern: String| {
        let capture = Regex::new(&pattern).unwrap().captures(title)?;
        capture[1].parse::<u64>().ok()
    };
    if let Some(id) = number(format!(r"{name}/deployments/(?:[a-z_]+/)?(\d+)")) {
        // Where deployments are something else, one of GitHub's is none.
        let is_one = matches!(found, Found::Environment(_));
        let deployment = repository.deployments.iter().find(|one| is_one && one.database_id == id)?;
        return Some(place_of(repository, deployment.commit));
    }
    if let Some(pull) = number(format!(r"{name}/pull/(\d+)")) {
        return repository.pull(pull)?.landing.as_ref().map(|landing| landing.commit);
    }
    let sha = SHA.find(title)?.as_str().to_owned();
    repository.commits.iter().position(|commit| commit.id.to_string().starts_with(&sha))
}

/// 3.5, once incidents are attributed.
fn rework(rollouts: &mut [Rollout]) {
    let incidents: Vec<(usize, Timestamp, Option<Timestamp>)> = rollouts
        .iter()
        .enumerate()
        .flat_map(|(index, rollout)| rollout.incidents.iter().map(move |(start, end)| (index, *start, *end)))
        .collect();
    for rollout in rollouts.iter_mut() {
        rollout.unplanned = rollout.kind == "rollback" || rollout.reverts_or_hotfixes;
    }
    for (cause, started, resolved) in incidents {
        let next = (cause + 1..rollouts.len()).find(|index| rollouts[*index].at > started);
        if let Some(next) = next
            && resolved.is_none_or(|resolved| rollouts[next].at < resolved)
        {
            rollouts[next].unplanned = true;
        }
    }
}

/// Nearest rank: element ⌈q·n⌉ of the sorted sample.
pub(crate) fn quantile(sample: &[Span], percent: usize) -> Option<Span> {
    let mut sorted = sample.to_vec();
    sorted.sort();
    let rank = (sorted.len() * percent).div_ceil(100);
    rank.checked_sub(1).map(|index| sorted[index])
}
