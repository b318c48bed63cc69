//! The operator's ClusterRole, generated from the table of watched kinds: what is watched may be read, nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::api::{GROUP, INSTALL_NAMESPACE};
use crate::kinds::CATALOG;

const NAME: &str = "flux-security-operator";

/// ServiceAccount, ClusterRole and binding.
#[must_use]
pub fn manifest() -> String {
    let mut text = format!(
        "# Generated from src/kinds by `make generate`. Do not edit.\n\
         apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {NAME}\n  namespace: {INSTALL_NAMESPACE}\n\
         ---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {NAME}\nrules:\n"
    );
    for (group, plurals) in watched() {
        rule(&mut text, group, &plurals, &["get", "list", "watch"]);
    }
    let reports = ["fluxsecurityreports", "fluxsecuritynamespacereports"];
    rule(
        &mut text,
        GROUP,
        &BTreeSet::from(reports),
        &["create", "patch", "delete"],
    );
    let statuses = [
        "fluxsecuritypolicies/status",
        "fluxsecurityreports/status",
        "fluxsecuritynamespacereports/status",
    ];
    rule(&mut text, GROUP, &BTreeSet::from(statuses), &["patch"]);
    rule(
        &mut text,
        "events.k8s.io",
        &BTreeSet::from(["events"]),
        &["create"],
    );
    let _ = write!(
        text,
        "---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata:\n  name: {NAME}\n\
         roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: {NAME}\n\
         subjects:\n  - kind: ServiceAccount\n    name: {NAME}\n    namespace: {INSTALL_NAMESPACE}\n"
    );
    text
}

fn watched() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for entry in CATALOG {
        groups
            .entry(entry.descriptor.group)
            .or_default()
            .insert(entry.descriptor.plural);
    }
    groups
}

fn rule(text: &mut String, group: &str, resources: &BTreeSet<&str>, verbs: &[&str]) {
    let resources = resources
        .iter()
        .map(|resource| format!("{resource:?}"))
        .collect::<Vec<_>>()
        .join(", ");
    let verbs = verbs
        .iter()
        .map(|verb| format!("{verb:?}"))
        .collect::<Vec<_>>()
        .join(", ");
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "  - apiGroups: [{group:?}]\n    resources: [{resources}]\n    verbs: [{verbs}]"
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn grants_no_secrets_and_no_wildcard() {
        let manifest = super::manifest();
        assert!(!manifest.contains("secrets\""), "{manifest}");
        assert!(!manifest.contains('*'), "{manifest}");
    }
}
