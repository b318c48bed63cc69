//! Evaluates controls, and only those whose evidence changed. Pure: one writer, no clock, no I/O.

mod cells;
mod dirty;
pub mod findings;
pub mod policy;
pub mod posture;
pub mod reading;
mod telling;
mod waivers;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use crate::controls::{CATALOGUE, Control, Defect, Judges, Outcome, Parameters, Verdict};
use crate::inventory::{
    AtHand, Changed, Delta, Inventory, Missing, ObjectKey, Owner, Place, SubjectKey, TenancyRules, View,
    namespaces,
};
use crate::kinds::own::{PolicyRow, WaiverRow};
use crate::kinds::{self, KindId, id_of};

use cells::{Cells, Far};
use dirty::Dirty;
pub use findings::Findings;
use policy::Plan;
pub use posture::{ControlPosture, FindingPosture, PolicyPosture, Posture, Resolved};
pub use reading::Reading;
use telling::Telling;
use waivers::Waivers;
pub use waivers::{Doubt, WARNINGS, WaiverPosture, WaiverPostures};

/// Defects that are told of one object.
const MOST_DEFECTS: usize = 50;

/// The incremental evaluator.
pub struct Engine {
    inventory: Inventory,
    catalogue: &'static [&'static Control],
    /// Ordered by their ids.
    units: Vec<Unit>,
    plans: BTreeMap<String, Plan>,
    /// The only policy, when the cluster's policies do not count.
    pinned: Option<(String, PolicyRow)>,
    /// Without waivers.
    postures: BTreeMap<String, Arc<PolicyPosture>>,
    /// How the postures were told, by policy.
    tellings: BTreeMap<String, Telling>,
    waivers: Waivers,
    /// Waivers that count beside those of the cluster, and before those of the same name.
    pinned_waivers: BTreeMap<String, WaiverRow>,
    evaluations: u64,
    /// Whether somebody fetches the artifacts that policies ask for.
    fetches: bool,
}

/// A control under one set of parameters; policies that agree on them share the verdicts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnitId {
    control: &'static str,
    parameters: Parameters,
    rules: Arc<TenancyRules>,
}

/// The verdicts of one unit.
struct Unit {
    id: UnitId,
    control: &'static Control,
    cells: Cells,
}

/// What may look different after a change.
#[derive(Default)]
struct Stale {
    /// Every control: policies, coverage or controllers changed.
    everything: bool,
    /// The verdicts on these subjects, by the position of their unit.
    units: BTreeMap<usize, Vec<SubjectKey>>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(CATALOGUE)
    }
}

