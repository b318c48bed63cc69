//! FSP-SEC-012: Tenants have identities of their own for key management.

use std::collections::{BTreeMap, BTreeSet};

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::inventory::{Missing, ObjectKey, Owner, Reach, Read, View};
use crate::kinds::Mark;
use crate::kinds::flux_objects::{Kustomization, Text};
use crate::kinds::identity::ServiceAccount;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-012",
    title: "Tenants have identities of their own for key management",
    chapter: "Secret Decryption",
    severity: Severities {
        none: Some(Severity::Info),
        shared: Some(Severity::High),
        dedicated: Some(Severity::Info),
    },
    rationale: "Two tenants whose accounts have the same identity at the key management service can decrypt each other's Secrets.",
    audit: "spec.decryption.serviceAccountName of each Kustomization in a tenant's namespace, and the annotation that names the account's cloud identity. Fails when accounts of two tenants name the same one. Unknown when an account does not exist or carries no annotation: EKS Pod Identity and direct federation leave none.",
    remediation: "Give each tenant a role, client or service account of its own, with rights to its own keys only.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[
        Read::cluster::<Kustomization>(),
        Read::cluster::<ServiceAccount>(),
        Read::Owners(Reach::Cluster),
    ],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

/// Who uses which identity.
type Users<'a> = BTreeMap<&'a Text, BTreeSet<String>>;

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let accounts = accounts(subject.view)?;
    if accounts.is_empty() {
        return Ok(Outcome::not_applicable("no tenant decrypts with an account"));
    }
    let rows = subject.view.table::<ServiceAccount>()?;
    let mut users = Users::new();
    let mut unseen = None;
    for (account, tenant) in &accounts {
        match rows.get(account).and_then(|row| row.identity.as_ref()) {
            Some(identity) => {
                users.entry(identity).or_default().insert(tenant.clone());
            }
            None => unseen = unseen.or(Some(account)),
        }
    }
    let shared = users.iter().filter(|(_, tenants)| tenants.len() > 1);
    let defects: Vec<Defect> = shared
        .map(|(identity, tenants)| defect(identity, tenants))
        .collect();
    match unseen {
        Some(account) if defects.is_empty() => Err(Missing::new(
            "IdentityNotSeen",
            format!("ServiceAccount {account} has no annotation that names its cloud identity"),
        )),
        _ => Ok(Outcome::from_defects(defects)),
    }
}

/// The accounts that tenants decrypt with, and whose they are.
fn accounts(view: &View<'_>) -> Result<BTreeMap<ObjectKey, String>, Missing> {
    let mut accounts = BTreeMap::new();
    for (key, row) in view.marked::<Kustomization>(&Mark::DECRYPTS)? {
        let Some(decryption) = &row.spec.decryption else {
            continue;
        };
        if decryption.service_account_name.is_empty() {
            continue;
        }
        if let Owner::Tenant(tenant) = view.owner(&key.namespace)? {
            let account = ObjectKey::new(&key.namespace, decryption.service_account_name.as_str());
            accounts.insert(account, tenant.to_owned());
        }
    }
    Ok(accounts)
}

fn defect(identity: &Text, tenants: &BTreeSet<String>) -> Defect {
    let tenants: Vec<&str> = tenants.iter().map(String::as_str).collect();
    let tenants = tenants.join(", ");
    Defect {
        observed: format!("{identity} of the tenants {tenants}"),
        expected: "one identity a tenant".to_owned(),
        message: format!("the tenants {tenants} decrypt as {identity}"),
        ..Defect::default()
    }
}
