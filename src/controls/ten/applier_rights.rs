//! FSX-TEN-002: Tenants' accounts have rights in their own namespaces only.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::power::Power;
use crate::api::Severity;
use crate::inventory::{Grant, Missing, Owner, Reach, Read};
use crate::kinds::Kind;
use crate::kinds::flux_objects::{Applier, HelmRelease, Kustomization};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-TEN-002",
    title: "Tenants' accounts have rights in their own namespaces only",
    chapter: "Beyond the document: Tenancy",
    severity: Severities::shared(Severity::Critical),
    rationale: "A tenant may do in the cluster what the account of its Kustomizations and HelmReleases may do, whatever else restricts it.",
    audit: "The rights of the account that spec.serviceAccountName names, of each Kustomization and HelmRelease in a tenant's namespace. Fails when it may do everything, read Secrets everywhere, or give itself any right (escalate, bind, impersonate, tokens of other accounts). All rights in its own namespace, which is what flux create tenant grants, are Medium: they include new RoleBindings and privileged pods. Objects for remote clusters are not judged: their accounts are in those clusters.",
    remediation: "Bind the account to a narrower ClusterRole by a RoleBinding in its namespace.",
    reference: "https://fluxcd.io/flux/cmd/flux_create_tenant/",
    reads: &[Read::Owners(Reach::Namespace), Read::Access(Reach::Namespace)],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<Kustomization>(judge), &Each::<HelmRelease>(judge)]),
};

fn judge<K: Kind<Row: Applier>>(subject: &ObjectSubject<'_, K>) -> Result<Outcome, Missing> {
    let (view, account) = (subject.view, subject.row.account());
    if !matches!(view.owner(view.subject().namespace())?, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("the namespace belongs to no tenant"));
    }
    if account.is_empty() {
        return Ok(Outcome::not_applicable(
            "the object names no account, see FSP-MT-010",
        ));
    }
    if subject.row.is_remote() {
        return Ok(Outcome::not_applicable("the account belongs to a remote cluster"));
    }
    let defects = view.rights(account)?.filter_map(|grant| defect(account, &grant));
    Ok(Outcome::from_defects(defects.collect()))
}

fn defect(account: &str, grant: &Grant<'_>) -> Option<Defect> {
    let power = Power::of(grant)?;
    let severity = match (power, grant.is_cluster_wide()) {
        (Power::Everything, false) => Some(Severity::Medium),
        (Power::Everything | Power::Secrets, true) | (Power::Escalation, _) => None,
        _ => return None,
    };
    let place = if grant.is_cluster_wide() {
        "everywhere"
    } else {
        "in its namespace"
    };
    Some(Defect {
        field: "spec.serviceAccountName".to_owned(),
        observed: format!("ServiceAccount {account} {power} {place}"),
        expected: "rights in its own namespace, on what the tenant needs".to_owned(),
        message: format!("it is applied as {account}, which {power} {place}, by {grant}"),
        severity,
        ..Defect::default()
    })
}
