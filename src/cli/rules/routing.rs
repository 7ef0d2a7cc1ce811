//! Alertmanager's routing: each team gets what is about it, in its office hours, and the platform the rest.

use std::fmt::{self, Write as _};

use super::quoted;
use crate::config::Config;
use crate::model::settings::TeamRule;

const HEAD: &str = "\
# Routing by team for Alertmanager 0.25 or newer: an example to be completed. Written by `sextant rules`.
#
# Alerts of sextant have `audience`: \"team\" or \"platform\". Nothing here is urgent, so it waits for office hours and
# is repeated once a week. Alertmanager must remember for that long: --data.retention=240h, instead of five days.
";

/// Why there is no address for all: neither Slack nor a new Alertmanager (0.33) minds `channel`.
const WEBHOOKS: &str = "  \
  # Each file has the address of a webhook of Slack. It is bound to the channel that it was made for: what `channel`
  # says is minded by old webhooks alone.
";

/// The file: a route and a receiver for every team of the configuration that has a channel.
pub(super) fn file(config: &Config) -> Result<String, fmt::Error> {
    let mut teams: Vec<(&TeamRule, &str)> = Vec::new();
    for team in &config.ownership.teams {
        teams.extend(team.info.get("slack").map(|channel| (team, channel.as_str())));
    }
    teams.sort_by_key(|(team, _)| team.slug.to_string());
    let mut out = String::from(HEAD);
    out.push_str(
        "\nroute:\n  receiver: platform\n  group_by: [alertname, team]\n  group_wait: 5m\n  group_interval: 1h\n  \
         repeat_interval: 1w\n  routes:\n",
    );
    for (team, _) in &teams {
        let matcher = |name: &str, value: &str| quoted(&format!("{name}={}", quoted(value)));
        write!(
            out,
            "    - matchers: [{}, {}]\n      receiver: {}\n      active_time_intervals: [office-hours]\n",
            matcher("audience", "team"),
            matcher("team", team.slug.as_str()),
            quoted(&receiver(team)),
        )?;
    }
    // The root itself takes no time interval.
    out.push_str("    - receiver: platform\n      active_time_intervals: [office-hours]\n");
    out.push_str(
        "\nreceivers:\n  # Say here how those who run sextant want to be told.\n  - name: platform\n",
    );
    if !teams.is_empty() {
        out.push_str(WEBHOOKS);
    }
    for (team, channel) in &teams {
        write!(
            out,
            "  - name: {}\n    slack_configs:\n      - api_url_file: {}\n        channel: {}\n        send_resolved: true\n        \
             title: {}\n        text: {}\n",
            quoted(&receiver(team)),
            quoted(&format!("/etc/alertmanager/slack/{}", team.slug)),
            quoted(channel),
            quoted("{{ .CommonAnnotations.summary }}"),
            quoted(
                "{{ range .Alerts }}{{ .Annotations.description }}\n{{ .Annotations.dashboard_url }} · {{ .Annotations.runbook_url }}\n{{ end }}"
            ),
        )?;
    }
    write!(
        out,
        "\ntime_intervals:\n  - name: office-hours\n    time_intervals:\n      - weekdays: [\"monday:friday\"]\n        \
         times: [{{ start_time: \"09:00\", end_time: \"17:00\" }}]\n        location: {}\n",
        quoted(config.metrics.timezone.name()),
    )?;
    Ok(out)
}

fn receiver(team: &TeamRule) -> String {
    format!("team-{}", team.slug)
}
