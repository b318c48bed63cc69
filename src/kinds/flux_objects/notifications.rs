//! What leaves the cluster as alerts, and what may enter as webhooks.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::Mark;
use super::super::meta::null_as_default;
use super::{
    Address, CloudUser, Conditions, FluxObject, NameRef, NoStatus, ObjectRef, Standing, Status, Text, flux,
    flux_kind,
};
use crate::shared::Word;

const GROUP: &str = "notification.toolkit.fluxcd.io";

/// `spec` of an Alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AlertSpec {
    /// Whose events are sent.
    #[serde(deserialize_with = "null_as_default")]
    pub event_sources: Box<[EventSource]>,
    /// `info` when empty, which sends errors as well; or `error`.
    pub event_severity: Word,
    /// Where they are sent: a Provider of the same namespace.
    pub provider_ref: NameRef,
    /// Regular expressions one of which a message has to fit; none: all are sent.
    #[serde(deserialize_with = "null_as_default")]
    pub inclusion_list: Box<[Text]>,
    /// Regular expressions none of which a message may fit.
    #[serde(deserialize_with = "null_as_default")]
    pub exclusion_list: Box<[Text]>,
    /// Nothing is sent.
    #[serde(deserialize_with = "null_as_default")]
    pub suspend: bool,
}

/// One of `spec.eventSources` of an Alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventSource {
    /// The objects; `*` stands for every name.
    #[serde(flatten)]
    pub objects: ObjectRef,
    /// Labels that they must have.
    #[serde(deserialize_with = "null_as_default")]
    pub match_labels: BTreeMap<Text, Text>,
}

/// `spec` of a Provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderSpec {
    /// `slack`, `generic-hmac`, …
    #[serde(rename = "type")]
    pub kind: Word,
    /// Where alerts go; empty when the Secret has it.
    pub address: Address,
    /// HTTP proxy; deprecated.
    pub proxy: Address,
    /// Credential, and maybe the address.
    pub secret_ref: Option<NameRef>,
    /// The account whose identity it has.
    pub service_account_name: Word,
    /// Nothing is sent.
    #[serde(deserialize_with = "null_as_default")]
    pub suspend: bool,
}

/// `spec` of a Receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReceiverSpec {
    /// Decides how requests authenticate.
    #[serde(rename = "type")]
    pub kind: Word,
    /// The token.
    pub secret_ref: Option<NameRef>,
    /// What a request triggers.
    #[serde(deserialize_with = "null_as_default")]
    pub resources: Vec<ObjectRef>,
    /// Which events are accepted; empty: all.
    #[serde(deserialize_with = "null_as_default")]
    pub events: Vec<Text>,
    /// CEL that chooses among the resources (Flux 2.5).
    pub resource_filter: Text,
    /// Who may call a receiver of type `generic-oidc` (Flux 2.9).
    #[serde(deserialize_with = "null_as_default")]
    pub oidc_providers: Vec<OidcProvider>,
}

/// One of `spec.oidcProviders` of a Receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OidcProvider {
    /// Who vouches for the caller.
    #[serde(rename = "issuerURL")]
    pub issuer_url: Address,
    /// For whom a token must be; `notification-controller` when empty.
    pub audience: Text,
    /// Names for parts of the conditions.
    #[serde(deserialize_with = "null_as_default")]
    pub variables: Vec<Expression>,
    /// Conditions on the caller; all must hold.
    #[serde(deserialize_with = "null_as_default")]
    pub validations: Vec<Expression>,
}

/// CEL over the claims of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Expression {
    /// The expression.
    pub expression: Text,
}

/// Whether a Receiver listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Condition `Ready`.
    pub ready: Standing,
}

/// What is read of a Receiver's status.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListeningWire {
    conditions: Conditions,
}

impl Status for Listening {
    type Wire = ListeningWire;
    fn new(wire: ListeningWire, generation: i64) -> Self {
        Self {
            ready: wire.conditions.standing("Ready", generation),
        }
    }
}

flux_kind!(
    /// Chooses the events that are sent.
    Alert,
    AlertSpec,
    NoStatus,
    flux(GROUP, "Alert", "alerts", &["v1", "v1beta3", "v1beta2"]),
    &[&["spec.eventSources"], &["spec.providerRef"]]
);
flux_kind!(
    /// Where alerts are sent.
    Provider,
    ProviderSpec,
    NoStatus,
    flux(GROUP, "Provider", "providers", &["v1", "v1beta3", "v1beta2"]),
    &[&["spec.type"]],
    marks: &[Mark::CLOUD]
);
flux_kind!(
    /// Receives webhooks.
    Receiver,
    ReceiverSpec,
    Listening,
    flux(GROUP, "Receiver", "receivers", &["v1", "v1beta2"]),
    &[&["spec.type"], &["spec.resources"]]
);

impl CloudUser for FluxObject<ProviderSpec, NoStatus> {
    fn cloud(&self) -> Option<&str> {
        const CLOUD_TYPES: [&str; 4] = ["azuredevops", "azureeventhub", "googlepubsub", "gcppubsub"];
        Some(self.spec.kind.as_str()).filter(|kind| CLOUD_TYPES.contains(kind))
    }

    fn cloud_account(&self) -> &str {
        self.spec.service_account_name.as_str()
    }
}
