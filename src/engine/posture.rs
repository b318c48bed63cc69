//! What is known at one moment: the one source of reports, metrics, Events and the command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::report::{Controller, DeliveredSecret, Finding, Location};
use crate::api::{ControlResult, Installation, ResourceRef, Severity};
use crate::controls::{Control, Defect, Judges};
use crate::flux::distribution;
use crate::inventory::{
    Coverage, CustomKind, Instance, InstanceKey, Inventory, Missing, SubjectKey, templates_stand_for_pods,
};
use crate::kinds::own::PolicyRow;
use crate::kinds::{self, Author, Hand, KindId};

use super::cells::Cells;
use super::findings::Findings;
use super::policy::{Item, Plan};
use super::telling::{Telling, Told};
use super::tenants::Tenants;
use super::waivers::WaiverPostures;
use super::{Stale, Unit};

/// An immutable picture of everything.
#[derive(Clone, Debug)]
pub struct Posture {
    /// By name of the policy.
    pub policies: BTreeMap<String, Arc<PolicyPosture>>,
    /// Every kind of the catalogue.
    pub kinds: Vec<KindPosture>,
    /// Every kind that custom controls ask for.
    pub custom_kinds: Vec<CustomKind>,
    /// Versions of the published reports (namespace is empty) and namespace reports, as last seen.
    pub published: BTreeMap<(String, String), String>,
    /// Whether the policies' kind itself is settled: before that nobody knows which policies exist.
    pub policies_known: bool,
    /// Whether every kind has been listed, or has failed to be, and so with the artifacts that policies ask for.
    pub settled: bool,
    /// Kinds that custom controls ask for and that have not been listed.
    pub pending: Vec<String>,
    /// How much of the cluster is seen.
    pub sight: Sight,
    /// Every waiver.
    pub waivers: Arc<WaiverPostures>,
}

/// How much of the cluster is seen, as far as that depends on the API server's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// No watch fails. A kind that is forbidden or absent is an answer, too.
    Whole,
    /// Some watches fail.
    Partial,
    /// Some fail and none delivers: the server is away, and so is everything that could be said about the cluster.
    None,
}

impl Sight {
    fn of(kinds: &[KindPosture]) -> Self {
        let fails = |kind: &KindPosture| matches!(kind.coverage, Coverage::Failing { .. });
        if !kinds.iter().any(fails) {
            return Self::Whole;
        }
        let delivers = |kind: &KindPosture| kind.coverage == Coverage::Synced;
        if kinds.iter().any(delivers) {
            Self::Partial
        } else {
            Self::None
        }
    }
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
    /// Every finding, in report order. Postures that follow each other share those that stayed.
    pub findings: Findings,
    /// The installations in scope.
    pub installations: Vec<Installation>,
    /// The controllers in scope with their installer, for metrics.
    pub gaps: Vec<Missing>,
    /// Secrets that sources delivered, for the report to remember.
    pub delivered: Arc<[DeliveredSecret]>,
    /// Which tenant each namespace belongs to.
    pub tenants: Arc<Tenants>,
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
    /// Failing objects that no waiver covers.
    pub findings: usize,
    /// Failing objects that a waiver covers.
    pub waived: usize,
    /// The finding that went last. It is a memory, and no part of what is known now.
    pub resolved: Option<Arc<Resolved>>,
}

