//! PagerDuty: incidents, over REST v2, which knows no "updated since".
//!
//! So each poll reads what was created in the last days and what is open, and asks by its id for every incident that
//! was open and is in neither: it was resolved, or merged. Twice a day the whole history is read again, for edits of
//! what was resolved long ago; the first such sweep is the backfill. It must never take a failed page for the end of
//! a list, nor one missing answer for a deleted incident. `record` reads incidents, `days` splits the history,
//! `cursor` remembers, `client` asks.

use std::collections::HashSet;

use crate::clock::SharedClock;
use crate::http::{Bounds, Failure, Governors, Reason};
use crate::model::batch::{Batch, Contact, Coverage, Cursor};
use crate::model::dirty::Dirty;
use crate::model::fact::{Fact, Incident};
use crate::model::name::ExternalId;
use crate::model::time::Timestamp;
use crate::source::{Identity, PollError, Polled, Provider, Sink, Source};
use crate::telemetry::SourceTelemetry;

use client::{Client, End, Listed, Total};
use config::Config;
use cursor::{RECENT_DAYS, SCOPE, State};
use days::{Day, Days};

mod client;
pub mod config;
mod cursor;
mod days;
pub mod inspect;
mod record;

/// Incidents asked for by id in one poll: after an outage of ours there may be many, and the next poll is near.
const LOOKUPS_MAX: usize = 100;
/// Pages of history read in one poll before the recent past comes first again; a longer sweep goes on in the next.
const SWEEP_PAGES_MAX: usize = 200;
/// Parts that failed are all counted, but no more are told.
const PROBLEMS_MAX: usize = 20;

/// Reads the incidents of an account.
#[derive(Debug)]
pub struct Pagerduty {
    identity: Identity,
    config: Config,
    client: Client,
}

/// A poll under way.
#[derive(Debug)]
struct Reading<'a> {
    sink: &'a Sink,
    /// The cursor as it was stored last.
    stored: Option<Cursor>,
    state: State,
    problems: Vec<Failure>,
}

impl Pagerduty {
    /// A source; fails if its URL is none.
    pub fn new(
        config: Config,
        governors: &Governors,
        clock: SharedClock,
        telemetry: SourceTelemetry,
    ) -> Result<Self, Failure> {
        Self::with_bounds(config, Bounds::default(), governors, clock, telemetry)
    }

    /// A source with other bounds of its requests than the usual ones.
    pub fn with_bounds(
        config: Config,
        bounds: Bounds,
        governors: &Governors,
        clock: SharedClock,
        telemetry: SourceTelemetry,
    ) -> Result<Self, Failure> {
        Ok(Self {
            identity: Identity { name: config.name.clone(), provider: Provider::Pagerduty },
            client: Client::new(&config, bounds, governors, clock, telemetry)?,
            config,
        })
    }

    /// Reads what may have changed since the last poll, and stores it whole.
    async fn recent(&self, reading: &mut Reading<'_>, target: Day, now: Timestamp) -> Result<(), PollError> {
        let today = Day::of(now);
        let mut facts = Vec::new();
        let mut rest = Days::new(target.max(today.plus(-RECENT_DAYS)), today);
        while let Some(days) = rest {
            let (piece, listed) = self.newest(days, Total::NotAsked).await?;
            facts.extend(self.take(reading, listed, "incidents were created on a day"));
            rest = days.before(piece);
        }
        let open = self.client.open().await?;
        facts.extend(self.take(reading, open, "incidents are open"));
        let ended = self.look_up(reading, &mut facts).await;
        let contact = reading.state.contact(None);
        reading.store(facts, contact, None).await?;
        ended.map_err(PollError::Source)
    }

    /// Asks for each incident that was open and is in no list. What fails for one of them is a problem; what would
    /// fail for all ends the poll, but not before the rest is stored.
    async fn look_up(&self, reading: &mut Reading<'_>, facts: &mut Vec<Fact>) -> Result<(), Failure> {
        let listed: HashSet<&str> = facts.iter().filter_map(incident_id).collect();
        let missing = reading.state.open().filter(|id| !listed.contains(id));
        let missing: Vec<String> = missing.take(LOOKUPS_MAX).map(str::to_owned).collect();
        for id in missing {
            match self.client.incident(&id).await {
                Ok(incident) => facts.extend(self.note(reading, [incident])),
                Err(failure) => match failure.reason {
                    Reason::NotFound => {
                        if reading.state.note_not_found(&id) {
                            let source = self.config.name.clone();
                            facts.push(Fact::NoIncident(source, ExternalId::new(id)));
                        }
                    }
                    Reason::Forbidden | Reason::Malformed => reading.problem(failure),
                    Reason::Auth
                    | Reason::RateLimited
                    | Reason::Timeout
                    | Reason::Server
                    | Reason::Network => {
                        return Err(failure);
                    }
                },
            }
        }
        Ok(())
    }

