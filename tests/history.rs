//! `fluxsec scan-history` on repositories that the real `git` has made.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flux_security_operator::api::history::{HistoryFinding, HistoryReport};
use flux_security_operator::history::{self, HistoryError, Key, Place};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

/// Values that no output may have.
const VALUE: &str = "hunter2-hunter3-a";
const OTHER: &str = "hunter2-hunter3-b";

/// A clone that git made, in a folder of its own.
struct Clone {
    folder: tempfile::TempDir,
    commits: std::cell::Cell<u32>,
}

impl Clone {
    fn new() -> Self {
        let clone = Self {
            folder: tempfile::tempdir().unwrap(),
            commits: std::cell::Cell::new(0),
        };
        clone.git(&["init", "--quiet", "--initial-branch=main"]);
        clone
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(
            self.path(),
            arguments,
            1_700_000_000 + 3600 * i64::from(self.commits.get()),
        )
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits what is there; tells the commit.
    fn commit(&self) -> String {
        self.commits.set(self.commits.get() + 1);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn scan(&self) -> HistoryReport {
        scan(Place::Repository(self.path())).unwrap()
    }
}

fn git(folder: &Path, arguments: &[&str], seconds: i64) -> String {
    let date = format!("{seconds} +0000");
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "-c",
            "gc.auto=0",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_AUTHOR_DATE", &date)
        .env("GIT_COMMITTER_DATE", &date)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn scan(place: Place<'_>) -> Result<HistoryReport, HistoryError> {
    let key = Key::new(b"a key of the tests").unwrap();
    let now: Timestamp = "2026-11-26T12:00:00.5Z".parse().unwrap();
    history::scan(place, Some("https://me:token@git.example.com/a/b.git"), &key, now)
}

fn secret(value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: apps}}\nstringData:\n  password: {value}\n"
    )
}

fn only(report: &HistoryReport) -> &HistoryFinding {
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    &report.findings[0]
}

fn first_and_last(finding: &HistoryFinding) -> (&str, &str) {
    (
        &finding.first.as_ref().unwrap().id,
        &finding.last.as_ref().unwrap().id,
    )
}

#[test]
fn a_secret_that_was_removed_stays_in_the_history() {
    let clone = Clone::new();
    clone.write("README.md", "nothing\n");
    let start = clone.commit();
    clone.write("apps/db.yaml", &secret(VALUE));
    let added = clone.commit();
    // Another version of the file with the same value, on another line, is the same secret.
    clone.write("apps/db.yaml", &format!("# moved\n{}", secret(VALUE)));
    let moved = clone.commit();
    fs::remove_file(clone.path().join("apps/db.yaml")).unwrap();
    let removed = clone.commit();
    let report = clone.scan();
    let finding = only(&report);
    assert_eq!(
        (&*finding.file, finding.line, &*finding.rule),
        ("apps/db.yaml", 6, "secret-data")
    );
    assert_eq!(
        (&*finding.object, &*finding.field),
        ("Secret apps/db", "stringData.password")
    );
    assert_eq!(first_and_last(finding), (&*added, &*moved));
    assert_eq!((finding.versions, &*finding.still_in), (2, ""));
    assert_eq!((report.complete, report.lacks.len()), (true, 0));
    let range = &report.range;
    assert_eq!((range.commits, range.blobs, range.refs), (4, 3, 1));
    assert_eq!(range.head, removed);
    let ends = [&range.first, &range.last].map(|it| it.as_ref().unwrap().id.clone());
    assert_eq!(ends, [start, removed]);
    assert_eq!(report.repository, "https://git.example.com/a/b.git");
    assert_eq!(report.scanned_at.0.to_string(), "2026-11-26T12:00:00Z");
}

#[test]
fn a_value_that_was_changed_is_another_secret() {
    let clone = Clone::new();
    clone.write("db.yaml", &secret(VALUE));
    let first = clone.commit();
    clone.write("db.yaml", &secret(OTHER));
    let second = clone.commit();
    let report = clone.scan();
    let mut told: Vec<_> = report
        .findings
        .iter()
        .map(|it| (first_and_last(it), &*it.still_in))
        .collect();
    told.sort_by_key(|(_, still_in)| *still_in);
    assert_eq!(told, [((&*first, &*first), ""), ((&*second, &*second), "HEAD")]);
    assert_ne!(report.findings[0].fingerprint, report.findings[1].fingerprint);
}

