//! The boards, as data: what is shown where, with which words when there is nothing.

mod board;
mod collector;
mod component;
mod incidents;
mod measures;
mod organization;
mod panel;
mod query;
mod team;
mod words;

pub(crate) use self::board::Board;

/// Every board, in the order in which they are linked.
pub(crate) fn all() -> Vec<Board> {
    vec![organization::board(), team::board(), component::board(), incidents::board(), collector::board()]
}
