//! Kinds that are not there, come, go and change.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::controlplane::scenario::{PATIENCE, SHARED, events, report, result, until};
use crate::controlplane::{ControlPlane, Operator, flux, wait_for};
use crate::scene::{
    CONVERGENCE, Scene, assert_blind_to, audit, requests, wait_for_coverage, wait_for_result,
    wait_until_blind_to,
};

/// A new kind is watched within this time.
const SOON: Duration = Duration::from_secs(5);
/// Requests for kinds that are not there in that time: looks with growing pauses, and no loop.
const FEW: usize = 10;
/// Longest pause of a watch that fails, on a busy machine.
const PAUSE: Duration = Duration::from_mins(1);
/// Fails for each reference to another namespace.
const CONTROL: &str = "FSP-MT-012";
const IMAGES: &str = "image.toolkit.fluxcd.io";
const KUSTOMIZATIONS: &str = "kustomizations.kustomize.toolkit.fluxcd.io";
const RECEIVERS: &str = "receivers.notification.toolkit.fluxcd.io";

const AUTOMATION: &str = "
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: images, namespace: default}
spec:
  interval: 10m
  sourceRef: {kind: GitRepository, name: fleet, namespace: other}
  git: {commit: {author: {email: images@example.com}}}
";

const KUSTOMIZATION: &str = "
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: default}
spec:
  interval: 10m
  path: ./
  prune: true
  sourceRef: {kind: GitRepository, name: fleet, namespace: other}
";

const RECEIVER: &str = "
apiVersion: notification.toolkit.fluxcd.io/v1alpha9
kind: Receiver
metadata: {name: github, namespace: default}
spec:
  type: github
  secretRef: {name: token}
  resources: [{kind: GitRepository, name: fleet, namespace: other}]
";

/// Flux's CustomResourceDefinitions whose names end like this.
fn definitions(ending: &str) -> String {
    let manifests = flux::manifests().unwrap();
    let name = format!("{ending}\n");
    let wanted = |document: &&str| {
        let mut lines = document.lines();
        document.contains("\nkind: CustomResourceDefinition\n")
            && lines.any(|line| line.starts_with("  name: ") && format!("{line}\n").ends_with(&name))
    };
    let documents: Vec<&str> = manifests.split("\n---\n").filter(wanted).collect();
    assert!(!documents.is_empty(), "no {ending}");
    documents.join("\n---\n")
}

/// Applies definitions and waits until they are served. Returns when.
fn define(control_plane: &ControlPlane, definitions: &str) -> Instant {
    control_plane.apply(definitions).unwrap();
    let established = ["wait", "--for=condition=Established", "crd", "--all"];
    control_plane.kubectl(&established).unwrap();
    Instant::now()
}

/// Applies an object of a kind that kubectl may not know yet.
fn apply(control_plane: &ControlPlane, object: &str) {
    wait_for("the kind", PATIENCE, || control_plane.apply(object)).unwrap();
}

fn delete(control_plane: &ControlPlane, definition: &str) {
    control_plane.kubectl(&["delete", "crd", definition]).unwrap();
}

/// Waits until so many objects of a kind are kept.
fn wait_for_objects(operator: &Operator, kind: &str, count: f64, patience: Duration) {
    let series = format!("flux_security_objects{{kind=\"{kind}\"}}");
    wait_for(kind, patience, || {
        let kept = operator.metric(&series)?;
        ensure!(kept == Some(count), "{kept:?} are kept");
        Ok(())
    })
    .unwrap();
}

/// Rows 24, 25. Nothing to complain of, and nothing to wait for.
#[test]
fn a_flux_crd_that_comes_late_is_watched_at_once() {
    let images = definitions(IMAGES);
    let scene = Scene::begin_on(|control_plane| {
        control_plane
            .kubectl_with(&["delete", "-f", "-"], &images)
            .unwrap();
    });
    let control_plane = &scene.control_plane;
    let absent = report(control_plane).unwrap();
    assert_eq!(result(&absent, CONTROL), "NotApplicable");
    assert_eq!(
        scene
            .operator
            .metric("flux_security_kind_synced{kind=\"ImagePolicy\"}")
            .unwrap(),
        Some(1.0),
        "it is known that there is none"
    );
    let said = scene.operator.process.log();
    assert!(!said.contains(IMAGES), "{said}");
    let asked = requests(control_plane, IMAGES);
    sleep(SOON);
    let asked = requests(control_plane, IMAGES) - asked;
    assert!(asked <= FEW, "{asked} requests in {SOON:?}");

    let defined = define(control_plane, &images);
    apply(control_plane, AUTOMATION);
    wait_for_objects(&scene.operator, "ImageUpdateAutomation", 1.0, SOON);
    eprintln!("seen {:?} after its kind was there", defined.elapsed());
    wait_for_result(control_plane, CONTROL, "Fail", SOON);
    scene.conclude(&[24, 25], defined);
}

