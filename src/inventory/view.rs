//! What a control sees: the inventory, with every gap in the way instead of behind it.

use std::any::Any;
use std::cell::{Cell, RefCell};

use super::access::{Access, Grant};
use super::coverage::{Coverage, Missing};
use super::custom::CustomObject;
use super::delivered::OfSource;
use super::placement::Neighbours;
use super::reads::{Evidence, Reach, Seen};
use super::scanned::Scanned;
use super::tenancy::{Owner, TenancyRules};
use super::trees::{TreeKey, Trees};
use super::{
    Instance, InstanceKey, Inventory, ObjectKey, SubjectKey, Table, access_kinds, controllers_are_complete,
};
use crate::flux::Component;
use crate::kinds::namespace::{Namespace, NamespaceRow};
use crate::kinds::node::Node;
use crate::kinds::rbac::Principal;
use crate::kinds::scheduling::Toleration;
use crate::kinds::{self, Kind, KindId, Mark};

/// Read-only access for one judgement. It writes down what was read, so that a control that reads what it did not
/// declare is found out by the tests.
pub struct View<'a> {
    inventory: &'a Inventory,
    subject: &'a SubjectKey,
    at_hand: AtHand<'a>,
    rules: &'a TenancyRules,
    seen: Cell<Seen>,
    lacking: Lacking,
}

/// What whoever judges subject by subject knows already.
#[derive(Clone, Copy, Default)]
pub(crate) struct AtHand<'a> {
    /// The subject's row.
    pub(crate) row: Option<&'a dyn Any>,
    /// Whom the subject's namespace belongs to, by the same rules.
    pub(crate) owner: Option<&'a Result<Owner<'a>, Missing>>,
    /// Whether every controller of the cluster can be seen.
    pub(crate) controllers: Option<&'a Result<(), Missing>>,
    /// Whether every role and every binding of the cluster can be seen; `None`: manifests are audited.
    pub(crate) access: Option<&'a Result<(), Missing>>,
}

/// Evidence whose lack shows only while rights are looked at. What is bad without it stays bad; nothing else can be said.
#[derive(Default)]
pub(crate) struct Lacking(RefCell<Option<Missing>>);

impl Lacking {
    /// Puts down the first lack.
    pub(crate) fn note(&self, missing: Missing) {
        self.0.borrow_mut().get_or_insert(missing);
    }
}

impl<'a> View<'a> {
    /// A view for the judgement of one subject.
    #[must_use]
    pub fn new(inventory: &'a Inventory, subject: &'a SubjectKey, rules: &'a TenancyRules) -> Self {
        Self {
            inventory,
            subject,
            at_hand: AtHand::default(),
            rules,
            seen: Cell::default(),
            lacking: Lacking::default(),
        }
    }

    /// The same view, with what does not have to be looked up any more.
    pub(crate) fn with(mut self, at_hand: AtHand<'a>) -> Self {
        self.at_hand = at_hand;
        self
    }

    /// What a judgement that finds nothing bad could not know.
    pub(crate) fn lacks(&self) -> Option<Missing> {
        self.lacking.0.borrow().clone()
    }

