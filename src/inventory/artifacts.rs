//! Which artifacts sources have, and who serves them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Instance, Inventory, ObjectKey};
use crate::flux::Component;
use crate::flux::detect::Certainty;
use crate::kinds::flux_objects::{
    Artifact, Bucket, ExternalArtifact, GitRepository, HelmChart, OciRepository, Publishes,
};
use crate::kinds::service::{Service, ServiceRow};
use crate::kinds::{Kind, KindId, id_of};

/// A Service of the cluster that leads to a controller that serves artifacts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name of the Service.
    pub name: Arc<str>,
    /// A port of it.
    pub port: u16,
}

impl Inventory {
    /// The artifact of a source; `None`: it has none, or is no source.
    #[must_use]
    pub fn artifact(&self, kind: KindId, key: &ObjectKey) -> Option<&Artifact> {
        self.artifact_of::<GitRepository>(kind, key)
            .or_else(|| self.artifact_of::<OciRepository>(kind, key))
            .or_else(|| self.artifact_of::<Bucket>(kind, key))
            .or_else(|| self.artifact_of::<HelmChart>(kind, key))
            .or_else(|| self.artifact_of::<ExternalArtifact>(kind, key))
    }

    fn artifact_of<K: Kind<Row: Publishes>>(&self, kind: KindId, key: &ObjectKey) -> Option<&Artifact> {
        if kind != id_of::<K>() {
            return None;
        }
        self.table::<K>().get(key)?.artifact()
    }

    /// The Services that lead to source-controllers and source-watchers.
    #[must_use]
    pub fn artifact_servers(&self) -> BTreeSet<Server> {
        let mut servers = BTreeSet::new();
        for (key, instance) in self.instances() {
            let has_artifacts = matches!(key.component, Component::Source | Component::SourceWatcher);
            if !has_artifacts || instance.certainty != Certainty::Accepted {
                continue;
            }
            let services = self.table::<Service>().in_namespace(&key.namespace);
            for (service, row) in services.filter(|(_, row)| leads_to(row, instance)) {
                servers.extend(row.ports.iter().map(|port| Server {
                    namespace: service.namespace.clone(),
                    name: service.name.clone(),
                    port: port.number,
                }));
            }
        }
        servers
    }
}

fn leads_to(service: &ServiceRow, instance: &Instance) -> bool {
    let mut launches = instance.launches.iter();
    launches.any(|launch| service.selects(&launch.network.labels))
}
