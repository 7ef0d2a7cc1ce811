//! Pull requests and direct pushes.

use super::plan::{Cadence, Habits};
use super::{Event, Teller, words};
use crate::demo::world::World;
use crate::demo::world::pull::{Method, Proposal, PullKey, Verdict};
use crate::model::time::{Span, Timestamp};

/// How likely, in thousandths, a pull request is one of these.
const BY_BOT: u32 = 90;
const BY_DELETED_ACCOUNT: u32 = 8;
const DRAFT: u32 = 90;
const FROM_FORK: u32 = 10;
const NEVER_MERGED: u32 = 40;
const DRAFT_NEVER_MERGED: u32 = 600;
const CHANGES_REQUESTED: u32 = 180;
const REMARK_BY_AUTHOR: u32 = 30;
const REMARK_BY_BOT: u32 = 30;
const REVIEW_AFTER_MERGE: u32 = 12;
const OTHER_METHOD: u32 = 120;

impl Teller {
    /// Somebody opens a pull request, and it takes its course.
    pub(super) fn open(&mut self, world: &mut World, place: usize, at: Timestamp) {
        let Some(habits) = self.told.get(place).map(|told| told.habits) else {
            return;
        };
        if self.random.chance(BY_BOT) {
            self.open_by_bot(world, place, at);
            return;
        }
        let is_given_up = self.random.chance(NEVER_MERGED);
        let draft = self.random.chance(if is_given_up { DRAFT_NEVER_MERGED } else { DRAFT });
        let Some((pull, author)) = self.propose(world, place, habits, draft, at) else {
            return;
        };
        if is_given_up {
            let given_up_at = at.plus(self.random.around(Span::from_days(9)));
            self.at(given_up_at, Event::Close(pull));
            return;
        }
        let mut ready_at = at;
        if draft {
            ready_at = at.plus(self.random.around(Span::from_hours(6)));
            self.at(ready_at, Event::Ready(pull));
        }
        let mut merged_at = ready_at.plus(self.random.around(Span::from_minutes(40)));
        if !self.random.chance(habits.unreviewed_per_mille) {
            let first_at = ready_at.plus(self.random.around(habits.pickup));
            merged_at = first_at.plus(self.random.around(habits.review));
            self.reviews(pull, habits, author, (ready_at, first_at, merged_at));
        }
        let method = self.method(habits);
        self.at(merged_at, Event::Merge(place, pull, method));
    }

    fn propose(
        &mut self,
        world: &mut World,
        place: usize,
        habits: &Habits,
        draft: bool,
        at: Timestamp,
    ) -> Option<(PullKey, &'static str)> {
        let key = self.told.get(place)?.key;
        let author =
            if self.random.chance(BY_DELETED_ACCOUNT) { "" } else { self.random.word(&habits.people) };
        let thing = self.random.word(&words::THINGS);
        let title = format!("{} {thing}", self.random.word(&words::VERBS));
        let mut proposal =
            Proposal::new(&title, author).branch(&format!("{}-{}", thing.replace(' ', "-"), self.queued));
        let coding = self.random.around(habits.coding);
        let first_at = at.minus(coding);
        proposal = proposal.commit(first_at, &title);
        for _ in 0..self.random.below(4) {
            let later = first_at.plus(self.random.between(Span::ZERO, coding));
            proposal = proposal.commit(later, "Mend what the review found");
        }
        if draft {
            proposal = proposal.draft();
        }
        if self.random.chance(FROM_FORK) {
            proposal = proposal.from_fork();
        }
        Some((world.open_pull(key, proposal, at), author))
    }

