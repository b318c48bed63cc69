//! The operator at its main job, in acts: `make demo`.
//!
//! With `KUBECONFIG` set it audits that cluster and builds and writes nothing. Otherwise it starts a Kubernetes of its
//! own on the loopback. `DEMO=once` ends after the last act; otherwise it stays until Ctrl-C.

#[path = "../controlplane/mod.rs"]
mod controlplane;

use std::process::{Command, ExitCode};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use controlplane::flux::Controllers;
use controlplane::git::Repository;
use controlplane::nodes::Nodes;
use controlplane::programs::{Finish, say};
use controlplane::{ControlPlane, Operator, flux, operator, wait_for};

/// How long a posture may take to follow.
const PATIENCE: Duration = Duration::from_secs(90);

/// What somebody accepts: helm-controller follows references of tenants to other namespaces.
const ACCEPTED: &str = "FSP-MT-002";

const POLICY: &str = "\
apiVersion: fluxsecurity.dev/v1alpha1
kind: FluxSecurityPolicy
metadata:
  name: default
spec:
  tenancy: Shared
";

fn main() -> ExitCode {
    let stop = on_signal();
    let played = if std::env::var_os("KUBECONFIG").is_some() {
        your_cluster()
    } else {
        own_cluster(&stop)
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("\nthe demo failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A message for Ctrl-C; a second one ends at once, and the guard cleans up.
fn on_signal() -> Receiver<()> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            let mut interrupted = false;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if interrupted {
                    std::process::exit(130);
                }
                interrupted = true;
                let _ = send.send(());
            }
        });
    });
    receive
}

/// The posture of the cluster that KUBECONFIG names: read, not written.
fn your_cluster() -> anyhow::Result<()> {
    act("The Flux of your cluster (KUBECONFIG is set: nothing is built, nothing is written)");
    let status = Command::new(operator::fluxsec())
        .args(["audit", "--tenancy", "shared", "--fail-on", "none"])
        .status()?;
    ensure!(status.success(), "the cluster of KUBECONFIG could not be audited");
    say(
        "\nnext: kubectl apply --server-side -k config/default && kubectl apply -f config/samples/policy.yaml",
    );
    Ok(())
}

fn own_cluster(stop: &Receiver<()>) -> anyhow::Result<()> {
    let mut stage = Stage::set(stop)?;
    // Minutes on a fresh machine: begun while there is something to look at.
    std::thread::spawn(flux::build_controllers);
    stage.posture()?;
    stage.drift()?;
    stage.events_and_metrics()?;
    stage.waive()?;
    stage.flux_joins()?;
    stage.tenants()?;
    stage.waiver_ends()?;
    stage.repair()?;
    stage.leak()?;
    stage.look_further();
    Ok(())
}

/// Everything that runs. Fields end in their order.
struct Stage<'a> {
    controllers: Option<Controllers>,
    repository: Option<Repository>,
    /// Where source-controller serves artifacts.
    artifacts: String,
    operator: Operator,
    _nodes: Nodes,
    control_plane: ControlPlane,
    stop: &'a Receiver<()>,
}

impl<'a> Stage<'a> {
    fn set(stop: &'a Receiver<()>) -> anyhow::Result<Self> {
        act("1. A Kubernetes with Flux, and the operator");
        let started = Instant::now();
        let control_plane = ControlPlane::start()?;
        say(&format!("kube-apiserver answers at {}", control_plane.url()));
        let nodes = Nodes::start(&control_plane)?;
        say("kube-controller-manager, kube-scheduler and kwok run: Deployments get Pods");
        control_plane.apply(&flux::manifests()?)?;
        let available = [
            "wait",
            "deployment",
            "--all",
            "-n",
            "flux-system",
            "--for=condition=Available",
        ];
        control_plane.kubectl(&[&available[..], &["--timeout=60s"]].concat())?;
        said(&control_plane, &["get", "pods", "-n", "flux-system"])?;
        Operator::install(&control_plane)?;
        let operator = Operator::start(&control_plane)?;
        say(&format!(
            "the operator runs with the rights of its ServiceAccount; up after {:.1?}",
            started.elapsed()
        ));
        Ok(Self {
            controllers: None,
            repository: None,
            artifacts: String::new(),
            operator,
            _nodes: nodes,
            control_plane,
            stop,
        })
    }

