//! The generated templates of the Helm chart: what `crds` and `config/default` say, with the release's namespace and marks.

use super::rbac;
use crate::api::INSTALL_NAMESPACE;

/// Kept when the release is uninstalled: with a CRD, everything of its kind goes.
const KEPT: &str = "  annotations:\n    helm.sh/resource-policy: keep\n";
const LABELS: &str = "  labels:\n    {{- include \"flux-security-operator.labels\" . | nindent 4 }}\n";
const METADATA: &str = "\nmetadata:\n";

/// ServiceAccount, roles and bindings as a template.
#[must_use]
pub fn rbac() -> String {
    marked(&rbac::manifest(), "").replace(INSTALL_NAMESPACE, "{{ .Release.Namespace }}")
}

/// A CustomResourceDefinition in YAML as a template. Helm upgrades what is a template; what is in a chart's folder `crds`
/// it installs once and never touches again.
#[must_use]
pub fn crd(yaml: &str) -> String {
    // Descriptions may show templates of others.
    let literal = yaml.replace("{{", "{{ \"{{\" }}");
    let marked = marked(&literal, KEPT);
    format!(
        "{{{{- /* Generated from src/api by `make generate`. Do not edit. */}}}}\n\
         {{{{- if .Values.crds.install }}}}\n{marked}{{{{- end }}}}\n"
    )
}

/// Every document with the labels of the release.
fn marked(documents: &str, annotations: &str) -> String {
    documents.replace(METADATA, &format!("{METADATA}{annotations}{LABELS}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_document_carries_the_marks_of_the_release() {
        let rbac = super::rbac();
        for document in rbac.split("---\n") {
            assert_eq!(document.matches(super::LABELS).count(), 1, "{document}");
        }
        assert!(!rbac.contains("flux-security-system"), "{rbac}");
    }

    #[test]
    fn a_description_is_no_template() {
        let template = super::crd("kind: X\nmetadata:\n  name: x\nspec: 'as in {{ .Name }}'\n");
        assert!(template.contains("'as in {{ \"{{\" }} .Name }}'"), "{template}");
        assert_eq!(template.matches(super::KEPT).count(), 1, "{template}");
    }
}