    fn reviews(
        &mut self,
        pull: PullKey,
        habits: &Habits,
        author: &'static str,
        (ready_at, first_at, merged_at): (Timestamp, Timestamp, Timestamp),
    ) {
        let reviewer = self.reviewer(habits, author);
        if self.random.chance(REMARK_BY_AUTHOR) {
            self.at(ready_at.plus(Span::from_minutes(5)), Event::Review(pull, author, Verdict::Commented));
        }
        if self.random.chance(REMARK_BY_BOT) {
            self.at(
                ready_at.plus(Span::from_minutes(1)),
                Event::Review(pull, "lint-helper[bot]", Verdict::Commented),
            );
        }
        if self.random.chance(CHANGES_REQUESTED) {
            self.at(first_at, Event::Review(pull, reviewer, Verdict::ChangesRequested));
            let half = Span::from_millis(merged_at.since(first_at).millis() / 2);
            self.at(first_at.plus(half), Event::Review(pull, reviewer, Verdict::Approved));
        } else {
            self.at(first_at, Event::Review(pull, reviewer, Verdict::Approved));
        }
        if self.random.chance(REVIEW_AFTER_MERGE) {
            let other = self.reviewer(habits, author);
            self.at(merged_at.plus(Span::from_hours(1)), Event::Review(pull, other, Verdict::Commented));
        }
    }

