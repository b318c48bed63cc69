//! FSX-SRC-005: What Flux fetches and sends travels encrypted.

use super::super::address::{is_in_cluster, is_plain_http};
use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::inventory::Missing;
use crate::kinds::flux_objects::{
    Address, Bucket, GitRepository, HelmRepository, ImageRepository, OciRepository, Provider, Receiver,
};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-005",
    title: "What Flux fetches and sends travels encrypted",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::High),
    rationale: "Over plain HTTP anybody on the network path can read what is fetched, change it, and take the credentials that are sent along.",
    audit: "The url of GitRepositories and HelmRepositories; insecure of OCIRepositories, ImageRepositories, Buckets and HelmRepositories of type oci; the STS endpoint of Buckets; address and proxy of Providers; issuer URLs of Receivers. Fails on plain HTTP: critical with a credential, low inside the cluster. Artifact addresses in status are http by design and not judged. A Provider's address that is only in its Secret is unknown.",
    remediation: "Use https or ssh addresses, give the registry a certificate, and remove insecure.",
    reference: "https://fluxcd.io/flux/components/source/gitrepositories/#url",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<GitRepository>(git),
        &Each::<OciRepository>(oci),
        &Each::<HelmRepository>(helm),
        &Each::<Bucket>(bucket),
        &Each::<ImageRepository>(image),
        &Each::<Provider>(provider),
        &Each::<Receiver>(receiver),
    ]),
};

fn git(subject: &ObjectSubject<'_, GitRepository>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    verdict([http("spec.url", &spec.url, spec.secret_ref.is_some())])
}

fn oci(subject: &ObjectSubject<'_, OciRepository>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    verdict([insecure(
        spec.insecure,
        spec.url.as_str(),
        spec.secret_ref.is_some(),
    )])
}

fn helm(subject: &ObjectSubject<'_, HelmRepository>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    let (url, with_secret) = (&spec.url, spec.secret_ref.is_some());
    // The field has no meaning for HTTP repositories.
    let is_insecure = spec.insecure && spec.kind.as_str() == "oci";
    verdict([
        http("spec.url", url, with_secret),
        insecure(is_insecure, url.as_str(), with_secret),
    ])
}

fn bucket(subject: &ObjectSubject<'_, Bucket>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    let sts = spec.sts.as_ref();
    verdict([
        insecure(spec.insecure, spec.endpoint.as_str(), spec.secret_ref.is_some()),
        sts.and_then(|sts| http("spec.sts.endpoint", &sts.endpoint, true)),
    ])
}

fn image(subject: &ObjectSubject<'_, ImageRepository>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    verdict([insecure(
        spec.insecure,
        spec.image.as_str(),
        spec.secret_ref.is_some(),
    )])
}

fn provider(subject: &ObjectSubject<'_, Provider>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    let with_secret = spec.secret_ref.is_some();
    let found = verdict([
        http("spec.address", &spec.address, with_secret),
        http("spec.proxy", &spec.proxy, with_secret),
    ])?;
    if found == Outcome::Pass && spec.address.is_empty() && with_secret {
        let message = format!(
            "the address of Provider {} is in its Secret, which is not read",
            subject.key
        );
        return Err(Missing::new("SecretNotRead", message));
    }
    Ok(found)
}

fn receiver(subject: &ObjectSubject<'_, Receiver>) -> Result<Outcome, Missing> {
    let providers = subject.row.spec.oidc_providers.iter().enumerate();
    verdict(providers.map(|(position, provider)| {
        let field = format!("spec.oidcProviders[{position}].issuerURL");
        http(&field, &provider.issuer_url, false)
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "what every judge ends with")]
fn verdict(defects: impl IntoIterator<Item = Option<Defect>>) -> Result<Outcome, Missing> {
    Ok(Outcome::from_defects(defects.into_iter().flatten().collect()))
}

fn http(field: &str, url: &Address, with_secret: bool) -> Option<Defect> {
    let with_credential = with_secret || url.has_user();
    is_plain_http(url.as_str())
        .then(|| defect(field, "is a plain http address", url.as_str(), with_credential))
}

fn insecure(is_insecure: bool, url: &str, with_secret: bool) -> Option<Defect> {
    is_insecure.then(|| defect("spec.insecure", "is true", url, with_secret))
}

fn defect(field: &str, what: &str, url: &str, with_credential: bool) -> Defect {
    let company = if with_credential {
        ", and a credential goes with it"
    } else {
        ""
    };
    let observed = format!("{field} {what}{company}");
    let severity = match (is_in_cluster(url), with_credential) {
        (true, _) => Some(Severity::Low),
        (false, true) => Some(Severity::Critical),
        (false, false) => None,
    };
    Defect {
        field: field.to_owned(),
        message: observed.clone(),
        observed,
        expected: "an encrypted connection".to_owned(),
        severity,
        ..Defect::default()
    }
}
