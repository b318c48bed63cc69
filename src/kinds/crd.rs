//! CustomResourceDefinitions, by metadata: who installed Flux's, and which policies and ways into the cluster exist
//! that are not read.

use std::collections::BTreeMap;

use super::{Descriptor, Kind, Meta, Required};

/// Labels of a CustomResourceDefinition of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrdRow {
    /// `app.kubernetes.io/*` and Flux's own labels.
    pub labels: BTreeMap<String, String>,
}

/// Kinds of policies that network plugins know beside NetworkPolicies. What they admit or deny is not read.
pub const POLICIES_OF_PLUGINS: [&str; 9] = [
    "adminnetworkpolicies.policy.networking.k8s.io",
    "baselineadminnetworkpolicies.policy.networking.k8s.io",
    "ciliumclusterwidenetworkpolicies.cilium.io",
    "ciliumnetworkpolicies.cilium.io",
    "clusternetworkpolicies.policy.networking.k8s.io",
    "globalnetworkpolicies.crd.projectcalico.org",
    "globalnetworkpolicies.projectcalico.org",
    "networkpolicies.crd.projectcalico.org",
    "networkpolicies.projectcalico.org",
];

/// Kinds of ways into the cluster beside Ingresses and HTTPRoutes. Where they lead is not read.
pub const OTHER_ROUTES: [&str; 9] = [
    "grpcroutes.gateway.networking.k8s.io",
    "httpproxies.projectcontour.io",
    "ingressroutes.traefik.containo.us",
    "ingressroutes.traefik.io",
    "mappings.getambassador.io",
    "tcproutes.gateway.networking.k8s.io",
    "tlsroutes.gateway.networking.k8s.io",
    "virtualservices.networking.istio.io",
    "virtualservices.gateway.solo.io",
];

/// What OpenShift admits pods by, in place of Pod Security. It is part of the API server there and needs no webhook.
pub const SECURITY_CONTEXT_CONSTRAINTS: &str = "securitycontextconstraints.security.openshift.io";

/// `apiextensions.k8s.io/v1 CustomResourceDefinition`.
pub struct CustomResourceDefinition;

impl Kind for CustomResourceDefinition {
    type Row = CrdRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "apiextensions.k8s.io",
        kind: "CustomResourceDefinition",
        plural: "customresourcedefinitions",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: true,
    };
    const IS_CLUSTER_SCOPED: bool = true;
    const REQUIRED: Required = &[
        &["spec.group"],
        &["spec.names"],
        &["spec.scope"],
        &["spec.versions"],
    ];

    fn project(meta: &Meta, _object: &str) -> Result<Option<CrdRow>, serde_json::Error> {
        let name = meta.name.as_str();
        let ours = POLICIES_OF_PLUGINS.contains(&name)
            || OTHER_ROUTES.contains(&name)
            || name == SECURITY_CONTEXT_CONSTRAINTS
            || meta.name.ends_with(".fluxcd.io")
            || meta.name.ends_with(".fluxcd.controlplane.io")
            || meta.name.ends_with(".clusterconfig.azure.com");
        Ok(ours.then(|| CrdRow {
            labels: meta.labels.clone(),
        }))
    }
}
