//! Faults, injected into a real API server and etcd, with the operator as its own process under its own rights.
//! [`matrix`] says what can go wrong and which test shows it; [`invariants`] what must hold whatever goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
#[path = "../controlplane/mod.rs"]
mod controlplane;
mod crashes;
#[path = "../support/exposition.rs"]
mod exposition;
#[path = "../support/harmless.rs"]
mod harmless;
mod hostile;
mod invariants;
mod kinds;
mod matrix;
mod outages;
mod replicas;
mod reports;
mod rights;
mod scene;
mod storm;
mod upgrades;
