//! Who asks, what they may see, and how they are told that they may not.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::Value;

use super::refusal;
use crate::demo::exchange::{Answer, Request};
use crate::demo::identity::{Access, App, Grant, Identities, Installation, Permission, Token};
use crate::demo::world::account::Account;
use crate::demo::world::repository::Repository;
use crate::model::time::{Span, Timestamp};

/// A signature of an App is good for so long at most.
const SIGNATURE_LIFE_MAX: Span = Span::from_minutes(10);
/// How authorization may begin.
const SCHEMES: [&str; 3] = ["Bearer ", "bearer ", "token "];

/// Somebody who was let in.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// A person.
    Token(Token),
    /// An App in an organisation.
    Installation(App, Installation),
    /// An App as itself.
    App(App),
}

/// A repository or a field that is there and not for this caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    /// The permission is missing.
    Permission(Permission, &'static str),
    /// A classic token lacks a scope.
    Scope(&'static str, Vec<String>),
    /// Single sign-on was not done for this organisation.
    SingleSignOn(String),
}

impl Caller {
    /// Lets the sender of a request in, or says why not.
    pub(super) fn of(request: &Request, identities: &Identities, now: Timestamp) -> Result<Self, Answer> {
        let bad = || refusal(401, "Bad credentials");
        let authorization =
            request.authorization.as_deref().ok_or_else(|| refusal(401, "Requires authentication"))?;
        let secret = SCHEMES.iter().find_map(|scheme| authorization.strip_prefix(scheme)).ok_or_else(bad)?;
        if let Some(token) = identities.tokens.iter().find(|token| token.secret == secret) {
            let alive = token.expires_at.is_none_or(|until| now < until);
            return if alive { Ok(Self::Token(token.clone())) } else { Err(bad()) };
        }
        if let Some(minted) = identities.minted.iter().find(|minted| minted.secret == secret) {
            if now >= minted.expires_at {
                return Err(bad());
            }
            let of_app = |app: &App| {
                let found = app.installations.iter().find(|one| one.id == minted.installation)?;
                Some((app.clone(), found.clone()))
            };
            let (app, installation) = identities.apps.iter().find_map(of_app).ok_or_else(bad)?;
            if installation.suspended_at.is_some() {
                return Err(refusal(403, "This installation has been suspended"));
            }
            return Ok(Self::Installation(app, installation));
        }
        if secret.split('.').count() == 3 && !secret.starts_with("gh") {
            return signed(secret, identities, now).map(Self::App);
        }
        Err(bad())
    }

    /// The account that it acts as.
    pub(super) fn account(&self) -> Account {
        match self {
            Self::Token(token) => Account::User(token.login.clone()),
            // `viewer` is a user by the schema, though an App is none.
            Self::Installation(app, _) | Self::App(app) => Account::User(format!("{}[bot]", app.slug)),
        }
    }

    /// Whose budget it draws on: a person's, or an installation's.
    pub(super) fn budget(&self) -> String {
        match self {
            Self::Token(token) => format!("user ID {}", number_of(&token.login)),
            Self::Installation(_, installation) => format!("installation ID {}", installation.id),
            Self::App(app) => format!("app ID {}", app.id),
        }
    }

    /// GraphQL points and REST requests in an hour.
    pub(super) fn allowance(&self) -> (u64, u64) {
        match self {
            Self::Token(token) => (token.points_per_hour, token.requests_per_hour),
            Self::Installation(_, it) => (it.points_per_hour, it.requests_per_hour),
            Self::App(_) => (0, crate::demo::identity::PER_HOUR),
        }
    }

    /// The scopes of a classic token.
    pub(super) fn scopes(&self) -> Option<&[String]> {
        match self {
            Self::Token(Token { grant: Grant::Classic(scopes), .. }) => Some(scopes),
            Self::Token(_) | Self::Installation(..) | Self::App(_) => None,
        }
    }

    /// Whether a repository is in its sight: public ones are in everybody's.
    pub(super) fn sees(&self, repository: &Repository) -> bool {
        !repository.deleted
            && (!repository.private
                || match self {
                    Self::Token(token) => token.grant.holds(repository),
                    Self::Installation(_, installation) => installation.holds(repository),
                    Self::App(_) => false,
                })
    }

    /// Whether it may do so much; `owner` is whose thing it is.
    pub(super) fn may(&self, owner: &str, permission: Permission, access: Access) -> Result<(), Denied> {
        match self {
            Self::Token(token) => {
                let demands = |login: &&String| login.eq_ignore_ascii_case(owner);
                if let Some(login) = token.without_single_sign_on.iter().find(demands) {
                    return Err(Denied::SingleSignOn(login.clone()));
                }
                match &token.grant {
                    Grant::Classic(scopes) => {
                        let needed = if permission == Permission::Members { "read:org" } else { "repo" };
                        let held = scopes.iter().any(|scope| scope == needed);
                        let public = permission != Permission::Members && access == Access::Read;
                        if held || public { Ok(()) } else { Err(Denied::Scope(needed, scopes.clone())) }
                    }
                    Grant::FineGrained { permissions, .. } if permissions.allow(permission, access) => Ok(()),
                    Grant::FineGrained { .. } => Err(Denied::Permission(
                        permission,
                        "Resource not accessible by personal access token",
                    )),
                }
            }
            Self::Installation(_, it) if it.permissions.allow(permission, access) => Ok(()),
            Self::Installation(..) | Self::App(_) => {
                Err(Denied::Permission(permission, "Resource not accessible by integration"))
            }
        }
    }
}

impl Denied {
    /// What GitHub says.
    pub(super) fn message(&self, field: &str) -> String {
        match self {
            Self::Permission(_, message) => (*message).to_owned(),
            Self::SingleSignOn(_) => SAML_MESSAGE.to_owned(),
            Self::Scope(needed, held) => format!(
                "Your token has not been granted the required scopes to execute this query. The '{field}' field \
                 requires one of the following scopes: ['{needed}'], but your token has only been granted the: \
                 {held:?} scopes. Please modify your token's scopes at: https://github.com/settings/tokens."
            ),
        }
    }

    /// GraphQL's type of error.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Permission(..) | Self::SingleSignOn(_) => "FORBIDDEN",
            Self::Scope(..) => super::execute::INSUFFICIENT_SCOPES,
        }
    }

    /// The refusal of a REST resource.
    pub(super) fn refusal(&self) -> Answer {
        match self {
            Self::Permission(permission, message) => {
                let mut answer = refusal(403, message);
                let accepted = format!("{}=read", word(*permission));
                answer.headers.push(("x-accepted-github-permissions", accepted));
                answer
            }
            // Who may not see it does not learn that it is there.
            Self::Scope(needed, _) => {
                let mut answer = refusal(404, "Not Found");
                answer.headers.push(("x-accepted-oauth-scopes", (*needed).to_owned()));
                answer
            }
            Self::SingleSignOn(login) => {
                let mut answer = refusal(403, SAML_MESSAGE);
                let address =
                    format!("required; url=https://github.com/orgs/{login}/sso?authorization_request=1");
                answer.headers.push(("x-github-sso", address));
                answer
            }
        }
    }
}

