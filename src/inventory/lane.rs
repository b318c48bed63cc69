//! What a controller watches: its namespaces, and the labels of its objects.

use semver::Version;

use super::{InstanceKey, Missing};
use crate::flux::Component;
use crate::flux::command_line::{Evaluation, Setting};
use crate::flux::container::{Container, EnvSource};
use crate::flux::selector::{Overlap, Selector};

/// The share of the work that one command line takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The one namespace that it watches; `None`: all.
    pub namespace: Option<String>,
    /// Whether it was told to watch one namespace only.
    pub is_narrow: bool,
    /// Which objects it takes.
    pub selector: Selector,
}

/// A controller that ignored its selector before this version.
const OBEYS_SELECTOR: (u64, u64, u64) = (2, 2, 1);

impl Lane {
    /// Whether one object can be in both.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> Overlap {
        match (&self.namespace, &other.namespace) {
            (Some(one), Some(two)) if one != two => Overlap::Disjoint,
            _ => self.selector.overlap(&other.selector),
        }
    }
}

/// What a command line of a controller watches.
///
/// # Errors
/// An argument or a variable cannot be read.
pub(super) fn of(
    key: &InstanceKey,
    version: Option<&Version>,
    evaluation: &Evaluation,
    container: &Container,
) -> Result<Lane, Missing> {
    let unread =
        |what: &str, reason: &str| Missing::new("ArgumentNotReadable", format!("{key}: {what}: {reason}"));
    let text = match evaluation.text("watch-label-selector") {
        Setting::Known { value, .. } if obeys_selector(key, version) => value,
        Setting::Known { .. } | Setting::Unsupported => "",
        Setting::Unknown(reason) => return Err(unread("--watch-label-selector", &reason)),
    };
    let selector = Selector::parse(text).map_err(|why| unread("--watch-label-selector", &why))?;
    let is_narrow = match evaluation.bool("watch-all-namespaces") {
        Setting::Known { value, .. } => !value,
        Setting::Unsupported => false,
        Setting::Unknown(reason) => return Err(unread("--watch-all-namespaces", &reason)),
    };
    let namespace = if is_narrow {
        runtime_namespace(key, container)?
    } else {
        None
    };
    Ok(Lane {
        namespace,
        is_narrow,
        selector,
    })
}

fn obeys_selector(key: &InstanceKey, version: Option<&Version>) -> bool {
    let obeys = |version: &Version| (version.major, version.minor, version.patch) >= OBEYS_SELECTOR;
    key.component != Component::SourceWatcher || version.is_none_or(obeys)
}

/// The variable that a narrow controller takes its namespace from; `None`: it is empty, which stands for all.
fn runtime_namespace(key: &InstanceKey, container: &Container) -> Result<Option<String>, Missing> {
    let unread = |what: &str| {
        let message = format!("{key}: RUNTIME_NAMESPACE comes from {what}, which is not read");
        Missing::new("EnvironmentNotReadable", message)
    };
    let mut variables = container.env.iter().rev();
    match variables
        .find(|variable| variable.name == "RUNTIME_NAMESPACE")
        .map(|it| &it.source)
    {
        Some(EnvSource::Field(path)) if path == "metadata.namespace" => Ok(Some(key.namespace.to_string())),
        Some(EnvSource::Literal(value)) if value.contains("$(") => Err(unread("another variable")),
        Some(EnvSource::Literal(value)) => Ok(Some(value.clone()).filter(|value| !value.is_empty())),
        Some(EnvSource::Field(path)) => Err(unread(path)),
        Some(EnvSource::Unread(what)) => Err(unread(what)),
        None if container.has_env_from => Err(unread("envFrom")),
        None => Ok(None),
    }
}
