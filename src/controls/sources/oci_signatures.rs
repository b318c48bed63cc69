//! FSX-SRC-002: Signatures of OCI artifacts and charts are verified.

use super::super::address::is_in_cluster;
use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::verification;
use crate::api::Severity;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::{HelmChart, HelmRepository, OciRepository};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-002",
    title: "Signatures of OCI artifacts and charts are verified",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::High),
    rationale: "A tag of a registry can be moved to other content by whoever can write to the registry. A verified signature says who made the content, a digest says what it is.",
    audit: "spec.verify of each OCIRepository and of each HelmChart from a HelmRepository, and the condition SourceVerified. Fails when verify is absent, when the signature is refused, or when the source is Ready without having been verified. An OCIRepository that names a digest, or a registry of this cluster, needs no signature. Charts of HTTP repositories cannot be verified by Flux and fail.",
    remediation: "Set spec.verify with the provider cosign or notation on the OCIRepository, or spec.chart.spec.verify on the HelmRelease. Move charts of HTTP repositories to an OCI registry first.",
    reference: "https://fluxcd.io/flux/components/source/ocirepositories/#verification",
    reads: &[Read::namespace::<HelmRepository>()],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<OciRepository>(repository), &Each::<HelmChart>(chart)]),
};

const EXPECTED: &str = "spec.verify with the provider cosign or notation";

fn repository(subject: &ObjectSubject<'_, OciRepository>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    if spec.verify.is_some() {
        return verification::judge(&subject.row.status);
    }
    if spec
        .reference
        .as_ref()
        .is_some_and(|reference| !reference.digest.is_empty())
    {
        return Ok(Outcome::not_applicable("the digest fixes what is fetched"));
    }
    if is_in_cluster(spec.url.as_str()) {
        return Ok(Outcome::not_applicable("the registry is one of this cluster"));
    }
    Ok(verification::absent(
        "spec.verify",
        "spec.verify is not set",
        EXPECTED,
    ))
}

fn chart(subject: &ObjectSubject<'_, HelmChart>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    if spec.source_ref.kind.as_str() != "HelmRepository" {
        return Ok(Outcome::not_applicable("the chart's source is judged itself"));
    }
    if spec.verify.is_some() {
        return verification::judge(&subject.row.status);
    }
    let name = spec.source_ref.name.as_str();
    let Some(repository) = subject.view.sibling::<HelmRepository>(name)? else {
        let message = format!("HelmRepository {}/{name} does not exist", subject.key.namespace);
        return Err(Missing::new("SourceNotFound", message));
    };
    if repository.spec.kind.as_str() != "oci" {
        let why = "charts of an HTTP repository cannot be verified";
        return Ok(verification::absent(
            "spec.sourceRef",
            why,
            "a chart in an OCI registry, verified",
        ));
    }
    Ok(verification::absent(
        "spec.verify",
        "spec.verify is not set",
        EXPECTED,
    ))
}