#[test]
fn branches_and_tags_are_part_of_the_history() {
    let clone = Clone::new();
    clone.write("README.md", "nothing\n");
    clone.commit();
    clone.git(&["checkout", "--quiet", "-b", "try/it"]);
    clone.write("branch.yaml", &secret(VALUE));
    let on_branch = clone.commit();
    clone.git(&["checkout", "--quiet", "main"]);
    clone.git(&["checkout", "--quiet", "--detach"]);
    clone.write("tag.yaml", &secret(OTHER));
    let on_tag = clone.commit();
    clone.git(&["tag", "--annotate", "v1", "--message", "one"]);
    clone.git(&["tag", "--annotate", "v2", "v1", "--message", "a tag of a tag"]);
    clone.git(&["checkout", "--quiet", "main"]);
    let report = clone.scan();
    let told: Vec<_> = report
        .findings
        .iter()
        .map(|it| (&*it.file, first_and_last(it).0, &*it.still_in))
        .collect();
    assert_eq!(
        told,
        [
            ("branch.yaml", &*on_branch, "refs/heads/try/it"),
            ("tag.yaml", &*on_tag, "refs/tags/v1")
        ]
    );
    // The same when references and objects are packed, and when some are again not.
    clone.git(&["pack-refs", "--all"]);
    clone.git(&["repack", "-a", "-d", "-f", "--depth=50", "--quiet"]);
    assert_eq!(clone.scan(), report);
    clone.git(&["tag", "v3", "v2"]);
    assert_eq!(clone.scan().findings, report.findings);
}

#[test]
fn tags_lead_to_what_they_like() {
    let clone = Clone::new();
    clone.write("a", "nothing\n");
    clone.commit();
    clone.write("db.yaml", &secret(VALUE));
    let blob = clone.git(&["hash-object", "-w", "db.yaml"]);
    clone.git(&["tag", "file", &blob]);
    let report = clone.scan();
    let finding = only(&report);
    assert_eq!(&*finding.still_in, "refs/tags/file");
    // It is a file without a name, and may be a manifest.
    assert_eq!(finding.file, format!("{blob}.yaml"));
}

#[test]
fn a_file_that_was_renamed_is_one_finding() {
    let clone = Clone::new();
    clone.write("old/db.yaml", &secret(VALUE));
    clone.commit();
    clone.git(&["mv", "old/db.yaml", "old/database.yaml"]);
    let last = clone.commit();
    let report = clone.scan();
    let finding = only(&report);
    assert_eq!(&*finding.file, "old/database.yaml");
    assert_eq!(finding.other_files, ["old/db.yaml"]);
    assert_eq!(first_and_last(finding).1, last);
}

#[test]
fn what_a_file_is_depends_on_each_of_its_names() {
    let clone = Clone::new();
    // A setting in `.env`, and nothing that is looked into in `.txt`.
    clone.write("a.txt", &format!("DB_PASSWORD={VALUE}\n"));
    clone.write("z.env", &format!("DB_PASSWORD={VALUE}\n"));
    clone.commit();
    assert!(only(&clone.scan()).file.ends_with("z.env"));
}

#[test]
fn what_a_secret_was_made_of_stays_a_secret() {
    let clone = Clone::new();
    let generator = |files: &str| format!("secretGenerator:\n- name: a\n  files: [{files}]\n");
    clone.write("apps/db/user.txt", "somebody\n");
    clone.write("apps/keys/pin.txt", "4711\n");
    clone.write("apps/other/user.txt", "nobody\n");
    clone.write("apps/db/kustomization.yaml", "resources: []\n");
    let start = clone.commit();
    clone.write(
        "apps/db/kustomization.yaml",
        &generator("user.txt, pin=./../keys/pin.txt, absent.txt, https://example.com/user.txt"),
    );
    clone.commit();
    // Nothing here reads it, however it is called.
    clone.write("apps/other/generator.yaml", &generator("user.txt"));
    let last = clone.commit();
    fs::remove_file(clone.path().join("apps/db/kustomization.yaml")).unwrap();
    fs::remove_file(clone.path().join("apps/db/user.txt")).unwrap();
    fs::remove_file(clone.path().join("apps/other/generator.yaml")).unwrap();
    clone.commit();
    let report = clone.scan();
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|it| (&*it.file, &*it.rule, &*it.object, &*it.still_in))
        .collect();
    let by = "secretGenerator of apps/db";
    assert_eq!(
        found,
        [
            ("apps/db/user.txt", "secret-generator", by, ""),
            ("apps/keys/pin.txt", "secret-generator", by, "HEAD")
        ]
    );
    assert_eq!(first_and_last(&report.findings[0]), (&*start, &*last));
    assert!(report.complete, "{:?}", report.lacks);
}

