//! The rules by which facts are read: what the configuration says, parsed and validated, as the engine and the
//! owner need it. Defaults are those of `interfaces.md` §2.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono_tz::Tz;
use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use regex::{Regex, RegexBuilder};

use super::dirty::Stream;
use super::fact::{Outcome, Repository};
use super::guardrail::Guardrail;
use super::name::{ComponentName, RepositoryName, ServiceId, SourceName, TeamSlug};
use super::regressions::RegressionSettings;
use super::time::Span;

/// A window as it is configured and labelled: `30d`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    /// As it was written: the value of the label `window`.
    pub label: String,
    /// Its length.
    pub length: Span,
}

impl Window {
    /// Reads `7d`. `None` if it is no duration or is empty.
    pub fn parse(label: &str) -> Option<Self> {
        let length = Span::parse(label).filter(|length| *length > Span::ZERO)?;
        Some(Self { label: label.to_owned(), length })
    }
}

/// The length of the longest of them; zero of none.
pub fn longest(windows: &[Window]) -> Span {
    windows.iter().map(|window| window.length).max().unwrap_or_default()
}

/// Where lead time starts (`definitions.md` 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words of definitions.md 3.2")]
pub enum LeadTimeFrom {
    FirstCommit,
    Opened,
    Merged,
}

/// What makes a deployment a failed one (`definitions.md` 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words of definitions.md 3.3")]
pub enum FailOn {
    Incident,
    Rollback,
    Revert,
    Hotfix,
}

/// Which deployment a rollback blames (`definitions.md` 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RollbackBlames {
    /// The one in place when the rollback came.
    Last,
    /// The first one after the rollback's target.
    First,
}

/// Whether the changes of bots are changes like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BotChanges {
    /// They have no lead time and are counted apart.
    Apart,
    /// They are.
    Included,
}

/// Whether an incident that names no component may be attributed to its team's latest deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TeamAttribution {
    /// It may not: the default.
    Off,
    /// It may (`definitions.md` 4.3, rule `team`).
    On,
}

/// Whether components have series of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ComponentDetail {
    /// Organisation and teams only.
    Off,
    /// Components too: the default.
    On,
}

/// How the engine computes (`[organization]` and `[metrics]`).
#[derive(Debug, Clone)]
pub struct MetricSettings {
    /// Calendar days are counted here.
    pub timezone: Tz,
    /// The windows, in the configured order.
    pub windows: Vec<Window>,
    /// Whether components have series of their own.
    pub component_detail: ComponentDetail,
    /// Where lead time starts.
    pub lead_time_from: LeadTimeFrom,
    /// What makes a deployment a failed one.
    pub fail_on: Vec<FailOn>,
    /// Which deployment a rollback blames.
    pub rollback_blames: RollbackBlames,
    /// How long a deployment may be blamed for incidents.
    pub attribution_window: Span,
    /// How long a revert or a hotfix may come after what it remedies.
    pub remediation_window: Span,
    /// Whether bots' changes count as changes.
    pub bot_changes: BotChanges,
    /// Branches of hotfixes.
    pub hotfix_branch: Regex,
    /// Labels of hotfixes.
    pub hotfix_label: Regex,
    /// Whether rule `team` of `definitions.md` 4.3 applies.
    pub team_attribution: TeamAttribution,
    /// Every source of incidents, and how its incidents are filtered.
    pub incident_filters: BTreeMap<SourceName, IncidentFilter>,
    /// What the organisation declares about its history, and how easily it wants to be alarmed.
    pub regressions: RegressionSettings,
    /// The limits that teams want to know of.
    pub guardrails: Vec<Guardrail>,
}

