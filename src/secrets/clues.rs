//! Words that lead to secrets: where none of them stands, nothing is found by its name, its shape or its place.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use super::rules;
use super::words::{Found, Words};

/// What a word leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clue {
    /// A credential that a rule knows, by the number of the rule.
    Rule(u16),
    /// A key, or a password among settings.
    Shape,
    /// An address.
    Address,
    /// A name that speaks of secrets.
    Name,
    /// Data of Secrets, ciphertext, or what kustomize builds.
    Structure,
    /// An object that says what others look like.
    Schema,
}

impl Clue {
    /// Whether it leads to what gives itself away whatever its field is called.
    pub(super) const fn is_of_value(self) -> bool {
        matches!(self, Self::Rule(_) | Self::Shape | Self::Address)
    }
}

const SHAPES: [&str; 13] = [
    "PRIVATE KEY",
    "AGE-SECRET-KEY-",
    "AGE-PLUGIN-",
    "password=",
    "Password=",
    "PASSWORD=",
    "pwd=",
    "Pwd=",
    "PWD=",
    "accountkey=",
    "AccountKey=",
    "sharedaccesskey=",
    "SharedAccessKey=",
];

/// What every name that means something has in it. Words of names begin with a capital or have no other, so that these
/// are all the ways to write them.
const NAMES: [&str; 18] = [
    "pass",
    "Pass",
    "PASS",
    "pwd",
    "Pwd",
    "PWD",
    "token",
    "Token",
    "TOKEN",
    "key",
    "Key",
    "KEY",
    "secret",
    "Secret",
    "SECRET",
    "credential",
    "Credential",
    "CREDENTIAL",
];

const STRUCTURES: [&str; 7] = [
    "stringData",
    "secretGenerator",
    "kustomize.config.k8s.io",
    "sops",
    "Sops",
    "fake",
    "Fake",
];

struct Clues {
    words: Words,
    clues: Box<[Clue]>,
}

static CLUES: LazyLock<Clues> = LazyLock::new(|| {
    let of_rules = rules::keywords().map(|(number, word)| (Clue::Rule(number), word));
    let all: Vec<(Clue, &str)> = of_rules
        .chain(SHAPES.map(|word| (Clue::Shape, word)))
        .chain([(Clue::Address, "://")])
        .chain(NAMES.map(|word| (Clue::Name, word)))
        .chain(STRUCTURES.map(|word| (Clue::Structure, word)))
        .chain([(Clue::Schema, "kind: CustomResourceDefinition")])
        .collect();
    Clues {
        words: Words::new(all.iter().map(|(_, word)| *word)),
        clues: all.iter().map(|(clue, _)| *clue).collect(),
    }
});

/// Hands over every clue of a text, line by line, until somebody has seen enough.
pub(super) fn each<B>(text: &str, mut take: impl FnMut(Clue, Found) -> ControlFlow<B>) -> ControlFlow<B> {
    let Clues { words, clues } = &*CLUES;
    words.each(text, |found| take(clues[usize::from(found.number)], found))
}

/// Whether a text has a word without which nothing but its name gives it away. Most texts have none.
pub(super) fn may_give_away(text: &str) -> bool {
    let stop = |clue: Clue, _| {
        if clue.is_of_value() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    each(text, stop).is_break()
}

/// Whether a text has an address, and whether it has anything else of that sort.
pub(super) fn of_value(text: &str) -> (bool, bool) {
    let mut has_address = false;
    let end = each(text, |clue, _| match clue {
        Clue::Address => {
            has_address = true;
            ControlFlow::Continue(())
        }
        Clue::Rule(_) | Clue::Shape => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    (has_address, end.is_break())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_what_they_lead_to() {
        let clues = |text: &str| {
            let mut found = Vec::new();
            let end = each(text, |clue, _| {
                found.push(clue);
                ControlFlow::<()>::Continue(())
            });
            assert!(end.is_continue());
            found
        };
        assert_eq!(clues("DB_PASS: x"), [Clue::Name]);
        assert_eq!(clues("kind: CustomResourceDefinition"), [Clue::Schema]);
        assert_eq!(clues("https://x"), [Clue::Address]);
        assert_eq!(clues("sops: x"), [Clue::Structure]);
        assert_eq!(clues("replicas: 3"), []);
        assert!(matches!(clues("ghp_")[..], [Clue::Rule(0)]));
        assert!(may_give_away("x AGE-PLUGIN-") && !may_give_away("password: sops"));
    }
}
