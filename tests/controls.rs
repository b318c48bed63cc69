//! Every control fails, passes and says that it does not know.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;

use flux_security_operator::api::ControlResult::{Fail, NotApplicable, Pass, Unknown};
use flux_security_operator::api::{ControlResult, Severity, Tenancy};
use flux_security_operator::controls::{CATALOGUE, Control, Judges};
use flux_security_operator::flux::Component;
use flux_security_operator::inventory::{Coverage, Delta};
use serde_json::{Value, json};
use support::{
    audit, control, deployment, engine, kind, pod, policy, posture, reads_command_lines, result,
    undeclared_reads, upsert,
};

/// Control, controller, version, arguments, further objects, result.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    fn() -> Vec<Value>,
    ControlResult,
);

fn nothing() -> Vec<Value> {
    Vec::new()
}

fn cloud_source() -> Vec<Value> {
    vec![object("GitRepository", json!({"provider": "azure"}))]
}

fn cloud_provider() -> Vec<Value> {
    vec![object("Provider", json!({"type": "azureeventhub"}))]
}

fn cloud_image() -> Vec<Value> {
    vec![object("ImageRepository", json!({"provider": "aws"}))]
}

fn decryption() -> Vec<Value> {
    vec![object(
        "Kustomization",
        json!({"decryption": {"provider": "sops"}}),
    )]
}

fn cloud_account() -> Vec<Value> {
    let annotations = json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/sops"});
    vec![json!({
        "kind": "ServiceAccount",
        "metadata": {"name": K, "namespace": "flux-system", "annotations": annotations},
    })]
}

fn foreign_receiver() -> Vec<Value> {
    vec![object(
        "Receiver",
        json!({"resources": [{"kind": "GitRepository", "name": "*", "namespace": "other"}]}),
    )]
}

fn fetched(url: &str, ready: &str) -> Vec<Value> {
    let mut source = object("GitRepository", json!({"url": url, "secretRef": {"name": "key"}}));
    source["metadata"]["generation"] = json!(1);
    let condition = json!({"type": "Ready", "status": ready, "reason": "", "observedGeneration": 1});
    source["status"] = json!({"conditions": [condition]});
    vec![source]
}

/// FSX-SRC-010 the controller refuses SSH without `known_hosts`: what was fetched had them.
fn ready_over_ssh() -> Vec<Value> {
    fetched("SSH://git@git.example.com/app", "True")
}

fn failing_over_ssh() -> Vec<Value> {
    fetched("ssh://git@git.example.com/app", "False")
}

fn ready_over_https() -> Vec<Value> {
    fetched("https://git.example.com/app", "True")
}

/// The pod of a source-controller with a socket of the SPIFFE Workload API.
fn spiffe_pod() -> Vec<Value> {
    let socket = json!({"name": "SPIFFE_ENDPOINT_SOCKET", "value": "unix:///spiffe/agent.sock"});
    vec![pod_with(
        socket,
        json!([{"name": "spiffe", "mountPath": "/spiffe", "readOnly": true}]),
    )]
}

fn spiffe_pod_without_mount() -> Vec<Value> {
    let socket = json!({"name": "SPIFFE_ENDPOINT_SOCKET", "value": "unix:///spiffe/agent.sock"});
    vec![pod_with(
        socket,
        json!([{"name": "data", "mountPath": "/spiffe-data"}]),
    )]
}

fn spiffe_pod_with_secret() -> Vec<Value> {
    let from = json!({"secretKeyRef": {"name": "a", "key": "b"}});
    let socket = json!({"name": "SPIFFE_ENDPOINT_SOCKET", "valueFrom": from});
    vec![pod_with(
        socket,
        json!([{"name": "spiffe", "mountPath": "/spiffe"}]),
    )]
}

fn pod_without_socket() -> Vec<Value> {
    vec![pod(S, "1.10.1", &[CLIENTS], true)]
}

fn pod_with(variable: Value, mounts: Value) -> Value {
    let mut pod = pod(S, "1.10.1", &[CLIENTS], true);
    let container = &mut pod["spec"]["containers"][0];
    container["env"].as_array_mut().unwrap().push(variable);
    container["volumeMounts"] = mounts;
    pod
}

fn open_receiver() -> Vec<Value> {
    vec![foreign_receiver().remove(0), pod(N, "1.10.0", &[CALLERS], true)]
}

fn gateway_receiver() -> Vec<Value> {
    vec![foreign_receiver().remove(0), pod(N, "1.10.0", &[GATEWAY], true)]
}

