//! Settings of the extension `microsoft.flux` of AKS and Azure Arc.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::flux::command_line::amend::Wanted;
use crate::flux::installer::Installer;

use super::profile::CHART;
use super::{Asked, Document, Plan, Setting, yaml};

/// The default account that the extension sets.
pub(super) const ACCOUNT: &str = "flux-applier";

pub(super) fn document(plan: &mut Plan<'_>, namespace: &str, asked: &Asked) -> Option<Document> {
    let targets = plan.targets(asked);
    let mut chosen: Vec<(&str, BTreeSet<&'static str>)> = Vec::new();
    let mut settings: Vec<Setting<'_>> = Vec::new();
    let is_asked = CHART.is_asked(&targets);
    let rest = match CHART.switch(plan, (namespace, Installer::Aks), targets, is_asked) {
        Ok(switched) => {
            chosen.push(("multiTenancy.enforce", switched.controls));
            settings.extend(switched.settings);
            switched.rest
        }
        Err(rest) => rest,
    };
    for target in rest {
        for step in &target.steps {
            if step.wanted == Wanted::GateOn("StrictPostBuildSubstitutions") {
                chosen.push((
                    "kustomize-controller.strict-substitution-mode",
                    step.controls.clone(),
                ));
                settings.push(Setting {
                    key: target.key,
                    instance: target.instance,
                    wanted: step.wanted,
                    account: String::new(),
                });
            } else {
                let why = format!(
                    "the extension has no setting for {} of {}",
                    step.wanted, target.key
                );
                plan.leave_all(&step.controls, &why);
            }
        }
    }
    plan.leave_all(
        &asked.root,
        "the FluxConfig in Azure sets the account of its Kustomizations",
    );
    if chosen.is_empty() {
        return None;
    }
    let names: Vec<String> = chosen.iter().map(|(name, _)| format!("{name}=true")).collect();
    let mut yaml = "configurationSettings:\n".to_owned();
    for (name, controls) in &chosen {
        let _ = write!(yaml, "  # {}\n  {name}: \"true\"\n", yaml::because(controls));
    }
    let called = plan.called(namespace, Installer::Aks);
    Some(Document {
        impact: plan.impact(&settings),
        about: vec![
            format!("{called}: settings of the extension microsoft.flux, here as in its template, or by"),
            format!(
                "az k8s-extension update --resource-group <group> --cluster-name <cluster> --cluster-type managedClusters --name flux --configuration-settings {}",
                names.join(" ")
            ),
        ],
        yaml,
    })
}