impl PartialEq for ControlPosture {
    fn eq(&self, other: &Self) -> bool {
        self.control.id == other.control.id
            && self.severity == other.severity
            && self.result == other.result
            && self.reason == other.reason
            && self.message == other.message
            && self.findings == other.findings
            && self.waived == other.waived
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// A finding, with what an Event and the history need beyond the report.
#[derive(Clone, Debug)]
pub struct FindingPosture {
    /// As reported.
    pub finding: Finding,
    /// Unique id of the object.
    pub uid: String,
    /// Who made the change of the object that the finding came with; `None`: it came otherwise, or nobody can tell. It is
    /// a memory, and no part of what is known now.
    pub author: Option<Arc<Author>>,
}

impl PartialEq for FindingPosture {
    fn eq(&self, other: &Self) -> bool {
        self.finding == other.finding && self.uid == other.uid
    }
}

impl Eq for FindingPosture {}

/// A finding that is there no more.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The object.
    pub resource: ResourceRef,
    /// Who made the change of the object that it went with; `None`: it went otherwise, or nobody can tell.
    pub author: Option<Arc<Author>>,
}

impl Posture {
    pub(super) fn new(
        inventory: &Inventory,
        policies: BTreeMap<String, Arc<PolicyPosture>>,
        waivers: Arc<WaiverPostures>,
    ) -> Self {
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
            .map(|(key, row)| (key, &row.published))
            .chain(namespace_reports)
            .map(|(key, published)| {
                (
                    (key.namespace.to_string(), key.name.to_string()),
                    published.resource_version.clone(),
                )
            })
            .collect();
        let policies_known = inventory
            .coverage(kinds::id_of::<kinds::own::Policy>())
            .is_settled();
        let settled = kinds.iter().all(|kind| kind.coverage.is_settled());
        Self {
            policies,
            published,
            policies_known,
            settled,
            pending: inventory
                .customs()
                .pending()
                .map(|target| target.kind.to_string())
                .collect(),
            sight: Sight::of(&kinds),
            kinds,
            custom_kinds: inventory.customs().seen().collect(),
            waivers,
        }
    }
}

/// What a posture is made of.
pub(super) struct Sources<'a> {
    pub(super) plan: &'a Plan,
    pub(super) inventory: &'a Inventory,
    /// The verdicts.
    pub(super) units: &'a [Unit],
    /// What may be told differently now.
    pub(super) stale: &'a Stale,
    /// The posture before.
    pub(super) before: Option<&'a PolicyPosture>,
    /// Secrets that sources delivered.
    pub(super) delivered: &'a Arc<[DeliveredSecret]>,
    /// Which tenant each namespace belongs to.
    pub(super) tenants: &'a Arc<Tenants>,
}

/// Makes the posture of one policy out of the verdicts that it asked for. `None`: it is the one before.
pub(super) fn render(name: &str, sources: &Sources<'_>, telling: &mut Telling) -> Option<PolicyPosture> {
    let Sources {
        plan,
        inventory,
        stale,
        before,
        ..
    } = *sources;
    let is_new = telling.controls.len() != plan.items.len();
    let before = before.filter(|_| !is_new);
    if is_new {
        *telling = tell_everything(name, sources);
    }
    let none = Cells::default();
    let mut differs = false;
    let mut controls = Vec::with_capacity(plan.items.len());
    for (position, item) in plan.items.iter().enumerate() {
        let touched = item.position.and_then(|position| stale.units.get(&position));
        let known = before.and_then(|before| before.controls.get(position));
        if let Some(known) = known.filter(|_| !stale.everything && touched.is_none()) {
            controls.push(known.clone());
            continue;
        }
        let judgement = sources.judgement(name, item, &none);
        let told = &mut telling.controls[position];
        for key in touched.filter(|_| !is_new).into_iter().flatten() {
            differs |= judgement.tell(key, told, &mut telling.findings);
        }
        let mut control = judgement.control(told);
        control.resolved.clone_from(&told.resolved);
        differs |= known != Some(&control);
        controls.push(control);
    }
    let delivered = match before {
        Some(before) if before.delivered == *sources.delivered => before.delivered.clone(),
        _ => sources.delivered.clone(),
    };
    if let Some(before) = before.filter(|_| !stale.everything) {
        differs |= !Arc::ptr_eq(&before.delivered, &delivered);
        return differs.then(|| PolicyPosture {
            controls,
            findings: telling.findings.clone(),
            delivered,
            ..before.without_verdicts()
        });
    }
    let fresh = PolicyPosture {
        name: name.to_owned(),
        policy: plan.row.clone(),
        invalid: plan.invalid.clone(),
        controls,
        findings: telling.findings.clone(),
        installations: installations(inventory, plan),
        gaps: KindId::all()
            .filter_map(|kind| inventory.complete(kind).err())
            .collect(),
        delivered,
        tenants: sources.tenants.clone(),
    };
    (sources.before != Some(&fresh)).then_some(fresh)
}

