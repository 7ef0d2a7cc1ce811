//! What a PagerDuty source is told: `[[pagerduty]]`, parsed and validated.
//!
//! The configuration makes it; nothing here reads a file or the environment. Which incidents count (urgencies,
//! titles, `secondary`) is decided when numbers are computed, see `model::settings::IncidentFilter`: a source reads
//! them all.

use crate::model::name::SourceName;
use crate::model::secret::Credential;
use crate::model::time::Span;

/// A PagerDuty source. Meaning, units and defaults are those of `[[pagerduty]]` in `config/sextant.example.toml`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name, unique over all sources.
    pub name: SourceName,
    /// Where its API is, without a slash at the end: `https://api.pagerduty.com`.
    pub api_url: String,
    /// The token that requests are made with.
    pub credential: Credential,
    /// Certificates, in PEM, of authorities that are trusted besides those of the system; `None`: no others.
    pub ca_pem: Option<Vec<u8>>,
    /// Time from the beginning of one poll to the beginning of the next.
    pub poll_interval: Span,
    /// How far back the first read goes.
    pub history: Span,
}
