//! An object of Kubernetes as a value of CEL. Texts stay where they are in the object's JSON.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::Val;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value of any type.
pub(super) struct Node<'v>(pub(super) Box<dyn Val + 'v>);

impl<'v> Node<'v> {
    fn of(value: impl Val + 'v) -> Self {
        Self(Box::new(value))
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Node<'de>, E> {
        Ok(Node::of(CelNull))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::of(CelBool::from(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::of(CelInt::from(value)))
    }

    /// What does not fit is a double, as Kubernetes reads it.
    #[expect(clippy::cast_precision_loss, reason = "Kubernetes loses it as well")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Node<'de>, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::of(CelDouble::from(value)))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::of(CelString::from(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::of(CelString::from(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let mut list: Vec<Box<dyn Val + 'de>> = Vec::new();
        while let Some(Node(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::of(CelList::from(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node<'de>, A::Error> {
        let mut map: HashMap<CelMapKey<'de>, Box<dyn Val + 'de>> = HashMap::new();
        while let Some(Name(name)) = fields.next_key()? {
            let Node(value) = fields.next_value()?;
            map.insert(CelMapKey::String(name), value);
        }
        Ok(Node::of(CelMap::from(map)))
    }
}

/// The name of a field.
struct Name<'v>(CelString<'v>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(Names)
            .map(|name| Self(CelString::from(name)))
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
