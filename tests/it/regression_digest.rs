//! What changed this month: what is named is mostly no chance.

use proptest::prelude::*;
use sextant::engine::regression::digest::{FALSE_DISCOVERIES, changed, discoveries, surprise};

/// The fifteen comparisons of Benjamini and Hochberg (1995), of which four are discoveries at 5 %; Bonferroni finds
/// three.
const HEART_ATTACKS: [f64; 15] = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
    0.7590, 1.0,
];

fn count(found: &[bool]) -> usize {
    found.iter().filter(|found| **found).count()
}

#[test]
fn the_authors_example_has_four_discoveries() {
    let found = discoveries(&HEART_ATTACKS, 0.05);
    assert_eq!(found, [[true; 4].as_slice(), &[false; 11]].concat());
    // 0.0344 ≤ 8/15 · 0.10 although 0.0201 alone would not be below its own bound at a lower q: all up to the last
    // one that is below its bound count.
    assert_eq!(count(&discoveries(&HEART_ATTACKS, 0.10)), 9);
}

#[test]
fn a_later_one_below_its_bound_takes_those_before_it_with_it() {
    assert_eq!(discoveries(&[0.06, 0.09, 0.5], 0.10), [false; 3]);
    assert_eq!(discoveries(&[0.06, 0.06, 0.5], 0.10), [true, true, false]);
    assert_eq!(discoveries(&[], 0.10), [false; 0]);
}

#[test]
fn the_surprise_of_the_largest_of_three_windows_is_three_times_that_of_one() {
    for (raw, expected) in [(0.0, 1.0), (-3.0, 1.0), (1.959_964, 0.075), (3.0, 0.004_049_694)] {
        assert!((surprise(raw) - expected).abs() < 1e-7, "{raw}: {}", surprise(raw));
    }
    assert!(surprise(12.0) > 0.0, "far tails are not rounded to nothing");
    assert!((surprise(f64::NAN) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn of_a_normal_month_nothing_is_named_and_of_one_change_that_alone() {
    // The middles of sixty equal parts of what chance gives, of which the most surprising is none.
    let chance = [0.3, -1.1, 0.8, 1.9, -0.2, 1.2, 0.0, -2.0, 0.5, 1.4];
    let quiet: Vec<Option<f64>> = chance.iter().cycle().take(60).copied().map(Some).collect();
    assert_eq!(count(&changed(&quiet)), 0);
    let mut one = quiet;
    one[17] = Some(4.5);
    one[3] = None;
    let found = changed(&one);
    assert!(found[17] && count(&found) == 1);
}

proptest! {
    #[test]
    fn more_is_found_the_more_chance_is_put_up_with(
        probabilities in prop::collection::vec(0.0..1.0_f64, 0..40),
        q in 0.0..1.0_f64,
        less in 0.0..1.0_f64,
    ) {
        let (many, few) = (discoveries(&probabilities, q), discoveries(&probabilities, q * less));
        prop_assert!(few.iter().zip(&many).all(|(few, many)| *many || !few));
    }

    #[test]
    fn the_order_of_teams_and_those_that_cannot_be_looked_at_matter_not(
        mut looks in prop::collection::vec(prop::option::of(-4.0..8.0_f64), 1..40),
        turn in 0..40_usize,
    ) {
        let found = changed(&looks);
        let known: Vec<_> = looks.iter().flatten().copied().map(Some).collect();
        let among = changed(&known);
        let of_known = looks.iter().zip(&found).filter(|(look, _)| look.is_some()).map(|(_, found)| *found);
        prop_assert_eq!(of_known.collect::<Vec<_>>(), among);
        prop_assert!(looks.iter().zip(&found).all(|(look, found)| look.is_some() || !found));
        let turn = turn % looks.len();
        looks.rotate_left(turn);
        let mut turned = found;
        turned.rotate_left(turn);
        prop_assert_eq!(changed(&looks), turned);
    }

    #[test]
    fn what_is_named_is_less_probable_than_what_is_not(
        looks in prop::collection::vec((-4.0..8.0_f64).prop_map(Some), 1..40),
    ) {
        let found = changed(&looks);
        let pick = |named: bool| {
            looks.iter().zip(&found).filter(move |(_, found)| **found == named).filter_map(|(look, _)| *look)
        };
        let least = pick(true).fold(f64::INFINITY, f64::min);
        prop_assert!(pick(false).all(|raw| raw < least));
        // No more than one in ten is expected to be chance: none is named that alone would be.
        prop_assert!(pick(true).all(|raw| surprise(raw) <= FALSE_DISCOVERIES));
    }
}
