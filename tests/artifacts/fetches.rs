//! What is fetched, from where, and how often: the engine and the shell, with a server that does as it is told.

use std::time::{Duration, Instant};

use flux_security_operator::artifacts::archive::Limits;
use flux_security_operator::artifacts::fetch::Timing;
use flux_security_operator::artifacts::{Shell, Wishes};
use flux_security_operator::cluster::{self, Observation};
use flux_security_operator::engine::Engine;
use flux_security_operator::inventory::{Delta, Missing, ObjectKey, TreeKey, TreeState};
use flux_security_operator::kinds::own::PolicyRow;
use flux_security_operator::secrets::{Gap, Tree};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::pack::Tar;
use super::server::{Answer, Server};
use super::support;

/// Longer than anything should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Shorter than in a cluster: tests wait for it.
const TIMING: Timing = Timing {
    connect: Duration::from_secs(2),
    silence: Duration::from_millis(700),
};

/// An engine, a shell that fetches for it, and a server.
struct Scene {
    engine: Engine,
    wishes: Wishes,
    observations: mpsc::Receiver<Observation>,
    server: Server,
    _stop: tokio_util::sync::DropGuard,
}

impl Scene {
    fn start() -> Self {
        Self::start_with(&json!({}))
    }

    /// With more in `spec.secrets.artifacts`.
    fn start_with(scan: &Value) -> Self {
        let server = Server::start();
        let (send, observations) = cluster::channel();
        let (wishes, stop) = (Wishes::default(), CancellationToken::new());
        let limits = Limits {
            time: Duration::from_secs(3),
            ..Limits::default()
        };
        let shell = Shell::new(wishes.clone(), send).bounded(TIMING, limits);
        tokio::spawn(shell.run(stop.clone()));
        let mut scene = Self {
            engine: support::engine(flux_security_operator::api::Tenancy::None),
            wishes,
            observations,
            server,
            _stop: stop.drop_guard(),
        };
        let mut artifacts = json!({"enabled": true, "hosts": [scene.server.address]});
        artifacts
            .as_object_mut()
            .unwrap()
            .extend(scan.as_object().unwrap().clone());
        scene.set_policy(&artifacts);
        scene
    }

    /// Another `spec.secrets.artifacts`.
    fn set_policy(&mut self, artifacts: &Value) {
        let spec = serde_json::from_value(json!({"secrets": {"artifacts": artifacts}})).unwrap();
        let policy = PolicyRow {
            spec,
            ..support::policy(flux_security_operator::api::Tenancy::None)
        };
        self.engine.pin("test", policy);
        self.wishes.update(&self.engine, &[].into());
    }

    fn take_in(&mut self, delta: Delta) {
        let changed = self.engine.take_in([delta]);
        self.wishes.update(&self.engine, &changed);
    }

    /// A GitRepository has this artifact now, and the server what it is of.
    fn publish(&mut self, name: &str, revision: &str, archive: &[u8]) {
        let answer = Answer::Bytes(archive.to_vec());
        self.publish_as(name, revision, &digest(archive), answer);
    }

    fn publish_as(&mut self, name: &str, revision: &str, digest: &str, answer: Answer) {
        let path = path(name, revision);
        self.server.answer(&path, answer);
        let url = format!("http://{}{path}", self.server.address);
        self.put("GitRepository", name, &url, revision, digest);
    }

    fn put(&mut self, kind: &str, name: &str, url: &str, revision: &str, digest: &str) {
        let (namespace, name) = name.split_once('/').unwrap();
        self.take_in(support::upsert(&json!({
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "status": {"artifact": {"url": url, "revision": revision, "digest": digest}},
        })));
    }

    /// Waits until something is told of a source that fits.
    async fn until(&mut self, source: &str, fits: impl Fn(Option<&TreeState>) -> bool) {
        let key = key("GitRepository", source);
        let started = Instant::now();
        loop {
            let state = self.engine.inventory().trees().and_then(|trees| trees.get(&key));
            if fits(state) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{source}: {state:?}");
            let pause = Duration::from_millis(200);
            if let Ok(observation) = tokio::time::timeout(pause, self.observations.recv()).await {
                self.take_in(observation.unwrap().delta);
            }
        }
    }

    async fn until_scanned(&mut self, source: &str, revision: &str) {
        self.until(
            source,
            |state| matches!(state, Some(TreeState::Scanned { revision: told, .. }) if **told == *revision),
        )
        .await;
    }

