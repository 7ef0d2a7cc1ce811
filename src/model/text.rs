//! What people write in titles, bodies and commit messages, read as facts: reverts, references, verdicts.
//!
//! Pure. Nothing here resolves anything: whether a commit, a number or a title is known is the engine's question.

use std::sync::LazyLock;

use regex::Regex;

use super::fact::{Reference, RevertOf, Verdict};
use super::name::{CommitPrefix, ExternalId, RepositoryName};

/// No text names more than this many things: a pasted `git log` is no list of causes.
const REFERENCES_MAX: usize = 50;
/// No change reverts more than this many things in words.
const REVERTS_MAX: usize = 50;

static URL_OR_WORD: LazyLock<Regex> =
    LazyLock::new(|| known_regex(r#"(?:https?://[^\s<>"'`)\]|]+)|[\w#-]+"#));
static GITHUB_URL: LazyLock<Regex> = LazyLock::new(|| {
    known_regex(concat!(
        r"(?i)^https?://[^/]+/(?:api/v3/)?(?:repos/)?(?<repository>[\w.-]+/[\w.-]+)/",
        r"(?:(?:pull/\d+/)?commits?/(?<commit>[0-9a-f]{7,40})|pulls?/(?<pull>\d+)|deployments/(?<deployment>\d+))",
        r"(?:[^0-9a-z].*)?$",
    ))
});
static VERDICT: LazyLock<Regex> = LazyLock::new(|| {
    known_regex(r"(?im)^[\s>*_-]*deployment[*_]*:[*_]*[ \t]*`?(?<value>https?://\S+?|[\w-]+)`?[ \t\r]*$")
});
static REVERTS_PULL_REQUEST: LazyLock<Regex> =
    LazyLock::new(|| known_regex(r"(?i)\breverts\s+(?<repository>[\w.-]+/[\w.-]+)?#(?<number>\d+)\b"));
static REVERTS_COMMIT: LazyLock<Regex> =
    LazyLock::new(|| known_regex(r"(?i)\bthis\s+reverts\s+commit\s+`?(?<commit>[0-9a-f]{7,40})\b"));
static REVERT_BRANCH: LazyLock<Regex> = LazyLock::new(|| known_regex(r"^revert-(?<number>\d+)-"));
static REVERT_TITLE: LazyLock<Regex> =
    LazyLock::new(|| known_regex(r#"^Revert "(?<title>.+)"\s*(?:\(#\d+\))?\s*$"#));

/// The one that `text` is a misspelling of, if it can be told: up to a third of it may differ.
pub fn closest<'k>(text: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let folded = text.to_lowercase();
    let misspelt_max = (text.chars().count() / 3).max(1);
    known
        .map(|name| (strsim::damerau_levenshtein(&folded, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= misspelt_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Compiles a pattern of ours.
#[expect(clippy::expect_used, reason = "the patterns are constants, and the tests compile each")]
fn known_regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern compiles")
}

/// The traces of deployments in a text, in order, each once (`definitions.md` 4.3, rule `reference`): URLs of
/// commits, pull requests and deployments, and bare commits. A bare word counts as a commit if it has 7 to 40
/// hexadecimal digits, among them a figure and a letter (or all 40), and is not a part of a longer word, of a UUID
/// or of another URL.
pub fn references(text: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    for token in URL_OR_WORD.find_iter(text).map(|found| found.as_str()) {
        if let Some(reference) = reference(token)
            && !found.contains(&reference)
        {
            found.push(reference);
        }
        if found.len() == REFERENCES_MAX {
            break;
        }
    }
    found
}

fn reference(token: &str) -> Option<Reference> {
    if token.contains("://") {
        return url(token);
    }
    let letter = token.chars().any(|c| c.is_ascii_alphabetic());
    let figure = token.chars().any(|c| c.is_ascii_digit());
    let whole = token.len() == CommitPrefix::DIGITS_MAX;
    (whole || (letter && figure))
        .then(|| CommitPrefix::parse(token))
        .flatten()
        .map(|commit| Reference::Commit(None, commit))
}

fn url(token: &str) -> Option<Reference> {
    let parts = GITHUB_URL.captures(token)?;
    let text = |name| parts.name(name).map(|part| part.as_str());
    let repository = RepositoryName::from(text("repository")?);
    if let Some(commit) = text("commit") {
        return CommitPrefix::parse(commit).map(|commit| Reference::Commit(Some(repository), commit));
    }
    if let Some(number) = text("pull") {
        return number.parse().ok().map(|number| Reference::PullRequest(repository, number));
    }
    text("deployment").map(|id| Reference::Deployment(repository, ExternalId::new(id)))
}

/// The word about the cause: a line `deployment: <id or commit>` (or the URL of one), or `deployment: none`. Of
/// several lines the last one stands.
pub fn verdict(text: &str) -> Option<Verdict> {
    let line = VERDICT.captures_iter(text).last()?;
    let value = line.name("value")?.as_str();
    if value.eq_ignore_ascii_case("none") {
        return Some(Verdict::None);
    }
    if !value.contains("://") {
        return Some(Verdict::Deployment(value.to_owned()));
    }
    match url(value)? {
        Reference::Commit(_, commit) => Some(Verdict::Deployment(commit.as_str().to_owned())),
        Reference::Deployment(_, id) => Some(Verdict::Deployment(id.as_str().to_owned())),
        Reference::PullRequest(..) => None,
    }
}

/// What a pull request says in words.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    /// Its repository: `Reverts owner/repo#N` of another one reverts nothing here.
    pub repository: &'a RepositoryName,
    /// Its title.
    pub title: &'a str,
    /// Its body.
    pub body: &'a str,
    /// Its branch.
    pub head: &'a str,
    /// The messages of its own commits.
    pub messages: &'a [&'a str],
}

/// What a pull request says it reverts, in the order of the rules of `definitions.md` 3.3, then of the text.
pub fn change_reverts(described: Described<'_>) -> Vec<RevertOf> {
    let Described { repository, title, body, head, messages } = described;
    let mut found = Vec::new();
    for part in REVERTS_PULL_REQUEST.captures_iter(body) {
        let here = part
            .name("repository")
            .is_none_or(|name| name.as_str().eq_ignore_ascii_case(repository.as_str()));
        if let Some(number) = number(&part).filter(|_| here) {
            push(&mut found, RevertOf::PullRequest(number));
        }
    }
    for text in std::iter::once(body).chain(messages.iter().copied()) {
        commits(text, &mut found);
    }
    if let Some(number) = REVERT_BRANCH.captures(head).as_ref().and_then(number) {
        push(&mut found, RevertOf::Branch(number));
    }
    reverted_title(title, &mut found);
    found
}

/// What a commit's message says it reverts.
pub fn commit_reverts(message: &str) -> Vec<RevertOf> {
    let mut found = Vec::new();
    commits(message, &mut found);
    reverted_title(message.lines().next().unwrap_or_default(), &mut found);
    found
}

fn commits(text: &str, found: &mut Vec<RevertOf>) {
    for part in REVERTS_COMMIT.captures_iter(text) {
        if let Some(commit) = part.name("commit").and_then(|digits| CommitPrefix::parse(digits.as_str())) {
            push(found, RevertOf::Commit(commit));
        }
    }
}

fn reverted_title(title: &str, found: &mut Vec<RevertOf>) {
    let title = REVERT_TITLE
        .captures(title)
        .and_then(|parts| parts.name("title").map(|title| title.as_str().to_owned()));
    if let Some(title) = title {
        push(found, RevertOf::Title(title));
    }
}

fn number(parts: &regex::Captures<'_>) -> Option<u64> {
    parts.name("number")?.as_str().parse().ok()
}

fn push(found: &mut Vec<RevertOf>, revert: RevertOf) {
    if found.len() < REVERTS_MAX && !found.contains(&revert) {
        found.push(revert);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn commit(text: &str) -> CommitPrefix {
        CommitPrefix::parse(text).unwrap()
    }

    #[test]
    fn references_are_urls_and_bare_commits() {
        let shop = || RepositoryName::from("acme/shop");
        let bare = |digits: &str| vec![Reference::Commit(None, commit(digits))];
        for (text, expected) in [
            ("caused by a1b2c3d.", bare("a1b2c3d")),
            ("caused by `A1B2C3D`", bare("a1b2c3d")),
            ("acme/shop@a1b2c3d", bare("a1b2c3d")),
            (SHA, bare(SHA)),
            (&"1".repeat(40), bare(&"1".repeat(40))),
            ("order 1234567 failed", vec![]),
            ("defaced deadbee", vec![]),
            ("a1b2c3", vec![]),
            ("id 550e8400-e29b-41d4-a716-446655440000", vec![]),
            ("#a1b2c3d4 is a colour", vec![]),
            ("xa1b2c3d éa1b2c3d a1b2c3d_x", vec![]),
            ("https://status.acme.example/a1b2c3d", vec![]),
            (
                "see https://github.com/acme/shop/commit/a1b2c3d4.",
                vec![Reference::Commit(Some(shop()), commit("a1b2c3d4"))],
            ),
            (
                "(https://ghe.acme.example/acme/shop/pull/12#issuecomment-1)",
                vec![Reference::PullRequest(shop(), 12)],
            ),
            (
                "https://github.com/acme/shop/pull/12/files and again https://github.com/acme/shop/pull/12",
                vec![Reference::PullRequest(shop(), 12)],
            ),
            (
                "https://github.com/acme/shop/pull/12/commits/a1b2c3d4e5",
                vec![Reference::Commit(Some(shop()), commit("a1b2c3d4e5"))],
            ),
            (
                "https://api.github.com/repos/acme/shop/deployments/99",
                vec![Reference::Deployment(shop(), ExternalId::new("99"))],
            ),
            (
                "https://ghe.acme.example/api/v3/repos/acme/shop/deployments/99/statuses",
                vec![Reference::Deployment(shop(), ExternalId::new("99"))],
            ),
            ("https://github.com/acme/shop/issues/12", vec![]),
            ("https://github.com/acme/shop/pull/99999999999999999999999", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(references(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_pasted_log_does_not_grow_without_end() {
        let text: Vec<_> = (0..200).map(|n| format!("a{n:07}")).collect();
        assert_eq!(references(&text.join("\n")).len(), REFERENCES_MAX);
    }

    #[test]
    fn a_verdict_is_a_line_of_its_own_and_the_last_one_stands() {
        let deployment = |value: &str| Some(Verdict::Deployment(value.to_owned()));
        for (text, expected) in [
            ("deployment: 123", deployment("123")),
            ("It broke.\r\nDeployment: `a1b2c3d`\r\nMore.", deployment("a1b2c3d")),
            ("- **deployment:** 123", deployment("123")),
            ("deployment: none", Some(Verdict::None)),
            ("deployment: None  ", Some(Verdict::None)),
            ("deployment: 1\ndeployment: none", Some(Verdict::None)),
            ("deployment: https://github.com/acme/shop/deployments/99", deployment("99")),
            ("deployment: https://github.com/acme/shop/commit/a1b2c3d", deployment("a1b2c3d")),
            ("deployment: https://example.com/", None),
            ("deployment: production is broken", None),
            ("the deployment: 12", None),
            ("deployment:", None),
            ("", None),
        ] {
            assert_eq!(verdict(text), expected, "{text:?}");
        }
    }

    fn reverts(body: &str, message: &str, head: &str, title: &str) -> Vec<RevertOf> {
        change_reverts(Described {
            repository: &RepositoryName::from("acme/shop"),
            title,
            body,
            head,
            messages: &[message],
        })
    }

    #[test]
    fn a_pull_request_says_what_it_reverts_in_four_ways() {
        use RevertOf::{Branch, Commit, PullRequest, Title};
        let title = |title: &str| vec![Title(title.to_owned())];
        let this_reverts = format!("Revert \"x\"\n\nThis reverts commit {SHA}.");
        for (body, message, head, titled, expected) in [
            ("", "", "cart", "Add a cart", vec![]),
            ("Reverts acme/shop#12", "", "", "", vec![PullRequest(12)]),
            ("Reverts Acme/Shop#12", "", "", "", vec![PullRequest(12)]),
            ("reverts #12, reverts #13", "", "", "", vec![PullRequest(12), PullRequest(13)]),
            ("Reverts acme/other#12", "", "", "", vec![]),
            ("This partly undoes #12", "", "", "", vec![]),
            ("This reverts commit a1b2c3d.", "", "", "", vec![Commit(commit("a1b2c3d"))]),
            ("This reverts commit a1b2c3.", "", "", "", vec![]),
            ("", &this_reverts, "", "", vec![Commit(commit(SHA))]),
            ("", "", "revert-12-cart", "", vec![Branch(12)]),
            ("", "", "revert-cart", "", vec![]),
            ("", "", "", "Revert \"Add a cart\"", title("Add a cart")),
            ("", "", "", "Revert \"Revert \"Add a cart\"\"", title("Revert \"Add a cart\"")),
            ("", "", "", "Revert the cart", vec![]),
            (
                "Reverts #12",
                &this_reverts,
                "revert-12-x",
                "",
                vec![PullRequest(12), Commit(commit(SHA)), Branch(12)],
            ),
        ] {
            assert_eq!(
                reverts(body, message, head, titled),
                expected,
                "{body:?} {message:?} {head:?} {titled:?}"
            );
        }
    }

    #[test]
    fn a_commit_says_what_it_reverts_in_its_message() {
        assert_eq!(
            commit_reverts("Revert \"Add a cart\" (#13)\n\nThis reverts commit a1b2c3d."),
            [RevertOf::Commit(commit("a1b2c3d")), RevertOf::Title("Add a cart".to_owned())]
        );
        assert_eq!(commit_reverts(""), []);
    }
}
