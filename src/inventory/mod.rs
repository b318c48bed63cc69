//! Everything that is known of the cluster: one table a kind, its coverage, and the instances of Flux controllers
//! that follow from them. One writer, no locks, no clock.

pub mod access;
pub mod artifacts;
pub mod coverage;
pub mod custom;
pub mod delivered;
pub mod delta;
mod hash_index;
pub mod ingress;
pub mod instances;
pub mod lane;
pub(crate) mod placed;
pub mod placement;
pub mod reads;
pub mod scanned;
pub mod subject;
pub mod table;
pub mod tenancy;
pub mod trees;
pub mod view;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::ResourceRef;
use crate::custom::Target;
use crate::kinds::rbac::{self, Principal};
use crate::kinds::{self, ErasedRow, Hand, Kind, KindId};

pub use access::{Access, Ask, Grant};
pub use artifacts::Server;
pub use coverage::{Coverage, Missing};
pub(crate) use custom::Answer;
pub use custom::{CustomDelta, CustomKind, CustomNews, CustomObject, Customs};
pub use delta::Delta;
pub use ingress::{Ingress, PodNetwork};
pub use instances::{Instance, InstanceKey};
pub use placement::Neighbours;
pub(crate) use reads::Seen;
pub use reads::{Evidence, Reach, Read};
pub use subject::SubjectKey;
pub(crate) use table::Slot;
pub use table::{ObjectKey, Table};
pub use tenancy::{Owner, TenancyRules};
pub use trees::{TreeKey, TreeState, Trees};
pub use view::View;
pub(crate) use view::{AtHand, Lacking};

/// A fact that changed, as far as re-evaluation is concerned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// An object of a kind.
    Object(KindId, ObjectKey),
    /// The coverage of a kind, or an object that could not be read.
    Coverage(KindId),
    /// An instance of a Flux controller.
    Instance(InstanceKey),
    /// What somebody may do.
    Access(Principal),
    /// Whether the controllers of Flux in a namespace may reconcile what is in all others.
    Reach(Arc<str>),
    /// Whether a namespace holds Flux objects.
    Inhabited(Arc<str>),
    /// Who runs on a node, or whom they belong to.
    Neighbours(ObjectKey),
    /// Which tolerations pods have, or whom those belong to.
    Tolerations,
    /// What the files of a source hold, or whether they are read.
    Trees,
    /// An object that custom controls ask for.
    Custom(Arc<CustomObject>),
    /// What custom controls ask of a kind, or how it is seen.
    CustomKind(Arc<Target>),
}

/// The tables, their coverage, and what follows from them.
pub struct Inventory {
    kinds: Vec<KindState>,
    instances: BTreeMap<InstanceKey, Instance>,
    access: access::Index,
    /// The namespaces whose controllers may reconcile what is in all others.
    far_reaching: BTreeSet<Arc<str>>,
    /// The namespaces that hold Flux objects.
    inhabited: BTreeSet<Arc<str>>,
    placement: placement::Index,
    trees: Trees,
    customs: Customs,
    /// Who made the rows that the last batch changed what they are.
    hands: Hands<(KindId, ObjectKey)>,
}

/// Who made objects what they are, of those that one batch has changed.
type Hands<K> = BTreeMap<K, Hand>;

/// Puts down who made a change. Of several changes of one object in a batch nobody can tell which one mattered.
fn attribute<K: Ord + Clone>(hands: &mut Hands<K>, object: &K, hand: &Hand) {
    let known = hands.entry(object.clone()).or_insert_with(|| hand.clone());
    if *known != *hand {
        *known = Hand::Unknown;
    }
}

/// Where whatever is kept beside a row is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: KindId,
    pub(crate) slot: Slot,
}

struct KindState {
    table: Box<dyn table::AnyTable>,
    coverage: Coverage,
    undecodable: BTreeMap<ObjectKey, String>,
    /// Objects that exist by what others say, and are in no manifest.
    mentioned: BTreeSet<ObjectKey>,
}