    fn posture(&self) -> anyhow::Result<()> {
        act("2. A policy for a cluster that tenants share, and the posture");
        say(POLICY);
        self.control_plane.apply(POLICY)?;
        self.wait_for_result("FSP-KUST-001", "Pass")?;
        self.show(&["get", "fluxsecurityreports"])?;
        let rows = self.control_plane.get(&["fluxsecurityreport", "default"])?;
        let failing = rows["status"]["controls"].as_array().into_iter().flatten();
        let failing: Vec<_> = failing.filter(|row| row["result"] == "Fail").collect();
        say("\nwhat fails:");
        for row in failing {
            let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
            say(&format!(
                "{:<9} {:<12} {}",
                text("severity"),
                text("id"),
                text("title")
            ));
        }
        Ok(())
    }

    fn drift(&self) -> anyhow::Result<()> {
        act("3. Somebody edits a controller");
        // Reports are written once a second at most: what is measured here is a change after a while of quiet.
        std::thread::sleep(Duration::from_secs(2));
        let patch = r#"[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--insecure-kubeconfig-exec=true"}]"#;
        let arguments = [
            "patch",
            "deployment",
            "-n",
            "flux-system",
            "kustomize-controller",
            "--type=json",
            "-p",
            patch,
        ];
        self.show(&arguments)?;
        let drifted = Instant::now();
        self.wait_for_result("FSP-KUST-001", "Fail")?;
        say(&format!("the report says so after {:.0?}", drifted.elapsed()));
        self.show(&["get", "fluxsecurityreports"])
    }

    fn events_and_metrics(&self) -> anyhow::Result<()> {
        act("4. Where people look: Events, metrics, history");
        let event = wait_for("the Event", PATIENCE, || {
            let describe = [
                "describe",
                "deployment",
                "-n",
                "flux-system",
                "kustomize-controller",
            ];
            let text = self.control_plane.kubectl(&describe)?;
            let line = text.lines().find(|line| line.contains("FSP-KUST-001"));
            line.map(|line| line.trim().to_owned()).context("no Event yet")
        })?;
        say("$ kubectl describe deployment -n flux-system kustomize-controller | grep FSP-KUST-001");
        say(&event);
        let (_, metrics) = self.operator.get("/metrics")?;
        say(&format!(
            "\n$ curl -s localhost:{}/metrics | grep -E 'score_ratio|compliant|findings.*KUST-001'",
            self.operator.port()
        ));
        for line in metrics.lines().filter(|line| !line.starts_with('#')) {
            if line.contains("score_ratio")
                || line.contains("_compliant{")
                || line.contains("findings{control=\"FSP-KUST-001")
            {
                say(line);
            }
        }
        self.remember()
    }

    /// It ends while the next acts are played.
    fn waive(&self) -> anyhow::Result<()> {
        act("5. Somebody accepts a risk for a minute");
        let arguments = [
            "waive",
            ACCEPTED,
            "--resource",
            "Deployment/flux-system/helm-controller",
            "--reason",
            "accepted until tenants move in",
            "--owner",
            "platform-team",
            "--expires",
            "1m",
            "--name",
            "for-a-minute",
        ];
        say(&format!(
            "\n$ fluxsec {} | kubectl apply -f -",
            arguments.join(" ")
        ));
        let waiver = Command::new(operator::fluxsec())
            .args(arguments)
            .finish("fluxsec waive")?;
        self.control_plane.apply(&waiver)?;
        self.wait_for_result(ACCEPTED, "Waived")?;
        self.show(&["get", "fluxsecuritywaivers"])?;
        self.show(&["get", "fluxsecurityreports"])
    }

    fn waiver_ends(&self) -> anyhow::Result<()> {
        act("8. The minute is over");
        self.wait_for_result(ACCEPTED, "Fail")?;
        self.show(&["get", "fluxsecuritywaivers"])?;
        self.show(&["get", "fluxsecurityreports"])?;
        self.remember()
    }

