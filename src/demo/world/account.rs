//! Who did it.

/// An account of GitHub, or what is left of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// A person, or a machine that signs in as one.
    User(String),
    /// An app. GraphQL shows its login without the ending `[bot]`.
    Bot(String),
    /// A placeholder for somebody of an imported history.
    Mannequin(String),
    /// The account was deleted: GraphQL answers null.
    Deleted,
}

impl Account {
    /// The login as GraphQL shows it; `None` for a deleted account.
    pub fn login(&self) -> Option<&str> {
        match self {
            Self::User(login) | Self::Bot(login) | Self::Mannequin(login) => Some(login),
            Self::Deleted => None,
        }
    }

    /// The name in a commit: git keeps it when the account is gone.
    pub fn signature(&self) -> String {
        match self {
            Self::User(login) | Self::Mannequin(login) => login.clone(),
            Self::Bot(login) => format!("{login}[bot]"),
            Self::Deleted => "someone".to_owned(),
        }
    }
}

impl From<&str> for Account {
    /// `dependabot[bot]` is an app, the empty login a deleted account, everything else a person.
    fn from(login: &str) -> Self {
        match login.strip_suffix("[bot]") {
            Some(app) => Self::Bot(app.to_owned()),
            None if login.is_empty() => Self::Deleted,
            None => Self::User(login.to_owned()),
        }
    }
}
