//! The product's own kinds: policies drive the engine, reports are watched so that they heal.

use serde::Deserialize;

use super::{Descriptor, Kind, Meta};
use crate::api::{self, FluxSecurityPolicySpec};

/// A policy as users wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyRow {
    /// Unique id: owner of the reports, part of every Event's name.
    pub uid: String,
    /// Generation of the spec.
    pub generation: i64,
    /// Value of the annotation that asks for an audit now.
    pub requested_at: String,
    /// The spec.
    pub spec: FluxSecurityPolicySpec,
}

/// The version of a published object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Changes with every write, whoever writes.
    pub resource_version: String,
}

/// `FluxSecurityPolicy`.
pub struct Policy;
/// `FluxSecurityReport`.
pub struct Report;
/// `FluxSecurityNamespaceReport`.
pub struct NamespaceReport;

const OWN: Descriptor = Descriptor {
    group: api::GROUP,
    kind: "FluxSecurityPolicy",
    plural: "fluxsecuritypolicies",
    versions: &[api::VERSION],
    custom: true,
    page_size: 100,
    metadata_only: false,
};

impl Kind for Policy {
    type Row = PolicyRow;
    const DESCRIPTOR: Descriptor = OWN;
    fn project(meta: &Meta, object: &str) -> Result<Option<PolicyRow>, serde_json::Error> {
        let object: PolicyWire = serde_json::from_str(object)?;
        Ok(Some(PolicyRow {
            uid: meta.uid.clone(),
            generation: meta.generation,
            requested_at: meta
                .annotations
                .get(api::REQUESTED_AT)
                .cloned()
                .unwrap_or_default(),
            spec: object.spec,
        }))
    }
}

impl Kind for Report {
    type Row = Published;
    const DESCRIPTOR: Descriptor = Descriptor {
        kind: "FluxSecurityReport",
        plural: "fluxsecurityreports",
        metadata_only: true,
        ..OWN
    };
    fn project(meta: &Meta, _object: &str) -> Result<Option<Published>, serde_json::Error> {
        Ok(Some(Published {
            resource_version: meta.resource_version.clone(),
        }))
    }
}

impl Kind for NamespaceReport {
    type Row = Published;
    const DESCRIPTOR: Descriptor = Descriptor {
        kind: "FluxSecurityNamespaceReport",
        plural: "fluxsecuritynamespacereports",
        metadata_only: true,
        ..OWN
    };
    fn project(meta: &Meta, _object: &str) -> Result<Option<Published>, serde_json::Error> {
        Ok(Some(Published {
            resource_version: meta.resource_version.clone(),
        }))
    }
}

#[derive(Deserialize)]
struct PolicyWire {
    #[serde(default)]
    spec: FluxSecurityPolicySpec,
}
