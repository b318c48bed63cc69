//! Alerts where people get them: a real Prometheus scrapes the operator on a real API server, with the rules as they
//! are shipped, only more hasty.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use controlplane::programs::{Finish, PROMTOOL};
use controlplane::prometheus::Prometheus;
use controlplane::scenario::{SHARED, installed, result, set_args, until};
use controlplane::{ControlPlane, Operator, operator, wait_for};
use flux_security_operator::monitoring::alerts::{ALERTS, RUNBOOKS};
use flux_security_operator::monitoring::dashboards::DASHBOARDS;
use flux_security_operator::monitoring::metrics::METRICS;
use k8s_openapi::jiff::{SignedDuration, Timestamp, Unit};
use serde_json::{Value, json};

/// Longer than an alert needs on a busy machine, an outage of the API server included.
const PATIENCE: Duration = Duration::from_mins(3);

/// The safety net is what keeps a report from being stale when nothing changes; a minute is the shortest.
const OF_A_MINUTE: &str = "  interval: 1m\n  clusterName: production\n";

/// The shipped rules, without patience.
fn hasty() -> String {
    let rules = fs::read_to_string("config/monitoring/rules.yaml").unwrap();
    let hasty: Vec<String> = rules
        .lines()
        .map(|line| match line.split_once("for: ") {
            Some((before, _)) if before.trim().is_empty() => format!("{before}for: 0s"),
            _ => line.replace("> 1800", "> 75"),
        })
        .collect();
    let changed = |line: &str| hasty.iter().filter(|it| it.contains(line)).count();
    assert_eq!(changed("for: 0s"), ALERTS.len());
    assert_eq!(changed("> 75"), 1);
    hasty.join("\n")
}

/// A Prometheus and what it knows.
struct Watched {
    prometheus: Prometheus,
}

impl Watched {
    /// The firing alerts of a name.
    fn firing(&self, name: &str) -> anyhow::Result<Vec<Value>> {
        let firing = self.prometheus.firing()?;
        Ok(firing
            .into_iter()
            .filter(|alert| alert["labels"]["alertname"] == name)
            .collect())
    }

    /// Waits until an alert fires with a label.
    fn wait_for(&self, name: &str, label: (&str, &str)) -> Value {
        let holds = |alert: &Value| alert["labels"][label.0] == label.1;
        wait_for(name, PATIENCE, || {
            let firing = self.firing(name)?;
            let found = firing.iter().find(|alert| holds(alert));
            found.cloned().ok_or_else(|| anyhow::anyhow!("{firing:?}"))
        })
        .unwrap()
    }

