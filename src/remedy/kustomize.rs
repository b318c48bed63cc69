//! Patches of kustomize: for what `flux bootstrap` keeps in Git, and for a FluxInstance.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::controls::impact::{Broken, Impact};
use crate::flux::Component;
use crate::flux::command_line::amend::{Edit, Spot, Wanted};
use crate::flux::installer::Installer;
use crate::inventory::Inventory;
use crate::kinds::workload::Deployment;

use super::target::Target;
use super::{Asked, Document, Plan, Setting, account, yaml};

/// The annotation that shards carry. The name of the controller that a shard was made from selects the shard as well.
const SHARD_ROLE: &str = "sharding.fluxcd.io/role";

/// One entry of `patches`.
pub(super) struct Patch {
    kind: String,
    name: String,
    /// Whether shards that were made from it are left out.
    spares_shards: bool,
    /// Its operations, with comments.
    body: String,
}

impl Patch {
    pub(super) fn new(kind: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            spares_shards: false,
            body: String::new(),
        }
    }

    /// What changes the command line of a controller.
    pub(super) fn of(inventory: &Inventory, target: &Target<'_>) -> Self {
        let mut patch = Self::new(&target.key.kind, &target.key.name);
        patch.spares_shards = has_marked_shards(inventory, target);
        let base = format!("/spec/template/spec/containers/{}", target.position);
        if target.workload.template.containers.len() > 1 {
            patch.test(&format!("{base}/name"), &target.container.name);
        }
        let mut container = target.container.clone();
        for step in &target.steps {
            patch.note(&yaml::because(&step.controls));
            for edit in &step.edits {
                patch.edit(&base, edit, container.args.is_empty());
                edit.apply(&mut container);
            }
        }
        patch
    }

    fn edit(&mut self, base: &str, edit: &Edit, has_no_args: bool) {
        let path = |spot: &Spot| {
            let list = if spot.in_command { "command" } else { "args" };
            format!("{base}/{list}/{}", spot.index)
        };
        match edit {
            Edit::Append(value) if has_no_args => {
                self.operation("add", &format!("{base}/args"));
                let _ = writeln!(self.body, "  value: [{}]", yaml::scalar(value));
            }
            Edit::Append(value) => self.add(&format!("{base}/args/-"), value),
            Edit::Insert { spot, before, value } => {
                self.test(&path(spot), before);
                self.add(&path(spot), value);
            }
            Edit::Replace { spot, was, value } => {
                self.test(&path(spot), was);
                self.operation("replace", &path(spot));
                self.value(value);
            }
            Edit::Remove { spot, was } => {
                self.test(&path(spot), was);
                self.operation("remove", &path(spot));
            }
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        let _ = writeln!(self.body, "# {text}");
    }

    pub(super) fn add(&mut self, path: &str, value: &str) {
        self.operation("add", path);
        self.value(value);
    }

    fn test(&mut self, path: &str, value: &str) {
        self.operation("test", path);
        self.value(value);
    }

    fn operation(&mut self, operation: &str, path: &str) {
        let _ = write!(self.body, "- op: {operation}\n  path: {path}\n");
    }

    fn value(&mut self, value: &str) {
        let _ = writeln!(self.body, "  value: {}", yaml::scalar(value));
    }

    /// As an item of a list that begins at a column.
    pub(super) fn write(&self, text: &mut String, column: usize) {
        let indent = " ".repeat(column);
        // A name is a regular expression.
        let name = yaml::scalar(&self.name.replace('.', "\\."));
        let _ = write!(
            text,
            "{indent}- target:\n{indent}    kind: {}\n{indent}    name: {name}\n",
            self.kind
        );
        if self.spares_shards {
            let _ = writeln!(text, "{indent}    annotationSelector: \"!{SHARD_ROLE}\"");
        }
        let _ = writeln!(text, "{indent}  patch: |");
        for line in self.body.lines() {
            let _ = writeln!(text, "{indent}    {line}");
        }
    }
}

