//! `FluxSecurityPolicy`: what to audit and how strictly. Written by users.
#![allow(clippy::duplicated_attributes, reason = "columns of a table look alike")]
#![allow(
    unreachable_pub,
    reason = "the derive puts a copy of the type into a function"
)]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Condition, Severity, Tenancy};
use super::custom::CustomControl;

/// What to audit. Every field is optional; `spec: {}` is a sensible audit of a single-tenant cluster.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "fluxsecurity.dev",
    version = "v1alpha1",
    kind = "FluxSecurityPolicy",
    plural = "fluxsecuritypolicies",
    singular = "fluxsecuritypolicy",
    shortname = "fsp",
    category = "fluxcd",
    category = "fluxcd-security",
    doc = "FluxSecurityPolicy says which Flux installations are audited and how strictly. The result is the FluxSecurityReport of the same name.",
    status = "FluxSecurityPolicyStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Tenancy", type_ = "string", json_path = ".spec.tenancy"),
    printcolumn(
        name = "Compliant",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Compliant\")].status"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct FluxSecurityPolicySpec {
    /// Who shares the cluster: None, Shared (the shared-cluster multi-tenancy chapter applies) or Dedicated (a
    /// management cluster of tenant clusters).
    #[serde(default)]
    pub tenancy: Tenancy,

    /// Keeps the published report as it is and stops auditing for this policy.
    #[serde(default)]
    pub suspend: bool,

    /// How often everything is evaluated from scratch as a safety net; watches drive the audit. At least 1m.
    #[serde(default = "default_interval")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = ("self.matches('^([0-9]+(s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('24h')",
        "interval must be a duration from 1m to 24h, for example 10m")
    )]
    pub interval: String,

    /// Compliant is False when a control of this severity or above fails.
    #[serde(default = "default_fail_on")]
    pub fail_on: Severity,

    /// Limits the audit to the Flux installations in these namespaces. All that are found when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(
            length(min = 1, max = 63),
            regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
        )
    )]
    pub flux_namespaces: Vec<String>,

    /// What belongs to those who run the cluster. Flux's own namespaces always do, unless a label makes them a
    /// tenant's: flux-system, and namespaces whose controllers may reconcile objects in all namespaces.
    #[serde(default)]
    pub platform: Platform,

    /// Who the tenants are.
    #[serde(default)]
    pub tenants: Tenants,

    /// Tuning of single controls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub controls: Vec<ControlTuning>,

    /// Controls of your own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub custom_controls: Vec<CustomControl>,

    /// Statements about controls that only a person can judge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub attestations: Vec<Attestation>,

    /// Secrets in the files of sources.
    #[serde(default)]
    pub secrets: Secrets,

    /// What is published besides the report.
    #[serde(default)]
    pub outputs: Outputs,

    /// Bounds of the cluster report.
    #[serde(default)]
    pub report: ReportBounds,

    /// Name of the cluster, copied into the report, metrics and exports.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub cluster_name: String,
}

/// What belongs to those who run the cluster, and so is no tenant's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    /// Names of namespaces; `*` stands for any text.
    #[serde(default = "default_platform_namespaces")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 63), regex(pattern = r"^[-a-z0-9*]+$"))
    )]
    pub namespaces: Vec<String>,
    /// Users, groups and ServiceAccounts of those who run the cluster, in addition to the ServiceAccounts of platform
    /// namespaces and the users and groups of Kubernetes itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub subjects: Vec<PlatformSubject>,
}

/// Somebody who runs the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformSubject {
    /// Kind of the subject: User, Group or ServiceAccount.
    pub kind: SubjectKind,
    /// Name; `*` stands for any text.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of a ServiceAccount; `*` stands for any text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub namespace: String,
}

/// Kinds of subjects in role bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum SubjectKind {
    /// A user.
    User,
    /// A group.
    Group,
    /// A ServiceAccount.
    ServiceAccount,
}

/// Who the tenants are: every other namespace that holds Flux objects or carries the label, unless the selector says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tenants {
    /// Only namespaces with these labels belong to tenants. When empty: those that hold Flux objects or carry the label.
    #[serde(default)]
    pub namespace_selector: NamespaceSelector,
    /// Namespaces with the same value of this label belong to one tenant.
    #[serde(default = "default_tenant_label")]
    #[schemars(length(min = 1, max = 317))]
    pub label: String,
}

