//! Kubernetes' own roles of users, which bindings name and no manifest has.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::inventory::{Delta, ObjectKey};
use crate::kinds::rbac::{BindingRow, ClusterRole, RoleRow, Rule, is_binding};
use crate::kinds::{ErasedRow, KindId, Origin, id_of};
use crate::shared::Shared;

/// Where they come from, and what they allow.
#[derive(Deserialize)]
struct Catalogue {
    roles: Vec<OwnRole>,
}

/// One of them.
#[derive(Deserialize)]
struct OwnRole {
    name: Box<str>,
    /// The role whose rules it has, too; empty: none.
    includes: Box<str>,
    rules: Vec<Rule>,
}

#[expect(clippy::expect_used, reason = "a file of the program that a test reads")]
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    serde_json::from_str(include_str!("roles.json"))
        .expect("invariant: the file of the program is well-formed")
});

/// What the manifests ask of these roles.
#[derive(Default)]
pub(super) struct Builtin {
    /// Those that a binding names.
    named: BTreeMap<&'static str, bool>,
    /// What roles of the manifests add: the role, the rules.
    added: Vec<(&'static str, Shared<[Rule]>)>,
}

impl Builtin {
    /// Looks at an object of the manifests.
    pub(super) fn see(&mut self, kind: KindId, key: &ObjectKey, row: &ErasedRow) {
        if is_binding(kind) {
            let Some(row) = row.0.downcast_ref::<BindingRow>() else {
                return;
            };
            if row.role.is_cluster_role
                && let Some(role) = find(&row.role.name)
            {
                self.named.entry(&role.name).or_default();
            }
        }
        if kind != id_of::<ClusterRole>() {
            return;
        }
        if let Some(role) = find(&key.name) {
            // The manifests' own version counts.
            self.named.insert(&role.name, true);
        }
        if let Some(row) = row.0.downcast_ref::<RoleRow>() {
            let added = row.aggregates_to.iter().map(|role| (*role, row.rules.clone()));
            self.added.extend(added);
        }
    }

    /// The roles that are named and that the manifests do not have.
    pub(super) fn missing(self) -> Vec<Delta> {
        let missing = self.named.iter().filter(|(_, is_there)| !**is_there);
        let role = |name: &str| {
            let row = RoleRow {
                origin: Origin {
                    version: "v1",
                    ..Origin::default()
                },
                rules: self.rules(name).into(),
                aggregates_to: Box::default(),
            };
            Delta::Upsert(
                id_of::<ClusterRole>(),
                ObjectKey::new("", name),
                ErasedRow(Box::new(row)),
            )
        };
        missing.map(|(name, _)| role(name)).collect()
    }

    /// The rules of a role with those that are aggregated into it.
    fn rules(&self, name: &str) -> Vec<Rule> {
        let mut rules = Vec::new();
        let mut next = find(name);
        while let Some(role) = next {
            rules.extend_from_slice(&role.rules);
            let added = self.added.iter().filter(|(to, _)| **to == *role.name);
            rules.extend(added.flat_map(|(_, rules)| rules.iter().cloned()));
            next = find(&role.includes);
        }
        rules
    }
}

fn find(name: &str) -> Option<&'static OwnRole> {
    CATALOGUE.roles.iter().find(|role| *role.name == *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Ask;

    #[test]
    fn each_role_has_the_rules_of_the_lesser_one() {
        let builtin = Builtin::default();
        let may = |role: &str, verb: &'static str, group: &'static str, resource: &'static str| {
            let ask = Ask {
                verb,
                group,
                resource,
                ..Ask::default()
            };
            builtin.rules(role).iter().any(|rule| rule.allows(&ask))
        };
        for role in ["view", "edit", "admin", "cluster-admin"] {
            assert!(may(role, "get", "", "pods"), "{role}");
            assert_eq!(may(role, "get", "", "secrets"), role != "view", "{role}");
            assert_eq!(
                may(role, "create", "apps", "deployments"),
                role != "view",
                "{role}"
            );
            let is_admin = role == "admin" || role == "cluster-admin";
            assert_eq!(
                may(role, "create", "rbac.authorization.k8s.io", "rolebindings"),
                is_admin,
                "{role}"
            );
            assert_eq!(
                may(role, "delete", "", "nodes"),
                role == "cluster-admin",
                "{role}"
            );
        }
        assert!(find("system:masters").is_none());
    }

    #[test]
    fn roles_of_the_manifests_are_aggregated() {
        let rule = Rule {
            verbs: ["create".into()].into(),
            api_groups: ["example.com".into()].into(),
            resources: ["widgets".into()].into(),
            resource_names: Box::default(),
        };
        let builtin = Builtin {
            added: vec![("edit", vec![rule.clone()].into())],
            ..Builtin::default()
        };
        assert!(builtin.rules("admin").contains(&rule) && builtin.rules("edit").contains(&rule));
        assert!(!builtin.rules("view").contains(&rule));
    }
}