    /// The last changes in the report.
    fn remember(&self) -> anyhow::Result<()> {
        say("\nwhat the report remembers, the newest first: who changed what, where managedFields tell");
        let report = self.control_plane.get(&["fluxsecurityreport", "default"])?;
        let changes = report["status"]["history"].as_array().into_iter().flatten();
        for change in changes.take(3) {
            let text = |pointer: &str| change.pointer(pointer).and_then(|it| it.as_str()).unwrap_or("");
            let named = |before: &str, pointer: &str| match text(pointer) {
                "" => String::new(),
                name => format!("{before} {name}"),
            };
            say(&format!(
                "{} {} {} to {}{}{}{}",
                text("/time"),
                text("/control"),
                text("/from"),
                text("/to"),
                named(":", "/resource/name"),
                named(", by", "/manager"),
                named(", waiver", "/waiver"),
            ));
        }
        Ok(())
    }

    fn flux_joins(&mut self) -> anyhow::Result<()> {
        act("6. The real Flux controllers join and reconcile a repository");
        let artifacts = &mut self.artifacts;
        let started = Controllers::start_behind(&self.control_plane, |server| {
            server.clone_into(artifacts);
            Ok(server.to_owned())
        })?;
        let controllers = self.controllers.insert(started);
        let repository = self
            .repository
            .insert(Repository::start(self.control_plane.sandbox())?);
        repository.push(
            "Flux, as it was bootstrapped",
            &[
                (
                    "clusters/demo/flux-system/gotk-components.yaml",
                    &flux::manifests()?,
                ),
                ("clusters/demo/flux-system/kustomization.yaml", BOOTSTRAPPED),
            ],
        )?;
        self.control_plane.apply(&SYNC.replace("URL", repository.url()))?;
        say("waiting for Flux to apply the repository: it undoes the drift");
        let undone = Instant::now();
        wait_for("Flux", PATIENCE, || {
            controllers.check()?;
            result_is(&self.control_plane, "FSP-KUST-001", "Pass")
        })?;
        say(&format!(
            "Flux has repaired the drift, and the report knows, after {:.0?}",
            undone.elapsed()
        ));
        self.show(&["get", "gitrepositories,kustomizations", "-n", "flux-system"])?;
        self.show(&["get", "fluxsecurityreports"])
    }

    fn tenants(&self) -> anyhow::Result<()> {
        act("7. Two tenants move in");
        let repository = self.repository.as_ref().context("no repository")?;
        say(
            "team-a borrows the platform's source and names no account; team-b has an account with too many rights",
        );
        repository.push(
            "Tenants",
            &[
                (
                    "clusters/demo/tenants.yaml",
                    &TENANTS.replace("URL", repository.url()),
                ),
                ("tenants/team-a/app.yaml", APP),
                ("tenants/team-b/app.yaml", APP),
            ],
        )?;
        self.reconcile()?;
        for namespace in ["team-a", "team-b"] {
            wait_for(&format!("Flux to apply {namespace}"), PATIENCE, || {
                let applied = ["get", "configmap", "app", "-n", namespace];
                self.control_plane.kubectl(&applied)
            })?;
        }
        for control in ["FSP-MT-010", "FSP-MT-012", "FSX-TEN-002"] {
            self.wait_for_result(control, "Fail")?;
        }
        self.show(&["get", "kustomizations", "-A"])?;
        self.show(&["get", "fluxsecuritynamespacereports", "-A"])?;
        self.as_tenant()
    }

    /// What the people of a tenant see, who have the role `view` in their namespace.
    fn as_tenant(&self) -> anyhow::Result<()> {
        let kubeconfig = self.control_plane.service_account("team-a", "developer")?;
        let kubectl = |arguments: &[&str]| {
            let mut command = self.control_plane.kubectl_command();
            let command = command.env("KUBECONFIG", &kubeconfig).args(arguments);
            command.finish(&format!("kubectl {}", arguments.join(" ")))
        };
        let own = ["get", "fsnr", "-n", "team-a"];
        let seen = wait_for("the role view to know of reports", PATIENCE, || kubectl(&own))?;
        say("\nas a developer of team-a, who has the role view there:");
        say(&format!("$ kubectl {}\n{}", own.join(" "), seen.trim_end()));
        let findings =
            "-o=jsonpath={range .status.findings[*]}{.severity} {.control} {.message}{\"\\n\"}{end}";
        say(&format!("$ kubectl get fsnr default -n team-a {findings}"));
        say(kubectl(&["get", "fsnr", "default", "-n", "team-a", findings])?.trim_end());
        say("$ kubectl get fsnr -n team-b");
        let refused = kubectl(&["get", "fsnr", "-n", "team-b"]).err();
        let refused = refused.context("team-a reads the reports of team-b")?.to_string();
        say(refused.lines().last().unwrap_or_default());
        Ok(())
    }

