//! Evaluates controls, and only those whose evidence changed. Pure: one writer, no clock, no I/O.

mod cells;
mod dirty;
pub mod findings;
pub mod policy;
pub mod posture;
pub mod reading;
mod telling;
mod tenants;
mod waivers;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use crate::api::report::DeliveredSecret;
use crate::controls::{CATALOGUE, Control, Defect, Judges, JudgesRows, Outcome, Parameters, Verdict};
use crate::custom;
use crate::inventory::{
    AtHand, Changed, Delta, Inventory, Missing, ObjectKey, Owner, Place, Slot, SubjectKey, TenancyRules,
    View, access_is_complete, controllers_are_complete, namespaces,
};
use crate::kinds::own::{PolicyRow, WaiverRow};
use crate::kinds::{self, KindId, id_of};

use cells::{Cells, Column, Far};
use dirty::{Dirty, Farsight};
pub use findings::Findings;
use policy::Plan;
pub use posture::{ControlPosture, FindingPosture, PolicyPosture, Posture, Resolved};
pub use reading::Reading;
use telling::Telling;
pub use tenants::Tenants;
use tenants::Touched;
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
    /// Secrets that sources delivered, for reports to remember.
    delivered: Arc<[DeliveredSecret]>,
    /// Whom namespaces belong to; policies that agree on that share it.
    tenants: BTreeMap<Arc<TenancyRules>, Arc<Tenants>>,
}

/// A control under one set of parameters; policies that agree on them share the verdicts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnitId {
    control: &'static str,
    parameters: Parameters,
    rules: Arc<TenancyRules>,
    /// What a custom control asks: policies may mean different ones by an id.
    custom: Option<ByPlace>,
}

/// A control of its own, whatever it is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByPlace(pub(crate) &'static Control);

impl ByPlace {
    fn place(self) -> usize {
        std::ptr::from_ref(self.0).addr()
    }
}

impl PartialEq for ByPlace {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for ByPlace {}

impl PartialOrd for ByPlace {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByPlace {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

/// The verdicts of one unit.
struct Unit {
    id: UnitId,
    control: &'static Control,
    farsight: Farsight,
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
            delivered: Arc::default(),
            tenants: BTreeMap::new(),
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
        let mut changed = self.inventory.apply(deltas);
        if changed.is_empty() {
            return changed;
        }
        let mut stale = Stale {
            everything: changed.iter().any(is_seen_by_every_policy),
            ..Stale::default()
        };
        if changed.iter().any(concerns_policies) {
            changed.extend(self.replan(&[]));
        }
        if changed.contains(&Changed::Trees) {
            self.delivered = self.inventory.remembered().into();
        }
        let gives_away = self.follow_tenants(&changed);
        stale.everything |= gives_away;
        self.evaluate(&changed, &mut stale);
        self.render(&stale);
        self.waivers.take(self.changed_waivers(&changed));
        self.waivers.follow(&self.postures);
        changed
    }

    /// Evaluates everything again: the safety net of `spec.interval`. What fails as it failed before is not told again,
    /// as long as the policy is the same.
    pub fn evaluate_all(&mut self) {
        let before = std::mem::take(&mut self.units);
        let plans = std::mem::take(&mut self.plans);
        let mut tellings = std::mem::take(&mut self.tellings);
        let is_as_it_was =
            |(name, row): (&str, &PolicyRow)| plans.get(name).is_some_and(|then| then.row == *row);
        let are_the_same = self.policies().all(is_as_it_was);
        self.replan(if are_the_same { &before } else { &[] });
        self.tenants.clear();
        self.follow_tenants(&BTreeSet::new());
        let is_asked_again = |name: &String| {
            let (now, then) = (self.plans.get(name), plans.get(name));
            now.zip(then).is_some_and(|(now, then)| now.row == then.row)
        };
        tellings.retain(|name, _| is_asked_again(name));
        self.tellings = tellings;
        self.render(&Stale {
            everything: true,
            units: self.differing(&before),
        });
        self.reload_waivers();
    }

