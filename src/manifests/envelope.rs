//! What every object says of itself, and whether it is a whole one: a patch has the same kind and name, and only what it
//! changes.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::kinds::{Entry, Meta};

/// What every object says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    api_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
    #[serde(borrow, default)]
    spec: Keys<'a>,
    #[serde(default)]
    role_ref: Option<IgnoredAny>,
    #[serde(default)]
    handler: Option<IgnoredAny>,
    #[serde(default)]
    aggregation_rule: Option<IgnoredAny>,
    #[serde(borrow, default)]
    rules: Option<&'a RawValue>,
}

impl Envelope<'_> {
    /// Its API version; empty: none.
    pub(super) fn api_version(&self) -> &str {
        self.api_version.as_deref().unwrap_or_default()
    }

    /// Its kind; empty: none.
    pub(super) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    /// Whether it says what it is.
    pub(super) fn is_object(&self) -> bool {
        !self.api_version().is_empty() && !self.kind().is_empty()
    }

    /// Its metadata.
    ///
    /// # Errors
    /// It has an impossible shape.
    pub(super) fn meta(&self) -> Result<Meta, serde_json::Error> {
        Meta::within(self.api_version(), self.metadata.map_or("{}", RawValue::get))
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<&RawValue> {
        self.items.filter(|_| self.kind().ends_with("List"))
    }

    /// Whether it has less than every object of its kind.
    pub(super) fn is_part(&self, entry: &Entry) -> bool {
        let lacks = |group: &&[&str]| !group.iter().any(|field| self.has(field));
        entry.required.iter().any(lacks)
    }

    fn has(&self, field: &str) -> bool {
        match field.split_once('.') {
            Some(("spec", field)) => self.spec.0.iter().any(|key| key == field),
            _ if field == "roleRef" => self.role_ref.is_some(),
            _ if field == "handler" => self.handler.is_some(),
            _ => false,
        }
    }

    /// Whether it is a role whose rules Kubernetes puts together, and has not yet.
    pub(super) fn awaits_rules(&self) -> bool {
        let has_rules = self.rules.is_some_and(|rules| rules.get().contains('{'));
        self.aggregation_rule.is_some() && !has_rules
    }
}

/// The keys of a map; none of anything else.
#[derive(Default)]
struct Keys<'a>(Vec<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Keys<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeysOfMap)
    }
}

struct KeysOfMap;

impl<'de> Visitor<'de> for KeysOfMap {
    type Value = Keys<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Keys<'de>, A::Error> {
        let mut keys = Vec::new();
        while let Some(Key(key)) = entries.next_key()? {
            // A field that is null is as good as absent.
            if entries.next_value::<Option<IgnoredAny>>()?.is_some() {
                keys.push(key);
            }
        }
        Ok(Keys(keys))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Keys<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Keys::default())
    }

    fn visit_unit<E>(self) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }

    fn visit_bool<E>(self, _value: bool) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }

    fn visit_u64<E>(self, _value: u64) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }

    fn visit_str<E>(self, _value: &str) -> Result<Keys<'de>, E> {
        Ok(Keys::default())
    }
}

/// A key, borrowed where it can be.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
