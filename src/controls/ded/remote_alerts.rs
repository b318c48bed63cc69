//! FSP-DED-001: Somebody is told when a tenant's cluster can no longer be changed.

use super::super::alerting::{self, PROMETHEUS, Watched};
use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::{Alert, Applier, HelmRelease, Kustomization, Provider};
use crate::kinds::monitoring::PrometheusRule;
use crate::kinds::service::Service;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-DED-001",
    title: "Somebody is told when a tenant's cluster can no longer be changed",
    chapter: "Dedicated Cluster Multi-tenancy",
    severity: Severities {
        none: None,
        shared: None,
        dedicated: Some(Severity::Medium),
    },
    rationale: "When a tenant takes away the management cluster's access, the first sign is an object that fails to apply. Unless somebody is told, the tenant's cluster drifts unseen.",
    audit: "Each Kustomization and HelmRelease with spec.kubeConfig. Fails unless an Alert selects its errors by kind, name and labels. The Alert must have severity info or error, must not be suspended, and needs a Provider in its own namespace that is not suspended, has an address and does more than set commit statuses. Events must also reach a notification-controller through --events-addr. An Alert of another namespace counts unless notification-controller refuses it. Unknown when an inclusionList or exclusionList decides, and when a PrometheusRule uses Flux's metrics. Nothing proves that alerts arrive: Alerts and Providers have no status.",
    remediation: "In each namespace with such objects, create an Alert of severity error for the kinds Kustomization and HelmRelease with the name *, and a Provider that reaches the platform team.",
    reference: "https://fluxcd.io/flux/security/best-practices/#additional-best-practices-for-tenant-dedicated-cluster-multi-tenancy",
    reads: &[
        Read::namespace::<Kustomization>(),
        Read::namespace::<HelmRelease>(),
        Read::cluster::<Alert>(),
        Read::cluster::<Provider>(),
        Read::cluster::<Service>(),
        Read::cluster::<PrometheusRule>(),
        Read::Controllers(&[Component::Kustomize, Component::Helm, Component::Notification]),
    ],
    parameters: &[PROMETHEUS],
    judges: Judges::Namespaces(judge),
};

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    let mut remote = Vec::new();
    for (key, row) in subject.view.siblings::<Kustomization>()? {
        if row.is_remote() {
            remote.push(Watched::new::<Kustomization>(
                key,
                &row.labels,
                Component::Kustomize,
            ));
        }
    }
    for (key, row) in subject.view.siblings::<HelmRelease>()? {
        if row.is_remote() {
            remote.push(Watched::new::<HelmRelease>(key, &row.labels, Component::Helm));
        }
    }
    if remote.is_empty() {
        return Ok(Outcome::not_applicable("nothing is applied to another cluster"));
    }
    let prometheus = CONTROL.parameter(PROMETHEUS.name, subject.parameters);
    alerting::judge(subject, prometheus, remote)
}
