//! What the files of sources have: for the controls that judge them.

use std::collections::BTreeSet;

use crate::inventory::{Missing, ObjectKey, TreeKey, Trees, View};
use crate::kinds::flux_objects::appliers::HelmReleaseSpec;
use crate::kinds::flux_objects::{HelmChart, HelmRelease, Kustomization, ObjectRef};
use crate::kinds::{KindId, id_of};
use crate::secrets::{Encrypted, Leak, Tree};

use super::super::control::Defect;

/// The secrets in plain text that are told of here.
pub(super) fn leaks(trees: &Trees, expected: &str, is_told: impl Fn(&TreeKey, &Leak) -> bool) -> Vec<Defect> {
    let mut defects = Vec::new();
    for (key, tree) in trees.scanned() {
        let told = tree.leaks.iter().filter(|leak| is_told(key, leak));
        defects.extend(told.map(|leak| defect(key, leak, expected)));
    }
    defects
}

fn defect(key: &TreeKey, leak: &Leak, expected: &str) -> Defect {
    let place = match (&*leak.field, &*leak.object) {
        ("", "") => leak.file.to_string(),
        ("", object) => format!("{} ({object})", leak.file),
        (field, "") => format!("{field} in {}", leak.file),
        (field, object) => format!("{field} of {object} in {}", leak.file),
    };
    Defect {
        field: leak.field.to_string(),
        file: leak.file.to_string(),
        line: Some(leak.line),
        observed: leak.trace.to_string(),
        expected: expected.to_owned(),
        message: format!("{place}: {}", leak.trace),
        severity: leak.severity,
        about: key.about(),
        ..Defect::default()
    }
}

/// Fails when something of the trees was not looked into, or there is more than was kept.
pub(super) fn are_whole(trees: &Trees) -> Result<(), Missing> {
    for (key, tree) in trees.scanned() {
        is_whole(key, tree)?;
    }
    Ok(())
}

fn is_whole(key: &TreeKey, tree: &Tree) -> Result<(), Missing> {
    match tree.lack() {
        Some(lack) => Err(Missing::new("NotLookedInto", format!("{key}: {lack}"))),
        None => Ok(()),
    }
}

/// Fails unless the files of everything that is applied were looked into.
pub(super) fn all_are_read(view: &View<'_>, trees: &Trees) -> Result<(), Missing> {
    let mut sources = BTreeSet::new();
    for (key, row) in view.table::<Kustomization>()?.iter() {
        tree_of(trees, key, row.spec.path.as_str(), &row.spec.source_ref)?;
        sources.insert(source_of(key, &row.spec.source_ref));
    }
    // The input is one repository at most.
    if trees.get(&TreeKey::Input).is_some() && sources.len() > 1 {
        return Err(not_read("one of the sources that the input refers to"));
    }
    for (key, row) in view.table::<HelmRelease>()?.iter() {
        let source =
            chart_of(key, &row.spec).ok_or_else(|| not_read(&format!("the chart of HelmRelease {key}")))?;
        trees.tree(&source)?;
    }
    are_whole(trees)
}

/// The files that a Kustomization applies from.
pub(super) fn tree_of<'a>(
    trees: &'a Trees,
    key: &ObjectKey,
    path: &str,
    source: &ObjectRef,
) -> Result<&'a Tree, Missing> {
    if let Ok(tree) = trees.tree(&TreeKey::Input) {
        // The folder of a repository that is the whole of it may be that of any other.
        let is_there = !path.trim_matches(['.', '/']).is_empty() && tree.has_folder(path);
        return is_there
            .then_some(tree)
            .ok_or_else(|| not_read(&format!("what Kustomization {key} applies")));
    }
    let source =
        source_of(key, source).ok_or_else(|| not_read(&format!("the source of Kustomization {key}")))?;
    trees.tree(&source)
}

/// What SOPS has encrypted of what a Kustomization applies.
pub(super) fn encrypted_of<'a>(
    trees: &'a Trees,
    key: &ObjectKey,
    path: &str,
    source: &ObjectRef,
) -> Result<Vec<&'a Encrypted>, Missing> {
    Ok(tree_of(trees, key, path, source)?.encrypted_in(path))
}

fn not_read(what: &str) -> Missing {
    Missing::new("SourceNotRead", format!("{what} is not read"))
}

fn source_of(key: &ObjectKey, source: &ObjectRef) -> Option<TreeKey> {
    let kind = KindId::all().find(|kind| kind.name() == source.kind.as_str())?;
    let namespace = source.foreign(&key.namespace).unwrap_or(&key.namespace);
    Some(TreeKey::Source(
        kind,
        ObjectKey::new(namespace, source.name.as_str()),
    ))
}

/// The artifact of the chart that a HelmRelease installs; `None`: nobody knows which.
fn chart_of(key: &ObjectKey, spec: &HelmReleaseSpec) -> Option<TreeKey> {
    if let Some(chart) = &spec.chart_ref {
        return source_of(key, chart);
    }
    let chart = spec.chart.as_ref()?;
    if !matches!(chart.kind.as_str(), "" | "HelmChart") {
        return None;
    }
    // helm-controller makes a HelmChart where its source is.
    let source = &chart.spec.source_ref;
    let namespace = source.foreign(&key.namespace).unwrap_or(&key.namespace);
    let name = format!("{}-{}", key.namespace, key.name);
    Some(TreeKey::Source(
        id_of::<HelmChart>(),
        ObjectKey::new(namespace, &name),
    ))
}
