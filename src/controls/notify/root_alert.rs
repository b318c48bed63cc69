//! FSX-NOT-007: Somebody is told when Flux fails to synchronise.

use super::super::alerting::{self, PROMETHEUS, Watched};
use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, ObjectKey, Read};
use crate::kinds::Kind;
use crate::kinds::flux_objects::{Alert, Kustomization, Provider};
use crate::kinds::monitoring::PrometheusRule;
use crate::kinds::service::Service;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-NOT-007",
    title: "Somebody is told when Flux fails to synchronise",
    chapter: "Beyond the document: Notifications",
    severity: Severities::always(Severity::Low),
    rationale: "When the root Kustomization fails, changes to the platform, security fixes among them, do not arrive, and everything else looks as before.",
    audit: "In each namespace with a kustomize-controller, the Kustomization with the name of the namespace; without one, all Kustomizations there. Fails unless an Alert selects its errors by kind, name and labels. The Alert must have severity info or error, must not be suspended, and needs a Provider in its own namespace that is not suspended, has an address and does more than set commit statuses. Events must also reach a notification-controller through --events-addr. Unknown when an inclusionList or exclusionList decides, and when a PrometheusRule uses Flux's metrics. Nothing proves that alerts arrive: Alerts and Providers have no status.",
    remediation: "Create a Provider and an Alert of severity error for the Kustomization in its namespace. If something outside the cluster monitors Flux, waive this control.",
    reference: "https://fluxcd.io/flux/monitoring/alerts/",
    reads: &[
        Read::namespace::<Kustomization>(),
        Read::cluster::<Alert>(),
        Read::cluster::<Provider>(),
        Read::cluster::<Service>(),
        Read::cluster::<PrometheusRule>(),
        Read::Controllers(&[Component::Kustomize, Component::Notification]),
    ],
    parameters: &[PROMETHEUS],
    judges: Judges::Namespaces(judge),
};

type Row = <Kustomization as Kind>::Row;

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    let mut controllers = subject.view.controllers(Component::Kustomize)?;
    if !controllers.any(|(key, _)| &*key.namespace == subject.name) {
        return Ok(Outcome::not_applicable("no kustomize-controller runs there"));
    }
    let roots = roots(subject)?;
    if roots.is_empty() {
        return Ok(Outcome::not_applicable("there is no Kustomization"));
    }
    let prometheus = CONTROL.parameter(PROMETHEUS.name, subject.parameters);
    let mut watched = Vec::new();
    for (key, row) in roots {
        watched.push(Watched::new::<Kustomization>(
            key,
            &row.labels,
            Component::Kustomize,
        ));
    }
    alerting::judge(subject, prometheus, watched)
}

/// Bootstrap names the Kustomization that everything else comes from like its namespace.
fn roots<'a>(subject: &NamespaceSubject<'a>) -> Result<Vec<(&'a ObjectKey, &'a Row)>, Missing> {
    let all: Vec<_> = subject.view.siblings::<Kustomization>()?.collect();
    let named = all.iter().find(|(key, _)| *key.name == *subject.name);
    Ok(named.map_or_else(|| all.clone(), |root| vec![*root]))
}
