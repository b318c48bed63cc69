//! The product's own kinds: policies and waivers drive the engine, reports are watched so that they heal.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Descriptor, Kind, Meta, Required};
use crate::api::report::DeliveredSecret;
use crate::api::{self, FluxSecurityPolicySpec, FluxSecurityWaiverSpec, FluxSecurityWaiverStatus};

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

/// A waiver as somebody wrote it, and what is published about it.
#[derive(Clone, Debug, PartialEq)]
pub struct WaiverRow {
    /// Unique id: part of every Event's name.
    pub uid: String,
    /// Generation of the spec.
    pub generation: i64,
    /// When it was created; `None` before the API server has seen it.
    pub created: Option<Timestamp>,
    /// The spec.
    pub spec: FluxSecurityWaiverSpec,
    /// The version that carries the status.
    pub published: Published,
    /// The status as it is there: what it tells has been told.
    pub status: Option<FluxSecurityWaiverStatus>,
}

/// The version of a published object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Changes with every write, whoever writes.
    pub resource_version: String,
}

/// A report of the cluster: its version, and what it remembers for the next process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// The version.
    pub published: Published,
    /// Secrets that sources delivered.
    pub delivered: Box<[DeliveredSecret]>,
}

/// `FluxSecurityPolicy`.
pub struct Policy;
/// `FluxSecurityWaiver`.
pub struct Waiver;
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
    const IS_CLUSTER_SCOPED: bool = true;
    fn project(meta: &Meta, object: &str) -> Result<Option<PolicyRow>, serde_json::Error> {
        let object: PolicyWire = serde_json::from_str(object)?;
        Ok(Some(PolicyRow {
            uid: meta.uid.clone(),
            generation: meta.generation,
            requested_at: requested_at(meta),
            spec: object.spec,
        }))
    }
}

/// Reports and statuses echo it: of an annotation that is made to burst them, only the beginning counts.
fn requested_at(meta: &Meta) -> String {
    const MOST: usize = 256;
    let asked = meta.annotations.get(api::REQUESTED_AT);
    let asked = asked.map(String::as_str).unwrap_or_default();
    asked[..asked.floor_char_boundary(MOST)].to_owned()
}

impl Kind for Waiver {
    type Row = WaiverRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        kind: "FluxSecurityWaiver",
        plural: "fluxsecuritywaivers",
        page_size: 500,
        ..OWN
    };
    const IS_CLUSTER_SCOPED: bool = true;
    const REQUIRED: Required = &[&["spec.control"]];
    fn project(meta: &Meta, object: &str) -> Result<Option<WaiverRow>, serde_json::Error> {
        let object: WaiverWire<'_> = serde_json::from_str(object)?;
        // One that somebody else wrote, or a newer version, is written anew.
        let status = object.status.map(|status| serde_json::from_str(status.get()));
        Ok(Some(WaiverRow {
            uid: meta.uid.clone(),
            generation: meta.generation,
            created: object.metadata.creation_timestamp.map(|created| created.0),
            spec: object.spec,
            published: Published {
                resource_version: meta.resource_version.clone(),
            },
            status: status.and_then(Result::ok),
        }))
    }
}

impl Kind for Report {
    type Row = ReportRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        kind: "FluxSecurityReport",
        plural: "fluxsecurityreports",
        ..OWN
    };
    const IS_CLUSTER_SCOPED: bool = true;
    fn project(meta: &Meta, object: &str) -> Result<Option<ReportRow>, serde_json::Error> {
        // One that somebody else wrote, or a newer version, is written anew.
        let object: ReportWire = serde_json::from_str(object).unwrap_or_default();
        let mut delivered = object.status.unwrap_or_default().delivered;
        delivered.truncate(api::report::MOST_DELIVERED);
        Ok(Some(ReportRow {
            published: Published {
                resource_version: meta.resource_version.clone(),
            },
            delivered: delivered.into(),
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
struct WaiverWire<'a> {
    metadata: Created,
    spec: FluxSecurityWaiverSpec,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    #[serde(default)]
    creation_timestamp: Option<Time>,
}

#[derive(Default, Deserialize)]
struct ReportWire {
    #[serde(default)]
    status: Option<RememberedWire>,
}

#[derive(Default, Deserialize)]
struct RememberedWire {
    #[serde(default)]
    delivered: Vec<DeliveredSecret>,
}

#[derive(Deserialize)]
struct PolicyWire {
    #[serde(default)]
    spec: FluxSecurityPolicySpec,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_would_burst_the_report_is_cut() {
        let asks = |text: String| {
            let mut meta = Meta::default();
            meta.annotations.insert(api::REQUESTED_AT.to_owned(), text);
            meta
        };
        assert_eq!(requested_at(&asks("é".repeat(50_000))).len(), 256);
        assert_eq!(requested_at(&asks("2026-01-01".to_owned())), "2026-01-01");
        assert_eq!(requested_at(&Meta::default()), "");
    }
}