/// Selects namespaces by their labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that a namespace must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub match_labels: BTreeMap<String, String>,
}

/// Tuning of one control.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlTuning {
    /// Id of the control, for example FSP-KUST-003, or of a custom control of this policy.
    #[schemars(length(min = 3, max = 64), regex(pattern = r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$"))]
    pub id: String,
    /// False leaves the control out of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Replaces the severity of the catalogue, or of the custom control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Parameters of the control; its page in docs/controls lists them. A custom control has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub parameters: BTreeMap<String, String>,
}

/// A dated statement about a control that only a person can judge: the control passes until it expires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attestation {
    /// Id of the control, for example FSP-NET-005.
    #[schemars(length(min = 3, max = 64), regex(pattern = r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$"))]
    pub control: String,
    /// What was looked at and found, in at least 10 characters.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = ("self.trim().size() >= 10 && self.matches('[\\\\p{L}\\\\p{N}]')",
        "statement must say in at least 10 characters what was found")
    )]
    pub statement: String,
    /// Who says so.
    #[schemars(length(max = 253))]
    #[x_kube(validation = ("self.matches('[\\\\p{L}\\\\p{N}]')", "by must name who says so"))]
    pub by: String,
    /// Until when it counts, for example 2030-01-31T00:00:00Z.
    pub expires: Time,
    /// Scans of repository histories, for FSP-SEC-004: `fluxsec attest-history` generates them from scan reports. They
    /// count for at most 90 days.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub scans: Vec<ScannedHistory>,
}

/// What a scan of the history of a repository came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScannedHistory {
    /// Address of the repository, as GitRepositories name it; the scheme, the user and `.git` do not matter.
    #[schemars(length(min = 1, max = 1024))]
    pub repository: String,
    /// Name of the scanner.
    #[schemars(length(min = 1, max = 63))]
    pub scanner: String,
    /// When it was scanned.
    pub scanned_at: Time,
    /// The last commit that was scanned.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64), regex(pattern = r"^([0-9a-f]{7,64})?$"))]
    pub head: String,
    /// The commit after which the scan began. When empty, it began with the first commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64), regex(pattern = r"^([0-9a-f]{7,64})?$"))]
    pub since: String,
    /// Whether the whole history up to head was scanned.
    pub complete: bool,
    /// Secrets that were found and are not accepted.
    #[schemars(range(min = 0))]
    pub findings: i32,
    /// The first of them. Nothing of their values is here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub places: Vec<ScannedPlace>,
}

/// Where a scan found a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScannedPlace {
    /// File within the repository.
    #[schemars(length(max = 1024))]
    pub file: String,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub line: Option<i32>,
    /// A commit that contains it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub commit: String,
    /// The scanner's rule that found it.
    #[schemars(length(max = 128))]
    pub rule: String,
}

/// Secrets in the files of sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Secrets {
    /// Whether the artifacts of sources are fetched and scanned.
    #[serde(default)]
    pub artifacts: ArtifactScan,
    /// Who may decrypt what.
    #[serde(default)]
    pub decryption: Decryption,
}

/// Who may decrypt what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decryption {
    /// Recipients for which a tenant's files may be encrypted, by the name of the tenant and as SOPS writes them: age
    /// keys, PGP fingerprints, identifiers of managed keys; `*` stands for any text. Tenants that are not listed may have any
    /// recipient. The parameter sharedRecipients of FSP-SEC-011 adds recipients for all tenants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 256))]
    pub tenant_recipients: BTreeMap<String, Vec<String>>,
}

/// Fetching and scanning of artifacts. Flux's own NetworkPolicies must admit the operator: apply config/artifact-scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactScan {
    /// Whether artifacts are fetched and scanned.
    #[serde(default)]
    pub enabled: bool,
    /// Kinds of sources to scan. All that have artifacts when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub kinds: Vec<ArtifactKind>,
    /// Largest artifact that is read, in bytes as served (compressed).
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 1_048_576, max = 1_073_741_824))]
    pub max_bytes: i64,
    /// Hosts that artifacts may be fetched from, besides the Services of Flux's own controllers, by http on port 80 and by
    /// https on port 443 unless another is given. For ExternalArtifacts of other producers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(
            length(min = 1, max = 259),
            regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[1-9][0-9]{0,4})?$")
        )
    )]
    pub hosts: Vec<String>,
}