/// Row 26. Its objects go with it, and come back with it.
#[test]
fn a_deleted_flux_crd_takes_its_objects_along() {
    let scene = Scene::begin_on(|control_plane| control_plane.apply(KUSTOMIZATION).unwrap());
    let control_plane = &scene.control_plane;
    wait_for_result(control_plane, CONTROL, "Fail", PATIENCE);

    delete(control_plane, KUSTOMIZATIONS);
    wait_for_objects(&scene.operator, "Kustomization", 0.0, SOON);
    wait_for_result(control_plane, CONTROL, "NotApplicable", SOON);
    let asked = requests(control_plane, "kustomize.toolkit.fluxcd.io");
    sleep(SOON);
    let asked = requests(control_plane, "kustomize.toolkit.fluxcd.io") - asked;
    assert!(asked <= FEW, "{asked} requests in {SOON:?}");

    let defined = define(control_plane, &definitions(KUSTOMIZATIONS));
    apply(control_plane, KUSTOMIZATION);
    wait_for_objects(&scene.operator, "Kustomization", 1.0, SOON);
    eprintln!("seen {:?} after its kind was there", defined.elapsed());
    wait_for_result(control_plane, CONTROL, "Fail", SOON);
    scene.conclude(&[26], defined);
}

const WAIVERS: &str = "fluxsecuritywaivers.fluxsecurity.dev";
/// Fails in Flux's manifests as they are.
const ACCEPTED: &str = "FSP-MT-002";

/// A waiver of what fails there, for an hour.
fn waiver() -> String {
    let end = Timestamp::now() + SignedDuration::from_hours(1);
    format!(
        "{{apiVersion: fluxsecurity.dev/v1alpha1, kind: FluxSecurityWaiver, metadata: {{name: it}}, spec: {{control: {ACCEPTED}, \
         resources: [{{namespace: flux-system}}], reason: accepted for an hour, owner: us, expires: '{end}'}}}}"
    )
}

/// Row 27. Each of them, then all at once.
#[test]
#[ignore = "slow: make test-faults"]
fn the_operators_own_crds_are_deleted_and_come_back() {
    let mut scene = Scene::begin();
    let own = [
        "fluxsecuritynamespacereports.fluxsecurity.dev",
        "fluxsecurityreports.fluxsecurity.dev",
        "fluxsecuritypolicies.fluxsecurity.dev",
        WAIVERS,
    ];
    let mut back = Instant::now();
    let rounds = [&own[..1], &own[1..2], &own[2..3], &own[3..], &own];
    for (round, gone) in rounds.iter().enumerate() {
        apply(&scene.control_plane, &waiver());
        wait_for_result(&scene.control_plane, ACCEPTED, "Waived", CONVERGENCE);
        for definition in *gone {
            delete(&scene.control_plane, definition);
        }
        let asked = requests(&scene.control_plane, "fluxsecurity.dev");
        sleep(SOON);
        let asked = requests(&scene.control_plane, "fluxsecurity.dev") - asked;
        assert!(asked <= 30, "{asked} requests in {SOON:?} without {gone:?}");
        scene.operator.process.check().unwrap();
        assert_eq!(scene.operator.get("/readyz").unwrap().0, 200);
        assert!(
            scene
                .operator
                .get("/metrics")
                .unwrap()
                .1
                .contains("flux_security_kind_synced")
        );
        if *gone == [WAIVERS] {
            wait_for_result(&scene.control_plane, ACCEPTED, "Fail", SOON);
        }
        let said = scene.operator.process.log();
        for definition in *gone {
            let times = said.matches(&format!("{definition}: not installed; run")).count();
            let expected = if round + 1 == rounds.len() { 2 } else { 1 };
            assert_eq!(times, expected, "{definition}, in {said}");
        }

        Operator::install(&scene.control_plane).unwrap();
        apply(&scene.control_plane, SHARED);
        back = Instant::now();
        until(&scene.control_plane, "the report", |report| {
            result(report, crate::scene::CONTROL) == "Pass"
        });
        let policy = scene
            .control_plane
            .get(&["fluxsecuritypolicy", "default"])
            .unwrap();
        for report in [
            &["fluxsecurityreport", "default"][..],
            &["fluxsecuritynamespacereport", "-n", "flux-system", "default"],
        ] {
            wait_for("a report of this policy", CONVERGENCE, || {
                let owners = &scene.control_plane.get(report)?["metadata"]["ownerReferences"];
                ensure!(owners[0]["uid"] == policy["metadata"]["uid"], "owned by {owners}");
                Ok(())
            })
            .unwrap();
        }
        eprintln!(
            "without {gone:?}: reports {:?} after they were back",
            back.elapsed()
        );
    }
    scene.conclude(&[27], back);
}

