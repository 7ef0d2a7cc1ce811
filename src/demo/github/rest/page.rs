//! Pages by number, and the `Link` header that leads from one to the next.

use std::ops::Range;

use super::Ask;
use crate::demo::exchange::{Answer, Request};
use crate::demo::world::repository::Repository;

/// Items on a page where nothing is asked, and at most.
const ITEMS_DEFAULT: usize = 30;
const ITEMS_MAX: usize = 100;

/// The part of a list that is asked for.
pub(super) struct Page {
    number: usize,
    size: usize,
    total: usize,
}

impl Page {
    /// The page that a request asks for, of a list of so many items.
    pub(super) fn of(request: &Request, total: usize) -> Self {
        Self::sized(request, total, ITEMS_DEFAULT)
    }

    /// The same, with another number of items where none is asked for.
    pub(super) fn sized(request: &Request, total: usize, default: usize) -> Self {
        let asked = |name| {
            let text = request.parameter(name)?;
            text.parse::<usize>().ok().filter(|number| *number > 0)
        };
        let size = asked("per_page").map_or(default, |size| size.min(ITEMS_MAX));
        Self { number: asked("page").unwrap_or(1), size, total }
    }

    /// The places of its items.
    pub(super) fn places(&self) -> Range<usize> {
        let begin = (self.number - 1).saturating_mul(self.size).min(self.total);
        begin..begin.saturating_add(self.size).min(self.total)
    }

    fn last(&self) -> usize {
        self.total.div_ceil(self.size).max(1)
    }

    /// Adds the `Link` header, where there is more than one page. Resources of repositories are linked by the
    /// repository's number, whatever name was asked for.
    pub(super) fn link(&self, ask: Ask<'_>, repository: Option<&Repository>, answer: &mut Answer) {
        let address = |page: usize| {
            let path = match repository {
                None => own_path(ask.request).to_owned(),
                Some(repository) => by_number(ask.request, repository),
            };
            format!("{}{path}?{}", ask.site.base, query(ask.request, Some(page)))
        };
        let mut links = Vec::new();
        if self.number > 1 {
            links.push((self.number - 1, "prev"));
        }
        if self.number < self.last() {
            links.push((self.number + 1, "next"));
            links.push((self.last(), "last"));
        }
        if self.number > 1 {
            links.push((1, "first"));
        }
        let links: Vec<_> =
            links.into_iter().map(|(page, name)| format!("<{}>; rel=\"{name}\"", address(page))).collect();
        if !links.is_empty() {
            answer.headers.push(("link", links.join(", ")));
        }
    }
}

/// The path without what stands before it on an enterprise server.
fn own_path(request: &Request) -> &str {
    request.path.strip_prefix(super::ENTERPRISE_PREFIX).unwrap_or(&request.path)
}

fn by_number(request: &Request, repository: &Repository) -> String {
    let parts: Vec<&str> = own_path(request).trim_start_matches('/').split('/').collect();
    let rest = match parts.as_slice() {
        ["repos", _, _, rest @ ..] | ["repositories", _, rest @ ..] => rest,
        _ => &[],
    };
    format!("/repositories/{}/{}", repository.database_id, rest.join("/"))
}

/// The query of a request, with another page if one is given.
pub(super) fn query(request: &Request, page: Option<usize>) -> String {
    let kept = request.query.iter().filter(|(name, _)| page.is_none() || name != "page");
    let mut pairs: Vec<String> =
        kept.map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.extend(page.map(|page| format!("page={page}")));
    pairs.join("&")
}

/// Percent-encoded, but for what needs it never.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(format!("%{byte:02X}").chars());
        }
    }
    escaped
}
