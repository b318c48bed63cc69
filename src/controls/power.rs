//! What rights are worth: the most dangerous thing that a grant allows.

use std::fmt;

use crate::inventory::{Ask, Grant};
use crate::kinds::rbac::Rule;

/// Groups of requests by which everybody may ask about himself.
const REVIEWS: [&str; 2] = ["authorization.k8s.io", "authentication.k8s.io"];
const RBAC: &str = "rbac.authorization.k8s.io";

/// What rights are worth, the most dangerous first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Power {
    /// Every verb on everything.
    Everything,
    /// Rights that give every other: `escalate`, `bind`, `impersonate`, tokens of other accounts.
    Escalation,
    /// Reading Secrets.
    Secrets,
    /// Changing objects.
    Change,
    /// Reading objects.
    Reading,
}

impl Power {
    /// What a grant is worth; `None`: nothing but questions about oneself.
    pub(super) fn of(grant: &Grant<'_>) -> Option<Self> {
        Self::of_rules(grant.rules)
    }

    /// What the rules of a role are worth.
    pub(super) fn of_rules(rules: &[Rule]) -> Option<Self> {
        rules.iter().filter_map(Self::of_rule).min()
    }

    fn of_rule(rule: &Rule) -> Option<Self> {
        let is_limited = !rule.resource_names.is_empty();
        let any = |list: &[Box<str>]| list.iter().any(|it| **it == *"*");
        if !is_limited && any(&rule.verbs) && any(&rule.api_groups) && any(&rule.resources) {
            return Some(Self::Everything);
        }
        let mut groups = rule.api_groups.iter();
        // All that is asked for next is in the core group or about rights themselves.
        if groups.any(|group| matches!(&**group, "*" | "" | RBAC)) {
            if !is_limited && ESCALATIONS.iter().any(|ask| rule.allows(ask)) {
                return Some(Self::Escalation);
            }
            if SECRETS.iter().any(|verb| allows_named(rule, verb)) {
                return Some(Self::Secrets);
            }
        }
        let asks_about_itself = rule.api_groups.iter().all(|group| REVIEWS.contains(&&**group));
        if rule.resources.is_empty() || asks_about_itself {
            return None;
        }
        Some(if rule.changes() {
            Self::Change
        } else {
            Self::Reading
        })
    }
}

/// Verbs by which Secrets are read.
const SECRETS: [&str; 3] = ["get", "list", "watch"];

/// Whether a rule allows to read Secrets, be it those of certain names only.
fn allows_named(rule: &Rule, verb: &'static str) -> bool {
    let name = rule.resource_names.first().map_or("", |name| name);
    rule.allows(&Ask {
        verb,
        resource: "secrets",
        name,
        ..Ask::default()
    })
}

/// Questions whose answer must be no for whoever is not to become everything.
const ESCALATIONS: [Ask<'static>; 7] = [
    ask("escalate", RBAC, "roles", ""),
    ask("escalate", RBAC, "clusterroles", ""),
    ask("bind", RBAC, "clusterroles", ""),
    ask("impersonate", "", "users", ""),
    ask("impersonate", "", "groups", ""),
    ask("impersonate", "", "serviceaccounts", ""),
    ask("create", "", "serviceaccounts", "token"),
];

/// A question about objects of any name, wherever it is bound.
const fn ask(
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
) -> Ask<'static> {
    Ask {
        verb,
        group,
        resource,
        subresource,
        namespace: "",
        name: "",
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everything => "may do everything",
            Self::Escalation => "may give itself any right",
            Self::Secrets => "may read Secrets",
            Self::Change => "may change objects",
            Self::Reading => "may read objects",
        })
    }
}
