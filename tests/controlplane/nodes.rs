//! What makes Deployments run: kube-controller-manager, kube-scheduler and kwok, which plays kubelet.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;

use super::process::{Process, free_port};
use super::programs::{CONTROLLERS, KWOK};
use super::{ControlPlane, wait_for};

/// The processes; pods run while they do.
pub(crate) struct Nodes {
    _processes: [Process; 3],
}

impl Nodes {
    /// Starts them with one large node.
    ///
    /// # Errors
    /// They cannot be built or do not start.
    pub(crate) fn start(control_plane: &ControlPlane) -> anyhow::Result<Self> {
        let programs = CONTROLLERS.folder()?;
        let kwok = KWOK.folder()?;
        let manager = spawn(
            control_plane,
            &programs,
            "kube-controller-manager",
            |command, kubeconfig| {
                command
                    .arg("--authentication-kubeconfig")
                    .arg(kubeconfig)
                    .arg("--authorization-kubeconfig")
                    .arg(kubeconfig)
                    .arg("--service-account-private-key-file")
                    .arg(control_plane.key())
                    .arg("--root-ca-file")
                    .arg(control_plane.certificate())
                    .arg("--use-service-account-credentials=true")
            },
        )?;
        let scheduler = spawn(control_plane, &programs, "kube-scheduler", |command, _| command)?;
        let kubelet = kubelet(control_plane, &kwok)?;
        control_plane.apply(NODE)?;
        let nodes = Self {
            _processes: [kubelet, scheduler, manager],
        };
        wait_for("the node", Duration::from_mins(1), || {
            let ready =
                control_plane.kubectl(&["wait", "--for=condition=Ready", "node/node", "--timeout=1s"])?;
            ensure!(!ready.is_empty(), "not ready");
            // Without it no pod may be made.
            control_plane.kubectl(&["get", "serviceaccount", "-n", "default", "default"])
        })?;
        Ok(nodes)
    }
}

const NODE: &str = r#"
apiVersion: v1
kind: Node
metadata:
  name: node
  labels: {kubernetes.io/os: linux, kubernetes.io/arch: amd64, kubernetes.io/hostname: node}
status:
  allocatable: {cpu: "64", memory: 256Gi, pods: "1000"}
  capacity: {cpu: "64", memory: 256Gi, pods: "1000"}
"#;

fn spawn(
    control_plane: &ControlPlane,
    programs: &Path,
    name: &str,
    flags: impl for<'a> FnOnce(&'a mut Command, &Path) -> &'a mut Command,
) -> anyhow::Result<Process> {
    let kubeconfig = control_plane.admin();
    let mut command = Command::new(programs.join(name));
    command
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(["--leader-elect=false", "--bind-address=127.0.0.1"])
        .arg(format!("--secure-port={}", free_port()?))
        .arg("--cert-dir")
        .arg(control_plane.sandbox().folder().join(name));
    control_plane
        .sandbox()
        .spawn(name, flags(&mut command, kubeconfig))
}

fn kubelet(control_plane: &ControlPlane, kwok: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new(kwok.join("kwok"));
    command
        .arg("--kubeconfig")
        .arg(control_plane.admin())
        .args(["--manage-all-nodes=true", "--node-lease-duration-seconds=40"])
        .arg(format!("--server-address=127.0.0.1:{}", free_port()?));
    for folder in ["kustomize/stage/node/fast", "kustomize/stage/pod/fast"] {
        for file in fs::read_dir(kwok.join("files").join(folder))? {
            let path = file?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("node-") || name.starts_with("pod-") {
                command.arg("--config").arg(&path);
            }
        }
    }
    control_plane.sandbox().spawn("kwok", &command)
}
