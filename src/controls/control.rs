//! What a control is, and what it may say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::judges::Judges;
use crate::api::{Severity, Tenancy};
use crate::inventory::{Missing, Read, SubjectKey};

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
    /// What the verdict depends on besides the subject itself.
    #[serde(skip)]
    pub reads: &'static [Read],
    /// Tuning that a policy may set.
    pub parameters: &'static [Parameter],
    /// What is judged, and how.
    #[serde(skip)]
    pub judges: Judges,
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
    /// Values that it may take, the first is the default; none: any text, and the empty one is the default.
    pub values: &'static [&'static str],
    /// What it does.
    pub about: &'static str,
}

/// The parameters of one policy for one control.
pub type Parameters = BTreeMap<String, String>;

/// What a control says when it could judge.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Read, and good.
    Pass,
    /// Read, and bad: at least one defect, each of which is a finding.
    Fail(Vec<Defect>),
    /// Only a person can judge it: what there is to look at.
    Manual(Cow<'static, str>),
    /// Does not apply to this subject.
    NotApplicable(Cow<'static, str>),
}

impl Outcome {
    /// One defect.
    pub fn fail(defect: Defect) -> Self {
        Self::Fail(vec![defect])
    }

    /// The defects that were found; none is a pass.
    pub fn from_defects(defects: Vec<Defect>) -> Self {
        if defects.is_empty() {
            return Self::Pass;
        }
        Self::Fail(defects)
    }

    /// Does not apply, because.
    pub fn not_applicable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::NotApplicable(reason.into())
    }
}

/// What is wrong with a subject, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Defect {
    /// Container.
    pub container: String,
    /// The deciding argument as written; empty when it is absent.
    pub argument: String,
    /// Path of the field.
    pub field: String,
    /// File of a source that it is in; empty: it is in the object.
    pub file: String,
    /// Line of that file, from 1.
    pub line: Option<u32>,
    /// What was read.
    pub observed: String,
    /// What the recommendation asks for.
    pub expected: String,
    /// One sentence for a person.
    pub message: String,
    /// Severity in this situation when it is not the control's, for instance Info because the controller is scaled
    /// to zero. A severity that the policy sets wins, but over Info.
    pub severity: Option<Severity>,
    /// The object that is to be changed when it is not the judged one, for instance a binding.
    pub about: Option<SubjectKey>,
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
            .and_then(|parameter| parameter.values.first())
            .map_or("", |default| default)
    }
}
