//! What can be judged: a controller, an object, a namespace, the cluster.

use std::fmt;
use std::sync::Arc;

use super::custom::CustomObject;
use super::instances::InstanceKey;
use super::table::ObjectKey;
use crate::kinds::{Kind, KindId, id_of};

/// One thing that a control says something about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectKey {
    /// A Flux controller in a workload. There are few of them: the many objects do not pay for the room of its key.
    Controller(Arc<InstanceKey>),
    /// An object of a kind.
    Object(KindId, ObjectKey),
    /// An object that a custom control asks for. Only what is not as it should be has a verdict of its own.
    Custom(Arc<CustomObject>),
    /// A namespace.
    Namespace(Arc<str>),
    /// The cluster as a whole.
    Cluster,
}

impl SubjectKey {
    /// The subject that an object is.
    #[must_use]
    pub fn object<K: Kind>(key: &ObjectKey) -> Self {
        Self::Object(id_of::<K>(), key.clone())
    }

    /// The namespace that it is or is in; empty when it is in none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self {
            Self::Controller(key) => &key.namespace,
            Self::Object(_, key) => &key.namespace,
            Self::Custom(object) => &object.key.namespace,
            Self::Namespace(name) => name,
            Self::Cluster => "",
        }
    }
}

impl fmt::Display for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller(key) => write!(f, "{key}"),
            Self::Object(kind, key) => write!(f, "{} {key}", kind.name()),
            Self::Custom(object) => write!(f, "{object}"),
            Self::Namespace(name) => write!(f, "Namespace {name}"),
            Self::Cluster => f.write_str("the cluster"),
        }
    }
}
