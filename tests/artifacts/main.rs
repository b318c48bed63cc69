//! Artifacts of sources: how they are fetched, and what hostile ones cost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod archives;
mod fetches;
mod pack;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
#[path = "../support/mod.rs"]
mod support;