    async fn until_not_read(&mut self, source: &str) -> Missing {
        self.until(source, |state| matches!(state, Some(TreeState::NotRead(_))))
            .await;
        match self
            .engine
            .inventory()
            .trees()
            .unwrap()
            .get(&key("GitRepository", source))
        {
            Some(TreeState::NotRead(missing)) => missing.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Takes in what is told in this time.
    async fn for_a_while(&mut self, time: Duration) {
        let until = tokio::time::Instant::now() + time;
        while let Ok(observation) = tokio::time::timeout_at(until, self.observations.recv()).await {
            self.take_in(observation.unwrap().delta);
        }
    }

    fn tree(&self, source: &str) -> Tree {
        let trees = self.engine.inventory().trees().unwrap();
        trees.tree(&key("GitRepository", source)).unwrap().clone()
    }
}

fn key(kind: &str, source: &str) -> TreeKey {
    let (namespace, name) = source.split_once('/').unwrap();
    TreeKey::Source(support::kind(kind), ObjectKey::new(namespace, name))
}

fn path(name: &str, revision: &str) -> String {
    format!("/gitrepository/{name}/{revision}.tar.gz")
}

fn digest(archive: &[u8]) -> String {
    let sum = Sha256::digest(archive);
    sum.iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// An archive with so many files.
fn archive(files: u32) -> Vec<u8> {
    let add = |archive: Tar, number| archive.file(&format!("{number}.yaml"), "kind: ConfigMap\n");
    (0..files).fold(Tar::default(), add).gz()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_is_fetched_once() {
    let mut scene = Scene::start();
    scene.publish("apps/fleet", "main-1", &archive(3));
    scene.until_scanned("apps/fleet", "main-1").await;
    assert_eq!(scene.tree("apps/fleet").coverage.files, 3);
    assert!(scene.tree("apps/fleet").lack().is_none());

    // Another name of the same bytes.
    scene.publish("apps/fleet", "main-2", &archive(3));
    scene.until_scanned("apps/fleet", "main-2").await;
    // Another policy that asks for the same.
    scene.set_policy(
        &json!({"enabled": true, "kinds": ["GitRepository", "Bucket"], "hosts": [scene.server.address]}),
    );
    scene.for_a_while(Duration::from_millis(500)).await;
    assert_eq!(scene.server.asked().len(), 1, "{:?}", scene.server.asked());

    scene.publish("apps/fleet", "main-3", &archive(4));
    scene.until_scanned("apps/fleet", "main-3").await;
    assert_eq!(scene.tree("apps/fleet").coverage.files, 4);
    // The same address with other bytes, as after a change of spec.ignore.
    scene.publish("apps/fleet", "main-3", &archive(5));
    scene
        .until(
            "apps/fleet",
            |state| matches!(state, Some(TreeState::Scanned { tree, .. }) if tree.coverage.files == 5),
        )
        .await;
    assert_eq!(scene.server.asked().len(), 3);
    let head = &scene.server.asked()[0];
    let wanted = format!(
        "GET /gitrepository/apps/fleet/main-1.tar.gz HTTP/1.1\r\nhost: {}\r\n",
        scene.server.address
    );
    assert!(
        head.to_ascii_lowercase()
            .starts_with(&wanted.to_ascii_lowercase()),
        "{head}"
    );
    assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fetched_that_no_policy_asks_for() {
    let mut scene = Scene::start();
    scene.set_policy(&json!({"enabled": false, "hosts": [scene.server.address]}));
    scene.publish("apps/fleet", "1", &archive(1));
    scene.for_a_while(Duration::from_millis(300)).await;
    assert!(scene.engine.inventory().trees().is_none());
    scene.set_policy(&json!({"enabled": true, "kinds": ["Bucket"], "hosts": [scene.server.address]}));
    scene.for_a_while(Duration::from_millis(300)).await;
    assert!(scene.server.asked().is_empty());
    scene.set_policy(&json!({"enabled": true, "hosts": [scene.server.address]}));
    scene.until_scanned("apps/fleet", "1").await;
    scene.set_policy(&json!({}));
    scene.for_a_while(Duration::from_millis(300)).await;
    assert!(
        scene.engine.inventory().trees().is_none(),
        "what is not read any more is not known"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_gone_is_forgotten() {
    let mut scene = Scene::start();
    scene.publish("apps/fleet", "1", &archive(1));
    scene.until_scanned("apps/fleet", "1").await;
    scene.take_in(support::remove(
        &json!({"kind": "GitRepository", "metadata": {"name": "fleet", "namespace": "apps"}}),
    ));
    scene.until("apps/fleet", |state| state.is_none()).await;
    scene.take_in(support::upsert(
        &json!({"kind": "GitRepository", "metadata": {"name": "fleet", "namespace": "apps"}}),
    ));
    let missing = scene.until_not_read("apps/fleet").await;
    assert_eq!(
        missing,
        Missing::new("NotReconciled", "GitRepository apps/fleet has no artifact yet")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_than_the_source_tells_of_are_not_believed() {
    let mut scene = Scene::start();
    let other = digest(b"other");
    scene.publish_as("apps/fleet", "1", &other, Answer::Bytes(archive(1)));
    let missing = scene.until_not_read("apps/fleet").await;
    assert_eq!(missing.reason, "WrongDigest", "{}", missing.message);
    // It is tried again, after a pause, and only what is served then counts.
    let started = Instant::now();
    scene.publish("apps/fleet", "2", &archive(1));
    scene.until_scanned("apps/fleet", "2").await;
    assert!(started.elapsed() < Duration::from_secs(4));
    let coverage = scene.tree("apps/fleet").coverage;
    assert!(coverage.gaps.is_empty(), "{coverage:?}");
    // A byte more behind a whole archive is another digest, too.
    let mut longer = archive(1);
    longer.push(0);
    scene.publish_as("apps/longer", "1", &digest(&archive(1)), Answer::Bytes(longer));
    assert_eq!(scene.until_not_read("apps/longer").await.reason, "WrongDigest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_cannot_be_verified_is_a_gap() {
    let mut scene = Scene::start();
    let digest = format!("blake3:{}", "0".repeat(64));
    scene.publish_as("apps/fleet", "1", &digest, Answer::Bytes(archive(1)));
    scene.until_scanned("apps/fleet", "1").await;
    let coverage = scene.tree("apps/fleet").coverage;
    assert_eq!(
        (coverage.files, coverage.gaps.into_keys().collect()),
        (1, vec![Gap::Unverified])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_leads_the_operator_elsewhere() {
    let mut scene = Scene::start();
    let other = Server::start();
    let location = format!("location: http://{}/a\r\n", other.address);
    for status in [301, 302, 303, 307, 308] {
        let name = format!("apps/to-{status}");
        let answer = Answer::Status(status, location.clone());
        scene.publish_as(&name, "1", &digest(b""), answer);
        let missing = scene.until_not_read(&name).await;
        assert_eq!(missing.reason, "AddressRefused", "{}", missing.message);
    }
    let asked = scene.server.asked().len();
    let (own, path) = (scene.server.address.clone(), path("apps/fleet", "1"));
    let others = [
        format!("http://{}{path}", other.address),
        format!("http://{own}@{}{path}", other.address),
        format!("http://me:hunter2@{own}{path}"),
        format!("https://localhost:{}{path}", own.rsplit(':').next().unwrap()),
        format!("http://localhost:{}{path}", own.rsplit(':').next().unwrap()),
        format!("http://{own}/gitrepository/others/fleet/1.tar.gz"),
        format!("http://{own}{path}?a=http://{}", other.address),
        format!("http://{own}/gitrepository/apps/fleet/../../../metrics"),
        format!("ftp://{own}{path}"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://kubernetes.default.svc/api".to_owned(),
        String::new(),
    ];
    for (number, url) in others.iter().enumerate() {
        scene.put(
            "GitRepository",
            "apps/fleet",
            url,
            &number.to_string(),
            &digest(b""),
        );
        let missing = scene.until_not_read("apps/fleet").await;
        assert_eq!(missing.reason, "AddressRefused", "{url}");
        assert!(!missing.message.contains("hunter2"), "{}", missing.message);
        scene.take_in(support::remove(
            &json!({"kind": "GitRepository", "metadata": {"name": "fleet", "namespace": "apps"}}),
        ));
        scene.until("apps/fleet", |state| state.is_none()).await;
    }
    assert!(other.asked().is_empty(), "{:?}", other.asked());
    assert_eq!(scene.server.asked().len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_server_holds_nobody_up_for_long() {
    let mut scene = Scene::start_with(&json!({"maxBytes": 1 << 20}));
    let cases = [
        ("silent", Answer::Silence, "SourceUnreachable"),
        (
            "drips",
            Answer::Drips(Duration::from_millis(100)),
            "SourceUnreachable",
        ),
        (
            "stalls",
            Answer::Drips(Duration::from_secs(30)),
            "SourceUnreachable",
        ),
        ("hangs-up", Answer::HangsUp, "SourceUnreachable"),
        ("cut-off", Answer::CutOff(archive(1)), "SourceUnreachable"),
        ("headers", Answer::EndlessHeaders, "SourceUnreachable"),
        ("endless", Answer::Endless, "ArtifactTooLarge"),
        ("gone", Answer::Status(404, String::new()), "ArtifactNotFound"),
        ("broken", Answer::Status(500, String::new()), "FetchFailed"),
        ("partial", Answer::Status(206, String::new()), "FetchFailed"),
    ];
    for (name, answer, _) in &cases {
        scene.publish_as(
            &format!("{name}/fleet"),
            "1",
            &digest(&archive(1)),
            answer.clone(),
        );
    }
    for (name, _, reason) in &cases {
        let missing = scene.until_not_read(&format!("{name}/fleet")).await;
        assert_eq!(missing.reason, *reason, "{name}: {}", missing.message);
    }
    // Once garbage is collected, the next revision is there.
    scene.publish("gone/fleet", "2", &archive(2));
    scene.until_scanned("gone/fleet", "2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_repeated_with_pauses_that_grow() {
    let mut scene = Scene::start();
    scene.publish_as("apps/fleet", "1", &digest(b""), Answer::HangsUp);
    scene.for_a_while(Duration::from_millis(7500)).await;
    // After 0, 2 and 6 s, some of them up to a quarter earlier.
    let times = scene.server.times(&path("apps/fleet", "1"));
    assert!((2..=3).contains(&times), "{times} times");
    // Other artifacts that fail as well make nothing faster.
    for revision in 2..50 {
        scene.publish_as("apps/fleet", &revision.to_string(), &digest(b""), Answer::HangsUp);
        scene.for_a_while(Duration::from_millis(50)).await;
    }
    let all = scene.server.asked().len();
    assert!(all <= times + 3, "{all} in all");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_revisions_the_last_counts() {
    let mut scene = Scene::start();
    let first = archive(1);
    scene.publish_as(
        "apps/fleet",
        "1",
        &digest(&first),
        Answer::Late(Duration::from_millis(500), first.clone()),
    );
    let others: Vec<Vec<u8>> = (2..=50).map(archive).collect();
    scene.for_a_while(Duration::from_millis(200)).await;
    for (revision, archive) in (2..).zip(&others) {
        scene.publish("apps/fleet", &format!("{revision}"), archive);
    }
    scene.until_scanned("apps/fleet", "50").await;
    assert_eq!(scene.tree("apps/fleet").coverage.files, 50);
    let asked = scene.server.asked().len();
    // The first, the last, and on a busy machine one in between.
    assert!(asked <= 5, "{asked} were fetched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_slow_waits_alone() {
    let mut scene = Scene::start();
    for number in 0..20 {
        let late = Answer::Late(Duration::from_millis(400), archive(1));
        scene.publish_as(&format!("slow/f{number}"), "1", &digest(&archive(1)), late);
    }
    scene.for_a_while(Duration::from_millis(100)).await;
    let started = Instant::now();
    scene.publish("quick/fleet", "1", &archive(1));
    scene.until_scanned("quick/fleet", "1").await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    let slow = |scene: &Scene| {
        scene
            .server
            .asked()
            .iter()
            .filter(|head| head.contains("/slow/"))
            .count()
    };
    assert!(slow(&scene) < 10, "{} came first", slow(&scene));
    scene.until_scanned("slow/f19", "1").await;
    assert_eq!(slow(&scene), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_artifact_of_one_tenant_delays_no_other() {
    let mut scene = Scene::start_with(&json!({"maxBytes": 256 << 20}));
    let text = "name: value\n".repeat((4 << 20) / 12);
    let large = (0..25).fold(Tar::default(), |tar, number| {
        tar.file(&format!("{number}.yaml"), &text)
    });
    let large = large.packed(flate2::Compression::none());
    assert!(large.len() > 100_000_000);
    for name in ["large/a", "large/b"] {
        scene.publish(name, "1", &large);
    }
    scene.for_a_while(Duration::from_millis(100)).await;
    let started = Instant::now();
    scene.publish("quick/fleet", "1", &archive(1));
    scene.until_scanned("quick/fleet", "1").await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    let trees = scene.engine.inventory().trees().unwrap();
    assert_eq!(
        trees.get(&key("GitRepository", "large/b")),
        None,
        "it is not its turn yet"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_artifact_than_the_policy_allows_is_not_read() {
    let noise: Vec<String> = (0..20_000_u64)
        .map(|number| (number * number).to_string())
        .collect();
    let noise = noise.join("\n");
    let large = Tar::default().file("a", noise).gz();
    let mut scene = Scene::start_with(&json!({"maxBytes": large.len() - 1}));
    scene.publish("apps/fleet", "1", &large);
    assert_eq!(
        scene.until_not_read("apps/fleet").await.reason,
        "ArtifactTooLarge"
    );
    scene.set_policy(&json!({"enabled": true, "maxBytes": large.len(), "hosts": [scene.server.address]}));
    scene.until_scanned("apps/fleet", "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_scanned_stands_for_a_while_and_no_longer() {
    let mut scene = Scene::start();
    scene.publish("apps/fleet", "1", &archive(1));
    scene.until_scanned("apps/fleet", "1").await;
    scene.publish_as("apps/fleet", "2", &digest(b""), Answer::Silence);
    scene.for_a_while(Duration::from_secs(5)).await;
    // Most revisions are scanned in less: no report tells of each that it is not known yet.
    scene.until_scanned("apps/fleet", "1").await;
    let missing = scene.until_not_read("apps/fleet").await;
    assert_eq!(missing.reason, "SourceUnreachable", "{}", missing.message);
}
