//! FSX-IUA-001: Image updates are reviewed before they are deployed.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use super::repository;
use crate::api::Severity;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::images::GitAutomation;
use crate::kinds::flux_objects::sources::GitReference;
use crate::kinds::flux_objects::{GitRepository, ImageUpdateAutomation};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-IUA-001",
    title: "Image updates are reviewed before they are deployed",
    chapter: "Beyond the document: Image automation",
    severity: Severities::always(Severity::Medium),
    rationale: "An automation that pushes to the branch Flux deploys from brings every new image into the cluster without review. Whoever can push an image with a matching tag deploys it.",
    audit: "spec.git.push of each ImageUpdateAutomation and the reference of its GitRepository. Fails when it pushes to the branch that the GitRepository follows, which is also what an unset branch means. Unknown when the GitRepository does not exist, or when a refspec decides where it pushes.",
    remediation: "Set spec.git.push.branch to another branch, and merge it through pull requests.",
    reference: "https://fluxcd.io/flux/components/image/imageupdateautomations/#push",
    reads: &[Read::cluster::<GitRepository>()],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ImageUpdateAutomation>(judge)]),
};

fn judge(subject: &ObjectSubject<'_, ImageUpdateAutomation>) -> Result<Outcome, Missing> {
    let followed = repository(subject)?.spec.reference.as_deref();
    let Some(deployed) = followed_branch(followed) else {
        return Ok(Outcome::not_applicable("the GitRepository follows no branch"));
    };
    let git = &subject.row.spec.git;
    if git.push.as_ref().is_some_and(|push| !push.refspec.is_empty()) {
        let message = format!("{} pushes by a refspec, which is not understood", subject.key);
        return Err(Missing::new("RefspecNotRead", message));
    }
    let pushed = pushed_branch(git).unwrap_or(deployed);
    if pushed != deployed {
        return Ok(Outcome::Pass);
    }
    Ok(Outcome::fail(Defect {
        field: "spec.git.push.branch".to_owned(),
        observed: format!("pushes to the branch {pushed}"),
        expected: "another branch than the one that is deployed".to_owned(),
        message: format!("it pushes to the branch {pushed}, which is deployed without review"),
        ..Defect::default()
    }))
}

/// The branch that a GitRepository follows; `None`: it follows tags, or stays at a commit.
fn followed_branch(reference: Option<&GitReference>) -> Option<&str> {
    let Some(reference) = reference else {
        return Some("master");
    };
    if !reference.commit.is_empty() {
        return None;
    }
    if !reference.name.is_empty() {
        return reference.name.as_str().strip_prefix("refs/heads/");
    }
    if !reference.semver.is_empty() || !reference.tag.is_empty() {
        return None;
    }
    match reference.branch.as_str() {
        "" => Some("master"),
        branch => Some(branch),
    }
}

/// The branch that an automation names, to push to or to start from; `None`: that of its GitRepository.
fn pushed_branch(git: &GitAutomation) -> Option<&str> {
    let push = git.push.as_ref().map(|push| push.branch.as_str());
    let checkout = git
        .checkout
        .as_ref()
        .map(|checkout| checkout.reference.branch.as_str());
    let mut named = [push, checkout].into_iter().flatten();
    named.find(|branch| !branch.is_empty())
}

/// The branch that an automation pushes to besides the one that it starts from, as far as it names both.
pub(in crate::controls) fn branch_of_its_own(git: &GitAutomation) -> Option<&str> {
    let push = git.push.as_ref()?.branch.as_str();
    let checkout = git
        .checkout
        .as_ref()
        .map(|checkout| checkout.reference.branch.as_str());
    (!push.is_empty() && checkout != Some(push)).then_some(push)
}
