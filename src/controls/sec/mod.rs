//! Secret decryption.

pub(super) mod decryption_configured;
pub(super) mod history_scanned;
pub(super) mod plaintext_delivered;
pub(super) mod undecryptable;