/// Whether there are shards that the name of a main controller selects as well.
fn has_marked_shards(inventory: &Inventory, target: &Target<'_>) -> bool {
    if target.instance.shard.is_some() {
        return false;
    }
    let prefix = format!("{}-", target.key.name);
    let mut workloads = inventory
        .table::<Deployment>()
        .in_namespace(&target.key.namespace);
    workloads.any(|(key, row)| key.name.starts_with(&prefix) && row.annotations.contains_key(SHARD_ROLE))
}

/// The patches for the targets, and for the root Kustomization; with what they set.
pub(super) fn patches<'a>(
    plan: &Plan<'a>,
    namespace: &str,
    targets: &[Target<'a>],
    root: &BTreeSet<&'static str>,
) -> (Vec<Patch>, Vec<Setting<'a>>) {
    let mut patches: Vec<Patch> = targets
        .iter()
        .map(|target| Patch::of(plan.inventory, target))
        .collect();
    let settings: Vec<Setting<'a>> = targets.iter().flat_map(Target::settings).collect();
    let mut controls = root.clone();
    let appliers = targets
        .iter()
        .filter(|target| target.key.component == Component::Kustomize);
    let steps = appliers.flat_map(|target| &target.steps);
    let accounts = steps.filter(|step| step.wanted == Wanted::Named("default-service-account"));
    controls.extend(accounts.flat_map(|step| &step.controls));
    if !controls.is_empty() {
        let own = account::of_controller(plan.inventory, namespace);
        let roots = account::roots_without(plan.inventory, namespace).unwrap_or_default();
        patches.extend(roots.iter().map(|root| account::patch(root, &own, &controls)));
    }
    (patches, settings)
}

pub(super) fn document(
    plan: &mut Plan<'_>,
    namespace: &str,
    installer: Installer,
    asked: &Asked,
) -> Option<Document> {
    let targets: Vec<Target<'_>> = plan
        .targets(asked)
        .into_iter()
        .filter(|it| !it.steps.is_empty())
        .collect();
    let (patches, settings) = patches(plan, namespace, &targets, &asked.root);
    if patches.is_empty() {
        return None;
    }
    let mut yaml = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n".to_owned();
    let called = plan.called(namespace, installer);
    let mut about = vec![format!(
        "{called}: for kustomization.yaml in the folder {namespace} beside gotk-components.yaml."
    )];
    if installer == Installer::Unknown {
        about = vec![format!(
            "{called}, and nothing tells who installed it: for the kustomization.yaml that it is built with."
        )];
    } else {
        yaml.push_str("resources:\n  - gotk-components.yaml\n  - gotk-sync.yaml\n");
    }
    about.push(
        "Where `patches` has others already, these go to its end: positions count what those append."
            .to_owned(),
    );
    yaml.push_str("patches:\n");
    for patch in &patches {
        patch.write(&mut yaml, 2);
    }
    let mut impact = plan.impact(&settings);
    settle_roots(&mut impact, plan.inventory, namespace, &settings);
    Some(Document { impact, about, yaml })
}

/// What gets an account by the same change does not break; where that is, and whether it needs one, may not be seen.
pub(super) fn settle_roots(
    impact: &mut Impact,
    inventory: &Inventory,
    namespace: &str,
    settings: &[Setting<'_>],
) {
    let Some(roots) = account::roots_without(inventory, namespace) else {
        let gets_account = settings.iter().any(|setting| {
            setting.key.component == Component::Kustomize
                && setting.wanted == Wanted::Named("default-service-account")
        });
        if gets_account {
            let unseen = format!(
                "the Kustomization that Flux itself comes from: without spec.serviceAccountName, for instance {}, it loses its rights",
                account::of_controller(inventory, namespace)
            );
            impact.unseen.insert(unseen);
        }
        return;
    };
    let is_root = |it: &Broken| {
        it.kind == "Kustomization" && it.why.starts_with("it names no account") && roots.contains(&it.key)
    };
    impact.breaks.retain(|it| !is_root(it));
    impact.may_break.retain(|it| !is_root(it));
}
