//! Roles and bindings: who may do what. Rules are kept as the API server's own authorizer reads them: an aggregated
//! ClusterRole carries the rules that kube-controller-manager has put together.

use std::sync::Arc;

use serde::Deserialize;

use super::meta::null_as_default;
use super::{Descriptor, Kind, KindId, Meta, Origin, Required, id_of};
use crate::shared::{Shared, pooled, word};

const GROUP: &str = "rbac.authorization.k8s.io";

/// A Role or a ClusterRole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRow {
    /// Where it comes from.
    pub origin: Origin,
    /// What it allows. Many namespaces have the same role.
    pub rules: Shared<[Rule]>,
    /// Which of Kubernetes' own roles of users its rules become part of: `view`, `edit`, `admin`.
    pub aggregates_to: Box<[&'static str]>,
}

/// Labels by which a ClusterRole becomes part of another one, and that one.
const AGGREGATIONS: [(&str, &str); 3] = [
    ("rbac.authorization.k8s.io/aggregate-to-view", "view"),
    ("rbac.authorization.k8s.io/aggregate-to-edit", "edit"),
    ("rbac.authorization.k8s.io/aggregate-to-admin", "admin"),
];

pooled!([Rule]);

/// A rule of a role: every listed verb on every listed resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// Verbs; `*` is any.
    #[serde(deserialize_with = "null_as_default")]
    pub verbs: Box<[Box<str>]>,
    /// API groups; `*` is any, empty text is the core group.
    #[serde(deserialize_with = "null_as_default")]
    pub api_groups: Box<[Box<str>]>,
    /// Resources, with their subresources: `pods/exec`, `*/scale`, `*`.
    #[serde(deserialize_with = "null_as_default")]
    pub resources: Box<[Box<str>]>,
    /// Names that the rule is limited to; none: any.
    #[serde(deserialize_with = "null_as_default")]
    pub resource_names: Box<[Box<str>]>,
}

impl Rule {
    /// Whether it allows more than reading.
    #[must_use]
    pub fn changes(&self) -> bool {
        let mut verbs = self.verbs.iter();
        verbs.any(|verb| !matches!(&**verb, "get" | "list" | "watch"))
    }
}

/// A RoleBinding or a ClusterRoleBinding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingRow {
    /// Where it comes from.
    pub origin: Origin,
    /// The role that is bound.
    pub role: RoleRef,
    /// Who gets its rights.
    pub subjects: Shared<[Principal]>,
}

/// The role of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRef {
    /// A ClusterRole, not a Role of the binding's namespace.
    pub is_cluster_role: bool,
    /// Its name.
    pub name: Arc<str>,
}

pooled!([Principal]);

/// Somebody who can be given rights.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// A ServiceAccount, also when a binding names it as the user that it is.
    Account {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// A user.
    User(Arc<str>),
    /// A group.
    Group(Arc<str>),
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account { namespace, name } => write!(f, "ServiceAccount {namespace}/{name}"),
            Self::User(name) => write!(f, "User {name}"),
            Self::Group(name) => write!(f, "Group {name}"),
        }
    }
}

impl Principal {
    /// A ServiceAccount.
    #[must_use]
    pub fn account(namespace: &str, name: &str) -> Self {
        Self::Account {
            namespace: word(namespace),
            name: word(name),
        }
    }

    /// A user by name; ServiceAccounts are users, too.
    #[must_use]
    pub fn user(name: &str) -> Self {
        let account = name
            .strip_prefix("system:serviceaccount:")
            .and_then(|rest| rest.split_once(':'));
        match account {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains(':') => {
                Self::account(namespace, name)
            }
            _ => Self::User(word(name)),
        }
    }
}

/// `rbac.authorization.k8s.io/v1 Role`.
pub struct Role;
/// `rbac.authorization.k8s.io/v1 ClusterRole`.
pub struct ClusterRole;
/// `rbac.authorization.k8s.io/v1 RoleBinding`.
pub struct RoleBinding;
/// `rbac.authorization.k8s.io/v1 ClusterRoleBinding`.
pub struct ClusterRoleBinding;

/// Whether a kind is one of the two bindings.
#[must_use]
pub fn is_binding(kind: KindId) -> bool {
    kind == id_of::<RoleBinding>() || kind == id_of::<ClusterRoleBinding>()
}

