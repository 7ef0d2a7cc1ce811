//! Which format and which encoding a client asks for (RFC 9110 §12.5). A client that asks for nothing we have gets text
//! 0.0.4 all the same: that is what Prometheus and people with curl expect.

/// The formats of `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
}

/// The format: OpenMetrics only for who names it and likes it no less than text.
pub(super) fn format(accept: &str) -> Format {
    let openmetrics = items(accept)
        .filter(|item| item.is("application/openmetrics-text") && item.version_is(&["1.0.0", "0.0.1"]))
        .map(|item| item.weight)
        .fold(0.0, f64::max);
    let text = ["text/plain", "text/*", "*/*"].into_iter().find_map(|range| {
        let named = items(accept).filter(|item| item.is(range) && item.version_is(&["0.0.4"]));
        named.map(|item| item.weight).reduce(f64::max)
    });
    if openmetrics > 0.0 && openmetrics >= text.unwrap_or(0.0) { Format::OpenMetrics } else { Format::Text }
}

/// The encoding: gzip for who accepts it and does not like the plain body better.
pub(super) fn encoding(accept_encoding: &str) -> Encoding {
    let weight = |names: &[&str]| {
        let named = items(accept_encoding).find(|item| names.iter().any(|name| item.is(name)));
        named.map(|item| item.weight)
    };
    let any = weight(&["*"]);
    let gzip = weight(&["gzip", "x-gzip"]).or(any).unwrap_or(0.0);
    let identity = weight(&["identity"]).unwrap_or(0.0);
    if gzip > 0.0 && gzip >= identity { Encoding::Gzip } else { Encoding::Identity }
}

/// An item of a list such as `text/plain;version=0.0.4;q=0.5`.
struct Item<'a> {
    name: &'a str,
    version: Option<&'a str>,
    weight: f64,
}

impl Item<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn version_is(&self, versions: &[&str]) -> bool {
        self.version.is_none_or(|version| versions.contains(&version))
    }
}

fn items(list: &str) -> impl Iterator<Item = Item<'_>> {
    list.split(',').map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let mut parsed = Item { name: parts.next().unwrap_or_default(), version: None, weight: 1.0 };
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            match key.trim().to_ascii_lowercase().as_str() {
                "version" => parsed.version = Some(value.trim().trim_matches('"')),
                // A weight that cannot be read is no wish.
                "q" => parsed.weight = weight(value).unwrap_or(0.0),
                _ => {}
            }
        }
        parsed
    })
}

fn weight(text: &str) -> Option<f64> {
    let weight = text.trim().parse().ok();
    weight.filter(|weight| (0.0..=1.0).contains(weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_what_the_client_likes_best() {
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("application/json", Format::Text),
            // Prometheus 2.42.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            // Prometheus 3.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text; q=0.2, text/plain; q=0.9", Format::Text),
            ("application/openmetrics-text;q=0.2,*/*;q=0.9", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;version=2.0.0", Format::Text),
            ("APPLICATION/OpenMetrics-Text ; Version=\"1.0.0\"", Format::OpenMetrics),
            ("application/openmetrics-text;q=NaN", Format::Text),
            (";;;,,=,q=1;q", Format::Text),
        ] {
            assert_eq!(format(accept), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_is_sent_to_who_accepts_it() {
        for (accept, expected) in [
            ("", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("deflate, GZIP;q=0.5", Encoding::Gzip),
            ("gzip;q=0", Encoding::Identity),
            ("gzip;q=0, *", Encoding::Identity),
            ("*", Encoding::Gzip),
            ("br", Encoding::Identity),
            ("identity, gzip;q=0.5", Encoding::Identity),
        ] {
            assert_eq!(encoding(accept), expected, "{accept}");
        }
    }
}
