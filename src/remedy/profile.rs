//! Switches of installers that set several flags at once.

use std::collections::BTreeSet;

use crate::flux::Component;
use crate::flux::command_line::amend::Wanted::{self, Named, On};
use crate::flux::installer::Installer;

use super::target::{Target, template};
use super::{Plan, Setting};

/// A switch of an installer: the settings that it makes on each controller.
pub(super) struct Profile(fn(Component) -> &'static [Wanted]);

const REFS: Wanted = On("no-cross-namespace-refs");
const BASES: Wanted = On("no-remote-bases");
const ACCOUNT: Wanted = Named("default-service-account");

/// `spec.cluster.multitenant` of a FluxInstance.
pub(super) const FLUX_INSTANCE: Profile = Profile(|component| match component {
    Component::Kustomize => &[REFS, BASES, ACCOUNT],
    Component::Helm => &[REFS, ACCOUNT],
    Component::Notification
    | Component::ImageReflector
    | Component::ImageAutomation
    | Component::SourceWatcher => &[REFS],
    Component::Source | Component::FluxOperator => &[],
});

/// `spec.cluster.multitenantWorkloadIdentity` of a FluxInstance.
pub(super) const IDENTITY: Profile = Profile(|component| match component {
    Component::Kustomize => &[
        Named("default-decryption-service-account"),
        Named("default-kubeconfig-service-account"),
    ],
    Component::Helm => &[Named("default-kubeconfig-service-account")],
    Component::Source | Component::Notification | Component::ImageReflector | Component::ImageAutomation => {
        &[ACCOUNT]
    }
    Component::SourceWatcher | Component::FluxOperator => &[],
});

/// `multitenancy.enabled` of the community chart, and `multiTenancy.enforce` of the extension.
pub(super) const CHART: Profile = Profile(|component| match component {
    Component::Kustomize | Component::Helm => &[REFS, ACCOUNT],
    Component::Notification | Component::ImageReflector | Component::ImageAutomation => &[REFS],
    Component::Source | Component::SourceWatcher | Component::FluxOperator => &[],
});

/// `securityProfile: restricted` of the module flux-aio.
pub(super) const MODULE: Profile = Profile(|component| match component {
    Component::Kustomize => &[REFS, BASES, ACCOUNT],
    Component::Helm => &[REFS, ACCOUNT],
    Component::Notification => &[REFS],
    _ => &[],
});

/// A switch that is turned on.
pub(super) struct Switched<'a> {
    /// The controls that want it.
    pub(super) controls: BTreeSet<&'static str>,
    /// Everything that it sets.
    pub(super) settings: Vec<Setting<'a>>,
    /// What remains to be changed by itself.
    pub(super) rest: Vec<Target<'a>>,
}

impl Profile {
    fn sets(&self, component: Component, wanted: Wanted) -> bool {
        (self.0)(component).contains(&wanted)
    }

    /// Whether targets want something that it sets.
    pub(super) fn is_asked(&self, targets: &[Target<'_>]) -> bool {
        targets.iter().any(|target| {
            let mut steps = target.steps.iter();
            steps.any(|step| self.sets(target.key.component, step.wanted))
        })
    }

    /// Turns the switch on if that is what the targets ask for: something that it sets, and everything that it would set
    /// besides. `whole`: there is no other way, so it may set more. It is no remedy where it would set a flag twice; then
    /// the targets come back.
    pub(super) fn switch<'a>(
        &self,
        plan: &Plan<'a>,
        (namespace, installer): (&str, Installer),
        targets: Vec<Target<'a>>,
        whole: bool,
    ) -> Result<Switched<'a>, Vec<Target<'a>>> {
        let is_asked =
            |target: &Target<'_>, wanted: Wanted| target.steps.iter().any(|step| step.wanted == wanted);
        let mut settings = Vec::new();
        let (mut twice, mut more) = (false, false);
        for (key, instance) in plan.controllers(namespace, installer) {
            let Some(launch) = template(instance) else {
                continue;
            };
            for wanted in (self.0)(key.component) {
                let flag = wanted.flag().unwrap_or_default();
                twice |= !launch.evaluation.occurrences(flag).is_empty();
                if wanted.is_met(&launch.evaluation) != Ok(false) {
                    continue;
                }
                let mut own = targets.iter().filter(|target| target.key == key);
                more |= !own.any(|target| is_asked(target, *wanted));
                settings.push(Setting {
                    key,
                    instance,
                    wanted: *wanted,
                    account: plan.account_for(key, instance, *wanted),
                });
            }
        }
        let mut controls = BTreeSet::new();
        for target in &targets {
            let served = target
                .steps
                .iter()
                .filter(|step| self.sets(target.key.component, step.wanted));
            served.for_each(|step| controls.extend(&step.controls));
        }
        if twice || !whole && (more || controls.is_empty()) {
            return Err(targets);
        }
        let rest = targets.into_iter().filter_map(|target| {
            let component = target.key.component;
            target.without(plan.inventory, |wanted| self.sets(component, wanted))
        });
        Ok(Switched {
            controls,
            rest: rest.collect(),
            settings,
        })
    }
}
