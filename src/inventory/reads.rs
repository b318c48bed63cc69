//! What a verdict depends on besides its subject: declared by controls, recorded by views, compared by tests.

use crate::flux::Component;
use crate::kinds::{Kind, KindId, id_of};

/// How far a control looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The subject's own namespace.
    Namespace,
    /// Every namespace, and what has none.
    Cluster,
}

/// Something that a control depends on: a change of it re-evaluates the subjects that it can touch, and no others.
#[derive(Clone, Copy, Debug)]
pub enum Read {
    /// Objects of a kind.
    Objects(fn() -> KindId, Reach),
    /// Flux controllers of these types.
    Controllers(&'static [Component]),
    /// The Flux controllers of the judged controller's own type.
    Peers,
    /// Whom namespaces belong to: the platform or a tenant.
    Owners(Reach),
    /// Who may do what: the ServiceAccounts of the subject's namespace, or everybody.
    Access(Reach),
    /// Who runs on the judged node, and whom they belong to.
    Neighbours,
    /// Which tolerations pods of tenants have.
    Tolerations,
    /// What the files of sources hold.
    Trees,
}

/// Something that a view was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// Objects of a kind.
    Objects(KindId, Reach),
    /// Flux controllers of this type.
    Controllers(Component),
    /// Flux controllers of the subject's own type.
    Peers,
    /// Whom namespaces belong to.
    Owners(Reach),
    /// Who may do what.
    Access(Reach),
    /// Who runs on the judged node.
    Neighbours,
    /// Which tolerations pods of tenants have.
    Tolerations,
    /// What the files of sources hold.
    Trees,
}

impl Evidence {
    /// Whether it may be of other namespaces than the subject's own.
    #[must_use]
    pub const fn is_far(&self) -> bool {
        matches!(
            self,
            Self::Objects(_, Reach::Cluster) | Self::Owners(Reach::Cluster) | Self::Access(Reach::Cluster)
        )
    }
}

impl Read {
    /// Objects of a kind, wherever they are.
    #[must_use]
    pub const fn cluster<K: Kind>() -> Self {
        Self::Objects(id_of::<K>, Reach::Cluster)
    }

    /// Objects of a kind in the subject's own namespace.
    #[must_use]
    pub const fn namespace<K: Kind>() -> Self {
        Self::Objects(id_of::<K>, Reach::Namespace)
    }

    /// Whether it depends on whom namespaces belong to.
    #[must_use]
    pub const fn asks_for_owners(&self) -> bool {
        matches!(self, Self::Owners(_) | Self::Neighbours | Self::Tolerations)
    }

    /// Whether the declaration admits this read.
    #[must_use]
    pub fn covers(&self, evidence: &Evidence) -> bool {
        match (self, evidence) {
            (Self::Objects(declared, far), Evidence::Objects(kind, reach)) => {
                declared() == *kind && reach <= far
            }
            (Self::Controllers(declared), Evidence::Controllers(component)) => declared.contains(component),
            (Self::Owners(far), Evidence::Owners(reach)) | (Self::Access(far), Evidence::Access(reach)) => {
                reach <= far
            }
            (Self::Peers, Evidence::Peers)
            | (Self::Neighbours, Evidence::Neighbours)
            | (Self::Tolerations, Evidence::Tolerations)
            | (Self::Trees, Evidence::Trees) => true,
            _ => false,
        }
    }
}
