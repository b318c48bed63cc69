//! Which verdicts a change can touch, by what their control declares to read.

use std::collections::BTreeSet;

use crate::controls::{Control, Judges};
use crate::flux::Component;
use crate::inventory::access::{ACCOUNTS, AUTHENTICATED};
use crate::inventory::tenancy::reach_kinds;
use crate::inventory::{
    Changed, Evidence, InstanceKey, Inventory, Read, Seen, SubjectKey, access_kinds, controller_kinds,
    namespaces,
};
use crate::kinds::node::Node;
use crate::kinds::rbac::Principal;
use crate::kinds::{KindId, id_of};

use super::cells::{Cells, Far};

/// What has to be judged again.
#[derive(Default)]
pub(super) struct Dirty<'a> {
    /// Every subject of the control.
    everything: bool,
    /// Subjects of these namespaces.
    namespaces: BTreeSet<&'a str>,
    /// Subjects whose verdicts looked at these reads in other namespaces too.
    far: Far,
    /// Controllers of these types.
    components: BTreeSet<Component>,
    /// These subjects, also when they are new or gone.
    subjects: BTreeSet<SubjectKey>,
}

impl<'a> Dirty<'a> {
    /// What these changes touch of a control.
    pub(super) fn new(control: &Control, changed: &'a BTreeSet<Changed>) -> Self {
        let mut dirty = Self::default();
        for change in changed {
            dirty.everything |= asks_anew(control, change);
            dirty.subjects.extend(judged(control, change));
            for (position, read) in control.reads.iter().enumerate() {
                match touched(read, change) {
                    None => continue,
                    Some(Touched::Namespace(name)) => {
                        dirty.namespaces.insert(name);
                    }
                    Some(Touched::Nobody) => {}
                    Some(Touched::Peers(component)) => {
                        dirty.components.insert(component);
                    }
                    Some(Touched::Cluster) => dirty.everything = true,
                }
                dirty.far |= bit(read, position);
            }
        }
        dirty
    }

    /// The subjects: those that there are, and those that changed and may be gone.
    pub(super) fn subjects(
        self,
        control: &Control,
        cells: &Cells,
        inventory: &Inventory,
    ) -> BTreeSet<SubjectKey> {
        let mut subjects = self.subjects;
        let judges = &control.judges;
        if self.everything {
            subjects.extend(judges.subjects(inventory));
            if matches!(judges, Judges::Custom(_)) {
                subjects.extend(cells.subjects().cloned());
            }
            return subjects;
        }
        for namespace in self.namespaces {
            subjects.extend(judges.subjects_in(namespace, inventory));
        }
        if !self.components.is_empty() {
            let keys = inventory.instances().keys();
            let is_peer = |key: &&InstanceKey| {
                self.components.contains(&key.component) && judges.judges_controller(key.component)
            };
            let peers = keys.filter(is_peer).cloned();
            subjects.extend(peers.map(|key| SubjectKey::Controller(key.into())));
        }
        if self.far != 0 {
            subjects.extend(cells.looking_at(self.far).cloned());
        }
        subjects
    }
}

/// The reads of a control that may look into other namespaces: what a view writes down then, and the sign of each.
pub(super) struct Farsight(Box<[(Evidence, Far)]>);

impl Farsight {
    /// Those of a control.
    pub(super) fn of(control: &Control) -> Self {
        let reads = control.reads.iter().enumerate();
        let far = reads.filter_map(|(position, read)| Some((read.far()?, bit(read, position))));
        Self(far.collect())
    }

    /// Which of them a verdict looked at in other namespaces.
    pub(super) fn of_verdict(&self, seen: Seen) -> Far {
        let looked = self.0.iter().filter(|(evidence, _)| seen.has(*evidence));
        looked.fold(0, |far, (_, bit)| far | bit)
    }
}

/// The sign of a read that may look into other namespaces.
fn bit(read: &Read, position: usize) -> Far {
    if read.far().is_some() { 1 << position } else { 0 }
}

/// Whom a change concerns, whatever their verdicts looked at.
enum Touched<'a> {
    /// Nobody.
    Nobody,
    /// Subjects of this namespace.
    Namespace(&'a str),
    /// Controllers of this type.
    Peers(Component),
    /// Every subject.
    Cluster,
}

