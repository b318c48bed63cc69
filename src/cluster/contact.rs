//! Contact with the API server, as all watches together make it.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

/// When contact was lost and made again: whoever finds the server back wakes those that wait for it.
#[derive(Clone, Debug)]
pub struct Contact(Arc<watch::Sender<Instant>>);

impl Default for Contact {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Instant::now())))
    }
}

impl Contact {
    /// A watch delivers again that did not before.
    pub(super) fn restored(&self) {
        self.0.send_replace(Instant::now());
    }

    /// Waits until another watch finds the server back.
    pub(super) async fn is_restored(&self) {
        // Fails when the last sender is gone, and we hold one.
        let _ = self.0.subscribe().changed().await;
    }

    /// When a watch last found the server back.
    #[must_use]
    pub fn last_restored(&self) -> Instant {
        *self.0.borrow()
    }
}
