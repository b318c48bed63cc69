//! FSX-SRC-007: Sources follow chosen revisions.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::super::range;
use crate::api::Severity;
use crate::kinds::flux_objects::sources::OciReference;
use crate::kinds::flux_objects::{GitRepository, HelmRelease, OciRepository};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-007",
    title: "Sources follow chosen revisions",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::Info),
    rationale: "Whoever can push to a branch, move a tag or publish a version changes the cluster at the next fetch. Following a branch is normal in GitOps, so this control has severity Info; where production has to be pinned, raise it in the policy.",
    audit: "spec.ref of GitRepositories and OCIRepositories, and the version of HelmReleases' charts from Helm repositories. Fails for a branch, the tag latest, and a version range without an upper bound. A commit, a digest, any other tag and a bounded range pass.",
    remediation: "Use a commit, a digest, a tag or a range with an upper bound.",
    reference: "https://fluxcd.io/flux/components/source/gitrepositories/#reference",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[
        &Each::<GitRepository>(|subject| Ok(git(subject))),
        &Each::<OciRepository>(|subject| Ok(oci("spec.ref", subject.row.spec.reference.as_deref()))),
        &Each::<HelmRelease>(|subject| Ok(release(subject))),
    ]),
};

fn git(subject: &ObjectSubject<'_, GitRepository>) -> Outcome {
    let Some(reference) = &subject.row.spec.reference else {
        return floats("spec.ref", "follows the branch master".to_owned());
    };
    if !reference.commit.is_empty() {
        return Outcome::Pass;
    }
    if !reference.name.is_empty() {
        return named("spec.ref.name", reference.name.as_str());
    }
    if !reference.semver.is_empty() {
        return versions("spec.ref.semver", reference.semver.as_str());
    }
    if !reference.tag.is_empty() {
        return tag("spec.ref.tag", reference.tag.as_str());
    }
    let branch = match reference.branch.as_str() {
        "" => "master",
        branch => branch,
    };
    floats("spec.ref.branch", format!("follows the branch {branch}"))
}

fn oci(field: &str, reference: Option<&OciReference>) -> Outcome {
    let Some(reference) = reference else {
        return tag(field, "latest");
    };
    if !reference.digest.is_empty() {
        return Outcome::Pass;
    }
    if !reference.semver.is_empty() {
        return versions(&format!("{field}.semver"), reference.semver.as_str());
    }
    let name = match reference.tag.as_str() {
        "" => "latest",
        name => name,
    };
    tag(&format!("{field}.tag"), name)
}

fn release(subject: &ObjectSubject<'_, HelmRelease>) -> Outcome {
    let Some(chart) = &subject.row.spec.chart else {
        return Outcome::not_applicable("the chart is an object of its own");
    };
    if chart.kind.as_str() == "OCIRepository" {
        return oci("spec.chart.spec.ref", chart.spec.reference.as_ref());
    }
    if chart.spec.source_ref.kind.as_str() != "HelmRepository" {
        return Outcome::not_applicable("the chart's source is judged itself");
    }
    versions("spec.chart.spec.version", chart.spec.version.as_str())
}

/// A reference by its full name: only branches move by design.
fn named(field: &str, name: &str) -> Outcome {
    if !name.starts_with("refs/heads/") {
        return Outcome::Pass;
    }
    floats(field, format!("follows {name}"))
}

fn tag(field: &str, name: &str) -> Outcome {
    if name != "latest" {
        return Outcome::Pass;
    }
    floats(field, "follows the tag latest".to_owned())
}

fn versions(field: &str, range: &str) -> Outcome {
    if !range::is_open(range) {
        return Outcome::Pass;
    }
    let range = match range {
        "" => "*",
        range => range,
    };
    floats(field, format!("follows every newer version: {range}"))
}

fn floats(field: &str, observed: String) -> Outcome {
    Outcome::fail(Defect {
        field: field.to_owned(),
        message: observed.clone(),
        observed,
        expected: "a commit, a digest, a tag or a bounded range".to_owned(),
        ..Defect::default()
    })
}