impl Default for Inventory {
    fn default() -> Self {
        let state = |entry: &kinds::Entry| KindState {
            table: entry.new_table(),
            coverage: Coverage::Pending,
            undecodable: BTreeMap::new(),
            mentioned: BTreeSet::new(),
        };
        Self {
            kinds: kinds::CATALOG.iter().map(state).collect(),
            instances: BTreeMap::new(),
            access: access::Index::default(),
            far_reaching: BTreeSet::new(),
            inhabited: BTreeSet::new(),
            placement: placement::Index::default(),
            trees: Trees::default(),
            customs: Customs::default(),
            hands: BTreeMap::new(),
        }
    }
}

impl Inventory {
    /// Takes in a batch of facts and tells what really changed. An equal row is no change.
    pub fn apply(&mut self, deltas: impl IntoIterator<Item = Delta>) -> BTreeSet<Changed> {
        let mut changed = BTreeSet::new();
        self.hands.clear();
        self.customs.begin();
        for delta in deltas {
            self.apply_one(delta, &mut changed);
        }
        let touched = self.place(&changed);
        self.derive_instances(&touched.controllers, &mut changed);
        self.derive_access(&mut changed);
        self.derive_reach(&mut changed);
        self.derive_inhabited(&mut changed);
        self.derive_placement(touched, &mut changed);
        changed
    }

