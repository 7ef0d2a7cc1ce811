//! One question and all that belongs to its answer, under way while others are stored: it holds nothing of the source
//! but a way to ask.

use crate::model::time::Timestamp;

use super::actor::Bots;
use super::ask::{Ask, pages};
use super::client::Client;
use super::config::Config;
use super::files;
use super::operations::{self, DEPLOYMENT_IDS_MAX, REST_IDS_MAX};
use super::pulls;
use super::reply::{Node, Trouble};
use super::wire::{DeploymentWire, PagesWire, PullWire, RestWire};
use crate::http::Priority;

use std::sync::Arc;

/// Pages of 100 own commits, or reviews, of one pull request; GitHub itself stops at 250 commits.
const REST_PAGES_MAX: u32 = 10;
/// Pages of 100 statuses of one deployment.
const STATUS_PAGES_MAX: u32 = 10;

/// Asks one question.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) client: Client,
    pub(super) config: Arc<Config>,
    pub(super) priority: Priority,
}

/// What one question brought.
#[derive(Debug)]
pub(super) struct GroupRead {
    /// Its place among the questions of this poll.
    pub(super) place: u64,
    pub(super) group: Vec<Ask>,
    /// The pages of each repository, in the order of the group, or what went wrong with all of them.
    pub(super) outcome: Result<Vec<Result<Option<PagesWire>, Trouble>>, Trouble>,
    pub(super) read_at: Timestamp,
}

impl Reader {
    /// Asks, and reads on where lists within the pages did not fit.
    pub(super) async fn read(self, place: u64, group: Vec<Ask>) -> GroupRead {
        let outcome = self.pages(&group).await;
        let read_at = match &outcome {
            Ok((_, read_at)) => *read_at,
            Err(_) => self.client.now(),
        };
        GroupRead { place, group, outcome: outcome.map(|(nodes, _)| nodes), read_at }
    }

    async fn pages(
        &self,
        group: &[Ask],
    ) -> Result<(Vec<Result<Option<PagesWire>, Trouble>>, Timestamp), Trouble> {
        let Some(pages) = pages(group) else {
            return Ok((Vec::new(), self.client.now()));
        };
        let reply = self.client.post(&operations::repository_pages(&pages), self.priority).await?;
        let read_at = reply.read_at;
        let mut read: Vec<_> =
            reply.nodes::<PagesWire>(&pages.ids).into_iter().map(|(_, node)| node).collect();
        tolerate(self.complete_pulls(&mut read).await)?;
        tolerate(self.complete_statuses(&mut read).await)?;
        files::complete(&self.client, group, &mut read).await?;
        Ok((read, read_at))
    }

    /// Reads on where the commits of a pull request, or its reviews, did not fit the page. The first request begins
    /// again with larger pages, for all of them at once.
    async fn complete_pulls(&self, read: &mut [Result<Option<PagesWire>, Trouble>]) -> Result<(), Trouble> {
        let bots = Bots(&self.config.bots);
        let mut cut: Vec<&mut PullWire> = wires(read)
            .filter_map(|wire| wire.pull_requests.as_mut())
            .flat_map(|page| &mut page.nodes)
            .filter(|wire| pulls::is_cut(wire, bots))
            .collect();
        let ids: Vec<String> = cut.iter().filter_map(|wire| wire.id.clone()).collect();
        if ids.len() != cut.len() || ids.is_empty() {
            return Ok(());
        }
        let build = |ids: &[String]| operations::pull_request_rest(ids, None, None);
        let (nodes, _) = self.client.nodes::<RestWire>(&ids, REST_IDS_MAX, build).await?;
        for (wire, (id, node)) in cut.iter_mut().zip(nodes) {
            let Ok(Some(RestWire { commits, reviews })) = node else {
                continue;
            };
            let (mut commits, mut reviews) = (commits.unwrap_or_default(), reviews.unwrap_or_default());
            for _ in 1..REST_PAGES_MAX {
                if !commits.has_next && !reviews.has_next {
                    break;
                }
                let (commits_after, reviews_after) = (commits.end.clone(), reviews.end.clone());
                let build = |ids: &[String]| {
                    operations::pull_request_rest(ids, commits_after.as_deref(), reviews_after.as_deref())
                };
                let ids = [id.clone()];
                let (nodes, _) = self.client.nodes::<RestWire>(&ids, 1, build).await?;
                let next = only(nodes)?.unwrap_or_default();
                commits.append(next.commits.unwrap_or_default());
                reviews.append(next.reviews.unwrap_or_default());
            }
            wire.commits = Some(commits);
            wire.reviews = Some(reviews);
        }
        Ok(())
    }

    async fn complete_statuses(
        &self,
        read: &mut [Result<Option<PagesWire>, Trouble>],
    ) -> Result<(), Trouble> {
        let mut cut: Vec<&mut DeploymentWire> = wires(read)
            .filter_map(|wire| wire.deployments.as_mut())
            .flat_map(|page| &mut page.nodes)
            .filter(|wire| wire.statuses.as_ref().is_some_and(|page| page.has_next))
            .collect();
        let ids: Vec<String> = cut.iter().filter_map(|wire| wire.id.clone()).collect();
        if ids.len() != cut.len() || ids.is_empty() {
            return Ok(());
        }
        let nodes = deployments_by_id(&self.client, &ids).await?.0;
        for (wire, (_, node)) in cut.iter_mut().zip(nodes) {
            if let Ok(Some(whole)) = node {
                **wire = whole;
            }
        }
        Ok(())
    }
}

fn wires(read: &mut [Result<Option<PagesWire>, Trouble>]) -> impl Iterator<Item = &mut PagesWire> {
    read.iter_mut().filter_map(|node| node.as_mut().ok()?.as_mut())
}

/// Deployments with all their statuses.
pub(super) async fn deployments_by_id(
    client: &Client,
    ids: &[String],
) -> Result<(Vec<Node<DeploymentWire>>, Timestamp), Trouble> {
    let build = |ids: &[String]| operations::deployments_by_id(ids, None);
    let (mut nodes, read_at) = client.nodes::<DeploymentWire>(ids, DEPLOYMENT_IDS_MAX, build).await?;
    for (id, node) in &mut nodes {
        let Ok(Some(wire)) = node else {
            continue;
        };
        let mut statuses = wire.statuses.take().unwrap_or_default();
        for _ in 1..STATUS_PAGES_MAX {
            if !statuses.has_next {
                break;
            }
            let after = statuses.end.clone();
            let build = |ids: &[String]| operations::deployments_by_id(ids, after.as_deref());
            let ids = [id.clone()];
            let (next, _) = client.nodes::<DeploymentWire>(&ids, 1, build).await?;
            statuses.append(only(next)?.and_then(|next| next.statuses).unwrap_or_default());
        }
        wire.statuses = Some(statuses);
    }
    Ok((nodes, read_at))
}

/// The only node of a request for one.
pub(super) fn only<T>(nodes: Vec<Node<T>>) -> Result<Option<T>, Trouble> {
    nodes.into_iter().next().map_or(Ok(None), |(_, node)| node)
}

/// What lies beyond the page of one item is not worth the poll, if it is too heavy even by itself.
pub(super) fn tolerate(result: Result<(), Trouble>) -> Result<(), Trouble> {
    match result {
        Err(Trouble::TooHeavy(failure)) => {
            tracing::warn!(%failure, "used what fitted the page");
            Ok(())
        }
        other => other,
    }
}
