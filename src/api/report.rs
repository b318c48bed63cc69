//! `FluxSecurityReport` and `FluxSecurityNamespaceReport`: the posture. Written by the operator.
#![allow(clippy::duplicated_attributes, reason = "columns of a table look alike")]
#![allow(
    unreachable_pub,
    reason = "the derive puts a copy of the type into a function"
)]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::common::{Condition, ControlResult, ResourceRef, Severity};

/// Secrets that a report remembers.
pub const MOST_DELIVERED: usize = 200;

/// The report has no spec: everything is observed.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "fluxsecurity.dev",
    version = "v1alpha1",
    kind = "FluxSecurityReport",
    plural = "fluxsecurityreports",
    singular = "fluxsecurityreport",
    shortname = "fsr",
    category = "fluxcd",
    category = "fluxcd-security",
    no_spec,
    doc = "FluxSecurityReport is the posture of every Flux installation that the policy of the same name audits.",
    status = "ReportStatus",
    derive = "PartialEq",
    printcolumn(
        name = "Compliant",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Compliant\")].status"
    ),
    printcolumn(name = "Score", type_ = "integer", json_path = ".status.summary.score"),
    printcolumn(
        name = "Critical",
        type_ = "integer",
        json_path = ".status.summary.failing.critical"
    ),
    printcolumn(name = "High", type_ = "integer", json_path = ".status.summary.failing.high"),
    printcolumn(
        name = "Medium",
        type_ = "integer",
        json_path = ".status.summary.failing.medium"
    ),
    printcolumn(name = "Low", type_ = "integer", json_path = ".status.summary.failing.low"),
    printcolumn(name = "Waived", type_ = "integer", json_path = ".status.summary.waived"),
    printcolumn(name = "Unknown", type_ = "integer", json_path = ".status.summary.unknown"),
    printcolumn(name = "LastChange", type_ = "date", json_path = ".status.history[0].time"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct FluxSecurityReportBody {}

/// The whole posture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportStatus {
    /// Generation of the policy that was audited.
    #[serde(default)]
    pub observed_generation: i64,
    /// Ready, Compliant, Complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Last value of the policy's annotation reconcile.fluxcd.io/requestedAt that was acted on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_handled_reconcile_at: String,
    /// The policy's clusterName.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster_name: String,
    /// The catalogue that was audited against.
    #[serde(default)]
    pub catalogue: Catalogue,
    /// The Flux installations that were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub installations: Vec<Installation>,
    /// Totals; always exact.
    #[serde(default)]
    pub summary: Summary,
    /// One row per control.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub controls: Vec<ControlStatus>,
    /// The worst findings, at most the policy's report.maxFindings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub findings: Vec<Finding>,
    /// Findings that are left out here; the namespace reports have them.
    #[serde(default)]
    pub truncated_findings: i32,
    /// Namespaces with findings, the worst 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub namespaces: Vec<NamespaceTotals>,
    /// The last changes, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub history: Vec<Change>,
    /// Secrets that sources delivered in plain text, including those that newer revisions no longer have; at most 200.
    /// They are kept here so that a restart forgets none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub delivered: Vec<DeliveredSecret>,
}

/// A secret that a source delivered in plain text. Nothing of its value is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredSecret {
    /// The source.
    pub source: ResourceRef,
    /// File of the source.
    pub file: String,
    /// Line of that file, from 1, in the last revision that has it.
    #[schemars(range(min = 1))]
    pub line: i32,
    /// The object that it is in; empty when none is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// Path of the field; empty when none is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What gives it away.
    pub what: String,
    /// Severity, when it is not that of the control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The last revision that was seen to have it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Whether a newer revision no longer has it: it is exposed all the same.
    pub gone: bool,
    /// Identifies the place, whatever the line and the value are.
    pub fingerprint: String,
}

/// The catalogue that was audited against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Catalogue {
    /// Version of the operator's catalogue of controls.
    pub version: String,
    /// Date of the recommendations that the catalogue implements.
    pub document_revision: String,
}

/// One Flux installation: the controllers of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Installation {
    /// Namespace of the controllers.
    pub namespace: String,
    /// Bootstrap, FluxOperator, HelmChart, AKS, AllInOne or Unknown.
    pub installer: String,
    /// Flux version, when it follows from the controllers' versions; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The controllers.
    pub controllers: Vec<Controller>,
}

/// One controller of an installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Controller {
    /// Name of the controller, for instance kustomize-controller.
    pub name: String,
    /// Kind and name of the workload that runs it.
    pub workload: String,
    /// Image as written.
    pub image: String,
    /// Version of the controller; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Shard, when it is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shard: String,
}

/// Totals of a report. Counts of controls, but for `findings`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// 0 to 100: weight of passing controls / weight of passing and failing ones.
    #[schemars(range(min = 0, max = 100))]
    pub score: i32,
    /// 0 to 100: judged controls / applicable controls.
    #[schemars(range(min = 0, max = 100))]
    pub coverage: i32,
    /// Controls that pass.
    pub pass: i32,
    /// Controls that fail.
    pub fail: i32,
    /// Controls whose every finding is covered by a waiver.
    pub waived: i32,
    /// Controls that only a person can judge.
    pub manual: i32,
    /// Controls that do not apply here.
    pub not_applicable: i32,
    /// Controls that could not be judged.
    pub unknown: i32,
    /// Failing objects over all controls, without those that a waiver covers.
    pub findings: i32,
    /// Failing controls by severity.
    pub failing: SeverityCounts,
}

/// Counts by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeverityCounts {
    /// Critical.
    pub critical: i32,
    /// High.
    pub high: i32,
    /// Medium.
    pub medium: i32,
    /// Low.
    pub low: i32,
    /// Info.
    pub info: i32,
}

