//! What a scan says of files that the real `sops` and `age-keygen` have made, and of what was done to them afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
#[path = "../benches/secrets/corpus/mod.rs"]
mod corpus;
#[path = "../benches/secrets/peers.rs"]
#[allow(dead_code, reason = "the benchmark uses the rest")]
mod peers;
#[path = "../benches/secrets/quality.rs"]
#[allow(dead_code, reason = "the benchmark uses the rest")]
mod quality;
#[path = "support/random.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod random;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use controlplane::flux;
use controlplane::programs::{Finish, SOPS};
use flux_security_operator::api::Tenancy;
use flux_security_operator::input;
use flux_security_operator::inventory::{Delta, ObjectKey, TreeKey, TreeState};
use flux_security_operator::kinds::KindId;
use flux_security_operator::render::fingerprint::fingerprint;
use flux_security_operator::render::{events, html, junit, markdown, metrics, openreports, report, sarif};
use flux_security_operator::secrets::inline::Trace;
use flux_security_operator::secrets::{Class, Format, Leak, Recipient, Scan, Tree};
use flux_security_operator::telemetry;
use k8s_openapi::jiff::Timestamp;
use prometheus::{Encoder, TextEncoder};
use random::Random;
use serde_json::{Value, json};
use support::policy;

/// A folder with a key of its own, made for one test.
struct Vault {
    folder: tempfile::TempDir,
    programs: PathBuf,
    recipient: String,
}

impl Vault {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = SOPS.folder().unwrap();
        let key = folder.path().join("key.txt");
        Command::new(programs.join("age-keygen"))
            .args(["-o".as_ref(), key.as_os_str()])
            .finish("no key")
            .unwrap();
        let text = fs::read_to_string(&key).unwrap();
        let recipient = text
            .lines()
            .find_map(|line| line.strip_prefix("# public key: "))
            .unwrap()
            .to_owned();
        Self {
            folder,
            programs,
            recipient,
        }
    }

    /// What sops makes of a file.
    fn encrypt(&self, name: &str, text: &str, arguments: &[&str]) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        self.sops(
            &path,
            &[&["encrypt", "--age", &self.recipient], arguments].concat(),
        )
    }

    fn decrypt(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        let mut command = self.command(&path, &["decrypt"]);
        command.finish("sops refuses")
    }

    fn sops(&self, path: &Path, arguments: &[&str]) -> String {
        self.command(path, arguments).finish("sops refuses").unwrap()
    }

    fn command(&self, path: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("sops"));
        command
            .args(arguments)
            .arg(path)
            .current_dir(self.folder.path())
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .env("SOPS_AGE_KEY_FILE", self.folder.path().join("key.txt"));
        command
    }
}

fn scan(name: &str, text: &str) -> Tree {
    let mut scan = Scan::default();
    scan.file(name, text.as_bytes());
    scan.finish()
}

const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata:
    name: db
    namespace: apps
type: Opaque
stringData:
    user: admin
    password: hunter2-hunter3
    lines: |
        one
        two
    empty: \"\"
data:
    token: aHVudGVyMi1odW50ZXIz
";

/// Files as people encrypt them: name, text, how, and what sops makes of them.
fn samples() -> Vec<(&'static str, &'static str, &'static [&'static str], Format)> {
    let by_regex: &[&str] = &["--encrypted-regex", "^(data|stringData)$"];
    vec![
        ("secret.yaml", SECRET, by_regex, Format::Yaml),
        (
            "values.yaml",
            "db:\n    password: hunter2\n    port: 5432\n    tls: true\n    ratio: 1.5\n    list: [a, b]\n    nothing: null\n",
            &[],
            Format::Yaml,
        ),
        ("suffix.yaml", "a_unencrypted: x\nb: hunter2\n", &[], Format::Yaml),
        (
            "suffixed.yaml",
            "a: x\nb_secret: hunter2\n",
            &["--encrypted-suffix", "_secret"],
            Format::Yaml,
        ),
        (
            "regex.yaml",
            "a: x\nb: hunter2\n",
            &["--unencrypted-regex", "^a$"],
            Format::Yaml,
        ),
        (
            "comments.yaml",
            "# a password\nb: hunter2 # of the database\n",
            &[],
            Format::Yaml,
        ),
        ("many.yaml", "a: hunter2\n---\nb: hunter3\n", &[], Format::Yaml),
        (
            "secret.json",
            r#"{"apiVersion": "v1", "kind": "Secret", "stringData": {"password": "hunter2", "umlaut": "\ud83d\ude00"}}"#,
            by_regex,
            Format::Json,
        ),
        (
            "db.env",
            "# the database\nPASSWORD=hunter2\nUSER=admin\n",
            &[],
            Format::Dotenv,
        ),
        (
            "db.ini",
            "[db]\npassword = hunter2\nuser = admin\n",
            &[],
            Format::Ini,
        ),
        ("db.txt", "hunter2\n", &[], Format::Binary),
    ]
}

