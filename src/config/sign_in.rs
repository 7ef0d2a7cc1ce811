//! How a GitHub source signs in: by a token, or as an App.

use super::Variables;
use super::reader::{Table, Value};
use super::secret::{TOKEN, optional, private_key};
use crate::source::github::config::{App, SignIn};

/// How the client ids of GitHub Apps begin. What begins otherwise may be a secret in the wrong place.
const CLIENT_ID_BEGINS: &str = "Iv";
/// Characters of a client id: GitHub's have 20.
const CLIENT_ID_CHARS_MAX: usize = 40;

/// Reads a token or an App, exactly one of which there must be.
pub(super) fn sign_in(table: &mut Table<'_>, variables: &Variables<'_>) -> Option<SignIn> {
    let token_key = TOKEN.keys().into_iter().find(|key| table.has(key));
    let token = optional(table, &TOKEN, variables);
    let app = table.optional("app_id");
    let key = table.optional("private_key_file");
    let installation = table.optional("installation_id");
    let Some(first) = [&app, &key, &installation].into_iter().flatten().next() else {
        if token_key.is_none() && !table.has("token") {
            table.refuse(
                "it cannot sign in: neither a token nor an App is named",
                Some(
                    "add `token_env = \"NAME\"`, the name of an environment variable that holds a token, or \
                     `app_id` and `private_key_file`",
                ),
            );
        }
        return token.map(SignIn::Token);
    };
    if let Some(by) = token_key {
        first.refuse_with(
            format!("a second way to sign in, besides {by}"),
            "keep one: a token, or `app_id` with `private_key_file`",
        );
        return None;
    }
    if app.is_none() {
        table.refuse(
            "the key `app_id` is missing",
            Some("add `app_id = 12345`, the App's number or client id"),
        );
    }
    if key.is_none() {
        let help = "add `private_key_file = \"/path/key.pem\"`, the file that GitHub made for the App";
        table.refuse("the key `private_key_file` is missing", Some(help));
    }
    let id = app.and_then(|value| app_id(&value));
    let private_key = key.and_then(|value| private_key(&value));
    let installation = match installation {
        Some(value) => installation_id(&value).map(Some),
        None => Some(None),
    };
    Some(SignIn::App(App { id: id?, private_key: private_key?, installation: installation? }))
}

/// A number, or a client id; a number may be written as a text.
fn app_id(value: &Value<'_>) -> Option<String> {
    let number = value.integer().filter(|id| *id > 0).map(|id| id.to_string());
    let id = number.or_else(|| value.as_text().filter(|id| is_app_id(id)).map(str::to_owned));
    if id.is_none() {
        value.refuse_with(
            "expected the number of an App, or its client id",
            "both are on the App's page: 12345, or \"Iv…\"; its client secret is not needed",
        );
    }
    id
}

fn is_app_id(text: &str) -> bool {
    let number = text.parse::<u64>().is_ok_and(|id| id > 0 && id.to_string() == text);
    number
        || (text.starts_with(CLIENT_ID_BEGINS)
            && text.len() <= CLIENT_ID_CHARS_MAX
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'))
}

fn installation_id(value: &Value<'_>) -> Option<u64> {
    let id = value.integer().filter(|id| *id > 0);
    if id.is_none() {
        value.refuse_with(
            "expected the number of an installation",
            "it ends the address of the installation's page; without it every installation is used",
        );
    }
    id
}
