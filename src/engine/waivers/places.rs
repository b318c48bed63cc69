//! Which findings a waiver may be for: by their control, then by what a waiver fixes of the object. The other way round
//! than the index of waivers.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::id;
use crate::api::glob;
use crate::api::waiver::WaivedResource;
use crate::engine::posture::FindingPosture;
use crate::inventory::placed::{self, AtPlace, Place, Placed};

/// Findings by control, namespace and name, and by control, name and namespace.
#[derive(Default)]
pub(super) struct Places {
    by_home: BTreeSet<AtPlace<ByHome>>,
    by_name: BTreeSet<AtPlace<ByName>>,
}

struct ByHome(Arc<FindingPosture>);
struct ByName(Arc<FindingPosture>);

/// Control, what findings are ordered by next and after that, and which finding it is.
impl Placed for ByHome {
    fn place(&self) -> Place<'_> {
        let finding = &self.0.finding;
        let (control, resource) = (&finding.control, &finding.resource);
        (control, resource.home(), &resource.name, id(&self.0))
    }
}

impl Placed for ByName {
    fn place(&self) -> Place<'_> {
        let finding = &self.0.finding;
        let (control, resource) = (&finding.control, &finding.resource);
        (control, &resource.name, resource.home(), id(&self.0))
    }
}

impl AsRef<Arc<FindingPosture>> for ByHome {
    fn as_ref(&self) -> &Arc<FindingPosture> {
        &self.0
    }
}

impl AsRef<Arc<FindingPosture>> for ByName {
    fn as_ref(&self) -> &Arc<FindingPosture> {
        &self.0
    }
}

impl Places {
    pub(super) fn of<'a>(findings: impl Iterator<Item = &'a Arc<FindingPosture>> + Clone) -> Self {
        Self {
            by_home: findings.clone().cloned().map(by_home).collect(),
            by_name: findings.cloned().map(by_name).collect(),
        }
    }

    pub(super) fn insert(&mut self, finding: &Arc<FindingPosture>) {
        self.by_home.insert(by_home(finding.clone()));
        self.by_name.insert(by_name(finding.clone()));
    }

    pub(super) fn remove(&mut self, finding: &Arc<FindingPosture>) {
        self.by_home.remove(&by_home(finding.clone()));
        self.by_name.remove(&by_name(finding.clone()));
    }

    /// All findings of a control.
    pub(super) fn of_control<'a>(
        &'a self,
        control: &'a str,
    ) -> impl Iterator<Item = &'a Arc<FindingPosture>> {
        from(&self.by_home, control, "", "").take_while(move |it| it.finding.control == control)
    }

    /// The findings of a control that a resource of a waiver may be for.
    pub(super) fn candidates(&self, control: &str, resource: &WaivedResource) -> Vec<Arc<FindingPosture>> {
        let WaivedResource { namespace, name, .. } = resource;
        let is_text = |pattern: &str| !pattern.is_empty() && !pattern.contains('*');
        if is_text(name) && !is_text(namespace) {
            let named = from(&self.by_name, control, name, "");
            let is_it = |it: &&Arc<_>| is_of(it, control) && it.finding.resource.name == *name;
            return named.take_while(is_it).cloned().collect();
        }
        if is_text(namespace) {
            let (from_name, whole_name) = (glob::prefix(name), is_text(name));
            let is_it = |it: &&Arc<FindingPosture>| {
                let resource = &it.finding.resource;
                let is_named = if whole_name {
                    resource.name == *name
                } else {
                    resource.name.starts_with(from_name)
                };
                is_of(it, control) && resource.home() == namespace && is_named
            };
            let named = from(&self.by_home, control, namespace, from_name);
            return named.take_while(is_it).cloned().collect();
        }
        let (of_home, of_name) = (glob::prefix(namespace), glob::prefix(name));
        if of_home.is_empty() && !of_name.is_empty() {
            let named = from(&self.by_name, control, of_name, "");
            let is_it = |it: &&Arc<FindingPosture>| {
                is_of(it, control) && it.finding.resource.name.starts_with(of_name)
            };
            return named.take_while(is_it).cloned().collect();
        }
        let there = from(&self.by_home, control, of_home, "");
        let is_it =
            |it: &&Arc<FindingPosture>| is_of(it, control) && it.finding.resource.home().starts_with(of_home);
        there.take_while(is_it).cloned().collect()
    }
}

fn is_of(finding: &FindingPosture, control: &str) -> bool {
    finding.finding.control == control
}

const fn by_home(finding: Arc<FindingPosture>) -> AtPlace<ByHome> {
    AtPlace(ByHome(finding))
}

const fn by_name(finding: Arc<FindingPosture>) -> AtPlace<ByName> {
    AtPlace(ByName(finding))
}

/// The findings from a place on.
fn from<'a, T: Placed + AsRef<Arc<FindingPosture>> + 'static>(
    all: &'a BTreeSet<AtPlace<T>>,
    control: &str,
    first: &str,
    second: &str,
) -> impl Iterator<Item = &'a Arc<FindingPosture>> + use<'a, T> {
    let after = all.range::<dyn Placed, _>(placed::from(&(control, first, second, 0)));
    after.map(|AtPlace(finding)| finding.as_ref())
}
