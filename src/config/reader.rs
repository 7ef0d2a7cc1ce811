//! A typed walk through a TOML document: it notes what is wrong and goes on, so that all errors are told at once.
//!
//! A section asks its [`Table`] for keys; what it has asked for is what is known there, and [`Table::finish`] reports
//! the rest. Nothing here knows what a key means, and nothing repeats a value.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigErrors, Place};
use crate::model::text::closest;

/// Keys under which people write secrets; they are refused, whatever their value, and it is not shown.
const WRITTEN_SECRETS: [&str; 9] = [
    "token",
    "api_token",
    "api_key",
    "password",
    "secret",
    "private_key",
    "client_secret",
    "webhook_secret",
    "github_webhook_secret",
];

/// So many errors are kept; the rest are counted. To find the place of one takes as long as the file is.
const ERRORS_KEPT_MAX: usize = 1_000;

/// What is wrong so far.
pub(super) struct Problems<'a> {
    text: &'a str,
    found: RefCell<Vec<ConfigError>>,
    more: Cell<usize>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, found: RefCell::new(Vec::new()), more: Cell::new(0) }
    }

    pub(super) fn note(&self, offset: usize, key: Option<String>, message: String, help: Option<String>) {
        let mut found = self.found.borrow_mut();
        if found.len() == ERRORS_KEPT_MAX {
            self.more.set(self.more.get() + 1);
            return;
        }
        found.push(ConfigError { place: Some(Place::of(self.text, offset)), key, message, help });
    }

    /// All of it; `None` if nothing is wrong.
    pub(super) fn into_errors(self, file: &str) -> Option<ConfigErrors> {
        let found = self.found.into_inner();
        (!found.is_empty()).then(|| ConfigErrors::new(file, found, self.more.get()))
    }
}

/// A table that is being read.
pub(super) struct Table<'a> {
    path: String,
    offset: usize,
    entries: &'a DeTable<'a>,
    known: Vec<&'static str>,
    refused: Vec<&'static str>,
    problems: &'a Problems<'a>,
}

impl<'a> Table<'a> {
    /// The document itself.
    pub(super) fn document(entries: &'a DeTable<'a>, problems: &'a Problems<'a>) -> Self {
        Self { path: String::new(), offset: 0, entries, known: Vec::new(), refused: Vec::new(), problems }
    }

