//! The ways to install the operator: what they apply is the same, what they leave behind is what docs/install.md says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../controlplane/mod.rs"]
mod controlplane;

mod chart;
mod cluster;
mod flux;
mod helm;
mod kustomize;
mod monitoring;
mod objects;
mod own_audit;
