//! One policy's posture, without waivers and with them. Whatever changes, only the findings that it is about are looked
//! at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::places::Places;
use super::tally::Tally;
use super::{Id, Name, News, Selection, Waivers, Word, id};
use crate::api::policy::{Attestation, ScannedHistory};
use crate::api::{ControlResult, FluxSecurityWaiverSpec};
use crate::engine::findings::Findings;
use crate::engine::posture::{ControlPosture, FindingPosture, PolicyPosture, bounded};

/// A posture, which waivers are for its findings, and how it looks with them.
pub(super) struct Shown {
    unwaived: Arc<PolicyPosture>,
    /// Where the findings are; `None`: nobody has asked as yet.
    places: Option<Places>,
    /// The findings that there are waivers for. Most have none.
    selected: FxHashMap<Id, Selected>,
    /// The findings that each waiver is for.
    of_waivers: FxHashMap<Name, BTreeSet<Id>>,
    /// The controls that something was waived of, by id.
    tallies: BTreeMap<String, Tally>,
    /// With the waivers that cover them.
    findings: Findings,
    posture: Arc<PolicyPosture>,
}

/// A finding that there are waivers for.
struct Selected {
    unwaived: Arc<FindingPosture>,
    shown: Arc<FindingPosture>,
    waivers: Selection,
}

impl Shown {
    /// Shows a posture.
    pub(super) fn new(unwaived: Arc<PolicyPosture>, stage: &Waivers, news: &mut News) -> Self {
        let mut shown = Self {
            places: None,
            selected: FxHashMap::default(),
            of_waivers: FxHashMap::default(),
            tallies: BTreeMap::new(),
            findings: unwaived.findings.clone(),
            posture: unwaived.clone(),
            unwaived,
        };
        if !stage.index.is_empty() {
            shown.places = Some(Places::of(shown.unwaived.findings.iter()));
            let all = shown.unwaived.clone();
            for finding in &all.findings {
                let selection = stage.select(&all.name, &finding.finding);
                shown.select(finding, selection, stage, news);
            }
        }
        shown.render(stage);
        shown
    }

    /// Follows the posture as it would be without waivers.
    pub(super) fn follow(mut self, unwaived: Arc<PolicyPosture>, stage: &Waivers, news: &mut News) -> Self {
        let is_ready = self.places.is_some();
        let changes = is_ready.then(|| self.unwaived.findings.changes(&unwaived.findings));
        let Some((gone, come)) = changes.flatten() else {
            news.gone.extend(self.selections().cloned());
            return Self::new(unwaived, stage, news);
        };
        for finding in &gone {
            self.remove(finding, news);
        }
        for finding in &come {
            self.insert(finding);
            let selection = stage.select(&unwaived.name, &finding.finding);
            self.select(finding, selection, stage, news);
        }
        self.unwaived = unwaived;
        self.render(stage);
        self
    }

    /// The posture as it would be without waivers.
    pub(super) const fn unwaived(&self) -> &Arc<PolicyPosture> {
        &self.unwaived
    }

    /// The posture with what is waived.
    pub(super) const fn posture(&self) -> &Arc<PolicyPosture> {
        &self.posture
    }

    /// The waivers that are for findings, once a finding.
    pub(super) fn selections(&self) -> impl Iterator<Item = &Name> {
        self.selected
            .values()
            .flat_map(|selected| selected.waivers.iter())
    }

    /// Forgets a waiver, and how it was for findings. The posture is the same until it is rendered.
    pub(super) fn forget(&mut self, name: &Name, stage: &Waivers, news: &mut News) -> bool {
        let Some(ids) = self.of_waivers.remove(name) else {
            return false;
        };
        for id in ids {
            let Some(selected) = self.selected.get(&id) else {
                continue;
            };
            news.gone.push(name.clone());
            let finding = selected.unwaived.clone();
            let rest = selected.waivers.iter().filter(|other| *other != name);
            let rest = rest.cloned().collect();
            self.cover(&finding, rest, stage);
        }
        true
    }

