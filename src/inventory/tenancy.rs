//! Whom a namespace belongs to: the platform, a tenant, or nobody that the policy speaks of.

use std::collections::BTreeMap;

use super::access::{ACCOUNTS, AUTHENTICATED};
use super::coverage::Missing;
use super::view::{complete, found_in_input};
use super::{Inventory, ObjectKey, controllers_are_complete};
use crate::api::glob::matches;
use crate::api::policy::{PlatformSubject, SubjectKind};
use crate::api::{FluxSecurityPolicySpec, Tenancy};
use crate::flux::detect::Certainty;
use crate::kinds::id_of;
use crate::kinds::namespace::{Namespace, NamespaceRow};
use crate::kinds::rbac::Principal;

/// How a policy tells platform from tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenancyRules {
    /// Names of platform namespaces; `*` stands for any text. Flux's own namespaces belong to the platform,
    /// unless a label says that they are a tenant's.
    platform: Vec<String>,
    /// Who runs the cluster.
    subjects: Vec<PlatformSubject>,
    /// Labels that a tenant's namespace must have; empty: every other namespace is a tenant's.
    tenant_labels: BTreeMap<String, String>,
    /// The label whose value names the tenant.
    tenant_label: String,
    /// Whether tenants share the cluster.
    is_shared: bool,
}

/// Whom a namespace belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// Those who run the cluster.
    Platform,
    /// A tenant, by the value of the policy's label, else by the name of its only namespace.
    Tenant(&'a str),
    /// Neither: the policy's selector of tenants leaves it out.
    Nobody,
}

impl TenancyRules {
    /// The rules of a policy.
    #[must_use]
    pub fn new(spec: &FluxSecurityPolicySpec) -> Self {
        Self {
            platform: spec.platform.namespaces.clone(),
            subjects: spec.platform.subjects.clone(),
            tenant_labels: spec.tenants.namespace_selector.match_labels.clone(),
            tenant_label: spec.tenants.label.clone(),
            is_shared: spec.tenancy == Tenancy::Shared,
        }
    }

    /// Whether tenants share the cluster.
    pub(super) const fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Whom a namespace belongs to. What the cluster's people say of it, by the policy or by a label, counts more than that
    /// a controller of Flux runs there: tenants run what they like.
    ///
    /// # Errors
    /// Controllers or namespaces cannot all be seen: the namespace might be Flux's own, or carry a label.
    pub(crate) fn owner<'a>(
        &self,
        inventory: &'a Inventory,
        namespace: &'a str,
    ) -> Result<Owner<'a>, Missing> {
        if self.platform.iter().any(|pattern| matches(pattern, namespace)) {
            return Ok(Owner::Platform);
        }
        let row = namespace_row(inventory, namespace)?;
        let label = |name: &str| row.and_then(|row| row.labels.get(name));
        let mut wanted = self.tenant_labels.iter();
        let is_selected = wanted.all(|(name, value)| label(name) == Some(value));
        let tenant = label(&self.tenant_label);
        let is_said = is_selected && (tenant.is_some() || !self.tenant_labels.is_empty());
        if !is_said {
            if has_flux(inventory, namespace) {
                return Ok(Owner::Platform);
            }
            controllers_are_complete(inventory)?;
        }
        if !is_selected {
            return Ok(Owner::Nobody);
        }
        let named = tenant.filter(|name| !name.is_empty());
        Ok(Owner::Tenant(named.map_or(namespace, String::as_str)))
    }
}

/// Users and groups of Kubernetes itself; but these groups hold everybody.
const KUBERNETES: &str = "system:";
const EVERYBODY: [&str; 3] = [AUTHENTICATED, "system:unauthenticated", ACCOUNTS];
/// The group that kubeadm gives its administrators.
const KUBEADM: &str = "kubeadm:cluster-admins";

impl TenancyRules {
    /// Whether somebody runs the cluster.
    ///
    /// # Errors
    /// It is a ServiceAccount, and whom its namespace belongs to cannot be seen.
    pub(super) fn is_platform(&self, inventory: &Inventory, principal: &Principal) -> Result<bool, Missing> {
        if self.subjects.iter().any(|subject| is_meant(subject, principal)) {
            return Ok(true);
        }
        match principal {
            Principal::Account { namespace, .. } => Ok(self.owner(inventory, namespace)? == Owner::Platform),
            Principal::User(name) => Ok(name.starts_with(KUBERNETES)),
            Principal::Group(name) => match name.strip_prefix("system:serviceaccounts:") {
                Some(namespace) => Ok(self.owner(inventory, namespace)? == Owner::Platform),
                None => {
                    Ok(**name == *KUBEADM || name.starts_with(KUBERNETES) && !EVERYBODY.contains(&&**name))
                }
            },
        }
    }
}

/// The labels of a namespace; `None`: it does not exist.
pub(super) fn namespace_row<'a>(
    inventory: &'a Inventory,
    name: &str,
) -> Result<Option<&'a NamespaceRow>, Missing> {
    let kind = id_of::<Namespace>();
    let row = inventory.table::<Namespace>().find("", name);
    if !inventory.coverage(kind).is_of_input() {
        complete(inventory, kind)?;
    } else if row.is_none() {
        found_in_input(inventory, kind, &ObjectKey::new("", name))?;
    }
    Ok(row)
}

fn is_meant(subject: &PlatformSubject, principal: &Principal) -> bool {
    match (subject.kind, principal) {
        (SubjectKind::User, Principal::User(name)) | (SubjectKind::Group, Principal::Group(name)) => {
            matches(&subject.name, name)
        }
        (SubjectKind::ServiceAccount, Principal::Account { namespace, name }) => {
            matches(&subject.namespace, namespace) && matches(&subject.name, name)
        }
        _ => false,
    }
}

/// Whether a Flux controller runs in a namespace.
fn has_flux(inventory: &Inventory, namespace: &str) -> bool {
    let mut instances = inventory.instances_in(namespace);
    instances.any(|(_, instance)| instance.certainty == Certainty::Accepted)
}
