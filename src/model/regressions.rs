//! What the organisation declares about its history, so that it is not taken for a regression: days on which nobody
//! works, slow times, new normals, thresholds that were too low for a team (`regressions.md` 3.2, 3.4).

use std::collections::BTreeSet;
use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

use super::day::Day;
use super::measure::{Measure, Sensitivity};
use super::name::TeamSlug;

/// `[regressions]`, `[[quiet_periods]]`, `[[accepted]]` and `[[raised]]`.
#[derive(Debug, Clone, Default)]
pub struct RegressionSettings {
    /// How many false alarms are worth an early one.
    pub sensitivity: Sensitivity,
    /// Where the days of `closed` are from, as it was written; empty if there are none.
    pub holidays: Vec<String>,
    /// Days on which nobody works, besides weekends. Not all of them are: a holiday may be a Sunday.
    pub closed: BTreeSet<Day>,
    /// Slow times, in the configured order.
    pub quiet: Vec<QuietPeriod>,
    /// New normals, in the configured order; a team and a measure may have several, of different days.
    pub accepted: Vec<Accepted>,
    /// Raised thresholds, in the configured order; each of another team or measure.
    pub raised: Vec<Raised>,
}

/// A declared slow time of some teams. Where several overlap, their factors multiply.
#[derive(Debug, Clone)]
pub struct QuietPeriod {
    /// Its first day.
    pub from: Day,
    /// Its last day.
    pub to: Day,
    /// What a day in it is worth: above 0, at most 1.
    pub factor: f64,
    /// Whose it is.
    pub teams: TeamPatterns,
}

/// A new normal: what a team's owner declared no regression but a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Whose.
    pub team: TeamSlug,
    /// Of what.
    pub measure: Measure,
    /// The first day of the new baseline.
    pub from: Day,
    /// Why.
    pub reason: String,
    /// Where more is said of it.
    pub link: Option<String>,
}

/// That a measure of a team alarms later than usual, since the team's own history alarms too often (`sextant backtest`).
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// Whose.
    pub team: TeamSlug,
    /// Of what.
    pub measure: Measure,
    /// From which score on it is a regression, in standard deviations. It raises the usual threshold and never lowers it.
    pub threshold: f64,
}

/// Patterns such as `*`, `pay*` and `!payments` over the slugs of teams. A team matches if some pattern does and no
/// pattern with `!` does.
#[derive(Debug, Clone, Default)]
pub struct TeamPatterns {
    include: Vec<GlobMatcher>,
    exclude: Vec<GlobMatcher>,
}

impl TeamPatterns {
    /// Compiles the patterns; on failure which one and why.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, (String, globset::Error)> {
        let mut parsed = Self::default();
        for pattern in patterns {
            let (glob, list) = match pattern.strip_prefix('!') {
                Some(glob) => (glob, &mut parsed.exclude),
                None => (pattern, &mut parsed.include),
            };
            let glob = GlobBuilder::new(glob).build();
            list.push(glob.map_err(|error| (pattern.to_owned(), error))?.compile_matcher());
        }
        Ok(parsed)
    }

    /// The teams that it names; `None` if it takes in or leaves out any by a pattern.
    pub fn names(&self) -> Option<Vec<TeamSlug>> {
        let is_name =
            |glob: &&GlobMatcher| !glob.glob().glob().contains(['*', '?', '[', ']', '{', '}', '\\']);
        let names: Vec<_> = self.include.iter().take_while(is_name).collect();
        let are_all = names.len() == self.include.len() && self.exclude.is_empty();
        are_all.then(|| names.into_iter().map(|glob| TeamSlug::from(glob.glob().glob())).collect())
    }

    /// As regular expressions over whole slugs: those that take in, and those that leave out.
    pub fn expressions(&self) -> (Vec<String>, Vec<String>) {
        let expression = |glob: &GlobMatcher| {
            let whole = glob.glob().regex().trim_start_matches("(?-u)");
            let whole = whole.strip_prefix('^').unwrap_or(whole);
            whole.strip_suffix('$').unwrap_or(whole).to_owned()
        };
        let all = |globs: &[GlobMatcher]| globs.iter().map(expression).collect();
        (all(&self.include), all(&self.exclude))
    }

    /// Whether this team is meant.
    pub fn matches(&self, team: &TeamSlug) -> bool {
        let any = |globs: &[GlobMatcher]| globs.iter().any(|glob| glob.is_match(team.as_str()));
        any(&self.include) && !any(&self.exclude)
    }
}

impl fmt::Display for TeamPatterns {
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
