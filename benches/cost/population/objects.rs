//! The objects themselves, and how each of them can break a control.

use serde_json::{Map, Value, json};

use super::{digest, status};

/// What a kind's objects look like.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) kind: &'static str,
    group: &'static str,
    version: &'static str,
    plural: &'static str,
}

/// How an object breaks controls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    /// It names no account.
    NoAccount,
    /// It refers to another namespace.
    ForeignReference,
    /// Nobody notices what others change.
    NoDriftDetection,
    /// Signatures of Git are not verified.
    GitUnverified,
    /// Signatures of OCI artifacts are not verified.
    OciUnverified,
    /// It is fetched on plain HTTP.
    PlainHttp,
    /// The registry need not prove who it is.
    InsecureRegistry,
    /// Credentials go to any host.
    CredentialsPassedOn,
    /// Requests carry no proof.
    Unauthenticated,
    /// A request triggers everything.
    TriggersAll,
    /// Every namespace may refer to it.
    OpenToAll,
}

use Breach::{
    CredentialsPassedOn, ForeignReference, GitUnverified, InsecureRegistry, NoAccount, NoDriftDetection,
    OciUnverified, OpenToAll, PlainHttp, TriggersAll, Unauthenticated,
};

impl Breach {
    /// The controls that fail.
    pub(super) const fn controls(self) -> &'static [&'static str] {
        match self {
            NoAccount => &["FSP-MT-010"],
            ForeignReference => &["FSP-MT-012"],
            NoDriftDetection => &["FSX-TEN-008"],
            GitUnverified => &["FSX-SRC-001"],
            OciUnverified => &["FSX-SRC-002"],
            PlainHttp => &["FSX-SRC-005"],
            InsecureRegistry => &["FSX-SRC-005", "FSX-SRC-006"],
            CredentialsPassedOn => &["FSX-SRC-009"],
            Unauthenticated => &["FSX-NOT-001"],
            TriggersAll => &["FSX-NOT-004"],
            OpenToAll => &["FSX-TEN-006"],
        }
    }
}

const fn shape(
    kind: &'static str,
    group: &'static str,
    version: &'static str,
    plural: &'static str,
) -> Shape {
    Shape {
        kind,
        group,
        version,
        plural,
    }
}

impl Shape {
    /// The kind of the object at this place: neighbours differ, so that every tenant has several kinds.
    pub(super) const fn of(index: usize) -> Self {
        const SOURCE: &str = "source.toolkit.fluxcd.io";
        const NOTIFICATION: &str = "notification.toolkit.fluxcd.io";
        const IMAGE: &str = "image.toolkit.fluxcd.io";
        match index * 37 % 100 {
            0..40 => shape(
                "Kustomization",
                "kustomize.toolkit.fluxcd.io",
                "v1",
                "kustomizations",
            ),
            40..65 => shape("HelmRelease", "helm.toolkit.fluxcd.io", "v2", "helmreleases"),
            65..77 => shape("GitRepository", SOURCE, "v1", "gitrepositories"),
            77..85 => shape("OCIRepository", SOURCE, "v1", "ocirepositories"),
            85..88 => shape("HelmRepository", SOURCE, "v1", "helmrepositories"),
            88..91 => shape("HelmChart", SOURCE, "v1", "helmcharts"),
            91..93 => shape("Alert", NOTIFICATION, "v1beta3", "alerts"),
            93..95 => shape("Provider", NOTIFICATION, "v1beta3", "providers"),
            95..97 => shape("Receiver", NOTIFICATION, "v1", "receivers"),
            97 => shape("Bucket", SOURCE, "v1", "buckets"),
            98 => shape("ImageRepository", IMAGE, "v1", "imagerepositories"),
            _ => shape("ImagePolicy", IMAGE, "v1", "imagepolicies"),
        }
    }

