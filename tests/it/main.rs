//! The integration tests: one binary, a module for each subject.

mod demo_awkward;
mod demo_contract;
mod demo_example;
mod demo_faults;
mod demo_github;
mod demo_pagerduty;
mod demo_stage;
mod demo_stories;
