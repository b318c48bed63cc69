//! What is asked before the API server takes a change: its own policies with their bindings, and webhooks.
//!
//! Of expressions only what they speak of is kept, of webhooks only which requests they are asked about: what either says
//! to a request cannot be told from here.

use serde::Deserialize;

use super::label_map::LabelMap;
use super::meta::null_as_default;
use super::selector::LabelSelector;
use super::{Descriptor, Kind, Meta, Required};

/// A request to the API server.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `CREATE`, `UPDATE`, `DELETE`.
    pub operation: &'a str,
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Plural of the kind. Its version is `v1`, like that of everything that is asked about here.
    pub resource: &'a str,
    /// Labels of its namespace, or of the namespace that it is; `None`: it has nothing to do with any.
    pub namespace: Option<&'a LabelMap>,
}

impl Request<'_> {
    fn is_for_namespace(&self) -> bool {
        self.group.is_empty() && self.resource == "namespaces"
    }

    /// Labels of the object, when they are known.
    fn labels(&self) -> Option<&LabelMap> {
        self.namespace.filter(|_| self.is_for_namespace())
    }

    fn scope(&self) -> &'static str {
        if self.namespace.is_some() && !self.is_for_namespace() {
            "Namespaced"
        } else {
            "Cluster"
        }
    }
}

/// Whether somebody is asked about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// Never.
    Never,
    /// About some objects, by their names or labels.
    Sometimes,
    /// Whatever the object is.
    Always,
}

/// Which requests somebody is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Matching {
    #[serde(alias = "rules", deserialize_with = "null_as_default")]
    resource_rules: Box<[Rule]>,
    #[serde(deserialize_with = "null_as_default")]
    exclude_resource_rules: Box<[Rule]>,
    #[serde(deserialize_with = "null_as_default")]
    namespace_selector: LabelSelector,
    #[serde(deserialize_with = "null_as_default")]
    object_selector: LabelSelector,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    #[serde(deserialize_with = "null_as_default")]
    operations: Box<[Box<str>]>,
    #[serde(deserialize_with = "null_as_default")]
    api_groups: Box<[Box<str>]>,
    #[serde(deserialize_with = "null_as_default")]
    api_versions: Box<[Box<str>]>,
    #[serde(deserialize_with = "null_as_default")]
    resources: Box<[Box<str>]>,
    #[serde(deserialize_with = "null_as_default")]
    resource_names: Box<[Box<str>]>,
    #[serde(deserialize_with = "null_as_default")]
    scope: Box<str>,
}

impl Matching {
    /// Whether it covers a request. Without rules it covers every one.
    #[must_use]
    pub fn asks(&self, request: &Request<'_>) -> Asked {
        let selected = self.selects_namespace(request).min(self.selects_object(request));
        let most = |rules: &[Rule]| rules.iter().map(|rule| rule.asks(request)).max();
        let listed = most(&self.resource_rules).unwrap_or(Asked::Always);
        let left = match most(&self.exclude_resource_rules) {
            None | Some(Asked::Never) => Asked::Always,
            Some(Asked::Sometimes) => Asked::Sometimes,
            Some(Asked::Always) => Asked::Never,
        };
        selected.min(listed).min(left)
    }

    /// Of what is in no namespace every object is selected.
    fn selects_namespace(&self, request: &Request<'_>) -> Asked {
        match request.namespace {
            Some(labels) if !self.namespace_selector.matches(labels) => Asked::Never,
            _ => Asked::Always,
        }
    }

    fn selects_object(&self, request: &Request<'_>) -> Asked {
        match request.labels() {
            _ if self.object_selector.is_everything() => Asked::Always,
            Some(labels) if self.object_selector.matches(labels) => Asked::Always,
            Some(_) => Asked::Never,
            None => Asked::Sometimes,
        }
    }
}

