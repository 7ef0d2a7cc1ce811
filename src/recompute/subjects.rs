//! By which rule the incidents of each source got their owner, and which services have none: for the page of sources.

use crate::model::component::{OwnedIncident, SubjectRule, Subjects};
use crate::model::fact::Subject;

/// Counts them; what is excluded too, since it was mapped all the same.
pub(super) fn by_source(incidents: &[OwnedIncident]) -> Subjects {
    let mut subjects = Subjects::new();
    for owned in incidents {
        let incident = &owned.stored.incident;
        let of_source = subjects.entry(incident.source.clone()).or_default();
        *of_source.by_rule.entry(owned.rule).or_default() += 1;
        if owned.rule == SubjectRule::None {
            for subject in &incident.subjects {
                match subject {
                    Subject::Service(_, name) => {
                        *of_source.unmapped.entry(name.clone()).or_default() += 1;
                    }
                    Subject::Repository(_) | Subject::Team(_) => {}
                }
            }
        }
    }
    subjects
}
