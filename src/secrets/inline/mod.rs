//! Secrets that stand in an object itself: where they are, and what gives them away. What they are is not kept.
//!
//! Names and shapes decide, so some are missed. Values of fields are looked at as they are decoded, lines of embedded
//! texts one by one; nothing is built of them.

mod base64;
mod names;
mod shapes;
mod text;
mod tree;

use std::fmt;

use serde::{Deserialize, Deserializer, de::DeserializeSeed};

pub(super) use names::{Meaning, may_mean, meaning};
pub(super) use text::{assignment, is_document};
use tree::Look;
pub(super) use tree::SEALED;

/// A secret in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Path of its field, from the field that was looked at; a number behind a colon is the line of a text.
    pub place: Box<str>,
    /// What gives it away.
    pub trace: Trace,
}

/// What gives a secret away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trace {
    /// The manifest or the patch of a Secret.
    SecretData,
    /// The name of its field.
    Name,
    /// The frame of a private key.
    PrivateKey,
    /// How the tokens of an issuer begin.
    Token(&'static str),
    /// What a rule calls it.
    Rule(&'static str),
    /// A setting among others.
    ConnectionString,
    /// The part of an address that is before the host.
    UserInfo,
    /// The path or the query of an address.
    Hook,
    /// A value that SOPS encrypts in this file, and that is not.
    Unencrypted,
    /// Data of a Secret that SOPS was told to leave as they are.
    LeftPlain,
    /// What SOPS writes about a file that nobody can decrypt.
    NoRecipient,
    /// What kustomize makes a Secret of.
    Generated,
    /// A file of a kind that holds private keys.
    KeyStore,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretData => "data of a Secret in plain text",
            Self::Name => "a literal under a name that speaks of a password, a token or a key",
            Self::PrivateKey => "a private key",
            Self::Token(issuer) => return write!(f, "a token of {issuer}"),
            Self::Rule(what) => what,
            Self::ConnectionString => "a password in a connection string",
            Self::UserInfo => "a password in an address",
            Self::Hook => "an address that lets in whoever knows it",
            Self::Unencrypted => "a value in plain text in a file that SOPS has encrypted",
            Self::LeftPlain => "data of a Secret that SOPS was told to leave in plain text",
            Self::NoRecipient => "metadata of SOPS without a recipient or an authentication code",
            Self::Generated => "plain text that kustomize makes a Secret of",
            Self::KeyStore => "a store of private keys",
        })
    }
}

/// What was found in a field of any shape. Most hold no secret, and cost one pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inline(Option<Box<Found>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    leaks: Box<[Leak]>,
    is_unread: bool,
}

impl Inline {
    /// The secrets; at most twenty.
    #[must_use]
    pub fn leaks(&self) -> &[Leak] {
        self.0.as_ref().map_or(&[], |found| &found.leaks)
    }

    /// Whether a part lies deeper than is looked.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.0.as_ref().is_some_and(|found| found.is_unread)
    }
}

impl<'de> Deserialize<'de> for Inline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Look::default().deserialize(deserializer)?.leaks;
        if found.is_empty() {
            return Ok(Self::default());
        }
        let Leaks { kept, is_unread } = found;
        let leaks = kept.into_iter().map(Leak::cut).collect();
        Ok(Self(Some(Box::new(Found { leaks, is_unread }))))
    }
}

/// What gives a line of a text away, which goes from `start` to `end`; `None`: nothing does.
#[must_use]
pub(super) fn trace_within(text: &str, start: usize, end: usize) -> Option<Trace> {
    shapes::trace_within(text, start, end)
}

/// What is written in a text.
pub(super) enum Within {
    Nothing,
    /// Data of a Secret, if the object that it belongs to is one.
    Data,
    /// A secret, or something that lies too deep.
    Leak,
}

/// Looks into a text in which others are written.
pub(super) fn look_into(text: &str) -> Within {
    let seen = text::look(text, tree::DEPTH / 2);
    match (seen.leaks.is_empty(), seen.data.is_empty()) {
        (true, true) => Within::Nothing,
        (true, false) => Within::Data,
        (false, _) => Within::Leak,
    }
}

