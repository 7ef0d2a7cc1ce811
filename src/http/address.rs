//! What may be asked: addresses below the configured one, and nowhere else.

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode, Url};

/// Where an answer sends us.
#[derive(Debug, PartialEq)]
pub(super) enum Redirect {
    /// To another address of the same host, which may see our token.
    Here(Url),
    /// Away, named by its origin or by its lack of one.
    Elsewhere(String),
    /// It is no redirect.
    None,
}

/// Reads a configured address; the error goes on after "the `api_url`".
pub(super) fn base(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with https:// or http:// and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or a password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not contain ? or #".to_owned());
    }
    Ok(url)
}

/// `base + path?query`, both plain text; `None` if the path does not stay below the base.
pub(super) fn join(base: &Url, path: &str, query: &[(&str, &str)]) -> Option<Url> {
    let path = path.strip_prefix('/')?;
    let leads_away =
        |segment: &str| matches!(segment, "" | "." | "..") || segment.chars().any(char::is_control);
    if path.split('/').any(leads_away) {
        return None;
    }
    let mut url = base.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(path.split('/'));
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Some(url)
}

/// Where an answer to `from` sends us. A body is sent again only where the status says so; otherwise the redirect
/// of a POST is a page for people.
pub(super) fn redirect(status: StatusCode, method: &Method, from: &Url, headers: &HeaderMap) -> Redirect {
    let followed = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => *method == Method::GET,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        _ => return Redirect::None,
    };
    let target = headers.get(LOCATION).and_then(|location| from.join(location.to_str().ok()?).ok());
    match target {
        None => Redirect::Elsewhere("nowhere".to_owned()),
        Some(url)
            if followed
                && url.origin() == from.origin()
                && url.username().is_empty()
                && url.password().is_none() =>
        {
            Redirect::Here(url)
        }
        Some(url) => Redirect::Elsewhere(url.origin().ascii_serialization()),
    }
}

/// What requests of a kind have in common, for messages: the last part of the path that is a word and not a number or
/// an id, as far as can be told.
pub(super) fn family(url: &Url) -> String {
    let is_word =
        |part: &&str| part.len() > 1 && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let mut parts = url.path_segments().into_iter().flatten();
    parts.rfind(is_word).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_web_address_without_a_secret() {
        for (text, fine) in [
            ("https://api.github.com", true),
            ("https://ghe.acme.example/api/v3/", true),
            ("http://127.0.0.1:8080", true),
            ("api.github.com", false),
            ("ftp://api.github.com", false),
            ("https://user:secret@api.github.com", false),
            ("https://api.github.com?a=b", false),
            ("https://", false),
            ("", false),
        ] {
            assert_eq!(base(text).is_ok(), fine, "{text:?}");
        }
        assert!(!base("https://user:hunter2@host").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn paths_stay_below_the_base() {
        let base = base("https://ghe.acme.example/api/v3/").unwrap();
        let joined = |path: &str| join(&base, path, &[]).map(|url| url.to_string());
        for (path, expected) in [
            ("/incidents", Some("https://ghe.acme.example/api/v3/incidents")),
            ("/incidents/P1", Some("https://ghe.acme.example/api/v3/incidents/P1")),
            ("/incidents/P1?x#y", Some("https://ghe.acme.example/api/v3/incidents/P1%3Fx%23y")),
            ("/incidents/%2e%2e", Some("https://ghe.acme.example/api/v3/incidents/%252e%252e")),
            ("/incidents/..\\..", Some("https://ghe.acme.example/api/v3/incidents/..%5C..")),
            ("/incidents/..", None),
            ("/incidents/.\t./x", None),
            ("/incidents//x", None),
            ("//evil.example/x", None),
            ("incidents", None),
            ("@evil.example/", None),
            ("", None),
        ] {
            assert_eq!(joined(path).as_deref(), expected, "{path:?}");
        }
        assert_eq!(
            join(&base, "/a", &[("statuses[]", "a b"), ("x", "&")]).unwrap().query(),
            Some("statuses%5B%5D=a+b&x=%26")
        );
    }

    #[test]
    fn redirects_are_followed_on_the_same_host_only() {
        let from = Url::parse("https://api.example/a/b").unwrap();
        let here = |url: &str| Redirect::Here(Url::parse(url).unwrap());
        let away = |origin: &str| Redirect::Elsewhere(origin.to_owned());
        for (status, method, location, expected) in [
            (301, Method::GET, Some("/c"), here("https://api.example/c")),
            (302, Method::GET, Some("https://api.example/c?x=1"), here("https://api.example/c?x=1")),
            (307, Method::POST, Some("/c"), here("https://api.example/c")),
            (302, Method::POST, Some("/c"), away("https://api.example")),
            (301, Method::GET, Some("https://evil.example/c?token=1"), away("https://evil.example")),
            (301, Method::GET, Some("//evil.example/c"), away("https://evil.example")),
            (301, Method::GET, Some("http://api.example/a"), away("http://api.example")),
            (301, Method::GET, Some("https://api.example:8443/a"), away("https://api.example:8443")),
            (301, Method::GET, Some("https://user@api.example/a"), away("https://api.example")),
            (301, Method::GET, None, away("nowhere")),
            (304, Method::GET, Some("/c"), Redirect::None),
            (403, Method::GET, Some("/c"), Redirect::None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(location) = location {
                headers.insert(LOCATION, location.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                redirect(status, &method, &from, &headers),
                expected,
                "{status} {method} {location:?}"
            );
        }
    }

    #[test]
    fn requests_of_a_kind_have_a_name_without_ids() {
        for (path, expected) in [
            ("/incidents/PABC123", "incidents"),
            ("/api/v3/repos/Acme/web-1/actions/runs", "runs"),
            ("/graphql", "graphql"),
            ("/1/2", "/"),
        ] {
            let url = Url::parse("https://api.example").unwrap().join(path).unwrap();
            assert_eq!(family(&url), expected, "{path}");
        }
    }
}
