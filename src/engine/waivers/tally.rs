//! The findings of one control, those that count and those that do not.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::id;
use crate::api::ControlResult;
use crate::engine::posture::{ControlPosture, FindingPosture, summed_up};

/// Both in report order.
#[derive(Default)]
pub(super) struct Tally {
    counted: BTreeSet<InOrder>,
    waived: BTreeSet<InOrder>,
}

struct InOrder(Arc<FindingPosture>);

impl PartialEq for InOrder {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for InOrder {}

impl PartialOrd for InOrder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InOrder {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        let by_report = self.0.finding.cmp(&other.0.finding);
        // Equal ones are several all the same.
        by_report.then_with(|| id(&self.0).cmp(&id(&other.0)))
    }
}

impl Tally {
    /// Of a control of which nothing is waived.
    pub(super) fn of<'a>(findings: impl Iterator<Item = &'a Arc<FindingPosture>>) -> Self {
        Self {
            counted: findings.cloned().map(InOrder).collect(),
            waived: BTreeSet::new(),
        }
    }

    /// Takes in a finding that counts.
    pub(super) fn insert(&mut self, finding: &Arc<FindingPosture>) {
        self.counted.insert(InOrder(finding.clone()));
    }

    /// Forgets a finding.
    pub(super) fn remove(&mut self, finding: &Arc<FindingPosture>) {
        let finding = InOrder(finding.clone());
        if !self.counted.remove(&finding) {
            self.waived.remove(&finding);
        }
    }

    /// A finding counts no more, or again.
    pub(super) fn waive(&mut self, finding: &Arc<FindingPosture>, is_waived: bool) {
        self.remove(finding);
        let those = if is_waived {
            &mut self.waived
        } else {
            &mut self.counted
        };
        those.insert(InOrder(finding.clone()));
    }

    /// Whether nothing is waived.
    pub(super) fn is_plain(&self) -> bool {
        self.waived.is_empty()
    }

    /// A control that fails, without the findings that do not count.
    pub(super) fn reduced(&self, control: &ControlPosture) -> ControlPosture {
        let mut reduced = ControlPosture {
            findings: self.counted.len(),
            waived: self.waived.len(),
            ..control.clone()
        };
        if let Some(InOrder(first)) = self.counted.first() {
            // The first is the worst.
            reduced.severity = first.finding.severity;
            reduced.message = summed_up(&first.finding, self.counted.len() - 1);
        } else if let Some(InOrder(first)) = self.waived.first() {
            reduced.result = ControlResult::Waived;
            "Waived".clone_into(&mut reduced.reason);
            let accepted = summed_up(&first.finding, self.waived.len() - 1);
            reduced.message = format!("accepted: {accepted}");
        }
        reduced
    }
}
