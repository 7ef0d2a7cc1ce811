//! A simulated organisation behind simulated GitHub and `PagerDuty` HTTP APIs, for `sextant demo` and for the tests.
//!
//! [`world`] is the truth: plain data, changed by telling stories (`open_pull`, `merge`, `deploy`, …), with time as
//! an argument. [`github`] and [`pagerduty`] answer requests from it as the vendors document it, never as our own
//! client happens to ask; [`faults`] makes them misbehave on demand; [`serve`] puts them on loopback ports.
//! [`generate`] tells 180 days of an example organisation, [`live`] keeps it moving, and [`config`] writes the
//! configuration with which the real daemon reads it.
//!
//! Nothing here knows a clock: the present is [`world::World::now`], and the same seed and instant make the same
//! world.

mod budget;
pub mod config;
pub mod exchange;
pub mod faults;
pub mod generate;
pub mod github;
pub mod guardrails;
pub mod identity;
pub mod live;
pub mod pagerduty;
pub mod random;
pub mod serve;
pub mod signals;
pub mod webhook;
pub mod world;