/// Tells the findings of all controls.
fn tell_everything(name: &str, sources: &Sources<'_>) -> Telling {
    let none = Cells::default();
    let mut telling = Telling::default();
    for item in &sources.plan.items {
        let judgement = sources.judgement(name, item, &none);
        let mut told = Told::default();
        for key in judgement.cells.failing() {
            told.tell(key, judgement.findings(key));
        }
        telling.controls.push(told);
    }
    let mut all: Vec<Arc<FindingPosture>> = telling.controls.iter().flat_map(Told::iter).cloned().collect();
    all.sort_by(|a, b| a.finding.cmp(&b.finding));
    telling.findings = Findings::from(all);
    telling
}

impl PolicyPosture {
    /// Everything but what follows from verdicts.
    fn without_verdicts(&self) -> Self {
        Self {
            name: self.name.clone(),
            policy: self.policy.clone(),
            invalid: self.invalid.clone(),
            controls: Vec::new(),
            findings: Findings::default(),
            installations: self.installations.clone(),
            gaps: self.gaps.clone(),
            delivered: Arc::default(),
            tenants: self.tenants.clone(),
        }
    }
}

impl<'a> Sources<'a> {
    fn judgement(&self, policy: &'a str, item: &'a Item, none: &'a Cells) -> Judgement<'a> {
        let unit = item.position.and_then(|position| self.units.get(position));
        Judgement {
            policy,
            plan: self.plan,
            item,
            inventory: self.inventory,
            unit,
            cells: unit.map_or(none, |unit| &unit.cells),
        }
    }
}

/// One control under one policy, on its way into the posture.
struct Judgement<'a> {
    policy: &'a str,
    plan: &'a Plan,
    item: &'a Item,
    inventory: &'a Inventory,
    /// `None`: nothing is called for.
    unit: Option<&'a Unit>,
    cells: &'a Cells,
}

