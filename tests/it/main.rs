//! The integration tests: one binary, a module for each subject.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking; the lints know that only of test functions"
)]

mod check_online;
mod config_errors;
mod config_example;
mod config_meaning;
mod config_regressions;
mod daemon;
mod demo_awkward;
mod demo_contract;
mod demo_example;
mod demo_faults;
mod demo_github;
mod demo_identities;
mod demo_limits;
mod demo_pagerduty;
mod demo_releases;
mod demo_rest;
mod demo_rest_contract;
mod demo_stage;
mod demo_stories;
mod demo_webhooks;
mod engine_deployments;
mod engine_failures;
mod engine_incidents;
mod engine_parts;
mod engine_properties;
mod engine_rules;
mod engine_snapshots;
mod engine_world;
mod exposition;
mod exposition_fixture;
mod github_files;
mod github_life;
mod github_operations;
mod github_releases;
mod github_runs;
mod github_source;
mod github_stand;
mod guardrails;
mod http;
mod oracle;
mod ownership;
mod pagerduty;
mod process;
mod push;
mod real_prometheus;
mod regression_detector;
mod regression_statistics;
mod replay;
mod rig;
mod server;
mod signal_prometheus;
mod signal_pushes;
mod signal_readings;
mod signal_real;
mod sources_page;
mod stage;
mod store;
mod story_budget;
mod story_counters;
mod story_guardrails;
mod story_identities;
mod story_lead_time;
mod story_mix;
mod story_moving;
mod story_numbers;
mod story_rules;
mod story_trouble;
mod tidy;
mod webhooks;
