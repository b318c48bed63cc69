//! Where the scheduler may put pods: what keeps them off a node, what lets them on it all the same, and which nodes they
//! ask for.
//!
//! Taints of conditions come and go with the health of a node, and pods get tolerations of them by themselves: both say
//! nothing about who shares a node with whom, and neither is kept.

use std::collections::BTreeMap;

use super::pod_template::{PodWire, WorkloadWire};
use serde::Deserialize;

use super::meta::null_as_default;
use super::node::NodeRow;

/// Keeps pods off a node, new ones at least. A mere preference is no taint here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    key: Box<str>,
    value: Box<str>,
    effect: Effect,
}

/// Which pods a taint keeps off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    /// New ones.
    NoSchedule,
    /// Those that run there, too.
    NoExecute,
}

/// Lets a pod onto nodes with some taints.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Toleration {
    /// Empty: any key.
    key: Box<str>,
    /// `None`: any value.
    value: Option<Box<str>>,
    /// `None`: any effect.
    effect: Option<Effect>,
}

/// What the nodes themselves, the cloud and those who add and remove nodes put on nodes for a while.
const OF_CONDITIONS: [&str; 8] = [
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "node.cilium.io/agent-not-ready",
    "karpenter.sh/",
    "startup-taint.cluster-autoscaler.kubernetes.io/",
    "ignore-taint.cluster-autoscaler.kubernetes.io/",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
];

fn is_of_condition(key: &str) -> bool {
    OF_CONDITIONS.iter().any(|prefix| key.starts_with(prefix))
}

impl Effect {
    fn of(text: &str) -> Option<Self> {
        match text {
            "NoSchedule" => Some(Self::NoSchedule),
            "NoExecute" => Some(Self::NoExecute),
            _ => None,
        }
    }
}

impl std::fmt::Display for Taint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, value, effect } = self;
        let equals = if value.is_empty() { "" } else { "=" };
        write!(f, "{key}{equals}{value}:{effect:?}")
    }
}

impl Toleration {
    /// Whether it lets a pod onto a node with this taint, at least for a while.
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        (self.key.is_empty() || self.key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
            && self.effect.is_none_or(|effect| effect == taint.effect)
    }
}

/// Which nodes a pod asks for, and whose taints it tolerates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    labels: BTreeMap<Box<str>, Box<str>>,
    /// Alternatives; `None`: any node will do.
    terms: Option<Box<[Term]>>,
    tolerations: Box<[Toleration]>,
}

impl Scheduling {
    /// Whether the scheduler may choose this node.
    #[must_use]
    pub fn admits(&self, name: &str, node: &NodeRow) -> bool {
        let mut labels = self.labels.iter();
        labels.all(|(key, value)| node.labels.get(key) == Some(value))
            && self
                .terms
                .as_ref()
                .is_none_or(|terms| terms.iter().any(|term| term.fits(name, node)))
            && node.taints.iter().all(|taint| self.tolerates(taint))
    }

    fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations
            .iter()
            .any(|toleration| toleration.tolerates(taint))
    }
}

/// One alternative of a required affinity: all of it has to fit. Without any requirement it fits no node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Term {
    #[serde(deserialize_with = "null_as_default")]
    match_expressions: Box<[Requirement]>,
    #[serde(deserialize_with = "null_as_default")]
    match_fields: Box<[Requirement]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Requirement {
    key: Box<str>,
    operator: Operator,
    #[serde(default, deserialize_with = "null_as_default")]
    values: Box<[Box<str>]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
}

impl Term {
    fn fits(&self, name: &str, node: &NodeRow) -> bool {
        if self.match_expressions.is_empty() && self.match_fields.is_empty() {
            return false;
        }
        let mut labels = self.match_expressions.iter();
        let mut fields = self.match_fields.iter();
        // The name is the only field that there is.
        labels.all(|it| it.fits(node.labels.get(&it.key)))
            && fields.all(|it| it.fits(Some(name).filter(|_| *it.key == *"metadata.name")))
    }
}

