//! Looks at a value of any shape while it is decoded.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeSeed};

use super::names::{self, Meaning};
use super::shapes::{self, Literal};
use super::{Leak, Leaks, Trace, base64, is_public, join, shown, text};

/// How a value is looked at.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// What the name of its field says.
    meaning: Option<Meaning>,
    /// What it says of the map that it is in.
    role: Role,
    /// How much deeper it is looked.
    depth: u8,
    /// Whether a number that may be a secret is taken for one.
    is_wary: bool,
}

/// Deeper than any chart nests its values, and less deep than a decoder goes.
pub(super) const DEPTH: u8 = 48;
/// What a SealedSecret holds, and only its controller can open.
pub(in crate::secrets) const SEALED: &str = "encryptedData";
/// Passwords that are written as numbers are longer.
const SMALLEST_PASSWORD: u64 = 1000;

impl Default for Look {
    fn default() -> Self {
        Self {
            meaning: None,
            role: Role::Plain,
            depth: DEPTH,
            is_wary: false,
        }
    }
}

/// What a value says of the map that it is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Nothing.
    Plain,
    /// The name of a variable.
    Name,
    /// The value of a variable.
    Value,
    /// The kind of an object.
    Kind,
    /// The version of an object.
    Version,
    /// Where a JSON patch writes.
    Path,
    /// What a Secret holds, if the object is one.
    Data,
    /// A part of that.
    Entry,
}

impl Role {
    fn of(key: &str) -> Self {
        match key {
            "name" => Self::Name,
            "value" => Self::Value,
            "kind" => Self::Kind,
            "apiVersion" => Self::Version,
            "path" => Self::Path,
            "data" | "stringData" => Self::Data,
            _ => Self::Plain,
        }
    }
}

impl Role {
    /// What a text in this role says of the map that it is in.
    fn told(self, text: &str) -> Option<Told> {
        match self {
            Self::Name => names::meaning(text).map(Told::Named),
            Self::Kind if text == "Secret" => Some(Told::Secret),
            Self::Version if text == "v1" => Some(Told::Core),
            Self::Path => match Target::of(text) {
                Some(target) => Some(Told::Writes(target)),
                None => names::meaning(text.strip_prefix('/')?).map(Told::Named),
            },
            _ => None,
        }
    }
}

/// What was seen of a value.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) leaks: Leaks,
    /// Where data of a Secret is, if the object around it is one.
    pub(super) data: Vec<Box<str>>,
    /// What it says of the map that it is in.
    told: Option<Told>,
    /// What it is, when that depends on its neighbours.
    literal: Option<Literal>,
}

impl Seen {
    /// A text with others in it.
    pub(super) fn of(leaks: Leaks, data: Vec<Box<str>>) -> Self {
        Self {
            leaks,
            data,
            ..Self::default()
        }
    }

    /// A text without others in it.
    fn of_word(text: &str) -> Self {
        let mut seen = Self::default();
        if let Some(trace) = shapes::trace(text).or_else(|| shapes::trace_of_argument(text)) {
            seen.leaks.push("", trace);
        }
        seen
    }
}

enum Told {
    /// A variable has a name that says so, or a patch writes to such a field.
    Named(Meaning),
    /// A patch writes the data of an object.
    Writes(Target),
    /// An object is a Secret.
    Secret,
    /// An object is of the core group.
    Core,
}

/// Where a JSON patch writes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The data of a Secret.
    SecretData,
    /// The data of a Secret, or of a ConfigMap.
    Data,
}

impl Target {
    /// Where this pointer points to.
    pub(super) fn of(pointer: &str) -> Option<Self> {
        if pointer.starts_with("/stringData/") {
            return Some(Self::SecretData);
        }
        let key = pointer.strip_prefix("/data/")?;
        (!is_public(key)).then_some(Self::Data)
    }
}

impl Look {
    /// How a text in a text is looked at.
    pub(super) const fn at_depth(depth: u8) -> Self {
        Self {
            meaning: None,
            role: Role::Plain,
            depth,
            is_wary: false,
        }
    }

    /// Takes what is not as it was written for what it may have been: decoders round numbers.
    pub(super) fn wary() -> Self {
        Self {
            is_wary: true,
            ..Self::default()
        }
    }

    fn into_field(self, key: &str) -> Self {
        let role = match self.role {
            Role::Data => Role::Entry,
            _ => Role::of(key),
        };
        Self {
            meaning: names::meaning(key),
            role,
            depth: self.depth - 1,
            is_wary: self.is_wary,
        }
    }

    const fn into_item(self) -> Self {
        Self {
            depth: self.depth - 1,
            ..self
        }
    }
}

