//! The policy of a file, for an audit by it. No API server has seen it: what one would refuse or drop without a word would be
//! another audit than is meant.

use kube::CustomResourceExt;
use serde_json::Value;

use super::schema::{Difference, difference};
use super::yaml;
use crate::api::{FluxSecurityPolicy, GROUP, VERSION};

const KIND: &str = "FluxSecurityPolicy";

/// Why a file is no policy.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line} is not a FluxSecurityPolicy: {why}")]
pub struct PolicyError {
    file: String,
    line: u32,
    why: String,
}

/// Reads the policy of a file.
///
/// # Errors
/// It is none, or not as its schema wants it.
pub fn parse(file: &str, text: &str) -> Result<FluxSecurityPolicy, PolicyError> {
    let problem = |line, why| PolicyError {
        file: file.to_owned(),
        line,
        why,
    };
    // By way of JSON, which the types of a policy are compiled for already: for one more parser they are half a megabyte.
    let mut json = Vec::new();
    yaml::to_json(text, &mut json).map_err(|broken| problem(broken.line, broken.message))?;
    let value: Value = serde_json::from_slice(&json).map_err(|error| problem(1, error.to_string()))?;
    if let Some(Difference { field, message }) = misfit(&value) {
        let lines = yaml::lines_of(text, &[&field]).unwrap_or_default();
        let line = lines.first().copied().unwrap_or(1);
        return Err(problem(line, format!("{field}: {message}")));
    }
    serde_json::from_slice(&json).map_err(|error| problem(1, error.to_string()))
}

/// What is wrong with a policy.
fn misfit(policy: &Value) -> Option<Difference> {
    let version = format!("{GROUP}/{VERSION}");
    for (field, expected) in [("apiVersion", version.as_str()), ("kind", KIND)] {
        let found = policy[field].as_str().unwrap_or_default();
        if found != expected {
            return Some(Difference {
                field: field.to_owned(),
                message: format!("expected {expected}, found {found:?}"),
            });
        }
    }
    let versions = FluxSecurityPolicy::crd().spec.versions;
    let schema = versions.first()?.schema.as_ref()?;
    let spec = schema
        .open_api_v3_schema
        .as_ref()?
        .properties
        .as_ref()?
        .get("spec")?;
    difference(spec, &policy["spec"], "spec")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::Tenancy;

    const HEAD: &str =
        "apiVersion: fluxsecurity.dev/v1alpha1\nkind: FluxSecurityPolicy\nmetadata: {name: it}\n";

    #[test]
    fn a_policy_is_read() {
        let text = format!(
            "---\n{HEAD}spec:\n  tenancy: Shared\n  tenants: {{namespaceSelector: {{matchLabels: {{any: thing}}}}}}\n"
        );
        let policy = parse("policy.yaml", &text).unwrap();
        assert_eq!(policy.metadata.name.as_deref(), Some("it"));
        assert_eq!(policy.spec.tenancy, Tenancy::Shared);
        assert!(parse("policy.yaml", &format!("{HEAD}spec: {{}}\n")).is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_field_and_line() {
        for (spec, line, why) in [
            ("  tenancyy: Shared\n", 5, "spec.tenancyy: unknown field"),
            (
                "  suspend: true\n  tenancy: shared\n",
                6,
                "spec.tenancy: expected one of None, Shared, Dedicated, found \"shared\"",
            ),
            (
                "  controls:\n  - id: FSP-NET-001\n  - id: 7\n",
                7,
                "spec.controls[1].id: expected string, found number",
            ),
            (
                "  controls:\n  - enabled: false\n",
                5,
                "spec.controls[0]: id is missing",
            ),
            (
                "  controls:\n  - id: fsp-net-001\n",
                6,
                "spec.controls[0].id: it does not match ",
            ),
            (
                "  report: {maxFindings: 100000}\n",
                5,
                "spec.report.maxFindings: at most ",
            ),
            (
                "  clusterName: 7\n",
                5,
                "spec.clusterName: expected string, found number",
            ),
        ] {
            let error = parse("policy.yaml", &format!("{HEAD}spec:\n{spec}")).unwrap_err();
            let expected = format!("policy.yaml:{line} is not a FluxSecurityPolicy: {why}");
            assert!(error.to_string().starts_with(&expected), "{error}\n{expected}");
        }
        for (text, why) in [
            (
                "a text\n",
                "policy.yaml:1 is not a FluxSecurityPolicy: apiVersion: expected ",
            ),
            ("kind: }\n", "policy.yaml:1 is not a FluxSecurityPolicy: "),
        ] {
            let error = parse("policy.yaml", text).unwrap_err().to_string();
            assert!(error.starts_with(why), "{error}");
        }
        let error = parse("policy.yaml", HEAD).unwrap_err().to_string();
        assert!(error.ends_with("spec: expected object, found nothing"), "{error}");
    }

    #[test]
    fn every_pattern_of_the_schema_is_understood() {
        let crd = serde_json::to_value(FluxSecurityPolicy::crd()).unwrap();
        let mut patterns = Vec::new();
        collect(&crd, &mut patterns);
        assert!(patterns.len() > 5);
        for pattern in patterns {
            assert!(regex::Regex::new(&pattern).is_ok(), "{pattern}");
        }
    }

    fn collect(value: &Value, patterns: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                patterns.extend(fields.get("pattern").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| collect(value, patterns));
            }
            Value::Array(items) => items.iter().for_each(|value| collect(value, patterns)),
            _ => {}
        }
    }
}
