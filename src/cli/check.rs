//! `sextant check`: what the configuration says, or everything that is wrong with it, and what its limits say today of
//! what is collected already; `--online`: whether its sources can be read, and what is found in them.

use std::collections::BTreeSet;
use std::path::Path;

use futures_util::future::join_all;

use super::{Failure, runtime, say};
use crate::config::Config;
use crate::daemon;
use crate::model::time::Timestamp;
use crate::source::{github, pagerduty, report::Report};

mod today;

/// Services without an owner that are named.
const UNOWNED_SHOWN: usize = 20;

/// Validates the configuration and says what was understood.
pub(super) fn run(path: &Path, online: bool) -> Result<(), Failure> {
    let config = Config::load(path).map_err(|errors| Failure::Usage(errors.to_string()))?;
    say(&format!("{}: ok", path.display()));
    say(crate::config::summary(&config).trim_end());
    for sentence in super::rules::left_out(&config) {
        say(&format!("rules        {sentence}"));
    }
    let clock = daemon::system_clock();
    // A store that cannot be read is no mistake of the configuration: a newer sextant, too, is checked before it runs.
    let looked = runtime()?.block_on(daemon::look(&config, &clock));
    let looked = looked.unwrap_or_else(|error| {
        say(&format!("store        not read: {error:#}"));
        None
    });
    let snapshot = looked.as_ref().map(|computed| &*computed.snapshot);
    say(&today::today(&config, snapshot, Timestamp::from(clock.now())));
    if online {
        return try_sources(&config);
    }
    Ok(())
}

/// Tries all sources at once, and tells of each in their order.
fn try_sources(config: &Config) -> Result<(), Failure> {
    let clock = daemon::system_clock;
    let reports: Vec<Report> = runtime()?.block_on(async {
        let github = join_all(config.github.iter().map(|source| github::inspect::inspect(source, clock())));
        let pagerduty =
            join_all(config.pagerduty.iter().map(|source| pagerduty::inspect::inspect(source, clock())));
        let (mut reports, pagerduty) = tokio::join!(github, pagerduty);
        reports.extend(pagerduty);
        reports
    });
    let names: BTreeSet<String> = reports.iter().flat_map(|report| report.names.iter().cloned()).collect();
    let mut faults = 0;
    for mut report in reports {
        tell_unowned(config, &names, &mut report);
        say("");
        say(report.to_string().trim_end());
        faults += report.faults();
    }
    if faults > 0 {
        let failed = anyhow::anyhow!("{faults} to mend, named above with what mends it");
        return Err(Failure::Failed(failed));
    }
    Ok(())
}

/// Names the services with incidents that are nobody's: no rule has them, and no component or team is called so.
fn tell_unowned(config: &Config, names: &BTreeSet<String>, report: &mut Report) {
    let rules = &config.ownership;
    let of_teams = rules.teams.iter().flat_map(|team| &team.pagerduty_services);
    let of_components = rules.components.iter().flat_map(|component| &component.pagerduty_services);
    let configured: BTreeSet<String> = of_teams.chain(of_components).map(ToString::to_string).collect();
    let mut called = names.clone();
    called.extend(rules.components.iter().map(|component| component.name.as_str().to_lowercase()));
    for team in &rules.teams {
        called.extend([team.slug.as_str().to_lowercase(), team.name.to_lowercase()]);
    }
    let unowned: Vec<String> = report
        .services
        .iter()
        .filter(|(id, name)| !configured.contains(id) && !called.contains(&name.to_lowercase()))
        .map(|(id, name)| format!("{name} ({id})"))
        .collect();
    if !unowned.is_empty() {
        let shown: Vec<&str> = unowned.iter().take(UNOWNED_SHOWN).map(String::as_str).collect();
        report.say("unowned", format!("{}: no component or team has this service", shown.join(", ")));
    }
}
