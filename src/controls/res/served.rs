//! FSP-RES-004: Every object has a controller.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::lane;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::labels::Labels;
use crate::inventory::{Instance, InstanceKey, Missing, Read, View};
use crate::kinds::Kind;
use crate::kinds::flux_objects::{
    Alert, ArtifactGenerator, Bucket, GitRepository, HelmChart, HelmRelease, HelmRepository, ImagePolicy,
    ImageRepository, ImageUpdateAutomation, Kustomization, Labelled, OciRepository, Receiver,
};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-RES-004",
    title: "Every object has a controller",
    chapter: "Resource Isolation",
    severity: Severities::always(Severity::Medium),
    rationale: "With shards an object chooses its controller by a label. One that no controller selects is never reconciled, and nothing says so: revisions stay where they are, drift is not repaired.",
    audit: "The labels and the namespace of each source, applier, image object, ArtifactGenerator, Alert and Receiver, against what each running controller of its type watches: --watch-all-namespaces with the variable RUNTIME_NAMESPACE, and --watch-label-selector; the template and each pod have to select it. Fails when no controller does. HelmCharts are judged by their own labels, including those that helm-controller creates. Unknown when a comparison by < or > decides, or a label that Flux itself sets on what it applies: those are not kept. Not applicable to HelmRepositories of type oci, which need no controller, and where there is no Flux controller at all.",
    remediation: "Give the object the label of a shard that exists, or run a controller without one. The label of a HelmChart that a HelmRelease makes goes into its spec.chart.metadata.labels.",
    reference: "https://fluxcd.io/flux/installation/configuration/sharding/",
    reads: &[Read::Controllers(&RECONCILING)],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<GitRepository>(source),
        &Each::<OciRepository>(source),
        &Each::<HelmRepository>(helm_repository),
        &Each::<HelmChart>(chart),
        &Each::<Bucket>(source),
        &Each::<Kustomization>(|subject| served(subject, Component::Kustomize)),
        &Each::<HelmRelease>(|subject| served(subject, Component::Helm)),
        &Each::<ImageRepository>(|subject| served(subject, Component::ImageReflector)),
        &Each::<ImagePolicy>(|subject| served(subject, Component::ImageReflector)),
        &Each::<ImageUpdateAutomation>(|subject| served(subject, Component::ImageAutomation)),
        &Each::<ArtifactGenerator>(|subject| served(subject, Component::SourceWatcher)),
        &Each::<Alert>(|subject| served(subject, Component::Notification)),
        &Each::<Receiver>(|subject| served(subject, Component::Notification)),
    ]),
};

const RECONCILING: [Component; 7] = [
    Component::Source,
    Component::Kustomize,
    Component::Helm,
    Component::Notification,
    Component::ImageReflector,
    Component::ImageAutomation,
    Component::SourceWatcher,
];

fn source<K>(subject: &ObjectSubject<'_, K>) -> Result<Outcome, Missing>
where
    K: Kind,
    K::Row: Labelled,
{
    served(subject, Component::Source)
}

fn helm_repository(subject: &ObjectSubject<'_, HelmRepository>) -> Result<Outcome, Missing> {
    if subject.row.spec.kind.as_str() == "oci" {
        return Ok(Outcome::not_applicable(
            "a HelmRepository of type oci needs no controller",
        ));
    }
    source(subject)
}

/// helm-controller makes most of them, and they do not inherit the labels of their HelmReleases.
fn chart(subject: &ObjectSubject<'_, HelmChart>) -> Result<Outcome, Missing> {
    let mut outcome = source(subject)?;
    if let Outcome::Fail(defects) = &mut outcome {
        for defect in defects {
            defect
                .expected
                .push_str(", from spec.chart.metadata.labels of the HelmRelease that makes it");
        }
    }
    Ok(outcome)
}

fn served<K>(subject: &ObjectSubject<'_, K>, component: Component) -> Result<Outcome, Missing>
where
    K: Kind,
    K::Row: Labelled,
{
    let mut runs = false;
    let mut unknown = None;
    for (key, instance) in subject.view.accepted_controllers(component)? {
        if instance.inactive {
            continue;
        }
        runs = true;
        match selects(key, instance, &subject.key.namespace, subject.row.labels()) {
            Ok(true) => return Ok(Outcome::Pass),
            Ok(false) => {}
            Err(missing) => unknown = unknown.or(Some(missing)),
        }
    }
    if let Some(missing) = unknown {
        return Err(missing);
    }
    if !has_controllers(subject.view)? {
        return Ok(Outcome::not_applicable("there is no Flux controller"));
    }
    let observed = if runs {
        format!("no running {component} selects it")
    } else {
        format!("no {component} runs")
    };
    Ok(Outcome::fail(Defect {
        field: "metadata.labels".to_owned(),
        message: format!("{} {}: {observed}", K::DESCRIPTOR.kind, subject.key),
        observed,
        expected: "a label that a running controller selects".to_owned(),
        ..Defect::default()
    }))
}

/// Whether there are controllers, running or not: without any, every object would be a finding of its own.
fn has_controllers(view: &View<'_>) -> Result<bool, Missing> {
    for component in RECONCILING {
        if view.controllers(component)?.next().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a controller watches an object, by its template and by each of its pods.
pub(in crate::controls) fn selects(
    key: &InstanceKey,
    instance: &Instance,
    namespace: &str,
    labels: &Labels,
) -> Result<bool, Missing> {
    let (mut is_taken, mut is_left) = (!instance.lanes.is_empty(), false);
    for lane in lane::each(instance) {
        let lane = lane?;
        let is_elsewhere = lane.namespace.as_deref().is_some_and(|only| only != namespace);
        let chosen = lane.selector.selects(labels);
        is_left |= is_elsewhere || chosen == Some(false);
        is_taken &= chosen == Some(true);
    }
    if is_left {
        return Ok(false);
    }
    if is_taken {
        return Ok(true);
    }
    let message = format!("whether {key} selects it depends on < or >, or on a label that is not kept");
    Err(Missing::new("SelectorNotDecided", message))
}
