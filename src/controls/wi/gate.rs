//! FSP-WI-008: Default accounts of workload identity have their feature gate.

use super::super::control::{Control, Outcome, Severities, Subject};
use super::super::flag::{self, Objection};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::{Evaluation, ExitCause, Setting, Startup};
use crate::inventory::Missing;
use crate::inventory::instances::Launch;

/// The gate that workload identity of objects was behind until 1.10 (RFC-0010).
const WORKLOAD_IDENTITY: &str = "ObjectLevelWorkloadIdentity";

pub(crate) static CONTROL: Control = Control {
    id: "FSP-WI-008",
    title: "Default accounts of workload identity have their feature gate",
    chapter: "Shared Cluster Multi-tenancy: Workload identity",
    severity: Severities::shared(Severity::High),
    rationale: "Until 1.10 a controller with a default account for workload identity and without the feature gate ObjectLevelWorkloadIdentity does not start: pods of the old template keep running, and the change is not in force.",
    audit: "The command lines of every controller: a default account for workload identity while the feature gate is off. Not applicable where no such account is set, or where the gate has been retired.",
    remediation: "Add --feature-gates=ObjectLevelWorkloadIdentity=true, or upgrade to Flux 2.10, which needs no gate.",
    reference: "https://fluxcd.io/flux/installation/configuration/workload-identity/",
    components: &[
        Component::Source,
        Component::Kustomize,
        Component::Helm,
        Component::Notification,
        Component::ImageReflector,
        Component::ImageAutomation,
    ],
    reads: &[],
    parameters: &[],
    judge,
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let unneeded = |launch: &Launch| launch.evaluation.gate(WORKLOAD_IDENTITY) == Setting::Unsupported;
    if subject.instance.launches.iter().all(unneeded) {
        return Ok(Outcome::NotApplicable(
            "this version needs no feature gate".to_owned(),
        ));
    }
    for launch in &subject.instance.launches {
        if let Startup::Exits {
            cause: cause @ ExitCause::InconsistentGates { flag },
            ..
        } = &launch.evaluation.startup
        {
            let objection = Objection {
                argument: last_argument(&launch.evaluation, flag),
                observed: cause.to_string(),
                expected: format!("--feature-gates={WORKLOAD_IDENTITY}=true"),
            };
            return Ok(Outcome::Fail(Box::new(flag::defect(
                subject,
                launch,
                objection,
                &[],
            ))));
        }
    }
    let judged = flag::judge(subject, |_| Ok(None))?;
    let used = subject
        .instance
        .launches
        .iter()
        .any(|launch| sets_an_account(subject.key.component, &launch.evaluation));
    if !used {
        return Ok(Outcome::NotApplicable(
            "no default account for workload identity is set".to_owned(),
        ));
    }
    Ok(judged)
}

/// On kustomize and helm `--default-service-account` is impersonation and needs no gate.
fn sets_an_account(component: Component, evaluation: &Evaluation) -> bool {
    let flags: &[&str] = match component {
        Component::Kustomize => &[
            "default-decryption-service-account",
            "default-kubeconfig-service-account",
        ],
        Component::Helm => &["default-kubeconfig-service-account"],
        _ => &["default-service-account"],
    };
    flags.iter().any(|flag| !evaluation.occurrences(flag).is_empty())
}

fn last_argument(evaluation: &Evaluation, flag: &str) -> String {
    evaluation
        .occurrences(flag)
        .last()
        .map(|occurrence| occurrence.raw.clone())
        .unwrap_or_default()
}
