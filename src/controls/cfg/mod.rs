//! Beyond the document: configuration sanity.

pub(super) mod arguments_are_valid;
pub(super) mod contradictions;
pub(super) mod digest_algorithm;
pub(super) mod dns_lookups;
pub(super) mod drift;
pub(super) mod exceptional_settings;
pub(super) mod log_level;
pub(super) mod strict_substitution;