#[test]
fn only_what_stood_beside_a_kustomization_was_made_a_secret() {
    let clone = Clone::new();
    clone.write("app/a.env", "USER=somebody\n");
    clone.commit();
    // It is encrypted before anything makes a Secret of it.
    let encrypted = "ENC[AES256_GCM,data:c2VjcmV0,iv:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,tag:AAECAwQFBgcICQoLDA0ODw==,type:str]";
    clone.write(
        "app/a.env",
        &format!("USER={encrypted}\nsops_mac={encrypted}\nsops_version=3\nsops_age__list_0__map_recipient=age1abc\n"),
    );
    clone.write("app/kustomization.yaml", "secretGenerator:\n- envs: [a.env]\n");
    clone.commit();
    clone.write("app/a.env", "USER=somebody else\n");
    clone.commit();
    let report = clone.scan();
    let finding = only(&report);
    assert_eq!((&*finding.file, finding.versions), ("app/a.env", 1));
    assert_eq!(finding.still_in, "HEAD");
}

#[test]
fn ciphertext_that_came_later_does_not_undo_plain_text() {
    let clone = Clone::new();
    clone.write("db.yaml", &secret(VALUE));
    let plain = clone.commit();
    let value = "ENC[AES256_GCM,data:p673w7j3ShJZ,iv:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,tag:AAAAAAAAAAAAAAAAAAAAAA==,type:str]";
    let block = format!(
        "sops:\n  age:\n  - recipient: age1abc\n    enc: x\n  lastmodified: '2026-01-01T00:00:00Z'\n  mac: {value}\n  version: 3.13.2\n  encrypted_regex: ^(data|stringData)$\n"
    );
    clone.write("db.yaml", &format!("{}{block}", secret(value)));
    clone.commit();
    let report = clone.scan();
    let finding = only(&report);
    assert_eq!(
        (first_and_last(finding), &*finding.still_in),
        ((&*plain, &*plain), "")
    );
}

#[test]
fn clocks_do_not_decide_what_came_first() {
    let clone = Clone::new();
    clone.write("db.yaml", &secret(VALUE));
    let first = clone.commit();
    // A machine whose clock is years behind.
    clone.write("README.md", "more\n");
    clone.git(&["add", "--all"]);
    git(
        clone.path(),
        &["commit", "--quiet", "--message", "late"],
        1_000_000_000,
    );
    let last = clone.git(&["rev-parse", "HEAD"]);
    assert_eq!(first_and_last(only(&clone.scan())), (&*first, &*last));
}

#[test]
fn a_shallow_clone_says_so() {
    let origin = Clone::new();
    origin.write("db.yaml", &secret(VALUE));
    origin.commit();
    fs::remove_file(origin.path().join("db.yaml")).unwrap();
    origin.commit();
    let folder = tempfile::tempdir().unwrap();
    let address = format!("file://{}", origin.path().display());
    git(
        folder.path(),
        &["clone", "--quiet", "--depth=1", &address, "clone"],
        1_700_000_000,
    );
    let report = scan(Place::Repository(&folder.path().join("clone"))).unwrap();
    assert_eq!((report.findings.len(), report.complete), (0, false));
    assert!(report.lacks[0].contains("shallow: 1"), "{:?}", report.lacks);
}

#[test]
fn what_is_damaged_is_named_and_the_rest_goes_on() {
    let clone = Clone::new();
    clone.write("db.yaml", &secret(VALUE));
    clone.write("other.yaml", &secret(OTHER));
    clone.write("gone.yaml", "nothing: at all\n");
    clone.commit();
    let object = |file: &str| {
        let id = clone.git(&["rev-parse", &format!("HEAD:{file}")]);
        (
            clone.path().join(".git/objects").join(&id[..2]).join(&id[2..]),
            id,
        )
    };
    let (damaged, id) = object("other.yaml");
    let (gone, gone_id) = object("gone.yaml");
    fs::remove_file(&damaged).unwrap();
    fs::write(&damaged, b"\x78\x9c not what it seems").unwrap();
    fs::remove_file(gone).unwrap();
    let report = clone.scan();
    assert_eq!(&*only(&report).file, "db.yaml");
    assert!(!report.complete);
    let names = |what: &str, id: &str| {
        let is_named = |lack: &&String| lack.contains(what) && lack.contains(id);
        assert!(
            report.lacks.iter().any(|lack| is_named(&lack)),
            "{what}: {:?}",
            report.lacks
        );
    };
    names("cannot be read: 1", &format!("{id} (other.yaml)"));
    names("does not have: 1", &format!("{gone_id} (gone.yaml)"));
    // A commit that cannot be read hides what is behind it, and says so.
    let head = clone.git(&["rev-parse", "HEAD"]);
    let commit = clone
        .path()
        .join(".git/objects")
        .join(&head[..2])
        .join(&head[2..]);
    fs::remove_file(&commit).unwrap();
    let report = clone.scan();
    assert!(report.findings.is_empty() && !report.complete);
    assert!(report.lacks[0].contains(&head), "{:?}", report.lacks);
}

