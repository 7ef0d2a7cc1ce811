//! What the configuration says of Prometheus.

use crate::model::secret::Credential;
use crate::model::time::Span;

/// `[prometheus]`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it is, with the path before `/api/v1`, without a slash at the end.
    pub url: String,
    /// Who asks.
    pub sign_in: SignIn,
    /// Certificates (PEM) that are trusted besides those of the system.
    pub ca_pem: Option<Vec<u8>>,
    /// How long from the start of one poll to the next.
    pub poll_interval: Span,
}

/// How to sign in.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// It is open.
    Nobody,
    /// With a bearer token.
    Token(Credential),
    /// With a name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Credential,
    },
}
