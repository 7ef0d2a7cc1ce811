//! The example organisation keeps moving: a few things happen at every step.

use super::generate::Teller;
use super::random::Random;
use super::world::World;
use crate::model::time::Timestamp;

/// How much faster than life things follow from each other: minutes become seconds.
const HURRY: i64 = 60;
/// How likely, in thousandths, one more thing happens in a step.
const ONE_MORE: u32 = 350;

/// The story after the present, from a seed.
#[derive(Debug)]
pub struct Live {
    teller: Teller,
    random: Random,
}

impl Live {
    /// Goes on with a world that [`super::generate::generate`] made.
    pub fn new(world: &World, seed: u64) -> Self {
        Self { teller: Teller::new(world, seed, HURRY), random: Random::new(!seed) }
    }

    /// What happens by `now`: what followed from earlier steps, and something new, such as a pull request that is
    /// merged now and rolled out in a few seconds. To be called every few seconds.
    pub fn step(&mut self, world: &mut World, now: Timestamp) {
        world.advance(now);
        self.teller.run(world, now);
        self.teller.stir(world, now);
        if self.random.chance(ONE_MORE) {
            self.teller.stir(world, now);
        }
        self.teller.leave_traces(world);
    }
}
