//! The integration tests: one binary, a module for each subject.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking; the lints know that only of test functions"
)]

mod config_errors;
mod config_example;
mod config_meaning;
mod exposition;
mod exposition_fixture;
mod github_operations;
mod github_source;
mod github_stand;
mod http;
mod server;
mod store;