impl Engine {
    /// An engine for a catalogue of controls.
    #[must_use]
    pub fn new(catalogue: &'static [&'static Control]) -> Self {
        Self {
            inventory: Inventory::default(),
            catalogue,
            units: Vec::new(),
            plans: BTreeMap::new(),
            pinned: None,
            postures: BTreeMap::new(),
            tellings: BTreeMap::new(),
            waivers: Waivers::default(),
            pinned_waivers: BTreeMap::new(),
            evaluations: 0,
            fetches: false,
        }
    }

    /// From now on somebody fetches the artifacts that policies ask for: until each has been read once, an audit is not
    /// complete.
    pub const fn artifacts_are_fetched(&mut self) {
        self.fetches = true;
    }

    /// Audits with this policy alone, whatever policies the cluster has.
    pub fn pin(&mut self, name: &str, policy: PolicyRow) {
        self.pinned = Some((name.to_owned(), policy));
        self.evaluate_all();
    }

    /// Counts these waivers too, beside those of the cluster and before those of the same name.
    pub fn waive(&mut self, waivers: impl IntoIterator<Item = (String, WaiverRow)>) {
        self.pinned_waivers = waivers.into_iter().collect();
        self.reload_waivers();
    }

    /// It is that late now: waivers end, and may begin again when a clock was wrong. True when anything looks different.
    /// Before anybody told how late it is, no waiver is in effect.
    pub fn advance(&mut self, now: Timestamp) -> bool {
        self.waivers.advance(now)
    }

    /// When the posture changes next by time alone.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.waivers.next_deadline()
    }

    /// Whether a clock that is set may change anything.
    #[must_use]
    pub fn has_deadlines(&self) -> bool {
        self.waivers.has_deadlines()
    }

    /// Takes in facts and re-evaluates what they touch. True when a posture or the coverage changed.
    pub fn ingest(&mut self, deltas: impl IntoIterator<Item = Delta>) -> bool {
        !self.take_in(deltas).is_empty()
    }

    /// Takes in facts, re-evaluates what they touch, and tells what changed.
    pub fn take_in(&mut self, deltas: impl IntoIterator<Item = Delta>) -> BTreeSet<Changed> {
        let changed = self.inventory.apply(deltas);
        if changed.is_empty() {
            return changed;
        }
        let mut stale = Stale {
            everything: changed.iter().any(is_seen_by_every_policy),
            ..Stale::default()
        };
        if changed.iter().any(concerns_policies) {
            self.replan();
        }
        self.evaluate(&changed, &mut stale);
        self.render(&stale);
        self.waivers.take(self.changed_waivers(&changed));
        self.waivers.follow(&self.postures);
        changed
    }

    /// Evaluates everything again: the safety net of `spec.interval`, and the oracle of the property test.
    pub fn evaluate_all(&mut self) {
        self.units.clear();
        self.replan();
        self.render(&Stale {
            everything: true,
            ..Stale::default()
        });
        self.reload_waivers();
    }

    /// How many verdicts were computed so far.
    #[must_use]
    pub const fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// What is known of the cluster.
    #[must_use]
    pub const fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The posture of every policy, at this moment.
    #[must_use]
    pub fn posture(&self) -> Posture {
        let waits_for_trees =
            self.fetches && self.asks_for_artifacts() && !self.inventory.trees_are_settled();
        let mut posture = Posture::new(&self.inventory, self.waivers.policies(), self.waivers.postures());
        posture.settled &= !waits_for_trees;
        posture
    }

    /// Reads the policies and makes sure that each has the units it asks for.
    fn replan(&mut self) {
        self.plans = self
            .policies()
            .map(|(name, row)| (name.to_owned(), Plan::new(row, self.catalogue)))
            .collect();
        self.tellings.clear();
        let wanted: BTreeSet<UnitId> = self.plans.values().flat_map(Plan::units).cloned().collect();
        self.units.retain(|unit| wanted.contains(&unit.id));
        let is_new = |id: &UnitId| self.unit(id).is_none();
        let mut fresh: Vec<Unit> = wanted
            .into_iter()
            .filter(is_new)
            .filter_map(|id| Unit::new(id, self.catalogue))
            .collect();
        self.evaluations += fill(&self.inventory, &mut fresh);
        self.units.append(&mut fresh);
        self.units.sort_by(|a, b| a.id.cmp(&b.id));
        let mut plans = std::mem::take(&mut self.plans);
        for item in plans.values_mut().flat_map(|plan| &mut plan.items) {
            item.position = self.unit(&item.unit);
        }
        self.plans = plans;
    }

    /// Where a unit is.
    fn unit(&self, id: &UnitId) -> Option<usize> {
        self.units.binary_search_by(|unit| unit.id.cmp(id)).ok()
    }

    /// Takes in every waiver anew.
    fn reload_waivers(&mut self) {
        let of_cluster = self.inventory.table::<kinds::own::Waiver>().iter();
        let of_cluster = of_cluster.map(|(key, row)| (key.name.clone(), row));
        let pinned = self.pinned_waivers.iter();
        let pinned = pinned.map(|(name, row)| (Arc::from(name.as_str()), row));
        let all: BTreeMap<Arc<str>, &WaiverRow> = of_cluster.chain(pinned).collect();
        let all = all.into_iter().map(|(name, row)| (name, Some(row.clone())));
        self.waivers.restart(all);
        self.waivers.follow(&self.postures);
    }

    /// The waivers of the cluster that are new, other ones, or gone.
    fn changed_waivers(&self, changed: &BTreeSet<Changed>) -> Vec<(Arc<str>, Option<WaiverRow>)> {
        let kind = id_of::<kinds::own::Waiver>();
        let table = self.inventory.table::<kinds::own::Waiver>();
        let of_cluster = changed.iter().filter_map(|change| match change {
            Changed::Object(of, key) if *of == kind => Some(key),
            _ => None,
        });
        of_cluster
            .filter(|key| !self.pinned_waivers.contains_key(&*key.name))
            .map(|key| (key.name.clone(), table.get(key).cloned()))
            .collect()
    }

    fn policies(&self) -> Box<dyn Iterator<Item = (&str, &PolicyRow)> + '_> {
        if let Some((name, row)) = &self.pinned {
            return Box::new(std::iter::once((name.as_str(), row)));
        }
        Box::new(
            self.inventory
                .table::<kinds::own::Policy>()
                .iter()
                .map(|(key, row)| (&*key.name, row)),
        )
    }

    /// Re-evaluates the cells whose evidence changed.
    fn evaluate(&mut self, changed: &BTreeSet<Changed>, stale: &mut Stale) {
        for (position, unit) in self.units.iter_mut().enumerate() {
            let dirty = Dirty::new(unit.control, changed);
            let mut differs = Vec::new();
            for key in dirty.subjects(unit.control, &unit.cells, &self.inventory) {
                let exists = exists(&self.inventory, &key);
                self.evaluations += u64::from(exists);
                let place = self.inventory.place_of(&key);
                let touched = if exists {
                    unit.judge(&self.inventory, &key, place, AtHand::default())
                } else {
                    unit.cells.forget(&key, place)
                };
                if touched {
                    differs.push(key);
                }
            }
            if !differs.is_empty() {
                stale.units.insert(position, differs);
            }
        }
        self.inventory.settle();
    }

    /// Makes the postures that may look different; an unchanged one keeps its identity.
    fn render(&mut self, stale: &Stale) {
        self.postures.retain(|name, _| self.plans.contains_key(name));
        for (name, plan) in &self.plans {
            let fresh = posture::render(
                name,
                &posture::Sources {
                    plan,
                    inventory: &self.inventory,
                    units: &self.units,
                    stale,
                    before: self.postures.get(name).map(|known| &**known),
                },
                self.tellings.entry(name.clone()).or_default(),
            );
            if let Some(fresh) = fresh {
                self.postures.insert(name.clone(), Arc::new(fresh));
            }
        }
    }
}

