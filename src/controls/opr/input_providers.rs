//! FSX-OPR-005: ResourceSet inputs come from trusted writers only.

use super::super::address::{is_in_cluster, is_plain_http};
use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::inventory::Missing;
use crate::kinds::flux_objects::ResourceSetInputProvider;
use crate::kinds::flux_objects::operator::InputProviderSpec;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-OPR-005",
    title: "ResourceSet inputs come from trusted writers only",
    chapter: "Beyond the document: Flux operator",
    severity: Severities::always(Severity::Medium),
    rationale: "A ResourceSet deploys what its inputs name. Whoever can open a pull request (in a public repository, anybody with a fork) gets their code deployed, unless somebody has to label it first. Over plain HTTP anybody on the network path can write the inputs.",
    audit: "spec of each ResourceSetInputProvider. Fails when it uses plain HTTP, with a lower severity inside the cluster, and when it takes pull or merge requests without requiring a label through spec.filter.labels, or spec.skip.labels with a !. A label once given covers later commits as well. Whoever opens a request chooses its branch name, so branch names are no filter; authors cannot be filtered. AWS CodeCommit requests come from within the repository. Unknown for types that are not recognised.",
    remediation: "Set spec.filter.labels to a label that only reviewers can set, and use https.",
    reference: "https://fluxoperator.dev/docs/crd/resourcesetinputprovider/#filter",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<ResourceSetInputProvider>(judge)]),
};

/// Types whose inputs are made by whoever opens a request.
const REQUESTS: [&str; 4] = [
    "GitHubPullRequest",
    "GitLabMergeRequest",
    "AzureDevOpsPullRequest",
    "GiteaPullRequest",
];
/// Types whose inputs are made by those who may write to what is asked.
const OTHERS: [&str; 19] = [
    "Static",
    "GitHubBranch",
    "GitHubTag",
    "GitLabBranch",
    "GitLabTag",
    "GitLabEnvironment",
    "AzureDevOpsBranch",
    "AzureDevOpsTag",
    "AWSCodeCommitBranch",
    "AWSCodeCommitTag",
    "AWSCodeCommitPullRequest",
    "GiteaBranch",
    "GiteaTag",
    "OCIArtifactTag",
    "ACRArtifactTag",
    "ECRArtifactTag",
    "GARArtifactTag",
    "ExternalService",
    "ExternalArtifact",
];

fn judge(subject: &ObjectSubject<'_, ResourceSetInputProvider>) -> Result<Outcome, Missing> {
    let spec = &subject.row.spec;
    let kind = spec.kind.as_str();
    let mut defects: Vec<Defect> = plain_http(spec).into_iter().collect();
    if REQUESTS.contains(&kind) && !needs_label(spec) {
        defects.push(Defect {
            field: "spec.filter.labels".to_owned(),
            observed: format!("every request counts: {kind}"),
            expected: "a label that only reviewers can set".to_owned(),
            message: "whoever opens a request gets it deployed: no label is required".to_owned(),
            ..Defect::default()
        });
    }
    if defects.is_empty() && !REQUESTS.contains(&kind) && !OTHERS.contains(&kind) {
        let message = format!("who writes inputs of type {kind} is not known");
        return Err(Missing::new("TypeNotKnown", message));
    }
    Ok(Outcome::from_defects(defects))
}

fn needs_label(spec: &InputProviderSpec) -> bool {
    let mut skipped = spec.skip.labels.iter();
    spec.filter.labels.iter().any(|label| !label.is_empty())
        || skipped.any(|label| label.as_str().strip_prefix('!').is_some_and(|it| !it.is_empty()))
}

fn plain_http(spec: &InputProviderSpec) -> Option<Defect> {
    let url = spec.url.as_str();
    let (field, observed) = if is_plain_http(url) {
        ("spec.url", "a plain http address")
    } else if spec.insecure {
        ("spec.insecure", "true")
    } else {
        return None;
    };
    Some(Defect {
        field: field.to_owned(),
        observed: observed.to_owned(),
        expected: "an encrypted connection".to_owned(),
        message: format!("{field} is {observed}: whoever is on the network path can write the inputs"),
        severity: is_in_cluster(url).then_some(Severity::Low),
        ..Defect::default()
    })
}
