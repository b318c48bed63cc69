//! Resource isolation: controllers that share the work.

pub(super) mod concurrency;
pub(super) mod critical_lanes;
mod lane;
pub(super) mod locked_shards;
pub(super) mod namespaced_lanes;
pub(super) mod served;
pub(super) mod unique_selectors;
