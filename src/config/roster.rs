//! Which teams there are, as far as the configuration can know, and patterns over them.

use super::reader::{Once, Value, quoted};
use super::teams::slug;
use super::value::{every, has_wildcards};
use crate::model::name::TeamSlug;
use crate::model::regressions::TeamPatterns;
use crate::model::settings::TeamRule;
use crate::model::text::closest;

/// Everybody.
const ALL_TEAMS: &str = "*";

/// The teams of the configuration.
#[derive(Clone, Copy)]
pub(super) struct Roster<'t> {
    /// `[[teams]]`; `None` if something is wrong with them, and then no name is called unknown.
    pub(super) teams: Option<&'t [TeamRule]>,
    /// Whether a source reads teams that are not named in the configuration.
    pub(super) others_are_read: bool,
}

impl Roster<'_> {
    /// The team that `name` means; one that cannot exist is refused.
    pub(super) fn slug(&self, value: &Value<'_>, name: &str) -> Option<TeamSlug> {
        let slug = TeamSlug::new(slug(name));
        let Some(teams) = self.teams else {
            return Some(slug);
        };
        let is_known = slug == TeamSlug::unowned() || teams.iter().any(|team| team.slug == slug);
        if is_known || (self.others_are_read && !slug.as_str().is_empty()) {
            return Some(slug);
        }
        let meant = closest(name, teams.iter().map(|team| team.name.as_str()));
        let help =
            meant.map_or("add it as one of `[[teams]]`".to_owned(), |team| format!("did you mean {team:?}?"));
        value.refuse_with(format!("unknown team {}", quoted(name)), help);
        None
    }

    /// Patterns over teams, some of which are names of teams; all teams if it is not said.
    pub(super) fn patterns(&self, value: Option<&Value<'_>>) -> Option<TeamPatterns> {
        let Some(value) = value else {
            return TeamPatterns::parse([ALL_TEAMS]).ok();
        };
        let mut once = Once::default();
        let patterns = every(value.some_items("teams such as \"payments\" or \"*\"")?.iter().map(|item| {
            let pattern = self.pattern(item)?;
            once.claim(item, &pattern).then_some(pattern)
        }))?;
        if patterns.iter().all(|pattern| pattern.starts_with('!')) {
            value.refuse_with(
                "the patterns only leave out, and take nothing in",
                "begin with \"*\" to take in everybody else",
            );
            return None;
        }
        TeamPatterns::parse(patterns.iter().map(String::as_str)).ok()
    }

    fn pattern(&self, item: &Value<'_>) -> Option<String> {
        let text = item.name()?;
        let (sign, name) = text.strip_prefix('!').map_or(("", text), |name| ("!", name));
        if !has_wildcards(name) {
            return self.slug(item, name).map(|slug| format!("{sign}{slug}"));
        }
        let pattern = format!("{sign}{}", name.to_lowercase());
        if let Err((_, error)) = TeamPatterns::parse([pattern.as_str()]) {
            item.refuse(format!("{} is no pattern: {}", quoted(text), error.kind()));
            return None;
        }
        Some(pattern)
    }
}
