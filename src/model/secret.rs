//! A secret that can be asked for, and never printed.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

type Read = dyn Fn() -> Result<SecretString, String> + Send + Sync;

/// Where a token comes from. The configuration makes it, since only the configuration reads the environment and
/// secret files; whoever signs a request asks it, so that a token that was replaced in its file is found.
#[derive(Clone)]
pub struct Credential {
    read: Arc<Read>,
}

impl Credential {
    /// A credential that is read like this; the error says what and which, never the secret.
    pub fn new(read: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static) -> Self {
        Self { read: Arc::new(read) }
    }

    /// A credential that never changes.
    pub fn fixed(secret: SecretString) -> Self {
        Self::new(move || Ok(secret.clone()))
    }

    /// The secret as it is now.
    pub fn secret(&self) -> Result<SecretString, String> {
        (self.read)()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(<secret>)")
    }
}
