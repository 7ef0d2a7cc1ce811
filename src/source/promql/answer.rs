//! What Prometheus answers, as what it means for a single number. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::model::signal::SignalPoint;
use crate::model::time::Timestamp;

/// Warnings of one answer that are of interest.
const WARNINGS_MAX: usize = 3;

/// An answer of `/api/v1/query` and `/api/v1/query_range` as it comes.
#[derive(Debug, Deserialize)]
pub(super) struct Wire {
    status: String,
    data: Option<Data>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

/// A successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) data: Data,
    pub(super) warnings: Vec<String>,
}

/// The four kinds of results.
#[derive(Debug, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(super) enum Data {
    Vector(Vec<Sample>),
    Scalar(Pair),
    String(IgnoredAny),
    Matrix(Vec<Series>),
}

/// An element of an instant vector; a native histogram has no value.
#[derive(Debug, Deserialize)]
pub(super) struct Sample {
    value: Option<Pair>,
}

/// A series over time.
#[derive(Debug, Deserialize)]
pub(super) struct Series {
    #[serde(default)]
    values: Vec<Pair>,
}

/// Seconds since the Unix epoch, and a number as text, since JSON has neither NaN nor infinities.
#[derive(Debug, Deserialize)]
pub(super) struct Pair(f64, String);

impl Answer {
    /// The answer, or what is wrong with it.
    pub(super) fn read(wire: Wire) -> Result<Self, String> {
        let Wire { status, data, error, mut warnings } = wire;
        match (status.as_str(), data) {
            ("success", Some(data)) => {
                warnings.truncate(WARNINGS_MAX);
                Ok(Self { data, warnings })
            }
            ("success", None) => Err("the answer has no data".to_owned()),
            _ => Err(error.unwrap_or_else(|| "the answer is neither a success nor an error".to_owned())),
        }
    }
}

/// What the body of a refusal says, if it is one of Prometheus's.
pub(super) fn refusal(body: &str) -> Option<String> {
    let Wire { status: _, data: _, error, warnings: _ } = serde_json::from_str(body).ok()?;
    error
}

impl Data {
    /// The one number that it is at `at`, if it is any; else what it is instead.
    pub(super) fn value(self, at: Timestamp) -> Result<Option<SignalPoint>, String> {
        let pair = match self {
            Self::Scalar(pair) => pair,
            Self::Vector(samples) => match samples.len() {
                0 => return Ok(None),
                1 => {
                    let pair = samples.into_iter().find_map(|Sample { value }| value);
                    pair.ok_or("the query gives a histogram, and a number is needed")?
                }
                several => {
                    return Err(format!(
                        "the query gives {several} series, and one is needed: aggregate them, as sum(…) does"
                    ));
                }
            },
            Self::String(_) => return Err("the query gives a text, and a number is needed".to_owned()),
            Self::Matrix(_) => return Err("the query gives a range, and a number is needed".to_owned()),
        };
        let Pair(_, text) = pair;
        let value = text.parse().map_err(|_| "the query gives a number that cannot be read")?;
        let point = SignalPoint::new(at, value);
        point.map(Some).ok_or_else(|| format!("the query gives {value}, which is no value"))
    }

    /// The numbers that it is over time. Where several series have a value at the same instant, none of them is the
    /// value; where it is no number, there is none.
    pub(super) fn history(self) -> Result<Vec<SignalPoint>, String> {
        let series = match self {
            Self::Matrix(series) => series,
            Self::Scalar(_) | Self::Vector(_) | Self::String(_) => {
                return Err("the history of the query is no range".to_owned());
            }
        };
        let mut by_instant: BTreeMap<Timestamp, Option<f64>> = BTreeMap::new();
        for Pair(seconds, text) in series.into_iter().flat_map(|Series { values }| values) {
            let only = text.parse().ok();
            by_instant.entry(instant(seconds)).and_modify(|value| *value = None).or_insert(only);
        }
        let point = |(at, value): (Timestamp, Option<f64>)| SignalPoint::new(at, value?);
        Ok(by_instant.into_iter().filter_map(point).collect())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "such a cast saturates, and no instant is as far away")]
fn instant(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1_000.0).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(json: &str) -> Data {
        let wire = serde_json::from_str(&format!(r#"{{"status": "success", "data": {json}}}"#)).unwrap();
        Answer::read(wire).unwrap().data
    }

    #[test]
    fn a_single_number_is_a_value_and_nothing_else_is() {
        let at = Timestamp::from_seconds(1_800_000_000);
        for (result, expected) in [
            (r#"{"resultType": "scalar", "result": [1, "2.5"]}"#, Ok(Some(2.5))),
            (r#"{"resultType": "scalar", "result": [1, "-1e3"]}"#, Ok(Some(-1_000.0))),
            (
                r#"{"result": [{"metric": {"a": "b"}, "value": [1.5, "0"]}], "resultType": "vector"}"#,
                Ok(Some(0.0)),
            ),
            (r#"{"resultType": "vector", "result": []}"#, Ok(None)),
            (
                r#"{"resultType": "vector", "result": [{"value": [1, "1"]}, {"value": [1, "1"]}]}"#,
                Err("2 series"),
            ),
            (r#"{"resultType": "vector", "result": [{"value": [1, "NaN"]}]}"#, Err("gives NaN")),
            (r#"{"resultType": "scalar", "result": [1, "+Inf"]}"#, Err("gives inf")),
            (r#"{"resultType": "scalar", "result": [1, "much"]}"#, Err("cannot be read")),
            (r#"{"resultType": "vector", "result": [{"histogram": [1, {"count": "1"}]}]}"#, Err("histogram")),
            (r#"{"resultType": "string", "result": [1, "a"]}"#, Err("a text")),
            (r#"{"resultType": "matrix", "result": []}"#, Err("a range")),
        ] {
            let found = data(result).value(at);
            match (found, expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found, expected.and_then(|value| SignalPoint::new(at, value)), "{result}");
                }
                (Err(flaw), Err(expected)) => assert!(flaw.contains(expected), "{result}: {flaw}"),
                (found, _) => panic!("{result}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_history_is_where_there_was_one_number() {
        let series = |values: &str| format!(r#"{{"metric": {{}}, "values": [{values}]}}"#);
        let (one, other) =
            (series(r#"[10, "1"], [20, "2"], [30, "NaN"]"#), series(r#"[20, "3"], [40.5, "4"]"#));
        let history = data(&format!(r#"{{"resultType": "matrix", "result": [{one}, {other}]}}"#)).history();
        let point = |millis, value| SignalPoint::new(Timestamp::from_millis(millis), value).unwrap();
        assert_eq!(history, Ok(vec![point(10_000, 1.0), point(40_500, 4.0)]));
        assert!(data(r#"{"resultType": "vector", "result": []}"#).history().is_err());
    }

    #[test]
    fn a_refusal_says_why() {
        let body =
            r#"{"status":"error","errorType":"bad_data","error":"1:4: parse error: unexpected \"(\""}"#;
        assert_eq!(refusal(body).unwrap(), r#"1:4: parse error: unexpected "(""#);
        for body in ["", "<html>", "[]", "{}", r#"{"status":"success"}"#] {
            assert_eq!(refusal(body), None, "{body}");
        }
    }
}
