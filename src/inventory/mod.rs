//! Everything that is known of the cluster: one table a kind, its coverage, and the instances of Flux controllers
//! that follow from them. One writer, no locks, no clock.

pub mod coverage;
pub mod delta;
pub mod instances;
pub mod table;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};

use crate::kinds::{self, Kind, KindId};

pub use coverage::{Coverage, Missing};
pub use delta::Delta;
pub use instances::{Instance, InstanceKey};
pub use table::{ObjectKey, Table};
pub use view::View;

/// A fact that changed, as far as re-evaluation is concerned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// An object of a kind.
    Object(KindId, ObjectKey),
    /// The coverage of a kind, or an object that could not be read.
    Coverage(KindId),
    /// An instance of a Flux controller.
    Instance(InstanceKey),
}

/// The tables, their coverage, and what follows from them.
pub struct Inventory {
    kinds: Vec<KindState>,
    instances: BTreeMap<InstanceKey, Instance>,
}

struct KindState {
    table: Box<dyn table::AnyTable>,
    coverage: Coverage,
    undecodable: BTreeMap<ObjectKey, String>,
}

impl Default for Inventory {
    fn default() -> Self {
        let state = |entry: &kinds::Entry| KindState {
            table: entry.new_table(),
            coverage: Coverage::Pending,
            undecodable: BTreeMap::new(),
        };
        Self {
            kinds: kinds::CATALOG.iter().map(state).collect(),
            instances: BTreeMap::new(),
        }
    }
}

impl Inventory {
    /// Takes in a batch of facts and tells what really changed. An equal row is no change.
    pub fn apply(&mut self, deltas: impl IntoIterator<Item = Delta>) -> BTreeSet<Changed> {
        let mut changed = BTreeSet::new();
        for delta in deltas {
            self.apply_one(delta, &mut changed);
        }
        self.derive_instances(&mut changed);
        changed
    }

    fn apply_one(&mut self, delta: Delta, changed: &mut BTreeSet<Changed>) {
        match delta {
            Delta::Upsert(kind, key, row) => {
                let state = self.state_mut(kind);
                if state.undecodable.remove(&key).is_some() {
                    changed.insert(Changed::Coverage(kind));
                }
                if state.table.upsert(&key, row) {
                    changed.insert(Changed::Object(kind, key));
                }
            }
            Delta::Remove(kind, key) => self.remove(kind, key, changed),
            Delta::Undecodable(kind, key, note) => {
                let state = self.state_mut(kind);
                if state.table.remove(&key) {
                    changed.insert(Changed::Object(kind, key.clone()));
                }
                if state.undecodable.insert(key, note.clone()) != Some(note) {
                    changed.insert(Changed::Coverage(kind));
                }
            }
            Delta::Resync(kind, live) => {
                let live: BTreeSet<ObjectKey> = live.into_iter().collect();
                let state = self.state_mut(kind);
                let known = state
                    .table
                    .keys()
                    .into_iter()
                    .chain(state.undecodable.keys().cloned());
                let gone: Vec<ObjectKey> = known.filter(|key| !live.contains(key)).collect();
                for key in gone {
                    self.remove(kind, key, changed);
                }
            }
            Delta::Coverage(kind, coverage) => self.cover(kind, coverage, changed),
        }
    }

    fn remove(&mut self, kind: KindId, key: ObjectKey, changed: &mut BTreeSet<Changed>) {
        let state = self.state_mut(kind);
        if state.undecodable.remove(&key).is_some() {
            changed.insert(Changed::Coverage(kind));
        }
        if state.table.remove(&key) {
            changed.insert(Changed::Object(kind, key));
        }
    }

    fn cover(&mut self, kind: KindId, coverage: Coverage, changed: &mut BTreeSet<Changed>) {
        if self.state(kind).coverage == coverage {
            return;
        }
        // Rows of a kind that may not be seen any more are no evidence.
        if matches!(
            coverage,
            Coverage::Absent | Coverage::Forbidden | Coverage::NotServed { .. }
        ) {
            let state = self.state(kind);
            let known: Vec<ObjectKey> = state
                .table
                .keys()
                .into_iter()
                .chain(state.undecodable.keys().cloned())
                .collect();
            for key in known {
                self.remove(kind, key, changed);
            }
        }
        self.state_mut(kind).coverage = coverage;
        changed.insert(Changed::Coverage(kind));
    }

    fn derive_instances(&mut self, changed: &mut BTreeSet<Changed>) {
        let namespaces: BTreeSet<_> = changed.iter().filter_map(instances::touched_namespace).collect();
        for namespace in namespaces {
            let fresh = instances::derive(&self.tables(), &namespace);
            let old: Vec<InstanceKey> = self
                .instances
                .keys()
                .filter(|key| key.namespace == namespace)
                .cloned()
                .collect();
            for key in old.into_iter().filter(|key| !fresh.contains_key(key)) {
                self.instances.remove(&key);
                changed.insert(Changed::Instance(key));
            }
            for (key, instance) in fresh {
                if self.instances.get(&key) == Some(&instance) {
                    continue;
                }
                self.instances.insert(key.clone(), instance);
                changed.insert(Changed::Instance(key));
            }
        }
    }

    fn tables(&self) -> instances::Tables<'_> {
        instances::Tables {
            deployments: self.table::<kinds::workload::Deployment>(),
            stateful_sets: self.table::<kinds::workload::StatefulSet>(),
            pods: self.table::<kinds::pod::Pod>(),
            leases: self.table::<kinds::lease::Lease>(),
        }
    }

    fn state(&self, kind: KindId) -> &KindState {
        &self.kinds[usize::from(kind.0)]
    }

    fn state_mut(&mut self, kind: KindId) -> &mut KindState {
        &mut self.kinds[usize::from(kind.0)]
    }

    /// The rows of a kind, complete or not. Controls go through [`View`], which refuses incomplete tables.
    ///
    /// # Panics
    /// Never: the table was made by the same catalogue line.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a table and its row type come from one catalogue line"
    )]
    pub fn table<K: Kind>(&self) -> &Table<K::Row> {
        let table = self.state(kinds::id_of::<K>()).table.as_any();
        table
            .downcast_ref()
            .expect("invariant: the table holds rows of its kind")
    }

    /// The coverage of a kind.
    #[must_use]
    pub fn coverage(&self, kind: KindId) -> &Coverage {
        &self.state(kind).coverage
    }

    /// Objects of a kind that could not be read, with the reason.
    #[must_use]
    pub fn undecodable(&self, kind: KindId) -> &BTreeMap<ObjectKey, String> {
        &self.state(kind).undecodable
    }

    /// How many rows of a kind are kept.
    #[must_use]
    pub fn rows(&self, kind: KindId) -> usize {
        self.state(kind).table.rows()
    }

    /// The instances of Flux controllers.
    #[must_use]
    pub fn instances(&self) -> &BTreeMap<InstanceKey, Instance> {
        &self.instances
    }
}
