//! What is watched: THE table of kinds, and how an object becomes a row.
//!
//! A kind is one file here and one line of [`CATALOG`]. An object is projected to its row as soon as it arrives:
//! the row names only what a control reads, and a row equal to the stored one is no change. That one comparison
//! drops the status-only traffic of Flux.

pub mod admission;
pub mod author;
pub mod cni;
pub mod crd;
pub mod flux_objects;
pub mod gateway;
pub mod identity;
pub mod ingress;
pub mod label_map;
pub mod lease;
pub mod meta;
pub mod monitoring;
pub mod namespace;
pub mod network_policy;
pub mod node;
pub mod own;
pub mod pod;
mod pod_security;
mod pod_template;
pub mod port;
pub mod rbac;
pub mod runtime_class;
pub mod scheduling;
pub mod sealed_secret;
pub mod selector;
pub mod service;
pub mod workload;

use std::any::Any;
use std::sync::LazyLock;

use crate::inventory::table::{AnyTable, ObjectKey, Table};
pub use author::{Author, Hand};
pub use meta::Meta;

/// Position of a kind in [`CATALOG`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub u8);

/// A watched kind: how its objects are found, and what is kept of one.
pub trait Kind: 'static {
    /// What is kept.
    type Row: Clone + PartialEq + Send + 'static;
    /// Where the API server serves it.
    const DESCRIPTOR: Descriptor;
    /// Whether its objects are in no namespace.
    const IS_CLUSTER_SCOPED: bool = false;
    /// What a whole object of it has.
    const REQUIRED: Required = &[];
    /// What controls ask about all of its rows.
    const MARKS: &'static [Mark<Self::Row>] = &[];
    /// Cuts the row out of an object. `None`: the object is of no interest to any control.
    ///
    /// # Errors
    /// The object does not have the shape that the kind's schema promises.
    fn project(meta: &Meta, object: &str) -> Result<Option<Self::Row>, serde_json::Error>;
    /// Where the row's object comes from, when the row tells.
    fn origin(_row: &Self::Row) -> Option<&Origin> {
        None
    }
}

/// Fields that the schema of a kind asks for, at the top or in `spec`, at least one of each group: what lacks them is a patch.
pub type Required = &'static [&'static [&'static str]];

/// Something that some rows have, and that controls ask about all rows of a kind. Those that have it are kept at hand: the
/// answer costs what they are, not what all rows are.
#[derive(Clone, Copy, Debug)]
pub struct Mark<R> {
    /// What it is, among the marks of a kind.
    pub name: &'static str,
    /// Whether a row has it.
    pub is_on: fn(&R) -> bool,
}

/// What findings and Events tell of an object besides its kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Unique over time.
    pub uid: Box<str>,
    /// Whether its managedFields tell who wrote it. Who that was is told with each change and kept by nobody.
    pub is_recorded: bool,
    /// The version that the object was read in.
    pub version: &'static str,
    /// The oldest pre-release version that somebody wrote it in, when that is older than the one it was read in.
    pub outdated: Option<Box<str>>,
}

/// Where the API server serves a kind.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Plural, as in RBAC rules.
    pub plural: &'static str,
    /// Versions whose shape is known, the best first.
    pub versions: &'static [&'static str],
    /// Whether the kind comes with a CustomResourceDefinition, or with newer API servers, and may be absent.
    pub custom: bool,
    /// Objects a page of the initial list.
    pub page_size: u32,
    /// Whether only metadata is asked for.
    pub metadata_only: bool,
}