    /// What is judged.
    #[must_use]
    pub const fn subject(&self) -> &'a SubjectKey {
        self.subject
    }

    /// The row of the judged object.
    pub(crate) fn own_row<K: Kind>(&self) -> Option<(&'a ObjectKey, &'a K::Row)> {
        match self.subject {
            SubjectKey::Object(kind, key) if *kind == kinds::id_of::<K>() => {
                let at_hand = self.at_hand.row.and_then(|row| row.downcast_ref::<K::Row>());
                Some((key, at_hand.or_else(|| self.inventory.table::<K>().get(key))?))
            }
            _ => None,
        }
    }

    /// The judged namespace.
    pub(crate) fn own_namespace(&self) -> Option<(&'a str, &'a NamespaceRow)> {
        match self.subject {
            SubjectKey::Namespace(name) => {
                let at_hand = self
                    .at_hand
                    .row
                    .and_then(|row| row.downcast_ref::<NamespaceRow>());
                let row = at_hand.or_else(|| self.inventory.table::<Namespace>().find("", name));
                Some((name, row?))
            }
            _ => None,
        }
    }

    /// The judged object of a custom control, and where it is known.
    pub(crate) fn own_custom(&self) -> Option<(&'a Inventory, &'a CustomObject)> {
        match self.subject {
            SubjectKey::Custom(object) => Some((self.inventory, object)),
            _ => None,
        }
    }

    /// The judged controller.
    pub(crate) fn own_instance(&self) -> Option<(&'a InstanceKey, &'a Instance)> {
        match self.subject {
            SubjectKey::Controller(key) => Some((key, self.inventory.instances().get(&**key)?)),
            _ => None,
        }
    }

    /// The rows of a kind.
    ///
    /// # Errors
    /// The table is not complete: the kind is not watched, or one of its objects could not be read.
    pub fn table<K: Kind>(&self) -> Result<&'a Table<K::Row>, Missing> {
        let kind = kinds::id_of::<K>();
        self.record(Evidence::Objects(kind, Reach::Cluster));
        complete(self.inventory, kind)?;
        Ok(self.inventory.table::<K>())
    }

    /// The rows of a kind that have a mark.
    ///
    /// # Errors
    /// The table is not complete: the kind is not watched, or one of its objects could not be read.
    pub fn marked<K: Kind>(
        &self,
        mark: &Mark<K::Row>,
    ) -> Result<impl Iterator<Item = (&'a ObjectKey, &'a K::Row)> + use<'a, K>, Missing> {
        Ok(self.table::<K>()?.marked(mark))
    }

    /// The row of an object, wherever it is; `None`: there is no such object.
    ///
    /// # Errors
    /// The table is not complete, or the object is not among the audited manifests.
    pub fn object<K: Kind>(&self, key: &ObjectKey) -> Result<Option<&'a K::Row>, Missing> {
        let kind = kinds::id_of::<K>();
        self.record(Evidence::Objects(kind, Reach::Cluster));
        if !self.inventory.coverage(kind).is_of_input() {
            complete(self.inventory, kind)?;
        }
        found_in_input(self.inventory, kind, key)?;
        Ok(self.inventory.table::<K>().get(key))
    }

    /// The rows of a kind in the subject's own namespace.
    ///
    /// # Errors
    /// The kind is not watched, or one of its objects in this namespace could not be read.
    pub fn siblings<K: Kind>(&self) -> Result<impl Iterator<Item = (&'a ObjectKey, &'a K::Row)>, Missing> {
        let kind = kinds::id_of::<K>();
        self.record(Evidence::Objects(kind, Reach::Namespace));
        let namespace = self.subject.namespace();
        is_watched(self.inventory, kind)?;
        all_readable(self.inventory, kind, |key| &*key.namespace == namespace)?;
        Ok(self.inventory.table::<K>().in_namespace(namespace))
    }

    /// The row of one object in the subject's own namespace; `None`: there is no such object.
    ///
    /// # Errors
    /// The kind is not watched, or this object could not be read.
    pub fn sibling<K: Kind>(&self, name: &str) -> Result<Option<&'a K::Row>, Missing> {
        let kind = kinds::id_of::<K>();
        self.record(Evidence::Objects(kind, Reach::Namespace));
        let namespace = self.subject.namespace();
        if !self.inventory.coverage(kind).is_of_input() {
            is_watched(self.inventory, kind)?;
        }
        all_readable(self.inventory, kind, |key| {
            *key.namespace == *namespace && *key.name == *name
        })?;
        let row = self.inventory.table::<K>().find(namespace, name);
        if row.is_none() {
            found_in_input(self.inventory, kind, &ObjectKey::new(namespace, name))?;
        }
        Ok(row)
    }

    /// The Flux controllers of a type, sure or only possible.
    ///
    /// # Errors
    /// Not every controller of the cluster can be seen.
    pub fn controllers(
        &self,
        component: Component,
    ) -> Result<impl Iterator<Item = (&'a InstanceKey, &'a Instance)>, Missing> {
        self.record(Evidence::Controllers(component));
        self.controllers_are_complete()?;
        let instances = self.inventory.instances().iter();
        Ok(instances.filter(move |(key, _)| key.component == component))
    }

    /// Whether a Flux controller of one of these types runs in a namespace, for sure or possibly.
    ///
    /// # Errors
    /// Not every controller of the cluster can be seen.
    pub fn has_controller(&self, components: &[Component], namespace: &str) -> Result<bool, Missing> {
        for component in components {
            self.record(Evidence::Controllers(*component));
        }
        self.controllers_are_complete()?;
        let mut instances = self.inventory.instances_in(namespace);
        Ok(instances.any(|(key, _)| components.contains(&key.component)))
    }

    /// The Flux controllers of a type.
    ///
    /// # Errors
    /// Not every controller can be seen, or a workload has some traces of one and may be one.
    pub fn accepted_controllers(
        &self,
        component: Component,
    ) -> Result<impl Iterator<Item = (&'a InstanceKey, &'a Instance)>, Missing> {
        for (key, instance) in self.controllers(component)? {
            if let Some(missing) = instance.doubt(key) {
                return Err(missing);
            }
        }
        self.controllers(component)
    }

    /// The controllers of the judged controller's own type, itself among them.
    ///
    /// # Errors
    /// Not every controller can be seen, or a workload has some traces of one and may be one.
    pub fn peers(&self) -> Result<impl Iterator<Item = (&'a InstanceKey, &'a Instance)>, Missing> {
        self.record(Evidence::Peers);
        self.controllers_are_complete()?;
        let own = self.own_instance().map(|(key, _)| key.component);
        let instances = self.inventory.instances().iter();
        let peers = instances.filter(move |(key, _)| Some(key.component) == own);
        match peers.clone().find_map(|(key, instance)| instance.doubt(key)) {
            Some(missing) => Err(missing),
            None => Ok(peers),
        }
    }

    fn controllers_are_complete(&self) -> Result<(), Missing> {
        match self.at_hand.controllers {
            Some(known) => known.clone(),
            None => controllers_are_complete(self.inventory),
        }
    }

    /// What a ServiceAccount of the subject's own namespace is given.
    ///
    /// # Errors
    /// Roles or bindings cannot all be seen.
    pub fn rights(&self, account: &str) -> Result<impl Iterator<Item = Grant<'_>>, Missing> {
        self.record(Evidence::Access(Reach::Namespace));
        self.access_is_complete()?;
        let access = self.inventory.access(&self.lacking);
        Ok(access.of_account(self.subject.namespace(), account))
    }

    /// Who may do what, everywhere.
    ///
    /// # Errors
    /// Roles or bindings cannot all be seen.
    pub fn access(&self) -> Result<Access<'_>, Missing> {
        self.record(Evidence::Access(Reach::Cluster));
        self.access_is_complete()?;
        Ok(self.inventory.access(&self.lacking))
    }

    /// Fails unless every role and every binding can be seen. Manifests may have some only, and what those allow is
    /// allowed for sure.
    fn access_is_complete(&self) -> Result<(), Missing> {
        if let Some(known) = self.at_hand.access {
            return known.clone();
        }
        for kind in access_kinds() {
            if !self.inventory.coverage(kind).is_of_input() {
                complete(self.inventory, kind)?;
            } else if kinds::rbac::is_binding(kind)
                && let Err(missing) = complete(self.inventory, kind)
            {
                self.lacking.note(missing);
            }
        }
        Ok(())
    }

    /// Whom a namespace belongs to, by the policy's rules.
    ///
    /// # Errors
    /// Controllers or namespaces cannot all be seen.
    pub fn owner<'n>(&self, namespace: &'n str) -> Result<Owner<'n>, Missing>
    where
        'a: 'n,
    {
        let is_own = self.subject.namespace() == namespace;
        let reach = if is_own { Reach::Namespace } else { Reach::Cluster };
        self.record(Evidence::Owners(reach));
        match self.at_hand.owner {
            Some(owner) if is_own => owner.clone(),
            _ => self.rules.owner(self.inventory, namespace),
        }
    }

    /// Whether tenants share the cluster, as the policy says.
    #[must_use]
    pub fn tenants_share_the_cluster(&self) -> bool {
        self.record(Evidence::Owners(Reach::Namespace));
        self.rules.is_shared()
    }

    /// Whether somebody runs the cluster, by the policy's rules.
    ///
    /// # Errors
    /// Controllers or namespaces cannot all be seen.
    pub fn is_platform(&self, principal: &Principal) -> Result<bool, Missing> {
        self.record(Evidence::Owners(Reach::Cluster));
        self.rules.is_platform(self.inventory, principal)
    }

    /// Who runs on the judged node, namespace by namespace.
    ///
    /// # Errors
    /// Pods, controllers or namespaces cannot all be seen.
    pub fn neighbours(&self) -> Result<Vec<Neighbours<'a>>, Missing> {
        self.record(Evidence::Neighbours);
        self.controllers_are_complete()?;
        let Some((node, _)) = self.own_row::<Node>() else {
            return Ok(Vec::new());
        };
        let here = |instance: &Instance| instance.nodes().any(|it| *it == *node.name);
        let namespaces = self.inventory.placement.namespaces(&node.name).into_iter();
        let neighbours = namespaces.map(|namespace| {
            let controllers = self.inventory.instances_in(namespace);
            Ok(Neighbours {
                owner: self.rules.owner(self.inventory, namespace)?,
                controllers: controllers.filter(|(_, instance)| here(instance)).collect(),
            })
        });
        neighbours.collect()
    }

    /// Which tolerations pods of tenants have, with their namespaces.
    ///
    /// # Errors
    /// Pods, controllers or namespaces cannot all be seen.
    pub fn tolerations_of_tenants(&self) -> Result<Vec<(&'a str, &'a [Toleration])>, Missing> {
        self.record(Evidence::Tolerations);
        self.controllers_are_complete()?;
        let mut of_tenants = Vec::new();
        for (namespace, tolerations) in self.inventory.placement.tolerations() {
            if matches!(self.rules.owner(self.inventory, namespace)?, Owner::Tenant(_)) {
                of_tenants.push((namespace, tolerations));
            }
        }
        Ok(of_tenants)
    }

    /// What the files of sources hold.
    ///
    /// # Errors
    /// Nobody reads them.
    pub fn trees(&self) -> Result<&'a Trees, Missing> {
        let not_read = || Missing::new("SourceNotRead", "the files of sources are not read");
        self.trees_if_read().ok_or_else(not_read)
    }

    /// What the policy says of scans of histories.
    pub(crate) fn scans(&self) -> &'a [Scanned] {
        self.record(Evidence::Scans);
        self.rules.scans()
    }

    /// Whether the policy lets the files of a tenant be for this recipient; `None`: it does not say.
    pub(crate) fn is_recipient_of(&self, tenant: &str, recipient: &str) -> Option<bool> {
        self.record(Evidence::Owners(Reach::Cluster));
        self.rules.is_recipient_of(tenant, recipient)
    }

    /// Secrets that sources delivered, also those that they have no more, and also when nobody reads them now.
    pub(crate) fn delivered(&self) -> impl Iterator<Item = (&'a TreeKey, &'a OfSource)> + use<'a> {
        self.record(Evidence::Trees);
        self.inventory.delivered()
    }

    /// The same for whoever can do without; `None`: nobody reads them.
    pub(crate) fn trees_if_read(&self) -> Option<&'a Trees> {
        self.record(Evidence::Trees);
        self.inventory.trees()
    }

    /// What was asked for so far.
    #[must_use]
    pub fn reads(&self) -> Vec<Evidence> {
        self.seen().iter().collect()
    }

    /// The same, bit by bit.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.get()
    }

    fn record(&self, evidence: Evidence) {
        let mut seen = self.seen.get();
        seen.note(evidence);
        self.seen.set(seen);
    }
}

