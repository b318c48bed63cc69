//! etcd and kube-apiserver.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use super::process::{Process, Sandbox, free_port};
use super::programs::{self, Finish};
use super::{plain, wait_for};

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
/// How long an API server may take to be ready on a busy machine.
const START: Duration = Duration::from_mins(1);
/// A port that was free may be taken when it is used.
const ATTEMPTS: u32 = 3;

/// How a control plane differs from the usual one.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// Whether etcd waits for the disk, as it does where it matters: for latency figures.
    pub(crate) durable: bool,
    /// A folder with etcd's data to begin with; it is copied.
    pub(crate) data: Option<PathBuf>,
    /// More flags of etcd.
    pub(crate) etcd: Vec<String>,
    /// More flags of the API server.
    pub(crate) apiserver: Vec<String>,
}

/// A control plane on free ports of the loopback, for one test.
pub(crate) struct ControlPlane {
    // Ended in this order.
    apiserver: Process,
    etcd: Process,
    site: Site,
    admin: PathBuf,
    sandbox: Sandbox,
    _turn: Turn,
}

/// Where a control plane lives: the same after each restart.
struct Site {
    programs: PathBuf,
    folder: PathBuf,
    options: Options,
    etcd: u16,
    peer_url: String,
    secure: u16,
}

impl Site {
    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.secure)
    }

    fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd)
    }

    fn certificates(&self) -> PathBuf {
        self.folder.join("certificates")
    }

    fn etcd_command(&self) -> Command {
        let mut command = Command::new(self.programs.join("etcd"));
        command
            .arg("--data-dir")
            .arg(self.folder.join("etcd"))
            .args(["--listen-client-urls", &self.etcd_url()])
            .args(["--advertise-client-urls", &self.etcd_url()])
            .args(["--listen-peer-urls", &self.peer_url, "--log-level", "warn"])
            .args(&self.options.etcd);
        if !self.options.durable {
            command.arg("--unsafe-no-fsync");
        }
        command
    }

    /// An API server on a port, with etcd behind a URL.
    fn apiserver_command(&self, secure: u16, etcd_url: &str) -> Command {
        let mut command = Command::new(self.programs.join("kube-apiserver"));
        let certificates = self.certificates();
        // It makes its serving certificate itself; the key signs the ServiceAccounts' tokens as well.
        let key = certificates.join("apiserver.key");
        command
            .args(["--etcd-servers", etcd_url, "--bind-address", "127.0.0.1"])
            .args(["--secure-port", &secure.to_string(), "--cert-dir"])
            .arg(&certificates)
            .args(["--service-account-issuer", "https://kubernetes.default.svc"])
            .arg("--service-account-key-file")
            .arg(&key)
            .arg("--service-account-signing-key-file")
            .arg(&key)
            .arg("--token-auth-file")
            .arg(self.folder.join("tokens.csv"))
            .args(["--authorization-mode", "RBAC"])
            .args(["--service-cluster-ip-range", "10.0.0.0/24"])
            .args(["--allow-privileged=true", "--audit-policy-file"])
            .arg(self.folder.join("audit-policy.yaml"))
            .arg("--audit-log-path")
            .arg(self.folder.join(AUDIT_LOG))
            .args(&self.options.apiserver);
        command
    }

    /// Writes what the processes read.
    fn furnish(&self) -> anyhow::Result<()> {
        fs::write(
            self.folder.join("tokens.csv"),
            format!("{ADMIN},admin,admin,\"system:masters\"\n"),
        )?;
        fs::write(self.folder.join("audit-policy.yaml"), AUDIT_POLICY)?;
        match &self.options.data {
            Some(data) => programs::copy(data, &self.folder.join("etcd")),
            None => Ok(()),
        }
    }

    /// Asks an API server whether it is ready.
    fn is_ready(&self, url: &str) -> anyhow::Result<()> {
        kubectl_at(&self.programs, url, &self.certificates(), &self.folder)
            .args(["get", "--raw", "/readyz"])
            .finish("not ready")?;
        Ok(())
    }
}