impl<'de> DeserializeSeed<'de> for Look {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        if self.depth == 0 {
            deserializer.deserialize_ignored_any(IgnoredAny)?;
            let leaks = Leaks {
                is_unread: true,
                ..Leaks::default()
            };
            return Ok(Seen::of(leaks, Vec::new()));
        }
        deserializer.deserialize_any(self)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Look {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
        let mut object = Object::default();
        while let Some(Key(key)) = map.next_key()? {
            if key == SEALED {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let seen = map.next_value_seed(self.into_field(&key))?;
            object.take(&key, seen, self.role == Role::Data);
        }
        Ok(object.seen(self.role))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Seen, A::Error> {
        let mut all = Seen::default();
        let mut position = 0_usize;
        while let Some(item) = items.next_element_seed(self.into_item())? {
            if !item.leaks.is_empty() || !item.data.is_empty() {
                let part = format!("[{position}]");
                all.data.extend(item.data.iter().map(|place| join(&part, place)));
                all.leaks.adopt(&part, item.leaks);
            }
            position += 1;
        }
        Ok(all)
    }

    fn visit_str<E>(self, text: &str) -> Result<Seen, E> {
        let mut seen = if text::is_document(text) {
            text::look(text, self.depth - 1)
        } else {
            Seen::of_word(text)
        };
        seen.told = self.role.told(text);
        if self.meaning.is_none() && !matches!(self.role, Role::Value | Role::Entry) {
            return Ok(seen);
        }
        seen.literal = match self.role {
            Role::Entry => base64::datum(text),
            _ => shapes::literal(text),
        };
        let fits = |literal: Literal| self.meaning.is_some_and(|meaning| meaning.fits(literal));
        if seen.leaks.kept.is_empty() && seen.literal.is_some_and(fits) {
            seen.leaks.push("", Trace::Name);
        }
        Ok(seen)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Seen, E> {
        let mut seen = Seen::default();
        if self.meaning == Some(Meaning::Password) && number >= SMALLEST_PASSWORD {
            seen.leaks.push("", Trace::Name);
        }
        Ok(seen)
    }

    fn visit_i64<E>(self, _number: i64) -> Result<Seen, E> {
        Ok(Seen::default())
    }

    fn visit_f64<E>(self, _number: f64) -> Result<Seen, E> {
        let mut seen = Seen::default();
        let may_be = self.meaning.is_some() || matches!(self.role, Role::Value | Role::Entry);
        if self.is_wary && may_be {
            seen.leaks.push("", Trace::Name);
        }
        Ok(seen)
    }

    fn visit_bool<E>(self, _is_true: bool) -> Result<Seen, E> {
        Ok(Seen::default())
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::default())
    }
}

/// What is known of a map as long as its fields are read, in whatever order they come.
#[derive(Default)]
struct Object {
    leaks: Leaks,
    data: Vec<Box<str>>,
    /// What the name of a variable says.
    named: Option<Meaning>,
    /// What the variable is, or what is written.
    value: Option<Literal>,
    writes: Option<Target>,
    is_secret: bool,
    is_of_another_group: bool,
    /// Whether it patches a Secret.
    patches_secret: bool,
}

impl Object {
    fn take(&mut self, key: &str, seen: Seen, is_of_data: bool) {
        match (key, &seen.told) {
            ("name" | "path", Some(Told::Named(meaning))) => self.named = Some(*meaning),
            ("path", Some(Told::Writes(target))) => self.writes = Some(*target),
            ("kind", Some(Told::Secret)) => self.is_secret = true,
            ("apiVersion", told) => self.is_of_another_group = !matches!(told, Some(Told::Core)),
            ("target", Some(Told::Secret)) => self.patches_secret = true,
            ("value", _) if seen.leaks.kept.is_empty() => self.value = seen.literal,
            _ => {}
        }
        // What gives a datum away by more than its name is told in its stead.
        let is_name = |leak: &Leak| leak.place.is_empty() && leak.trace == Trace::Name;
        let says_more = !seen.leaks.kept.iter().all(is_name);
        let key_of_data = is_of_data && seen.literal.is_some() && !says_more && !is_public(key);
        let key = shown(key);
        if key_of_data {
            self.data.push(key.into());
        }
        self.data.extend(seen.data.iter().map(|place| join(key, place)));
        self.leaks.adopt(key, seen.leaks);
    }

    /// What the map says; only the data of a Secret waits for what is around it.
    fn seen(mut self, role: Role) -> Seen {
        if role == Role::Data {
            return Seen::of(self.leaks, self.data);
        }
        let mut data = Vec::new();
        match (self.writes, self.named, self.value) {
            (Some(Target::SecretData), _, Some(_)) => self.leaks.push("value", Trace::SecretData),
            (Some(Target::Data), _, Some(_)) => data.push("value".into()),
            (None, Some(meaning), Some(literal)) if meaning.fits(literal) => {
                self.leaks.push("value", Trace::Name);
            }
            _ => {}
        }
        let is_secret = self.is_secret && !self.is_of_another_group;
        if is_secret || self.patches_secret {
            for place in self.data {
                self.leaks.push_datum(place);
            }
        }
        Seen {
            leaks: self.leaks,
            data,
            told: is_secret.then_some(Told::Secret),
            ..Seen::default()
        }
    }
}
