//! Objects of flux-operator: the installation that it keeps, and what it makes out of inputs.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::meta::null_as_default;
use super::super::{Descriptor, Kind, Meta, Origin, Required};
use super::{Address, Conditions, FluxObject, NoStatus, Standing, Status, Text, flux, flux_kind, project};
use crate::secrets::inline::Inline;

const GROUP: &str = "fluxcd.controlplane.io";
/// What stops flux-operator from looking after an object when it says `disabled`.
const RECONCILE: &str = "fluxcd.controlplane.io/reconcile";
/// Where the data of a ConfigMap or a Secret comes from.
const COPY_FROM: &str = "fluxcd.controlplane.io/copyFrom";

/// `spec` of a FluxInstance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct InstanceSpec {
    /// What is installed.
    pub distribution: Distribution,
    /// How it is set up.
    #[serde(deserialize_with = "null_as_default")]
    pub cluster: Cluster,
    /// What is changed of it.
    #[serde(deserialize_with = "null_as_default")]
    pub kustomize: Customization,
    /// What it applies first.
    pub sync: Option<Sync>,
    /// Whether an annotation stops flux-operator from looking after it.
    #[serde(skip)]
    pub is_disabled: bool,
}

/// `spec.distribution` of a FluxInstance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Distribution {
    /// Range of versions.
    pub version: Text,
}

/// `spec.cluster` of a FluxInstance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cluster {
    /// Lock-down.
    #[serde(deserialize_with = "null_as_default")]
    pub multitenant: bool,
    /// Whether NetworkPolicies come with the controllers.
    pub network_policy: bool,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            multitenant: false,
            network_policy: true,
        }
    }
}

/// `spec.sync` of a FluxInstance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Sync {
    /// Of the source.
    pub url: Address,
}

/// `spec.kustomize` of a FluxInstance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customization {
    /// Patches that undo what protects the controllers, by position.
    pub weakenings: Box<[(usize, Weakening)]>,
    /// Secrets in the patches.
    pub patches: Inline,
}

/// What a patch undoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakening {
    /// It turns this flag to its less safe side.
    Flag(&'static str),
    /// It replaces or removes arguments that the profile sets.
    Arguments,
    /// It removes NetworkPolicies.
    NetworkPolicies,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CustomizationWire {
    patches: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PatchWire {
    #[serde(deserialize_with = "null_as_default")]
    patch: String,
    #[serde(deserialize_with = "null_as_default")]
    target: TargetWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TargetWire {
    #[serde(deserialize_with = "null_as_default")]
    kind: String,
}

impl<'de> Deserialize<'de> for Customization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(raw) = CustomizationWire::deserialize(deserializer)?.patches else {
            return Ok(Self::default());
        };
        let patches: Option<Vec<PatchWire>> = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        let patches = patches.unwrap_or_default();
        let weakenings = patches.iter().enumerate();
        let weakenings = weakenings.flat_map(|(position, patch)| {
            let all = patch.weakenings().into_iter();
            all.map(move |weakening| (position, weakening))
        });
        Ok(Self {
            weakenings: weakenings.take(MOST).collect(),
            patches: serde_json::from_str(raw.get()).map_err(D::Error::custom)?,
        })
    }
}

/// Weakenings of one FluxInstance that are told of.
const MOST: usize = 20;
/// Flags that are safe when they are on.
const SAFE_ON: [&str; 2] = ["no-cross-namespace-refs", "no-remote-bases"];
/// Flags that are safe when they are off.
const SAFE_OFF: [&str; 2] = ["insecure-kubeconfig-exec", "insecure-kubeconfig-tls"];
/// Flags that are safe when they name an account.
const SAFE_SET: [&str; 3] = [
    "default-service-account",
    "default-decryption-service-account",
    "default-kubeconfig-service-account",
];

impl PatchWire {
    fn weakenings(&self) -> Vec<Weakening> {
        let arguments = self
            .patch
            .split(|it: char| it.is_whitespace() || matches!(it, '"' | '\'' | ',' | '[' | ']'));
        let mut all: Vec<Weakening> = arguments.filter_map(weakening_of).collect();
        if self.drops_arguments() {
            all.push(Weakening::Arguments);
        }
        let is_of_network = self.target.kind == "NetworkPolicy" || self.patch.contains("kind: NetworkPolicy");
        if is_of_network && self.patch.contains("$patch: delete") {
            all.push(Weakening::NetworkPolicies);
        }
        all
    }

    /// Whether an operation removes an argument, or puts others in the place of all.
    fn drops_arguments(&self) -> bool {
        let mut operation = "";
        let mut path = "";
        for line in self.patch.lines() {
            let body = line.trim_start();
            if body.starts_with("- ") {
                (operation, path) = ("", "");
            }
            let body = body.trim_start_matches(['-', ' ']);
            match body.split_once(": ").map(|(key, value)| (key, value.trim())) {
                Some(("op", value)) => operation = value,
                Some(("path", value)) => path = value,
                _ => continue,
            }
            let is_of_all = path.ends_with("/args") && matches!(operation, "replace" | "remove" | "add");
            let is_of_one = path.contains("/args/") && operation == "remove";
            if is_of_all || is_of_one {
                return true;
            }
        }
        false
    }
}

/// What an argument weakens.
fn weakening_of(argument: &str) -> Option<Weakening> {
    let flag = argument.strip_prefix("--")?;
    let (name, value) = flag.split_once('=').unwrap_or((flag, "true"));
    let find = |flags: &[&'static str]| flags.iter().copied().find(|it| *it == name);
    let is_off = matches!(value, "0" | "f" | "F" | "FALSE" | "false" | "False");
    let flag = match value {
        "" => find(&SAFE_SET),
        _ if is_off => find(&SAFE_ON),
        _ => find(&SAFE_OFF),
    };
    flag.map(Weakening::Flag)
}

/// Whether flux-operator could do what a FluxInstance asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Condition `Ready`.
    pub ready: Standing,
    /// The images that it installed last.
    pub components: Box<[Shipped]>,
}

/// An image of a controller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Shipped {
    /// Its tag, which says the version.
    pub tag: Text,
    /// Its digest.
    pub digest: Text,
}

