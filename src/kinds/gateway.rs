//! The Gateway API: which Services a route leads to from outside of the cluster, and by which listeners.

use serde::Deserialize;

use super::meta::null_as_default;
use super::{Descriptor, Kind, Meta, Origin, Required};

/// An HTTPRoute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRow {
    /// Where it comes from.
    pub origin: Origin,
    /// What it is attached to. Services are left out: they route within the cluster.
    pub parents: Box<[Parent]>,
    /// The Services that it leads to.
    pub backends: Box<[RouteBackend]>,
}

/// What a route is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Whether it is a Gateway.
    pub is_gateway: bool,
    /// Its namespace; empty for the route's own.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// The only listener; empty for all.
    pub listener: Box<str>,
    /// The only port; `None` for all.
    pub port: Option<u16>,
}

/// A Service that a route leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteBackend {
    /// Its namespace; empty for the route's own.
    pub namespace: Box<str>,
    /// Its name.
    pub service: Box<str>,
    /// Its port.
    pub port: u16,
}

/// A Gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayRow {
    /// Where callers come in.
    pub listeners: Box<[Listener]>,
}

/// One listener of a Gateway.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Listener {
    /// Its name.
    pub name: Box<str>,
    /// Its port.
    pub port: u16,
    /// `HTTP`, `HTTPS`, …
    pub protocol: Box<str>,
}

/// `gateway.networking.k8s.io HTTPRoute`.
pub struct HttpRoute;

/// `gateway.networking.k8s.io Gateway`.
pub struct Gateway;

const GATEWAY: Descriptor = Descriptor {
    group: "gateway.networking.k8s.io",
    kind: "Gateway",
    plural: "gateways",
    versions: &["v1", "v1beta1"],
    custom: true,
    page_size: 100,
    metadata_only: false,
};

impl Kind for HttpRoute {
    type Row = RouteRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        kind: "HTTPRoute",
        plural: "httproutes",
        ..GATEWAY
    };

    fn project(meta: &Meta, object: &str) -> Result<Option<RouteRow>, serde_json::Error> {
        let RouteWire { spec } = serde_json::from_str(object)?;
        let parents = spec.parent_refs.into_iter();
        let backends = spec.rules.into_iter().flat_map(|rule| rule.backend_refs);
        Ok(Some(RouteRow {
            origin: meta.origin(&Self::DESCRIPTOR),
            parents: parents.filter_map(RefWire::parent).collect(),
            backends: backends.filter_map(RefWire::backend).collect(),
        }))
    }

    fn origin(row: &RouteRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}

impl Kind for Gateway {
    type Row = GatewayRow;
    const DESCRIPTOR: Descriptor = GATEWAY;
    const REQUIRED: Required = &[&["spec.gatewayClassName"], &["spec.listeners"]];

    fn project(_meta: &Meta, object: &str) -> Result<Option<GatewayRow>, serde_json::Error> {
        let GatewayWire { spec } = serde_json::from_str(object)?;
        Ok(Some(GatewayRow {
            listeners: spec.listeners,
        }))
    }
}

#[derive(Deserialize)]
struct RouteWire {
    #[serde(default)]
    spec: RouteSpecWire,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RouteSpecWire {
    #[serde(deserialize_with = "null_as_default")]
    parent_refs: Vec<RefWire>,
    #[serde(deserialize_with = "null_as_default")]
    rules: Vec<RuleWire>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RuleWire {
    #[serde(deserialize_with = "null_as_default")]
    backend_refs: Vec<RefWire>,
}

/// A reference to a parent or to a backend.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RefWire {
    #[serde(deserialize_with = "null_as_default")]
    kind: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    namespace: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    section_name: Box<str>,
    port: Option<u16>,
}

impl RefWire {
    fn parent(self) -> Option<Parent> {
        if *self.kind == *"Service" {
            return None;
        }
        Some(Parent {
            is_gateway: matches!(&*self.kind, "" | "Gateway"),
            namespace: self.namespace,
            name: self.name,
            listener: self.section_name,
            port: self.port,
        })
    }

    fn backend(self) -> Option<RouteBackend> {
        if !matches!(&*self.kind, "" | "Service") {
            return None;
        }
        Some(RouteBackend {
            namespace: self.namespace,
            service: self.name,
            port: self.port?,
        })
    }
}

#[derive(Deserialize)]
struct GatewayWire {
    #[serde(default)]
    spec: GatewaySpecWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GatewaySpecWire {
    #[serde(deserialize_with = "null_as_default")]
    listeners: Box<[Listener]>,
}
