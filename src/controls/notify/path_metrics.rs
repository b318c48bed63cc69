//! FSX-NOT-008: Webhook paths are not exported as metrics.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-NOT-008",
    title: "Webhook paths are not exported as metrics",
    chapter: "Beyond the document: Notifications",
    severity: Severities::always(Severity::Low),
    rationale: "The path of a webhook is half of its secret. As a metric label it can be read by everybody who reads metrics, and it is kept for a long time.",
    audit: "The command lines of the controller's pods and of its workload's template, evaluated as the controller itself does; the worst one counts. Fails when --export-http-path-metrics is true. Not applicable to versions without the flag.",
    remediation: "Remove --export-http-path-metrics.",
    reference: "https://fluxcd.io/flux/components/notification/options/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Notification],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    if !flag::reaches(subject.instance.version.as_ref(), (1, 4, 0)) {
        return Ok(Outcome::not_applicable("this version has no such metrics"));
    }
    flag::must_be_off(subject, "export-http-path-metrics")
}
