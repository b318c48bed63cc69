//! Where it runs is not always as it should be: addresses, disks, settings, and CRDs of another release.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use controlplane::operator::fluxsec;
use controlplane::process::{Process, Sandbox, free_port};
use controlplane::scenario::{SHARED, events, installed, report, restarted, result, until, versions};
use controlplane::{Operator, plain, wait_for};
use serde_json::{Value, json};

/// Longer than anything should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `/livez` says at an address, if anybody listens there.
fn livez(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET /livez HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// An operator without a cluster, that listens somewhere.
fn listening(sandbox: &Sandbox, address: &str) -> Process {
    let mut command = Command::new(fluxsec());
    command
        .args(["run", "--metrics-address", address])
        .env("KUBECONFIG", "/nowhere/kubeconfig");
    sandbox.spawn("fluxsec", &command).unwrap()
}

#[test]
fn it_listens_on_either_family_alone_and_on_both() {
    let sandbox = Sandbox::new().unwrap();
    for (listens, answers, is_silent) in [
        ("[::1]:PORT", &["[::1]:PORT"][..], Some("127.0.0.1:PORT")),
        ("127.0.0.1:PORT", &["127.0.0.1:PORT"], Some("[::1]:PORT")),
        ("0.0.0.0:PORT", &["127.0.0.1:PORT"], Some("[::1]:PORT")),
        ("[::]:PORT", &["[::1]:PORT", "127.0.0.1:PORT"], None),
    ] {
        let port = free_port().unwrap().to_string();
        let at = |address: &str| address.replace("PORT", &port);
        let _process = listening(&sandbox, &at(listens));
        for address in answers {
            wait_for(&at(address), PATIENCE, || {
                let answer = livez(&at(address)).unwrap_or_default();
                ensure!(answer.starts_with("HTTP/1.0 200"), "{answer}");
                Ok(())
            })
            .unwrap();
        }
        if let Some(address) = is_silent {
            assert_eq!(livez(&at(address)), None, "{listens} and {address}");
        }
    }
}

/// What cannot work ends the program at once, in a sentence that names the setting.
#[test]
fn settings_that_cannot_be_are_refused_at_the_start() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tls.crt"), "no certificate").unwrap();
    fs::write(folder.path().join("tls.key"), "no key").unwrap();
    let folder = folder.path().display().to_string();
    let secure = "--secure-metrics-address=127.0.0.1:0";
    for (arguments, sentence) in [
        (
            vec!["--metrics-address=8080".to_owned()],
            "'--metrics-address <ADDRESS>'",
        ),
        (
            vec![format!("--metrics-address={taken}")],
            "choose another --metrics-address",
        ),
        (
            vec![secure.to_owned()],
            "--certificate-folder <FOLDER>",
        ),
        (
            vec!["--certificate-folder=/nowhere".to_owned()],
            "--secure-metrics-address <ADDRESS>",
        ),
        (
            vec![secure.to_owned(), "--certificate-folder=/nowhere".to_owned()],
            "--certificate-folder: cannot read /nowhere/tls.crt: ",
        ),
        (
            vec![secure.to_owned(), format!("--certificate-folder={folder}")],
            "tls.crt holds no certificate in PEM",
        ),
        (
            vec![
                format!("--secure-metrics-address={taken}"),
                format!("--certificate-folder={folder}"),
            ],
            "choose another --secure-metrics-address",
        ),
        (
            vec!["--artifact-authorities=/nowhere/ca.crt".to_owned()],
            "--artifact-authorities: ",
        ),
        (
            vec![format!("--artifact-authorities={folder}/tls.crt")],
            "--artifact-authorities: ",
        ),
        (
            vec!["--events-address=https://notification-controller".to_owned()],
            "it must have the form http://notification-controller.flux-system.svc.cluster.local./",
        ),
        (
            vec!["--events-kustomization=flux-security-policy".to_owned()],
            "it must have the form NAMESPACE/NAME",
        ),
    ] {
        let mut command = Command::new(fluxsec());
        command.arg("run").args(["--metrics-address", "127.0.0.1:0"]);
        if arguments[0].starts_with("--metrics-address") {
            command = Command::new(fluxsec());
            command.arg("run");
        }
        let output = command
            .args(&arguments)
            .env("KUBECONFIG", "/nowhere/kubeconfig")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(sentence), "{arguments:?}: {said}");
    }
}

