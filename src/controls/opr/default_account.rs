//! FSX-OPR-001: flux-operator has a default service account.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use super::only_shows;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Ask, Grant, Missing, Reach, Read, View};
use crate::kinds::rbac::{ClusterRole, RoleRow};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-OPR-001",
    title: "flux-operator has a default service account",
    chapter: "Beyond the document: Flux operator",
    severity: Severities::shared(Severity::Critical),
    rationale: "A ResourceSet that names no account is applied as flux-operator, which is cluster-admin. Its chart adds ResourceSets to the roles edit and admin: whoever has one of these in any namespace owns the cluster. spec.cluster.multitenant of the FluxInstance locks down the controllers, not the operator.",
    audit: "The command lines and variables of flux-operator's pods and of its workload's template; the worst wins, and DEFAULT_SERVICE_ACCOUNT wins over the argument. Fails when neither names an account while a ClusterRole aggregated to edit or admin allows creating ResourceSets, or somebody outside the platform may create them. Not applicable to a deployment of the web interface alone. In the operator's own namespace the account limits nothing: who may create anything there is judged by FSX-TEN-004 and FSX-RBAC-005.",
    remediation: "Set multitenancy.enabled: true in the chart's values, or DEFAULT_SERVICE_ACCOUNT in the OLM Subscription.",
    reference: "https://fluxoperator.dev/docs/crd/resourceset/#role-based-access-control",
    reads: &[
        Read::Owners(Reach::Cluster),
        Read::Access(Reach::Cluster),
        Read::cluster::<ClusterRole>(),
    ],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::FluxOperator],
        judge,
    },
};

const RESOURCE_SETS: Ask<'_> = Ask {
    verb: "create",
    group: "fluxcd.controlplane.io",
    resource: "resourcesets",
    subresource: "",
    namespace: "",
    name: "",
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    if only_shows(subject) {
        return Ok(Outcome::not_applicable(
            "the Deployment serves only the web interface and applies nothing",
        ));
    }
    let Outcome::Fail(defects) = flag::must_be_set(subject, "default-service-account")? else {
        return Ok(Outcome::Pass);
    };
    let Some(maker) = maker(subject.view)? else {
        return Ok(Outcome::Pass);
    };
    let with_maker = |defect: Defect| Defect {
        message: format!("{}, and {maker}", defect.message),
        ..defect
    };
    Ok(Outcome::Fail(defects.into_iter().map(with_maker).collect()))
}

/// Who may create ResourceSets and is not of the platform, as a sentence.
fn maker(view: &View<'_>) -> Result<Option<String>, Missing> {
    let mut roles = view.table::<ClusterRole>()?.iter();
    if let Some((key, row)) = roles.find(|(_, row)| is_for_users(row)) {
        let role = row
            .aggregates_to
            .iter()
            .find(|role| **role != "view")
            .unwrap_or(&"edit");
        return Ok(Some(format!(
            "ClusterRole {} lets whoever has {role} create ResourceSets",
            key.name
        )));
    }
    let access = view.access()?;
    for principal in access.principals() {
        let Some(grant) = access.of_principal(principal).find(makes) else {
            continue;
        };
        if !view.is_platform(principal)? {
            return Ok(Some(format!("{principal} may create ResourceSets, by {grant}")));
        }
    }
    Ok(None)
}

/// Whether a grant allows to create ResourceSets where it holds.
fn makes(grant: &Grant<'_>) -> bool {
    grant.allows(&Ask {
        namespace: &grant.binding.namespace,
        ..RESOURCE_SETS
    })
}

/// Whether a role is part of what users get, and allows to create ResourceSets.
fn is_for_users(row: &RoleRow) -> bool {
    row.aggregates_to.iter().any(|role| *role != "view")
        && row.rules.iter().any(|rule| rule.allows(&RESOURCE_SETS))
}
