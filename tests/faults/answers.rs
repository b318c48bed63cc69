//! Answers that are wrong: refused, late, stale, lost, twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use flux_security_operator::kinds::KindId;
use serde_json::json;

use crate::controlplane::operator::USER;
use crate::controlplane::proxy::{Entry, Proxy, Requests, Rule};
use crate::controlplane::scenario::{report, result};
use crate::controlplane::wire::{Mode, Wire};
use crate::controlplane::{ControlPlane, Operator, wait_for};
use crate::scene::{CONTROL, CONVERGENCE, Scene, wait_until_quiet, wait_until_right};

/// How long what is measured a minute is measured.
const MINUTE: Duration = Duration::from_mins(1);
/// How long what happens within a second or two may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// Row 11.
#[test]
fn a_later_page_of_a_list_fails() {
    // Five pages.
    const OBJECTS: usize = 410;
    let (scene, proxy) = Scene::proxied();
    scene.control_plane.apply(&kustomizations(OBJECTS)).unwrap();
    wait_for("all of them", SOON, || {
        ensure!(known(&scene, "Kustomization") == Some(OBJECTS));
        Ok(())
    })
    .unwrap();
    wait_until_right(&scene.control_plane, CONVERGENCE);
    let findings = findings(&scene);
    let broken = proxy.lay(Requests::on("kustomizations").page(3).answer_in_turn(&[410, 500]));
    wait_until_applied(&proxy.lay(Requests::on("kustomizations").expire()));
    wait_for("the list to be tried again", SOON, || {
        assert_eq!(known(&scene, "Kustomization"), Some(OBJECTS));
        assert!(self::findings(&scene) >= findings, "findings vanish");
        ensure!(broken.applied() >= 2);
        Ok(())
    })
    .unwrap();
    proxy.lift();
    let ended = Instant::now();
    wait_for_a_list(&proxy, "kustomizations", ended);
    assert_eq!(known(&scene, "Kustomization"), Some(OBJECTS));
    scene.conclude(&[11], ended);
}

/// Row 13.
#[test]
#[ignore = "slow: make test-faults"]
fn every_resumption_answers_gone() {
    let (scene, proxy) = Scene::proxied();
    let (start, before) = (Instant::now(), burnt(&scene.operator));
    proxy.lay(Requests::on_all_but("leases").expire());
    sleep(MINUTE);
    let burnt = burnt(&scene.operator).saturating_sub(before);
    let lists = count(&proxy.since(start), |entry| {
        (entry.asked.verb == "list" && entry.asked.page == 1).then(|| entry.asked.resource.clone())
    });
    assert!(!lists.is_empty());
    for (resource, lists) in lists {
        // Pauses of 1, 2, 4, ... s, and half of that by chance.
        assert!(lists <= 14, "{resource} was listed {lists} times in a minute");
    }
    // Each kind is listed some times. A build for tests takes several times as long as a release.
    let kinds = u32::try_from(KindId::all().count()).unwrap();
    let bound = Duration::from_millis(200) * kinds;
    assert!(burnt < bound, "{burnt:?} of CPU time in a minute");
    let ended = Instant::now();
    proxy.lift();
    scene.drift(true);
    // A pause that has begun is not cut short: the server asked for it.
    scene.wait_for_drift(true, MINUTE);
    scene.conclude(&[13], ended);
}

/// Row 13.
///
/// Without an error, so that nothing tells whoever watches to pause.
#[test]
fn every_watch_ends_at_once() {
    let (scene, proxy) = Scene::proxied();
    let start = Instant::now();
    let ended = proxy.lay(Requests::all().end());
    sleep(Duration::from_secs(10));
    let watches = count(&proxy.since(start), |entry| {
        (entry.asked.verb == "watch").then(|| entry.asked.resource.clone())
    });
    assert!(ended.applied() > 10);
    for (resource, watches) in watches {
        // The elector watches its Lease beside those of the cluster.
        let most = if resource == "leases" { 30 } else { 15 };
        assert!(watches <= most, "{resource} was watched {watches} times in 10 s");
    }
    proxy.lift();
    scene.drift(true);
    scene.conclude(&[], Instant::now());
}