    /// Waits until an alert does not fire with a label any more.
    fn wait_for_end(&self, name: &str, label: (&str, &str)) {
        wait_for(&format!("the end of {name}"), PATIENCE, || {
            let firing = self.firing(name)?;
            ensure!(
                !firing.iter().any(|alert| alert["labels"][label.0] == label.1),
                "{firing:?}"
            );
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn what_goes_wrong_fires_in_prometheus() {
    let mut control_plane = installed();
    control_plane.apply(&format!("{SHARED}{OF_A_MINUTE}")).unwrap();
    control_plane.apply(&waiver().to_string()).unwrap();
    let mut operator = Operator::start(&control_plane).unwrap();
    until(&control_plane, "the first report", |report| {
        result(report, "FSP-KUST-001") == "Pass"
    });
    let prometheus = Prometheus::start(control_plane.sandbox(), &[operator.port()], &hasty()).unwrap();
    let mut watched = Watched { prometheus };
    let severity = |name: &str| {
        ALERTS
            .iter()
            .find(|it| it.name == name)
            .unwrap()
            .severity
            .as_str()
    };

    // What a plain install fails is known, and the operator has nothing to complain about.
    watched.wait_for("FluxSecurityHighControlFailing", ("policy", "default"));
    let critical = "FluxSecurityCriticalControlFailing";
    watched.wait_for_end(critical, ("control", "FSP-KUST-001"));
    let quiet = || -> BTreeSet<String> {
        let firing = watched.prometheus.firing().unwrap();
        let names = firing
            .iter()
            .filter_map(|alert| alert["labels"]["alertname"].as_str().map(str::to_owned));
        names.collect()
    };
    watched.wait_for("FluxSecurityWaiverExpiringSoon", ("waiver", "soon"));
    let of_posture = [
        critical,
        "FluxSecurityHighControlFailing",
        "FluxSecurityCoverageIncomplete",
        "FluxSecurityWaiverExpiringSoon",
        // Of a busy machine.
        "FluxSecurityReportsLate",
    ];
    let others: Vec<String> = quiet()
        .into_iter()
        .filter(|name| !of_posture.contains(&name.as_str()))
        .collect();
    assert!(others.is_empty(), "{others:?}");

    // A drift.
    set_args(
        &control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=true",
    );
    for name in [critical, "FluxSecurityPostureDrifted"] {
        let alert = watched.wait_for(name, ("control", "FSP-KUST-001"));
        assert_eq!(alert["labels"]["severity"], severity(name), "{alert}");
        let annotations = &alert["annotations"];
        assert!(
            annotations["summary"].as_str().unwrap().contains("FSP-KUST-001"),
            "{alert}"
        );
        let url = annotations["runbook_url"].as_str().unwrap();
        let page = url.strip_prefix(RUNBOOKS).unwrap();
        assert!(Path::new("docs/runbooks").join(page).exists(), "{url}");
    }
    is_complete(&operator);
    panels_have_data(&watched.prometheus);
    follow_the_pages(&control_plane);

    // Its repair.
    set_args(
        &control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=false",
    );
    for name in [critical, "FluxSecurityPostureDrifted"] {
        watched.wait_for_end(name, ("control", "FSP-KUST-001"));
    }

    // An audit that somebody turns off.
    set_suspended(&control_plane, true);
    watched.wait_for("FluxSecurityPolicyNotAudited", ("policy", "default"));
    let success = "flux_security_last_success_timestamp_seconds";
    wait_for("the end of its success", PATIENCE, || {
        let found = watched.prometheus.query(success)?;
        ensure!(found.is_empty(), "nothing is late that is not wanted: {found:?}");
        Ok(())
    })
    .unwrap();
    set_suspended(&control_plane, false);
    watched.wait_for_end("FluxSecurityPolicyNotAudited", ("policy", "default"));

    // Reports that cannot be written.
    let role = role(&control_plane);
    control_plane.apply(&reading_only(&role).to_string()).unwrap();
    set_args(
        &control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=true",
    );
    watched.wait_for("FluxSecurityReportsNotWritten", ("severity", "warning"));
    watched.wait_for("FluxSecurityAuditStale", ("policy", "default"));
    control_plane.apply(&role.to_string()).unwrap();
    watched.wait_for_end("FluxSecurityAuditStale", ("policy", "default"));

    // An API server that is away takes the lead from everybody.
    control_plane.apiserver().kill().unwrap();
    watched.wait_for("FluxSecurityNoLeader", ("severity", "critical"));
    control_plane.revive_apiserver().unwrap();
    control_plane.wait_until_ready().unwrap();
    watched.wait_for_end("FluxSecurityNoLeader", ("severity", "critical"));

    // Nobody is there to complain.
    operator.process.stop().unwrap();
    watched.wait_for("FluxSecurityOperatorAbsent", ("severity", "critical"));
    watched.prometheus.process.check().unwrap();
}

/// Accepts for two days what a plain install fails.
fn waiver() -> Value {
    let end = Timestamp::now() + SignedDuration::from_hours(48);
    json!({
        "apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityWaiver", "metadata": {"name": "soon"},
        "spec": {
            "control": "FSP-MT-002", "resources": [{"kind": "Deployment", "namespace": "flux-system", "name": "*"}],
            "reason": "accepted for this test", "owner": "tests", "expires": end.round(Unit::Second).unwrap().to_string(),
        },
    })
}

/// Every query of every dashboard finds something soon after a change, as Grafana asks it when all is chosen.
fn panels_have_data(prometheus: &Prometheus) {
    wait_for("every panel", PATIENCE, || {
        let empty = empty_panels(prometheus)?;
        ensure!(empty.is_empty(), "{}", empty.join("\n"));
        Ok(())
    })
    .unwrap();
}

fn empty_panels(prometheus: &Prometheus) -> anyhow::Result<Vec<String>> {
    let mut empty = Vec::new();
    for dashboard in DASHBOARDS {
        for panel in dashboard.panels {
            for query in panel.queries {
                let asked = ["$cluster", "$policy", "$instance"]
                    .iter()
                    .fold(query.expr.to_owned(), |asked, variable| {
                        asked.replace(variable, ".*")
                    })
                    .replace("$__rate_interval", "1m")
                    .replace("$__range", "10m");
                let found = prometheus.query(&asked)?;
                // Nothing is not a number, either.
                if found.iter().all(|it| it["value"][1] == "NaN") {
                    empty.push(format!("{} / {}: {asked}", dashboard.title, panel.title));
                }
            }
        }
    }
    Ok(empty)
}

/// What is applied for the operators of Prometheus and Grafana is what their tables say.
#[test]
fn manifests_render() {
    let kubectl = controlplane::programs::core().unwrap().join("kubectl");
    let render = |path: &str| {
        let rendered = Command::new(&kubectl)
            .args(["kustomize", path])
            .finish(path)
            .unwrap();
        rendered
            .split("\n---\n")
            .map(str::to_owned)
            .collect::<Vec<String>>()
    };
    let of = |objects: &[String], kind: &str| {
        let line = format!("kind: {kind}");
        objects
            .iter()
            .filter(|it| it.lines().any(|it| it == line))
            .count()
    };
    let monitoring = render("config/monitoring");
    assert_eq!(
        (of(&monitoring, "PodMonitor"), of(&monitoring, "PrometheusRule")),
        (1, 1)
    );
    let grafana = render("config/monitoring/grafana-operator");
    for dashboard in DASHBOARDS {
        let named = |kind: &str, name: &str| {
            let lines = [format!("kind: {kind}"), format!("  name: {name}")];
            let holds = |object: &&String| lines.iter().all(|line| object.lines().any(|it| it == line));
            grafana.iter().filter(holds).count()
        };
        let name = dashboard.name;
        assert_eq!(
            named("ConfigMap", &format!("flux-security-dashboard-{name}")),
            1,
            "{name}"
        );
        assert_eq!(
            named("GrafanaDashboard", &format!("flux-security-{name}")),
            1,
            "{name}"
        );
    }
    let count = |kind| of(&grafana, kind);
    assert_eq!(
        (count("ConfigMap"), count("GrafanaDashboard")),
        (DASHBOARDS.len(), DASHBOARDS.len())
    );
    assert!(
        grafana
            .iter()
            .all(|it| it.contains("  namespace: flux-security-system"))
    );
}

/// Every metric of the table is served but what a policy has to ask for, and none else.
fn is_complete(operator: &Operator) {
    let (_, text) = operator.get("/metrics").unwrap();
    let served: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let table = METRICS.iter().map(|metric| metric.name);
    let table: BTreeSet<&str> = table
        .filter(|name| *name != "flux_security_object_findings")
        .collect();
    assert_eq!(served, table);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    fs::write(&path, &text).unwrap();
    let said = Command::new(PROMTOOL.folder().unwrap().join("promtool"))
        .args(["check", "metrics"])
        .stdin(fs::File::open(&path).unwrap())
        .finish("the metrics are not what they should be")
        .unwrap();
    assert_eq!(said, "");
}

/// Does what the pages of the alerts say, as far as it needs no pods and changes nothing.
fn follow_the_pages(control_plane: &ControlPlane) {
    let path = control_plane.sandbox().folder().join("path");
    fs::create_dir(&path).unwrap();
    std::os::unix::fs::symlink(control_plane.kubectl_path(), path.join("kubectl")).unwrap();
    std::os::unix::fs::symlink(operator::fluxsec(), path.join("fluxsec")).unwrap();
    let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
    let mut followed = BTreeSet::new();
    for page in fs::read_dir("docs/runbooks").unwrap() {
        let text = fs::read_to_string(page.unwrap().path()).unwrap();
        for command in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let needs_pods = command.starts_with("kubectl logs");
            if needs_pods || !followed.insert(command.to_owned()) {
                continue;
            }
            let output = Command::new("sh")
                .args(["-c", command])
                .env("PATH", &path)
                .env("KUBECONFIG", control_plane.admin())
                .env("KUBECACHEDIR", control_plane.sandbox().folder().join("kubectl"))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command}: {said}");
            let is_about_the_drift =
                command.contains("FSP-KUST-001\")") || command.contains(".status.history");
            let shown = String::from_utf8_lossy(&output.stdout);
            assert!(
                !is_about_the_drift || shown.contains("kustomize-controller"),
                "{command}: {shown}"
            );
        }
    }
    assert!(followed.len() > 10, "{followed:?}");
}

fn set_suspended(control_plane: &ControlPlane, suspend: bool) {
    let patch = json!({"spec": {"suspend": suspend}}).to_string();
    let arguments = [
        "patch",
        "fluxsecuritypolicy",
        "default",
        "--type=merge",
        "-p",
        &patch,
    ];
    control_plane.kubectl(&arguments).unwrap();
}

/// The operator's ClusterRole, as it was applied.
fn role(control_plane: &ControlPlane) -> Value {
    let role = control_plane
        .get(&["clusterrole", "flux-security-operator"])
        .unwrap();
    json!({
        "apiVersion": role["apiVersion"], "kind": role["kind"],
        "metadata": {"name": "flux-security-operator"}, "rules": role["rules"],
    })
}

/// The role without what writes reports.
fn reading_only(role: &Value) -> Value {
    let mut role = role.clone();
    for rule in role["rules"].as_array_mut().unwrap() {
        if rule["apiGroups"] == json!(["fluxsecurity.dev"]) {
            let verbs = rule["verbs"].as_array_mut().unwrap();
            verbs.retain(|verb| ["get", "list", "watch"].map(Value::from).contains(verb));
        }
    }
    let rules = role["rules"].as_array_mut().unwrap();
    rules.retain(|rule| !rule["verbs"].as_array().unwrap().is_empty());
    role
}
