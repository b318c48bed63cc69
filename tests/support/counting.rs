//! The system's allocator, which counts.
#![expect(
    unsafe_code,
    reason = "an allocator cannot be written otherwise; no code of the operator's is in it"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

// SAFETY: the system's allocator gets every call as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        give_back(layout.size());
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Another piece of memory, which may take the place of an older one.
fn count(bytes: usize, instead_of: usize) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    LIVE.fetch_add(class_of(bytes), Ordering::Relaxed);
    give_back(instead_of);
}

fn give_back(bytes: usize) {
    LIVE.fetch_sub(class_of(bytes), Ordering::Relaxed);
}

/// What the operator's allocator takes for so many bytes: sizes of 16, from 128 on a quarter of a power of two.
#[expect(clippy::cast_possible_wrap, reason = "no piece of memory is that large")]
fn class_of(bytes: usize) -> i64 {
    let step = (bytes.next_power_of_two() / 8).max(16);
    bytes.next_multiple_of(step) as i64
}

/// Bytes that are in use, by all threads.
#[allow(dead_code, reason = "a test asks how often, the benchmark how much")]
pub(crate) fn live() -> i64 {
    LIVE.load(Ordering::Relaxed)
}

/// How often memory was asked for so far, by all threads.
pub(crate) fn allocations() -> u64 {
    COUNT.load(Ordering::Relaxed)
}
