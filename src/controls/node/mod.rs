//! Node isolation.

pub(super) mod co_location;
pub(super) mod dedicated_nodes;
pub(super) mod guidelines;
pub(super) mod privileged_pods;
pub(super) mod sandboxes;

use std::collections::BTreeSet;

/// Most names in a message.
const TOLD: usize = 5;

/// The first of these names.
fn some<T: AsRef<str>>(names: &BTreeSet<T>) -> String {
    let told: Vec<&str> = names.iter().take(TOLD).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(TOLD) {
        _ if told.is_empty() => "none".to_owned(),
        0 => told.join(", "),
        rest => format!("{} and {rest} more", told.join(", ")),
    }
}
