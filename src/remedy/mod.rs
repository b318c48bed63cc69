//! What to change where Flux is declared, so that failing controls pass: a patch for the tool that installed it, and before
//! it what the change breaks. Pure: a function of the posture and of what is known of the cluster.

mod account;
mod chart;
mod extension;
mod flux_instance;
mod kustomize;
mod module;
mod profile;
mod target;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::ControlResult;
use crate::controls::impact::{self, Impact};
use crate::controls::repair::{self, Repair};
use crate::controls::{Control, Judges};
use crate::engine::posture::escaped;
use crate::engine::{ControlPosture, FindingPosture, PolicyPosture};
use crate::flux::Component;
use crate::flux::command_line::amend::Wanted;
use crate::flux::detect::Certainty;
use crate::flux::installer::Installer;
use crate::inventory::{Instance, InstanceKey, Inventory, ObjectKey, TenancyRules};
use crate::kinds::network_policy::NetworkPolicy;

use target::Target;

/// What is to be repaired.
#[derive(Clone, Debug)]
pub struct Choice {
    /// These controls; none: every one that fails and that a patch can repair.
    pub controls: Vec<&'static Control>,
    /// The name of a default account, where there is none yet.
    pub account: String,
}

/// How failing controls are repaired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedy {
    /// A document for each place that something is changed at.
    pub documents: Vec<Document>,
    /// What no document repairs.
    pub left: Vec<Left>,
}

/// A change of what one installation was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it breaks.
    pub impact: Impact,
    /// What it is and where it goes, a sentence each.
    pub about: Vec<String>,
    /// The change, as YAML.
    pub yaml: String,
}

/// A control that no patch repairs here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// Its id.
    pub id: &'static str,
    /// Why not.
    pub why: String,
    /// What a person can do; empty when there is nothing to do.
    pub remediation: &'static str,
}

/// The remedy for what fails in a posture, by what is known of its cluster. `file` tells the manifest of a controller.
#[must_use]
pub fn remedy(
    posture: &PolicyPosture,
    inventory: &Inventory,
    choice: &Choice,
    file: &dyn Fn(&InstanceKey) -> Option<String>,
) -> Remedy {
    let rules = TenancyRules::new(&posture.policy.spec);
    let mut plan = Plan {
        inventory,
        file,
        rules: &rules,
        account: &choice.account,
        installations: BTreeMap::new(),
        left: BTreeSet::new(),
    };
    for control in &posture.controls {
        let is_named = choice.controls.iter().any(|named| named.id == control.control.id);
        if is_named || choice.controls.is_empty() && control.control.repair().is_some() {
            plan.ask(posture, control, is_named);
        }
    }
    plan.finish()
}

/// What an installation is asked for.
#[derive(Default)]
struct Asked {
    /// Settings of its controllers, each with the controls that want it.
    settings: BTreeMap<InstanceKey, BTreeMap<Wanted, BTreeSet<&'static str>>>,
    /// The controls that want NetworkPolicies.
    policies: BTreeSet<&'static str>,
    /// The controls that want an account for the root Kustomization.
    root: BTreeSet<&'static str>,
    /// The controls that want the lock-down of the FluxInstance.
    lock_down: BTreeSet<&'static str>,
    /// The controls that want a default account of flux-operator.
    operator: BTreeSet<&'static str>,
}

/// What isolation breaks.
const POLICIES_UNSEEN: &str =
    "NetworkPolicies: who in other namespaces talks to the controllers, but for metrics and webhooks";

/// What one tool installed in one namespace.
type Installation = (String, Installer);

struct Plan<'a> {
    inventory: &'a Inventory,
    file: &'a dyn Fn(&InstanceKey) -> Option<String>,
    rules: &'a TenancyRules,
    account: &'a str,
    installations: BTreeMap<Installation, Asked>,
    left: BTreeSet<Left>,
}

impl<'a> Plan<'a> {
    fn ask(&mut self, posture: &PolicyPosture, judged: &ControlPosture, is_named: bool) {
        let control = judged.control;
        if judged.result != ControlResult::Fail {
            if is_named {
                self.leave_what_does_not_fail(judged);
            }
            return;
        }
        let Some(repair) = control.repair() else {
            return self.leave(control, "no patch repairs it: a person has to".to_owned());
        };
        let findings = posture.findings.iter();
        let counts = |finding: &&Arc<FindingPosture>| {
            finding.finding.control == control.id && !finding.finding.is_waived()
        };
        for finding in findings.filter(counts) {
            self.ask_for(control, repair, finding);
        }
    }

