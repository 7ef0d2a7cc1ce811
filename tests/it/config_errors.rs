//! Wrong configurations, and exactly what is said of each: `tests/fixtures/config/*.txt`.
//!
//! A case there is a title, a file, and after `---` what is wrong with it. Sections named by `=== with …` follow the
//! file, so that only the case itself is wrong.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests say what they need this way")]

use std::path::PathBuf;

use proptest::prelude::*;
use sextant::config::Config;

use crate::config_example::EXAMPLE;

const ORGANIZATION: &str = "[organization]\nname = \"acme\"\n";
const GITHUB: &str = "[[github]]\nname = \"rest\"\ntoken_env = \"GITHUB_TOKEN\"\norganizations = [\"acme\"]\n\
                      teams_from = \"github_teams\"\n";
/// Every secret in the cases and in the environment contains this.
const SECRET: &str = "s3cr3t";
/// Fewer cases than these, and some were not found.
const CASES_MIN: usize = 60;

/// The environment of all cases.
pub(crate) fn environment(name: &str) -> Option<String> {
    match name {
        "GITHUB_TOKEN" => Some("ghp_s3cr3t".to_owned()),
        "PAGERDUTY_TOKEN" => Some("pd+s3cr3t\n".to_owned()),
        "EMPTY" => Some(" \n".to_owned()),
        "PROMETHEUS_TOKEN" => Some("prom-s3cr3t".to_owned()),
        "PROMETHEUS_PASSWORD" => Some("a s3cr3t: pässword".to_owned()),
        "SEXTANT_PUSH_TOKEN" => Some("push-s3cr3t-0123456789".to_owned()),
        "GITHUB_WEBHOOK_SECRET" => Some("hook-s3cr3t-0123456789".to_owned()),
        "SHORT" => Some("s3cr3t-89-12345".to_owned()),
        "TWO_LINES" => Some("s3cr3t\ns3cr3t".to_owned()),
        _ => None,
    }
}

struct Case {
    sections: String,
    title: String,
    file: String,
    errors: String,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut sections = "";
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let title = line.strip_prefix("=== ").unwrap_or_else(|| panic!("no title: {line}"));
        if let Some(names) = title.strip_prefix("with ") {
            sections = names;
            continue;
        }
        let mut until = |end: &str| {
            let mut part = String::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with(end)) {
                part.push_str(line);
                part.push('\n');
            }
            part
        };
        let file = until("---");
        let errors = until("===");
        cases.push(Case {
            sections: std::mem::take(&mut sections).to_owned(),
            title: title.to_owned(),
            file,
            errors: errors.strip_prefix("---\n").unwrap().to_owned(),
        });
    }
    cases
}

fn errors(text: &str) -> String {
    match Config::parse(text, "sextant.toml", &environment) {
        Ok(config) => panic!("nothing is wrong with it: {config:?}"),
        Err(errors) => errors.to_string() + "\n",
    }
}

#[test]
fn wrong_files_are_told_exactly_what_is_wrong() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        for case in cases(&std::fs::read_to_string(entry.unwrap().path()).unwrap()) {
            let mut text = case.file;
            for section in case.sections.split_whitespace() {
                text.push_str(match section {
                    "organization" => ORGANIZATION,
                    "github" => GITHUB,
                    _ => panic!("unknown section {section}"),
                });
            }
            assert_eq!(errors(&text), case.errors, "{}", case.title);
            let windows = errors(&text.replace('\n', "\r\n"));
            assert_eq!(windows, case.errors, "{}, with CR LF", case.title);
            assert!(!case.errors.contains(SECRET), "{}", case.title);
            tried += 1;
        }
    }
    assert!(tried >= CASES_MIN, "only {tried} cases");
}

#[test]
fn a_flood_of_errors_is_cut_short() {
    let text: String = (0..5_000).fold(String::new(), |text, index| text + &format!("key_{index:04} = 1\n"));
    let told = errors(&text);
    // Two blocks for the organisation and the source that are missing, and two lines for each key.
    assert_eq!(told.lines().count(), 2 * 100 + 1, "{told}");
    assert!(told.ends_with("sextant.toml: and 4902 more errors\n"), "{told}");
}

