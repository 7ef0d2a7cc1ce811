//! Things that come and go as windows slide.

use crate::engine::series::cuts::{Cuts, Passed};
use crate::engine::series::spell::{EVER, Spell};
use crate::model::time::{Span, Timestamp};

/// A window that ends at an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// The instant.
    pub(super) at: Timestamp,
    /// Which cut it is.
    pub(super) cut: usize,
    /// Which cut the window begins with.
    pub(super) begin: usize,
    /// Which window it is, of those that are looked through.
    pub(super) window: usize,
}

/// How many things are in each of some windows, at any instant.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    /// When they come.
    comes: Passed,
    /// What a window must reach back to for them to stay; `None` where it is when they came.
    goes: Option<Passed>,
    /// By window, all others: empty if there are none.
    odd: Vec<Odd>,
}

/// Things that a window is left by at other times than those that it reaches back to.
#[derive(Debug, Clone)]
struct Odd {
    comes: Vec<(Timestamp, u32)>,
    goes: Vec<(Timestamp, u32)>,
}

/// Which things come and go for good with what the windows reach back to: what stays true, and was known before any of
/// them left it behind. Nearly all do.
#[derive(Debug, Clone, Copy)]
struct Prompt {
    shortest: Span,
}

impl Prompt {
    fn of(windows: &[Span]) -> Self {
        Self { shortest: windows.iter().min().copied().unwrap_or_default() }
    }

    fn is(self, spell: &Spell) -> bool {
        spell.until == EVER && spell.after.since(spell.within) <= self.shortest
    }
}

impl Flow {
    /// Of things through windows of these lengths.
    pub(super) fn new(cuts: &Cuts, spells: &[Spell], windows: &[Span]) -> Self {
        let prompt = Prompt::of(windows);
        let (mut comes, mut goes, mut odd) = (Passed::new(cuts), None, Vec::new());
        for (thing, spell) in (0_u32..).zip(spells) {
            if !prompt.is(spell) {
                odd.push((thing, spell));
                continue;
            }
            let place = cuts.place(spell.after);
            if spell.after != spell.within {
                // Until here they came and went with the same.
                goes.get_or_insert_with(|| comes.clone()).add(cuts.place(spell.within));
            } else if let Some(goes) = &mut goes {
                goes.add(place);
            }
            comes.add(place);
        }
        let windows = windows.iter().filter(|_| !odd.is_empty());
        Self {
            comes: comes.summed(),
            goes: goes.map(Passed::summed),
            odd: windows.map(|window| Odd::new(&odd, *window)).collect(),
        }
    }

    fn goes(&self) -> &Passed {
        self.goes.as_ref().unwrap_or(&self.comes)
    }

    /// How many are in the window.
    pub(super) fn count(&self, look: Look) -> u64 {
        let odd = self.odd.get(look.window).map_or(0, |odd| odd.count(look.at));
        let count = self.comes.before(look.cut).saturating_sub(self.goes().before(look.begin)) + odd;
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

impl Odd {
    fn new(odd: &[(u32, &Spell)], window: Span) -> Self {
        let ever = || odd.iter().filter_map(|(thing, spell)| Some((*thing, spell.over(window)?)));
        let mut comes: Vec<_> = ever().map(|(thing, (after, _))| (after, thing)).collect();
        let mut goes: Vec<_> = ever().map(|(thing, (_, through))| (through, thing)).collect();
        comes.sort_unstable();
        goes.sort_unstable();
        Self { comes, goes }
    }

    fn count(&self, at: Timestamp) -> usize {
        before(&self.comes, at).saturating_sub(before(&self.goes, at))
    }
}

fn before(sorted: &[(Timestamp, u32)], at: Timestamp) -> usize {
    sorted.partition_point(|(then, _)| *then < at)
}

/// The same things one by one.
#[derive(Debug)]
pub(super) struct Queue {
    flow: Flow,
    comes: Vec<u32>,
    goes: Option<Vec<u32>>,
}

/// How far a queue has passed through a window: how many came and went, promptly and oddly.
#[derive(Debug, Default)]
pub(super) struct Passing {
    came: [usize; 2],
    went: [usize; 2],
}

impl Queue {
    /// Of the things of a flow.
    pub(super) fn new(cuts: &Cuts, spells: &[Spell], windows: &[Span], flow: &Flow) -> Self {
        let prompt = Prompt::of(windows);
        let things = |at: fn(&Spell) -> Timestamp| {
            let prompts = (0_u32..).zip(spells).filter(move |(_, spell)| prompt.is(spell));
            prompts.map(move |(thing, spell)| (thing, at(spell)))
        };
        Self {
            comes: flow.comes.ordered(cuts, things(|spell| spell.after)),
            goes: flow.goes.as_ref().map(|goes| goes.ordered(cuts, things(|spell| spell.within))),
            flow: flow.clone(),
        }
    }

    /// The same with other names for the things.
    pub(super) fn called(&self, name: impl Fn(u32) -> u32) -> Self {
        let all = |things: &[u32]| things.iter().map(|thing| name(*thing)).collect();
        let mut flow = self.flow.clone();
        let odds = flow.odd.iter_mut().flat_map(|odd| odd.comes.iter_mut().chain(&mut odd.goes));
        odds.for_each(|(_, thing)| *thing = name(*thing));
        Self { flow, comes: all(&self.comes), goes: self.goes.as_deref().map(all) }
    }

    /// Those that have come since the last look.
    pub(super) fn coming<'q>(
        &'q self,
        passing: &mut Passing,
        look: Look,
    ) -> impl Iterator<Item = u32> + use<'q> {
        let odd = self.flow.odd.get(look.window).map(|odd| &*odd.comes).unwrap_or_default();
        let upto = [self.flow.comes.before(look.cut), before(odd, look.at)];
        since(&mut passing.came, upto, &self.comes, odd)
    }

    /// Those that have gone since the last look, of those that have come.
    pub(super) fn going<'q>(
        &'q self,
        passing: &mut Passing,
        look: Look,
    ) -> impl Iterator<Item = u32> + use<'q> {
        let odd = self.flow.odd.get(look.window).map(|odd| &*odd.goes).unwrap_or_default();
        let upto = [self.flow.goes().before(look.begin), before(odd, look.at)];
        since(&mut passing.went, upto, self.goes.as_ref().unwrap_or(&self.comes), odd)
    }
}

/// The things from where one was to where one is.
fn since<'q>(
    was: &mut [usize; 2],
    is: [usize; 2],
    things: &'q [u32],
    odd: &'q [(Timestamp, u32)],
) -> impl Iterator<Item = u32> + use<'q> {
    let ([prompt, odd_from], [upto, odd_upto]) = (std::mem::replace(was, is), is);
    let odd = odd.get(odd_from..odd_upto).unwrap_or_default();
    things.get(prompt..upto).unwrap_or_default().iter().copied().chain(odd.iter().map(|(_, thing)| *thing))
}
