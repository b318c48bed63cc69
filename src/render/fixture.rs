//! Postures for unit tests.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use crate::api::report::{Finding, Location};
use crate::api::{ControlResult, FluxSecurityPolicySpec, ResourceRef, Severity};
use crate::controls::CATALOGUE;
use crate::engine::{ControlPosture, FindingPosture, Findings, PolicyPosture};
use crate::kinds::own::PolicyRow;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A control of the catalogue with a made-up result.
pub(crate) fn control(position: usize, severity: Severity, result: ControlResult) -> ControlPosture {
    ControlPosture {
        control: CATALOGUE[position],
        severity,
        result,
        reason: "Reason".to_owned(),
        message: "message".to_owned(),
        findings: 0,
        waived: 0,
        resolved: None,
    }
}

pub(crate) fn posture(controls: Vec<ControlPosture>) -> PolicyPosture {
    PolicyPosture {
        name: "default".to_owned(),
        policy: PolicyRow {
            uid: "policy-uid".to_owned(),
            generation: 1,
            requested_at: String::new(),
            spec: FluxSecurityPolicySpec::default(),
        },
        invalid: None,
        controls,
        findings: Findings::default(),
        installations: Vec::new(),
        gaps: Vec::new(),
        delivered: Arc::default(),
        tenants: Arc::default(),
    }
}

pub(crate) fn finding(namespace: &str) -> FindingPosture {
    FindingPosture {
        finding: Finding {
            severity: Severity::High,
            control: CATALOGUE[0].id.to_owned(),
            resource: ResourceRef {
                api_version: "apps/v1".to_owned(),
                kind: "Deployment".to_owned(),
                namespace: namespace.to_owned(),
                name: "helm-controller".to_owned(),
            },
            location: Location::default(),
            observed: "observed".to_owned(),
            expected: "expected".to_owned(),
            message: "message".to_owned(),
            waiver: String::new(),
        },
        uid: format!("uid-{namespace}"),
        author: None,
    }
}

/// One control that fails in every one of these namespaces.
pub(crate) fn failing(namespaces: &[&str]) -> PolicyPosture {
    let mut posture = posture(vec![control(0, Severity::High, ControlResult::Fail)]);
    posture.findings = namespaces
        .iter()
        .map(|namespace| Arc::new(finding(namespace)))
        .collect();
    let in_order =
        |findings: &mut Vec<_>| findings.sort_by(|a: &Arc<FindingPosture>, b| a.finding.cmp(&b.finding));
    posture.findings.edit(in_order);
    posture.controls[0].findings = namespaces.len();
    posture
}