#[test]
fn what_sops_has_encrypted_is_no_leak() {
    let vault = Vault::new();
    for (name, text, how, format) in samples() {
        let encrypted = vault.encrypt(name, text, how);
        let tree = scan(name, &encrypted);
        assert_eq!(&*tree.leaks, &[], "{name}\n{encrypted}");
        assert_eq!(tree.lack(), None, "{name}");
        assert!(!tree.encrypted.is_empty(), "{name}\n{encrypted}");
        for it in &tree.encrypted {
            assert_eq!(it.format, format, "{name}");
            assert_eq!(
                &*it.recipients,
                [Recipient::Age(vault.recipient.as_str().into())],
                "{name}"
            );
            assert_ne!(it.code, 0, "{name}");
        }
        assert!(vault.decrypt(name, &encrypted).is_ok(), "{name}");
    }
}

/// The values of a file that sops has encrypted: where each begins and ends.
fn values(text: &str) -> Vec<(usize, usize)> {
    let all = text.match_indices("ENC[AES256_GCM,");
    let whole = all.map(|(start, _)| (start, start + text[start..].find(']').unwrap() + 1));
    whole
        .filter(|(_, end)| !text[..*end].ends_with("type:comment]"))
        .collect()
}

#[test]
fn a_value_that_somebody_has_put_in_is_one_leak() {
    let vault = Vault::new();
    for (name, text, how, _) in samples() {
        let encrypted = vault.encrypt(name, text, how);
        for (start, end) in values(&encrypted) {
            let line = encrypted[..start].rsplit('\n').next().unwrap();
            let key = line.trim_start_matches([' ', '\t', '"']);
            let is_code = ["mac", "sops_mac"].iter().any(|code| key.starts_with(code));
            let edited = format!("{}plain-text{}", &encrypted[..start], &encrypted[end..]);
            let tree = scan(name, &edited);
            let line = u32::try_from(encrypted[..start].matches('\n').count() + 1).unwrap();
            if is_code {
                // Several documents have the same code, each of its own.
                assert!(
                    tree.leaks.iter().all(|leak| leak.trace == Trace::NoRecipient),
                    "{name}:{line}"
                );
                assert!(!tree.leaks.is_empty(), "{name}:{line}");
                continue;
            }
            let [leak] = &*tree.leaks else {
                panic!("{name}:{line} {:?}\n{edited}", tree.leaks)
            };
            assert_eq!(
                (leak.line, leak.class, leak.trace),
                (line, Class::Sops, Trace::Unencrypted),
                "{name}"
            );
            assert!(
                vault.decrypt(name, &edited).is_err(),
                "sops takes it, and we do not: {name}:{line}"
            );
        }
    }
}

#[test]
fn a_selector_that_leaves_data_of_a_secret_out_is_a_leak() {
    let vault = Vault::new();
    let encrypted = vault.encrypt("a.yaml", SECRET, &["--encrypted-regex", "^data$"]);
    assert!(vault.decrypt("a.yaml", &encrypted).is_ok(), "and Flux applies it");
    let leaks = scan("a.yaml", &encrypted).leaks;
    let left: Vec<&str> = leaks.iter().map(|leak| &*leak.field).collect();
    assert_eq!(
        left,
        ["stringData.user", "stringData.password", "stringData.lines"]
    );
    assert!(
        leaks
            .iter()
            .all(|leak| leak.trace == Trace::LeftPlain && leak.class == Class::Sops)
    );
    let all_but = "^(apiVersion|kind|metadata|type|user)$";
    let encrypted = vault.encrypt("b.yaml", SECRET, &["--unencrypted-regex", all_but]);
    let leaks: Vec<Leak> = scan("b.yaml", &encrypted).leaks.into();
    assert_eq!(leaks.len(), 1, "{leaks:?}");
    assert_eq!(
        (&*leaks[0].field, leaks[0].trace),
        ("stringData.user", Trace::LeftPlain)
    );
}

