//! Accounts: the default one, and that of the Kustomization that Flux itself comes from.

use std::collections::BTreeSet;

use crate::flux::Component;
use crate::flux::command_line::Setting;
use crate::inventory::{InstanceKey, Inventory, ObjectKey};
use crate::kinds::flux_objects::Kustomization;
use crate::kinds::workload::{Deployment, KeeperKind};

use super::kustomize::Patch;
use super::yaml;

/// The account that a flag names on another controller of the type, as far as one does.
pub(super) fn in_force<'a>(inventory: &'a Inventory, key: &InstanceKey, flag: &str) -> Option<&'a str> {
    let others = inventory.instances().iter();
    let others = others.filter(|(other, _)| other.component == key.component && *other != key);
    let mut launches = others.flat_map(|(_, instance)| &instance.launches);
    launches.find_map(|launch| match launch.evaluation.text(flag) {
        Setting::Known { value, .. } if !value.is_empty() && !value.starts_with('-') => Some(value),
        _ => None,
    })
}

/// Whether Flux itself comes from a Kustomization: it applied a controller, or is called like its namespace, as bootstrap
/// and flux-operator call it.
pub(super) fn is_root(inventory: &Inventory, kustomization: &ObjectKey) -> bool {
    if kustomization.name == kustomization.namespace {
        return true;
    }
    let mut workloads = inventory
        .table::<Deployment>()
        .in_namespace(&kustomization.namespace);
    workloads.any(|(_, workload)| {
        workload.keeper.as_ref().is_some_and(|keeper| {
            keeper.kind == KeeperKind::Kustomization
                && keeper.name.as_str() == &*kustomization.name
                && keeper.namespace.as_str() == &*kustomization.namespace
        })
    })
}

/// The root Kustomizations of a namespace that name no account, and change this cluster; `None`: no root is seen.
pub(super) fn roots_without(inventory: &Inventory, namespace: &str) -> Option<Vec<ObjectKey>> {
    let all = inventory.table::<Kustomization>().in_namespace(namespace);
    let mut roots = all.filter(|(key, _)| is_root(inventory, key)).peekable();
    roots.peek()?;
    let without = roots.filter(|(_, row)| {
        let spec = &row.spec;
        spec.service_account_name.is_empty() && spec.kube_config.is_none()
    });
    Some(without.map(|(key, _)| key.clone()).collect())
}

/// The account that a Kustomization of Flux's own namespace is applied as when it names none: the controller's.
pub(super) fn of_controller(inventory: &Inventory, namespace: &str) -> String {
    let mut controllers = inventory.instances_in(namespace);
    let found = controllers.find(|(key, _)| key.component == Component::Kustomize);
    let account = found.map_or("", |(_, instance)| instance.service_account.as_str());
    match account {
        "" => Component::Kustomize.name().to_owned(),
        account => account.to_owned(),
    }
}

/// The patch that gives a root Kustomization its account.
pub(super) fn patch(root: &ObjectKey, account: &str, controls: &BTreeSet<&'static str>) -> Patch {
    let mut patch = Patch::new("Kustomization", &root.name);
    patch.note(&format!(
        "{}: what Flux itself comes from keeps the rights to manage it",
        yaml::because(controls)
    ));
    patch.add("/spec/serviceAccountName", account);
    patch
}