    fn ask_for(&mut self, control: &'static Control, repair: Repair, finding: &FindingPosture) {
        match repair {
            Repair::Arguments(settings) => self.ask_for_settings(control, settings, finding),
            Repair::AsOnMain => match repair::lock(&finding.finding.location.field) {
                Some(wanted) => self.ask_for_settings(control, &[wanted], finding),
                None => self.leave(control, finding.finding.message.clone()),
            },
            Repair::RootAccount => self.ask_for_root_account(control, finding),
            Repair::NetworkPolicies => self.ask_for_policies(control, finding),
            Repair::FluxInstance => self.ask_for_fields(control, finding),
            Repair::OperatorAccount => self.ask_operator(control, finding),
        }
    }

    fn ask_for_settings(&mut self, control: &'static Control, settings: &[Wanted], finding: &FindingPosture) {
        let Some((key, instance)) = self.judged(control, finding) else {
            return self.leave(
                control,
                format!("its workload is not seen: {}", finding.finding.message),
            );
        };
        let known = |wanted: &&Wanted| settings.len() == 1 || target::knows(instance, **wanted);
        for wanted in settings.iter().filter(known) {
            let asked = self.installation(key, instance);
            let wanted = asked.settings.entry(key.clone()).or_default().entry(*wanted);
            wanted.or_default().insert(control.id);
        }
    }

    fn ask_for_root_account(&mut self, control: &'static Control, finding: &FindingPosture) {
        let resource = &finding.finding.resource;
        let root = ObjectKey::new(&resource.namespace, &resource.name);
        let of_namespace = self.inventory.instances_in(&resource.namespace);
        let mut appliers = of_namespace.filter(|(key, _)| key.component == Component::Kustomize);
        match appliers.next() {
            Some((key, instance)) if account::is_root(self.inventory, &root) => {
                self.installation(key, instance).root.insert(control.id);
            }
            _ => self.leave(
                control,
                format!(
                    "Kustomization {root} is not among what installs Flux: change it where it is declared"
                ),
            ),
        }
    }

    fn ask_for_policies(&mut self, control: &'static Control, finding: &FindingPosture) {
        let Some((key, instance)) = self.judged(control, finding) else {
            return self.leave(control, finding.finding.message.clone());
        };
        let has_policies = self
            .inventory
            .table::<NetworkPolicy>()
            .in_namespace(&key.namespace)
            .any(|(policy, _)| &*policy.name == "allow-egress");
        let is_switched = match instance.installer {
            Installer::FluxOperator => flux_instance::of(self.inventory, &key.namespace)
                .is_some_and(|(_, row)| !row.spec.cluster.network_policy),
            Installer::HelmChart => chart::is_known(self.inventory, key) && !has_policies,
            _ => false,
        };
        if is_switched {
            self.installation(key, instance).policies.insert(control.id);
        } else {
            self.leave(control, finding.finding.message.clone());
        }
    }

    fn ask_for_fields(&mut self, control: &'static Control, finding: &FindingPosture) {
        let namespace = finding.finding.resource.namespace.clone();
        let asked = self
            .installations
            .entry((namespace, Installer::FluxOperator))
            .or_default();
        match finding.finding.location.field.as_str() {
            "spec.cluster.networkPolicy" => drop(asked.policies.insert(control.id)),
            "spec.cluster.multitenant" => drop(asked.lock_down.insert(control.id)),
            _ => self.leave(control, finding.finding.message.clone()),
        }
    }

    fn ask_operator(&mut self, control: &'static Control, finding: &FindingPosture) {
        match self.judged(control, finding) {
            Some((key, instance)) if instance.installer == Installer::HelmChart => {
                let asked = self.installation(key, instance);
                asked.operator.insert(control.id);
            }
            _ => self.leave(
                control,
                format!("no chart installed it: {}", finding.finding.message),
            ),
        }
    }