impl Judgement<'_> {
    /// Tells the findings of a subject. True when they are others than before.
    fn tell(&self, key: &SubjectKey, told: &mut Told, findings: &mut Findings) -> bool {
        let mut fresh = self.findings(key);
        told.remember(key, &mut fresh, |resource| self.hand(resource));
        let Some(before) = told.tell(key, fresh.clone()) else {
            return false;
        };
        before.iter().for_each(|finding| findings.remove(finding));
        fresh.into_iter().for_each(|finding| findings.insert(finding));
        true
    }

    /// The findings of a subject.
    fn findings(&self, key: &SubjectKey) -> Box<[Arc<FindingPosture>]> {
        let Some(severity) = self.item.severity.filter(|_| self.covers(key)) else {
            return Box::default();
        };
        let Some(unit) = self.unit.filter(|_| self.cells.fails(key)) else {
            return Box::default();
        };
        let defects = unit.defects(self.inventory, key);
        defects
            .iter()
            .map(|defect| Arc::new(self.finding(severity, key, defect)))
            .collect()
    }

    /// The worst of the verdicts: any failure, else anything unknown or unseen, else what a person has to judge, else
    /// any pass, else not applicable.
    fn control(&self, told: &Told) -> ControlPosture {
        let Some(severity) = self.item.severity else {
            let message = "it does not apply under the policy's tenancy".to_owned();
            return self.result(Severity::Info, ControlResult::NotApplicable, "Tenancy", message);
        };
        if let (Some(worst), Some(first)) = (told.worst(), told.first()) {
            let message = summed_up(&first.finding, told.count() - 1);
            let mut failing = self.result(worst, ControlResult::Fail, "Failed", message);
            failing.findings = told.count();
            return failing;
        }
        let unknown = self.cells.unknown().find(|(key, _)| self.covers(key));
        let unseen = self.item.control.judges.complete(self.inventory).err();
        if let Some(missing) = unknown.map(|(_, missing)| missing).or(unseen.as_ref()) {
            return self.result(
                severity,
                ControlResult::Unknown,
                missing.reason,
                bounded(&missing.message),
            );
        }
        if let Some((_, checklist)) = self.cells.manual().find(|(key, _)| self.covers(key)) {
            return self.result(
                severity,
                ControlResult::Manual,
                "NeedsReview",
                shown(checklist, MOST_OF_A_CHECKLIST),
            );
        }
        let passes = self.passes();
        if passes > 0 {
            let message = self.comply(passes);
            return self.result(severity, ControlResult::Pass, "Passed", message);
        }
        let reason = self.cells.not_applicable(self.inventory, |key| self.covers(key));
        if let Some(reason) = reason {
            return self.result(
                severity,
                ControlResult::NotApplicable,
                "NotNeeded",
                reason.to_owned(),
            );
        }
        let (reason, message) = self.nothing_to_judge();
        self.result(severity, ControlResult::NotApplicable, reason, message)
    }

    /// A policy may be limited to some installations; what is not a controller belongs to all of them.
    fn covers(&self, key: &SubjectKey) -> bool {
        match key {
            SubjectKey::Controller(key) => self.plan.covers(&key.namespace),
            _ => true,
        }
    }

    fn comply(&self, passes: usize) -> String {
        let judges = &self.item.control.judges;
        let message = judges.comply(passes);
        if matches!(judges, Judges::Controllers { .. }) && templates_stand_for_pods(self.inventory) {
            return format!("{message}, judged by workloads only: their pods are not in the input");
        }
        message
    }

    fn passes(&self) -> usize {
        match self.item.control.judges {
            Judges::Controllers { .. } => self.cells.passes(Some(&|key| self.covers(key))),
            Judges::Custom(ref custom) => custom.passes(self.inventory),
            _ => self.cells.passes(None),
        }
    }

    fn nothing_to_judge(&self) -> (&'static str, String) {
        let kinds = match &self.item.control.judges {
            Judges::Controllers { components, .. } => {
                let message = match components {
                    [component] => format!("no {component} was found"),
                    _ => "no Flux controller was found".to_owned(),
                };
                return ("NotInstalled", message);
            }
            Judges::Objects(kinds) => *kinds,
            Judges::Custom(custom) => return custom.nothing(self.inventory),
            Judges::Namespaces(_) | Judges::Cluster(_) => return ("NoneExists", "there is none".to_owned()),
        };
        let names: Vec<&str> = kinds.iter().map(|judges| judges.kind().name()).collect();
        let names = names.join(" or ");
        let absent = |kind| *self.inventory.coverage(kind) == Coverage::Absent;
        if kinds.iter().all(|judges| absent(judges.kind())) {
            return ("NotInstalled", format!("{names} is not installed"));
        }
        if kinds
            .iter()
            .all(|judges| self.inventory.coverage(judges.kind()).is_of_input())
        {
            return ("NoneExists", format!("no {names} is in the input"));
        }
        ("NoneExists", format!("no {names} exists"))
    }

    fn result(
        &self,
        severity: Severity,
        result: ControlResult,
        reason: &str,
        message: String,
    ) -> ControlPosture {
        ControlPosture {
            control: self.item.control,
            severity,
            result,
            reason: reason.to_owned(),
            message,
            findings: 0,
            waived: 0,
            resolved: None,
        }
    }

    /// Who has just changed what the control reads of an object.
    fn hand(&self, resource: &ResourceRef) -> Hand {
        match self.item.control.judges {
            Judges::Custom(_) => self.inventory.customs().hand(resource),
            _ => self.inventory.hand(resource),
        }
    }

    fn finding(&self, severity: Severity, key: &SubjectKey, defect: &Defect) -> FindingPosture {
        let key = defect.about.as_ref().unwrap_or(key);
        let (resource, origin) = self.inventory.described(key);
        let severity = match (defect.severity, self.item.tuned) {
            (Some(Severity::Info), _) => Severity::Info,
            (Some(severity), None) => severity,
            _ => severity,
        };
        let author = resource.as_ref().and_then(|it| self.hand(it).author());
        // What a policy says is longer than what the catalogue does, and may be anything.
        let (expected, message) = match self.item.control.judges {
            Judges::Custom(_) => (
                bounded(&defect.expected),
                shown(&defect.message, MOST_OF_A_MESSAGE),
            ),
            _ => (defect.expected.clone(), bounded(&defect.message)),
        };
        FindingPosture {
            finding: Finding {
                severity,
                control: self.item.control.id.to_owned(),
                // The cluster is no object: the policy stands for it.
                resource: resource.map_or_else(|| policy_reference(self.policy), named_harmlessly),
                location: Location {
                    container: defect.container.clone(),
                    argument: bounded(&defect.argument),
                    field: defect.field.clone(),
                    file: bounded(&defect.file),
                    line: defect.line.and_then(|line| i32::try_from(line).ok()),
                },
                observed: bounded(&defect.observed),
                expected,
                message,
                waiver: String::new(),
            },
            uid: origin.uid.into(),
            author,
        }
    }
}

