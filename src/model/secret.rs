//! A secret that can be asked for, and never printed.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

type Read = dyn Fn() -> Result<SecretString, String> + Send + Sync;

/// Where a secret comes from. The configuration makes it, since only the configuration reads the environment and
/// secret files; whoever signs a request asks it, so that a token that was replaced in its file is found.
#[derive(Clone)]
pub struct Credential {
    identity: Arc<str>,
    read: Arc<Read>,
}

impl Credential {
    /// A credential that is read like this; the error says what and which, never the secret.
    pub fn new(read: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static) -> Self {
        Self { identity: Arc::from("unnamed"), read: Arc::new(read) }
    }

    /// A credential that never changes.
    pub fn fixed(secret: SecretString) -> Self {
        Self::new(move || Ok(secret.clone()))
    }

    /// Nobody's: for those who need not sign in.
    pub fn none() -> Self {
        Self::fixed(SecretString::default()).named("nobody")
    }

    /// The same, with a name for where it comes from: `env GITHUB_TOKEN`. The name is no secret.
    #[must_use]
    pub fn named(self, identity: &str) -> Self {
        Self { identity: Arc::from(identity), ..self }
    }

    /// Where it comes from: `env GITHUB_TOKEN`, `file /run/secrets/github`. Two of one identity are one secret, and
    /// share its rate limit.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The secret as it is now.
    pub fn secret(&self) -> Result<SecretString, String> {
        (self.read)()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.identity)
    }
}
