//! FSX-SRC-012: Sources come from allowed places.

use super::super::control::{Control, Defect, Outcome, Parameter, Parameters, Severities};
use super::super::judges::{Each, Judges};
use super::place::Place;
use crate::api::Severity;
use crate::kinds::flux_objects::{Bucket, GitRepository, HelmRepository, ImageRepository, OciRepository};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-012",
    title: "Sources come from allowed places",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::Low),
    rationale: "Whoever may create a source decides whose content runs in the cluster. A list of hosts and organisations says whom you trust.",
    audit: "The url of GitRepositories, OCIRepositories and HelmRepositories, the endpoint and bucket of Buckets and the image of ImageRepositories, against the parameter `allowed`. The scheme, a user, upper case and .git at the end make no difference; a port other than the usual ones does. Fails for a place that the list does not have, and for an address with .. or encoded slashes. Where a server redirects to is not seen. Not applicable without a list.",
    remediation: "Take the source from an allowed place, or add the place to the parameter.",
    reference: "https://fluxcd.io/flux/components/source/gitrepositories/#url",
    reads: &[],
    parameters: &[Parameter {
        name: "allowed",
        values: &[],
        about: "Hosts, each with or without the beginning of a path, separated by commas or spaces: `github.com/my-org, ghcr.io/my-org, charts.example.com`.",
    }],
    judges: Judges::Objects(&[
        &Each::<GitRepository>(|it| {
            Ok(judge(it.parameters, "spec.url", || {
                Place::of(it.row.spec.url.as_str())
            }))
        }),
        &Each::<OciRepository>(|it| {
            Ok(judge(it.parameters, "spec.url", || {
                Place::of(it.row.spec.url.as_str())
            }))
        }),
        &Each::<HelmRepository>(|it| {
            Ok(judge(it.parameters, "spec.url", || {
                Place::of(it.row.spec.url.as_str())
            }))
        }),
        &Each::<Bucket>(|it| {
            let place = || {
                let spec = &it.row.spec;
                Place::of(&format!("{}/{}", spec.endpoint.as_str(), spec.bucket_name))
            };
            Ok(judge(it.parameters, "spec.endpoint", place))
        }),
        &Each::<ImageRepository>(|it| {
            Ok(judge(it.parameters, "spec.image", || {
                Place::of_image(it.row.spec.image.as_str())
            }))
        }),
    ]),
};

fn judge(parameters: &Parameters, field: &str, place: impl Fn() -> Option<Place>) -> Outcome {
    let list = CONTROL.parameter("allowed", parameters);
    let mut entries = list
        .split([',', ' ', '\n', '\t'])
        .filter(|entry| !entry.is_empty())
        .peekable();
    if entries.peek().is_none() {
        return Outcome::not_applicable("the policy has no list of allowed places");
    }
    let observed = match place() {
        None => format!("{field} is not a plain address"),
        Some(place) if entries.filter_map(Place::of).any(|allowed| allowed.holds(&place)) => {
            return Outcome::Pass;
        }
        Some(place) => format!("{field} is at {place}"),
    };
    Outcome::fail(Defect {
        field: field.to_owned(),
        message: format!("{observed}, which is not on the list of allowed places"),
        observed,
        expected: "a place on the list of the policy".to_owned(),
        ..Defect::default()
    })
}
