//! Judgement that signatures of all sources share: asked for, and found good.

use super::super::control::{Defect, Outcome};
use crate::inventory::Missing;
use crate::kinds::flux_objects::Standing;
use crate::kinds::flux_objects::sources::Fetched;

/// What a source whose `spec.verify` is set says about its signature.
///
/// A policy that skips verification leaves the source Ready without `SourceVerified`: that is no verification.
pub(super) fn judge(status: &Fetched) -> Result<Outcome, Missing> {
    let observed = match (&status.verified, &status.ready) {
        (Standing::True, _) => return Ok(Outcome::Pass),
        (Standing::False(reason), _) => format!("the signature is not accepted: {reason}"),
        (Standing::Absent, Standing::True) => "fetched, but the signature was not verified".to_owned(),
        (Standing::Absent, _) => {
            let message = "spec.verify is set, and the source was not fetched since";
            return Err(Missing::new("NotReconciled", message));
        }
    };
    Ok(Outcome::fail(Defect {
        field: "status.conditions[SourceVerified]".to_owned(),
        message: observed.clone(),
        observed,
        expected: "condition SourceVerified is True".to_owned(),
        ..Defect::default()
    }))
}

/// Nobody verifies.
pub(super) fn absent(field: &str, why: &str, expected: &str) -> Outcome {
    Outcome::fail(Defect {
        field: field.to_owned(),
        observed: why.to_owned(),
        expected: expected.to_owned(),
        message: format!("signatures are not verified: {why}"),
        ..Defect::default()
    })
}
