//! Who made an object what it is: what managedFields tell, and what an applier of Flux leaves on what it applies.

use std::sync::Arc;

use super::flux_objects::{FluxInstance, HelmRelease, Kustomization};
use super::{Descriptor, Kind, Meta};
use crate::api::ResourceRef;

/// Who made an object what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The field manager.
    pub manager: String,
    /// The object of Flux that the manager applied it for, when its labels tell.
    pub applied_by: Option<ResourceRef>,
}

/// Who has just changed an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Nobody: it is as it was.
    Nobody,
    /// Somebody, and nobody can tell who: managedFields do not, or it is gone.
    Unknown,
    /// Whoever made it what it is now.
    Of(Arc<Author>),
}

impl Hand {
    /// Who that was, where it is known.
    #[must_use]
    pub fn author(self) -> Option<Arc<Author>> {
        match self {
            Self::Of(author) => Some(author),
            Self::Nobody | Self::Unknown => None,
        }
    }
}

/// Field managers that apply for others, and for what: their labels have its group.
const APPLIERS: [(&str, &Descriptor); 3] = [
    ("kustomize-controller", &Kustomization::DESCRIPTOR),
    ("helm-controller", &HelmRelease::DESCRIPTOR),
    ("flux-operator", &FluxInstance::DESCRIPTOR),
];

impl Author {
    /// Who made the change that an object has just arrived with.
    #[must_use]
    pub fn of_change(meta: &Meta) -> Option<Self> {
        meta.last_manager().map(|manager| Self::new(manager, meta))
    }

    /// Who made an object that was there already. Where several have written, nobody knows whose change it was that
    /// mattered.
    #[must_use]
    pub fn of_object(meta: &Meta) -> Option<Self> {
        meta.only_manager().map(|manager| Self::new(manager, meta))
    }

    fn new(manager: &str, meta: &Meta) -> Self {
        let applier = APPLIERS.iter().find(|(applier, _)| *applier == manager);
        Self {
            manager: manager.to_owned(),
            applied_by: applier.and_then(|(_, descriptor)| applied_by(meta, descriptor)),
        }
    }
}

fn applied_by(meta: &Meta, descriptor: &Descriptor) -> Option<ResourceRef> {
    let label = |what| meta.labels.get(&format!("{}/{what}", descriptor.group));
    Some(ResourceRef {
        api_version: format!("{}/{}", descriptor.group, descriptor.versions[0]),
        kind: descriptor.kind.to_owned(),
        namespace: label("namespace")?.clone(),
        name: label("name")?.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Author;
    use crate::kinds::Meta;

    fn entry(manager: &str, second: u8, subresource: &str) -> Value {
        json!({
            "manager": manager, "operation": "Update", "subresource": subresource,
            "time": format!("2026-01-01T00:00:0{second}Z"), "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}},
        })
    }

    fn meta(entries: &[Value]) -> Meta {
        let labels = json!({
            "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        });
        let object = json!({"metadata": {"name": "a", "labels": labels, "managedFields": entries}});
        Meta::parse(&object.to_string()).unwrap()
    }

    fn manager(author: Option<Author>) -> Option<String> {
        author.map(|author| author.manager)
    }

    #[test]
    fn a_change_is_that_of_the_newest_entry() {
        let meta = meta(&[
            entry("kubectl-edit", 5, ""),
            entry("kustomize-controller", 3, ""),
            entry("kube-controller-manager", 7, "status"),
        ]);
        let author = Author::of_change(&meta).unwrap();
        assert_eq!(author.manager, "kubectl-edit");
        assert_eq!(author.applied_by, None, "the labels are not its own");
        assert_eq!(Author::of_object(&meta), None, "two have written it");
    }

    #[test]
    fn who_applied_it_is_told_of_its_applier_alone() {
        let meta = meta(&[entry("kustomize-controller", 3, ""), entry("x", 7, "status")]);
        let author = Author::of_change(&meta).unwrap();
        assert_eq!(Author::of_object(&meta), Some(author.clone()));
        assert_eq!(
            author.applied_by.unwrap().to_string(),
            "Kustomization flux-system/apps"
        );
    }

    #[test]
    fn nobody_is_guessed() {
        assert_eq!(manager(Author::of_change(&meta(&[]))), None);
        let tie = meta(&[entry("a", 3, ""), entry("b", 3, "")]);
        assert_eq!(manager(Author::of_change(&tie)), None, "the same second");
        let one = meta(&[entry("a", 3, ""), entry("a", 3, "")]);
        assert_eq!(manager(Author::of_change(&one)).unwrap(), "a");
    }
}
