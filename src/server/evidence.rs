//! The evidence for a look, put together from the looks and the facts: one structure for the JSON and for the page.

use std::ops::Range;

use serde_json::{Value, json};

use crate::engine::exposure::Calendar;
use crate::engine::regression::compare::{Comparison, Sample};
use crate::engine::regression::detect::{Acceptance, Look};
use crate::engine::regression::explain::{Clears, Explanation};
use crate::engine::regression::pointers::{Pointer, WeekFacts, of_week};
use crate::engine::regression::standing::baseline;
use crate::engine::regression::suspect::Doubt;
use crate::engine::regression::threshold::Thresholds;
use crate::exposition::Background;
use crate::model::day::Day;
use crate::model::measure::Measure;
use crate::model::name::TeamSlug;
use crate::model::transition::StoredTurn;

/// A look with everything that it is made of.
pub(super) struct Evidence {
    pub(super) team: TeamSlug,
    pub(super) look: Look,
    /// The first day of the team's history.
    pub(super) since: Day,
    /// Absent where there was too little to look at.
    pub(super) explained: Option<Explanation>,
    /// What happened in each of the weeks that are named.
    pub(super) facts: Vec<WeekFacts>,
    pub(super) thresholds: Thresholds,
    /// The team's days, cut to those that matter for this look.
    pub(super) calendar: Calendar,
    /// Days that were not completely collected.
    pub(super) blind: Vec<Day>,
    /// What owners declared, in force on the day of the look.
    pub(super) accepted: Vec<Acceptance>,
    /// What was seen of this measure, the newest first.
    pub(super) turns: Vec<StoredTurn>,
}

/// The evidence for the look at a measure of a team on a day; `None` if it was not looked on.
pub(super) fn of(background: &Background, team: &TeamSlug, measure: Measure, day: Day) -> Option<Evidence> {
    let Background { tracker, turns, linked, settings } = background;
    let look = tracker.look(team, measure, day)?;
    let watched = tracker.watched(team)?;
    let explained = tracker.explain(team, &look);
    let at = day.begin(watched.calendar.timezone);
    let weeks = explained.iter().flat_map(|explained| &explained.weeks);
    let facts = weeks.map(|week| of_week(linked, settings, (team, measure), &week.days, at)).collect();
    let seen = explained.as_ref().map_or(watched.series.since..day, |explained| {
        explained.comparison.baseline.start..explained.comparison.recent.end
    });
    let own = |stored: &&StoredTurn| stored.seen.turn.team == *team && stored.seen.turn.measure == measure;
    let mut turns: Vec<_> = turns.iter().filter(own).cloned().collect();
    turns.sort_by_key(|stored| std::cmp::Reverse((stored.seen.turn.day, stored.id)));
    let accepted = watched.settings.accepted.iter();
    let accepted = accepted.filter(|accepted| accepted.measure == measure && accepted.from <= day);
    Some(Evidence {
        team: team.clone(),
        since: watched.series.since,
        facts,
        thresholds: watched.settings.thresholds(measure),
        calendar: within(&watched.calendar, &seen),
        blind: watched.series.blind.range(seen).copied().collect(),
        accepted: accepted.cloned().collect(),
        turns,
        explained,
        look,
    })
}

fn within(calendar: &Calendar, days: &Range<Day>) -> Calendar {
    let quiet = calendar.quiet.iter().filter(|quiet| quiet.from < days.end && quiet.to >= days.start);
    Calendar {
        timezone: calendar.timezone,
        closed: calendar.closed.range(days.clone()).copied().collect(),
        quiet: quiet.copied().collect(),
    }
}

impl Evidence {
    /// The recent value and the baseline, in the unit of the measure's metric.
    pub(super) fn values(&self) -> Option<(f64, f64)> {
        let found = &self.explained.as_ref()?.comparison;
        let measure = self.look.measure;
        let before = baseline(measure, found);
        let Comparison { recent, now, ratio, .. } = found;
        let count = |count: u64| u32::try_from(count).map_or(f64::MAX, f64::from);
        let now = match measure {
            Measure::DeploymentsPerDay | Measure::IncidentsPerDay => {
                count(now.n) / count(recent.end.since(recent.start).max(1).unsigned_abs())
            }
            Measure::ChangeFailRatio | Measure::ReworkRatio => count(now.part) / count(now.n.max(1)),
            // Of times, the ratio is that of the medians.
            Measure::LeadTime | Measure::RecoveryTime => before * ratio,
        };
        Some((now, before))
    }

    /// Recent to baseline; of times, the median of all ratios of a recent to a former one.
    pub(super) fn ratio(&self) -> Option<f64> {
        let explained = self.explained.as_ref()?;
        Some(explained.shift.unwrap_or(explained.comparison.ratio))
    }

    /// The value at which the difference does not matter any more, in the unit of the measure's metric.
    pub(super) fn clears_at(&self) -> Option<f64> {
        let Explanation { comparison, clears: Clears { value, .. }, .. } = self.explained.as_ref()?;
        let scaled = Comparison { usual: *value, ..comparison.clone() };
        Some(baseline(self.look.measure, &scaled))
    }
}