/// The subject that changed itself, or that has other neighbours.
fn judged(control: &Control, change: &Changed) -> Option<SubjectKey> {
    match change {
        Changed::Object(kind, key) => control.judges.subject(*kind, key),
        Changed::Instance(key) => control
            .judges
            .judges_controller(key.component)
            .then(|| SubjectKey::Controller(key.clone().into())),
        Changed::Neighbours(node) => {
            let mut reads = control.reads.iter();
            let asks = reads.any(|read| matches!(read, Read::Neighbours));
            control.judges.subject(id_of::<Node>(), node).filter(|_| asks)
        }
        Changed::Custom(object) => {
            let Judges::Custom(custom) = &control.judges else {
                return None;
            };
            let is_judged = custom.is_about(&object.target);
            is_judged.then(|| SubjectKey::Custom(object.clone()))
        }
        Changed::Coverage(_)
        | Changed::Access(_)
        | Changed::Reach(_)
        | Changed::Inhabited(_)
        | Changed::Tolerations
        | Changed::Trees
        | Changed::CustomKind(_) => None,
    }
}

/// Whether a custom control is asked of other objects now, or of objects that are seen otherwise.
fn asks_anew(control: &Control, change: &Changed) -> bool {
    match (&control.judges, change) {
        (Judges::Custom(custom), Changed::CustomKind(target)) => custom.is_about(target),
        _ => false,
    }
}

/// `None`: the read has nothing to do with the change.
fn touched<'a>(read: &Read, change: &'a Changed) -> Option<Touched<'a>> {
    match (read, change) {
        (Read::Objects(declared, _), Changed::Object(kind, key)) if declared() == *kind => {
            Some(Touched::Namespace(&key.namespace))
        }
        (Read::Objects(declared, _), Changed::Coverage(kind)) if declared() == *kind => {
            Some(Touched::Cluster)
        }
        (Read::Controllers(components), Changed::Instance(key)) if components.contains(&key.component) => {
            Some(Touched::Cluster)
        }
        (Read::Peers, Changed::Instance(key)) => Some(Touched::Peers(key.component)),
        (Read::Tolerations, Changed::Tolerations) | (Read::Trees, Changed::Trees) => Some(Touched::Cluster),
        (Read::Controllers(_) | Read::Peers, Changed::Coverage(kind))
            if controller_kinds().contains(kind) =>
        {
            Some(Touched::Cluster)
        }
        // A namespace is Flux's own as long as a controller runs in it, and reaches all others.
        (Read::Owners(_), Changed::Instance(key)) => Some(Touched::Namespace(&key.namespace)),
        (Read::Owners(_), Changed::Reach(namespace) | Changed::Inhabited(namespace)) => {
            Some(Touched::Namespace(namespace))
        }
        (Read::Owners(_), Changed::Object(kind, key)) if *kind == namespaces() => {
            Some(Touched::Namespace(&key.name))
        }
        (read, Changed::Coverage(kind)) if read.asks_for_owners() && decides_on_owners(*kind) => {
            Some(Touched::Cluster)
        }
        (Read::Access(_), Changed::Access(principal)) => Some(whose(principal)),
        (Read::Access(_), Changed::Coverage(kind)) if access_kinds().contains(kind) => Some(Touched::Cluster),
        _ => None,
    }
}

/// Whether somebody has to see all of a kind to know whom namespaces belong to.
fn decides_on_owners(kind: KindId) -> bool {
    kind == namespaces()
        || kind.is_of_flux()
        || controller_kinds().contains(&kind)
        || reach_kinds().contains(&kind)
}

/// Whom the rights of a principal concern: the accounts of its namespace, those of all, or nobody in particular.
fn whose(principal: &Principal) -> Touched<'_> {
    match principal {
        Principal::Account { namespace, .. } => Touched::Namespace(namespace),
        Principal::User(_) => Touched::Nobody,
        Principal::Group(name) if **name == *AUTHENTICATED || **name == *ACCOUNTS => Touched::Cluster,
        Principal::Group(name) => {
            let of_accounts = name.strip_prefix(ACCOUNTS);
            let namespace = of_accounts.and_then(|rest| rest.strip_prefix(':'));
            namespace.map_or(Touched::Nobody, Touched::Namespace)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Far;
    use crate::controls::CATALOGUE;

    #[test]
    fn every_read_has_a_bit_of_its_own() {
        for control in CATALOGUE {
            assert!(control.reads.len() <= Far::BITS as usize, "{}", control.id);
        }
    }
}
