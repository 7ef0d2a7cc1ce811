//! Names and identities: every one a type of its own, so that a team cannot be passed for a repository.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Declares a name: shared text that compares, hashes and prints as itself.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    )*};
}

names! {
    /// The configured name of a source, unique over all sources: `acme-github`.
    SourceName
    /// A team's slug: `payments`.
    TeamSlug
    /// A component's name: the repository's name, `owner/name` where two collide, or as configured.
    ComponentName
    /// A repository as people write it: `owner/name`. It can change; [`RepositoryId`] does not.
    RepositoryName
    /// The environment of a deployment attempt, as the source names it.
    Environment
    /// The severity of an incident: the source's own word in lower case, `none` without one.
    Severity
    /// The name of a north star or a signal, a label and a part of URLs: `checkout-conversion`.
    SignalName
    /// What an incident source calls the thing that is broken: PagerDuty's service id.
    ServiceId
}

impl TeamSlug {
    /// The team of everything that nobody owns.
    pub fn unowned() -> Self {
        Self::new("unowned")
    }
}

impl Severity {
    /// The severity of an incident whose source gives none.
    pub fn none() -> Self {
        Self::new("none")
    }
}

/// A repository's identity: its source and the number which that source never changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryId {
    /// The source that holds it.
    pub source: SourceName,
    /// GitHub's `databaseId`.
    pub number: u64,
}

/// The external id of a deployment attempt or an incident. Digits in it are ordered as the number that they are, and
/// before everything else (`definitions.md` 2.3: "by external id, as numbers where they are"): 9 < 10 < `run:9/10` <
/// `run:10/2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExternalId(Arc<str>);

impl ExternalId {
    /// Takes the text as it is.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Ord for ExternalId {
    fn cmp(&self, other: &Self) -> Ordering {
        parts(&self.0).cmp(parts(&other.0)).then_with(|| self.0.cmp(&other.0))
    }
}

/// A part of an external id, in the order of its kinds.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// A number of any length: how many digits it has without leading zeros, and these.
    Number(usize, &'a [u8]),
    /// One byte of anything else.
    Other(u8),
}

/// An id's numbers and what is between them.
fn parts(id: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = id.as_bytes();
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        if !first.is_ascii_digit() {
            rest = after;
            return Some(Part::Other(*first));
        }
        let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at_checked(end)?;
        rest = after;
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let digits = digits.get(zeros..).unwrap_or_default();
        Some(Part::Number(digits.len(), digits))
    })
}

impl PartialOrd for ExternalId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A git commit's SHA-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId([u8; 20]);

impl CommitId {
    /// From its 20 bytes.
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// Reads 40 hexadecimal digits, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = hex_digits(text)?;
        let digits: &[u8; 40] = digits.as_slice().try_into().ok()?;
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            if let [high, low] = pair {
                *byte = (high << 4) | low;
            }
        }
        Some(Self(bytes))
    }

    /// Its 20 bytes.
    pub const fn bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The beginning of a commit's SHA-1 as people write it: 7 to 40 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitPrefix(Arc<str>);

impl CommitPrefix {
    /// The fewest digits that name a commit (`definitions.md` 3.3: "≥ 7 characters").
    pub const DIGITS_MIN: usize = 7;
    /// The digits of a whole SHA-1.
    pub const DIGITS_MAX: usize = 40;

    /// Reads 7 to 40 hexadecimal digits, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let long_enough = (Self::DIGITS_MIN..=Self::DIGITS_MAX).contains(&text.len());
        (long_enough && hex_digits(text).is_some()).then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// The digits, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The smallest and the largest commit which begin like this: the bounds of a search in sorted commits.
    pub fn bounds(&self) -> (CommitId, CommitId) {
        let fill = |digit: char| {
            let text: String =
                self.0.chars().chain(std::iter::repeat(digit)).take(Self::DIGITS_MAX).collect();
            CommitId::parse(&text).unwrap_or(CommitId([0; 20]))
        };
        (fill('0'), fill('f'))
    }

    /// Whether `commit` begins like this.
    pub fn names(&self, commit: CommitId) -> bool {
        let (low, high) = self.bounds();
        (low..=high).contains(&commit)
    }
}

impl fmt::Debug for CommitPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hex_digits(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_ids_are_ordered_as_numbers_where_they_are() {
        let sorted = [
            "0",
            "9",
            "010",
            "10",
            "18446744073709551615",
            "18446744073709551616",
            "a",
            "b",
            "run:9/1",
            "run:9/2",
            "run:9/10",
            "run:10/1",
            "run:10/1x",
            "tag:v1.9.0",
            "tag:v1.10.0",
            "tag:v1.10.0-rc1",
        ];
        let mut ids: Vec<_> = sorted.iter().rev().copied().map(ExternalId::new).collect();
        ids.sort();
        assert_eq!(ids, sorted.map(ExternalId::new));
    }

    #[test]
    fn a_commit_is_forty_digits_and_prints_as_it_was_read() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(CommitId::parse(text).unwrap().to_string(), text);
        assert_eq!(CommitId::parse(&text.to_uppercase()), CommitId::parse(text));
        assert_eq!(CommitId::parse("0123"), None);
        assert_eq!(CommitId::parse(&"é".repeat(20)), None);
    }

    #[test]
    fn a_prefix_names_the_commits_that_begin_like_it() {
        let prefix = CommitPrefix::parse("0123456").unwrap();
        assert!(prefix.names(CommitId::parse("0123456fffffffffffffffffffffffffffffffff").unwrap()));
        assert!(!prefix.names(CommitId::parse("0123457000000000000000000000000000000000").unwrap()));
        assert_eq!(CommitPrefix::parse("012345"), None);
        assert_eq!(CommitPrefix::parse("012345g"), None);
        assert_eq!(CommitPrefix::parse("ABCDEF0").unwrap().as_str(), "abcdef0");
    }
}
