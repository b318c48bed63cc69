//! The operator's ClusterRole, generated from the table of watched kinds: what is watched may be listed and watched,
//! nothing else.
//! And its Role: one Lease may be written, nothing else of the namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::api::{GROUP, INSTALL_NAMESPACE, LEASE};
use crate::kinds::CATALOG;

const NAME: &str = "flux-security-operator";
/// API group of the Lease.
const LEASES: &str = "coordination.k8s.io";

/// ServiceAccount, ClusterRole, Role and bindings.
#[must_use]
pub fn manifest() -> String {
    let mut text = format!(
        "# Generated from src/kinds by `make generate`. Do not edit.\n\
         apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {NAME}\n  namespace: {INSTALL_NAMESPACE}\n\
         ---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {NAME}\nrules:\n"
    );
    for (group, plurals) in watched() {
        rule(&mut text, group, &plurals, &["list", "watch"]);
    }
    let (report, namespace_report) = ("fluxsecurityreports", "fluxsecuritynamespacereports");
    // What an earlier process published is read one by one.
    let own = BTreeSet::from(["fluxsecuritypolicies", report, namespace_report]);
    rule(&mut text, GROUP, &own, &["get"]);
    // The garbage collector removes the report of a deleted policy.
    let reports = BTreeSet::from([report, namespace_report]);
    rule(&mut text, GROUP, &reports, &["create", "patch"]);
    rule(&mut text, GROUP, &BTreeSet::from([namespace_report]), &["delete"]);
    let statuses = [
        "fluxsecuritypolicies/status",
        "fluxsecurityreports/status",
        "fluxsecuritynamespacereports/status",
        "fluxsecuritywaivers/status",
    ];
    rule(&mut text, GROUP, &BTreeSet::from(statuses), &["update"]);
    rule(
        &mut text,
        "events.k8s.io",
        &BTreeSet::from(["events"]),
        &["create"],
    );
    binding(&mut text, "ClusterRole", "");
    let namespace = format!("  namespace: {INSTALL_NAMESPACE}\n");
    let _ = write!(
        text,
        "---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: {NAME}\n{namespace}rules:\n"
    );
    let leases = BTreeSet::from(["leases"]);
    // What is to be created has no name yet.
    rule(&mut text, LEASES, &leases, &["create"]);
    rule(&mut text, LEASES, &leases, &["get", "list", "watch", "update"]);
    let _ = writeln!(text, "    resourceNames: [{LEASE:?}]");
    binding(&mut text, "Role", &namespace);
    text
}

/// Binds the role of that kind to the ServiceAccount.
fn binding(text: &mut String, kind: &str, namespace: &str) {
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}Binding\nmetadata:\n  name: {NAME}\n{namespace}\
         roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {NAME}\n\
         subjects:\n  - kind: ServiceAccount\n    name: {NAME}\n    namespace: {INSTALL_NAMESPACE}\n"
    );
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
        assert!(!manifest.contains("\"secrets\""), "{manifest}");
        assert!(!manifest.contains('*'), "{manifest}");
    }

    #[test]
    fn writes_one_lease_and_only_in_its_own_namespace() {
        let manifest = super::manifest();
        let is_writing = |rule: &&str| rule.contains("\"leases\"") && rule.contains("\"update\"");
        let has_lease = |document: &&str| document.split("\n  - ").any(|rule| is_writing(&rule));
        let documents: Vec<&str> = manifest.split("---\n").filter(has_lease).collect();
        let [role] = documents[..] else {
            panic!("{manifest}")
        };
        assert!(role.contains("kind: Role\n"), "{role}");
        assert!(role.contains("namespace: flux-security-system\n"), "{role}");
        assert!(
            role.ends_with("\"update\"]\n    resourceNames: [\"flux-security-operator\"]\n"),
            "{role}"
        );
    }
}
