//! FSP-DED-002: Tenants have no rights over the cluster.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::super::power::Power;
use crate::api::Severity;
use crate::inventory::{Ask, Grant, Missing, Reach, Read, SubjectKey};
use crate::kinds::rbac::ClusterRoleBinding;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-DED-002",
    title: "Tenants have no rights over the cluster",
    chapter: "Dedicated Cluster Multi-tenancy",
    severity: Severities {
        none: None,
        shared: None,
        dedicated: Some(Severity::High),
    },
    rationale: "In a cluster that a management cluster reconciles, a tenant with such rights can take the platform's access away and lock it out.",
    audit: "Each ClusterRoleBinding. Fails for each subject outside the platform that may do everything, give itself any right, or change namespaces, CustomResourceDefinitions, ServiceAccounts, roles or bindings everywhere. Identities that only a webhook authorizer knows are not in RBAC and are not seen.",
    remediation: "Give tenants RoleBindings in their namespaces; name the platform's users, groups and accounts in spec.platform.subjects of the policy.",
    reference: "https://fluxcd.io/flux/security/best-practices/#additional-best-practices-for-tenant-dedicated-cluster-multi-tenancy",
    reads: &[Read::Owners(Reach::Cluster), Read::Access(Reach::Cluster)],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

const RBAC: &str = "rbac.authorization.k8s.io";
/// What the platform's access rests on.
const FOUNDATIONS: [(&str, &str); 7] = [
    ("", "namespaces"),
    ("", "serviceaccounts"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    (RBAC, "clusterrolebindings"),
    (RBAC, "clusterroles"),
    (RBAC, "rolebindings"),
    (RBAC, "roles"),
];

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let mut defects = Vec::new();
    for grant in subject.view.access()?.cluster_wide() {
        let Some(what) = threat(&grant) else { continue };
        for principal in &grant.row.subjects {
            if subject.view.is_platform(principal)? {
                continue;
            }
            defects.push(Defect {
                field: "subjects".to_owned(),
                observed: format!("{principal} {what}"),
                expected: "subjects of the platform".to_owned(),
                message: format!("{principal} {what} everywhere, by {grant}"),
                about: Some(SubjectKey::object::<ClusterRoleBinding>(grant.binding)),
                ..Defect::default()
            });
        }
    }
    Ok(Outcome::from_defects(defects))
}

/// What a grant allows that a tenant must not.
fn threat(grant: &Grant<'_>) -> Option<String> {
    let power = Power::of(grant)?;
    if matches!(power, Power::Everything | Power::Escalation) {
        return Some(power.to_string());
    }
    let changes = |group, resource| {
        let mut verbs = ["create", "update", "patch", "delete"].into_iter();
        verbs.any(|verb| {
            grant.allows(&Ask {
                verb,
                group,
                resource,
                ..Ask::default()
            })
        })
    };
    let (_, resource) = FOUNDATIONS
        .into_iter()
        .find(|(group, resource)| changes(group, resource))?;
    Some(format!("may change {resource}"))
}
