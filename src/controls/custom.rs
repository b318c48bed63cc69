//! Custom controls among those of the catalogue: the same posture, reports, Events and waivers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::control::{Control, Defect, Outcome, Severities};
use super::judges::Judges;
use crate::api::custom::CustomControl;
use crate::custom::{self, Check, Target};
use crate::inventory::{Answer, CustomObject, Inventory, Missing, Reach, Read, SubjectKey, View};

/// The chapter of custom controls.
pub const CHAPTER: &str = "Custom";
/// The page that explains them.
const REFERENCE: &str =
    "https://github.com/flux-security-operator/flux-security-operator/blob/main/docs/custom-controls.md";
/// What `fluxsec remediate` says.
const REMEDIATION: &str =
    "A custom control has no automatic repair: change the object so that its expression is true.";
/// So many different custom controls are known at the same time to a process, counting former ones: each change of a
/// control's text is another one, and keeps some hundred bytes.
const MOST: usize = 10_000;

/// What a custom control asks.
pub struct Custom {
    target: Arc<Target>,
    /// Which expression it is, by [`Check::key`].
    check: &'static str,
    labels: BTreeMap<String, String>,
    expression: &'static str,
    message: &'static str,
}

/// A custom control; the same text is the same control, so that policies and postures that follow each other share it.
///
/// # Errors
/// There have been too many different ones.
pub(crate) fn control(spec: &CustomControl, check: &Check) -> Result<&'static Control, String> {
    static KNOWN: Mutex<BTreeMap<String, &'static Control>> = Mutex::new(BTreeMap::new());
    let text = serde_json::to_string(spec).map_err(|error| error.to_string())?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(control) = known.get(&text) {
        return Ok(control);
    }
    if known.len() >= MOST {
        return Err("too many different custom controls have been used: restart the operator".to_owned());
    }
    let control = &*Box::leak(Box::new(made(spec, check)));
    known.insert(text, control);
    Ok(control)
}

/// All custom controls of a policy.
///
/// # Errors
/// What is wrong with the first that is none.
pub fn all(specs: &[CustomControl]) -> Result<Vec<&'static Control>, String> {
    let checks = custom::checks(specs)?;
    specs
        .iter()
        .zip(&checks)
        .map(|(spec, check)| control(spec, check))
        .collect()
}

fn made(spec: &CustomControl, check: &Check) -> Control {
    let message = if spec.message.is_empty() {
        &spec.title
    } else {
        &spec.message
    };
    let labels = spec.matches.namespace_selector.match_labels.clone();
    Control {
        id: kept(&spec.id),
        title: kept(&spec.title),
        chapter: CHAPTER,
        severity: Severities::always(spec.severity),
        rationale: kept(message),
        audit: kept(&spec.expression),
        remediation: REMEDIATION,
        reference: REFERENCE,
        reads: if labels.is_empty() {
            &[]
        } else {
            &[Read::Owners(Reach::Namespace)]
        },
        parameters: &[],
        judges: Judges::Custom(Custom {
            target: check.target.clone(),
            check: kept(&check.key),
            labels,
            expression: kept(&spec.expression),
            message: kept(message),
        }),
    }
}

fn kept(text: &str) -> &'static str {
    Box::leak(Box::from(text))
}

impl Custom {
    /// Objects that there is something to be said about.
    pub(super) fn subjects(&self, inventory: &Inventory) -> Vec<SubjectKey> {
        let objects = inventory.customs().not_passing(&self.target, self.check);
        objects
            .into_iter()
            .map(|object| SubjectKey::Custom(Arc::new(object)))
            .collect()
    }

    /// Those of a namespace.
    pub(super) fn subjects_in(&self, namespace: &str, inventory: &Inventory) -> Vec<SubjectKey> {
        let mut subjects = self.subjects(inventory);
        let is_there = |object: &CustomObject| {
            &*object.key.namespace == namespace
                || object.key.namespace.is_empty() && &*object.key.name == namespace
        };
        subjects.retain(|subject| matches!(subject, SubjectKey::Custom(object) if is_there(object)));
        subjects
    }

    /// Whether it is about objects of this kind.
    pub(crate) fn is_about(&self, target: &Target) -> bool {
        *self.target == *target
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Option<Result<Outcome, Missing>> {
        let (inventory, object) = view.own_custom()?;
        let answer = inventory.custom_answer(object, self.check, &self.labels)?;
        Some(answer.map(|answer| match answer {
            Answer::Nothing => Outcome::not_applicable("its namespace lacks the labels"),
            Answer::Pass => Outcome::Pass,
            Answer::Fail => Outcome::fail(Defect {
                expected: self.expression.to_owned(),
                observed: "the expression is false".to_owned(),
                message: self.message.to_owned(),
                ..Defect::default()
            }),
        }))
    }

    pub(super) fn complete(&self, inventory: &Inventory) -> Result<(), Missing> {
        inventory.custom_complete(&self.target, self.check)
    }

    /// The kind of the objects.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Of how many objects the expression is true.
    pub(crate) fn passes(&self, inventory: &Inventory) -> usize {
        inventory.custom_passes(&self.target, self.check, &self.labels)
    }

    /// Why there is nothing to judge.
    pub(crate) fn nothing(&self, inventory: &Inventory) -> (&'static str, String) {
        use crate::inventory::Coverage;
        match inventory.custom_coverage(&self.target) {
            Some(Coverage::Absent) => ("NotInstalled", format!("the cluster serves no {}", self.target)),
            Some(coverage) if coverage.is_of_input() => (
                "NoneExists",
                format!("no matching {} is in the input", self.target.kind),
            ),
            _ => ("NoneExists", format!("no matching {} exists", self.target.kind)),
        }
    }
}