/// What is read of a FluxInstance's status.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct InstalledWire {
    conditions: Conditions,
    #[serde(deserialize_with = "null_as_default")]
    components: Box<[Shipped]>,
}

impl Status for Installed {
    type Wire = InstalledWire;
    fn new(wire: InstalledWire, generation: i64) -> Self {
        Self {
            ready: wire.conditions.standing("Ready", generation),
            components: wire.components,
        }
    }
}

/// An installation of Flux.
pub struct FluxInstance;

impl Kind for FluxInstance {
    type Row = FluxObject<InstanceSpec, Installed>;
    const DESCRIPTOR: Descriptor = flux(GROUP, "FluxInstance", "fluxinstances", &["v1"]);
    const REQUIRED: Required = &[&["spec.distribution"]];

    fn project(meta: &Meta, object: &str) -> Result<Option<Self::Row>, serde_json::Error> {
        let mut row: Option<Self::Row> = project(meta, object, &Self::DESCRIPTOR)?;
        let reconcile = meta.annotations.get(RECONCILE);
        if let Some(row) = &mut row {
            row.spec.is_disabled = reconcile.is_some_and(|it| it.eq_ignore_ascii_case("disabled"));
        }
        Ok(row)
    }

    fn origin(row: &Self::Row) -> Option<&Origin> {
        Some(&row.origin)
    }
}

/// `spec` of a ResourceSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceSetSpec {
    /// The account that it is applied as.
    pub service_account_name: Text,
    /// Secrets and ConfigMaps whose data is copied: `namespace/name`.
    pub copies: Box<[Text]>,
    /// Secrets among the inputs.
    pub inputs: Inline,
    /// Secrets among the resources.
    pub resources: Inline,
    /// Secrets in the template of more resources.
    pub resources_template: Inline,
    /// Secrets among the resources of steps.
    pub steps: Inline,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceSetWire {
    service_account_name: Text,
    inputs: Inline,
    resources: Inline,
    resources_template: Inline,
    steps: Inline,
}

impl<'de> Deserialize<'de> for ResourceSetSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let wire: ResourceSetWire = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        Ok(Self {
            service_account_name: wire.service_account_name,
            copies: copies(raw.get()),
            inputs: wire.inputs,
            resources: wire.resources,
            resources_template: wire.resources_template,
            steps: wire.steps,
        })
    }
}

