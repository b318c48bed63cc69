//! FSP-SEC-016: Only its tenant and the platform read a decryption key.

use std::collections::BTreeSet;

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Ask, Grant, Missing, Owner, Reach, Read};
use crate::kinds::flux_objects::Kustomization;
use crate::kinds::rbac::Principal;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-016",
    title: "Only its tenant and the platform read a decryption key",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::High),
    rationale: "Whoever reads the Secret with the key can decrypt everything that was encrypted with it, including what is in old commits.",
    audit: "Who may read Secrets in each namespace where a Kustomization names a decryption Secret or a kustomize-controller runs, by RoleBindings there and by ClusterRoleBindings. Fails for each subject outside the platform, except accounts of the same tenant, and users and groups that a RoleBinding in the tenant's namespace names. Whoever may create pods reads Secrets as well, and is counted.",
    remediation: "Remove the binding, or name the subject in spec.platform.subjects of the policy.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[
        Read::namespace::<Kustomization>(),
        Read::Controllers(&[Component::Kustomize]),
        Read::Owners(Reach::Cluster),
        Read::Access(Reach::Cluster),
    ],
    parameters: &[],
    judges: Judges::Namespaces(judge),
};

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    let keys = keys(subject)?;
    if keys.is_empty() {
        return Ok(Outcome::not_applicable("there is no decryption key"));
    }
    let access = view.access()?;
    let mut defects = Vec::new();
    for grant in access.in_namespace(subject.name).chain(access.cluster_wide()) {
        let Some(what) = reads_keys(&grant, subject.name, &keys) else {
            continue;
        };
        for principal in &grant.row.subjects {
            if is_entitled(subject, &grant, principal)? {
                continue;
            }
            defects.push(Defect {
                observed: format!("{principal} {what}, by {grant}"),
                expected: "subjects of the platform and of the tenant".to_owned(),
                message: format!("{principal} {what} in namespace {}, by {grant}", subject.name),
                ..Defect::default()
            });
        }
    }
    Ok(Outcome::from_defects(defects))
}

/// The names of Secrets with keys; an empty one stands for those of kustomize-controller.
fn keys<'a>(subject: &NamespaceSubject<'a>) -> Result<BTreeSet<&'a str>, Missing> {
    let decryptions = subject.view.siblings::<Kustomization>()?;
    let decryptions = decryptions.filter_map(|(_, row)| row.spec.decryption.as_ref());
    let secrets = decryptions.filter_map(|decryption| decryption.secret_ref.as_ref());
    let mut keys: BTreeSet<&str> = secrets.map(|secret| secret.name.as_str()).collect();
    let mut controllers = subject.view.accepted_controllers(Component::Kustomize)?;
    if controllers.any(|(key, _)| &*key.namespace == subject.name) {
        keys.insert("");
    }
    Ok(keys)
}

/// How a grant leads to one of the keys.
fn reads_keys(grant: &Grant<'_>, namespace: &str, keys: &BTreeSet<&str>) -> Option<&'static str> {
    let may = |verb, resource, name| {
        grant.allows(&Ask {
            verb,
            resource,
            namespace,
            name,
            ..Ask::default()
        })
    };
    let mut verbs = ["get", "list", "watch"].into_iter();
    if verbs.any(|verb| keys.iter().any(|key| may(verb, "secrets", key))) {
        return Some("may read Secrets such as decryption keys");
    }
    may("create", "pods", "").then_some("may create pods, and so read Secrets such as decryption keys")
}

/// Whether somebody is of the platform, or of the tenant whose namespace it is.
fn is_entitled(
    subject: &NamespaceSubject<'_>,
    grant: &Grant<'_>,
    principal: &Principal,
) -> Result<bool, Missing> {
    if subject.view.is_platform(principal)? {
        return Ok(true);
    }
    let owner = subject.view.owner(subject.name)?;
    if !matches!(owner, Owner::Tenant(_)) {
        return Ok(false);
    }
    match principal {
        Principal::Account { namespace, .. } => Ok(subject.view.owner(namespace)? == owner),
        Principal::User(_) | Principal::Group(_) => Ok(!grant.is_cluster_wide()),
    }
}
