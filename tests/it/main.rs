//! The integration tests: one binary, a module for each subject.

#[cfg(test)]
mod engine_deployments;
#[cfg(test)]
mod engine_failures;
#[cfg(test)]
mod engine_incidents;
#[cfg(test)]
mod engine_properties;
#[cfg(test)]
mod engine_snapshots;
#[cfg(test)]
mod engine_world;
