//! FSX-POD-005: No environment variable leads the controller elsewhere.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::evidence::{self, Objection};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::container::{Container, EnvSource};
use crate::inventory::Missing;
use crate::inventory::instances::Launch;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-POD-005",
    title: "No environment variable leads the controller elsewhere",
    chapter: "Beyond the document: Pods",
    severity: Severities::always(Severity::Medium),
    rationale: "KUBECONFIG makes the controller work on another cluster, SOURCE_CONTROLLER_LOCALHOST and its like make it fetch artifacts from another server, SSL_CERT_FILE decides whom it trusts, and a proxy without NO_PROXY sees the traffic within the cluster.",
    audit: "The env of the controller's container, in its pods and its template. Fails for each of these variables that is set, unless an artifact server of its own pod is meant, and for HTTP_PROXY and HTTPS_PROXY without NO_PROXY. Unknown when envFrom may bring in more.",
    remediation: "Remove the variable. Behind a proxy, set NO_PROXY to the addresses of the cluster; accept certificates of your own with a waiver.",
    reference: "https://fluxcd.io/flux/installation/configuration/proxy-setting/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

const PROXIES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let launches = evidence::all(subject);
    let outcome = evidence::judge(subject, &launches, misleading)?;
    let hidden = launches.iter().any(|launch| launch.definition.has_env_from);
    if outcome == Outcome::Pass && hidden {
        let message = format!("{}: what envFrom brings in is not read", subject.key);
        return Err(Missing::new("EnvironmentNotReadable", message));
    }
    Ok(outcome)
}

fn misleading(launch: &Launch) -> Vec<Objection> {
    let container = &launch.definition;
    let exceptions = ["NO_PROXY", "no_proxy"].map(|name| value(container, name));
    let has_exceptions = exceptions.iter().any(Option::is_some);
    let names = container.env.iter().map(|variable| variable.name.as_str());
    let misleads = |name: &&str| {
        value(container, name)
            .is_some_and(|value| leads(name, value) || PROXIES.contains(name) && !has_exceptions)
    };
    let objection = |name: &str| Objection {
        container: launch.container.clone(),
        field: "env".to_owned(),
        observed: if PROXIES.contains(&name) {
            format!("{name} is set, NO_PROXY is not")
        } else {
            format!("{name} is set")
        },
        expected: "not set",
    };
    names.filter(misleads).map(objection).collect()
}

/// Whether a variable alone leads elsewhere.
fn leads(name: &str, value: &EnvSource) -> bool {
    let is_source = name.starts_with("SOURCE_") && name.ends_with("_LOCALHOST");
    name == "KUBECONFIG" || is_source && !is_own_pod(value) || name.starts_with("SSL_CERT_")
}

/// Controllers that share a pod find each other there.
fn is_own_pod(value: &EnvSource) -> bool {
    let EnvSource::Literal(address) = value else {
        return false;
    };
    let host = address
        .rsplit_once(':')
        .map_or(address.as_str(), |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// What a variable is set to, if to anything; of two entries the last one counts.
fn value<'a>(container: &'a Container, name: &str) -> Option<&'a EnvSource> {
    let last = container.env.iter().rev().find(|variable| variable.name == name);
    last.map(|variable| &variable.source)
        .filter(|source| **source != EnvSource::Literal(String::new()))
}