fn open_without_receiver() -> Vec<Value> {
    vec![pod(N, "1.10.0", &[CALLERS], true)]
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn object(kind: &str, spec: Value) -> Value {
    json!({"kind": kind, "metadata": {"name": "app", "namespace": "tenant"}, "spec": spec})
}

const K: &str = "kustomize-controller";
const H: &str = "helm-controller";
const S: &str = "source-controller";
const N: &str = "notification-controller";
const R: &str = "image-reflector-controller";
const A: &str = "image-automation-controller";
const W: &str = "source-watcher";
const CLIENTS: &str = "--authorized-artifact-client-spiffe-id=spiffe://self/flux/kustomize";
const SERVERS: &str = "--authorized-artifact-server-spiffe-id=spiffe://self/flux/source";
const CALLERS: &str = "--authorized-receiver-client-spiffe-id=spiffe://cluster.example";
const GATEWAY: &str = "--authorized-receiver-client-spiffe-id=spiffe://cluster.example/gateway";
const GATE: &str = "--feature-gates=ObjectLevelWorkloadIdentity=true";

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("FSP-HELM-001", H, "1.6.3", &["--insecure-kubeconfig-exec"], nothing, Fail),
    ("FSP-HELM-001", H, "1.6.3", &["--insecure-kubeconfig-exec", "false"], nothing, Fail),
    ("FSP-HELM-001", H, "0.18.0", &[], nothing, Fail),
    ("FSP-HELM-001", H, "1.6.3", &["--insecure-kubeconfig-exec", "--insecure-kubeconfig-exec=false"], nothing, Pass),
    ("FSP-HELM-001", H, "1.6.3", &[], nothing, Pass),
    ("FSP-HELM-002", H, "1.6.3", &["--insecure-kubeconfig-tls=true"], nothing, Fail),
    ("FSP-HELM-002", H, "0.18.2", &[], nothing, Fail),
    ("FSP-HELM-002", H, "0.19.0", &[], nothing, Pass),
    ("FSP-HELM-002", H, "1.6.3", &[], nothing, Pass),
    ("FSP-KUST-001", K, "1.9.4", &["--insecure-kubeconfig-exec=T"], nothing, Fail),
    ("FSP-KUST-001", K, "0.22.3", &[], nothing, Fail),
    ("FSP-KUST-001", K, "0.23.0", &[], nothing, Pass),
    ("FSP-KUST-001", K, "1.9.4", &["--", "--insecure-kubeconfig-exec=true"], nothing, Pass),
    ("FSP-KUST-002", K, "1.9.4", &["--insecure-kubeconfig-tls=1"], nothing, Fail),
    ("FSP-KUST-002", K, "1.9.4", &[], nothing, Pass),
    ("FSP-KUST-002", K, "0.22.3", &[], nothing, Fail),
    ("FSP-KUST-003", K, "1.9.4", &[], nothing, Fail),
    ("FSP-KUST-003", K, "0.24.0", &[], nothing, Fail),
    ("FSP-KUST-003", K, "1.9.4", &["--no-remote-bases", "false"], nothing, Pass),
    ("FSP-MT-001", K, "1.9.4", &[], nothing, Fail),
    ("FSP-MT-001", K, "0.19.1", &[], nothing, Fail),
    ("FSP-MT-001", K, "0.20.0", &["--no-cross-namespace-refs"], nothing, Pass),
    ("FSP-MT-001", K, "1.9.4", &["--no-cross-namespace-refs=true"], nothing, Pass),
    ("FSP-MT-002", H, "1.6.3", &["--no-cross-namespace-refs=false"], nothing, Fail),
    ("FSP-MT-002", H, "1.6.3", &["--no-cross-namespace-refs"], nothing, Pass),
    ("FSP-MT-002", H, "0.15.0", &[], nothing, Fail),
    ("FSP-MT-003", N, "1.9.3", &[], nothing, Fail),
    ("FSP-MT-003", N, "1.9.3", &["--no-cross-namespace-refs"], foreign_receiver, Pass),
    ("FSP-MT-003", N, "1.4.0", &["--no-cross-namespace-refs"], foreign_receiver, Fail),
    ("FSP-MT-003", N, "1.4.0", &["--no-cross-namespace-refs"], nothing, Pass),
    ("FSP-MT-003", N, "1.5.0", &["--no-cross-namespace-refs"], foreign_receiver, Pass),
    ("FSP-MT-003", N, "0.20.1", &[], nothing, Fail),
    ("FSP-MT-004", R, "1.2.4", &[], nothing, Fail),
    ("FSP-MT-004", R, "1.2.4", &["--no-cross-namespace-refs"], nothing, Pass),
    ("FSP-MT-004", R, "0.15.0", &[], nothing, Fail),
    ("FSP-MT-005", A, "1.2.4", &[], nothing, Fail),
    ("FSP-MT-005", A, "1.2.4", &["--no-cross-namespace-refs"], nothing, Pass),
    ("FSP-MT-005", A, "0.19.0", &[], nothing, Fail),
    ("FSP-MT-006", W, "2.2.3", &[], nothing, Fail),
    ("FSP-MT-006", W, "2.2.3", &["--no-cross-namespace-refs"], nothing, Pass),
    ("FSP-MT-007", H, "1.6.3", &["--default-service-account="], nothing, Fail),
    ("FSP-MT-007", H, "1.6.3", &["--default-service-account", "--no-cross-namespace-refs"], nothing, Fail),
    ("FSP-MT-007", H, "1.6.3", &["--default-service-account=tenant"], nothing, Pass),
    ("FSP-MT-007", H, "0.15.0", &[], nothing, Fail),
    ("FSP-MT-008", K, "1.9.4", &[], nothing, Fail),
    ("FSP-MT-008", K, "1.9.4", &["--default-service-account", "tenant"], nothing, Pass),
    ("FSP-MT-008", K, "0.19.1", &[], nothing, Fail),
    ("FSP-SEC-010", K, "1.9.4", &["--sops-age-secret=sops-age"], nothing, Fail),
    ("FSP-SEC-010", K, "1.9.4", &[], cloud_account, Fail),
    ("FSP-SEC-010", K, "1.9.4", &["--default-decryption-service-account=x", GATE], cloud_account, Pass),
    ("FSP-SEC-010", K, "1.9.4", &[], nothing, Pass),
    ("FSP-WI-001", S, "1.9.4", &[], cloud_source, Fail),
    ("FSP-WI-001", S, "1.9.4", &[], nothing, NotApplicable),
    ("FSP-WI-001", S, "1.6.2", &[], cloud_source, Fail),
    ("FSP-WI-001", S, "1.6.2", &[], nothing, NotApplicable),
    ("FSP-WI-001", S, "1.9.4", &["--default-service-account=x", GATE], cloud_source, Pass),
    ("FSP-WI-002", N, "1.9.3", &[], cloud_provider, Fail),
    ("FSP-WI-002", N, "1.9.3", &[], nothing, NotApplicable),
    ("FSP-WI-002", N, "1.9.3", &["--default-service-account=x", GATE], cloud_provider, Pass),
    ("FSP-WI-003", R, "1.2.4", &[], cloud_image, Fail),
    ("FSP-WI-003", R, "1.3.0", &["--default-service-account=x"], cloud_image, Pass),
    ("FSP-WI-004", A, "1.2.4", &[], cloud_source, Fail),
    ("FSP-WI-004", A, "1.2.4", &["--default-service-account=x", GATE], cloud_source, Pass),
    ("FSP-WI-005", K, "1.9.4", &[], decryption, Fail),
    ("FSP-WI-005", K, "1.9.4", &[], nothing, NotApplicable),
    ("FSP-WI-005", K, "1.9.4", &["--default-decryption-service-account=x", GATE], decryption, Pass),
    ("FSP-WI-006", K, "1.9.4", &[], nothing, Fail),
    ("FSP-WI-006", K, "1.6.0", &[], nothing, NotApplicable),
    ("FSP-WI-006", K, "1.10.1", &["--default-kubeconfig-service-account=x"], nothing, Pass),
    ("FSP-WI-007", H, "1.6.3", &[], nothing, Fail),
    ("FSP-WI-007", H, "1.3.0", &[], nothing, NotApplicable),
    ("FSP-WI-007", H, "1.6.3", &["--default-kubeconfig-service-account=x", GATE], nothing, Pass),
    ("FSP-WI-008", K, "1.9.4", &["--default-kubeconfig-service-account=x"], nothing, Fail),
    ("FSP-WI-008", K, "1.10.1", &["--default-kubeconfig-service-account=x"], nothing, NotApplicable),
    ("FSP-WI-008", K, "1.9.4", &[], nothing, NotApplicable),
    ("FSP-WI-008", K, "1.9.4", &["--default-kubeconfig-service-account=x", GATE], nothing, Pass),
    ("FSP-WI-009", W, "2.3.1", &[], nothing, Fail),
    ("FSP-WI-009", W, "2.3.1", &["--default-service-account="], nothing, Fail),
    ("FSP-WI-009", W, "2.3.1", &["--default-service-account=none"], nothing, Pass),
    ("FSP-WI-009", W, "2.2.3", &[], nothing, NotApplicable),
    ("FSX-CFG-001", S, "1.9.4", &["--no-cross-namespace-refs=true"], nothing, Fail),
    ("FSX-CFG-001", K, "1.9.4", &["--no-remote-bases=yes"], nothing, Fail),
    ("FSX-CFG-001", K, "1.9.4", &["--feature-gates=Nonsense=true"], nothing, Fail),
    ("FSX-CFG-001", K, "1.9.4", &[], nothing, Pass),
    ("FSX-CFG-001", K, "1.10.1", &[GATE], nothing, Fail),
    ("FSX-CFG-002", H, "1.6.3", &["--feature-gates=AllowDNSLookups=true"], nothing, Fail),
    ("FSX-CFG-002", H, "1.6.3", &["--feature-gates=AllowDNSLookups=true", "--feature-gates=ExternalArtifact=true"], nothing, Fail),
    ("FSX-CFG-002", H, "1.6.3", &["--feature-gates=AllowDNSLookups=true", "--feature-gates=AllowDNSLookups=false"], nothing, Pass),
    ("FSX-CFG-004", K, "1.9.4", &["--log-level=error"], nothing, Fail),
    ("FSX-CFG-004", K, "1.9.4", &["--feature-gates=GroupChangeLog=true", "--feature-gates=ExternalArtifact=true"], nothing, Pass),
    ("FSX-CFG-003", K, "1.9.4", &["--log-level=debug"], nothing, Fail),
    ("FSX-CFG-003", K, "1.9.4", &[], nothing, Pass),
    ("FSX-CFG-006", K, "1.8.0", &[], nothing, Fail),
    ("FSX-CFG-006", K, "1.9.4", &["--feature-gates=StrictPostBuildSubstitutions=false"], nothing, Fail),
    ("FSX-CFG-006", K, "1.9.4", &[], nothing, Pass),
    ("FSX-CFG-007", S, "1.9.4", &["--artifact-digest-algo=sha1"], nothing, Fail),
    ("FSX-CFG-007", H, "1.6.3", &["--snapshot-digest-algo=sha1"], nothing, Fail),
    ("FSX-CFG-007", S, "1.9.4", &[], nothing, Pass),
    ("FSX-CFG-008", K, "1.10.1", &["--override-manager-before-dry-run=argocd"], nothing, Fail),
    ("FSX-CFG-008", K, "1.9.6", &["--feature-gates=DisableCommitStatusEvent=true"], nothing, Fail),
    ("FSX-CFG-008", K, "1.10.1", &["--override-manager=argocd"], nothing, Pass),
    ("FSX-CFG-008", K, "1.9.4", &[], nothing, Pass),
    ("FSX-IUA-004", A, "1.3.0", &[], nothing, Fail),
    ("FSX-IUA-004", A, "1.3.0", &["--feature-gates=GitForcePushBranch=false", "--feature-gates=GitForcePushBranch=true"], nothing, Fail),
    ("FSX-IUA-004", A, "1.3.0", &["--feature-gates=GitForcePushBranch=false", "--feature-gates=CacheSecretsAndConfigMaps=false"], nothing, Pass),
    ("FSX-IUA-004", A, "1.3.0", &["--feature-gates=GitForcePushBranch=false"], nothing, Pass),
    ("FSX-MTLS-004", S, "1.10.1", &["--spiffe-broker-endpoint=dns:///broker:9000"], nothing, Fail),
    ("FSX-MTLS-004", S, "1.10.1", &["--spiffe-broker-id=spiffe://self/broker"], spiffe_pod, Pass),
    ("FSX-MTLS-004", H, "1.7.1", &["--spiffe-broker-endpoint=dns:///broker:9000"], nothing, Fail),
    ("FSX-MTLS-004", S, "1.10.1", &[CLIENTS], spiffe_pod, Pass),
    ("FSX-MTLS-004", S, "1.10.1", &[CLIENTS], spiffe_pod_without_mount, Fail),
    ("FSX-MTLS-004", S, "1.10.1", &[CLIENTS], pod_without_socket, Fail),
    ("FSX-MTLS-004", S, "1.10.1", &[CLIENTS], spiffe_pod_with_secret, Unknown),
    ("FSX-MTLS-004", S, "1.10.1", &[CLIENTS], nothing, Unknown),
    ("FSX-MTLS-004", S, "1.10.1", &[], nothing, NotApplicable),
    ("FSX-MTLS-005", S, "1.10.1", &["--authorized-artifact-client-spiffe-id=spiffe://self"], nothing, Fail),
    ("FSX-MTLS-005", S, "1.10.1", &["--authorized-artifact-client-spiffe-id=spiffe://self/flux/"], nothing, Fail),
    ("FSX-MTLS-005", S, "1.10.1", &[CLIENTS, "--authorized-artifact-client-spiffe-id=spiffe://td"], nothing, Fail),
    ("FSX-MTLS-005", K, "1.10.1", &["--spiffe-broker-id=broker"], nothing, Fail),
    ("FSX-MTLS-005", S, "1.10.1", &[CLIENTS], nothing, Pass),
    ("FSX-MTLS-005", H, "1.7.1", &[SERVERS], nothing, Unknown),
    ("FSX-MTLS-005", S, "1.10.1", &[], nothing, NotApplicable),
    ("FSX-MTLS-006", N, "1.10.0", &[CALLERS], open_receiver, Fail),
    ("FSX-MTLS-006", N, "1.10.0", &[GATEWAY], gateway_receiver, Pass),
    ("FSX-MTLS-006", N, "1.10.0", &[CALLERS], open_without_receiver, NotApplicable),
    ("FSX-MTLS-006", N, "1.10.0", &[CALLERS], foreign_receiver, Unknown),
    ("FSX-MTLS-006", N, "1.10.0", &[], foreign_receiver, NotApplicable),
    ("FSX-NOT-008", N, "1.9.3", &["--export-http-path-metrics"], nothing, Fail),
    ("FSX-NOT-008", N, "1.9.3", &[], nothing, Pass),
    ("FSX-NOT-008", N, "1.3.0", &[], nothing, NotApplicable),
    ("FSX-SRC-010", S, "1.10.1", &["--ssh-kex-algos=curve25519-sha256,diffie-hellman-group14-sha1"], nothing, Fail),
    ("FSX-SRC-010", S, "1.10.1", &["--ssh-hostkey-algos=ssh-ed25519", "--ssh-hostkey-algos=ssh-rsa"], nothing, Fail),
    ("FSX-SRC-010", A, "1.3.0", &["--ssh-hostkey-algos=ssh-dss"], ready_over_ssh, Fail),
    ("FSX-SRC-010", S, "1.10.1", &["--ssh-hostkey-algos=rsa-sha2-512,ssh-ed25519"], nothing, Pass),
    ("FSX-SRC-010", S, "1.10.1", &[], ready_over_ssh, Pass),
    ("FSX-SRC-010", S, "1.10.1", &[], failing_over_ssh, Unknown),
    ("FSX-SRC-010", S, "1.10.1", &["--ssh-kex-algos=diffie-hellman-group1-sha1"], failing_over_ssh, Fail),
    ("FSX-SRC-010", S, "1.10.1", &[], ready_over_https, NotApplicable),
    ("FSX-RBAC-006", K, "1.9.4", &["--feature-gates=CacheSecretsAndConfigMaps=true"], nothing, Fail),
    ("FSX-RBAC-006", K, "1.9.4", &[], nothing, Pass),
    ("FSX-RBAC-006", K, "1.9.4", &["--feature-gates=CacheSecretsAndConfigMaps=true", "--feature-gates=ExternalArtifact=true"], nothing, Fail),
    ("FSX-RBAC-006", K, "1.9.4", &["--feature-gates=ExternalArtifact=true,CacheSecretsAndConfigMaps=true"], nothing, Fail),
    ("FSX-RBAC-006", K, "1.9.4", &["--feature-gates=CacheSecretsAndConfigMaps=true", "--feature-gates=CacheSecretsAndConfigMaps=false"], nothing, Pass),
    ("FSX-RBAC-006", S, "1.9.4", &["--feature-gates=CacheSecretsAndConfigMaps=true"], nothing, Fail),
];