/// A definition whose first version is served and stored as said, and a second one with the same schema.
fn versions(control_plane: &ControlPlane, name: &str, [first, second]: [(&str, bool, bool); 2]) -> Value {
    let definition = control_plane.get(&["crd", name]).unwrap();
    let mut spec = definition["spec"].clone();
    let known = spec["versions"][0].clone();
    let version = |(name, is_served, is_stored): (&str, bool, bool)| {
        let mut version = known.clone();
        version["name"] = name.into();
        version["served"] = is_served.into();
        version["storage"] = is_stored.into();
        version
    };
    spec["versions"] = json!([version(first), version(second)]);
    json!({
        "apiVersion": definition["apiVersion"], "kind": definition["kind"],
        "metadata": {"name": name}, "spec": spec,
    })
}

/// Row 28. An old version is served, then only that, then only the new one again: the same objects, and no news.
#[test]
fn another_served_version_is_watched_instead() {
    let scene = Scene::begin_on(|control_plane| {
        control_plane.apply(KUSTOMIZATION).unwrap();
        let both = versions(
            control_plane,
            KUSTOMIZATIONS,
            [("v1", true, true), ("v1beta2", true, false)],
        );
        define(control_plane, &both.to_string());
    });
    let control_plane = &scene.control_plane;
    wait_for_result(control_plane, CONTROL, "Fail", PATIENCE);
    let told = events(control_plane);
    let mut changed = Instant::now();
    for (new, old) in [(false, true), (true, false)] {
        let served = versions(
            control_plane,
            KUSTOMIZATIONS,
            [("v1", new, true), ("v1beta2", old, false)],
        );
        let version = if new { "v1" } else { "v1beta2" };
        let watched = format!("/{version}/kustomizations");
        let asked = requests(control_plane, &watched);
        changed = define(control_plane, &served.to_string());
        wait_for("a watch", SOON, || {
            ensure!(
                requests(control_plane, &watched) > asked,
                "no {version} is watched"
            );
            Ok(())
        })
        .unwrap();
        wait_for_objects(&scene.operator, "Kustomization", 1.0, SOON);
        sleep(Duration::from_secs(2));
        assert_eq!(result(&report(control_plane).unwrap(), CONTROL), "Fail");
        let news: Vec<Value> = events(control_plane)
            .into_iter()
            .filter(|event| !told.contains(event))
            .collect();
        assert!(news.is_empty(), "the same findings are no news: {news:#?}");
    }
    scene.conclude(&[28], changed);
}

/// Row 29. Stored in one version and asked for in another: every list needs the webhook, which nobody answers.
#[test]
#[ignore = "slow: make test-faults"]
fn a_dead_conversion_webhook_blinds_its_kind_only() {
    let conversion = |definition: &Value, conversion: Value| {
        let mut definition = definition.clone();
        definition["spec"]["conversion"] = conversion;
        definition.to_string()
    };
    let (mut receivers, mut whole) = (Value::Null, Value::Null);
    let scene = Scene::begin_on(|control_plane| {
        receivers = versions(
            control_plane,
            RECEIVERS,
            [("v1", true, false), ("v1alpha9", true, true)],
        );
        define(control_plane, &receivers.to_string());
        apply(control_plane, RECEIVER);
        whole = audit(control_plane.admin()).unwrap();
        let dead = json!({"strategy": "Webhook", "webhook": {
            "conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:9/convert"}
        }});
        control_plane.apply(&conversion(&receivers, dead)).unwrap();
        wait_for("conversions to fail", PATIENCE, || {
            let list = control_plane.kubectl(&["get", "receivers.v1.notification.toolkit.fluxcd.io", "-A"]);
            ensure!(list.is_err(), "still converted");
            Ok(())
        })
        .unwrap();
    });
    let control_plane = &scene.control_plane;
    let blind = wait_until_blind_to(control_plane, RECEIVERS, PATIENCE);
    assert_blind_to(&blind, RECEIVERS, &whole);
    assert_eq!(result(&blind, CONTROL), "Unknown");
    let said = scene.operator.process.log();
    assert_eq!(
        said.matches(&format!("{RECEIVERS}: watch fails")).count(),
        1,
        "{said}"
    );

    control_plane
        .apply(&conversion(&receivers, json!({"strategy": "None"})))
        .unwrap();
    let repaired = Instant::now();
    wait_for_coverage(&scene.operator, "Receiver", true, PAUSE);
    wait_for_result(control_plane, CONTROL, "Fail", SOON);
    scene.conclude(&[29], repaired);
}
