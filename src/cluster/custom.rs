//! The watches of kinds that custom controls ask for: begun when a policy asks, ended when none does any more.

use std::collections::HashMap;
use std::sync::Arc;

use http::Request;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroup, APIResource};
use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};
use prometheus::IntCounterVec;
use tokio::sync::watch as signal;
use tokio::task::{AbortHandle, JoinSet};

use super::discovery::{DiscoveryError, Served};
use super::watch::{KindWatch, code_of};
use super::watched::Watched;
use crate::custom::{Demands, Target};

/// The name of all such kinds in metrics: users choose them, so there may be any number.
const KIND: &str = "custom";

/// Keeps the watches that policies ask for.
pub(super) struct Supervisor {
    pub(super) asked: signal::Receiver<Arc<Demands>>,
    /// What each watch is made of.
    pub(super) model: KindWatch,
    pub(super) restarts: IntCounterVec,
}

impl Supervisor {
    /// Runs until nobody asks any more.
    pub(super) async fn run(mut self) {
        let mut watches: JoinSet<()> = JoinSet::new();
        let mut running: HashMap<Arc<Target>, (u64, AbortHandle)> = HashMap::new();
        loop {
            let demands = self.asked.borrow_and_update().clone();
            running.retain(|target, (generation, watch)| {
                let stays = demands
                    .get(target)
                    .is_some_and(|demand| demand.generation == *generation);
                if !stays {
                    watch.abort();
                }
                stays
            });
            for (target, demand) in demands.iter() {
                if running.contains_key(target) {
                    continue;
                }
                let watch = KindWatch {
                    what: Watched::Custom(demand.clone()),
                    restarts: self.restarts.with_label_values(&[KIND]),
                    ..self.model.clone()
                };
                tracing::info!("{target}: watched for custom controls");
                running.insert(target.clone(), (demand.generation, watches.spawn(watch.run())));
            }
            if self.asked.changed().await.is_err() {
                return;
            }
            while watches.try_join_next().is_some() {}
        }
    }
}

/// Finds the version that is served of a kind that a policy names.
pub(super) async fn resolve(client: &Client, target: &Target) -> Result<Served, DiscoveryError> {
    let served = find(client, target).await;
    served.map_err(|error| DiscoveryError::Request(Arc::new(error)))
}

async fn find(client: &Client, target: &Target) -> Result<Served, kube::Error> {
    let group = match &*target.group {
        "" => None,
        name => match asked(client, &format!("/apis/{name}")).await? {
            Some(group) => Some(group),
            None => return Ok(Served::Absent),
        },
    };
    let version = target
        .version
        .as_deref()
        .or_else(|| group.as_ref().map_or(Some("v1"), preferred));
    let Some(version) = version else {
        return Ok(Served::Absent);
    };
    if let Some(served) = resource(client, target, version).await? {
        return Ok(served);
    }
    // Another version may have it.
    let mut others = Vec::new();
    for other in group.iter().flat_map(|group: &APIGroup| &group.versions) {
        if other.version != version && resource(client, target, &other.version).await?.is_some() {
            others.push(other.version.clone());
        }
    }
    Ok(if others.is_empty() {
        Served::Absent
    } else {
        Served::OnlyAs(others.join(", "))
    })
}

fn preferred(group: &APIGroup) -> Option<&str> {
    let preferred = group.preferred_version.as_ref().or(group.versions.first());
    preferred.map(|version| version.version.as_str())
}

/// The resource of a kind in a version.
async fn resource(client: &Client, target: &Target, version: &str) -> Result<Option<Served>, kube::Error> {
    let path = match &*target.group {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    };
    let list: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList> =
        asked(client, &path).await?;
    let mut resources = list.map(|list| list.resources).unwrap_or_default().into_iter();
    let is_it = |resource: &APIResource| resource.kind == *target.kind && !resource.name.contains('/');
    let Some(found) = resources.find(is_it) else {
        return Ok(None);
    };
    if target.group.is_empty() && found.name == "secrets" {
        return Ok(None);
    }
    let can = |verb: &str| found.verbs.iter().any(|known| known == verb);
    if !can("list") || !can("watch") {
        return Ok(Some(Served::OnlyAs(
            "a resource that cannot be listed".to_owned(),
        )));
    }
    let kind = GroupVersionKind::gvk(&target.group, version, &target.kind);
    Ok(Some(Served::As(ApiResource::from_gvk_with_plural(
        &kind,
        &found.name,
    ))))
}

/// What the API server tells at a path; `None`: there is nothing.
async fn asked<T: serde::de::DeserializeOwned>(
    client: &Client,
    path: &str,
) -> Result<Option<T>, kube::Error> {
    let request = Request::get(path)
        .body(Vec::new())
        .map_err(kube::Error::HttpError)?;
    match client.request::<T>(request).await {
        Err(error) if code_of(&error) == Some(404) => Ok(None),
        answer => answer.map(Some),
    }
}
