//! FSX-TEN-004: Only the platform creates appliers in platform namespaces.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use crate::api::Severity;
use crate::inventory::{Ask, Grant, Missing, Owner, Reach, Read};
use crate::kinds::flux_objects::{HelmRelease, Kustomization};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-TEN-004",
    title: "Only the platform creates appliers in platform namespaces",
    chapter: "Beyond the document: Tenancy",
    severity: Severities::shared(Severity::High),
    rationale: "A Kustomization in a platform namespace may name the platform's accounts, kustomize-controller's among them: whoever may create one there may do what they may.",
    audit: "Who may create Kustomizations or HelmReleases in each namespace of the platform that has some, by RoleBindings there and by ClusterRoleBindings. Fails for each subject outside the platform.",
    remediation: "Remove the binding, or name the subject in spec.platform.subjects of the policy.",
    reference: "https://fluxcd.io/flux/installation/configuration/multitenancy/",
    reads: &[
        Read::Owners(Reach::Cluster),
        Read::namespace::<Kustomization>(),
        Read::namespace::<HelmRelease>(),
        Read::Access(Reach::Cluster),
    ],
    parameters: &[],
    judges: Judges::Namespaces(judge),
};

const APPLIERS: [(&str, &str); 2] = [
    ("kustomize.toolkit.fluxcd.io", "kustomizations"),
    ("helm.toolkit.fluxcd.io", "helmreleases"),
];

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    if view.owner(subject.name)? != Owner::Platform {
        return Ok(Outcome::not_applicable("the namespace is not the platform's"));
    }
    let has_appliers = view.siblings::<Kustomization>()?.next().is_some()
        || view.siblings::<HelmRelease>()?.next().is_some();
    if !has_appliers {
        return Ok(Outcome::not_applicable("nothing is applied there"));
    }
    let access = view.access()?;
    let mut defects = Vec::new();
    for grant in access.in_namespace(subject.name).chain(access.cluster_wide()) {
        let Some(resource) = makes(&grant, subject.name) else {
            continue;
        };
        for principal in &grant.row.subjects {
            if view.is_platform(principal)? {
                continue;
            }
            defects.push(Defect {
                observed: format!("{principal} may create {resource}, by {grant}"),
                expected: "subjects of the platform".to_owned(),
                message: format!(
                    "{principal} may create {resource} in namespace {}, by {grant}",
                    subject.name
                ),
                ..Defect::default()
            });
        }
    }
    Ok(Outcome::from_defects(defects))
}

/// The first kind of applier that a grant allows to create in a namespace.
fn makes(grant: &Grant<'_>, namespace: &str) -> Option<&'static str> {
    let may = |group, resource| {
        let ask = Ask {
            verb: "create",
            group,
            resource,
            namespace,
            ..Ask::default()
        };
        grant.allows(&ask)
    };
    APPLIERS
        .into_iter()
        .find(|(group, resource)| may(group, resource))
        .map(|(_, resource)| resource)
}
