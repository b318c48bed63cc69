//! References that `--no-cross-namespace-refs` is about, kind by kind (flux-facts 2.3).

use std::fmt;

use crate::flux::Component;
use crate::kinds::Kind;
use crate::kinds::flux_objects::{
    Alert, ArtifactGenerator, HelmRelease, ImagePolicy, ImageUpdateAutomation, Kustomization, ObjectRef,
    Receiver,
};

/// A kind whose objects refer to others that may be in other namespaces.
pub(super) trait Refers: Kind {
    /// The controller that follows the references.
    const READER: Component;

    /// The references, each with its field.
    fn references(row: &Self::Row) -> impl Iterator<Item = (Field, &ObjectRef)>;
}

/// The references to other namespaces: the field, and the namespace.
pub(super) fn foreign<'a, K: Refers>(
    namespace: &str,
    row: &'a K::Row,
) -> impl Iterator<Item = (Field, &'a str)> {
    let references = K::references(row);
    references.filter_map(move |(field, reference)| Some((field, reference.foreign(namespace)?)))
}

/// The field of a reference's namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    reference: &'static str,
    /// Its position, when it is one of a list.
    position: Option<usize>,
}

impl Field {
    const fn one(reference: &'static str) -> Self {
        Self {
            reference,
            position: None,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            None => write!(f, "spec.{}.namespace", self.reference),
            Some(position) => write!(f, "spec.{}[{position}].namespace", self.reference),
        }
    }
}

fn each_of<'a>(
    list: &'static str,
    references: impl Iterator<Item = &'a ObjectRef>,
) -> impl Iterator<Item = (Field, &'a ObjectRef)> {
    references.enumerate().map(move |(position, reference)| {
        let field = Field {
            reference: list,
            position: Some(position),
        };
        (field, reference)
    })
}

impl Refers for Kustomization {
    const READER: Component = Component::Kustomize;

    fn references(row: &Self::Row) -> impl Iterator<Item = (Field, &ObjectRef)> {
        std::iter::once((Field::one("sourceRef"), &*row.spec.source_ref))
    }
}

impl Refers for HelmRelease {
    const READER: Component = Component::Helm;

    fn references(row: &Self::Row) -> impl Iterator<Item = (Field, &ObjectRef)> {
        let template = row.spec.chart.iter();
        let template = template.map(|chart| (Field::one("chart.spec.sourceRef"), &*chart.spec.source_ref));
        let chart = row.spec.chart_ref.as_deref().into_iter();
        template.chain(chart.map(|chart| (Field::one("chartRef"), chart)))
    }
}

impl Refers for ImageUpdateAutomation {
    const READER: Component = Component::ImageAutomation;

    fn references(row: &Self::Row) -> impl Iterator<Item = (Field, &ObjectRef)> {
        std::iter::once((Field::one("sourceRef"), &*row.spec.source_ref))
    }
}

impl Refers for ImagePolicy {
    const READER: Component = Component::ImageReflector;

    fn references(row: &Self::Row) -> impl Iterator<Item = (Field, &ObjectRef)> {
        std::iter::once((Field::one("imageRepositoryRef"), &*row.spec.image_repository_ref))
    }
}

impl Refers for Alert {
    const READER: Component = Component::Notification;

    fn references(row: &Self::Row) -> impl Iterator<Item = (Field, &ObjectRef)> {
        let sources = row.spec.event_sources.iter();
        each_of("eventSources", sources.map(|source| &source.objects))
    }
}

impl Refers for Receiver {
    const READER: Component = Component::Notification;

    fn references(row: &Self::Row) -> impl Iterator<Item = (Field, &ObjectRef)> {
        each_of("resources", row.spec.resources.iter())
    }
}

impl Refers for ArtifactGenerator {
    const READER: Component = Component::SourceWatcher;

    fn references(row: &Self::Row) -> impl Iterator<Item = (Field, &ObjectRef)> {
        each_of("sources", row.spec.sources.iter())
    }
}
