//! The program as a process, as far as it needs no cluster.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const FLUXSEC: &str = env!("CARGO_BIN_EXE_fluxsec");

fn run(program: impl AsRef<Path>, arguments: &[&str]) -> Output {
    Command::new(program.as_ref())
        .args(arguments)
        .env("KUBECONFIG", "/nowhere/kubeconfig")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn shells_take_their_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run(FLUXSEC, &["completions", shell]);
        assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("require-complete"), "{shell}");
    }
    // The one shell that is everywhere completes with it.
    let script = format!(
        "source <({FLUXSEC} completions bash) && COMP_WORDS=(fluxsec audit --require-c) COMP_CWORD=2 \
         && _fluxsec fluxsec --require-c audit && echo \"${{COMPREPLY[@]}}\""
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(
        text(&output.stdout),
        "--require-complete\n",
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn it_has_manual_pages() {
    let page = text(&run(FLUXSEC, &["man"]).stdout);
    assert!(page.contains(".TH fluxsec 1"), "{page}");
    let page = text(&run(FLUXSEC, &["man", "audit"]).stdout);
    assert!(page.contains("\\-\\-baseline"), "{page}");
    let unknown = run(FLUXSEC, &["man", "nothing"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is no command \"nothing\""));
}

#[test]
fn as_a_plugin_it_is_a_part_of_kubectl() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-fluxsec");
    symlink(FLUXSEC, &plugin).unwrap();
    let help = text(&run(&plugin, &["audit", "--help"]).stdout);
    assert!(help.contains("Usage: kubectl fluxsec audit"), "{help}");
    let help = text(&run(FLUXSEC, &["audit", "--help"]).stdout);
    assert!(help.contains("Usage: fluxsec audit"), "{help}");
}

/// Before the cluster is asked for anything.
#[test]
fn a_broken_baseline_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.json");
    let finding = r#"{"severity": "High", "control": "FSP-KUST-001", "resource": {"apiVersion": "apps/v1", "kind": "Deployment"}}"#;
    let report = format!(
        r#"{{"apiVersion": "fluxsecurity.dev/v1alpha1", "kind": "FluxSecurityReport", "status": {{"findings": [{finding}]}}}}"#
    );
    std::fs::write(&path, report).unwrap();
    let output = run(FLUXSEC, &["audit", "--baseline", path.to_str().unwrap()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let expected = format!(
        "{} is no baseline: status.findings[0].resource.name: it is missing",
        path.display()
    );
    assert!(said.contains(&expected), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut process = Command::new(FLUXSEC)
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success());
}

fn waive(control: &str, more: &[&str]) -> Output {
    let usual = [
        "waive",
        control,
        "--reason",
        "accepted until it is repaired",
        "--owner",
        "us",
    ];
    run(FLUXSEC, &[&usual[..], more].concat())
}

#[test]
fn a_waiver_is_printed_and_counts_in_an_audit() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let repository = "
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {interval: 5m, url: 'http://git.example.com/fleet'}
";
    let manifests = write("fleet.yaml", repository);
    let resource = [
        "--resource",
        "GitRepository/flux-system/fleet",
        "--expires",
        "30d",
    ];
    let printed = waive("fsx-src-005", &resource);
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    let printed = text(&printed.stdout);
    let waiver = write("waiver.yaml", &printed);
    let audited = |more: &[&str]| {
        let output = run(
            FLUXSEC,
            &[&["audit", "-o", "json", "-f", &manifests][..], more].concat(),
        );
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = report["status"]["controls"].as_array().unwrap().iter();
        let row = rows
            .clone()
            .find(|row| row["id"] == "FSX-SRC-005")
            .unwrap()
            .clone();
        (
            row["result"].as_str().unwrap().to_owned(),
            row["waived"].clone(),
            text(&output.stderr),
        )
    };
    assert_eq!(audited(&[]).0, "Fail");
    let (result, count, said) = audited(&["--waivers", &waiver]);
    assert_eq!(
        (result.as_str(), count),
        ("Waived", serde_json::json!(1)),
        "{said}"
    );
    // Those among the manifests count, too.
    assert_eq!(audited(&["-f", &waiver]).0, "Waived");
    // What a waiver is not for is said, and so is one that has ended.
    let other = write("other.yaml", &printed.replace("name: fleet", "name: nobody"));
    let (result, _, said) = audited(&["--waivers", &other]);
    assert_eq!(result, "Fail");
    assert!(
        said.contains("is Unmatched: there is no finding of FSX-SRC-005"),
        "{said}"
    );
    let expires = printed.lines().find(|line| line.contains("expires:")).unwrap();
    let ended = write(
        "ended.yaml",
        &printed.replace(expires, "  expires: \"2020-01-01T00:00:00Z\""),
    );
    let (result, _, said) = audited(&["-f", &ended]);
    assert_eq!(result, "Fail");
    assert!(
        said.contains("is Expired: it expired at 2020-01-01T00:00:00Z; 1 finding"),
        "{said}"
    );
}

#[test]
fn what_is_no_waiver_is_wrong_usage() {
    let resource = ["--resource", "Deployment/flux-system/kustomize-controller"];
    for (control, more, expected) in [
        (
            "FSP-XYZ-001",
            &["--expires", "30d"][..],
            "there is no control \"FSP-XYZ-001\"",
        ),
        ("FSQ-*", &["--expires", "30d"], "there is no control"),
        ("*", &["--expires", "30d"], "spec.control"),
        ("FSP-KUST-001", &["--expires", "366d"], "more than 365 days"),
        ("FSP-KUST-001", &["--expires", "2020-01-01"], "is past"),
        ("FSP-KUST-001", &["--expires", "soon"], "neither a duration"),
        ("FSP-KUST-001", &["--expires", "0d"], "neither a duration"),
        (
            "FSP-KUST-001",
            &["--expires", "99999999999999999d"],
            "neither a duration",
        ),
        ("FSP-KUST-001", &["--expires", "30d", "--name", "A_b"], "--name"),
        (
            "FSP-KUST-001",
            &["--expires", "30d", "--resource", "a/b/c/d"],
            "--resource",
        ),
        (
            "FSP-KUST-001",
            &["--expires", "30d", "--resource", "*/*/*"],
            "too broad",
        ),
        ("FSP-KUST-001", &[], "--expires"),
    ] {
        let output = waive(control, &[&resource[..], more].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{control} {more:?}: {said}");
        assert!(said.contains(expected), "{control} {more:?}: {said}");
        assert_eq!(text(&output.stdout), "");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waivers.yaml");
    let path = file.display().to_string();
    let spec =
        "control: FSP-KUST-001, resources: [{name: a}], reason: accepted until it is repaired, owner: us";
    let head = "apiVersion: fluxsecurity.dev/v1alpha1\nkind: FluxSecurityWaiver\nmetadata: {name: w}";
    let good = format!("{head}\nspec: {{{spec}, expires: '2020-01-01T00:00:00Z'}}\n");
    for (content, expected) in [
        ("apiVersion: [1".to_owned(), "waivers.yaml:1"),
        (String::new(), "expected FluxSecurityWaivers and nothing else"),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n".to_owned(),
            "expected FluxSecurityWaivers",
        ),
        (format!("{head}\nspec: {{{spec}}}\n"), "missing field `expires`"),
        (
            format!("{head}\nspec: {{{spec}, expires: '9999-01-01T00:00:00Z'}}\n"),
            "w: spec.expires",
        ),
        (format!("{good}---\n{good}"), "two waivers called w"),
    ] {
        std::fs::write(&file, &content).unwrap();
        let output = run(FLUXSEC, &["audit", "-f", &path, "--waivers", &path]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{content}: {said}");
        assert!(said.contains(expected), "{content}: {said}");
    }
}
