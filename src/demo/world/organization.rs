//! Organisations and their teams.

use super::World;
use super::repository::RepositoryKey;
use crate::model::time::Timestamp;

/// What a team may do in a repository, the highest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Look.
    Read,
    /// Manage issues and pull requests.
    Triage,
    /// Push.
    Write,
    /// Manage without access to sensitive actions.
    Maintain,
    /// Everything.
    Admin,
}

/// A team with what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// GitHub's number.
    pub database_id: u64,
    /// Its slug, unique in the organisation.
    pub slug: String,
    /// What it is called.
    pub name: String,
    /// The slug of the team that it is a part of.
    pub parent: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// What it may do where.
    pub repositories: Vec<(RepositoryKey, Permission)>,
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// GitHub's number.
    pub database_id: u64,
    /// Its login.
    pub login: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its teams.
    pub teams: Vec<Team>,
}

impl World {
    /// Founds another organisation.
    pub fn found(&mut self, login: &str, at: Timestamp) {
        let database_id = self.next_database_id();
        self.organizations.push(Organization {
            database_id,
            login: login.to_owned(),
            created_at: at,
            teams: Vec::new(),
        });
    }

    /// The organisation of this login, case ignored.
    pub fn organization(&self, login: &str) -> Option<&Organization> {
        self.organizations.iter().find(|organization| organization.login.eq_ignore_ascii_case(login))
    }

    /// Creates a team of an organisation; its slug is its name in lower case with dashes.
    pub fn team(&mut self, organization: &str, name: &str, at: Timestamp) -> String {
        self.advance(at);
        let database_id = self.next_database_id();
        let slug = name.to_lowercase().replace(' ', "-");
        let team = Team {
            database_id,
            slug: slug.clone(),
            name: name.to_owned(),
            parent: None,
            created_at: at,
            repositories: Vec::new(),
        };
        if let Some(found) = self.organizations.iter_mut().find(|one| one.login == organization) {
            found.teams.push(team);
        }
        slug
    }

    /// Lets a team into a repository of its organisation, or changes what it may do there.
    pub fn grant(&mut self, slug: &str, key: RepositoryKey, permission: Permission) {
        let owner = self.at(key).owner.clone();
        let teams = self.organizations.iter_mut().filter(|one| one.login == owner);
        for team in teams.flat_map(|one| &mut one.teams).filter(|team| team.slug == slug) {
            team.repositories.retain(|(held, _)| *held != key);
            team.repositories.push((key, permission));
        }
    }
}
