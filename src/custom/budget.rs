//! What the evaluation of one expression may cost, in units of about one value that is looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cel::common::types::{CelBytes, CelList, CelMap, CelString, Type};
use cel::common::value::Val;

/// Units of one evaluation: a few milliseconds, and a few megabytes.
pub(super) const MOST: u64 = 100_000;
/// Bytes of text that cost as much as a value.
const TEXT: usize = 64;

/// Bytes of text that cost as much when a pattern is looked for in them.
pub(super) const SEARCHED: u64 = 4;

static BUDGET: Type = Type::new_unspecified_type("budget");

/// What is left of it. An expression cannot see it: what costs something is given it by the compiler.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Arc<Units>);

#[derive(Debug, Default)]
struct Units {
    left: AtomicU64,
    /// Whether there was not enough once: whatever the expression makes of that, it has no result.
    is_exhausted: AtomicU64,
}

impl Budget {
    /// Begins an evaluation.
    pub(super) fn restart(&self) {
        self.0.left.store(MOST, Ordering::Relaxed);
        self.0.is_exhausted.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.0.is_exhausted.load(Ordering::Relaxed) != 0
    }

    pub(super) fn left(&self) -> u64 {
        self.0.left.load(Ordering::Relaxed)
    }

    /// Takes units; false: there are not as many.
    pub(super) fn take(&self, units: u64) -> bool {
        let left = self.left();
        if units > left {
            self.0.left.store(0, Ordering::Relaxed);
            self.0.is_exhausted.store(1, Ordering::Relaxed);
            return false;
        }
        self.0.left.store(left - units, Ordering::Relaxed);
        true
    }
}

/// What a text costs.
pub(super) fn of_text(bytes: usize) -> u64 {
    1 + (bytes / TEXT) as u64
}

/// What a value costs with all that is in it; counts no further than so many units.
pub(super) fn of_value(value: &dyn Val, most: u64) -> u64 {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        return of_text(text.inner().len());
    }
    let mut units: u64 = 1;
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        for item in list.inner() {
            units = units.saturating_add(of_value(item.as_ref(), most.saturating_sub(units)));
            if units > most {
                break;
            }
        }
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        for (key, item) in map.inner() {
            let key = of_value(key.inner(), most);
            units = units.saturating_add(key + of_value(item.as_ref(), most.saturating_sub(units)));
            if units > most {
                break;
            }
        }
    } else if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
        return of_text(bytes.inner().len());
    }
    units
}

opaque!(Budget, BUDGET);
