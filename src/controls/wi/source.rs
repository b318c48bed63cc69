//! FSP-WI-001: source-controller authenticates with a default service account.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use super::identity;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::{Bucket, GitRepository, HelmRepository, OciRepository};
use crate::kinds::identity::ServiceAccount;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-WI-001",
    title: "source-controller authenticates with a default service account",
    chapter: "Shared Cluster Multi-tenancy: Workload identity",
    severity: Severities::shared(Severity::Medium),
    rationale: "Without a default account, an object that names none authenticates with the identity of the controller, which may reach what its tenant must not.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails unless --default-service-account names an account. Not applicable while neither the controller nor any object uses a cloud identity.",
    remediation: "Bootstrap: in the repository, add a JSON patch for the Deployment that appends --default-service-account=<name> to /spec/template/spec/containers/0/args; FluxInstance: spec.cluster.multitenantWorkloadIdentity; chart: container.additionalArgs of the controller. Before Flux 2.10 the feature gate ObjectLevelWorkloadIdentity is needed as well. The account must exist in every tenant namespace. Edits with kubectl are reverted.",
    reference: "https://fluxcd.io/flux/security/best-practices/#multi-tenancy-lock-down",
    reads: &[
        Read::cluster::<ServiceAccount>(),
        Read::cluster::<GitRepository>(),
        Read::cluster::<OciRepository>(),
        Read::cluster::<HelmRepository>(),
        Read::cluster::<Bucket>(),
    ],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Source],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let needed = identity::controller_has_identity(subject)?
        || identity::any_cloud_user::<GitRepository>(subject)?
        || identity::any_cloud_user::<OciRepository>(subject)?
        || identity::any_cloud_user::<HelmRepository>(subject)?
        || identity::any_cloud_user::<Bucket>(subject)?;
    if !needed {
        return Ok(identity::not_used());
    }
    flag::must_be_set(subject, "default-service-account")
}
