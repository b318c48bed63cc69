//! Who may do what, by RBAC: the answers of the API server's own authorizer, out of roles and bindings.
//!
//! Kept incrementally: for each principal the bindings that name it, for each role the bindings that use it. A changed
//! binding touches those that it names, a changed role those that it is bound to, and nobody else.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::coverage::Missing;
use super::table::{ObjectKey, Table};
use super::view::Lacking;
use crate::kinds::rbac::{BindingRow, Principal, RoleRow, Rule};
use crate::shared::Shared;

/// Every authenticated user is in this group.
pub const AUTHENTICATED: &str = "system:authenticated";
/// Every ServiceAccount is in this group; with a namespace behind it, every one of that namespace.
pub const ACCOUNTS: &str = "system:serviceaccounts";
/// What the group of a namespace's ServiceAccounts begins with.
const OF_A_NAMESPACE: &str = "system:serviceaccounts:";

/// The indexes over bindings. A binding without a namespace is a ClusterRoleBinding, a role without one a ClusterRole.
#[derive(Debug, Default)]
pub(super) struct Index {
    bindings: BTreeMap<ObjectKey, Bound>,
    of_principal: HashMap<Principal, Bindings>,
    of_role: HashMap<ObjectKey, Bindings>,
}

/// The keys of some bindings, in order. Most principals and most roles have one.
type Bindings = Vec<ObjectKey>;

/// What a binding was when it was indexed.
#[derive(Debug)]
struct Bound {
    role: ObjectKey,
    principals: Shared<[Principal]>,
}

impl Index {
    /// Takes in a binding as it is now, `None` when it is gone. Tells whose rights may differ now.
    pub(super) fn binding(
        &mut self,
        key: &ObjectKey,
        row: Option<&BindingRow>,
        touched: &mut BTreeSet<Principal>,
    ) {
        if let Some(old) = self.bindings.remove(key) {
            for principal in &old.principals {
                detach(&mut self.of_principal, principal, key);
            }
            detach(&mut self.of_role, &old.role, key);
            touched.extend(old.principals.iter().cloned());
        }
        let Some(row) = row else { return };
        let role = role_of(key, row);
        let known = self.of_role.get_key_value(&role);
        let role = known.map_or(role, |(known, _)| known.clone());
        for principal in &row.subjects {
            attach(&mut self.of_principal, principal, key);
        }
        attach(&mut self.of_role, &role, key);
        touched.extend(row.subjects.iter().cloned());
        let principals = row.subjects.clone();
        self.bindings.insert(key.clone(), Bound { role, principals });
    }

    /// A role changed: whose rights may differ now.
    pub(super) fn role(&self, role: &ObjectKey, touched: &mut BTreeSet<Principal>) {
        for binding in self.of_role.get(role).into_iter().flatten() {
            let principals = self.bindings.get(binding).map(|bound| bound.principals.iter());
            touched.extend(principals.into_iter().flatten().cloned());
        }
    }
}

/// Whom the index is asked for: a [`Principal`], or what one would be made of.
trait Whom {
    fn parts(&self) -> Parts<'_>;
}

/// What a principal is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Parts<'a> {
    Account(&'a str, &'a str),
    User(&'a str),
    /// The group of a namespace's ServiceAccounts.
    Accounts(&'a str),
    Group(&'a str),
}

impl Whom for Principal {
    fn parts(&self) -> Parts<'_> {
        match self {
            Self::Account { namespace, name } => Parts::Account(namespace, name),
            Self::User(name) => Parts::User(name),
            Self::Group(name) => match name.strip_prefix(OF_A_NAMESPACE) {
                Some(namespace) => Parts::Accounts(namespace),
                None => Parts::Group(name),
            },
        }
    }
}

impl Whom for Parts<'_> {
    fn parts(&self) -> Parts<'_> {
        *self
    }
}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Hash for dyn Whom + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialEq for dyn Whom + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Whom + '_ {}

impl<'a> Borrow<dyn Whom + 'a> for Principal {
    fn borrow(&self) -> &(dyn Whom + 'a) {
        self
    }
}

