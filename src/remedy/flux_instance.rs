//! Fields of a FluxInstance, and patches where it has no field.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::flux::installer::Installer;
use crate::inventory::{Inventory, ObjectKey};
use crate::kinds::Kind;
use crate::kinds::flux_objects::FluxInstance;
use crate::kinds::flux_objects::operator::Weakening;

use super::profile::{FLUX_INSTANCE, IDENTITY, Profile, Switched};
use super::target::{Step, Target};
use super::{Asked, Document, Plan, Setting, kustomize, yaml};

type Row = <FluxInstance as Kind>::Row;

/// The FluxInstance of a namespace.
pub(super) fn of<'a>(inventory: &'a Inventory, namespace: &str) -> Option<(&'a ObjectKey, &'a Row)> {
    let all = inventory.table::<FluxInstance>();
    let mut all = all.iter();
    all.find(|(key, _)| *key.namespace == *namespace)
}

/// A field with the controls that want it.
struct Field {
    name: &'static str,
    value: String,
    controls: BTreeSet<&'static str>,
}

pub(super) fn document(plan: &mut Plan<'_>, namespace: &str, asked: &Asked) -> Option<Document> {
    let targets = plan.targets(asked);
    let mut cluster: Vec<Field> = Vec::new();
    let mut settings: Vec<Setting<'_>> = Vec::new();
    let known = of(plan.inventory, namespace);
    let is_locked = known.is_some_and(|(_, row)| row.spec.cluster.multitenant);
    let wants_field = !asked.lock_down.is_empty();
    let (mut rest, is_switched) =
        match turn_on(plan, &FLUX_INSTANCE, namespace, targets, !is_locked, wants_field) {
            Ok(mut lock) => {
                lock.controls.extend(&asked.lock_down);
                cluster.extend(fields_of_lock(&lock));
                settings.extend(lock.settings);
                (lock.rest, true)
            }
            Err(rest) => (rest, false),
        };
    if !asked.lock_down.is_empty() && !is_switched {
        let why = "spec.cluster.multitenant would set flags twice that its patches set: put it in their place by hand";
        plan.leave_all(&asked.lock_down, why);
    }
    // It comes with rights that patches of arguments do not bring.
    let wants_identity = IDENTITY.is_asked(&rest);
    match turn_on(plan, &IDENTITY, namespace, rest, true, wants_identity) {
        Ok(identity) => {
            for name in ["objectLevelWorkloadIdentity", "multitenantWorkloadIdentity"] {
                cluster.push(Field {
                    name,
                    value: "true".to_owned(),
                    controls: identity.controls.clone(),
                });
            }
            settings.extend(identity.settings);
            rest = identity.rest;
        }
        Err(back) => rest = back,
    }
    if !asked.policies.is_empty() {
        cluster.push(Field {
            name: "networkPolicy",
            value: "true".to_owned(),
            controls: asked.policies.clone(),
        });
    }
    leave_what_patches_set(plan, namespace, &mut rest);
    leave_what_moves(plan, &settings, &mut rest);
    rest.retain(|target| !target.steps.is_empty());
    let (patches, more) = kustomize::patches(plan, namespace, &rest, &asked.root);
    settings.extend(more);
    if cluster.is_empty() && patches.is_empty() {
        return None;
    }
    let mut impact = plan.impact(&settings);
    kustomize::settle_roots(&mut impact, plan.inventory, namespace, &settings);
    if !asked.policies.is_empty() {
        impact.unseen.insert(super::POLICIES_UNSEEN.to_owned());
    }
    let key = known.map_or_else(|| ObjectKey::new(namespace, "flux"), |(key, _)| key.clone());
    let mut about = vec![format!("FluxInstance {key}: to be merged into what declares it.")];
    if !patches.is_empty() {
        about.push("Where spec.kustomize.patches has others already, these go to its end: positions count what those append.".to_owned());
    }
    Some(Document {
        impact,
        about,
        yaml: written(&key, &cluster, &patches),
    })
}