    /// The subjects of which something else is to be told than by the units before, by the position of their unit.
    fn differing(&self, before: &[Unit]) -> BTreeMap<usize, Vec<SubjectKey>> {
        let none = Cells::default();
        let differing = self.units.iter().map(|unit| {
            let known = cells_of(before, &unit.id);
            unit.cells.differing(known.unwrap_or(&none))
        });
        let differing = differing.enumerate().filter(|(_, keys)| !keys.is_empty());
        differing.collect()
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
        posture.settled &= !waits_for_trees && self.inventory.customs().are_settled();
        posture
    }

    /// Reads the policies and makes sure that each has the units it asks for, which may have been there before. Tells of
    /// which kinds something else is asked in custom controls.
    fn replan(&mut self, before: &[Unit]) -> BTreeSet<Changed> {
        self.plans = self
            .policies()
            .map(|(name, row)| (name.to_owned(), Plan::new(row, self.catalogue)))
            .collect();
        self.tellings.clear();
        let asked = self.ask();
        let wanted: BTreeSet<UnitId> = self.plans.values().flat_map(Plan::units).cloned().collect();
        self.units.retain(|unit| wanted.contains(&unit.id));
        let is_new = |id: &UnitId| self.unit(id).is_none();
        let mut fresh: Vec<Unit> = wanted
            .into_iter()
            .filter(is_new)
            .filter_map(|id| Unit::new(id, self.catalogue))
            .collect();
        self.evaluations += fill(&self.inventory, &mut fresh, before);
        self.units.append(&mut fresh);
        self.units.sort_by(|a, b| a.id.cmp(&b.id));
        let mut plans = std::mem::take(&mut self.plans);
        for item in plans.values_mut().flat_map(|plan| &mut plan.items) {
            item.position = self.unit(&item.unit);
        }
        self.plans = plans;
        asked
    }

    /// Looks again at whom namespaces belong to. True when one belongs to somebody else.
    fn follow_tenants(&mut self, changed: &BTreeSet<Changed>) -> bool {
        let wanted: BTreeSet<&Arc<TenancyRules>> = self.plans.values().map(|plan| &plan.owners).collect();
        self.tenants.retain(|rules, _| wanted.contains(rules));
        let touched = Touched::by(changed.iter());
        let mut differs = false;
        for rules in wanted {
            let fresh = match self.tenants.get(rules) {
                Some(known) => known.after(&touched, rules, &self.inventory),
                None => Some(Tenants::new(rules, &self.inventory)),
            };
            if let Some(fresh) = fresh {
                differs = true;
                self.tenants.insert(rules.clone(), Arc::new(fresh));
            }
        }
        differs
    }

    /// Says what policies ask in custom controls, and tells of which kinds that is something else.
    fn ask(&mut self) -> BTreeSet<Changed> {
        let asking = self.plans.values().filter(|plan| !plan.row.spec.suspend);
        let wanted = custom::by_kind(asking.flat_map(|plan| &plan.checks));
        self.inventory.ask(wanted)
    }

    /// Where a unit is.
    fn unit(&self, id: &UnitId) -> Option<usize> {
        position(&self.units, id)
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
                    unit.judge(&self.inventory, &key, place)
                } else {
                    unit.forget(&key, place)
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
        let nobody = Arc::default();
        for (name, plan) in &self.plans {
            let fresh = posture::render(
                name,
                &posture::Sources {
                    plan,
                    inventory: &self.inventory,
                    units: &self.units,
                    stale,
                    before: self.postures.get(name).map(|known| &**known),
                    delivered: &self.delivered,
                    tenants: self.tenants.get(&plan.owners).unwrap_or(&nobody),
                },
                self.tellings.entry(name.clone()).or_default(),
            );
            if let Some(fresh) = fresh {
                self.postures.insert(name.clone(), Arc::new(fresh));
            }
        }
        for unit in &mut self.units {
            unit.cells.told();
        }
    }
}

impl Unit {
    fn new(id: UnitId, catalogue: &[&'static Control]) -> Option<Self> {
        let listed = || catalogue.iter().copied().find(|control| control.id == id.control);
        let control = id.custom.map(|custom| custom.0).or_else(listed)?;
        Some(Self {
            cells: Cells::new(control),
            farsight: Farsight::of(control),
            control,
            id,
        })
    }

    /// Judges a subject. True when reports may look different now.
    fn judge(&mut self, inventory: &Inventory, key: &SubjectKey, place: Option<Place>) -> bool {
        let (verdict, far) = self.verdict(inventory, key);
        if matches!(self.control.judges, Judges::Custom(_))
            && matches!(
                verdict,
                Verdict::Judged(Outcome::Pass | Outcome::NotApplicable(_))
            )
        {
            // Whoever keeps the objects counts those that are as they should be.
            return self.cells.forget(key, self.cells.at(place))
                || matches!(verdict, Verdict::Judged(Outcome::Pass));
        }
        self.cells.set(key, self.cells.at(place), verdict, far)
    }

    /// What is wrong with a subject. One whose verdict was told to others is judged once more.
    fn defects(&self, inventory: &Inventory, key: &SubjectKey) -> Cow<'_, [Defect]> {
        if let Some(defects) = self.cells.untold(key) {
            return Cow::Borrowed(defects);
        }
        match self.verdict(inventory, key) {
            (Verdict::Judged(Outcome::Fail(defects)), _) => Cow::Owned(defects),
            _ => Cow::default(),
        }
    }

