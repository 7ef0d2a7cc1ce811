//! The example documents every key, and nothing but the truth about it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests say what they need this way")]

use std::collections::BTreeSet;

use sextant::config::Config;

use crate::config_errors::environment;

/// Where the example's files are, of which the tests have others.
const FILES: &str = "/etc/sextant/";

pub(crate) const EXAMPLE: &str = include_str!("../../config/sextant.example.toml");
/// Ends a line that is switched off and shows no default.
const IS_EXAMPLE: &str = "  # example";

/// What is behind `# `, if the line is a setting that is switched off.
fn switched_off(line: &str) -> Option<&str> {
    let setting = line.strip_prefix("# ")?;
    let key = setting.split(" = ").next().unwrap();
    let is_key = key.len() < setting.len() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    (is_key || setting.starts_with('[')).then_some(setting)
}

/// The example with everything switched on.
pub(crate) fn all_switched_on() -> String {
    let lines = EXAMPLE.lines();
    here(&lines.map(|line| switched_off(line).unwrap_or(line).to_owned() + "\n").collect::<String>())
}

/// With the files that the tests have.
fn here(text: &str) -> String {
    text.replace(FILES, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/secrets/"))
}

/// The section of every line, counted by headers, switched off or not.
fn sections() -> Vec<usize> {
    let mut section = 0;
    let is_header = |line: &str| switched_off(line).unwrap_or(line).starts_with('[');
    EXAMPLE
        .lines()
        .map(|line| {
            section += usize::from(is_header(line));
            section
        })
        .collect()
}

/// The example with the examples of one section switched on, if its header is one, and one line more.
fn with_section(section: usize, switched: Option<usize>) -> String {
    let lines: Vec<_> = EXAMPLE.lines().zip(sections()).collect();
    let mut of_section = lines.iter().filter(|(_, other)| *other == section);
    let is_example = of_section.next().is_some_and(|(header, _)| header.ends_with(IS_EXAMPLE));
    let text: Vec<&str> = lines
        .iter()
        .enumerate()
        .map(|(index, (line, other))| {
            let is_on =
                switched == Some(index) || (is_example && *other == section && line.ends_with(IS_EXAMPLE));
            if is_on { switched_off(line).unwrap() } else { line }
        })
        .collect();
    here(&text.join("\n"))
}

fn load(text: &str) -> Config {
    Config::parse(text, "sextant.example.toml", &environment).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_example_is_valid() {
    let config = load(EXAMPLE);
    assert_eq!((config.github.len(), config.pagerduty.len()), (1, 1));
    assert_eq!((config.ownership.teams.len(), config.ownership.components.len()), (1, 1));
}

#[test]
fn the_example_is_valid_with_everything_switched_on() {
    let config = load(&all_switched_on());
    // Each of the two sources has a rule more, which is always there.
    assert_eq!(config.ownership.deployments.len(), 6 + 2);
    assert_eq!((config.github.len(), config.ownership.components.len()), (2, 3));
    assert_eq!(config.github[0].bots.len(), 2);
    assert!(EXAMPLE.lines().filter_map(switched_off).count() >= 70);
}

#[test]
fn what_the_example_switches_off_is_the_default() {
    let sections = sections();
    for (switched, line) in EXAMPLE.lines().enumerate() {
        if line.ends_with(IS_EXAMPLE) || switched_off(line).is_none() {
            continue;
        }
        let expected = load(&with_section(sections[switched], None));
        let read = load(&with_section(sections[switched], Some(switched)));
        assert_eq!(format!("{read:?}"), format!("{expected:?}"), "{line}");
    }
}

#[test]
fn the_example_has_every_key() {
    let text = "zzzzzz = 1\n[organization]\nzzzzzz = 1\n[store]\nzzzzzz = 1\n[server]\nzzzzzz = 1\n[server.push]\nzzzzzz = 1\n[metrics]\nzzzzzz = 1\n\
                [[github]]\nzzzzzz = 1\n[[github.deployments]]\nzzzzzz = 1\n[github.incidents]\nzzzzzz = 1\n\
                [[pagerduty]]\nzzzzzz = 1\n[[teams]]\nzzzzzz = 1\n[[components]]\nzzzzzz = 1\n\
                [regressions]\nzzzzzz = 1\n[[quiet_periods]]\nzzzzzz = 1\n[[accepted]]\nzzzzzz = 1\n[[raised]]\nzzzzzz = 1\n[[guardrails]]\nzzzzzz = 1\n\
                [prometheus]\nzzzzzz = 1\n[[north_star]]\nzzzzzz = 1\n[[signals]]\nzzzzzz = 1\n";
    let errors = Config::parse(text, "f", &environment).unwrap_err();
    let helps = errors.errors().iter().filter_map(|error| error.help.as_deref());
    let known: BTreeSet<&str> = helps
        .filter_map(|help| help.strip_prefix("known here: "))
        .flat_map(|keys| keys.split(", "))
        .collect();
    assert!(known.len() >= 50, "{known:?}");
    for key in known {
        let key_found = EXAMPLE.lines().any(|line| {
            let line = switched_off(line).unwrap_or(line).trim_end_matches(IS_EXAMPLE);
            line.starts_with(&format!("{key} = "))
                || line.trim_matches(['[', ']']).split('.').next_back() == Some(key)
        });
        assert!(key_found || EXAMPLE.contains(&format!("`{key}`")), "{key} is not in the example");
    }
}
