//! Secret decryption.

pub(super) mod decryption_configured;
pub(super) mod undecryptable;
