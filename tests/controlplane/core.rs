//! etcd and kube-apiserver.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::process::{Process, Sandbox, free_port};
use super::programs::{self, Finish};
use super::wait_for;

/// Token of the one user who may do everything.
const ADMIN: &str = "admin-token";
/// Requests of ServiceAccounts, without what they carry.
const AUDIT_POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    userGroups: ['system:serviceaccounts']
  - level: None
";
const AUDIT_LOG: &str = "audit.log";
/// A port that was free may be taken when it is used.
const ATTEMPTS: u32 = 3;

/// A control plane on free ports of the loopback, for one test.
pub(crate) struct ControlPlane {
    // Ended in this order.
    apiserver: Process,
    etcd: Process,
    programs: PathBuf,
    url: String,
    admin: PathBuf,
    sandbox: Sandbox,
    _turn: Turn,
}

impl ControlPlane {
    /// Starts etcd and kube-apiserver and waits until they are ready.
    ///
    /// # Errors
    /// They cannot be built or do not start.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let programs = programs::core()?;
        let turn = Turn::take();
        let mut attempt = 1;
        loop {
            match Self::launch(&programs) {
                Ok((sandbox, etcd, apiserver, url)) => {
                    let mut it = Self {
                        apiserver,
                        etcd,
                        programs,
                        url,
                        admin: PathBuf::new(),
                        sandbox,
                        _turn: turn,
                    };
                    it.admin = it.kubeconfig("admin", ADMIN)?;
                    return Ok(it);
                }
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    fn launch(programs: &Path) -> anyhow::Result<(Sandbox, Process, Process, String)> {
        let sandbox = Sandbox::new()?;
        let (client, peer, secure) = (free_port()?, free_port()?, free_port()?);
        let etcd_url = format!("http://127.0.0.1:{client}");
        let mut etcd = sandbox.spawn(
            "etcd",
            Command::new(programs.join("etcd"))
                .arg("--data-dir")
                .arg(sandbox.folder().join("etcd"))
                .args([
                    "--listen-client-urls",
                    &etcd_url,
                    "--advertise-client-urls",
                    &etcd_url,
                ])
                .args(["--listen-peer-urls", &format!("http://127.0.0.1:{peer}")])
                .args(["--log-level", "warn", "--unsafe-no-fsync"]),
        )?;
        let tokens = sandbox.folder().join("tokens.csv");
        fs::write(&tokens, format!("{ADMIN},admin,admin,\"system:masters\"\n"))?;
        let audit_policy = sandbox.folder().join("audit-policy.yaml");
        fs::write(&audit_policy, AUDIT_POLICY)?;
        let certificates = sandbox.folder().join("certificates");
        // The API server makes its serving certificate itself; its key signs the ServiceAccounts' tokens as well.
        let key = certificates.join("apiserver.key");
        let mut apiserver = sandbox.spawn(
            "kube-apiserver",
            Command::new(programs.join("kube-apiserver"))
                .args(["--etcd-servers", &etcd_url, "--bind-address", "127.0.0.1"])
                .args(["--secure-port", &secure.to_string(), "--cert-dir"])
                .arg(&certificates)
                .args(["--service-account-issuer", "https://kubernetes.default.svc"])
                .arg("--service-account-key-file")
                .arg(&key)
                .arg("--service-account-signing-key-file")
                .arg(&key)
                .arg("--token-auth-file")
                .arg(&tokens)
                .args([
                    "--authorization-mode",
                    "RBAC",
                    "--service-cluster-ip-range",
                    "10.0.0.0/24",
                ])
                .args(["--allow-privileged=true", "--audit-policy-file"])
                .arg(&audit_policy)
                .arg("--audit-log-path")
                .arg(sandbox.folder().join(AUDIT_LOG)),
        )?;
        let url = format!("https://127.0.0.1:{secure}");
        let ready = || {
            etcd.check()?;
            apiserver.check()?;
            kubectl_at(programs, &url, &certificates, sandbox.folder())
                .args(["get", "--raw", "/readyz"])
                .finish("not ready")
        };
        wait_for("kube-apiserver", Duration::from_mins(1), ready)?;
        Ok((sandbox, etcd, apiserver, url))
    }

    /// Address of the API server.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where processes may write, and where it all goes at the end.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The kubeconfig of a user who may do everything.
    pub(crate) fn admin(&self) -> &Path {
        &self.admin
    }

    /// The certificate that the API server shows.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.sandbox.folder().join("certificates/apiserver.crt")
    }

    /// The key that ServiceAccounts' tokens are signed with.
    pub(crate) fn key(&self) -> PathBuf {
        self.sandbox.folder().join("certificates/apiserver.key")
    }

    /// The API server's process.
    pub(crate) fn apiserver(&mut self) -> &mut Process {
        &mut self.apiserver
    }

    /// etcd's process.
    pub(crate) fn etcd(&mut self) -> &mut Process {
        &mut self.etcd
    }

    /// Every request of ServiceAccounts, as the API server saw it.
    pub(crate) fn audit_log(&self) -> anyhow::Result<Vec<serde_json::Value>> {
        let log = fs::read_to_string(self.sandbox.folder().join(AUDIT_LOG))?;
        // The last line may be half written.
        let complete = log.rfind('\n').map_or("", |end| &log[..end]);
        complete
            .lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }

    /// A kubeconfig for the bearer of a token.
    pub(crate) fn kubeconfig(&self, user: &str, token: &str) -> anyhow::Result<PathBuf> {
        self.kubeconfig_at(&self.url, user, token)
    }

    /// A kubeconfig for another address of the same API server, such as a proxy's.
    pub(crate) fn kubeconfig_at(&self, url: &str, user: &str, token: &str) -> anyhow::Result<PathBuf> {
        let path = self.sandbox.folder().join(format!("{user}.kubeconfig"));
        let content = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": self.certificate()}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        });
        fs::write(&path, content.to_string())?;
        Ok(path)
    }

    /// A kubeconfig with a fresh token of a ServiceAccount, from the TokenRequest API.
    pub(crate) fn service_account(&self, namespace: &str, name: &str) -> anyhow::Result<PathBuf> {
        let token = self.kubectl(&["create", "token", "-n", namespace, name, "--duration=24h"])?;
        self.kubeconfig(&format!("{namespace}-{name}"), token.trim())
    }

    /// A kubectl command of the admin.
    pub(crate) fn kubectl_command(&self) -> Command {
        let mut command = Command::new(self.kubectl_path());
        command
            .env("KUBECONFIG", &self.admin)
            .env("KUBECACHEDIR", self.sandbox.folder().join("kubectl"));
        command
    }

    /// The kubectl that belongs to this API server.
    pub(crate) fn kubectl_path(&self) -> PathBuf {
        self.programs.join("kubectl")
    }

    /// What kubectl prints.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let complaint = format!("kubectl {}", arguments.join(" "));
        self.kubectl_command().args(arguments).finish(&complaint)
    }

