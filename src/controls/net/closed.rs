//! Pods and the policies that close them.

use super::super::control::Defect;
use super::super::flag;
use super::super::judges::Subject;
use crate::inventory::{Ingress, Missing, ObjectKey, SubjectKey, View};
use crate::kinds::crd::{CustomResourceDefinition, POLICIES_OF_PLUGINS};
use crate::kinds::network_policy::NetworkPolicy;

/// Where artifacts and events are served.
pub(super) const ENDPOINT: u16 = 9090;

/// The policies of network plugins may admit and deny what NetworkPolicies do not tell of.
///
/// # Errors
/// The cluster knows a kind of such policies, or its kinds cannot be seen.
pub(in crate::controls) fn only_network_policies(view: &View<'_>) -> Result<(), Missing> {
    let mut kinds = view.table::<CustomResourceDefinition>()?.iter();
    match kinds.find(|(key, _)| POLICIES_OF_PLUGINS.contains(&&*key.name)) {
        None => Ok(()),
        Some((key, _)) => {
            let message = format!("{} may decide otherwise, and are not read", key.name);
            Err(Missing::new("OtherPolicies", message))
        }
    }
}

/// The ingress of the controller's template and of each of its pods.
///
/// # Errors
/// NetworkPolicies of the namespace cannot all be seen, or none of its pods' labels.
pub(in crate::controls) fn ingress<'a>(subject: &Subject<'a>) -> Result<Vec<Ingress<'a>>, Missing> {
    let mut pods = Vec::new();
    for launch in &subject.instance.launches {
        let policies = subject.view.siblings::<NetworkPolicy>()?;
        pods.push(Ingress::new(&launch.network, policies));
    }
    if pods.is_empty() {
        let message = format!("{}: the labels of its pods are not known", subject.key);
        return Err(Missing::new("PodsNotKnown", message));
    }
    Ok(pods)
}

/// The controller uses the host network, where no NetworkPolicy applies.
pub(super) fn on_host(subject: &Subject<'_>) -> Option<Defect> {
    let mut launches = subject.instance.launches.iter();
    launches.find(|launch| launch.network.on_host)?;
    let observed = "uses the host network, where no NetworkPolicy applies".to_owned();
    let expected = "spec.hostNetwork not set".to_owned();
    Some(defect(subject, observed, expected))
}

/// A policy admits those whom it should not.
pub(super) fn opened_by(
    subject: &Subject<'_>,
    policy: &ObjectKey,
    observed: String,
    expected: String,
) -> Defect {
    Defect {
        about: Some(SubjectKey::object::<NetworkPolicy>(policy)),
        ..defect(subject, observed, expected)
    }
}

/// What is wrong with the ingress of a controller.
pub(super) fn defect(subject: &Subject<'_>, observed: String, expected: String) -> Defect {
    let component = subject.key.component;
    Defect {
        message: format!("{component} in namespace {} {observed}", subject.key.namespace),
        observed,
        expected,
        severity: flag::weight(subject),
        ..Defect::default()
    }
}
