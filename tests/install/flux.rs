//! Flux itself: a Kustomization, and a HelmRelease, reconciled by the real controllers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::controlplane::flux::Controllers;
use crate::controlplane::git::Repository;
use crate::controlplane::scenario::{report, result, until};
use crate::controlplane::{Operator, wait_for};
use crate::helm::{left_by_helm, remove_the_rest};
use crate::objects::{copy_config, make_older, root};

/// As docs/install.md shows it, but for the address of the repository.
const GIT: &str = "
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-security-operator, namespace: flux-system}
spec:
  interval: 1h
  url: URL
  ref: {branch: main}
";
const KUSTOMIZATIONS: &str = "
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-security-operator, namespace: flux-system}
spec:
  interval: 1h
  retryInterval: 5s
  sourceRef: {kind: GitRepository, name: flux-security-operator}
  path: ./config/default
  prune: true
  wait: true
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-security-policy, namespace: flux-system}
spec:
  dependsOn: [{name: flux-security-operator}]
  interval: 1h
  retryInterval: 5s
  sourceRef: {kind: GitRepository, name: flux-security-operator}
  path: ./policy
  prune: true
  wait: true
";
const POLICY: &str = "
apiVersion: fluxsecurity.dev/v1alpha1
kind: FluxSecurityPolicy
metadata: {name: default}
spec: {tenancy: Shared}
";
const RELEASE: &str = "
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: flux-security-operator, namespace: flux-system}
spec:
  interval: 1h
  releaseName: flux-security-operator
  targetNamespace: flux-security-system
  chart:
    spec:
      chart: ./config/chart
      reconcileStrategy: Revision
      sourceRef: {kind: GitRepository, name: flux-security-operator}
  install: {createNamespace: true, strategy: {name: RetryOnFailure, retryInterval: 5s}}
  values: {policy: {create: true, spec: {tenancy: Shared}}}
";

