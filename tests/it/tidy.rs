//! Style as tests: who may use whom, how long a file may be, which names belong where. The table is
//! `ARCHITECTURE.md`'s; what is absent is forbidden.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Module → modules of ours that it may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("engine", &["model"]),
    ("catalogue", &["model"]),
    ("telemetry", &["catalogue"]),
    ("http", &["clock", "model", "telemetry"]),
    ("source", &["model", "http", "clock", "telemetry"]),
    ("store", &["model", "telemetry"]),
    ("ownership", &["model"]),
    ("collect", &["model", "source", "store", "ownership", "clock", "telemetry"]),
    ("recompute", &["model", "store", "ownership", "engine", "clock", "telemetry"]),
    ("exposition", &["model", "engine", "catalogue", "telemetry"]),
    ("remote_read", &["model", "engine"]),
    ("server", &["exposition", "model", "engine", "remote_read", "store", "telemetry"]),
    ("config", &["model", "source", "clock", "telemetry"]),
    ("demo", &["model", "telemetry"]),
    (
        "daemon",
        &[
            "catalogue",
            "clock",
            "collect",
            "config",
            "demo",
            "engine",
            "exposition",
            "http",
            "model",
            "ownership",
            "recompute",
            "remote_read",
            "server",
            "source",
            "store",
            "telemetry",
        ],
    ),
    ("cli", &["config", "daemon", "demo", "engine", "model", "store", "source", "telemetry"]),
];

/// What the pure core must not name, in any form.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "octocrab",
    "rusqlite",
    "postgres",
    "tracing",
    "std::fs",
    "std::env",
    "std::net",
    "SystemTime",
    "Instant::now",
    "Utc::now",
];

