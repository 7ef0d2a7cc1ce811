//! What changed this month (`regressions.md` 3.4): of all teams and measures, those that moved by more than so many
//! numbers would by chance. A digest is read once, by somebody who looks at all of it, so that what counts is how many
//! of the things that it names are chance, and not how many false alarms a team has in a year.

use crate::engine::count::{real, size};
use crate::engine::regression::compare::WINDOWS;
use crate::engine::regression::score::probability;

/// Of what a digest names, at most this share is chance.
pub const FALSE_DISCOVERIES: f64 = 0.10;

/// How probable it is that the largest z of all windows is so large by chance: as if the windows were independent.
pub fn surprise(raw: f64) -> f64 {
    if raw.is_nan() {
        return 1.0;
    }
    // 1 − Φ(z) as Φ(−z), which alone is precise.
    (real(size(&WINDOWS)) * probability(-raw)).min(1.0)
}

/// Of these probabilities, in their order, which are more than chance, if `q` of those may be chance after all
/// (Benjamini and Hochberg). NaN is none.
pub fn discoveries(probabilities: &[f64], q: f64) -> Vec<bool> {
    let mut sorted: Vec<f64> = probabilities.iter().copied().filter(|found| !found.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let all = real(size(&sorted));
    let ranked = (1_u64..).zip(&sorted);
    let bound =
        ranked.filter(|(rank, found)| **found * all <= q * real(*rank)).last().map(|(_, found)| *found);
    probabilities.iter().map(|found| bound.is_some_and(|bound| *found <= bound)).collect()
}

/// Which looks at all teams and measures of one day show more than normal variation: of each the largest z before
/// asking whether it matters ([`Look::raw`](crate::engine::regression::detect::Look::raw)), `None` where there was
/// too little to look at, which is never one.
pub fn changed(raw: &[Option<f64>]) -> Vec<bool> {
    let surprises: Vec<f64> = raw.iter().map(|raw| raw.map_or(f64::NAN, surprise)).collect();
    discoveries(&surprises, FALSE_DISCOVERIES)
}