impl Unit {
    fn new(id: UnitId, catalogue: &[&'static Control]) -> Option<Self> {
        let control = catalogue.iter().find(|control| control.id == id.control)?;
        Some(Self {
            cells: Cells::new(control),
            control,
            id,
        })
    }

    /// Judges a subject. True when reports may look different now.
    fn judge(
        &mut self,
        inventory: &Inventory,
        key: &SubjectKey,
        place: Option<Place>,
        at_hand: AtHand<'_>,
    ) -> bool {
        let (verdict, far) = judge(inventory, self.control, &self.id, key, at_hand);
        self.cells.set(key, place, verdict, far)
    }
}

/// Judges all that there is for units that have no verdicts yet. How many verdicts that are.
fn fill(inventory: &Inventory, units: &mut [Unit]) -> u64 {
    let mut verdicts = 0;
    for unit in &mut *units {
        if !unit.control.judges.row_kinds().is_empty() {
            continue;
        }
        for key in unit.control.judges.subjects(inventory) {
            unit.judge(inventory, &key, None, AtHand::default());
            verdicts += 1;
        }
    }
    for kind in KindId::all() {
        verdicts += fill_rows(inventory, kind, units);
    }
    verdicts
}

/// Judges the rows of a kind, one after the other by all units: what a row holds is near the processor then.
fn fill_rows(inventory: &Inventory, kind: KindId, units: &mut [Unit]) -> u64 {
    let mut owners = Owners::default();
    let judging = units
        .iter_mut()
        .filter(|unit| unit.control.judges.row_kinds().contains(&kind));
    let mut judging: Vec<(&mut Unit, usize)> = judging
        .map(|unit| {
            let rules = owners.by(&unit.id.rules);
            (unit, rules)
        })
        .collect();
    if judging.is_empty() {
        return 0;
    }
    let mut verdicts = 0;
    for (key, slot, row) in inventory.each(kind) {
        let place = Some(Place { kind, slot });
        let object = SubjectKey::Object(kind, key.clone());
        let itself = SubjectKey::Namespace(key.name.clone());
        for (unit, rules) in &mut judging {
            let (subject, namespace) = match unit.control.judges {
                Judges::Namespaces(_) => (&itself, &*key.name),
                _ => (&object, &*key.namespace),
            };
            let at_hand = AtHand {
                row: Some(row),
                owner: Some(owners.of(inventory, *rules, namespace)),
            };
            unit.judge(inventory, subject, place, at_hand);
            verdicts += 1;
        }
    }
    verdicts
}

/// Whom the last namespace belongs to, by each of some rules: the rows of one come one after the other.
#[derive(Default)]
struct Owners<'a>(Vec<(Arc<TenancyRules>, Option<Owned<'a>>)>);

/// A namespace, and whom it belongs to.
type Owned<'a> = (&'a str, Result<Owner<'a>, Missing>);

impl<'a> Owners<'a> {
    /// The position of some rules.
    fn by(&mut self, rules: &Arc<TenancyRules>) -> usize {
        let known = self.0.iter().position(|(known, _)| known == rules);
        known.unwrap_or_else(|| {
            self.0.push((rules.clone(), None));
            self.0.len() - 1
        })
    }

