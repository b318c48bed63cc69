//! Waivers of a file, for an audit that counts them.

use k8s_openapi::jiff::Timestamp;

use super::{Fact, Manifests};
use crate::kinds::own::WaiverRow;

/// Why a file is none of waivers.
#[derive(Debug, thiserror::Error)]
pub enum WaiversError {
    /// It cannot be read: `file:line: why`.
    #[error("{0}")]
    Unreadable(String),
    /// It has other objects, or none.
    #[error("{0}: expected FluxSecurityWaivers and nothing else")]
    Other(String),
    /// A waiver that the API server would refuse.
    #[error("{file}: FluxSecurityWaiver {name}: {problem}")]
    Invalid {
        /// The file.
        file: String,
        /// Name of the waiver.
        name: String,
        /// The field, and what it must be.
        problem: String,
    },
}

/// Reads the waivers of a file.
///
/// # Errors
/// It has anything else, or a waiver that the API server would refuse now.
pub fn parse(file: &str, text: &str, now: Timestamp) -> Result<Vec<(String, WaiverRow)>, WaiversError> {
    let mut manifests = Manifests::default();
    manifests.add(file, text.as_bytes());
    if let Some(trouble) = manifests.harvest.troubles.first() {
        return Err(WaiversError::Unreadable(trouble.sentence(&manifests.files)));
    }
    let objects = manifests.harvest.objects;
    let mut waivers = Vec::new();
    for definition in manifests.harvest.definitions {
        let Fact::Row(row) = definition.fact else { continue };
        let Ok(row) = row.0.downcast::<WaiverRow>() else {
            continue;
        };
        let name = definition.key.name.to_string();
        if let Err(invalid) = row.spec.check(row.created.unwrap_or(now)) {
            return Err(WaiversError::Invalid {
                file: file.to_owned(),
                name,
                problem: invalid.to_string(),
            });
        }
        waivers.push((name, *row));
    }
    if waivers.is_empty() || waivers.len() as u64 != objects {
        return Err(WaiversError::Other(file.to_owned()));
    }
    Ok(waivers)
}