    /// The value of a key, if it is there. The key is known from now on.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known.push(key);
        let value = self.entries.get(key)?;
        Some(self.value(key, value))
    }

    /// The value of a key that must be there.
    pub(super) fn required(&mut self, key: &'static str, example: &str) -> Option<Value<'a>> {
        let value = self.optional(key);
        if value.is_none() {
            self.refuse(&format!("the key `{key}` is missing"), Some(&format!("add `{example}`")));
        }
        value
    }

    /// The tables of `[[key]]`, in order; none if the key is absent.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.optional(key) else {
            return Vec::new();
        };
        match value.tree {
            DeValue::Array(_) => value
                .items("tables")
                .unwrap_or_default()
                .iter()
                .filter_map(|item| item.table(&format!("[[{}]]", without_indexes(&value.path))))
                .collect(),
            DeValue::Table(_) => {
                let help = format!("there may be several: write `[[{}]]`", without_indexes(&value.path));
                value.refuse_with("expected an array of tables, found a table", help);
                Vec::new()
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {
                value.refuse_type("an array of tables");
                Vec::new()
            }
        }
    }

    /// The table of `[key]`, if it is there.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Self> {
        let value = self.optional(key)?;
        value.table(&format!("[{}]", without_indexes(&value.path)))
    }

    /// Refuses keys whose behaviour does not exist yet. Tells whether there was one.
    pub(super) fn later(&mut self, keys: &[&'static str]) -> bool {
        let mut any = false;
        for key in keys {
            self.refused.push(key);
            if let Some((name, _)) = self.entries.get_key_value(*key) {
                any = true;
                self.note(name.span().start, key, "not yet supported", None);
            }
        }
        any
    }

    /// Whether it has this key. The key does not become known.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// All entries, of a table whose keys are free.
    pub(super) fn free_entries(&self) -> Vec<(&'a str, Value<'a>)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), self.value(key.get_ref(), value)))
            .collect()
    }

    /// Says what is wrong with the table as a whole.
    pub(super) fn refuse(&self, message: &str, help: Option<&str>) {
        let key = (!self.path.is_empty()).then(|| self.path.clone());
        self.problems.note(self.offset, key, message.to_owned(), help.map(str::to_owned));
    }

    /// Reports every key that nobody has asked for.
    pub(super) fn finish(self) {
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) || self.refused.contains(&name) {
                continue;
            }
            if WRITTEN_SECRETS.contains(&name.to_ascii_lowercase().as_str()) {
                let help = self.naming(name);
                self.note(key.span().start, name, "secrets are named here, never written", help);
                continue;
            }
            let help = match closest(name, self.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            self.note(key.span().start, name, "unknown key", Some(help));
        }
    }

    /// How a secret that was written is named instead; for one that has no keys of its own it is the token's.
    fn naming(&self, secret: &str) -> Option<String> {
        let secret = secret.to_ascii_lowercase();
        let known = |key: &String| self.known.contains(&key.as_str());
        let keys = |secret: &str| {
            let variable = Some(format!("{secret}_env")).filter(known);
            let file = Some(format!("{secret}_file")).filter(known);
            match (variable, file) {
                (Some(variable), Some(file)) => Some(format!(
                    "give the name of an environment variable, `{variable} = \"NAME\"`, or of a file, \
                     `{file} = \"/path\"`"
                )),
                (None, Some(file)) => Some(format!("give the path of a file, `{file} = \"/path\"`")),
                (Some(_) | None, None) => None,
            }
        };
        keys(&secret).or_else(|| keys(&format!("github_{secret}"))).or_else(|| keys("token"))
    }

    fn value(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Value<'a> {
        Value {
            path: joined(&self.path, key),
            offset: value.span().start,
            tree: value.get_ref(),
            problems: self.problems,
        }
    }

    fn note(&self, offset: usize, key: &str, message: &str, help: Option<String>) {
        self.problems.note(offset, Some(joined(&self.path, key)), message.to_owned(), help);
    }
}

/// A value with where it stands.
pub(super) struct Value<'a> {
    path: String,
    offset: usize,
    tree: &'a DeValue<'a>,
    problems: &'a Problems<'a>,
}