    /// Takes in a waiver, for the findings that it is for.
    pub(super) fn learn(
        &mut self,
        name: &Name,
        spec: &FluxSecurityWaiverSpec,
        stage: &Waivers,
        news: &mut News,
    ) -> bool {
        if !spec.is_for_policy(&self.unwaived.name) {
            return false;
        }
        let findings = &self.unwaived.findings;
        let places = self.places.get_or_insert_with(|| Places::of(findings.iter()));
        let controls = self.unwaived.controls.iter().map(|control| control.control.id);
        let controls = controls.filter(|control| spec.is_for_control(control));
        let candidates = controls.flat_map(|control| {
            let resources = spec.resources.iter();
            resources.flat_map(|resource| places.candidates(control, resource))
        });
        let is_meant = |finding: &Arc<FindingPosture>| {
            let mut resources = spec.resources.iter();
            resources.any(|resource| resource.is_for(&finding.finding.resource))
        };
        let meant: FxHashMap<Id, Arc<FindingPosture>> =
            candidates.filter(is_meant).map(|it| (id(&it), it)).collect();
        for finding in meant.values() {
            let known = self.selected.get(&id(finding));
            let known = known.map_or(&[][..], |selected| &selected.waivers);
            let mut waivers = known.to_vec();
            waivers.push(name.clone());
            waivers.sort_unstable();
            news.come.push(name.clone());
            self.of_waivers
                .entry(name.clone())
                .or_default()
                .insert(id(finding));
            self.cover(finding, waivers.into(), stage);
        }
        !meant.is_empty()
    }

    /// Looks again at what a waiver is for: it has ended, or begun again. True when it is for anything.
    pub(super) fn look_again(&mut self, name: &Name, stage: &Waivers) -> bool {
        let ids = self.of_waivers.get(name).cloned().unwrap_or_default();
        let is_for_any = !ids.is_empty();
        for id in ids {
            if let Some(selected) = self.selected.get(&id) {
                let (finding, waivers) = (selected.unwaived.clone(), selected.waivers.clone());
                self.cover(&finding, waivers, stage);
            }
        }
        is_for_any
    }

    /// Looks again at everything that there are waivers for.
    pub(super) fn look_at_all(&mut self, stage: &Waivers) {
        let names: Vec<Name> = self.of_waivers.keys().cloned().collect();
        for name in &names {
            self.look_again(name, stage);
        }
    }

    /// Puts in a finding that nothing covers.
    fn insert(&mut self, finding: &Arc<FindingPosture>) {
        self.findings.insert(finding.clone());
        if let Some(places) = &mut self.places {
            places.insert(finding);
        }
        if let Some(tally) = self.tallies.get_mut(&finding.finding.control) {
            tally.insert(finding);
        }
    }

    /// Takes out a finding, and what there was for it.
    fn remove(&mut self, finding: &Arc<FindingPosture>, news: &mut News) {
        let selected = self.selected.remove(&id(finding));
        let shown = selected.as_ref().map_or(finding, |selected| &selected.shown);
        self.findings.remove(shown);
        for name in selected.iter().flat_map(|selected| selected.waivers.iter()) {
            if let Some(ids) = self.of_waivers.get_mut(name) {
                ids.remove(&id(finding));
                if ids.is_empty() {
                    self.of_waivers.remove(name);
                }
            }
            news.gone.push(name.clone());
        }
        if let Some(places) = &mut self.places {
            places.remove(finding);
        }
        if let Some(tally) = self.tallies.get_mut(&finding.finding.control) {
            tally.remove(finding);
        }
    }

    /// These waivers are for a finding that nothing was for.
    fn select(
        &mut self,
        finding: &Arc<FindingPosture>,
        waivers: Selection,
        stage: &Waivers,
        news: &mut News,
    ) {
        if waivers.is_empty() {
            return;
        }
        for name in &waivers {
            news.come.push(name.clone());
            let ids = self.of_waivers.entry(name.clone()).or_default();
            ids.insert(id(finding));
        }
        self.cover(finding, waivers, stage);
    }

