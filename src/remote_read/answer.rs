//! Answers as Prometheus reads them.

use prost::Message as _;

use super::{Refused, wire};
use crate::model::time::Timestamp;

/// Series of one request.
const SERIES_MAX: usize = 20_000;
/// Values of one request: some fifty megabytes while they are packed.
const SAMPLES_MAX: usize = 1_500_000;

/// The answers to the questions of one request, in their order.
#[derive(Debug, Default)]
pub struct Answers {
    response: wire::ReadResponse,
    series: usize,
    samples: usize,
}

impl Answers {
    /// Begins the answer to the next question.
    pub fn begin(&mut self) {
        self.response.results.push(wire::QueryResult::default());
    }

    /// Adds a series to the answer that was begun last.
    pub fn series<'a>(
        &mut self,
        metric: &'a str,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        points: &[(Timestamp, f64)],
    ) -> Result<(), Refused> {
        self.series += 1;
        self.samples = self.samples.saturating_add(points.len());
        for (count, max, what) in [(self.series, SERIES_MAX, "series"), (self.samples, SAMPLES_MAX, "values")]
        {
            if count > max {
                return Err(Refused::TooMuch(format!(
                    "the answer has more than {max} {what}: ask for fewer teams, components or windows, for a \
                     shorter range or a longer step"
                )));
            }
        }
        let label =
            |(name, value): (&str, &str)| wire::Label { name: name.to_owned(), value: value.to_owned() };
        let mut labels: Vec<_> = labels.chain([("__name__", metric)]).map(label).collect();
        labels.sort();
        let sample = |(at, value): &(Timestamp, f64)| wire::Sample { value: *value, timestamp: at.millis() };
        let series = wire::TimeSeries { labels, samples: points.iter().map(sample).collect() };
        if let Some(result) = self.response.results.last_mut() {
            result.timeseries.push(series);
        }
        Ok(())
    }

    /// Packs them.
    pub fn pack(mut self) -> Result<Vec<u8>, Refused> {
        for result in &mut self.response.results {
            // As a storage of Prometheus gives them.
            result.timeseries.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        let bytes = self.response.encode_to_vec();
        let packed = snap::raw::Encoder::new().compress_vec(&bytes);
        packed.map_err(|error| Refused::TooMuch(format!("the answer cannot be packed: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(answers: Answers) -> wire::ReadResponse {
        let bytes = snap::raw::Decoder::new().decompress_vec(&answers.pack().unwrap()).unwrap();
        wire::ReadResponse::decode(&*bytes).unwrap()
    }

    #[test]
    fn labels_and_series_are_sorted_and_answers_stay_in_the_order_of_the_questions() {
        let mut answers = Answers::default();
        let points = [(Timestamp::from_seconds(7), 0.25)];
        answers.begin();
        answers.begin();
        for team in ["web", "core"] {
            let labels = [("team", team), ("Window", "7d")];
            answers.series("dora_team_changes", labels.into_iter(), &points).unwrap();
        }
        let response = unpacked(answers);
        assert_eq!(response.results.len(), 2);
        assert_eq!(response.results[0].timeseries, []);
        let series = &response.results[1].timeseries;
        let labels = |series: &wire::TimeSeries| {
            let labels = series.labels.iter().map(|label| format!("{}={}", label.name, label.value));
            labels.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(labels(&series[0]), "Window=7d __name__=dora_team_changes team=core");
        assert_eq!(labels(&series[1]), "Window=7d __name__=dora_team_changes team=web");
        assert_eq!(series[0].samples, [wire::Sample { value: 0.25, timestamp: 7_000 }]);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let mut answers = Answers::default();
        answers.begin();
        let points = vec![(Timestamp::default(), 1.0); SAMPLES_MAX / 2];
        let mut add = || answers.series("m", std::iter::empty(), &points);
        assert_eq!((add(), add()), (Ok(()), Ok(())));
        assert!(add().unwrap_err().to_string().contains("more than 1500000 values"));
    }
}