    /// The controller that a finding is about.
    fn judged(&self, control: &Control, finding: &FindingPosture) -> Option<(&'a InstanceKey, &'a Instance)> {
        let Judges::Controllers { components, .. } = control.judges else {
            return None;
        };
        let (resource, container) = (&finding.finding.resource, &finding.finding.location.container);
        let of_namespace = self.inventory.instances_in(&resource.namespace);
        let mut candidates = of_namespace.filter(|(key, instance)| {
            let is_in = |launch: &crate::inventory::instances::Launch| launch.container == *container;
            *key.kind == *resource.kind
                && *key.name == *resource.name
                && components.contains(&key.component)
                && (container.is_empty() || instance.launches.iter().any(is_in))
        });
        candidates.next()
    }

    fn installation(&mut self, key: &InstanceKey, instance: &Instance) -> &mut Asked {
        let of = (key.namespace.to_string(), instance.installer);
        self.installations.entry(of).or_default()
    }

    fn leave(&mut self, control: &'static Control, why: String) {
        self.left.insert(Left {
            id: control.id,
            why,
            remediation: control.remediation,
        });
    }

    fn leave_all<'i>(&mut self, ids: impl IntoIterator<Item = &'i &'static str>, why: &str) {
        let controls = ids.into_iter().filter_map(|id| crate::controls::find(id));
        controls.for_each(|control| self.leave(control, why.to_owned()));
    }

    fn leave_what_does_not_fail(&mut self, judged: &ControlPosture) {
        let remediation = match judged.result {
            ControlResult::Pass | ControlResult::NotApplicable => "",
            _ => judged.control.remediation,
        };
        self.left.insert(Left {
            id: judged.control.id,
            why: format!("it does not fail: {}, {}", judged.result, judged.message),
            remediation,
        });
    }

    fn finish(mut self) -> Remedy {
        let mut documents = Vec::new();
        for (installation, asked) in std::mem::take(&mut self.installations) {
            documents.extend(self.document(&installation, &asked));
        }
        Remedy {
            documents,
            left: self.left.into_iter().collect(),
        }
    }

    fn document(&mut self, (namespace, installer): &Installation, asked: &Asked) -> Option<Document> {
        match installer {
            Installer::Bootstrap | Installer::Unknown => {
                kustomize::document(self, namespace, *installer, asked)
            }
            Installer::FluxOperator => flux_instance::document(self, namespace, asked),
            Installer::HelmChart => chart::document(self, namespace, asked),
            Installer::Aks => extension::document(self, namespace, asked),
            Installer::AllInOne => module::document(self, namespace, asked),
        }
    }

    /// What is to be changed of the controllers. What cannot be is left.
    fn targets(&mut self, asked: &Asked) -> Vec<Target<'a>> {
        let mut targets = Vec::new();
        for (key, settings) in &asked.settings {
            let Some((key, instance)) = self.inventory.instances().get_key_value(key) else {
                continue;
            };
            let Some(mut target) = Target::new(self.inventory, key, instance) else {
                let why = format!("the template of {key} is not seen");
                self.leave_all(settings.values().flatten(), &why);
                continue;
            };
            // What is set twice is looked at when everything is set.
            let (last, first): (Vec<_>, Vec<_>) =
                settings.iter().partition(|(wanted, _)| **wanted == Wanted::Once);
            for (wanted, controls) in first.into_iter().chain(last) {
                let account = self.account_for(key, instance, *wanted);
                match target.make(*wanted, &account, controls) {
                    Ok(true) => {}
                    Ok(false) => {
                        let why = format!(
                            "the template of {key} has {wanted}: its pods do not, or something else fails"
                        );
                        self.leave_all(controls, &why);
                    }
                    Err(obstacle) => self.leave_all(controls, &format!("{key}: {obstacle}")),
                }
            }
            targets.push(target);
        }
        targets
    }

    /// What a default account is called: as on a controller that has one, or as its installer calls it.
    fn account_for(&self, key: &InstanceKey, instance: &Instance, wanted: Wanted) -> String {
        match instance.installer {
            Installer::Aks => return extension::ACCOUNT.to_owned(),
            Installer::AllInOne => return key.name.to_string(),
            _ => {}
        }
        let flag = wanted.flag().unwrap_or_default();
        let known = account::in_force(self.inventory, key, flag);
        known.unwrap_or(self.account).to_owned()
    }

    /// The controllers of an installation.
    fn controllers(
        &self,
        namespace: &str,
        installer: Installer,
    ) -> impl Iterator<Item = (&'a InstanceKey, &'a Instance)> + use<'a> {
        let found = self.inventory.instances_in(namespace);
        let found: Vec<_> = found
            .filter(|(key, instance)| {
                instance.installer == installer
                    && instance.certainty == Certainty::Accepted
                    && key.component.is_controller()
            })
            .collect();
        found.into_iter()
    }

    /// An installation as a person knows it.
    fn called(&self, namespace: &str, installer: Installer) -> String {
        let mut controllers = self.controllers(namespace, installer);
        match controllers.find_map(|(key, _)| (self.file)(key)) {
            Some(file) => format!("Flux in namespace {namespace}, of {file}"),
            None => format!("Flux in namespace {namespace}"),
        }
    }

    fn impact(&self, changes: &[Setting<'_>]) -> Impact {
        let changes: Vec<impact::Change<'_>> = changes
            .iter()
            .map(|change| impact::Change {
                key: change.key,
                instance: change.instance,
                wanted: change.wanted,
                account: &change.account,
            })
            .collect();
        impact::of(self.inventory, self.rules, &changes)
    }
}

