//! The commits of a repository as a graph: who is an ancestor of whom, and which deployment contains a commit first.
//!
//! Everything here is linear in commits and their parents, needs no recursion, and ends on any input: a parent that
//! is not known is the end of the known history, a cycle (which git cannot have) is walked once.

use std::sync::Arc;

use crate::engine::commit_index::{CommitIndex, Node, narrow};
use crate::model::fact::Commit;
use crate::model::name::CommitId;

/// The graph. A commit is in it if it is known itself, not if it is only named as somebody's parent.
#[derive(Debug)]
pub struct CommitGraph {
    index: Arc<CommitIndex>,
    /// Where the parents of each commit begin; one more than there are commits.
    parent_starts: Vec<u32>,
    /// Parents in their order, `Node::NONE` where one is not known.
    parents: Vec<u32>,
    /// The longest way down to a commit without known parents: more than any ancestor's.
    generations: Vec<u32>,
}

impl CommitGraph {
    /// Of commits sorted by id and distinct; node `n` is the `n`-th of them.
    pub fn new(commits: &[&Commit]) -> Self {
        let index = Arc::new(CommitIndex::new(commits.iter().map(|commit| commit.id).collect()));
        let mut parent_starts = Vec::with_capacity(commits.len() + 1);
        let mut parents = Vec::with_capacity(commits.len());
        for commit in commits {
            parent_starts.push(narrow(parents.len()));
            let found = commit.parents.iter().map(|parent| index.find(*parent));
            parents.extend(found.map(|node| node.map_or(Node::NONE, Node::number)));
        }
        parent_starts.push(narrow(parents.len()));
        let mut graph = Self { index, parent_starts, parents, generations: Vec::new() };
        graph.generations = graph.number_generations();
        graph
    }

    /// Where a commit is, if it is known.
    pub fn find(&self, id: CommitId) -> Option<Node> {
        self.index.find(id)
    }

    /// The first parent, if there is one and it is known.
    pub fn first_parent(&self, node: Node) -> Option<Node> {
        self.parents_of(node).first().filter(|parent| **parent != Node::NONE).map(|parent| Node::of(*parent))
    }

    /// What is needed of the graph when nobody asks for ancestors any more, for all components of the repository.
    pub fn index(&self) -> Arc<CommitIndex> {
        Arc::clone(&self.index)
    }

    /// How many commits there are.
    pub fn len(&self) -> usize {
        self.generations.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.generations.is_empty()
    }

    fn parents_of(&self, node: Node) -> &[u32] {
        let bound = |at: usize| self.parent_starts.get(at).map_or(0, |start| *start as usize);
        self.parents.get(bound(node.index())..bound(node.index() + 1)).unwrap_or_default()
    }

    fn known_parents(&self, node: Node) -> impl Iterator<Item = Node> {
        let parents = self.parents_of(node).iter().copied();
        parents.filter(|parent| *parent != Node::NONE).map(Node::of)
    }

    fn generation(&self, node: Node) -> u32 {
        self.generations.get(node.index()).copied().unwrap_or(0)
    }

    /// Walks down to commits whose parents are numbered, then up again: every commit twice, every parent twice.
    fn number_generations(&self) -> Vec<u32> {
        const NEW: u32 = 0;
        const OPEN: u32 = u32::MAX;
        let count = self.parent_starts.len().saturating_sub(1);
        let mut generations = vec![NEW; count];
        let mut stack = Vec::new();
        for root in 0..count {
            stack.push(Node::at(root));
            while let Some(&node) = stack.last() {
                let of = |node: Node, known: &[u32]| known.get(node.index()).copied().unwrap_or(OPEN);
                let now = match of(node, &generations) {
                    NEW => {
                        let parents = self.known_parents(node);
                        stack.extend(parents.filter(|parent| of(*parent, &generations) == NEW));
                        OPEN
                    }
                    // An open parent closes a cycle.
                    OPEN => {
                        stack.pop();
                        let parents = self.known_parents(node).map(|parent| of(parent, &generations));
                        1 + parents.filter(|number| *number != OPEN).max().unwrap_or(0)
                    }
                    done => {
                        stack.pop();
                        done
                    }
                };
                if let Some(generation) = generations.get_mut(node.index()) {
                    *generation = now;
                }
            }
        }
        generations
    }
}

/// Answers questions of ancestry; its marks are used again for each.
#[derive(Debug)]
pub struct Ancestry<'g> {
    graph: &'g CommitGraph,
    marks: Vec<u32>,
    mark: u32,
    stack: Vec<Node>,
}

impl<'g> Ancestry<'g> {
    /// Over a graph.
    pub fn new(graph: &'g CommitGraph) -> Self {
        Self { graph, marks: vec![0; graph.len()], mark: 0, stack: Vec::new() }
    }

    /// Whether `older` is a proper ancestor of `newer`: reached from it, and not it.
    pub fn is_proper_ancestor(&mut self, older: Node, newer: Node) -> bool {
        let bottom = self.graph.generation(older);
        if self.mark == u32::MAX {
            self.marks.fill(0);
            self.mark = 0;
        }
        self.mark += 1;
        self.stack.clear();
        self.stack.push(newer);
        while let Some(node) = self.stack.pop() {
            for parent in self.graph.known_parents(node) {
                if parent == older {
                    return older != newer;
                }
                let Some(mark) = self.marks.get_mut(parent.index()) else {
                    continue;
                };
                if *mark != self.mark && self.graph.generation(parent) > bottom {
                    *mark = self.mark;
                    self.stack.push(parent);
                }
            }
        }
        false
    }
}