impl MetricSettings {
    /// The defaults of `interfaces.md` §2.
    pub fn new() -> Self {
        Self {
            timezone: Tz::UTC,
            windows: ["7d", "30d", "90d"].into_iter().filter_map(Window::parse).collect(),
            component_detail: ComponentDetail::On,
            lead_time_from: LeadTimeFrom::FirstCommit,
            fail_on: vec![FailOn::Incident, FailOn::Rollback, FailOn::Revert, FailOn::Hotfix],
            rollback_blames: RollbackBlames::Last,
            attribution_window: Span::from_hours(24),
            remediation_window: Span::from_days(7),
            bot_changes: BotChanges::Apart,
            hotfix_branch: known_regex(DEFAULT_HOTFIX_BRANCH),
            hotfix_label: known_regex(DEFAULT_HOTFIX_LABEL),
            team_attribution: TeamAttribution::Off,
            incident_filters: BTreeMap::new(),
            regressions: RegressionSettings::default(),
            guardrails: Vec::new(),
        }
    }
}

impl Default for MetricSettings {
    fn default() -> Self {
        Self::new()
    }
}

/// Default of `metrics.hotfix_branch`.
pub const DEFAULT_HOTFIX_BRANCH: &str = "^hotfix[/-]";
/// Default of `metrics.hotfix_label`.
pub const DEFAULT_HOTFIX_LABEL: &str = "^hotfix$";
/// Default pattern of production environments (`definitions.md` 2.1).
pub const DEFAULT_PRODUCTION: &str = "^(prod|production|live)([-_/ ].*)?$";

/// Compiles a pattern of ours.
#[expect(clippy::expect_used, reason = "the patterns are constants, and a test compiles each")]
fn known_regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern compiles")
}

#[expect(clippy::expect_used, reason = "the pattern is a constant, and a test compiles it")]
fn known_production() -> Regex {
    environment_pattern(DEFAULT_PRODUCTION).expect("a constant pattern compiles")
}

/// Compiles an environment pattern: case-insensitive, searched (`definitions.md` 2.1).
pub fn environment_pattern(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).build()
}

/// Which incidents of a source count; `None` lets everything pass.
#[derive(Debug, Clone, Default)]
pub struct IncidentFilter {
    /// Only these urgencies.
    pub urgencies: Option<Vec<String>>,
    /// Not those whose title matches.
    pub exclude_title: Option<Regex>,
    /// Whether this source only repeats what a primary one reports.
    pub standing: Standing,
}

/// Whether a source's incidents stand for themselves (`definitions.md` 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Standing {
    /// They do.
    #[default]
    Primary,
    /// One that starts within 10 min of a primary source's on the same component is a duplicate.
    Secondary,
}

/// Patterns such as `acme/*` and `!acme/sandbox-*` over repository names; case does not matter, `*` stays within
/// one part of the name. A name matches if some pattern does and no pattern with `!` does.
#[derive(Debug, Clone, Default)]
pub struct RepositoryPatterns {
    include: Vec<GlobMatcher>,
    exclude: Vec<GlobMatcher>,
}

impl RepositoryPatterns {
    /// Compiles the patterns; on failure which one and why.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, (String, globset::Error)> {
        let mut parsed = Self::default();
        for pattern in patterns {
            let (glob, list) = match pattern.strip_prefix('!') {
                Some(glob) => (glob, &mut parsed.exclude),
                None => (pattern, &mut parsed.include),
            };
            let glob = GlobBuilder::new(glob).case_insensitive(true).literal_separator(true).build();
            list.push(glob.map_err(|error| (pattern.to_owned(), error))?.compile_matcher());
        }
        Ok(parsed)
    }

    /// Whether `name` is meant.
    pub fn matches(&self, name: &RepositoryName) -> bool {
        self.includes(name) && !self.excludes(name)
    }

    fn includes(&self, name: &RepositoryName) -> bool {
        self.include.iter().any(|glob| glob.is_match(name.as_str()))
    }

    fn excludes(&self, name: &RepositoryName) -> bool {
        self.exclude.iter().any(|glob| glob.is_match(name.as_str()))
    }

    /// Whether nothing is meant.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty()
    }
}

impl fmt::Display for RepositoryPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let include = self.include.iter().map(|glob| ("", glob));
        let exclude = self.exclude.iter().map(|glob| ("!", glob));
        for (index, (sign, glob)) in include.chain(exclude).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{sign}{}", glob.glob())?;
        }
        Ok(())
    }
}

