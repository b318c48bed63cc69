//! Which version of a kind the cluster serves: discovered, never assumed.
//!
//! One request tells of all kinds. Those that ask at about the same time, as all do at the start, share its answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, TryFutureExt};
use http::{Request, header};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIGroup;
use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};
use serde::Deserialize;
use tokio::time::Instant;

use crate::kinds::{Descriptor, KindId};

/// The discovery of all groups in one document, stable since Kubernetes 1.30 (KEP-3352).
const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
/// How long an answer is shared. Shorter than the pause after which a new CustomResourceDefinition is looked for, so
/// that no kind gets an answer from before its own cause to ask.
const SHARED: Duration = Duration::from_millis(200);
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(10);

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

/// Why it is not known what is served.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum DiscoveryError {
    #[error("the API server did not tell within {REQUEST:?} what it serves")]
    Late,
    #[error(transparent)]
    Request(Arc<kube::Error>),
}

impl DiscoveryError {
    /// What the API server answered, when it answered.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Request(error) => super::watch::code_of(error),
            Self::Late => None,
        }
    }
}

/// The versions of each kind that are served, the preferred one first; a kind that is not served is not there.
type Versions = HashMap<KindId, Vec<String>>;
type Answer = Result<Arc<Versions>, DiscoveryError>;

/// Asks what is served, for all kinds.
pub(super) struct Discovery {
    client: Client,
    newest: Mutex<Option<Asked>>,
}

/// A request that is under way, or was a moment ago.
struct Asked {
    at: Instant,
    answer: Shared<BoxFuture<'static, Answer>>,
}

impl Asked {
    fn is_shared(&self) -> bool {
        self.answer.peek().is_none() || self.at.elapsed() < SHARED
    }
}

impl Discovery {
    pub(super) const fn new(client: Client) -> Self {
        Self {
            client,
            newest: Mutex::new(None),
        }
    }

    /// Finds the best version that is both known and served.
    ///
    /// # Errors
    /// The API server does not tell what it serves.
    pub(super) async fn resolve(&self, kind: KindId) -> Result<Served, DiscoveryError> {
        let descriptor = &kind.entry().descriptor;
        if !descriptor.custom {
            return Ok(Served::As(resource(descriptor, descriptor.versions[0])));
        }
        let served = self.ask().await?;
        Ok(best(descriptor, served.get(&kind).map_or(&[], Vec::as_slice)))
    }

    fn ask(&self) -> Shared<BoxFuture<'static, Answer>> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = newest.as_ref().filter(|asked| asked.is_shared()) {
            return asked.answer.clone();
        }
        let answer = discover(self.client.clone()).boxed().shared();
        *newest = Some(Asked {
            at: Instant::now(),
            answer: answer.clone(),
        });
        answer
    }
}

fn best(descriptor: &Descriptor, served: &[String]) -> Served {
    let is_served = |version: &&&str| served.iter().any(|served| served == **version);
    if let Some(version) = descriptor.versions.iter().find(is_served) {
        return Served::As(resource(descriptor, version));
    }
    if served.is_empty() {
        return Served::Absent;
    }
    Served::OnlyAs(served.join(", "))
}

fn resource(descriptor: &Descriptor, version: &str) -> ApiResource {
    let kind = GroupVersionKind::gvk(descriptor.group, version, descriptor.kind);
    ApiResource::from_gvk_with_plural(&kind, descriptor.plural)
}

async fn discover(client: Client) -> Answer {
    let versions = versions(&client).map_err(|error| DiscoveryError::Request(Arc::new(error)));
    let answer = tokio::time::timeout(REQUEST, versions).await;
    answer.map_err(|_| DiscoveryError::Late)?.map(Arc::new)
}

