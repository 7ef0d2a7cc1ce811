//! `[prometheus]`, `[[north_star]]` and `[[signals]]`.

use std::sync::Arc;

use chrono_tz::Tz;

use super::Variables;
use super::reader::{Once, Table, Value, quoted};
use super::roster::Roster;
use super::secret::{PASSWORD, TOKEN, optional, required};
use super::source::{ca_pem, plain_name, poll_interval};
use super::value::{base, every};
use crate::model::name::SignalName;
use crate::model::signal::{Format, SignalRule, Standing};
use crate::source::promql::NAME;
use crate::source::promql::config::{Config, SignIn};

/// Each is a query in every poll, and several series.
const SIGNALS_MAX: usize = 1_000;
/// A query is sent as part of an address, of which most servers take 8 KB.
const PROMQL_CHARS_MAX: usize = 4_000;
/// Characters of a user's name.
const USER_CHARS_MAX: usize = 100;

/// Reads `[prometheus]`, if it is there. What is wrong counts as none, since the errors are told and nothing starts.
pub(super) fn prometheus(
    document: &mut Table<'_>,
    names: &mut Once,
    variables: &Variables<'_>,
) -> Option<Config> {
    let mut table = document.table("prometheus")?;
    let value = table.required("url", "url = \"http://127.0.0.1:9090\"");
    if let Some((line, path)) = value.as_ref().and_then(|value| names.former(value, NAME)) {
        table.refuse(
            &format!("{path} at line {line} is called {NAME:?} too, as this is in metrics"),
            Some("call that source otherwise"),
        );
    }
    let url = value.and_then(|value| value.url()).map(|url| base(&url));
    let sign_in = sign_in(&mut table, variables);
    let ca_pem = ca_pem(&mut table);
    let poll_interval = poll_interval(&mut table);
    table.finish();
    Some(Config { url: url?, sign_in: sign_in?, ca_pem, poll_interval: poll_interval? })
}

/// Nobody, a token, or a user with a password.
fn sign_in(table: &mut Table<'_>, variables: &Variables<'_>) -> Option<SignIn> {
    let has = |keys: [&'static str; 2], table: &Table<'_>| keys.into_iter().find(|key| table.has(key));
    let (token_key, password_key) = (has(TOKEN.keys(), table), has(PASSWORD.keys(), table));
    let token = optional(table, &TOKEN, variables);
    let user = table.optional("username");
    let password = match &user {
        Some(_) => required(table, &PASSWORD, variables),
        None => optional(table, &PASSWORD, variables),
    };
    match (user, token_key, password_key) {
        (Some(user), Some(key), _) => {
            let help = "keep one: a token, or `username` with a password";
            user.refuse_with(format!("a second way to sign in, besides {key}"), help);
            None
        }
        (Some(user), None, _) => Some(SignIn::Password { user: user_name(&user)?, password: password? }),
        (None, _, Some(key)) => {
            table.refuse(&format!("{key} without a name"), Some("add `username = \"…\"`"));
            None
        }
        (None, Some(_), None) => token.map(SignIn::Token),
        (None, None, None) => Some(SignIn::Nobody),
    }
}

fn user_name(value: &Value<'_>) -> Option<String> {
    let name = value.text("a user's name")?;
    // A colon would end the name (RFC 7617).
    let fits = |c: char| !c.is_control() && c != ':';
    if name.is_empty() || name.chars().count() > USER_CHARS_MAX || !name.chars().all(fits) {
        value.refuse(format!("no user's name: 1 to {USER_CHARS_MAX} characters, and no colon"));
        return None;
    }
    Some(name.to_owned())
}

/// Where values can come from, and what they may be of.
#[derive(Clone, Copy)]
pub(super) struct Ways<'a> {
    /// There is a `[prometheus]`, right or wrong.
    pub(super) prometheus: bool,
    /// There is a `[server.push]`, right or wrong.
    pub(super) push: bool,
    /// The teams.
    pub(super) roster: Roster<'a>,
    /// The organisation's time zone, in which days end.
    pub(super) zone: Tz,
}

/// Reads all of `[[north_star]]` and `[[signals]]`, in this order.
pub(super) fn signals(document: &mut Table<'_>, ways: Ways<'_>) -> Option<Vec<SignalRule>> {
    let (stars, others) = (document.tables("north_star"), document.tables("signals"));
    if stars.len() + others.len() > SIGNALS_MAX {
        document.refuse(
            &format!("more than {SIGNALS_MAX} north stars and signals"),
            Some("each is a query in every poll, and four series"),
        );
    }
    let mut names = Once::default();
    let stars = every(stars.into_iter().map(|table| star(table, &mut names, ways)));
    let others = every(others.into_iter().map(|table| other(table, &mut names, ways)));
    let mut signals = stars?;
    signals.extend(others?);
    Some(signals)
}

fn star(table: Table<'_>, names: &mut Once, ways: Ways<'_>) -> Option<SignalRule> {
    signal(table, Some(Standing::NorthStar), names, ways)
}

