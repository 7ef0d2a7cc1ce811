//! Accounts: people, apps, placeholders; and who signed a commit.

use apollo_compiler::resolvers::ResolveInfo;

use super::execute::Context;
use super::node::{Resolved, Thing, leaf, object, time, written};
use super::paging::connection;
use super::{opaque, query};
use crate::demo::world::account::Account;
use crate::model::time::Timestamp;

/// When every account was created: nobody asks for more.
const CREATED_AT: Timestamp = Timestamp::from_seconds(1_420_070_400);

pub(super) const fn type_name(account: &Account) -> &'static str {
    match account {
        Account::User(_) | Account::Deleted => "User",
        Account::Bot(_) => "Bot",
        Account::Mannequin(_) => "Mannequin",
    }
}

/// The object of an account where GitHub answers null for a deleted one.
pub(super) const fn or_null(account: &Account) -> Option<Thing<'_>> {
    match account {
        Account::User(_) | Account::Bot(_) | Account::Mannequin(_) => Some(Thing::Account(account)),
        Account::Deleted => None,
    }
}

/// The object of an account where it cannot be null.
pub(super) fn or_ghost<'a>(cx: &'a Context<'a>, account: &'a Account) -> Thing<'a> {
    or_null(account).unwrap_or(Thing::Account(&cx.ghost))
}

pub(super) fn field<'a>(
    cx: &'a Context<'a>,
    account: &'a Account,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    let login = account.login().unwrap_or("ghost");
    Some(match info.field_name() {
        "id" => leaf(opaque::node_id_of_words(
            match account {
                Account::User(_) | Account::Deleted => "U",
                Account::Bot(_) => "BOT",
                Account::Mannequin(_) => "M",
            },
            &[login],
        )),
        "databaseId" => {
            leaf(login.bytes().fold(7, |sum: i32, byte| (sum * 31 + i32::from(byte)) % 9_999_991))
        }
        "login" => leaf(login),
        "name" => leaf(None::<String>),
        "url" => leaf(match account {
            Account::Bot(_) => format!("https://github.com/apps/{login}"),
            Account::User(_) | Account::Mannequin(_) | Account::Deleted => {
                format!("https://github.com/{login}")
            }
        }),
        "createdAt" => time(CREATED_AT),
        "repositories" => connection(cx, info, Vec::new(), false),
        "repository" => query::repository(cx, login, info),
        _ => return None,
    })
}

pub(super) fn git_actor_field<'a>(
    cx: &'a Context<'a>,
    account: &'a Account,
    at: Timestamp,
    info: &'a ResolveInfo<'a>,
) -> Option<Resolved<'a>> {
    Some(match info.field_name() {
        "name" => leaf(account.signature()),
        "email" => leaf(format!("{}@users.noreply.github.com", account.signature())),
        "date" => leaf(written(at)),
        "user" => object(
            cx,
            match account {
                Account::User(_) => Some(Thing::Account(account)),
                Account::Bot(_) | Account::Mannequin(_) | Account::Deleted => None,
            },
        ),
        _ => return None,
    })
}