/// What annotations say to copy, of objects as well as in templates.
fn copies(spec: &str) -> Box<[Text]> {
    let mut sources: Vec<Text> = Vec::new();
    for (at, name) in spec.match_indices(COPY_FROM) {
        let rest = spec[at + name.len()..].trim_start_matches([' ', ':', '"', '\'', '\\']);
        let end = |it: char| it.is_whitespace() || matches!(it, '"' | '\'' | '\\' | ',' | '}');
        let source = Text::from(rest.split(end).next().unwrap_or_default());
        if sources.len() < MOST && !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources.into()
}

/// `spec` of a ResourceSetInputProvider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InputProviderSpec {
    /// `GitHubPullRequest`, `OCIArtifactTag`, `Static`, …
    #[serde(rename = "type")]
    pub kind: Text,
    /// What is asked.
    pub url: Address,
    /// Plain HTTP.
    #[serde(deserialize_with = "null_as_default")]
    pub insecure: bool,
    /// Which answers count.
    #[serde(deserialize_with = "null_as_default")]
    pub filter: Labels,
    /// Which answers wait.
    #[serde(deserialize_with = "null_as_default")]
    pub skip: Labels,
    /// Secrets among the values that it says itself.
    pub default_values: Inline,
}

/// Labels of change requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// All of them are needed to count; one of them is enough to wait, and `!` stands for one that is missing.
    #[serde(deserialize_with = "null_as_default")]
    pub labels: Box<[Text]>,
}

flux_kind!(
    /// Applies objects that it makes out of inputs.
    ResourceSet,
    ResourceSetSpec,
    NoStatus,
    flux(GROUP, "ResourceSet", "resourcesets", &["v1"])
);
flux_kind!(
    /// Where inputs come from.
    ResourceSetInputProvider,
    InputProviderSpec,
    NoStatus,
    flux(GROUP, "ResourceSetInputProvider", "resourcesetinputproviders", &["v1"])
);

#[cfg(test)]
mod tests {
    use super::*;

    fn weakenings(patch: &str, kind: &str) -> Vec<Weakening> {
        let target = TargetWire {
            kind: kind.to_owned(),
        };
        let patch = patch.to_owned();
        PatchWire { patch, target }.weakenings()
    }

    #[test]
    fn patches_are_read_for_what_they_undo() {
        let add = |value: &str| {
            format!("- op: add\n  path: /spec/template/spec/containers/0/args/-\n  value: {value}\n")
        };
        for (patch, undone) in [
            (add("--concurrent=5"), vec![]),
            (add("--no-remote-bases=true"), vec![]),
            (
                add("--no-remote-bases=false"),
                vec![Weakening::Flag("no-remote-bases")],
            ),
            (
                add("--insecure-kubeconfig-exec"),
                vec![Weakening::Flag("insecure-kubeconfig-exec")],
            ),
            (add("--insecure-kubeconfig-exec=false"), vec![]),
            (
                add("--default-service-account="),
                vec![Weakening::Flag("default-service-account")],
            ),
            (add("--default-service-account=tenant"), vec![]),
            (
                "- op: replace\n  path: /spec/template/spec/containers/0/args\n  value: []\n".into(),
                vec![Weakening::Arguments],
            ),
            (
                "- path: /spec/template/spec/containers/0/args/3\n  op: remove\n".into(),
                vec![Weakening::Arguments],
            ),
            (
                "- op: remove\n  path: /spec/template/spec/containers/0/resources\n".into(),
                vec![],
            ),
            (
                "$patch: delete\nkind: NetworkPolicy\nmetadata:\n  name: a\n".into(),
                vec![Weakening::NetworkPolicies],
            ),
        ] {
            assert_eq!(weakenings(&patch, "Deployment"), undone, "{patch}");
        }
        assert_eq!(
            weakenings("$patch: delete\n", "NetworkPolicy"),
            [Weakening::NetworkPolicies]
        );
    }

    #[test]
    fn copies_are_found_in_objects_and_in_templates() {
        let object = r#"{"resources": [{"metadata": {"annotations": {"fluxcd.controlplane.io/copyFrom": "a/b"}}}],
            "resourcesTemplate": "metadata:\n  annotations:\n    fluxcd.controlplane.io/copyFrom: \"c/d\"\n",
            "steps": [{"resourcesTemplate": "x:\n  fluxcd.controlplane.io/copyFrom: a/b\n"}]}"#;
        let spec: ResourceSetSpec = serde_json::from_str(object).unwrap();
        let copies: Vec<&str> = spec.copies.iter().map(Text::as_str).collect();
        assert_eq!(copies, ["a/b", "c/d"]);
    }
}
