//! FSX-TEN-006: ImageRepositories are opened to chosen namespaces only.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::kinds::flux_objects::ImageRepository;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-TEN-006",
    title: "ImageRepositories are opened to chosen namespaces only",
    chapter: "Beyond the document: Tenancy",
    severity: Severities::always(Severity::Medium),
    rationale: "An ImageRepository lists tags with its own credential. A selector without labels shares what that credential can see with every namespace.",
    audit: "spec.accessFrom of each ImageRepository. Fails when one of its namespaceSelectors has no labels. Who may set the labels of a namespace is not looked at here.",
    remediation: "Use in matchLabels a label that only the platform can set, for example kubernetes.io/metadata.name.",
    reference: "https://fluxcd.io/flux/components/image/imagerepositories/#access-from",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ImageRepository>(|subject| Ok(judge(subject)))]),
};

fn judge(subject: &ObjectSubject<'_, ImageRepository>) -> Outcome {
    let Some(access) = &subject.row.spec.access_from else {
        return Outcome::not_applicable("no other namespace may refer to it");
    };
    let selectors = access.namespace_selectors.iter().enumerate();
    let open = selectors.filter(|(_, selector)| selector.match_labels.is_empty());
    let defects = open.map(|(position, _)| Defect {
        field: format!("spec.accessFrom.namespaceSelectors[{position}]"),
        observed: "has no matchLabels".to_owned(),
        expected: "matchLabels that only chosen namespaces have".to_owned(),
        message: "a selector without labels opens it to every namespace".to_owned(),
        ..Defect::default()
    });
    Outcome::from_defects(defects.collect())
}
