//! How surprising a number is against its baseline, in standard normal units: above 0 is more than expected
//! (`regressions.md` 3.3).

use statrs::distribution::{Binomial, ContinuousCDF as _, Discrete as _, DiscreteCDF as _, Normal};
use statrs::function::factorial::ln_binomial;

use crate::engine::count::real;

/// Below which a probability is not told apart: the tables of the distributions end there.
const PROBABILITY_MIN: f64 = 1e-300;
/// A term of a sum that adds nothing any more.
const NEGLIGIBLE: f64 = 1e-18;
/// How many terms of a tail are summed: far more than any tail of a team's counts has.
const TERMS_MAX: u32 = 1_000_000;

/// The two mid-p tails of a count: each has half of the probability of what was seen, so that they add up to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tails {
    /// Of as many or more.
    pub upper: f64,
    /// Of as many or fewer.
    pub lower: f64,
}

impl Tails {
    /// In standard normal units: Φ⁻¹(1 − upper), taken from the smaller tail, which alone is precise.
    pub fn z(self) -> f64 {
        if self.upper <= self.lower { -quantile(self.upper) } else { quantile(self.lower) }
    }
}

/// Φ⁻¹, of a probability kept away from 0 and 1.
pub fn quantile(probability: f64) -> f64 {
    if probability.is_nan() {
        return 0.0;
    }
    Normal::standard().inverse_cdf(probability.clamp(PROBABILITY_MIN, 1.0 - f64::EPSILON))
}

/// Φ.
pub fn probability(z: f64) -> f64 {
    if z.is_nan() { 0.5 } else { Normal::standard().cdf(z) }
}

/// The tails of `count` of `trials`, each of which has this `chance`.
pub fn binomial(count: u64, trials: u64, chance: f64) -> Tails {
    let Ok(distribution) = Binomial::new(chance, trials) else {
        return Tails { upper: 0.5, lower: 0.5 };
    };
    let half = distribution.pmf(count) / 2.0;
    let below = count.checked_sub(1).map_or(0.0, |below| distribution.cdf(below));
    Tails { upper: distribution.sf(count) + half, lower: below + half }
}

/// Drawing some of many without putting back.
#[derive(Debug, Clone, Copy)]
struct Urn {
    all: u64,
    marked: u64,
    drawn: u64,
}

impl Urn {
    fn lowest(self) -> u64 {
        (self.marked + self.drawn).saturating_sub(self.all)
    }

    fn highest(self) -> u64 {
        self.marked.min(self.drawn)
    }

    fn probability(self, count: u64) -> f64 {
        let (unmarked, rest) = (self.all - self.marked, self.drawn - count);
        (ln_binomial(self.marked, count) + ln_binomial(unmarked, rest) - ln_binomial(self.all, self.drawn))
            .exp()
    }

    /// The probability of `count + 1` as a multiple of that of `count`.
    fn step(self, count: u64) -> f64 {
        let up = real(self.marked - count) * real(self.drawn - count);
        up / (real(count + 1) * real((self.all + count + 1).saturating_sub(self.marked + self.drawn)))
    }

    /// The sum of all above `count`.
    fn above(self, count: u64) -> f64 {
        let mut term = self.probability(count);
        let mut sum = 0.0;
        for (_, at) in (0..TERMS_MAX).zip(count..self.highest()) {
            let step = self.step(at);
            term *= step;
            sum += term;
            if step < 1.0 && term < sum * NEGLIGIBLE {
                break;
            }
        }
        sum
    }

    /// The same urn, asked for those that are not marked.
    fn mirrored(self) -> Self {
        Self { marked: self.all - self.marked, ..self }
    }
}

/// The tails of `f1` of `n1`, when `f0` of `n0` others have the property too (hypergeometric). Parts are cut to their
/// wholes.
pub fn hypergeometric((f1, n1): (u64, u64), (f0, n0): (u64, u64)) -> Tails {
    let (f1, f0) = (f1.min(n1), f0.min(n0));
    let urn = Urn { all: n1 + n0, marked: f1 + f0, drawn: n1 };
    if urn.lowest() >= urn.highest() {
        return Tails { upper: 0.5, lower: 0.5 };
    }
    let half = urn.probability(f1) / 2.0;
    Tails { upper: (urn.above(f1) + half).min(1.0), lower: (urn.mirrored().above(n1 - f1) + half).min(1.0) }
}