impl SeverityCounts {
    /// The count of one severity.
    #[must_use]
    pub const fn get(&self, severity: Severity) -> i32 {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
            Severity::Info => self.info,
        }
    }

    /// Counts one more.
    pub const fn add(&mut self, severity: Severity) {
        match severity {
            Severity::Critical => self.critical += 1,
            Severity::High => self.high += 1,
            Severity::Medium => self.medium += 1,
            Severity::Low => self.low += 1,
            Severity::Info => self.info += 1,
        }
    }
}

/// The result of one control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlStatus {
    /// Id, for instance FSP-KUST-003.
    pub id: String,
    /// The recommendation in one line.
    pub title: String,
    /// Severity under the policy's tenancy and tuning.
    pub severity: Severity,
    /// Pass, Fail, Waived, Manual, NotApplicable or Unknown.
    pub result: ControlResult,
    /// One CamelCase word for the result.
    pub reason: String,
    /// One sentence for a person.
    pub message: String,
    /// Failing objects that no waiver covers.
    pub findings: i32,
    /// Failing objects that a waiver covers.
    pub waived: i32,
    /// Since when it has had this result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// One object that makes a control fail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Severity of the control.
    pub severity: Severity,
    /// Id of the control.
    pub control: String,
    /// The object.
    pub resource: ResourceRef,
    /// Where in the object.
    #[serde(default)]
    pub location: Location,
    /// What was read there.
    pub observed: String,
    /// What the recommendation asks for.
    pub expected: String,
    /// One sentence for a person.
    pub message: String,
    /// Name of the waiver that covers it; empty when it counts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub waiver: String,
}

impl Finding {
    /// Whether a waiver covers it, so that it does not count.
    #[must_use]
    pub const fn is_waived(&self) -> bool {
        !self.waiver.is_empty()
    }
}

/// A place within an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Container.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// The deciding argument as written; empty when it is absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub argument: String,
    /// Path of the field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// File that the object was read from, or the file in a source that holds the secret; empty for an object of a
    /// cluster.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// Line of that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub line: Option<i32>,
}

impl Location {
    /// File and line, as compilers write them; empty when the object was read from a cluster.
    #[must_use]
    pub fn position(&self) -> String {
        match self.line {
            Some(line) if !self.file.is_empty() => format!("{}:{line}", self.file),
            _ => self.file.clone(),
        }
    }

    /// The place within the object; empty when the object as a whole is meant.
    #[must_use]
    pub fn part(&self) -> String {
        let container = match self.container.as_str() {
            "" => String::new(),
            container => format!("container {container}"),
        };
        let parts = [container, self.argument.clone(), self.field.clone()];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(", ")
    }
}

/// Failing findings of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceTotals {
    /// Name of the namespace.
    pub name: String,
    /// The tenant that it belongs to; empty: it is no tenant's, or nobody knows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// Findings by severity.
    pub failing: SeverityCounts,
}

/// A change of a control's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// When the operator saw it.
    pub time: Time,
    /// Id of the control.
    pub control: String,
    /// Result before; empty for the first audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ControlResult>,
    /// Result after.
    pub to: ControlResult,
    /// The first failing object, or the one that no longer fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceRef>,
    /// Field manager that made the change to that object, where managedFields tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub manager: String,
    /// The Flux object that applied that object, where its labels tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_by: Option<ResourceRef>,
    /// The waiver that took effect, or ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub waiver: String,
}

impl Change {
    /// By whom, or by what: the manager and what it applied for, or the waiver; empty when nothing tells.
    #[must_use]
    pub fn by(&self) -> String {
        match (&self.applied_by, self.waiver.as_str()) {
            (Some(applied), _) => format!("{} for {applied}", self.manager),
            (None, "") => self.manager.clone(),
            (None, waiver) => format!("waiver {waiver}"),
        }
    }
}

/// The namespace report has no spec either.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "fluxsecurity.dev",
    version = "v1alpha1",
    kind = "FluxSecurityNamespaceReport",
    plural = "fluxsecuritynamespacereports",
    singular = "fluxsecuritynamespacereport",
    shortname = "fsnr",
    category = "fluxcd",
    category = "fluxcd-security",
    namespaced,
    no_spec,
    doc = "FluxSecurityNamespaceReport is the part of a posture that concerns one namespace.",
    status = "NamespaceReportStatus",
    derive = "PartialEq",
    printcolumn(
        name = "Critical",
        type_ = "integer",
        json_path = ".status.summary.failing.critical"
    ),
    printcolumn(name = "High", type_ = "integer", json_path = ".status.summary.failing.high"),
    printcolumn(
        name = "Medium",
        type_ = "integer",
        json_path = ".status.summary.failing.medium"
    ),
    printcolumn(name = "Low", type_ = "integer", json_path = ".status.summary.failing.low"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct FluxSecurityNamespaceReportBody {}

/// One namespace's findings under one policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceReportStatus {
    /// Name of the policy.
    pub policy: String,
    /// The tenant that the namespace belongs to; empty: it is no tenant's, or nobody knows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// Totals of this namespace.
    pub summary: NamespaceSummary,
    /// The findings, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub findings: Vec<Finding>,
    /// Findings that did not fit.
    #[serde(default)]
    pub truncated_findings: i32,
    /// Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Totals of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSummary {
    /// Failing objects that no waiver covers.
    pub findings: i32,
    /// Failing objects that a waiver covers.
    #[serde(default)]
    pub waived: i32,
    /// Findings by severity, without those that a waiver covers.
    pub failing: SeverityCounts,
}