    fn apply_one(&mut self, delta: Delta, changed: &mut BTreeSet<Changed>) {
        match delta {
            Delta::Upsert(kind, key, row) => self.upsert(kind, key, row, &Hand::Unknown, changed),
            Delta::Written(kind, key, row, author) => {
                self.upsert(kind, key, row, &Hand::Of(author), changed);
            }
            Delta::Remove(kind, key) => self.remove(kind, key, changed),
            Delta::Undecodable(kind, key, note) => {
                let note = without_value(&note).to_owned();
                let state = self.state_mut(kind);
                if state.table.remove(&key) {
                    changed.insert(Changed::Object(kind, key.clone()));
                    self.attribute(kind, &key, &Hand::Unknown);
                }
                let state = self.state_mut(kind);
                if state.undecodable.insert(key, note.clone()) != Some(note) {
                    changed.insert(Changed::Coverage(kind));
                }
            }
            Delta::Mentioned(kind, key) => {
                self.state_mut(kind).mentioned.insert(key);
                changed.insert(Changed::Coverage(kind));
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
            Delta::Custom(delta) => self.customs.apply(delta, changed),
            Delta::TreesAreRead(is_read) => {
                if std::mem::replace(&mut self.trees.is_read, is_read) != is_read {
                    self.trees.is_settled = false;
                    changed.insert(Changed::Trees);
                }
            }
            Delta::TreesAreSettled => {
                if !std::mem::replace(&mut self.trees.is_settled, true) {
                    changed.insert(Changed::Trees);
                }
            }
            Delta::Tree(key, state) => {
                if self.trees.rows.get(&key) != Some(&state) {
                    self.trees.deliver(&key, &state);
                    self.trees.rows.insert(key, state);
                    changed.insert(Changed::Trees);
                }
            }
            Delta::NoTree(key) => {
                let is_there = self.has_source(&key);
                // Others may have stopped to ask for it.
                let is_forgotten = !is_there && self.trees.delivered.forget(&key);
                if self.trees.rows.remove(&key).is_some() || is_forgotten {
                    changed.insert(Changed::Trees);
                }
            }
        }
    }

    /// Takes in what a report remembers of sources that are there.
    fn recall(&mut self, report: &ObjectKey, changed: &mut BTreeSet<Changed>) {
        let row = self.table::<kinds::own::Report>().get(report);
        let remembered = row.map(|row| row.delivered.clone()).unwrap_or_default();
        for secret in remembered {
            let Some(key) = delivered::source(&secret.source) else {
                continue;
            };
            let is_unknown = matches!(&key, TreeKey::Source(kind, _) if !self.coverage(*kind).is_settled());
            if (is_unknown || self.has_source(&key)) && self.trees.recall(&key, secret) {
                changed.insert(Changed::Trees);
            }
        }
    }

    /// Whether a source is there.
    pub(crate) fn has_source(&self, key: &TreeKey) -> bool {
        match key {
            TreeKey::Input => false,
            TreeKey::Source(kind, key) => self.contains(*kind, key),
        }
    }

    /// Secrets that sources delivered, which are there.
    pub(crate) fn delivered(&self) -> impl Iterator<Item = (&TreeKey, &delivered::OfSource)> {
        self.trees
            .delivered
            .iter()
            .filter(|(key, _)| self.has_source(key))
    }

    fn upsert(
        &mut self,
        kind: KindId,
        key: ObjectKey,
        row: ErasedRow,
        hand: &Hand,
        changed: &mut BTreeSet<Changed>,
    ) {
        let state = self.state_mut(kind);
        if state.undecodable.remove(&key).is_some() {
            changed.insert(Changed::Coverage(kind));
        }
        if state.table.upsert(&key, row) {
            self.attribute(kind, &key, hand);
            if kind == kinds::id_of::<kinds::own::Report>() {
                self.recall(&key, changed);
            }
            changed.insert(Changed::Object(kind, key));
        }
    }

    fn remove(&mut self, kind: KindId, key: ObjectKey, changed: &mut BTreeSet<Changed>) {
        let state = self.state_mut(kind);
        if state.undecodable.remove(&key).is_some() {
            changed.insert(Changed::Coverage(kind));
        }
        if state.table.remove(&key) {
            self.attribute(kind, &key, &Hand::Unknown);
            changed.insert(Changed::Object(kind, key));
        }
    }

    fn attribute(&mut self, kind: KindId, key: &ObjectKey, hand: &Hand) {
        attribute(&mut self.hands, &(kind, key.clone()), hand);
    }

    /// Who made an object what it is now, if the last batch has changed it.
    pub(crate) fn hand(&self, resource: &ResourceRef) -> Hand {
        self.hand_of(resource).cloned().unwrap_or(Hand::Nobody)
    }

    fn hand_of(&self, resource: &ResourceRef) -> Option<&Hand> {
        if self.hands.is_empty() {
            return None;
        }
        let [group, name, ..] = resource.identity();
        let is_meant = |kind: &KindId| {
            let descriptor = kind.entry().descriptor;
            descriptor.kind == name && descriptor.group == group
        };
        let kind = KindId::all().find(is_meant)?;
        let key = ObjectKey::new(&resource.namespace, &resource.name);
        self.hands.get(&(kind, key))
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

    /// Takes the changed pods into the indexes over pods.
    fn place(&mut self, changed: &BTreeSet<Changed>) -> placement::Touched {
        let pods = kinds::id_of::<kinds::pod::Pod>();
        let mut index = std::mem::take(&mut self.placement);
        let mut touched = placement::Touched::default();
        for change in changed {
            match change {
                Changed::Object(kind, key) if *kind == pods => {
                    index.pod(key, self.table::<kinds::pod::Pod>().get(key), &mut touched);
                }
                _ => {}
            }
        }
        self.placement = index;
        touched
    }

    /// Whose neighbours are others now, or belong to others: a label decides about that, and a Flux controller.
    fn derive_placement(&self, mut touched: placement::Touched, changed: &mut BTreeSet<Changed>) {
        for change in changed.iter() {
            let namespace = match change {
                Changed::Object(kind, key) if *kind == namespaces() => &key.name,
                Changed::Instance(key) => &key.namespace,
                Changed::Reach(namespace) | Changed::Inhabited(namespace) => namespace,
                _ => continue,
            };
            self.placement.nodes(namespace, &mut touched.nodes);
            touched.tolerations |= self.placement.has_tolerations(namespace);
        }
        let nodes = touched.nodes.iter().filter(|node| !node.is_empty());
        changed.extend(nodes.map(|node| Changed::Neighbours(ObjectKey::new("", node))));
        if touched.tolerations {
            changed.insert(Changed::Tolerations);
        }
    }

    fn derive_instances(&mut self, of_pods: &BTreeSet<Arc<str>>, changed: &mut BTreeSet<Changed>) {
        let others = changed.iter().filter_map(instances::touched_namespace);
        let namespaces: BTreeSet<_> = others.chain(of_pods.iter().cloned()).collect();
        for namespace in namespaces {
            let fresh = instances::derive(&self.tables(), &namespace);
            let old: Vec<InstanceKey> = self
                .instances_in(&namespace)
                .map(|(key, _)| key.clone())
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

    /// Whose rights changed with the roles and bindings.
    fn derive_access(&mut self, changed: &mut BTreeSet<Changed>) {
        let [role, cluster_role, binding, cluster_binding] = access_kinds();
        let mut touched = BTreeSet::new();
        let mut index = std::mem::take(&mut self.access);
        for change in changed.iter() {
            match change {
                Changed::Object(kind, key) if *kind == binding => {
                    index.binding(key, self.table::<rbac::RoleBinding>().get(key), &mut touched);
                }
                Changed::Object(kind, key) if *kind == cluster_binding => {
                    index.binding(
                        key,
                        self.table::<rbac::ClusterRoleBinding>().get(key),
                        &mut touched,
                    );
                }
                Changed::Object(kind, key) if *kind == role || *kind == cluster_role => {
                    index.role(key, &mut touched);
                }
                _ => {}
            }
        }
        self.access = index;
        changed.extend(touched.into_iter().map(Changed::Access));
    }

    /// How far controllers reach that came or went, or whose rights changed.
    fn derive_reach(&mut self, changed: &mut BTreeSet<Changed>) {
        let touched = changed.iter().filter_map(|change| match change {
            Changed::Instance(key) => Some(&*key.namespace),
            Changed::Access(principal) => principal.namespace(),
            _ => None,
        });
        let touched: BTreeSet<&str> = touched.collect();
        let differs = |namespace: &&str| {
            self.far_reaching.contains(*namespace) != tenancy::reaches_far(self, namespace)
        };
        let differing: Vec<Arc<str>> = touched.into_iter().filter(differs).map(Arc::from).collect();
        for namespace in differing {
            if !self.far_reaching.remove(&namespace) {
                self.far_reaching.insert(namespace.clone());
            }
            changed.insert(Changed::Reach(namespace));
        }
    }

    /// Whether a Flux controller in a namespace may reconcile what is in all others.
    pub(crate) fn reaches_far(&self, namespace: &str) -> bool {
        self.far_reaching.contains(namespace)
    }

    /// Which namespaces got their first Flux object, or lost their last.
    fn derive_inhabited(&mut self, changed: &mut BTreeSet<Changed>) {
        let touched = changed.iter().filter_map(|change| match change {
            Changed::Object(kind, key) if kind.is_of_flux() => Some(&key.namespace),
            _ => None,
        });
        let touched: BTreeSet<&Arc<str>> = touched.collect();
        let differs = |namespace: &&Arc<str>| {
            let mut tables = kinds::of_flux().map(|kind| &self.state(kind).table);
            self.inhabited.contains(*namespace) != tables.any(|table| table.has_any_in(namespace))
        };
        let differing: Vec<Arc<str>> = touched.into_iter().filter(differs).cloned().collect();
        for namespace in differing {
            if !self.inhabited.remove(&namespace) {
                self.inhabited.insert(namespace.clone());
            }
            changed.insert(Changed::Inhabited(namespace));
        }
    }

    /// Whether a namespace is seen to hold a Flux object, be it one that could not be read.
    pub(super) fn is_inhabited(&self, namespace: &str) -> bool {
        self.inhabited.contains(namespace) || kinds::of_flux().any(|kind| self.has_unread_in(kind, namespace))
    }

    /// Whether some object of a kind in a namespace could not be read.
    fn has_unread_in(&self, kind: KindId, namespace: &str) -> bool {
        let mut unread = table::from(self.undecodable(kind), namespace);
        unread.next().is_some_and(|(key, _)| *key.namespace == *namespace)
    }

    /// Whether any namespace is seen to hold a Flux object.
    pub(super) fn has_inhabitants(&self) -> bool {
        !self.inhabited.is_empty()
    }

    /// Roles and bindings. What is found missing among them is put down in `lacking`.
    pub(crate) fn access<'a>(&'a self, lacking: &'a Lacking) -> Access<'a> {
        Access {
            index: &self.access,
            lacking,
            is_input: self.coverage(kinds::id_of::<rbac::ClusterRole>()).is_of_input(),
            roles: self.table::<rbac::Role>(),
            cluster_roles: self.table::<rbac::ClusterRole>(),
            bindings: self.table::<rbac::RoleBinding>(),
            cluster_bindings: self.table::<rbac::ClusterRoleBinding>(),
        }
    }

    fn tables(&self) -> instances::Tables<'_> {
        instances::Tables {
            deployments: self.table::<kinds::workload::Deployment>(),
            stateful_sets: self.table::<kinds::workload::StatefulSet>(),
            pods: self.table::<kinds::pod::Pod>(),
            placement: &self.placement,
            leases: self.table::<kinds::lease::Lease>(),
            installations: self.table::<kinds::flux_objects::FluxInstance>(),
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

    /// Whether manifests are audited, not a cluster.
    pub(crate) fn is_of_input(&self) -> bool {
        self.coverage(namespaces()).is_of_input()
    }

    /// An object of a kind that is mentioned and in no manifest.
    pub(super) fn mentioned(&self, kind: KindId) -> Option<&ObjectKey> {
        self.state(kind).mentioned.first()
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

    /// The instances of one namespace.
    pub fn instances_in(&self, namespace: &str) -> impl Iterator<Item = (&InstanceKey, &Instance)> {
        let instances = instances::from(&self.instances, namespace);
        instances.take_while(move |(key, _)| &*key.namespace == namespace)
    }

    /// Fails unless the table of a kind is complete and every object of it could be read.
    pub(crate) fn complete(&self, kind: KindId) -> Result<(), Missing> {
        view::complete(self, kind)
    }

    /// What the files of sources hold; `None`: nobody reads them.
    #[must_use]
    pub fn trees(&self) -> Option<&Trees> {
        self.trees.is_read.then_some(&self.trees)
    }

    /// Whether the files of each source have been read once, or could not be.
    pub(crate) const fn trees_are_settled(&self) -> bool {
        self.trees.is_settled
    }

    /// The keys of all rows of a kind.
    #[must_use]
    pub fn keys(&self, kind: KindId) -> Vec<ObjectKey> {
        self.state(kind).table.keys()
    }

    /// The keys of a kind's rows in a namespace.
    pub(crate) fn keys_in(&self, kind: KindId, namespace: &str) -> Vec<ObjectKey> {
        self.state(kind).table.keys_in(namespace)
    }

    /// All rows of a kind, with their keys and numbers, in order.
    pub(crate) fn each(&self, kind: KindId) -> impl Iterator<Item = (&ObjectKey, Slot, &dyn Any)> {
        self.state(kind).table.each()
    }

    /// The numbers of a kind's rows, in the order of their keys.
    pub(crate) fn slots(&self, kind: KindId) -> impl Iterator<Item = Slot> {
        self.each(kind).map(|(_, slot, _)| slot)
    }

    /// Where something is kept beside a subject's row, also when that is gone since the last settling; `None`: it is
    /// nothing that has a row, or never was there.
    pub(crate) fn place_of(&self, subject: &SubjectKey) -> Option<Place> {
        let (kind, namespace, name) = match subject {
            SubjectKey::Object(kind, key) => (*kind, &*key.namespace, &*key.name),
            SubjectKey::Namespace(name) => (namespaces(), "", &**name),
            SubjectKey::Controller(_) | SubjectKey::Cluster | SubjectKey::Custom(_) => return None,
        };
        let slot = self.state(kind).table.slot(namespace, name)?;
        Some(Place { kind, slot })
    }

    /// Gives the places of rows that are gone to rows to come: nothing is kept beside them any more.
    pub(crate) fn settle(&mut self) {
        for state in &mut self.kinds {
            state.table.settle();
        }
    }

    /// Whether a row of this object is kept.
    #[must_use]
    pub fn contains(&self, kind: KindId, key: &ObjectKey) -> bool {
        self.state(kind).table.contains(key)
    }

    /// A subject as findings and Events name it; `None` for the cluster, which is no object.
    #[must_use]
    pub fn resource(&self, subject: &SubjectKey) -> Option<ResourceRef> {
        self.described(subject).0
    }

    /// A subject as findings and Events name it, and where it comes from, as far as both are known.
    pub(crate) fn described(&self, subject: &SubjectKey) -> (Option<ResourceRef>, kinds::Origin) {
        let origin = self.origin(subject).unwrap_or_default();
        let (kind, namespace, name) = match subject {
            SubjectKey::Controller(key) => return (Some(key.resource()), origin),
            SubjectKey::Object(kind, key) => (*kind, &*key.namespace, &*key.name),
            SubjectKey::Namespace(name) => (namespaces(), "", &**name),
            SubjectKey::Custom(object) => return (Some(self.customs.described(object).0), origin),
            SubjectKey::Cluster => return (None, origin),
        };
        let descriptor = kind.entry().descriptor;
        let version = match origin.version {
            "" => descriptor.versions[0],
            version => version,
        };
        let resource = ResourceRef {
            api_version: match descriptor.group {
                "" => version.to_owned(),
                group => format!("{group}/{version}"),
            },
            kind: descriptor.kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        (Some(resource), origin)
    }

    /// Where a subject comes from, as far as it is known.
    #[must_use]
    pub fn origin(&self, subject: &SubjectKey) -> Option<kinds::Origin> {
        match subject {
            SubjectKey::Controller(key) => self.instances.get(&**key).map(Instance::origin),
            SubjectKey::Object(kind, key) => self.object_origin(*kind, key),
            SubjectKey::Namespace(name) => self.object_origin(namespaces(), &ObjectKey::new("", name)),
            SubjectKey::Custom(object) => {
                let (_, row) = self.customs.described(object);
                row.map(|row| kinds::Origin {
                    uid: row.uid.clone(),
                    ..kinds::Origin::default()
                })
            }
            SubjectKey::Cluster => None,
        }
    }

    fn object_origin(&self, kind: KindId, key: &ObjectKey) -> Option<kinds::Origin> {
        kind.entry().origin(&*self.state(kind).table, key)
    }
}

/// What a decoder says of an object, without the value that it quotes: that may be long, and it may be a secret.
fn without_value(note: &str) -> &str {
    match note.rfind(", expected ") {
        Some(quoted) => &note[quoted + 2..],
        None => note,
    }
}

/// The kinds that instances are made of: intent and evidence.
pub(crate) fn controller_kinds() -> [KindId; 3] {
    [
        kinds::id_of::<kinds::workload::Deployment>(),
        kinds::id_of::<kinds::workload::StatefulSet>(),
        kinds::id_of::<kinds::pod::Pod>(),
    ]
}

/// The kinds that say who may do what: roles, cluster roles, and the bindings of both.
pub(crate) fn access_kinds() -> [KindId; 4] {
    [
        kinds::id_of::<rbac::Role>(),
        kinds::id_of::<rbac::ClusterRole>(),
        kinds::id_of::<rbac::RoleBinding>(),
        kinds::id_of::<rbac::ClusterRoleBinding>(),
    ]
}

/// Whether every role and every binding of the cluster can be seen; `None`: manifests are audited, which may lack some.
pub(crate) fn access_is_complete(inventory: &Inventory) -> Option<Result<(), Missing>> {
    let is_of_input = |kind: &KindId| inventory.coverage(*kind).is_of_input();
    let kinds = access_kinds();
    if kinds.iter().any(is_of_input) {
        return None;
    }
    Some(kinds.into_iter().try_for_each(|kind| inventory.complete(kind)))
}

/// The kind whose objects are namespaces.
pub(crate) fn namespaces() -> KindId {
    kinds::id_of::<kinds::namespace::Namespace>()
}

/// Fails unless every controller of the cluster can be seen. In manifests, workloads of one kind stand for those of
/// others and for their pods.
pub(crate) fn controllers_are_complete(inventory: &Inventory) -> Result<(), Missing> {
    let kinds = controller_kinds();
    let has_some = |kind: &KindId| *inventory.coverage(*kind) == Coverage::InInput;
    let stands_for_others = kinds.iter().any(has_some);
    kinds
        .into_iter()
        .filter(|kind| !(stands_for_others && *inventory.coverage(*kind) == Coverage::NotInInput))
        .try_for_each(|kind| inventory.complete(kind))
}

/// Whether controllers are known by their templates alone.
pub(crate) fn templates_stand_for_pods(inventory: &Inventory) -> bool {
    *inventory.coverage(kinds::id_of::<kinds::pod::Pod>()) == Coverage::NotInInput
}
