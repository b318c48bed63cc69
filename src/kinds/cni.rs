//! DaemonSets of network plugins: whether the cluster enforces NetworkPolicies. No other DaemonSet is kept.

use serde::Deserialize;

use super::meta::null_as_default;
use super::{Descriptor, Kind, Meta, Origin, Required};

/// The agent of a known network plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it enforces NetworkPolicies.
    pub enforcement: Enforcement,
}

/// Whether an agent enforces NetworkPolicies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// It does, as far as its DaemonSet tells.
    On,
    /// It does not, because.
    Off(&'static str),
    /// Its DaemonSet does not tell, because.
    NotTold(&'static str),
}

/// `apps/v1 DaemonSet`.
pub struct DaemonSet;

/// Where network plugins are installed. A DaemonSet of the same name elsewhere is somebody's own.
const NAMESPACES: [&str; 9] = [
    "kube-system",
    "calico-system",
    "cilium",
    "cilium-system",
    "kube-flannel",
    "kube-router",
    "openshift-ovn-kubernetes",
    "openshift-sdn",
    "weave",
];

impl Kind for DaemonSet {
    type Row = Agent;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "apps",
        kind: "DaemonSet",
        plural: "daemonsets",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: false,
    };
    const REQUIRED: Required = &[&["spec.selector"], &["spec.template"]];

    fn project(meta: &Meta, object: &str) -> Result<Option<Agent>, serde_json::Error> {
        if !NAMESPACES.contains(&meta.namespace.as_str()) {
            return Ok(None);
        }
        let Some(judge) = known(&meta.name) else {
            return Ok(None);
        };
        let object: Wire = serde_json::from_str(object)?;
        Ok(Some(Agent {
            origin: meta.origin(&Self::DESCRIPTOR),
            enforcement: judge(&object.spec.template.spec.containers),
        }))
    }

    fn origin(row: &Agent) -> Option<&Origin> {
        Some(&row.origin)
    }
}

type Judge = fn(&[Container]) -> Enforcement;

/// What makes the agents of a DaemonSet enforce; `None`: it is of no known plugin.
fn known(name: &str) -> Option<Judge> {
    Some(match name {
        "calico-node" | "canal" | "rke2-canal" => |all| runs(all, "calico-node"),
        "cilium" | "anetd" => |all| unless(all, "cilium-agent", "--enable-policy=never"),
        "kube-router" => |all| unless(all, "kube-router", "--run-firewall=false"),
        "antrea-agent" => |all| runs(all, "antrea-agent"),
        "weave-net" => |all| runs(all, "weave-npc"),
        "azure-npm" => |all| runs(all, "azure-npm"),
        "ovnkube-node" | "sdn" => |_| Enforcement::On,
        "aws-node" => aws,
        "kindnet" => kindnet,
        "kube-flannel-ds" | "kube-flannel" => |_| Enforcement::Off("flannel has no NetworkPolicies"),
        _ => return None,
    })
}

fn runs(containers: &[Container], enforcer: &str) -> Enforcement {
    unless(containers, enforcer, "")
}

fn unless(containers: &[Container], enforcer: &str, off: &str) -> Enforcement {
    match containers.iter().find(|container| container.name == enforcer) {
        None => Enforcement::NotTold("the container that enforces is not where it is expected"),
        Some(container) if container.has(off) => Enforcement::Off("an argument turns it off"),
        Some(_) => Enforcement::On,
    }
}

/// The VPC plugin of AWS enforces by an agent beside it, which is off by default.
fn aws(containers: &[Container]) -> Enforcement {
    let mut agents = containers
        .iter()
        .filter(|it| matches!(it.name.as_str(), "aws-eks-nodeagent" | "aws-network-policy-agent"));
    match agents.next() {
        Some(agent) if agent.has("--enable-network-policy=true") => Enforcement::On,
        Some(_) => Enforcement::Off("its network policy agent is not enabled"),
        None => Enforcement::Off("its network policy agent is not installed"),
    }
}

/// The first build of kind's plugin that enforces. Tags begin with the day: `v20240813-c6f155d6`.
const KINDNET: u32 = 20_240_813;

fn kindnet(containers: &[Container]) -> Enforcement {
    let tags = containers.iter().filter_map(|it| it.image.rsplit_once(":v"));
    let mut days = tags.filter_map(|(_, tag)| tag.get(..8)?.parse::<u32>().ok());
    match days.next() {
        None => Enforcement::NotTold("the tag of its image is no day"),
        Some(day) if day < KINDNET => Enforcement::Off("it is older than its NetworkPolicies"),
        Some(_) => Enforcement::On,
    }
}

#[derive(Deserialize)]
struct Wire {
    spec: SpecWire,
}

#[derive(Deserialize)]
struct SpecWire {
    template: TemplateWire,
}

#[derive(Deserialize)]
struct TemplateWire {
    spec: PodWire,
}

#[derive(Deserialize)]
struct PodWire {
    #[serde(default, deserialize_with = "null_as_default")]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Container {
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    image: String,
    #[serde(deserialize_with = "null_as_default")]
    command: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    args: Vec<String>,
}

impl Container {
    fn has(&self, argument: &str) -> bool {
        self.command.iter().chain(&self.args).any(|it| it == argument)
    }
}