    /// Shows a finding with the one of its waivers that covers it.
    fn cover(&mut self, finding: &Arc<FindingPosture>, waivers: Selection, stage: &Waivers) {
        let selected = self.selected.remove(&id(finding));
        let before = selected.map_or_else(|| finding.clone(), |selected| selected.shown);
        let covering = stage.covering(&waivers).unwrap_or_default();
        let mut shown = before.clone();
        if *before.finding.waiver != *covering {
            shown = finding.clone();
            if !covering.is_empty() {
                (*covering).clone_into(&mut Arc::make_mut(&mut shown).finding.waiver);
            }
            self.findings.remove(&before);
            self.findings.insert(shown.clone());
            if before.finding.is_waived() == covering.is_empty() {
                self.tally(finding).waive(finding, !covering.is_empty());
            }
        }
        if !waivers.is_empty() {
            let unwaived = finding.clone();
            let selected = Selected {
                unwaived,
                shown,
                waivers,
            };
            self.selected.insert(id(finding), selected);
        }
    }

    /// The tally of a finding's control. It is made when something of the control is waived for the first time.
    fn tally(&mut self, finding: &FindingPosture) -> &mut Tally {
        let control = &finding.finding.control;
        if !self.tallies.contains_key(control) {
            let all = self.places.iter().flat_map(|places| places.of_control(control));
            self.tallies.insert(control.clone(), Tally::of(all));
        }
        self.tallies.entry(control.clone()).or_default()
    }

    /// Makes the posture of what is shown.
    pub(super) fn render(&mut self, stage: &Waivers) {
        let unwaived = &self.unwaived;
        let mut controls = None;
        for (position, control) in unwaived.controls.iter().enumerate() {
            let fresh = match (control.result, self.tallies.get(control.control.id)) {
                (ControlResult::Manual, _) => {
                    let word = stage.word(unwaived, control.control.id);
                    word.map(|word| word.judge(control))
                }
                (_, Some(tally)) if !tally.is_plain() => Some(tally.reduced(control)),
                _ => None,
            };
            if let Some(fresh) = fresh {
                controls.get_or_insert_with(|| unwaived.controls.clone())[position] = fresh;
            }
        }
        self.posture = match controls {
            None => unwaived.clone(),
            Some(controls) => Arc::new(PolicyPosture {
                name: unwaived.name.clone(),
                policy: unwaived.policy.clone(),
                invalid: unwaived.invalid.clone(),
                controls,
                findings: self.findings.clone(),
                installations: unwaived.installations.clone(),
                gaps: unwaived.gaps.clone(),
                delivered: unwaived.delivered.clone(),
                tenants: unwaived.tenants.clone(),
            }),
        };
    }
}

impl Word<'_> {
    fn judge(self, control: &ControlPosture) -> ControlPosture {
        match self {
            Self::Counts(attestation) => attested(control, attestation),
            Self::Stale(scan) => doubted(control, scan),
        }
    }
}

/// A control that only a person can judge, and that somebody has judged.
fn attested(control: &ControlPosture, attestation: &Attestation) -> ControlPosture {
    let (by, end, statement) = (&attestation.by, attestation.expires.0, &attestation.statement);
    ControlPosture {
        result: ControlResult::Pass,
        reason: "Attested".to_owned(),
        message: bounded(&format!("attested until {end} by {by}: {statement}")),
        ..control.clone()
    }
}

/// A control that was judged by a scan that is too old.
fn doubted(control: &ControlPosture, scan: &ScannedHistory) -> ControlPosture {
    let (repository, at) = (&scan.repository, scan.scanned_at.0);
    ControlPosture {
        result: ControlResult::Unknown,
        reason: "ReportStale".to_owned(),
        message: bounded(&format!(
            "the report of {at} on the history of {repository} has expired: scan it again"
        )),
        ..control.clone()
    }
}
