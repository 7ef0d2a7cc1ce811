//! Secrets: named by the configuration, read here and nowhere else, and never part of a message.
//!
//! Not even the name that the configuration gives is repeated: people write the secret itself where its name should
//! be, and the place in the file says enough.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use secrecy::SecretString;

use super::Variables;
use super::reader::Table;
use crate::model::secret::Credential;

/// No token is as long; whoever names a larger file has named the wrong one.
const SECRET_BYTES_MAX: u64 = 16 * 1024;

/// Reads `token_env` or `token_file`, one of which there must be.
pub(super) fn credential(table: &mut Table<'_>, variables: &Variables<'_>) -> Option<Credential> {
    let sign_in_comes_later = table.later(&["app_id", "private_key_file", "installation_id"]);
    let variable = table.optional("token_env");
    let file = table.optional("token_file");
    match (variable, file) {
        (Some(_), Some(file)) => {
            file.refuse_with("a second token, besides token_env", "keep one of the two");
            None
        }
        (None, None) => {
            if !sign_in_comes_later && !table.has("token") {
                table.refuse(
                    "there is no token: the key `token_env` or `token_file` is missing",
                    Some("add `token_env = \"NAME\"`, the name of an environment variable that holds it"),
                );
            }
            None
        }
        (Some(variable), None) => {
            let name = variable.text("the name of an environment variable")?;
            match variables(name).as_deref().map(valid) {
                Some(Ok(secret)) => Some(Credential::fixed(secret)),
                Some(Err(reason)) => {
                    variable.refuse(format!("the environment variable that is named here {reason}"));
                    None
                }
                None => {
                    variable.refuse_with(
                        "the environment variable that is named here is not set",
                        "this is the name of a variable, not the token itself",
                    );
                    None
                }
            }
        }
        (None, Some(file)) => {
            let secret_file = SecretFile::new(file.text("the path of a file")?);
            match secret_file.secret() {
                Ok(_) => Some(Credential::new(move || {
                    let secret = secret_file.secret();
                    secret
                        .map_err(|reason| format!("the secret file {} {reason}", secret_file.path.display()))
                })),
                Err(reason) => {
                    file.refuse(format!("the file that is named here {reason}"));
                    None
                }
            }
        }
    }
}

/// A secret without the blanks around it. The error completes a sentence that begins with where it is from.
fn valid(text: &str) -> Result<SecretString, String> {
    let secret = text.trim();
    if secret.is_empty() {
        Err("is empty".to_owned())
    } else if !secret.chars().all(|c| c.is_ascii_graphic()) {
        Err("holds characters that no token has".to_owned())
    } else {
        Ok(SecretString::from(secret))
    }
}

/// A file that holds a secret: read again when it has changed, and not more often.
struct SecretFile {
    path: PathBuf,
    cached: Mutex<Option<(Stamp, SecretString)>>,
}

/// What changes when a file is replaced.
#[derive(Clone, PartialEq, Eq)]
struct Stamp {
    modified_at: Option<SystemTime>,
    length_bytes: u64,
}

impl SecretFile {
    fn new(path: &str) -> Self {
        Self { path: PathBuf::from(path), cached: Mutex::new(None) }
    }

    fn secret(&self) -> Result<SecretString, String> {
        let unreadable = |error: io::Error| format!("cannot be read: {}", error.kind());
        let metadata = std::fs::metadata(&self.path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err("is no file".to_owned());
        }
        let stamp = Stamp { modified_at: metadata.modified().ok(), length_bytes: metadata.len() };
        // A thread that panicked while it held the lock has left either the old or the new secret.
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, secret)) = &*cached
            && *known == stamp
        {
            return Ok(secret.clone());
        }
        let secret = valid(&read_limited(&self.path, SECRET_BYTES_MAX).map_err(unreadable)?)?;
        *cached = Some((stamp, secret.clone()));
        Ok(secret)
    }
}

/// Reads a text file of at most so many bytes.
pub(super) fn read_limited(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read > bytes_max) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}