/// What the values of a measure are given in.
pub(super) const fn unit(measure: Measure) -> &'static str {
    match measure {
        Measure::DeploymentsPerDay | Measure::IncidentsPerDay => "per_day",
        Measure::ChangeFailRatio | Measure::ReworkRatio => "ratio",
        Measure::LeadTime | Measure::RecoveryTime => "seconds",
    }
}

/// As JSON. Days are dates, ranges of them inclusive; what is unknown is null.
pub(super) fn json(evidence: &Evidence) -> Value {
    let Evidence { team, look, since, explained, facts, thresholds, calendar, blind, accepted, turns } =
        evidence;
    let Thresholds { watch, regressed, clear } = thresholds;
    let day = |day: &Day| day.to_string();
    let values = evidence.values();
    json!({
        "team": team.as_str(),
        "measure": look.measure.label(),
        "unit": unit(look.measure),
        "at": look.day.to_string(),
        "state": look.state.label(),
        "since": look.since.to_string(),
        "history_since": since.to_string(),
        "evidence": look.score.map(|score| score.worse),
        "evidence_better": look.score.map(|score| score.better),
        "thresholds": { "watch": watch, "regressed": regressed, "clear": clear },
        "value": values.map(|(now, _)| now),
        "baseline_value": values.map(|(_, before)| before),
        "ratio": evidence.ratio(),
        "ratio_lower": explained.as_ref().and_then(|found| found.ratio).map(|ratio| ratio.lower),
        "ratio_upper": explained.as_ref().and_then(|found| found.ratio).map(|ratio| ratio.upper),
        "comparison": explained.as_ref().map(|found| comparison(&found.comparison)),
        "baseline_frozen_on": look.frozen.as_ref().map(day),
        "doubt": look.doubt.map(doubt),
        "calendar": {
            "timezone": calendar.timezone.name(),
            "closed": calendar.closed.iter().map(day).collect::<Vec<_>>(),
            "quiet": calendar.quiet.iter().map(|quiet| json!({
                "from": day(&quiet.from), "to": day(&quiet.to), "factor": quiet.factor,
            })).collect::<Vec<_>>(),
            "blind": blind.iter().map(day).collect::<Vec<_>>(),
        },
        "accepted": accepted.iter().map(|accepted| json!({
            "from": day(&accepted.from), "reason": accepted.reason,
        })).collect::<Vec<_>>(),
        "weeks": explained.as_ref().map(|found| found.weeks.iter().zip(facts).map(|(week, facts)| json!({
            "from": day(&week.days.start),
            "to": day(&week.days.end.minus(1)),
            "n": week.n,
            "pull": week.pull,
            "facts": facts.named.iter().map(pointer).collect::<Vec<_>>(),
            "facts_left_out": facts.left_out,
        })).collect::<Vec<_>>()),
        "clears": explained.as_ref().map(|found| json!({
            "evidence_below": found.clears.score_below,
            "looks": found.clears.looks,
            "value": evidence.clears_at(),
        })),
        "transitions": turns.iter().map(turn).collect::<Vec<_>>(),
    })
}

fn comparison(found: &Comparison) -> Value {
    let Comparison { recent, baseline, now, before, ratio, usual, z, dispersion, worse, better } = found;
    let sample =
        |Sample { n, part, exposure }: &Sample| json!({ "n": n, "part": part, "exposure_days": exposure });
    let days = |days: &Range<Day>| {
        json!({
            "from": days.start.to_string(),
            "to": days.end.minus(1).to_string(),
            "days": days.end.since(days.start),
        })
    };
    json!({
        "window": days(recent),
        "baseline": days(baseline),
        "recent": sample(now),
        "before": sample(before),
        "ratio": ratio,
        "usual": usual,
        "z": z,
        "dispersion": dispersion,
        "matters_for_the_worse": worse,
        "matters_for_the_better": better,
    })
}

fn doubt(doubt: Doubt) -> Value {
    let reason = doubt.label();
    match doubt {
        Doubt::Blind { days, of } => json!({ "reason": reason, "blind_days": days, "of_days": of }),
        Doubt::Discovery { deployments, merges } => {
            json!({ "reason": reason, "deployments_ratio": deployments, "merges_ratio": merges })
        }
        Doubt::Linkage { now, before } => {
            json!({ "reason": reason, "linked_ratio": now, "linked_ratio_before": before })
        }
    }
}

fn pointer(pointer: &Pointer) -> Value {
    let Pointer { at, what, title, url, took } = pointer;
    json!({
        "at": at.to_string(),
        "kind": what.label(),
        "title": title,
        "url": url,
        "seconds": took.map(crate::model::time::Span::seconds),
    })
}

fn turn(stored: &StoredTurn) -> Value {
    let seen = &stored.seen;
    let withdrawn = stored.withdrawn.as_ref();
    json!({
        "day": seen.turn.day.to_string(),
        "from": seen.turn.from,
        "to": seen.turn.to,
        "recorded_at": seen.recorded_at.to_string(),
        "withdrawn_at": withdrawn.map(|withdrawal| withdrawal.at.to_string()),
        "reason": withdrawn.map(|withdrawal| withdrawal.reason.as_str()),
        "evidence": serde_json::from_str::<Value>(&seen.evidence).unwrap_or(Value::Null),
    })
}
