//! The document's recommendations, each with the controls that judge it.

/// One recommendation.
pub struct Recommendation {
    /// Chapter of the document.
    pub chapter: &'static str,
    /// What is recommended.
    pub recommendation: &'static str,
    /// The controls that judge it, in order.
    pub controls: &'static [&'static str],
}

const fn recommendation(
    chapter: &'static str,
    recommendation: &'static str,
    controls: &'static [&'static str],
) -> Recommendation {
    Recommendation {
        chapter,
        recommendation,
        controls,
    }
}

/// All of them, in the document's order; the last one came after its first edition.
#[rustfmt::skip]
pub static RECOMMENDATIONS: &[Recommendation] = &[
    recommendation("Helm Controller", "kubeconfigs run no programs", &["FSP-HELM-001"]),
    recommendation("Helm Controller", "kubeconfigs do not switch TLS off", &["FSP-HELM-002"]),
    recommendation("Kustomize Controller", "kubeconfigs run no programs", &["FSP-KUST-001"]),
    recommendation("Kustomize Controller", "kubeconfigs do not switch TLS off", &["FSP-KUST-002"]),
    recommendation("Kustomize Controller", "no remote bases", &["FSP-KUST-003"]),
    recommendation("Secret Decryption", "Secrets are encrypted in sources and decrypted by Flux", &["FSP-SEC-001", "FSP-SEC-002", "FSP-SEC-003", "FSP-SEC-004", "FSP-SEC-005"]),
    recommendation("Multi-tenancy Lock-down", "no references to other namespaces", &["FSP-MT-001", "FSP-MT-002", "FSP-MT-003", "FSP-MT-004", "FSP-MT-005", "FSP-MT-006", "FSP-MT-012"]),
    recommendation("Multi-tenancy Lock-down", "a default service account without rights", &["FSP-MT-007", "FSP-MT-008", "FSP-MT-009", "FSP-MT-010", "FSP-MT-011"]),
    recommendation("Secret Decryption of tenants", "keys are isolated as tenants are", &["FSP-SEC-010", "FSP-SEC-011", "FSP-SEC-012", "FSP-SEC-013", "FSP-SEC-014", "FSP-SEC-015", "FSP-SEC-016"]),
    recommendation("Resource Isolation", "critical tenants have controllers of their own", &["FSP-RES-001", "FSP-RES-002", "FSP-RES-003", "FSP-RES-004", "FSP-RES-005", "FSP-RES-006"]),
    recommendation("Node Isolation", "Flux and tenants do not share nodes", &["FSP-NODE-001", "FSP-NODE-002", "FSP-NODE-003", "FSP-NODE-004", "FSP-NODE-005"]),
    recommendation("Network Isolation", "the network plugin enforces NetworkPolicies", &["FSP-NET-001", "FSP-NET-002", "FSP-NET-003", "FSP-NET-004", "FSP-NET-005"]),
    recommendation("Dedicated Cluster Multi-tenancy", "tenants cannot take the platform's access away", &["FSP-DED-001", "FSP-DED-002", "FSP-DED-003", "FSP-DED-004"]),
    recommendation("Workload identity", "identities of objects have a default service account", &["FSP-WI-001", "FSP-WI-002", "FSP-WI-003", "FSP-WI-004", "FSP-WI-005", "FSP-WI-006", "FSP-WI-007", "FSP-WI-008", "FSP-WI-009"]),
];

/// What has an id in Flux's circles and is judged by a control of another id: the id, what it is, the control.
pub static JUDGED_ELSEWHERE: &[(&str, &str, &str)] = &[(
    "FSX-TEN-001",
    "a tenant's applier without an account, applied as the controller: the critical case",
    "FSP-MT-010",
)];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{JUDGED_ELSEWHERE, RECOMMENDATIONS};
    use crate::controls::{CATALOGUE, find};

    #[test]
    fn every_recommendation_has_its_controls_and_every_control_its_recommendation() {
        let mapped: Vec<&str> = RECOMMENDATIONS
            .iter()
            .flat_map(|it| it.controls)
            .copied()
            .collect();
        for it in RECOMMENDATIONS {
            assert!(
                !it.controls.is_empty(),
                "{}: nothing judges it",
                it.recommendation
            );
        }
        let ids = CATALOGUE.iter().map(|control| control.id);
        let of_the_document: BTreeSet<&str> = ids.filter(|id| id.starts_with("FSP-")).collect();
        assert_eq!(mapped.len(), of_the_document.len(), "each control once");
        assert_eq!(mapped.into_iter().collect::<BTreeSet<_>>(), of_the_document);
    }

    #[test]
    fn what_is_judged_elsewhere_is_judged() {
        for (id, _, control) in JUDGED_ELSEWHERE {
            assert!(find(id).is_none() && find(control).is_some(), "{id} {control}");
        }
    }
}
