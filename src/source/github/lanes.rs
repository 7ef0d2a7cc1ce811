//! One lane for each identity: an installation of an App for each owner, or one token for all. Each has a client of its
//! own, with limits of its own, and what goes wrong in one does not hold up the others.

use futures_util::future::join_all;
use serde::de::DeserializeOwned;

use crate::http::{Failure, Reason};
use crate::model::time::Timestamp;
use crate::source::PollError;

use super::client::Client;
use super::operations::Request;
use super::reply::Node;
use super::sign_in::{Identity, Signed};
use super::{Github, Problems};

/// All lanes; there is always one.
#[derive(Debug)]
pub(super) struct Lanes {
    first: Lane,
    others: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    /// The login of the owner whose repositories it reads, in lower case; `None`: everybody's.
    owner: Option<String>,
    client: Client,
    /// Whom it asks as; `None` before we have signed in.
    identity: Option<Identity>,
    /// It failed in this poll.
    lost: bool,
    /// What is left of its budget is kept for what is new.
    held: bool,
}

impl Lanes {
    /// One lane for everybody's repositories, until we have signed in.
    pub(super) fn one(client: Client) -> Self {
        Self {
            first: Lane { owner: None, client, identity: None, lost: false, held: false },
            others: Vec::new(),
        }
    }

    /// A lane for each identity; `None` if there is none.
    fn by_identity(identities: Vec<Identity>, client: impl Fn(&Identity) -> Client) -> Option<Self> {
        let mut lanes = identities.into_iter().map(|identity| Lane {
            owner: identity.account.as_ref().map(|owner| owner.to_lowercase()),
            client: client(&identity),
            identity: Some(identity),
            lost: false,
            held: false,
        });
        Some(Self { first: lanes.next()?, others: lanes.collect() })
    }

    fn all(&self) -> impl Iterator<Item = &Lane> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(super) fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// All are tried again.
    pub(super) fn begin(&mut self) {
        for lane in std::iter::once(&mut self.first).chain(&mut self.others) {
            (lane.lost, lane.held) = (false, false);
        }
    }

    /// The lane of an owner, given by login or by the name of a repository: the first for owners who have none.
    pub(super) fn of(&self, name: &str) -> usize {
        let owner = name.split('/').next().unwrap_or_default().to_lowercase();
        self.all().position(|lane| lane.owner.as_ref() == Some(&owner)).unwrap_or(0)
    }

    fn lane(&self, index: usize) -> &Lane {
        index.checked_sub(1).and_then(|index| self.others.get(index)).unwrap_or(&self.first)
    }

    pub(super) fn client(&self, index: usize) -> &Client {
        &self.lane(index).client
    }

    pub(super) fn is_lost(&self, index: usize) -> bool {
        self.lane(index).lost
    }

    fn lane_mut(&mut self, index: usize) -> &mut Lane {
        match index.checked_sub(1).and_then(|index| self.others.get_mut(index)) {
            Some(lane) => lane,
            None => &mut self.first,
        }
    }

    /// Reads no more of the past in this one in this poll.
    pub(super) fn hold(&mut self, index: usize) {
        self.lane_mut(index).held = true;
    }

    pub(super) fn is_held(&self, index: usize) -> bool {
        self.lane(index).held
    }

    /// Uses this one no more in this poll. Whether all are lost.
    fn lose(&mut self, index: usize) -> bool {
        self.lane_mut(index).lost = true;
        self.all().all(|lane| lane.lost)
    }
}

impl Github {
    /// Finds out whom we are: an App may have been installed somewhere else meanwhile, or be suspended.
    pub(super) async fn sign_in(&mut self, now: Timestamp, problems: &mut Problems) -> Result<(), PollError> {
        let Signed { identities, problems: failed, suspended } =
            self.signer.identities(now).await.map_err(PollError::Source)?;
        let none = failed.first().cloned();
        for failure in failed {
            problems.push(failure);
        }
        let former = &self.lanes;
        let client = |identity: &Identity| {
            let same =
                |lane: &&Lane| lane.identity.as_ref().is_some_and(|former| former.label == identity.label);
            let kept = former.all().find(same).map(|lane| lane.client.clone());
            kept.unwrap_or_else(|| former.first.client.signed_in_as(identity, &self.governors))
        };
        match (Lanes::by_identity(identities, client), none) {
            (Some(lanes), _) => self.lanes = lanes,
            (None, Some(failure)) => return Err(PollError::Source(failure)),
            (None, None) => {}
        }
        self.tell_where_it_is_not_installed(&suspended, problems);
        self.refresh(now, problems).await
    }