impl Principal {
    /// The namespace whose accounts it is, or is one of; `None`: it is somebody else.
    pub(super) fn namespace(&self) -> Option<&str> {
        match self {
            Self::Account { namespace, .. } => Some(namespace),
            Self::User(_) => None,
            Self::Group(name) => name.strip_prefix(OF_A_NAMESPACE),
        }
    }
}

fn attach<K: Clone + Eq + Hash>(index: &mut HashMap<K, Bindings>, key: &K, binding: &ObjectKey) {
    let bindings = match index.get_mut(key) {
        Some(bindings) => bindings,
        None => index.entry(key.clone()).or_insert_with(|| Vec::with_capacity(1)),
    };
    if let Err(place) = bindings.binary_search(binding) {
        bindings.insert(place, binding.clone());
    }
}

fn detach<K: Eq + Hash>(index: &mut HashMap<K, Bindings>, key: &K, binding: &ObjectKey) {
    let Some(bindings) = index.get_mut(key) else {
        return;
    };
    if let Ok(place) = bindings.binary_search(binding) {
        bindings.remove(place);
    }
    if bindings.is_empty() {
        index.remove(key);
    }
}

/// The role that a binding refers to.
fn role_of(binding: &ObjectKey, row: &BindingRow) -> ObjectKey {
    let namespace = if row.role.is_cluster_role {
        Arc::default()
    } else {
        binding.namespace.clone()
    };
    ObjectKey::of(namespace, row.role.name.clone())
}

/// A question: may somebody do this?
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// Verb.
    pub verb: &'a str,
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Resource, without a subresource.
    pub resource: &'a str,
    /// Subresource; empty for the resource itself.
    pub subresource: &'a str,
    /// Namespace; empty for every namespace at once, and for resources that are in none.
    pub namespace: &'a str,
    /// Name; empty where the request has none (list, watch, create) or any is meant.
    pub name: &'a str,
}

/// One binding that gives rights to somebody.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The binding; without a namespace it is a ClusterRoleBinding, and holds everywhere.
    pub binding: &'a ObjectKey,
    /// The binding's row.
    pub row: &'a BindingRow,
    /// What its role allows; nothing when there is no such role.
    pub rules: &'a [Rule],
}

impl Grant<'_> {
    /// Whether it holds in every namespace.
    #[must_use]
    pub fn is_cluster_wide(&self) -> bool {
        self.binding.namespace.is_empty()
    }

    /// Whether it answers the question with yes.
    #[must_use]
    pub fn allows(&self, ask: &Ask<'_>) -> bool {
        let reaches = self.is_cluster_wide() || *self.binding.namespace == *ask.namespace;
        reaches && self.rules.iter().any(|rule| rule.allows(ask))
    }
}

impl std::fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.is_cluster_wide() {
            "ClusterRoleBinding"
        } else {
            "RoleBinding"
        };
        let role = if self.row.role.is_cluster_role {
            "ClusterRole"
        } else {
            "Role"
        };
        write!(f, "{kind} {} to {role} {}", self.binding, self.row.role.name)
    }
}

impl Rule {
    /// Whether the rule allows what is asked, wherever it is bound.
    #[must_use]
    pub fn allows(&self, ask: &Ask<'_>) -> bool {
        let lists = |list: &[Box<str>], wanted: &str| list.iter().any(|it| **it == *"*" || **it == *wanted);
        lists(&self.verbs, ask.verb)
            && lists(&self.api_groups, ask.group)
            && self.resources.iter().any(|resource| covers(resource, ask))
            && (self.resource_names.is_empty() || self.resource_names.iter().any(|name| **name == *ask.name))
    }
}

/// Whether a rule's resource is the one asked for: `*`, `pods`, `pods/exec`, `*/exec`.
fn covers(resource: &str, ask: &Ask<'_>) -> bool {
    if resource == "*" {
        return true;
    }
    match resource.split_once('/') {
        None => ask.subresource.is_empty() && resource == ask.resource,
        Some((of, subresource)) => {
            !ask.subresource.is_empty() && subresource == ask.subresource && (of == "*" || of == ask.resource)
        }
    }
}

/// Roles and bindings, all of them.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    pub(super) index: &'a Index,
    pub(super) lacking: &'a Lacking,
    /// Whether roles come from manifests, which may lack some.
    pub(super) is_input: bool,
    pub(super) roles: &'a Table<RoleRow>,
    pub(super) cluster_roles: &'a Table<RoleRow>,
    pub(super) bindings: &'a Table<BindingRow>,
    pub(super) cluster_bindings: &'a Table<BindingRow>,
}

