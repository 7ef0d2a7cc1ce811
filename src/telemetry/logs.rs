//! Logs: to standard error, for people on a terminal, as JSON elsewhere.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum LogFormat {
    /// [`LogFormat::Human`] if standard error is a terminal, else [`LogFormat::Json`].
    #[default]
    Auto,
    /// A line that reads well.
    Human,
    /// A JSON object per line.
    Json,
}

/// Why logs cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is none: neither a word such as `info` nor directives such as `sextant=debug,hyper=warn`.
    #[error("cannot read the log level: {0}")]
    Level(String),
    /// Logs are set up already.
    #[error("cannot set up logs: {0}")]
    Setup(String),
}

/// Sets up logs for the whole process. `level` is that of the command line; without it, the environment's `RUST_LOG`
/// (which tracing-subscriber reads itself), without both `info`.
pub fn init_logs(format: LogFormat, level: Option<&str>) -> Result<(), LogError> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = match level {
        Some(level) => filter.parse(level).map_err(|error| LogError::Level(error.to_string()))?,
        None => filter.from_env().map_err(|error| LogError::Level(error.to_string()))?,
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let human = match format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let outcome = if human {
        lines.with_ansi(io::stderr().is_terminal()).try_init()
    } else {
        lines.json().flatten_event(true).try_init()
    };
    outcome.map_err(|error| LogError::Setup(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_is_refused_with_its_text() {
        let error = init_logs(LogFormat::Json, Some("sextant=loud")).unwrap_err();
        assert!(matches!(error, LogError::Level(_)), "{error}");
        assert!(error.to_string().starts_with("cannot read the log level: "), "{error}");
    }
}
