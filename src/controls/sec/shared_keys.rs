//! FSP-SEC-011: Tenants have decryption keys of their own.

use std::collections::BTreeSet;

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::super::lockdown;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Owner, Reach, Read, View};
use crate::kinds::Mark;
use crate::kinds::flux_objects::Kustomization;
use crate::kinds::flux_objects::appliers::Decryption;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-011",
    title: "Tenants have decryption keys of their own",
    chapter: "Secret Decryption",
    severity: Severities {
        none: Some(Severity::Info),
        shared: Some(Severity::High),
        dedicated: Some(Severity::Info),
    },
    rationale: "Two tenants with the same key can decrypt each other's Secrets, wherever they find them.",
    audit: "spec.decryption of the Kustomizations in tenants' namespaces. Fails when Kustomizations of two tenants name no key and kustomize-controller has one for all, by --sops-age-secret. Whether two Secrets hold the same key is not read, and the same name proves nothing: unknown as long as two tenants decrypt with Secrets. Not applicable with one tenant that decrypts.",
    remediation: "Make a key for each tenant, name its Secret in spec.decryption.secretRef, and encrypt the tenant's Secrets again with it.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[
        Read::cluster::<Kustomization>(),
        Read::Controllers(&[Component::Kustomize]),
        Read::Owners(Reach::Cluster),
    ],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    let without_key = tenants(view, |decryption| {
        decryption.secret_ref.is_none() && decryption.service_account_name.is_empty()
    })?;
    let with_secret = tenants(view, |decryption| decryption.secret_ref.is_some())?;
    if without_key.len() > 1 && lockdown::has_age_key_for_all(view)? == Some(true) {
        return Ok(Outcome::fail(shared(&without_key)));
    }
    if with_secret.len() > 1 {
        let message = format!(
            "whether the Secrets of {} tenants hold the same key is not read",
            with_secret.len()
        );
        return Err(Missing::new("SecretNotRead", message));
    }
    Ok(Outcome::not_applicable("no two tenants decrypt with keys"))
}

/// The tenants of whose Kustomizations one decrypts so.
fn tenants(view: &View<'_>, so: impl Fn(&Decryption) -> bool) -> Result<BTreeSet<String>, Missing> {
    let mut tenants = BTreeSet::new();
    for (key, row) in view.marked::<Kustomization>(&Mark::DECRYPTS)? {
        if !row.spec.decryption.as_ref().is_some_and(&so) {
            continue;
        }
        if let Owner::Tenant(tenant) = view.owner(&key.namespace)? {
            tenants.insert(tenant.to_owned());
        }
    }
    Ok(tenants)
}

fn shared(tenants: &BTreeSet<String>) -> Defect {
    let tenants: Vec<&str> = tenants.iter().map(String::as_str).collect();
    let tenants = tenants.join(", ");
    Defect {
        argument: "--sops-age-secret".to_owned(),
        observed: format!("the tenants {tenants} decrypt with the key of kustomize-controller"),
        expected: "spec.decryption.secretRef with a key of the tenant".to_owned(),
        message: format!(
            "the tenants {tenants} decrypt with one key, which kustomize-controller has for all"
        ),
        ..Defect::default()
    }
}
