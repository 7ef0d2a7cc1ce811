//! How the teams stand: looked at once a day, and again where late facts changed the past. States are a function of
//! facts and day; what is stored is only that they changed, for ever, with what was known when that was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::link::Linked;
use crate::engine::regression::compare::{Comparison, Sample};
use crate::engine::regression::detect::{Look, Transition, Watched};
use crate::engine::regression::standing;
use crate::engine::regression::suspect::Doubt;
use crate::engine::regression::tracker::Tracker;
use crate::engine::regression::watch::{self, Silences};
use crate::engine::snapshot::Snapshot;
use crate::model::batch::{Contact, CounterKey, Inventory};
use crate::model::day::Day;
use crate::model::measure::Measure;
use crate::model::name::{SourceName, TeamSlug};
use crate::model::settings::MetricSettings;
use crate::model::time::{Span, Timestamp};
use crate::model::transition::{SeenTurn, StoredTurn, Turn, Withdrawal};
use crate::store::{FactStore, StoreError};

/// So long a team's history must not have grown backwards before changes of its states are kept: while it is read for
/// the first time, its past is another one with every page.
const SETTLED_AFTER: Span = Span::from_minutes(10);
/// Why a change of a state is withdrawn.
const CORRECTED: &str = "data corrected";

/// What states are made of.
#[derive(Clone, Copy)]
pub(super) struct Facts<'f> {
    pub(super) linked: &'f Linked,
    pub(super) inventory: &'f Inventory,
    pub(super) settings: &'f MetricSettings,
    /// The newest fact of each source.
    pub(super) newest: &'f BTreeMap<SourceName, Timestamp>,
    /// The teams of which something may have changed since the last look.
    pub(super) touched: &'f BTreeSet<TeamSlug>,
    pub(super) at: Timestamp,
}

/// The looks, and the changes that are kept.
#[derive(Debug, Default)]
pub(super) struct Standings {
    tracker: Arc<Tracker>,
    turns: Arc<Vec<StoredTurn>>,
    /// The sources that said nothing at the last look.
    silences: Silences,
    /// Since when the history of each team begins on the day on which it does.
    settled: BTreeMap<TeamSlug, (Day, Timestamp)>,
    /// Teams whose changes may not all be kept yet.
    pending: BTreeSet<TeamSlug>,
}

impl Standings {
    pub(super) async fn load<F: FactStore>(store: &F) -> Result<Self, StoreError> {
        Ok(Self { turns: Arc::new(store.turns().await?), ..Self::default() })
    }

    pub(super) fn tracker(&self) -> Arc<Tracker> {
        Arc::clone(&self.tracker)
    }

    pub(super) fn turns(&self) -> Arc<Vec<StoredTurn>> {
        Arc::clone(&self.turns)
    }

    /// Looks at the teams of which something changed, at all on a new day, and keeps what changed.
    pub(super) async fn update<F: FactStore>(
        &mut self,
        store: &F,
        facts: Facts<'_>,
    ) -> Result<(), StoreError> {
        let Facts { linked, inventory, settings, newest, touched, at } = facts;
        let today = standing::day_of(at, settings.timezone);
        let silences = watch::silences(newest, settings, today);
        let as_before = self.tracker.newest_day() == Some(today) && self.silences == silences;
        let touched = if as_before { touched } else { &linked.teams };
        if !as_before || !touched.is_empty() {
            let teams = watch::teams(touched, linked, inventory, settings, (&silences, at));
            self.settle(&teams, &linked.teams, at);
            self.silences = silences;
            Arc::make_mut(&mut self.tracker).update_touched(teams, &linked.teams, today);
        }
        self.reconcile(store, settings, at).await
    }

    /// Notes since when the histories of these teams begin when they do. What left is forgotten.
    fn settle(&mut self, teams: &BTreeMap<TeamSlug, Watched>, all: &BTreeSet<TeamSlug>, at: Timestamp) {
        self.settled.retain(|team, _| all.contains(team));
        self.pending.retain(|team| all.contains(team));
        for (team, watched) in teams {
            let begin = watched.series.since;
            let known = self.settled.get(team).filter(|(day, _)| *day == begin);
            let since = known.map_or(at, |(_, since)| *since);
            self.settled.insert(team.clone(), (begin, since));
            self.pending.insert(team.clone());
        }
    }

    /// Keeps what is new, and withdraws what the past, looked at again, has no more. Teams that left the configuration
    /// are not looked at, and what was seen of them stays as it is.
    async fn reconcile<F: FactStore>(
        &mut self,
        store: &F,
        settings: &MetricSettings,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let ripe = self.pending.iter().filter(|team| {
            self.settled.get(*team).is_some_and(|(_, since)| at.since(*since) >= SETTLED_AFTER)
        });
        let ripe: BTreeSet<TeamSlug> = ripe.cloned().collect();
        if ripe.is_empty() {
            return Ok(());
        }
        let mut known: BTreeMap<&TeamSlug, Known<'_>> = BTreeMap::new();
        for stored in self.turns.iter().filter(|stored| ripe.contains(&stored.seen.turn.team)) {
            let known = known.entry(&stored.seen.turn.team).or_default();
            let day = Day::of(stored.seen.recorded_at, settings.timezone);
            known.first_look = Some(known.first_look.map_or(day, |first| first.min(day)));
            if stored.withdrawn.is_none() {
                known.standing.insert(&stored.seen.turn, stored.id);
            }
        }
        let (mut seen, mut withdrawn) = (Vec::new(), Vec::new());
        for team in &ripe {
            let mut known = known.remove(team).unwrap_or_default();
            let first_look = known.first_look.unwrap_or_else(|| Day::of(at, settings.timezone));
            let transitions = self.tracker.transitions(team);
            let fresh = transitions.filter(|found| known.standing.remove(&turn(team, *found)).is_none());
            let fresh: Vec<Transition> = fresh.collect();
            seen.extend(self.seen(team, &fresh, first_look, at));
            withdrawn.extend(known.standing.into_values());
        }
        if !seen.is_empty() || !withdrawn.is_empty() {
            tell(&self.turns, &seen, &withdrawn);
            let withdrawal = Withdrawal { at, reason: CORRECTED.to_owned() };
            let withdrawn = withdrawn.into_iter().map(|id| (id, withdrawal.clone())).collect();
            store.record_turns(seen, withdrawn).await?;
            self.turns = Arc::new(store.turns().await?);
        }
        self.pending.retain(|team| !ripe.contains(team));
        Ok(())
    }