/// Kinds of sources that have artifacts with files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ArtifactKind {
    /// Git.
    GitRepository,
    /// OCI.
    #[serde(rename = "OCIRepository")]
    OciRepository,
    /// Object storage.
    Bucket,
    /// Charts.
    HelmChart,
    /// What others make.
    ExternalArtifact,
}

/// What is published besides the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outputs {
    /// Kubernetes Events on transitions.
    #[serde(default = "yes")]
    pub events: bool,
    /// Publishes the results as a ClusterReport and Reports of openreports.io, too. This needs their
    /// CustomResourceDefinitions and the rights in config/open-reports.
    #[serde(default)]
    pub open_reports: bool,
    /// Metrics of each failing object, too: flux_security_object_findings, at most 2000 series for this policy.
    #[serde(default)]
    pub object_metrics: bool,
}

/// Bounds of the cluster report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportBounds {
    /// How many findings the cluster report lists at most; the rest is counted in truncatedFindings.
    #[serde(default = "default_max_findings")]
    #[schemars(range(min = 0, max = 1000))]
    pub max_findings: i32,
    /// How many past changes the report keeps.
    #[serde(default = "default_history")]
    #[schemars(range(min = 1, max = 100))]
    pub history: i32,
}

/// What the operator says about a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FluxSecurityPolicyStatus {
    /// Generation of the spec that the conditions speak of.
    #[serde(default)]
    pub observed_generation: i64,
    /// Ready, Reconciling, Stalled, Compliant; OutputsReady as long as something that the policy asks for beside the
    /// report is not delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Last value of the annotation reconcile.fluxcd.io/requestedAt that was acted on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_handled_reconcile_at: String,
}

impl Default for FluxSecurityPolicySpec {
    fn default() -> Self {
        Self {
            tenancy: Tenancy::default(),
            suspend: false,
            interval: default_interval(),
            fail_on: default_fail_on(),
            flux_namespaces: Vec::new(),
            platform: Platform::default(),
            tenants: Tenants::default(),
            controls: Vec::new(),
            custom_controls: Vec::new(),
            attestations: Vec::new(),
            secrets: Secrets::default(),
            outputs: Outputs::default(),
            report: ReportBounds::default(),
            cluster_name: String::new(),
        }
    }
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            namespaces: default_platform_namespaces(),
            subjects: Vec::new(),
        }
    }
}

impl Default for Tenants {
    fn default() -> Self {
        Self {
            namespace_selector: NamespaceSelector::default(),
            label: default_tenant_label(),
        }
    }
}

impl Default for ArtifactScan {
    fn default() -> Self {
        Self {
            enabled: false,
            kinds: Vec::new(),
            max_bytes: default_max_bytes(),
            hosts: Vec::new(),
        }
    }
}

impl Default for Outputs {
    fn default() -> Self {
        Self {
            events: true,
            open_reports: false,
            object_metrics: false,
        }
    }
}

impl Default for ReportBounds {
    fn default() -> Self {
        Self {
            max_findings: default_max_findings(),
            history: default_history(),
        }
    }
}

fn default_interval() -> String {
    "10m".to_owned()
}

/// Kubernetes' own, and ours as the releases install it.
fn default_platform_namespaces() -> Vec<String> {
    vec!["kube-*".to_owned(), super::INSTALL_NAMESPACE.to_owned()]
}

/// The label that `flux create tenant` sets.
fn default_tenant_label() -> String {
    "toolkit.fluxcd.io/tenant".to_owned()
}

fn default_fail_on() -> Severity {
    Severity::High
}

/// 64 MiB.
fn default_max_bytes() -> i64 {
    64 * 1024 * 1024
}

fn default_max_findings() -> i32 {
    200
}

fn default_history() -> i32 {
    20
}

fn yes() -> bool {
    true
}
