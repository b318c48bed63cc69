//! Artifacts of the real source-controller, from a push to the report.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
#[path = "artifacts/pack.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod pack;
#[path = "artifacts/server.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use controlplane::flux::Controllers;
use controlplane::git::Repository;
use controlplane::programs::{Finish, SOPS};
use controlplane::scenario::{installed, report, restarted, result, versions};
use controlplane::wire::Wire;
use controlplane::{ControlPlane, Operator, wait_for};
use flate2::Compression;
use pack::Tar;
use serde_json::{Value, json};
use server::{Answer, Server};
use sha2::{Digest, Sha256};

/// Longer than anything should take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const FLEET: [&str; 4] = ["gitrepository", "-n", "default", "fleet"];

/// A Flux that serves a repository, a way to its artifacts that is counted, and an operator that reads them.
struct Scene {
    operator: Operator,
    wire: Wire,
    repository: Repository,
    _controllers: Controllers,
    control_plane: ControlPlane,
}

impl Scene {
    fn start(files: &[(&str, &str)]) -> Self {
        Self::of(SOURCES, files)
    }

    /// The same with other sources.
    fn of(sources: &str, files: &[(&str, &str)]) -> Self {
        let control_plane = installed();
        let overlay = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/artifact-scan");
        let overlay = overlay.display().to_string();
        control_plane
            .kubectl(&["apply", "--server-side", "-k", &overlay])
            .unwrap();
        let mut wire = None;
        let controllers = Controllers::start_behind(&control_plane, |storage| {
            let laid = wire.insert(Wire::lay(storage)?);
            Ok(laid.plain_url().replace("http://", ""))
        });
        let wire = wire.unwrap();
        let repository = Repository::start(control_plane.sandbox()).unwrap();
        repository.push("Fleet", files).unwrap();
        control_plane
            .apply(&sources.replace("URL", repository.url()))
            .unwrap();
        let host = wire.plain_url().replace("http://", "");
        control_plane.apply(&policy(&host)).unwrap();
        let operator = Operator::start(&control_plane).unwrap();
        Self {
            operator,
            wire,
            repository,
            _controllers: controllers.unwrap(),
            control_plane,
        }
    }

    /// Pushes, and waits until source-controller tells of the artifact: tells when that was.
    fn push(&self, message: &str, files: &[(&str, &str)]) -> Instant {
        let before = self.digest().unwrap_or_default();
        self.repository.push(message, files).unwrap();
        let ask =
            json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": message}}}).to_string();
        self.control_plane
            .kubectl(&[&["patch"], &FLEET[..], &["--type=merge", "-p", &ask]].concat())
            .unwrap();
        wait_for("the artifact", PATIENCE, || {
            let digest = self.digest()?;
            ensure!(digest != before, "the artifact is that of before");
            Ok(Instant::now())
        })
        .unwrap()
    }

    fn digest(&self) -> anyhow::Result<String> {
        let fleet = self.control_plane.get(&FLEET)?;
        let digest = fleet["status"]["artifact"]["digest"].as_str();
        Ok(digest.context("no artifact yet")?.to_owned())
    }

    /// How often somebody came for an artifact.
    fn fetches(&self) -> u64 {
        let [_, _, connections] = self.wire.traffic();
        connections
    }

    fn until_result(&self, wanted: &str) -> Value {
        until_result(&self.control_plane, wanted)
    }

    /// Waits until a control has found so many places.
    fn until_places(&self, control: &str, count: usize) -> Value {
        wait_for(&format!("{count} findings of {control}"), PATIENCE, || {
            let report = report(&self.control_plane)?;
            let places = places(&report, control);
            ensure!(places.len() == count, "{places:?}");
            Ok(report)
        })
        .unwrap()
    }

    /// What `fluxsec scan-history` tells of the repository.
    fn history(&self) -> Value {
        let bare = self.control_plane.sandbox().folder().join("git/fleet.git");
        let mut command = Command::new(controlplane::operator::fluxsec());
        command
            .args(["scan-history", "-o", "json", "--git-dir"])
            .arg(bare);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    }