/// How a repository's deployments are found (`[[github.deployments]]`, `definitions.md` 2.2).
#[derive(Debug, Clone)]
pub enum DeploymentsFrom {
    /// GitHub Deployments to environments that match.
    Deployments(Regex),
    /// Published releases.
    Releases(ReleaseRule),
    /// Tags whose name matches; `None`: all.
    Tags(Option<Regex>),
    /// Runs of a workflow.
    WorkflowRuns(RunRule),
    /// Pull requests merged into the default branch.
    Merges,
    /// What the push API is told.
    Push,
}

/// Which releases are deployments.
#[derive(Debug, Clone)]
pub struct ReleaseRule {
    /// Those whose tag matches; `None`: all.
    pub tag: Option<Regex>,
    /// Whether prereleases are.
    pub prereleases: Prereleases,
}

/// Whether prereleases are deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Prereleases {
    /// They are not: the default.
    #[default]
    LeftOut,
    /// They are.
    Included,
}

/// Which workflow runs are deployments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunRule {
    /// The workflow's file (`deploy.yml`) or its name, case folded.
    pub workflow: String,
    /// Only runs on this branch; `None`: on any.
    pub branch: Option<String>,
    /// Only runs started by this event (`push`, `workflow_dispatch`, …); `None`: by any.
    pub event: Option<String>,
}

impl RunRule {
    /// Whether the rule means the workflow of this file and name.
    pub fn is_for(&self, file: &str, name: &str) -> bool {
        self.workflow == file.to_lowercase() || self.workflow == name.to_lowercase()
    }
}

/// Patterns such as `services/checkout/**` over the paths of a repository; case matters, `*` stays within a folder.
#[derive(Debug, Clone, Default)]
pub struct PathPatterns {
    set: GlobSet,
    patterns: Vec<String>,
}

impl PathPatterns {
    /// Compiles the patterns; on failure which one and why.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, (String, globset::Error)> {
        let mut builder = GlobSetBuilder::new();
        let mut kept = Vec::new();
        for pattern in patterns {
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            builder.add(glob.map_err(|error| (pattern.to_owned(), error))?);
            kept.push(pattern.to_owned());
        }
        let set = builder.build().map_err(|error| (kept.join(", "), error))?;
        Ok(Self { set, patterns: kept })
    }

    /// The patterns, as they were written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Whether one of these files is meant.
    pub fn touch(&self, paths: &[String]) -> bool {
        paths.iter().any(|path| self.set.is_match(path))
    }
}

impl PartialEq for PathPatterns {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

/// A rule of `[[github.deployments]]`: the first one that matches a repository wins.
#[derive(Debug, Clone)]
pub struct DeploymentRule {
    /// The source it belongs to.
    pub source: SourceName,
    /// The repositories it is for.
    pub repositories: RepositoryPatterns,
    /// What counts as a deployment there.
    pub from: DeploymentsFrom,
}

/// Who says which team owns a repository that the configuration does not (`teams_from`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TeamsFrom {
    /// Nobody.
    Config,
    /// The permissions of GitHub's teams.
    GithubTeams,
}

/// A team of the configuration.
#[derive(Debug, Clone)]
pub struct TeamRule {
    /// Its slug.
    pub slug: TeamSlug,
    /// As it was written.
    pub name: String,
    /// The repositories it owns.
    pub repositories: RepositoryPatterns,
    /// Slugs of the GitHub teams that are this team.
    pub github_teams: Vec<String>,
    /// PagerDuty services whose incidents are this team's.
    pub pagerduty_services: Vec<ServiceId>,
    /// What `dora_team_info` says of it besides: label and value.
    pub info: BTreeMap<String, String>,
}

/// A component of the configuration: a part of a repository, or more about a whole one.
#[derive(Debug, Clone)]
pub struct ComponentRule {
    /// Its name.
    pub name: ComponentName,
    /// The repository that it is in.
    pub repository: RepositoryName,
    /// The part of it; `None`: the whole repository.
    pub paths: Option<PathPatterns>,
    /// How its deployments are found, if not as its repository's rule says.
    pub deployed_by: Option<DeployedBy>,
    /// The team that owns it, if not as its repository's owner.
    pub team: Option<TeamSlug>,
    /// PagerDuty services whose incidents are about it.
    pub pagerduty_services: Vec<ServiceId>,
}

