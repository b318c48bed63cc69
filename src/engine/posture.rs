//! What is known at one moment: the one source of reports, metrics, Events and the command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::report::{Controller, Finding, Location};
use crate::api::{ControlResult, Installation, ResourceRef, Severity};
use crate::controls::{Control, Defect, Outcome, Verdict};
use crate::flux::distribution;
use crate::inventory::view::complete;
use crate::inventory::{Coverage, Instance, InstanceKey, Inventory, Missing};
use crate::kinds::own::PolicyRow;
use crate::kinds::{self, KindId};

use super::policy::{Item, Plan};
use super::{UnitId, controllers_are_complete};

/// An immutable picture of everything.
#[derive(Clone, Debug)]
pub struct Posture {
    /// By name of the policy.
    pub policies: BTreeMap<String, Arc<PolicyPosture>>,
    /// Every kind of the catalogue.
    pub kinds: Vec<KindPosture>,
    /// Versions of the published reports (namespace is empty) and namespace reports, as last seen.
    pub published: BTreeMap<(String, String), String>,
    /// Whether the policies' kind itself is settled: before that nobody knows which policies exist.
    pub policies_known: bool,
    /// Whether every kind has been listed, or has failed to be.
    pub settled: bool,
}

/// How well one kind is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindPosture {
    /// Which.
    pub kind: KindId,
    /// Its state.
    pub coverage: Coverage,
    /// Rows that are kept.
    pub rows: usize,
    /// Objects that could not be read.
    pub undecodable: usize,
}

/// The posture under one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyPosture {
    /// Name of the policy.
    pub name: String,
    /// The policy.
    pub policy: PolicyRow,
    /// What is wrong with its spec.
    pub invalid: Option<String>,
    /// Every enabled control, in catalogue order.
    pub controls: Vec<ControlPosture>,
    /// Every finding, in report order.
    pub findings: Vec<FindingPosture>,
    /// The installations in scope.
    pub installations: Vec<Installation>,
    /// The controllers in scope with their installer, for metrics.
    pub gaps: Vec<Missing>,
}

/// One control under one policy.
#[derive(Clone, Debug)]
pub struct ControlPosture {
    /// Which.
    pub control: &'static Control,
    /// Severity under the policy.
    pub severity: Severity,
    /// The worst verdict of its subjects.
    pub result: ControlResult,
    /// One CamelCase word.
    pub reason: String,
    /// One sentence.
    pub message: String,
    /// Failing objects.
    pub findings: usize,
}

impl PartialEq for ControlPosture {
    fn eq(&self, other: &Self) -> bool {
        self.control.id == other.control.id
            && self.severity == other.severity
            && self.result == other.result
            && self.reason == other.reason
            && self.message == other.message
            && self.findings == other.findings
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// A finding, with what an Event needs beyond the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingPosture {
    /// As reported.
    pub finding: Finding,
    /// Unique id of the object.
    pub uid: String,
    /// Field manager of the object's last change.
    pub manager: String,
}

impl Posture {
    pub(super) fn new(inventory: &Inventory, policies: BTreeMap<String, Arc<PolicyPosture>>) -> Self {
        let kinds: Vec<KindPosture> = KindId::all()
            .map(|kind| KindPosture {
                kind,
                coverage: inventory.coverage(kind).clone(),
                rows: inventory.rows(kind),
                undecodable: inventory.undecodable(kind).len(),
            })
            .collect();
        let reports = inventory.table::<kinds::own::Report>().iter();
        let namespace_reports = inventory.table::<kinds::own::NamespaceReport>().iter();
        let published = reports
            .chain(namespace_reports)
            .map(|(key, row)| {
                (
                    (key.namespace.to_string(), key.name.to_string()),
                    row.resource_version.clone(),
                )
            })
            .collect();
        let policies_known = inventory
            .coverage(kinds::id_of::<kinds::own::Policy>())
            .is_settled();
        let settled = kinds.iter().all(|kind| kind.coverage.is_settled());
        Self {
            policies,
            kinds,
            published,
            policies_known,
            settled,
        }
    }
}

/// Makes the posture of one policy out of the verdicts that it asked for.
pub(super) fn render<'a>(
    name: &str,
    plan: &Plan,
    inventory: &Inventory,
    cells: &dyn Fn(&UnitId) -> Option<&'a BTreeMap<InstanceKey, Verdict>>,
) -> PolicyPosture {
    let mut findings = Vec::new();
    let empty = BTreeMap::new();
    let controls = plan
        .items
        .iter()
        .map(|item| {
            let verdicts = cells(&item.unit).unwrap_or(&empty);
            let verdicts = verdicts.iter().filter(|(key, _)| plan.covers(&key.namespace));
            judge_control(item, inventory, verdicts, &mut findings)
        })
        .collect();
    findings.sort_by(|a: &FindingPosture, b: &FindingPosture| a.finding.cmp(&b.finding));
    PolicyPosture {
        name: name.to_owned(),
        policy: plan.row.clone(),
        invalid: plan.invalid.clone(),
        controls,
        findings,
        installations: installations(inventory, plan),
        gaps: KindId::all()
            .filter_map(|kind| complete(inventory, kind).err())
            .collect(),
    }
}

