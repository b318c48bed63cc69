//! One policy's posture, without waivers and with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Name, Selection, Waivers, Word};
use crate::api::policy::{Attestation, ScannedHistory};
use crate::api::{ControlResult, Finding, Severity};
use crate::engine::posture::{ControlPosture, FindingPosture, PolicyPosture, bounded, summary_of};

/// A posture, which waivers are for its findings, and how it looks with them.
pub(super) struct Shown {
    unwaived: Arc<PolicyPosture>,
    /// The waivers that are for a finding, by its position. Most findings have none.
    selections: BTreeMap<usize, Selection>,
    /// The findings are in the same order.
    posture: Arc<PolicyPosture>,
}

impl Shown {
    /// Shows a posture that nobody says anything about.
    pub(super) fn untouched(unwaived: Arc<PolicyPosture>) -> Self {
        Self {
            posture: unwaived.clone(),
            unwaived,
            selections: BTreeMap::new(),
        }
    }

    /// Shows a posture. What is known of findings that were there before is kept.
    pub(super) fn new(
        unwaived: Arc<PolicyPosture>,
        before: Option<&Self>,
        select: &dyn Fn(&Finding) -> Selection,
        waivers: &Waivers,
    ) -> Self {
        let mut selections = BTreeMap::new();
        let mut carried = Vec::with_capacity(unwaived.findings.len());
        // What was known of each finding, in the same order.
        let known = before.map(|before| {
            before
                .unwaived
                .findings
                .iter()
                .zip(&before.posture.findings)
                .enumerate()
        });
        let mut known = known.into_iter().flatten().peekable();
        for (position, finding) in unwaived.findings.iter().enumerate() {
            let is_gone =
                |known: &Arc<FindingPosture>| !Arc::ptr_eq(known, finding) && known.finding < finding.finding;
            while known.next_if(|(_, (known, _))| is_gone(known)).is_some() {}
            // Both lists share the findings that stayed.
            let selection = match known.next_if(|(_, (known, _))| Arc::ptr_eq(known, finding)) {
                None => {
                    carried.push(finding.clone());
                    select(&finding.finding)
                }
                Some((position, (_, shown))) => {
                    carried.push(shown.clone());
                    let selections = before.map(|before| &before.selections);
                    selections
                        .and_then(|known| known.get(&position))
                        .cloned()
                        .unwrap_or_default()
                }
            };
            if !selection.is_empty() {
                selections.insert(position, selection);
            }
        }
        let mut shown = Self {
            posture: unwaived.clone(),
            unwaived,
            selections,
        };
        shown.posture = shown.render(carried, waivers);
        shown
    }

    /// The posture as it would be without waivers.
    pub(super) const fn unwaived(&self) -> &Arc<PolicyPosture> {
        &self.unwaived
    }

    /// The posture with what is waived.
    pub(super) const fn posture(&self) -> &Arc<PolicyPosture> {
        &self.posture
    }

    /// The waivers that are for findings, finding by finding.
    pub(super) fn selections(&self) -> impl Iterator<Item = &[Name]> {
        self.selections.values().map(|selection| &**selection)
    }

    /// The waivers that are for one finding.
    pub(super) fn selection(&self, position: usize) -> &[Name] {
        self.selections.get(&position).map_or(&[], |selection| selection)
    }

    /// Other waivers are for a finding than before.
    pub(super) fn select(&mut self, position: usize, selection: Selection) {
        if selection.is_empty() {
            self.selections.remove(&position);
        } else {
            self.selections.insert(position, selection);
        }
    }

    /// Other waivers cover findings than before.
    pub(super) fn show(&mut self, waivers: &Waivers) {
        let findings = self.posture.findings.iter().cloned().collect();
        self.posture = self.render(findings, waivers);
    }