#[test]
fn all_recipients_of_a_file_are_told() {
    let (one, other) = (Vault::new(), Vault::new());
    let both = format!("{},{}", one.recipient, other.recipient);
    let path = one.folder.path().join("a.yaml");
    fs::write(&path, "a: b\n").unwrap();
    let encrypted = one.sops(&path, &["encrypt", "--age", &both]);
    let mut wanted = vec![one.recipient.clone(), other.recipient];
    wanted.sort();
    let tree = scan("a.yaml", &encrypted);
    let found: Vec<&str> = tree.encrypted[0]
        .recipients
        .iter()
        .map(Recipient::as_str)
        .collect();
    assert_eq!(found, wanted);
    let copy = scan("b.yaml", &encrypted);
    assert_eq!(tree.encrypted[0].code, copy.encrypted[0].code, "a copy is known");
    let again = one.encrypt("a.yaml", "a: b\n", &[]);
    assert_ne!(tree.encrypted[0].code, scan("a.yaml", &again).encrypted[0].code);
}

#[test]
fn the_keys_that_open_it_are_a_leak() {
    let vault = Vault::new();
    let key = fs::read_to_string(vault.folder.path().join("key.txt")).unwrap();
    let leaks = scan("age.agekey", &key).leaks;
    assert_eq!(
        (leaks.len(), leaks[0].trace, leaks[0].line),
        (1, Trace::PrivateKey, 3)
    );
    let generator = "secretGenerator:\n- name: sops-age\n  files: [age.agekey]\n";
    let mut whole = Scan::default();
    whole.file("kustomization.yaml", generator.as_bytes());
    whole.file("age.agekey", key.as_bytes());
    assert_eq!(
        whole.finish().leaks.len(),
        2,
        "it is a key, and a Secret in plain text"
    );
}

