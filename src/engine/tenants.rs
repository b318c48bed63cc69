//! Which tenant each namespace belongs to, for reports. Looked up again where a change may have given it away, and nowhere
//! else.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::inventory::{Changed, Inventory, Owner, TenancyRules, access_kinds, controller_kinds, namespaces};
use crate::kinds::namespace::Namespace;

/// The tenants of namespaces, by the rules of one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenants {
    /// Whether a namespace that is not in the map is a tenant of its own, as most are.
    is_own: bool,
    /// Empty: it is no tenant's, or nobody knows.
    others: BTreeMap<Arc<str>, Arc<str>>,
}

impl Tenants {
    /// The tenant of a namespace; empty: it is no tenant's, or nobody knows.
    #[must_use]
    pub fn of<'a>(&'a self, namespace: &'a str) -> &'a str {
        match self.others.get(namespace) {
            Some(tenant) => tenant,
            None => self.by_default(namespace),
        }
    }

    const fn by_default<'a>(&self, namespace: &'a str) -> &'a str {
        if self.is_own { namespace } else { "" }
    }

    pub(super) fn new(rules: &TenancyRules, inventory: &Inventory) -> Self {
        let kind = namespaces();
        // A namespace that is in no manifest may have any label.
        let is_own = inventory.complete(kind).is_ok() && !inventory.is_of_input();
        let mut tenants = Self {
            is_own,
            others: BTreeMap::new(),
        };
        for (key, ..) in inventory.each(kind) {
            tenants.look(&key.name, rules, inventory);
        }
        tenants
    }

    /// Adds those of another cluster: a namespace of several tenants is nobody's.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (namespace, tenant) in &other.others {
            let known = self
                .others
                .entry(namespace.clone())
                .or_insert_with(|| tenant.clone());
            if known != tenant {
                *known = Arc::default();
            }
        }
    }

    /// Looks again at a namespace.
    fn look(&mut self, namespace: &Arc<str>, rules: &TenancyRules, inventory: &Inventory) {
        let tenant = self.tenant(namespace, rules, inventory);
        if tenant == self.by_default(namespace) {
            self.others.remove(namespace);
        } else {
            self.others.insert(namespace.clone(), tenant.into());
        }
    }

    /// Follows a change. `None`: all is as it was.
    pub(super) fn after(
        &self,
        changed: &Touched<'_>,
        rules: &TenancyRules,
        inventory: &Inventory,
    ) -> Option<Self> {
        if changed.all {
            let fresh = Self::new(rules, inventory);
            return (fresh != *self).then_some(fresh);
        }
        let differs = |namespace: &&&Arc<str>| self.of(namespace) != self.tenant(namespace, rules, inventory);
        let mut differing = changed.namespaces.iter().filter(differs).peekable();
        differing.peek()?;
        let mut tenants = self.clone();
        for namespace in differing {
            tenants.look(namespace, rules, inventory);
        }
        Some(tenants)
    }

    /// Whom the rules give a namespace that there is.
    fn tenant<'a>(&self, namespace: &'a str, rules: &TenancyRules, inventory: &'a Inventory) -> &'a str {
        if inventory.table::<Namespace>().find("", namespace).is_none() {
            return self.by_default(namespace);
        }
        match rules.owner(inventory, namespace) {
            Ok(Owner::Tenant(name)) => name,
            Ok(Owner::Platform | Owner::Nobody) | Err(_) => "",
        }
    }
}

/// The namespaces that may belong to somebody else after a change.
pub(super) struct Touched<'a> {
    all: bool,
    namespaces: Vec<&'a Arc<str>>,
}

impl<'a> Touched<'a> {
    pub(super) fn by(changed: impl Iterator<Item = &'a Changed>) -> Self {
        let mut touched = Self {
            all: false,
            namespaces: Vec::new(),
        };
        for change in changed {
            match change {
                Changed::Coverage(kind) => {
                    touched.all |= *kind == namespaces()
                        || kind.is_of_flux()
                        || controller_kinds().contains(kind)
                        || access_kinds().contains(kind);
                }
                Changed::Object(kind, key) if *kind == namespaces() => touched.namespaces.push(&key.name),
                Changed::Instance(key) => touched.namespaces.push(&key.namespace),
                Changed::Reach(namespace) | Changed::Inhabited(namespace) => {
                    touched.namespaces.push(namespace);
                }
                _ => {}
            }
        }
        touched
    }
}
