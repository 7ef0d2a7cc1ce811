//! `sextant check`: what the configuration says, or everything that is wrong with it.

use std::path::Path;

use super::{Failure, say};
use crate::config::Config;

/// Validates the configuration and says what was understood.
pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let config = Config::load(path).map_err(|errors| Failure::Usage(errors.to_string()))?;
    say(&format!("{}: ok", path.display()));
    say(crate::config::summary(&config).trim_end());
    Ok(())
}
