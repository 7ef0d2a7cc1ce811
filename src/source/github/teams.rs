//! Teams and the repositories that they hold (`definitions.md` §1, ownership).

use crate::http::{Failure, Reason};
use crate::model::fact::{HoldingTeam, Permission};
use crate::model::name::RepositoryId;
use crate::source::PollError;

use super::denied::explained;
use super::operations;
use super::reply::{Trouble, malformed};
use super::wire::{OrganizationData, OrganizationWire, Page, TeamEdgeWire, TeamWire};
use super::{Github, Problems};

/// Pages of an organisation's teams: 4,000 of them.
const TEAM_PAGES_MAX: u32 = 200;
/// Pages of a team's repositories: 20,000 of them.
const REPOSITORY_PAGES_MAX: u32 = 200;

fn permission(text: Option<&str>) -> Permission {
    match text {
        Some("ADMIN") => Permission::Admin,
        Some("MAINTAIN") => Permission::Maintain,
        Some("WRITE") => Permission::Write,
        _ => Permission::Read,
    }
}

impl Github {
    /// All teams of all organisations; `None` if some could not be read: half of them would give repositories to
    /// the wrong owners.
    pub(super) async fn teams(
        &mut self,
        problems: &mut Problems,
    ) -> Result<Option<Vec<HoldingTeam>>, PollError> {
        let mut teams = Vec::new();
        let mut complete = true;
        for organization in self.config.organizations.clone() {
            let lane = self.lanes.of(&organization);
            if self.lanes.is_lost(lane) {
                complete = false;
                continue;
            }
            match self.teams_of(&organization).await {
                Ok(read) => teams.extend(read),
                // A user has none; an owner that is nobody was told of when repositories were listed.
                Err(failure) if failure.reason == Reason::NotFound => {}
                Err(failure) if super::ends_the_poll(failure.reason) => {
                    self.lose_lane(lane, failure, problems)?;
                    complete = false;
                }
                Err(failure) => {
                    problems.push(explained(&organization, failure));
                    complete = false;
                }
            }
        }
        Ok(complete.then_some(teams))
    }

    async fn teams_of(&self, organization: &str) -> Result<Vec<HoldingTeam>, Failure> {
        let mut teams = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..TEAM_PAGES_MAX {
            let client = self.lanes.client(self.lanes.of(organization));
            let build = |halvings| operations::teams(organization, after.as_deref(), halvings);
            let data: OrganizationData =
                client.ask(build).await.map_err(Trouble::failure)?.read("organization")?;
            let Some(OrganizationWire { teams: page, team: _ }) = data.organization else {
                return Ok(teams);
            };
            let page = page.unwrap_or_default();
            self.client().count_malformed(page.malformed, "teams");
            for team in page.nodes {
                teams.extend(self.team(organization, team).await?);
            }
            if !page.has_next {
                return Ok(teams);
            }
            if page.end.is_none() || page.end == after {
                break;
            }
            after = page.end;
        }
        Err(malformed(&format!("the list of the teams of {organization:?} does not end")))
    }

    async fn team(&self, organization: &str, team: TeamWire) -> Result<Option<HoldingTeam>, Failure> {
        let TeamWire { slug, name, repositories } = team;
        let Some(slug) = slug else {
            return Ok(None);
        };
        let mut page = repositories.unwrap_or_default();
        let mut held = Vec::new();
        for _ in 0..REPOSITORY_PAGES_MAX {
            let Page { nodes, malformed: unread, has_next, end } = page;
            self.client().count_malformed(unread, "repositories of teams");
            held.extend(nodes.into_iter().filter_map(|edge| self.held(edge)));
            if !has_next || end.is_none() {
                return Ok(Some(HoldingTeam {
                    name: name.unwrap_or_else(|| slug.clone()),
                    slug,
                    repositories: held,
                }));
            }
            let client = self.lanes.client(self.lanes.of(organization));
            let build =
                |halvings| operations::team_repositories(organization, &slug, end.as_deref(), halvings);
            let data: OrganizationData =
                client.ask(build).await.map_err(Trouble::failure)?.read("organization")?;
            page = data
                .organization
                .and_then(|organization| organization.team?.repositories)
                .unwrap_or_default();
        }
        Err(malformed(&format!("the list of the repositories of team {slug:?} does not end")))
    }

    fn held(&self, edge: TeamEdgeWire) -> Option<(RepositoryId, Permission)> {
        let TeamEdgeWire { permission: may, node } = edge;
        Some((self.id(node?.database_id?), permission(may.as_deref())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_or_less_than_write_does_not_own() {
        for (text, expected) in [
            (Some("ADMIN"), Permission::Admin),
            (Some("MAINTAIN"), Permission::Maintain),
            (Some("WRITE"), Permission::Write),
            (Some("TRIAGE"), Permission::Read),
            (Some("BRAND_NEW"), Permission::Read),
            (None, Permission::Read),
        ] {
            assert_eq!(permission(text), expected);
        }
    }

    #[test]
    fn teams_are_read_from_edges() {
        let team: TeamWire = serde_json::from_str(
            r#"{"slug":"pay","repositories":{"edges":[{"permission":"ADMIN","node":{"databaseId":1}},null]}}"#,
        )
        .unwrap();
        assert_eq!(team.repositories.unwrap().nodes.len(), 1);
    }
}
