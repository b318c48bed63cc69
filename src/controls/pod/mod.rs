//! Beyond the document: the pods of controllers.

pub(super) mod additions;
pub(super) mod environment;
mod evidence;
pub(super) mod namespace_level;
pub(super) mod resources;
pub(super) mod restricted;