/// Row 14.
///
/// What is lost stays lost as long as the watch goes on from where it is, also after the end of its time.
#[test]
fn an_event_is_lost() {
    let (scene, proxy) = Scene::proxied();
    let lost = proxy.lay(Requests::on("deployments").lose("insecure-kubeconfig-exec=true"));
    scene.drift(true);
    wait_until_applied(&lost);
    proxy.lift();
    // A later event moves the version from which the watch goes on past the one that was lost.
    annotate(&scene.control_plane, "source-controller");
    sleep(Duration::from_secs(2));
    let start = Instant::now();
    wait_until_applied(&proxy.lay(Requests::on("deployments").end()));
    proxy.lift();
    wait_for_a_watch(&proxy, "deployments", start);
    sleep(Duration::from_secs(2));
    assert_eq!(published(&scene), "Pass", "nothing was lost");
    let start = Instant::now();
    wait_until_applied(&proxy.lay(Requests::on("deployments").expire()));
    proxy.lift();
    wait_for_a_list(&proxy, "deployments", start);
    scene.conclude(&[14], start);
}

/// Row 15.
#[test]
#[ignore = "slow: make test-faults"]
fn a_stale_api_server_answers() {
    let (scene, proxy) = Scene::proxied();
    let wire = Wire::lay(&scene.control_plane.etcd_url()).unwrap();
    let (_stale, url) = scene.control_plane.second_apiserver(&wire.plain_url()).unwrap();
    wire.set(Mode::BlackHole);
    scene.drift(true);
    scene.wait_for_drift(true, SOON);

    assert!(!knows_of_the_drift(&scene.control_plane, &url), "it is not stale");

    // Writes and the lease go to the server that is not stale: nothing but what is read holds the report.
    let led = proxy.lead(Requests::on_all_but("leases").reads(), &scene.control_plane, &url);
    proxy.cut();
    stays_failed(&scene, Duration::from_secs(15));
    wait_until_applied(&led);
    // Those that watch list again, there.
    wait_until_applied(&proxy.lay(Requests::on_all_but("leases").expire()));
    proxy.lift();
    proxy.lead(Requests::on_all_but("leases").reads(), &scene.control_plane, &url);
    let again = Instant::now();
    stays_failed(&scene, Duration::from_secs(30));
    let listed = proxy.since(again);
    let listed = listed
        .iter()
        .filter(|it| it.asked.verb == "list" && it.code == 200);
    assert_eq!(
        listed.count(),
        0,
        "who lists wants the newest, which it does not have"
    );
    let start = Instant::now();
    proxy.lift();
    proxy.cut();
    scene.drift(false);
    scene.conclude(&[15], start);
}

/// Row 16.
#[test]
fn events_come_twice_and_again() {
    let (scene, proxy) = Scene::proxied();
    let once = writes_of_two_drifts(&scene);
    let twice = proxy.lay(Requests::all().double());
    assert_eq!(writes_of_two_drifts(&scene), once, "every event came twice");
    assert!(twice.applied() >= 2);
    proxy.lift();

    // What was on the way there is seen again, in the end it is what it is.
    let again = proxy.lay(Requests::all().replay());
    writes_of_two_drifts(&scene);
    assert!(again.applied() >= 2);
    proxy.lift();

    // The namespaces come after what is in them.
    let late = proxy.lay(Requests::on("namespaces").hold());
    scene.control_plane.apply(&kustomizations(3)).unwrap();
    wait_until_applied(&late);
    wait_for("those in a namespace of which nobody heard", SOON, || {
        ensure!(known(&scene, "Kustomization") == Some(3));
        Ok(())
    })
    .unwrap();
    let ended = Instant::now();
    proxy.lift();
    scene.conclude(&[16], ended);
}

/// Row 17.
#[test]
#[ignore = "slow: make test-faults"]
fn throttled_for_a_minute() {
    const RETRY_AFTER: Duration = Duration::from_secs(5);
    let (scene, proxy) = Scene::proxied();
    let start = Instant::now();
    proxy.lay(Requests::on_all_but("leases").throttle(RETRY_AFTER));
    proxy.cut();
    while start.elapsed() < MINUTE {
        assert_eq!(scene.operator.metric("flux_security_leader").unwrap(), Some(1.0));
        sleep(Duration::from_millis(250));
    }
    let refused = proxy.since(start);
    let refused = refused.iter().filter(|entry| entry.code == 429);
    // Kinds ask what is served at their own pace, sharing answers; what else there is, one kind asks for.
    let (discovery, own): (Vec<_>, Vec<_>) = refused.partition(|entry| entry.asked.resource.starts_with('/'));
    let mut last = BTreeMap::new();
    // Those of one transition are sent together.
    let together = ["events", "fluxsecuritynamespacereports"];
    for entry in own
        .into_iter()
        .filter(|entry| !together.contains(&entry.asked.resource.as_str()))
    {
        let whose = (entry.asked.verb, &entry.asked.resource);
        if let Some(last) = last.insert(whose, entry.at) {
            let gap = entry.at - last;
            assert!(gap > RETRY_AFTER * 19 / 20, "{whose:?} came again after {gap:?}");
        }
    }
    assert!(last.len() > 10, "{last:?}");
    let kinds = last
        .keys()
        .map(|(_, resource)| resource)
        .collect::<BTreeSet<_>>()
        .len();
    let most = kinds * 60 / 5;
    assert!(discovery.len() <= most, "{} for {kinds} kinds", discovery.len());
    let ended = Instant::now();
    proxy.lift();
    scene.drift(true);
    // A pause that has begun is not cut short: the server asked for it.
    scene.wait_for_drift(true, MINUTE);
    scene.conclude(&[17], ended);
}

