//! Which objects an expression is about, and what it says of each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::expression::{Expression, Failure, Object};
use crate::api::custom::{CustomControl, CustomMatch};
use crate::api::glob;
use crate::kinds::Meta;

/// Most custom controls of a policy.
const MOST: usize = 100;
/// Characters of the longest title, and bytes of the longest message.
const LONGEST_TITLE: usize = 128;
const LONGEST_MESSAGE: usize = 1024;
/// The prefixes of the catalogue's own controls.
pub const RESERVED: [&str; 2] = ["FSP-", "FSX-"];
/// The version that stands for the one that the cluster prefers.
const ANY: &str = "*";

/// A kind as policies name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// API group; empty for the core group.
    pub group: Box<str>,
    /// Version; `None`: the one that the cluster prefers.
    pub version: Option<Box<str>>,
    /// Kind.
    pub kind: Box<str>,
}

/// An expression, and the objects that it is about. Where policies ask for the same, there is one.
#[derive(Debug)]
pub struct Check {
    /// What makes it this one: all that follows, as text.
    pub key: Box<str>,
    /// The kind of the objects.
    pub target: Arc<Target>,
    namespaces: Vec<String>,
    names: Vec<String>,
    labels: BTreeMap<String, String>,
    expression: Expression,
}

/// What an expression says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Said {
    /// It is not about it.
    Nothing,
    /// True.
    Yes,
    /// False.
    No,
    /// It has no result.
    Unknown,
}

/// What is kept of an object: what each expression says of it, and why some say nothing. Not the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomRow {
    /// Unique over time.
    pub uid: Box<str>,
    /// Group and version that it was read in; empty: those that the policy names.
    pub api_version: Box<str>,
    said: Box<[Said]>,
    reasons: Box<[(u16, Failure)]>,
}

/// All that is asked of the objects of a kind.
#[derive(Debug)]
pub struct Demand {
    /// The kind.
    pub target: Arc<Target>,
    /// Grows with each change: what an older one found out is not taken for what this one asks.
    pub generation: u64,
    /// The expressions.
    pub checks: Box<[Arc<Check>]>,
}

/// What is asked of which kinds.
pub type Demands = BTreeMap<Arc<Target>, Arc<Demand>>;

/// What some checks ask of which kinds: those of a kind in one order, each once.
#[must_use]
pub fn by_kind<'a>(
    checks: impl IntoIterator<Item = &'a Arc<Check>>,
) -> BTreeMap<Arc<Target>, Vec<Arc<Check>>> {
    let mut kinds: BTreeMap<Arc<Target>, BTreeMap<&str, &Arc<Check>>> = BTreeMap::new();
    for check in checks {
        let same = kinds.entry(check.target.clone()).or_default();
        same.insert(&check.key, check);
    }
    let kinds = kinds.into_iter();
    kinds
        .map(|(target, checks)| (target, checks.into_values().cloned().collect()))
        .collect()
}

/// What a policy alone asks; nothing, when one of its custom controls is none.
#[must_use]
pub fn demands(controls: &[CustomControl]) -> Demands {
    let checks = checks(controls).unwrap_or_default();
    let demand = |(target, checks): (Arc<Target>, Vec<Arc<Check>>)| {
        let demand = Demand {
            target: target.clone(),
            generation: 0,
            checks: checks.into(),
        };
        (target, Arc::new(demand))
    };
    by_kind(&checks).into_iter().map(demand).collect()
}

impl Check {
    /// Reads a custom control.
    ///
    /// # Errors
    /// What is wrong with it: the field, and why.
    pub fn new(control: &CustomControl) -> Result<Self, String> {
        if !is_id(&control.id) {
            return Err(format!(".id: {:?} is no id, for example ACME-001", control.id));
        }
        if RESERVED.iter().any(|prefix| control.id.starts_with(prefix)) {
            return Err(format!(
                ".id: {} has a prefix of the catalogue: choose one of your own",
                control.id
            ));
        }
        if control.title.is_empty() || control.title.chars().count() > LONGEST_TITLE {
            return Err(format!(
                ".title of {}: 1 to {LONGEST_TITLE} characters are a title",
                control.id
            ));
        }
        if control.message.len() > LONGEST_MESSAGE {
            return Err(format!(
                ".message of {}: is longer than {LONGEST_MESSAGE} bytes",
                control.id
            ));
        }
        let target =
            Target::new(&control.matches).map_err(|reason| format!(".match of {}: {reason}", control.id))?;
        let expression = Expression::compile(&control.expression)
            .map_err(|invalid| format!(".expression of {}, {invalid}", control.id))?;
        let matches = &control.matches;
        Ok(Self {
            key: key(matches, &control.expression),
            target: Arc::new(target),
            namespaces: matches.namespaces.clone(),
            names: matches.names.clone(),
            labels: matches.labels.clone(),
            expression,
        })
    }

    /// Whether the expression is about an object, as far as the object itself tells.
    fn is_about(&self, meta: &Meta) -> bool {
        let is_namespace = &*self.target.kind == "Namespace" && self.target.group.is_empty();
        let home = if is_namespace { &meta.name } else { &meta.namespace };
        let fits = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| glob::matches(pattern, text))
        };
        fits(&self.namespaces, home)
            && fits(&self.names, &meta.name)
            && self
                .labels
                .iter()
                .all(|(name, value)| meta.labels.get(name) == Some(value))
    }
}

