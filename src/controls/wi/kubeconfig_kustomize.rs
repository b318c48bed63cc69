//! FSP-WI-006: kustomize-controller reaches remote clusters with a default service account.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use super::identity;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};
use crate::kinds::identity::ServiceAccount;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-WI-006",
    title: "kustomize-controller reaches remote clusters with a default service account",
    chapter: "Shared Cluster Multi-tenancy: Workload identity",
    severity: Severities {
        none: None,
        shared: Some(Severity::High),
        dedicated: Some(Severity::Medium),
    },
    rationale: "A kubeConfig.configMapRef without an account makes the controller ask for a token of its own account, with audiences of the tenant's choice, and present it to the tenant's address.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails unless --default-kubeconfig-service-account names an account. Since Flux 2.10 no token is made that the cluster itself would accept: Medium there, unless the controller has a cloud identity or a Vault token. Not applicable to versions that do not know kubeConfig.configMapRef.",
    remediation: "Bootstrap: in the repository, add a JSON patch for the Deployment that appends --default-kubeconfig-service-account=<name> to /spec/template/spec/containers/0/args; FluxInstance: spec.cluster.multitenantWorkloadIdentity; chart: container.additionalArgs of the controller. Before Flux 2.10 the feature gate ObjectLevelWorkloadIdentity is needed as well. The account must exist in every tenant namespace. Edits with kubectl are reverted.",
    reference: "https://fluxcd.io/flux/security/best-practices/#multi-tenancy-lock-down",
    reads: &[Read::cluster::<ServiceAccount>()],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Kustomize],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    if !flag::reaches(subject.instance.version.as_ref(), (1, 7, 0)) {
        return Ok(Outcome::NotApplicable(
            "this version does not know kubeConfig.configMapRef".into(),
        ));
    }
    let outcome = flag::must_be_set(subject, "default-kubeconfig-service-account")?;
    Ok(identity::weigh_token(subject, outcome, (1, 10, 0)))
}
