//! Custom controls: what a policy asks of objects of any kind.
#![allow(
    unreachable_pub,
    reason = "the derive puts a copy of the type into a function"
)]

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::Severity;
use super::policy::NamespaceSelector;

/// A control of your own: a CEL expression that must be true for each object that matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomControl {
    /// Id with a prefix of your own, for example ACME-001. FSP and FSX are the catalogue's.
    #[schemars(length(min = 3, max = 64), regex(pattern = r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$"))]
    #[x_kube(
        validation = ("!self.startsWith('FSP-') && !self.startsWith('FSX-')",
        "id must have a prefix of your own: FSP and FSX are the catalogue's")
    )]
    pub id: String,
    /// What it asks for, in one line.
    #[schemars(length(min = 1, max = 128))]
    pub title: String,
    /// How bad it is when it fails.
    #[serde(default = "default_severity")]
    pub severity: Severity,
    /// The objects that it is about.
    #[serde(rename = "match")]
    pub matches: CustomMatch,
    /// CEL expression that is true for an object that complies, as in a ValidatingAdmissionPolicy, with the variable
    /// `object` alone.
    #[schemars(length(min = 1, max = 4096))]
    pub expression: String,
    /// What is wrong with an object for which it is false, in one sentence; the title when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// Objects: all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomMatch {
    /// Group and version, for example v1 or apps/v1; a version of * is the one that the cluster prefers.
    #[schemars(
        length(min = 1, max = 317),
        regex(pattern = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?(v[a-z0-9]+|\*)$")
    )]
    pub api_version: String,
    /// Kind, for example ConfigMap. Never Secret.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// Names of namespaces; `*` stands for any text. When empty, all, and objects without a namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 63), regex(pattern = r"^[-a-z0-9*]+$"))
    )]
    pub namespaces: Vec<String>,
    /// Only in namespaces with these labels. All when empty; objects that are in no namespace always match.
    #[serde(default)]
    pub namespace_selector: NamespaceSelector,
    /// Names of objects; `*` stands for any text. All when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub names: Vec<String>,
    /// Labels that an object must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub labels: BTreeMap<String, String>,
}

const fn default_severity() -> Severity {
    Severity::Medium
}