#[test]
fn every_case_has_its_result() {
    for (id, controller, version, args, more, expected) in CASES {
        let mut objects = more();
        objects.push(deployment(controller, version, args));
        let judged = audit(id, Tenancy::Shared, &objects);
        assert_eq!(
            judged.result, *expected,
            "{id} {controller} {version} {args:?}: {}",
            judged.message
        );
    }
}

/// The controls of this file: those that judge controllers.
fn controls() -> impl Iterator<Item = (&'static Control, &'static [Component])> {
    let ours = CATALOGUE.iter().filter(|control| reads_command_lines(control));
    ours.filter_map(|control| match control.judges {
        Judges::Controllers { components, .. } => Some((*control, components)),
        _ => None,
    })
}

#[test]
fn every_control_has_a_failing_and_a_passing_case() {
    for (control, _) in controls() {
        for wanted in [Fail, Pass] {
            let found = CASES
                .iter()
                .any(|(id, .., result)| *id == control.id && *result == wanted);
            assert!(found, "{} has no case with result {wanted}", control.id);
        }
    }
}

#[test]
fn a_key_in_the_environment_is_a_key_for_all() {
    let mut controller = deployment(K, "1.9.4", &[]);
    let container = &mut controller["spec"]["template"]["spec"]["containers"][0];
    container["envFrom"] = json!([{"secretRef": {"name": "settings"}}]);
    assert_eq!(result("FSP-SEC-010", &[controller.clone()]), Unknown);
    // FSP-SEC-010 a token goes wherever the encrypted file says.
    let container = &mut controller["spec"]["template"]["spec"]["containers"][0];
    container["env"] =
        json!([{"name": "VAULT_TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]);
    assert_eq!(result("FSP-SEC-010", &[controller.clone()]), Fail);
    // FSP-SEC-010 a list of servers limits where it goes, and leaves it everybody's.
    let container = &mut controller["spec"]["template"]["spec"]["containers"][0];
    let list = json!({"name": "SOPS_HC_VAULT_ALLOWLIST", "value": "https://vault.example"});
    container["env"].as_array_mut().unwrap().push(list);
    assert_eq!(result("FSP-SEC-010", &[controller]), Fail);
}

#[test]
fn a_command_that_is_a_shell_is_unknown_to_every_control() {
    for (case, components) in controls() {
        let version = match components {
            [Component::SourceWatcher] => "2.3.1",
            _ => "1.9.4",
        };
        let mut deployment = deployment(components[0].name(), version, &[]);
        deployment["spec"]["template"]["spec"]["containers"][0]["command"] =
            json!(["/bin/sh", "-c", "exec something"]);
        let mut objects = vec![deployment];
        objects.extend([cloud_source(), cloud_provider(), cloud_image(), decryption()].concat());
        assert_eq!(result(case.id, &objects), Unknown, "{}", case.id);
    }
}

#[test]
fn an_argument_from_a_secret_is_unknown_to_its_control_only() {
    let mut deployment = deployment(
        K,
        "1.9.4",
        &["--no-remote-bases=$(BASES)", "--no-cross-namespace-refs"],
    );
    let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array_mut()
        .unwrap();
    env.push(json!({"name": "BASES", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}));
    let judged = audit("FSP-KUST-003", Tenancy::Shared, std::slice::from_ref(&deployment));
    assert_eq!(judged.result, Unknown);
    assert!(judged.message.contains("Secret a/b"), "{}", judged.message);
    assert_eq!(result("FSP-MT-001", &[deployment]), Pass);
}

#[test]
fn a_gate_that_is_ignored_is_a_note() {
    let objects = [deployment(
        K,
        "1.10.1",
        &["--feature-gates=ObjectLevelWorkloadIdentity=false"],
    )];
    let judged = audit("FSX-CFG-001", Tenancy::None, &objects);
    assert_eq!((judged.result, judged.severity), (Fail, Severity::Info));
    assert!(judged.message.contains("ignores"), "{}", judged.message);
}

/// FSP-WI-006 and FSP-WI-007 since 2.10 the controller makes no token that the cluster itself would accept.
#[test]
fn a_token_weighs_what_it_opens() {
    let severity = |objects: &[Value], id: &str| audit(id, Tenancy::Shared, objects).severity;
    let mut vault = deployment(K, "1.10.1", &[]);
    vault["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "VAULT_TOKEN", "value": "x"}]);
    let mut unread = deployment(K, "1.10.1", &[]);
    let from = json!([{"secretRef": {"name": "settings"}}]);
    unread["spec"]["template"]["spec"]["containers"][0]["envFrom"] = from;
    let cloud = [cloud_account(), vec![deployment(K, "1.10.1", &[])]].concat();
    assert_eq!(
        severity(&[deployment(K, "1.9.6", &[])], "FSP-WI-006"),
        Severity::High
    );
    assert_eq!(
        severity(&[deployment(K, "1.10.1", &[])], "FSP-WI-006"),
        Severity::Medium
    );
    assert_eq!(severity(&[vault], "FSP-WI-006"), Severity::High);
    assert_eq!(severity(&[unread], "FSP-WI-006"), Severity::High);
    assert_eq!(severity(&cloud, "FSP-WI-006"), Severity::High);
    assert_eq!(
        severity(&[deployment(H, "1.7.1", &[])], "FSP-WI-007"),
        Severity::Medium
    );
    assert_eq!(
        severity(&[deployment(H, "1.6.4", &[])], "FSP-WI-007"),
        Severity::High
    );
}

#[test]
fn an_id_that_is_a_prefix_is_a_note() {
    let id = "--authorized-artifact-client-spiffe-id=spiffe://self/flux/";
    let judged = audit("FSX-MTLS-005", Tenancy::None, &[deployment(S, "1.10.1", &[id])]);
    assert_eq!((judged.result, judged.severity), (Fail, Severity::Info));
}

/// A flag that no table has is in doubt until a process has accepted it; then it is known like any other.
#[test]
fn a_ready_pod_settles_whether_a_flag_exists() {
    let args = &[SERVERS, "--no-cross-namespace-refs"];
    let template = deployment(H, "1.7.1", args);
    for id in ["FSP-MT-002", "FSX-CFG-001"] {
        assert_eq!(result(id, std::slice::from_ref(&template)), Unknown, "{id}");
        assert_eq!(
            result(id, &[template.clone(), pod(H, "1.7.1", args, true)]),
            Pass,
            "{id}"
        );
        assert_eq!(
            result(id, &[template.clone(), pod(H, "1.7.1", args, false)]),
            Unknown,
            "{id}"
        );
    }
}

#[test]
fn what_may_not_be_listed_is_unknown_never_pass() {
    let locked = deployment(K, "1.9.4", &["--no-remote-bases"]);
    for blind in ["Deployment", "StatefulSet", "Pod"] {
        let mut engine = engine(Tenancy::Shared);
        engine.ingest([upsert(&locked)]);
        assert_eq!(control(&posture(&engine), "FSP-KUST-003").result, Pass);
        engine.ingest([Delta::Coverage(kind(blind), Coverage::Forbidden)]);
        let judged = control(&posture(&engine), "FSP-KUST-003");
        assert_eq!(judged.result, Unknown, "{blind}");
        assert!(judged.message.contains("forbidden"), "{}", judged.message);
        engine.ingest([Delta::Coverage(kind(blind), Coverage::Synced), upsert(&locked)]);
        assert_eq!(
            control(&posture(&engine), "FSP-KUST-003").result,
            Pass,
            "{blind} heals"
        );
    }
}

#[test]
fn an_unreadable_object_is_unknown_where_it_matters() {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest([upsert(&deployment(N, "1.4.0", &["--no-cross-namespace-refs"]))]);
    engine.ingest([upsert(&object("Receiver", json!({"resources": "no list"})))]);
    let judged = control(&posture(&engine), "FSP-MT-003");
    assert_eq!((judged.result, judged.reason.as_str()), (Unknown, "Undecodable"));
    assert!(judged.message.contains("tenant/app"), "{}", judged.message);
}

#[test]
fn the_worst_of_template_and_pods_wins() {
    let good: &[&str] = &["--no-remote-bases"];
    let cases = [(good, good, Pass), (good, &[][..], Fail), (&[][..], good, Fail)];
    for (template, running, expected) in cases {
        let objects = [deployment(K, "1.9.4", template), pod(K, "1.9.4", running, true)];
        assert_eq!(
            result("FSP-KUST-003", &objects),
            expected,
            "template {template:?}, pod {running:?}"
        );
    }
}

/// FSX-CFG-001: the old pods run on, so that the change is silently not in force. FSP-WI-008: so does a missing gate.
#[test]
fn a_crashing_template_does_not_hide_the_pod_that_still_runs() {
    let identity = "--default-kubeconfig-service-account=x";
    let objects = [deployment(K, "1.9.4", &[identity]), pod(K, "1.9.4", &[], true)];
    assert_eq!(result("FSP-WI-008", &objects), Fail);
    assert_eq!(result("FSX-CFG-001", &objects), Fail);
    assert_ne!(result("FSP-WI-006", &objects), Pass);
    let objects = [
        deployment(K, "1.9.4", &["--nonsense"]),
        pod(K, "1.9.4", &["--insecure-kubeconfig-exec"], true),
    ];
    assert_eq!(result("FSP-KUST-001", &objects), Fail);
    assert_eq!(result("FSX-CFG-001", &objects), Fail);
    let objects = [
        deployment(K, "1.9.4", &["--nonsense"]),
        pod(K, "1.9.4", &[], true),
    ];
    assert_eq!(result("FSP-KUST-001", &objects), Unknown);
}

#[test]
fn a_running_pod_that_should_have_crashed_means_that_our_model_is_wrong() {
    let objects = [
        deployment(K, "1.9.4", &[]),
        pod(K, "1.9.4", &["--nonsense"], true),
    ];
    let judged = audit("FSX-CFG-001", Tenancy::Shared, &objects);
    assert_eq!(
        (judged.result, judged.reason.as_str()),
        (Unknown, "ModelMismatch")
    );
}

#[test]
fn a_controller_scaled_to_zero_is_judged_without_weight() {
    let mut scaled = deployment(K, "1.9.4", &[]);
    scaled["spec"]["replicas"] = json!(0);
    let judged = audit("FSP-MT-008", Tenancy::Shared, &[scaled]);
    assert_eq!((judged.result, judged.severity), (Fail, Severity::Info));
}

#[test]
fn what_does_not_exist_is_not_applicable() {
    for (control, _) in controls() {
        let judged = audit(control.id, Tenancy::Shared, &[]);
        assert_eq!(
            (judged.result, judged.reason.as_str()),
            (NotApplicable, "NotInstalled"),
            "{}",
            control.id
        );
    }
}

#[test]
fn the_multi_tenancy_chapter_needs_tenants() {
    let judged = audit("FSP-MT-001", Tenancy::None, &[deployment(K, "1.9.4", &[])]);
    assert_eq!(
        (judged.result, judged.reason.as_str()),
        (NotApplicable, "Tenancy")
    );
    let exec = [deployment(K, "1.9.4", &["--insecure-kubeconfig-exec"])];
    assert_eq!(
        audit("FSP-KUST-001", Tenancy::None, &exec).severity,
        Severity::High
    );
    assert_eq!(
        audit("FSP-KUST-001", Tenancy::Shared, &exec).severity,
        Severity::Critical
    );
}

#[test]
fn digest_only_images_count_as_the_newest_version() {
    let mut pinned = deployment(K, "1.9.4", &["--default-kubeconfig-service-account=x"]);
    pinned["spec"]["template"]["spec"]["containers"][0]["image"] = json!(
        "ghcr.io/fluxcd/kustomize-controller@sha256:2f5bb8e0c1c2c9c0b6e3e0e1d6b8f0f7a1b2c3d4e5f60718293a4b5c6d7e8f90"
    );
    assert_eq!(result("FSP-WI-006", &[pinned]), Pass);
}

#[test]
fn tuning_is_checked_and_used() {
    let debug = deployment(K, "1.9.4", &["--log-level=debug"]);
    let mut row = policy(Tenancy::None);
    let tuning = json!([{"id": "FSX-CFG-003", "severity": "High", "parameters": {"level": "trace"}}]);
    row.spec.controls = serde_json::from_value(tuning).unwrap();
    let mut engine = engine(Tenancy::None);
    engine.ingest([upsert(&debug)]);
    assert_eq!(control(&posture(&engine), "FSX-CFG-003").result, Fail);
    engine.pin("test", row.clone());
    assert_eq!(control(&posture(&engine), "FSX-CFG-003").result, Pass);

    for (tuning, names) in [
        (json!([{"id": "FSX-NO-001"}]), "FSX-NO-001"),
        (
            json!([{"id": "FSX-CFG-003", "parameters": {"level": "loud"}}]),
            "loud",
        ),
        (
            json!([{"id": "FSX-CFG-003", "parameters": {"volume": "1"}}]),
            "volume",
        ),
    ] {
        row.spec.controls = serde_json::from_value(tuning).unwrap();
        engine.pin("test", row.clone());
        let invalid = posture(&engine).invalid.unwrap();
        assert!(
            invalid.contains(names) && invalid.contains("spec.controls[0]"),
            "{invalid}"
        );
    }
}

#[test]
fn the_catalogue_is_ordered_and_complete() {
    let ids: Vec<&str> = CATALOGUE.iter().map(|control| control.id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert!(ids.is_sorted(), "{ids:?}");
    for control in CATALOGUE {
        for text in [
            control.title,
            control.chapter,
            control.rationale,
            control.audit,
            control.remediation,
        ] {
            assert!(!text.is_empty(), "{}", control.id);
        }
        assert!(control.reference.starts_with("https://"), "{}", control.id);
    }
}

/// A control that reads what it did not declare would not be evaluated again when that changes.
#[test]
fn controls_read_only_what_they_declare() {
    for (id, controller, version, args, more, _) in CASES {
        let mut engine = engine(Tenancy::Shared);
        engine.ingest(
            more()
                .iter()
                .chain([&deployment(controller, version, args)])
                .map(upsert),
        );
        let undeclared = undeclared_reads(id, engine.inventory());
        assert!(
            undeclared.is_empty(),
            "{id} reads {undeclared:?} and does not say so"
        );
    }
}
