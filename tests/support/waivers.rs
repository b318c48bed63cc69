//! Waivers: of any kind, and those that nobody should get away with.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// When waivers of the tests are created.
pub(crate) const CREATED: &str = "2026-01-01T00:00:00Z";

/// A waiver of some objects that ends then.
pub(crate) fn waiver(name: &str, control: &str, resources: &Value, expires: &str) -> Value {
    json!({
        "apiVersion": "fluxsecurity.dev/v1alpha1",
        "kind": "FluxSecurityWaiver",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": 1, "creationTimestamp": CREATED},
        "spec": {
            "control": control, "resources": resources, "reason": "accepted until it is repaired",
            "owner": "security-team", "expires": expires,
        },
    })
}

/// Waivers that end in the first months of the year, of what tests have.
pub(crate) fn any_waiver() -> impl Strategy<Value = Value> {
    let control = select(&[
        "FSP-KUST-001",
        "FSP-KUST-001",
        "FSP-MT-001",
        "FSP-MT-010",
        "FSP-*",
        "FSP-*",
        "FSP-MT-*",
        "FSX-*",
        "FSP-XYZ-001",
    ]);
    let resource = (
        select(&["", "", "", "*", "Kustomization", "*ment", "Pod"]),
        select(&[
            "",
            "",
            "flux-system",
            "flux-system",
            "tenant",
            "tenant",
            "t*",
            "*e*",
            "*",
        ]),
        select(&[
            "",
            "",
            "kustomize-controller",
            "kustomize-controller",
            "k*",
            "k*",
            "*-controller",
            "web-1",
        ]),
    );
    let resource = resource
        .prop_map(|(kind, namespace, name)| json!({"kind": kind, "namespace": namespace, "name": name}));
    let resources = proptest::collection::vec(resource, 1..3);
    (0..5_u8, control, resources, 1..5_u8, any::<bool>()).prop_map(
        |(number, control, resources, month, limited)| {
            let expires = format!("2026-0{month}-15T12:00:00Z");
            let mut waiver = waiver(&format!("w{number}"), control, &json!(resources), &expires);
            if limited {
                waiver["spec"]["policies"] = json!([if month == 1 { "other" } else { "test" }]);
            }
            waiver
        },
    )
}

/// What is no waiver: a change of a good spec, and the field that is to blame.
pub(crate) fn refused() -> Vec<(Value, &'static str)> {
    let resources = |resource: Value| json!({"resources": [resource]});
    vec![
        (json!({"control": "*"}), "spec.control"),
        (json!({"control": "F*"}), "spec.control"),
        (json!({"control": "FSP*"}), "spec.control"),
        (json!({"control": "fsp-kust-001"}), "spec.control"),
        (json!({"control": "FSP-*-001"}), "spec.control"),
        (json!({"control": "FSP-KUST-**"}), "spec.control"),
        // Letters of other alphabets that look alike.
        (json!({"control": "FSP-KU\u{405}T-001"}), "spec.control"),
        (json!({"control": ""}), "spec.control"),
        (json!({"resources": []}), "spec.resources"),
        (resources(json!({})), "spec.resources[0]"),
        (resources(json!({"kind": "*", "name": "*"})), "spec.resources[0]"),
        (
            resources(json!({"kind": "*", "namespace": "**", "name": "***"})),
            "spec.resources[0]",
        ),
        (
            resources(json!({"kind": "Deplоyment", "name": "a"})),
            "spec.resources[0].kind",
        ),
        (
            resources(json!({"namespace": "Flux"})),
            "spec.resources[0].namespace",
        ),
        (resources(json!({"name": "a b"})), "spec.resources[0].name"),
        (resources(json!({"name": "é"})), "spec.resources[0].name"),
        (
            json!({"control": "FSP-*", "resources": [{"kind": "Kustomization"}]}),
            "spec",
        ),
        (
            json!({"control": "FSP-*", "resources": [{"kind": "Pod", "namespace": "*", "name": "*"}]}),
            "spec",
        ),
        (json!({"reason": "later"}), "spec.reason"),
        (json!({"reason": "              "}), "spec.reason"),
        (json!({"reason": "............"}), "spec.reason"),
        (json!({"reason": "\u{200b}".repeat(20)}), "spec.reason"),
        (json!({"owner": "  "}), "spec.owner"),
        (json!({"owner": ""}), "spec.owner"),
        (json!({"policies": [""]}), "spec.policies"),
    ]
}

/// What is one, however odd it looks.
pub(crate) fn admitted() -> Vec<Value> {
    let resources = |resource: Value| json!({"resources": [resource]});
    vec![
        json!({}),
        json!({"control": "FSP-KUST-*"}),
        json!({"control": "FSP-*"}),
        json!({"control": "FSP-KUST-00*"}),
        json!({"control": "ACME-7"}),
        resources(json!({"kind": "Node"})),
        resources(json!({"namespace": "team-*"})),
        resources(json!({"kind": "ClusterRole", "name": "system:node*"})),
        json!({"reason": "wegen Ümbau im März", "owner": "Ærø"}),
        json!({"policies": ["default"], "ticket": "SEC-1"}),
        json!({"expires": "2020-01-01T00:00:00Z"}),
    ]
}
