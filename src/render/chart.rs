//! The generated templates of the Helm chart: what `crds`, `config/default` and `config/monitoring` say, with the release's
//! namespace and marks.

use super::rbac;
use crate::api::INSTALL_NAMESPACE;

/// Kept when the release is uninstalled: with a CRD, everything of its kind goes.
const KEPT: &str = "  annotations:\n    helm.sh/resource-policy: keep\n";
const LABELS: &str = "  labels:\n    {{- include \"flux-security-operator.labels\" . | nindent 4 }}\n";
const SELECTED_LABELS: &str = "  labels:\n    {{- with .Values.prometheusRule.labels }}\n    {{- toYaml . | nindent 4 }}\n    \
                               {{- end }}\n    {{- include \"flux-security-operator.labels\" . | nindent 4 }}\n";
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
    let marked = marked(&literal(yaml), KEPT);
    format!(
        "{{{{- /* Generated from src/api by `make generate`. Do not edit. */}}}}\n\
         {{{{- if .Values.crds.install }}}}\n{marked}{{{{- end }}}}\n"
    )
}

/// The PrometheusRule in YAML as a template, with labels by which a Prometheus selects it.
#[must_use]
pub fn prometheus_rule(yaml: &str) -> String {
    let marked = marked(&literal(yaml), "  namespace: {{ .Release.Namespace }}\n");
    let labelled = marked.replacen(LABELS, SELECTED_LABELS, 1);
    format!("{{{{- if .Values.prometheusRule.enabled }}}}\n{labelled}{{{{- end }}}}\n")
}

/// Text that Helm leaves as it is.
fn literal(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
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
    fn alerts_keep_their_templates_and_get_the_labels_of_a_prometheus() {
        let template = super::prometheus_rule("kind: X\nmetadata:\n  name: x\nspec: '{{ $labels.a }}'\n");
        assert!(template.contains("'{{ \"{{\" }} $labels.a }}'"), "{template}");
        assert_eq!(template.matches(super::SELECTED_LABELS).count(), 1, "{template}");
        assert_eq!(template.matches(".Release.Namespace").count(), 1, "{template}");
    }

    #[test]
    fn a_description_is_no_template() {
        let template = super::crd("kind: X\nmetadata:\n  name: x\nspec: 'as in {{ .Name }}'\n");
        assert!(template.contains("'as in {{ \"{{\" }} .Name }}'"), "{template}");
        assert_eq!(template.matches(super::KEPT).count(), 1, "{template}");
    }
}
