//! A small posture with every result, as it is and with a text of somebody else wherever one may be.

use flux_security_operator::api::report::{Catalogue, Change, Controller, Location, SeverityCounts};
use flux_security_operator::api::{
    ControlResult, ControlStatus, Finding, Installation, ReportStatus, ResourceRef, Severity, Summary,
};
use flux_security_operator::controls;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

pub(crate) fn posture() -> ReportStatus {
    ReportStatus {
        observed_generation: 1,
        cluster_name: "blue".to_owned(),
        catalogue: Catalogue {
            version: "1.2.3".to_owned(),
            document_revision: "2026-01-01".to_owned(),
        },
        installations: vec![installation()],
        summary: Summary {
            score: 33,
            coverage: 83,
            pass: 1,
            fail: 2,
            waived: 1,
            manual: 1,
            not_applicable: 1,
            unknown: 1,
            findings: 3,
            failing: SeverityCounts {
                critical: 1,
                info: 1,
                ..SeverityCounts::default()
            },
        },
        controls: controls(),
        findings: findings(),
        ..ReportStatus::default()
    }
}

/// Two controls that fail, and one of each other result.
fn controls() -> Vec<ControlStatus> {
    use ControlResult::{Fail, Manual, NotApplicable, Pass, Unknown, Waived};
    use Severity::{Critical, High, Info, Medium};
    vec![
        row(
            "FSP-KUST-001",
            Critical,
            Fail,
            "Failed",
            "kustomize-controller runs programs (and 1 more)",
        ),
        row(
            "FSP-MT-008",
            Critical,
            Unknown,
            "Forbidden",
            "Deployments may not be listed",
        ),
        row("FSP-NET-001", High, Pass, "Passed", "4 controllers comply"),
        row(
            "FSP-NET-003",
            High,
            Manual,
            "NeedsReview",
            "Ask whether the network plugin enforces NetworkPolicies",
        ),
        row(
            "FSP-DED-002",
            Medium,
            Waived,
            "Waived",
            "accepted: a tenant may read it",
        ),
        row(
            "FSP-WI-001",
            Medium,
            NotApplicable,
            "Tenancy",
            "it does not apply under the policy's tenancy",
        ),
        row(
            "FSX-CFG-003",
            Info,
            Fail,
            "Failed",
            "source-controller logs at debug",
        ),
    ]
}

fn findings() -> Vec<Finding> {
    use Severity::{Critical, Info, Medium};
    let waived = finding(
        Medium,
        "FSP-DED-002",
        resource("v1", "Namespace", "", "tenant"),
        Location::default(),
    );
    vec![
        finding(
            Critical,
            "FSP-KUST-001",
            resource("apps/v1", "Deployment", "flux-system", "kustomize-controller"),
            Location {
                container: "manager".to_owned(),
                argument: "--insecure-kubeconfig-exec=true".to_owned(),
                ..Location::default()
            },
        ),
        finding(
            Critical,
            "FSP-KUST-001",
            resource("apps/v1", "Deployment", "tenant", "kustomize-controller"),
            Location {
                container: "manager".to_owned(),
                file: "./fleet/tenant/flux.yaml".to_owned(),
                line: Some(12),
                ..Location::default()
            },
        ),
        Finding {
            waiver: "old-fleet".to_owned(),
            ..waived
        },
        finding(
            Info,
            "FSX-CFG-003",
            resource("rbac.authorization.k8s.io/v1", "ClusterRole", "", "system:node"),
            Location {
                field: "rules[3]".to_owned(),
                ..Location::default()
            },
        ),
    ]
}

fn row(id: &str, severity: Severity, result: ControlResult, reason: &str, message: &str) -> ControlStatus {
    let findings = match id {
        "FSP-KUST-001" => 2,
        "FSX-CFG-003" => 1,
        _ => 0,
    };
    ControlStatus {
        id: id.to_owned(),
        title: controls::find(id).unwrap().title.to_owned(),
        severity,
        result,
        reason: reason.to_owned(),
        message: message.to_owned(),
        findings,
        waived: i32::from(result == ControlResult::Waived),
        since: Some(Time(Timestamp::from_second(1_700_000_000).unwrap())),
    }
}

fn finding(severity: Severity, control: &str, resource: ResourceRef, location: Location) -> Finding {
    Finding {
        severity,
        control: control.to_owned(),
        message: format!("{} is not as it should be", resource.name),
        resource,
        location,
        observed: "true".to_owned(),
        expected: "--flag=false (the default)".to_owned(),
        waiver: String::new(),
    }
}

fn resource(api_version: &str, kind: &str, namespace: &str, name: &str) -> ResourceRef {
    ResourceRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn installation() -> Installation {
    Installation {
        namespace: "flux-system".to_owned(),
        installer: "Bootstrap".to_owned(),
        version: "2.9.4".to_owned(),
        controllers: vec![Controller {
            name: "kustomize-controller".to_owned(),
            workload: "Deployment/kustomize-controller".to_owned(),
            image: "ghcr.io/fluxcd/kustomize-controller:v1.9.4".to_owned(),
            version: "1.9.4".to_owned(),
            shard: String::new(),
        }],
    }
}

/// The same posture, with a text wherever somebody else may write one.
pub(crate) fn hostile(text: &str) -> ReportStatus {
    let mut report = posture();
    let set = |field: &mut String| text.clone_into(field);
    set(&mut report.cluster_name);
    for installation in &mut report.installations {
        set(&mut installation.namespace);
        for controller in &mut installation.controllers {
            set(&mut controller.workload);
            set(&mut controller.image);
        }
    }
    for control in &mut report.controls {
        set(&mut control.title);
        set(&mut control.message);
    }
    let mut change = Change {
        time: Time(Timestamp::from_second(1_700_000_000).unwrap()),
        control: "FSP-KUST-001".to_owned(),
        from: None,
        to: ControlResult::Fail,
        resource: Some(resource("apps/v1", "Deployment", text, text)),
        manager: text.to_owned(),
        applied_by: None,
        waiver: String::new(),
    };
    report.history.push(change.clone());
    text.clone_into(&mut change.waiver);
    report.history.push(change.clone());
    change.applied_by = Some(resource("v1", "Kustomization", text, text));
    report.history.push(change);
    for finding in &mut report.findings {
        set(&mut finding.resource.namespace);
        set(&mut finding.resource.name);
        set(&mut finding.location.container);
        set(&mut finding.location.argument);
        set(&mut finding.location.field);
        set(&mut finding.location.file);
        set(&mut finding.observed);
        set(&mut finding.expected);
        set(&mut finding.message);
    }
    report
}