/// Pieces that make text look like TOML.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        " = ",
        "\n",
        ".",
        ",",
        "\"",
        "'",
        "\"\"\"",
        "#",
        "github",
        "github.deployments",
        "pagerduty",
        "teams",
        "components",
        "name",
        "windows",
        "\"7d\"",
        "-1",
        "1e9",
        "nan",
        "true",
        "2026-11-22",
        "ä",
        "\u{feff}",
        "\r",
        "\\u0000",
        "token_env = \"GITHUB_TOKEN\"",
        "[organization]",
    ];
    prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        any::<char>().prop_map(String::from)
    ]
}

/// Reads it, whatever it is, and looks for secrets in what comes out.
fn survives(text: &str) -> Result<(), TestCaseError> {
    let told = match Config::parse(text, "sextant.toml", &environment) {
        Ok(config) => format!("{config:?}{}", sextant::config::summary(&config)),
        Err(errors) => {
            prop_assert!(errors.errors().is_sorted_by_key(|error| error.place));
            let lines_count = text.matches('\n').count() + 1;
            let is_inside = |line| (1..=lines_count).contains(&line);
            prop_assert!(
                errors.errors().iter().all(|error| error.place.is_some_and(|at| is_inside(at.line)))
            );
            prop_assert!(!errors.errors().is_empty());
            prop_assert!(!errors.to_string().contains("not understood"));
            format!("{errors}{errors:?}")
        }
    };
    prop_assert!(!told.contains(SECRET), "{told}");
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_survived(pieces in prop::collection::vec(piece(), 0..60)) {
        survives(&pieces.concat())?;
    }

    #[test]
    fn a_damaged_example_is_survived(
        damages in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, piece()), 1..6),
        switched_on in any::<bool>(),
    ) {
        let example = if switched_on { crate::config_example::all_switched_on() } else { EXAMPLE.to_owned() };
        let mut chars: Vec<char> = example.chars().collect();
        for (at, length, piece) in damages {
            let start = at.index(chars.len());
            let end = (start + length).min(chars.len());
            chars.splice(start..end, piece.chars());
        }
        survives(&chars.into_iter().collect::<String>())?;
    }

    #[test]
    fn whatever_is_written_where_a_secret_may_stand_is_not_repeated(
        key in prop::sample::select(vec![
            "token", "Token", "tokn", "token_env", "token_file", "api_key", "password", "secret", "app_id",
            "private_key_file", "private_key", "ca_file", "client_secret", "github_webhook_secret", "api_url", "github_token", "\"token\"", "token.value",
        ]),
        section in prop::sample::select(vec!["[[github]]", "[[pagerduty]]", "[server]", "[store]", "[github.x]", "[server.push]"]),
        before in "[a-zA-Z0-9:/@?_. -]{0,20}",
        after in "[a-zA-Z0-9:/@?_. -]{0,20}",
        quotes in prop::sample::select(vec![("\"", "\""), ("'", "'"), ("\"\"\"", "\"\"\""), ("[\"", "\"]"), ("{ a = \"", "\" }"), ("\"", "")]),
    ) {
        let (open, close) = quotes;
        survives(&format!("{section}\n{key} = {open}{before}{SECRET}{after}{close}\n"))?;
    }
}

#[test]
fn depth_and_length_are_survived() {
    for text in [
        "[".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a = ".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
        "[[github]]\n".repeat(50_000),
        format!("[metrics]\nwindows = [{}]", "'7d',".repeat(50_000)),
        format!("[[teams]]\nrepositories = ['a/{}']", "{a,b}?".repeat(100_000)),
        format!("[metrics]\nhotfix_branch = '{}'", "(".repeat(100_000)),
        format!("[metrics]\nhotfix_branch = 'a{}'", "{999}".repeat(20)),
        "\"".repeat(100_001),
    ] {
        errors(&text);
    }
}
