//! `make demo`, and that nothing of it stays behind.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::ensure;
use controlplane::{ControlPlane, flux, operator, wait_for};

/// The demo as it is now: cargo builds examples only when all tests are run.
fn demo() -> Command {
    let arguments = ["build", "--locked", "--quiet", "--example", "demo"];
    let built = Command::new(env!("CARGO")).args(arguments).status().unwrap();
    assert!(built.success());
    let mut command = Command::new(operator::fluxsec().parent().unwrap().join("examples/demo"));
    command.env_remove("KUBECONFIG").env("DEMO", "once");
    command
}

#[test]
fn it_shows_a_drift_and_its_repair_with_the_real_flux() {
    let output = demo().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for expected in [
        "1/1     Running",
        "NAME      COMPLIANT   SCORE",
        "flux_security_findings{control=\"FSP-KUST-001\"",
        "for-a-minute   FSP-MT-002   Expired",
        "by kubectl-patch",
        "waiver for-a-minute",
        "Flux has repaired the drift",
        "from git push to the report",
        "as a developer of team-a",
        "refers to namespace flux-system",
        "is forbidden",
        "exposed, rotate",
    ] {
        assert!(said.contains(expected), "{expected} is missing in:\n{said}");
    }
    eprintln!("{said}");
}

#[test]
fn it_audits_the_cluster_of_kubeconfig() {
    let control_plane = ControlPlane::start().unwrap();
    control_plane.apply(&flux::manifests().unwrap()).unwrap();
    let output = demo().env("KUBECONFIG", control_plane.admin()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("FSP-MT-008"), "{said}");
    let kinds = control_plane.kubectl(&["get", "crd"]).unwrap();
    assert!(!kinds.contains("fluxsecurity"), "nothing is written: {kinds}");
}

#[test]
fn nothing_outlives_a_killed_harness() {
    let mut child = demo().stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("kube-apiserver answers")));
    let folders = sandboxes_of(pid);
    assert_eq!(folders.len(), 1, "{folders:?}");
    assert!(!users_of(&folders[0]).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("everything to end", Duration::from_secs(20), || {
        let left = users_of(&folders[0]);
        ensure!(left.is_empty(), "{left:?}");
        ensure!(!folders[0].exists(), "{} exists", folders[0].display());
        Ok(())
    })
    .unwrap();
}

/// The folders that the guards of a process watch over.
fn sandboxes_of(parent: u32) -> Vec<PathBuf> {
    let of_parent = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line == format!("PPid:\t{parent}"))
    };
    let folder = |pid: u32| {
        let words = command_line(pid);
        (words.first()? == "sh").then(|| words.last().map(PathBuf::from))?
    };
    pids().filter(of_parent).filter_map(folder).collect()
}

/// Processes that name a folder in their arguments.
fn users_of(folder: &Path) -> Vec<Vec<String>> {
    let folder = folder.display().to_string();
    let uses = |words: &Vec<String>| words.iter().any(|word| word.contains(&folder));
    pids().map(command_line).filter(uses).collect()
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn command_line(pid: u32) -> Vec<String> {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = raw.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}
