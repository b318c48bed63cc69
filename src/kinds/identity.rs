//! ServiceAccounts: which exist, and which carry a cloud identity (flux-facts 2.4).

use super::flux_objects::Text;
use super::{Descriptor, Kind, Meta};

/// A ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The annotation that grants an identity of a cloud.
    pub cloud: Option<&'static str>,
    /// Whom the cloud takes it for, when an annotation says so.
    pub identity: Option<Text>,
}

/// `v1 ServiceAccount`.
pub struct ServiceAccount;

/// Annotations that bind a ServiceAccount to an identity of a cloud.
const CLOUD_ANNOTATIONS: [&str; 4] = [
    "eks.amazonaws.com/role-arn",
    "azure.workload.identity/client-id",
    "iam.gke.io/gcp-service-account",
    "gcp.auth.fluxcd.io/workload-identity-provider",
];

/// Those whose value is the identity; a federation is shared, and the account itself is the identity.
const IDENTITIES: usize = 3;

impl Kind for ServiceAccount {
    type Row = Account;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "",
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        versions: &["v1"],
        custom: false,
        page_size: 100,
        metadata_only: true,
    };

    fn project(meta: &Meta, _object: &str) -> Result<Option<Account>, serde_json::Error> {
        let cloud = CLOUD_ANNOTATIONS
            .into_iter()
            .find(|name| meta.annotations.contains_key(*name));
        let mut identities = CLOUD_ANNOTATIONS[..IDENTITIES].iter();
        let identity = identities.find_map(|name| meta.annotations.get(*name));
        let identity = identity.map(|identity| Text::from(identity.as_str()));
        Ok(Some(Account { cloud, identity }))
    }
}