fn other(mut table: Table<'_>, names: &mut Once, ways: Ways<'_>) -> Option<SignalRule> {
    let standing = match table.optional("team") {
        Some(team) => team.name().and_then(|name| ways.roster.slug(&team, name)).map(Standing::Team),
        None => Some(Standing::Organization),
    };
    signal(table, standing, names, ways)
}

fn signal(
    mut table: Table<'_>,
    standing: Option<Standing>,
    names: &mut Once,
    ways: Ways<'_>,
) -> Option<SignalRule> {
    let name = name(&mut table, standing.as_ref(), names);
    let title = table.optional("title").and_then(|value| value.name()).map(str::to_owned);
    let promql = query(&mut table, ways);
    let start = number(&mut table, "start", "start = 0.031");
    let target = table.required("target", "target = 0.040");
    let target = target.and_then(|value| finite(&value).map(|number| (value, number)));
    let rising = table.optional("higher_is_better").map(|value| (value.boolean(), value));
    let way = match (start, target) {
        (Some(start), Some((value, target))) => way(start, target, &value, rising),
        _ => None,
    };
    let by = table.required("by", "by = \"2027-03-31\"").and_then(|value| value.day());
    let formats = [("number", Format::Number), ("percent", Format::Percent), ("duration", Format::Duration)];
    let format = match table.optional("format") {
        Some(value) => value.choice(&formats, &[]),
        None => Some(Format::default()),
    };
    table.finish();
    let ((start, target), by) = (way?, by?);
    Some(SignalRule {
        standing: standing?,
        name: name?,
        title,
        promql,
        start,
        target,
        by,
        deadline: by.plus(1).begin(ways.zone),
        format: format?,
    })
}

/// A name that nothing else of the same team, or of the organisation, has.
fn name(table: &mut Table<'_>, standing: Option<&Standing>, names: &mut Once) -> Option<SignalName> {
    let value = table.required("name", "name = \"checkout-conversion\"")?;
    let name = plain_name(&value, "the name of a signal")?;
    let team = standing?.team().map(ToString::to_string).unwrap_or_default();
    if let Some((line, path)) = names.former(&value, &format!("{team}/{name}")) {
        let whose = if team.is_empty() { "the organisation" } else { "the team" };
        value.refuse(format!("{} is a signal of {whose} at line {line} already, by {path}", quoted(name)));
        return None;
    }
    Some(SignalName::from(name))
}

/// The query, if it is read. What is wrong counts as none.
fn query(table: &mut Table<'_>, ways: Ways<'_>) -> Option<Arc<str>> {
    let Some(value) = table.optional("promql") else {
        if !ways.push {
            table.refuse(
                "no value can come: it has no `promql`, and there is no `[server.push]`",
                Some("add `promql = \"…\"`, or `[server.push]` so that values can be pushed"),
            );
        }
        return None;
    };
    let text = value.text("a query in PromQL")?;
    if text.trim().is_empty() {
        value.refuse_with("the query is empty", "leave the key out if values are pushed");
    } else if text.chars().count() > PROMQL_CHARS_MAX {
        let help = "make it a recording rule of Prometheus, and name that here";
        value.refuse_with(format!("the query is longer than {PROMQL_CHARS_MAX} characters"), help);
    } else if !ways.prometheus {
        let help = "add `[prometheus]` with `url = \"http://127.0.0.1:9090\"`";
        value.refuse_with("there is no `[prometheus]` to ask", help);
    } else {
        return Some(Arc::from(text.trim()));
    }
    None
}

fn number(table: &mut Table<'_>, key: &'static str, example: &str) -> Option<f64> {
    table.required(key, example).and_then(|value| finite(&value))
}

fn finite(value: &Value<'_>) -> Option<f64> {
    let number = value.number().filter(|number| number.is_finite());
    if number.is_none() {
        value.refuse("expected a number, such as 0.04 or 250");
    }
    number
}

/// From where to where, if that is a way, and the one that is said to be the better one.
fn way(
    start: f64,
    target: f64,
    value: &Value<'_>,
    rising: Option<(Option<bool>, Value<'_>)>,
) -> Option<(f64, f64)> {
    // Even from the smallest number to the largest it is a number.
    let length = target - start;
    if length.abs() < f64::MIN_POSITIVE || !length.is_finite() {
        value.refuse("from `start` to `target` there is no way: they are the same, or too far apart");
        return None;
    }
    match rising {
        None => Some((start, target)),
        Some((rising, said)) => {
            let rising = rising?;
            if rising != (length > 0.0) {
                let (way, better) = if rising {
                    ("below", "higher_is_better = false")
                } else {
                    ("above", "higher_is_better = true")
                };
                said.refuse_with(
                    format!("{rising}, and yet the target is {way} the start"),
                    format!("write `{better}`, or exchange `start` and `target`"),
                );
                return None;
            }
            Some((start, target))
        }
    }
}
