//! The verdicts of one control under one set of parameters.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::controls::{Outcome, Verdict};
use crate::inventory::SubjectKey;

/// What a report says nothing about, object by object.
type Quiet = Option<Cow<'static, str>>;

/// The verdicts, the few that reports tell of apart from the many that they only count.
#[derive(Default)]
pub(super) struct Cells {
    /// Failures, what is unknown, and what a person has to judge.
    notable: BTreeMap<SubjectKey, Verdict>,
    /// Passes, and with a reason what does not apply.
    quiet: BTreeMap<SubjectKey, Quiet>,
    passes: usize,
}

impl Cells {
    /// Stores a verdict. True when reports may look different now.
    pub(super) fn set(&mut self, key: SubjectKey, verdict: Verdict) -> bool {
        let quiet = match verdict {
            Verdict::Judged(Outcome::Pass) => None,
            Verdict::Judged(Outcome::NotApplicable(reason)) => Some(reason),
            notable => {
                self.forget(&key);
                self.notable.insert(key, notable);
                // Even an equal verdict is told differently when the object's last manager changed.
                return true;
            }
        };
        if self.quiet.get(&key) == Some(&quiet) {
            return false;
        }
        self.forget(&key);
        self.passes += usize::from(quiet.is_none());
        self.quiet.insert(key, quiet);
        true
    }

    /// Forgets the verdict on a subject that is gone. True when there was one.
    pub(super) fn forget(&mut self, key: &SubjectKey) -> bool {
        let quiet = self.quiet.remove(key);
        self.passes -= usize::from(quiet == Some(None));
        self.notable.remove(key).is_some() || quiet.is_some()
    }

    /// Every subject.
    pub(super) fn keys(&self) -> impl Iterator<Item = &SubjectKey> {
        self.notable.keys().chain(self.quiet.keys())
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
