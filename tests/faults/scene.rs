//! What every test of a fault begins with, and how it ends.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;

use crate::controlplane::scenario::{SHARED, installed_on, report, result, set_args, until, versions};
use crate::controlplane::wire::Wire;
use crate::controlplane::{ControlPlane, Operator, operator, wait_for};
use crate::invariants::{self, Footprint, Watchman};
use crate::matrix;

/// After the end of a fault the report is right within this time, or the test fails.
pub(crate) const CONVERGENCE: Duration = Duration::from_secs(30);
/// No write may follow in this time once the report is right.
const QUIET: Duration = Duration::from_secs(3);
/// A control that [`Scene::drift`] fails and repairs.
pub(crate) const CONTROL: &str = "FSP-KUST-001";
/// The flag that does it.
pub(crate) const FLAG: &str = "--insecure-kubeconfig-exec";

/// A control plane with Flux, and the operator behind a first report.
pub(crate) struct Scene {
    pub(crate) operator: Operator,
    pub(crate) control_plane: ControlPlane,
    steady: Footprint,
    watchman: Watchman,
}

impl Scene {
    /// The operator, with a straight way to the API server.
    pub(crate) fn begin() -> Self {
        Self::start(ControlPlane::start().unwrap(), |control_plane| {
            operator_kubeconfig(control_plane, &control_plane.url())
        })
    }

    /// The operator, with a wire between it and the API server.
    pub(crate) fn wired() -> (Self, Wire) {
        let control_plane = ControlPlane::start().unwrap();
        let wire = Wire::lay(&control_plane.url()).unwrap();
        let url = wire.url();
        (
            Self::start(control_plane, |control_plane| {
                operator_kubeconfig(control_plane, &url)
            }),
            wire,
        )
    }

    /// The operator with a kubeconfig of the test's own, on a control plane of the test's own.
    pub(crate) fn start(
        control_plane: ControlPlane,
        kubeconfig: impl FnOnce(&ControlPlane) -> std::path::PathBuf,
    ) -> Self {
        let control_plane = installed_on(control_plane);
        control_plane.apply(SHARED).unwrap();
        let kubeconfig = kubeconfig(&control_plane);
        let mut operator = Operator::launch(&control_plane, &kubeconfig).unwrap();
        operator.wait_until_ready().unwrap();
        until(&control_plane, "the first report", |report| {
            result(report, CONTROL) == "Pass"
        });
        wait_until_quiet(&control_plane);
        Self {
            steady: Footprint::of(&operator),
            watchman: Watchman::post(&operator),
            operator,
            control_plane,
        }
    }

    /// Turns the flag on or off: the control fails, or passes.
    pub(crate) fn drift(&self, on: bool) {
        set_args(
            &self.control_plane,
            "kustomize-controller",
            &format!("{FLAG}={on}"),
        );
    }

    /// Waits for what the report says of [`CONTROL`] after a drift.
    pub(crate) fn wait_for_drift(&self, on: bool, patience: Duration) {
        let expected = if on { "Fail" } else { "Pass" };
        wait_for_result(&self.control_plane, CONTROL, expected, patience);
    }

    /// Drifts, waits for the report to be right, and keeps how long that took: for faults after whose end nothing has
    /// changed yet.
    pub(crate) fn drift_and_conclude(self, row: u32) {
        let ended = Instant::now();
        self.drift(true);
        self.conclude(&[row], ended);
    }

    /// The fault is over: the report becomes that of an audit from scratch, no write follows, and every invariant held
    /// all the time. Keeps how long it took for these rows of the matrix.
    pub(crate) fn conclude(mut self, rows: &[u32], ended: Instant) {
        wait_until_right(&self.control_plane, CONVERGENCE);
        let after = ended.elapsed();
        wait_until_quiet(&self.control_plane);
        self.operator.process.check().unwrap();
        self.watchman.dismiss();
        self.steady.holds(&self.operator);
        invariants::health_is_honest(&self.operator);
        let audited = self.control_plane.audit_log().unwrap();
        invariants::nothing_but_ours_is_written(&audited);
        invariants::reports_are_written_once_a_second(&audited);
        for row in rows {
            matrix::recovered(*row, after);
        }
    }
}

/// A kubeconfig with the rights of the operator, for the API server at a URL.
pub(crate) fn operator_kubeconfig(control_plane: &ControlPlane, url: &str) -> std::path::PathBuf {
    let token = control_plane.service_account_token("flux-security-system", "flux-security-operator");
    control_plane
        .kubeconfig_at(url, "operator", &token.unwrap())
        .unwrap()
}

/// Waits until the report says this of a control.
pub(crate) fn wait_for_result(
    control_plane: &ControlPlane,
    control: &str,
    expected: &str,
    patience: Duration,
) {
    wait_for(&format!("{control} to be {expected}"), patience, || {
        let report = report(control_plane)?;
        let found = result(&report, control);
        ensure!(found == expected, "the report says {found}");
        Ok(())
    })
    .unwrap();
}

/// What an audit from scratch says.
pub(crate) fn audit(kubeconfig: &Path) -> anyhow::Result<Value> {
    let output = Command::new(operator::fluxsec())
        .args(["audit", "--tenancy", "shared", "-o", "json"])
        .env("KUBECONFIG", kubeconfig)
        .output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The part of a report that depends on nothing but the cluster.
pub(crate) fn verdicts(report: &Value) -> Value {
    let mut rows = report["status"]["controls"].clone();
    for row in rows.as_array_mut().into_iter().flatten() {
        row.as_object_mut().unwrap().remove("since");
    }
    let summary = &report["status"]["summary"];
    serde_json::json!({"summary": summary, "controls": rows, "findings": report["status"]["findings"]})
}

/// I2: the published report becomes that of an audit from scratch.
pub(crate) fn wait_until_right(control_plane: &ControlPlane, patience: Duration) {
    wait_for("the right report", patience, || {
        let published = verdicts(&report(control_plane)?);
        let fresh = verdicts(&audit(control_plane.admin())?);
        ensure!(
            published == fresh,
            "the report is {published}, an audit says {fresh}"
        );
        Ok(())
    })
    .unwrap();
}

/// I2: nothing is written any more.
pub(crate) fn wait_until_quiet(control_plane: &ControlPlane) {
    wait_for("quiet", CONVERGENCE, || {
        let before = versions(control_plane);
        std::thread::sleep(QUIET);
        ensure!(before == versions(control_plane), "still writing");
        Ok(())
    })
    .unwrap();
}
