//! Streams that are there and not for us: a token without a permission keeps one stream of a repository from being read,
//! and none of the others. What is missing is told in every poll, and asked for again when repositories are listed.

use std::collections::BTreeMap;

use crate::http::{Failure, Reason};
use crate::model::dirty::Stream;

use super::operations::PROBED;
use super::reply::permission;
use super::{Github, Problems};

/// Repositories that are named; the others are counted.
const NAMED_MAX: usize = 3;
/// What GitHub says where single sign-on was not done.
const SINGLE_SIGN_ON: &str = "SAML enforcement";

impl Github {
    /// Takes note that a stream is not for us. Whether that was not known.
    pub(super) fn deny(&mut self, number: u64, stream: Stream) -> bool {
        self.repositories.get_mut(&number).is_some_and(|tracked| tracked.look.denied.insert(stream))
    }

    /// Takes note that nothing of a repository is for us: it is looked at again after the next discovery.
    pub(super) fn bar(&mut self, number: u64, failure: Failure, problems: &mut Problems) {
        let Some(tracked) = self.repositories.get_mut(&number) else {
            return;
        };
        tracked.look.denied.insert(Stream::Repository);
        tracked.look.seen = None;
        let owner = tracked.state.name.split('/').next().unwrap_or_default();
        problems.push(explained(owner, failure));
    }

    /// What to look at, by the streams of which nothing says that they are not for us.
    pub(super) fn by_streams(&self, wanted: Vec<(u64, String)>) -> BTreeMap<Vec<Stream>, Vec<(u64, String)>> {
        let mut groups: BTreeMap<Vec<Stream>, Vec<(u64, String)>> = BTreeMap::new();
        for (number, id) in wanted {
            let denied = self.repositories.get(&number).map(|tracked| &tracked.look.denied);
            let mut streams = PROBED.to_vec();
            streams.retain(|stream| *stream != Stream::Issues || self.config.incidents.is_some());
            streams.retain(|stream| !denied.is_some_and(|denied| denied.contains(stream)));
            groups.entry(streams).or_default().push((number, id));
        }
        groups
    }

    /// Says which permissions are missing, once for all repositories that lack the same one.
    pub(super) fn tell_what_is_denied(&self, problems: &mut Problems) {
        for stream in PROBED {
            let mut names = Vec::new();
            for tracked in self.repositories.values().filter(|tracked| tracked.is_active()) {
                let meant = stream != Stream::Deployments || tracked.state.wants_deployments();
                let hidden = tracked.look.seen.as_ref().is_some_and(|seen| !seen.shows(stream));
                if meant && hidden {
                    names.push(tracked.state.name.as_str());
                }
            }
            if !names.is_empty() {
                let what = refusal(stream, &names);
                problems.push(Failure { reason: Reason::Forbidden, what, retry_at: None });
            }
        }
    }
}

/// What to do about a refusal that concerns all of an owner, in the same words wherever it is met.
pub(super) fn explained(owner: &str, failure: Failure) -> Failure {
    let Failure { reason, what, retry_at } = failure;
    let what = if reason == Reason::Forbidden && what.contains(SINGLE_SIGN_ON) {
        format!(
            "{owner} demands single sign-on, which was not done for the token; authorize it for {owner}: Settings → \
             Developer settings → Personal access tokens → Configure SSO"
        )
    } else {
        what
    };
    Failure { reason, what, retry_at }
}

fn refusal(stream: Stream, names: &[&str]) -> String {
    let (what, field) = match stream {
        Stream::Changes => ("pull requests and commits", "pullRequests"),
        Stream::Deployments => ("deployments", "deployments"),
        Stream::Issues => ("issues", "issues"),
        Stream::Commits => ("commits, releases and tags", "defaultBranchRef"),
        Stream::Repository
        | Stream::Releases
        | Stream::Tags
        | Stream::Runs
        | Stream::Run(_)
        | Stream::Teams => ("a part", ""),
    };
    let first = names.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    let others = match names.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        others => format!(" and of {others} more"),
    };
    let needed = permission(field).unwrap_or("more access");
    format!("{what} of {first}{others} cannot be read; the token needs {needed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_is_told_once_for_all_repositories() {
        for (names, expected) in [
            (
                &["acme/pay"][..],
                "deployments of acme/pay cannot be read; the token needs read access to deployments",
            ),
            (
                &["a/1", "a/2", "a/3", "a/4", "a/5"],
                "deployments of a/1, a/2, a/3 and of 2 more cannot be read; the token needs read access to deployments",
            ),
        ] {
            assert_eq!(refusal(Stream::Deployments, names), expected);
        }
        assert!(refusal(Stream::Changes, &["a/1"]).ends_with("read access to pull requests"));
    }
}
