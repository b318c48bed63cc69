//! Traffic between controllers.

use super::*;
use support::pod;

const CLIENTS: &str = "--authorized-artifact-client-spiffe-id=spiffe://self/flux/kustomize";
const SERVERS: &str = "--authorized-artifact-server-spiffe-id=spiffe://self/flux/source";
const NOTIFIED: &str = "--authorized-event-server-spiffe-id=spiffe://self/flux/notification";
const SENDERS: &str = "--authorized-event-client-spiffe-id=spiffe://self/flux/source";

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    let source = |args: &[&str]| deployment("source-controller", "1.10.1", args);
    let kustomize = |args: &[&str]| deployment("kustomize-controller", "1.10.1", args);
    let helm = |args: &[&str]| deployment("helm-controller", "1.7.1", args);
    let notification = |args: &[&str]| deployment("notification-controller", "1.10.0", args);
    let mut scaled = kustomize(&[]);
    scaled["spec"]["replicas"] = json!(0);
    let mut shard = source(&[]);
    shard["metadata"]["name"] = json!("source-controller-shard1");
    let mut shell = kustomize(&[]);
    shell["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["/bin/sh", "-c"]);
    vec![
        ("FSX-MTLS-001", "both ends", vec![source(&[CLIENTS]), kustomize(&[SERVERS])], Pass),
        ("FSX-MTLS-001", "off", vec![source(&[]), kustomize(&[])], Manual),
        ("FSX-MTLS-001", "one end", vec![source(&[CLIENTS]), kustomize(&[])], Manual),
        ("FSX-MTLS-001", "one consumer of two", vec![source(&[CLIENTS]), kustomize(&[SERVERS]), helm(&[])], Manual),
        ("FSX-MTLS-001", "who does not run does not fetch", vec![source(&[CLIENTS]), scaled.clone()], Pass),
        ("FSX-MTLS-001", "a flag that was not read in code", vec![source(&[CLIENTS]), helm(&[SERVERS])], Unknown),
        ("FSX-MTLS-001", "a flag that a ready pod accepts", vec![source(&[CLIENTS]), helm(&[SERVERS]), pod("helm-controller", "1.7.1", &[SERVERS], true)], Pass),
        ("FSX-MTLS-001", "a shell", vec![source(&[CLIENTS]), shell.clone()], Unknown),
        ("FSX-MTLS-001", "before 1.10", vec![deployment("source-controller", "1.9.6", &[]), kustomize(&[])], NotApplicable),
        ("FSX-MTLS-001", "no source-controller", vec![kustomize(&[])], NotApplicable),
        ("FSX-MTLS-003", "a consumer without mTLS", vec![source(&[CLIENTS]), kustomize(&[])], Fail),
        ("FSX-MTLS-003", "a consumer that is too old", vec![source(&[CLIENTS]), deployment("kustomize-controller", "1.9.4", &[])], Fail),
        ("FSX-MTLS-003", "a server without mTLS", vec![source(&[]), kustomize(&[SERVERS])], Fail),
        ("FSX-MTLS-003", "a shard without mTLS", vec![source(&[CLIENTS]), kustomize(&[SERVERS]), shard], Fail),
        ("FSX-MTLS-003", "a receiver of events without mTLS", vec![source(&[NOTIFIED]), notification(&[])], Fail),
        ("FSX-MTLS-003", "the names of the server's flags are not known", vec![source(&[NOTIFIED]), notification(&["--authorized-senders-spiffe-id=spiffe://self/s"])], Unknown),
        ("FSX-MTLS-003", "both ends", vec![source(&[CLIENTS]), kustomize(&[SERVERS])], Pass),
        ("FSX-MTLS-003", "who does not run breaks nothing", vec![source(&[CLIENTS]), scaled.clone()], Pass),
        ("FSX-MTLS-003", "a flag that was not read in code", vec![source(&[CLIENTS]), helm(&[SERVERS])], Unknown),
        ("FSX-MTLS-003", "a flag that a ready pod accepts", vec![source(&[CLIENTS]), helm(&[SERVERS]), pod("helm-controller", "1.7.1", &[SERVERS], true)], Pass),
        ("FSX-MTLS-003", "helm-controller without mTLS", vec![source(&[CLIENTS]), helm(&[])], Fail),
        ("FSX-MTLS-003", "a shell at the other end", vec![source(&[]), shell.clone()], Unknown),
        ("FSX-MTLS-003", "no end", vec![source(&[]), kustomize(&[])], NotApplicable),
        ("FSX-MTLS-002", "off", vec![source(&[]), notification(&[])], Manual),
        ("FSX-MTLS-002", "one end", vec![source(&[NOTIFIED]), notification(&[])], Manual),
        ("FSX-MTLS-002", "FSX-MTLS-002 the names of the server's flags are not known", vec![source(&[NOTIFIED]), notification(&[SENDERS])], Unknown),
        ("FSX-MTLS-002", "a flag that tells by its name and that a ready pod accepts", vec![source(&[NOTIFIED]), notification(&[SENDERS]), pod("notification-controller", "1.10.0", &[SENDERS], true)], Pass),
        ("FSX-MTLS-002", "before 1.10", vec![source(&[NOTIFIED]), deployment("notification-controller", "1.9.3", &[])], NotApplicable),
    ]
}

#[test]
fn a_finding_names_the_controller_that_lacks_its_flag() {
    let mut engine = engine(Tenancy::None);
    let objects = [
        deployment("source-controller", "1.10.1", &[CLIENTS]),
        deployment("kustomize-controller", "1.10.1", &[]),
    ];
    engine.ingest(objects.iter().map(upsert));
    let whole = posture(&engine);
    let found: Vec<String> = whole
        .findings
        .iter()
        .filter(|it| it.finding.control == "FSX-MTLS-003")
        .map(|it| it.finding.resource.to_string())
        .collect();
    assert_eq!(found, ["Deployment flux-system/kustomize-controller"]);
}