/// Pushes what is below a folder, as it is in the repository.
fn push(repository: &Repository, message: &str, folder: &Path, more: &[(&str, &str)]) {
    let mut files = Vec::new();
    collect(folder, folder, &mut files);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .chain(more.iter().copied())
        .collect();
    repository.push(message, &files).unwrap();
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn begin() -> (Cluster, Controllers, Repository) {
    let cluster = Cluster::begin();
    let controllers = Controllers::start(&cluster.control_plane).unwrap();
    let repository = Repository::start(cluster.control_plane.sandbox()).unwrap();
    (cluster, controllers, repository)
}

fn reconcile(cluster: &Cluster, kind: &str, name: &str) {
    let now = format!(
        "reconcile.fluxcd.io/requestedAt={}",
        std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()
    );
    cluster
        .control_plane
        .kubectl(&["annotate", "--overwrite", kind, "-n", "flux-system", name, &now])
        .unwrap();
}

fn delete(cluster: &Cluster, kind: &str, name: &str) {
    cluster
        .control_plane
        .kubectl(&["delete", kind, "-n", "flux-system", name, "--timeout=120s"])
        .unwrap();
}

/// Pushes what is here over an older release that has made this report.
fn upgrade(cluster: &Cluster, repository: &Repository, kind: &str, before: &Value) {
    let control_plane = &cluster.control_plane;
    cluster.shows_tenancy(false);
    let newer = control_plane.sandbox().folder().join("newer");
    copy_config(&newer);
    push(repository, "Upgrade", &newer, &[]);
    reconcile(cluster, "gitrepository", "flux-security-operator");
    cluster.shows_tenancy(true);
    cluster.wait_until_ready(kind, "flux-security-operator");
    let after = report(control_plane).unwrap();
    assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"]);
}

/// `wait` takes the health of policies for granted only when the operator has said so.
#[test]
fn flux_installs_upgrades_and_prunes() {
    let (cluster, mut controllers, repository) = begin();
    let control_plane = &cluster.control_plane;
    let older = control_plane.sandbox().folder().join("older");
    copy_config(&older);
    make_older(&older.join("crds/fluxsecuritypolicies.yaml"));
    push(&repository, "Install", &older, &[("policy/policy.yaml", POLICY)]);
    control_plane
        .apply(&format!(
            "{}---{KUSTOMIZATIONS}",
            GIT.replace("URL", repository.url())
        ))
        .unwrap();
    cluster.wait_until_ready("kustomization", "flux-security-operator");
    cluster.pods_are_restricted("flux-security-system");
    let operator = Operator::start(control_plane).unwrap();
    cluster.wait_until_ready("kustomization", "flux-security-policy");
    let before = until(control_plane, "a report", |report| {
        result(report, "FSP-KUST-001") == "Pass"
    });
    upgrade(&cluster, &repository, "kustomization", &before);
    assert!(root().join("config/default").exists());
    a_bad_policy_is_no_success(&cluster, &repository);

    for name in ["flux-security-policy", "flux-security-operator"] {
        delete(&cluster, "kustomization", name);
    }
    delete(&cluster, "gitrepository", "flux-security-operator");
    cluster.leaves(&[]);
    controllers.check().unwrap();
    drop(operator);
}

/// What Flux waits for is what kstatus makes of the conditions: a policy that is stalled has failed, and has not when it is
/// repaired.
fn a_bad_policy_is_no_success(cluster: &Cluster, repository: &Repository) {
    let becomes = |what: &str, status: &str, says: &str| {
        reconcile(cluster, "gitrepository", "flux-security-operator");
        wait_for(what, Duration::from_mins(2), || {
            let of = ["kustomization", "-n", "flux-system", "flux-security-policy"];
            let conditions = cluster.control_plane.get(&of)?["status"]["conditions"].clone();
            let mut conditions = conditions.as_array().into_iter().flatten();
            let ready = conditions
                .find(|it| it["type"] == "Ready")
                .cloned()
                .unwrap_or_default();
            let is_it = ready["status"] == status && ready["message"].to_string().contains(says);
            ensure!(is_it, "{ready}");
            Ok(())
        })
        .unwrap();
    };
    let bad = POLICY.replace("Shared", "Shared, controls: [{id: FSP-NOPE-001}]");
    repository
        .push("A mistake", &[("policy/policy.yaml", &bad)])
        .unwrap();
    becomes("a bad policy to fail", "False", "FluxSecurityPolicy/default");
    let good = POLICY.replace("Shared", "Shared, failOn: Medium");
    repository
        .push("Its repair", &[("policy/policy.yaml", &good)])
        .unwrap();
    becomes("its repair to succeed", "True", "Applied revision");
}

/// helm-controller knows of kinds what it knew when an attempt began: the first attempt brings the CRDs, the second the
/// policy.
#[test]
fn flux_installs_upgrades_and_uninstalls_the_chart() {
    let (cluster, mut controllers, repository) = begin();
    let control_plane = &cluster.control_plane;
    let older = control_plane.sandbox().folder().join("older");
    let chart = copy_config(&older).join("chart");
    make_older(&chart.join("templates/crds/fluxsecuritypolicies.yaml"));
    push(&repository, "Install", &older, &[]);
    control_plane
        .apply(&format!("{}---{RELEASE}", GIT.replace("URL", repository.url())))
        .unwrap();
    cluster.wait_until_ready("helmrelease", "flux-security-operator");
    let operator = Operator::start(control_plane).unwrap();
    let before = until(control_plane, "a report", |report| {
        result(report, "FSP-MT-002") == "Fail"
    });
    upgrade(&cluster, &repository, "helmrelease", &before);

    delete(&cluster, "helmrelease", "flux-security-operator");
    delete(&cluster, "gitrepository", "flux-security-operator");
    cluster.leaves(&left_by_helm(control_plane, "flux-security-system"));
    controllers.check().unwrap();
    drop(operator);
    remove_the_rest(control_plane, "flux-security-system");
    cluster.leaves(&[]);
}
