//! How old is what is about to be published.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// When the oldest change was seen that no publication has taken in yet. Postures replace each other before they are
/// published; their age does not.
#[derive(Clone, Debug, Default)]
pub struct Freshness(Arc<Mutex<Option<Instant>>>);

impl Freshness {
    /// A change of that age waits.
    pub fn note(&self, seen: Option<Instant>) {
        let mut oldest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *oldest = match (*oldest, seen) {
            (Some(oldest), Some(seen)) => Some(oldest.min(seen)),
            (oldest, seen) => oldest.or(seen),
        };
    }

    /// The oldest change that waits; from here on it does no more.
    pub(super) fn take(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
