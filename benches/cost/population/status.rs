//! What Flux and kubelet say of the objects: most of their bytes.

use serde_json::{Value, json};

use super::{chance, digest};

/// Objects in an inventory.
const INVENTORY: usize = 20;
/// Entries of a history.
const HISTORY: usize = 5;
const SINCE: &str = "2026-01-05T08:00:00Z";

/// A status that was renewed at some second of the hour: only times and revisions differ from the one before.
pub(crate) fn renew(status: &Value, second: u64) -> Value {
    let now = format!("2026-06-01T12:{:02}:{:02}Z", second / 60 % 60, second % 60);
    let mut renewed = status.clone();
    for condition in renewed["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = json!(now);
    }
    renewed["lastHandledReconcileAt"] = json!(now);
    renewed
}

fn condition(kind: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": SINCE,
    })
}

fn revision(index: usize, purpose: u64) -> String {
    format!("main@sha1:{}", &digest(index, purpose)[..40])
}

fn inventory(index: usize) -> Value {
    const KINDS: [(&str, &str, &str); 5] = [
        ("apps", "Deployment", "v1"),
        ("", "Service", "v1"),
        ("", "ConfigMap", "v1"),
        ("networking.k8s.io", "Ingress", "v1"),
        ("rbac.authorization.k8s.io", "RoleBinding", "v1"),
    ];
    let entry = |position: usize| {
        let (group, kind, version) = KINDS[position % KINDS.len()];
        let namespace = index / super::OF_A_TENANT;
        let id = format!("team-{namespace:05}_component-{position}-of-{index:06}_{group}_{kind}");
        json!({"id": id, "v": version})
    };
    json!({"entries": (0..INVENTORY).map(entry).collect::<Vec<_>>()})
}

pub(super) fn kustomization(index: usize) -> Value {
    let applied = revision(index, 1);
    let history = |position: usize| {
        json!({
            "digest": format!("sha256:{}", digest(index, 10 + position as u64)),
            "firstReconciled": SINCE,
            "lastReconciled": "2026-06-01T08:00:00Z",
            "lastReconciledDuration": "1.284s",
            "lastReconciledStatus": "ReconciliationSucceeded",
            "totalReconciliations": chance(index, 20) % 1000,
            "metadata": {"revision": revision(index, 30 + position as u64)},
        })
    };
    json!({
        "observedGeneration": 1,
        "conditions": [
            condition("Ready", "ReconciliationSucceeded", &format!("Applied revision: {applied}")),
            condition("Healthy", "Succeeded", "Health check passed in 41.2ms"),
        ],
        "inventory": inventory(index),
        "history": (0..HISTORY).map(history).collect::<Vec<_>>(),
        "lastAppliedRevision": applied,
        "lastAttemptedRevision": applied,
        "lastAppliedOriginRevision": applied,
    })
}

pub(super) fn release(index: usize) -> Value {
    let history = |position: usize| {
        json!({
            "name": "app",
            "namespace": "apps",
            "version": HISTORY - position,
            "chartName": "app",
            "chartVersion": format!("1.{}.0", HISTORY - position),
            "appVersion": "1.14.2",
            "status": if position == 0 { "deployed" } else { "superseded" },
            "configDigest": format!("sha256:{}", digest(index, 40 + position as u64)),
            "digest": format!("sha256:{}", digest(index, 50 + position as u64)),
            "ociDigest": format!("sha256:{}", digest(index, 60 + position as u64)),
            "firstDeployed": SINCE,
            "lastDeployed": "2026-06-01T08:00:00Z",
        })
    };
    let told = "Helm upgrade succeeded for release apps/app.v5 with chart app@1.5.0";
    json!({
        "observedGeneration": 1,
        "conditions": [
            condition("Ready", "UpgradeSucceeded", told),
            condition("Released", "UpgradeSucceeded", told),
        ],
        "history": (0..HISTORY).map(history).collect::<Vec<_>>(),
        "inventory": inventory(index),
        "lastAttemptedGeneration": 1,
        "lastAttemptedRevision": "1.5.0",
        "lastAttemptedRevisionDigest": format!("sha256:{}", digest(index, 70)),
        "lastAttemptedConfigDigest": format!("sha256:{}", digest(index, 71)),
        "lastAttemptedReleaseAction": "upgrade",
        "storageNamespace": "apps",
    })
}

pub(super) fn source(index: usize, verified: bool) -> Value {
    let fetched = revision(index, 2);
    let path = format!("source/{index:06}/{}.tar.gz", digest(index, 3));
    let mut conditions = vec![
        condition(
            "Ready",
            "Succeeded",
            &format!("stored artifact for revision '{fetched}'"),
        ),
        condition(
            "ArtifactInStorage",
            "Succeeded",
            &format!("stored artifact for revision '{fetched}'"),
        ),
    ];
    if verified {
        let told = "verified signature of revision with key of signers";
        conditions.push(condition("SourceVerified", "Succeeded", told));
    }
    json!({
        "observedGeneration": 1,
        "conditions": conditions,
        "artifact": {
            "digest": format!("sha256:{}", digest(index, 4)),
            "lastUpdateTime": SINCE,
            "path": path,
            "revision": fetched,
            "size": chance(index, 5) % 100_000,
            "url": format!("http://source-controller.flux-system.svc.cluster.local./{path}"),
        },
    })
}

pub(super) fn receiver(index: usize) -> Value {
    let path = format!("/hook/{}", digest(index, 6));
    json!({
        "observedGeneration": 1,
        "conditions": [condition("Ready", "Succeeded", &format!("Receiver initialized for path: {path}"))],
        "webhookPath": path,
    })
}

pub(super) fn pod() -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": SINCE});
    let kinds = ["Initialized", "Ready", "ContainersReady", "PodScheduled"];
    json!({
        "phase": "Running",
        "hostIP": "10.1.0.1",
        "podIP": "10.2.0.1",
        "startTime": SINCE,
        "conditions": kinds.map(condition),
        "containerStatuses": [{
            "name": "web",
            "image": "registry.example.com/web:1.14.2",
            "imageID": format!("registry.example.com/web@sha256:{}", digest(1, 7)),
            "containerID": format!("containerd://{}", digest(1, 8)),
            "ready": true,
            "started": true,
            "restartCount": 0,
            "state": {"running": {"startedAt": SINCE}},
        }],
    })
}
