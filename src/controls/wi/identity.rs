//! Whether identities of a cloud are in use at all (flux-facts 5.1.1, FSP-WI-008).

use super::super::control::Outcome;
use super::super::judges::Subject;
use crate::inventory::{Missing, ObjectKey};
use crate::kinds::Kind;
use crate::kinds::flux_objects::CloudUse;
use crate::kinds::identity::ServiceAccount;

/// Whether the controller carries an identity of a cloud, by its ServiceAccount or its environment.
pub(super) fn controller_has_identity(subject: &Subject<'_>) -> Result<bool, Missing> {
    if subject.instance.cloud_environment.is_some() {
        return Ok(true);
    }
    let account = match subject.instance.service_account.as_str() {
        "" => "default",
        account => account,
    };
    let account = ObjectKey::new(&subject.key.namespace, account);
    Ok(subject.view.table::<ServiceAccount>()?.get(&account).is_some())
}

/// Whether an object of this kind uses an identity of a cloud.
pub(super) fn any_cloud_user<K: Kind<Row = CloudUse>>(subject: &Subject<'_>) -> Result<bool, Missing> {
    Ok(!subject.view.table::<K>()?.is_empty())
}

/// Nobody uses an identity that a default account could limit.
pub(super) fn not_used() -> Outcome {
    Outcome::NotApplicable("no identity of a cloud is in use".into())
}