    /// Says which organisations nobody can read: an App is not installed there.
    fn tell_where_it_is_not_installed(&self, suspended: &[String], problems: &mut Problems) {
        for organization in &self.config.organizations {
            let is_it = |owner: &String| owner.eq_ignore_ascii_case(organization);
            let known = |lane: &Lane| lane.owner.as_ref().is_none_or(is_it);
            if !self.lanes.all().any(known) && !suspended.iter().any(is_it) {
                let what = format!(
                    "the App is not installed in {organization}: install it from its settings, under \"Install App\""
                );
                problems.push(Failure { reason: Reason::NotFound, what, retry_at: None });
            }
        }
    }

    /// Sees to it that every lane has a token that lasts.
    pub(super) async fn refresh(&mut self, now: Timestamp, problems: &mut Problems) -> Result<(), PollError> {
        for lane in 0..self.lanes.count() {
            let Some(identity) = self.lanes.lane(lane).identity.as_ref() else {
                continue;
            };
            match self.signer.fresh(identity, now).await {
                Ok(renewal) => renewal.into_iter().for_each(|failure| problems.push(failure)),
                Err(failure) => {
                    if failure.reason == Reason::NotFound {
                        // The App was uninstalled, and perhaps installed again as another installation.
                        self.discover_at = None;
                    }
                    self.lose_lane(lane, failure, problems)?;
                }
            }
        }
        Ok(())
    }

    /// The client for a repository.
    pub(super) fn client_of(&self, number: u64) -> &Client {
        self.lanes.client(self.lane_of(number))
    }

    pub(super) fn lane_of(&self, number: u64) -> usize {
        self.repositories.get(&number).map_or(0, |tracked| self.lanes.of(&tracked.state.name))
    }

    /// Nothing more fares better in this lane. Fails if it is the last one: the poll has ended.
    pub(super) fn lose_lane(
        &mut self,
        lane: usize,
        failure: Failure,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        if let Some(identity) =
            self.lanes.lane(lane).identity.as_ref().filter(|_| failure.reason == Reason::Auth)
            && identity.void(self.now())
        {
            tracing::info!(identity = identity.label, "a token was refused; the next poll has another one");
        }
        if self.lanes.lose(lane) {
            return Err(PollError::Source(failure));
        }
        problems.push(failure);
        Ok(())
    }

    /// The same for the lane of these repositories, which were asked for together.
    pub(super) fn lose_lane_of(
        &mut self,
        numbers: &[u64],
        failure: Failure,
        problems: &mut Problems,
    ) -> Result<(), PollError> {
        let lane = numbers.first().map_or(0, |number| self.lane_of(*number));
        self.lose_lane(lane, failure, problems)
    }

    /// What is wanted by lane.
    pub(super) fn by_lane(&self, wanted: Vec<(u64, String)>) -> Vec<(usize, Vec<u64>, Vec<String>)> {
        let mut lanes: Vec<(usize, Vec<u64>, Vec<String>)> =
            (0..self.lanes.count()).map(|lane| (lane, Vec::new(), Vec::new())).collect();
        for (number, id) in wanted {
            if let Some((_, numbers, ids)) = lanes.get_mut(self.lane_of(number)) {
                numbers.push(number);
                ids.push(id);
            }
        }
        lanes.retain(|(_, numbers, _)| !numbers.is_empty());
        lanes
    }

    /// Asks for nodes of repositories, each in its lane, all lanes at once. What belongs to a lane that fails is not in
    /// the answer; fails if all did.
    pub(super) async fn nodes_of<T: DeserializeOwned + Send>(
        &mut self,
        wanted: Vec<(u64, String)>,
        at_once: usize,
        build: impl Fn(&[String]) -> Request + Sync,
        problems: &mut Problems,
    ) -> Result<Vec<(u64, Node<T>)>, PollError> {
        let lanes = self.by_lane(wanted);
        let mut questions = Vec::new();
        for (lane, _, ids) in &lanes {
            questions.push(self.lanes.client(*lane).nodes::<T>(ids, at_once, &build));
        }
        let answers = join_all(questions).await;
        let mut found = Vec::new();
        for ((lane, numbers, _), answer) in lanes.into_iter().zip(answers) {
            match answer {
                Ok((nodes, _)) => found.extend(numbers.into_iter().zip(nodes)),
                Err(trouble) => self.lose_lane(lane, trouble.failure(), problems)?,
            }
        }
        Ok(found)
    }
}