    /// Goes on with the sweep of the history, if one is due, and stores it piece by piece.
    async fn sweep(&self, reading: &mut Reading<'_>, target: Day, now: Timestamp) -> Result<(), PollError> {
        let source = &self.config.name;
        let mut pages = 0;
        while let Some(days) = reading.state.sweep(source, target, now).filter(|_| pages < SWEEP_PAGES_MAX) {
            let (piece, listed) = self.newest(days, Total::Asked).await?;
            pages += listed.pages;
            let contact = reading.state.contact(Some(piece));
            let facts = self.take(reading, listed, "incidents were created on a day");
            let covered = reading.state.note_swept(piece, now);
            let covered = covered.map(|day| (Coverage::Incidents(source.clone()), day.start()));
            reading.store(facts, contact, covered).await?;
        }
        Ok(())
    }

    /// The incidents of the newest of `days`, as many days as one list can hold; of a single day, as far as it goes.
    async fn newest(&self, days: Days, mut total: Total) -> Result<(Days, Listed), Failure> {
        let mut piece = days.newest();
        let mut pages = 0;
        loop {
            let half = piece.newer_half();
            let asked = if half.is_some() { total } else { Total::NotAsked };
            let mut listed = self.client.created_on(piece, asked).await?;
            pages += listed.pages;
            listed.pages = pages;
            match half.filter(|_| listed.end == End::CutOff) {
                Some(half) => (piece, total) = (half, Total::Asked),
                None => return Ok((piece, listed)),
            }
        }
    }

    /// Notes what a list has, and what is wrong with it.
    fn take(&self, reading: &mut Reading<'_>, listed: Listed, what: &str) -> Vec<Fact> {
        let Listed { incidents, problems, end, pages: _ } = listed;
        for problem in problems {
            reading.problem(problem);
        }
        if end == End::CutOff {
            reading.problem(self.client.cut_off(what));
        }
        self.note(reading, incidents)
    }

    /// Remembers which of them are open.
    fn note(&self, reading: &mut Reading<'_>, incidents: impl IntoIterator<Item = Incident>) -> Vec<Fact> {
        let mut facts = Vec::new();
        for incident in incidents {
            if !reading.state.note(&incident) {
                reading.problem(self.client.cut_off("incidents are open"));
            }
            facts.push(Fact::Incident(incident));
        }
        facts
    }
}

impl Reading<'_> {
    /// Begins with the cursor that is stored; one that cannot be read is begun anew, which changes nothing but the
    /// number of requests.
    async fn begin(sink: &Sink) -> Result<Reading<'_>, PollError> {
        let cursors = sink.cursors().await?;
        let stored = cursors.into_iter().find(|(scope, _)| scope == SCOPE).map(|(_, cursor)| cursor);
        let state = stored.as_deref().and_then(State::parse);
        if stored.is_some() && state.is_none() {
            tracing::warn!("the cursor cannot be read; the history is read again");
        }
        Ok(Reading { sink, stored, state: state.unwrap_or_default(), problems: Vec::new() })
    }

    /// Stores facts and cursor together, if there is anything to store.
    async fn store(
        &mut self,
        facts: Vec<Fact>,
        contact: Contact,
        covered: Option<(Coverage, Timestamp)>,
    ) -> Result<(), PollError> {
        let cursor = Some(self.state.cursor());
        let moved = cursor != self.stored;
        if facts.is_empty() && covered.is_none() && !moved {
            return Ok(());
        }
        let cursors = if moved { vec![(SCOPE.to_owned(), cursor.clone())] } else { Vec::new() };
        self.sink.apply(Batch { facts, cursors, covered: covered.into_iter().collect(), contact }).await?;
        self.stored = cursor;
        Ok(())
    }

    fn problem(&mut self, failure: Failure) {
        tracing::warn!(problem = %failure, "a part of the source could not be read");
        if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(&failure) {
            self.problems.push(failure);
        }
    }
}

fn incident_id(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::Incident(incident) => Some(incident.id.as_str()),
        Fact::Repository(_)
        | Fact::Teams(..)
        | Fact::Commit(_)
        | Fact::Change(_)
        | Fact::Attempt(_)
        | Fact::NoIncident(..) => None,
    }
}

impl Source for Pagerduty {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    async fn poll(&mut self, sink: &Sink, now: Timestamp) -> Result<Polled, PollError> {
        let target = Day::of(now.minus(self.config.history));
        let mut reading = Reading::begin(sink).await?;
        self.recent(&mut reading, target, now).await?;
        self.sweep(&mut reading, target, now).await?;
        let backfill = reading.state.backfill(target);
        Ok(Polled { backfill, problems: reading.problems, ..Polled::default() })
    }

    /// There is no reading less than what a poll reads.
    async fn read_now(&mut self, _dirty: &[Dirty], sink: &Sink, now: Timestamp) -> Result<Polled, PollError> {
        self.poll(sink, now).await
    }
}
