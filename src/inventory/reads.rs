//! What a verdict depends on besides its subject: declared by controls, recorded by views, compared by tests.

use crate::flux::Component;
use crate::kinds::{CATALOG, Kind, KindId, id_of};

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
    /// What the policy says of scans of histories.
    Scans,
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
    /// What the policy says of scans of histories.
    Scans,
}

/// Evidence, a bit each: every judgement writes down what it asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Kinds, in the subject's own namespace.
    near: u128,
    /// Kinds, everywhere.
    far: u128,
    others: u32,
}

const _: () = assert!(
    CATALOG.len() <= u128::BITS as usize,
    "every kind needs a bit of its own"
);

impl Seen {
    /// Writes down one more.
    pub(crate) const fn note(&mut self, evidence: Evidence) {
        let (near, far, others) = Self::bits(evidence);
        self.near |= near;
        self.far |= far;
        self.others |= others;
    }

    /// Whether it was asked for.
    pub(crate) const fn has(self, evidence: Evidence) -> bool {
        let (near, far, others) = Self::bits(evidence);
        self.near & near | self.far & far != 0 || self.others & others != 0
    }

    /// All of it, in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Evidence> {
        let objects = |kind| [Reach::Namespace, Reach::Cluster].map(|reach| Evidence::Objects(kind, reach));
        let others = [
            Evidence::Peers,
            Evidence::Owners(Reach::Namespace),
            Evidence::Owners(Reach::Cluster),
            Evidence::Access(Reach::Namespace),
            Evidence::Access(Reach::Cluster),
            Evidence::Neighbours,
            Evidence::Tolerations,
            Evidence::Trees,
            Evidence::Scans,
        ];
        let all = KindId::all()
            .flat_map(objects)
            .chain(Component::DETECTED.map(Evidence::Controllers))
            .chain(others);
        all.filter(move |evidence| self.has(*evidence))
    }

    const fn bits(evidence: Evidence) -> (u128, u128, u32) {
        match evidence {
            Evidence::Objects(kind, Reach::Namespace) => (1 << kind.0, 0, 0),
            Evidence::Objects(kind, Reach::Cluster) => (0, 1 << kind.0, 0),
            Evidence::Peers => (0, 0, 1),
            Evidence::Owners(Reach::Namespace) => (0, 0, 1 << 1),
            Evidence::Owners(Reach::Cluster) => (0, 0, 1 << 2),
            Evidence::Access(Reach::Namespace) => (0, 0, 1 << 3),
            Evidence::Access(Reach::Cluster) => (0, 0, 1 << 4),
            Evidence::Neighbours => (0, 0, 1 << 5),
            Evidence::Tolerations => (0, 0, 1 << 6),
            Evidence::Trees => (0, 0, 1 << 7),
            Evidence::Scans => (0, 0, 1 << 8),
            Evidence::Controllers(component) => (0, 0, 1 << (16 + component as u32)),
        }
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

    /// What a view writes down when it is used beyond the subject's namespace; `None`: it cannot be. Controllers are few
    /// and change seldom: nothing is written down of who looked at which.
    pub(crate) fn far(&self) -> Option<Evidence> {
        match self {
            Self::Objects(declared, Reach::Cluster) => Some(Evidence::Objects(declared(), Reach::Cluster)),
            Self::Owners(Reach::Cluster) => Some(Evidence::Owners(Reach::Cluster)),
            Self::Access(Reach::Cluster) => Some(Evidence::Access(Reach::Cluster)),
            _ => None,
        }
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
            | (Self::Trees, Evidence::Trees)
            | (Self::Scans, Evidence::Scans) => true,
            _ => false,
        }
    }
}
