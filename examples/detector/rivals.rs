//! What is usually done instead, on the same histories: the last 30 days against the 30 before, and individuals charts
//! (`XmR`) of weekly values.

use sextant::engine::exposure::Calendar;
use sextant::engine::regression::headline::Headlines;
use sextant::model::day::Day;
use sextant::model::measure::Measure;

use crate::world::World;

const MONTH: i64 = 30;
/// By how much a month must be worse than the one before it.
const WORSE: f64 = 1.2;
/// After how many days without it an alarm is over: as kind to it as to the detector.
const QUIET: u32 = 7;
/// How many weeks a chart's limits come from.
const CHART_WEEKS: usize = 26;
/// Of how many weeks on end on the bad side of the mean a chart speaks.
const RUN: usize = 8;
/// Half of the width of a chart, in mean moving ranges.
const LIMIT: f64 = 2.66;

/// When an alarm begins, by measure: the day from the begin of the history.
pub(crate) type Alarms = Vec<(Measure, i64)>;

fn is_worse(measure: Measure, now: f64, before: f64) -> bool {
    if measure.less_is_worse() { now * WORSE < before } else { now > before * WORSE }
}

/// Each day on which the last 30 days begin to be more than 20 % worse than the 30 before.
pub(crate) fn months(world: &World, begin: Day, days: i64) -> Alarms {
    let headlines = Headlines::new(&world.series, &world.calendar, begin.plus(days));
    let mut alarms = Vec::new();
    for measure in Measure::ALL {
        let mut quiet = QUIET;
        for offset in 2 * MONTH..days {
            let now = headlines.on(measure, begin.plus(offset), MONTH).value;
            let before = headlines.on(measure, begin.plus(offset - MONTH), MONTH).value;
            let worse = now.zip(before).is_some_and(|(now, before)| is_worse(measure, now, before));
            if worse && quiet >= QUIET {
                alarms.push((measure, offset));
            }
            quiet = if worse { 0 } else { quiet + 1 };
        }
    }
    alarms
}

/// Each week in which a chart begins to speak.
pub(crate) fn charts(world: &World, begin: Day, days: i64) -> Alarms {
    let headlines = Headlines::new(&world.series, &Calendar::default(), begin.plus(days));
    let mut alarms = Vec::new();
    for measure in Measure::ALL {
        let weeks: Vec<(i64, f64)> = (1..days / 7)
            .filter_map(|week| Some((week * 7, headlines.on(measure, begin.plus(week * 7), 7).value?)))
            .collect();
        let mut on = false;
        let mut run = 0;
        for window in weeks.windows(CHART_WEEKS + 1) {
            let Some(((offset, value), before)) = window.split_last() else { continue };
            let speaks = signal(measure, *value, before, &mut run);
            if speaks && !on {
                alarms.push((measure, *offset));
            }
            on = speaks;
        }
    }
    alarms
}

#[expect(clippy::cast_precision_loss, reason = "26 weeks")]
fn signal(measure: Measure, value: f64, before: &[(i64, f64)], run: &mut usize) -> bool {
    let mean = before.iter().map(|(_, value)| value).sum::<f64>() / before.len() as f64;
    let moves = before.windows(2).filter_map(|pair| match pair {
        [(_, a), (_, b)] => Some((a - b).abs()),
        _ => None,
    });
    let range = moves.sum::<f64>() / (before.len() - 1) as f64;
    let off = if measure.less_is_worse() { mean - value } else { value - mean };
    *run = if off > 0.0 { *run + 1 } else { 0 };
    off > LIMIT * range || *run >= RUN
}