/// What a component says of its own deployments.
#[derive(Debug, Clone)]
pub enum DeployedBy {
    /// GitHub Deployments to this environment.
    Environment(Regex),
    /// Runs of this workflow.
    Workflow(RunRule),
    /// Releases with such a tag where its repository is deployed by releases, else such tags.
    Tag(Regex),
}

impl PartialEq for DeploymentsFrom {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl fmt::Display for DeploymentsFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployments(environments) => write!(f, "GitHub Deployments to environments {environments}"),
            Self::Releases(ReleaseRule { tag, prereleases }) => {
                f.write_str(match prereleases {
                    Prereleases::LeftOut => "releases",
                    Prereleases::Included => "releases and prereleases",
                })?;
                tag.as_ref().map_or(Ok(()), |tag| write!(f, " tagged {tag}"))
            }
            Self::Tags(None) => f.write_str("every tag"),
            Self::Tags(Some(tag)) => write!(f, "tags {tag}"),
            Self::WorkflowRuns(rule) => write!(f, "runs of {rule}"),
            Self::Merges => f.write_str("merges"),
            Self::Push => f.write_str("what is pushed"),
        }
    }
}

impl fmt::Display for RunRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workflow, branch, event } = self;
        f.write_str(workflow)?;
        for (word, value) in [("on", branch), ("by", event)] {
            if let Some(value) = value {
                write!(f, " {word} {value}")?;
            }
        }
        Ok(())
    }
}

impl DeploymentsFrom {
    /// The default: GitHub Deployments to production.
    pub fn production() -> Self {
        Self::Deployments(known_production())
    }

    /// What a component of a repository with this rule says of its own deployments, as a rule.
    #[must_use]
    pub fn narrowed(&self, by: Option<&DeployedBy>) -> Self {
        match (by, self) {
            (None, _) => self.clone(),
            (Some(DeployedBy::Environment(pattern)), _) => Self::Deployments(pattern.clone()),
            (Some(DeployedBy::Workflow(rule)), _) => Self::WorkflowRuns(rule.clone()),
            (Some(DeployedBy::Tag(tag)), Self::Releases(rule)) => {
                Self::Releases(ReleaseRule { tag: Some(tag.clone()), prereleases: rule.prereleases })
            }
            (
                Some(DeployedBy::Tag(tag)),
                Self::Deployments(_) | Self::Tags(_) | Self::WorkflowRuns(_) | Self::Merges | Self::Push,
            ) => Self::Tags(Some(tag.clone())),
        }
    }

    /// What two rules have in common that are the same.
    fn key(&self) -> (u8, Option<&str>, Option<&RunRule>, Prereleases) {
        let none = Prereleases::LeftOut;
        match self {
            Self::Deployments(pattern) => (0, Some(pattern.as_str()), None, none),
            Self::Releases(rule) => (1, rule.tag.as_ref().map(Regex::as_str), None, rule.prereleases),
            Self::Tags(pattern) => (2, pattern.as_ref().map(Regex::as_str), None, none),
            Self::WorkflowRuns(rule) => (3, None, Some(rule), none),
            Self::Merges => (4, None, None, none),
            Self::Push => (5, None, None, none),
        }
    }
}

/// What has to be read of a repository besides its changes and commits, so that its deployments are found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Streams {
    /// Which of deployments, releases, tags and runs.
    pub wanted: BTreeSet<Stream>,
    /// Which runs, if any.
    pub runs: Vec<RunRule>,
    /// Whether the files that changes touch are.
    pub paths: bool,
}

impl Streams {
    /// Whether this one has to be read.
    pub fn has(&self, stream: Stream) -> bool {
        self.wanted.contains(&stream)
    }
}

/// Everything the configuration says about who owns what and how it is deployed.
#[derive(Debug, Clone, Default)]
pub struct OwnershipRules {
    /// Which repositories each GitHub source collects.
    pub collected: BTreeMap<SourceName, RepositoryPatterns>,
    /// `[[teams]]`, in order: the first that matches a repository owns it.
    pub teams: Vec<TeamRule>,
    /// `[[components]]`.
    pub components: Vec<ComponentRule>,
    /// `[[github.deployments]]` of all sources, in order.
    pub deployments: Vec<DeploymentRule>,
    /// `teams_from` of each GitHub source.
    pub teams_from: BTreeMap<SourceName, TeamsFrom>,
}

