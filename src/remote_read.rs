//! Prometheus remote read: its questions as matchers and instants, and the answers as it reads them. The history behind
//! them is asked for elsewhere; here is the protocol alone: protobuf in snappy blocks, answers of type SAMPLES.
//!
//! Nothing that is sent makes it fail or grow without bounds: what is too much is refused with what would be less.

mod answer;
mod query;
mod wire;

pub use self::answer::Answers;
pub use self::query::Query;

use prost::Message as _;

/// A request unpacked: questions are short, even with a regular expression of a thousand names.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Questions of one request: Prometheus asks one, the protocol allows more.
const QUERIES_MAX: usize = 16;
/// Regular expressions of one request, each of which takes megabytes and milliseconds before anything is looked for.
const REGEXES_MAX: usize = 16;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no remote read, or asks for what cannot be.
    #[error("{0}")]
    Malformed(String),
    /// It asks for too much at once.
    #[error("{0}")]
    TooMuch(String),
}

/// Reads the questions of a request's body.
pub fn queries(body: &[u8]) -> Result<Vec<Query>, Refused> {
    let malformed =
        |what: &str| Refused::Malformed(format!("the body is no remote read of Prometheus: {what}"));
    let unpacked = snap::raw::decompress_len(body).map_err(|_| malformed("it is no snappy block"))?;
    if unpacked > REQUEST_BYTES_MAX {
        return Err(Refused::TooMuch(format!("the request unpacks to more than {REQUEST_BYTES_MAX} bytes")));
    }
    let bytes = snap::raw::Decoder::new().decompress_vec(body);
    let bytes = bytes.map_err(|_| malformed("it is no snappy block"))?;
    let request = wire::ReadRequest::decode(&*bytes).map_err(|_| malformed("it is no ReadRequest"))?;
    let wire::ReadRequest { queries, accepted_response_types } = request;
    // An empty list means SAMPLES, as in Prometheus before 2.13.
    if !accepted_response_types.is_empty() && !accepted_response_types.contains(&wire::SAMPLES) {
        return Err(malformed("it does not accept answers of type SAMPLES, which are all there are"));
    }
    if queries.len() > QUERIES_MAX {
        return Err(Refused::TooMuch(format!(
            "the request has more than {QUERIES_MAX} queries: send several"
        )));
    }
    let regexes = queries.iter().flat_map(|query| &query.matchers).filter(|matcher| matcher.is_regex());
    let regexes = regexes.count();
    if regexes > REGEXES_MAX {
        return Err(Refused::TooMuch(format!(
            "the request has {regexes} regular expressions, more than {REGEXES_MAX}: name what you ask for, or send several \
             requests"
        )));
    }
    queries.into_iter().map(Query::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_regular_expressions_are_refused_before_any_is_read() {
        let matcher = |kind| wire::LabelMatcher { kind, name: "team".to_owned(), value: "(".to_owned() };
        let query = |kind, count| wire::Query {
            start_timestamp_ms: 0,
            end_timestamp_ms: 0,
            matchers: vec![matcher(kind); count],
            hints: None,
        };
        let asked = |queries: Vec<wire::Query>| {
            let request = wire::ReadRequest { queries, accepted_response_types: Vec::new() };
            queries_of(&request)
        };
        let half = REGEXES_MAX / 2;
        let refused = asked(vec![query(2, half), query(3, half + 1)]).unwrap_err();
        assert!(
            matches!(&refused, Refused::TooMuch(text) if text.contains("17 regular expressions")),
            "{refused}"
        );
        let read = asked(vec![query(2, half), query(3, half)]).unwrap_err();
        assert!(matches!(&read, Refused::Malformed(text) if text.contains("cannot be read")), "{read}");
        assert_eq!(asked(vec![query(0, half), query(1, half + 1)]).unwrap().len(), 2);
    }

    fn queries_of(request: &wire::ReadRequest) -> Result<Vec<Query>, Refused> {
        queries(&snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap())
    }
}
