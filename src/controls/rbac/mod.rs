//! Beyond the document: what Flux's controllers may do, and who may do what to Flux.

use super::judges::ObjectSubject;
use super::power::Power;
use crate::inventory::{Missing, ObjectKey};
use crate::kinds::rbac::{ClusterRole, ClusterRoleBinding};

mod accounts;
pub(super) mod aggregated_roles;
pub(super) mod cached_secrets;
pub(super) mod cluster_admins;
pub(super) mod flux_namespace;
mod object_identity;
pub(super) mod reconcilers;
pub(super) mod token_creation;

/// What a ClusterRoleBinding is worth to those whom it names.
fn worth_of(subject: &ObjectSubject<'_, ClusterRoleBinding>) -> Result<Option<Power>, Missing> {
    let role = ObjectKey::new("", &subject.row.role.name);
    let role = subject.view.object::<ClusterRole>(&role)?;
    Ok(role.and_then(|role| Power::of_rules(&role.rules)))
}