    /// The report of team-a tells of its leaks, and that of team-b of nothing of team-a's.
    fn is_told_to_team_a_alone(&self) {
        let told = |namespace: &str| {
            let reports = self.control_plane.get(&["fsnr", "-n", namespace]).unwrap();
            reports["items"].to_string()
        };
        let own = told("team-a");
        assert!(own.contains("team-a/others/plain.yaml"), "{own}");
        let others = told("team-b");
        assert!(
            !others.contains("team-a") && !others.contains("plain.yaml"),
            "{others}"
        );
    }
}

fn until_result(control_plane: &ControlPlane, wanted: &str) -> Value {
    wait_for(&format!("FSP-SEC-003 to be {wanted}"), PATIENCE, || {
        let report = report(control_plane)?;
        let rows = report["status"]["controls"].as_array().into_iter().flatten();
        let row = rows.into_iter().find(|row| row["id"] == "FSP-SEC-003");
        ensure!(result(&report, "FSP-SEC-003") == wanted, "{row:?}");
        Ok(report)
    })
    .unwrap()
}

/// A policy that asks for artifacts, from this host too.
fn policy(host: &str) -> String {
    let policy = json!({
        "apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityPolicy", "metadata": {"name": "default"},
        "spec": {"tenancy": "Shared", "secrets": {"artifacts": {"enabled": true, "hosts": [host]}}},
    });
    policy.to_string()
}

/// What is applied from the ExternalArtifact.
const PARTS: &str = "
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: parts, namespace: default}
spec:
  interval: 10m
  path: ./
  prune: true
  suspend: true
  sourceRef: {kind: ExternalArtifact, name: parts}
";

/// The ExternalArtifact has this address and these bytes now.
fn external(control_plane: &ControlPlane, url: &str, archive: &[u8]) {
    let artifact = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"name": "parts", "namespace": "default"}, "spec": {},
    });
    control_plane.apply(&artifact.to_string()).unwrap();
    let sum = Sha256::digest(archive);
    let digest = sum
        .iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let status = json!({"status": {"artifact": {
        "url": url, "path": "parts.tgz", "revision": "1", "digest": digest, "lastUpdateTime": "2026-01-01T00:00:00Z",
    }}});
    let status = status.to_string();
    let object = ["patch", "externalartifact", "-n", "default", "parts"];
    let patch = ["--subresource=status", "--type=merge", "-p", &status];
    control_plane
        .kubectl(&[&object[..], &patch[..]].concat())
        .unwrap();
}

/// The address of a server that has never heard of TLS, and says so as servers of HTTP do.
fn without_tls() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream?;
            let _hello = stream.read(&mut [0; 16384])?;
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
        }
        std::io::Result::Ok(())
    });
    address
}

