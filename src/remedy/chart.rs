//! Values of the community chart flux2, and of the chart of flux-operator.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::flux::Component;
use crate::flux::command_line::amend::{Edit, Wanted};
use crate::flux::installer::Installer;
use crate::inventory::{InstanceKey, Inventory};

use super::profile::CHART;
use super::target::{Target, workload};
use super::{Asked, Document, Plan, Setting, yaml};

/// Whether the community chart installed a controller. Only some versions of Helm say which chart it was.
pub(super) fn is_known(inventory: &Inventory, key: &InstanceKey) -> bool {
    let chart = workload(inventory, key).and_then(|workload| workload.labels.get("helm.sh/chart"));
    chart.is_none_or(|chart| chart.starts_with("flux2-"))
}

pub(super) fn document(plan: &mut Plan<'_>, namespace: &str, asked: &Asked) -> Option<Document> {
    let (mut targets, mut foreign) = (Vec::new(), Vec::new());
    for target in plan.targets(asked) {
        if is_known(plan.inventory, target.key) {
            targets.push(target);
        } else {
            foreign.push(target);
        }
    }
    for target in &foreign {
        let why = format!("the chart of {} is not known: its values are its own", target.key);
        leave(plan, target, &why);
    }
    let mut values = Values::default();
    let mut settings: Vec<Setting<'_>> = Vec::new();
    let rest = match CHART.switch(plan, (namespace, Installer::HelmChart), targets, false) {
        Ok(switched) => {
            let account = switched.settings.iter().map(|it| it.account.clone()).next();
            values.lock = Some((switched.controls, account.unwrap_or_default()));
            settings.extend(switched.settings);
            switched.rest
        }
        Err(rest) => rest,
    };
    for target in rest.into_iter().filter(|target| !target.steps.is_empty()) {
        if let Some(controls) = of_log_level(&target) {
            values.log_level.extend(controls);
        }
        let Some(rest) = target.without(plan.inventory, is_log_level) else {
            continue;
        };
        match Arguments::of(plan, namespace, &rest) {
            Ok(arguments) => {
                settings.extend(rest.settings());
                values.arguments.push(arguments);
            }
            Err(why) => leave(plan, &rest, &why),
        }
    }
    values.policies.clone_from(&asked.policies);
    values.operator = (!asked.operator.is_empty()).then(|| asked.operator.clone());
    if values.is_empty() {
        return None;
    }
    settings.extend(operators(plan, namespace).filter(|_| values.operator.is_some()));
    let mut impact = plan.impact(&settings);
    if !asked.policies.is_empty() {
        impact.unseen.insert(super::POLICIES_UNSEEN.to_owned());
    }
    let chart = if values.operator.is_some() {
        "flux-operator"
    } else {
        "flux2"
    };
    let called = plan.called(namespace, Installer::HelmChart);
    let mut about = vec![format!(
        "{called}: values of the chart {chart}, for the HelmRelease or the file that has them."
    )];
    if !values.arguments.is_empty() {
        about.push("Helm replaces lists: additionalArgs are whole, with what is there already.".to_owned());
    }
    Some(Document {
        impact,
        about,
        yaml: values.written(),
    })
}

/// What `multitenancy.enabled` of flux-operator's chart sets.
fn operators<'a>(plan: &Plan<'a>, namespace: &str) -> impl Iterator<Item = Setting<'a>> + use<'a> {
    let found = plan.inventory.instances_in(namespace);
    let operators = found.filter(|(key, _)| key.component == Component::FluxOperator);
    let settings = operators.map(|(key, instance)| Setting {
        key,
        instance,
        wanted: Wanted::Named("default-service-account"),
        account: Component::FluxOperator.name().to_owned(),
    });
    settings.collect::<Vec<_>>().into_iter()
}

fn leave(plan: &mut Plan<'_>, target: &Target<'_>, why: &str) {
    for step in &target.steps {
        plan.leave_all(&step.controls, why);
    }
}

fn is_log_level(wanted: Wanted) -> bool {
    matches!(wanted, Wanted::Is("log-level", _))
}

/// The controls that want another level, when the chart's own argument sets it.
fn of_log_level<'t>(target: &'t Target<'_>) -> Option<&'t BTreeSet<&'static str>> {
    let mut steps = target.steps.iter();
    steps
        .find(|step| is_log_level(step.wanted))
        .map(|step| &step.controls)
}

