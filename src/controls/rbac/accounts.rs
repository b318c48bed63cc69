//! The ServiceAccounts of Flux's controllers.

use std::collections::BTreeMap;

use crate::flux::Component;
use crate::inventory::{Missing, View};
use crate::kinds::rbac::Principal;

/// Whose ServiceAccount is whose. Two controllers may share one.
pub(super) fn of_controllers(view: &View<'_>) -> Result<BTreeMap<Principal, Vec<Component>>, Missing> {
    let mut accounts: BTreeMap<Principal, Vec<Component>> = BTreeMap::new();
    for component in Component::ALL {
        for (key, instance) in view.accepted_controllers(component)? {
            let account = Principal::account(&key.namespace, instance.account());
            accounts.entry(account).or_default().push(component);
        }
    }
    Ok(accounts)
}

/// Whether a controller changes clusters for others, and so needs every right or the right to impersonate.
pub(super) fn reconciles(component: Component) -> bool {
    matches!(component, Component::Kustomize | Component::Helm)
}
