//! Who may ask the simulated GitHub: personal tokens, and Apps with their installations.
//!
//! Plain data, changed by whoever tells the story: a token is replaced, an installation suspended, single sign-on
//! demanded. Every secret is invented.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::world::repository::Repository;
use crate::model::time::{Span, Timestamp};

/// What the documentation grants a personal token in an hour, of GraphQL and of REST alike.
pub(super) const PER_HOUR: u64 = 5_000;
/// How long an installation's token is good.
const INSTALLATION_TOKEN_LIFE: Span = Span::from_hours(1);

/// What a token may be allowed to look at. The words are those of GitHub's permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Workflows and their runs.
    Actions,
    /// Check suites.
    Checks,
    /// Commits, branches, tags, releases, files.
    Contents,
    /// Deployments and their statuses.
    Deployments,
    /// Issues.
    Issues,
    /// An organisation's teams.
    Members,
    /// That a repository is there.
    Metadata,
    /// Pull requests.
    PullRequests,
}

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Look.
    Read,
    /// Change, and look at drafts.
    Write,
}

/// A set of permissions. Metadata is always among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions(BTreeMap<Permission, Access>);

impl Permissions {
    /// To look at all that there is.
    pub fn to_read() -> Self {
        let all = [
            Permission::Actions,
            Permission::Checks,
            Permission::Contents,
            Permission::Deployments,
            Permission::Issues,
            Permission::Members,
            Permission::Metadata,
            Permission::PullRequests,
        ];
        Self(all.into_iter().map(|permission| (permission, Access::Read)).collect())
    }

    /// Without this one.
    #[must_use]
    pub fn without(mut self, permission: Permission) -> Self {
        self.0.remove(&permission);
        self
    }

    /// With this one to write.
    #[must_use]
    pub fn to_write(mut self, permission: Permission) -> Self {
        self.0.insert(permission, Access::Write);
        self
    }

    /// Whether so much is among them.
    pub fn allow(&self, permission: Permission, access: Access) -> bool {
        permission == Permission::Metadata || self.0.get(&permission).is_some_and(|held| *held >= access)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Permission, Access)> + '_ {
        self.0.iter().map(|(permission, access)| (*permission, *access))
    }
}

/// Which repositories of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All.
    All,
    /// Those with these numbers.
    Only(Vec<u64>),
}

impl Selection {
    fn holds(&self, repository: &Repository) -> bool {
        match self {
            Self::All => true,
            Self::Only(numbers) => numbers.contains(&repository.database_id),
        }
    }
}

/// What a personal token was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// All that its person sees, as far as the scopes go: `repo`, `read:org`.
    Classic(Vec<String>),
    /// Permissions in repositories of one owner.
    FineGrained {
        /// The owner's login.
        owner: String,
        /// What it may do there.
        permissions: Permissions,
        /// In which repositories.
        repositories: Selection,
    },
}

/// A personal access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What is sent.
    pub secret: String,
    /// Whose it is. All tokens of a person share one budget.
    pub login: String,
    /// What it was granted.
    pub grant: Grant,
    /// Until when, if it ends.
    pub expires_at: Option<Timestamp>,
    /// Organisations that demand single sign-on, which was not done for it.
    pub without_single_sign_on: Vec<String>,
    /// GraphQL points in an hour.
    pub points_per_hour: u64,
    /// REST requests in an hour.
    pub requests_per_hour: u64,
}

impl Token {
    /// A classic token with these scopes.
    pub fn classic(secret: &str, login: &str, scopes: &[&str]) -> Self {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Self::new(secret, login, Grant::Classic(scopes))
    }

    /// A fine-grained token for all repositories of one owner.
    pub fn fine_grained(secret: &str, login: &str, owner: &str, permissions: Permissions) -> Self {
        let owner = owner.to_owned();
        let repositories = Selection::All;
        Self::new(secret, login, Grant::FineGrained { owner, permissions, repositories })
    }

    fn new(secret: &str, login: &str, grant: Grant) -> Self {
        Self {
            secret: secret.to_owned(),
            login: login.to_owned(),
            grant,
            expires_at: None,
            without_single_sign_on: Vec::new(),
            points_per_hour: PER_HOUR,
            requests_per_hour: PER_HOUR,
        }
    }
}

/// A GitHub App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its number.
    pub id: u64,
    /// What it may call itself instead of its number.
    pub client_id: String,
    /// Its name in addresses; its account is `<slug>[bot]`.
    pub slug: String,
    /// The public half of its key, in PEM.
    pub public_key: String,
    /// Where it was installed; one that was removed again is not among them.
    pub installations: Vec<Installation>,
}

