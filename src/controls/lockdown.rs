//! Whether the lock-down flags that an object depends on are in force.

use std::collections::BTreeSet;

use super::control::{Outcome, Parameters};
use super::flag;
use super::judges::Subject;
use super::opr;
use crate::flux::Component;
use crate::flux::command_line::Setting;
use crate::inventory::{Missing, View};

/// Whether every controller of this type has a default service account; `None`: there is no such controller.
pub(super) fn has_default_account(view: &View<'_>, component: Component) -> Result<Option<bool>, Missing> {
    everywhere(view, component, |subject| {
        flag::must_be_set(subject, "default-service-account")
    })
}

/// Whether every controller of this type has a default account for remote clusters; `None`: there is no such controller.
pub(super) fn has_default_kubeconfig_account(
    view: &View<'_>,
    component: Component,
) -> Result<Option<bool>, Missing> {
    everywhere(view, component, |subject| {
        flag::must_be_set(subject, "default-kubeconfig-service-account")
    })
}

/// Whether every flux-operator has a default account for what it applies; `None`: there is no operator.
pub(super) fn operator_has_default_account(view: &View<'_>) -> Result<Option<bool>, Missing> {
    everywhere(view, Component::FluxOperator, |subject| {
        if opr::only_shows(subject) {
            return Ok(Outcome::Pass);
        }
        flag::must_be_set(subject, "default-service-account")
    })
}

/// Whether every kustomize-controller has an age key that serves all Kustomizations; `None`: there is none.
pub(super) fn has_age_key_for_all(view: &View<'_>) -> Result<Option<bool>, Missing> {
    everywhere(view, Component::Kustomize, |subject| {
        flag::must_be_set(subject, "sops-age-secret")
    })
}

/// The names of the default accounts of the controllers of this type; none where a controller has none.
pub(super) fn default_accounts(view: &View<'_>, component: Component) -> Result<BTreeSet<String>, Missing> {
    let mut accounts = BTreeSet::new();
    for (key, instance) in view.accepted_controllers(component)? {
        for launch in &instance.launches {
            match launch.evaluation.text("default-service-account") {
                Setting::Known { value, .. } if value.is_empty() || value.starts_with('-') => {}
                Setting::Known { value, .. } => {
                    accounts.insert(value.to_owned());
                }
                Setting::Unsupported => {}
                Setting::Unknown(reason) => {
                    let message = format!("{key}: --default-service-account: {reason}");
                    return Err(Missing::new("ArgumentNotReadable", message));
                }
            }
        }
    }
    Ok(accounts)
}

/// Whether every controller of this type refuses other namespaces; `None`: there is no such controller.
pub(super) fn refuses_other_namespaces(
    view: &View<'_>,
    component: Component,
) -> Result<Option<bool>, Missing> {
    everywhere(view, component, |subject| {
        flag::must_be_on(subject, "no-cross-namespace-refs")
    })
}

fn everywhere(
    view: &View<'_>,
    component: Component,
    judge: impl Fn(&Subject<'_>) -> Result<Outcome, Missing>,
) -> Result<Option<bool>, Missing> {
    let parameters = Parameters::new();
    let mut found = None;
    let mut unknown = None;
    for (key, instance) in view.accepted_controllers(component)? {
        let subject = Subject {
            key,
            instance,
            view,
            parameters: &parameters,
        };
        match judge(&subject) {
            Ok(Outcome::Pass) => found = found.or(Some(true)),
            Ok(_) => found = Some(false),
            Err(missing) => unknown = unknown.or(Some(missing)),
        }
    }
    // One that is open is enough, whatever the others are.
    match (found, unknown) {
        (Some(false), _) => Ok(Some(false)),
        (_, Some(missing)) => Err(missing),
        (found, None) => Ok(found),
    }
}
