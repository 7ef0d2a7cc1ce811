//! The integration tests: one binary, a module for each subject.

mod config_errors;
mod config_example;
mod config_meaning;
