//! Evaluates controls, and only those whose evidence changed. Pure: one writer, no clock, no I/O.

pub mod policy;
pub mod posture;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::controls::{CATALOGUE, Control, Outcome, Parameters, Subject, Verdict};
use crate::flux::detect::Certainty;
use crate::inventory::view::complete;
use crate::inventory::{Changed, Delta, Instance, InstanceKey, Inventory, Missing, View};
use crate::kinds::own::PolicyRow;
use crate::kinds::{self, KindId, id_of};

use policy::Plan;
pub use posture::{ControlPosture, FindingPosture, PolicyPosture, Posture};

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

/// A control under one set of parameters; policies that agree on both share the verdicts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnitId {
    control: &'static str,
    parameters: Parameters,
}

/// The verdicts of one unit.
struct Unit {
    control: &'static Control,
    cells: BTreeMap<InstanceKey, Verdict>,
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
        if changed.iter().any(concerns_policies) {
            self.replan();
        }
        self.evaluate(&changed);
        self.render();
        true
    }

    /// Evaluates everything again: the safety net of `spec.interval`, and the oracle of the property test.
    pub fn evaluate_all(&mut self) {
        self.units.clear();
        self.replan();
        self.render();
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
                cells: BTreeMap::new(),
            };
            for (key, instance) in self.inventory.instances() {
                if !control.components.contains(&key.component) {
                    continue;
                }
                self.evaluations += 1;
                unit.cells.insert(
                    key.clone(),
                    judge(&self.inventory, control, &id.parameters, key, instance),
                );
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
    fn evaluate(&mut self, changed: &BTreeSet<Changed>) {
        let kinds: BTreeSet<KindId> = changed.iter().filter_map(touched_kind).collect();
        let coverage_of_controllers = changed.iter().any(concerns_instances);
        let instances: Vec<&InstanceKey> = changed.iter().filter_map(touched_instance).collect();
        for (id, unit) in &mut self.units {
            let control = unit.control;
            let everything =
                coverage_of_controllers || control.reads.iter().any(|kind| kinds.contains(&kind()));
            let mut dirty: BTreeSet<InstanceKey> = instances
                .iter()
                .copied()
                .filter(|key| control.components.contains(&key.component))
                .cloned()
                .collect();
            if everything {
                dirty.extend(unit.cells.keys().cloned());
            }
            for key in dirty {
                let Some(instance) = self.inventory.instances().get(&key) else {
                    unit.cells.remove(&key);
                    continue;
                };
                self.evaluations += 1;
                let verdict = judge(&self.inventory, control, &id.parameters, &key, instance);
                unit.cells.insert(key, verdict);
            }
        }
    }

    /// Makes the posture of every policy; an unchanged one keeps its identity.
    fn render(&mut self) {
        self.postures.retain(|name, _| self.plans.contains_key(name));
        for (name, plan) in &self.plans {
            let cells = |id: &UnitId| self.units.get(id).map(|unit| &unit.cells);
            let fresh = posture::render(name, plan, &self.inventory, &cells);
            if self.postures.get(name).is_some_and(|known| **known == fresh) {
                continue;
            }
            self.postures.insert(name.clone(), Arc::new(fresh));
        }
    }
}

/// Judges one controller. A panic of a control is its own `Unknown`, not the end of the audit.
fn judge(
    inventory: &Inventory,
    control: &'static Control,
    parameters: &Parameters,
    key: &InstanceKey,
    instance: &Instance,
) -> Verdict {
    if instance.certainty != Certainty::Accepted {
        let message = format!(
            "{key} has some traces of {}, not enough to be sure",
            key.component
        );
        return Verdict::Unknown(Missing::new("PossiblyFlux", message));
    }
    let view = View::new(inventory);
    let subject = Subject {
        key,
        instance,
        view: &view,
        parameters,
    };
    let judged = catch_unwind(AssertUnwindSafe(|| (control.judge)(&subject)));
    match judged {
        Ok(Ok(Outcome::Pass)) => match controllers_are_complete(inventory) {
            Ok(()) => Verdict::Judged(Outcome::Pass),
            Err(missing) => Verdict::Unknown(missing),
        },
        Ok(Ok(outcome)) => Verdict::Judged(outcome),
        Ok(Err(missing)) => Verdict::Unknown(missing),
        Err(_) => Verdict::Unknown(Missing::new(
            "Internal",
            format!("{} panicked on {key}", control.id),
        )),
    }
}

/// The kinds that instances are made of: intent and evidence.
fn controller_kinds() -> [KindId; 3] {
    [
        id_of::<kinds::workload::Deployment>(),
        id_of::<kinds::workload::StatefulSet>(),
        id_of::<kinds::pod::Pod>(),
    ]
}

/// Fails unless every controller of the cluster can be seen.
pub(crate) fn controllers_are_complete(inventory: &Inventory) -> Result<(), Missing> {
    controller_kinds()
        .into_iter()
        .try_for_each(|kind| complete(inventory, kind))
}

fn concerns_policies(changed: &Changed) -> bool {
    touched_kind(changed) == Some(id_of::<kinds::own::Policy>())
}

fn concerns_instances(changed: &Changed) -> bool {
    matches!(changed, Changed::Coverage(kind) if controller_kinds().contains(kind))
}

fn touched_kind(changed: &Changed) -> Option<KindId> {
    match changed {
        Changed::Object(kind, _) | Changed::Coverage(kind) => Some(*kind),
        Changed::Instance(_) => None,
    }
}

fn touched_instance(changed: &Changed) -> Option<&InstanceKey> {
    match changed {
        Changed::Instance(key) => Some(key),
        _ => None,
    }
}
