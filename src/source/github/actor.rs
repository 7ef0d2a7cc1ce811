//! Who is a bot (`definitions.md` §1). Logins come in here and go no further.

use regex::Regex;

use crate::model::fact::Author;

use super::wire::{ActorWire, GitActorWire};

/// The setting `bots`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bots<'a>(pub(super) &'a [Regex]);

impl Bots<'_> {
    /// What an account is; one that was deleted was a person's.
    pub(super) fn account(self, actor: Option<&ActorWire>) -> Author {
        let kind = actor.and_then(|actor| actor.kind.as_deref());
        let login = actor.and_then(|actor| actor.login.as_deref());
        if kind == Some("Bot") {
            return Author::Bot;
        }
        self.login(login)
    }

    /// What a commit's author is. One without an account is known by the name that bots sign with.
    pub(super) fn committer(self, author: Option<&GitActorWire>) -> Author {
        let login = author.and_then(|author| author.user.as_ref()).and_then(|user| user.login.as_deref());
        match login {
            Some(login) => self.login(Some(login)),
            None => match author.and_then(|author| author.name.as_deref()) {
                Some(name) if name.ends_with("[bot]") => Author::Bot,
                Some(_) | None => Author::Human,
            },
        }
    }

    fn login(self, login: Option<&str>) -> Author {
        let bot = |login: &str| login.ends_with("[bot]") || self.0.iter().any(|bot| bot.is_match(login));
        if login.is_some_and(bot) { Author::Bot } else { Author::Human }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bots_are_known_by_type_by_ending_and_by_configuration() {
        let configured = [Regex::new("^renovate").unwrap(), Regex::new("-ci$").unwrap()];
        let bots = Bots(&configured);
        for (actor, expected) in [
            (r#"{"__typename":"Bot","login":"dependabot"}"#, Author::Bot),
            (r#"{"__typename":"User","login":"dependabot[bot]"}"#, Author::Bot),
            (r#"{"__typename":"User","login":"renovate-acme"}"#, Author::Bot),
            (r#"{"__typename":"User","login":"acme-ci"}"#, Author::Bot),
            (r#"{"__typename":"User","login":"ciara"}"#, Author::Human),
            (r#"{"__typename":"BrandNew","login":"x"}"#, Author::Human),
            (r"{}", Author::Human),
        ] {
            let actor: ActorWire = serde_json::from_str(actor).unwrap();
            assert_eq!(bots.account(Some(&actor)), expected, "{actor:?}");
        }
        assert_eq!(bots.account(None), Author::Human);
    }

    #[test]
    fn a_commit_without_an_account_is_a_bots_if_its_name_says_so() {
        let bots = Bots(&[]);
        for (author, expected) in [
            (r#"{"name":"dependabot[bot]","user":null}"#, Author::Bot),
            (r#"{"name":"x[bot]","user":{"login":"x"}}"#, Author::Human),
            (r#"{"name":null}"#, Author::Human),
        ] {
            let author: GitActorWire = serde_json::from_str(author).unwrap();
            assert_eq!(bots.committer(Some(&author)), expected);
        }
    }
}
