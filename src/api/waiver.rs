//! `FluxSecurityWaiver`: a risk that somebody accepts for a while. Written by the security team.
#![allow(clippy::duplicated_attributes, reason = "columns of a table look alike")]
#![allow(
    unreachable_pub,
    reason = "the derive puts a copy of the type into a function"
)]

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ResourceRef;
use super::common::Condition;
use super::glob;

/// How long a waiver may last after its creation.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(365 * 24);

/// A risk that somebody accepts: what fails on these objects does not count until the waiver expires.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "fluxsecurity.dev",
    version = "v1alpha1",
    kind = "FluxSecurityWaiver",
    plural = "fluxsecuritywaivers",
    singular = "fluxsecuritywaiver",
    shortname = "fsw",
    category = "fluxcd",
    category = "fluxcd-security",
    doc = "FluxSecurityWaiver is an accepted risk: findings of a control on some objects that do not count until it expires.",
    status = "FluxSecurityWaiverStatus",
    derive = "PartialEq",
    printcolumn(name = "Control", type_ = "string", json_path = ".spec.control"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".spec.expires"),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!self.control.endsWith('*') || self.resources.all(it, (has(it.__namespace__) && it.__namespace__.matches('[^*]')) || (has(it.name) && it.name.matches('[^*]')))",
    "too broad: a control that ends with a star needs resources with a namespace or a name; give every resource one")
)]
pub struct FluxSecurityWaiverSpec {
    /// Id of the control, for example FSP-KUST-003, or the beginning of ids with a star at its end, for example
    /// FSP-MT-*.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        validation = ("self.matches('^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*-([A-Z0-9]+|[A-Z0-9]*[*])$')",
        "control must be the id of a control, for example FSP-KUST-003, or the beginning of one with a star at its end, for example FSP-MT-*")
    )]
    pub control: String,

    /// The objects that it covers: a finding is covered when one of these matches its object.
    #[schemars(length(min = 1, max = 64))]
    pub resources: Vec<WaivedResource>,

    /// Names of the policies that it applies to. All when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub policies: Vec<String>,

    /// Why the risk is accepted, in at least 10 characters.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = ("self.trim().size() >= 10 && self.matches('[\\\\p{L}\\\\p{N}]')",
        "reason must say in at least 10 characters why the risk is accepted")
    )]
    pub reason: String,

    /// Who answers for it.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = ("self.matches('[\\\\p{L}\\\\p{N}]')", "owner must name who answers for it")
    )]
    pub owner: String,

    /// Where it was discussed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub ticket: String,

    /// When it ends: an instant at most 365 days after its creation, for example 2030-01-31T00:00:00Z.
    pub expires: Time,
}

/// Objects that a waiver is for. `*` stands for any text, and so does what is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("(has(self.kind) && self.kind.matches('[^*]')) || (has(self.__namespace__) && self.__namespace__.matches('[^*]')) || (has(self.name) && self.name.matches('[^*]'))",
    "too broad: this matches every object; give a kind, a namespace or a name, or turn the control off in the policy")
)]
pub struct WaivedResource {
    /// Kind, for example Kustomization.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    #[x_kube(
        validation = ("self.matches('^[A-Za-z0-9*]*$')", "kind may have letters, digits and stars")
    )]
    pub kind: String,
    /// Namespace of the object; of a Namespace, its own name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    #[x_kube(
        validation = ("self.matches('^[-a-z0-9*]*$')", "namespace may have lowercase letters, digits, dashes and stars")
    )]
    pub namespace: String,
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = ("self.matches('^[!-~]*$')", "name may have printable ASCII characters without spaces; a star stands for any text")
    )]
    pub name: String,
}

/// What the operator says about a waiver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FluxSecurityWaiverStatus {
    /// Generation of the spec that this status is about.
    #[serde(default)]
    pub observed_generation: i64,
    /// Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Active, ExpiringSoon, Expired or Unmatched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<WaiverState>,
    /// How many findings it matches, whether it is still in effect or not.
    #[serde(default)]
    pub matched: i32,
    /// The value of spec.expires that the last warning was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warned_of: Option<Time>,
    /// How many days were left when the last warning was sent: 14, 7, 1, or 0 at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warned_days: Option<i32>,
    /// When the Event WaiverUnmatched was last sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_unmatched: Option<Time>,
}

/// How a waiver stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WaiverState {
    /// It covers findings.
    Active,
    /// It covers findings, and will not for much longer: 14 days at most.
    ExpiringSoon,
    /// It has ended and covers nothing.
    Expired,
    /// No finding matches it.
    Unmatched,
}

impl WaiverState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Active, Self::ExpiringSoon, Self::Expired, Self::Unmatched];

    /// The word in statuses and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::ExpiringSoon => "ExpiringSoon",
            Self::Expired => "Expired",
            Self::Unmatched => "Unmatched",
        }
    }
}

