//! Which findings a waiver may be for: by their control, then by what a waiver fixes of the object. The other way round
//! than the index of waivers.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use super::{Id, id};
use crate::api::glob;
use crate::api::waiver::WaivedResource;
use crate::engine::posture::FindingPosture;

/// Findings by control, namespace and name, and by control, name and namespace.
#[derive(Default)]
pub(super) struct Places {
    by_home: BTreeSet<ByHome>,
    by_name: BTreeSet<ByName>,
}

/// Control, what findings are ordered by next and after that, and which finding it is.
type Place<'a> = (&'a str, &'a str, &'a str, Id);

/// A finding, or a place where one may be.
trait Placed {
    fn place(&self) -> Place<'_>;
    /// The finding; `None`: it is a place only.
    fn finding(&self) -> Option<&Arc<FindingPosture>>;
}

struct ByHome(Arc<FindingPosture>);
struct ByName(Arc<FindingPosture>);

impl Placed for ByHome {
    fn place(&self) -> Place<'_> {
        let finding = &self.0.finding;
        let (control, resource) = (&finding.control, &finding.resource);
        (control, resource.home(), &resource.name, id(&self.0))
    }

    fn finding(&self) -> Option<&Arc<FindingPosture>> {
        Some(&self.0)
    }
}

impl Placed for ByName {
    fn place(&self) -> Place<'_> {
        let finding = &self.0.finding;
        let (control, resource) = (&finding.control, &finding.resource);
        (control, &resource.name, resource.home(), id(&self.0))
    }

    fn finding(&self) -> Option<&Arc<FindingPosture>> {
        Some(&self.0)
    }
}

impl Placed for Place<'_> {
    fn place(&self) -> Place<'_> {
        *self
    }

    fn finding(&self) -> Option<&Arc<FindingPosture>> {
        None
    }
}

impl PartialEq for dyn Placed + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for dyn Placed + '_ {}

impl PartialOrd for dyn Placed + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Placed + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// Orders a finding by where it is, so that places are found without making a finding first.
macro_rules! ordered_by_place {
    ($of:ty) => {
        impl PartialEq for $of {
            fn eq(&self, other: &Self) -> bool {
                self.place() == other.place()
            }
        }

        impl Eq for $of {}

        impl PartialOrd for $of {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $of {
            fn cmp(&self, other: &Self) -> Ordering {
                self.place().cmp(&other.place())
            }
        }

        impl<'a> Borrow<dyn Placed + 'a> for $of {
            fn borrow(&self) -> &(dyn Placed + 'a) {
                self
            }
        }
    };
}

ordered_by_place!(ByHome);
ordered_by_place!(ByName);

impl Places {
    pub(super) fn of<'a>(findings: impl Iterator<Item = &'a Arc<FindingPosture>> + Clone) -> Self {
        Self {
            by_home: findings.clone().cloned().map(ByHome).collect(),
            by_name: findings.cloned().map(ByName).collect(),
        }
    }

    pub(super) fn insert(&mut self, finding: &Arc<FindingPosture>) {
        self.by_home.insert(ByHome(finding.clone()));
        self.by_name.insert(ByName(finding.clone()));
    }

    pub(super) fn remove(&mut self, finding: &Arc<FindingPosture>) {
        self.by_home.remove(&ByHome(finding.clone()));
        self.by_name.remove(&ByName(finding.clone()));
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

/// The findings from a place on.
fn from<'a, T: Placed + Ord + for<'b> Borrow<dyn Placed + 'b>>(
    all: &'a BTreeSet<T>,
    control: &str,
    first: &str,
    second: &str,
) -> impl Iterator<Item = &'a Arc<FindingPosture>> + use<'a, T> {
    let place: Place<'_> = (control, first, second, 0);
    let place: &dyn Placed = &place;
    let after = all.range::<dyn Placed, _>((Bound::Included(place), Bound::Unbounded));
    after.filter_map(Placed::finding)
}