async fn versions(client: &Client) -> Result<Versions, kube::Error> {
    let request = Request::get("/apis").header(header::ACCEPT, AGGREGATED);
    let request = request.body(Vec::new()).map_err(kube::Error::HttpError)?;
    // A server before Kubernetes 1.30 answers with a list of another kind, which has no items.
    let document = client.request::<Groups>(request).await?;
    let mut versions = Versions::new();
    let mut missing: BTreeMap<&str, Vec<KindId>> = BTreeMap::new();
    for kind in custom_kinds() {
        let descriptor = &kind.entry().descriptor;
        match document
            .items
            .iter()
            .find(|it| it.metadata.name == descriptor.group)
        {
            Some(group) => drop(versions.insert(kind, group.serves(descriptor.plural))),
            None => missing.entry(descriptor.group).or_default().push(kind),
        }
    }
    if missing.is_empty() {
        return Ok(versions);
    }
    // The document of a server that has just started lacks groups that it has read no definitions of yet. The list of
    // groups has them from the first moment on.
    for listed in client.list_api_groups().await?.groups {
        let Some(kinds) = missing.remove(listed.name.as_str()) else {
            continue;
        };
        let group = group(client, listed).await?;
        versions.extend(
            kinds
                .into_iter()
                .map(|kind| (kind, group.serves(kind.entry().descriptor.plural))),
        );
    }
    Ok(versions)
}

/// A group, asked version by version.
async fn group(client: &Client, listed: APIGroup) -> Result<Group, kube::Error> {
    let mut versions = Vec::with_capacity(listed.versions.len());
    for listed in listed.versions {
        let resources = match client.list_api_group_resources(&listed.group_version).await {
            Ok(list) => list.resources,
            Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
            Err(error) => return Err(error),
        };
        let plurals = resources.into_iter().map(|resource| Resource {
            plural: resource.name,
        });
        versions.push(Version {
            version: listed.version,
            resources: plurals.collect(),
        });
    }
    Ok(Group {
        metadata: GroupMeta { name: listed.name },
        versions,
    })
}

fn custom_kinds() -> impl Iterator<Item = KindId> {
    KindId::all().filter(|kind| kind.entry().descriptor.custom)
}

/// `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`, as far as it is read.
#[derive(Deserialize)]
struct Groups {
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: GroupMeta,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
struct GroupMeta {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "resource")]
    plural: String,
}

impl Group {
    /// The versions of a resource.
    fn serves(&self, plural: &str) -> Vec<String> {
        let serves = |version: &&Version| version.resources.iter().any(|resource| resource.plural == plural);
        let versions = self.versions.iter().filter(serves);
        versions.map(|version| version.version.clone()).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_best_version_that_is_known_and_served() {
        let kind = custom_kinds()
            .find(|kind| kind.entry().descriptor.versions.len() > 1)
            .unwrap();
        let descriptor = &kind.entry().descriptor;
        let all: Vec<String> = descriptor
            .versions
            .iter()
            .rev()
            .map(|&it| it.to_owned())
            .collect();
        let Served::As(resource) = best(descriptor, &all) else {
            panic!("a known version is served")
        };
        assert_eq!(
            resource.version, descriptor.versions[0],
            "whatever the server prefers"
        );
        assert!(matches!(best(descriptor, &[]), Served::Absent));
        let unknown = ["v9".to_owned(), "v10alpha1".to_owned()];
        let Served::OnlyAs(versions) = best(descriptor, &unknown) else {
            panic!("no known version is served")
        };
        assert_eq!(versions, "v9, v10alpha1");
    }

    #[test]
    fn another_list_is_no_answer_that_nothing_is_served() {
        let older = r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"apps","versions":[]}]}"#;
        let groups: Groups = serde_json::from_str(older).unwrap();
        assert!(groups.items.is_empty());
    }

    #[test]
    fn a_resource_may_be_missing_in_some_versions_of_its_group() {
        let list = r#"{"kind":"APIGroupDiscoveryList","items":[{"metadata":{"name":"g"},"versions":[
            {"version":"v1","resources":[{"resource":"as","verbs":["get"]}],"freshness":"Current"},
            {"version":"v1beta1","resources":[{"resource":"as"},{"resource":"bs"}]}]}]}"#;
        let groups: Groups = serde_json::from_str(list).unwrap();
        assert_eq!(groups.items[0].serves("as"), ["v1", "v1beta1"]);
        assert_eq!(groups.items[0].serves("bs"), ["v1beta1"]);
        assert!(groups.items[0].serves("cs").is_empty());
    }
}
