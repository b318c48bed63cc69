//! A cluster with Flux and pods, whose objects are counted before and after an installation.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::controlplane::nodes::Nodes;
use crate::controlplane::{ControlPlane, flux, wait_for};

/// Installers wait for pods, garbage collectors for each other.
const PATIENCE: Duration = Duration::from_mins(2);

/// Fields end in their order.
pub(crate) struct Cluster {
    _nodes: Nodes,
    pub(crate) control_plane: ControlPlane,
    before: BTreeSet<String>,
}

impl Cluster {
    pub(crate) fn begin() -> Self {
        let control_plane = ControlPlane::start().unwrap();
        let nodes = Nodes::start(&control_plane).unwrap();
        control_plane.apply(&flux::manifests().unwrap()).unwrap();
        let mut cluster = Self {
            _nodes: nodes,
            control_plane,
            before: BTreeSet::new(),
        };
        cluster.wait_until_available("flux-system");
        cluster.before = cluster.everything().unwrap();
        cluster
    }

    /// Until every Deployment of a namespace has its pods.
    pub(crate) fn wait_until_available(&self, namespace: &str) {
        let arguments = ["wait", "deployment", "--all", "-n", namespace];
        let condition = ["--for=condition=Available", "--timeout=60s"];
        self.control_plane
            .kubectl(&[&arguments[..], &condition[..]].concat())
            .unwrap();
    }

    /// Asserts that what is there now beyond what was there before is this, as soon as the garbage is collected.
    pub(crate) fn leaves(&self, expected: &[String]) {
        let expected: BTreeSet<String> = expected.iter().cloned().collect();
        wait_for("what stays behind", PATIENCE, || {
            let now = self.everything()?;
            let gone: Vec<_> = self.before.difference(&now).collect();
            ensure!(gone.is_empty(), "what was others' is gone: {gone:#?}");
            let left: BTreeSet<String> = now.difference(&self.before).cloned().collect();
            ensure!(left == expected, "{left:#?} in place of {expected:#?}");
            Ok(())
        })
        .unwrap();
    }

    /// Every object but what comes and goes with time, as `kind namespace/name`.
    fn everything(&self) -> anyhow::Result<BTreeSet<String>> {
        const NAMES: &str =
            r#"jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\n"}{end}"#;
        let kinds = self
            .control_plane
            .kubectl(&["api-resources", "--verbs=list", "-o", "name"])?;
        let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
        let names = self
            .control_plane
            .kubectl(&["get", "-A", &kinds.join(","), "-o", NAMES])?;
        // Leases of nodes and servers, and what a changed Deployment of Flux brings and takes.
        let passing = [
            "Lease kube-",
            "ComponentStatus ",
            "Pod flux-system/",
            "ReplicaSet flux-system/",
        ];
        let passes = |name: &str| passing.iter().any(|prefix| name.starts_with(prefix));
        Ok(names
            .lines()
            .filter(|name| !passes(name))
            .map(str::to_owned)
            .collect())
    }

    /// Asserts that the Deployment of the operator has its pods in a namespace that refuses what is not restricted.
    pub(crate) fn pods_are_restricted(&self, namespace: &str) {
        let control_plane = &self.control_plane;
        let labels = control_plane.get(&["namespace", namespace]).unwrap()["metadata"]["labels"].clone();
        assert_eq!(
            labels["pod-security.kubernetes.io/enforce"], "restricted",
            "{labels}"
        );
        let pods = control_plane.get(&["pods", "-n", namespace]).unwrap();
        let phases: Vec<_> = pods["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pod| pod["status"]["phase"].as_str().unwrap())
            .collect();
        assert_eq!(phases, ["Running", "Running"]);

        // The admission that let them in is there.
        let deployment = control_plane
            .get(&["deployment", "-n", namespace, "flux-security-operator"])
            .unwrap();
        let dry_run = |template: &Value| {
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "trial", "namespace": namespace}, "spec": template["spec"],
            });
            control_plane.kubectl_with(&["create", "--dry-run=server", "-f", "-"], &pod.to_string())
        };
        let mut template = deployment["spec"]["template"].clone();
        dry_run(&template).unwrap();
        template["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
        let refusal = dry_run(&template).unwrap_err().to_string();
        assert!(refusal.contains("violates PodSecurity \"restricted"), "{refusal}");
    }

    pub(crate) fn apply_folder(&self, folder: &Path) {
        let folder = folder.display().to_string();
        self.control_plane
            .kubectl(&["apply", "--server-side", "-k", &folder])
            .unwrap();
    }

    /// Waits until the columns of the newest release are shown, or asserts that they are not.
    pub(crate) fn shows_tenancy(&self, shows: bool) {
        wait_for("the columns of policies", PATIENCE, || {
            let table = self.control_plane.kubectl(&["get", "fluxsecuritypolicies"])?;
            ensure!(
                table.contains("COMPLIANT") && table.contains("TENANCY") == shows,
                "{table}"
            );
            Ok(())
        })
        .unwrap();
    }

    /// Waits until an object of Flux has done what it was asked for last.
    pub(crate) fn wait_until_ready(&self, kind: &str, name: &str) {
        wait_for(&format!("{kind} {name}"), PATIENCE, || {
            let object = self.control_plane.get(&[kind, "-n", "flux-system", name])?;
            let status = &object["status"];
            let conditions = status["conditions"].as_array().into_iter().flatten();
            let is_ready = conditions
                .into_iter()
                .any(|it| it["type"] == "Ready" && it["status"] == "True");
            let is_current = status["observedGeneration"] == object["metadata"]["generation"];
            ensure!(is_ready && is_current, "{}", status["conditions"]);
            Ok(())
        })
        .unwrap();
    }
}