    fn of(
        &mut self,
        inventory: &'a Inventory,
        rules: usize,
        namespace: &'a str,
    ) -> &Result<Owner<'a>, Missing> {
        let (rules, last) = &mut self.0[rules];
        last.take_if(|(known, _)| *known != namespace);
        let (_, owner) = last.get_or_insert_with(|| (namespace, rules.owner(inventory, namespace)));
        owner
    }
}

fn exists(inventory: &Inventory, key: &SubjectKey) -> bool {
    match key {
        SubjectKey::Controller(key) => inventory.instances().contains_key(key),
        SubjectKey::Object(kind, key) => inventory.contains(*kind, key),
        SubjectKey::Namespace(name) => inventory.contains(namespaces(), &ObjectKey::new("", name)),
        SubjectKey::Cluster => true,
    }
}

/// Judges one subject, and tells how far that looked. A panic of a control is its own `Unknown`, not the end of the
/// audit.
fn judge(
    inventory: &Inventory,
    control: &'static Control,
    unit: &UnitId,
    key: &SubjectKey,
    at_hand: AtHand<'_>,
) -> (Verdict, Far) {
    if let Some(missing) = possibly_flux(inventory, key) {
        return (Verdict::Unknown(missing), 0);
    }
    let view = View::new(inventory, key, &unit.rules).with(at_hand);
    let judged = catch_unwind(AssertUnwindSafe(|| control.judges.judge(&view, &unit.parameters)));
    let verdict = match judged {
        Ok(Some(Ok(Outcome::Fail(defects)))) if defects.is_empty() => {
            internal(control, key, "fails for no reason")
        }
        Ok(Some(Ok(Outcome::Fail(defects)))) => Verdict::Judged(Outcome::Fail(summed_up(defects))),
        Ok(Some(Ok(outcome))) => view.lacks().map_or(Verdict::Judged(outcome), Verdict::Unknown),
        Ok(Some(Err(missing))) if inventory.is_of_input() => Verdict::Unknown(missing.in_manifests()),
        Ok(Some(Err(missing))) => Verdict::Unknown(missing),
        Ok(None) => internal(control, key, "did not find its subject"),
        Err(_) => internal(control, key, "panicked"),
    };
    (verdict, dirty::far(control, view.seen()))
}

/// The first defects of each object and of each file; the last of them stands for the rest. An object with a list of
/// references may have tens of thousands, each as large as a finding.
fn summed_up(defects: Vec<Defect>) -> Vec<Defect> {
    if defects.len() <= MOST_DEFECTS {
        return defects;
    }
    let mut kept: Vec<Defect> = Vec::new();
    // Of each how many there are, and the place of the last that is kept.
    let mut objects: BTreeMap<(Option<SubjectKey>, String), (usize, usize)> = BTreeMap::new();
    for defect in defects {
        let (found, last) = objects
            .entry((defect.about.clone(), defect.file.clone()))
            .or_default();
        *found += 1;
        if *found <= MOST_DEFECTS {
            *last = kept.len();
            kept.push(defect);
        }
    }
    for (found, last) in objects.into_values().filter(|(found, _)| *found > MOST_DEFECTS) {
        let rest = found - MOST_DEFECTS + 1;
        kept[last].message = format!("one of {rest} more: {}", kept[last].message);
    }
    kept
}

fn internal(control: &Control, key: &SubjectKey, what: &str) -> Verdict {
    Verdict::Unknown(Missing::new(
        "Internal",
        format!("{} {what} on {key}", control.id),
    ))
}

/// A workload with some traces of Flux is judged by nobody.
fn possibly_flux(inventory: &Inventory, key: &SubjectKey) -> Option<Missing> {
    let SubjectKey::Controller(key) = key else {
        return None;
    };
    inventory.instances().get(key)?.doubt(key)
}

/// Installations and gaps are part of every posture.
fn is_seen_by_every_policy(changed: &Changed) -> bool {
    let is_told_by_verdicts_alone = matches!(
        changed,
        Changed::Object(..)
            | Changed::Access(_)
            | Changed::Neighbours(_)
            | Changed::Tolerations
            | Changed::Trees
    );
    !is_told_by_verdicts_alone || concerns_policies(changed)
}

fn concerns_policies(changed: &Changed) -> bool {
    let policies = id_of::<kinds::own::Policy>();
    matches!(changed, Changed::Object(kind, _) | Changed::Coverage(kind) if *kind == policies)
}
