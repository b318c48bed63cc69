//! `kubectl apply -k`.

use std::fs;
use std::time::Duration;

use anyhow::ensure;

use crate::cluster::Cluster;
use crate::controlplane::scenario::{PATIENCE, SHARED, report, result, set_args, until};
use crate::controlplane::{ControlPlane, Operator, wait_for};
use crate::objects::{copy_config, make_older, objects, root};

/// With reports present, from CRDs that know less.
#[test]
fn kustomize_installs_upgrades_and_uninstalls() {
    let cluster = Cluster::begin();
    let control_plane = &cluster.control_plane;
    let older = control_plane.sandbox().folder().join("older");
    let config = copy_config(&older);
    make_older(&older.join("crds/fluxsecuritypolicies.yaml"));
    cluster.apply_folder(&config.join("default"));
    cluster.wait_until_available("flux-security-system");
    cluster.pods_are_restricted("flux-security-system");
    control_plane.apply(SHARED).unwrap();
    let mut operator = Operator::start(control_plane).unwrap();
    let before = until(control_plane, "a report", |report| {
        result(report, "FSP-KUST-001") == "Pass"
    });
    cluster.shows_tenancy(false);

    cluster.apply_folder(&root().join("config/default"));
    cluster.shows_tenancy(true);
    manifests_of_the_page_are_accepted(control_plane);
    assert!(operator.process.stop().unwrap().success());
    let operator = Operator::start(control_plane).unwrap();
    set_args(
        control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=true",
    );
    let after = until(control_plane, "a drift", |report| {
        result(report, "FSP-KUST-001") == "Fail"
    });
    assert_eq!(
        before["metadata"]["uid"], after["metadata"]["uid"],
        "the report is the same object"
    );

    let folder = root().join("config/default").display().to_string();
    control_plane
        .kubectl(&["delete", "--timeout=120s", "-k", &folder])
        .unwrap();
    cluster.leaves(&[]);
    drop(operator);
}

/// Every object on docs/install.md, by the schemas of a real Flux.
fn manifests_of_the_page_are_accepted(control_plane: &ControlPlane) {
    let page = fs::read_to_string(root().join("docs/install.md")).unwrap();
    let mut accepted = 0;
    for block in page.split("```yaml\n").skip(1) {
        let yaml = block.split("```").next().unwrap();
        if yaml.contains("kustomize.config.k8s.io") {
            continue;
        }
        accepted += objects(yaml).len();
        // An object that is there already is as good as one that is not.
        control_plane
            .kubectl_with(
                &[
                    "apply",
                    "--server-side",
                    "--force-conflicts",
                    "--dry-run=server",
                    "-f",
                    "-",
                ],
                yaml,
            )
            .unwrap();
    }
    assert!(accepted >= 5, "{accepted}");
}

/// Cluster roles have one name each: whoever installs a second time moves the rights, and never are there two who write.
#[test]
fn a_second_installation_takes_the_rights_of_the_first() {
    let cluster = Cluster::begin();
    let control_plane = &cluster.control_plane;
    cluster.apply_folder(&root().join("config/default"));
    control_plane.apply(SHARED).unwrap();
    let mut first = Operator::start(control_plane).unwrap();
    until(control_plane, "a report", |report| {
        result(report, "FSP-KUST-001") == "Pass"
    });

    let folder = control_plane.sandbox().folder().join("renamed");
    copy_config(&folder);
    fs::write(folder.join("kustomization.yaml"), RENAMED).unwrap();
    cluster.apply_folder(&folder);
    cluster.wait_until_available("security");
    cluster.pods_are_restricted("security");
    let mut second = Operator::start_in(control_plane, "security").unwrap();
    set_args(
        control_plane,
        "kustomize-controller",
        "--insecure-kubeconfig-exec=true",
    );
    until(control_plane, "the second's report", |report| {
        result(report, "FSP-KUST-001") == "Fail"
    });
    wait_for("the first to be refused", PATIENCE, || {
        ensure!(
            first.process.log().contains("forbidden"),
            "{}",
            first.process.log()
        );
        Ok(())
    })
    .unwrap();
    let version = || report(control_plane).unwrap()["metadata"]["resourceVersion"].clone();
    let settled = version();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(version(), settled, "nobody writes the report back and forth");
    for operator in [&mut first, &mut second] {
        operator.process.check().unwrap();
    }

    // What the docs say about leaving a namespace: what is cluster-wide belongs to the one that is left.
    control_plane
        .kubectl(&["delete", "namespace", "flux-security-system", "--timeout=120s"])
        .unwrap();
    let rendered = folder.display().to_string();
    control_plane
        .kubectl(&["delete", "--timeout=120s", "-k", &rendered])
        .unwrap();
    cluster.leaves(&[]);
}

/// As docs/install.md shows it.
const RENAMED: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: security
resources: [config/default]
";
