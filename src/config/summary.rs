//! What was understood, for a person to read: `sextant check`.

use std::fmt::{self, Write};

use super::Config;
use super::value::duration_text;
use crate::model::name::ServiceId;
use crate::model::settings::{
    ComponentRule, DeployedBy, DeploymentRule, DeploymentsFrom, RunRule, Standing, TeamRule, TeamsFrom,
};
use crate::source::github::config::Config as GithubConfig;
use crate::source::pagerduty::config::Config as PagerdutyConfig;

/// A few lines of text: organisation, sources, windows, teams, components, rules. No secret is in it.
pub fn summary(config: &Config) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    match write_summary(&mut text, config) {
        Ok(()) | Err(fmt::Error) => text,
    }
}

fn write_summary(out: &mut String, config: &Config) -> fmt::Result {
    let Config { organization, metrics, max_series, ownership, store, server, github, pagerduty } = config;
    writeln!(out, "organization {organization}, calendar days in {}", metrics.timezone)?;
    writeln!(out, "store        {store}")?;
    writeln!(out, "server       {}, reached as {}", server.listen, server.external_url)?;
    let windows: Vec<&str> = metrics.windows.iter().map(|window| window.label.as_str()).collect();
    writeln!(out, "windows      {}; at most {max_series} series", windows.join(", "))?;
    for source in github {
        write_github(out, source)?;
        let rules = ownership.deployments.iter();
        for rule in rules.filter(|rule| rule.source == source.name) {
            write_rule(out, rule)?;
        }
    }
    for source in pagerduty {
        write_pagerduty(out, source, config)?;
    }
    for team in &ownership.teams {
        write_team(out, team)?;
    }
    for component in &ownership.components {
        write_component(out, component)?;
    }
    Ok(())
}

fn write_github(out: &mut String, source: &GithubConfig) -> fmt::Result {
    writeln!(
        out,
        "source       {}: GitHub at {}, every {}, {} of history",
        source.name,
        source.api_url,
        duration_text(source.poll_interval),
        duration_text(source.history),
    )?;
    writeln!(out, "  repositories {}", source.repositories)?;
    let teams = match source.teams_from {
        TeamsFrom::Config => "this configuration alone",
        TeamsFrom::GithubTeams => "this configuration, then GitHub's teams",
    };
    writeln!(out, "  owners       {teams}")?;
    if let Some(issues) = &source.incidents {
        let labels = if issues.labels.is_empty() {
            "every issue".to_owned()
        } else {
            format!("issues labelled {}", issues.labels.join(", "))
        };
        writeln!(out, "  incidents    {labels}")?;
    }
    Ok(())
}

fn write_rule(out: &mut String, rule: &DeploymentRule) -> fmt::Result {
    let DeploymentRule { source: _, repositories, from } = rule;
    writeln!(out, "  deployments  {repositories}: {}", from_words(from))
}

fn from_words(from: &DeploymentsFrom) -> String {
    from.to_string()
}

fn run_words(rule: &RunRule) -> String {
    format!("runs of {rule}")
}

fn write_pagerduty(out: &mut String, source: &PagerdutyConfig, config: &Config) -> fmt::Result {
    writeln!(
        out,
        "source       {}: PagerDuty at {}, every {}, {} of history",
        source.name,
        source.api_url,
        duration_text(source.poll_interval),
        duration_text(source.history),
    )?;
    let Some(filter) = config.metrics.incident_filters.get(&source.name) else {
        return Ok(());
    };
    if let Some(urgencies) = &filter.urgencies {
        writeln!(out, "  urgencies    {}", urgencies.join(", "))?;
    }
    if let Some(title) = &filter.exclude_title {
        writeln!(out, "  but not      titles that match {title}")?;
    }
    match filter.standing {
        Standing::Primary => Ok(()),
        Standing::Secondary => writeln!(out, "  secondary    what a primary source has too is left out"),
    }
}

fn write_team(out: &mut String, team: &TeamRule) -> fmt::Result {
    write!(out, "team         {}", team.slug)?;
    let mut separator = ": ";
    let mut part = |out: &mut String, what: &str| -> fmt::Result {
        write!(out, "{separator}{what}")?;
        separator = "; ";
        Ok(())
    };
    if !team.repositories.is_empty() {
        part(out, &format!("repositories {}", team.repositories))?;
    }
    if !team.github_teams.is_empty() {
        part(out, &format!("GitHub teams {}", team.github_teams.join(", ")))?;
    }
    if !team.pagerduty_services.is_empty() {
        part(out, &services(&team.pagerduty_services))?;
    }
    writeln!(out)
}

fn write_component(out: &mut String, component: &ComponentRule) -> fmt::Result {
    write!(out, "component    {}: {}", component.name, component.repository)?;
    if let Some(team) = &component.team {
        write!(out, ", team {team}")?;
    }
    match &component.deployed_by {
        Some(DeployedBy::Environment(environment)) => write!(out, ", environments {environment}")?,
        Some(DeployedBy::Workflow(rule)) => write!(out, ", {}", run_words(rule))?,
        Some(DeployedBy::Tag(tag)) => write!(out, ", tags {tag}")?,
        None => {}
    }
    if !component.pagerduty_services.is_empty() {
        write!(out, ", {}", services(&component.pagerduty_services))?;
    }
    writeln!(out)
}

fn services(services: &[ServiceId]) -> String {
    let names: Vec<&str> = services.iter().map(ServiceId::as_str).collect();
    format!("PagerDuty services {}", names.join(", "))
}
