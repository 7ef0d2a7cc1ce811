//! Regressions: is a team getting worse, beyond what its own history explains, at a known false-alarm rate
//! (`regressions.md` 3)?
//!
//! In words: each day, the last 28, 56 and 84 days are compared with the 182 days before them. What counts is not how
//! large a difference is but how surprising, given how this team's numbers usually scatter; and then it must also be
//! large enough to matter. A state changes only if two looks on end agree, and a regression is measured against the
//! baseline that it began from until it is over.

pub mod backtest;
pub mod collected;
pub mod compare;
pub mod detect;
pub mod digest;
pub mod explain;
pub mod facts;
pub mod headline;
pub mod live;
pub mod machine;
pub mod organization;
pub mod past;
pub mod pointers;
pub mod rank;
pub mod score;
pub mod series;
mod shuffle;
pub mod standing;
pub mod suspect;
pub mod threshold;
pub mod tracker;
pub mod watch;
