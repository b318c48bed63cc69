//! Words shared by policies and reports.

use std::cmp::Ordering;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// How bad a failing control is. The order is the order of every list: the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// Cluster takeover is one step away.
    Critical,
    /// A boundary that the recommendation relies on is missing.
    High,
    /// Defence in depth is missing.
    Medium,
    /// Worth knowing and cheap to repair.
    Low,
    /// No weight in the score.
    Info,
}

impl Severity {
    /// Every severity, the worst first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// Weight in the score: 10, 5, 2, 1, 0.
    #[must_use]
    pub const fn weight(self) -> i64 {
        match self {
            Self::Critical => 10,
            Self::High => 5,
            Self::Medium => 2,
            Self::Low => 1,
            Self::Info => 0,
        }
    }

    /// The word in reports and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::High => "High",
            Self::Medium => "Medium",
            Self::Low => "Low",
            Self::Info => "Info",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known about a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ControlResult {
    /// Evidence was read and is bad; every failing object is one finding.
    Fail,
    /// Could not be judged; the reason says why.
    Unknown,
    /// Only a person can judge it.
    Manual,
    /// Would fail, and every failing object is covered by an active waiver.
    Waived,
    /// Evidence was read and is good.
    Pass,
    /// The thing does not exist here, or the tenancy does not call for it.
    NotApplicable,
}

impl ControlResult {
    /// Every result.
    pub const ALL: [Self; 6] = [
        Self::Fail,
        Self::Unknown,
        Self::Manual,
        Self::Waived,
        Self::Pass,
        Self::NotApplicable,
    ];

    /// The word in reports and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "Fail",
            Self::Unknown => "Unknown",
            Self::Manual => "Manual",
            Self::Waived => "Waived",
            Self::Pass => "Pass",
            Self::NotApplicable => "NotApplicable",
        }
    }
}

impl fmt::Display for ControlResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who shares the cluster; decides which chapters apply.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Tenancy {
    /// One team: the shared-cluster and dedicated-cluster chapters do not apply.
    #[default]
    None,
    /// Several tenants share the cluster: the multi-tenancy chapter applies.
    Shared,
    /// A management cluster of tenant clusters.
    Dedicated,
}

impl Tenancy {
    /// The word in reports and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Shared => "Shared",
            Self::Dedicated => "Dedicated",
        }
    }
}

impl fmt::Display for Tenancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An object that a finding or an Event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRef {
    /// Group and version, for instance `apps/v1`.
    pub api_version: String,
    /// Kind, for instance `Deployment`.
    pub kind: String,
    /// Namespace; empty for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ResourceRef {
    /// What makes it this object and no other, in whatever version it is served: group, kind, namespace and name.
    #[must_use]
    pub fn identity(&self) -> [&str; 4] {
        let group = self.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        [group, &self.kind, &self.namespace, &self.name]
    }

    /// The namespace that the object is in, or is; empty when there is none.
    #[must_use]
    pub fn home(&self) -> &str {
        let is_namespace = self.kind == "Namespace" && self.api_version == "v1";
        if is_namespace { &self.name } else { &self.namespace }
    }

    /// By namespace, kind and name; the version that is served comes last.
    fn place(&self) -> [&str; 4] {
        [&self.namespace, &self.kind, &self.name, &self.api_version]
    }
}

impl PartialOrd for ResourceRef {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceRef {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            return write!(f, "{} {}", self.kind, self.name);
        }
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}