    /// The positions of the findings of a control, or of all controls whose ids begin like that.
    pub(super) fn of_control(&self, control: &str) -> impl Iterator<Item = usize> + use<> {
        let findings = &self.unwaived.findings;
        let (beginning, is_glob) = match control.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (control, false),
        };
        let is_meant = |id: &str| id == beginning || is_glob && id.starts_with(beginning);
        // By severity, then by control.
        let ranges = Severity::ALL.map(|severity| {
            let is_before = |it: &Arc<FindingPosture>| {
                (it.finding.severity, it.finding.control.as_str()) < (severity, beginning)
            };
            let is_within =
                |it: &Arc<FindingPosture>| it.finding.severity == severity && is_meant(&it.finding.control);
            findings.partition_point(is_before)..findings.partition_point(|it| is_before(it) || is_within(it))
        });
        ranges.into_iter().flatten()
    }

    /// The posture with these findings, as far as each shows the waiver that covers it.
    fn render(&self, mut findings: Vec<Arc<FindingPosture>>, waivers: &Waivers) -> Arc<PolicyPosture> {
        let unwaived = &self.unwaived;
        let mut is_waived = false;
        for (position, finding) in findings.iter_mut().enumerate() {
            let selection = self.selections.get(&position);
            let covering = selection.and_then(|names| waivers.covering(names));
            let waiver = covering.as_deref().unwrap_or_default();
            is_waived |= !waiver.is_empty();
            if finding.finding.waiver == waiver {
                continue;
            }
            *finding = unwaived.findings[position].clone();
            if !waiver.is_empty() {
                waiver.clone_into(&mut Arc::make_mut(finding).finding.waiver);
            }
        }
        let mut attested = BTreeMap::new();
        for (position, control) in unwaived.controls.iter().enumerate() {
            if control.result == ControlResult::Manual
                && let Some(word) = waivers.word(unwaived, control.control.id)
            {
                attested.insert(position, word);
            }
        }
        if !is_waived && attested.is_empty() {
            return unwaived.clone();
        }
        let mut controls = controls(&unwaived.controls, &findings);
        for (position, word) in attested {
            match word {
                Word::Counts(attestation) => attest(&mut controls[position], attestation),
                Word::Stale(scan) => doubt(&mut controls[position], scan),
            }
        }
        Arc::new(PolicyPosture {
            name: unwaived.name.clone(),
            policy: unwaived.policy.clone(),
            invalid: unwaived.invalid.clone(),
            controls,
            findings: findings.into(),
            installations: unwaived.installations.clone(),
            gaps: unwaived.gaps.clone(),
            delivered: unwaived.delivered.clone(),
        })
    }
}

/// A control that only a person can judge, and that somebody has judged.
fn attest(control: &mut ControlPosture, attestation: &Attestation) {
    control.result = ControlResult::Pass;
    "Attested".clone_into(&mut control.reason);
    let (by, end, statement) = (&attestation.by, attestation.expires.0, &attestation.statement);
    control.message = bounded(&format!("attested until {end} by {by}: {statement}"));
}

/// A control that was judged by a scan that is too old.
fn doubt(control: &mut ControlPosture, scan: &ScannedHistory) {
    control.result = ControlResult::Unknown;
    "ReportStale".clone_into(&mut control.reason);
    let (repository, at) = (&scan.repository, scan.scanned_at.0);
    control.message = bounded(&format!(
        "the report of {at} on the history of {repository} counts no more: scan it again"
    ));
}

/// The controls, by what of their findings is left.
fn controls(unwaived: &[ControlPosture], findings: &[Arc<FindingPosture>]) -> Vec<ControlPosture> {
    let waived = findings.iter().filter(|it| it.finding.is_waived());
    let mut touched: BTreeMap<&str, Vec<&Finding>> = waived
        .map(|it| (it.finding.control.as_str(), Vec::new()))
        .collect();
    for finding in findings.iter().map(|it| &it.finding) {
        if let Some(all) = touched.get_mut(finding.control.as_str()) {
            all.push(finding);
        }
    }
    let controls = unwaived.iter();
    controls
        .map(|control| match touched.get(control.control.id) {
            None => control.clone(),
            Some(findings) => reduced(control, findings),
        })
        .collect()
}

/// A control that fails, without the findings that do not count.
fn reduced(control: &ControlPosture, findings: &[&Finding]) -> ControlPosture {
    let counts = || findings.iter().copied().filter(|finding| !finding.is_waived());
    let open = counts().count();
    let mut reduced = ControlPosture {
        findings: open,
        waived: findings.len() - open,
        ..control.clone()
    };
    if let Some(worst) = counts().map(|finding| finding.severity).min() {
        reduced.severity = worst;
        reduced.message = summary_of(counts());
    } else {
        reduced.result = ControlResult::Waived;
        "Waived".clone_into(&mut reduced.reason);
        reduced.message = format!("accepted: {}", summary_of(findings.iter().copied()));
    }
    reduced
}
