//! Beyond the document: image automation.

use super::judges::ObjectSubject;
use crate::inventory::{Missing, ObjectKey};
use crate::kinds::Kind;
use crate::kinds::flux_objects::{GitRepository, ImageUpdateAutomation};

pub(super) mod force_push;
pub(super) mod image_choice;
pub(super) mod review;
pub(super) mod signed_commits;

/// The GitRepository that an automation writes to.
fn repository<'a>(
    subject: &ObjectSubject<'a, ImageUpdateAutomation>,
) -> Result<&'a <GitRepository as Kind>::Row, Missing> {
    let reference = &subject.row.spec.source_ref;
    let own = &*subject.key.namespace;
    let key = ObjectKey::new(reference.foreign(own).unwrap_or(own), reference.name.as_str());
    let row = subject.view.object::<GitRepository>(&key)?;
    row.ok_or_else(|| Missing::new("SourceNotFound", format!("GitRepository {key} does not exist")))
}