/// Row 18.
#[test]
#[ignore = "slow: make test-faults"]
fn a_third_of_the_requests_fails() {
    let (scene, proxy) = Scene::proxied();
    let failing = proxy.lay(Requests::all().percent(30).answer_in_turn(&[500, 503, 504]));
    for turn in 0..6 {
        proxy.cut();
        scene.drift(turn % 2 == 0);
        scene.wait_for_drift(turn % 2 == 0, SOON);
        sleep(Duration::from_secs(3));
    }
    assert!(failing.applied() >= 20, "{}", failing.applied());
    proxy.lift();
    scene.drift_and_conclude(18);
}

/// Row 18.
///
/// A load balancer without a server behind it: known to be stale while it lasts, and over when it is over.
#[test]
#[ignore = "slow: make test-faults"]
fn unavailable_for_minutes() {
    let (scene, proxy) = Scene::proxied();
    proxy.lay(Requests::all().answer(503));
    proxy.cut();
    wait_for("its kinds to be stale", MINUTE, || {
        let synced = scene
            .operator
            .metric("flux_security_kind_synced{kind=\"Deployment\"}")?;
        ensure!(synced == Some(0.0), "{synced:?}");
        Ok(())
    })
    .unwrap();
    sleep(MINUTE);
    proxy.lift();
    scene.drift_and_conclude(18);
}

/// Row 19.
#[test]
#[ignore = "slow: make test-faults"]
fn the_token_is_rotated() {
    let control_plane = ControlPlane::start().unwrap();
    let proxy = Proxy::before(&control_plane).unwrap();
    let url = proxy.url();
    let file = control_plane.sandbox().folder().join("token");
    let scene = Scene::start(control_plane, |control_plane| {
        fs::write(&file, token(control_plane)).unwrap();
        let certificate = control_plane.certificate();
        kubeconfig(control_plane, &url, &certificate, &file)
    });
    let [old, new] = [fs::read_to_string(&file).unwrap(), token(&scene.control_plane)];
    assert_ne!(old, new);

    let ended = Instant::now();
    fs::write(&file, &new).unwrap();
    proxy.lay(Requests::all().bearing(&old).answer(401));
    proxy.cut();
    wait_for("the new token", MINUTE + Duration::from_secs(5), || {
        let entries = proxy.since(ended);
        ensure!(entries.iter().any(|entry| entry.asked.token == new));
        Ok(())
    })
    .unwrap();
    scene.drift(true);
    scene.wait_for_drift(true, CONVERGENCE * 2);
    scene.conclude(&[19], ended);
}

/// Row 20.
#[test]
#[ignore = "slow: make test-faults"]
fn the_ca_is_rotated() {
    let control_plane = ControlPlane::start().unwrap();
    let proxy = Proxy::before(&control_plane).unwrap();
    let url = proxy.url();
    let folder = control_plane.sandbox().folder().to_owned();
    let trusted = folder.join("trusted.crt");
    let scene = Scene::start(control_plane, |control_plane| {
        fs::copy(control_plane.certificate(), &trusted).unwrap();
        fs::write(folder.join("token"), token(control_plane)).unwrap();
        kubeconfig(control_plane, &url, &trusted, &folder.join("token"))
    });
    let (certificate, key) = scene.control_plane.another_certificate().unwrap();

    // All at once, which nobody does who can help it: what was trusted is not shown any more.
    let ended = Instant::now();
    fs::copy(&certificate, &trusted).unwrap();
    proxy.show(&certificate, &key);
    proxy.cut();
    scene.drift(true);
    scene.wait_for_drift(true, MINUTE + CONVERGENCE);
    scene.conclude(&[20], ended);
}

/// A kubeconfig that names files instead of holding what is in them.
fn kubeconfig(control_plane: &ControlPlane, url: &str, certificate: &Path, token: &Path) -> PathBuf {
    let path = control_plane.sandbox().folder().join("files.kubeconfig");
    let content = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": certificate}}],
        "users": [{"name": "operator", "user": {"tokenFile": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "operator"}}],
    });
    fs::write(&path, content.to_string()).unwrap();
    path
}