impl<'a> Value<'a> {
    /// A string; `expected` says what kind of: `a duration such as "60s"`.
    pub(super) fn text(&self, expected: &str) -> Option<&'a str> {
        let text = self.tree.as_str();
        if text.is_none() {
            self.refuse_type(expected);
        }
        text
    }

    /// A string; `None`, unsaid, if it is none.
    pub(super) fn as_text(&self) -> Option<&'a str> {
        self.tree.as_str()
    }

    /// A date as it was written, with or without quotes; `None`, unsaid, if it is neither.
    pub(super) fn as_date_text(&self) -> Option<String> {
        match self.tree {
            DeValue::Datetime(date) => Some(date.to_string()),
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Option<bool> {
        let boolean = self.tree.as_bool();
        if boolean.is_none() {
            self.refuse_type("true or false");
        }
        boolean
    }

    /// A number, with or without a fraction; `None`, unsaid, if it is none.
    pub(super) fn number(&self) -> Option<f64> {
        let digits = self.digits()?;
        digits.parse().ok()
    }

    /// A whole number; `None`, unsaid, if it is none.
    pub(super) fn integer(&self) -> Option<u64> {
        let integer = self.tree.as_integer()?;
        u64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    /// The elements of an array of `what`.
    pub(super) fn items(&self, what: &str) -> Option<Vec<Self>> {
        let Some(array) = self.tree.as_array() else {
            let help = self.tree.as_str().map(|_| "put it in brackets: `[…]`".to_owned());
            let message = format!("expected an array of {what}, found {}", self.kind());
            self.note(message, help);
            return None;
        };
        let item = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| Self {
            path: format!("{}[{index}]", self.path),
            offset: value.span().start,
            tree: value.get_ref(),
            problems: self.problems,
        };
        Some(array.iter().enumerate().map(item).collect())
    }

    /// A table, which is written as `header`.
    pub(super) fn table(&self, header: &str) -> Option<Table<'a>> {
        let Some(entries) = self.tree.as_table() else {
            let message = format!("expected a table, found {}", self.kind());
            self.refuse_with(message, format!("write `{header}`"));
            return None;
        };
        Some(Table {
            path: self.path.clone(),
            offset: self.offset,
            entries,
            known: Vec::new(),
            refused: Vec::new(),
            problems: self.problems,
        })
    }

    /// Says what is wrong with it.
    pub(super) fn refuse(&self, message: impl Into<String>) {
        self.note(message.into(), None);
    }

    /// Says what is wrong with it, and how to mend it.
    pub(super) fn refuse_with(&self, message: impl Into<String>, help: impl Into<String>) {
        self.note(message.into(), Some(help.into()));
    }

    /// Says that it is of another type.
    pub(super) fn refuse_type(&self, expected: &str) {
        self.refuse(format!("expected {expected}, found {}", self.kind()));
    }

    /// The line on which it stands.
    pub(super) fn line(&self) -> usize {
        Place::of(self.problems.text, self.offset).line
    }

    /// The table that it is a key of: `guardrails[0]`.
    pub(super) fn table_path(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(table, _)| table)
    }

    fn note(&self, message: String, help: Option<String>) {
        self.problems.note(self.offset, Some(self.path.clone()), message, help);
    }

    fn digits(&self) -> Option<&'a str> {
        match self.tree {
            DeValue::Float(float) => Some(float.as_str()),
            DeValue::Integer(integer) if integer.radix() == 10 => Some(integer.as_str()),
            DeValue::Integer(_)
            | DeValue::String(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        }
    }

    /// Its type, in words.
    fn kind(&self) -> &'static str {
        match self.tree {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        }
    }
}

/// What may be given only once, with where it was.
#[derive(Default)]
pub(super) struct Once {
    given: BTreeMap<String, (String, usize)>,
}

impl Once {
    /// Takes `id`, which `value` says; if it is taken, says where, and is false.
    pub(super) fn claim(&mut self, value: &Value<'_>, id: &str) -> bool {
        let former = self.former(value, id);
        if let Some((line, path)) = &former {
            value.refuse(format!("{} is given at line {line} already, by {path}", quoted(id)));
        }
        former.is_none()
    }

    /// Takes `id`, which `value` says; if it is taken, returns the line and the key, unsaid.
    pub(super) fn former(&mut self, value: &Value<'_>, id: &str) -> Option<(usize, String)> {
        let former = self.given.get(id);
        let former =
            former.map(|(path, offset)| (Place::of(value.problems.text, *offset).line, path.clone()));
        if former.is_none() {
            self.given.insert(id.to_owned(), (value.path.clone(), value.offset));
        }
        former
    }
}

/// Characters of a value that a message repeats; the place says which one it is.
const QUOTED_CHARS_MAX: usize = 60;

/// A value as messages repeat it: escaped, so that it cannot play tricks on a terminal, and short.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{dots}")
}

fn joined(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if bare && key.len() <= QUOTED_CHARS_MAX { key.to_owned() } else { quoted(key) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// `github[0].incidents` as a header has it: `github.incidents`.
fn without_indexes(path: &str) -> String {
    let mut inside = false;
    path.chars()
        .filter(|c| {
            inside = *c == '[' || (inside && *c != ']');
            !inside && *c != ']'
        })
        .collect()
}
