//! FSX-SRC-011: Only the platform writes ExternalArtifacts.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::Setting;
use crate::inventory::{Ask, Grant, Missing, Reach, Read, SubjectKey, View};
use crate::kinds::rbac::{ClusterRoleBinding, RoleBinding};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-011",
    title: "Only the platform writes ExternalArtifacts",
    chapter: "Beyond the document: Sources",
    severity: Severities::shared(Severity::Medium),
    rationale: "Where ExternalArtifacts are accepted as sources, whoever writes their status decides from which address the content is fetched. The roles that Flux ships for editors allow it in every namespace where they are bound.",
    audit: "Who may create, update or patch externalartifacts or their status, by any binding, when the feature gate ExternalArtifact is on in a kustomize-controller or helm-controller. Fails for each subject outside the platform. source-watcher needs the gate.",
    remediation: "Take externalartifacts out of the roles of tenants, or let an admission policy check the host in status.artifact.url; otherwise turn the gate off.",
    reference: "https://fluxcd.io/flux/components/source/externalartifacts/",
    reads: &[
        Read::Controllers(&[Component::Kustomize, Component::Helm]),
        Read::Owners(Reach::Cluster),
        Read::Access(Reach::Cluster),
    ],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    if !is_gate_on(view)? {
        return Ok(Outcome::not_applicable("no controller accepts ExternalArtifacts"));
    }
    let access = view.access()?;
    let mut defects = Vec::new();
    for principal in access.principals() {
        let mut writers = access.of_principal(principal).filter(writes).peekable();
        if writers.peek().is_none() || view.is_platform(principal)? {
            continue;
        }
        defects.extend(writers.map(|grant| Defect {
            field: "subjects".to_owned(),
            observed: format!("{principal} may write externalartifacts"),
            expected: "subjects of the platform".to_owned(),
            message: format!("{principal} may write externalartifacts, by {grant}"),
            about: Some(binding(&grant)),
            ..Defect::default()
        }));
    }
    Ok(Outcome::from_defects(defects))
}

fn binding(grant: &Grant<'_>) -> SubjectKey {
    if grant.is_cluster_wide() {
        return SubjectKey::object::<ClusterRoleBinding>(grant.binding);
    }
    SubjectKey::object::<RoleBinding>(grant.binding)
}

fn writes(grant: &Grant<'_>) -> bool {
    let may = |verb, subresource| {
        grant.allows(&Ask {
            verb,
            group: "source.toolkit.fluxcd.io",
            resource: "externalartifacts",
            subresource,
            namespace: &grant.binding.namespace,
            name: "",
        })
    };
    let mut verbs = ["create", "update", "patch"].into_iter();
    verbs.any(|verb| may(verb, "") || may(verb, "status"))
}

fn is_gate_on(view: &View<'_>) -> Result<bool, Missing> {
    let mut unread = None;
    for component in [Component::Kustomize, Component::Helm] {
        for (key, instance) in view.accepted_controllers(component)? {
            for launch in &instance.launches {
                match launch.evaluation.gate("ExternalArtifact") {
                    Setting::Known { value: true, .. } => return Ok(true),
                    Setting::Unknown(reason) => unread = Some(format!("{key}: {reason}")),
                    Setting::Known { .. } | Setting::Unsupported => {}
                }
            }
        }
    }
    unread.map_or(Ok(false), |message| {
        Err(Missing::new("ArgumentNotReadable", message))
    })
}
