//! sextant: engineering metrics as a feedback loop.
//!
//! Each [`collect`] task asks its [`source`] for what changed since its cursor; the source turns wire records into
//! facts ([`model`]); the task hands facts and cursor to the [`store`], which writes both in one transaction and
//! returns what really changed; [`recompute`] gives the facts and `now` to the pure [`engine`], which computes every
//! level and window, and publishes an immutable snapshot; [`exposition`] and [`server`] only read snapshots.
//!
//! `ARCHITECTURE.md` has the map, the invariants with the test that guards each, and two walkthroughs.

pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod engine;
pub mod exposition;
pub mod http;
pub mod model;
pub mod ownership;
pub mod recompute;
pub mod remote_read;
pub mod server;
pub mod source;
pub mod store;
pub mod telemetry;