impl Rule {
    fn asks(&self, request: &Request<'_>) -> Asked {
        let lists = |list: &[Box<str>], wanted: &str| list.iter().any(|it| **it == *"*" || **it == *wanted);
        let is_meant = lists(&self.operations, request.operation)
            && lists(&self.api_groups, request.group)
            && lists(&self.api_versions, "v1")
            && self.resources.iter().any(|it| covers(it, request.resource))
            && (matches!(&*self.scope, "" | "*") || *self.scope == *request.scope());
        match (is_meant, self.resource_names.is_empty()) {
            (false, _) => Asked::Never,
            (true, false) => Asked::Sometimes,
            (true, true) => Asked::Always,
        }
    }
}

/// Whether a rule's resource is the one asked for, itself and not a part of it: `pods`, `pods/*`, `*`, `*/*`.
fn covers(listed: &str, resource: &str) -> bool {
    let (listed, part) = listed.split_once('/').unwrap_or((listed, ""));
    (listed == "*" || listed == resource) && matches!(part, "" | "*")
}

/// A ValidatingAdmissionPolicy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionPolicy {
    /// Which requests it is about.
    pub matching: Matching,
    /// What it cannot evaluate is refused.
    pub fails_closed: bool,
    /// Whether its expressions read parameters, which are objects of any kind.
    pub has_parameters: bool,
    /// Which requests its conditions leave out.
    pub conditions: Conditions,
    /// What its expressions speak of.
    pub topics: Topics,
}

/// What the conditions of a policy go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// It has none.
    None,
    /// By who asks.
    Requester,
    /// By something else.
    Other,
}

/// What the expressions of a policy speak of, its conditions left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    /// Containers that are privileged.
    pub privileged: bool,
    /// Init containers.
    pub init_containers: bool,
    /// Who asks.
    pub requester: bool,
}

/// A ValidatingAdmissionPolicyBinding: puts a policy into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionBinding {
    /// The policy.
    pub policy: Box<str>,
    /// Whether it refuses, and does not only warn or take notes.
    pub denies: bool,
    /// Whether it chooses parameters.
    pub has_parameters: bool,
    /// Which of the policy's requests it is about.
    pub matching: Matching,
}

/// A ValidatingWebhookConfiguration: whom else the API server asks, and about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks(pub Box<[Matching]>);

/// `admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy`.
pub struct ValidatingAdmissionPolicy;
/// `admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding`.
pub struct ValidatingAdmissionPolicyBinding;
/// `admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration`.
pub struct ValidatingWebhookConfiguration;

/// API servers before Kubernetes 1.30 do not know the policies: they may be absent.
const fn admission(kind: &'static str, plural: &'static str, custom: bool) -> Descriptor {
    Descriptor {
        group: "admissionregistration.k8s.io",
        kind,
        plural,
        versions: &["v1"],
        custom,
        page_size: 100,
        metadata_only: false,
    }
}

impl Kind for ValidatingAdmissionPolicy {
    type Row = AdmissionPolicy;
    const DESCRIPTOR: Descriptor =
        admission("ValidatingAdmissionPolicy", "validatingadmissionpolicies", true);
    const IS_CLUSTER_SCOPED: bool = true;

    fn project(_meta: &Meta, object: &str) -> Result<Option<AdmissionPolicy>, serde_json::Error> {
        let spec = serde_json::from_str::<Object<PolicyWire>>(object)?.spec;
        Ok(Some(AdmissionPolicy {
            fails_closed: matches!(spec.failure_policy.as_str(), "" | "Fail"),
            has_parameters: spec.param_kind.is_some(),
            conditions: Conditions::of(&spec.match_conditions),
            topics: spec.validations.iter().chain(&spec.variables).collect(),
            matching: spec.match_constraints,
        }))
    }
}

impl Kind for ValidatingAdmissionPolicyBinding {
    type Row = AdmissionBinding;
    const DESCRIPTOR: Descriptor = admission(
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        true,
    );
    const IS_CLUSTER_SCOPED: bool = true;
    const REQUIRED: Required = &[&["spec.policyName"], &["spec.validationActions"]];

