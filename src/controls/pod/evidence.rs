//! What of a controller's pods counts.

use super::super::control::{Defect, Outcome};
use super::super::flag;
use super::super::judges::Subject;
use crate::inventory::Missing;
use crate::inventory::instances::{Launch, LaunchSource};

/// What a control has against a pod.
pub(super) struct Objection {
    /// Container; empty for the whole pod.
    pub(super) container: String,
    /// Path of the field.
    pub(super) field: String,
    /// What was read.
    pub(super) observed: String,
    /// What the recommendation asks for.
    pub(super) expected: &'static str,
}

/// The pods as they were admitted, else the template that they would be made of.
pub(super) fn admitted<'a>(subject: &Subject<'a>) -> Vec<&'a Launch> {
    let launches = &subject.instance.launches;
    let is_pod = |launch: &&Launch| matches!(launch.source, LaunchSource::Pod { .. });
    let pods: Vec<&Launch> = launches.iter().filter(is_pod).collect();
    if pods.is_empty() {
        return launches.iter().collect();
    }
    pods
}

/// The template, from which the next pod is made, and the pods.
pub(super) fn all<'a>(subject: &Subject<'a>) -> Vec<&'a Launch> {
    subject.instance.launches.iter().collect()
}

/// Asks each of them; what several have in common is told once.
pub(super) fn judge(
    subject: &Subject<'_>,
    launches: &[&Launch],
    check: impl Fn(&Launch) -> Vec<Objection>,
) -> Result<Outcome, Missing> {
    if launches.is_empty() {
        let message = format!("{} has no container that can be judged", subject.key);
        return Err(Missing::new("NoCommandLine", message));
    }
    let mut defects: Vec<Defect> = Vec::new();
    for objection in launches.iter().flat_map(|launch| check(launch)) {
        let defect = defect(subject, objection);
        if !defects.contains(&defect) {
            defects.push(defect);
        }
    }
    Ok(Outcome::from_defects(defects))
}

fn defect(subject: &Subject<'_>, objection: Objection) -> Defect {
    let key = subject.key;
    let Objection {
        container,
        field,
        observed,
        expected,
    } = objection;
    let place = match container.as_str() {
        "" => field.clone(),
        container => format!("container {container}, {field}"),
    };
    Defect {
        message: format!(
            "{} in namespace {}: {place}: {observed}",
            key.component, key.namespace
        ),
        container,
        field,
        observed,
        expected: expected.to_owned(),
        severity: flag::weight(subject),
        ..Defect::default()
    }
}