/// Whether a document of JSON has no secret, for sure.
pub(super) fn is_harmless_json(text: &str) -> bool {
    let mut decoder = serde_json::Deserializer::from_str(text);
    let seen = Look::wary().deserialize(&mut decoder);
    decoder.end().is_ok() && seen.is_ok_and(|seen| seen.leaks.is_empty())
}

/// What gives a word away, whatever its field is called; `has_shape`: whether anything leads to a rule.
pub(super) fn gives_itself_away(text: &str, has_shape: bool) -> bool {
    has_shape && shapes::trace(text).is_some() || shapes::trace_of_argument(text).is_some()
}

/// Whether a text is a literal, and what the name of its field says.
pub(super) fn is_what_it_means(meaning: Meaning, text: &str) -> bool {
    shapes::literal(text).is_some_and(|literal| meaning.fits(literal))
}

/// Whether a text stands for itself.
pub(super) fn is_literal(text: &str) -> bool {
    shapes::literal(text).is_some()
}

/// Whether the datum of a Secret stands for itself: it is no placeholder, nor is it empty or encrypted.
#[must_use]
pub(super) fn is_datum(text: &str) -> bool {
    base64::datum(text).is_some()
}

/// What gives a text away that is no field of another; `None`: nothing does.
#[must_use]
pub fn trace(text: &str) -> Option<Trace> {
    shapes::trace(text)
}

/// What gives the value of a variable away; `None`: nothing does.
#[must_use]
pub fn trace_of_variable(name: &str, value: &str) -> Option<Trace> {
    shapes::trace(value).or_else(|| shapes::trace_of_name(name, value))
}

/// Secrets of one object that are told of.
const MOST: usize = 20;
/// Bytes of a place that are kept.
const LONGEST_PLACE: usize = 200;
/// Bytes of a key that are shown.
const LONGEST_KEY: usize = 64;

/// What was found so far.
#[derive(Default)]
struct Leaks {
    kept: Vec<Leak>,
    is_unread: bool,
}

impl Leaks {
    fn push(&mut self, place: impl Into<Box<str>>, trace: Trace) {
        if self.kept.len() < MOST {
            let place = place.into();
            self.kept.push(Leak { place, trace });
        }
    }

    fn is_empty(&self) -> bool {
        self.kept.is_empty() && !self.is_unread
    }

    /// Takes in what was found in a part.
    fn adopt(&mut self, part: &str, inner: Self) {
        self.is_unread |= inner.is_unread;
        for leak in inner.kept {
            self.push(join(part, &leak.place), leak.trace);
        }
    }

    /// Puts down a datum of a Secret: that says more than its name.
    fn push_datum(&mut self, place: Box<str>) {
        match self.kept.iter_mut().find(|leak| leak.place == place) {
            Some(known) if known.trace == Trace::Name => known.trace = Trace::SecretData,
            Some(_) => {}
            None => self.push(place, Trace::SecretData),
        }
    }
}

impl Leak {
    fn cut(self) -> Self {
        if self.place.len() <= LONGEST_PLACE {
            return self;
        }
        let end = self.place.floor_char_boundary(LONGEST_PLACE);
        let place = format!("{}…", &self.place[..end]).into();
        Self { place, ..self }
    }
}

/// The place of something within a part.
#[must_use]
pub fn join(part: &str, place: &str) -> Box<str> {
    match place.chars().next() {
        None => part.into(),
        Some('[' | ':') => format!("{part}{place}").into(),
        Some(_) => format!("{part}.{place}").into(),
    }
}

/// A key as far as it may be shown: names of fields and files. Others may be secrets themselves.
#[must_use]
pub fn shown(key: &str) -> &str {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.' | b'/');
    let is_shown = !key.is_empty()
        && key.len() <= LONGEST_KEY
        && key.bytes().all(is_plain)
        && shapes::trace(key).is_none();
    if is_shown { key } else { "*" }
}

