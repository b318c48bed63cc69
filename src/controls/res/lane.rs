//! What a controller watches: its namespaces, and the labels of its objects.

use super::super::judges::Subject;
use crate::flux::Component;
use crate::flux::command_line::Setting;
use crate::flux::container::{Container, EnvSource};
use crate::flux::selector::{Overlap, Selector};
use crate::inventory::instances::Launch;
use crate::inventory::{Instance, InstanceKey, Missing};

/// The share of the work that one command line takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    /// The one namespace that it watches; `None`: all.
    pub(super) namespace: Option<String>,
    /// Whether it was told to watch one namespace only.
    pub(super) is_narrow: bool,
    /// Which objects it takes.
    pub(super) selector: Selector,
}

/// A controller that ignored its selector before this version.
const OBEYS_SELECTOR: (u64, u64, u64) = (2, 2, 1);

/// The lanes of a controller, one a command line.
pub(super) fn lanes(key: &InstanceKey, instance: &Instance) -> Result<Vec<Lane>, Missing> {
    each(key, instance).collect()
}

/// The same, one by one.
pub(super) fn each<'a>(
    key: &'a InstanceKey,
    instance: &'a Instance,
) -> impl Iterator<Item = Result<Lane, Missing>> + 'a {
    let launches = instance.launches.iter();
    launches.map(move |launch| lane(key, instance, launch))
}

/// The other running controllers of the subject's type.
pub(super) fn others<'a>(subject: &Subject<'a>) -> Result<Vec<(&'a InstanceKey, &'a Instance)>, Missing> {
    let other = subject
        .view
        .peers()?
        .filter(|(key, instance)| *key != subject.key && !instance.inactive);
    Ok(other.collect())
}

impl Lane {
    /// Whether one object can be in both.
    pub(super) fn overlap(&self, other: &Self) -> Overlap {
        match (&self.namespace, &other.namespace) {
            (Some(one), Some(two)) if one != two => Overlap::Disjoint,
            _ => self.selector.overlap(&other.selector),
        }
    }
}

fn lane(key: &InstanceKey, instance: &Instance, launch: &Launch) -> Result<Lane, Missing> {
    let unread =
        |what: &str, reason: &str| Missing::new("ArgumentNotReadable", format!("{key}: {what}: {reason}"));
    let text = match launch.evaluation.text("watch-label-selector") {
        Setting::Known { value, .. } if obeys_selector(key, instance) => value,
        Setting::Known { .. } | Setting::Unsupported => "",
        Setting::Unknown(reason) => return Err(unread("--watch-label-selector", &reason)),
    };
    let selector = Selector::parse(text).map_err(|why| unread("--watch-label-selector", &why))?;
    let is_narrow = match launch.evaluation.bool("watch-all-namespaces") {
        Setting::Known { value, .. } => !value,
        Setting::Unsupported => false,
        Setting::Unknown(reason) => return Err(unread("--watch-all-namespaces", &reason)),
    };
    let namespace = if is_narrow {
        runtime_namespace(key, &launch.definition)?
    } else {
        None
    };
    Ok(Lane {
        namespace,
        is_narrow,
        selector,
    })
}

fn obeys_selector(key: &InstanceKey, instance: &Instance) -> bool {
    key.component != Component::SourceWatcher
        || super::super::flag::reaches(instance.version.as_ref(), OBEYS_SELECTOR)
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