/// Others may serve over https: the host has to prove that it is the one that the policy names.
#[test]
fn an_external_artifact_comes_over_https_from_whom_a_policy_names() {
    let control_plane = installed();
    let authority = control_plane.certificate();
    let trusted = Server::start_secured(&authority, &control_plane.key());
    let (certificate, key) = control_plane.another_certificate().unwrap();
    let doubtful = Server::start_secured(&certificate, &key);
    let plain = without_tls();
    let archive = Tar::default()
        .file("db.yaml", secret("correct-horse-battery"))
        .gz();
    for server in [&trusted, &doubtful] {
        server.answer("/parts.tgz", Answer::Bytes(archive.clone()));
        let location = format!("location: https://{}/parts.tgz\r\n", trusted.address);
        server.answer("/away.tgz", Answer::Status(302, location));
    }
    let elsewhere = trusted.address.replace("127.0.0.1", "127.0.0.2");
    let hosts = [&trusted.address, &doubtful.address, &plain, &elsewhere];
    let policy = json!({
        "apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityPolicy", "metadata": {"name": "default"},
        "spec": {"tenancy": "Shared", "secrets": {"artifacts": {"enabled": true, "hosts": hosts}}},
    });
    control_plane.apply(&policy.to_string()).unwrap();
    control_plane.apply(PARTS).unwrap();
    let kubeconfig = control_plane
        .service_account("flux-security-system", "flux-security-operator")
        .unwrap();
    let authorities = control_plane.sandbox().folder().join("authorities.crt");
    fs::copy(&authority, &authorities).unwrap();
    let variables = [("FLUXSEC_ARTIFACT_AUTHORITIES", authorities.to_str().unwrap())];
    let mut operator = Operator::launch_with(&control_plane, &kubeconfig, &variables).unwrap();
    operator.wait_until_ready().unwrap();

    // Each says why it is not read, and nothing of it is known.
    let others = trusted.address.replace("127.0.0.1", "127.0.0.3");
    for (host, file, words) in [
        (
            &doubtful.address,
            "parts",
            "is of no authority that is trusted; --artifact-authorities",
        ),
        (
            &elsewhere,
            "parts",
            "the certificate of its server is of another host",
        ),
        (&plain, "parts", "its server does not speak TLS"),
        (
            &trusted.address,
            "away",
            "its server redirects, which is not followed",
        ),
        (&others, "parts", "it is https, and its host is not in"),
    ] {
        external(&control_plane, &format!("https://{host}/{file}.tgz"), &archive);
        wait_for(words, PATIENCE, || {
            let report = report(&control_plane)?;
            let rows = report["status"]["controls"].as_array().into_iter().flatten();
            let row = rows.into_iter().find(|row| row["id"] == "FSP-SEC-003");
            ensure!(result(&report, "FSP-SEC-003") == "Unknown", "{row:?}");
            ensure!(row.unwrap().to_string().contains(words), "{row:?}");
            Ok(())
        })
        .unwrap();
    }
    assert_eq!(trusted.times("/parts.tgz"), 0, "nobody is sent there");
    assert!(
        doubtful.asked().is_empty(),
        "nothing is asked of whom nobody vouches for"
    );

    external(
        &control_plane,
        &format!("https://{}/parts.tgz", trusted.address),
        &archive,
    );
    let found = until_result(&control_plane, "Fail");
    assert!(found.to_string().contains("db.yaml"), "{found}");
    assert!(!found.to_string().contains("correct-horse"), "{found}");
    assert_eq!(trusted.times("/parts.tgz"), 1);

    // Authorities are read again: those of the other server count once they are in the file.
    let repaired = Tar::default().file("db.yaml", encrypted()).gz();
    doubtful.answer("/parts.tgz", Answer::Bytes(repaired.clone()));
    fs::copy(&certificate, &authorities).unwrap();
    external(
        &control_plane,
        &format!("https://{}/parts.tgz", doubtful.address),
        &repaired,
    );
    until_result(&control_plane, "Pass");
    assert_eq!(doubtful.times("/parts.tgz"), 1);
    operator.process.check().unwrap();
}

/// The Kustomization is suspended: nobody but the operator comes for the artifact.
const SOURCES: &str = "
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: default}
spec: {interval: 1m, url: URL, ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: default}
spec:
  interval: 10m
  path: ./apps
  prune: true
  suspend: true
  sourceRef: {kind: GitRepository, name: fleet}
  decryption: {provider: sops}
";

/// A Secret with a value.
fn secret(value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  namespace: default\nstringData:\n  password: {value}\n"
    )
}

/// The same, as SOPS leaves it.
fn encrypted() -> String {
    let value = |kind: &str| {
        format!(
            "ENC[AES256_GCM,data:vXkqWQ8ZzA==,iv:{0}A=,tag:{1}==,type:{kind}]",
            "A".repeat(42),
            "A".repeat(22)
        )
    };
    let recipient = format!("age1{}", "q".repeat(58));
    format!(
        "{}sops:\n  age:\n    - recipient: {recipient}\n      enc: |\n        -----BEGIN AGE ENCRYPTED FILE-----\n        YWdl\n        -----END AGE ENCRYPTED FILE-----\n  lastmodified: \"2026-01-01T00:00:00Z\"\n  mac: {}\n  encrypted_regex: ^(data|stringData)$\n  version: 3.9.0\n",
        secret(&value("str")),
        value("str"),
    )
}

