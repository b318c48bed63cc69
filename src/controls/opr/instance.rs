//! FSX-OPR-004: The FluxInstance asks for a safe installation.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::range;
use crate::api::Severity;
use crate::inventory::{Missing, Reach, Read};
use crate::kinds::flux_objects::operator::Weakening;
use crate::kinds::flux_objects::{FluxInstance, Standing};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-OPR-004",
    title: "The FluxInstance asks for a safe installation",
    chapter: "Beyond the document: Flux operator",
    severity: Severities::always(Severity::Medium),
    rationale: "flux-operator keeps resetting the controllers to what the FluxInstance says. What somebody made safe by hand is undone at the next reconciliation, and a patch wins over the profile it is applied after.",
    audit: "spec and the condition Ready of each FluxInstance. Fails when spec.cluster.networkPolicy is false, when spec.cluster.multitenant is not true although the policy says that tenants share the cluster, when a patch undoes a lock-down flag, drops arguments that the profile sets, or removes NetworkPolicies, when spec.distribution.version has no upper bound, and when it is not Ready, because what it says is then not in force. Without spec.cluster there are NetworkPolicies but no lock-down. Unknown while it has not been reconciled since its last change. Since Flux 2.10 objectLevelWorkloadIdentity: false disables nothing.",
    remediation: "Set spec.cluster.multitenant and spec.cluster.networkPolicy to true, bound the version, for example 2.x, and remove the patch.",
    reference: "https://fluxoperator.dev/docs/crd/fluxinstance/",
    reads: &[Read::Owners(Reach::Namespace)],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<FluxInstance>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, FluxInstance>) -> Result<Outcome, Missing> {
    let (spec, ready) = (&subject.row.spec, &subject.row.status.ready);
    let cluster = &spec.cluster;
    let mut defects = Vec::new();
    if !cluster.network_policy {
        defects.push(defect(
            "spec.cluster.networkPolicy",
            "false: anybody in the cluster reaches the controllers",
            "true",
        ));
    }
    if !cluster.multitenant && subject.view.tenants_share_the_cluster() {
        defects.push(defect(
            "spec.cluster.multitenant",
            "not true, and tenants share the cluster",
            "true",
        ));
    }
    if range::is_open(spec.distribution.version.as_str()) {
        let observed = format!("every newer version is installed: {}", spec.distribution.version);
        let version = defect(
            "spec.distribution.version",
            &observed,
            "a range with an upper bound",
        );
        defects.push(Defect {
            severity: Some(Severity::Low),
            ..version
        });
    }
    let weakenings = spec.kustomize.weakenings.iter();
    defects.extend(weakenings.map(|(position, weakening)| patch(*position, *weakening)));
    match ready {
        Standing::False(reason) => {
            let observed = format!("what it says is not in force: {reason}");
            defects.push(defect("status.conditions[Ready]", &observed, "True"));
        }
        Standing::Absent if defects.is_empty() => {
            let message = format!(
                "FluxInstance {} has not been reconciled since its last change",
                subject.key
            );
            return Err(Missing::new("NotReconciled", message));
        }
        Standing::True | Standing::Absent => {}
    }
    Ok(Outcome::from_defects(defects))
}

fn patch(position: usize, weakening: Weakening) -> Defect {
    let observed = match weakening {
        Weakening::Flag(flag) => format!("sets --{flag} to its less safe value"),
        Weakening::Arguments => "drops arguments that the profile sets".to_owned(),
        Weakening::NetworkPolicies => "removes NetworkPolicies".to_owned(),
    };
    defect(
        &format!("spec.kustomize.patches[{position}]"),
        &observed,
        "patches that leave the lock-down as it is",
    )
}

fn defect(field: &str, observed: &str, expected: &str) -> Defect {
    Defect {
        field: field.to_owned(),
        message: format!("{field}: {observed}"),
        observed: observed.to_owned(),
        expected: expected.to_owned(),
        ..Defect::default()
    }
}