/// The worst of the verdicts: any failure, else anything unknown, else any pass, else not applicable.
fn judge_control<'a>(
    item: &Item,
    inventory: &Inventory,
    verdicts: impl Iterator<Item = (&'a InstanceKey, &'a Verdict)>,
    findings: &mut Vec<FindingPosture>,
) -> ControlPosture {
    let Some(severity) = item.severity else {
        let message = "the policy's tenancy does not call for it".to_owned();
        return control(
            item,
            Severity::Info,
            ControlResult::NotApplicable,
            "Tenancy",
            message,
            0,
        );
    };
    let mut failed: Vec<FindingPosture> = Vec::new();
    let mut unknown: Option<&Missing> = None;
    let mut not_applicable: Option<&str> = None;
    let mut passes = 0_usize;
    for (key, verdict) in verdicts {
        match verdict {
            Verdict::Judged(Outcome::Pass) => passes += 1,
            Verdict::Judged(Outcome::NotApplicable(reason)) => {
                not_applicable = not_applicable.or(Some(reason));
            }
            Verdict::Judged(Outcome::Fail(defect)) => {
                failed.extend(finding(item, severity, key, defect, inventory));
            }
            Verdict::Unknown(missing) => unknown = unknown.or(Some(missing)),
        }
    }
    if let Some(worst) = failed.iter().map(|finding| finding.finding.severity).min() {
        let count = failed.len();
        let message = summary_of(&failed);
        findings.append(&mut failed);
        return control(item, worst, ControlResult::Fail, "Failed", message, count);
    }
    if let Some(missing) = unknown {
        return control(
            item,
            severity,
            ControlResult::Unknown,
            missing.reason,
            missing.message.clone(),
            0,
        );
    }
    if passes > 0 {
        let message = match passes {
            1 => "1 controller complies".to_owned(),
            passes => format!("{passes} controllers comply"),
        };
        return control(item, severity, ControlResult::Pass, "Passed", message, 0);
    }
    if let Err(missing) = controllers_are_complete(inventory) {
        return control(
            item,
            severity,
            ControlResult::Unknown,
            missing.reason,
            missing.message,
            0,
        );
    }
    if let Some(reason) = not_applicable {
        return control(
            item,
            severity,
            ControlResult::NotApplicable,
            "NotNeeded",
            reason.to_owned(),
            0,
        );
    }
    let names: Vec<&str> = item
        .control
        .components
        .iter()
        .map(|component| component.name())
        .collect();
    let message = match names.len() {
        1 => format!("no {} was found", names[0]),
        _ => "no Flux controller was found".to_owned(),
    };
    control(
        item,
        severity,
        ControlResult::NotApplicable,
        "NotInstalled",
        message,
        0,
    )
}

fn summary_of(failed: &[FindingPosture]) -> String {
    let first = failed
        .first()
        .map(|finding| finding.finding.message.clone())
        .unwrap_or_default();
    match failed.len() {
        0 | 1 => first,
        count => format!("{first} (and {} more)", count - 1),
    }
}

