//! Which GitHub it is: an enterprise server may be older than what we ask for, and refuses a whole query for one word
//! that it does not know.

use serde::Deserialize;

/// What is young, how it is said without it, and since which version of the enterprise server it is there.
const YOUNG: [(&str, &str, Version); 1] =
    [("stateReason(enableDuplicate: true)", "stateReason", Version { major: 3, minor: 17 })];

/// The version of an enterprise server, as far as features depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u32,
    minor: u32,
}

/// `GET /meta`, of which this matters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MetaWire {
    pub(super) installed_version: Option<String>,
}

impl Version {
    /// The oldest there is: a server that does not say its version may be that.
    pub(super) const UNKNOWN: Self = Self { major: 0, minor: 0 };

    /// Reads `3.19.1`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.').map(str::parse);
        Some(Self { major: parts.next()?.ok()?, minor: parts.next()?.ok()? })
    }
}

/// Whether there is an enterprise server at this address of its REST API.
pub(super) fn is_enterprise(api_url: &str) -> bool {
    api_url.trim_end_matches('/').ends_with("/api/v3")
}

/// An operation's text as a server of this version understands it.
pub(super) fn understood(text: &str, version: Version) -> String {
    let young = YOUNG.iter().filter(|(_, _, since)| version < *since);
    young.fold(text.to_owned(), |text, (word, without, _)| text.replace(word, without))
}

/// An operation's text as the oldest server understands it, for the test that validates it.
pub fn oldest(text: &str) -> String {
    understood(text, Version::UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_young_is_left_out_for_servers_that_are_old() {
        let text = "state stateReason(enableDuplicate: true) createdAt";
        for (version, expected) in [
            ("3.19.1", text),
            ("3.17.0", text),
            ("4.0", text),
            ("3.16.9", "state stateReason createdAt"),
            ("2.22.0", "state stateReason createdAt"),
            ("soon", "state stateReason createdAt"),
        ] {
            let version = Version::parse(version).unwrap_or(Version::UNKNOWN);
            assert_eq!(understood(text, version), expected, "{version:?}");
        }
    }

    #[test]
    fn an_enterprise_server_is_known_by_the_place_of_its_api() {
        for (api_url, expected) in [
            ("https://api.github.com", false),
            ("https://api.acme.ghe.com/", false),
            ("https://ghe.acme.example/api/v3", true),
            ("https://ghe.acme.example/api/v3/", true),
        ] {
            assert_eq!(is_enterprise(api_url), expected, "{api_url}");
        }
    }
}
