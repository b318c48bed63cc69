//! FSX-POD-004: The controller's pods have a memory limit, a priority and time to stop.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::evidence::{self, Objection};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;
use crate::inventory::instances::Launch;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-POD-004",
    title: "The controller's pods have a memory limit, a priority and time to stop",
    chapter: "Beyond the document: Pods",
    severity: Severities::always(Severity::Low),
    rationale: "Without a memory limit one large artifact can exhaust the node, without a priority other pods can displace the controller, and a helm-controller stopped in the middle of a release leaves that release locked.",
    audit: "The pods and the template of the controller. Fails without resources.limits.memory, without a priorityClassName for those that Flux ships with one (source, kustomize and helm-controller), and for a helm-controller whose terminationGracePeriodSeconds is less than 600.",
    remediation: "Set what Flux's own manifests set: a limit of 1Gi, system-cluster-critical, and 600 seconds for helm-controller.",
    reference: "https://fluxcd.io/flux/installation/configuration/vertical-scaling/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

/// What stops every delivery when it does not run: Flux ships these with a priority.
const RECONCILING: [Component; 3] = [Component::Source, Component::Kustomize, Component::Helm];
/// As long as a release of Helm may take.
const HELM_GRACE_SECONDS: i64 = 600;

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let component = subject.key.component;
    evidence::judge(subject, &evidence::all(subject), |launch| {
        lacks(launch, component)
    })
}

fn lacks(launch: &Launch, component: Component) -> Vec<Objection> {
    let mut objections = Vec::new();
    let mut lack = |container: &str, field: &str, observed: String, expected| {
        objections.push(Objection {
            container: container.to_owned(),
            field: field.to_owned(),
            observed,
            expected,
        });
    };
    let not_set = || "not set".to_owned();
    if !launch.definition.has_memory_limit {
        lack(&launch.container, "resources.limits.memory", not_set(), "a limit");
    }
    if RECONCILING.contains(&component) && launch.surroundings.priority_class.is_empty() {
        lack("", "priorityClassName", not_set(), "system-cluster-critical");
    }
    let grace = launch.surroundings.grace_seconds;
    if component == Component::Helm && grace < HELM_GRACE_SECONDS {
        lack(
            "",
            "terminationGracePeriodSeconds",
            grace.to_string(),
            "600 or more",
        );
    }
    objections
}