/// Values that nobody writes by chance, of letters and digits in turn: a part of one is known wherever it turns up.
fn planted(count: usize) -> Vec<String> {
    let mut random = Random(0x005e_c2e7);
    let letters = b"BCDFGHJKLMNPQRSTVWXZ";
    let value = |random: &mut Random| -> String {
        let pair = |random: &mut Random| [*random.pick(letters) as char, *random.pick(b"23456789") as char];
        (0..8).flat_map(|_| pair(random)).collect()
    };
    (0..count).map(|_| value(&mut random)).collect()
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |chunk: &[u8]| {
        let at = |position: usize| u32::from(chunk.get(position).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let digit = |place: usize| DIGITS[(bits >> (18 - 6 * place) & 63) as usize] as char;
        (0..4)
            .map(|place| if place > chunk.len() { '=' } else { digit(place) })
            .collect::<String>()
    };
    text.as_bytes().chunks(3).map(digits).collect()
}

/// A file for each value, in turn of every kind that there is: path and text.
fn plant(values: &[String]) -> Vec<(String, String)> {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: apps}\n";
    let flux = |kind: &str, group: &str, spec: &str| {
        format!(
            "apiVersion: {group}.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata: {{name: a, namespace: apps}}\nspec:\n{spec}"
        )
    };
    let file = |number: usize, value: &String| {
        let name = format!("n{number}");
        match number % 22 {
            0 => (format!("{name}.yaml"), format!("{secret}stringData:\n  user: {value}\n")),
            1 => (format!("{name}.yaml"), format!("{secret}data:\n  user: {}\n", base64(value))),
            2 => (format!("{name}.json"), format!("{{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"stringData\": {{\"user\": \"{value}\"}}}}")),
            3 => (format!("{name}.yaml"), flux("HelmRelease", "helm", &format!("  interval: 5m\n  chartRef: {{kind: OCIRepository, name: a}}\n  values: {{password: {value}}}\n")).replace("/v1\n", "/v2\n")),
            4 => (format!("{name}.yaml"), flux("Kustomization", "kustomize", &format!("  interval: 5m\n  prune: true\n  sourceRef: {{kind: GitRepository, name: a}}\n  postBuild: {{substitute: {{db_password: {value}}}}}\n"))),
            5 => (format!("{name}.yaml"), flux("GitRepository", "source", &format!("  interval: 5m\n  url: https://robot:{value}@git.example.com/a\n"))),
            6 => (format!("{name}.yaml"), format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: apps}}\ndata:\n  url: postgres://a:{value}@db/a\n  a.conf: |\n    password: {value}\n")),
            7 => (format!("{name}.env"), format!("DB_PASSWORD={value}\n")),
            8 => (format!("{name}.env"), format!("A={value}\nsops_mac=broken\nsops_version=3\n")),
            9 => (format!("{name}/kustomization.yaml"), format!("secretGenerator:\n- name: a\n  literals: [user={value}]\n")),
            10 => (format!("{name}.yaml"), format!("{secret}  broken: [\nstringData:\n  user: {value}\n")),
            11 => (format!("{name}.yaml"), format!("{{{{- if .Values.on }}}}\n{secret}stringData:\n  user: {value}\n")),
            12 => (format!("{name}.md"), format!("Use `curl -u robot:{value} https://example.com`.\n")),
            13 => (format!("{name}.yaml"), format!("{secret}stringData:\n  a {value}: {value}\n")),
            14 => (format!("{name}.yaml"), format!("{secret}stringData:\n  user: ENC[AES256_GCM,data:{value}]\nsops:\n  mac: {value}\n  encrypted_regex: ({value}\n")),
            15 => (format!("{name}.ini"), format!("[db]\npassword = {value}\n")),
            16 => (format!("{name}.txt"), ["-----BEGIN PRIVATE", " KEY-----\n", value, value, value, "\n-----END"].concat()),
            17 => (format!("{name}.yaml"), flux("Provider", "notification", &format!("  type: slack\n  address: https://hooks.slack.com/services/T0/B0/{value}\n")).replace("/v1\n", "/v1beta3\n")),
            18 => (format!("{name}.yaml"), format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a, name: b}}\nstringData: {{user: {value}}}\n")),
            19 => (format!("{name}.yaml"), format!("kind: Config\nusers:\n- user: {{token: {value}{value}}}\n")),
            20 => (format!("{name}.yaml"), format!("apiVersion: external-secrets.io/v1\nkind: SecretStore\nspec: {{provider: {{fake: {{data: [{{key: a, value: {value}}}]}}}}}}\n")),
            _ => (format!("{name}.yaml"), format!("{secret}stringData:\n  user: |\n    {value}\n    {value}\n")),
        }
    };
    values
        .iter()
        .enumerate()
        .map(|(number, value)| file(number, value))
        .collect()
}

/// Every part of a value that is told of it, as it is and in base64.
fn parts(values: &[String]) -> BTreeSet<String> {
    let windows = |text: &str, length: usize| -> Vec<String> {
        (0..=text.len() - length)
            .map(|at| text[at..at + length].to_owned())
            .collect()
    };
    values
        .iter()
        .flat_map(|value| [windows(value, 6), windows(&base64(value), 10)].concat())
        .collect()
}

fn assert_tells_nothing(parts: &BTreeSet<String>, output: &str, whose: &str) {
    let output = output.as_bytes();
    for length in [6, 10] {
        for window in output.windows(length) {
            let Ok(text) = str::from_utf8(window) else {
                continue;
            };
            assert!(!parts.contains(text), "{whose} tells {text}");
        }
    }
}

