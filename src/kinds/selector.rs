//! Label selectors, as the API server evaluates them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::label_map::HasLabels;
use super::meta::null_as_default;
use crate::flux::selector::{is_label, is_value};

/// `metav1.LabelSelector`: every label and every expression has to fit. Without any it fits everything.
///
/// One that Kubernetes refuses to evaluate cannot be read: whoever enforces it does something, and nobody knows what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Wire")]
pub struct LabelSelector {
    match_labels: BTreeMap<String, String>,
    match_expressions: Box<[Expression]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default, deserialize_with = "null_as_default")]
    match_labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_as_default")]
    match_expressions: Box<[Expression]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Expression {
    key: String,
    operator: Operator,
    #[serde(default, deserialize_with = "null_as_default")]
    values: Box<[String]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl TryFrom<Wire> for LabelSelector {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        let of_labels = wire.match_labels.iter();
        let of_labels = of_labels.map(|(key, value)| (key, std::slice::from_ref(value)));
        let of_expressions = wire.match_expressions.iter();
        let of_expressions = of_expressions.map(|expression| (&expression.key, &*expression.values));
        for (key, values) in of_labels.chain(of_expressions) {
            if !is_label(key) {
                return Err(format!("{key:?} is no label"));
            }
            if let Some(value) = values.iter().find(|value| !is_value(value)) {
                return Err(format!("{value:?} cannot be the value of a label"));
            }
        }
        let mut expressions = wire.match_expressions.iter();
        if let Some(Expression { key, operator, .. }) = expressions.find(|it| !it.is_complete()) {
            return Err(format!("the number of values does not fit {operator:?} of {key}"));
        }
        Ok(Self {
            match_labels: wire.match_labels,
            match_expressions: wire.match_expressions,
        })
    }
}

impl LabelSelector {
    /// Whether it fits whatever labels there are.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether it fits an object with these labels.
    #[must_use]
    pub fn matches(&self, labels: &impl HasLabels) -> bool {
        let mut wanted = self.match_labels.iter();
        let mut expressions = self.match_expressions.iter();
        wanted.all(|(key, value)| labels.label(key) == Some(value.as_str()))
            && expressions.all(|expression| expression.matches(labels))
    }
}

impl Expression {
    /// Whether it has values exactly where its operator compares with some.
    fn is_complete(&self) -> bool {
        let compares = matches!(self.operator, Operator::In | Operator::NotIn);
        compares != self.values.is_empty()
    }

    fn matches(&self, labels: &impl HasLabels) -> bool {
        let value = labels.label(&self.key);
        let is_listed = value.is_some_and(|value| self.values.iter().any(|listed| listed == value));
        match self.operator {
            Operator::In => is_listed,
            // A missing label is not in the list, either.
            Operator::NotIn => !is_listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(selector: &str, labels: &[(&str, &str)]) -> bool {
        let selector: LabelSelector = serde_json::from_str(selector).unwrap();
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        selector.matches(&labels.iter().map(owned).collect::<BTreeMap<_, _>>())
    }

    fn expression(operator: &str, values: &str) -> String {
        format!(r#"{{"matchExpressions": [{{"key": "a", "operator": "{operator}", "values": {values}}}]}}"#)
    }

    #[test]
    fn labels_have_to_fit_all() {
        assert!(fits("{}", &[]));
        assert!(fits(r#"{"matchLabels": null, "matchExpressions": null}"#, &[]));
        let two = r#"{"matchLabels": {"a": "1", "b": "2"}}"#;
        assert!(fits(two, &[("a", "1"), ("b", "2"), ("c", "3")]));
        assert!(!fits(two, &[("a", "1")]));
        assert!(!fits(two, &[("a", "1"), ("b", "1")]));
    }

    #[test]
    fn expressions_are_those_of_kubernetes() {
        for (operator, values, with_1, with_2, without) in [
            ("In", r#"["1"]"#, true, false, false),
            ("NotIn", r#"["1"]"#, false, true, true),
            ("Exists", "null", true, true, false),
            ("DoesNotExist", "[]", false, false, true),
        ] {
            let selector = expression(operator, values);
            assert_eq!(fits(&selector, &[("a", "1")]), with_1, "{selector}");
            assert_eq!(fits(&selector, &[("a", "2")]), with_2, "{selector}");
            assert_eq!(fits(&selector, &[("b", "1")]), without, "{selector}");
        }
    }

    #[test]
    fn what_kubernetes_refuses_cannot_be_read() {
        for (operator, values) in [
            ("Like", "[]"),
            ("In", "[]"),
            ("NotIn", "null"),
            ("Exists", r#"["1"]"#),
            ("In", r#"["a b"]"#),
        ] {
            let selector = expression(operator, values);
            assert!(
                serde_json::from_str::<LabelSelector>(&selector).is_err(),
                "{selector}"
            );
        }
        for labels in [r#"{"a/b/c": "1"}"#, r#"{"": "1"}"#, r#"{"a": "-"}"#] {
            let selector = format!(r#"{{"matchLabels": {labels}}}"#);
            assert!(
                serde_json::from_str::<LabelSelector>(&selector).is_err(),
                "{selector}"
            );
        }
    }
}
