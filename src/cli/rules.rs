//! `sextant rules`: alerting and recording rules for Prometheus, and Alertmanager's routing by team, from the same
//! configuration that the daemon runs with.
//!
//! All statistics live in the daemon: a rule reads a state, asks whether the data can be trusted, and keeps the label
//! by which the alert finds its people. `config/prometheus` holds what this command writes for the example
//! configuration; tests compare the two, and try every rule with `promtool`.

use std::path::Path;

use anyhow::Context as _;

use super::{Failure, complain, say};
use crate::config::Config;
use crate::daemon;
use crate::model::settings::Window;
use crate::model::time::{Span, Timestamp};

mod alert;
mod collector;
mod delivery;
mod fresh;
mod quiet;
mod recording;
mod routing;

/// What rules depend on.
struct Setting {
    /// Where people reach the daemon; no slash at its end.
    external_url: String,
    /// Where people reach Grafana; no slash at its end.
    grafana_url: Option<String>,
    /// The longest window.
    window: Window,
    /// The label of the window that says most of the weeks that a state looks at.
    recent: String,
    /// Which sources are stale, which were read lately, and for how long one is down before it is told.
    stale: String,
    lately: String,
    down: String,
    /// What is taken off a silence, and up to which year holidays are known.
    quiet: (String, Option<i32>),
}

/// All alerts.
const GROUPS: [&alert::Group; 2] = [&collector::GROUP, &delivery::GROUP];

/// A state compares at most 84 days with those before (`regressions.md` 3.1); 90 days are as good as those.
const RECENT_MAX: Span = Span::from_days(112);

/// The teams of so many of whose deployments it is not known what they changed that nobody should trust what follows from
/// it: reports withhold their verdict below the same share.
const UNCOVERED: &str =
    "dora_team_coverage_ratio{kind=\"deployments_with_changes\", window=\"<recent>\"} < 0.8";

impl Setting {
    fn of(config: &Config, grafana_url: Option<String>, now: Timestamp) -> anyhow::Result<Self> {
        let window = longest(config).context("there is no window")?;
        Ok(Self {
            external_url: config.server.external_url.clone(),
            grafana_url: grafana_url.map(|url| url.trim_end_matches('/').to_owned()),
            window: window.clone(),
            recent: recent(config).unwrap_or(window).label.clone(),
            stale: fresh::stale(config),
            lately: fresh::lately(config),
            down: fresh::down(config),
            quiet: (quiet::terms(&config.metrics, now, window.length)?, quiet::until(&config.metrics, now)),
        })
    }

    /// A text with its places filled in.
    fn fill(&self, text: &str) -> String {
        let text = text.replace("<uncovered>", UNCOVERED).replace("<recent>", &self.recent);
        let text = text.replace("<window>", &self.window.label);
        let text = text.replace("<window_seconds>", &self.window.length.seconds().to_string());
        let text = text.replace("<stale>", &self.stale).replace("<lately>", &self.lately);
        let text = text.replace("<down>", &self.down);
        let text = text.replace("<silence>", recording::SILENCE).replace("<last>", quiet::LAST);
        text.replace("<trusted>", recording::TRUSTED)
    }
}

/// The longest window.
fn longest(config: &Config) -> Option<&Window> {
    config.metrics.windows.iter().max_by_key(|window| window.length)
}

/// The longest window that reaches no further back than a state looks, else the shortest.
fn recent(config: &Config) -> Option<&Window> {
    let windows = || config.metrics.windows.iter();
    let longest = windows().filter(|window| window.length <= RECENT_MAX).max_by_key(|window| window.length);
    longest.or_else(|| windows().min_by_key(|window| window.length))
}

/// The alerts that this configuration leaves out: a sentence for each, with what mends it.
pub(super) fn left_out(config: &Config) -> Vec<String> {
    let alerts = GROUPS.into_iter().flat_map(|group| group.alerts);
    let sentences = longest(config).map(|window| alerts.filter_map(|alert| alert.left_out(window)).collect());
    sentences.unwrap_or_default()
}

/// Writes the rules into a folder, which is made if it is not there.
pub(super) fn run(path: &Path, out: &Path, grafana_url: Option<String>) -> Result<(), Failure> {
    let config = Config::load(path).map_err(|errors| Failure::Usage(errors.to_string()))?;
    if let Some(url) = &grafana_url
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        return Err(Failure::Usage(format!(
            "error: --grafana {url:?} is no address; give http:// or https://"
        )));
    }
    let now = Timestamp::from(daemon::system_clock().now());
    let setting = Setting::of(&config, grafana_url, now)?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let files = [
        ("recording.yml", recording::file(&setting)),
        ("alerts.yml", alert::file(&setting, &GROUPS).context("alerts")?),
        ("alertmanager.example.yml", routing::file(&config).context("routing")?),
    ];
    for (name, text) in files {
        let file = out.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        say(&file.display().to_string());
    }
    for sentence in left_out(&config) {
        complain(&format!("warning: {sentence}"));
    }
    Ok(())
}

/// A text as YAML has it in one line.
fn quoted(text: &str) -> String {
    // JSON is YAML.
    serde_json::Value::from(text).to_string()
}

/// Lines, each indented by so many blanks.
fn indented(text: &str, blanks: usize) -> String {
    let indent = " ".repeat(blanks);
    let lines = text
        .trim()
        .lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("{indent}{line}") });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_asked_of_what_a_state_looks_at() {
        for (windows, expected) in [
            (r#"["7d", "30d", "90d"]"#, "90d"),
            (r#"["7d", "365d"]"#, "7d"),
            (r#"["365d", "180d"]"#, "180d"),
            (r#"["112d", "365d"]"#, "112d"),
        ] {
            let toml = format!(
                "[organization]\nname = \"acme\"\n[metrics]\nwindows = {windows}\n[[pagerduty]]\nname = \"acme-pagerduty\"\n\
                 token_env = \"PAGERDUTY_TOKEN\"\n"
            );
            let config = Config::parse(&toml, "t.toml", &|_| Some("token".to_owned())).unwrap();
            assert_eq!(recent(&config).unwrap().label, expected, "{windows}");
        }
    }
}