impl<'a> Access<'a> {
    /// What a ServiceAccount is given, by its name and by the groups that it is in.
    pub fn of_account(self, namespace: &str, name: &str) -> impl Iterator<Item = Grant<'a>> + use<'a> {
        self.of_all([
            Parts::Account(namespace, name),
            Parts::Accounts(namespace),
            Parts::Group(ACCOUNTS),
            Parts::Group(AUTHENTICATED),
        ])
    }

    /// What a ServiceAccount is given that not everybody is given: by its name, and as one of its namespace.
    pub(super) fn of_this_account(
        self,
        namespace: &str,
        name: &str,
    ) -> impl Iterator<Item = Grant<'a>> + use<'a> {
        self.of_all([Parts::Account(namespace, name), Parts::Accounts(namespace)])
    }

    fn of_all<const N: usize>(
        self,
        principals: [Parts<'_>; N],
    ) -> impl Iterator<Item = Grant<'a>> + use<'a, N> {
        let bindings = principals.map(|principal| {
            let whom: &dyn Whom = &principal;
            self.index.of_principal.get(whom)
        });
        let bindings = bindings.into_iter().flatten().flatten();
        bindings.filter_map(move |binding| self.grant(binding))
    }

    /// What the bindings give that name somebody.
    pub fn of_principal(self, principal: &Principal) -> impl Iterator<Item = Grant<'a>> + use<'a> {
        let bindings = self.index.of_principal.get(principal).into_iter().flatten();
        bindings.filter_map(move |binding| self.grant(binding))
    }

    /// What the bindings give that use a role.
    pub fn of_role(self, role: &ObjectKey) -> impl Iterator<Item = Grant<'a>> + use<'a> {
        let bindings = self.index.of_role.get(role).into_iter().flatten();
        bindings.filter_map(move |binding| self.grant(binding))
    }

    /// Everybody whom a binding names, in order.
    pub fn principals(self) -> impl Iterator<Item = &'a Principal> {
        let mut principals: Vec<&Principal> = self.index.of_principal.keys().collect();
        principals.sort();
        principals.into_iter()
    }

    /// Every binding of a namespace.
    pub fn in_namespace(self, namespace: &'a str) -> impl Iterator<Item = Grant<'a>> {
        let bindings = self.bindings.in_namespace(namespace);
        bindings.filter_map(move |(binding, _)| self.grant(binding))
    }

    /// Every ClusterRoleBinding.
    pub fn cluster_wide(self) -> impl Iterator<Item = Grant<'a>> {
        self.cluster_bindings
            .iter()
            .filter_map(move |(binding, _)| self.grant(binding))
    }

    /// The first grant by which a ServiceAccount may do something.
    #[must_use]
    pub fn may(self, namespace: &str, name: &str, ask: &Ask<'_>) -> Option<Grant<'a>> {
        self.of_account(namespace, name).find(|grant| grant.allows(ask))
    }

    fn grant(self, binding: &ObjectKey) -> Option<Grant<'a>> {
        let table = if binding.namespace.is_empty() {
            self.cluster_bindings
        } else {
            self.bindings
        };
        let (binding, row) = table.get_entry(binding)?;
        let role = if row.role.is_cluster_role || binding.namespace.is_empty() {
            self.cluster_roles.find("", &row.role.name)
        } else {
            self.roles.find(&binding.namespace, &row.role.name)
        };
        let rules = if let Some(role) = role {
            &*role.rules
        } else {
            self.note_lack_of(binding, row);
            &[]
        };
        Some(Grant { binding, row, rules })
    }

    /// A role that a cluster does not have gives no rights; one that is in no manifest may give any.
    fn note_lack_of(self, binding: &ObjectKey, row: &BindingRow) {
        if !self.is_input {
            return;
        }
        let role = role_of(binding, row);
        let kind = if role.namespace.is_empty() {
            "ClusterRole"
        } else {
            "Role"
        };
        self.lacking.note(Missing::in_input(format!("{kind} {role}")));
    }
}
