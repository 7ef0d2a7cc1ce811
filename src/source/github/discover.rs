//! Which repositories there are: those of the configured owners, and those that are configured by name.

use crate::http::{Failure, Reason};
use crate::model::batch::Batch;
use crate::model::dirty::Stream;
use crate::model::fact::Fact;
use crate::model::name::RepositoryName;
use crate::model::settings::TeamsFrom;
use crate::model::time::Timestamp;
use crate::source::{PollError, Sink};

use super::denied::explained;
use super::operations::{self, NAMES_MAX, OwnerKind};
use super::reply::{Trouble, malformed};
use super::server::is_enterprise;
use super::state::{State, StoredReach};
use super::tracked::Tracked;
use super::wire::{OwnerData, Page, RepositoryWire};
use super::{DISCOVER_AGAIN, DISCOVER_EVERY, Github, Problems, issues};

/// Pages of one owner's repositories: 20,000 of them.
const OWNER_PAGES_MAX: u32 = 200;

/// A repository as GitHub shows it now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) node: String,
    pub(super) name: RepositoryName,
    pub(super) branch: Option<String>,
    pub(super) head: Option<String>,
    /// Whether commits are not for us: that there is no branch means nothing then.
    pub(super) branch_hidden: bool,
    created_at: Timestamp,
    pushed_at: Option<Timestamp>,
    reach: StoredReach,
    archived: bool,
    fork: bool,
}

impl Found {
    /// Commits are not for us: that there is no branch says nothing.
    pub(super) fn hide_branch(&mut self) {
        self.branch_hidden = true;
        if self.reach == StoredReach::Empty {
            self.reach = StoredReach::Ok;
        }
    }
}

/// Reads a repository; `None` if it lacks its identity.
pub(super) fn found(wire: &RepositoryWire) -> Option<Found> {
    let branch = wire.default_branch_ref.as_ref();
    let head = branch.and_then(|branch| branch.target.as_ref()?.oid.clone());
    let reach = match &head {
        _ if wire.is_disabled == Some(true) => StoredReach::Inaccessible,
        Some(_) => StoredReach::Ok,
        None => StoredReach::Empty,
    };
    let mut found = Found {
        number: wire.database_id?,
        node: wire.id.clone()?,
        name: RepositoryName::from(wire.name_with_owner.as_deref()?),
        branch: branch.and_then(|branch| branch.name.clone()),
        head,
        branch_hidden: false,
        created_at: Timestamp::parse(wire.created_at.as_deref()?)?,
        pushed_at: wire.pushed_at.as_deref().and_then(Timestamp::parse),
        reach,
        archived: wire.is_archived == Some(true),
        fork: wire.is_fork == Some(true),
    };
    if wire.branch_hidden == Some(true) {
        found.hide_branch();
    }
    Some(found)
}

impl Github {
    /// Lists repositories and teams. What fails here stays a problem until the next time.
    pub(super) async fn discover(&mut self, sink: &Sink, now: Timestamp) -> Result<(), PollError> {
        let mut problems = Problems::default();
        self.sign_in(now, &mut problems).await?;
        // What was not for us may have been granted.
        for tracked in self.repositories.values_mut() {
            tracked.look.denied.clear();
        }
        if is_enterprise(&self.config.api_url) {
            // All lanes have the same server.
            self.client().clone().learn_version().await;
        }
        for owner in self.config.organizations.clone() {
            self.list_owner(&owner, now, &mut problems).await?;
        }
        self.resolve_names(now, &mut problems).await?;
        self.flush(sink).await?;
        self.read_teams(sink, &mut problems).await?;
        let every = if problems.0.is_empty() { DISCOVER_EVERY } else { DISCOVER_AGAIN };
        if let Some(failure) = problems.0.first().filter(|_| self.repositories.is_empty()) {
            return Err(PollError::Source(failure.clone()));
        }
        (self.discovered_at, self.discover_at) = (Some(now), Some(now.plus(every)));
        self.standing = problems.0;
        Ok(())
    }

    /// Reads who holds what, if teams come from there.
    pub(super) async fn read_teams(&mut self, sink: &Sink, problems: &mut Problems) -> Result<(), PollError> {
        if self.config.teams_from == TeamsFrom::GithubTeams
            && let Some(teams) = self.teams(problems).await?
        {
            let facts = vec![Fact::Teams(self.config.name.clone(), teams)];
            sink.apply(Batch { facts, ..Batch::default() }).await?;
        }
        Ok(())
    }

