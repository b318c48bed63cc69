//! Which version of a kind the cluster serves: discovered, never assumed.

use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, discovery};

use crate::kinds::Descriptor;

/// What the cluster offers of a kind.
#[derive(Debug)]
pub(super) enum Served {
    /// A version whose shape is known.
    As(ApiResource),
    /// No version of it.
    Absent,
    /// Only versions whose shape is not known.
    OnlyAs(String),
}

/// Finds the best version that is both known and served.
pub(super) async fn resolve(client: &Client, descriptor: &Descriptor) -> Result<Served, kube::Error> {
    if !descriptor.custom {
        return Ok(Served::As(resource(descriptor, descriptor.versions[0])));
    }
    let group = match discovery::group(client, descriptor.group).await {
        Ok(group) => group,
        Err(kube::Error::Discovery(_)) => return Ok(Served::Absent),
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Served::Absent),
        Err(error) => return Err(error),
    };
    let serves = |version: &str| {
        group
            .versioned_resources(version)
            .iter()
            .any(|(resource, _)| resource.plural == descriptor.plural)
    };
    if let Some(version) = descriptor.versions.iter().find(|version| serves(version)) {
        return Ok(Served::As(resource(descriptor, version)));
    }
    let others: Vec<&str> = group.versions().filter(|version| serves(version)).collect();
    if others.is_empty() {
        return Ok(Served::Absent);
    }
    Ok(Served::OnlyAs(others.join(", ")))
}

fn resource(descriptor: &Descriptor, version: &str) -> ApiResource {
    let kind = GroupVersionKind::gvk(descriptor.group, version, descriptor.kind);
    ApiResource::from_gvk_with_plural(&kind, descriptor.plural)
}