    fn verdict(&self, inventory: &Inventory, key: &SubjectKey) -> (Verdict, Far) {
        let judges = &self.control.judges;
        let view = View::new(inventory, key, &self.id.rules);
        let verdict = match possibly_flux(inventory, key) {
            Some(missing) => Verdict::Unknown(missing),
            None => verdict(inventory, self.control, &view, || {
                judges.judge(&view, &self.id.parameters)
            }),
        };
        (verdict, self.farsight.of_verdict(view.seen()))
    }

    /// Forgets a subject that is gone. True when reports may look different now.
    fn forget(&mut self, key: &SubjectKey, place: Option<Place>) -> bool {
        // Of those that are as they should be nothing is kept here, but they are counted.
        self.cells.forget(key, self.cells.at(place)) || matches!(self.control.judges, Judges::Custom(_))
    }
}

/// Where a unit is, among units in order.
fn position(units: &[Unit], id: &UnitId) -> Option<usize> {
    units.binary_search_by(|unit| unit.id.cmp(id)).ok()
}

/// The verdicts of a unit.
fn cells_of<'a>(units: &'a [Unit], id: &UnitId) -> Option<&'a Cells> {
    position(units, id).map(|position| &units[position].cells)
}

/// Judges all that there is for units that have no verdicts yet, or other ones before. How many verdicts that are.
fn fill(inventory: &Inventory, units: &mut [Unit], before: &[Unit]) -> u64 {
    let mut verdicts = 0;
    for unit in &mut *units {
        if !unit.control.judges.row_kinds().is_empty() {
            continue;
        }
        for key in unit.control.judges.subjects(inventory) {
            unit.judge(inventory, &key, None);
            verdicts += 1;
        }
    }
    for kind in KindId::all() {
        verdicts += fill_rows(inventory, kind, units);
    }
    for unit in units {
        unit.cells.close(cells_of(before, &unit.id));
    }
    verdicts
}

/// Judges the rows of a kind, one after the other by all units: what a row holds is near the processor then.
fn fill_rows(inventory: &Inventory, kind: KindId, units: &mut [Unit]) -> u64 {
    let mut owners = Owners::default();
    let judging = units
        .iter_mut()
        .filter_map(|unit| RowUnit::new(unit, inventory, kind, &mut owners));
    let mut judging: Vec<RowUnit<'_>> = judging.collect();
    if judging.is_empty() {
        return 0;
    }
    let controllers = controllers_are_complete(inventory);
    let access = access_is_complete(inventory);
    let mut verdicts = 0;
    for (key, slot, row) in inventory.each(kind) {
        let object = SubjectKey::Object(kind, key.clone());
        let namespace = SubjectKey::Namespace(key.name.clone());
        for unit in &mut judging {
            let (subject, of) = match unit.judges {
                JudgesRows::Namespaces(_) => (&namespace, &*key.name),
                JudgesRows::Objects(_) => (&object, &*key.namespace),
            };
            let at_hand = AtHand {
                row: Some(row),
                owner: Some(owners.of(inventory, unit.rules, of)),
                controllers: Some(&controllers),
                access: access.as_ref(),
            };
            unit.judge(inventory, subject, slot, at_hand);
            verdicts += 1;
        }
    }
    verdicts
}

