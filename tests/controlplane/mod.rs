//! A real Kubernetes, with a real Flux, out of checksummed Go modules and without containers.
//!
//! *core* is etcd and kube-apiserver ([`ControlPlane`]); [`nodes`] adds the controllers, the scheduler and pods that
//! run; [`flux`] adds Flux's manifests and its controllers; [`git`] a repository for them; [`helm`] Helm; [`operator`] the
//! operator under the token of its installed ServiceAccount; [`wire`] a way to a server that fails on cue; [`proxy`] wrong
//! answers; [`scenario`] what most tests begin with; [`secured`] who asks over HTTPS; [`prometheus`] what scrapes it; [`monitoring`] who reads our monitors, rules and
//! dashboards. Every process is ended by its own pid, whatever happens to us.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub(crate) mod core;
pub(crate) mod flux;
pub(crate) mod git;
pub(crate) mod helm;
pub(crate) mod monitoring;
pub(crate) mod nodes;
pub(crate) mod operator;
pub(crate) mod plain;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod scenario;
pub(crate) mod secured;
pub(crate) mod wire;

pub(crate) use core::ControlPlane;
pub(crate) use operator::Operator;

use std::time::{Duration, Instant};

use anyhow::bail;

/// Asks until there is an answer.
///
/// # Errors
/// There was none in time: says what was waited for and what the last attempt said.
pub(crate) fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut attempt: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        match attempt() {
            Ok(answer) => return Ok(answer),
            Err(error) if started.elapsed() > patience => {
                bail!("waited {patience:?} for {what}: {error:#}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
