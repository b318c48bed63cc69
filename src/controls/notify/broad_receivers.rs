//! FSX-NOT-004: Receivers trigger what they are for.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::kinds::flux_objects::Receiver;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-NOT-004",
    title: "Receivers trigger what they are for",
    chapter: "Beyond the document: Notifications",
    severity: Severities::always(Severity::Medium),
    rationale: "Each request makes Flux reconcile everything that the Receiver names. A Receiver for everything lets whoever can call it keep the controllers busy, even for other namespaces.",
    audit: "spec.resources of each Receiver. Fails when one names another namespace, or is * without spec.resourceFilter. A request only triggers reconciliation; it changes nothing by itself.",
    remediation: "Name the resources, or choose among them with spec.resourceFilter.",
    reference: "https://fluxcd.io/flux/components/notification/receivers/#resources",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<Receiver>(|subject| Ok(judge(subject)))]),
};

fn judge(subject: &ObjectSubject<'_, Receiver>) -> Outcome {
    let spec = &subject.row.spec;
    let is_filtered = !spec.resource_filter.is_empty();
    let resources = spec.resources.iter().enumerate();
    let defects = resources.filter_map(|(position, resource)| {
        let foreign = resource.foreign(&subject.key.namespace);
        let observed = match foreign {
            Some(namespace) => format!("triggers objects of namespace {namespace}"),
            None if resource.name.as_str() == "*" && !is_filtered => {
                format!("triggers every {} of its namespace", resource.kind)
            }
            None => return None,
        };
        Some(Defect {
            field: format!("spec.resources[{position}]"),
            message: observed.clone(),
            observed,
            expected: "resources of the own namespace by name, or chosen by spec.resourceFilter".to_owned(),
            ..Defect::default()
        })
    });
    Outcome::from_defects(defects.collect())
}
