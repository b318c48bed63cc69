//! NetworkPolicies: who may reach which pods. Only ingress is kept.

use std::ops::RangeInclusive;

use serde::Deserialize;

use super::meta::null_as_default;
use super::port::Port;
use super::selector::LabelSelector;
use super::{Descriptor, Kind, Meta, Origin};

/// A NetworkPolicy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// Where it comes from.
    pub origin: Origin,
    /// The pods that it selects, in its namespace.
    pub pods: LabelSelector,
    /// What it admits to them; `None`: it is about egress only and closes nothing.
    pub ingress: Option<Box<[IngressRule]>>,
}

/// One rule: these peers, at these ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressRule {
    /// Who is admitted; none: everybody.
    pub from: Box<[Peer]>,
    /// The TCP ports; `None`: every port.
    pub ports: Option<Box<[Ports]>>,
}

/// Who is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Pods.
    Pods {
        /// Of namespaces with these labels; `None`: of the policy's own namespace.
        namespaces: Option<LabelSelector>,
        /// With these labels.
        pods: LabelSelector,
    },
    /// Addresses.
    Addresses {
        /// The block.
        cidr: Box<str>,
        /// Whether a part of it is left out.
        has_exceptions: bool,
    },
}

/// TCP ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// By number.
    Numbers(RangeInclusive<u16>),
    /// By the name that the pod gives it.
    Named(Box<str>),
}

/// `networking.k8s.io/v1 NetworkPolicy`.
pub struct NetworkPolicy;

impl Kind for NetworkPolicy {
    type Row = PolicyRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "networking.k8s.io",
        kind: "NetworkPolicy",
        plural: "networkpolicies",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: false,
    };

    fn project(meta: &Meta, object: &str) -> Result<Option<PolicyRow>, serde_json::Error> {
        let PolicyWire { spec } = serde_json::from_str(object)?;
        // Ingress is meant whenever nothing else is said.
        let is_about_ingress =
            spec.policy_types.is_empty() || spec.policy_types.iter().any(|it| it == "Ingress");
        let rules = spec.ingress.into_iter().map(RuleWire::rule);
        Ok(Some(PolicyRow {
            origin: meta.origin(&Self::DESCRIPTOR),
            pods: spec.pod_selector,
            ingress: is_about_ingress.then(|| rules.collect()),
        }))
    }

    fn origin(row: &PolicyRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}

#[derive(Deserialize)]
struct PolicyWire {
    spec: SpecWire,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecWire {
    #[serde(default, deserialize_with = "null_as_default")]
    pod_selector: LabelSelector,
    #[serde(default, deserialize_with = "null_as_default")]
    policy_types: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    ingress: Vec<RuleWire>,
}

#[derive(Deserialize)]
struct RuleWire {
    #[serde(default, deserialize_with = "null_as_default")]
    from: Vec<PeerWire>,
    #[serde(default, deserialize_with = "null_as_default")]
    ports: Vec<PortWire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PeerWire {
    pod_selector: Option<LabelSelector>,
    namespace_selector: Option<LabelSelector>,
    ip_block: Option<BlockWire>,
}

#[derive(Deserialize)]
struct BlockWire {
    cidr: Box<str>,
    #[serde(default, deserialize_with = "null_as_default")]
    except: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortWire {
    protocol: Option<String>,
    port: Option<Port>,
    end_port: Option<u16>,
}

impl RuleWire {
    fn rule(self) -> IngressRule {
        // A rule for UDP alone admits nothing by TCP, while a rule without ports admits everything.
        let names_ports = !self.ports.is_empty();
        let ports = self.ports.into_iter().filter_map(PortWire::tcp);
        IngressRule {
            from: self.from.into_iter().map(PeerWire::peer).collect(),
            ports: names_ports.then(|| ports.collect()),
        }
    }
}

impl PeerWire {
    fn peer(self) -> Peer {
        match self.ip_block {
            Some(block) => Peer::Addresses {
                cidr: block.cidr,
                has_exceptions: !block.except.is_empty(),
            },
            None => Peer::Pods {
                namespaces: self.namespace_selector,
                pods: self.pod_selector.unwrap_or_default(),
            },
        }
    }
}

impl PortWire {
    fn tcp(self) -> Option<Ports> {
        if self.protocol.is_some_and(|protocol| protocol != "TCP") {
            return None;
        }
        Some(match self.port {
            None => Ports::Numbers(0..=u16::MAX),
            Some(Port::Number(first)) => Ports::Numbers(first..=self.end_port.unwrap_or(first)),
            Some(Port::Name(name)) => Ports::Named(name),
        })
    }
}
