//! Whether objects have identities of their own, so that controllers have to make tokens of other accounts.

use crate::flux::Component;
use crate::flux::command_line::{Evaluation, Setting, WORKLOAD_IDENTITY_GATE, workload_identity_flags};
use crate::inventory::{Missing, View};
use crate::kinds::flux_objects::{
    Applier, Bucket, CloudUser, GitRepository, HelmRelease, ImageRepository, Kustomization, OciRepository,
    Provider,
};
use crate::kinds::{Kind, Mark};

/// Whether an identity of an object is in use.
pub(super) fn is_used(view: &View<'_>) -> Result<bool, Missing> {
    match needs(view)? {
        Need::Used => Ok(true),
        Need::Unused => Ok(false),
        Need::ByObjects => is_used_by_objects(view),
    }
}

/// What the controllers say of it.
enum Need {
    /// The feature gate is on, or a default account is set.
    Used,
    /// The feature gate is off everywhere.
    Unused,
    /// The feature gate has been retired: the objects decide.
    ByObjects,
}

fn needs(view: &View<'_>) -> Result<Need, Missing> {
    let (mut by_objects, mut unread) = (false, None);
    for component in Component::ALL {
        for (key, instance) in view.accepted_controllers(component)? {
            for launch in &instance.launches {
                let evaluation = &launch.evaluation;
                by_objects |= evaluation.is_retired(WORKLOAD_IDENTITY_GATE);
                match is_switched_on(component, evaluation) {
                    Ok(true) => return Ok(Need::Used),
                    Ok(false) => {}
                    Err(reason) => unread = Some(format!("{key}: {reason}")),
                }
            }
        }
    }
    match unread {
        Some(message) => Err(Missing::new("ArgumentNotReadable", message)),
        None if by_objects => Ok(Need::ByObjects),
        None => Ok(Need::Unused),
    }
}

/// Whether a command line has the gate on or, where there is no gate any more, a default account.
fn is_switched_on(component: Component, evaluation: &Evaluation) -> Result<bool, String> {
    match evaluation.gate(WORKLOAD_IDENTITY_GATE) {
        Setting::Known { value, .. } => return Ok(value),
        Setting::Unknown(reason) => return Err(reason),
        Setting::Unsupported => {}
    }
    if !evaluation.is_retired(WORKLOAD_IDENTITY_GATE) {
        return Ok(false);
    }
    for flag in workload_identity_flags(component) {
        match evaluation.text(flag) {
            Setting::Known { value, .. } if !value.is_empty() => return Ok(true),
            Setting::Unknown(reason) => return Err(reason),
            Setting::Known { .. } | Setting::Unsupported => {}
        }
    }
    Ok(false)
}

fn is_used_by_objects(view: &View<'_>) -> Result<bool, Missing> {
    let mut kustomizations = view.marked::<Kustomization>(&Mark::DECRYPTS)?;
    let decrypts = kustomizations.any(|(_, row)| {
        let decryption = row.spec.decryption.as_ref();
        decryption.is_some_and(|decryption| !decryption.service_account_name.is_empty())
    });
    Ok(decrypts
        || logs_in::<Kustomization>(view)?
        || logs_in::<HelmRelease>(view)?
        || names_an_account::<GitRepository>(view)?
        || names_an_account::<OciRepository>(view)?
        || names_an_account::<Bucket>(view)?
        || names_an_account::<ImageRepository>(view)?
        || names_an_account::<Provider>(view)?)
}

/// Whether an object logs in to a remote cluster as a ConfigMap says, which takes a token.
fn logs_in<K: Kind<Row: Applier>>(view: &View<'_>) -> Result<bool, Missing> {
    let mut rows = view.marked::<K>(&Mark::REMOTE)?;
    Ok(rows.any(|(_, row)| row.logs_in_by_config_map()))
}

/// Whether an object logs in to a cloud as an account of its own.
fn names_an_account<K: Kind<Row: CloudUser>>(view: &View<'_>) -> Result<bool, Missing> {
    let mut rows = view.marked::<K>(&Mark::CLOUD)?;
    Ok(rows.any(|(_, row)| !row.cloud_account().is_empty()))
}
