//! FSP-WI-005: kustomize-controller decrypts with a default service account.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use super::identity;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};
use crate::kinds::Mark;
use crate::kinds::flux_objects::Kustomization;
use crate::kinds::identity::ServiceAccount;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-WI-005",
    title: "kustomize-controller decrypts with a default service account",
    chapter: "Shared Cluster Multi-tenancy: Workload identity",
    severity: Severities::shared(Severity::High),
    rationale: "Without a default account, a Kustomization that decrypts and names no account uses the key management identity of the controller, which may hold the keys of every tenant.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails unless --default-decryption-service-account names an account. Not applicable while the controller has no cloud identity and no Kustomization decrypts.",
    remediation: "Bootstrap: in the repository, add a JSON patch for the Deployment that appends --default-decryption-service-account=<name> to /spec/template/spec/containers/0/args; FluxInstance: spec.cluster.multitenantWorkloadIdentity; chart: container.additionalArgs of the controller. Before Flux 2.10 the feature gate ObjectLevelWorkloadIdentity is needed as well. The account must exist in every namespace that decrypts. Edits with kubectl are reverted.",
    reference: "https://fluxcd.io/flux/security/best-practices/#multi-tenancy-lock-down",
    reads: &[
        Read::cluster::<Kustomization>(),
        Read::cluster::<ServiceAccount>(),
    ],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Kustomize],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let mut decrypting = subject.view.marked::<Kustomization>(&Mark::DECRYPTS)?;
    if decrypting.next().is_none() && !identity::controller_has_identity(subject)? {
        return Ok(identity::not_used());
    }
    flag::must_be_set(subject, "default-decryption-service-account")
}
