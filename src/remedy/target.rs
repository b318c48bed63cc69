//! One controller whose command line is changed.

use std::collections::BTreeSet;

use crate::flux::command_line::CommandLine;
use crate::flux::command_line::amend::{Amended, Edit, Obstacle, Wanted};
use crate::flux::container::Container;
use crate::inventory::instances::{Launch, LaunchSource};
use crate::inventory::{Instance, InstanceKey, Inventory, ObjectKey};
use crate::kinds::workload::{Deployment, StatefulSet, Workload};

use super::Setting;

/// A controller, with what is changed of it so far.
pub(super) struct Target<'a> {
    pub(super) key: &'a InstanceKey,
    pub(super) instance: &'a Instance,
    pub(super) workload: &'a Workload,
    /// Position of its container in the template.
    pub(super) position: usize,
    /// The container as it is.
    pub(super) container: &'a Container,
    pub(super) amended: Amended<'a>,
    pub(super) steps: Vec<Step>,
}

/// A setting that is brought about.
pub(super) struct Step {
    pub(super) wanted: Wanted,
    pub(super) account: String,
    pub(super) controls: BTreeSet<&'static str>,
    pub(super) edits: Vec<Edit>,
}

impl Step {
    /// Whether it says where arguments are.
    pub(super) fn is_positional(&self) -> bool {
        !self.edits.iter().all(|edit| matches!(edit, Edit::Append(_)))
    }
}

/// The command line of the template.
pub(super) fn template(instance: &Instance) -> Option<&Launch> {
    let mut launches = instance.launches.iter();
    launches.find(|launch| launch.source == LaunchSource::Template)
}

/// Whether a controller's version knows a setting.
pub(super) fn knows(instance: &Instance, wanted: Wanted) -> bool {
    let is_met = template(instance).map(|launch| wanted.is_met(&launch.evaluation));
    !matches!(is_met, Some(Err(Obstacle::Unsupported(_))))
}

/// The workload of a controller.
pub(super) fn workload<'a>(inventory: &'a Inventory, key: &InstanceKey) -> Option<&'a Workload> {
    let object = ObjectKey::new(&key.namespace, &key.name);
    match &*key.kind {
        "Deployment" => inventory.table::<Deployment>().get(&object),
        "StatefulSet" => inventory.table::<StatefulSet>().get(&object),
        _ => None,
    }
}

impl<'a> Target<'a> {
    /// A controller as it is; `None`: its workload is not seen.
    pub(super) fn new(
        inventory: &'a Inventory,
        key: &'a InstanceKey,
        instance: &'a Instance,
    ) -> Option<Self> {
        let workload = workload(inventory, key)?;
        let launch = template(instance)?;
        let mut containers = workload.template.containers.iter();
        let position = containers.position(|container| container.name == launch.container)?;
        let container = &launch.definition;
        let amended = Amended::new(CommandLine {
            component: key.component,
            version: instance.version.as_ref(),
            container,
            pod_namespace: &key.namespace,
            pod_name: None,
        });
        Some(Self {
            key,
            instance,
            workload,
            position,
            container,
            amended,
            steps: Vec::new(),
        })
    }

    /// Brings a setting about, with the gate that it needs. False: it is in force already.
    pub(super) fn make(
        &mut self,
        wanted: Wanted,
        account: &str,
        controls: &BTreeSet<&'static str>,
    ) -> Result<bool, Obstacle> {
        let mut amended = self.amended.clone();
        let mut edits = Vec::new();
        if let Some(gate) = amended.gate_for(wanted, account) {
            edits.extend(amended.make(gate, account)?);
        }
        let more = amended.make(wanted, account)?;
        if more.is_empty() {
            return Ok(false);
        }
        edits.extend(more);
        self.amended = amended;
        self.steps.push(Step {
            wanted,
            account: account.to_owned(),
            controls: controls.clone(),
            edits,
        });
        Ok(true)
    }

    /// The same controller without some of the settings.
    pub(super) fn without(self, inventory: &'a Inventory, done: impl Fn(Wanted) -> bool) -> Option<Self> {
        self.keep(inventory, |step| !done(step.wanted))
    }

    /// The same controller with some of the steps only.
    pub(super) fn keep(self, inventory: &'a Inventory, keeps: impl Fn(&Step) -> bool) -> Option<Self> {
        let mut rest = Self::new(inventory, self.key, self.instance)?;
        for step in self.steps.into_iter().filter(keeps) {
            // What could be done beside another setting can be done without it, or has become needless.
            let _ = rest.make(step.wanted, &step.account, &step.controls);
        }
        (!rest.steps.is_empty()).then_some(rest)
    }

    /// What it gets.
    pub(super) fn settings(&self) -> impl Iterator<Item = Setting<'a>> {
        self.steps.iter().map(|step| Setting {
            key: self.key,
            instance: self.instance,
            wanted: step.wanted,
            account: step.account.clone(),
        })
    }
}
