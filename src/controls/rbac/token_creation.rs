//! FSX-RBAC-003: Controllers make tokens of other accounts only where objects have identities.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::accounts;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::{Setting, WORKLOAD_IDENTITY_GATE};

use crate::inventory::{Ask, Grant, Missing, Reach, Read, View};
use crate::kinds::rbac::ClusterRole;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-RBAC-003",
    title: "Controllers make tokens of other accounts only where objects have identities",
    chapter: "Beyond the document: Controller rights",
    severity: Severities::always(Severity::Medium),
    rationale: "Whoever may create serviceaccounts/token everywhere can become every ServiceAccount. Flux ships the rule with crd-controller since 2.6 and needs it for object-level workload identity only; Flux 2.10 ships it no more.",
    audit: "Each ClusterRole that allows to create serviceaccounts/token and is bound everywhere to a controller of Flux, roles that allow everything apart. Fails when no controller has the feature gate ObjectLevelWorkloadIdentity on, or when the controllers are of versions without that gate, whose roles of objects' identities are bound one by one.",
    remediation: "Remove the rule by its content, not by its position; FluxInstance below Flux 2.10: spec.cluster.objectLevelWorkloadIdentity: false.",
    reference: "https://fluxcd.io/flux/installation/configuration/workload-identity/",
    reads: &[Read::Controllers(&Component::ALL), Read::Access(Reach::Cluster)],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ClusterRole>(judge)]),
};

const TOKEN: Ask<'static> = Ask {
    verb: "create",
    group: "",
    resource: "serviceaccounts",
    subresource: "token",
    namespace: "",
    name: "",
};
/// Something that only a role of everything allows.
const ANYTHING: Ask<'static> = Ask {
    verb: "delete",
    group: "",
    resource: "namespaces",
    subresource: "",
    namespace: "",
    name: "",
};

fn judge(subject: &ObjectSubject<'_, ClusterRole>) -> Result<Outcome, Missing> {
    let allows = |ask: &Ask<'_>| subject.row.rules.iter().any(|rule| rule.allows(ask));
    if !allows(&TOKEN) || allows(&ANYTHING) {
        return Ok(Outcome::not_applicable("it is no role for making tokens"));
    }
    let accounts = accounts::of_controllers(subject.view)?;
    let grants = subject.view.access()?.of_role(subject.key);
    let bound = grants.filter(Grant::is_cluster_wide);
    let is_flux = bound
        .flat_map(|grant| &grant.row.subjects)
        .any(|principal| accounts.contains_key(principal));
    if !is_flux {
        return Ok(Outcome::not_applicable(
            "no controller of Flux is bound to it everywhere",
        ));
    }
    if is_gate_on_somewhere(subject.view)? {
        return Ok(Outcome::Pass);
    }
    Ok(Outcome::fail(Defect {
        field: "rules".to_owned(),
        observed: "create serviceaccounts/token".to_owned(),
        expected: "no such rule: no controller uses identities of objects".to_owned(),
        message: "controllers of Flux may make tokens of every ServiceAccount and do not need to".to_owned(),
        ..Defect::default()
    }))
}

fn is_gate_on_somewhere(view: &View<'_>) -> Result<bool, Missing> {
    let mut unread = None;
    for component in Component::ALL {
        for (key, instance) in view.accepted_controllers(component)? {
            for launch in &instance.launches {
                match launch.evaluation.gate(WORKLOAD_IDENTITY_GATE) {
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
