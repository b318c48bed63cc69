//! FSP-RES-006: Controllers' concurrency suits the load.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::Setting;
use crate::inventory::{Instance, InstanceKey, Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-RES-006",
    title: "Controllers' concurrency suits the load",
    chapter: "Resource Isolation",
    severity: Severities::always(Severity::Info),
    rationale: "How many objects a controller works on at once, and how much memory it has for that, decides how long tenants wait for each other.",
    audit: "--concurrent and the memory limit of each controller that reconciles. Only a person can tell what is enough.",
    remediation: "Raise --concurrent together with the memory limits, or add shards.",
    reference: "https://fluxcd.io/flux/installation/configuration/vertical-scaling/",
    reads: &[Read::Controllers(&RECONCILING)],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

const RECONCILING: [Component; 3] = [Component::Kustomize, Component::Helm, Component::Source];

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let mut lanes = Vec::new();
    for component in RECONCILING {
        for (key, instance) in subject.view.accepted_controllers(component)? {
            lanes.push(lane(key, instance)?);
        }
    }
    if lanes.is_empty() {
        return Ok(Outcome::not_applicable("no controller reconciles"));
    }
    let lanes = lanes.join(", ");
    Ok(Outcome::Manual(
        format!("check that this is enough for the load: {lanes}").into(),
    ))
}

/// Of the newest command line that is known.
fn lane(key: &InstanceKey, instance: &Instance) -> Result<String, Missing> {
    let unread = |why: &str| Missing::new("ArgumentNotReadable", format!("{key}: --concurrent: {why}"));
    let launch = instance
        .launches
        .last()
        .ok_or_else(|| unread("no command line"))?;
    let count = match launch.evaluation.integer("concurrent") {
        Setting::Known { value, .. } => value,
        Setting::Unsupported => return Err(unread("this version has no such flag")),
        Setting::Unknown(why) => return Err(unread(&why)),
    };
    let limit = if launch.definition.has_memory_limit {
        "a memory limit"
    } else {
        "no memory limit"
    };
    Ok(format!(
        "{}/{} {count} at once with {limit}",
        key.namespace, key.name
    ))
}