#[test]
fn nothing_of_a_value_is_ever_told() {
    let values = planted(220);
    let files = plant(&values);
    let parts = parts(&values);
    let mut scan = Scan::default();
    for (path, text) in &files {
        scan.file(path, text.as_bytes());
    }
    let tree = scan.finish();
    let with_leak: BTreeSet<&str> = tree.leaks.iter().map(|leak| &*leak.file).collect();
    let missed: Vec<&String> = files
        .iter()
        .map(|(path, _)| path)
        .filter(|path| !with_leak.contains(path.as_str()))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
    assert_tells_nothing(&parts, &format!("{tree:?}"), "the tree");
}

#[test]
fn no_format_and_no_log_tells_anything_of_a_value() {
    let values = planted(220);
    let parts = parts(&values);
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in plant(&values) {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    for format in support::FORMATS {
        let output = Command::new(env!("CARGO_BIN_EXE_fluxsec"))
            .args(["audit", "--tenancy", "shared", "-o", format, "-f"])
            .arg(folder.path())
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            told.contains("FSP-SEC-003"),
            "{format}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_tells_nothing(&parts, &told, format);
        assert_tells_nothing(&parts, &String::from_utf8_lossy(&output.stderr), "standard error");
    }
}

/// The objects among planted files, each with a name of its own, and a repository for each tree.
fn objects(files: &[(String, String)]) -> Vec<Value> {
    let of_flux = files
        .iter()
        .filter(|(_, text)| text.contains("toolkit.fluxcd.io"));
    let object = |(path, text): &(String, String)| -> Value {
        let text = text.replace("name: a,", &format!("name: {},", path.trim_end_matches(".yaml")));
        serde_saphyr::from_str(&text).unwrap()
    };
    let repository = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": "apps"}, "spec": {"url": "https://git.example.com/a", "interval": "5m"},
    });
    of_flux.map(object).chain([repository]).collect()
}

/// Everything that an operator tells of a cluster whose objects and artifacts hold all of that.
#[test]
fn no_report_event_or_metric_tells_anything_of_a_value() {
    let values = planted(220);
    let files = plant(&values);
    let parts = parts(&values);
    let mut scan = Scan::default();
    for (path, text) in &files {
        scan.file(path, text.as_bytes());
    }
    let kind = KindId::all().find(|kind| kind.name() == "GitRepository").unwrap();
    let state = TreeState::Scanned {
        revision: "main@sha1:a".into(),
        digest: "sha256:a".into(),
        tree: Arc::new(scan.finish()),
    };
    let mut engine = support::engine(Tenancy::Shared);
    engine.ingest(objects(&files).iter().map(support::upsert));
    engine.ingest([
        Delta::TreesAreRead(true),
        Delta::Tree(TreeKey::Source(kind, ObjectKey::new("apps", "fleet")), state),
    ]);
    let now = Timestamp::UNIX_EPOCH;
    let posture = support::posture(&engine);
    let whole = report::uncut(&posture, now);
    let ids = whole.findings.iter().map(|finding| finding.control.as_str());
    let told: BTreeSet<&str> = ids.collect();
    for id in ["FSP-SEC-003", "FSP-SEC-004", "FSP-SEC-005"] {
        assert!(told.contains(id), "{told:?}");
    }
    let status = report::report(&posture, None, now);
    let namespaces = report::namespace_reports(&posture, &BTreeMap::new(), now);
    let events = events::transitions("test", "uid", None, &status, &posture);
    assert!(!namespaces.is_empty() && !events.is_empty());
    let families = metrics::families(&engine.posture(), true).unwrap();
    let mut scrape = Vec::new();
    TextEncoder::new().encode(&families, &mut scrape).unwrap();
    let fingerprints: Vec<String> = whole.findings.iter().map(fingerprint).collect();
    for (whose, output) in [
        ("the report", serde_json::to_string(&status).unwrap()),
        ("the whole report", serde_json::to_string(&whole).unwrap()),
        ("reports of namespaces", format!("{namespaces:?}")),
        ("Events", format!("{events:?}")),
        ("metrics", String::from_utf8(scrape).unwrap()),
        ("SARIF", sarif::sarif("test", &whole).unwrap()),
        ("HTML", html::html(&whole)),
        ("JUnit", junit::junit(&whole)),
        ("Markdown", markdown::markdown(&whole)),
        (
            "policy reports",
            openreports::openreports("test", &whole).unwrap(),
        ),
        ("fingerprints", fingerprints.concat()),
        (
            "what the engine knows",
            format!("{posture:?} {:?}", engine.inventory().trees()),
        ),
    ] {
        assert!(output.len() > 100, "{whose}");
        assert_tells_nothing(&parts, &output, whose);
    }
}