#[test]
fn a_secret_is_found_in_what_flux_serves_and_gone_with_the_next_revision() {
    let mut scene = Scene::start(&[("apps/db.yaml", &secret("correct-horse-battery"))]);
    let found = scene.until_result("Fail");
    let findings = found["status"]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|it| it["control"] == "FSP-SEC-003").unwrap();
    assert_eq!(finding["resource"]["name"], "fleet", "{finding}");
    assert!(finding.to_string().contains("apps/db.yaml"), "{finding}");
    assert!(!found.to_string().contains("correct-horse"), "{finding}");
    assert_eq!(scene.fetches(), 1);

    let appeared = scene.push("Encrypt", &[("apps/db.yaml", &encrypted())]);
    scene.until_result("Pass");
    let to_pass = appeared.elapsed();
    let appeared = scene.push("Leak again", &[("apps/more.yaml", &secret("tr0ub4dor-and-3"))]);
    scene.until_result("Fail");
    eprintln!(
        "artifact to report: {to_pass:?} to pass, {:?} to fail",
        appeared.elapsed()
    );
    assert_eq!(scene.fetches(), 3, "each digest once");

    // Looks at the same revision are no reason to fetch it, and neither is another policy.
    scene
        .control_plane
        .kubectl(&["label", "gitrepository", "-n", "default", "fleet", "a=b"])
        .unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(scene.fetches(), 3);

    // What a process knows goes with it; what it tells is the same, and so nothing is written.
    let before = versions(&scene.control_plane);
    scene.operator.process.stop().unwrap();
    scene.operator = Operator::start(&scene.control_plane).unwrap();
    wait_for("the artifact to be fetched again", PATIENCE, || {
        ensure!(scene.fetches() == 4, "{} fetches", scene.fetches());
        Ok(())
    })
    .unwrap();
    let series = "flux_security_last_success_timestamp_seconds{policy=\"default\"}";
    wait_for("an audit", PATIENCE, || {
        ensure!(scene.operator.metric(series)?.is_some(), "not yet");
        Ok(())
    })
    .unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(versions(&scene.control_plane), before);
    let log = scene.operator.process.log();
    assert!(
        !log.contains("correct-horse") && !log.contains("tr0ub4dor"),
        "{log}"
    );
}

