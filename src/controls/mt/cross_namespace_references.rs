//! FSP-MT-012: Tenants' objects refer to their own namespace.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::lockdown;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Owner, Reach, Read, View};
use crate::kinds::flux_objects::{
    Alert, ArtifactGenerator, HelmRelease, ImageUpdateAutomation, Kustomization, ObjectRef, Receiver,
};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-MT-012",
    title: "Tenants' objects refer to their own namespace",
    chapter: "Shared Cluster Multi-tenancy: Lock-down",
    severity: Severities::shared(Severity::High),
    rationale: "An object that uses a source, a credential or the events of another namespace crosses the border between tenants. Once the controllers refuse that, the object stops working: both have to be known before the lock-down.",
    audit: "The references of Kustomizations, HelmReleases, ImageUpdateAutomations, Alerts, Receivers and the sources of ArtifactGenerators in namespaces of tenants. Fails when one names another namespace; it weighs nothing when the controller refuses it. References of ImagePolicies need the consent of the ImageRepository and are not judged here.",
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
        &Each::<Kustomization>(kustomization),
        &Each::<HelmRelease>(release),
        &Each::<ImageUpdateAutomation>(automation),
        &Each::<Alert>(alert),
        &Each::<Receiver>(receiver),
        &Each::<ArtifactGenerator>(generator),
    ]),
};

type Reference<'a> = (String, &'a ObjectRef);

fn kustomization(subject: &ObjectSubject<'_, Kustomization>) -> Result<Outcome, Missing> {
    let reference = (
        "spec.sourceRef.namespace".to_owned(),
        &subject.row.spec.source_ref,
    );
    judge(subject.view, Component::Kustomize, &[reference])
}

fn release(subject: &ObjectSubject<'_, HelmRelease>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    let template = spec.chart.as_ref().map(|chart| {
        (
            "spec.chart.spec.sourceRef.namespace".to_owned(),
            &chart.spec.source_ref,
        )
    });
    let chart = spec
        .chart_ref
        .as_ref()
        .map(|chart| ("spec.chartRef.namespace".to_owned(), chart));
    let references: Vec<Reference<'_>> = template.into_iter().chain(chart).collect();
    judge(subject.view, Component::Helm, &references)
}

fn automation(subject: &ObjectSubject<'_, ImageUpdateAutomation>) -> Result<Outcome, Missing> {
    let reference = (
        "spec.sourceRef.namespace".to_owned(),
        &subject.row.spec.source_ref,
    );
    judge(subject.view, Component::ImageAutomation, &[reference])
}

fn alert(subject: &ObjectSubject<'_, Alert>) -> Result<Outcome, Missing> {
    let sources = subject.row.spec.event_sources.iter();
    let references = numbered("eventSources", sources.map(|source| &source.objects));
    judge(subject.view, Component::Notification, &references)
}

fn receiver(subject: &ObjectSubject<'_, Receiver>) -> Result<Outcome, Missing> {
    let references = numbered("resources", subject.row.spec.resources.iter());
    judge(subject.view, Component::Notification, &references)
}

fn generator(subject: &ObjectSubject<'_, ArtifactGenerator>) -> Result<Outcome, Missing> {
    let references = numbered("sources", subject.row.spec.sources.iter());
    judge(subject.view, Component::SourceWatcher, &references)
}

fn numbered<'a>(list: &str, references: impl Iterator<Item = &'a ObjectRef>) -> Vec<Reference<'a>> {
    references
        .enumerate()
        .map(|(position, reference)| (format!("spec.{list}[{position}].namespace"), reference))
        .collect()
}

fn judge(view: &View<'_>, component: Component, references: &[Reference<'_>]) -> Result<Outcome, Missing> {
    let namespace = view.subject().namespace();
    if !matches!(view.owner(namespace)?, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("the namespace is no tenant's"));
    }
    let foreign: Vec<(&str, &str)> = references
        .iter()
        .filter_map(|(field, reference)| Some((field.as_str(), reference.foreign(namespace)?)))
        .collect();
    if foreign.is_empty() {
        return Ok(Outcome::Pass);
    }
    let Some(is_refused) = lockdown::refuses_other_namespaces(view, component)? else {
        return Ok(Outcome::not_applicable(format!("no {component} reads it")));
    };
    let defects = foreign.into_iter().map(|(field, other)| {
        let fate = if is_refused { "refuses" } else { "follows" };
        let observed = format!("refers to namespace {other}, and {component} {fate} that");
        Defect {
            field: field.to_owned(),
            message: observed.clone(),
            observed,
            expected: format!("an object of namespace {namespace}"),
            severity: is_refused.then_some(Severity::Info),
            ..Defect::default()
        }
    });
    Ok(Outcome::from_defects(defects.collect()))
}
