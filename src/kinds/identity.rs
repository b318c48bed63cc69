//! ServiceAccounts that carry a cloud identity (flux-facts 2.4).

use super::{Descriptor, Kind, Meta};

/// The cloud identity of a ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudIdentity {
    /// The annotation that grants it.
    pub annotation: &'static str,
}

/// `v1 ServiceAccount`; only those with a cloud identity are kept.
pub struct ServiceAccount;

/// Annotations that bind a ServiceAccount to an identity of a cloud.
const CLOUD_ANNOTATIONS: [&str; 4] = [
    "eks.amazonaws.com/role-arn",
    "azure.workload.identity/client-id",
    "iam.gke.io/gcp-service-account",
    "gcp.auth.fluxcd.io/workload-identity-provider",
];

impl Kind for ServiceAccount {
    type Row = CloudIdentity;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "",
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: true,
    };

    fn project(meta: &Meta, _object: &str) -> Result<Option<CloudIdentity>, serde_json::Error> {
        let annotation = CLOUD_ANNOTATIONS
            .into_iter()
            .find(|name| meta.annotations.contains_key(*name));
        Ok(annotation.map(|annotation| CloudIdentity { annotation }))
    }
}