/// Roles and bindings may be called anything, at any length.
fn named_harmlessly(resource: ResourceRef) -> ResourceRef {
    ResourceRef {
        name: bounded(&resource.name),
        ..resource
    }
}

/// What is said of a control that fails: its first finding, and how many there are.
pub(crate) fn summary_of<'a>(mut failed: impl Iterator<Item = &'a Finding>) -> String {
    let first = failed.next();
    first.map_or_else(String::new, |first| summed_up(first, failed.count()))
}

/// The message of a finding, with its object where the message does not name it: a row has no other place for that.
fn with_object(finding: &Finding) -> String {
    let (message, resource) = (&finding.message, &finding.resource);
    let (namespace, name) = (&resource.namespace, &resource.name);
    let names = [
        resource.to_string(),
        format!("{namespace}/{name}"),
        format!("{name} in namespace {namespace}"),
        format!("namespace {name}"),
    ];
    if names.iter().any(|name| message.contains(name.as_str())) {
        return message.clone();
    }
    format!("{resource}: {message}")
}

pub(super) fn summed_up(first: &Finding, more: usize) -> String {
    let first = with_object(first);
    match more {
        0 => first,
        more => format!("{first} (and {more} more)"),
    }
}

/// Text of a cluster's users in a report: at most 256 bytes, and nothing in it that a terminal or an editor obeys.
#[must_use]
pub fn bounded(text: &str) -> String {
    shown(text, 256)
}

/// Most bytes of what a policy says about an object.
const MOST_OF_A_MESSAGE: usize = 1024;
/// Most bytes of what a person is asked to look at.
const MOST_OF_A_CHECKLIST: usize = 1024;

/// At most so many bytes of a text, and nothing in it that is obeyed.
fn shown(text: &str, most: usize) -> String {
    const CUT: char = '…';
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~');
    if text.len() <= most && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let mut bounded = String::with_capacity(text.len().min(most));
    // As much as there is room for beside the sign of the cut.
    let mut kept = 0;
    for character in text.chars() {
        show(character, &mut bounded);
        if bounded.len() > most {
            bounded.truncate(kept);
            bounded.push(CUT);
            break;
        }
        if bounded.len() + CUT.len_utf8() <= most {
            kept = bounded.len();
        }
    }
    bounded
}

/// Text of somebody else in a log: nothing in it that a terminal or an editor obeys.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    text.chars().for_each(|character| show(character, &mut escaped));
    escaped
}

fn show(character: char, shown: &mut String) {
    if is_obeyed(character) {
        shown.extend(character.escape_default());
    } else {
        shown.push(character);
    }
}

/// Control characters, line breaks, and what turns the direction of text around or cannot be seen.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn installations(inventory: &Inventory, plan: &Plan) -> Vec<Installation> {
    let mut by_namespace: BTreeMap<&str, Vec<(&InstanceKey, &Instance)>> = BTreeMap::new();
    let accepted = |instance: &Instance| instance.certainty == crate::flux::detect::Certainty::Accepted;
    for (key, instance) in inventory.instances() {
        if key.component.is_controller() && plan.covers(&key.namespace) && accepted(instance) {
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

/// The object that a control's transition is about: one that counts, if there is any.
#[must_use]
pub fn first_failing<'a>(findings: &'a Findings, control: &str) -> Option<&'a FindingPosture> {
    let findings = findings.iter().map(|finding| &**finding);
    let mut findings = findings.filter(|it| it.finding.control == control);
    let first = findings.next()?;
    if !first.finding.is_waived() {
        return Some(first);
    }
    Some(findings.find(|it| !it.finding.is_waived()).unwrap_or(first))
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