/// Whoever cuts a text where no letter begins is told of the text.
#[test]
fn a_panic_quotes_nothing() {
    let values = planted(1);
    let parts = parts(&values);
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = told.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let quoted = info
            .payload()
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_default();
        kept.lock().unwrap().push((telemetry::panicked(info), quoted));
    }));
    let text = format!("{}é", values[0]);
    let cut = std::thread::spawn(move || text[..text.len() - 1].len()).join();
    let own = std::thread::spawn(|| panic!("invariant: words of the program")).join();
    std::panic::set_hook(before);
    assert!(cut.is_err() && own.is_err());
    let told = told.lock().unwrap();
    let of = |part: &str| {
        told.iter()
            .find(|(told, quoted)| (told.clone() + quoted).contains(part))
            .unwrap()
    };
    let (cut, quoted) = of(&values[0]);
    assert!(quoted.contains(&values[0]), "or there is nothing to hide");
    assert!(cut.starts_with("panicked at tests/secrets.rs:"), "{cut}");
    assert_tells_nothing(&parts, cut, "a panic");
    assert!(
        of("words of the program")
            .0
            .ends_with(": invariant: words of the program")
    );
}

/// What the benchmark makes: the same without a tree of every document as with one.
#[test]
fn what_is_planted_is_found_and_nothing_else() {
    let documents = corpus::documents(1200);
    let scores = quality::score(&documents, &quality::ours(&documents));
    let all = quality::sum(scores.into_iter());
    assert!(all.recall() >= quality::RECALL, "{} missed", all.missed);
    assert!(all.precision() >= quality::PRECISION, "{} false", all.false_ones);
    for document in &documents {
        let [told, wanted] = [Scan::default(), Scan::thorough()].map(|mut scan| {
            for file in &document.files {
                scan.file(&file.path, &file.bytes);
            }
            scan.finish()
        });
        assert_eq!(told, wanted, "{}: {}", document.shape, document.files[0].path);
    }
}

#[test]
fn what_flux_installs_has_no_secret() {
    let mut scan = Scan::default();
    scan.file("gotk-components.yaml", flux::manifests().unwrap().as_bytes());
    let mut files = 1;
    for entry in fs::read_dir("tests/shapes").unwrap() {
        let path = entry.unwrap().path();
        scan.file(&path.to_string_lossy(), &fs::read(&path).unwrap());
        files += 1;
    }
    let tree = scan.finish();
    assert!(files > 5);
    assert_eq!((&*tree.leaks, tree.lack()), (&[][..], None));
}

#[test]
fn hostile_files_take_neither_time_nor_memory() {
    let began = Instant::now();
    let deep = "{\"secret\":".repeat(20_000);
    let long = format!("password: {}", "x y".repeat(150_000));
    let aliases = (1..40).fold("a0: &a0 [secret]\n".to_owned(), |text, level| {
        format!(
            "{text}a{level}: &a{level} [*a{0}, *a{0}, *a{0}, *a{0}]\n",
            level - 1
        )
    });
    let base64 = format!(
        "apiVersion: v1\nkind: Secret\ndata: {{a: {}}}\n",
        "QUFB".repeat(100_000)
    );
    let colons = "://".repeat(200_000);
    let selector = format!(
        "a: b\nsops: {{encrypted_regex: '{}', mac: x}}\n",
        "(a|b)*".repeat(2_000)
    );
    let keys = format!(
        "{{\"secret\": {{{}}}}}",
        (0..110_000)
            .map(|it| format!("\"a{it}\":1"))
            .collect::<Vec<_>>()
            .join(",")
    );
    let frames = "-----BEGIN PRIVATE KEY-----".repeat(20_000);
    let lines = "password=\n".repeat(50_000);
    let dashes = "---\n".repeat(100_000);
    let bytes: Vec<u8> = (0..=255).cycle().take(50_000).collect();
    for (number, text) in [
        deep, long, aliases, base64, colons, selector, keys, frames, lines, dashes,
    ]
    .iter()
    .enumerate()
    {
        for name in ["a.yaml", "a.json", "a.env", "a.txt"] {
            let mut scan = Scan::default();
            scan.file(name, text.as_bytes());
            scan.file(name, &bytes);
            let tree = scan.finish();
            assert!(tree.leaks.len() <= 1000, "{number} {name}");
        }
    }
    assert!(began.elapsed() < Duration::from_mins(5), "{:?}", began.elapsed());
}

