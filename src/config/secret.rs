//! Secrets: named by the configuration, read here and nowhere else, and never part of a message.
//!
//! Not even the name that the configuration gives is repeated: people write the secret itself where its name should
//! be, and the place in the file says enough.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use secrecy::SecretString;

use super::Variables;
use super::reader::{Table, Value};
use crate::model::secret::Credential;

/// No token and no key is as long; whoever names a larger file has named the wrong one.
const SECRET_BYTES_MAX: u64 = 16 * 1024;
/// What others sign in with to us must not be guessed: 128 bits, if it is random.
const UNGUESSABLE_BYTES_MIN: usize = 16;
/// How the keys begin that sign for a GitHub App: as GitHub makes them, and as openssl converts them.
const PRIVATE_KEYS: [&str; 2] = ["-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----"];

/// A secret that a section has, and the two keys that may name it.
pub(super) struct Naming {
    what: &'static str,
    variable: &'static str,
    file: &'static str,
    form: Form,
}

impl Naming {
    /// The keys that may name it.
    pub(super) fn keys(&self) -> [&'static str; 2] {
        [self.variable, self.file]
    }
}

/// The token that a source signs in with.
pub(super) const TOKEN: Naming =
    Naming { what: "token", variable: "token_env", file: "token_file", form: Form::Word { bytes_min: 1 } };
/// The password that belongs to a user's name.
pub(super) const PASSWORD: Naming =
    Naming { what: "password", variable: "password_env", file: "password_file", form: Form::Line };
/// The token that others sign in with.
pub(super) const PUSH_TOKEN: Naming = Naming {
    what: "token",
    variable: "token_env",
    file: "token_file",
    form: Form::Word { bytes_min: UNGUESSABLE_BYTES_MIN },
};
/// The secret that GitHub signs its webhooks with.
pub(super) const GITHUB_WEBHOOK_SECRET: Naming = Naming {
    what: "secret",
    variable: "github_webhook_secret_env",
    file: "github_webhook_secret_file",
    form: Form::Word { bytes_min: UNGUESSABLE_BYTES_MIN },
};

/// What a secret looks like.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// One word of ASCII, so long at least.
    Word { bytes_min: usize },
    /// One line of anything.
    Line,
    /// A private key in PEM.
    PrivateKey,
}

/// What is wrong with a secret: completes a sentence that begins with where it is from.
#[derive(Debug)]
enum Flaw {
    Unreadable(io::ErrorKind),
    NoFile,
    Empty,
    Characters,
    Lines,
    Short { bytes_min: usize },
    NoPrivateKey,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(kind) => write!(f, "cannot be read: {kind}"),
            Self::NoFile => f.write_str("is no file"),
            Self::Empty => f.write_str("is empty"),
            Self::Characters => f.write_str("holds blanks or characters beyond ASCII"),
            Self::Lines => f.write_str("holds more than one line, or control characters"),
            Self::Short { bytes_min } => write!(f, "holds less than {bytes_min} bytes, which can be guessed"),
            Self::NoPrivateKey => f.write_str("holds no RSA private key in PEM"),
        }
    }
}

impl Flaw {
    /// How to mend it, where that is not plain.
    fn help(&self) -> Option<String> {
        match self {
            Self::Short { .. } => Some("make one: `openssl rand -hex 32`".to_owned()),
            Self::NoPrivateKey => {
                Some(format!("as it comes from GitHub it begins with {}", PRIVATE_KEYS.join(" or ")))
            }
            Self::Unreadable(_) | Self::NoFile | Self::Empty | Self::Characters | Self::Lines => None,
        }
    }
}

/// Reads a secret that must be named.
pub(super) fn required(
    table: &mut Table<'_>,
    naming: &Naming,
    variables: &Variables<'_>,
) -> Option<Credential> {
    let Naming { what, variable, file, .. } = naming;
    if !naming.keys().into_iter().chain([*what]).any(|key| table.has(key)) {
        table.refuse(
            &format!("there is no {what}: the key `{variable}` or `{file}` is missing"),
            Some(&format!("add `{variable} = \"NAME\"`, the name of an environment variable that holds it")),
        );
    }
    optional(table, naming, variables)
}