    async fn list_owner(
        &mut self,
        owner: &str,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let mut after: Option<String> = None;
        let mut kind = OwnerKind::Organization;
        for _ in 0..OWNER_PAGES_MAX {
            let lane = self.lanes.of(owner);
            let build = |halvings| operations::discover(owner, kind, after.as_deref(), halvings);
            let reply = match self.lanes.client(lane).ask(build).await {
                Ok(reply) => reply.excusing_branches(),
                Err(trouble) => return self.keep_or_lose(lane, owner, trouble, problems),
            };
            let page = match reply.read::<OwnerData>(kind.field()) {
                Ok(OwnerData { organization, user }) => {
                    organization.or(user).and_then(|owner| owner.repositories)
                }
                Err(failure) if failure.reason == Reason::NotFound => None,
                Err(failure) => {
                    problems.push(explained(owner, failure));
                    return Ok(());
                }
            };
            if page.is_none() && kind == OwnerKind::Organization {
                kind = OwnerKind::User;
                continue;
            }
            let Some(page) = page else {
                problems.push(Failure {
                    reason: Reason::NotFound,
                    what: format!("there is no organization or user {owner:?}, or the token may not see it"),
                    retry_at: None,
                });
                return Ok(());
            };
            let Page { nodes, malformed: unread, has_next, end } = page;
            self.client().count_malformed(unread, "repositories");
            for found in nodes.iter().filter_map(found) {
                self.note(found, now);
            }
            if !has_next {
                return Ok(());
            }
            if end.is_none() || end == after {
                break;
            }
            after = end;
        }
        problems.push(malformed(&format!("the list of the repositories of {owner:?} does not end")));
        Ok(())
    }

    async fn resolve_names(&mut self, now: Timestamp, problems: &mut Problems) -> Result<(), PollError> {
        let names = self.config.exact_repositories.clone();
        let pairs: Vec<(&str, &str)> =
            names.iter().filter_map(|name| name.as_str().split_once('/')).collect();
        let mut chunks: Vec<(usize, Vec<(&str, &str)>)> = Vec::new();
        for lane in 0..self.lanes.count() {
            let own = pairs.iter().copied().filter(|(owner, _)| self.lanes.of(owner) == lane);
            let own: Vec<(&str, &str)> = own.collect();
            for chunk in own.chunks(NAMES_MAX) {
                chunks.push((lane, chunk.to_vec()));
            }
        }
        for (lane, chunk) in chunks {
            let build = |_| operations::repositories_by_name(&chunk);
            let reply = match self.lanes.client(lane).ask(build).await {
                Ok(reply) => reply.excusing_branches(),
                Err(trouble) => {
                    self.keep_or_lose(lane, "", trouble, problems)?;
                    continue;
                }
            };
            for (index, (owner, _)) in chunk.iter().enumerate() {
                let field = format!("repository{index}");
                if let Some(trouble) = reply.fault(&field) {
                    self.keep_or_lose(lane, owner, trouble.clone(), problems)?;
                    continue;
                }
                let wire = reply.data.get(&field).cloned().unwrap_or_default();
                let read = serde_json::from_value::<RepositoryWire>(wire).ok();
                match read.as_ref().and_then(found) {
                    Some(found) => self.note(found, now),
                    None => self.client().count_malformed(1, "repositories"),
                }
            }
        }
        Ok(())
    }

    /// Keeps a trouble that concerns a part; loses the lane if nothing else in it would fare better.
    fn keep_or_lose(
        &mut self,
        lane: usize,
        owner: &str,
        trouble: Trouble,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let failure = trouble.failure();
        if super::ends_the_poll(failure.reason) {
            return self.lose_lane(lane, failure, problems);
        }
        problems.push(explained(owner, failure));
        Ok(())
    }

    /// Takes note of a repository: begins to read it, reads it under its new name, or leaves it out.
    pub(super) fn note(&mut self, found: Found, now: Timestamp) {
        let Found {
            number,
            node,
            name,
            branch,
            head,
            branch_hidden,
            created_at,
            pushed_at,
            reach,
            archived,
            fork,
        } = found;
        let left_out = !self.config.repositories.matches(&name)
            || (archived && !self.config.include_archived)
            || (fork && !self.config.include_forks);
        if left_out && !self.repositories.contains_key(&number) {
            return;
        }
        let horizon = now.minus(self.config.history);
        let rules = self.config.incidents.as_ref().map(issues::fingerprint);
        let tracked = self.repositories.entry(number).or_insert_with(|| {
            let mut state = State::new(&node, horizon);
            state.issues.restart(rules.unwrap_or_default());
            Tracked::new(state)
        });
        let Tracked { state, look, .. } = tracked;
        let before = state.clone();
        if state.name != name.as_str() {
            name.as_str().clone_into(&mut state.name);
        }
        state.node = node;
        if branch_hidden {
            look.denied.insert(Stream::Commits);
        } else {
            state.switch(branch, head.as_ref());
            state.head = state.head.take().filter(|_| head.is_some());
        }
        state.created_at = created_at.millis();
        state.left_out = left_out;
        state.reach = reach;
        look.archived = archived;
        look.newest = look.newest.max(Some(created_at)).max(pushed_at);
        tracked.dirty |= *state != before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_needs_its_identity_and_may_be_empty() {
        let wire = |text| serde_json::from_str::<RepositoryWire>(text).unwrap();
        let empty = wire(
            r#"{"id":"R","databaseId":1,"nameWithOwner":"acme/shop","createdAt":"2026-01-01T00:00:00Z",
                "defaultBranchRef":null,"isArchived":null}"#,
        );
        let found_empty = found(&empty).unwrap();
        assert_eq!((found_empty.head, found_empty.archived), (None, false));
        assert_eq!(found(&wire(r#"{"id":"R","nameWithOwner":"acme/shop"}"#)), None);
        assert_eq!(found(&wire("{}")), None);
    }
}
