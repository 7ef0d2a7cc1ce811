//! What trying a source showed: lines for a person, aligned, and whether something has to be mended.

use std::collections::BTreeSet;
use std::fmt;

use crate::http::{Failure, Reason};

/// How wide what is in front of a line's text is, the two spaces before it included.
const LABEL_CHARS: usize = 15;

/// What trying one source showed. No secret is in it, and no person's login.
#[derive(Debug)]
pub struct Report {
    title: String,
    lines: Vec<(&'static str, String)>,
    faults: usize,
    /// Names of components and teams that the source has, in lower case.
    pub names: BTreeSet<String>,
    /// Services that have incidents: their ids and names.
    pub services: Vec<(String, String)>,
}

impl Report {
    /// About this source, nothing yet.
    pub(super) fn new(title: String) -> Self {
        Self { title, lines: Vec::new(), faults: 0, names: BTreeSet::new(), services: Vec::new() }
    }

    /// Says something.
    pub fn say(&mut self, label: &'static str, text: impl Into<String>) {
        self.lines.push((label, text.into()));
    }

    /// Says what has to be mended.
    pub fn fault(&mut self, label: &'static str, text: impl Into<String>) {
        self.faults += 1;
        self.lines.push((label, text.into()));
    }

    /// How much has to be mended.
    pub fn faults(&self) -> usize {
        self.faults
    }

    /// A first question that failed: whether nobody was there, or whoever was did not let us in.
    pub(super) fn refused(&mut self, failure: &Failure, sign_in: &str) {
        match failure.reason {
            Reason::Network | Reason::Timeout => self.fault(
                "reached",
                format!(
                    "no: {}; check api_url, the name's address, a proxy (HTTPS_PROXY, NO_PROXY), and ca_file",
                    failure.what
                ),
            ),
            Reason::Server | Reason::RateLimited | Reason::NotFound | Reason::Malformed => self.fault(
                "reached",
                format!("something answers, but not as it should: {}; check api_url", failure.what),
            ),
            Reason::Auth | Reason::Forbidden => {
                self.say("reached", "yes");
                self.fault("signs in", format!("no: {}; {sign_in}", failure.what));
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "source       {}", self.title)?;
        for (label, text) in &self.lines {
            writeln!(f, "{:<LABEL_CHARS$}{text}", format!("  {label}"))?;
        }
        Ok(())
    }
}

/// So many of these, and how many more there are.
pub(super) fn some_of<T: AsRef<str>>(names: &[T], shown: usize) -> String {
    let text: Vec<&str> = names.iter().take(shown).map(AsRef::as_ref).collect();
    let text = text.join(", ");
    match names.len().saturating_sub(shown) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// A number of things: `1 repository`, `3 repositories`.
pub(super) fn number_of(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}
