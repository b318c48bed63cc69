//! Services: which pods they lead to, and whether from outside of the cluster.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::meta::null_as_default;
use super::port::Port;
use super::{Descriptor, Kind, Meta, Origin};

/// A Service that selects pods; others lead to no controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    /// Where it comes from.
    pub origin: Origin,
    /// The labels of its pods.
    pub selector: Box<[(Box<str>, Box<str>)]>,
    /// Its ports.
    pub ports: Box<[ServicePort]>,
    /// What makes it a way into the cluster by itself; empty for a Service of the cluster's own network.
    pub opened_by: Box<str>,
    /// An annotation by which a load balancer is given a certificate.
    pub certificate: Option<&'static str>,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; may be empty when there is one only.
    pub name: Box<str>,
    /// Its number.
    pub number: u16,
    /// The port of the pods.
    pub target: Port,
}

/// `v1 Service`.
pub struct Service;

/// Annotations by which load balancers of clouds end TLS.
const CERTIFICATES: [&str; 2] = [
    "service.beta.kubernetes.io/aws-load-balancer-ssl-cert",
    "service.beta.kubernetes.io/do-loadbalancer-certificate-id",
];

impl ServiceRow {
    /// Whether it selects a pod with these labels.
    #[must_use]
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let mut wanted = self.selector.iter();
        wanted.all(|(name, value)| labels.get(&**name).is_some_and(|found| **found == **value))
    }

    /// The port that somebody names.
    #[must_use]
    pub fn port(&self, wanted: &Port) -> Option<&ServicePort> {
        let mut ports = self.ports.iter();
        ports.find(|port| match wanted {
            Port::Number(number) => port.number == *number,
            Port::Name(name) => port.name == *name,
        })
    }
}

impl Kind for Service {
    type Row = ServiceRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "",
        kind: "Service",
        plural: "services",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: false,
    };

    fn project(meta: &Meta, object: &str) -> Result<Option<ServiceRow>, serde_json::Error> {
        let Wire { spec } = serde_json::from_str(object)?;
        if spec.selector.is_empty() || spec.kind == "ExternalName" {
            return Ok(None);
        }
        let annotated = |name: &&str| meta.annotations.contains_key(*name);
        Ok(Some(ServiceRow {
            origin: meta.origin(&Self::DESCRIPTOR),
            opened_by: spec.opened_by().into(),
            selector: spec.selector.into_iter().collect(),
            ports: spec.ports.into_iter().map(PortWire::port).collect(),
            certificate: CERTIFICATES.into_iter().find(annotated),
        }))
    }

    fn origin(row: &ServiceRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    spec: SpecWire,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecWire {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    kind: String,
    #[serde(deserialize_with = "null_as_default")]
    selector: BTreeMap<Box<str>, Box<str>>,
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<PortWire>,
    #[serde(rename = "externalIPs", deserialize_with = "null_as_default")]
    external_ips: Vec<serde::de::IgnoredAny>,
}

impl SpecWire {
    fn opened_by(&self) -> &str {
        match self.kind.as_str() {
            "" | "ClusterIP" if self.external_ips.is_empty() => "",
            "" | "ClusterIP" => "externalIPs",
            kind => kind,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortWire {
    #[serde(default, deserialize_with = "null_as_default")]
    name: Box<str>,
    port: u16,
    target_port: Option<Port>,
}

impl PortWire {
    fn port(self) -> ServicePort {
        ServicePort {
            target: self.target_port.unwrap_or(Port::Number(self.port)),
            name: self.name,
            number: self.port,
        }
    }
}