fn token(control_plane: &ControlPlane) -> String {
    control_plane
        .service_account_token("flux-security-system", "flux-security-operator")
        .unwrap()
}

/// So many Kustomizations of a tenant; every fiftieth fails a control.
fn kustomizations(count: usize) -> String {
    let mut manifests = "
{apiVersion: v1, kind: Namespace, metadata: {name: tenant}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: deployer, namespace: tenant}}
"
    .to_owned();
    for number in 0..count {
        let account = if number % 50 == 49 {
            ""
        } else {
            "serviceAccountName: deployer, "
        };
        write!(
            manifests,
            "---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: app-{number:03}, namespace: tenant}}
spec: {{{account}interval: 1h, prune: true, sourceRef: {{kind: GitRepository, name: app}}}}
"
        )
        .unwrap();
    }
    manifests
}

/// How many objects of a kind the operator knows.
fn known(scene: &Scene, kind: &str) -> Option<usize> {
    let series = format!("flux_security_objects{{kind=\"{kind}\"}}");
    let count = scene.operator.metric(&series).unwrap()?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    Some(count as usize)
}

/// How many findings the report tells of.
fn findings(scene: &Scene) -> u64 {
    let report = report(&scene.control_plane).unwrap();
    report["status"]["summary"]["findings"].as_u64().unwrap()
}

fn published(scene: &Scene) -> String {
    result(&report(&scene.control_plane).unwrap(), CONTROL).to_owned()
}

/// The report says that the control fails or, at most, that this is not known.
fn stays_failed(scene: &Scene, time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        let found = published(scene);
        assert!(matches!(found.as_str(), "Fail" | "Unknown"), "{found}");
        sleep(Duration::from_millis(250));
    }
}

/// Whether the flag is on in what an API server has at hand. Who names no version gets the newest one, or nothing.
fn knows_of_the_drift(control_plane: &ControlPlane, url: &str) -> bool {
    let path = "/apis/apps/v1/namespaces/flux-system/deployments/kustomize-controller?resourceVersion=0";
    let known = control_plane
        .kubectl(&["get", "--server", url, "--raw", path])
        .unwrap();
    known.contains("insecure-kubeconfig-exec=true")
}

/// Drifts there and back; tells how often the report was written.
fn writes_of_two_drifts(scene: &Scene) -> usize {
    let before = writes(&scene.control_plane);
    for on in [true, false] {
        scene.drift(on);
        scene.wait_for_drift(on, SOON);
    }
    wait_until_quiet(&scene.control_plane);
    writes(&scene.control_plane) - before
}

/// How often the operator wrote a report.
fn writes(control_plane: &ControlPlane) -> usize {
    let audited = control_plane.audit_log().unwrap();
    let is_write = |event: &&serde_json::Value| {
        event["user"]["username"] == USER
            && event["verb"] == "patch"
            && event["objectRef"]["resource"] == "fluxsecurityreports"
    };
    audited.iter().filter(is_write).count()
}

fn annotate(control_plane: &ControlPlane, deployment: &str) {
    let arguments = [
        "annotate",
        "-n",
        "flux-system",
        "deployment",
        deployment,
        "touched=yes",
    ];
    control_plane.kubectl(&arguments).unwrap();
}

fn wait_until_applied(rule: &Rule) {
    wait_for("a request or an event that the rule is about", SOON, || {
        ensure!(rule.applied() > 0);
        Ok(())
    })
    .unwrap();
}

fn wait_for_a_list(proxy: &Proxy, resource: &str, since: Instant) {
    wait_for_request(proxy, resource, "list", since);
}

fn wait_for_a_watch(proxy: &Proxy, resource: &str, since: Instant) {
    wait_for_request(proxy, resource, "watch", since);
}

fn wait_for_request(proxy: &Proxy, resource: &str, verb: &str, since: Instant) {
    wait_for(&format!("a {verb} of {resource}"), CONVERGENCE, || {
        let asks =
            |entry: &Entry| entry.asked.resource == resource && entry.asked.verb == verb && entry.code == 200;
        ensure!(proxy.since(since).iter().any(asks));
        Ok(())
    })
    .unwrap();
}

/// How many requests there were, by what the function makes of them.
fn count<K: Ord>(entries: &[Entry], key: impl Fn(&Entry) -> Option<K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for key in entries.iter().filter_map(key) {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// The CPU time of a process so far.
fn burnt(operator: &Operator) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", operator.process.pid())).unwrap();
    // The second field may hold anything; the kernel counts in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11..13]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}
