//! FSX-SRC-008: Sources in a cloud use workload identity.

use super::super::address::host;
use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read, View};
use crate::kinds::flux_objects::{
    Bucket, GitRepository, HelmRepository, ImageRepository, NameRef, OciRepository,
};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-008",
    title: "Sources in a cloud use workload identity",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::Low),
    rationale: "A static credential lasts until somebody rotates it, and works wherever it is copied to. Where the host belongs to a cloud that Flux can log in to, a short-lived identity replaces it.",
    audit: "secretRef of each GitRepository, OCIRepository, HelmRepository of type oci, Bucket and ImageRepository whose host belongs to a cloud that its provider field supports. Fails when it is set. Git over HTTPS counts when every source-controller has the provider: azure since Flux 2.4, aws since 2.9. Credentials for another cloud account may have no substitute; accept those with a waiver.",
    remediation: "Set spec.provider to the cloud and spec.serviceAccountName to an account with a workload identity, and remove spec.secretRef.",
    reference: "https://fluxcd.io/flux/security/contextual-authorization/",
    reads: &[Read::Controllers(&[Component::Source])],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<GitRepository>(git),
        &Each::<OciRepository>(|subject| Ok(oci(subject))),
        &Each::<HelmRepository>(|subject| Ok(helm(subject))),
        &Each::<Bucket>(|subject| Ok(bucket(subject))),
        &Each::<ImageRepository>(|subject| Ok(image(subject))),
    ]),
};

fn git(subject: &ObjectSubject<'_, GitRepository>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    let url = spec.url.as_str();
    let name = host(url).to_ascii_lowercase();
    let (provider, since) = if name.starts_with("git-codecommit.") && is_aws(&name) {
        ("aws", (1, 9, 0))
    } else if name == "dev.azure.com" || name.ends_with(".visualstudio.com") {
        ("azure", (1, 4, 0))
    } else {
        return Ok(no_cloud());
    };
    if !url.starts_with("https://") {
        return Ok(Outcome::not_applicable("workload identity needs https"));
    }
    if !is_supported(subject.view, since)? {
        return Ok(Outcome::not_applicable(format!(
            "this version of source-controller has no provider {provider} for Git"
        )));
    }
    Ok(judge(Some(provider), spec.secret_ref.as_ref()))
}

/// Whether every source-controller is at least of this version.
fn is_supported(view: &View<'_>, since: (u64, u64, u64)) -> Result<bool, Missing> {
    let mut controllers = view.accepted_controllers(Component::Source)?;
    Ok(controllers.all(|(_, instance)| flag::reaches(instance.version.as_ref(), since)))
}

fn oci(subject: &ObjectSubject<'_, OciRepository>) -> Outcome {
    let spec = &subject.row.spec;
    judge(registry(spec.url.as_str()), spec.secret_ref.as_ref())
}

fn helm(subject: &ObjectSubject<'_, HelmRepository>) -> Outcome {
    let spec = &subject.row.spec;
    if spec.kind.as_str() != "oci" {
        return Outcome::not_applicable("workload identity needs type oci");
    }
    judge(registry(spec.url.as_str()), spec.secret_ref.as_ref())
}

fn bucket(subject: &ObjectSubject<'_, Bucket>) -> Outcome {
    let spec = &subject.row.spec;
    judge(store(spec.endpoint.as_str()), spec.secret_ref.as_ref())
}

fn image(subject: &ObjectSubject<'_, ImageRepository>) -> Outcome {
    let spec = &subject.row.spec;
    judge(registry(spec.image.as_str()), spec.secret_ref.as_ref())
}

/// The provider whose cloud has the registry.
fn registry(url: &str) -> Option<&'static str> {
    let name = host(url).to_ascii_lowercase();
    if name.contains(".dkr.ecr.") && is_aws(&name) {
        return Some("aws");
    }
    if name.ends_with(".azurecr.io") {
        return Some("azure");
    }
    let is_google = name.ends_with(".pkg.dev") || name.ends_with(".gcr.io") || name == "gcr.io";
    is_google.then_some("gcp")
}

/// The provider whose cloud has the bucket.
fn store(endpoint: &str) -> Option<&'static str> {
    let name = host(endpoint).to_ascii_lowercase();
    if name.starts_with("s3") && is_aws(&name) {
        return Some("aws");
    }
    if name.ends_with(".blob.core.windows.net") {
        return Some("azure");
    }
    (name == "storage.googleapis.com").then_some("gcp")
}

fn is_aws(name: &str) -> bool {
    name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn")
}

fn no_cloud() -> Outcome {
    Outcome::not_applicable("the host belongs to no cloud that Flux can log in to")
}

fn judge(provider: Option<&str>, secret: Option<&NameRef>) -> Outcome {
    let Some(provider) = provider else {
        return no_cloud();
    };
    let Some(secret) = secret else {
        return Outcome::Pass;
    };
    Outcome::fail(Defect {
        field: "spec.secretRef".to_owned(),
        observed: format!("Secret {}", secret.name),
        expected: format!("spec.provider: {provider}, with a workload identity"),
        message: format!(
            "Secret {} holds a static credential where provider {provider} supports workload identity",
            secret.name
        ),
        ..Defect::default()
    })
}