/// Checks all custom controls of a policy.
///
/// # Errors
/// What is wrong with the first that is none: field, control, position and reason.
pub fn checks(controls: &[CustomControl]) -> Result<Vec<Arc<Check>>, String> {
    if controls.len() > MOST {
        return Err(format!("spec.customControls: there are more than {MOST}"));
    }
    let mut checks = Vec::with_capacity(controls.len());
    for (position, control) in controls.iter().enumerate() {
        let is_twice = controls[..position]
            .iter()
            .any(|earlier| earlier.id == control.id);
        if is_twice {
            return Err(format!(
                "spec.customControls[{position}].id: {} is there twice",
                control.id
            ));
        }
        let check =
            Check::new(control).map_err(|reason| format!("spec.customControls[{position}]{reason}"))?;
        checks.push(Arc::new(check));
    }
    Ok(checks)
}

fn is_id(id: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    id.len() <= 64
        && id.contains('-')
        && id.starts_with(|first: char| first.is_ascii_uppercase())
        && id.split('-').all(is_part)
}

/// Of a label that the namespace must have nothing is said here: whoever knows the namespaces does that.
fn key(matches: &CustomMatch, expression: &str) -> Box<str> {
    let parts = serde_json::to_string(&(
        &matches.api_version,
        &matches.kind,
        &matches.namespaces,
        &matches.names,
        &matches.labels,
        expression,
    ));
    parts.unwrap_or_default().into()
}

impl Target {
    fn new(matches: &CustomMatch) -> Result<Self, String> {
        let (group, version) = match matches.api_version.split_once('/') {
            Some((group, version)) => (group, version),
            None => ("", matches.api_version.as_str()),
        };
        let is_name = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        };
        if version.is_empty() || version != ANY && !is_name(version) || !is_name(group) {
            return Err(format!(
                "{:?} is no apiVersion, for example apps/v1",
                matches.api_version
            ));
        }
        if matches.kind.is_empty() || !is_name(&matches.kind) {
            return Err(format!("{:?} is no kind, for example ConfigMap", matches.kind));
        }
        if group.is_empty() && matches.kind.eq_ignore_ascii_case("Secret") {
            return Err("Secrets are never read".to_owned());
        }
        Ok(Self {
            group: group.into(),
            version: (version != ANY).then(|| version.into()),
            kind: matches.kind.as_str().into(),
        })
    }

    /// Group and version, for instance `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        let version = self.version.as_deref().unwrap_or(ANY);
        match &*self.group {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        }
    }

    /// What metrics call it, for instance `Deployment.v1.apps`: no other kind is called so.
    #[must_use]
    pub fn full_name(&self) -> String {
        let version = self.version.as_deref().unwrap_or(ANY);
        match &*self.group {
            "" => format!("{}.{version}", self.kind),
            group => format!("{}.{version}.{group}", self.kind),
        }
    }

    /// Whether an object of this group, version and kind is one.
    #[must_use]
    pub fn is(&self, group: &str, kind: &str) -> bool {
        *self.group == *group && *self.kind == *kind
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.kind, self.api_version())
    }
}

impl Demand {
    /// What the expressions say of an object; `None`: none is about it.
    ///
    /// # Errors
    /// The object cannot be read.
    pub fn project(&self, meta: &Meta, object: &str) -> Result<Option<CustomRow>, serde_json::Error> {
        if !self.checks.iter().any(|check| check.is_about(meta)) {
            return Ok(None);
        }
        let value = Object::parse(object)?;
        let mut reasons = Vec::new();
        let said: Box<[Said]> = self
            .checks
            .iter()
            .enumerate()
            .map(|(position, check)| {
                if !check.is_about(meta) {
                    return Said::Nothing;
                }
                match value.evaluate(&check.expression) {
                    Ok(true) => Said::Yes,
                    Ok(false) => Said::No,
                    Err(failure) => {
                        reasons.push((u16::try_from(position).unwrap_or(u16::MAX), failure));
                        Said::Unknown
                    }
                }
            })
            .collect();
        Ok(Some(CustomRow {
            uid: meta.uid.as_str().into(),
            api_version: if meta.api_version == self.target.api_version() {
                Box::default()
            } else {
                meta.api_version.as_str().into()
            },
            said,
            reasons: reasons.into(),
        }))
    }

    /// Whether another one asks the same.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.asks_for(&other.checks)
    }

    /// Whether these are the expressions.
    #[must_use]
    pub fn asks_for(&self, checks: &[Arc<Check>]) -> bool {
        let keys = |checks: &[Arc<Check>]| checks.iter().map(|check| check.key.clone()).collect::<Vec<_>>();
        keys(&self.checks) == keys(checks)
    }

    /// Which of the expressions this is.
    #[must_use]
    pub fn position(&self, check: &str) -> Option<usize> {
        self.checks.iter().position(|it| *it.key == *check)
    }
}

impl CustomRow {
    /// What an expression says.
    #[must_use]
    pub fn said(&self, position: usize) -> Said {
        self.said.get(position).copied().unwrap_or(Said::Nothing)
    }

    /// Why an expression has no result.
    #[must_use]
    pub fn reason(&self, position: usize) -> Option<&Failure> {
        let mut reasons = self.reasons.iter();
        reasons
            .find(|(at, _)| usize::from(*at) == position)
            .map(|(_, failure)| failure)
    }
}