/// Findings of a control as `file:line field`.
fn found(folder: &Path, id: &str) -> Vec<String> {
    let audited = input::audit(&[folder.to_owned()], "test", &policy(Tenancy::Shared)).unwrap();
    assert_eq!(audited.troubles, Vec::<String>::new());
    let root = format!("{}/", folder.display());
    let findings = audited.posture.findings.iter().map(|it| &it.finding);
    let findings = findings.filter(|it| it.control == id);
    let told = findings.map(|it| {
        let location = &it.location;
        assert_eq!(it.resource.kind, "FluxSecurityPolicy");
        format!(
            "{}:{} {}",
            location.file.replace(&root, ""),
            location.line.unwrap(),
            location.field
        )
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    told
}

#[test]
fn an_audit_of_a_folder_tells_files_and_lines() {
    let folder = tempfile::tempdir().unwrap();
    let token = ["ghp", "_aB3dE5fG7hJ9kL2mN4pQ6rS8tU0vW1xY2zA3\n"].concat();
    for (path, text) in [
        (
            "apps/db.yaml",
            "# the database\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  user: admin\n",
        ),
        ("apps/values.yaml", "auth:\n  password: hunter2\n"),
        ("apps/b.env", "USER=admin\n"),
        (
            "apps/kustomization.yaml",
            "resources: [db.yaml]\nsecretGenerator:\n- name: b\n  envs: [b.env]\n",
        ),
        ("chart/Chart.yaml", "name: a\n"),
        (
            "chart/templates/secret.yaml",
            "{{- if .Values.on }}\napiVersion: v1\nkind: Secret\nstringData:\n  user: admin\n{{- end }}\n",
        ),
        ("notes", &token),
        (".git/config", &token),
        ("logo.png", "\u{89}PNG"),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    assert_eq!(
        found(folder.path(), "FSP-SEC-003"),
        [
            "apps/b.env:1 ",
            "apps/db.yaml:7 stringData.user",
            "chart/templates/secret.yaml:5 "
        ]
    );
    assert_eq!(
        found(folder.path(), "FSP-SEC-004"),
        ["apps/values.yaml:2 auth.password", "notes:1 "]
    );
}

#[test]
fn an_audit_tells_that_two_tenants_share_a_recipient() {
    let vault = Vault::new();
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("gotk-components.yaml"),
        flux::manifests().unwrap(),
    )
    .unwrap();
    let write = |tenant: &str| {
        let namespace = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {tenant}, labels: {{toolkit.fluxcd.io/tenant: {tenant}}}}}\n"
        );
        let secret = SECRET.replace("namespace: apps", &format!("namespace: {tenant}"));
        let secret = vault.encrypt(
            "secret.yaml",
            &secret,
            &["--encrypted-regex", "^(data|stringData)$"],
        );
        fs::write(
            folder.path().join(format!("{tenant}.yaml")),
            format!("{namespace}---\n{secret}"),
        )
        .unwrap();
    };
    write("shop");
    assert!(found(folder.path(), "FSP-SEC-011").is_empty());
    write("bank");
    let audited = input::audit(&[folder.path().to_owned()], "test", &policy(Tenancy::Shared)).unwrap();
    let findings = audited.posture.findings.iter().map(|it| &it.finding);
    let told: Vec<&str> = findings
        .filter(|it| it.control == "FSP-SEC-011")
        .map(|it| it.message.as_str())
        .collect();
    assert_eq!(told.len(), 1);
    for part in ["bank, shop", &vault.recipient, "bank.yaml", "shop.yaml"] {
        assert!(told[0].contains(part), "{part}: {}", told[0]);
    }
}
