//! Crashes on cue, for the tests of what survives one.

/// Ends the process at once, as a kill does, when `FLUXSEC_FAILPOINT` names this point: `name`, or `name:3` for the
/// third time that it is passed. Release builds have no such points.
#[cfg(debug_assertions)]
pub(crate) fn failpoint(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSED: AtomicU32 = AtomicU32::new(0);

    let Ok(cue) = std::env::var("FLUXSEC_FAILPOINT") else {
        return;
    };
    let (point, turn) = cue.split_once(':').unwrap_or((&cue, "1"));
    if point != name {
        return;
    }
    let passed = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
    if turn.parse() == Ok(passed) {
        std::process::abort();
    }
}

/// Nothing, in release builds.
#[cfg(not(debug_assertions))]
pub(crate) const fn failpoint(_name: &str) {}