impl fmt::Display for WaiverState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is wrong with a waiver: the field, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// Path of the field.
    pub field: String,
    /// One sentence.
    pub problem: &'static str,
}

impl FluxSecurityWaiverSpec {
    /// Whether a control is meant.
    #[must_use]
    pub fn is_for_control(&self, id: &str) -> bool {
        match self.control.strip_suffix('*') {
            Some(beginning) => id.starts_with(beginning),
            None => self.control == id,
        }
    }

    /// Whether a policy is meant.
    #[must_use]
    pub fn is_for_policy(&self, name: &str) -> bool {
        self.policies.is_empty() || self.policies.iter().any(|policy| policy == name)
    }

    /// Checks what the API server checks, for waivers that it has not seen, or has seen with an older definition.
    ///
    /// # Errors
    /// It would be refused.
    pub fn check(&self, created: Timestamp) -> Result<(), Invalid> {
        let refuse = |field: &str, problem| {
            Err(Invalid {
                field: format!("spec.{field}"),
                problem,
            })
        };
        if !is_control(&self.control) {
            return refuse(
                "control",
                "this is neither the id of a control, for example FSP-KUST-003, nor the beginning of one with a star at its end, for example FSP-MT-*",
            );
        }
        if self.resources.is_empty() || self.resources.len() > 64 {
            return refuse("resources", "there must be 1 to 64");
        }
        for (position, resource) in self.resources.iter().enumerate() {
            if let Err((field, problem)) = resource.check(self.control.ends_with('*')) {
                return refuse(&format!("resources[{position}]{field}"), problem);
            }
        }
        let is_name = |name: &String| !name.is_empty() && name.len() <= 253;
        if self.policies.len() > 64 || !self.policies.iter().all(is_name) {
            return refuse("policies", "there may be 64 names");
        }
        let says_something = |text: &str| text.chars().any(char::is_alphanumeric);
        let length = self.reason.trim().chars().count();
        if length < 10 || self.reason.chars().count() > 1024 || !says_something(&self.reason) {
            return refuse("reason", "say in 10 to 1024 characters why the risk is accepted");
        }
        if !says_something(&self.owner) || self.owner.chars().count() > 253 {
            return refuse("owner", "name who answers for it");
        }
        if self.ticket.chars().count() > 1024 {
            return refuse("ticket", "this is longer than 1024 characters");
        }
        if self.expires.0.duration_since(created) > LONGEST {
            return refuse(
                "expires",
                "this is more than 365 days after the creation of the waiver",
            );
        }
        Ok(())
    }
}

impl WaivedResource {
    /// Whether an object is meant.
    #[must_use]
    pub fn is_for(&self, resource: &ResourceRef) -> bool {
        let fits = |pattern: &str, text: &str| pattern.is_empty() || glob::matches(pattern, text);
        fits(&self.name, &resource.name)
            && fits(&self.namespace, resource.home())
            && fits(&self.kind, &resource.kind)
    }

    fn check(&self, of_several_controls: bool) -> Result<(), (&'static str, &'static str)> {
        let has_only = |text: &str, allowed: fn(char) -> bool, most: usize| {
            text.len() <= most && text.chars().all(|it| it == '*' || allowed(it))
        };
        if !has_only(&self.kind, |it| it.is_ascii_alphanumeric(), 63) {
            return Err((".kind", "a kind may have letters, digits and stars"));
        }
        let of_namespace = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
        if !has_only(&self.namespace, of_namespace, 63) {
            return Err((
                ".namespace",
                "a namespace may have lowercase letters, digits, dashes and stars",
            ));
        }
        if !has_only(&self.name, |it| it.is_ascii_graphic(), 253) {
            return Err((
                ".name",
                "a name may have printable ASCII characters without spaces; a star stands for any text",
            ));
        }
        let is_placed = glob::is_fixed(&self.namespace) || glob::is_fixed(&self.name);
        if !is_placed && !glob::is_fixed(&self.kind) {
            return Err((
                "",
                "too broad: this matches every object; give a kind, a namespace or a name, or turn the control off in the policy",
            ));
        }
        if !is_placed && of_several_controls {
            return Err((
                "",
                "too broad: a control that ends with a star needs resources with a namespace or a name",
            ));
        }
        Ok(())
    }
}

/// Ids as the catalogue and policies have them, and beginnings of those up to a star.
fn is_control(text: &str) -> bool {
    let is_part = |part: &str| {
        let mut characters = part.chars();
        !part.is_empty() && characters.all(|it| it.is_ascii_uppercase() || it.is_ascii_digit())
    };
    let begins = text.starts_with(|first: char| first.is_ascii_uppercase());
    let Some((chapter, last)) = text.rsplit_once('-') else {
        return false;
    };
    let last = last
        .strip_suffix('*')
        .map_or_else(|| is_part(last), |last| last.is_empty() || is_part(last));
    begins && last && text.len() <= 64 && chapter.split('-').all(is_part)
}
