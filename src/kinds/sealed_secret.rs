//! SealedSecrets: where else their ciphertext can be opened. The ciphertext itself is not kept.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::meta::null_as_default;
use super::{Descriptor, Kind, Meta, Origin, Required};

/// A SealedSecret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Where it comes from.
    pub origin: Origin,
    /// Where it is opened, by its own annotations.
    pub scope: Scope,
    /// What it was sealed for, by the annotations of its template.
    pub sealed_for: Scope,
}

/// Where a ciphertext can be opened, from one place to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// In one namespace, under one name.
    Strict,
    /// In one namespace, under any name.
    Namespace,
    /// Anywhere.
    Cluster,
}

impl Scope {
    /// The annotation that says so; empty for the default.
    #[must_use]
    pub const fn annotation(self) -> &'static str {
        match self {
            Self::Strict => "",
            Self::Namespace => "sealedsecrets.bitnami.com/namespace-wide",
            Self::Cluster => "sealedsecrets.bitnami.com/cluster-wide",
        }
    }

    /// What annotations say: exactly `true` counts, and the wider scope wins.
    fn of(annotations: &BTreeMap<String, String>) -> Self {
        let is_set = |scope: &Self| annotations.get(scope.annotation()).is_some_and(|it| it == "true");
        let mut wide = [Self::Cluster, Self::Namespace].into_iter();
        wide.find(is_set).unwrap_or(Self::Strict)
    }
}

/// `bitnami.com/v1alpha1 SealedSecret`.
pub struct SealedSecret;

impl Kind for SealedSecret {
    type Row = Sealed;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "bitnami.com",
        kind: "SealedSecret",
        plural: "sealedsecrets",
        versions: &["v1alpha1"],
        custom: true,
        page_size: 100,
        metadata_only: false,
    };
    const REQUIRED: Required = &[&["spec.encryptedData"]];

    fn project(meta: &Meta, object: &str) -> Result<Option<Sealed>, serde_json::Error> {
        let object: Wire = serde_json::from_str(object)?;
        Ok(Some(Sealed {
            origin: meta.origin(&Self::DESCRIPTOR),
            scope: Scope::of(&meta.annotations),
            sealed_for: Scope::of(&object.spec.template.metadata.annotations),
        }))
    }

    fn origin(row: &Sealed) -> Option<&Origin> {
        Some(&row.origin)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    spec: SpecWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecWire {
    #[serde(deserialize_with = "null_as_default")]
    template: TemplateWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateWire {
    #[serde(deserialize_with = "null_as_default")]
    metadata: TemplateMeta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateMeta {
    #[serde(deserialize_with = "null_as_default")]
    annotations: BTreeMap<String, String>,
}
