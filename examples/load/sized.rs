//! A world of any size, on a clock that is moved: what the first sync, an idle hour and one change cost.

use std::time::Duration;

use sextant::demo::generate::sized::{Size, sized};
use sextant::model::time::Span;

use crate::stage::{Asked, Side, Stage, present};
use crate::{Failure, Load, asked, mebibytes, millis, repositories as repositories_of, row};

/// Between two cycles: the default of `poll_interval`.
const APART: Span = Span::from_minutes(1);
/// Cycles of an idle hour.
const CYCLES: u32 = 60;
/// Polls of a first sync.
const POLLS_MAX: u32 = 600;
/// Cycles before what is asked has settled: what is quiet is found to be.
const SETTLING: u32 = 3;

/// How large, as the arguments say.
pub(crate) struct Asking {
    pub(crate) repositories: usize,
    pub(crate) organizations: usize,
    /// The share of the repositories that are worked on, from 0 to 1; 0: hardly any history at all.
    pub(crate) active_per_mille: u32,
    pub(crate) latency: Duration,
}

impl Load {
    /// The table of a world of this size.
    pub(crate) fn tell_sized(&self, asking: &Asking) -> Result<(), Failure> {
        let Asking { repositories, organizations, active_per_mille, latency } = *asking;
        let extent = match active_per_mille {
            0 => Size { organizations, ..Size::bare(repositories) },
            active_per_mille => Size {
                organizations,
                repositories,
                teams: (repositories / 10).max(organizations),
                active_per_mille,
                ..Size::M
            },
        };
        let days = extent.days;
        let world = sized(self.arguments.seed, present(), &extent);
        let stage = self.runtime.block_on(Stage::set_sized(world, &extent, latency))?;
        let mut side = stage.side("steps")?;
        side.hear()?;
        println!("| {repositories} repositories of {organizations}, {days} days | target | measured |");
        println!("| --- | --- | --- |");
        let before = stage.asked();
        let mut synced = side.cycle()?;
        // What is not finished in one poll goes on in the next.
        let mut polls = 1_u32;
        loop {
            if synced.complete || polls > POLLS_MAX {
                break;
            }
            synced = stage.moved(&mut side, APART)?.1;
            polls += 1;
        }
        let spent = stage.asked().since(before);
        row("first sync", "", format!("{}, in {polls} polls", asked(spent)));
        row("first sync: of these", "", stage.operations());
        row("first sync: the first poll", "", millis(synced.github));
        let facts = ["repository", "change", "commit", "attempt"];
        let facts = facts.map(|fact| format!("{fact} {}", synced.rows(fact)));
        row("first sync: facts", "", facts.join(", "));
        row("memory after it", "", mebibytes(side.memory_kib("VmRSS")?));
        let idle = Self::idle_hour(&stage, &mut side)?;
        let key = *repositories_of(&stage).first().ok_or("no repository deploys")?;
        let landings = stage.merge(&[key]);
        stage.deploy(key, *landings.first().ok_or("nothing was merged")?);
        let one = stage.moved(&mut side, APART)?.0;
        let usual = Asked {
            github: idle.github / u64::from(CYCLES),
            points: idle.points / u64::from(CYCLES),
            pagerduty: 0,
        };
        row("the cycle that finds one merged pull request and its deployment", "", asked(one));
        row("an idle cycle beside it, on average", "", asked(usual));
        side.end()
    }

    fn idle_hour(stage: &Stage, side: &mut Side) -> Result<Asked, Failure> {
        for _ in 0..SETTLING {
            stage.moved(side, APART)?;
        }
        let before = stage.asked();
        let mut most = 0;
        for _ in 0..CYCLES {
            most = most.max(stage.moved(side, APART)?.0.points);
        }
        let hour = stage.asked().since(before);
        row(format!("an idle hour of {CYCLES} cycles"), "≤ 5,000 points", asked(hour));
        row("the dearest of them", "", format!("{most} points"));
        Ok(hour)
    }
}
