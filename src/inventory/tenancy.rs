//! Whom a namespace belongs to: the platform, a tenant, or nobody that the policy speaks of.

use std::collections::BTreeMap;

use super::access::{ACCOUNTS, AUTHENTICATED, Ask};
use super::coverage::Missing;
use super::scanned::{self, Scanned};
use super::view::{Lacking, complete, found_in_input, is_watched};
use super::{Instance, InstanceKey, Inventory, ObjectKey, controllers_are_complete};
use crate::api::glob::matches;
use crate::api::policy::{PlatformSubject, SubjectKind};
use crate::api::{FluxSecurityPolicySpec, Tenancy};
use crate::flux::detect::Certainty;
use crate::kinds::namespace::{Namespace, NamespaceRow};
use crate::kinds::rbac::{ClusterRole, ClusterRoleBinding, Principal};
use crate::kinds::{self, KindId, id_of};

/// How a policy tells platform from tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenancyRules {
    /// Names of platform namespaces; `*` stands for any text. Flux's own namespaces belong to the platform, too: see
    /// [`TenancyRules::owner`].
    platform: Vec<String>,
    /// Who runs the cluster.
    subjects: Vec<PlatformSubject>,
    /// Labels that a tenant's namespace must have; empty: every other namespace with Flux objects is a tenant's.
    tenant_labels: BTreeMap<String, String>,
    /// The label whose value names the tenant.
    tenant_label: String,
    /// Whether tenants share the cluster.
    is_shared: bool,
    /// Who may decrypt the files of each tenant.
    recipients: BTreeMap<String, Vec<String>>,
    /// Scans of the histories of repositories. Part of a verdict only where the control asks for them.
    scans: Vec<Scanned>,
}

/// Whom a namespace belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// Those who run the cluster.
    Platform,
    /// A tenant, by the value of the policy's label, else by the name of its only namespace.
    Tenant(&'a str),
    /// Neither: the policy's selector of tenants leaves it out, or there is none and the namespace holds no Flux objects.
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
            recipients: spec.secrets.decryption.tenant_recipients.clone(),
            scans: Vec::new(),
        }
    }

    /// What a policy says of scans of histories, and nothing of tenants.
    #[must_use]
    pub fn of_scans(spec: &FluxSecurityPolicySpec) -> Self {
        Self {
            scans: scanned::of(spec),
            ..Self::default()
        }
    }

    /// Scans of the histories of repositories.
    pub(super) fn scans(&self) -> &[Scanned] {
        &self.scans
    }

    /// Whether the files of a tenant may be for this recipient; `None`: nobody says.
    pub(super) fn is_recipient_of(&self, tenant: &str, recipient: &str) -> Option<bool> {
        let own = self.recipients.get(tenant)?;
        Some(own.iter().any(|pattern| matches(pattern, recipient)))
    }

    /// Whether tenants share the cluster.
    pub(super) const fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Whom a namespace belongs to. What the cluster's people say of it, by the policy or by a label, counts more than that
    /// a Flux controller runs there: tenants run what they like, and call it what they like. A namespace is Flux's own
    /// by what nobody can give himself within a namespace: by its name, or because its controllers may reconcile what is
    /// in all namespaces. Where nobody says anything, Flux objects make a namespace a tenant's.
    ///
    /// # Errors
    /// Controllers, their rights, namespaces or Flux objects cannot all be seen: the namespace might be Flux's own, carry a
    /// label, or hold a Flux object.
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
        let is_selected = wanted.all(|(name, value)| label(name) == Some(value.as_str()));
        let tenant = label(&self.tenant_label);
        let is_said = is_selected && (tenant.is_some() || !self.tenant_labels.is_empty());
        if !is_said {
            if is_flux_own(inventory, namespace) {
                return Ok(Owner::Platform);
            }
            controllers_are_complete(inventory)?;
            all_reach_is_seen(inventory, namespace)?;
        }
        if !is_selected || !is_said && !uses_flux(inventory, namespace)? {
            return Ok(Owner::Nobody);
        }
        let named = tenant.filter(|name| !name.is_empty());
        Ok(Owner::Tenant(named.unwrap_or(namespace)))
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

/// Whether a namespace holds Flux objects. One that is seen is enough; that there is none takes all kinds.
///
/// Manifests with Flux objects tell where these are. Without any they tell nothing: they are those of namespaces alone.
fn uses_flux(inventory: &Inventory, namespace: &str) -> Result<bool, Missing> {
    if inventory.is_inhabited(namespace) {
        return Ok(true);
    }
    if inventory.is_of_input() && !inventory.has_inhabitants() {
        let what = format!("any Flux object, which would tell whether namespace {namespace} is a tenant's,");
        return Err(Missing::in_input(what));
    }
    kinds::of_flux().try_for_each(|kind| is_watched(inventory, kind))?;
    Ok(false)
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

/// The namespace that every installer proposes, and that is taken where Flux is.
const USUAL: &str = "flux-system";

/// Whether a Flux controller runs in a namespace that is no tenant's to run one in.
fn is_flux_own(inventory: &Inventory, namespace: &str) -> bool {
    let is_usual = || namespace == USUAL && controllers(inventory, namespace).next().is_some();
    inventory.reaches_far(namespace) || is_usual()
}

/// Whether a controller in a namespace may reconcile its kind in all others: roles and bindings are put together anew.
pub(super) fn reaches_far(inventory: &Inventory, namespace: &str) -> bool {
    let lacking = Lacking::default();
    let access = inventory.access(&lacking);
    controllers(inventory, namespace).any(|(key, instance)| {
        let (group, resource) = key.component.reconciles();
        let reconcile = Ask {
            verb: "patch",
            group,
            resource,
            subresource: "status",
            ..Ask::default()
        };
        let mut grants = access.of_this_account(namespace, instance.account());
        grants.any(|grant| grant.is_cluster_wide() && grant.allows(&reconcile))
    })
}

/// The controllers that surely are some.
fn controllers<'a>(
    inventory: &'a Inventory,
    namespace: &'a str,
) -> impl Iterator<Item = (&'a InstanceKey, &'a Instance)> {
    let instances = inventory.instances_in(namespace);
    instances.filter(|(_, instance)| instance.certainty == Certainty::Accepted)
}

/// Fails when controllers in a namespace may reach further than can be seen.
fn all_reach_is_seen(inventory: &Inventory, namespace: &str) -> Result<(), Missing> {
    if controllers(inventory, namespace).next().is_none() {
        return Ok(());
    }
    for kind in reach_kinds() {
        if inventory.coverage(kind).is_of_input() {
            let what = format!("what the controllers of namespace {namespace} may do everywhere");
            return Err(Missing::in_input(what));
        }
        complete(inventory, kind)?;
    }
    Ok(())
}

/// The kinds that say what may be done in all namespaces.
pub(crate) fn reach_kinds() -> [KindId; 2] {
    [id_of::<ClusterRole>(), id_of::<ClusterRoleBinding>()]
}
