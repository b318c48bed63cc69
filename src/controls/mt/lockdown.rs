//! Whether the lock-down flags that an object depends on are in force.

use super::super::control::{Outcome, Parameters};
use super::super::flag;
use super::super::judges::Subject;
use crate::flux::Component;
use crate::inventory::{Missing, View};

/// Whether every controller of this type has a default service account; `None`: there is no such controller.
pub(super) fn has_default_account(view: &View<'_>, component: Component) -> Result<Option<bool>, Missing> {
    everywhere(view, component, |subject| {
        flag::must_be_set(subject, "default-service-account")
    })
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
