//! Who may tell us something: the signature of a webhook and the push token, compared in constant time.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use super::problem::Problem;
use crate::model::secret::Credential;

/// Where GitHub puts its signature.
pub(super) const SIGNATURE: &str = "x-hub-signature-256";

/// The bytes of a SHA-256.
const SIGNATURE_BYTES: usize = 32;

/// What is signed to compare two tokens: signatures can be compared in constant time, whatever their keys' lengths.
const PROOF: &[u8] = b"push token";

/// The signature that a webhook states; `None` if it states none that could be one.
pub(super) fn stated(headers: &HeaderMap) -> Option<[u8; SIGNATURE_BYTES]> {
    let mut values = headers.get_all(SIGNATURE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let digits = value.as_bytes().strip_prefix(b"sha256=")?;
    let digits: &[u8; 2 * SIGNATURE_BYTES] = digits.try_into().ok()?;
    let mut signature = [0; SIGNATURE_BYTES];
    for (byte, pair) in signature.iter_mut().zip(digits.chunks_exact(2)) {
        if let [high, low] = pair {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
    }
    Some(signature)
}

fn digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Whether this is the signature of the body.
pub(super) fn signs(secret: &SecretString, body: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
    keyed(secret.expose_secret()).is_some_and(|mac| mac.chain_update(body).verify_slice(signature).is_ok())
}

/// Lets in who states the push token.
pub(super) fn admit(token: &Credential, headers: &HeaderMap) -> Result<(), Problem> {
    let token = readable(token)?;
    let stated = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, stated) = stated.split_once(' ').unwrap_or_default();
    let proof = keyed(stated.trim()).map(|mac| mac.chain_update(PROOF).finalize().into_bytes());
    let is_it = proof.is_some_and(|proof| {
        let expected = keyed(token.expose_secret()).map(|mac| mac.chain_update(PROOF));
        expected.is_some_and(|mac| mac.verify_slice(&proof).is_ok())
    });
    if is_it && scheme.eq_ignore_ascii_case("bearer") { Ok(()) } else { Err(Problem::NoToken) }
}

/// The secret as it is now.
pub(super) fn readable(credential: &Credential) -> Result<SecretString, Problem> {
    credential.secret().map_err(|reason| {
        tracing::error!("a secret of [server.push] cannot be read: {reason}");
        Problem::SecretUnreadable
    })
}

/// HMAC takes keys of any length; `None` would mean that it does not.
fn keyed(key: &str) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(key.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_githubs_documentation() {
        let mut headers = HeaderMap::new();
        let value = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        headers.insert(SIGNATURE, value.parse().unwrap());
        let secret = SecretString::from("It's a Secret to Everybody");
        let signature = stated(&headers).unwrap();
        assert!(signs(&secret, b"Hello, World!", &signature));
        assert!(!signs(&secret, b"Hello, World?", &signature));
        assert!(!signs(&SecretString::from("another"), b"Hello, World!", &signature));
        headers.append(SIGNATURE, value.parse().unwrap());
        assert_eq!(stated(&headers), None, "two are none");
    }

    #[test]
    fn what_is_no_signature_is_none() {
        let digits = "0".repeat(64);
        for text in
            ["", "sha256=", "sha256=00", &digits, &format!("sha1={digits}"), &format!("sha256={digits}0")]
        {
            let mut headers = HeaderMap::new();
            headers.insert(SIGNATURE, text.parse().unwrap());
            assert_eq!(stated(&headers), None, "{text}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE, format!("sha256={}", "x".repeat(64)).parse().unwrap());
        assert_eq!(stated(&headers), None);
    }

    #[test]
    fn the_token_is_stated_as_bearer() {
        let token = Credential::fixed(SecretString::from("a-token"));
        for (value, expected) in [
            ("Bearer a-token", true),
            ("bearer a-token", true),
            ("Bearer  a-token ", true),
            ("Bearer a-toke", false),
            ("Bearer a-token2", false),
            ("Bearer", false),
            ("Bearer ", false),
            ("Basic a-token", false),
            ("a-token", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            assert_eq!(admit(&token, &headers).is_ok(), expected, "{value}");
        }
        assert_eq!(admit(&token, &HeaderMap::new()), Err(Problem::NoToken));
    }
}