/// A unit that judges the rows of a kind, with what is the same for all of them.
struct RowUnit<'a> {
    unit: &'a mut Unit,
    judges: JudgesRows,
    column: Column,
    /// The position of its rules.
    rules: usize,
}

impl<'a> RowUnit<'a> {
    /// `None`: it does not judge that kind.
    fn new(unit: &'a mut Unit, inventory: &Inventory, kind: KindId, owners: &mut Owners<'_>) -> Option<Self> {
        let judges = unit.control.judges.of_rows(kind)?;
        let column = unit.cells.column(kind)?;
        unit.cells.reserve(column, inventory.rows(kind));
        Some(Self {
            rules: owners.by(&unit.id.rules),
            unit,
            judges,
            column,
        })
    }

    fn judge(&mut self, inventory: &Inventory, key: &SubjectKey, slot: Slot, at_hand: AtHand<'_>) {
        let unit = &mut *self.unit;
        let view = View::new(inventory, key, &unit.id.rules).with(at_hand);
        let verdict = verdict(inventory, unit.control, &view, || {
            self.judges.judge(&view, &unit.id.parameters)
        });
        let far = unit.farsight.of_verdict(view.seen());
        unit.cells.add(key, (self.column, slot), verdict, far);
    }
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
        // All units judge one row before the next: nearly always it is the very same text.
        last.take_if(|(known, _)| !std::ptr::eq(*known, namespace) && *known != namespace);
        let (known, owner) = last.get_or_insert_with(|| (namespace, rules.owner(inventory, namespace)));
        *known = namespace;
        owner
    }
}

fn exists(inventory: &Inventory, key: &SubjectKey) -> bool {
    match key {
        SubjectKey::Controller(key) => inventory.instances().contains_key(&**key),
        SubjectKey::Object(kind, key) => inventory.contains(*kind, key),
        SubjectKey::Namespace(name) => inventory.contains(namespaces(), &ObjectKey::new("", name)),
        SubjectKey::Custom(object) => inventory.customs().contains(object),
        SubjectKey::Cluster => true,
    }
}

/// The verdict that a judgement comes to. A panic of a control is its own `Unknown`, not the end of the audit.
fn verdict(
    inventory: &Inventory,
    control: &Control,
    view: &View<'_>,
    judge: impl FnOnce() -> Option<Result<Outcome, Missing>>,
) -> Verdict {
    let key = view.subject();
    match catch_unwind(AssertUnwindSafe(judge)) {
        Ok(Some(Ok(Outcome::Fail(defects)))) if defects.is_empty() => {
            internal(control, key, "fails for no reason")
        }
        Ok(Some(Ok(Outcome::Fail(defects)))) => Verdict::Judged(Outcome::Fail(summed_up(defects))),
        Ok(Some(Ok(outcome))) => view.lacks().map_or(Verdict::Judged(outcome), Verdict::Unknown),
        Ok(Some(Err(missing))) if inventory.is_of_input() => Verdict::Unknown(missing.in_manifests()),
        Ok(Some(Err(missing))) => Verdict::Unknown(missing),
        Ok(None) => internal(control, key, "did not find its subject"),
        Err(_) => internal(control, key, "panicked"),
    }
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
    inventory.instances().get(&**key)?.doubt(key)
}

/// Installations and gaps are part of every posture.
fn is_seen_by_every_policy(changed: &Changed) -> bool {
    let is_told_by_verdicts_alone = matches!(
        changed,
        Changed::Object(..)
            | Changed::Access(_)
            | Changed::Reach(_)
            | Changed::Inhabited(_)
            | Changed::Neighbours(_)
            | Changed::Tolerations
            | Changed::Trees
            | Changed::Custom(_)
    );
    !is_told_by_verdicts_alone || concerns_policies(changed)
}

fn concerns_policies(changed: &Changed) -> bool {
    let policies = id_of::<kinds::own::Policy>();
    matches!(changed, Changed::Object(kind, _) | Changed::Coverage(kind) if *kind == policies)
}
