//! Where a commit is among all those of a repository.

use crate::model::name::{CommitId, CommitPrefix};

/// A commit's place in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(u32);

impl Node {
    /// In the place of a parent that is not known, and of a deployment that there is not.
    pub(super) const NONE: u32 = u32::MAX;

    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// As it is kept in columns.
    pub(super) const fn number(self) -> u32 {
        self.0
    }

    /// From a column, where it is not [`Self::NONE`].
    pub(super) const fn of(number: u32) -> Self {
        Self(number)
    }

    /// From an index; beyond four billion commits there is no graph to speak of.
    pub(super) fn at(index: usize) -> Self {
        Self(narrow(index))
    }
}

/// An index as it is kept in columns.
pub(super) fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(Node::NONE)
}

/// Sorted commits with a table of where each beginning starts, so that finding one takes the same time among ten and
/// among a million: SHA-1 is uniform.
#[derive(Debug, Default)]
pub struct CommitIndex {
    ids: Vec<CommitId>,
    starts: Vec<u32>,
    shift: u32,
}

impl CommitIndex {
    /// At most so many bits of a commit choose its place in the table: 64 MiB of table.
    const BITS_MAX: u32 = 24;

    /// Of commits that are sorted and distinct.
    pub(super) fn new(ids: Vec<CommitId>) -> Self {
        let bits = ids.len().checked_ilog2().unwrap_or(0).clamp(1, Self::BITS_MAX);
        let shift = u32::BITS - bits;
        let buckets = 1_u32 << bits;
        let mut starts = Vec::with_capacity(buckets as usize + 1);
        let mut next = 0_usize;
        for bucket in 0..buckets {
            starts.push(narrow(next));
            while ids.get(next).is_some_and(|id| beginning(*id) >> shift == bucket) {
                next += 1;
            }
        }
        starts.push(narrow(ids.len()));
        Self { ids, starts, shift }
    }

    /// Where a commit is, if it is known.
    pub fn find(&self, id: CommitId) -> Option<Node> {
        let from = self.first_not_before(id);
        (self.ids.get(from) == Some(&id)).then(|| Node::at(from))
    }

    /// The commits from `low` to `high`, with their places.
    pub fn between(&self, low: CommitId, high: CommitId) -> impl Iterator<Item = (CommitId, Node)> {
        let from = self.first_not_before(low);
        let known = self.ids.get(from..).unwrap_or_default().iter().copied();
        known
            .take_while(move |id| *id <= high)
            .enumerate()
            .map(move |(offset, id)| (id, Node::at(from + offset)))
    }

    /// The commits that begin like `prefix`.
    pub fn named(&self, prefix: &CommitPrefix) -> impl Iterator<Item = (CommitId, Node)> {
        let (low, high) = prefix.bounds();
        self.between(low, high)
    }

    fn first_not_before(&self, id: CommitId) -> usize {
        let bucket = (beginning(id) >> self.shift) as usize;
        let bound = |at: usize| self.starts.get(at).map_or(self.ids.len(), |start| *start as usize);
        let (from, to) = (bound(bucket), bound(bucket + 1));
        let within = self.ids.get(from..to).unwrap_or_default();
        from + within.partition_point(|known| *known < id)
    }
}

fn beginning(id: CommitId) -> u32 {
    let [a, b, c, d, ..] = *id.bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> CommitId {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        CommitId::new(bytes)
    }

    #[test]
    fn commits_are_found_by_their_beginning() {
        let mut ids: Vec<_> = (0..300).map(id).collect();
        ids.sort();
        let index = CommitIndex::new(ids);
        for number in 0..300 {
            let text: String = id(number).to_string().chars().take(12).collect();
            let prefix = CommitPrefix::parse(&text).unwrap();
            let named: Vec<_> = index.named(&prefix).collect();
            assert_eq!(named, [(id(number), index.find(id(number)).unwrap())]);
        }
        assert_eq!(index.find(id(300)), None);
        assert_eq!(CommitIndex::new(Vec::new()).find(id(0)), None);
        assert_eq!(CommitIndex::default().find(id(0)), None);
    }
}
