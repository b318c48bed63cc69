//! What a control judges, and how a judgement is asked for.

use super::control::{Outcome, Parameters};
use super::custom::Custom;
use crate::flux::Component;
use crate::inventory::{
    Instance, InstanceKey, Inventory, Missing, ObjectKey, SubjectKey, View, controllers_are_complete,
    namespaces,
};
use crate::kinds::namespace::{Namespace, NamespaceRow};
use crate::kinds::{Kind, KindId, id_of};

/// What a control judges; one verdict each.
pub enum Judges {
    /// Flux controllers.
    Controllers {
        /// Of these types.
        components: &'static [Component],
        /// Judges one of them.
        judge: fn(&Subject<'_>) -> Result<Outcome, Missing>,
    },
    /// Objects of one or several kinds: one [`Each`] a kind.
    Objects(&'static [&'static dyn JudgesObjects]),
    /// Namespaces.
    Namespaces(JudgesNamespace),
    /// The cluster as a whole: one verdict.
    Cluster(fn(&ClusterSubject<'_>) -> Result<Outcome, Missing>),
    /// Objects of any kind, by an expression of a policy.
    Custom(Custom),
}

/// A controller, seen with its surroundings.
pub struct Subject<'a> {
    /// Which controller.
    pub key: &'a InstanceKey,
    /// What is known of it.
    pub instance: &'a Instance,
    /// Everything else, for what the control declares in its `reads`.
    pub view: &'a View<'a>,
    /// Tuning.
    pub parameters: &'a Parameters,
}

/// An object, seen with its surroundings.
pub struct ObjectSubject<'a, K: Kind> {
    /// Which object.
    pub key: &'a ObjectKey,
    /// What is kept of it.
    pub row: &'a K::Row,
    /// Everything else, for what the control declares in its `reads`.
    pub view: &'a View<'a>,
    /// Tuning.
    pub parameters: &'a Parameters,
}

/// A namespace, seen with its surroundings.
pub struct NamespaceSubject<'a> {
    /// Its name.
    pub name: &'a str,
    /// What is kept of it.
    pub row: &'a NamespaceRow,
    /// Everything else, for what the control declares in its `reads`.
    pub view: &'a View<'a>,
    /// Tuning.
    pub parameters: &'a Parameters,
}

impl NamespaceSubject<'_> {
    /// Whether a Flux controller runs there, for sure or possibly.
    pub(super) fn has_controller(&self) -> Result<bool, Missing> {
        self.view.has_controller(&Component::ALL, self.name)
    }
}

/// The cluster.
pub struct ClusterSubject<'a> {
    /// Everything that the control declares in its `reads`.
    pub view: &'a View<'a>,
    /// Tuning.
    pub parameters: &'a Parameters,
}