/// A flag that a patch of its own turns to its less safe side is changed in that patch: one more would leave it there.
fn leave_what_patches_set<'a>(plan: &mut Plan<'a>, namespace: &str, rest: &mut Vec<Target<'a>>) {
    let Some((key, row)) = of(plan.inventory, namespace) else {
        return;
    };
    let patch_of = |step: &Step| {
        let mut weakenings = row.spec.kustomize.weakenings.iter();
        let sets = |weakening: &Weakening| matches!(weakening, Weakening::Flag(flag) if Some(*flag) == step.wanted.flag());
        let found = weakenings.find(|(_, weakening)| sets(weakening));
        found
            .map(|(position, _)| *position)
            .filter(|_| step.is_positional())
    };
    for step in rest.iter().flat_map(|target| &target.steps) {
        if let Some(position) = patch_of(step) {
            let why =
                format!("FluxInstance {key}: change it in spec.kustomize.patches[{position}], which sets it");
            plan.leave_all(&step.controls, &why);
        }
    }
    let kept = std::mem::take(rest).into_iter();
    rest.extend(kept.filter_map(|target| target.keep(plan.inventory, |step| patch_of(step).is_none())));
}

/// What a field adds stands before what patches add: where arguments are by now is not where they are then.
fn leave_what_moves<'a>(plan: &mut Plan<'a>, settings: &[Setting<'a>], rest: &mut Vec<Target<'a>>) {
    let moves = |target: &Target<'_>| settings.iter().any(|setting| setting.key == target.key);
    for target in rest.iter().filter(|target| moves(target)) {
        for step in target.steps.iter().filter(|step| step.is_positional()) {
            let why = format!(
                "{} of {}: ask again when the fields above are in force, which move its arguments",
                step.wanted, target.key
            );
            plan.leave_all(&step.controls, &why);
        }
    }
    let kept = std::mem::take(rest).into_iter();
    rest.extend(kept.filter_map(|target| {
        if moves(&target) {
            return target.keep(plan.inventory, |step| !step.is_positional());
        }
        Some(target)
    }));
}

/// Turns a switch on, if it is there to be turned.
fn turn_on<'a>(
    plan: &Plan<'a>,
    profile: &Profile,
    namespace: &str,
    targets: Vec<Target<'a>>,
    is_off: bool,
    whole: bool,
) -> Result<Switched<'a>, Vec<Target<'a>>> {
    if !is_off {
        return Err(targets);
    }
    profile.switch(plan, (namespace, Installer::FluxOperator), targets, whole)
}

fn fields_of_lock(lock: &Switched<'_>) -> Vec<Field> {
    let mut fields = vec![Field {
        name: "multitenant",
        value: "true".to_owned(),
        controls: lock.controls.clone(),
    }];
    let accounts = lock.settings.iter().map(|setting| setting.account.as_str());
    if let Some(account) = accounts.into_iter().find(|account| *account != "default") {
        fields.push(Field {
            name: "tenantDefaultServiceAccount",
            value: yaml::scalar(account),
            controls: lock.controls.clone(),
        });
    }
    fields
}

fn written(key: &ObjectKey, cluster: &[Field], patches: &[kustomize::Patch]) -> String {
    let (name, namespace) = (yaml::scalar(&key.name), yaml::scalar(&key.namespace));
    let mut text = format!(
        "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n"
    );
    if !cluster.is_empty() {
        text.push_str("  cluster:\n");
    }
    for field in cluster {
        let because = yaml::because(&field.controls);
        let _ = write!(text, "    # {because}\n    {}: {}\n", field.name, field.value);
    }
    if !patches.is_empty() {
        text.push_str("  kustomize:\n    patches:\n");
    }
    for patch in patches {
        patch.write(&mut text, 6);
    }
    text
}
