//! What controllers watch, and who else does.

use super::super::judges::Subject;
use crate::inventory::{Instance, InstanceKey, Missing};

pub(super) use crate::inventory::lane::Lane;

/// The lanes of a controller, one a command line.
pub(super) fn lanes(instance: &Instance) -> Result<Vec<&Lane>, Missing> {
    each(instance).collect()
}

/// The same, one by one.
pub(super) fn each(instance: &Instance) -> impl Iterator<Item = Result<&Lane, Missing>> {
    let lanes = instance.lanes.iter();
    lanes.map(|lane| lane.as_ref().map_err(Missing::clone))
}

/// The other running controllers of the subject's type.
pub(super) fn others<'a>(subject: &Subject<'a>) -> Result<Vec<(&'a InstanceKey, &'a Instance)>, Missing> {
    let other = subject
        .view
        .peers()?
        .filter(|(key, instance)| *key != subject.key && !instance.inactive);
    Ok(other.collect())
}
