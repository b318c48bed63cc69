//! Beyond the document: artifacts that source-watcher makes.

mod names;
pub(super) mod reach;
