//! FSX-VER-005: Flux objects use current API versions.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::inventory::Missing;
use crate::kinds::Kind;
use crate::kinds::flux_objects::{
    Alert, ArtifactGenerator, Bucket, GitRepository, HelmChart, HelmRelease, HelmRepository, ImagePolicy,
    ImageRepository, ImageUpdateAutomation, Kustomization, OciRepository, Provider, Receiver,
};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-VER-005",
    title: "Flux objects use current API versions",
    chapter: "Beyond the document: Versions",
    severity: Severities::always(Severity::Medium),
    rationale: "Flux stops serving old API versions: after that upgrade, a manifest in such a version is refused, and objects stored in it cannot be read.",
    audit: "The apiVersion of each managedFields entry, except those for status, of every Flux object. Fails when one is a pre-release version (v1beta2, v2beta1) older than the best version that the cluster serves. Unknown without managedFields. The version in which objects are stored is in status.storedVersions of their CustomResourceDefinition, which is not read: flux migrate repairs both.",
    remediation: "Write the manifests in Git in the current version, then run flux migrate, or let the FluxInstance migrate.",
    reference: "https://fluxcd.io/flux/installation/upgrade/",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<GitRepository>(judge),
        &Each::<OciRepository>(judge),
        &Each::<HelmRepository>(judge),
        &Each::<HelmChart>(judge),
        &Each::<Bucket>(judge),
        &Each::<ArtifactGenerator>(judge),
        &Each::<ImageRepository>(judge),
        &Each::<ImagePolicy>(judge),
        &Each::<ImageUpdateAutomation>(judge),
        &Each::<Kustomization>(judge),
        &Each::<HelmRelease>(judge),
        &Each::<Alert>(judge),
        &Each::<Provider>(judge),
        &Each::<Receiver>(judge),
    ]),
};

fn judge<K: Kind>(subject: &ObjectSubject<'_, K>) -> Result<Outcome, Missing> {
    let origin = K::origin(subject.row).filter(|origin| origin.is_recorded);
    let Some(origin) = origin else {
        let message = format!("{} {} has no managedFields", K::DESCRIPTOR.kind, subject.key);
        return Err(Missing::new("ManagedFieldsNotSeen", message));
    };
    let Some(outdated) = &origin.outdated else {
        return Ok(Outcome::Pass);
    };
    let observed = format!("is written in {outdated}");
    Ok(Outcome::fail(Defect {
        field: "apiVersion".to_owned(),
        message: format!("it {observed}, while {} is served", origin.version),
        observed,
        expected: format!("version {}", origin.version),
        ..Defect::default()
    }))
}
