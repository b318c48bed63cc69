//! Leader election on a real API server, with nothing but the rights of the generated Role.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use controlplane::ControlPlane;
use controlplane::wire::{Mode, Wire};
use flux_security_operator::api::{INSTALL_NAMESPACE, LEASE};
use flux_security_operator::publish::lease::{self, Elector, Leadership, Timing};
use k8s_openapi::jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Short, but with room for a busy machine between the deadline and the lease.
const TIMING: Timing = Timing {
    lease: Duration::from_secs(3),
    renew_deadline: Duration::from_secs(2),
    retry: Duration::from_millis(500),
};
/// Longer than anything should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a hand-over may take.
const HAND_OVER: Duration = Duration::from_secs(1);

/// A running elector.
struct Replica {
    identity: String,
    leadership: watch::Receiver<Leadership>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Replica {
    fn start(client: &Client, identity: &str) -> Self {
        let elector = Elector::new(client.clone(), INSTALL_NAMESPACE, LEASE, identity, TIMING);
        let stop = CancellationToken::new();
        Self {
            identity: identity.to_owned(),
            leadership: elector.leadership(),
            task: tokio::spawn(elector.run(stop.clone())),
            stop,
        }
    }

    fn leads(&self) -> bool {
        self.leadership.borrow().is_leader(Instant::now())
    }

    /// When it was seen to lead.
    async fn led(&mut self) -> Instant {
        let leads = |leadership: &Leadership| leadership.is_leader(Instant::now());
        timeout(PATIENCE, self.leadership.wait_for(leads))
            .await
            .unwrap()
            .unwrap();
        Instant::now()
    }

    async fn stop(self) -> Duration {
        let stopped = Instant::now();
        self.stop.cancel();
        self.task.await.unwrap();
        stopped.elapsed()
    }
}

fn manifest(name: &str) -> String {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/default");
    std::fs::read_to_string(config.join(name)).unwrap()
}

/// The documents of the generated manifest that the election needs, and the namespace: no ClusterRole.
fn rights() -> String {
    let rbac = manifest("rbac.yaml");
    let ours = ["ServiceAccount", "Role", "RoleBinding"].map(|kind| format!("kind: {kind}\n"));
    let needed = rbac.split("---\n").filter(|document| {
        let kind = document.lines().find(|line| line.starts_with("kind: "));
        kind.is_some_and(|kind| ours.contains(&format!("{kind}\n")))
    });
    let documents: Vec<&str> = needed.collect();
    assert_eq!(documents.len(), ours.len(), "{rbac}");
    [&manifest("namespace.yaml"), documents.join("---\n").as_str()].join("\n---\n")
}

/// A control plane where the operator's ServiceAccount has the Role.
fn permitted() -> ControlPlane {
    let control_plane = ControlPlane::start().unwrap();
    control_plane.apply(&rights()).unwrap();
    control_plane
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    lease::client(&config).unwrap()
}

async fn operator(control_plane: &ControlPlane) -> Client {
    client(&control_plane.service_account(INSTALL_NAMESPACE, LEASE).unwrap()).await
}

fn spec(control_plane: &ControlPlane) -> Value {
    let lease = control_plane.get(&["lease", "-n", INSTALL_NAMESPACE, LEASE]);
    lease.unwrap()["spec"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_leads_and_hands_over_when_it_stops() {
    let control_plane = permitted();
    let client = operator(&control_plane).await;
    let mut first = Replica::start(&client, "first");
    first.led().await;
    let created = spec(&control_plane);
    assert_eq!(created["holderIdentity"], "first");
    assert_eq!(created["leaseTransitions"], 0);

    let mut second = Replica::start(&client, "second");
    let lonely = Instant::now();
    while lonely.elapsed() < TIMING.lease * 2 {
        assert!(first.leads() && !second.leads());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let renewed = spec(&control_plane);
    assert_eq!(renewed["acquireTime"], created["acquireTime"]);
    assert_ne!(renewed["renewTime"], created["renewTime"]);

    for round in 1..=5 {
        let before = first.leadership.clone();
        let name = first.identity.clone();
        let stopped = Instant::now();
        let stopping = tokio::spawn(first.stop());
        let handed_over = second.led().await - stopped;
        let leader_before = before.borrow().is_leader(Instant::now());
        assert!(!leader_before, "the old one leads beside the new one");
        let stop = stopping.await.unwrap();
        eprintln!("hand-over {round}: {handed_over:?}, stop: {stop:?}");
        assert!(handed_over <= HAND_OVER, "{handed_over:?}");
        assert_eq!(spec(&control_plane)["leaseTransitions"], round);
        first = second;
        second = Replica::start(&client, &name);
        // Long enough to have seen who leads.
        tokio::time::sleep(TIMING.retry).await;
    }

    second.stop().await;
    assert_eq!(spec(&control_plane)["holderIdentity"], first.identity.as_str());
    first.stop().await;
    let released = spec(&control_plane);
    assert_eq!(released["holderIdentity"], "");
    assert_eq!(released["leaseDurationSeconds"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_takes_over_from_one_that_was_killed() {
    let control_plane = permitted();
    let client = operator(&control_plane).await;
    let mut first = Replica::start(&client, "first");
    first.led().await;
    let mut second = Replica::start(&client, "second");
    tokio::time::sleep(TIMING.lease).await;
    let killed = Instant::now();
    first.task.abort();
    let until = first.leadership.borrow().until.unwrap();
    let took_over = second.led().await;
    eprintln!(
        "killed to new leader: {:?}; the old one's time was over {:?} before",
        took_over - killed,
        took_over - until
    );
    assert!(until < took_over, "two leaders");
    assert!(took_over - killed <= TIMING.lease + HAND_OVER);
    assert!(!first.leads());
    second.stop().await;
}

/// Row 45.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_cut_off_stops_before_another_starts() {
    let control_plane = permitted();
    let wire = Wire::lay(&control_plane.url()).unwrap();
    let near = operator(&control_plane).await;
    let token = control_plane.service_account_token(INSTALL_NAMESPACE, LEASE);
    let far = control_plane.kubeconfig_at(&wire.url(), "far", &token.unwrap());
    let mut first = Replica::start(&client(&far.unwrap()).await, "first");
    first.led().await;
    let mut second = Replica::start(&near, "second");
    tokio::time::sleep(TIMING.lease).await;

    let cut = Instant::now();
    wire.set(Mode::BlackHole);
    let leadership = first.leadership.clone();
    let stopped = tokio::spawn(async move {
        while leadership.borrow().is_leader(Instant::now()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Instant::now()
    });
    let took_over = second.led().await;
    let stopped = stopped.await.unwrap();
    eprintln!(
        "cut to stop: {:?}, to new leader: {:?}",
        stopped - cut,
        took_over - cut
    );
    assert!(stopped < took_over, "two leaders");
    assert!(stopped - cut <= TIMING.renew_deadline + Duration::from_millis(500));
    assert!(took_over - cut <= TIMING.lease + HAND_OVER);

    wire.set(Mode::Through);
    tokio::time::sleep(TIMING.lease).await;
    assert!(second.leads() && !first.leads());
    second.stop().await;
    first.led().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_or_edited_lease_is_survived() {
    let control_plane = permitted();
    let client = operator(&control_plane).await;
    let mut first = Replica::start(&client, "first");
    first.led().await;
    let second = Replica::start(&client, "second");
    tokio::time::sleep(TIMING.retry).await;
    let arguments = ["-n", INSTALL_NAMESPACE, "lease", LEASE];
    control_plane
        .kubectl(&[&["delete"], &arguments[..]].concat())
        .unwrap();
    tokio::time::sleep(HAND_OVER).await;
    assert!(first.leads() && !second.leads());
    assert_eq!(spec(&control_plane)["holderIdentity"], "first");

    control_plane
        .kubectl(&[&["label"], &arguments[..], &["team=security"]].concat())
        .unwrap();
    tokio::time::sleep(TIMING.lease).await;
    assert!(first.leads() && !second.leads());
    let lease = control_plane.get(&arguments).unwrap();
    assert_eq!(lease["metadata"]["labels"]["team"], "security");
    first.stop().await;
    second.stop().await;
}

/// Row 46. Whether the holder's clock is an hour behind or an hour ahead: its lease is respected for as long as it lasts
/// from when it was seen, and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_by_an_hour_changes_nothing() {
    let control_plane = permitted();
    let client = operator(&control_plane).await;
    for renewed in [
        Timestamp::now() - Duration::from_hours(1),
        Timestamp::now() + Duration::from_hours(1),
    ] {
        let lease = serde_json::json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": LEASE, "namespace": INSTALL_NAMESPACE},
            "spec": {
                "holderIdentity": "other",
                "leaseDurationSeconds": TIMING.lease.as_secs(),
                "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
            },
        });
        control_plane.apply(&lease.to_string()).unwrap();
        let seen = Instant::now();
        let mut first = Replica::start(&client, "first");
        let took_over = first.led().await - seen;
        eprintln!("renewed at {renewed}: taken over after {took_over:?}");
        assert!(took_over >= TIMING.lease && took_over <= TIMING.lease * 2 + HAND_OVER);
        first.stop().await;
        let arguments = ["delete", "lease", "-n", INSTALL_NAMESPACE, LEASE];
        control_plane.kubectl(&arguments).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_permission_it_waits_for_it() {
    let control_plane = ControlPlane::start().unwrap();
    // The ClusterRole lets it list and watch leases; what the election needs comes with the Role.
    let manifests = [manifest("namespace.yaml"), manifest("rbac.yaml")].join("\n---\n");
    let without_binding: Vec<&str> = manifests
        .split("---\n")
        .filter(|document| !document.contains("kind: RoleBinding\n"))
        .collect();
    control_plane.apply(&without_binding.join("---\n")).unwrap();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let mut first = Replica::start(&operator(&control_plane).await, "waits for its Role");
    tokio::time::sleep(TIMING.lease).await;
    assert!(!first.leads());
    let said = log.text();
    let ours = |line: &&str| line.contains("WARN flux_security_operator::");
    let complaints: Vec<&str> = said.lines().filter(ours).collect();
    assert_eq!(complaints.len(), 1, "{said}");
    for part in ["get leases.coordination.k8s.io", INSTALL_NAMESPACE, "rbac.yaml"] {
        assert!(complaints[0].contains(part), "{}", complaints[0]);
    }

    control_plane.apply(&manifests).unwrap();
    first.led().await;
    let said = log.text();
    assert_eq!(said.lines().filter(ours).count(), 1, "{said}");
    first.stop().await;
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
