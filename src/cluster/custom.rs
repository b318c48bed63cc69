//! The watches of kinds that custom controls ask for: begun when a policy asks, ended when none does any more. A kind of the
//! catalogue is watched already, and that watch serves both.

use std::collections::{BTreeSet, HashMap};
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
use crate::custom::{Demand, Demands, Target};
use crate::kinds::KindId;
use crate::monitoring::metrics::{MAX_CUSTOM_KIND_SERIES, OTHER};

/// Kinds of the catalogue as policies name them, in other versions than they are watched in.
pub(super) type Strangers = BTreeSet<Arc<Target>>;

/// What custom controls ask of one kind of the catalogue.
#[derive(Clone)]
pub(super) struct Joining {
    kind: KindId,
    demands: signal::Receiver<Arc<Demands>>,
    strangers: Arc<signal::Sender<Strangers>>,
    joined: Vec<Arc<Demand>>,
}

impl Joining {
    pub(super) const fn new(
        kind: KindId,
        demands: signal::Receiver<Arc<Demands>>,
        strangers: Arc<signal::Sender<Strangers>>,
    ) -> Self {
        Self {
            kind,
            demands,
            strangers,
            joined: Vec::new(),
        }
    }

    /// What is asked of objects in the version that they are watched in.
    pub(super) fn joined(&self) -> &[Arc<Demand>] {
        &self.joined
    }

    /// Sorts what is asked now: what joins the watch of what is served, and what needs one of its own.
    pub(super) async fn settle(&mut self, client: &Client, served: &Served) {
        let demands = self.demands.borrow_and_update().clone();
        let of_kind = demands.values().filter(|demand| is_of(&demand.target, self.kind));
        let (mut joined, mut strangers) = (Vec::new(), Strangers::new());
        for demand in of_kind {
            if joins(client, &demand.target, served).await {
                joined.push(demand.clone());
            } else {
                strangers.insert(demand.target.clone());
            }
        }
        self.joined = joined;
        let kind = self.kind;
        self.strangers.send_if_modified(|all| {
            let before = all.clone();
            all.retain(|target| !is_of(target, kind));
            all.append(&mut strangers);
            *all != before
        });
    }
}

/// Waits until something else is asked of any kind; for ever where nobody can ask.
pub(super) async fn asks_otherwise(joining: Option<&mut Joining>) {
    let Some(joining) = joining else {
        return std::future::pending().await;
    };
    if joining.demands.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn is_of(target: &Target, kind: KindId) -> bool {
    let descriptor = &kind.entry().descriptor;
    target.is(descriptor.group, descriptor.kind)
}

/// Whether objects come in the version that a policy names. Of a kind that is not served nothing more can be said.
async fn joins(client: &Client, target: &Target, served: &Served) -> bool {
    let resource = match served {
        Served::As(resource) => resource,
        Served::Absent => return true,
        Served::OnlyAs(_) => return false,
    };
    if let Some(version) = &target.version {
        return **version == *resource.version;
    }
    let preferred = resolve(client, target).await;
    matches!(preferred, Ok(Served::As(preferred)) if preferred.version == resource.version)
}

/// Keeps the watches that policies ask for, and that no kind of the catalogue has.
pub(super) struct Supervisor {
    pub(super) asked: signal::Receiver<Arc<Demands>>,
    pub(super) strangers: signal::Receiver<Strangers>,
    /// What each watch is made of.
    pub(super) model: KindWatch,
    pub(super) restarts: IntCounterVec,
}

/// A watch that is running.
struct Running {
    generation: u64,
    watch: AbortHandle,
    /// What it is called in metrics.
    label: String,
}

impl Supervisor {
    /// Runs until nobody asks any more.
    pub(super) async fn run(mut self) {
        let mut watches: JoinSet<()> = JoinSet::new();
        let mut running: HashMap<Arc<Target>, Running> = HashMap::new();
        loop {
            let demands = self.asked.borrow_and_update().clone();
            let strangers = self.strangers.borrow_and_update().clone();
            let is_in_catalogue = |target: &Target| KindId::all().any(|kind| is_of(target, kind));
            let is_ours = |target: &Arc<Target>| strangers.contains(target) || !is_in_catalogue(target);
            let mut ended = Vec::new();
            running.retain(|target, it| {
                let demand = demands.get(target).filter(|_| is_ours(target));
                let stays = demand.is_some_and(|demand| demand.generation == it.generation);
                if !stays {
                    it.watch.abort();
                    ended.push(std::mem::take(&mut it.label));
                }
                stays
            });
            for (target, demand) in demands.iter().filter(|(target, _)| is_ours(target)) {
                if running.contains_key(target) {
                    continue;
                }
                let label = label(target, &running);
                let watch = KindWatch {
                    what: Watched::Custom(demand.clone()),
                    restarts: self.restarts.with_label_values(&[&label]),
                    ..self.model.clone()
                };
                tracing::info!("{target}: watched for custom controls");
                running.insert(
                    target.clone(),
                    Running {
                        generation: demand.generation,
                        watch: watches.spawn(watch.run()),
                        label,
                    },
                );
            }
            for label in ended {
                if !running.values().any(|it| it.label == label) {
                    // It was there.
                    let _ = self.restarts.remove_label_values(&[&label]);
                }
            }
            tokio::select! {
                changed = self.asked.changed() => if changed.is_err() { return },
                changed = self.strangers.changed() => if changed.is_err() { return },
            }
            while watches.try_join_next().is_some() {}
        }
    }
}

/// What a kind is called in metrics: users choose kinds, so there may be any number.
fn label(target: &Target, running: &HashMap<Arc<Target>, Running>) -> String {
    let named = running.values().filter(|it| it.label != OTHER).count();
    if named < MAX_CUSTOM_KIND_SERIES - 1 {
        target.full_name()
    } else {
        OTHER.to_owned()
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