impl Requirement {
    fn fits(&self, value: Option<&str>) -> bool {
        let is_listed = value.is_some_and(|value| self.values.iter().any(|it| **it == *value));
        match self.operator {
            Operator::In => is_listed,
            // What is missing is not in the list, either.
            Operator::NotIn => !is_listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => self.compares(value, |value, limit| value > limit),
            Operator::Lt => self.compares(value, |value, limit| value < limit),
        }
    }

    fn compares(&self, value: Option<&str>, holds: fn(i64, i64) -> bool) -> bool {
        let number = |text: &str| text.parse::<i64>().ok();
        let value = value.and_then(number);
        let limit = self.values.first().and_then(|limit| number(limit));
        value.zip(limit).is_some_and(|(value, limit)| holds(value, limit))
    }
}

/// `spec.taints` of a node.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TaintWire {
    key: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    value: Box<str>,
    effect: String,
}

impl TaintWire {
    /// `None` for what keeps no pod off for long.
    pub(super) fn taint(self) -> Option<Taint> {
        let effect = Effect::of(&self.effect).filter(|_| !is_of_condition(&self.key))?;
        Some(Taint {
            key: self.key,
            value: self.value,
            effect,
        })
    }
}

/// `spec.tolerations` of a pod.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TolerationWire {
    #[serde(deserialize_with = "null_as_default")]
    key: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    operator: String,
    #[serde(deserialize_with = "null_as_default")]
    value: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    effect: String,
}

impl TolerationWire {
    /// `None` for those of conditions and of preferences.
    fn toleration(self) -> Option<Toleration> {
        let effect = Effect::of(&self.effect);
        if is_of_condition(&self.key) || effect.is_none() && !self.effect.is_empty() {
            return None;
        }
        // What compares numbers may tolerate some values: it counts as if it did all.
        let is_equal = matches!(self.operator.as_str(), "" | "Equal");
        Some(Toleration {
            key: self.key,
            value: is_equal.then_some(self.value),
            effect,
        })
    }
}

/// The tolerations that say something about who shares a node with whom, in order.
pub(super) fn tolerations(wire: Vec<TolerationWire>) -> Box<[Toleration]> {
    let mut kept: Vec<Toleration> = wire.into_iter().filter_map(TolerationWire::toleration).collect();
    kept.sort_unstable();
    kept.dedup();
    kept.into()
}

/// Where a pod may run.
pub(super) fn of_pod(object: &str) -> Result<Scheduling, serde_json::Error> {
    let pod: PodWire<SchedulingWire> = serde_json::from_str(object)?;
    Ok(pod.spec.scheduling())
}

/// Where the pods of a workload may run.
pub(super) fn of_template(object: &str) -> Result<Scheduling, serde_json::Error> {
    let workload: WorkloadWire<SchedulingWire> = serde_json::from_str(object)?;
    Ok(workload.spec.template.spec.scheduling())
}

