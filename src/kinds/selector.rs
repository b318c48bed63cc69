//! Label selectors, as the API server evaluates them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::meta::null_as_default;

/// `metav1.LabelSelector`: every label and every expression has to fit. Without any it fits everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    #[serde(deserialize_with = "null_as_default")]
    match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_as_default")]
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

impl LabelSelector {
    /// Whether it fits whatever labels there are.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether it fits an object with these labels.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let mut wanted = self.match_labels.iter();
        let mut expressions = self.match_expressions.iter();
        wanted.all(|(key, value)| labels.get(key) == Some(value))
            && expressions.all(|expression| expression.matches(labels))
    }
}

impl Expression {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let is_listed = value.is_some_and(|value| self.values.contains(value));
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
        selector.matches(&labels.iter().map(owned).collect())
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
    fn an_operator_of_tomorrow_is_not_read_as_another() {
        assert!(serde_json::from_str::<LabelSelector>(&expression("Like", "[]")).is_err());
    }
}