    /// How objects of this kind can break controls.
    pub(super) fn breaches(self) -> &'static [Breach] {
        match self.kind {
            "Kustomization" => &[NoAccount, ForeignReference],
            "HelmRelease" => &[NoDriftDetection, NoAccount, ForeignReference],
            "GitRepository" => &[GitUnverified, PlainHttp],
            "OCIRepository" => &[OciUnverified, InsecureRegistry],
            "HelmRepository" => &[CredentialsPassedOn, PlainHttp],
            "Alert" => &[ForeignReference],
            "Provider" | "Bucket" => &[PlainHttp],
            "Receiver" => &[Unauthenticated, TriggersAll],
            "ImageRepository" => &[OpenToAll, PlainHttp],
            _ => &[],
        }
    }

    /// Where objects of this kind are posted.
    pub(super) fn collection(self, namespace: &str) -> String {
        let Self {
            group,
            version,
            plural,
            ..
        } = self;
        format!("/apis/{group}/{version}/namespaces/{namespace}/{plural}")
    }

    /// An object with these breaches.
    pub(super) fn object(self, namespace: &str, name: &str, breaches: &[Breach]) -> Value {
        json!({
            "apiVersion": format!("{}/{}", self.group, self.version),
            "kind": self.kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {
                    "app.kubernetes.io/managed-by": "flux",
                    "app.kubernetes.io/part-of": namespace,
                    "kustomize.toolkit.fluxcd.io/name": "tenants",
                    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                },
                "annotations": {"example.com/owner": format!("{namespace}@example.com")},
            },
            "spec": self.spec(namespace, name, breaches),
        })
    }

    /// What Flux says of it.
    pub(super) fn status(self, index: usize, breaches: &[Breach]) -> Option<Value> {
        let verified = !breaches.contains(&GitUnverified) && !breaches.contains(&OciUnverified);
        match self.kind {
            "Kustomization" => Some(status::kustomization(index)),
            "HelmRelease" => Some(status::release(index)),
            "GitRepository" | "OCIRepository" => Some(status::source(index, verified)),
            "HelmRepository" | "HelmChart" | "Bucket" => Some(status::source(index, false)),
            "Receiver" => Some(status::receiver(index)),
            _ => None,
        }
    }

    fn spec(self, namespace: &str, name: &str, breaches: &[Breach]) -> Value {
        let has = |breach: Breach| breaches.contains(&breach);
        let mut spec = match self.kind {
            "Kustomization" => kustomization(namespace, name),
            "HelmRelease" => release(name),
            "GitRepository" => git(name, has(PlainHttp)),
            "OCIRepository" => json!({
                "interval": "10m",
                "url": format!("oci://registry.example.com/manifests/{name}"),
                "ref": {"tag": "latest"},
                "verify": {"provider": "cosign", "secretRef": {"name": "signers"}},
            }),
            "HelmRepository" => json!({
                "interval": "1h",
                "url": format!("{}://charts.example.com/{name}", scheme(has(PlainHttp))),
            }),
            "HelmChart" => json!({
                "interval": "1h",
                "chart": "./charts/app",
                "sourceRef": {"kind": "GitRepository", "name": name},
            }),
            "Alert" => json!({
                "providerRef": {"name": "chat"},
                "eventSeverity": "error",
                "eventSources": [{"kind": "Kustomization", "name": "*"}, {"kind": "HelmRelease", "name": "*"}],
                "summary": "a deployment of this team failed",
            }),
            "Provider" => json!({
                "type": "slack",
                "channel": namespace,
                "address": format!("{}://hooks.example.com/{name}", scheme(has(PlainHttp))),
            }),
            "Receiver" => receiver(has(Unauthenticated), has(TriggersAll)),
            "Bucket" => json!({
                "interval": "10m",
                "bucketName": name,
                "endpoint": "minio.example.com",
                "insecure": has(PlainHttp),
            }),
            "ImageRepository" => json!({
                "interval": "10m",
                "image": format!("registry.example.com/{namespace}/{name}"),
                "insecure": has(PlainHttp),
            }),
            _ => json!({
                "imageRepositoryRef": {"name": name},
                "policy": {"semver": {"range": ">=1.0.0"}},
            }),
        };
        if let Some(fields) = spec.as_object_mut() {
            for breach in breaches {
                spoil(fields, *breach);
            }
        }
        spec
    }
}

/// Breaks a control by taking a field away or adding one.
fn spoil(spec: &mut Map<String, Value>, breach: Breach) {
    match breach {
        NoAccount => drop(spec.remove("serviceAccountName")),
        NoDriftDetection => drop(spec.remove("driftDetection")),
        GitUnverified | OciUnverified => drop(spec.remove("verify")),
        CredentialsPassedOn => drop(spec.insert("passCredentials".to_owned(), json!(true))),
        InsecureRegistry => drop(spec.insert("insecure".to_owned(), json!(true))),
        OpenToAll => {
            let access = json!({"namespaceSelectors": [{"matchLabels": {}}]});
            spec.insert("accessFrom".to_owned(), access);
        }
        ForeignReference => {
            let references = ["sourceRef", "chartRef"];
            let reference = references.into_iter().find(|name| spec.contains_key(*name));
            match reference {
                Some(name) => spec[name]["namespace"] = json!("flux-system"),
                None => spec["eventSources"][1]["namespace"] = json!("flux-system"),
            }
        }
        // Where these are, the spec is written with them.
        PlainHttp | Unauthenticated | TriggersAll => {}
    }
}

const fn scheme(plain: bool) -> &'static str {
    if plain { "http" } else { "https" }
}

