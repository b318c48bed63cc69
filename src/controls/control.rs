//! What a control is, and what it may say.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::{Severity, Tenancy};
use crate::flux::Component;
use crate::inventory::{Instance, InstanceKey, Missing, View};
use crate::kinds::KindId;

/// One recommendation, with everything that an auditor needs to defend its verdict.
#[derive(Serialize)]
pub struct Control {
    /// `FSP-…` from the document, `FSX-…` beyond it.
    pub id: &'static str,
    /// The recommendation in one line.
    pub title: &'static str,
    /// Chapter of the document.
    pub chapter: &'static str,
    /// Severity by tenancy.
    pub severity: Severities,
    /// Why it matters.
    pub rationale: &'static str,
    /// What is read, and what makes it fail.
    pub audit: &'static str,
    /// How to repair it.
    pub remediation: &'static str,
    /// Where the recommendation comes from.
    pub reference: &'static str,
    /// The controllers that it judges; one verdict each.
    #[serde(skip)]
    pub components: &'static [Component],
    /// Kinds that the verdict depends on besides the controller itself.
    #[serde(skip)]
    pub reads: &'static [fn() -> KindId],
    /// Tuning that a policy may set.
    pub parameters: &'static [Parameter],
    /// Judges one controller.
    #[serde(skip)]
    pub judge: fn(&Subject<'_>) -> Result<Outcome, Missing>,
}

/// Severity of a control by tenancy. `None`: the tenancy does not call for it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Severities {
    /// One team.
    pub none: Option<Severity>,
    /// Tenants share the cluster.
    pub shared: Option<Severity>,
    /// A management cluster of tenant clusters.
    pub dedicated: Option<Severity>,
}

impl Severities {
    /// The same severity under every tenancy.
    #[must_use]
    pub const fn always(severity: Severity) -> Self {
        Self {
            none: Some(severity),
            shared: Some(severity),
            dedicated: Some(severity),
        }
    }

    /// Applies only where tenants share the cluster.
    #[must_use]
    pub const fn shared(severity: Severity) -> Self {
        Self {
            none: None,
            shared: Some(severity),
            dedicated: None,
        }
    }

    /// Another severity where tenants share the cluster.
    #[must_use]
    pub const fn raised(severity: Severity, shared: Severity) -> Self {
        Self {
            none: Some(severity),
            shared: Some(shared),
            dedicated: Some(severity),
        }
    }

    /// The severity under a tenancy; `None`: not applicable.
    #[must_use]
    pub const fn under(&self, tenancy: Tenancy) -> Option<Severity> {
        match tenancy {
            Tenancy::None => self.none,
            Tenancy::Shared => self.shared,
            Tenancy::Dedicated => self.dedicated,
        }
    }
}

/// A tuning knob of a control.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Parameter {
    /// Name in `spec.controls[].parameters`.
    pub name: &'static str,
    /// Values that it may take; the first is the default.
    pub values: &'static [&'static str],
    /// What it does.
    pub about: &'static str,
}

/// The parameters of one policy for one control.
pub type Parameters = BTreeMap<String, String>;

/// What is judged: one controller, seen with its surroundings.
pub struct Subject<'a> {
    /// Which controller.
    pub key: &'a InstanceKey,
    /// What is known of it.
    pub instance: &'a Instance,
    /// Everything else, for what the control declares in [`Control::reads`].
    pub view: &'a View<'a>,
    /// Tuning.
    pub parameters: &'a Parameters,
}

/// What a control says when it could judge.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Read, and good.
    Pass,
    /// Read, and bad.
    Fail(Box<Defect>),
    /// Does not apply to this controller.
    NotApplicable(String),
}

/// What is wrong with an object, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defect {
    /// Container.
    pub container: String,
    /// The deciding argument as written; empty when it is absent.
    pub argument: String,
    /// Path of the field.
    pub field: String,
    /// What was read.
    pub observed: String,
    /// What the recommendation asks for.
    pub expected: String,
    /// One sentence for a person.
    pub message: String,
    /// The finding weighs nothing in this situation, for instance because the controller is scaled to zero.
    pub informational: bool,
}

/// An outcome, or why there is none. There is no default and no way from a bool: the unknown cannot be negated into
/// a pass.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Judged.
    Judged(Outcome),
    /// Could not be judged.
    Unknown(Missing),
}

impl Control {
    /// The value of a parameter: the policy's, else the default.
    #[must_use]
    pub fn parameter<'a>(&self, name: &str, set: &'a Parameters) -> &'a str {
        if let Some(value) = set.get(name) {
            return value;
        }
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
            .map_or("", |parameter| parameter.values[0])
    }
}