impl App {
    /// An App that is installed nowhere yet.
    pub fn new(id: u64, slug: &str, public_key: &str) -> Self {
        Self {
            id,
            client_id: format!("Iv23li{id:014}"),
            slug: slug.to_owned(),
            public_key: public_key.to_owned(),
            installations: Vec::new(),
        }
    }

    /// Installed in this organisation too.
    #[must_use]
    pub fn installed(mut self, installation: Installation) -> Self {
        self.installations.push(installation);
        self
    }
}

/// An App in one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Its number.
    pub id: u64,
    /// The organisation's login.
    pub organization: String,
    /// What it may do there.
    pub permissions: Permissions,
    /// In which repositories.
    pub repositories: Selection,
    /// Since when it is suspended, if it is.
    pub suspended_at: Option<Timestamp>,
    /// GraphQL points in an hour.
    pub points_per_hour: u64,
    /// REST requests in an hour.
    pub requests_per_hour: u64,
}

impl Installation {
    /// In all repositories of an organisation.
    pub fn new(id: u64, organization: &str, permissions: Permissions) -> Self {
        Self {
            id,
            organization: organization.to_owned(),
            permissions,
            repositories: Selection::All,
            suspended_at: None,
            points_per_hour: PER_HOUR,
            requests_per_hour: PER_HOUR,
        }
    }

    /// Whether a repository is among those that it was installed in.
    pub(super) fn holds(&self, repository: &Repository) -> bool {
        repository.owner.eq_ignore_ascii_case(&self.organization) && self.repositories.holds(repository)
    }
}

impl Grant {
    /// Whether a private repository is in its sight.
    pub(super) fn holds(&self, repository: &Repository) -> bool {
        match self {
            Self::Classic(scopes) => scopes.iter().any(|scope| scope == "repo"),
            Self::FineGrained { owner, permissions: _, repositories } => {
                repository.owner.eq_ignore_ascii_case(owner) && repositories.holds(repository)
            }
        }
    }
}

/// A token of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Minted {
    pub(super) secret: String,
    pub(super) installation: u64,
    pub(super) expires_at: Timestamp,
}

/// Everybody whom the simulated GitHub knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identities {
    /// Personal tokens. One that is taken out is revoked.
    pub tokens: Vec<Token>,
    /// Apps.
    pub apps: Vec<App>,
    pub(super) minted: Vec<Minted>,
    mints: u64,
}

impl Identities {
    /// These.
    pub fn new(tokens: Vec<Token>, apps: Vec<App>) -> Self {
        Self { tokens, apps, ..Self::default() }
    }

    /// Nobody but the holder of one token.
    pub fn of_token(token: Token) -> Self {
        Self::new(vec![token], Vec::new())
    }

    /// One App, and no token.
    pub fn of_app(app: App) -> Self {
        Self::new(Vec::new(), vec![app])
    }

    /// Revokes every token with this secret, an installation's too.
    pub fn revoke(&mut self, secret: &str) {
        self.tokens.retain(|token| token.secret != secret);
        self.minted.retain(|minted| minted.secret != secret);
    }

    /// The installation of this number, to be changed.
    pub fn installation_mut(&mut self, id: u64) -> Option<&mut Installation> {
        self.apps.iter_mut().flat_map(|app| &mut app.installations).find(|installation| installation.id == id)
    }

    /// Removes an App from an organisation; its tokens are good for nothing any more.
    pub fn uninstall(&mut self, id: u64) {
        for app in &mut self.apps {
            app.installations.retain(|installation| installation.id != id);
        }
        self.minted.retain(|minted| minted.installation != id);
    }

    /// How many tokens of installations were ever made.
    pub fn mints(&self) -> u64 {
        self.mints
    }

    /// A new token of an installation, in the long form that has parts.
    pub(super) fn mint(&mut self, app: u64, installation: u64, now: Timestamp) -> Minted {
        self.mints += 1;
        let minted = Minted {
            secret: format!("ghs_{app}_simulated.{installation}.{:06}", self.mints),
            installation,
            expires_at: now.plus(INSTALLATION_TOKEN_LIFE),
        };
        self.minted.push(minted.clone());
        minted
    }
}

/// The identities as the server and the stories share them.
#[derive(Debug, Clone, Default)]
pub struct SharedIdentities(Arc<Mutex<Identities>>);

impl SharedIdentities {
    /// Shares them.
    pub fn new(identities: Identities) -> Self {
        Self(Arc::new(Mutex::new(identities)))
    }

    /// The identities, alone. A panic elsewhere does not spoil them: stories leave them whole at every step.
    pub fn lock(&self) -> MutexGuard<'_, Identities> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes them and returns what the change returns.
    pub fn tell<T>(&self, story: impl FnOnce(&mut Identities) -> T) -> T {
        story(&mut self.lock())
    }
}
