//! The Flux Security Operator: audits every Flux installation of a cluster against Flux's Security Best Practices.
//!
//! Data flows one way: **observe** ([`cluster`]) → **project** ([`kinds`]) → **evaluate** ([`engine`] with
//! [`controls`]) → **render** ([`render`]) → **publish** ([`publish`], [`serve`], [`cli`]). What stands between the
//! first and the last is pure: no clock, no I/O, no async. `ARCHITECTURE.md` has the picture.

pub mod api;
pub mod app;
pub mod cli;
pub mod cluster;
pub mod controls;
pub mod engine;
mod failpoint;
pub mod flux;
pub mod input;
pub mod inventory;
pub mod kinds;
pub mod manifests;
pub mod publish;
pub mod render;
pub mod secrets;
pub mod serve;
pub mod telemetry;
