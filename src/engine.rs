//! The engine: facts and an instant in, numbers out. Pure: no I/O, no clock, no logging, no randomness.

pub mod snapshot;
