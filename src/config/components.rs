//! `[[components]]`: repositories, and parts of them, of which more is said.

use super::reader::{Once, Table, Value, quoted};
use super::rules::run_rule;
use super::teams::slug;
use super::value::every;
use crate::model::name::{ComponentName, TeamSlug};
use crate::model::settings::{ComponentRule, DeployedBy, PathPatterns, TeamRule};
use crate::model::text::closest;

/// Characters of a pattern of paths: Git has longer paths, but nobody writes them by hand.
const PATH_CHARS_MAX: usize = 500;
/// The keys that say how a component's deployments are found, of which there is one at most.
const DEPLOYED_BY: [&str; 3] = ["environment", "workflow", "tag"];

/// What two components cannot both have.
#[derive(Default)]
struct Claims {
    names: Once,
    parts: Once,
    pagerduty_services: Once,
}

/// Something is wrong, and has been told.
struct Told;

/// Reads all of `[[components]]`.
pub(super) fn components(document: &mut Table<'_>, teams: Option<&[TeamRule]>) -> Option<Vec<ComponentRule>> {
    let mut once = Claims::default();
    let tables = document.tables("components");
    every(tables.into_iter().map(|table| component(table, &mut once, teams)))
}

/// A component. Where the teams themselves are wrong, which one is meant is not asked.
fn component(mut table: Table<'_>, once: &mut Claims, teams: Option<&[TeamRule]>) -> Option<ComponentRule> {
    let name = table.required("name", "name = \"checkout\"").and_then(|value| {
        let name = value.name()?;
        once.names.claim(&value, name).then(|| ComponentName::from(name))
    });
    let repository = table.required("repository", "repository = \"acme/shop\"");
    let named = repository.as_ref().and_then(Value::repository);
    let paths = match table.optional("paths") {
        Some(value) => paths(&value).map(Some),
        None => Some(None),
    };
    let deployed_by = deployed_by(&mut table);
    let team = match table.optional("team") {
        Some(value) => owner(&value, teams).map(Some),
        None => Some(None),
    };
    let pagerduty_services = table.pagerduty_services(&mut once.pagerduty_services);
    table.finish();
    let (value, repository, paths, deployed_by) = (repository?, named?, paths?, deployed_by.ok()?);
    let part = part(repository.as_str(), paths.as_ref(), deployed_by.as_ref());
    if let Some((line, path)) = once.parts.former(&value, &part) {
        let other = path.trim_end_matches(".repository");
        value.refuse_with(
            format!("the same as {other} at line {line}: the same files, deployed in the same way"),
            "tell them apart by `paths`, or by one of `environment`, `workflow` and `tag`",
        );
        return None;
    }
    Some(ComponentRule { name: name?, repository, paths, deployed_by, team: team?, pagerduty_services })
}

/// What makes a component another one than the rest of its repository: files in any order, and its own deployments.
fn part(repository: &str, paths: Option<&PathPatterns>, deployed_by: Option<&DeployedBy>) -> String {
    let paths = paths.map(|paths| {
        let mut patterns: Vec<_> = paths.patterns().iter().map(String::as_str).collect();
        patterns.sort_unstable();
        patterns
    });
    format!("{} {paths:?} {deployed_by:?}", repository.to_ascii_lowercase())
}

/// Patterns of the files that belong to a component, each once.
fn paths(value: &Value<'_>) -> Option<PathPatterns> {
    let mut once = Once::default();
    let items = value.some_items("patterns such as \"services/checkout/**\"")?;
    let patterns = every(items.iter().map(|item| {
        let pattern = path(item)?;
        once.claim(item, pattern).then_some(pattern)
    }))?;
    match PathPatterns::parse(patterns) {
        Ok(patterns) => Some(patterns),
        // Each of them compiles; together they may be too large.
        Err((_, error)) => {
            value.refuse(format!("too many patterns: {}", error.kind()));
            None
        }
    }
}