#[test]
fn a_damaged_pack_hides_what_is_in_it_and_says_so() {
    let clone = Clone::new();
    for number in 0..20 {
        clone.write("db.yaml", &format!("# {number}\n{}", secret(VALUE)));
        clone.commit();
    }
    clone.git(&["repack", "-a", "-d", "-f", "--quiet"]);
    let packs = fs::read_dir(clone.path().join(".git/objects/pack")).unwrap();
    let mut packs = packs.map(|entry| entry.unwrap().path());
    let pack: PathBuf = packs
        .find(|path| path.extension().is_some_and(|it| it == "pack"))
        .unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 32].fill(0xff);
    fs::remove_file(&pack).unwrap();
    fs::write(&pack, bytes).unwrap();
    let report = clone.scan();
    assert!(!report.complete && !report.lacks.is_empty());
}

#[test]
fn bundles_and_bare_repositories_are_what_they_are_of() {
    let clone = Clone::new();
    clone.write("db.yaml", &secret(VALUE));
    clone.commit();
    clone.write("db.yaml", "gone: true\n");
    clone.commit();
    clone.git(&["tag", "v1"]);
    let report = clone.scan();
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("bare.git");
    let path = clone.path().to_str().unwrap();
    git(
        folder.path(),
        &["clone", "--quiet", "--mirror", path, "bare.git"],
        1_700_000_000,
    );
    assert_eq!(scan(Place::Repository(&bare)).unwrap(), report);
    assert_eq!(
        scan(Place::Repository(&clone.path().join(".git"))).unwrap(),
        report
    );
    let bundle = folder.path().join("all.bundle");
    clone.git(&["bundle", "create", "--quiet", bundle.to_str().unwrap(), "--all"]);
    assert_eq!(scan(Place::Bundle(&bundle)).unwrap(), report);
    // One that builds on commits that it does not have is no history.
    let part = folder.path().join("part.bundle");
    clone.git(&[
        "bundle",
        "create",
        "--quiet",
        part.to_str().unwrap(),
        "HEAD~1..main",
    ]);
    let refused = scan(Place::Bundle(&part)).unwrap_err().to_string();
    assert!(refused.contains("a part of the history only"), "{refused}");
    // Nor is one that was cut off.
    let bytes = fs::read(&bundle).unwrap();
    fs::write(&part, &bytes[..bytes.len() - 30]).unwrap();
    let refused = scan(Place::Bundle(&part)).unwrap_err().to_string();
    assert!(refused.contains("damaged"), "{refused}");
    fs::write(&part, "no bundle\n").unwrap();
    assert!(matches!(
        scan(Place::Bundle(&part)),
        Err(HistoryError::NoBundle(_))
    ));
    assert!(matches!(
        scan(Place::Repository(folder.path())),
        Err(HistoryError::NoRepository(_))
    ));
}

#[test]
fn an_empty_repository_has_no_history() {
    let report = Clone::new().scan();
    assert_eq!(
        (report.range.commits, report.findings.len(), report.complete),
        (0, 0, true)
    );
}

#[test]
fn worktrees_share_the_history_of_their_clone() {
    let clone = Clone::new();
    clone.write("db.yaml", &secret(VALUE));
    clone.commit();
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    clone.git(&["worktree", "add", "--quiet", tree.to_str().unwrap()]);
    let report = scan(Place::Repository(&tree)).unwrap();
    assert_eq!(&*only(&report).still_in, "HEAD");
}

fn fluxsec(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fluxsec"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_program_tells_places_and_no_values() {
    let clone = Clone::new();
    clone.write("db.yaml", &secret(VALUE));
    clone.write("id_rsa", "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAhunter2hunter3a\nMIIEowIBAAKCAQEAhunter2hunter3b\n-----END RSA PRIVATE KEY-----\n");
    clone.write(".env", &format!("DB_PASSWORD={OTHER}\n"));
    clone.commit();
    let path = clone.path().to_str().unwrap();
    for format in ["table", "json", "sarif"] {
        let output = fluxsec(&["scan-history", "--git-dir", path, "-o", format]);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let out = String::from_utf8(output.stdout).unwrap();
        for name in ["db.yaml", "id_rsa", ".env", "stringData.password"] {
            assert!(out.contains(name), "{format}: {name}: {out}");
        }
        let all = out + &String::from_utf8_lossy(&output.stderr);
        for value in [VALUE, OTHER, "hunter2", "MIIEow", "aHVudGVyMi"] {
            assert!(!all.contains(value), "{format} tells {value}");
        }
    }
    let sarif: Value =
        serde_json::from_slice(&fluxsec(&["scan-history", "--git-dir", path, "-o", "sarif"]).stdout).unwrap();
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(result["properties"]["first"]["id"].as_str().unwrap().len() == 40);
    }
    assert!(run["properties"]["complete"].as_bool().unwrap());
}

