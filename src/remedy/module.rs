//! Values of the Timoni module flux-aio, which runs all controllers in one pod.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::flux::Component;
use crate::flux::command_line::amend::Wanted;
use crate::flux::installer::Installer;

use super::profile::MODULE;
use super::target::Target;
use super::{Asked, Document, Plan, Setting, yaml};

pub(super) fn document(plan: &mut Plan<'_>, namespace: &str, asked: &Asked) -> Option<Document> {
    let targets = plan.targets(asked);
    let mut yaml = String::new();
    let mut settings: Vec<Setting<'_>> = Vec::new();
    let is_asked = MODULE.is_asked(&targets);
    let rest = match MODULE.switch(plan, (namespace, Installer::AllInOne), targets, is_asked) {
        Ok(switched) => {
            let because = yaml::because(&switched.controls);
            let _ = write!(yaml, "  # {because}\n  securityProfile: restricted\n");
            settings.extend(switched.settings);
            switched.rest
        }
        Err(rest) => rest,
    };
    let mut level: BTreeSet<&'static str> = BTreeSet::new();
    let mut gates = String::new();
    for target in rest {
        let component = target.key.component;
        for step in target
            .steps
            .iter()
            .filter(|step| !is_value(component, step.wanted))
        {
            let why = format!("the module has no value for {} of {}", step.wanted, target.key);
            plan.leave_all(&step.controls, &why);
        }
        let Some(target) = target.without(plan.inventory, |wanted| !is_value(component, wanted)) else {
            continue;
        };
        settings.extend(target.settings());
        let (levels, rest): (Vec<_>, Vec<_>) = target
            .steps
            .iter()
            .partition(|step| matches!(step.wanted, Wanted::Is("log-level", _)));
        level.extend(levels.iter().flat_map(|step| &step.controls));
        let because: BTreeSet<&'static str> = rest.iter().flat_map(|step| &step.controls).copied().collect();
        if let Some(controller) = value_of(component).filter(|_| !because.is_empty()) {
            let _ = write!(
                gates,
                "    {controller}:\n      # {}\n      featureGates: {}\n",
                yaml::because(&because),
                yaml::scalar(&pairs(&target))
            );
        }
    }
    if !level.is_empty() {
        let _ = write!(yaml, "  # {}\n  logLevel: info\n", yaml::because(&level));
    }
    if !gates.is_empty() {
        let _ = write!(yaml, "  controllers:\n{gates}");
    }
    plan.leave_all(
        &asked.root,
        "the module that synchronises has its own values: set the account there",
    );
    plan.leave_all(
        &asked.policies,
        "the module has no NetworkPolicies, and a pod on the network of its node obeys none",
    );
    if yaml.is_empty() {
        return None;
    }
    let called = plan.called(namespace, Installer::AllInOne);
    Some(Document {
        impact: plan.impact(&settings),
        about: vec![format!(
            "{called}: values of the module flux-aio, for its instance in the bundle of Timoni, which reads YAML as well as CUE."
        )],
        yaml: format!("values:\n{yaml}"),
    })
}

/// Whether the module has a value for a setting.
fn is_value(component: Component, wanted: Wanted) -> bool {
    match wanted {
        Wanted::Is("log-level", _) => true,
        Wanted::GateOn(_) | Wanted::GateOff(_) => value_of(component).is_some(),
        _ => false,
    }
}

/// Every gate that the controller has then.
fn pairs(target: &Target<'_>) -> String {
    let evaluation = target.amended.evaluation();
    let settings = evaluation.occurrences("feature-gates").iter();
    let settings: Vec<&str> = settings.filter_map(|it| it.value.as_deref()).collect();
    settings.join(",")
}

const fn value_of(component: Component) -> Option<&'static str> {
    Some(match component {
        Component::Source => "source",
        Component::Kustomize => "kustomize",
        Component::Helm => "helm",
        Component::Notification => "notification",
        Component::SourceWatcher => "watcher",
        _ => return None,
    })
}
