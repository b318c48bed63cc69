//! The operator, as a process that has nothing but the rights of its installed ServiceAccount.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::process::{Process, free_port};
use super::{ControlPlane, plain, wait_for};

/// The user that it is.
pub(crate) const USER: &str = "system:serviceaccount:flux-security-system:flux-security-operator";

/// A running `fluxsec run`.
pub(crate) struct Operator {
    /// Its process.
    pub(crate) process: Process,
    port: u16,
}

impl Operator {
    /// Applies `config/default`, as the README says.
    pub(crate) fn install(control_plane: &ControlPlane) -> anyhow::Result<()> {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/default");
        control_plane.kubectl(&["apply", "--server-side", "-k", &config.display().to_string()])?;
        control_plane.kubectl(&[
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            "--timeout=30s",
        ])?;
        Self::wait_until_it_may(control_plane)
    }

    /// The API server reads roles by a watch of its own: a moment after they were applied it may still refuse.
    fn wait_until_it_may(control_plane: &ControlPlane) -> anyhow::Result<()> {
        let rights = [
            ["list", "deployments.apps", "-A"],
            ["patch", "fluxsecurityreports.fluxsecurity.dev", "-A"],
            [
                "update",
                "leases.coordination.k8s.io/flux-security-operator",
                "-nflux-security-system",
            ],
        ];
        rights.iter().try_for_each(|right| {
            wait_for("the operator's rights", Duration::from_secs(20), || {
                control_plane.kubectl(&[&["auth", "can-i", "--as", USER], &right[..]].concat())
            })
            .map(drop)
        })
    }

    /// Starts it under the token of its ServiceAccount and waits until it is ready.
    pub(crate) fn start(control_plane: &ControlPlane) -> anyhow::Result<Self> {
        Self::start_in(control_plane, "flux-security-system")
    }

    /// The same where it is installed in another namespace.
    pub(crate) fn start_in(control_plane: &ControlPlane, namespace: &str) -> anyhow::Result<Self> {
        let kubeconfig = control_plane.service_account(namespace, "flux-security-operator")?;
        let variables = [("FLUXSEC_LEASE_NAMESPACE", namespace)];
        let mut operator = Self::launch_with(control_plane, &kubeconfig, &variables)?;
        operator.wait_until_ready()?;
        Ok(operator)
    }

    /// Starts it with a kubeconfig and waits for nothing.
    pub(crate) fn launch(control_plane: &ControlPlane, kubeconfig: &Path) -> anyhow::Result<Self> {
        Self::launch_with(control_plane, kubeconfig, &[])
    }

    /// The same with more variables.
    pub(crate) fn launch_with(
        control_plane: &ControlPlane,
        kubeconfig: &Path,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let port = free_port()?;
        let process = control_plane.sandbox().spawn(
            "fluxsec",
            Command::new(fluxsec())
                .args(["run", "--metrics-address", &format!("127.0.0.1:{port}")])
                .env("KUBECONFIG", kubeconfig)
                .envs(variables.iter().copied()),
        )?;
        Ok(Self { process, port })
    }

    /// Waits for `/readyz`.
    pub(crate) fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let (process, port) = (&mut self.process, self.port);
        wait_for("the operator", Duration::from_secs(40), || {
            process.check()?;
            let (status, text) = plain::get(port, "/readyz")?;
            ensure!(status == 200, "{text}");
            Ok(())
        })
    }

    /// Where it serves.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Status and body of an endpoint.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        plain::get(self.port, path)
    }

    /// The value of one series, `None` when it is not there.
    pub(crate) fn metric(&self, series: &str) -> anyhow::Result<Option<f64>> {
        let (_, text) = self.get("/metrics")?;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value
            .map(|value| value.parse().context("not a number"))
            .transpose()
    }
}

/// The program that cargo built beside this test or example.
pub(crate) fn fluxsec() -> PathBuf {
    if let Some(path) = option_env!("CARGO_BIN_EXE_fluxsec") {
        return path.into();
    }
    let here = std::env::current_exe().unwrap_or_default();
    here.ancestors().nth(2).unwrap_or(Path::new(".")).join("fluxsec")
}
