//! Who may reach a pod, by the NetworkPolicies of its namespace. They add up: a pod that none selects is open, and any
//! one that admits somebody is enough.

use std::collections::BTreeMap;

use super::table::ObjectKey;
use crate::flux::container::PodShape;
use crate::kinds::network_policy::{IngressRule, Peer, PolicyRow, Ports};
use crate::kinds::selector::LabelSelector;

/// What NetworkPolicies make of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodNetwork {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The numbers of its named ports.
    pub named_ports: BTreeMap<String, u16>,
    /// It uses the host network, where no NetworkPolicy applies.
    pub on_host: bool,
}

impl PodNetwork {
    pub(super) fn of(shape: &PodShape) -> Self {
        Self {
            labels: shape.labels.clone(),
            named_ports: shape.named_ports.clone(),
            on_host: shape.host_network,
        }
    }

    fn is_at(&self, port: u16, ports: &Ports) -> bool {
        match ports {
            Ports::Numbers(range) => range.contains(&port),
            Ports::Named(name) => self.named_ports.get(&**name) == Some(&port),
        }
    }
}

/// The ingress of one pod.
pub struct Ingress<'a> {
    pod: &'a PodNetwork,
    policies: Vec<(&'a ObjectKey, &'a [IngressRule])>,
}

/// Whom a policy admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted<'a> {
    /// Everybody who can reach the cluster's network.
    Everybody,
    /// The peers of a rule.
    Peer(&'a Peer),
}

impl<'a> Ingress<'a> {
    /// The ingress of a pod, by the policies of its namespace.
    pub fn new(pod: &'a PodNetwork, policies: impl Iterator<Item = (&'a ObjectKey, &'a PolicyRow)>) -> Self {
        let selecting = policies.filter(|(_, policy)| policy.pods.matches(&pod.labels));
        Self {
            pod,
            policies: selecting
                .filter_map(|(key, policy)| Some((key, policy.ingress.as_deref()?)))
                .collect(),
        }
    }

    /// Whether no policy selects the pod: then everybody may reach it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.policies.is_empty()
    }

    /// Who may reach the pod at a TCP port, and by which policy.
    pub fn at(&self, port: u16) -> impl Iterator<Item = (&'a ObjectKey, Admitted<'a>)> {
        let rules = self
            .policies
            .iter()
            .flat_map(|(key, rules)| rules.iter().map(|rule| (*key, rule)));
        let here = rules.filter(move |(_, rule)| match &rule.ports {
            None => true,
            Some(ports) => ports.iter().any(|ports| self.pod.is_at(port, ports)),
        });
        here.flat_map(|(key, rule)| admitted(rule).into_iter().map(move |it| (key, it)))
    }
}

/// Whom a rule admits.
pub fn admitted(rule: &IngressRule) -> Vec<Admitted<'_>> {
    if rule.from.is_empty() {
        return vec![Admitted::Everybody];
    }
    rule.from.iter().map(Admitted::new).collect()
}