    fn seen(&self, team: &TeamSlug, fresh: &[Transition], first_look: Day, at: Timestamp) -> Vec<SeenTurn> {
        let wanted: BTreeSet<(Measure, Day)> = fresh.iter().map(|found| (found.measure, found.day)).collect();
        let looks = self.tracker.looks(team, &wanted);
        let of = |found: &Transition| {
            looks.iter().find(|look| look.measure == found.measure && look.day == found.day)
        };
        let seen = fresh.iter().map(|found| SeenTurn {
            turn: turn(team, *found),
            evidence: of(found).map_or(Value::Null, evidence).to_string(),
            recorded_at: at,
            contact: if found.day < first_look { Contact::First } else { Contact::Live },
        });
        seen.collect()
    }

    /// Puts how the teams stand into a snapshot of the same facts.
    pub(super) fn show(&self, snapshot: &mut Snapshot, settings: &MetricSettings) {
        for team in self.tracker.teams() {
            let standings = self.tracker.standings(team);
            snapshot.standings.extend(standings.map(|(measure, found)| ((team.clone(), measure), found)));
        }
        if self.tracker.newest_day().is_some() {
            let sensitivity = settings.regressions.sensitivity;
            let of = |measure: Measure| (measure, measure.thresholds(sensitivity));
            snapshot.thresholds = Measure::ALL.into_iter().map(of).collect();
        }
    }

    /// `dora_team_state_transitions_total`: what was seen since the first look at the team, withdrawn or not.
    pub(super) fn counters(&self) -> Vec<(CounterKey, f64)> {
        let mut counts: BTreeMap<CounterKey, f64> = BTreeMap::new();
        for SeenTurn { turn, contact, .. } in self.turns.iter().map(|stored| &stored.seen) {
            match contact {
                Contact::First => {}
                Contact::Live => {
                    let labels =
                        vec![turn.team.to_string(), turn.measure.label().to_owned(), turn.to.clone()];
                    let name = "dora_team_state_transitions_total".to_owned();
                    *counts.entry(CounterKey { name, labels }).or_default() += 1.0;
                }
            }
        }
        counts.into_iter().collect()
    }
}

/// What is kept of a team.
#[derive(Default)]
struct Known<'t> {
    first_look: Option<Day>,
    standing: BTreeMap<&'t Turn, u64>,
}

fn turn(team: &TeamSlug, found: Transition) -> Turn {
    let Transition { measure, day, from, to } = found;
    Turn { team: team.clone(), measure, day, from: from.label().to_owned(), to: to.label().to_owned() }
}

/// Into the log: what is seen with its evidence, what was history already more quietly, and what is withdrawn.
fn tell(known: &[StoredTurn], seen: &[SeenTurn], withdrawn: &[u64]) {
    for SeenTurn { turn: Turn { team, measure, day, from, to }, evidence, recorded_at: _, contact } in seen {
        let measure = measure.label();
        match contact {
            Contact::Live => {
                tracing::info!(%team, measure, %day, from, to, evidence, "a team's state changed");
            }
            Contact::First => {
                tracing::debug!(%team, measure, %day, from, to, evidence, "a team's state had changed");
            }
        }
    }
    for stored in known.iter().filter(|stored| withdrawn.contains(&stored.id)) {
        let Turn { team, measure, day, from, to } = &stored.seen.turn;
        let measure = measure.label();
        tracing::info!(%team, measure, %day, from, to, "a change of a team's state is withdrawn: {CORRECTED}");
    }
}

/// What a look was made of, as it is kept and logged.
fn evidence(look: &Look) -> Value {
    let Look { measure, day, state, since: _, previous: _, score, evidence, raw, frozen, doubt } = look;
    let sample =
        |Sample { n, part, exposure }: &Sample| json!({ "n": n, "part": part, "exposure_days": exposure });
    let comparison = evidence.as_ref().map(|found| {
        let Comparison { recent, baseline, now, before, ratio, usual, z, dispersion, worse: _, better: _ } =
            found;
        json!({
            "window": { "from": recent.start.to_string(), "to": recent.end.minus(1).to_string() },
            "baseline": { "from": baseline.start.to_string(), "to": baseline.end.minus(1).to_string() },
            "recent": sample(now),
            "before": sample(before),
            "ratio": ratio,
            "usual": usual,
            "z": z,
            "dispersion": dispersion,
        })
    });
    json!({
        "measure": measure.label(),
        "day": day.to_string(),
        "state": state.label(),
        "worse": score.map(|score| score.worse),
        "better": score.map(|score| score.better),
        "raw": raw,
        "frozen": frozen.map(|day| day.to_string()),
        "doubt": doubt.map(Doubt::label),
        "comparison": comparison,
    })
}
