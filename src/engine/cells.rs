//! The verdicts of one control under one set of parameters.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::controls::{Outcome, Verdict};
use crate::inventory::{ObjectKey, SubjectKey};
use crate::kinds::KindId;

/// What a report says nothing about, object by object.
type Quiet = Option<Cow<'static, str>>;

/// Which of its control's reads a verdict looked at beyond its own namespace: a bit each, in their order.
pub(super) type Far = u32;

/// The verdicts, the few that reports tell of apart from the many that they only count.
#[derive(Default)]
pub(super) struct Cells {
    /// Failures, what is unknown, and what a person has to judge.
    notable: BTreeMap<SubjectKey, Verdict>,
    /// Passes, and with a reason what does not apply.
    quiet: BTreeMap<SubjectKey, Quiet>,
    passes: usize,
    /// Those that looked beyond their namespace. Most do not.
    far: BTreeMap<SubjectKey, Far>,
}

impl Cells {
    /// Stores a verdict and how far it looked. True when reports may look different now.
    pub(super) fn set(&mut self, key: SubjectKey, verdict: Verdict, far: Far) -> bool {
        if far == 0 {
            self.far.remove(&key);
        } else {
            self.far.insert(key.clone(), far);
        }
        let quiet = match verdict {
            Verdict::Judged(Outcome::Pass) => None,
            Verdict::Judged(Outcome::NotApplicable(reason)) => Some(reason),
            notable => {
                // An equal failure is told differently when the object's last manager changed; all else is not.
                let fails = matches!(notable, Verdict::Judged(Outcome::Fail(_)));
                if !fails && self.notable.get(&key) == Some(&notable) {
                    return false;
                }
                self.clear(&key);
                self.notable.insert(key, notable);
                return true;
            }
        };
        if self.quiet.get(&key) == Some(&quiet) {
            return false;
        }
        self.clear(&key);
        self.passes += usize::from(quiet.is_none());
        self.quiet.insert(key, quiet);
        true
    }

    /// Forgets the verdict on a subject that is gone. True when there was one.
    pub(super) fn forget(&mut self, key: &SubjectKey) -> bool {
        self.far.remove(key);
        self.clear(key)
    }

    fn clear(&mut self, key: &SubjectKey) -> bool {
        let quiet = self.quiet.remove(key);
        self.passes -= usize::from(quiet == Some(None));
        self.notable.remove(key).is_some() || quiet.is_some()
    }

    /// Every subject.
    pub(super) fn keys(&self) -> impl Iterator<Item = &SubjectKey> {
        self.notable.keys().chain(self.quiet.keys())
    }

    /// The controllers.
    pub(super) fn controllers(&self) -> impl Iterator<Item = &SubjectKey> {
        // They come first.
        let is_controller = |key: &&SubjectKey| matches!(key, SubjectKey::Controller(_));
        let notable = self.notable.keys().take_while(is_controller);
        notable.chain(self.quiet.keys().take_while(is_controller))
    }

    /// The subjects in a namespace: those of these kinds, its controllers, and itself. The cluster is in none, as are
    /// objects of no namespace.
    pub(super) fn within(&self, namespace: &str, kinds: &[KindId]) -> Vec<SubjectKey> {
        let mut within: Vec<SubjectKey> = self
            .controllers()
            .filter(|key| key.namespace() == namespace)
            .cloned()
            .collect();
        for kind in kinds {
            let first = SubjectKey::Object(*kind, ObjectKey::new(namespace, ""));
            let is_inside = |key: &&SubjectKey| {
                matches!(key, SubjectKey::Object(of, _) if of == kind) && key.namespace() == namespace
            };
            let notable = self.notable.range(first.clone()..).map(|(key, _)| key);
            let quiet = self.quiet.range(first..).map(|(key, _)| key);
            within.extend(notable.take_while(is_inside).cloned());
            within.extend(quiet.take_while(is_inside).cloned());
        }
        let itself = if namespace.is_empty() {
            SubjectKey::Cluster
        } else {
            SubjectKey::Namespace(namespace.into())
        };
        if self.notable.contains_key(&itself) || self.quiet.contains_key(&itself) {
            within.push(itself);
        }
        within
    }

    /// The subjects whose verdicts looked at one of these reads beyond their namespace.
    pub(super) fn looking_at(&self, reads: Far) -> impl Iterator<Item = &SubjectKey> {
        let looking = self.far.iter().filter(move |(_, far)| *far & reads != 0);
        looking.map(|(key, _)| key)
    }

    /// Failures, what is unknown, and what a person has to judge, in order.
    pub(super) fn notable(&self) -> impl Iterator<Item = (&SubjectKey, &Verdict)> {
        self.notable.iter()
    }

    /// How many subjects pass. Counted one by one only where the policy leaves some out.
    pub(super) fn passes(&self, covers: Option<&dyn Fn(&SubjectKey) -> bool>) -> usize {
        let Some(covers) = covers else {
            return self.passes;
        };
        let passing = self.quiet.iter().filter(|(_, quiet)| quiet.is_none());
        passing.filter(|(key, _)| covers(key)).count()
    }

    /// Why the first subject that it does not apply to is none.
    pub(super) fn not_applicable(&self, covers: impl Fn(&SubjectKey) -> bool) -> Option<&str> {
        let mut quiet = self.quiet.iter();
        quiet.find_map(|(key, quiet)| quiet.as_deref().filter(|_| covers(key)))
    }
}
