//! The alerts, as files: for Prometheus itself and for its operator.

use serde::Serialize;

use crate::monitoring::alerts::{Alert, RUNBOOKS};

const HEAD: &str = "# Generated from src/monitoring/alerts.rs by `make generate`. Do not edit.\n";
const NAME: &str = "flux-security-operator";

#[derive(Serialize)]
struct Rules {
    groups: [Group; 1],
}

#[derive(Serialize)]
struct Group {
    name: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
struct Rule {
    alert: &'static str,
    expr: &'static str,
    r#for: &'static str,
    labels: Labels,
    annotations: Annotations,
}

#[derive(Serialize)]
struct Labels {
    severity: &'static str,
}

#[derive(Serialize)]
struct Annotations {
    summary: &'static str,
    description: &'static str,
    runbook_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PrometheusRule {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: Rules,
}

#[derive(Serialize)]
struct Metadata {
    name: &'static str,
}

/// A file of rules for Prometheus.
///
/// # Errors
/// They cannot be written as YAML: a mistake in this file that every test finds.
pub fn plain(alerts: &[&Alert]) -> Result<String, serde_saphyr::ser::Error> {
    Ok(format!("{HEAD}{}", serde_saphyr::to_string(&rules(alerts))?))
}

/// The same as an object for the Prometheus Operator.
///
/// # Errors
/// It cannot be written as YAML: a mistake in this file that every test finds.
pub fn object(alerts: &[&Alert]) -> Result<String, serde_saphyr::ser::Error> {
    let object = PrometheusRule {
        api_version: "monitoring.coreos.com/v1",
        kind: "PrometheusRule",
        metadata: Metadata { name: NAME },
        spec: rules(alerts),
    };
    Ok(format!("{HEAD}{}", serde_saphyr::to_string(&object)?))
}

fn rules(alerts: &[&Alert]) -> Rules {
    Rules {
        groups: [Group {
            name: NAME,
            rules: alerts.iter().map(|alert| rule(alert)).collect(),
        }],
    }
}

fn rule(alert: &Alert) -> Rule {
    Rule {
        alert: alert.name,
        expr: alert.expr,
        r#for: alert.hold,
        labels: Labels {
            severity: alert.severity.as_str(),
        },
        annotations: Annotations {
            summary: alert.summary,
            description: alert.description,
            runbook_url: format!("{RUNBOOKS}{}.md", alert.name),
        },
    }
}
