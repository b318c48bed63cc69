//! Helm, deaf to whoever runs the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ControlPlane;
use super::programs::{Finish, HELM};

/// The chart of the repository.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/chart")
}

/// A helm command that keeps its files in a folder and knows no cluster.
pub(crate) fn command(home: &Path) -> anyhow::Result<Command> {
    fs::create_dir_all(home)?;
    let mut command = Command::new(HELM.folder()?.join("helm"));
    command.env("KUBECONFIG", "/dev/null");
    for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(variable, home);
    }
    Ok(command)
}

/// What `helm template` prints of the chart, as a release in a namespace.
pub(crate) fn template(namespace: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let home = tempfile::tempdir()?;
    command(home.path())?
        .args(["template", "security", "--namespace", namespace])
        .arg(chart())
        .args(arguments)
        .finish("helm template")
}

impl ControlPlane {
    /// What helm prints, asked by the admin of this cluster.
    pub(crate) fn helm(&self, arguments: &[&str]) -> anyhow::Result<String> {
        command(&self.sandbox().folder().join("helm"))?
            .env("KUBECONFIG", self.admin())
            .args(arguments)
            .finish(&format!("helm {}", arguments.join(" ")))
    }
}
