//! Who we are to GitHub: the owner of a token, or an App in each place where it is installed.
//!
//! Each [`Identity`] has limits of its own. An App finds its installations by itself and renews their tokens before
//! they end, one request at a time; a token out of the configuration is what its file or variable says now. What
//! must never happen here: a key or a token in an error.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;

use crate::http::{Failure, Http, Reason};
use crate::model::secret::Credential;
use crate::model::time::{Span, Timestamp};

use self::app::{App, Installation, Token};

mod app;
#[cfg(test)]
mod tests;

/// A token is renewed when it holds for no longer: a poll may take a while, and GitHub a few tries.
const RENEWED_BEFORE: Span = Span::from_minutes(5);
/// A token that is refused although it is so young will not be better for being minted again.
const YOUNG: Span = Span::from_minutes(1);

/// How one source signs in.
#[derive(Debug)]
pub(super) struct Signer {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Token { credential: Credential, label: String },
    App { app: App, installation: Option<u64>, slots: Mutex<BTreeMap<u64, Arc<Slot>>> },
}

/// Whom requests can be made as.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// The organization or account it is for; `None`: any that it may read.
    pub(super) account: Option<String>,
    /// The installation of an App.
    pub(super) installation: Option<u64>,
    /// Always gives the present token; an error while there is none.
    pub(super) credential: Credential,
    /// Who that is, for the governor and for messages: never a secret.
    pub(super) label: String,
    slot: Option<Arc<Slot>>,
}

/// Whom we are, and what is in the way of being more.
#[derive(Debug)]
pub(super) struct Signed {
    /// Each has limits of its own.
    pub(super) identities: Vec<Identity>,
    /// Installations that cannot be used.
    pub(super) problems: Vec<Failure>,
    /// Whose those are.
    pub(super) suspended: Vec<String>,
}

/// The token of an installation, as it is at present.
#[derive(Debug, Default)]
struct Slot {
    held: Mutex<Option<Held>>,
    /// Held while a token is minted: who comes then waits for it instead of minting another.
    minting: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Held {
    secret: SecretString,
    minted_at: Timestamp,
    expires_at: Timestamp,
}

impl Slot {
    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its token holds for longer than this.
    fn holds(&self, now: Timestamp, longer_than: Span) -> bool {
        self.held().as_ref().is_some_and(|held| now.plus(longer_than) < held.expires_at)
    }
}

impl Signer {
    /// By a token, the same one for every owner. `label` says who that is, and is no secret.
    pub(super) fn token(credential: Credential, label: String) -> Self {
        Self { way: Way::Token { credential, label } }
    }

    /// As a GitHub App with this number or client id, in one installation or in all of them. `http` is what its own
    /// requests are counted and paused by; `api_url` is the REST API's.
    pub(super) fn app(
        http: Http,
        api_url: String,
        id: String,
        private_key: Credential,
        installation: Option<u64>,
    ) -> Self {
        let app = App { http, api_url, id, private_key };
        Self { way: Way::App { app, installation, slots: Mutex::default() } }
    }

    /// Whom we can be. An App asks GitHub where it is installed; call it again to find new installations, tokens are
    /// kept. A suspended installation is a problem; an App that is installed nowhere an error.
    pub(super) async fn identities(&self, now: Timestamp) -> Result<Signed, Failure> {
        let (app, installation, slots) = match &self.way {
            Way::Token { credential, label } => {
                let (credential, label) = (credential.clone(), label.clone());
                let identity = Identity { account: None, installation: None, credential, label, slot: None };
                return Ok(Signed {
                    identities: vec![identity],
                    problems: Vec::new(),
                    suspended: Vec::new(),
                });
            }
            Way::App { app, installation, slots } => (app, installation, slots),
        };
        let found = match installation {
            Some(id) => vec![app.installation(*id, now).await?],
            None => app.installations(now).await?,
        };
        if found.is_empty() {
            let what = format!(
                "the App {} is installed nowhere: install it from its settings, under \"Install App\"",
                app.id
            );
            return Err(app.http.unsent(Reason::NotFound, &what));
        }
        let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|id, _| found.iter().any(|installation| installation.id == *id));
        let mut signed = Signed { identities: Vec::new(), problems: Vec::new(), suspended: Vec::new() };
        for Installation { id, account, suspended } in found {
            if suspended {
                let what = format!(
                    "the App's installation for {account} is suspended; unsuspend it in the settings of {account}, \
                     under \"GitHub Apps\""
                );
                signed.problems.push(app.http.unsent(Reason::Forbidden, &what));
                signed.suspended.push(account);
                continue;
            }
            let slot = Arc::clone(slots.entry(id).or_default());
            signed.identities.push(Identity {
                account: Some(account).filter(|account| !account.is_empty()),
                installation: Some(id),
                credential: credential(Arc::clone(&slot), id),
                label: format!("app {} installation {id}", app.id),
                slot: Some(slot),
            });
        }
        Ok(signed)
    }

    /// Sees to it that the identity's token holds for a while: mints one if there is none or it ends soon. If that
    /// fails while the old one still holds, the old one does; why it failed is in the answer.
    pub(super) async fn fresh(
        &self,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Option<Failure>, Failure> {
        let (Way::App { app, .. }, Some(slot), Some(installation)) =
            (&self.way, &identity.slot, identity.installation)
        else {
            return Ok(None);
        };
        if slot.holds(now, RENEWED_BEFORE) {
            return Ok(None);
        }
        let _minting = slot.minting.lock().await;
        if slot.holds(now, RENEWED_BEFORE) {
            return Ok(None);
        }
        match app.mint(installation, now).await {
            Ok(Token { secret, expires_at }) => {
                *slot.held() = Some(Held { secret, minted_at: now, expires_at });
                Ok(None)
            }
            Err(Failure { reason, what, retry_at }) if slot.holds(now, Span::ZERO) => {
                let what = format!("a token that ends soon could not be renewed: {what}");
                Ok(Some(Failure { reason, what, retry_at }))
            }
            Err(failure) => Err(failure),
        }
    }
}

impl Identity {
    /// Its token was refused: forgets it, and says whether a [`Signer::fresh`] one may fare better. Not if it was
    /// minted just now, nor if it is the configuration's, which is read anew for every request.
    pub(super) fn void(&self, now: Timestamp) -> bool {
        let old = |held: &mut Held| held.minted_at.plus(YOUNG) <= now;
        self.slot.as_ref().is_some_and(|slot| slot.held().take_if(old).is_some())
    }
}

/// What the slot holds, whenever it is asked.
fn credential(slot: Arc<Slot>, installation: u64) -> Credential {
    Credential::new(move || match &*slot.held() {
        Some(held) => Ok(held.secret.clone()),
        None => Err(format!("there is no token of the installation {installation} yet")),
    })
}
