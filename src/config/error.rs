//! What is wrong with a configuration file: everything at once, each with its place and how to mend it.
//!
//! No message repeats the value of a key that may hold a secret; whoever adds a message keeps it so.

use std::fmt;

/// So many errors are shown; a file with more is not a configuration.
const ERRORS_SHOWN_MAX: usize = 100;

/// Everything that is wrong with one file, in the order of the file. Its display is one block for each: a line
/// `file:line:column: key: message`, then a line `help: …` where there is something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    file: String,
    errors: Vec<ConfigError>,
    more: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where; `None` if the file could not be read.
    pub place: Option<Place>,
    /// The key, as a path: `github[0].poll_interval`; `None` if it is about no key.
    pub key: Option<String>,
    /// What was found and what was expected.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

/// A place in a file, counted from 1; a column is a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words say it")]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// The place of a byte; one behind the end is the end.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..text.floor_char_boundary(offset)).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, |line| line.trim_end_matches('\r').chars().count())
                + 1,
        }
    }
}

impl ConfigErrors {
    /// What is wrong, and how many errors more there are.
    pub(super) fn new(file: &str, mut errors: Vec<ConfigError>, more: usize) -> Self {
        errors.sort_by_key(|error| error.place);
        Self { file: file.to_owned(), errors, more }
    }

    /// A file that could not be read.
    pub(super) fn unreadable(file: &str, message: String) -> Self {
        let error = ConfigError { place: None, key: None, message, help: None };
        Self::new(file, vec![error], 0)
    }

    /// The errors, in the order of the file: the first thousand that were found.
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().take(ERRORS_SHOWN_MAX).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:", self.file)?;
            if let Some(Place { line, column }) = error.place {
                write!(f, "{line}:{column}:")?;
            }
            if let Some(key) = &error.key {
                write!(f, " {key}:")?;
            }
            write!(f, " {}", error.message)?;
            if let Some(help) = &error.help {
                write!(f, "\n  help: {help}")?;
            }
        }
        match self.errors.len().saturating_sub(ERRORS_SHOWN_MAX) + self.more {
            0 => Ok(()),
            more => write!(f, "\n{}: and {more} more errors", self.file),
        }
    }
}

impl std::error::Error for ConfigErrors {}