/// What a Secret holds and everybody may know.
pub(super) fn is_public(key: &str) -> bool {
    matches!(key, "ca.crt" | "tls.crt" | "caFile" | "certFile" | "known_hosts")
        || key.strip_suffix(".pub").is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::sops;
    use super::*;

    fn found(value: &Value) -> Vec<(String, Trace)> {
        let inline: Inline = serde_json::from_str(&value.to_string()).unwrap();
        let leaks = inline.leaks().iter();
        leaks.map(|leak| (leak.place.to_string(), leak.trace)).collect()
    }

    fn at(place: &str, trace: Trace) -> Vec<(String, Trace)> {
        vec![(place.to_owned(), trace)]
    }

    #[test]
    fn names_are_read_wherever_they_stand() {
        assert_eq!(
            found(&json!({"auth": {"password": "hunter2"}})),
            at("auth.password", Trace::Name)
        );
        assert_eq!(
            found(&json!({"users": [{"password": "hunter2"}]})),
            at("users[0].password", Trace::Name)
        );
        assert_eq!(
            found(&json!({"passwords": ["hunter2"]})),
            at("passwords[0]", Trace::Name)
        );
        assert_eq!(found(&json!({"password": 123_456})), at("password", Trace::Name));
        assert_eq!(
            found(&json!({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]})),
            at("env[0].value", Trace::Name)
        );
        assert_eq!(
            found(&json!({"env": [{"name": "A", "value": "hunter2"}]})),
            Vec::new()
        );
        assert_eq!(
            found(&json!({"password": null, "token": true, "passwordFrom": {"name": "a"}})),
            Vec::new()
        );
    }

    #[test]
    fn nothing_of_a_value_is_kept_and_no_odd_key_is_shown() {
        let odd = "a\u{1b}[2J b".repeat(40);
        let inline: Inline =
            serde_json::from_str(&json!({odd: {"password": "hunter2"}}).to_string()).unwrap();
        assert_eq!(&*inline.leaks()[0].place, "*.password");
        assert!(!format!("{inline:?}").contains("hunter2"));
    }

    #[test]
    fn manifests_of_secrets_are_known_by_their_kind() {
        let manifest = |version: &str, data: Value| json!({"extra": [{"apiVersion": version, "data": data, "kind": "Secret"}]});
        assert_eq!(
            found(&manifest("v1", json!({"user": "YWRtaW4="}))),
            at("extra[0].data.user", Trace::SecretData)
        );
        assert_eq!(
            found(&manifest("v1", json!({"password": "YWRtaW4="}))),
            at("extra[0].data.password", Trace::SecretData)
        );
        assert_eq!(
            found(&manifest("v1", json!({"a.yaml": "auth:\n  password: hunter2\n"}))),
            at("extra[0].data.a.yaml:2", Trace::Name),
            "once"
        );
        assert_eq!(
            found(&manifest("v1", json!({"user": "${USER}", "ca.crt": "YQ=="}))),
            Vec::new()
        );
        assert_eq!(
            found(&manifest("example.com/v1", json!({"user": "YWRtaW4="}))),
            Vec::new()
        );
        assert_eq!(
            found(&json!({"kind": "ConfigMap", "data": {"user": "admin"}})),
            Vec::new()
        );
        assert_eq!(
            found(&json!({"valuesFrom": [{"kind": "Secret", "name": "a", "secret": "b", "value": "c"}]})),
            Vec::new(),
            "what refers to a Secret holds none of its data"
        );
        let encrypted = sops::tests::VALUE;
        assert_eq!(found(&manifest("v1", json!({"password": encrypted}))), Vec::new());
    }

    #[test]
    fn what_lies_too_deep_is_not_taken_for_good() {
        let mut value = json!({"password": "hunter2"});
        for _ in 0..60 {
            value = json!({"a": value});
        }
        let inline: Inline = serde_json::from_str(&value.to_string()).unwrap();
        assert!(inline.is_unread() && inline.leaks().is_empty());
        let deeper = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let inline: Inline = serde_json::from_str(&deeper).unwrap();
        assert!(inline.is_unread());
    }

    #[test]
    fn many_are_as_few() {
        let many: serde_json::Map<String, Value> = (0..1000)
            .map(|it| (format!("a{it}Password"), json!("hunter2")))
            .collect();
        assert_eq!(found(&Value::Object(many)).len(), MOST);
        assert_eq!(std::mem::size_of::<Inline>(), std::mem::size_of::<usize>());
        assert_eq!(found(&Value::Null), Vec::new());
    }
}
