//! Every label of an object, for selectors that may name any of them.

use std::collections::BTreeMap;

use crate::shared::Word;

/// Labels in order, without the room of a map: large clusters have thousands of nodes and namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelMap(Box<[(Word, Box<str>)]>);

/// Something that has labels.
pub trait HasLabels {
    /// The value of a label.
    fn label(&self, name: &str) -> Option<&str>;
}

impl LabelMap {
    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(name));
        Some(&self.0[at.ok()?].1)
    }
}

impl From<&BTreeMap<String, String>> for LabelMap {
    fn from(labels: &BTreeMap<String, String>) -> Self {
        let labels = labels.iter();
        let kept = labels.map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        Self(kept.collect())
    }
}

impl HasLabels for LabelMap {
    fn label(&self, name: &str) -> Option<&str> {
        self.get(name)
    }
}

impl HasLabels for BTreeMap<String, String> {
    fn label(&self, name: &str) -> Option<&str> {
        self.get(name).map(String::as_str)
    }
}
