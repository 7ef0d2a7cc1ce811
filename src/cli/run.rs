//! `sextant run`: the daemon.

use std::path::Path;

use super::{Failure, runtime};
use crate::config::Config;
use crate::daemon;

/// Runs until it is told to stop.
pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let config = Config::load(path).map_err(|errors| Failure::Usage(errors.to_string()))?;
    runtime()?.block_on(daemon::run(config, path, daemon::system_clock()))?;
    Ok(())
}
