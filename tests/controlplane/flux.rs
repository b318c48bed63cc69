//! Flux: what `flux install` applies, composed from Flux's own modules, and its controllers as processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::ControlPlane;
use super::process::{Process, free_port};
use super::programs::{self, FLUX, Finish, digest, download, once, say, source};

/// The release whose manifests are composed; `tests/controlplane/flux/go.sum` has its checksums.
pub(crate) const RELEASE: &str = "v2.9.4";

/// The components of the release. source-watcher is the seventh; not every module proxy serves it.
const COMPONENTS: [&str; 6] = [
    "source-controller",
    "kustomize-controller",
    "helm-controller",
    "notification-controller",
    "image-reflector-controller",
    "image-automation-controller",
];

/// What `flux install` applies.
pub(crate) fn manifests() -> anyhow::Result<String> {
    let kubectl = programs::core()?.join("kubectl");
    let source = source("controlplane/flux");
    let key = format!("flux-{:016x}", digest(&source, &(RELEASE, COMPONENTS))?);
    let folder = once(&key, |target| compose(&source, target, &kubectl))?;
    Ok(fs::read_to_string(folder.join("install.yaml"))?)
}

fn compose(source: &Path, target: &Path, kubectl: &Path) -> anyhow::Result<()> {
    say(&format!(
        "composing the manifests of Flux {RELEASE} from its modules: once, under a minute"
    ));
    let release = target.join("release");
    let flux = download(source, &format!("github.com/fluxcd/flux2/v2@{RELEASE}"))?;
    programs::copy(&flux.join("manifests"), &release)?;
    for component in COMPONENTS {
        let base = release.join("bases").join(component).join("kustomization.yaml");
        let kustomization = fs::read_to_string(&base)?;
        let version = version_in(&kustomization).with_context(|| format!("{component} names no release"))?;
        let module = download(source, &format!("github.com/fluxcd/{component}@{version}"))?;
        let folder = format!("../../../components/{component}");
        for part in ["crd", "manager"] {
            let to = target.join("components").join(component).join(part);
            programs::copy(&module.join("config").join(part), &to)?;
        }
        fs::write(&base, from_folders(&kustomization, &folder))?;
    }
    fs::create_dir(target.join("roles"))?;
    fs::write(target.join("roles/kustomization.yaml"), ROLES)?;
    let install = release.join("install/kustomization.yaml");
    let kustomization = fs::read_to_string(&install)?;
    let kept = kustomization
        .lines()
        .filter(|line| !line.contains("source-watcher"))
        .map(|line| line.replace("../rbac", "../../roles"));
    fs::write(&install, kept.collect::<Vec<_>>().join("\n"))?;
    fs::write(
        target.join("kustomization.yaml"),
        INSTALL.replace("RELEASE", RELEASE),
    )?;
    let rendered = Command::new(kubectl)
        .arg("kustomize")
        .arg(target)
        .finish("the manifests of Flux cannot be rendered")?;
    fs::write(target.join("install.yaml"), rendered)?;
    Ok(())
}

const ROLES: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: flux-system
nameSuffix: -flux-system
resources: [../release/rbac]
";

const INSTALL: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [release/install]
labels:
  - includeTemplates: true
    pairs:
      app.kubernetes.io/instance: flux-system
      app.kubernetes.io/version: RELEASE
";

/// The version in `…/releases/download/v1.9.4/source-controller.crds.yaml`.
fn version_in(kustomization: &str) -> Option<&str> {
    let (_, rest) = kustomization.split_once("/releases/download/")?;
    rest.split('/').next()
}

/// The same kustomization, with folders in place of a release's files.
fn from_folders(kustomization: &str, folder: &str) -> String {
    let line = |line: &str| match line {
        _ if line.ends_with(".crds.yaml") => format!("- {folder}/crd"),
        _ if line.ends_with(".deployment.yaml") => format!("- {folder}/manager"),
        _ => line.to_owned(),
    };
    kustomization.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Builds Flux's controllers ahead of [`Controllers::start`], which waits for a build under way.
pub(crate) fn build_controllers() -> anyhow::Result<()> {
    FLUX.iter().try_for_each(|programs| programs.folder().map(drop))
}

/// Flux's controllers, running.
pub(crate) struct Controllers {
    processes: Vec<Process>,
    events: u16,
}

impl Controllers {
    /// Starts source-, kustomize-, helm- and notification-controller, each as its own ServiceAccount.
    ///
    /// # Errors
    /// They cannot be built or started.
    pub(crate) fn start(control_plane: &ControlPlane) -> anyhow::Result<Self> {
        Self::start_behind(control_plane, |storage| Ok(storage.to_owned()))
    }

    /// The same with something before the server of artifacts, which is at `host:port`: it tells what to advertise.
    ///
    /// # Errors
    /// They cannot be built or started.
    pub(crate) fn start_behind(
        control_plane: &ControlPlane,
        mut advertise: impl FnMut(&str) -> anyhow::Result<String>,
    ) -> anyhow::Result<Self> {
        let mut processes = Vec::new();
        let events = free_port()?;
        for programs in &FLUX {
            let folder = programs.folder()?;
            let program = fs::read_dir(&folder)?.next().context("an empty folder")??.path();
            processes.push(launch(control_plane, &program, events, &mut advertise)?);
        }
        Ok(Self { processes, events })
    }

    /// Where notification-controller takes events.
    pub(crate) fn events_url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.events)
    }

    /// Fails when one of them has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.processes.iter_mut().try_for_each(Process::check)
    }
}

fn launch(
    control_plane: &ControlPlane,
    program: &Path,
    events: u16,
    advertise: &mut impl FnMut(&str) -> anyhow::Result<String>,
) -> anyhow::Result<Process> {
    let name = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let sandbox = control_plane.sandbox();
    let folder = sandbox.folder().join(&name);
    fs::create_dir_all(&folder)?;
    let mut command = Command::new(program);
    command
        .env("KUBECONFIG", control_plane.service_account("flux-system", &name)?)
        .env("RUNTIME_NAMESPACE", "flux-system")
        .env("TUF_ROOT", folder.join("tuf"))
        .env("TMPDIR", &folder)
        .env("HOME", &folder)
        .current_dir(&folder)
        .arg(format!("--metrics-addr=127.0.0.1:{}", free_port()?))
        .arg(format!("--health-addr=127.0.0.1:{}", free_port()?))
        .args([
            "--watch-all-namespaces",
            "--log-level=info",
            "--log-encoding=json",
        ]);
    match name.as_str() {
        "source-controller" => {
            let address = format!("127.0.0.1:{}", free_port()?);
            command
                .arg(format!("--storage-addr={address}"))
                .arg(format!("--storage-adv-addr={}", advertise(&address)?))
                .arg(format!("--storage-path={}", folder.display()))
                .arg("--events-addr=");
        }
        "notification-controller" => {
            command
                .arg(format!("--events-addr=127.0.0.1:{events}"))
                .arg(format!("--receiverAddr=127.0.0.1:{}", free_port()?));
        }
        _ => {
            command.arg("--events-addr=");
        }
    }
    sandbox.spawn(&name, &command)
}
