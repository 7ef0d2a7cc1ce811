//! Keys that every source has.

use std::path::Path;

use reqwest::{Certificate, Url};

use super::reader::{Once, Table, Value, quoted};
use super::secret::read_limited;
use super::value::base;
use crate::model::name::SourceName;
use crate::model::time::Span;

/// Default of `poll_interval`.
const DEFAULT_POLL_INTERVAL: Span = Span::from_seconds(60);
/// Snapshots are not made more often than that either. Whether the rate limit allows it, the budget decides.
const POLL_INTERVAL_MIN: Span = Span::from_seconds(1);
/// A source that is read less than once a day is out of date whenever somebody looks.
const POLL_INTERVAL_MAX: Span = Span::from_days(1);
/// Default of `history`.
const DEFAULT_HISTORY: Span = Span::from_days(180);
/// Less fills no window.
const HISTORY_MIN: Span = Span::from_days(1);
/// The certificates of all the world's authorities take a quarter of it.
const CA_BYTES_MAX: u64 = 1024 * 1024;
/// Ten years; what is older says nothing about today, and takes days to read.
const HISTORY_MAX: Span = Span::from_days(3_653);

/// Reads `name`, which no other source may have.
pub(super) fn source_name(table: &mut Table<'_>, names: &mut Once) -> Option<SourceName> {
    let value = table.required("name", "name = \"…\"")?;
    let name = plain_name(&value, "a source's name")?;
    names.claim(&value, name).then(|| SourceName::from(name))
}

/// A name that can stand in URLs and labels as it is; `what` says of what.
pub(super) fn plain_name<'a>(value: &Value<'a>, what: &str) -> Option<&'a str> {
    let name = value.name()?;
    if !name.starts_with(|first: char| first.is_ascii_alphanumeric())
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    {
        value.refuse_with(
            format!("{} cannot be {what}", quoted(name)),
            "letters, digits and `-`, `_`, `.`: it is part of URLs and a label of metrics",
        );
        return None;
    }
    Some(name)
}

/// Reads `api_url`; `problem` says what is wrong with an address that is one, in the provider's view.
pub(super) fn api_url(
    table: &mut Table<'_>,
    default: &str,
    problem: impl Fn(&Url) -> Option<&'static str>,
) -> Option<String> {
    let Some(value) = table.optional("api_url") else {
        return Some(default.to_owned());
    };
    let url = value.url()?;
    if let Some(help) = problem(&url) {
        value.refuse_with("not the address of the API", help);
        return None;
    }
    Some(base(&url))
}

/// Reads `ca_file`: the certificates of authorities that are trusted besides those of the system, in PEM. What is
/// wrong counts as none, since the errors are told and nothing starts.
pub(super) fn ca_pem(table: &mut Table<'_>) -> Option<Vec<u8>> {
    table.optional("ca_file").and_then(|value| certificates(&value))
}

fn certificates(value: &Value<'_>) -> Option<Vec<u8>> {
    let path = value.text("the path of a file")?;
    let pem = match read_limited(Path::new(path), CA_BYTES_MAX) {
        Ok(pem) => pem,
        Err(error) => {
            value.refuse(format!("the file that is named here cannot be read: {}", error.kind()));
            return None;
        }
    };
    // What is kept of it is no secret.
    if pem.contains("PRIVATE KEY-----") {
        value.refuse_with(
            "the file that is named here holds a private key",
            "only certificates belong there; a key that others may read is to be replaced",
        );
        return None;
    }
    let certificates = Certificate::from_pem_bundle(pem.as_bytes()).unwrap_or_default();
    let is_usable = || reqwest::Client::builder().tls_certs_only(certificates.clone()).build().is_ok();
    if certificates.is_empty() || !is_usable() {
        value.refuse_with(
            "the file that is named here holds no certificate in PEM",
            "the certificate of the authority begins with -----BEGIN CERTIFICATE-----",
        );
        return None;
    }
    Some(pem.into_bytes())
}

/// Reads `poll_interval`.
pub(super) fn poll_interval(table: &mut Table<'_>) -> Option<Span> {
    match table.optional("poll_interval") {
        Some(value) => value.duration(
            POLL_INTERVAL_MIN..=POLL_INTERVAL_MAX,
            "polling more often only spends the rate limit, polling less shows yesterday",
        ),
        None => Some(DEFAULT_POLL_INTERVAL),
    }
}

/// Reads `history`.
pub(super) fn history(table: &mut Table<'_>) -> Option<Span> {
    match table.optional("history") {
        Some(value) => value.duration(
            HISTORY_MIN..=HISTORY_MAX,
            "how far back the first read goes; what has been read stays",
        ),
        None => Some(DEFAULT_HISTORY),
    }
}
