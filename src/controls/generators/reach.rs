//! FSX-SW-001: ArtifactGenerators stay within their tenant.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::lockdown;
use super::names::Breadth;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Owner, Reach, Read, View};
use crate::kinds::flux_objects::generators::ManagedNamespaces;
use crate::kinds::flux_objects::{ArtifactGenerator, Text};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SW-001",
    title: "ArtifactGenerators stay within their tenant",
    chapter: "Beyond the document: Sources",
    severity: Severities::shared(Severity::Medium),
    rationale: "An artifact is what a Kustomization or HelmRelease applies: whoever puts one into another namespace decides what runs there. Managed namespaces are created, changed and deleted with the rights of source-watcher.",
    audit: "spec.artifacts[].namespace of each ArtifactGenerator in a tenant's namespace: fails for each namespace of another tenant, and when a pattern lets the source choose it; High when neither the object nor every source-watcher names an account. spec.managedNamespaces of every ArtifactGenerator: fails when an expression in allowedNames admits every name, or all but some, and when the source may set the Pod Security label to anything other than restricted or baseline. A person has to read an expression that cannot be judged without running it. What the account may do is not looked at, nor is what --no-cross-namespace-refs makes of it.",
    remediation: "Send artifacts to namespaces of the same tenant only, name an account with rights there and nowhere else, list the managed namespaces or give them a common prefix, and take pod-security.kubernetes.io/enforce out of allowedLabels.",
    reference: "https://fluxcd.io/flux/components/source/artifactgenerators/",
    reads: &[
        Read::Owners(Reach::Cluster),
        Read::Controllers(&[Component::SourceWatcher]),
    ],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ArtifactGenerator>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, ArtifactGenerator>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    let managed = spec.managed_namespaces.as_deref();
    let own = subject.view.owner(&subject.key.namespace)?;
    let is_tenant = matches!(own, Owner::Tenant(_));
    if !is_tenant && managed.is_none() {
        return Ok(Outcome::not_applicable(
            "the namespace belongs to no tenant, and the ArtifactGenerator manages none",
        ));
    }
    let mut defects = Vec::new();
    if is_tenant {
        let severity = is_unlimited(subject).then_some(Severity::High);
        for target in &spec.targets {
            if let Some(observed) = foreign(subject.view, &own, target)? {
                defects.push(Defect {
                    severity,
                    ..defect("spec.artifacts", observed, "namespaces of the same tenant")
                });
            }
        }
    }
    let Some(managed) = managed else {
        return Ok(Outcome::from_defects(defects));
    };
    defects.extend(permissive(managed));
    if !defects.is_empty() {
        return Ok(Outcome::Fail(defects));
    }
    let breadth = |expression: &&Text| Breadth::of(expression.as_str());
    let mut unclear = managed
        .allowed_names
        .iter()
        .filter(|it| breadth(it) == Breadth::Unclear);
    Ok(match unclear.next() {
        None => Outcome::Pass,
        Some(expression) => Outcome::Manual(
            format!(
                "check which namespaces spec.managedNamespaces.allowedNames of {} admits: {expression}",
                subject.key
            )
            .into(),
        ),
    })
}

/// Whether nothing but the controller's own rights limits where the artifacts go, as far as can be seen.
fn is_unlimited(subject: &ObjectSubject<'_, ArtifactGenerator>) -> bool {
    let named = !subject.row.spec.service_account_name.is_empty();
    let default = lockdown::has_default_account(subject.view, Component::SourceWatcher);
    !named && default == Ok(Some(false))
}

/// What is wrong with a target; a name in braces is filled in from the source.
fn foreign(view: &View<'_>, own: &Owner, target: &Text) -> Result<Option<String>, Missing> {
    if target.as_str().contains('{') {
        return Ok(Some(format!(
            "puts artifacts into {target}, which the source fills in"
        )));
    }
    let is_foreign = view.owner(target.as_str())? != *own;
    Ok(is_foreign.then(|| format!("puts artifacts into namespace {target}, which is not of its tenant")))
}

fn permissive(managed: &ManagedNamespaces) -> impl Iterator<Item = Defect> {
    let fate = if managed.prune {
        "create, change and delete"
    } else {
        "create and change"
    };
    let names = managed.allowed_names.iter();
    let open = names.filter(|expression| Breadth::of(expression.as_str()) == Breadth::Everything);
    let open = open.map(move |expression| {
        let observed = format!("may {fate} every namespace for which {expression} holds");
        defect(
            "spec.managedNamespaces.allowedNames",
            observed,
            "listed names, or a common prefix",
        )
    });
    let labels = managed
        .pod_security
        .iter()
        .filter(|expression| !is_strict(expression.as_str()));
    open.chain(labels.map(|expression| {
        let observed = format!("lets the source set the Pod Security level where {expression} holds");
        defect(
            "spec.managedNamespaces.metadata.fromSource.allowedLabels",
            observed,
            "a level that the source cannot choose",
        )
    }))
}

/// Whether an expression admits strict levels of Pod Security only.
fn is_strict(expression: &str) -> bool {
    let Some(test) = expression.trim().strip_prefix("value") else {
        return false;
    };
    let test = test.trim();
    let levels = test.strip_prefix("==").or_else(|| {
        let list = test.strip_prefix("in ")?.trim();
        list.strip_prefix('[')?.strip_suffix(']')
    });
    let is_level = |level: &str| {
        let level = level.trim().trim_matches(['\'', '"']);
        matches!(level, "restricted" | "baseline")
    };
    levels.is_some_and(|levels| levels.split(',').all(is_level))
}

fn defect(field: &str, observed: String, expected: &str) -> Defect {
    Defect {
        field: field.to_owned(),
        message: format!("it {observed}"),
        observed,
        expected: expected.to_owned(),
        ..Defect::default()
    }
}