impl OwnershipRules {
    /// Whether the configuration collects this repository; one that left it has no series any more.
    pub fn collects(&self, repository: &Repository) -> bool {
        self.collected.get(&repository.id.source).is_some_and(|patterns| patterns.matches(&repository.name))
    }

    /// How deployments of this repository are found: the first rule that matches it, else GitHub Deployments to
    /// production.
    pub fn deployments_from(&self, source: &SourceName, name: &RepositoryName) -> DeploymentsFrom {
        let mut rules = self.deployments.iter();
        let rule = rules.find(|rule| rule.source == *source && rule.repositories.matches(name));
        rule.map_or_else(DeploymentsFrom::production, |rule| rule.from.clone())
    }

    /// The configured components of this repository.
    pub fn components_of<'a>(&'a self, name: &'a RepositoryName) -> impl Iterator<Item = &'a ComponentRule> {
        let folded = name.as_str().to_lowercase();
        self.components.iter().filter(move |rule| rule.repository.as_str().to_lowercase() == folded)
    }

    /// What has to be read of this repository.
    pub fn streams(&self, source: &SourceName, name: &RepositoryName) -> Streams {
        let from = self.deployments_from(source, name);
        let components: Vec<&ComponentRule> = self.components_of(name).collect();
        let mut streams =
            Streams { paths: components.iter().any(|rule| rule.paths.is_some()), ..Streams::default() };
        let narrowed = components.iter().map(|rule| from.narrowed(rule.deployed_by.as_ref()));
        let whole = components.is_empty().then(|| from.clone());
        for from in narrowed.chain(whole) {
            let stream = match &from {
                DeploymentsFrom::Deployments(_) => Stream::Deployments,
                DeploymentsFrom::Releases(_) => Stream::Releases,
                DeploymentsFrom::Tags(_) => Stream::Tags,
                DeploymentsFrom::WorkflowRuns(_) => Stream::Runs,
                DeploymentsFrom::Merges | DeploymentsFrom::Push => continue,
            };
            streams.wanted.insert(stream);
            if let DeploymentsFrom::WorkflowRuns(rule) = from
                && !streams.runs.contains(&rule)
            {
                streams.runs.push(rule);
            }
        }
        streams
    }
}

/// Upper bounds of histogram buckets in seconds, 15 minutes to 90 days: edges that people speak of.
pub const BUCKETS_SECONDS: [u32; 12] = [
    900, 3_600, 14_400, 28_800, 86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000, 5_184_000, 7_776_000,
];

/// The value of the label `outcome`.
pub const fn outcome_label(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_patterns_compile() {
        let settings = MetricSettings::new();
        assert!(settings.hotfix_branch.is_match("hotfix/login"));
        assert!(settings.hotfix_label.is_match("hotfix"));
        assert_eq!(settings.windows.len(), 3);
        let production = environment_pattern(DEFAULT_PRODUCTION).unwrap();
        for name in ["production", "Prod", "live", "prod-eu", "production / eu", "PROD_1"] {
            assert!(production.is_match(name), "{name}");
        }
        for name in ["preproduction", "productive", "staging", "non-prod", ""] {
            assert!(!production.is_match(name), "{name}");
        }
    }

    #[test]
    fn patterns_take_in_and_leave_out() {
        let patterns = RepositoryPatterns::parse(["acme/*", "!acme/sandbox-*"]).unwrap();
        for (name, expected) in [
            ("acme/shop", true),
            ("Acme/Shop", true),
            ("acme/sandbox-1", false),
            ("acme/ACME/x", false),
            ("other/shop", false),
        ] {
            assert_eq!(patterns.matches(&RepositoryName::from(name)), expected, "{name}");
        }
        assert_eq!(RepositoryPatterns::parse(["a/["]).unwrap_err().0, "a/[");
    }
}