impl<'a> Admitted<'a> {
    fn new(peer: &'a Peer) -> Self {
        let is_everybody = match peer {
            Peer::Pods { namespaces, pods } => {
                let everywhere = namespaces.as_ref().is_some_and(LabelSelector::is_everything);
                everywhere && pods.is_everything()
            }
            Peer::Addresses { cidr, has_exceptions } => cidr.ends_with("/0") && !has_exceptions,
        };
        if is_everybody {
            Self::Everybody
        } else {
            Self::Peer(peer)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::kinds::network_policy::NetworkPolicy;
    use crate::kinds::{Kind, Meta};

    fn selector() -> impl Strategy<Value = Value> {
        let operator = prop_oneof![Just("In"), Just("NotIn"), Just("Exists"), Just("DoesNotExist")];
        let value = prop_oneof![Just("1"), Just("2")];
        prop_oneof![
            Just(json!({})),
            value
                .clone()
                .prop_map(|value| json!({"matchLabels": {"a": value}})),
            (operator, value).prop_map(|(operator, value)| {
                let compares = matches!(operator, "In" | "NotIn");
                let values = if compares { json!([value]) } else { json!([]) };
                json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]})
            }),
        ]
    }

    fn rule() -> impl Strategy<Value = Value> {
        let peer = prop_oneof![
            selector().prop_map(|pods| json!({"podSelector": pods})),
            selector().prop_map(|namespaces| json!({"namespaceSelector": namespaces})),
            (selector(), selector())
                .prop_map(|(pods, spaces)| json!({"podSelector": pods, "namespaceSelector": spaces})),
        ];
        let port = prop_oneof![
            Just(json!({"port": 9090})),
            Just(json!({"port": 9000, "endPort": 9100})),
            Just(json!({"port": "http"})),
            Just(json!({"port": 9090, "protocol": "UDP"})),
            Just(json!({"protocol": "TCP"})),
        ];
        let peers = proptest::collection::vec(peer, 0..3);
        let ports = proptest::collection::vec(port, 0..3);
        (peers, ports).prop_map(|(from, ports)| json!({"from": from, "ports": ports}))
    }

    fn policy() -> impl Strategy<Value = Value> {
        let types = prop_oneof![
            Just(json!(null)),
            Just(json!(["Egress"])),
            Just(json!(["Ingress", "Egress"])),
        ];
        (selector(), types, proptest::collection::vec(rule(), 0..3)).prop_map(|(pods, types, rules)| {
            json!({"spec": {"podSelector": pods, "policyTypes": types, "ingress": rules}})
        })
    }

    type Labels = BTreeMap<String, String>;

    fn labels() -> impl Strategy<Value = Labels> {
        let value = prop_oneof![Just("1"), Just("2"), Just("3")];
        proptest::option::of(value).prop_map(|value| {
            value
                .map(|it| ("a".to_owned(), it.to_owned()))
                .into_iter()
                .collect()
        })
    }

    /// Somebody who wants to reach the pod.
    #[derive(Clone, Debug)]
    struct Caller {
        is_neighbour: bool,
        namespace: Labels,
        labels: Labels,
    }

    fn caller() -> impl Strategy<Value = Caller> {
        (any::<bool>(), labels(), labels()).prop_map(|(is_neighbour, namespace, labels)| Caller {
            is_neighbour,
            namespace,
            labels,
        })
    }

    /// The documentation of Kubernetes, sentence by sentence, on the object as written.
    mod as_documented {
        use super::*;

        pub(super) fn may_reach(caller: &Caller, pod: &PodNetwork, port: u16, policies: &[Value]) -> bool {
            let isolating: Vec<&Value> = policies
                .iter()
                .map(|policy| &policy["spec"])
                .filter(|spec| {
                    fits(&spec["podSelector"], &pod.labels) && spec["policyTypes"] != json!(["Egress"])
                })
                .collect();
            let rules = isolating.iter().flat_map(|spec| list(&spec["ingress"]));
            isolating.is_empty()
                || rules.into_iter().any(|rule| {
                    let (peers, ports) = (list(&rule["from"]), list(&rule["ports"]));
                    (peers.is_empty() || peers.iter().any(|peer| is(peer, caller)))
                        && (ports.is_empty() || ports.iter().any(|it| at(it, port, pod)))
                })
        }

        fn list(value: &Value) -> Vec<Value> {
            value.as_array().cloned().unwrap_or_default()
        }

        fn is(peer: &Value, caller: &Caller) -> bool {
            let in_place = match peer.get("namespaceSelector") {
                Some(selector) => fits(selector, &caller.namespace),
                None => caller.is_neighbour,
            };
            in_place && peer.get("podSelector").is_none_or(|it| fits(it, &caller.labels))
        }

        fn at(ports: &Value, port: u16, pod: &PodNetwork) -> bool {
            if ports["protocol"] == "UDP" {
                return false;
            }
            match (&ports["port"], &ports["endPort"]) {
                (Value::Null, _) => true,
                (Value::String(name), _) => pod.named_ports.get(name) == Some(&port),
                (first, Value::Null) => *first == json!(port),
                (first, last) => {
                    let port = u64::from(port);
                    first.as_u64() <= Some(port) && Some(port) <= last.as_u64()
                }
            }
        }

        fn fits(selector: &Value, labels: &Labels) -> bool {
            let value = labels.get("a").map(String::as_str);
            if let Some(wanted) = selector["matchLabels"]["a"].as_str() {
                return value == Some(wanted);
            }
            let Some(expression) = selector["matchExpressions"].get(0) else {
                return true;
            };
            let is_listed = value.is_some() && expression["values"][0].as_str() == value;
            match expression["operator"].as_str() {
                Some("In") => is_listed,
                Some("NotIn") => !is_listed,
                Some("Exists") => value.is_some(),
                _ => value.is_none(),
            }
        }
    }

    fn may_reach(caller: &Caller, pod: &PodNetwork, port: u16, policies: &[Value]) -> bool {
        let key = ObjectKey::new("flux-system", "it");
        let row = |policy: &Value| NetworkPolicy::project(&Meta::default(), &policy.to_string());
        let rows: Vec<PolicyRow> = policies.iter().filter_map(|it| row(it).ok().flatten()).collect();
        assert_eq!(rows.len(), policies.len(), "every policy can be read");
        let ingress = Ingress::new(pod, rows.iter().map(|row| (&key, row)));
        let is_meant = |who: Admitted<'_>| match who {
            Admitted::Everybody => true,
            Admitted::Peer(Peer::Addresses { .. }) => false,
            Admitted::Peer(Peer::Pods { namespaces, pods }) => {
                let in_place = match namespaces {
                    Some(selector) => selector.matches(&caller.namespace),
                    None => caller.is_neighbour,
                };
                in_place && pods.matches(&caller.labels)
            }
        };
        ingress.is_open() || ingress.at(port).any(|(_, who)| is_meant(who))
    }

    proptest! {
        #[test]
        fn it_is_as_documented(
            caller in caller(), labels in labels(), named in prop_oneof![Just(9090_u16), Just(9292_u16)],
            port in prop_oneof![Just(9090_u16), Just(9292_u16)],
            policies in proptest::collection::vec(policy(), 0..4),
        ) {
            let named_ports = BTreeMap::from([("http".to_owned(), named)]);
            let pod = PodNetwork { labels, named_ports, on_host: false };
            prop_assert_eq!(
                may_reach(&caller, &pod, port, &policies),
                as_documented::may_reach(&caller, &pod, port, &policies)
            );
        }
    }
}
