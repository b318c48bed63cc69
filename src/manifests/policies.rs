//! The policy of a file, for an audit with it.

use std::sync::Arc;

use super::{Place, Trouble, yaml};
use crate::api::FluxSecurityPolicy;

/// Why a file is no policy: `file:line: why`.
#[derive(Debug, thiserror::Error)]
#[error("no FluxSecurityPolicy: {0}")]
pub struct PolicyError(String);

/// Reads the policy of a file.
///
/// # Errors
/// It is none.
pub fn parse(file: &str, text: &str) -> Result<FluxSecurityPolicy, PolicyError> {
    yaml::read(text).map_err(|broken| {
        let trouble = Trouble {
            place: Place {
                file: 0,
                line: broken.line,
            },
            message: broken.message,
        };
        PolicyError(trouble.sentence(&[Arc::from(file)]))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::Tenancy;

    #[test]
    fn a_policy_is_read_and_what_is_wrong_with_it_is_told_by_its_line() {
        let policy = parse(
            "policy.yaml",
            "---\nmetadata: {name: it}\nspec: {tenancy: Shared}\n",
        );
        let policy = policy.unwrap();
        assert_eq!(policy.metadata.name.as_deref(), Some("it"));
        assert_eq!(policy.spec.tenancy, Tenancy::Shared);

        for (text, why) in [
            (
                "metadata: {}\nspec:\n  tenancy: shared\n  suspend: true\n",
                "policy.yaml:3: spec.tenancy: unknown variant `shared`",
            ),
            (
                "metadata: {}\nspec:\n  controls:\n  - id: FSP-NET-001\n  - 7\n",
                "policy.yaml:5: spec.controls[1]: invalid type: integer `7`",
            ),
            ("metadata: {}\n", "policy.yaml:1: missing field `spec`"),
            ("metadata: {}\nspec: }\n", "policy.yaml:2: "),
            ("a text\n", "policy.yaml:1: invalid type: string \"a text\""),
        ] {
            let error = parse("policy.yaml", text).unwrap_err().to_string();
            let told = error.strip_prefix("no FluxSecurityPolicy: ").unwrap();
            assert!(told.starts_with(why), "{text}: {error}");
        }
    }
}
