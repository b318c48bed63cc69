//! How findings were told: what a subject had the last time is told again only when its verdict changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::findings::Findings;
use super::posture::{FindingPosture, Resolved};
use crate::api::{ResourceRef, Severity};
use crate::inventory::SubjectKey;
use crate::kinds::{Author, Hand};

/// The findings of one policy.
#[derive(Default)]
pub(super) struct Telling {
    /// Of each of the policy's controls; none as long as nothing was told.
    pub(super) controls: Vec<Told>,
    /// Those of all controls, in report order.
    pub(super) findings: Findings,
}

/// The findings of one control.
#[derive(Default)]
pub(super) struct Told {
    subjects: BTreeMap<SubjectKey, Box<[Arc<FindingPosture>]>>,
    severities: BTreeMap<Severity, usize>,
    /// Who last changed an object that goes on failing: what is repaired shows when its pods are others.
    hands: BTreeMap<ResourceRef, Arc<Author>>,
    /// The finding that went last.
    pub(super) resolved: Option<Arc<Resolved>>,
}

impl Told {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.severities.values().sum()
    }

    /// The worst severity among them; `None`: there is none.
    pub(super) fn worst(&self) -> Option<Severity> {
        self.severities.keys().next().copied()
    }

    /// The first finding of the first subject.
    pub(super) fn first(&self) -> Option<&FindingPosture> {
        let mut all = self.subjects.values().flat_map(|findings| findings.iter());
        all.next().map(|finding| &**finding)
    }

    /// All of them, subject by subject.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<FindingPosture>> {
        self.subjects.values().flat_map(|findings| findings.iter())
    }

    /// Remembers by whose change findings of a subject go, before they are told; those that stay came by whom they came.
    pub(super) fn remember(
        &mut self,
        key: &SubjectKey,
        fresh: &mut [Arc<FindingPosture>],
        hand: impl Fn(&ResourceRef) -> Hand,
    ) {
        let Some(known) = self.subjects.get(key) else {
            return;
        };
        let stays = fresh.iter_mut().map(|it| (place(it), it));
        let mut stays: BTreeMap<_, &mut Arc<FindingPosture>> = stays.collect();
        for before in known {
            let resource = &before.finding.resource;
            let hand = hand(resource);
            let Some(now) = stays.get_mut(&place(before)) else {
                let last = self.hands.remove(resource);
                let author = if hand == Hand::Nobody { last } else { hand.author() };
                let resource = resource.clone();
                self.resolved = Some(Arc::new(Resolved { resource, author }));
                continue;
            };
            if let Some(now) = Arc::get_mut(now) {
                now.author.clone_from(&before.author);
            }
            match hand {
                Hand::Nobody => {}
                Hand::Unknown => drop(self.hands.remove(resource)),
                Hand::Of(author) => drop(self.hands.insert(resource.clone(), author)),
            }
        }
    }

    /// Tells the findings of a subject. What was told of it before, as long as that differs.
    pub(super) fn tell(
        &mut self,
        key: &SubjectKey,
        findings: Box<[Arc<FindingPosture>]>,
    ) -> Option<Box<[Arc<FindingPosture>]>> {
        let known = self.subjects.get(key).map_or(&[][..], |known| known);
        if *known == *findings {
            return None;
        }
        for finding in &findings {
            *self.severities.entry(finding.finding.severity).or_default() += 1;
        }
        let before = if findings.is_empty() {
            self.subjects.remove(key)
        } else {
            self.subjects.insert(key.clone(), findings)
        };
        let before = before.unwrap_or_default();
        for finding in &before {
            self.forget(finding.finding.severity);
        }
        Some(before)
    }

    fn forget(&mut self, severity: Severity) {
        let Some(count) = self.severities.get_mut(&severity) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.severities.remove(&severity);
        }
    }
}

/// Where a finding is: one that is there again is the same.
fn place(finding: &FindingPosture) -> (ResourceRef, String) {
    let finding = &finding.finding;
    (finding.resource.clone(), finding.location.container.clone())
}
