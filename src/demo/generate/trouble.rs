//! What breaks, how it is noticed, and how it is mended.

use super::plan::{Habits, Role};
use super::{Event, Teller, words};
use crate::demo::world::World;
use crate::demo::world::incident::{IncidentKey, ServiceKey, Urgency};
use crate::demo::world::issue::StateReason;
use crate::model::name::CommitId;
use crate::model::time::{Span, Timestamp};

/// How likely, in thousandths: a failure is noticed by an incident; an incident comes twice, or is not over when it
/// seemed to be; noise is of low urgency.
const NOTICED_BY_INCIDENT: u32 = 720;
const TWICE: u32 = 70;
const NOT_OVER: u32 = 60;
const LOW_URGENCY: u32 = 550;

impl Teller {
    /// A deployment turns out to be broken.
    pub(super) fn break_down(&mut self, world: &mut World, place: usize, commit: CommitId, at: Timestamp) {
        let Some(told) = self.told.get(place) else { return };
        let (service, habits) = (told.service, told.habits);
        let newest_is_broken = told.deployed.last() == Some(&commit);
        let before = told.deployed.iter().rev().find(|other| **other != commit).copied();
        let mut mended_after = self.random.around(Span::from_minutes(25));
        self.remedies += 1;
        // Rolled back, reverted, hot-fixed, or mended without a deployment, in turn.
        match (self.remedies % 4, before) {
            (0, Some(before)) if newest_is_broken => {
                self.after(at, mended_after, Event::RollBack(place, before));
            }
            (1, _) => self.after(at, mended_after, Event::Revert(place)),
            (2, _) => self.after(at, mended_after, Event::Hotfix(place)),
            _ => {}
        }
        if !self.random.chance(NOTICED_BY_INCIDENT) {
            return;
        }
        mended_after =
            Span::from_millis(mended_after.millis() + self.random.around(Span::from_minutes(35)).millis());
        match service {
            Some(service) => {
                let title = self.title(world, place, commit);
                let incident = world.open_incident(service, &title, at);
                let priority = self.random.word(&words::PRIORITIES);
                world.edit_incident(incident, at, |incident| {
                    incident.priority = Some(priority.to_owned());
                });
                self.course(incident, at, mended_after);
            }
            None => self.issue_as_incident(world, place, habits, at, mended_after),
        }
    }

    /// A symptom; some titles name what is to blame.
    fn title(&mut self, world: &World, place: usize, commit: CommitId) -> String {
        let symptom = self.random.word(&words::SYMPTOMS);
        self.incidents += 1;
        let Some(told) = self.told.get(place) else {
            return symptom.to_owned();
        };
        let url = format!("https://github.com/{}", world.at(told.key).name_with_owner());
        let pull = told.landed.last().map_or(0, |last| world.number(*last));
        let deployment = world.at(told.key).deployments.last().map_or(0, |last| last.database_id);
        match self.incidents % 6 {
            1 => format!("{symptom} since {}", commit.to_string().chars().take(10).collect::<String>()),
            2 => format!("{symptom} after {url}/pull/{pull}"),
            3 => format!("{symptom}: {url}/deployments/{deployment}"),
            _ => format!("{}: {symptom}", told.name),
        }
    }

    /// An incident takes its course.
    fn course(&mut self, incident: IncidentKey, at: Timestamp, mended_after: Span) {
        let seen_after = self.random.around(Span::from_minutes(4));
        if seen_after < mended_after {
            self.after(at, seen_after, Event::Acknowledge(incident));
        }
        self.after(at, mended_after, Event::Resolve(incident));
        if self.random.chance(NOT_OVER) {
            let again_after = Span::from_millis(mended_after.millis() + Span::from_minutes(12).millis());
            self.after(at, again_after, Event::Reopen(incident));
        }
        if self.random.chance(TWICE) {
            self.after(at, Span::from_minutes(3), Event::Duplicate(incident));
        }
    }

    pub(super) fn reopen(&mut self, world: &mut World, incident: IncidentKey, at: Timestamp) {
        world.reopen_incident(incident, at);
        let wait = self.random.around(Span::from_minutes(30));
        self.after(at, wait, Event::Resolve(incident));
    }

    /// The same thing rings twice, and somebody merges the two.
    pub(super) fn duplicate(world: &mut World, incident: IncidentKey, at: Timestamp) {
        let Some(first) = world.incident(incident).cloned() else {
            return;
        };
        let second = world.open_incident(first.service, &format!("{} (again)", first.title), at);
        world.merge_incident(second, incident, at);
    }

    /// What rings without a deployment being to blame.
    pub(super) fn noise(&mut self, world: &mut World, service: ServiceKey, at: Timestamp) {
        let symptom = self.random.word(&words::SYMPTOMS);
        let title = if self.random.chance(40) { format!("Drill: {symptom}") } else { symptom.to_owned() };
        let incident = world.open_incident(service, &title, at);
        let low = self.random.chance(LOW_URGENCY);
        let priority = self.random.word(&words::PRIORITIES);
        world.edit_incident(incident, at, |incident| {
            if low {
                incident.urgency = Urgency::Low;
            } else {
                incident.priority = Some(priority.to_owned());
            }
        });
        let mended_after = self.random.around(Span::from_minutes(50));
        self.course(incident, at, mended_after);
    }

    /// Teams without a service write an issue.
    fn issue_as_incident(
        &mut self,
        world: &mut World,
        place: usize,
        habits: &Habits,
        at: Timestamp,
        mended_after: Span,
    ) {
        let Some(told) = self.told.get(place) else { return };
        let symptom = self.random.word(&words::SYMPTOMS);
        let severity = ["sev-1", "sev-2", "sev-3"];
        let title = format!("{}: {symptom}", habits.team);
        let issue = world.open_issue(told.key, &title, &["incident", self.random.word(&severity)], at);
        self.closings += 1;
        let reason = match self.closings % 8 {
            0 => StateReason::NotPlanned,
            1 => StateReason::Duplicate,
            _ => StateReason::Completed,
        };
        self.after(at, mended_after, Event::CloseIssue(issue, reason));
    }

    /// An ordinary issue, or an incident in a repository that uses issues for these.
    pub(super) fn issue(&mut self, world: &mut World, place: usize, at: Timestamp) {
        let Some(told) = self.told.get(place) else { return };
        let habits = told.habits;
        let wait = self.random.around(Span::from_hours(30));
        if told.service.is_none() && told.role == Role::Service && self.random.chance(300) {
            self.issue_as_incident(world, place, habits, at, wait);
            return;
        }
        let title = format!("{} {}", self.random.word(&words::VERBS), self.random.word(&words::THINGS));
        let issue = world.open_issue(told.key, &title, &["bug"], at);
        self.after(at, wait, Event::CloseIssue(issue, StateReason::Completed));
    }
}