/// Fails unless the table of a kind is complete and every object of it could be read.
pub(crate) fn complete(inventory: &Inventory, kind: KindId) -> Result<(), Missing> {
    is_watched(inventory, kind)?;
    all_readable(inventory, kind, |_| true)?;
    match inventory.mentioned(kind) {
        None => Ok(()),
        Some(key) => Err(Missing::in_input(format!("{} {key}", kind.name()))),
    }
}

/// Fails when manifests are audited and an object is not among them: nobody knows whether it exists.
pub(super) fn found_in_input(inventory: &Inventory, kind: KindId, key: &ObjectKey) -> Result<(), Missing> {
    if !inventory.coverage(kind).is_of_input() || inventory.contains(kind, key) {
        return Ok(());
    }
    all_readable(inventory, kind, |unread| unread == key)?;
    Err(Missing::in_input(format!("{} {key}", kind.name())))
}

/// Fails unless the objects of a kind are seen, those among them that cannot be read too.
pub(super) fn is_watched(inventory: &Inventory, kind: KindId) -> Result<(), Missing> {
    let coverage = inventory.coverage(kind);
    if coverage.is_complete() {
        return Ok(());
    }
    let resource = kind.entry().descriptor.resource();
    let message = match coverage {
        Coverage::Forbidden => format!("list and watch of {resource} are forbidden to the auditor"),
        Coverage::NotInInput => format!("the input has no {}", kind.name()),
        other => format!("{resource}: {other}"),
    };
    Err(Missing::new(coverage.reason(), message))
}

fn all_readable(
    inventory: &Inventory,
    kind: KindId,
    matters: impl Fn(&ObjectKey) -> bool,
) -> Result<(), Missing> {
    let mut undecodable = inventory.undecodable(kind).iter();
    match undecodable.find(|(key, _)| matters(key)) {
        None => Ok(()),
        Some((key, note)) => {
            let message = format!("{} {key} cannot be read: {note}", kind.name());
            Err(Missing::new("Undecodable", message))
        }
    }
}