fn control(
    item: &Item,
    severity: Severity,
    result: ControlResult,
    reason: &str,
    message: String,
    findings: usize,
) -> ControlPosture {
    ControlPosture {
        control: item.control,
        severity,
        result,
        reason: reason.to_owned(),
        message,
        findings,
    }
}

fn finding(
    item: &Item,
    severity: Severity,
    key: &InstanceKey,
    defect: &Defect,
    inventory: &Inventory,
) -> Option<FindingPosture> {
    let instance = inventory.instances().get(key)?;
    let severity = if defect.informational {
        Severity::Info
    } else {
        severity
    };
    Some(FindingPosture {
        finding: Finding {
            severity,
            control: item.control.id.to_owned(),
            resource: key.resource(),
            location: Location {
                container: defect.container.clone(),
                argument: bounded(&defect.argument),
                field: defect.field.clone(),
            },
            observed: bounded(&defect.observed),
            expected: defect.expected.clone(),
            message: bounded(&defect.message),
        },
        uid: instance.uid.clone(),
        manager: instance.manager.clone(),
    })
}

/// Text of a cluster's users in a report: at most 256 bytes, control characters escaped.
#[must_use]
pub fn bounded(text: &str) -> String {
    const MOST: usize = 256;
    let mut bounded = String::with_capacity(text.len().min(MOST));
    for character in text.chars() {
        let escaped: String = match character {
            character if is_hostile(character) => character.escape_default().collect(),
            character => character.to_string(),
        };
        if bounded.len() + escaped.len() > MOST {
            bounded.push('…');
            break;
        }
        bounded.push_str(&escaped);
    }
    bounded
}

/// Control characters, and those that turn the direction of text around.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn installations(inventory: &Inventory, plan: &Plan) -> Vec<Installation> {
    let mut by_namespace: BTreeMap<&str, Vec<(&InstanceKey, &Instance)>> = BTreeMap::new();
    let accepted = |instance: &Instance| instance.certainty == crate::flux::detect::Certainty::Accepted;
    for (key, instance) in inventory.instances() {
        if plan.covers(&key.namespace) && accepted(instance) {
            by_namespace
                .entry(&key.namespace)
                .or_default()
                .push((key, instance));
        }
    }
    by_namespace
        .into_iter()
        .map(|(namespace, instances)| installation(namespace, &instances))
        .collect()
}

fn installation(namespace: &str, instances: &[(&InstanceKey, &Instance)]) -> Installation {
    let installer = instances
        .first()
        .map(|(_, instance)| instance.installer.to_string())
        .unwrap_or_default();
    Installation {
        namespace: namespace.to_owned(),
        installer,
        version: flux_version(instances),
        controllers: instances
            .iter()
            .map(|(key, instance)| controller(key, instance))
            .collect(),
    }
}

/// The newest listed Flux version that bundles exactly these controllers; empty when there is none.
fn flux_version(instances: &[(&InstanceKey, &Instance)]) -> String {
    let bundles = |release: &&distribution::Release| {
        instances
            .iter()
            .all(|(key, instance)| release.component(key.component).exact() == instance.version.as_ref())
    };
    distribution::releases()
        .iter()
        .rfind(bundles)
        .map(|release| release.flux.to_string())
        .unwrap_or_default()
}

fn controller(key: &InstanceKey, instance: &Instance) -> Controller {
    Controller {
        name: key.component.name().to_owned(),
        workload: format!("{}/{}", key.kind, key.name),
        image: bounded(&instance.image),
        version: instance
            .version
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        shard: instance.shard.clone().unwrap_or_default(),
    }
}

/// The object that a control's transition is about.
#[must_use]
pub fn first_failing<'a>(findings: &'a [FindingPosture], control: &str) -> Option<&'a FindingPosture> {
    findings.iter().find(|finding| finding.finding.control == control)
}

/// The object of a resource reference that the policy itself is.
#[must_use]
pub fn policy_reference(name: &str) -> ResourceRef {
    ResourceRef {
        api_version: format!("{}/{}", crate::api::GROUP, crate::api::VERSION),
        kind: "FluxSecurityPolicy".to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}