/// The part of a PodSpec that the scheduler obeys. It is read of Flux's pods only.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SchedulingWire {
    #[serde(deserialize_with = "null_as_default")]
    node_selector: BTreeMap<Box<str>, Box<str>>,
    #[serde(deserialize_with = "null_as_default")]
    affinity: AffinityWire,
    #[serde(deserialize_with = "null_as_default")]
    tolerations: Vec<TolerationWire>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AffinityWire {
    #[serde(deserialize_with = "null_as_default")]
    node_affinity: NodeAffinityWire,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeAffinityWire {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    required: Option<NodeSelectorWire>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeSelectorWire {
    #[serde(deserialize_with = "null_as_default")]
    node_selector_terms: Box<[Term]>,
}

impl SchedulingWire {
    fn scheduling(self) -> Scheduling {
        let required = self.affinity.node_affinity.required;
        Scheduling {
            labels: self.node_selector,
            terms: required.map(|required| required.node_selector_terms),
            tolerations: tolerations(self.tolerations),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::label_map::LabelMap;
    use super::*;

    fn node(labels: &[(&str, &str)], taints: &str) -> NodeRow {
        let taints: Vec<TaintWire> = serde_json::from_str(taints).unwrap();
        NodeRow {
            labels: LabelMap::from(
                &labels
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                    .collect::<BTreeMap<_, _>>(),
            ),
            taints: taints.into_iter().filter_map(TaintWire::taint).collect(),
            ..NodeRow::default()
        }
    }

    fn admits(spec: &str, labels: &[(&str, &str)], taints: &str) -> bool {
        let wire: SchedulingWire = serde_json::from_str(spec).unwrap();
        wire.scheduling().admits("n1", &node(labels, taints))
    }

    fn required(terms: &str) -> String {
        format!(
            r#"{{"affinity": {{"nodeAffinity": {{"requiredDuringSchedulingIgnoredDuringExecution": {{"nodeSelectorTerms": {terms}}}}}}}}}"#
        )
    }

    #[test]
    fn tolerations_are_those_of_the_scheduler() {
        let taint = r#"[{"key": "flux", "value": "yes", "effect": "NoSchedule"}]"#;
        for (tolerations, tolerated) in [
            ("[]", false),
            (r#"[{"key": "flux", "value": "yes"}]"#, true),
            (r#"[{"key": "flux", "value": "no"}]"#, false),
            (r#"[{"key": "flux", "operator": "Exists"}]"#, true),
            (r#"[{"operator": "Exists"}]"#, true),
            (
                r#"[{"key": "flux", "operator": "Exists", "effect": "NoExecute"}]"#,
                false,
            ),
            (
                r#"[{"key": "flux", "operator": "Exists", "effect": "PreferNoSchedule"}]"#,
                false,
            ),
            (r#"[{"key": "flux", "operator": "Gt", "value": "5"}]"#, true),
        ] {
            let spec = format!(r#"{{"tolerations": {tolerations}}}"#);
            assert_eq!(admits(&spec, &[], taint), tolerated, "{tolerations}");
        }
    }

    #[test]
    fn conditions_and_preferences_keep_nobody_off() {
        for taint in [
            r#"[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]"#,
            r#"[{"key": "CriticalAddonsOnly", "effect": "PreferNoSchedule"}]"#,
            r#"[{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule", "value": "1"}]"#,
        ] {
            assert!(node(&[], taint).taints.is_empty(), "{taint}");
        }
    }

    #[test]
    fn affinities_are_those_of_the_scheduler() {
        let pool = [("pool", "flux"), ("size", "8")];
        for (terms, fits) in [
            ("[]", false),
            ("[{}]", false),
            (
                r#"[{"matchExpressions": [{"key": "pool", "operator": "In", "values": ["flux"]}]}]"#,
                true,
            ),
            (
                r#"[{"matchExpressions": [{"key": "pool", "operator": "NotIn", "values": ["flux"]}]}]"#,
                false,
            ),
            (
                r#"[{"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}]"#,
                true,
            ),
            (
                r#"[{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}, {"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}]"#,
                true,
            ),
            (
                r#"[{"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["7"]}]}]"#,
                true,
            ),
            (
                r#"[{"matchExpressions": [{"key": "size", "operator": "Lt", "values": ["7"]}]}]"#,
                false,
            ),
            (
                r#"[{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]"#,
                true,
            ),
            (
                r#"[{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}]"#,
                false,
            ),
        ] {
            assert_eq!(admits(&required(terms), &pool, "[]"), fits, "{terms}");
        }
        assert!(admits(r#"{"nodeSelector": {"pool": "flux"}}"#, &pool, "[]"));
        assert!(!admits(r#"{"nodeSelector": {"pool": "other"}}"#, &pool, "[]"));
        assert!(admits(r#"{"nodeSelector": null, "affinity": null}"#, &pool, "[]"));
    }

    #[test]
    fn an_operator_of_tomorrow_is_not_read_as_another() {
        let terms = r#"[{"matchExpressions": [{"key": "a", "operator": "Like"}]}]"#;
        assert!(serde_json::from_str::<SchedulingWire>(&required(terms)).is_err());
    }
}
