//! Which verdicts a change can touch, by what their control declares to read.

use std::collections::BTreeSet;

use crate::controls::Control;
use crate::flux::Component;
use crate::inventory::access::{ACCOUNTS, AUTHENTICATED};
use crate::inventory::{Changed, Reach, Read, SubjectKey, access_kinds, controller_kinds, namespaces};
use crate::kinds::rbac::Principal;

use super::cells::Cells;

/// What has to be judged again.
#[derive(Default)]
pub(super) struct Dirty<'a> {
    /// Every subject of the control.
    everything: bool,
    /// Subjects of these namespaces.
    namespaces: BTreeSet<&'a str>,
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
            dirty.subjects.extend(judged(control, change));
            for read in control.reads {
                match touched(read, change) {
                    None => {}
                    Some(Touched::Namespace(name)) => {
                        dirty.namespaces.insert(name);
                    }
                    Some(Touched::Peers(component)) => {
                        dirty.components.insert(component);
                    }
                    Some(Touched::Cluster) => dirty.everything = true,
                }
            }
        }
        dirty
    }

    /// The subjects, those with a verdict and those that have none yet.
    pub(super) fn subjects(self, cells: &Cells) -> BTreeSet<SubjectKey> {
        let mut subjects = self.subjects.clone();
        if self.everything {
            subjects.extend(cells.keys().cloned());
        } else if !self.namespaces.is_empty() || !self.components.is_empty() {
            let inside = |key: &&SubjectKey| self.namespaces.contains(key.namespace()) || self.is_peer(key);
            subjects.extend(cells.keys().filter(inside).cloned());
        }
        subjects
    }

    fn is_peer(&self, key: &SubjectKey) -> bool {
        matches!(key, SubjectKey::Controller(key) if self.components.contains(&key.component))
    }
}

/// How far a change reaches.
enum Touched<'a> {
    /// Subjects of this namespace.
    Namespace(&'a str),
    /// Controllers of this type.
    Peers(Component),
    /// Every subject.
    Cluster,
}

/// The subject that changed itself.
fn judged(control: &Control, change: &Changed) -> Option<SubjectKey> {
    match change {
        Changed::Object(kind, key) => control.judges.subject(*kind, key),
        Changed::Instance(key) => control
            .judges
            .judges_controller(key.component)
            .then(|| SubjectKey::Controller(key.clone().into())),
        Changed::Coverage(_) | Changed::Access(_) => None,
    }
}

fn touched<'a>(read: &Read, change: &'a Changed) -> Option<Touched<'a>> {
    match (read, change) {
        (Read::Objects(declared, reach), Changed::Object(kind, key)) if declared() == *kind => {
            Some(within(*reach, &key.namespace))
        }
        (Read::Objects(declared, _), Changed::Coverage(kind)) if declared() == *kind => {
            Some(Touched::Cluster)
        }
        (Read::Controllers(components), Changed::Instance(key)) if components.contains(&key.component) => {
            Some(Touched::Cluster)
        }
        (Read::Peers, Changed::Instance(key)) => Some(Touched::Peers(key.component)),
        (Read::Controllers(_) | Read::Peers, Changed::Coverage(kind))
            if controller_kinds().contains(kind) =>
        {
            Some(Touched::Cluster)
        }
        // A namespace is Flux's own as long as a controller runs in it.
        (Read::Owners(reach), Changed::Instance(key)) => Some(within(*reach, &key.namespace)),
        (Read::Owners(reach), Changed::Object(kind, key)) if *kind == namespaces() => {
            Some(within(*reach, &key.name))
        }
        (Read::Owners(_), Changed::Coverage(kind))
            if *kind == namespaces() || controller_kinds().contains(kind) =>
        {
            Some(Touched::Cluster)
        }
        (Read::Access(reach), Changed::Access(principal)) => whose(*reach, principal),
        (Read::Access(_), Changed::Coverage(kind)) if access_kinds().contains(kind) => Some(Touched::Cluster),
        _ => None,
    }
}

/// Whom the rights of a principal concern: the accounts of its namespace, those of all, or only who looks at everybody.
fn whose(reach: Reach, principal: &Principal) -> Option<Touched<'_>> {
    if reach == Reach::Cluster {
        return Some(Touched::Cluster);
    }
    match principal {
        Principal::Account { namespace, .. } => Some(Touched::Namespace(namespace)),
        Principal::User(_) => None,
        Principal::Group(name) if **name == *AUTHENTICATED || **name == *ACCOUNTS => Some(Touched::Cluster),
        Principal::Group(name) => {
            let namespace = name.strip_prefix(ACCOUNTS)?.strip_prefix(':')?;
            Some(Touched::Namespace(namespace))
        }
    }
}

fn within(reach: Reach, namespace: &str) -> Touched<'_> {
    match reach {
        Reach::Namespace => Touched::Namespace(namespace),
        Reach::Cluster => Touched::Cluster,
    }
}