/// Reads a secret that may be named. What is wrong counts as none, since the errors are told and nothing starts.
pub(super) fn optional(
    table: &mut Table<'_>,
    naming: &Naming,
    variables: &Variables<'_>,
) -> Option<Credential> {
    match (table.optional(naming.variable), table.optional(naming.file)) {
        (None, None) => None,
        (Some(_), Some(file)) => {
            file.refuse_with(
                format!("a second {}, besides {}", naming.what, naming.variable),
                "keep one of the two",
            );
            None
        }
        (Some(variable), None) => in_environment(&variable, naming.form, variables),
        (None, Some(file)) => in_file(&file, naming.form),
    }
}

/// The private key that is in a file.
pub(super) fn private_key(file: &Value<'_>) -> Option<Credential> {
    in_file(file, Form::PrivateKey)
}

fn in_environment(variable: &Value<'_>, form: Form, variables: &Variables<'_>) -> Option<Credential> {
    let name = variable.text("the name of an environment variable")?;
    let Some(text) = variables(name) else {
        variable.refuse_with(
            "the environment variable that is named here is not set",
            "this is the name of a variable, not the secret itself",
        );
        return None;
    };
    match form.valid(&text) {
        Ok(secret) => Some(Credential::fixed(secret).named(&format!("env {name}"))),
        Err(flaw) => {
            refuse(variable, "the environment variable that is named here", &flaw);
            None
        }
    }
}

fn in_file(file: &Value<'_>, form: Form) -> Option<Credential> {
    let path = file.text("the path of a file")?;
    let secret_file = SecretFile::new(path, form);
    if let Err(flaw) = secret_file.secret() {
        refuse(file, "the file that is named here", &flaw);
        return None;
    }
    let read = move || {
        let secret = secret_file.secret();
        secret.map_err(|flaw| format!("the secret file {} {flaw}", secret_file.path.display()))
    };
    Some(Credential::new(read).named(&format!("file {path}")))
}

fn refuse(value: &Value<'_>, whose: &str, flaw: &Flaw) {
    let message = format!("{whose} {flaw}");
    match flaw.help() {
        Some(help) => value.refuse_with(message, help),
        None => value.refuse(message),
    }
}

impl Form {
    /// A secret without the blanks around it.
    fn valid(self, text: &str) -> Result<SecretString, Flaw> {
        let secret = text.trim();
        if secret.is_empty() {
            return Err(Flaw::Empty);
        }
        match self {
            Self::Word { .. } if !secret.chars().all(|c| c.is_ascii_graphic()) => Err(Flaw::Characters),
            Self::Word { bytes_min } if secret.len() < bytes_min => Err(Flaw::Short { bytes_min }),
            Self::PrivateKey if !is_private_key(secret) => Err(Flaw::NoPrivateKey),
            Self::Line if secret.chars().any(char::is_control) => Err(Flaw::Lines),
            Self::Word { .. } | Self::Line | Self::PrivateKey => Ok(SecretString::from(secret)),
        }
    }
}

/// Whether it looks like a key from its first line to its last; whether it is one shows when it signs.
fn is_private_key(text: &str) -> bool {
    PRIVATE_KEYS
        .iter()
        .any(|begin| text.starts_with(begin) && text.ends_with(begin.replace("BEGIN", "END").as_str()))
}

/// A file that holds a secret: read again when it has changed, and not more often.
struct SecretFile {
    path: PathBuf,
    form: Form,
    cached: Mutex<Option<(Stamp, SecretString)>>,
}

/// What changes when a file is replaced.
#[derive(Clone, PartialEq, Eq)]
struct Stamp {
    modified_at: Option<SystemTime>,
    length_bytes: u64,
}

impl SecretFile {
    fn new(path: &str, form: Form) -> Self {
        Self { path: PathBuf::from(path), form, cached: Mutex::new(None) }
    }

    fn secret(&self) -> Result<SecretString, Flaw> {
        let unreadable = |error: io::Error| Flaw::Unreadable(error.kind());
        let metadata = std::fs::metadata(&self.path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Flaw::NoFile);
        }
        let stamp = Stamp { modified_at: metadata.modified().ok(), length_bytes: metadata.len() };
        // A thread that panicked while it held the lock has left either the old or the new secret.
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, secret)) = &*cached
            && *known == stamp
        {
            return Ok(secret.clone());
        }
        let secret = self.form.valid(&read_limited(&self.path, SECRET_BYTES_MAX).map_err(unreadable)?)?;
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