#[derive(Default)]
struct Values {
    lock: Option<(BTreeSet<&'static str>, String)>,
    log_level: BTreeSet<&'static str>,
    policies: BTreeSet<&'static str>,
    operator: Option<BTreeSet<&'static str>>,
    arguments: Vec<Arguments>,
}

/// `container.additionalArgs` of a controller.
struct Arguments {
    controller: &'static str,
    lines: Vec<(String, BTreeSet<&'static str>)>,
}

impl Arguments {
    fn of(plan: &Plan<'_>, namespace: &str, target: &Target<'_>) -> Result<Self, String> {
        let Some(controller) = value_of(target.key.component) else {
            return Err(format!(
                "the chart has no value for the arguments of {}",
                target.key
            ));
        };
        let own = own_arguments(plan, namespace, target);
        let edits = target.steps.iter().flat_map(|step| &step.edits);
        let mut container = target.container.clone();
        for edit in edits {
            let is_of_values = match edit {
                Edit::Append(_) => true,
                Edit::Insert { spot, .. } | Edit::Replace { spot, .. } | Edit::Remove { spot, .. } => {
                    !spot.in_command && spot.index >= own
                }
            };
            if !is_of_values {
                return Err(format!(
                    "the chart itself sets an argument of {}, and has no value for it",
                    target.key
                ));
            }
            edit.apply(&mut container);
        }
        let because = |argument: &String| {
            let steps = target.steps.iter();
            let setting = steps.filter(|step| {
                step.edits.iter().any(|edit| match edit {
                    Edit::Append(value) | Edit::Insert { value, .. } | Edit::Replace { value, .. } => {
                        value == argument
                    }
                    Edit::Remove { .. } => false,
                })
            });
            setting.flat_map(|step| step.controls.iter().copied()).collect()
        };
        let lines = container.args.iter().skip(own);
        Ok(Self {
            controller,
            lines: lines.map(|it| (it.clone(), because(it))).collect(),
        })
    }
}

/// How many arguments are the chart's own: they come before those of its values.
fn own_arguments(plan: &Plan<'_>, namespace: &str, target: &Target<'_>) -> usize {
    const OWN: [&str; 8] = [
        "--no-cross-namespace-refs=",
        "--default-service-account=",
        "--events-addr=",
        "--watch-all-namespaces=",
        "--log-level=",
        "--log-encoding=",
        "--storage-path=",
        "--storage-adv-addr=",
    ];
    const ELECTION: &str = "--enable-leader-election";
    let mut controllers = plan.controllers(namespace, Installer::HelmChart);
    let has_watcher = controllers.any(|(key, _)| key.component == Component::SourceWatcher);
    let mut elected = false;
    let own = target.container.args.iter().take_while(|argument| {
        if *argument == ELECTION {
            return !std::mem::replace(&mut elected, true);
        }
        let is_gate = has_watcher && *argument == "--feature-gates=ExternalArtifact=true";
        let is_storage = argument.starts_with("--storage-");
        let comes_after_election = is_gate || is_storage;
        let is_own = is_gate || OWN.iter().any(|own| argument.starts_with(own));
        is_own && (!elected || comes_after_election)
    });
    own.count()
}

const fn value_of(component: Component) -> Option<&'static str> {
    Some(match component {
        Component::Source => "sourceController",
        Component::Kustomize => "kustomizeController",
        Component::Helm => "helmController",
        Component::Notification => "notificationController",
        Component::ImageReflector => "imageReflectionController",
        Component::ImageAutomation => "imageAutomationController",
        Component::SourceWatcher => "sourceWatcher",
        Component::FluxOperator => return None,
    })
}

impl Values {
    fn is_empty(&self) -> bool {
        self.lock.is_none()
            && self.log_level.is_empty()
            && self.policies.is_empty()
            && self.operator.is_none()
            && self.arguments.is_empty()
    }

    fn written(&self) -> String {
        let mut text = String::new();
        if let Some((controls, account)) = &self.lock {
            let (because, account) = (yaml::because(controls), yaml::scalar(account));
            let _ = write!(
                text,
                "multitenancy:\n  # {because}\n  enabled: true\n  defaultServiceAccount: {account}\n"
            );
        }
        if let Some(controls) = &self.operator {
            let _ = write!(
                text,
                "multitenancy:\n  # {}\n  enabled: true\n",
                yaml::because(controls)
            );
        }
        if !self.log_level.is_empty() {
            let _ = write!(text, "# {}\nlogLevel: info\n", yaml::because(&self.log_level));
        }
        if !self.policies.is_empty() {
            let _ = write!(
                text,
                "policies:\n  # {}\n  create: true\n",
                yaml::because(&self.policies)
            );
        }
        for arguments in &self.arguments {
            let _ = write!(
                text,
                "{}:\n  container:\n    additionalArgs:\n",
                arguments.controller
            );
            for (argument, controls) in &arguments.lines {
                if !controls.is_empty() {
                    let _ = writeln!(text, "      # {}", yaml::because(controls));
                }
                let _ = writeln!(text, "      - {}", yaml::scalar(argument));
            }
        }
        text
    }
}