const fn rbac(kind: &'static str, plural: &'static str) -> Descriptor {
    Descriptor {
        group: GROUP,
        kind,
        plural,
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: false,
    }
}

impl Kind for Role {
    type Row = RoleRow;
    const DESCRIPTOR: Descriptor = rbac("Role", "roles");
    fn project(meta: &Meta, object: &str) -> Result<Option<RoleRow>, serde_json::Error> {
        role(meta, object, &Self::DESCRIPTOR)
    }
    fn origin(row: &RoleRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}

impl Kind for ClusterRole {
    type Row = RoleRow;
    const DESCRIPTOR: Descriptor = rbac("ClusterRole", "clusterroles");
    const IS_CLUSTER_SCOPED: bool = true;
    fn project(meta: &Meta, object: &str) -> Result<Option<RoleRow>, serde_json::Error> {
        role(meta, object, &Self::DESCRIPTOR)
    }
    fn origin(row: &RoleRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}

impl Kind for RoleBinding {
    type Row = BindingRow;
    const DESCRIPTOR: Descriptor = rbac("RoleBinding", "rolebindings");
    const REQUIRED: Required = &[&["roleRef"]];
    fn project(meta: &Meta, object: &str) -> Result<Option<BindingRow>, serde_json::Error> {
        binding(meta, object, &Self::DESCRIPTOR)
    }
    fn origin(row: &BindingRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}

impl Kind for ClusterRoleBinding {
    type Row = BindingRow;
    const DESCRIPTOR: Descriptor = rbac("ClusterRoleBinding", "clusterrolebindings");
    const REQUIRED: Required = &[&["roleRef"]];
    const IS_CLUSTER_SCOPED: bool = true;
    fn project(meta: &Meta, object: &str) -> Result<Option<BindingRow>, serde_json::Error> {
        binding(meta, object, &Self::DESCRIPTOR)
    }
    fn origin(row: &BindingRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}

#[derive(Deserialize)]
struct RoleWire {
    #[serde(default, deserialize_with = "null_as_default")]
    rules: Vec<Rule>,
}

fn role(meta: &Meta, object: &str, descriptor: &Descriptor) -> Result<Option<RoleRow>, serde_json::Error> {
    let wire: RoleWire = serde_json::from_str(object)?;
    Ok(Some(RoleRow {
        origin: meta.origin(descriptor),
        rules: wire.rules.into(),
        aggregates_to: AGGREGATIONS
            .into_iter()
            .filter(|(label, _)| meta.labels.get(*label).is_some_and(|value| value == "true"))
            .map(|(_, role)| role)
            .collect(),
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BindingWire {
    role_ref: RoleRefWire,
    #[serde(default, deserialize_with = "null_as_default")]
    subjects: Vec<SubjectWire>,
}

#[derive(Deserialize)]
struct RoleRefWire {
    kind: String,
    name: Box<str>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct SubjectWire {
    kind: String,
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    namespace: String,
}

fn binding(
    meta: &Meta,
    object: &str,
    descriptor: &Descriptor,
) -> Result<Option<BindingRow>, serde_json::Error> {
    let wire: BindingWire = serde_json::from_str(object)?;
    let principals = wire.subjects.into_iter();
    Ok(Some(BindingRow {
        origin: meta.origin(descriptor),
        role: RoleRef {
            is_cluster_role: wire.role_ref.kind == "ClusterRole",
            name: word(&wire.role_ref.name),
        },
        subjects: principals
            .filter_map(|subject| subject.principal(&meta.namespace))
            .collect(),
    }))
}

impl SubjectWire {
    /// `None` for what the authorizer takes for nobody.
    fn principal(self, binding_namespace: &str) -> Option<Principal> {
        match self.kind.as_str() {
            "User" => Some(Principal::user(&self.name)),
            "Group" => Some(Principal::Group(word(&self.name))),
            "ServiceAccount" => {
                let namespace = match self.namespace.as_str() {
                    "" => binding_namespace,
                    namespace => namespace,
                };
                (!namespace.is_empty()).then(|| Principal::account(namespace, &self.name))
            }
            _ => None,
        }
    }
}