    fn repair(&self) -> anyhow::Result<()> {
        act("9. A commit with the multi-tenancy lockdown of Flux's documentation");
        let repository = self.repository.as_ref().context("no repository")?;
        repository.push(
            "Lock down multi-tenancy",
            &[("clusters/demo/flux-system/kustomization.yaml", LOCKED_DOWN)],
        )?;
        let pushed = Instant::now();
        self.reconcile()?;
        for control in ["FSP-MT-008", "FSP-MT-002"] {
            self.wait_for_result(control, "Pass")?;
        }
        say(&format!("from git push to the report: {:.0?}", pushed.elapsed()));
        self.show(&["get", "fluxsecurityreports"])?;
        wait_for("team-a's findings to weigh less", PATIENCE, || {
            let report = self.control_plane.get(&["fsnr", "default", "-n", "team-a"])?;
            let critical = &report["status"]["summary"]["failing"]["critical"];
            ensure!(*critical == 0, "{critical} are critical");
            Ok(())
        })?;
        say("Flux refuses now what team-a may not do; its report says which objects stopped working");
        self.show(&["get", "fluxsecuritynamespacereports", "-n", "team-a"])
    }

    fn leak(&self) -> anyhow::Result<()> {
        act("10. A password in plain text, and its repair");
        let repository = self.repository.as_ref().context("no repository")?;
        let policy = format!(
            "{POLICY}  secrets:\n    artifacts: {{enabled: true, hosts: [\"{}\"]}}\n",
            self.artifacts
        );
        say(&policy);
        self.control_plane.apply(&policy)?;
        repository.push("A database", &[("clusters/demo/database.yaml", LEAK)])?;
        let pushed = Instant::now();
        self.reconcile()?;
        self.wait_for_finding("FSP-SEC-003", "database.yaml")?;
        say(&format!("from git push to the report: {:.0?}", pushed.elapsed()));
        say("\nsomebody takes it out of the file: whoever read the repository knows it all the same");
        let repaired = LEAK.replace("correct-horse-battery", "${DATABASE_PASSWORD}");
        repository.push("No password", &[("clusters/demo/database.yaml", &repaired)])?;
        self.reconcile()?;
        self.wait_for_finding("FSP-SEC-004", "exposed, rotate")
    }

    /// Waits for a finding, and shows it.
    fn wait_for_finding(&self, control: &str, text: &str) -> anyhow::Result<()> {
        let message = wait_for(&format!("{control} to tell of {text}"), PATIENCE, || {
            ensure!(self.stop.try_recv().is_err(), "interrupted");
            let report = self.control_plane.get(&["fluxsecurityreport", "default"])?;
            let findings = report["status"]["findings"].as_array().into_iter().flatten();
            let mut messages = findings.filter(|it| it["control"] == control).filter_map(|it| {
                let message = it["message"].as_str()?;
                message
                    .contains(text)
                    .then(|| format!("{message} (line {})", it["location"]["line"]))
            });
            messages.next().context("not yet")
        })?;
        say(&format!("{control}: {message}"));
        Ok(())
    }

    /// Flux looks at the repository now.
    fn reconcile(&self) -> anyhow::Result<()> {
        let source = ["annotate", "gitrepository", "-n", "flux-system", "flux-system"];
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let requested = format!("reconcile.fluxcd.io/requestedAt={}", now.as_secs());
        self.show(&[&source[..], &["--overwrite", &requested]].concat())
    }

