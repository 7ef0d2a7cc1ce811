//! `[[teams]]`.

use std::collections::BTreeMap;

use super::reader::{Once, Table, Value, quoted};
use super::value::every;
use crate::model::name::TeamSlug;
use crate::model::settings::{RepositoryPatterns, TeamRule};

/// Every link is a label of `dora_team_info`; a team with more needs a page of its own.
const LINKS_MAX: usize = 20;

/// Reads all of `[[teams]]`. `github_teams_are_read` tells whether any source reads GitHub's teams.
pub(super) fn teams(document: &mut Table<'_>, github_teams_are_read: bool) -> Option<Vec<TeamRule>> {
    let mut once = Claims::default();
    let tables = document.tables("teams");
    every(tables.into_iter().map(|table| team(table, &mut once, github_teams_are_read)))
}

/// What two teams cannot both have.
#[derive(Default)]
struct Claims {
    names: Once,
    github_teams: Once,
    pagerduty_services: Once,
}

fn team(mut table: Table<'_>, once: &mut Claims, github_teams_are_read: bool) -> Option<TeamRule> {
    let name =
        table.required("name", "name = \"payments\"").and_then(|value| team_name(&value, &mut once.names));
    let repositories = match table.optional("repositories") {
        Some(value) => value.repositories(),
        None => Some(RepositoryPatterns::default()),
    };
    let github_teams = table.optional("github_teams");
    if let Some(value) = &github_teams
        && !github_teams_are_read
    {
        value.refuse_with(
            "no source reads GitHub's teams, so this has no effect",
            "add `teams_from = \"github_teams\"` to a `[[github]]`",
        );
    }
    let github_teams = match github_teams {
        Some(value) => value.claimed_names(&mut once.github_teams),
        None => Some(Vec::new()),
    };
    let pagerduty_services = table.pagerduty_services(&mut once.pagerduty_services);
    let mut info = BTreeMap::new();
    if let Some(slack) = table.optional("slack").and_then(|value| value.name()) {
        info.insert("slack".to_owned(), slack.to_owned());
    }
    if let Some(links) = table.table("links") {
        info.extend(read_links(&links));
    }
    table.finish();
    let (name, slug) = name?;
    info.insert("name".to_owned(), name.to_owned());
    Some(TeamRule {
        slug,
        name: name.to_owned(),
        repositories: repositories?,
        github_teams: github_teams?,
        pagerduty_services,
        info,
    })
}

/// A team's name with its slug, which no other team may have.
fn team_name<'a>(value: &Value<'a>, names: &mut Once) -> Option<(&'a str, TeamSlug)> {
    let name = value.name()?;
    let slug = slug(name);
    if slug.is_empty() {
        value.refuse(format!("{} has no letter and no digit", quoted(name)));
        return None;
    }
    let slug = TeamSlug::new(slug);
    if slug == TeamSlug::unowned() {
        value.refuse(format!(
            "{} is the team of everything that nobody owns, and cannot be configured",
            quoted(name)
        ));
        return None;
    }
    names.claim(value, slug.as_str()).then_some((name, slug))
}

/// A name as it stands in URLs and labels: lower case, and a hyphen for everything that is neither letter nor digit.
pub(super) fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Links by the label that shows them: `link_runbook`.
fn read_links(table: &Table<'_>) -> Vec<(String, String)> {
    let entries = table.free_entries();
    if entries.len() > LINKS_MAX {
        let help = "every link is a label of dora_team_info";
        table.refuse(&format!("more than {LINKS_MAX} links"), Some(help));
    }
    let read = |(key, value): (&str, Value<'_>)| {
        let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if key.is_empty() || !key.chars().all(safe) {
            value.refuse_with(
                format!("{} cannot be part of a label", quoted(key)),
                "lower-case letters, digits and `_`",
            );
            return None;
        }
        Some((format!("link_{key}"), value.url()?.into()))
    };
    entries.into_iter().filter_map(read).collect()
}
