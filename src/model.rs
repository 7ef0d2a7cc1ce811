//! The vocabulary: what is observed (facts), how it is named, and by which rules it is read.
//!
//! Every word here is defined in the glossary of `ARCHITECTURE.md`. Nothing in this module does I/O, asks for the
//! time or logs; it is the one module that everybody may use. Start with [`fact`], then [`settings`].

pub mod batch;
pub mod component;
pub mod day;
pub mod dirty;
pub mod fact;
pub mod guardrail;
pub mod measure;
pub mod name;
pub mod regressions;
pub mod secret;
pub mod settings;
pub mod signal;
pub mod text;
pub mod time;
pub mod transition;