/// Judges the objects of one kind.
pub struct Each<K: Kind>(pub fn(&ObjectSubject<'_, K>) -> Result<Outcome, Missing>);

/// [`Each`] with its kind erased, so that one control can judge several kinds.
pub trait JudgesObjects: Sync {
    /// The kind of the objects.
    fn kind(&self) -> KindId;
    /// Judges the view's subject; `None`: it is not there, or of another kind.
    fn judge(&self, view: &View<'_>, parameters: &Parameters) -> Option<Result<Outcome, Missing>>;
}

impl<K: Kind> JudgesObjects for Each<K> {
    fn kind(&self) -> KindId {
        id_of::<K>()
    }

    fn judge(&self, view: &View<'_>, parameters: &Parameters) -> Option<Result<Outcome, Missing>> {
        let (key, row) = view.own_row::<K>()?;
        Some((self.0)(&ObjectSubject {
            key,
            row,
            view,
            parameters,
        }))
    }
}

/// How a control judges the rows of one kind.
#[derive(Clone, Copy)]
pub(crate) enum JudgesRows {
    /// Objects.
    Objects(&'static dyn JudgesObjects),
    /// Namespaces.
    Namespaces(JudgesNamespace),
}

type JudgesNamespace = fn(&NamespaceSubject<'_>) -> Result<Outcome, Missing>;

impl JudgesRows {
    /// Judges the view's subject; `None`: it is not there any more.
    pub(crate) fn judge(self, view: &View<'_>, parameters: &Parameters) -> Option<Result<Outcome, Missing>> {
        match self {
            Self::Objects(judges) => judges.judge(view, parameters),
            Self::Namespaces(judge) => {
                let (name, row) = view.own_namespace()?;
                Some(judge(&NamespaceSubject {
                    name,
                    row,
                    view,
                    parameters,
                }))
            }
        }
    }
}

impl Judges {
    /// Everything that there is to judge.
    #[must_use]
    pub fn subjects(&self, inventory: &Inventory) -> Vec<SubjectKey> {
        match self {
            Self::Controllers { components, .. } => {
                let keys = inventory.instances().keys();
                let judged = keys.filter(|key| components.contains(&key.component));
                let subject = |key: &InstanceKey| SubjectKey::Controller(key.clone().into());
                judged.map(subject).collect()
            }
            Self::Objects(kinds) => {
                let of = |kind: KindId| {
                    let keys = inventory.keys(kind).into_iter();
                    keys.map(move |key| SubjectKey::Object(kind, key))
                };
                kinds.iter().flat_map(|judges| of(judges.kind())).collect()
            }
            Self::Namespaces(_) => {
                let keys = inventory.keys(namespaces()).into_iter();
                keys.map(|key| SubjectKey::Namespace(key.name.clone())).collect()
            }
            Self::Cluster(_) => vec![SubjectKey::Cluster],
            Self::Custom(custom) => custom.subjects(inventory),
        }
    }

    /// What there is to judge in a namespace: objects, controllers, and the namespace itself. The cluster is in none, as
    /// are objects of no namespace.
    pub(crate) fn subjects_in(&self, namespace: &str, inventory: &Inventory) -> Vec<SubjectKey> {
        match self {
            Self::Controllers { components, .. } => {
                let keys = inventory.instances_in(namespace).map(|(key, _)| key);
                let judged = keys.filter(|key| components.contains(&key.component));
                let subject = |key: &InstanceKey| SubjectKey::Controller(key.clone().into());
                judged.map(subject).collect()
            }
            Self::Objects(kinds) => {
                let of = |kind: KindId| {
                    let keys = inventory.keys_in(kind, namespace).into_iter();
                    keys.map(move |key| SubjectKey::Object(kind, key))
                };
                kinds.iter().flat_map(|judges| of(judges.kind())).collect()
            }
            Self::Namespaces(_) => {
                let exists = inventory.contains(namespaces(), &ObjectKey::new("", namespace));
                exists
                    .then(|| SubjectKey::Namespace(namespace.into()))
                    .into_iter()
                    .collect()
            }
            Self::Cluster(_) if namespace.is_empty() => vec![SubjectKey::Cluster],
            Self::Cluster(_) => Vec::new(),
            Self::Custom(custom) => custom.subjects_in(namespace, inventory),
        }
    }

    /// The subject that an object is to this control, if any.
    #[must_use]
    pub fn subject(&self, kind: KindId, key: &ObjectKey) -> Option<SubjectKey> {
        let judged = match self {
            Self::Objects(kinds) => kinds.iter().any(|judges| judges.kind() == kind),
            Self::Namespaces(_) if kind == namespaces() => {
                return Some(SubjectKey::Namespace(key.name.clone()));
            }
            _ => false,
        };
        judged.then(|| SubjectKey::Object(kind, key.clone()))
    }

    /// The kinds whose objects are judged.
    #[must_use]
    pub fn kinds(&self) -> Vec<KindId> {
        match self {
            Self::Objects(kinds) => kinds.iter().map(|judges| judges.kind()).collect(),
            Self::Controllers { .. } | Self::Namespaces(_) | Self::Cluster(_) | Self::Custom(_) => Vec::new(),
        }
    }

    /// The kinds whose rows are judged: objects, or namespaces.
    #[must_use]
    pub(crate) fn row_kinds(&self) -> Vec<KindId> {
        match self {
            Self::Objects(_) => self.kinds(),
            Self::Namespaces(_) => vec![namespaces()],
            Self::Controllers { .. } | Self::Cluster(_) | Self::Custom(_) => Vec::new(),
        }
    }

    /// Whether controllers of this type are judged.
    #[must_use]
    pub fn judges_controller(&self, component: Component) -> bool {
        matches!(self, Self::Controllers { components, .. } if components.contains(&component))
    }

    /// Judges the view's subject; `None`: it is not there any more.
    #[must_use]
    pub fn judge(&self, view: &View<'_>, parameters: &Parameters) -> Option<Result<Outcome, Missing>> {
        match self {
            Self::Controllers { judge, .. } => {
                let (key, instance) = view.own_instance()?;
                Some(judge(&Subject {
                    key,
                    instance,
                    view,
                    parameters,
                }))
            }
            Self::Objects(kinds) => kinds.iter().find_map(|judges| judges.judge(view, parameters)),
            Self::Namespaces(judge) => JudgesRows::Namespaces(*judge).judge(view, parameters),
            Self::Cluster(judge) => Some(judge(&ClusterSubject { view, parameters })),
            Self::Custom(custom) => custom.judge(view),
        }
    }

    /// How the rows of a kind are judged; `None`: they are not.
    pub(crate) fn of_rows(&self, kind: KindId) -> Option<JudgesRows> {
        match self {
            Self::Objects(kinds) => {
                let judges = kinds.iter().find(|judges| judges.kind() == kind)?;
                Some(JudgesRows::Objects(*judges))
            }
            Self::Namespaces(judge) if kind == namespaces() => Some(JudgesRows::Namespaces(*judge)),
            Self::Namespaces(_) | Self::Controllers { .. } | Self::Cluster(_) | Self::Custom(_) => None,
        }
    }

    /// Fails unless every subject can be seen: one that cannot might be the one that fails.
    ///
    /// # Errors
    /// A judged kind is not watched, or one of its objects could not be read.
    pub(crate) fn complete(&self, inventory: &Inventory) -> Result<(), Missing> {
        match self {
            Self::Controllers { .. } => controllers_are_complete(inventory),
            Self::Objects(kinds) => kinds
                .iter()
                .try_for_each(|judges| inventory.complete(judges.kind())),
            Self::Namespaces(_) => inventory.complete(id_of::<Namespace>()),
            Self::Cluster(_) => Ok(()),
            Self::Custom(custom) => custom.complete(inventory),
        }
    }

    /// So many subjects in words: `2 Kustomizations comply`.
    #[must_use]
    pub(crate) fn comply(&self, count: usize) -> String {
        let noun = match self {
            Self::Controllers { .. } => "controller",
            Self::Objects([judges]) => judges.kind().name(),
            Self::Objects(_) => "object",
            Self::Namespaces(_) => "namespace",
            Self::Cluster(_) => return "the cluster complies".to_owned(),
            Self::Custom(custom) => &custom.target().kind,
        };
        match (count, noun.strip_suffix('y')) {
            (1, _) => format!("1 {noun} complies"),
            (_, Some(stem)) => format!("{count} {stem}ies comply"),
            (_, None) => format!("{count} {noun}s comply"),
        }
    }
}
