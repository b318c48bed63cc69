//! What makes a finding the one that was there before.

use std::collections::BTreeMap;

use crate::api::digest::digest;
use crate::api::{Finding, ResourceRef};

/// The same for a control, an object and a place in it, whatever is written there: it outlives another order, another
/// version of the kind, an object that is made anew, and another line of its file.
#[must_use]
pub fn fingerprint(finding: &Finding) -> String {
    let [group, kind, namespace, name] = object(&finding.resource);
    let location = &finding.location;
    let field = without_positions(&location.field);
    let mut parts = vec![
        &finding.control,
        group,
        kind,
        namespace,
        name,
        &location.container,
        flag(&location.argument),
        &field,
    ];
    if TELL_OF_FILES.contains(&finding.control.as_str()) {
        parts.push(&location.file);
    }
    digest(&parts)
}

/// Controls whose findings are about files of sources, and not about objects, whose files do not matter.
const TELL_OF_FILES: [&str; 2] = ["FSP-SEC-003", "FSP-SEC-004"];

/// The fingerprints of a report. Those that are equal are numbered, so that none is there twice.
#[must_use]
pub fn numbered(findings: &[Finding]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let number = |finding| {
        let fingerprint = fingerprint(finding);
        let count = seen.entry(fingerprint.clone()).or_insert(0);
        *count += 1;
        format!("{fingerprint}:{count}")
    };
    findings.iter().map(number).collect()
}

/// The policy stands for the cluster, whatever it is called.
fn object(resource: &ResourceRef) -> [&str; 4] {
    match resource.identity() {
        [crate::api::GROUP, kind @ "FluxSecurityPolicy", ..] => [crate::api::GROUP, kind, "", ""],
        identity => identity,
    }
}

/// An argument without its value.
fn flag(argument: &str) -> &str {
    argument.split(['=', ' ']).next().unwrap_or_default()
}

/// A path without the positions in its lists.
fn without_positions(field: &str) -> String {
    let mut parts = field.split('[');
    let mut path = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_position = |index: &str| !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        let part = match part.split_once(']') {
            Some((index, rest)) if is_position(index) => format!("]{rest}"),
            _ => part.to_owned(),
        };
        path.push('[');
        path.push_str(&part);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Severity;
    use crate::api::report::Location;
    use crate::render::fixture;

    fn finding(change: impl FnOnce(&mut Finding)) -> Finding {
        let mut finding = fixture::finding("a").finding;
        finding.location = Location {
            container: "manager".to_owned(),
            argument: "--log-level=debug".to_owned(),
            field: "spec.resources[0].name".to_owned(),
            file: "a.yaml".to_owned(),
            line: Some(7),
        };
        change(&mut finding);
        finding
    }

    #[test]
    fn what_a_finding_is_does_not_depend_on_what_is_written_there() {
        let same: [fn(&mut Finding); 6] = [
            |it| it.location.line = Some(99),
            |it| it.location.file = "moved/b.yaml".to_owned(),
            |it| it.location.argument = "--log-level=trace".to_owned(),
            |it| it.location.field = "spec.resources[12].name".to_owned(),
            |it| it.resource.api_version = "apps/v2".to_owned(),
            |it| (it.severity, it.observed) = (Severity::Low, "other".to_owned()),
        ];
        for change in same {
            assert_eq!(fingerprint(&finding(change)), fingerprint(&finding(|_| {})));
        }
    }

    #[test]
    fn another_control_object_or_place_is_another_finding() {
        let other: [fn(&mut Finding); 8] = [
            |it| it.control = "FSP-MT-001".to_owned(),
            |it| it.resource.api_version = "v1".to_owned(),
            |it| it.resource.kind = "Pod".to_owned(),
            |it| it.resource.namespace = "b".to_owned(),
            |it| it.resource.name = "b".to_owned(),
            |it| it.location.container = "other".to_owned(),
            |it| it.location.argument = "--log-levels".to_owned(),
            |it| it.location.field = "spec.resources[a].name".to_owned(),
        ];
        for change in other {
            assert_ne!(fingerprint(&finding(change)), fingerprint(&finding(|_| {})));
        }
    }

    #[test]
    fn the_policy_stands_for_the_cluster_whatever_it_is_called() {
        let of = |name: &str| finding(|it| it.resource = crate::engine::posture::policy_reference(name));
        assert_eq!(fingerprint(&of("audit")), fingerprint(&of("default")));
    }

    #[test]
    fn equal_fingerprints_are_numbered() {
        let twice = [finding(|_| {}), finding(|it| it.observed = "other".to_owned())];
        let numbered = numbered(&twice);
        assert!(
            numbered[0].ends_with(":1") && numbered[1].ends_with(":2"),
            "{numbered:?}"
        );
    }
}
