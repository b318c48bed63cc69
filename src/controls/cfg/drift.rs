//! FSX-CFG-005: What runs is what was declared, and somebody looks after it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{InstanceKey, Missing, ObjectKey, Read, SubjectKey};
use crate::kinds::flux_objects::{FluxInstance, Kustomization};
use crate::kinds::workload::{Deployment, Keeper, KeeperKind, StatefulSet, Workload};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-CFG-005",
    title: "What runs is what was declared, and somebody looks after it",
    chapter: "Beyond the document: Configuration sanity",
    severity: Severities::always(Severity::Medium),
    rationale: "What is changed by hand lasts until Flux or flux-operator applies the declaration again, and forever when they do not: a suspended root Kustomization makes every edit of its own controllers permanent.",
    audit: "The field managers, labels and annotations of the workloads of controllers, and the Kustomization or FluxInstance that applies them. Fails when somebody else has set a part of the pod template's spec, when an annotation of the workload keeps its applier away, when the Kustomization is suspended, and when the annotation fluxcd.controlplane.io/reconcile of the FluxInstance is disabled. Restarts and scaling are no such change. Unknown when managers are not recorded, or when the applier is not in the same namespace: it may be one of another cluster. Not applicable to controllers that neither Flux nor flux-operator applies.",
    remediation: "Change the declaration in Git or the FluxInstance instead, and resume what is suspended: flux resume kustomization, or remove the annotation.",
    reference: "https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources",
    reads: &[
        Read::Controllers(&Component::ALL),
        Read::namespace::<Deployment>(),
        Read::namespace::<StatefulSet>(),
        Read::namespace::<Kustomization>(),
        Read::namespace::<FluxInstance>(),
    ],
    parameters: &[],
    judges: Judges::Namespaces(judge),
};

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    let kept = kept(subject)?;
    if kept.is_empty() {
        return Ok(Outcome::not_applicable(
            "no controller there is applied by Flux or flux-operator",
        ));
    }
    let mut defects = Vec::new();
    let mut unknown = None;
    for (key, row, keeper) in &kept {
        match touched(key, row, keeper) {
            Ok(found) => defects.extend(found),
            Err(missing) => unknown = Some(missing),
        }
    }
    let keepers: BTreeSet<&Keeper> = kept.iter().map(|(.., keeper)| *keeper).collect();
    for keeper in keepers {
        match asleep(subject, keeper) {
            Ok(found) => defects.extend(found),
            Err(missing) => unknown = Some(missing),
        }
    }
    match unknown {
        Some(missing) if defects.is_empty() => Err(missing),
        _ => Ok(Outcome::from_defects(defects)),
    }
}

type Kept<'a> = (&'a InstanceKey, &'a Workload, &'a Keeper);

/// The workloads with controllers that something applies again and again.
fn kept<'a>(subject: &NamespaceSubject<'a>) -> Result<Vec<Kept<'a>>, Missing> {
    let controllers = controllers(subject)?;
    if controllers.is_empty() {
        return Ok(Vec::new());
    }
    let deployments = subject.view.siblings::<Deployment>()?;
    let deployments = deployments.map(|(key, row)| ("Deployment", key, row));
    let sets = subject.view.siblings::<StatefulSet>()?;
    let sets = sets.map(|(key, row)| ("StatefulSet", key, row));
    let kept = deployments.chain(sets).filter_map(|(kind, key, row)| {
        let controller = controllers.get(&(kind, &*key.name))?;
        Some((*controller, row, row.keeper.as_ref()?))
    });
    Ok(kept.collect())
}

/// The controllers of the namespace by their workload.
fn controllers<'a>(
    subject: &NamespaceSubject<'a>,
) -> Result<BTreeMap<(&'a str, &'a str), &'a InstanceKey>, Missing> {
    let mut all = BTreeMap::new();
    for component in Component::ALL {
        for (key, instance) in subject.view.controllers(component)? {
            if &*key.namespace != subject.name {
                continue;
            }
            if let Some(missing) = instance.doubt(key) {
                return Err(missing);
            }
            all.insert((&*key.kind, &*key.name), key);
        }
    }
    Ok(all)
}

/// Who else had a hand in a workload, and what keeps its applier away from it.
fn touched(key: &InstanceKey, row: &Workload, keeper: &Keeper) -> Result<Vec<Defect>, Missing> {
    let about = Some(SubjectKey::Controller(key.clone().into()));
    let mut defects = Vec::new();
    if let Some(annotation) = row.keeps_away() {
        let observed = format!("the annotation {annotation} keeps {keeper} away");
        defects.push(Defect {
            field: format!("metadata.annotations[{annotation}]"),
            message: format!("{} {}: {observed}", key.kind, key.name),
            observed,
            expected: "not set".to_owned(),
            about: about.clone(),
            ..Defect::default()
        });
    }
    let Some(hands) = &row.hands else {
        if defects.is_empty() {
            let message = format!("who set the fields of {} {} is not recorded", key.kind, key.name);
            return Err(Missing::new("ManagersNotRecorded", message));
        }
        return Ok(defects);
    };
    defects.extend(hands.iter().map(|hand| {
        let observed = format!("{hand} has set a part of it, beside {keeper}");
        Defect {
            field: "spec.template.spec".to_owned(),
            message: format!("{} {}: {observed}", key.kind, key.name),
            observed,
            expected: "what was declared, and nothing else".to_owned(),
            about: about.clone(),
            ..Defect::default()
        }
    }));
    Ok(defects)
}

/// Why the applier does not look after what it applied.
fn asleep(subject: &NamespaceSubject<'_>, keeper: &Keeper) -> Result<Option<Defect>, Missing> {
    let key = ObjectKey::new(subject.name, keeper.name.as_str());
    let is_here = keeper.namespace.as_str() == subject.name;
    let (is_asleep, field, observed, about) = match keeper.kind {
        KeeperKind::Kustomization => {
            let row = subject.view.sibling::<Kustomization>(&key.name)?;
            (
                row.map(|row| row.spec.suspend),
                "spec.suspend",
                "true: the controllers that it applies are not kept as declared",
                SubjectKey::object::<Kustomization>(&key),
            )
        }
        KeeperKind::FluxInstance => {
            let row = subject.view.sibling::<FluxInstance>(&key.name)?;
            (
                row.map(|row| row.spec.is_disabled),
                "metadata.annotations[fluxcd.controlplane.io/reconcile]",
                "disabled: the controllers that it installs are not kept as declared",
                SubjectKey::object::<FluxInstance>(&key),
            )
        }
    };
    let Some(is_asleep) = is_asleep.filter(|_| is_here) else {
        let message = format!(
            "{keeper}, which applies the controllers of namespace {}, is not there",
            subject.name
        );
        return Err(Missing::new("ApplierNotFound", message));
    };
    Ok(is_asleep.then(|| Defect {
        field: field.to_owned(),
        message: format!("{keeper}: {field} is {observed}"),
        observed: observed.to_owned(),
        expected: "not set".to_owned(),
        about: Some(about),
        ..Defect::default()
    }))
}
