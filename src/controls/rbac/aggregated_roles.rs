//! FSX-RBAC-004: Users' roles do not include Flux objects by aggregation.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::kinds::rbac::{ClusterRole, Rule};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-RBAC-004",
    title: "Users' roles do not include Flux objects by aggregation",
    chapter: "Beyond the document: Controller rights",
    severity: Severities::shared(Severity::Medium),
    rationale: "A ClusterRole aggregated to edit and admin lets everybody with these roles in a namespace manage Flux objects there, including their status, such as an artifact's address. One that is aggregated to view shows the secret paths of Receivers.",
    audit: "Each ClusterRole with rules for Flux's API groups. Fails when a label aggregates it to admin or edit while it allows changing them, or to view while it allows reading the status of Receivers.",
    remediation: "Remove the labels rbac.authorization.k8s.io/aggregate-to-* from flux-edit and flux-view, or replace their resources [\"*\"] by those that tenants need.",
    reference: "https://fluxcd.io/flux/security/#cluster-roles",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ClusterRole>(|subject| Ok(judge(subject)))]),
};

const TOOLKIT: &str = ".toolkit.fluxcd.io";
const NOTIFICATION: &str = "notification.toolkit.fluxcd.io";

fn judge(subject: &ObjectSubject<'_, ClusterRole>) -> Outcome {
    let is_of_flux = |rule: &&Rule| rule.api_groups.iter().any(|group| group.ends_with(TOOLKIT));
    let rules: Vec<&Rule> = subject.row.rules.iter().filter(is_of_flux).collect();
    if rules.is_empty() {
        return Outcome::not_applicable("the role has no rule for Flux objects");
    }
    let part_of = |roles: &'static [&'static str]| {
        let mut names = roles.iter();
        names.find(|role| subject.row.aggregates_to.contains(role))
    };
    let mut defects = Vec::new();
    if let Some(role) = part_of(&["edit", "admin"]).filter(|_| rules.iter().any(|rule| rule.changes())) {
        defects.push(defect(
            role,
            "whoever has it in a namespace may manage Flux objects there",
        ));
    }
    if let Some(role) = part_of(&["view"]).filter(|_| rules.iter().any(|rule| shows_paths(rule))) {
        defects.push(defect(
            role,
            "whoever has it in a namespace sees the secret paths of its Receivers",
        ));
    }
    Outcome::from_defects(defects)
}

fn shows_paths(rule: &Rule) -> bool {
    let reads = rule
        .verbs
        .iter()
        .any(|verb| matches!(&**verb, "get" | "list" | "watch" | "*"));
    let notifies = rule
        .api_groups
        .iter()
        .any(|group| matches!(&**group, NOTIFICATION | "*"));
    // The status comes with the object.
    reads
        && notifies
        && rule
            .resources
            .iter()
            .any(|it| matches!(&**it, "receivers" | "receivers/status" | "*"))
}

fn defect(role: &str, what: &str) -> Defect {
    Defect {
        field: format!("metadata.labels[rbac.authorization.k8s.io/aggregate-to-{role}]"),
        observed: "true".to_owned(),
        expected: "not set".to_owned(),
        message: format!("it is part of the role {role}: {what}"),
        ..Defect::default()
    }
}
