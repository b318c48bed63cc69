//! The labels of an object that selectors of Flux may ask for.

use std::collections::BTreeMap;

use crate::shared::Word;

/// Labels that Flux puts on whatever it applies: on nearly every object, and hardly ever asked for. Not kept.
const OWNERSHIP: [&str; 4] = [
    "helm.toolkit.fluxcd.io/",
    "kustomize.toolkit.fluxcd.io/",
    "resourceset.fluxcd.controlplane.io/",
    "fluxcd.controlplane.io/",
];

/// Labels without those of ownership, ordered by name: in one text, because every object has some, and many the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Word);

/// Ends a name and a value. No API server takes it in either.
const END: char = '\n';

/// What is known of one label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label<'a> {
    /// The object has it, with this value.
    Is(&'a str),
    /// The object has none of this name.
    Absent,
    /// Labels of this name are not kept.
    NotKept,
}

impl Labels {
    /// Keeps an object's labels.
    #[must_use]
    pub fn of(labels: &BTreeMap<String, String>) -> Self {
        let mut kept = String::new();
        for (name, value) in labels {
            if is_ownership(name) || name.contains(END) || value.contains(END) {
                continue;
            }
            for text in [name, value] {
                kept.push_str(text);
                kept.push(END);
            }
        }
        Self(Word::from(kept.as_str()))
    }

    /// The label of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Label<'_> {
        if is_ownership(name) {
            return Label::NotKept;
        }
        let mut texts = self.0.split_terminator(END);
        while let (Some(known), Some(value)) = (texts.next(), texts.next()) {
            if known == name {
                return Label::Is(value);
            }
        }
        Label::Absent
    }
}

fn is_ownership(name: &str) -> bool {
    OWNERSHIP.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::{Label, Labels};

    #[test]
    fn a_label_that_is_not_kept_is_not_absent() {
        let owned =
            ["team", "kustomize.toolkit.fluxcd.io/name"].map(|name| (name.to_owned(), "a".to_owned()));
        let labels = Labels::of(&owned.into());
        assert_eq!(labels.get("team"), Label::Is("a"));
        assert_eq!(labels.get("other"), Label::Absent);
        assert_eq!(labels.get("kustomize.toolkit.fluxcd.io/name"), Label::NotKept);
        assert_eq!(labels.get("helm.toolkit.fluxcd.io/name"), Label::NotKept);
    }
}
