//! Changes without end.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use crate::controlplane::ControlPlane;
use crate::scene::FLAG;

/// Turns [`FLAG`] on and off until it is ended.
pub(crate) struct Storm {
    end: Sender<()>,
    changes: JoinHandle<u32>,
}

impl Storm {
    /// Begins, with this time between two changes.
    pub(crate) fn begin(control_plane: &ControlPlane, pause: Duration) -> Self {
        let kubeconfig = control_plane.admin().to_owned();
        let (end, ended) = mpsc::channel();
        let changes = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let switch = runtime.block_on(Switch::new(&kubeconfig));
            let mut changes = 0;
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                changes += 1;
                runtime.block_on(switch.turn(changes % 2 == 1));
            }
            runtime.block_on(switch.turn(true));
            changes + 1
        });
        Self { end, changes }
    }

    /// Ends with the argument turned on; tells how many changes there were.
    pub(crate) fn end(self) -> u32 {
        drop(self.end);
        self.changes.join().unwrap()
    }
}

/// The flag, by a client of its own: `kubectl` takes too long for a storm.
struct Switch {
    deployments: Api<Deployment>,
}

impl Switch {
    async fn new(kubeconfig: &Path) -> Self {
        let client = client(kubeconfig).await;
        Self {
            deployments: Api::namespaced(client, "flux-system"),
        }
    }

    async fn turn(&self, on: bool) {
        let mut deployment = self.deployments.get("kustomize-controller").await.unwrap();
        let pod = deployment.spec.template.spec.as_mut().unwrap();
        let arguments = pod.containers[0].args.get_or_insert_default();
        arguments.retain(|argument| !argument.starts_with(FLAG));
        arguments.push(format!("{FLAG}={on}"));
        let parameters = PostParams::default();
        let name = "kustomize-controller";
        self.deployments
            .replace(name, &parameters, &deployment)
            .await
            .unwrap();
    }
}

/// A client with the rights of a kubeconfig.
pub(crate) async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    Client::try_from(config.unwrap()).unwrap()
}