impl Descriptor {
    /// The resource as `kubectl` and error messages name it: `kustomizations.kustomize.toolkit.fluxcd.io`.
    #[must_use]
    pub fn resource(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

/// A kind whose row type is erased, so that all fit into one table.
pub struct Entry {
    /// Where it is served.
    pub descriptor: Descriptor,
    /// See [`Kind::IS_CLUSTER_SCOPED`].
    pub is_cluster_scoped: bool,
    /// See [`Kind::REQUIRED`].
    pub required: Required,
    project: fn(&Meta, &str) -> Result<Option<ErasedRow>, serde_json::Error>,
    copy: fn(&ErasedRow) -> Option<ErasedRow>,
    new_table: fn() -> Box<dyn AnyTable>,
    origin: fn(&dyn AnyTable, &ObjectKey) -> Option<Origin>,
}

/// A row on its way from a watch to its table.
pub struct ErasedRow(pub(crate) Box<dyn Any + Send>);

impl std::fmt::Debug for ErasedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ErasedRow")
    }
}

impl Entry {
    const fn of<K: Kind>() -> Self {
        Self {
            descriptor: K::DESCRIPTOR,
            is_cluster_scoped: K::IS_CLUSTER_SCOPED,
            required: K::REQUIRED,
            project: |meta, object| {
                Ok(K::project(meta, object)?.map(|row| ErasedRow(Box::new(row) as Box<dyn Any + Send>)))
            },
            copy: |row| {
                let row = row.0.downcast_ref::<K::Row>()?.clone();
                Some(ErasedRow(Box::new(row) as Box<dyn Any + Send>))
            },
            new_table: || Box::new(Table::<K::Row>::with_marks(K::MARKS)),
            origin: |table, key| {
                let table = table.as_any().downcast_ref::<Table<K::Row>>()?;
                K::origin(table.get(key)?).cloned()
            },
        }
    }

    /// Cuts the row out of an object; see [`Kind::project`].
    pub fn project(&self, meta: &Meta, object: &str) -> Result<Option<ErasedRow>, serde_json::Error> {
        (self.project)(meta, object)
    }

    /// Another row like this one; `None`: it is of another kind.
    #[must_use]
    pub fn copy(&self, row: &ErasedRow) -> Option<ErasedRow> {
        (self.copy)(row)
    }

    /// Where an object of this kind's table comes from, when its row tells.
    #[must_use]
    pub fn origin(&self, table: &dyn AnyTable, key: &ObjectKey) -> Option<Origin> {
        (self.origin)(table, key)
    }

    /// An empty table for this kind's rows.
    #[must_use]
    pub fn new_table(&self) -> Box<dyn AnyTable> {
        (self.new_table)()
    }
}

/// Every watched kind. RBAC, coverage and the watches follow from it.
pub static CATALOG: &[Entry] = &[
    Entry::of::<workload::Deployment>(),
    Entry::of::<workload::StatefulSet>(),
    Entry::of::<pod::Pod>(),
    Entry::of::<lease::Lease>(),
    Entry::of::<identity::ServiceAccount>(),
    Entry::of::<namespace::Namespace>(),
    Entry::of::<crd::CustomResourceDefinition>(),
    Entry::of::<rbac::Role>(),
    Entry::of::<rbac::ClusterRole>(),
    Entry::of::<rbac::RoleBinding>(),
    Entry::of::<rbac::ClusterRoleBinding>(),
    Entry::of::<network_policy::NetworkPolicy>(),
    Entry::of::<cni::DaemonSet>(),
    Entry::of::<service::Service>(),
    Entry::of::<ingress::Ingress>(),
    Entry::of::<gateway::HttpRoute>(),
    Entry::of::<gateway::Gateway>(),
    Entry::of::<monitoring::PrometheusRule>(),
    Entry::of::<node::Node>(),
    Entry::of::<runtime_class::RuntimeClass>(),
    Entry::of::<admission::ValidatingAdmissionPolicy>(),
    Entry::of::<admission::ValidatingAdmissionPolicyBinding>(),
    Entry::of::<admission::ValidatingWebhookConfiguration>(),
    Entry::of::<flux_objects::GitRepository>(),
    Entry::of::<flux_objects::OciRepository>(),
    Entry::of::<flux_objects::HelmRepository>(),
    Entry::of::<flux_objects::HelmChart>(),
    Entry::of::<flux_objects::Bucket>(),
    Entry::of::<flux_objects::ExternalArtifact>(),
    Entry::of::<flux_objects::ArtifactGenerator>(),
    Entry::of::<flux_objects::ImageRepository>(),
    Entry::of::<flux_objects::ImagePolicy>(),
    Entry::of::<flux_objects::ImageUpdateAutomation>(),
    Entry::of::<flux_objects::Kustomization>(),
    Entry::of::<flux_objects::HelmRelease>(),
    Entry::of::<flux_objects::Alert>(),
    Entry::of::<flux_objects::Provider>(),
    Entry::of::<flux_objects::Receiver>(),
    Entry::of::<flux_objects::FluxInstance>(),
    Entry::of::<flux_objects::ResourceSet>(),
    Entry::of::<flux_objects::ResourceSetInputProvider>(),
    Entry::of::<sealed_secret::SealedSecret>(),
    Entry::of::<own::Policy>(),
    Entry::of::<own::Report>(),
    Entry::of::<own::NamespaceReport>(),
    Entry::of::<own::Waiver>(),
];

