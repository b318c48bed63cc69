//! What every test of a fault begins with, and how it ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;

use crate::controlplane::proxy::Proxy;
use crate::controlplane::scenario::{SHARED, installed_on, report, result, set_args, until, versions};
use crate::controlplane::wire::Wire;
use crate::controlplane::{ControlPlane, Operator, operator, wait_for};
use crate::invariants::{self, Footprint, Watchman};
use crate::matrix;

/// After the end of a fault the report is right within this time, or the test fails.
pub(crate) const CONVERGENCE: Duration = Duration::from_secs(30);
/// No write may follow in this time once the report is right.
const QUIET: Duration = Duration::from_secs(3);
/// No container is back sooner. Two processes do not know of each other's last write.
const RESTART: Duration = Duration::from_secs(1);
/// A control that [`Scene::drift`] fails and repairs.
pub(crate) const CONTROL: &str = "FSP-KUST-001";
/// The flag that does it.
pub(crate) const FLAG: &str = "--insecure-kubeconfig-exec";

/// A control plane with Flux, and the operator behind a first report.
pub(crate) struct Scene {
    pub(crate) operator: Operator,
    pub(crate) control_plane: ControlPlane,
    kubeconfig: PathBuf,
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

    /// The operator on a cluster that was made different before it started.
    pub(crate) fn begin_on(prepare: impl FnOnce(&ControlPlane)) -> Self {
        Self::start(ControlPlane::start().unwrap(), |control_plane| {
            prepare(control_plane);
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

    /// The operator, with a proxy between it and the API server.
    pub(crate) fn proxied() -> (Self, Proxy) {
        let control_plane = ControlPlane::start().unwrap();
        let proxy = Proxy::before(&control_plane).unwrap();
        let url = proxy.url();
        (
            Self::start(control_plane, |control_plane| {
                operator_kubeconfig(control_plane, &url)
            }),
            proxy,
        )
    }

    /// The operator with a kubeconfig of the test's own, on a control plane of the test's own.
    pub(crate) fn start(
        control_plane: ControlPlane,
        kubeconfig: impl FnOnce(&ControlPlane) -> PathBuf,
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
            kubeconfig,
        }
    }

    /// Puts another operator into the place of this one, which is stopped unless it has ended, and gives it variables.
    pub(crate) fn replace_operator(&mut self, variables: &[(&str, &str)]) {
        self.operator.process.stop().unwrap();
        std::thread::sleep(RESTART);
        self.operator = Operator::launch_with(&self.control_plane, &self.kubeconfig, variables).unwrap();
        self.operator.wait_until_ready().unwrap();
        std::mem::replace(&mut self.watchman, Watchman::post(&self.operator)).dismiss();
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

    /// Waits until nothing is written any more.
    pub(crate) fn wait_until_quiet(&self) {
        wait_until_quiet(&self.control_plane);
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
pub(crate) fn operator_kubeconfig(control_plane: &ControlPlane, url: &str) -> PathBuf {
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
        let published = report(control_plane)?;
        let mut fresh = verdicts(&audit(control_plane.admin())?);
        // The report is cut where it says so, an audit is whole.
        if published["status"]["truncatedFindings"]
            .as_u64()
            .unwrap_or_default()
            > 0
        {
            let kept = published["status"]["findings"].as_array().map_or(0, Vec::len);
            fresh["findings"].as_array_mut().unwrap().truncate(kept);
        }
        let published = verdicts(&published);
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

/// Waits until a kind is fully known, or is not.
pub(crate) fn wait_for_coverage(operator: &Operator, kind: &str, synced: bool, patience: Duration) {
    let series = format!("flux_security_kind_synced{{kind=\"{kind}\"}}");
    let expected = f64::from(u8::from(synced));
    wait_for(kind, patience, || {
        let found = operator.metric(&series)?;
        ensure!(found == Some(expected), "{series} is {found:?}");
        Ok(())
    })
    .unwrap();
}

/// Waits until a resource is named as what is missing.
pub(crate) fn wait_until_blind_to(control_plane: &ControlPlane, resource: &str, patience: Duration) -> Value {
    wait_for("a report that names what is missing", patience, || {
        let report = report(control_plane)?;
        let complete = condition(&report, "Complete");
        let message = complete["message"].as_str().unwrap_or_default();
        ensure!(
            complete["status"] == "False" && message.contains(resource),
            "{complete}"
        );
        Ok(report)
    })
    .unwrap()
}

/// Every control says what an audit that saw everything said, or it is Unknown because of this resource.
pub(crate) fn assert_blind_to(report: &Value, resource: &str, whole: &Value) {
    let rows = report["status"]["controls"].as_array().unwrap();
    let differs = |row: &&Value| row["result"] != result(whole, row["id"].as_str().unwrap());
    let blind: Vec<&Value> = rows.iter().filter(differs).collect();
    assert!(!blind.is_empty(), "no control misses {resource}");
    for row in blind {
        let message = row["message"].as_str().unwrap_or_default();
        assert!(
            row["result"] == "Unknown" && message.contains(resource),
            "{row} for want of {resource}"
        );
    }
}

/// A condition of an object.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let mut conditions = conditions.filter(|it| it["type"] == kind);
    conditions.next().unwrap_or(&Value::Null)
}

/// How many writes of reports the operator has counted.
pub(crate) fn writes(operator: &Operator, outcome: &str) -> u64 {
    let series = format!("flux_security_report_writes_total{{outcome=\"{outcome}\"}}");
    let count = operator.metric(&series).unwrap().unwrap_or_default();
    count.to_string().parse().unwrap()
}

/// How often the operator has asked for something under this path.
pub(crate) fn requests(control_plane: &ControlPlane, path: &str) -> usize {
    let audited = control_plane.audit_log().unwrap();
    let asked = audited.iter().filter(|event| {
        event["user"]["username"] == operator::USER
            && event["requestURI"].as_str().unwrap_or_default().contains(path)
    });
    // A watch is logged when it begins and when it ends.
    let asked: BTreeSet<&str> = asked.map(|event| event["auditID"].as_str().unwrap()).collect();
    asked.len()
}