/// What single sign-on says, in GraphQL and in REST.
pub(super) const SAML_MESSAGE: &str = "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.";

/// GitHub's word for a permission, in a header and in an App's record.
pub(super) const fn word(permission: Permission) -> &'static str {
    match permission {
        Permission::Actions => "actions",
        Permission::Checks => "checks",
        Permission::Contents => "contents",
        Permission::Deployments => "deployments",
        Permission::Issues => "issues",
        Permission::Members => "members",
        Permission::Metadata => "metadata",
        Permission::PullRequests => "pull_requests",
    }
}

/// An account's number: it follows from its login.
pub(super) fn number_of(login: &str) -> u64 {
    login.bytes().fold(7, |sum: u64, byte| (sum * 31 + u64::from(byte)) % 9_999_991)
}

/// The App that signed this, unless the signature is not good now.
fn signed(text: &str, identities: &Identities, now: Timestamp) -> Result<App, Answer> {
    let undecodable = || refusal(401, "A JSON web token could not be decoded");
    let mut rules = Validation::new(Algorithm::RS256);
    // The world's clock decides, not the machine's.
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let verified = identities.apps.iter().find_map(|app| {
        let key = DecodingKey::from_rsa_pem(app.public_key.as_bytes()).ok()?;
        let claims = decode::<Value>(text, &key, &rules).ok()?.claims;
        Some((app, claims))
    });
    let (app, claims) = verified.ok_or_else(undecodable)?;
    let issuer = match claims.get("iss") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(undecodable()),
    };
    if issuer != app.id.to_string() && issuer != app.client_id {
        return Err(refusal(404, "Integration not found"));
    }
    let instant = |name| claims.get(name).and_then(Value::as_i64).map(Timestamp::from_seconds);
    match instant("exp") {
        Some(until) if until <= now => {}
        None => {}
        Some(until) if until > now.plus(SIGNATURE_LIFE_MAX) => {
            return Err(refusal(401, "'Expiration time' claim ('exp') is too far in the future"));
        }
        Some(_) => {
            return match instant("iat") {
                Some(at) if at <= now => Ok(app.clone()),
                Some(_) | None => Err(refusal(
                    401,
                    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
                )),
            };
        }
    }
    Err(refusal(
        401,
        "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
    ))
}