/// The position of a kind: known to the compiler, because every verdict asks for some. A kind that is missing from
/// [`CATALOG`] does not compile.
#[must_use]
pub const fn id_of<K: Kind>() -> KindId {
    const { position_of(&K::DESCRIPTOR) }
}

const fn position_of(wanted: &Descriptor) -> KindId {
    let mut position: u8 = 0;
    while (position as usize) < CATALOG.len() {
        let descriptor = &CATALOG[position as usize].descriptor;
        if is_same(descriptor.group, wanted.group) && is_same(descriptor.kind, wanted.kind) {
            return KindId(position);
        }
        position += 1;
    }
    panic!("this kind has no line in the catalogue")
}

/// Whether two texts are the same, for the compiler.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The kinds whose objects make their namespace one that uses Flux: Flux's own, and what flux-operator makes such objects
/// of. A FluxInstance is an installation.
static OF_FLUX: LazyLock<Box<[KindId]>> = LazyLock::new(|| {
    let makes_objects = [
        id_of::<flux_objects::ResourceSet>(),
        id_of::<flux_objects::ResourceSetInputProvider>(),
    ];
    let is_of_flux = |kind: &KindId| {
        // Beside the toolkit's groups there is that of its extensions, with ArtifactGenerators.
        kind.entry().descriptor.group.ends_with(".fluxcd.io") || makes_objects.contains(kind)
    };
    KindId::all().filter(is_of_flux).collect()
});

/// The same, one after the other.
pub(crate) fn of_flux() -> impl Iterator<Item = KindId> {
    OF_FLUX.iter().copied()
}

impl KindId {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..CATALOG.len())
            .filter_map(|position| u8::try_from(position).ok())
            .map(Self)
    }

    /// The catalogue's line.
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        &CATALOG[usize::from(self.0)]
    }

    /// Whether an object of it makes its namespace one that uses Flux.
    pub(crate) fn is_of_flux(self) -> bool {
        OF_FLUX.contains(&self)
    }

    /// The kind's name, for instance `Kustomization`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().descriptor.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_flux_makes_its_namespace_a_tenants_and_an_installation_does_not() {
        let of_flux: Vec<&str> = of_flux().map(KindId::name).collect();
        for name in [
            "Kustomization",
            "Alert",
            "ExternalArtifact",
            "ArtifactGenerator",
            "ResourceSet",
        ] {
            assert!(of_flux.contains(&name), "{name}");
        }
        for name in [
            "FluxInstance",
            "FluxSecurityPolicy",
            "FluxSecurityWaiver",
            "Namespace",
            "Ingress",
        ] {
            assert!(!of_flux.contains(&name), "{name}");
        }
    }
}
