//! Node isolation.

pub(super) mod guidelines;