fn kustomization(namespace: &str, name: &str) -> Value {
    json!({
        "interval": "10m",
        "retryInterval": "2m",
        "timeout": "5m",
        "path": format!("./tenants/{namespace}/{name}/overlays/production"),
        "prune": true,
        "wait": true,
        "sourceRef": {"kind": "GitRepository", "name": "fleet"},
        "serviceAccountName": "applier",
        "targetNamespace": namespace,
        "postBuild": {
            "substitute": {"cluster": "production", "region": "eu-central-1", "team": namespace},
            "substituteFrom": [{"kind": "ConfigMap", "name": "cluster-settings", "optional": true}],
        },
        "healthChecks": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "namespace": namespace},
        ],
        "patches": [{
            "target": {"kind": "Deployment", "labelSelector": "app.kubernetes.io/component=web"},
            "patch": "- op: add\n  path: /spec/template/spec/nodeSelector\n  value: {pool: tenants}\n",
        }],
    })
}

fn release(name: &str) -> Value {
    json!({
        "interval": "30m",
        "timeout": "5m",
        "releaseName": name,
        "serviceAccountName": "applier",
        "chartRef": {"kind": "OCIRepository", "name": "chart"},
        "driftDetection": {"mode": "enabled"},
        "install": {"remediation": {"retries": 3}},
        "upgrade": {"remediation": {"retries": 3, "remediateLastFailure": true}, "cleanupOnFail": true},
        "values": {
            "replicaCount": 3,
            "image": {"repository": format!("registry.example.com/{name}"), "tag": "1.14.2"},
            "resources": {
                "requests": {"cpu": "100m", "memory": "128Mi"},
                "limits": {"cpu": "1", "memory": "512Mi"},
            },
            "ingress": {
                "enabled": true,
                "className": "nginx",
                "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
                "hosts": [{"host": format!("{name}.example.com"), "paths": [{"path": "/", "pathType": "Prefix"}]}],
            },
            "env": {"LOG_LEVEL": "info", "FEATURES": "search,export", "UPSTREAM": "https://api.example.com"},
            "autoscaling": {"enabled": true, "minReplicas": 3, "maxReplicas": 12, "targetCPU": 80},
        },
    })
}

fn git(name: &str, plain: bool) -> Value {
    json!({
        "interval": "5m",
        "timeout": "60s",
        "url": format!("{}://git.example.com/teams/{name}", scheme(plain)),
        "ref": {"branch": "main"},
        "ignore": "/*\n!/deploy\n!/clusters/production\n",
        "verify": {"mode": "HEAD", "secretRef": {"name": "signers"}},
    })
}

fn receiver(open: bool, all: bool) -> Value {
    let name = if all { "*" } else { "fleet" };
    let mut resource =
        json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "name": name});
    if all {
        resource["matchLabels"] = json!({"app.kubernetes.io/managed-by": "flux"});
    }
    json!({
        "type": if open { "generic" } else { "github" },
        "events": ["ping", "push"],
        "secretRef": {"name": "webhook"},
        "resources": [resource],
    })
}

/// A tenant's namespace.
pub(super) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels(name)}})
}

/// The account that a tenant's objects are applied as.
pub(super) fn account(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "applier", "namespace": namespace, "labels": labels(namespace)},
    })
}

/// What the account may do.
pub(super) fn role(namespace: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "applier", "namespace": namespace, "labels": labels(namespace)},
        "rules": [
            {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["services", "configmaps"], "verbs": ["*"]},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["*"]},
        ],
    })
}

/// Gives the account its role.
pub(super) fn binding(namespace: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "applier", "namespace": namespace, "labels": labels(namespace)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "applier"},
        "subjects": [{"kind": "ServiceAccount", "name": "applier", "namespace": namespace}],
    })
}

fn labels(tenant: &str) -> Value {
    json!({"toolkit.fluxcd.io/tenant": tenant})
}

/// A pod of a tenant: none of Flux's.
pub(super) fn pod(namespace: &str) -> Value {
    let hash = &digest(namespace.len(), 9)[..10];
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("web-{hash}-x7k2p"),
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": "web", "pod-template-hash": hash},
        },
        "spec": {
            "serviceAccountName": "applier",
            "automountServiceAccountToken": false,
            "nodeName": "node",
            "containers": [{
                "name": "web",
                "image": "registry.example.com/web:1.14.2",
                "args": ["--listen=:8080", "--log-level=info"],
                "ports": [{"containerPort": 8080, "name": "http"}],
                "env": [{"name": "GOMAXPROCS", "value": "2"}, {"name": "REGION", "value": "eu-central-1"}],
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
                "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "runAsNonRoot": true,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}
