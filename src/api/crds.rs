//! The CustomResourceDefinitions, generated from the Rust types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{FluxSecurityNamespaceReport, FluxSecurityPolicy, FluxSecurityReport, FluxSecurityWaiver};

/// Every kind of the product, in the order in which `crds/` lists them.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        FluxSecurityPolicy::crd(),
        FluxSecurityReport::crd(),
        FluxSecurityNamespaceReport::crd(),
        FluxSecurityWaiver::crd(),
    ]
}
