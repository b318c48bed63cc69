//! The Flux Security Operator: audits every Flux installation of a cluster against Flux's Security Best Practices.
//!
//! Data flows one way: **observe** ([`cluster`]) → **project** ([`kinds`]) → **evaluate** ([`engine`] with
//! [`controls`]) → **render** ([`render`]) → **publish** ([`publish`], [`serve`], [`cli`]). What stands between the
//! first and the last is pure: no clock, no I/O, no async. `ARCHITECTURE.md` has the picture.
//!
//! As a library it audits objects, wherever they come from ([`manifests::audit`]), and prints what comes of it:
//!
//! ```
//! use flux_security_operator::api::FluxSecurityPolicySpec;
//! use flux_security_operator::render::{report, table};
//! use flux_security_operator::manifests;
//! use k8s_openapi::jiff::Timestamp;
//!
//! let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: team}}";
//! let posture = manifests::audit([namespace], &FluxSecurityPolicySpec::default());
//! let report = report::uncut(&posture, Timestamp::UNIX_EPOCH);
//! assert_eq!(report.controls.len(), posture.controls.len());
//! assert!(table::table(&report, table::Options::default()).contains("FSP-KUST-001"));
//! ```
#![forbid(unsafe_code)]

pub mod api;
pub mod app;
pub mod artifacts;
pub mod cli;
pub mod cluster;
pub mod controls;
pub mod custom;
pub mod engine;
mod failpoint;
pub mod flux;
pub mod history;
pub mod input;
pub mod inventory;
pub mod kinds;
pub mod manifests;
pub mod monitoring;
pub mod publish;
pub mod remedy;
pub mod render;
pub mod secrets;
pub mod serve;
pub mod shared;
pub mod telemetry;