    fn reviewer(&mut self, habits: &Habits, author: &'static str) -> &'static str {
        let others: Vec<&'static str> = habits.people.into_iter().filter(|one| *one != author).collect();
        self.random.word(&others)
    }

    fn method(&mut self, habits: &Habits) -> Method {
        if !self.random.chance(OTHER_METHOD) {
            return habits.method;
        }
        match habits.method {
            Method::Merge => Method::Squash,
            Method::Squash => Method::Rebase,
            Method::Rebase => Method::Merge,
        }
    }

    /// An app, or a machine that signs in as a person, proposes a newer library.
    fn open_by_bot(&mut self, world: &mut World, place: usize, at: Timestamp) {
        let Some(key) = self.told.get(place).map(|told| told.key) else {
            return;
        };
        let library = self.random.word(&words::LIBRARIES);
        let (author, branch) = if self.random.chance(500) {
            ("dependabot[bot]", "dependabot/cargo")
        } else {
            ("renovate-acme", "renovate")
        };
        let proposal = Proposal::new(&format!("Bump {library} from 1.{} to 2.0", self.queued % 10), author)
            .branch(&format!("{branch}/{library}-{}", self.queued))
            .label("dependencies");
        let pull = world.open_pull(key, proposal, at);
        let merged_at = at.plus(self.random.around(Span::from_hours(18)));
        self.at(merged_at, Event::Merge(place, pull, Method::Squash));
    }

    pub(super) fn merge(
        &mut self,
        world: &mut World,
        place: usize,
        pull: PullKey,
        method: Method,
        at: Timestamp,
    ) {
        let Some(told) = self.told.get_mut(place) else {
            return;
        };
        if world.at(told.key).archived_at.is_some()
            || world.pull(pull).is_none_or(|pull| pull.closed_at.is_some())
        {
            return;
        }
        world.merge(pull, method, at);
        told.landed.push(pull);
        if let (Cadence::OnMerge(median), true) = (told.habits.cadence, told.role.deploys()) {
            let wait = self.random.around(median);
            self.after(at, wait, Event::Rollout(place));
        }
    }

    pub(super) fn push(&mut self, world: &mut World, place: usize, at: Timestamp) {
        let Some(told) = self.told.get(place) else { return };
        let (key, habits) = (told.key, told.habits);
        let author = self.random.word(&habits.people);
        let message = format!("{} {}", self.random.word(&words::VERBS), self.random.word(&words::THINGS));
        let written_at = at.minus(self.random.around(Span::from_minutes(50)));
        world.push(key, author, &message, written_at, at);
        if let (Cadence::OnMerge(median), true) =
            (habits.cadence, self.told.get(place).is_some_and(|it| it.role.deploys()))
        {
            let wait = self.random.around(median);
            self.after(at, wait, Event::Rollout(place));
        }
    }

    pub(super) fn archive(&mut self, world: &mut World, place: usize, at: Timestamp) {
        if let Some(told) = self.told.get(place) {
            world.archive(told.key, at);
        }
    }

    /// Takes back what landed last. The four ways of saying so take turns.
    pub(super) fn revert(&mut self, world: &mut World, place: usize, at: Timestamp) {
        let Some(told) = self.told.get(place) else { return };
        let habits = told.habits;
        let (Some(key), Some(bad)) = (Some(told.key), told.landed.last().and_then(|last| world.pull(*last)))
        else {
            return;
        };
        let (number, title) = (bad.number, bad.title.clone());
        let landing = bad.landing.as_ref().and_then(|landing| world.at(key).commits.get(landing.commit));
        let sha = landing.map(|commit| commit.id.to_string()).unwrap_or_default();
        let name = world.at(key).name_with_owner();
        let author = self.random.word(&habits.people);
        let branch = format!("revert-{number}-{}", self.queued);
        let quoted = format!("Revert \"{title}\"");
        let proposal = match self.reverts % 4 {
            0 => Proposal::new(&quoted, author).branch(&branch).body(&format!("Reverts {name}#{number}")),
            1 => Proposal::new(&format!("Back out {title}"), author)
                .branch(&format!("back-out-{}", self.queued))
                .body(&format!("It broke production.\n\nThis reverts commit {sha}.")),
            2 => Proposal::new(&format!("Undo {title}"), author).branch(&branch),
            _ => Proposal::new(&quoted, author).branch(&format!("calm-down-{}", self.queued)),
        };
        self.reverts += 1;
        self.land_quickly(world, place, proposal, at);
    }

    /// Mends what is broken, in a hurry: told by the branch and by a label in turn.
    pub(super) fn hotfix(&mut self, world: &mut World, place: usize, at: Timestamp) {
        let Some(habits) = self.told.get(place).map(|told| told.habits) else {
            return;
        };
        let author = self.random.word(&habits.people);
        let thing = self.random.word(&words::THINGS);
        let proposal = Proposal::new(&format!("Mend {thing}"), author);
        let proposal = match self.hotfixes % 2 {
            0 => proposal.branch(&format!("hotfix/{}", self.queued)),
            _ => proposal.branch(&format!("mend-{}", self.queued)).label("hotfix"),
        };
        self.hotfixes += 1;
        self.land_quickly(world, place, proposal, at);
    }

    fn land_quickly(&mut self, world: &mut World, place: usize, proposal: Proposal, at: Timestamp) {
        let Some(told) = self.told.get(place) else { return };
        let (key, habits) = (told.key, told.habits);
        let written_at = at.minus(Span::from_minutes(10));
        let pull = world.open_pull(key, proposal.commit(written_at, "Mend it"), at);
        let reviewer = self.reviewer(habits, "");
        self.after(at, Span::from_minutes(6), Event::Review(pull, reviewer, Verdict::Approved));
        self.after(at, Span::from_minutes(9), Event::Merge(place, pull, habits.method));
        self.after(at, Span::from_minutes(11), Event::Rollout(place));
    }

    /// A change that was opened and reviewed in the past lands now.
    pub(super) fn change_now(&mut self, world: &mut World, place: usize, now: Timestamp) {
        let Some(habits) = self.told.get(place).map(|told| told.habits) else {
            return;
        };
        let review = self.random.around(habits.review);
        let opened_at = now.minus(review).minus(self.random.around(habits.pickup));
        let draft = self.random.chance(DRAFT);
        let Some((pull, author)) = self.propose(world, place, habits, draft, opened_at) else {
            return;
        };
        if draft {
            world.ready_for_review(pull, opened_at.plus(Span::from_minutes(1)));
        }
        if !self.random.chance(habits.unreviewed_per_mille) {
            let reviewer = self.reviewer(habits, author);
            world.review(pull, reviewer, Verdict::Approved, now.minus(review));
        }
        let method = self.method(habits);
        self.merge(world, place, pull, method, now);
    }
}
