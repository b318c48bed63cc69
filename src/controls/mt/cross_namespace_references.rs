//! FSP-MT-012: Tenants' objects refer to their own namespace.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::lockdown;
use super::super::references::{self, Refers};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Owner, Reach, Read};
use crate::kinds::flux_objects::{
    Alert, ArtifactGenerator, HelmRelease, ImageUpdateAutomation, Kustomization, Receiver,
};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-MT-012",
    title: "Tenants' objects refer to their own namespace",
    chapter: "Shared Cluster Multi-tenancy: Lock-down",
    severity: Severities::shared(Severity::High),
    rationale: "An object that uses a source, a credential or the events of another namespace crosses the boundary between tenants. Once the controllers refuse such references, the object stops working, so these objects have to be known before the lock-down.",
    audit: "The references of Kustomizations, HelmReleases, ImageUpdateAutomations, Alerts, Receivers and the sources of ArtifactGenerators in namespaces of tenants. Fails when one names another namespace; the finding has severity Info when the controller refuses the reference. References of ImagePolicies need the consent of the ImageRepository and are not judged here.",
    remediation: "Copy the source into the tenant's namespace, then set --no-cross-namespace-refs=true on the controller.",
    reference: "https://fluxcd.io/flux/security/best-practices/#multi-tenancy-lock-down",
    reads: &[
        Read::Owners(Reach::Namespace),
        Read::Controllers(&[
            Component::Kustomize,
            Component::Helm,
            Component::ImageAutomation,
            Component::Notification,
            Component::SourceWatcher,
        ]),
    ],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<Kustomization>(judge),
        &Each::<HelmRelease>(judge),
        &Each::<ImageUpdateAutomation>(judge),
        &Each::<Alert>(judge),
        &Each::<Receiver>(judge),
        &Each::<ArtifactGenerator>(judge),
    ]),
};

fn judge<K: Refers>(subject: &ObjectSubject<'_, K>) -> Result<Outcome, Missing> {
    let view = subject.view;
    let namespace = &*subject.key.namespace;
    if !matches!(view.owner(namespace)?, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("the namespace belongs to no tenant"));
    }
    let mut foreign = references::foreign::<K>(namespace, subject.row).peekable();
    if foreign.peek().is_none() {
        return Ok(Outcome::Pass);
    }
    let component = K::READER;
    let Some(is_refused) = lockdown::refuses_other_namespaces(view, component)? else {
        return Ok(Outcome::not_applicable(format!("no {component} reads it")));
    };
    let defects = foreign.map(|(field, other)| {
        let fate = if is_refused { "refuses" } else { "follows" };
        let observed = format!("refers to namespace {other}, and {component} {fate} that");
        Defect {
            field: field.to_string(),
            message: observed.clone(),
            observed,
            expected: format!("an object of namespace {namespace}"),
            severity: is_refused.then_some(Severity::Info),
            ..Defect::default()
        }
    });
    Ok(Outcome::from_defects(defects.collect()))
}