/// Which deployment contains each commit first: one walk over all deployments in their order, every commit once.
#[derive(Debug)]
pub struct Containment {
    first: Vec<u32>,
}

impl Containment {
    /// Of deployments' commits, in the deployments' order; `None` where the commit is not known.
    pub fn new(graph: &CommitGraph, deployed: impl IntoIterator<Item = Option<Node>>) -> Self {
        let mut first = vec![Node::NONE; graph.len()];
        let mut stack = Vec::new();
        for (deployment, node) in deployed.into_iter().enumerate() {
            stack.extend(node);
            while let Some(node) = stack.pop() {
                if let Some(by) = first.get_mut(node.index()).filter(|by| **by == Node::NONE) {
                    *by = narrow(deployment);
                    stack.extend(graph.known_parents(node));
                }
            }
        }
        Self { first }
    }

    /// The first deployment that contains a commit.
    pub fn first(&self, node: Node) -> Option<usize> {
        let by = self.first.get(node.index()).copied();
        by.filter(|by| *by != Node::NONE).map(|by| by as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::fact::Author;
    use crate::model::name::{RepositoryId, SourceName};
    use crate::model::time::Timestamp;

    /// Commit `n` is hashed to a place far from `n − 1`.
    fn id(number: usize) -> CommitId {
        let mut bytes = [0; 20];
        let scrambled = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
        bytes[..8].copy_from_slice(&scrambled);
        CommitId::new(bytes)
    }

    fn graph(parents: &[Vec<usize>]) -> CommitGraph {
        let mut commits: Vec<Commit> = parents
            .iter()
            .enumerate()
            .map(|(number, parents)| Commit {
                paths: None,
                repository: RepositoryId { source: SourceName::new("s"), number: 1 },
                id: id(number),
                parents: parents.iter().map(|parent| id(*parent)).collect(),
                authored_at: Timestamp::default(),
                committed_at: Timestamp::default(),
                author: Author::Human,
                pull_request: None,
                reverts: Vec::new(),
            })
            .collect();
        commits.sort_by_key(|commit| commit.id);
        CommitGraph::new(&commits.iter().collect::<Vec<_>>())
    }

    fn reachable(parents: &[Vec<usize>], from: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let mut stack = vec![from];
        while let Some(commit) = stack.pop() {
            if seen.insert(commit) {
                stack.extend(parents.get(commit).into_iter().flatten().filter(|p| **p < parents.len()));
            }
        }
        seen
    }

    /// Commits with parents among the earlier ones, and some that are not known.
    fn histories() -> impl Strategy<Value = Vec<Vec<usize>>> {
        prop::collection::vec(prop::collection::vec(0_usize..1000, 0..4), 1..40).prop_map(|rows| {
            rows.into_iter()
                .enumerate()
                .map(|(number, row)| {
                    let known =
                        row.into_iter().map(|p| if p % 11 == 0 { 5000 + p } else { p % number.max(1) });
                    known.filter(|p| *p != number).collect()
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn ancestry_and_containment_are_what_a_plain_walk_says(
            parents in histories(), deployed in prop::collection::vec(0_usize..40, 0..8)
        ) {
            let graph = graph(&parents);
            let mut ancestry = Ancestry::new(&graph);
            for newer in 0..parents.len() {
                let below = reachable(&parents, newer);
                for older in 0..parents.len() {
                    let expected = older != newer && below.contains(&older);
                    let (a, b) = (graph.find(id(older)).unwrap(), graph.find(id(newer)).unwrap());
                    prop_assert_eq!(ancestry.is_proper_ancestor(a, b), expected, "{} of {}", older, newer);
                }
            }
            let deployed: Vec<usize> = deployed.into_iter().filter(|d| *d < parents.len()).collect();
            let containment = Containment::new(&graph, deployed.iter().map(|d| graph.find(id(*d))));
            for commit in 0..parents.len() {
                let expected = deployed.iter().position(|d| reachable(&parents, *d).contains(&commit));
                prop_assert_eq!(containment.first(graph.find(id(commit)).unwrap()), expected);
            }
        }
    }

    #[test]
    fn a_cycle_ends_the_walk() {
        let graph = graph(&[vec![2], vec![0], vec![1, 2], vec![2]]);
        let at = |number| graph.find(id(number)).unwrap();
        let mut ancestry = Ancestry::new(&graph);
        for (older, newer) in [(0, 3), (3, 0), (1, 1), (2, 2)] {
            ancestry.is_proper_ancestor(at(older), at(newer));
        }
        assert!(!ancestry.is_proper_ancestor(at(3), at(0)));
        let containment = Containment::new(&graph, [Some(at(1)), None, Some(at(3))]);
        assert_eq!(containment.first(at(0)), Some(0));
        assert_eq!(containment.first(at(3)), Some(2));
    }

    #[test]
    fn a_first_parent_that_is_not_known_is_not_replaced_by_the_second() {
        let graph = graph(&[vec![], vec![99, 0], vec![0, 99]]);
        let at = |number| graph.find(id(number)).unwrap();
        assert_eq!(graph.first_parent(at(1)), None);
        assert_eq!(graph.first_parent(at(2)), Some(at(0)));
    }
}
