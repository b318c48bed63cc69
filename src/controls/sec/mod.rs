//! Secret decryption.

pub(super) mod decryption_configured;
mod files;
pub(super) mod history_scanned;
pub(super) mod inline_secrets;
pub(super) mod key_readers;
pub(super) mod keys_for_all;
pub(super) mod plaintext_delivered;
pub(super) mod sealed_scopes;
pub(super) mod sealing_keys;
pub(super) mod shared_identities;
pub(super) mod shared_keys;
pub(super) mod static_credentials;
pub(super) mod undecryptable;
