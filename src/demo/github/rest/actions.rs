//! Workflows and their runs.

use serde_json::Value;

use super::page::Page;
use super::{Ask, counted, not_found};
use crate::demo::exchange::{Answer, Request};
use crate::demo::github::run_record;
use crate::demo::github::workflow::{file, words};
use crate::demo::world::repository::Repository;
use crate::demo::world::workflow::{Run, Workflow};
use crate::model::time::{Span, Timestamp};

/// Runs that a list shows at most once it is narrowed by one of the filters.
const FILTERED_RUNS_MAX: usize = 1_000;
/// The filters that limit a list.
const FILTERS: [&str; 7] = ["actor", "branch", "check_suite_id", "created", "event", "head_sha", "status"];
/// How many letters `2026-11-22` has: a date that means the whole day.
const DATE_LETTERS: usize = 10;

/// What is below `/repos/{owner}/{repo}/actions`.
pub(super) fn answer(ask: Ask<'_>, repository: &Repository, rest: &[&str]) -> Answer {
    match rest {
        ["workflows"] => workflows(ask, repository),
        ["workflows", which] => match find(repository, which) {
            Some(workflow) => Answer::json(200, &run_record::workflow(ask.site, repository, workflow)),
            None => not_found(),
        },
        ["workflows", which, "runs"] => match find(repository, which) {
            Some(workflow) => runs(ask, repository, workflow),
            None => not_found(),
        },
        ["runs", id] => of_run(ask, repository, id, None),
        ["runs", id, "attempts", number] => of_run(ask, repository, id, Some(number)),
        _ => not_found(),
    }
}

/// A workflow by its number or by the name of its file.
fn find<'a>(repository: &'a Repository, which: &str) -> Option<&'a Workflow> {
    let number: Option<u64> = which.parse().ok();
    repository.workflows.iter().find(|it| Some(it.database_id) == number || file(it) == which)
}

fn workflows(ask: Ask<'_>, repository: &Repository) -> Answer {
    let page = Page::of(ask.request, repository.workflows.len());
    let held = repository.workflows.get(page.places()).unwrap_or_default();
    let items: Vec<Value> = held.iter().map(|one| run_record::workflow(ask.site, repository, one)).collect();
    let mut answer = Answer::json(200, &counted("workflows", repository.workflows.len(), &items));
    page.link(ask, Some(repository), &mut answer);
    answer
}

fn runs(ask: Ask<'_>, repository: &Repository, workflow: &Workflow) -> Answer {
    let request = ask.request;
    let held: Vec<&Run> = workflow.runs.iter().rev().filter(|run| is_asked(request, run)).collect();
    let filtered = FILTERS.iter().any(|name| request.parameter(name).is_some());
    let shown = if filtered { held.len().min(FILTERED_RUNS_MAX) } else { held.len() };
    let page = Page::of(request, shown);
    let items: Vec<Value> = held
        .get(page.places())
        .unwrap_or_default()
        .iter()
        .filter_map(|run| {
            let (number, attempt) = run.last()?;
            Some(run_record::run(ask.site, repository, workflow, run, (number, attempt)))
        })
        .collect();
    let mut answer = Answer::json(200, &counted("workflow_runs", held.len(), &items));
    page.link(ask, Some(repository), &mut answer);
    answer
}

fn is_asked(request: &Request, run: &Run) -> bool {
    let is = |name, text: &str| request.parameter(name).is_none_or(|asked| asked == text);
    let (status, conclusion) = run.last().map_or(("", None), |(_, attempt)| words(attempt.progress));
    is("event", &run.event)
        && is("branch", run.branch.as_deref().unwrap_or_default())
        && is("head_sha", &run.commit.to_string())
        && is("actor", &run.actor.signature())
        && is("check_suite_id", &run.database_id.to_string())
        && request.parameter("status").is_none_or(|asked| asked == status || Some(asked) == conclusion)
        && request.parameter("created").is_none_or(|range| is_within(range, run.created_at))
}

/// Whether an instant lies in a range as GitHub's search writes it: `A..B`, `>=A`, `<B`, `*..B`, `A`.
fn is_within(range: &str, at: Timestamp) -> bool {
    if let Some((from, until)) = range.split_once("..") {
        return (from == "*" || first(from).is_some_and(|from| at >= from))
            && (until == "*" || after(until).is_some_and(|until| at < until));
    }
    if let Some(from) = range.strip_prefix(">=") {
        return first(from).is_some_and(|from| at >= from);
    }
    if let Some(until) = range.strip_prefix("<=") {
        return after(until).is_some_and(|until| at < until);
    }
    if let Some(from) = range.strip_prefix('>') {
        return after(from).is_some_and(|from| at >= from);
    }
    if let Some(until) = range.strip_prefix('<') {
        return first(until).is_some_and(|until| at < until);
    }
    first(range).zip(after(range)).is_some_and(|(from, until)| (from..until).contains(&at))
}

/// Where the day or the second of this text begins.
fn first(text: &str) -> Option<Timestamp> {
    if text.len() == DATE_LETTERS {
        return Timestamp::parse(&format!("{text}T00:00:00Z"));
    }
    Timestamp::parse(text)
}

/// Where it is over.
fn after(text: &str) -> Option<Timestamp> {
    let lasts = if text.len() == DATE_LETTERS { Span::from_days(1) } else { Span::from_seconds(1) };
    Some(first(text)?.plus(lasts))
}

fn of_run(ask: Ask<'_>, repository: &Repository, id: &str, attempt: Option<&str>) -> Answer {
    let found = id.parse().ok().and_then(|id| repository.run(id));
    let Some((workflow, run)) = found else {
        return not_found();
    };
    let held = match attempt {
        None => run.last(),
        Some(number) => number
            .parse::<usize>()
            .ok()
            .and_then(|number| Some((number as u64, run.attempts.get(number.checked_sub(1)?)?))),
    };
    held.map_or_else(not_found, |held| {
        Answer::json(200, &run_record::run(ask.site, repository, workflow, run, held))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_githubs_search() {
        let at = Timestamp::parse("2026-11-22T12:00:00Z").unwrap_or(Timestamp::from_millis(0));
        let rows = [
            ("2026-11-22", true),
            ("2026-11-21", false),
            ("2026-11-22T12:00:00Z", true),
            (">=2026-11-22T12:00:00Z", true),
            (">2026-11-22T12:00:00Z", false),
            (">2026-11-22", false),
            (">=2026-11-22", true),
            ("<2026-11-22T12:00:00Z", false),
            ("<=2026-11-22T12:00:00Z", true),
            ("<=2026-11-22", true),
            ("<2026-11-22", false),
            ("2026-11-20..2026-11-22", true),
            ("2026-11-20..2026-11-21", false),
            ("2026-11-22T12:00:00Z..2026-11-22T12:00:00Z", true),
            ("*..2026-11-22T11:59:59Z", false),
            ("2026-11-22T12:00:00Z..*", true),
            ("2026-11-22T13:00:00+01:00..*", true),
            ("nonsense", false),
        ];
        for (range, expected) in rows {
            assert_eq!(is_within(range, at), expected, "{range}");
        }
    }
}