/// A repository of two tenants, each of which sees its own folder.
const TENANTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: team-a, labels: {toolkit.fluxcd.io/tenant: team-a}}
---
apiVersion: v1
kind: Namespace
metadata: {name: team-b, labels: {toolkit.fluxcd.io/tenant: team-b}}
---
apiVersion: v1
kind: Secret
metadata: {name: sops-age, namespace: team-a}
stringData: {age.agekey: KEY}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: team, namespace: team-a}
spec: {interval: 1m, url: URL, ref: {branch: main}, ignore: \"/*\\n!/team-a\"}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: team, namespace: team-b}
spec: {interval: 1m, url: URL, ref: {branch: main}, ignore: \"/*\\n!/team-b\"}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: good, namespace: team-a}
spec:
  interval: 10m
  path: ./team-a/good
  prune: true
  targetNamespace: team-a
  sourceRef: {kind: GitRepository, name: team}
  decryption: {provider: sops, secretRef: {name: sops-age}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: others, namespace: team-a}
spec:
  interval: 10m
  path: ./team-a/others
  prune: true
  targetNamespace: team-a
  sourceRef: {kind: GitRepository, name: team}
  decryption: {provider: sops, secretRef: {name: sops-age}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app, namespace: team-b}
spec:
  interval: 10m
  path: ./team-b
  prune: true
  targetNamespace: team-b
  sourceRef: {kind: GitRepository, name: team}
";

/// A key of the real age, and what the real sops encrypts for it.
struct Vault {
    folder: tempfile::TempDir,
    programs: std::path::PathBuf,
}

impl Vault {
    fn new() -> Self {
        let vault = Self {
            folder: tempfile::tempdir().unwrap(),
            programs: SOPS.folder().unwrap(),
        };
        let mut command = Command::new(vault.programs.join("age-keygen"));
        command.arg("-o").arg(vault.folder.path().join("key.txt"));
        command.finish("no key").unwrap();
        vault
    }

    /// The line of the key file that begins so.
    fn key(&self, start: &str) -> String {
        let text = fs::read_to_string(self.folder.path().join("key.txt")).unwrap();
        let line = text.lines().find(|line| line.starts_with(start)).unwrap();
        line.trim_start_matches("# public key: ").to_owned()
    }

    fn encrypt(&self, text: &str) -> String {
        let file = self.folder.path().join("secret.yaml");
        fs::write(&file, text).unwrap();
        let mut command = Command::new(self.programs.join("sops"));
        command
            .args(["encrypt", "--age", &self.key("# public key: ")])
            .args(["--encrypted-regex", "^(data|stringData)$"])
            .arg(&file)
            .env("SOPS_DISABLE_VERSION_CHECK", "1");
        command.finish("sops refuses").unwrap()
    }
}

/// Where a control found what, by file and line.
fn places<'a>(report: &'a Value, control: &str) -> Vec<(&'a str, u64)> {
    let findings = report["status"]["findings"].as_array().into_iter().flatten();
    let mut places: Vec<_> = findings
        .filter(|finding| finding["control"] == control)
        .map(|finding| {
            let location = &finding["location"];
            (
                location["file"].as_str().unwrap(),
                location["line"].as_u64().unwrap(),
            )
        })
        .collect();
    places.sort_unstable();
    places
}

/// Plain text, properly encrypted, and edited after it was encrypted: told with file and line, to whom it belongs to,
/// and history as soon as it is repaired.
#[test]
fn leaks_are_told_to_their_tenant_and_stay_exposed_when_they_are_repaired() {
    let vault = Vault::new();
    let named = |name: &str, value: &str| secret(value).replace("name: db", &format!("name: {name}"));
    let good = vault.encrypt(&named("good", "fine-and-secret"));
    let sealed = vault.encrypt(&named("edited", "was-once-secret"));
    let edited = sealed.lines().map(|line| match line.find("password: ENC[") {
        Some(at) => format!("{}password: edited-in-plain-text\n", &line[..at]),
        None => format!("{line}\n"),
    });
    let edited: String = edited.collect();
    let app = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n";
    let sources = TENANTS.replace("KEY", &vault.key("AGE-SECRET-KEY-"));
    let mut scene = Scene::of(
        &sources,
        &[
            ("team-a/good/good.yaml", &good),
            (
                "team-a/others/plain.yaml",
                &named("plain", "correct-horse-battery"),
            ),
            ("team-a/others/edited.yaml", &edited),
            ("team-b/app.yaml", app),
        ],
    );
    let found = scene.until_result("Fail");
    let line = edited
        .lines()
        .position(|line| line.contains("edited-in-plain-text"))
        .unwrap() as u64
        + 1;
    let expected = [
        ("team-a/others/edited.yaml", line),
        ("team-a/others/plain.yaml", 7),
    ];
    let found = if places(&found, "FSP-SEC-003").len() == 2 {
        found
    } else {
        scene.until_places("FSP-SEC-003", 2)
    };
    assert_eq!(places(&found, "FSP-SEC-003"), expected);

    // Flux itself decrypts what is encrypted properly.
    let applied = [
        "get",
        "secret",
        "good",
        "-n",
        "team-a",
        "-o=jsonpath={.data.password}",
    ];
    let applied = wait_for("the Secret", PATIENCE, || scene.control_plane.kubectl(&applied)).unwrap();
    assert_eq!(applied.trim(), "ZmluZS1hbmQtc2VjcmV0");

    scene.is_told_to_team_a_alone();
    let repaired = vault.encrypt(&named("plain", "correct-horse-battery"));
    scene
        .repository
        .push(
            "Encrypt",
            &[
                ("team-a/others/plain.yaml", &repaired),
                ("team-a/others/edited.yaml", &sealed),
            ],
        )
        .unwrap();
    scene
        .control_plane
        .kubectl(&[
            "annotate",
            "gitrepository",
            "-n",
            "team-a",
            "team",
            "reconcile.fluxcd.io/requestedAt=1",
        ])
        .unwrap();
    let repaired = scene.until_result("Pass");
    assert_eq!(result(&repaired, "FSP-SEC-004"), "Fail");
    assert_eq!(places(&repaired, "FSP-SEC-004"), expected);
    assert!(repaired.to_string().contains("exposed, rotate"), "{repaired}");

    // A restart forgets nothing, and tells nothing else.
    scene.operator = restarted(scene.operator, &scene.control_plane);
    let after = report(&scene.control_plane).unwrap();
    assert_eq!(result(&after, "FSP-SEC-003"), "Pass");
    assert_eq!(places(&after, "FSP-SEC-004"), expected);
    scene.is_told_to_team_a_alone();

    // The history of the repository has them, too.
    let history = scene.history();
    let findings = history["findings"].as_array().unwrap().iter();
    let findings: Vec<_> = findings
        .map(|it| (it["file"].as_str().unwrap(), it["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(findings, expected);
    for text in [
        after.to_string(),
        history.to_string(),
        scene.operator.process.log(),
    ] {
        for value in ["correct-horse", "edited-in-plain", "was-once", "fine-and-secret"] {
            assert!(!text.contains(value), "{value} is told: {text}");
        }
    }
}

/// Served by a server of ours: Flux takes longer for such a repository than the operator does.
#[test]
fn an_artifact_of_fifty_megabytes_takes_the_memory_of_one_file() {
    let control_plane = installed();
    control_plane
        .apply(&SOURCES.replace("URL", "https://git.example.com/fleet"))
        .unwrap();
    let server = Server::start();
    control_plane.apply(&policy(&server.address)).unwrap();
    let mut operator = Operator::start(&control_plane).unwrap();
    let publish = |revision: &str, archive: Vec<u8>| {
        let path = format!("/gitrepository/default/fleet/{revision}.tar.gz");
        let digest = Sha256::digest(&archive);
        let digest = digest
            .iter()
            .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        server.answer(&path, Answer::Bytes(archive));
        let artifact = json!({
            "url": format!("http://{}{path}", server.address), "path": &path[1..], "digest": digest,
            "revision": revision, "lastUpdateTime": "2026-01-01T00:00:00Z",
        });
        let status = json!({"status": {"artifact": artifact}}).to_string();
        let arguments = ["patch", "--subresource=status", "--type=merge", "-p", &status];
        control_plane.kubectl(&[&arguments[..], &FLEET].concat()).unwrap();
    };
    let small = Tar::default().file("apps/a.yaml", "kind: ConfigMap\n");
    publish("1", small.gz());
    until_result(&control_plane, "Pass");
    std::thread::sleep(Duration::from_secs(2));
    let before = memory(&operator);

    // Pictures, as far as their first bytes tell: nothing else is looked at in them.
    let mut picture = vec![0; 1 << 20];
    picture[..6].copy_from_slice(b"GIF89a");
    let large = (0..50).fold(small, |archive, file| {
        archive.file(&format!("apps/{file}.bin"), &picture)
    });
    let large = large.file("apps/db.yaml", secret("correct-horse-battery"));
    let large = large.packed(Compression::none());
    let size = large.len();
    let published = Instant::now();
    publish("2", large);
    until_result(&control_plane, "Fail");
    let after = memory(&operator);
    eprintln!(
        "{size} bytes: {:?}, {before} KiB before, {after} KiB at most",
        published.elapsed()
    );
    assert!(size > 50 << 20, "{size}");
    assert!(
        after < before + 16 * 1024,
        "{before} KiB before, {after} KiB at most"
    );
    assert_eq!(server.asked().len(), 2);
    operator.process.check().unwrap();
}

/// The most that a process ever held, in KiB.
fn memory(operator: &Operator) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", operator.process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
}
