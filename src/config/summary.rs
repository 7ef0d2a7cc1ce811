//! What was understood, for a person to read: `sextant check`.

use std::fmt::{self, Write};

use super::value::duration_text;
use super::{Config, Push, Server};
use crate::model::guardrail::{Guardrail, Limit};
use crate::model::measure::{Measure, Stat};
use crate::model::name::ServiceId;
use crate::model::regressions::{Accepted, QuietPeriod, Raised, RegressionSettings};
use crate::model::secret::Credential;
use crate::model::settings::{
    ComponentRule, DeployedBy, DeploymentRule, Standing as IncidentStanding, TeamRule, TeamsFrom,
};
use crate::model::signal::{SignalRule, Standing};
use crate::model::time::Span;
use crate::source::github::config::{App, Config as GithubConfig, SignIn};
use crate::source::pagerduty::config::Config as PagerdutyConfig;
use crate::source::promql::config::{Config as PromqlConfig, SignIn as QuerySignIn};

/// A few lines of text: organisation, sources, windows, teams, components, rules. No secret is in it.
pub fn summary(config: &Config) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    match write_summary(&mut text, config) {
        Ok(()) | Err(fmt::Error) => text,
    }
}

fn write_summary(out: &mut String, config: &Config) -> fmt::Result {
    let Config {
        organization,
        metrics,
        max_series,
        ownership,
        store,
        server,
        history: _,
        github,
        pagerduty,
        prometheus,
        signals,
    } = config;
    writeln!(out, "organization {organization}, calendar days in {}", metrics.timezone)?;
    writeln!(out, "store        {store}")?;
    write_server(out, server)?;
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
    let RegressionSettings { sensitivity: _, holidays: _, closed: _, quiet, accepted, raised } =
        &metrics.regressions;
    for QuietPeriod { from, to, factor, teams } in quiet {
        writeln!(out, "quiet        {from} to {to}, a day is worth {factor}: {teams}")?;
    }
    for Accepted { team, measure, from, reason, link } in accepted {
        let link = link.as_ref().map_or(String::new(), |link| format!(", {link}"));
        writeln!(out, "accepted     {team}: {} from {from}: {reason}{link}", measure.label())?;
    }
    for Raised { team, measure, threshold } in raised {
        writeln!(out, "raised       {team}: {} regressed from {threshold}", measure.label())?;
    }
    for guardrail in &metrics.guardrails {
        write_guardrail(out, guardrail)?;
    }
    if let Some(prometheus) = prometheus {
        write_prometheus(out, prometheus)?;
    }
    signals.iter().try_for_each(|signal| write_signal(out, signal))
}

fn write_server(out: &mut String, server: &Server) -> fmt::Result {
    let Server { listen, external_url, push } = server;
    writeln!(out, "server       {listen}, reached as {external_url}")?;
    let Some(Push { token, github_webhook_secret }) = push else {
        return Ok(());
    };
    writeln!(out, "  push         with {}", token_words(token))?;
    match github_webhook_secret {
        Some(secret) => {
            writeln!(out, "  webhooks     of GitHub, signed by the secret from {}", secret.identity())
        }
        None => writeln!(out, "  webhooks     none"),
    }
}

fn token_words(token: &Credential) -> String {
    format!("a token from {}", token.identity())
}

fn app_words(app: &App) -> String {
    let App { id, private_key, installation } = app;
    let installed = installation.map_or("every installation".to_owned(), |id| format!("installation {id}"));
    format!("the App {id}, {installed}, key from {}", private_key.identity())
}

/// How many authorities are trusted besides those of the system, if any.
fn write_ca(out: &mut String, ca_pem: Option<&[u8]>) -> fmt::Result {
    let Some(pem) = ca_pem else {
        return Ok(());
    };
    let count = String::from_utf8_lossy(pem).matches("-----BEGIN CERTIFICATE-----").count();
    writeln!(out, "  trusts       the system's authorities, and {count} of ca_file")
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
    match &source.sign_in {
        SignIn::Token(token) => writeln!(out, "  signs in     with {}", token_words(token))?,
        SignIn::App(app) => writeln!(out, "  signs in     as {}", app_words(app))?,
    }
    write_ca(out, source.ca_pem.as_deref())?;
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
    writeln!(out, "  deployments  {repositories}: {from}")
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
    writeln!(out, "  signs in     with {}", token_words(&source.credential))?;
    write_ca(out, source.ca_pem.as_deref())?;
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
        IncidentStanding::Primary => Ok(()),
        IncidentStanding::Secondary => {
            writeln!(out, "  secondary    what a primary source has too is left out")
        }
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
    if let Some(paths) = &component.paths {
        write!(out, " in {}", paths.patterns().join(" and "))?;
    }
    if let Some(team) = &component.team {
        write!(out, ", team {team}")?;
    }
    match &component.deployed_by {
        Some(DeployedBy::Environment(environment)) => write!(out, ", environments {environment}")?,
        Some(DeployedBy::Workflow(rule)) => write!(out, ", runs of {rule}")?,
        Some(DeployedBy::Tag(tag)) => write!(out, ", tags {tag}")?,
        None => {}
    }
    if !component.pagerduty_services.is_empty() {
        write!(out, ", {}", services(&component.pagerduty_services))?;
    }
    writeln!(out)
}

fn write_guardrail(out: &mut String, guardrail: &Guardrail) -> fmt::Result {
    let Guardrail { name, measure, stat, limit, window, min_samples, teams } = guardrail;
    let side = match limit {
        Limit::Max(_) => "max",
        Limit::Min(_) => "min",
    };
    let stat = match stat {
        Stat::P50 => "",
        Stat::P90 => " p90",
    };
    let (window, measure, limit) = (&window.label, measure.label(), amount(*measure, limit.value()));
    writeln!(
        out,
        "guardrail    {name}: {measure}{stat} {side} {limit} over {window}, n {min_samples} or more: {teams}"
    )
}

/// A limit as the configuration has it.
fn amount(measure: Measure, value: f64) -> String {
    if measure.is_time() {
        let seconds = std::time::Duration::try_from_secs_f64(value).unwrap_or_default();
        return duration_text(Span::from(seconds));
    }
    value.to_string()
}

fn write_prometheus(out: &mut String, prometheus: &PromqlConfig) -> fmt::Result {
    let PromqlConfig { url, sign_in, ca_pem, poll_interval } = prometheus;
    writeln!(out, "prometheus   {url}, every {}", duration_text(*poll_interval))?;
    match sign_in {
        QuerySignIn::Nobody => {}
        QuerySignIn::Token(token) => writeln!(out, "  signs in     with {}", token_words(token))?,
        QuerySignIn::Password { user, password } => {
            writeln!(out, "  signs in     as {user} with a password from {}", password.identity())?;
        }
    }
    write_ca(out, ca_pem.as_deref())
}

fn write_signal(out: &mut String, signal: &SignalRule) -> fmt::Result {
    let SignalRule { standing, name, promql, start, target, by, title: _, deadline: _, format: _ } = signal;
    match standing {
        Standing::NorthStar => write!(out, "north star   {name}")?,
        Standing::Organization => write!(out, "signal       {name}")?,
        Standing::Team(team) => write!(out, "signal       {name} of {team}")?,
    }
    write!(out, ": from {start} to {target} by {by}, ")?;
    match promql {
        Some(promql) => writeln!(out, "read by {promql}"),
        None => writeln!(out, "pushed"),
    }
}

fn services(services: &[ServiceId]) -> String {
    let names: Vec<&str> = services.iter().map(ServiceId::as_str).collect();
    format!("PagerDuty services {}", names.join(", "))
}
