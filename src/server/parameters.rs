//! The parameters of a request: what is not known is told with what is, and nothing is ignored.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

use super::problem::Problem;

/// As they come.
pub(super) type Given = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// Parameters that are all known; each is given once, but those that may be given several times.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads them.
    pub(super) fn read(given: Given, known: &[&str], several: &[&str]) -> Result<Self, Problem> {
        let Query(given) = given.map_err(|error| Problem::Malformed(error.body_text()))?;
        for (place, (name, _)) in given.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(Problem::Malformed(format!("unknown parameter {name:?}; known: {known}")));
            }
            let mut earlier = given.iter().take(place);
            if !several.contains(&name.as_str()) && earlier.any(|(other, _)| other == name) {
                return Err(Problem::Malformed(format!("`{name}` is given more than once")));
            }
        }
        Ok(Self(given))
    }

    /// The value of a parameter, if it is given.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}
