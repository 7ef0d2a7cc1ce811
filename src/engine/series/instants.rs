//! The instants at which one looks.

use std::sync::Arc;

use crate::model::time::{Span, Timestamp};

/// Instants, each after the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instants(Arc<[Timestamp]>);

impl Instants {
    /// One instant.
    pub fn at(at: Timestamp) -> Self {
        Self([at].into())
    }

    /// `from`, and every `step` after it, until `to` inclusive; none if `step` leads nowhere.
    pub fn range(from: Timestamp, to: Timestamp, step: Span) -> Self {
        let next = |at: &Timestamp| Some(at.plus(step)).filter(|next| next > at && *next <= to);
        std::iter::successors(Some(from).filter(|from| *from <= to), next).collect()
    }

    /// How many [`Instants::range`] would give.
    pub fn count(from: Timestamp, to: Timestamp, step: Span) -> usize {
        if to < from {
            return 0;
        }
        let steps = to.since(from).millis().checked_div(step.millis()).unwrap_or(0).max(0);
        usize::try_from(steps).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// The first one.
    pub fn first(&self) -> Option<Timestamp> {
        self.0.first().copied()
    }

    /// The last one.
    pub fn last(&self) -> Option<Timestamp> {
        self.0.last().copied()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.0.iter().copied()
    }

    /// The same as a slice.
    pub fn as_slice(&self) -> &[Timestamp] {
        &self.0
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Timestamp> for Instants {
    fn from_iter<I: IntoIterator<Item = Timestamp>>(instants: I) -> Self {
        let mut instants: Vec<_> = instants.into_iter().collect();
        instants.sort_unstable();
        instants.dedup();
        Self(instants.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_its_ends_and_as_many_as_it_counts() {
        let at = Timestamp::from_seconds;
        for (from, to, step, expected) in [
            (0, 10, 5, vec![0, 5, 10]),
            (0, 9, 5, vec![0, 5]),
            (3, 3, 5, vec![3]),
            (4, 3, 5, vec![]),
            (0, 9, 0, vec![0]),
        ] {
            let step = Span::from_seconds(step);
            let instants = Instants::range(at(from), at(to), step);
            assert_eq!(
                instants.iter().collect::<Vec<_>>(),
                expected.iter().copied().map(at).collect::<Vec<_>>()
            );
            assert_eq!(Instants::count(at(from), at(to), step), expected.len());
        }
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(Instants::range(end, end, Span::from_seconds(1)).len(), 1);
    }
}