/// A setting that a controller gets.
struct Setting<'a> {
    key: &'a InstanceKey,
    instance: &'a Instance,
    wanted: Wanted,
    account: String,
}

impl Remedy {
    /// Takes in another one: that of another cluster in the same folder. What both say is said once.
    pub fn add(&mut self, other: Self) {
        for document in other.documents {
            if !self.documents.contains(&document) {
                self.documents.push(document);
            }
        }
        for left in other.left {
            if !self.left.contains(&left) {
                self.left.push(left);
            }
        }
        self.left.sort();
    }

    /// As YAML. What breaks, what each line is for, and what is left, are comments.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (number, document) in self.documents.iter().enumerate() {
            if number > 0 {
                text.push_str("---\n");
            }
            document.write(&mut text);
        }
        if !self.left.is_empty() {
            if !text.is_empty() {
                text.push_str("---\n");
            }
            comment(&mut text, "No patch for these:");
        }
        for left in self.left.chunk_by(|one, two| one.id == two.id) {
            for Left { id, why, .. } in left {
                comment(&mut text, &format!("  {id}: {why}"));
            }
            let remediation = left.iter().map(|it| it.remediation);
            for remediation in remediation.filter(|it| !it.is_empty()).take(1) {
                comment(&mut text, &format!("    {remediation}"));
            }
        }
        text
    }

    /// How many objects break, and how many may.
    #[must_use]
    pub fn broken(&self) -> (usize, usize) {
        let impacts = || self.documents.iter().map(|document| &document.impact);
        let breaks: BTreeSet<_> = impacts()
            .flat_map(|it| &it.breaks)
            .map(|it| (it.kind, &it.key))
            .collect();
        let may: BTreeSet<_> = impacts()
            .flat_map(|it| &it.may_break)
            .map(|it| (it.kind, &it.key))
            .collect();
        (breaks.len(), may.difference(&breaks).count())
    }
}

impl Document {
    fn write(&self, text: &mut String) {
        let impact = &self.impact;
        if impact.breaks.is_empty() && impact.may_break.is_empty() {
            comment(text, "Nothing that is seen here breaks with this change.");
        }
        section(
            text,
            "Breaks with this change:",
            impact.breaks.iter().map(ToString::to_string),
        );
        section(
            text,
            "May break with this change:",
            impact.may_break.iter().map(ToString::to_string),
        );
        section(
            text,
            "Grants rights with this change:",
            impact.opens.iter().cloned(),
        );
        section(text, "Cannot be seen here:", impact.unseen.iter().cloned());
        text.push_str("#\n");
        for sentence in &self.about {
            comment(text, sentence);
        }
        text.push_str(&self.yaml);
    }
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        comment(text, title);
    }
    for line in lines {
        comment(text, &format!("  {line}"));
    }
}

/// Nothing of others leaves its line.
fn comment(text: &mut String, line: &str) {
    text.push_str("# ");
    text.push_str(&escaped(line));
    text.push('\n');
}
