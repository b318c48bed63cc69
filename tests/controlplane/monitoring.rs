//! The operators that our monitors, rules and dashboards are for: their schemas, and the Prometheus Operator as a process.

use std::fs;
use std::io::Read;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use flate2::read::GzDecoder;
use k8s_openapi::ByteString;

use super::process::{Process, free_port};
use super::programs::{PROMETHEUS_OPERATOR, download, source};
use super::{ControlPlane, wait_for};

/// The release whose schemas count; `tests/controlplane/grafana-operator/go.sum` has its checksums.
const GRAFANA_OPERATOR: &str = "github.com/grafana/grafana-operator/v5@v5.18.0";
/// A server that stores kinds takes its time to serve them.
const PATIENCE: Duration = Duration::from_mins(1);

/// Has the kinds of both operators served, as their releases define them.
pub(crate) fn define_kinds(control_plane: &ControlPlane) -> anyhow::Result<()> {
    let prometheus = PROMETHEUS_OPERATOR
        .folder()?
        .join("files/example/prometheus-operator-crd");
    let grafana = download(&source("controlplane/grafana-operator"), GRAFANA_OPERATOR)?;
    for folder in [prometheus, grafana.join("config/crd/bases")] {
        for entry in fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))? {
            control_plane.apply(&fs::read_to_string(entry?.path())?)?;
        }
    }
    let established = [
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "crd",
        "--all",
    ];
    control_plane.kubectl(&established)?;
    Ok(())
}

/// A running Prometheus Operator.
pub(crate) struct PrometheusOperator {
    pub(crate) process: Process,
}

impl PrometheusOperator {
    /// Starts one that may do everything.
    pub(crate) fn start(control_plane: &ControlPlane) -> anyhow::Result<Self> {
        let mut command = Command::new(PROMETHEUS_OPERATOR.folder()?.join("operator"));
        command
            .env("KUBECONFIG", control_plane.admin())
            .arg(format!("--web.listen-address=127.0.0.1:{}", free_port()?));
        let process = control_plane.sandbox().spawn("prometheus-operator", &command)?;
        Ok(Self { process })
    }

    /// The configuration that it makes for a Prometheus, once it has all that is waited for.
    pub(crate) fn configuration(
        &mut self,
        control_plane: &ControlPlane,
        prometheus: (&str, &str),
        has: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        let (namespace, name) = prometheus;
        wait_for("the configuration of Prometheus", PATIENCE, || {
            self.process.check()?;
            let secret = control_plane.get(&["secret", "-n", namespace, &format!("prometheus-{name}")])?;
            let ByteString(packed) = serde_json::from_value(secret["data"]["prometheus.yaml.gz"].clone())?;
            let mut text = String::new();
            GzDecoder::new(&packed[..]).read_to_string(&mut text)?;
            ensure!(has(&text), "{text}\n{}", self.process.log());
            Ok(text)
        })
    }
}
