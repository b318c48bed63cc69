//! An Event as Flux's notification-controller takes it.
//!
//! An Alert may name certain kinds of Flux only, and sees what is about an object of the namespace that it names. An Event
//! about such an object is told as that; any other one is told as about a Kustomization that stands in for it, and names
//! its object in the metadata.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::events::{Notice, NoticeType};
use crate::api::{FIELD_MANAGER, GROUP, ResourceRef, Severity};

/// Kinds that the schema of Alerts knows.
const KINDS: [&str; 12] = [
    "ArtifactGenerator",
    "Bucket",
    "ExternalArtifact",
    "GitRepository",
    "HelmChart",
    "HelmRelease",
    "HelmRepository",
    "ImagePolicy",
    "ImageRepository",
    "ImageUpdateAutomation",
    "Kustomization",
    "OCIRepository",
];
/// What else is of such a name is not Flux's.
const GROUPS: &str = ".fluxcd.io";
/// Keys under it pass the controller whatever they are about.
const METADATA: &str = "event.toolkit.fluxcd.io";

/// What is posted to notification-controller.
#[must_use]
pub fn notification(notice: &Notice, stand_in: &ResourceRef, at: Timestamp) -> Value {
    let object = &notice.regarding.resource;
    let involved = if is_known_to_alerts(object) {
        object
    } else {
        stand_in
    };
    json!({
        "involvedObject": {
            "apiVersion": involved.api_version,
            "kind": involved.kind,
            "namespace": involved.namespace,
            "name": involved.name,
        },
        "severity": severity(notice),
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "message": notice.note,
        "reason": notice.reason,
        "metadata": metadata(notice, involved),
        "reportingController": FIELD_MANAGER,
        "reportingInstance": FIELD_MANAGER,
    })
}

fn is_known_to_alerts(object: &ResourceRef) -> bool {
    group(object).ends_with(GROUPS) && KINDS.contains(&object.kind.as_str())
}

fn group(object: &ResourceRef) -> &str {
    object.api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Flux knows two severities that matter: what somebody should look at, and what is good to know.
fn severity(notice: &Notice) -> &'static str {
    let is_minor = notice
        .severity
        .is_some_and(|severity| !matches!(severity, Severity::Critical | Severity::High));
    match notice.r#type {
        NoticeType::Warning if !is_minor => "error",
        _ => "info",
    }
}

fn metadata(notice: &Notice, involved: &ResourceRef) -> Value {
    let mut metadata = Map::new();
    let mut add = |key: &str, value: String| metadata.insert(format!("{METADATA}/{key}"), value.into());
    let object = &notice.regarding.resource;
    add("object", object.to_string());
    add("command", command(object));
    if let Some(related) = &notice.related {
        add("related", related.resource.to_string());
    }
    if let Some(severity) = notice.severity {
        add("severity", severity.to_string());
    }
    // Another transition is another event, though it has the same words.
    metadata.insert(format!("{}/token", group(involved)), notice.name.clone().into());
    Value::Object(metadata)
}

/// What shows more of it to whoever hears of it: our own objects themselves, or the reports that tell of any other.
fn command(object: &ResourceRef) -> String {
    match (group(object), object.namespace.as_str()) {
        (GROUP, "") => format!("kubectl describe {} {}", object.kind.to_lowercase(), object.name),
        (_, "") => "kubectl describe fluxsecurityreports".to_owned(),
        (_, namespace) => format!("kubectl describe fluxsecuritynamespacereports -n {namespace}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::events::{ACTION, Subject};

    fn resource(api_version: &str, kind: &str) -> ResourceRef {
        ResourceRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: "team".to_owned(),
            name: "app".to_owned(),
        }
    }

    fn told(regarding: ResourceRef, r#type: NoticeType, severity: Option<Severity>) -> Value {
        let notice = Notice {
            name: "fluxsec-1".to_owned(),
            r#type,
            reason: "FindingDetected",
            regarding: Subject {
                resource: regarding,
                uid: "uid".to_owned(),
            },
            related: None,
            severity,
            note: "a sentence".to_owned(),
            action: ACTION,
        };
        let stand_in = resource("kustomize.toolkit.fluxcd.io/v1", "Kustomization");
        let stand_in = ResourceRef {
            name: "stand-in".to_owned(),
            ..stand_in
        };
        notification(&notice, &stand_in, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_object_that_an_alert_may_name_is_the_object() {
        for (api_version, kind) in [
            ("source.toolkit.fluxcd.io/v1", "GitRepository"),
            ("source.extensions.fluxcd.io/v1beta1", "ArtifactGenerator"),
        ] {
            let told = told(resource(api_version, kind), NoticeType::Warning, None);
            assert_eq!(told["involvedObject"]["name"], "app", "{told}");
            assert_eq!(told["involvedObject"]["apiVersion"], api_version);
            let (group, _) = api_version.split_once('/').unwrap();
            assert_eq!(told["metadata"][format!("{group}/token")], "fluxsec-1", "{told}");
        }
    }

    #[test]
    fn something_stands_in_for_any_other() {
        for (api_version, kind) in [
            ("apps/v1", "Deployment"),
            ("v1", "Namespace"),
            ("fluxcd.controlplane.io/v1", "FluxInstance"),
            ("fluxsecurity.dev/v1alpha1", "FluxSecurityReport"),
            ("kustomize.example.com/v1", "Kustomization"),
        ] {
            let told = told(resource(api_version, kind), NoticeType::Warning, None);
            assert_eq!(told["involvedObject"]["name"], "stand-in", "{told}");
            let object = told["metadata"]["event.toolkit.fluxcd.io/object"]
                .as_str()
                .unwrap();
            assert!(object.contains(kind) && object.contains("app"), "{object}");
            assert_eq!(told["metadata"]["kustomize.toolkit.fluxcd.io/token"], "fluxsec-1");
        }
    }

    #[test]
    fn a_command_shows_the_report() {
        let of = |api_version, kind, namespace: &str| {
            let object = ResourceRef {
                namespace: namespace.to_owned(),
                ..resource(api_version, kind)
            };
            let told = told(object, NoticeType::Warning, None);
            told["metadata"]["event.toolkit.fluxcd.io/command"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let ours = "fluxsecurity.dev/v1alpha1";
        assert_eq!(
            of(ours, "FluxSecurityReport", ""),
            "kubectl describe fluxsecurityreport app"
        );
        assert_eq!(
            of(ours, "FluxSecurityWaiver", ""),
            "kubectl describe fluxsecuritywaiver app"
        );
        assert_eq!(
            of("apps/v1", "Deployment", "team"),
            "kubectl describe fluxsecuritynamespacereports -n team"
        );
        assert_eq!(
            of("rbac.authorization.k8s.io/v1", "ClusterRole", ""),
            "kubectl describe fluxsecurityreports"
        );
    }

    #[test]
    fn what_needs_somebody_is_an_error() {
        let of = |r#type, severity| {
            let told = told(resource("apps/v1", "Deployment"), r#type, severity);
            told["severity"].as_str().unwrap().to_owned()
        };
        assert_eq!(of(NoticeType::Warning, Some(Severity::Critical)), "error");
        assert_eq!(of(NoticeType::Warning, Some(Severity::High)), "error");
        assert_eq!(of(NoticeType::Warning, None), "error");
        assert_eq!(of(NoticeType::Warning, Some(Severity::Medium)), "info");
        assert_eq!(of(NoticeType::Normal, Some(Severity::Critical)), "info");
    }
}
