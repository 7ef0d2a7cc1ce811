//! The integration tests: one binary, a module for each subject.

mod exposition;
mod exposition_fixture;
mod server;
