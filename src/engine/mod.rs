//! Evaluates controls, and only those whose evidence changed. Pure: one writer, no clock, no I/O.

mod cells;
mod dirty;
pub mod policy;
pub mod posture;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::controls::{CATALOGUE, Control, Defect, Outcome, Parameters, Verdict};
use crate::inventory::{
    Changed, Delta, Inventory, Missing, ObjectKey, SubjectKey, TenancyRules, View, namespaces,
};
use crate::kinds::own::PolicyRow;
use crate::kinds::{self, id_of};

use cells::{Cells, Far};
use dirty::Dirty;
use policy::Plan;
pub use posture::{ControlPosture, FindingPosture, PolicyPosture, Posture};

/// Defects that are told of one object.
const MOST_DEFECTS: usize = 50;

/// The incremental evaluator.
pub struct Engine {
    inventory: Inventory,
    catalogue: &'static [&'static Control],
    units: BTreeMap<UnitId, Unit>,
    plans: BTreeMap<String, Plan>,
    /// The only policy, when the cluster's policies do not count.
    pinned: Option<(String, PolicyRow)>,
    postures: BTreeMap<String, Arc<PolicyPosture>>,
    evaluations: u64,
}

/// A control under one set of parameters; policies that agree on them share the verdicts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnitId {
    control: &'static str,
    parameters: Parameters,
    rules: TenancyRules,
}

/// The verdicts of one unit.
struct Unit {
    control: &'static Control,
    cells: Cells,
}

/// What may look different after a change.
#[derive(Default)]
struct Stale {
    /// Everything: policies, coverage or controllers changed.
    everything: bool,
    /// The verdicts of these units.
    units: BTreeSet<UnitId>,
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
            units: BTreeMap::new(),
            plans: BTreeMap::new(),
            pinned: None,
            postures: BTreeMap::new(),
            evaluations: 0,
        }
    }

    /// Audits with this policy alone, whatever policies the cluster has.
    pub fn pin(&mut self, name: &str, policy: PolicyRow) {
        self.pinned = Some((name.to_owned(), policy));
        self.evaluate_all();
    }

    /// Takes in facts and re-evaluates what they touch. True when a posture or the coverage changed.
    pub fn ingest(&mut self, deltas: impl IntoIterator<Item = Delta>) -> bool {
        let changed = self.inventory.apply(deltas);
        if changed.is_empty() {
            return false;
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
        true
    }

    /// Evaluates everything again: the safety net of `spec.interval`, and the oracle of the property test.
    pub fn evaluate_all(&mut self) {
        self.units.clear();
        self.replan();
        self.render(&Stale {
            everything: true,
            ..Stale::default()
        });
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
        Posture::new(&self.inventory, self.postures.clone())
    }

    /// Reads the policies and makes sure that each has the units it asks for.
    fn replan(&mut self) {
        self.plans = self
            .policies()
            .map(|(name, row)| (name.to_owned(), Plan::new(row, self.catalogue)))
            .collect();
        let wanted: BTreeSet<UnitId> = self.plans.values().flat_map(Plan::units).cloned().collect();
        self.units.retain(|id, _| wanted.contains(id));
        for id in wanted {
            if self.units.contains_key(&id) {
                continue;
            }
            let Some(control) = self.catalogue.iter().find(|control| control.id == id.control) else {
                continue;
            };
            let mut unit = Unit {
                control,
                cells: Cells::default(),
            };
            for key in control.judges.subjects(&self.inventory) {
                self.evaluations += 1;
                let (verdict, far) = judge(&self.inventory, control, &id, &key);
                unit.cells.set(key, verdict, far);
            }
            self.units.insert(id, unit);
        }
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
        for (id, unit) in &mut self.units {
            let dirty = Dirty::new(unit.control, changed);
            let mut differs = false;
            for key in dirty.subjects(unit.control, &unit.cells) {
                if !exists(&self.inventory, &key) {
                    differs |= unit.cells.forget(&key);
                    continue;
                }
                self.evaluations += 1;
                let (verdict, far) = judge(&self.inventory, unit.control, id, &key);
                differs |= unit.cells.set(key, verdict, far);
            }
            if differs {
                stale.units.insert(id.clone());
            }
        }
    }

    /// Makes the postures that may look different; an unchanged one keeps its identity.
    fn render(&mut self, stale: &Stale) {
        self.postures.retain(|name, _| self.plans.contains_key(name));
        for (name, plan) in &self.plans {
            let known = self.postures.get(name);
            let touched = stale.everything || plan.units().any(|unit| stale.units.contains(unit));
            if known.is_some() && !touched {
                continue;
            }
            let fresh = posture::render(
                name,
                &posture::Sources {
                    plan,
                    inventory: &self.inventory,
                    cells: &|id| self.units.get(id).map(|unit| &unit.cells),
                    before: known.filter(|_| !stale.everything).map(|known| &**known),
                    is_stale: &|id| stale.units.contains(id),
                },
            );
            if known.is_some_and(|known| **known == fresh) {
                continue;
            }
            self.postures.insert(name.clone(), Arc::new(fresh));
        }
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
) -> (Verdict, Far) {
    if let Some(missing) = possibly_flux(inventory, key) {
        return (Verdict::Unknown(missing), 0);
    }
    let view = View::new(inventory, key, &unit.rules);
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
    (verdict, dirty::far(control, &view.reads()))
}

/// The first defects of each object and of each file; the last of them stands for the rest. An object with a list of references may have
/// tens of thousands, each as large as a finding.
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
        Changed::Object(..) | Changed::Neighbours(_) | Changed::Tolerations | Changed::Trees
    );
    !is_told_by_verdicts_alone || concerns_policies(changed)
}

fn concerns_policies(changed: &Changed) -> bool {
    let policies = id_of::<kinds::own::Policy>();
    matches!(changed, Changed::Object(kind, _) | Changed::Coverage(kind) if *kind == policies)
}
