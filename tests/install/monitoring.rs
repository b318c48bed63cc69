//! Our monitors, rules and dashboards by those who read them: the schemas of the Prometheus Operator and of the Grafana
//! Operator, and what the former makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::controlplane::ControlPlane;
use crate::controlplane::helm::template;
use crate::controlplane::monitoring::{PrometheusOperator, define_kinds};
use crate::controlplane::programs::{Finish, PROMTOOL};
use crate::objects::{kustomize, objects, root};

const NAMESPACE: &str = "flux-security-system";
const GROUPS: [&str; 2] = ["monitoring.coreos.com/", "grafana.integreatly.org/"];
/// Everything that the chart has for the Prometheus Operator, over HTTP and over HTTPS.
const OVER_HTTP: &str = "--set=podMonitor.enabled=true,podMonitor.labels.release=prometheus,serviceMonitor.enabled=true,\
                         prometheusRule.enabled=true,prometheusRule.labels.release=prometheus";
const OVER_HTTPS: &str = "--set=serviceMonitor.enabled=true,serviceMonitor.labels.release=prometheus,\
                          serviceMonitor.interval=1m,secureMetrics.enabled=true";

/// A control plane that knows the kinds, and a namespace for objects of them.
fn furnished() -> ControlPlane {
    let control_plane = ControlPlane::start().unwrap();
    define_kinds(&control_plane).unwrap();
    control_plane
        .kubectl(&["create", "namespace", NAMESPACE])
        .unwrap();
    control_plane
}

fn strictly(control_plane: &ControlPlane, object: &Value) -> anyhow::Result<String> {
    let arguments = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--validate=strict",
        "-f",
        "-",
    ];
    control_plane.kubectl_with(&arguments, &object.to_string())
}

/// Those of kinds that are not Kubernetes' own.
fn of_others(manifests: &str) -> impl Iterator<Item = Value> {
    let is_of_others = |object: &Value| {
        let version = object["apiVersion"].as_str().unwrap();
        GROUPS.iter().any(|group| version.starts_with(group))
    };
    objects(manifests)
        .into_values()
        .filter(move |it| is_of_others(it))
}

#[test]
fn the_schemas_of_their_operators_take_them() {
    let control_plane = furnished();
    let folder = |name: &str| kustomize(&root().join("config").join(name));
    let mut taken = BTreeMap::<String, usize>::new();
    for manifests in [
        folder("monitoring"),
        folder("monitoring/grafana-operator"),
        folder("secure-metrics/monitor"),
        template(NAMESPACE, &[OVER_HTTP]).unwrap(),
        template(NAMESPACE, &[OVER_HTTPS]).unwrap(),
    ] {
        for object in of_others(&manifests) {
            strictly(&control_plane, &object).unwrap();
            *taken
                .entry(object["kind"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    let taken: Vec<(&str, usize)> = taken.iter().map(|(kind, count)| (&**kind, *count)).collect();
    let expected = [
        ("GrafanaDashboard", 5),
        ("PodMonitor", 2),
        ("PrometheusRule", 2),
        ("ServiceMonitor", 3),
    ];
    assert_eq!(taken, expected);

    // Strict is strict: what the schema does not know, and what is none of its values, is refused.
    let mut monitor = of_others(&folder("monitoring"))
        .find(|object| object["kind"] == "PodMonitor")
        .unwrap();
    monitor["spec"]["podMetricsEndpoints"][0]["intervall"] = json!("30s");
    let refusal = strictly(&control_plane, &monitor).unwrap_err().to_string();
    assert!(refusal.contains("intervall"), "{refusal}");
    let mut dashboard = of_others(&folder("monitoring/grafana-operator")).next().unwrap();
    dashboard["spec"]["configMapRef"] = json!({"name": 1});
    let refusal = strictly(&control_plane, &dashboard).unwrap_err().to_string();
    assert!(refusal.contains("configMapRef"), "{refusal}");
}

/// A Prometheus that selects everything.
const PROMETHEUS: &str = "
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: whole, namespace: flux-security-system}
spec:
  serviceAccountName: prometheus
  podMonitorSelector: {}
  serviceMonitorSelector: {}
  ruleSelector: {}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus, namespace: flux-security-system}
";

/// The real operator turns our objects into a configuration that the real Prometheus takes.
#[test]
fn the_prometheus_operator_makes_a_configuration_of_them() {
    let control_plane = furnished();
    let certificate = fs::read_to_string(control_plane.certificate()).unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "flux-security-operator-metrics", "namespace": NAMESPACE},
        "stringData": {"ca.crt": certificate},
    });
    control_plane.apply(&secret.to_string()).unwrap();
    control_plane.apply(PROMETHEUS).unwrap();
    for folder in ["monitoring", "secure-metrics/monitor"] {
        for object in of_others(&kustomize(&root().join("config").join(folder))) {
            control_plane.apply(&object.to_string()).unwrap();
        }
    }
    let mut operator = PrometheusOperator::start(&control_plane).unwrap();
    let jobs =
        ["podMonitor", "serviceMonitor"].map(|kind| format!("{kind}/{NAMESPACE}/flux-security-operator/0"));
    let configuration = operator
        .configuration(&control_plane, (NAMESPACE, "whole"), |text| {
            jobs.iter().all(|job| text.contains(job))
        })
        .unwrap();

    let folder = control_plane.sandbox().folder().join("configuration");
    fs::create_dir_all(&folder).unwrap();
    let promtool = |what: &str, name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        Command::new(PROMTOOL.folder().unwrap().join("promtool"))
            .args(["check", what])
            .args((what == "config").then_some("--syntax-only"))
            .arg(&file)
            .finish(what)
    };
    promtool("config", "prometheus.yaml", &configuration).unwrap();
    let parsed: Value = serde_saphyr::from_str(&configuration).unwrap();
    let jobs_of = |name: &str| {
        let all = parsed["scrape_configs"].as_array().unwrap().iter();
        let of_name = all.filter(|job| job["job_name"].as_str().unwrap().starts_with(name));
        of_name.cloned().collect::<Vec<_>>()
    };
    let [over_http] = &jobs_of("podMonitor/")[..] else {
        panic!("{configuration}");
    };
    assert_eq!(over_http["metrics_path"], "/metrics", "{over_http}");
    let [over_https] = &jobs_of("serviceMonitor/")[..] else {
        panic!("{configuration}");
    };
    assert_eq!(over_https["scheme"], "https", "{over_https}");
    assert_eq!(
        over_https["tls_config"]["server_name"],
        format!("flux-security-operator.{NAMESPACE}.svc")
    );
    let token = over_https["bearer_token_file"].as_str();
    let token = token.or_else(|| over_https["authorization"]["credentials_file"].as_str());
    assert_eq!(
        token,
        Some("/var/run/secrets/kubernetes.io/serviceaccount/token"),
        "{over_https}"
    );

    // And what it makes of the rules are all of ours.
    let rules = control_plane
        .get(&["configmap", "-n", NAMESPACE, "prometheus-whole-rulefiles-0"])
        .unwrap();
    let files = rules["data"].as_object().unwrap();
    let (_, text) = files.iter().next().unwrap();
    let said = promtool("rules", "rules.yaml", text.as_str().unwrap()).unwrap();
    let alerts = flux_security_operator::monitoring::alerts::ALERTS.len();
    assert!(said.contains(&format!("{alerts} rules found")), "{said}");
    operator.process.check().unwrap();
}