    fn look_further(&self) {
        act("Look around");
        let kubectl = self.control_plane.kubectl_path();
        say(&format!(
            "export KUBECONFIG={}",
            self.control_plane.admin().display()
        ));
        say(&format!("alias kubectl={}", kubectl.display()));
        say("kubectl get fluxsecurityreports default -o yaml");
        say("kubectl get fluxsecuritynamespacereports -A");
        say("kubectl get events -A --field-selector reportingComponent=flux-security-operator");
        say(&format!(
            "{} audit --tenancy shared",
            operator::fluxsec().display()
        ));
        if std::env::var("DEMO").is_ok_and(|value| value == "once") {
            return;
        }
        say("\nCtrl-C ends everything and leaves nothing behind.");
        let _ = self.stop.recv();
    }

    /// A kubectl command and what it prints.
    fn show(&self, arguments: &[&str]) -> anyhow::Result<()> {
        said(&self.control_plane, arguments)
    }

    fn wait_for_result(&self, control: &str, result: &str) -> anyhow::Result<()> {
        wait_for(&format!("{control} to be {result}"), PATIENCE, || {
            ensure!(self.stop.try_recv().is_err(), "interrupted");
            result_is(&self.control_plane, control, result)
        })
    }
}

fn result_is(control_plane: &ControlPlane, control: &str, result: &str) -> anyhow::Result<()> {
    let report = control_plane.get(&["fluxsecurityreport", "default"])?;
    let rows = report["status"]["controls"].as_array().into_iter().flatten();
    let mut rows = rows.filter(|row| row["id"] == control);
    let now = rows
        .next()
        .and_then(|row| row["result"].as_str())
        .unwrap_or("not there");
    ensure!(now == result, "{control} is {now}");
    Ok(())
}

fn said(control_plane: &ControlPlane, arguments: &[&str]) -> anyhow::Result<()> {
    say(&format!("\n$ kubectl {}", arguments.join(" ")));
    say(control_plane.kubectl(arguments)?.trim_end());
    Ok(())
}

fn act(title: &str) {
    say(&format!("\n=== {title}"));
}

/// What `flux bootstrap` writes beside the components.
const BOOTSTRAPPED: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [gotk-components.yaml]
";

/// The patches of <https://fluxcd.io/flux/installation/configuration/multitenancy/>.
const LOCKED_DOWN: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [gotk-components.yaml]
patches:
  - target:
      kind: Deployment
      name: (kustomize-controller|helm-controller|notification-controller|image-reflector-controller|image-automation-controller)
    patch: |
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: --no-cross-namespace-refs=true}
  - target:
      kind: Deployment
      name: kustomize-controller
    patch: |
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: --no-remote-bases=true}
  - target:
      kind: Deployment
      name: (kustomize-controller|helm-controller)
    patch: |
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: --default-service-account=default}
";

const SYNC: &str = "
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 1m
  url: URL
  ref: {branch: main}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 10m
  path: ./clusters/demo
  prune: true
  serviceAccountName: kustomize-controller
  sourceRef: {kind: GitRepository, name: flux-system}
";

/// What a platform team writes for its tenants, with a mistake for each.
const TENANTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: team-a, labels: {toolkit.fluxcd.io/tenant: team-a}}
---
apiVersion: v1
kind: Namespace
metadata: {name: team-b, labels: {toolkit.fluxcd.io/tenant: team-b}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: developer, namespace: team-a}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: developers, namespace: team-a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: developer, namespace: team-a}]
---
# The source of another namespace, and no account: it runs with the rights of kustomize-controller.
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app, namespace: team-a}
spec:
  interval: 10m
  path: ./tenants/team-a
  prune: true
  targetNamespace: team-a
  sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: team-b, namespace: team-b}
---
# Rights over the cluster, where a RoleBinding would do.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: team-b}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: team-b, namespace: team-b}]
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: app, namespace: team-b}
spec:
  interval: 1m
  url: URL
  ref: {branch: main}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app, namespace: team-b}
spec:
  interval: 10m
  path: ./tenants/team-b
  prune: true
  targetNamespace: team-b
  serviceAccountName: team-b
  sourceRef: {kind: GitRepository, name: app}
";

/// A Secret as nobody should write it.
const LEAK: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: database, namespace: default}
stringData:
  password: correct-horse-battery
";

/// What tenants run.
const APP: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: app}
";