/// A file system that nobody can write to, as `readOnlyRootFilesystem` makes it, and no volume beside it.
#[test]
fn it_needs_no_place_to_write_to() {
    const READ_ONLY: &str =
        "mount -o remount,ro,bind / && ! touch \"$HOME/probe\" 2>/dev/null && exec \"$@\"";
    let control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    let kubeconfig = control_plane
        .service_account("flux-security-system", "flux-security-operator")
        .unwrap();
    let port = free_port().unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", READ_ONLY, "sh"])
        .arg(fluxsec())
        .args(["run", "--metrics-address", &format!("127.0.0.1:{port}")])
        .env("KUBECONFIG", kubeconfig)
        .env("HOME", control_plane.sandbox().folder())
        .env("TMPDIR", "/nowhere");
    let mut process = control_plane
        .sandbox()
        .spawn("read-only-fluxsec", &command)
        .unwrap();
    until(&control_plane, "a report", |report| {
        result(report, "FSP-KUST-001") == "Pass"
    });
    assert_eq!(plain::get(port, "/readyz").unwrap().0, 200);
    process.check().unwrap();
    assert!(!control_plane.sandbox().folder().join("probe").exists());
}

/// A CRD without some of its properties, as an older release had it.
fn older(crd: &mut Value, path: &str, properties: &[&str]) {
    let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let of = schema.pointer_mut(path).unwrap().as_object_mut().unwrap();
    for property in properties {
        assert!(of.remove(*property).is_some(), "{path}: {property}");
    }
}

fn crd(kind: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("crds/{kind}.yaml"));
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The API server drops what an older CRD does not know. The rest is published, once, and a restart repeats nothing.
#[test]
fn crds_of_an_older_release_are_lived_with() {
    let control_plane = installed();
    let mut reports = crd("fluxsecurityreports");
    older(
        &mut reports,
        "/properties/status/properties",
        &["history", "namespaces", "installations"],
    );
    let mut policies = crd("fluxsecuritypolicies");
    older(
        &mut policies,
        "/properties/spec/properties",
        &["secrets", "attestations"],
    );
    control_plane.apply(&reports.to_string()).unwrap();
    control_plane.apply(&policies.to_string()).unwrap();
    control_plane.apply(SHARED).unwrap();
    let operator = Operator::start(&control_plane).unwrap();
    let seen = until(&control_plane, "a report", |report| {
        result(report, "FSP-KUST-001") == "Pass" && result(report, "FSP-MT-002") == "Fail"
    });
    assert!(
        seen["status"]["history"].is_null(),
        "{}",
        seen["status"]["history"]
    );
    std::thread::sleep(Duration::from_secs(3));
    let (before, told) = (versions(&control_plane), events(&control_plane).len());
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(versions(&control_plane), before, "it writes in circles");
    let _operator = restarted(operator, &control_plane);
    assert_eq!(
        events(&control_plane).len(),
        told,
        "a restart repeats what was told"
    );
    let kept = report(&control_plane).unwrap();
    assert_eq!(kept["status"]["summary"], seen["status"]["summary"]);
}

/// A CRD as a newer release may have it: v1alpha1 is stored still, and served no more.
fn newer(kind: &str) -> Value {
    let mut crd = crd(kind);
    let versions = crd["spec"]["versions"].as_array_mut().unwrap();
    let mut next = versions[0].clone();
    next["name"] = json!("v1beta1");
    next["storage"] = json!(false);
    versions[0]["served"] = json!(false);
    versions.push(next);
    crd
}

/// Whoever rolls the program back alone finds that in the log, not in restarts; and once the CRDs are those of the program
/// again, it goes on by itself.
#[test]
fn crds_of_a_newer_release_are_told_in_the_log_and_waited_for() {
    let control_plane = installed();
    let kinds = [
        "fluxsecuritypolicies",
        "fluxsecurityreports",
        "fluxsecuritynamespacereports",
        "fluxsecuritywaivers",
    ];
    control_plane.apply(SHARED).unwrap();
    for kind in kinds {
        control_plane.apply(&newer(kind).to_string()).unwrap();
    }
    wait_for("the newer version", PATIENCE, || {
        let listed = control_plane.kubectl(&["get", "--raw", "/apis/fluxsecurity.dev"])?;
        ensure!(!listed.contains("v1alpha1"), "{listed}");
        Ok(())
    })
    .unwrap();
    let kubeconfig = control_plane
        .service_account("flux-security-system", "flux-security-operator")
        .unwrap();
    let mut operator = Operator::launch(&control_plane, &kubeconfig).unwrap();
    wait_for("the operator to say so", PATIENCE, || {
        let log = operator.process.log();
        for kind in kinds {
            let complaint =
                format!("{kind}.fluxsecurity.dev: served only as v1beta1, which is not supported");
            ensure!(log.contains(&complaint), "{log}");
        }
        Ok(())
    })
    .unwrap();
    std::thread::sleep(Duration::from_secs(5));
    operator.process.check().unwrap();

    for kind in kinds {
        control_plane.apply(&crd(kind).to_string()).unwrap();
    }
    until(&control_plane, "a report", |report| {
        result(report, "FSP-KUST-001") == "Pass"
    });
    operator.process.check().unwrap();
}
