//! FSX-RBAC-003: Controllers may create ServiceAccount tokens only where objects need them.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::{accounts, object_identity};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Ask, Grant, Missing, Reach, Read};
use crate::kinds::flux_objects::{
    Bucket, GitRepository, HelmRelease, ImageRepository, Kustomization, OciRepository, Provider,
};
use crate::kinds::rbac::ClusterRole;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-RBAC-003",
    title: "Controllers may create ServiceAccount tokens only where objects need them",
    chapter: "Beyond the document: Controller rights",
    severity: Severities::always(Severity::Medium),
    rationale: "Whoever may create serviceaccounts/token everywhere can become every ServiceAccount. Flux ships the rule in crd-controller since 2.6 and needs it for object-level workload identity only; Flux 2.10 no longer ships it.",
    audit: "Each ClusterRole that allows creating serviceaccounts/token and is bound cluster-wide to a Flux controller, except roles that allow everything. Fails when no object needs it: while the feature gate ObjectLevelWorkloadIdentity is off everywhere; since Flux 2.10, which needs no gate, while no default account for workload identity is set and no object names one, for a cloud, for decryption, or by a ConfigMap for a remote cluster. Registries outside the clouds are not seen.",
    remediation: "Remove the rule by its content, not by its position; FluxInstance below Flux 2.10: spec.cluster.objectLevelWorkloadIdentity: false.",
    reference: "https://fluxcd.io/flux/installation/configuration/workload-identity/",
    reads: &[
        Read::Controllers(&Component::ALL),
        Read::Access(Reach::Cluster),
        Read::cluster::<Kustomization>(),
        Read::cluster::<HelmRelease>(),
        Read::cluster::<GitRepository>(),
        Read::cluster::<OciRepository>(),
        Read::cluster::<Bucket>(),
        Read::cluster::<ImageRepository>(),
        Read::cluster::<Provider>(),
    ],
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
        return Ok(Outcome::not_applicable("the role does not allow creating tokens"));
    }
    let accounts = accounts::of_controllers(subject.view)?;
    let grants = subject.view.access()?.of_role(subject.key);
    let bound = grants.filter(Grant::is_cluster_wide);
    let is_flux = bound
        .flat_map(|grant| &grant.row.subjects)
        .any(|principal| accounts.contains_key(principal));
    if !is_flux {
        return Ok(Outcome::not_applicable(
            "no Flux controller is bound to the role cluster-wide",
        ));
    }
    if object_identity::is_used(subject.view)? {
        return Ok(Outcome::Pass);
    }
    Ok(Outcome::fail(Defect {
        field: "rules".to_owned(),
        observed: "create serviceaccounts/token".to_owned(),
        expected: "no such rule: no object has an identity of its own".to_owned(),
        message: "Flux controllers may create tokens for every ServiceAccount and do not need to".to_owned(),
        ..Defect::default()
    }))
}
