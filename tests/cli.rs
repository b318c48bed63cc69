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

/// Many machines have a proxy for everything else; kube would fail for it whatever NO_PROXY says.
#[test]
fn a_proxy_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let audit = |server: &str, exceptions: &str| {
        let config = format!(
            "{{apiVersion: v1, kind: Config, current-context: a, clusters: [{{name: a, cluster: {{server: '{server}'}}}}], \
             contexts: [{{name: a, context: {{cluster: a, user: a}}}}], users: [{{name: a, user: {{token: t}}}}]}}"
        );
        std::fs::write(&kubeconfig, config).unwrap();
        let output = Command::new(FLUXSEC)
            .arg("audit")
            .env("KUBECONFIG", &kubeconfig)
            .env("HTTPS_PROXY", "http://proxy.invalid:3128")
            .env("NO_PROXY", exceptions)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    let said = audit("https://api.invalid:6443", "");
    assert!(
        said.contains("http://proxy.invalid is set for api.invalid"),
        "{said}"
    );
    assert!(said.contains("NO_PROXY"), "{said}");
    // Asked directly, where nobody listens.
    let said = audit("https://127.0.0.1:1", "");
    assert!(
        said.contains("the API server at https://127.0.0.1:1/ does not answer"),
        "{said}"
    );
}