const LINES_MAX: usize = 700;
const LINES_MEDIAN_MAX: usize = 200;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` with this extension, by path from the root.
fn files(folder: &str, extension: &str) -> BTreeMap<String, String> {
    fn walk(path: &Path, extension: &str, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, extension, found);
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    let path = root().join(folder);
    if path.exists() {
        walk(&path, extension, &mut found);
    }
    found
}

fn sources() -> BTreeMap<String, String> {
    files("src", "rs")
}

/// `src/source/github.rs` → `source`.
fn module_of(path: &str) -> &str {
    let path = path.strip_prefix("src/").unwrap();
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Lines of code with their number, without comments and doc comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn fail_on(findings: &[String]) {
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let direct = Regex::new(r"\bcrate::([a-z_]+)").unwrap();
    let grouped = Regex::new(r"\bcrate::\{").unwrap();
    let mut findings = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            findings.push(format!("{path}: `{module}` is not in the table"));
            continue;
        };
        for (line, text) in code(&text) {
            if grouped.is_match(text) || text.contains("super::super") {
                findings.push(format!("{path}:{line}: name modules one by one, from the crate's root"));
            }
            for used in direct.captures_iter(text).map(|found| found[1].to_owned()) {
                if used != module && !allowed.contains(&used.as_str()) {
                    findings.push(format!("{path}:{line}: {module} must not use crate::{used}"));
                }
            }
        }
    }
    fail_on(&findings);
}

#[test]
fn a_provider_never_names_another() {
    let providers = ["github", "pagerduty", "promql"];
    let mut findings = Vec::new();
    for (path, text) in files("src/source", "rs") {
        let own = providers.iter().find(|name| path.contains(&format!("source/{name}")));
        for other in providers.iter().filter(|name| own.is_some_and(|own| own != *name)) {
            for (line, text) in code(&text).filter(|(_, text)| text.contains(&format!("source::{other}"))) {
                findings.push(format!("{path}:{line}: {text}"));
            }
        }
    }
    fail_on(&findings);
}

#[test]
fn the_core_is_pure() {
    let mut findings = Vec::new();
    for (path, text) in sources() {
        if !matches!(module_of(&path), "engine" | "model") {
            continue;
        }
        for (line, text) in code(&text) {
            for word in IMPURE.iter().filter(|word| text.contains(*word)) {
                findings.push(format!("{path}:{line}: the core must not name {word}"));
            }
        }
    }
    fail_on(&findings);
}

#[test]
fn libraries_stay_in_their_rooms() {
    let rooms: [(&str, &[&str]); 4] = [
        (r"\boctocrab\b", &["source"]),
        (r"\bprometheus::", &["exposition", "telemetry"]),
        (r"\brusqlite\b", &["store"]),
        (r"\bapollo_compiler\b", &["demo"]),
    ];
    let mut findings = Vec::new();
    for (pattern, modules) in rooms {
        let pattern = Regex::new(pattern).unwrap();
        for (path, text) in sources() {
            if modules.contains(&module_of(&path)) {
                continue;
            }
            for (line, text) in code(&text).filter(|(_, text)| pattern.is_match(text)) {
                findings.push(format!("{path}:{line}: {}", text.trim()));
            }
        }
    }
    fail_on(&findings);
}

#[test]
fn there_are_three_traits() {
    let declared = Regex::new(r"^\s*(?:pub(?:\([a-z]+\))? )?trait ([A-Za-z]+)").unwrap();
    let mut traits: Vec<String> = Vec::new();
    for text in sources().values() {
        let names = text.lines().filter_map(|line| declared.captures(line).map(|found| found[1].to_owned()));
        traits.extend(names);
    }
    traits.sort();
    assert_eq!(traits, ["Clock", "FactStore", "Source"]);
}

#[test]
fn files_can_be_read_in_one_sitting() {
    let mut lengths: Vec<(usize, String)> = Vec::new();
    for (path, text) in sources().into_iter().chain(files("tests", "rs")).chain(files("examples", "rs")) {
        lengths.push((text.lines().count(), path));
    }
    let long: Vec<_> = lengths
        .iter()
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    fail_on(&long);
    let mut own: Vec<_> = lengths.iter().filter(|(_, path)| path.starts_with("src/")).collect();
    own.sort();
    let (median, path) = own[own.len() / 2];
    assert!(*median <= LINES_MEDIAN_MAX, "the median file, {path}, has {median} lines");
}

#[test]
fn shortcuts_are_not_taken() {
    let bans = [
        (r"#!?\[allow\(", "use #[expect(lint, reason = …)]"),
        (r"#\[ignore", "no test is ignored"),
        (r"\bshould_panic\b", "assert the error instead"),
        (r"\bthread::sleep\b|\btime::sleep\(", "nothing sleeps in tests"),
        (r"\b(todo|unimplemented)!\(", "finish it"),
        (r"(?i)crates\.io|registry\.npmjs|pypi\.org|deb\.debian\.org", "no host of a package registry"),
    ];
    let mut findings = Vec::new();
    for (pattern, why) in bans {
        let in_tests_only = why.contains("sleeps");
        let pattern = Regex::new(pattern).unwrap();
        let folders = if in_tests_only { vec!["tests"] } else { vec!["src", "tests", "examples", "benches"] };
        for (path, text) in folders.into_iter().flat_map(|folder| files(folder, "rs")) {
            if path.ends_with("tidy.rs") {
                continue;
            }
            for (line, text) in code(&text).filter(|(_, text)| pattern.is_match(text)) {
                findings.push(format!("{path}:{line}: {why}: {}", text.trim()));
            }
        }
    }
    let parents = sources().into_keys().filter(|path| path.ends_with("/mod.rs"));
    findings.extend(parents.map(|path| format!("{path}: foo.rs and foo/, no mod.rs")));
    fail_on(&findings);
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let everything: String = sources().into_values().chain(files("tests", "rs").into_values()).collect();
    let quoted = Regex::new(r"`([a-z][a-z0-9_]+)`").unwrap();
    let mut findings = Vec::new();
    let mut invariants = 0;
    for line in text.lines().filter(|line| line.starts_with("- **Invariant")) {
        invariants += 1;
        let (_, tests) = line.rsplit_once("Test:").unwrap_or_else(|| panic!("no test: {line}"));
        let names: Vec<_> = quoted.captures_iter(tests).map(|found| found[1].to_owned()).collect();
        if names.is_empty() {
            findings.push(format!("no test named: {line}"));
        }
        for name in names {
            if !everything.contains(&format!("fn {name}(")) {
                findings.push(format!("no such test, `{name}`: {line}"));
            }
        }
    }
    assert!(invariants > 0, "ARCHITECTURE.md states no invariant");
    fail_on(&findings);
}

#[test]
fn the_import_table_of_the_architecture_is_this_one() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut findings = Vec::new();
    for (module, allowed) in MAY_USE {
        let listed = match allowed {
            [] => "nothing of ours".to_owned(),
            _ if allowed.len() > 10 => "all but `cli`".to_owned(),
            some => some.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        };
        let row = format!("| `{module}` | {listed} |");
        if !text.contains(&row) {
            findings.push(format!("ARCHITECTURE.md lacks the row {row}"));
        }
    }
    fail_on(&findings);
}
