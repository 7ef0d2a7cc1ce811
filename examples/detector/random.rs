//! Chance, repeatable: `SplitMix64` and the few distributions that a team's history is made of.

use statrs::distribution::{ContinuousCDF as _, Gamma, Normal};

/// A stream of numbers that follows from its seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In (0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
    pub(crate) const fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    pub(crate) const fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = ((-2.0 * self.unit().ln()).sqrt(), std::f64::consts::TAU * self.unit());
        radius * angle.cos()
    }

    /// Waiting times are summed up, so that any mean will do.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        let mut count = 0;
        let mut waited = -self.unit().ln();
        while waited < mean {
            count += 1;
            waited -= self.unit().ln();
        }
        count
    }
}

/// A walk of standard normal numbers of which neighbours are alike.
#[derive(Debug)]
pub(crate) struct Walk {
    likeness: f64,
    at: f64,
}

impl Walk {
    pub(crate) fn new(likeness: f64, random: &mut Random) -> Self {
        Self { likeness, at: random.normal() }
    }

    pub(crate) fn next(&mut self, random: &mut Random) -> f64 {
        self.at = self.likeness * self.at + (1.0 - self.likeness * self.likeness).sqrt() * random.normal();
        self.at
    }
}

/// Gamma-distributed around 1 with this variance, from a standard normal number.
pub(crate) fn gamma_around_one(variance: f64, normal: f64) -> f64 {
    if variance < 1e-6 {
        return 1.0;
    }
    let shape = 1.0 / variance;
    let gamma = Gamma::new(shape, shape);
    gamma.map_or(1.0, |gamma| gamma.inverse_cdf(Normal::standard().cdf(normal).clamp(1e-9, 1.0 - 1e-9)))
}
