//! FSP-WI-009: source-watcher writes to other namespaces with a default service account.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-WI-009",
    title: "source-watcher writes to other namespaces with a default service account",
    chapter: "Shared Cluster Multi-tenancy: Workload identity",
    severity: Severities::shared(Severity::Medium),
    rationale: "Since Flux 2.10 an ArtifactGenerator may put artifacts into other namespaces. One that names no account is checked against the rights of the default account; without one nothing but the controller's own rights limits it.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails unless --default-service-account names an account. Not applicable to versions that write to their own namespace only. FSX-SW-001 judges the ArtifactGenerators.",
    remediation: "Bootstrap: in the repository, add a JSON patch for the Deployment that appends --default-service-account=<name> to /spec/template/spec/containers/0/args, and bind an account of that name in no namespace, or only where artifacts from other namespaces are welcome. Edits with kubectl are reverted.",
    reference: "https://fluxcd.io/flux/components/source/artifactgenerators/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::SourceWatcher],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    if !flag::reaches(subject.instance.version.as_ref(), (2, 3, 0)) {
        return Ok(Outcome::not_applicable(
            "this version writes to the ArtifactGenerator's own namespace only",
        ));
    }
    flag::must_be_set(subject, "default-service-account")
}