impl ControlPlane {
    /// Starts etcd and kube-apiserver and waits until they are ready.
    ///
    /// # Errors
    /// They cannot be built or do not start.
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::start_with(&Options::default())
    }

    /// Starts one that differs from the usual.
    ///
    /// # Errors
    /// They cannot be built or do not start.
    pub(crate) fn start_with(options: &Options) -> anyhow::Result<Self> {
        let programs = programs::core()?;
        let turn = Turn::take();
        let mut attempt = 1;
        loop {
            match Self::launch(&programs, options) {
                Ok((sandbox, etcd, apiserver, site)) => {
                    let mut it = Self {
                        apiserver,
                        etcd,
                        site,
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

    fn launch(programs: &Path, options: &Options) -> anyhow::Result<(Sandbox, Process, Process, Site)> {
        let sandbox = Sandbox::new()?;
        let site = Site {
            programs: programs.to_owned(),
            folder: sandbox.folder().to_owned(),
            options: options.clone(),
            etcd: free_port()?,
            peer_url: format!("http://127.0.0.1:{}", free_port()?),
            secure: free_port()?,
        };
        site.furnish()?;
        let mut etcd = sandbox.spawn("etcd", &site.etcd_command())?;
        let mut apiserver = sandbox.spawn(
            "kube-apiserver",
            &site.apiserver_command(site.secure, &site.etcd_url()),
        )?;
        wait_for("kube-apiserver", START, || {
            etcd.check()?;
            apiserver.check()?;
            site.is_ready(&site.url())
        })?;
        Ok((sandbox, etcd, apiserver, site))
    }

    /// Starts the API server again, where it was, after it has been killed; does not wait.
    pub(crate) fn revive_apiserver(&mut self) -> anyhow::Result<()> {
        let command = self
            .site
            .apiserver_command(self.site.secure, &self.site.etcd_url());
        self.apiserver = self.sandbox.spawn("kube-apiserver", &command)?;
        Ok(())
    }

    /// Starts etcd again, where it was, after it has been killed; does not wait.
    pub(crate) fn revive_etcd(&mut self) -> anyhow::Result<()> {
        self.etcd = self.sandbox.spawn("etcd", &self.site.etcd_command())?;
        Ok(())
    }

    /// Waits until the API server answers, again or still.
    pub(crate) fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let (site, apiserver) = (&self.site, &mut self.apiserver);
        wait_for("kube-apiserver", START, || {
            apiserver.check()?;
            site.is_ready(&site.url())
        })
    }

    /// A second API server over an etcd at this address, this control plane's or a way to it. Returns its URL.
    pub(crate) fn second_apiserver(&self, etcd_url: &str) -> anyhow::Result<(Process, String)> {
        let port = free_port()?;
        let url = format!("https://127.0.0.1:{port}");
        let mut command = self.site.apiserver_command(port, etcd_url);
        // Two writers of one audit log would rotate it under each other.
        command
            .arg("--audit-log-path")
            .arg(self.site.folder.join("second-audit.log"));
        let mut process = self.sandbox.spawn("second-kube-apiserver", &command)?;
        wait_for("the second kube-apiserver", START, || {
            process.check()?;
            self.site.is_ready(&url)
        })?;
        Ok((process, url))
    }

    /// Where etcd listens for the API server.
    pub(crate) fn etcd_url(&self) -> String {
        self.site.etcd_url()
    }

    /// Forgets every version of every object but the last: who wants to go on from an older one is told 410.
    pub(crate) fn compact(&self) -> anyhow::Result<()> {
        let status = plain::post(self.site.etcd, "/v3/maintenance/status", &json!({}))?;
        let revision = &status["header"]["revision"];
        let request = json!({"revision": revision, "physical": true});
        plain::post(self.site.etcd, "/v3/kv/compaction", &request)?;
        Ok(())
    }

    /// Gives back the space of what was deleted, and lets etcd write again after it has run out of it.
    pub(crate) fn make_space(&self) -> anyhow::Result<()> {
        self.compact()?;
        plain::post(self.site.etcd, "/v3/maintenance/defragment", &json!({}))?;
        let found = plain::post(self.site.etcd, "/v3/maintenance/alarm", &json!({"action": "GET"}))?;
        for alarm in found["alarms"].as_array().into_iter().flatten() {
            let disarm =
                json!({"action": "DEACTIVATE", "memberID": alarm["memberID"], "alarm": alarm["alarm"]});
            plain::post(self.site.etcd, "/v3/maintenance/alarm", &disarm)?;
        }
        Ok(())
    }

    /// Address of the API server.
    pub(crate) fn url(&self) -> String {
        self.site.url()
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
        self.site.certificates().join("apiserver.crt")
    }

    /// The key that ServiceAccounts' tokens are signed with.
    pub(crate) fn key(&self) -> PathBuf {
        self.site.certificates().join("apiserver.key")
    }

    /// Another certificate for the loopback, and its key: an API server makes both before it does anything else.
    pub(crate) fn another_certificate(&self) -> anyhow::Result<(PathBuf, PathBuf)> {
        let folder = self.site.folder.join("other-certificates");
        let mut command = self.site.apiserver_command(free_port()?, &self.site.etcd_url());
        command.arg("--cert-dir").arg(&folder);
        command
            .arg("--audit-log-path")
            .arg(self.site.folder.join("other-audit.log"));
        let mut process = self.sandbox.spawn("other-kube-apiserver", &command)?;
        let made = ["apiserver.crt", "apiserver.key"].map(|name| folder.join(name));
        wait_for("another certificate", START, || {
            process.check()?;
            ensure!(made.iter().all(|file| file.exists()), "not made yet");
            Ok(())
        })?;
        process.kill()?;
        let [certificate, key] = made;
        Ok((certificate, key))
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
        self.kubeconfig_at(&self.url(), user, token)
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
        let token = self.service_account_token(namespace, name)?;
        self.kubeconfig(&format!("{namespace}-{name}"), &token)
    }

    /// A fresh token of a ServiceAccount.
    pub(crate) fn service_account_token(&self, namespace: &str, name: &str) -> anyhow::Result<String> {
        let token = self.kubectl(&["create", "token", "-n", namespace, name, "--duration=24h"])?;
        Ok(token.trim().to_owned())
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
        self.site.programs.join("kubectl")
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
