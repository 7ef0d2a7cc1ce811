//! Pages that GitHub cannot answer in time become smaller, for this repository and this stream alone; they are
//! remembered, and grow again slowly.

use serde::{Deserialize, Serialize};

/// Pages are never halved more often: 100 becomes 1.
const HALVINGS_MAX: u32 = 7;
/// After so many answers in a row a page is doubled again.
const ANSWERS_TO_GROW: u32 = 20;

/// How much smaller than usual the pages of a stream are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Shrunk {
    halvings: u32,
    /// Answers since the last change.
    answers: u32,
}

impl Shrunk {
    /// The size of a page which is usually `usual`.
    pub(super) fn size(self, usual: u64) -> u64 {
        (usual >> self.halvings.min(HALVINGS_MAX)).max(1)
    }

    /// How often a page has been halved.
    pub(super) fn halvings(self) -> u32 {
        self.halvings
    }

    /// A page was too heavy.
    pub(super) fn halve(&mut self) {
        self.halvings = (self.halvings + 1).min(HALVINGS_MAX);
        self.answers = 0;
    }

    /// A page came. Whether it is still smaller than usual.
    pub(super) fn answered(&mut self) -> bool {
        self.answers += 1;
        if self.answers >= ANSWERS_TO_GROW {
            self.answers = 0;
            self.halvings = self.halvings.saturating_sub(1);
        }
        self.halvings > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_shrink_at_once_and_grow_slowly() {
        let mut shrunk = Shrunk::default();
        let sizes: Vec<u64> = (0..9)
            .map(|_| {
                shrunk.halve();
                shrunk.size(25)
            })
            .collect();
        assert_eq!(sizes, [12, 6, 3, 1, 1, 1, 1, 1, 1]);
        let answers = (1..=1_000).take_while(|_| shrunk.answered()).count() + 1;
        assert_eq!(answers, 7 * 20, "twenty answers for each doubling");
        assert_eq!(shrunk.size(25), 25);
    }
}
