//! Whether identities of a cloud are in use at all (flux-facts 5.1.1, FSP-WI-008).

use super::super::control::Outcome;
use super::super::flag;
use super::super::judges::Subject;
use crate::api::Severity;
use crate::flux::flags::Release;
use crate::inventory::{Missing, ObjectKey};
use crate::kinds::flux_objects::CloudUser;
use crate::kinds::identity::ServiceAccount;
use crate::kinds::{Kind, Mark};

/// Whether the controller carries an identity of a cloud, by its ServiceAccount or its environment.
pub(in crate::controls) fn controller_has_identity(subject: &Subject<'_>) -> Result<bool, Missing> {
    if subject.instance.cloud_environment.is_some() {
        return Ok(true);
    }
    let account = ObjectKey::new(&subject.key.namespace, subject.instance.account());
    let row = subject.view.object::<ServiceAccount>(&account)?;
    Ok(row.is_some_and(|row| row.cloud.is_some()))
}

/// Whether an object of this kind uses an identity of a cloud.
pub(super) fn any_cloud_user<K>(subject: &Subject<'_>) -> Result<bool, Missing>
where
    K: Kind,
    K::Row: CloudUser,
{
    Ok(subject.view.marked::<K>(&Mark::CLOUD)?.next().is_some())
}

/// Since such a version a controller makes no token of its own account that this cluster accepts: without an identity of
/// a cloud nobody else is likely to. What is not known counts as bad.
pub(super) fn weigh_token(subject: &Subject<'_>, outcome: Outcome, since: Release) -> Outcome {
    let instance = subject.instance;
    let is_guarded = instance.version.is_some() && flag::reaches(instance.version.as_ref(), since);
    let has_no_identity = controller_has_identity(subject) == Ok(false) && !instance.has_unread_environment;
    match outcome {
        Outcome::Fail(mut defects) if is_guarded && has_no_identity => {
            for defect in &mut defects {
                defect.severity = defect.severity.or(Some(Severity::Medium));
            }
            Outcome::Fail(defects)
        }
        outcome => outcome,
    }
}

/// Nobody uses an identity that a default account could limit.
pub(super) fn not_used() -> Outcome {
    Outcome::NotApplicable("no cloud identity is in use".into())
}
