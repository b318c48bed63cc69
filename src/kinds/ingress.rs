//! Ingresses: which Services they lead to from outside of the cluster, and whether by TLS.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::meta::null_as_default;
use super::port::Port;
use super::{Descriptor, Kind, Meta, Origin};

/// An Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressRow {
    /// Where it comes from.
    pub origin: Origin,
    /// The Services of its namespace that it leads to, each way once.
    pub backends: Box<[Backend]>,
    /// An annotation by which some controller asks callers who they are.
    pub authentication: Option<&'static str>,
}

/// A Service that an Ingress leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// Its name.
    pub service: Box<str>,
    /// Its port.
    pub port: Port,
    /// Whether callers come by TLS.
    pub tls: Tls,
}

/// Whether a way into the cluster is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tls {
    /// It is.
    On,
    /// It is not.
    Off,
    /// Something that is not read may encrypt it.
    NotTold(&'static str),
}

/// `networking.k8s.io/v1 Ingress`.
pub struct Ingress;

/// Annotations by which controllers are given certificates beside `spec.tls`.
const CERTIFICATES: [&str; 6] = [
    "alb.ingress.kubernetes.io/certificate-arn",
    "appgw.ingress.kubernetes.io/appgw-ssl-certificate",
    "ingress.gcp.kubernetes.io/pre-shared-cert",
    "networking.gke.io/managed-certificates",
    "traefik.ingress.kubernetes.io/router.entrypoints",
    "traefik.ingress.kubernetes.io/router.tls",
];

/// Annotations by which controllers ask callers who they are.
const AUTHENTICATION: [&str; 8] = [
    "alb.ingress.kubernetes.io/auth-type",
    "haproxy-ingress.github.io/auth-url",
    "haproxy.org/auth-type",
    "nginx.ingress.kubernetes.io/auth-signin",
    "nginx.ingress.kubernetes.io/auth-tls-secret",
    "nginx.ingress.kubernetes.io/auth-type",
    "nginx.ingress.kubernetes.io/auth-url",
    "traefik.ingress.kubernetes.io/router.middlewares",
];

impl Kind for Ingress {
    type Row = IngressRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "networking.k8s.io",
        kind: "Ingress",
        plural: "ingresses",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: false,
    };

    fn project(meta: &Meta, object: &str) -> Result<Option<IngressRow>, serde_json::Error> {
        let Wire { spec } = serde_json::from_str(object)?;
        let certificate = first_of(&CERTIFICATES, &meta.annotations);
        Ok(Some(IngressRow {
            origin: meta.origin(&Self::DESCRIPTOR),
            backends: spec.backends(certificate).into_iter().collect(),
            authentication: first_of(&AUTHENTICATION, &meta.annotations),
        }))
    }

    fn origin(row: &IngressRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}

fn first_of(names: &[&'static str], annotations: &BTreeMap<String, String>) -> Option<&'static str> {
    names.iter().copied().find(|name| annotations.contains_key(*name))
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    spec: SpecWire,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecWire {
    default_backend: Option<BackendWire>,
    #[serde(deserialize_with = "null_as_default")]
    rules: Vec<RuleWire>,
    #[serde(deserialize_with = "null_as_default")]
    tls: Vec<TlsWire>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RuleWire {
    #[serde(deserialize_with = "null_as_default")]
    host: String,
    #[serde(deserialize_with = "null_as_default")]
    http: PathsWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PathsWire {
    #[serde(deserialize_with = "null_as_default")]
    paths: Vec<PathWire>,
}

#[derive(Deserialize)]
struct PathWire {
    backend: BackendWire,
}

/// A backend that is no Service is a file server or the like.
#[derive(Deserialize)]
struct BackendWire {
    service: Option<ServiceWire>,
}

#[derive(Deserialize)]
struct ServiceWire {
    name: Box<str>,
    #[serde(default, deserialize_with = "null_as_default")]
    port: ServicePortWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServicePortWire {
    #[serde(deserialize_with = "null_as_default")]
    name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    number: u16,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TlsWire {
    #[serde(deserialize_with = "null_as_default")]
    hosts: Vec<String>,
}

impl SpecWire {
    fn backends(self, certificate: Option<&'static str>) -> BTreeSet<Backend> {
        let encryption = |host: &str| {
            let is_covered = self.tls.iter().any(|tls| tls.covers(host));
            match certificate {
                _ if is_covered => Tls::On,
                Some(annotation) => Tls::NotTold(annotation),
                None => Tls::Off,
            }
        };
        let mut backends = BTreeSet::new();
        let default = self.default_backend.and_then(|it| it.backend(encryption("")));
        backends.extend(default);
        for rule in self.rules {
            let tls = encryption(&rule.host);
            let of_rule = rule.http.paths.into_iter();
            backends.extend(of_rule.filter_map(|path| path.backend.backend(tls)));
        }
        backends
    }
}

impl BackendWire {
    fn backend(self, tls: Tls) -> Option<Backend> {
        let ServiceWire { name, port } = self.service?;
        let port = if port.name.is_empty() {
            Port::Number(port.number)
        } else {
            Port::Name(port.name)
        };
        Some(Backend {
            service: name,
            port,
            tls,
        })
    }
}

impl TlsWire {
    /// Whether callers of a host come by TLS. No hosts stand for all, and a star for one label.
    fn covers(&self, host: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_prefix('*') {
            Some(rest) => host
                .split_once('.')
                .is_some_and(|(_, domain)| rest.strip_prefix('.') == Some(domain)),
            None => pattern == host,
        };
        self.hosts.is_empty() || self.hosts.iter().any(fits)
    }
}
