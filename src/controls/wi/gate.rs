//! FSP-WI-008: Default accounts of workload identity have their feature gate.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::{
    Evaluation, ExitCause, Setting, Startup, WORKLOAD_IDENTITY_GATE, workload_identity_flags,
};
use crate::inventory::Missing;
use crate::inventory::instances::Launch;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-WI-008",
    title: "Default accounts of workload identity have their feature gate",
    chapter: "Shared Cluster Multi-tenancy: Workload identity",
    severity: Severities::shared(Severity::High),
    rationale: "Before Flux 2.10 a controller with a default account for workload identity but without the feature gate ObjectLevelWorkloadIdentity does not start: pods of the old template keep running, and the change is not in force.",
    audit: "The command lines of every controller: a default account for workload identity while the feature gate is off. Not applicable where no such account is set, or where the gate has been retired.",
    remediation: "Add --feature-gates=ObjectLevelWorkloadIdentity=true, or upgrade to Flux 2.10, which needs no gate.",
    reference: "https://fluxcd.io/flux/installation/configuration/workload-identity/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[
            Component::Source,
            Component::Kustomize,
            Component::Helm,
            Component::Notification,
            Component::ImageReflector,
            Component::ImageAutomation,
        ],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let unneeded = |launch: &Launch| launch.evaluation.gate(WORKLOAD_IDENTITY_GATE) == Setting::Unsupported;
    if subject.instance.launches.iter().all(unneeded) {
        return Ok(Outcome::NotApplicable(
            "this version needs no feature gate".into(),
        ));
    }
    let launches = subject.instance.launches.iter();
    for launch in launches.filter(|launch| !flag::is_accepted(subject, launch)) {
        if let Startup::Exits {
            cause: cause @ ExitCause::InconsistentGates { flag },
            ..
        } = &launch.evaluation.startup
        {
            let objection = Objection {
                argument: last_argument(&launch.evaluation, flag),
                observed: cause.to_string(),
                expected: format!("--feature-gates={WORKLOAD_IDENTITY_GATE}=true"),
            };
            return Ok(Outcome::fail(flag::defect(subject, launch, objection, &[])));
        }
    }
    let component = subject.key.component;
    let judged = flag::judge(subject, |evaluation| {
        is_certain(component, evaluation).map(|()| None)
    })?;
    let used = subject
        .instance
        .launches
        .iter()
        .any(|launch| sets_an_account(component, &launch.evaluation));
    if !used {
        return Ok(Outcome::NotApplicable(
            "no default account for workload identity is set".into(),
        ));
    }
    Ok(judged)
}

/// An account and its gate decide together; where the gate is not surely on, neither may be guessed.
fn is_certain(component: Component, evaluation: &Evaluation) -> Result<(), Missing> {
    let gate = match evaluation.gate(WORKLOAD_IDENTITY_GATE) {
        Setting::Known { value: true, .. } | Setting::Unsupported => return Ok(()),
        Setting::Known { .. } => None,
        Setting::Unknown(reason) => Some(reason),
    };
    for flag in workload_identity_flags(component) {
        let unread = match evaluation.text(flag) {
            Setting::Unknown(reason) => Some(format!("--{flag}: {reason}")),
            Setting::Known { value, .. } if !value.is_empty() => gate
                .as_ref()
                .map(|reason| format!("feature gate {WORKLOAD_IDENTITY_GATE}: {reason}")),
            Setting::Known { .. } | Setting::Unsupported => None,
        };
        if let Some(message) = unread {
            return Err(Missing::new("ArgumentNotReadable", message));
        }
    }
    Ok(())
}

/// An empty account counts as none.
fn sets_an_account(component: Component, evaluation: &Evaluation) -> bool {
    workload_identity_flags(component)
        .iter()
        .any(|flag| match evaluation.text(flag) {
            Setting::Known { value, .. } => !value.is_empty(),
            Setting::Unknown(_) => true,
            Setting::Unsupported => false,
        })
}

fn last_argument(evaluation: &Evaluation, flag: &str) -> String {
    evaluation
        .occurrences(flag)
        .last()
        .map(|occurrence| occurrence.raw.clone())
        .unwrap_or_default()
}