fn path<'a>(value: &Value<'a>) -> Option<&'a str> {
    let pattern = value.text("a pattern such as \"services/checkout/**\"")?;
    let bare = pattern.trim_start_matches("./").trim_start_matches('/');
    let has_part = |part: &str| bare.split('/').any(|other| other == part);
    let wrong = if pattern.trim() != pattern || pattern.is_empty() || pattern.chars().any(char::is_control) {
        Some((
            "cannot match a file".to_owned(),
            "write a path of the repository: \"services/checkout/**\"".to_owned(),
        ))
    } else if pattern.starts_with('!') {
        let help = "name what belongs to the component; several patterns are allowed";
        Some(("leaves out, which paths cannot".to_owned(), help.to_owned()))
    } else if bare != pattern {
        Some(("is not relative to the repository".to_owned(), format!("write {}", quoted(bare))))
    } else if pattern.get(1..).is_some_and(|rest| rest.starts_with(":/") || rest.starts_with(":\\")) {
        let help = "write a path of the repository: \"services/checkout/**\"";
        Some(("is not relative to the repository".to_owned(), help.to_owned()))
    } else if pattern.ends_with('/') {
        Some((
            "is a folder, and only files change".to_owned(),
            format!("write {}", quoted(&format!("{bare}**"))),
        ))
    } else if has_part("") || has_part(".") || has_part("..") {
        let help = "paths are as Git shows them, without `.`, `..` and empty parts";
        Some(("cannot match a file".to_owned(), help.to_owned()))
    } else {
        None
    };
    if let Some((message, help)) = wrong {
        value.refuse_with(format!("{} {message}", quoted(pattern)), help);
        return None;
    }
    if pattern.chars().count() > PATH_CHARS_MAX {
        value.refuse(format!("the pattern is longer than {PATH_CHARS_MAX} characters: {}", quoted(pattern)));
        return None;
    }
    if let Err((_, error)) = PathPatterns::parse([pattern]) {
        value.refuse(format!("{} is no pattern: {}", quoted(pattern), error.kind()));
        return None;
    }
    Some(pattern)
}

/// How its deployments are found, if not as its repository's are. Everything that is written is read, so that what
/// is wrong with it is told; one way at most may be written.
fn deployed_by(table: &mut Table<'_>) -> Result<Option<DeployedBy>, Told> {
    let [environment, workflow, tag] = DEPLOYED_BY.map(|key| table.optional(key));
    let (branch, event) = (table.optional("branch"), table.optional("event"));
    let ways_count = one_at_most([&environment, &workflow, &tag]);
    let stray = if workflow.is_none() { [&branch, &event] } else { [&None, &None] };
    for value in stray.into_iter().flatten() {
        let help = "add `workflow = \"deploy.yml\"`, or leave this out";
        value.refuse_with("only for runs of a workflow", help);
    }
    let runs = run_rule(workflow.as_ref(), branch.as_ref(), event.as_ref());
    let ways = [
        environment.and_then(|value| value.environment()).map(DeployedBy::Environment),
        runs.map(DeployedBy::Workflow),
        tag.and_then(|value| value.regex()).map(DeployedBy::Tag),
    ];
    let by = ways.into_iter().flatten().next();
    if ways_count == usize::from(by.is_some()) { Ok(by) } else { Err(Told) }
}

/// How many of [`DEPLOYED_BY`] are written; refuses all but the first.
fn one_at_most(ways: [&Option<Value<'_>>; 3]) -> usize {
    let mut written =
        DEPLOYED_BY.into_iter().zip(ways).filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let Some((first, _)) = written.next() else {
        return 0;
    };
    let others = written.map(|(_, value)| {
        value.refuse_with(
            format!("a second way to find its deployments, besides {first}"),
            "keep one of `environment`, `workflow` and `tag`",
        );
    });
    1 + others.count()
}

fn owner(value: &Value<'_>, teams: Option<&[TeamRule]>) -> Option<TeamSlug> {
    let name = value.name()?;
    let slug = TeamSlug::new(slug(name));
    let teams = teams?;
    if teams.iter().any(|team| team.slug == slug) {
        return Some(slug);
    }
    let meant = closest(name, teams.iter().map(|team| team.name.as_str()));
    let help =
        meant.map_or("add it as one of `[[teams]]`".to_owned(), |team| format!("did you mean {team:?}?"));
    value.refuse_with(format!("unknown team {}", quoted(name)), help);
    None
}