#[test]
fn fingerprints_agree_with_a_key_and_not_without() {
    let clone = Clone::new();
    clone.write("db.yaml", &secret(VALUE));
    clone.commit();
    let path = clone.path().to_str().unwrap();
    let mut key = tempfile::NamedTempFile::new().unwrap();
    key.write_all(b"sixteen bytes at least").unwrap();
    let key = key.path().to_str().unwrap();
    let print = |more: &[&str]| {
        let arguments = [&["scan-history", "--git-dir", path, "-o", "json"], more].concat();
        let report: HistoryReport = serde_json::from_slice(&fluxsec(&arguments).stdout).unwrap();
        only(&report).fingerprint.clone()
    };
    assert_eq!(print(&["--key-file", key]), print(&["--key-file", key]));
    assert_ne!(print(&[]), print(&[]));
    assert_eq!(
        fluxsec(&["scan-history", "--git-dir", path, "--key-file", "/dev/null"])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn exit_codes_tell_what_came_of_it() {
    let clone = Clone::new();
    clone.write("README.md", "nothing\n");
    clone.commit();
    let path = clone.path().to_str().unwrap();
    assert_eq!(
        fluxsec(&["scan-history", "--git-dir", path, "--require-complete"])
            .status
            .code(),
        Some(0)
    );
    fs::write(
        clone.path().join(".git/shallow"),
        clone.git(&["rev-parse", "HEAD"]),
    )
    .unwrap();
    assert_eq!(
        fluxsec(&["scan-history", "--git-dir", path]).status.code(),
        Some(0)
    );
    assert_eq!(
        fluxsec(&["scan-history", "--git-dir", path, "--require-complete"])
            .status
            .code(),
        Some(3)
    );
    assert_eq!(
        fluxsec(&["scan-history", "--git-dir", "/nowhere"]).status.code(),
        Some(2)
    );
    assert_eq!(fluxsec(&["scan-history"]).status.code(), Some(2));
    assert_eq!(
        fluxsec(&["scan-history", "--git-dir", path, "--mirror", path])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn an_attestation_is_made_of_reports() {
    let clone = Clone::new();
    clone.write("db.yaml", &secret(VALUE));
    clone.commit();
    let path = clone.path().to_str().unwrap();
    let file = |text: &[u8]| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        file
    };
    let report = fluxsec(&[
        "scan-history",
        "--git-dir",
        path,
        "--repository",
        "https://git.example.com/a/b",
        "-o",
        "json",
    ]);
    let report = file(&report.stdout);
    let attest = |report: &tempfile::NamedTempFile, more: &[&str]| {
        fluxsec(
            &[
                &["attest-history", report.path().to_str().unwrap(), "--by", "jane"],
                more,
            ]
            .concat(),
        )
    };
    let output = attest(&report, &[]);
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for part in [
        "control: FSP-SEC-004",
        "git.example.com/a/b",
        "findings: 1",
        "file: db.yaml",
        "complete: true",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(!out.contains(VALUE));
    // One of another scanner says neither when nor of what it is.
    let gitleaks = file(b"[]");
    assert_eq!(
        attest(&gitleaks, &["--scanner", "gitleaks"]).status.code(),
        Some(2)
    );
    let now = Timestamp::now().to_string();
    let said = [
        "--scanner",
        "gitleaks",
        "--repository",
        "git@git.example.com:a/b.git",
        "--scanned-at",
        &now,
    ];
    let output = attest(&gitleaks, &said);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let old = [
        "--scanner",
        "gitleaks",
        "--repository",
        "https://a.example.com/b",
        "--scanned-at",
        "2020-01-01T00:00:00Z",
    ];
    let output = attest(&gitleaks, &old);
    assert_eq!(output.status.code(), Some(2));
    let said = [&said[..], &["--expires", "200d"]].concat();
    assert!(String::from_utf8_lossy(&attest(&gitleaks, &said).stderr).contains("90 days"));
}
