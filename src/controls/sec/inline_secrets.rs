//! FSP-SEC-005: No secret stands in a Flux object.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::flux::container::EnvSource;
use crate::inventory::Missing;
use crate::kinds::flux_objects::{
    Address, Bucket, FluxInstance, GitRepository, HelmRelease, HelmRepository, Kustomization, OciRepository,
    Provider, Receiver, ResourceSet, ResourceSetInputProvider,
};
use crate::kinds::workload::{Deployment, StatefulSet, Workload};
use crate::secrets::inline::{self, Inline, Trace};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-005",
    title: "No secret stands in a Flux object",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::High),
    rationale: "Whoever has view rights in a namespace reads its Flux objects, but not its Secrets. A password in a HelmRelease is known to all of them, and is in the source as well.",
    audit: "values and postRenderers of HelmReleases; patches and postBuild.substitute of Kustomizations and FluxInstances; inputs, resources and templates of ResourceSets and their providers; addresses of sources, Providers and Receivers; variables in the workloads of controllers. Fails for data of a Secret, private keys, tokens whose prefix tells the issuer, passwords in addresses and connection strings, addresses that let in whoever knows them, and literals under names that suggest passwords, tokens or keys. Placeholders, hashes, paths and what is encrypted with SOPS are not literals. Names and shapes decide: some secrets are missed, and some findings are not secrets. Values are neither kept nor shown. ConfigMaps that objects refer to are not read.",
    remediation: "Revoke the secret, put the new one into a Secret that is encrypted in the source, and refer to it with valuesFrom, substituteFrom, secretRef or secretKeyRef.",
    reference: "https://fluxcd.io/flux/security/secrets-management/",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<HelmRelease>(release),
        &Each::<Kustomization>(kustomization),
        &Each::<GitRepository>(|subject| Ok(address("spec.url", &subject.row.spec.url))),
        &Each::<OciRepository>(|subject| Ok(address("spec.url", &subject.row.spec.url))),
        &Each::<HelmRepository>(|subject| Ok(address("spec.url", &subject.row.spec.url))),
        &Each::<Bucket>(|subject| Ok(address("spec.endpoint", &subject.row.spec.endpoint))),
        &Each::<Provider>(|subject| Ok(provider(subject))),
        &Each::<Receiver>(|subject| Ok(receiver(subject))),
        &Each::<FluxInstance>(instance),
        &Each::<ResourceSet>(resource_set),
        &Each::<ResourceSetInputProvider>(input_provider),
        &Each::<Deployment>(|subject| Ok(workload(subject.row))),
        &Each::<StatefulSet>(|subject| Ok(workload(subject.row))),
    ]),
};

fn release(subject: &ObjectSubject<'_, HelmRelease>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    judge(&[
        ("spec.values", &spec.values),
        ("spec.postRenderers", &spec.post_renderers),
    ])
}

fn kustomization(subject: &ObjectSubject<'_, Kustomization>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    judge(&[
        ("spec.postBuild.substitute", &spec.post_build.substitute),
        ("spec.patches", &spec.patches),
    ])
}

fn instance(subject: &ObjectSubject<'_, FluxInstance>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    let sync = spec.sync.as_ref();
    let synced = sync.map_or(Outcome::Pass, |sync| address("spec.sync.url", &sync.url));
    Ok(both(
        synced,
        judge(&[("spec.kustomize.patches", &spec.kustomize.patches)])?,
    ))
}

fn resource_set(subject: &ObjectSubject<'_, ResourceSet>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    judge(&[
        ("spec.inputs", &spec.inputs),
        ("spec.resources", &spec.resources),
        ("spec.resourcesTemplate", &spec.resources_template),
        ("spec.steps", &spec.steps),
    ])
}

fn input_provider(subject: &ObjectSubject<'_, ResourceSetInputProvider>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    let asked = address("spec.url", &spec.url);
    Ok(both(
        asked,
        judge(&[("spec.defaultValues", &spec.default_values)])?,
    ))
}

fn provider(subject: &ObjectSubject<'_, Provider>) -> Outcome {
    let spec = &subject.row.spec;
    both(
        address("spec.address", &spec.address),
        address("spec.proxy", &spec.proxy),
    )
}

fn receiver(subject: &ObjectSubject<'_, Receiver>) -> Outcome {
    let providers = subject.row.spec.oidc_providers.iter().enumerate();
    let defects = providers.filter_map(|(position, provider)| {
        let trace = provider.issuer_url.trace()?;
        Some(defect(format!("spec.oidcProviders[{position}].issuerURL"), trace))
    });
    Outcome::from_defects(defects.collect())
}

fn address(field: &str, address: &Address) -> Outcome {
    let trace = address.trace().into_iter();
    Outcome::from_defects(trace.map(|trace| defect(field.to_owned(), trace)).collect())
}

fn workload(row: &Workload) -> Outcome {
    let mut defects = Vec::new();
    for container in &row.template.containers {
        for variable in &container.env {
            let EnvSource::Literal(value) = &variable.source else {
                continue;
            };
            if let Some(trace) = inline::trace_of_variable(&variable.name, value) {
                defects.push(Defect {
                    container: container.name.clone(),
                    ..defect(format!("env[{}]", inline::shown(&variable.name)), trace)
                });
            }
        }
    }
    Outcome::from_defects(defects)
}

/// What was found in the fields of an object.
fn judge(fields: &[(&str, &Inline)]) -> Result<Outcome, Missing> {
    let defects = fields.iter().flat_map(|(field, found)| {
        let leaks = found.leaks().iter();
        leaks.map(|leak| defect(inline::join(field, &leak.place).into(), leak.trace))
    });
    let defects: Vec<Defect> = defects.collect();
    let unread = fields.iter().find(|(_, found)| found.is_unread());
    match unread {
        Some((field, _)) if defects.is_empty() => {
            let message = format!("{field} is nested deeper than the operator looks");
            Err(Missing::new("NotLookedInto", message))
        }
        _ => Ok(Outcome::from_defects(defects)),
    }
}

fn both(one: Outcome, other: Outcome) -> Outcome {
    match (one, other) {
        (Outcome::Fail(mut defects), Outcome::Fail(more)) => {
            defects.extend(more);
            Outcome::Fail(defects)
        }
        (Outcome::Fail(defects), _) | (_, Outcome::Fail(defects)) => Outcome::Fail(defects),
        (_, other) => other,
    }
}

fn defect(field: String, trace: Trace) -> Defect {
    Defect {
        message: format!("{field} holds {trace}"),
        field,
        observed: trace.to_string(),
        expected: "a reference to a Secret".to_owned(),
        ..Defect::default()
    }
}