    fn project(_meta: &Meta, object: &str) -> Result<Option<AdmissionBinding>, serde_json::Error> {
        let spec = serde_json::from_str::<Object<BindingWire>>(object)?.spec;
        Ok(Some(AdmissionBinding {
            policy: spec.policy_name,
            denies: spec.validation_actions.iter().any(|action| action == "Deny"),
            has_parameters: spec.param_ref.is_some(),
            matching: spec.match_resources,
        }))
    }
}

impl Kind for ValidatingWebhookConfiguration {
    type Row = Webhooks;
    const DESCRIPTOR: Descriptor = admission(
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        false,
    );
    const IS_CLUSTER_SCOPED: bool = true;

    fn project(_meta: &Meta, object: &str) -> Result<Option<Webhooks>, serde_json::Error> {
        let wire: WebhooksWire = serde_json::from_str(object)?;
        // One without rules is never asked.
        let asked = wire
            .webhooks
            .into_iter()
            .filter(|it| !it.resource_rules.is_empty());
        Ok(Some(Webhooks(asked.collect())))
    }
}

#[derive(Deserialize)]
struct Object<T> {
    spec: T,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PolicyWire {
    #[serde(deserialize_with = "null_as_default")]
    failure_policy: String,
    param_kind: Option<serde::de::IgnoredAny>,
    #[serde(deserialize_with = "null_as_default")]
    match_constraints: Matching,
    #[serde(deserialize_with = "null_as_default")]
    match_conditions: Vec<Expression>,
    #[serde(deserialize_with = "null_as_default")]
    validations: Vec<Expression>,
    #[serde(deserialize_with = "null_as_default")]
    variables: Vec<Expression>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BindingWire {
    policy_name: Box<str>,
    #[serde(deserialize_with = "null_as_default")]
    validation_actions: Vec<String>,
    param_ref: Option<serde::de::IgnoredAny>,
    #[serde(deserialize_with = "null_as_default")]
    match_resources: Matching,
}

#[derive(Deserialize)]
struct WebhooksWire {
    #[serde(default, deserialize_with = "null_as_default")]
    webhooks: Vec<Matching>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Expression {
    #[serde(deserialize_with = "null_as_default")]
    expression: String,
}

impl Expression {
    fn names(&self, word: &str) -> bool {
        self.expression.contains(word)
    }

    fn is_about_requester(&self) -> bool {
        self.names("request.userInfo") || self.names("authorizer.")
    }
}

impl Conditions {
    fn of(conditions: &[Expression]) -> Self {
        match conditions {
            [] => Self::None,
            all if all.iter().all(Expression::is_about_requester) => Self::Requester,
            _ => Self::Other,
        }
    }
}

impl<'a> FromIterator<&'a Expression> for Topics {
    fn from_iter<T: IntoIterator<Item = &'a Expression>>(expressions: T) -> Self {
        let mut topics = Self::default();
        for it in expressions {
            topics.privileged |= it.names("securityContext") && it.names("privileged");
            topics.init_containers |= it.names("initContainers");
            topics.requester |= it.is_about_requester();
        }
        topics
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn asks(matching: &str, request: &Request<'_>) -> Asked {
        let matching: Matching = serde_json::from_str(matching).unwrap();
        matching.asks(request)
    }

    fn labels(name: &str) -> LabelMap {
        let name = ("kubernetes.io/metadata.name".to_owned(), name.to_owned());
        LabelMap::from(&BTreeMap::from([name]))
    }

    fn rules(rule: &str) -> String {
        format!(r#"{{"resourceRules": [{rule}]}}"#)
    }

    const PODS: &str =
        r#""apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]"#;

    #[test]
    fn rules_are_those_of_the_api_server() {
        let shop = labels("shop");
        let pod = Request {
            operation: "CREATE",
            group: "",
            resource: "pods",
            namespace: Some(&shop),
        };
        for (rule, asked) in [
            (format!("{{{PODS}}}"), Asked::Always),
            (format!(r#"{{{PODS}, "resourceNames": ["a"]}}"#), Asked::Sometimes),
            (format!(r#"{{{PODS}, "scope": "Cluster"}}"#), Asked::Never),
            (format!(r#"{{{PODS}, "scope": "Namespaced"}}"#), Asked::Always),
            (format!("{{{}}}", PODS.replace("CREATE", "UPDATE")), Asked::Never),
            (format!("{{{}}}", PODS.replace("CREATE", "*")), Asked::Always),
            (format!("{{{}}}", PODS.replace("pods", "*")), Asked::Always),
            (format!("{{{}}}", PODS.replace("pods", "*/*")), Asked::Always),
            (format!("{{{}}}", PODS.replace("pods", "pods/*")), Asked::Always),
            (format!("{{{}}}", PODS.replace("pods", "pods/exec")), Asked::Never),
            (format!("{{{}}}", PODS.replace("v1", "v2")), Asked::Never),
            (
                format!("{{{}}}", PODS.replace(r#"[""]"#, r#"["apps"]"#)),
                Asked::Never,
            ),
            ("{}".to_owned(), Asked::Never),
        ] {
            assert_eq!(asks(&rules(&rule), &pod), asked, "{rule}");
        }
        assert_eq!(
            asks("{}", &pod),
            Asked::Always,
            "without rules it is every request"
        );
    }

    #[test]
    fn what_is_excluded_or_not_selected_is_never_asked() {
        let shop = labels("shop");
        let pod = Request {
            operation: "CREATE",
            group: "",
            resource: "pods",
            namespace: Some(&shop),
        };
        let not = |name: &str| {
            format!(
                r#"{{"matchExpressions": [{{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["{name}"]}}]}}"#
            )
        };
        for (matching, asked) in [
            (
                format!(r#"{{"excludeResourceRules": [{{{PODS}}}]}}"#),
                Asked::Never,
            ),
            (
                format!(r#"{{"excludeResourceRules": [{{{PODS}, "resourceNames": ["a"]}}]}}"#),
                Asked::Sometimes,
            ),
            (
                format!(r#"{{"namespaceSelector": {}}}"#, not("shop")),
                Asked::Never,
            ),
            (
                format!(r#"{{"namespaceSelector": {}}}"#, not("other")),
                Asked::Always,
            ),
            (
                format!(r#"{{"objectSelector": {}}}"#, not("other")),
                Asked::Sometimes,
            ),
        ] {
            assert_eq!(asks(&matching, &pod), asked, "{matching}");
        }
    }

    #[test]
    fn a_namespace_is_selected_by_its_own_labels_and_what_is_in_none_always() {
        let shop = labels("shop");
        let selector = r#"{"matchLabels": {"kubernetes.io/metadata.name": "other"}}"#;
        let both = format!(r#"{{"namespaceSelector": {selector}}}"#);
        let object = format!(r#"{{"objectSelector": {selector}}}"#);
        let namespace = Request {
            operation: "DELETE",
            group: "",
            resource: "namespaces",
            namespace: Some(&shop),
        };
        assert_eq!(asks(&both, &namespace), Asked::Never);
        assert_eq!(asks(&object, &namespace), Asked::Never);
        let role = Request {
            group: "rbac.authorization.k8s.io",
            resource: "clusterrolebindings",
            namespace: None,
            ..namespace
        };
        assert_eq!(asks(&both, &role), Asked::Always);
        assert_eq!(asks(&object, &role), Asked::Sometimes);
        let cluster = r#"{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"], "scope": "Cluster"}"#;
        assert_eq!(asks(&rules(cluster), &namespace), Asked::Always);
        assert_eq!(asks(&rules(cluster), &role), Asked::Always);
    }
}