    /// What kubectl prints for these manifests.
    pub(crate) fn kubectl_with(&self, arguments: &[&str], manifests: &str) -> anyhow::Result<String> {
        let mut child = self
            .kubectl_command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child
            .stdin
            .take()
            .context("no standard input")?
            .write_all(manifests.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "kubectl {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// `kubectl apply --server-side` of manifests.
    pub(crate) fn apply(&self, manifests: &str) -> anyhow::Result<()> {
        self.kubectl_with(
            &["apply", "--server-side", "--force-conflicts", "-f", "-"],
            manifests,
        )?;
        Ok(())
    }

    /// One object, or one list of objects.
    pub(crate) fn get(&self, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
        let text = self.kubectl(&[&["get", "-o", "json"], arguments].concat())?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// kubectl before there is a kubeconfig.
fn kubectl_at(programs: &Path, url: &str, certificates: &Path, folder: &Path) -> Command {
    let mut command = Command::new(programs.join("kubectl"));
    command
        .env("KUBECACHEDIR", folder.join("kubectl"))
        .env("KUBECONFIG", "/dev/null")
        .arg(format!("--server={url}"))
        .arg(format!("--token={ADMIN}"))
        .arg(format!(
            "--certificate-authority={}",
            certificates.join("apiserver.crt").display()
        ));
    command
}

/// At most two control planes run in one process at once: a machine with two cores carries no more.
struct Turn;

static FREE: Mutex<u32> = Mutex::new(2);
static GIVEN_BACK: Condvar = Condvar::new();

impl Turn {
    fn take() -> Self {
        let mut free = FREE.lock().unwrap();
        while *free == 0 {
            free = GIVEN_BACK.wait(free).unwrap();
        }
        *free -= 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Ok(mut free) = FREE.lock() {
            *free += 1;
        }
        GIVEN_BACK.notify_one();
    }
}
