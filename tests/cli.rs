//! The program as a process, as far as it needs no cluster, and what runs it in pipelines.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "formats/consumers.rs"]
mod consumers;
mod controlplane;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use consumers::Consumers;
use serde_json::Value;

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
    fs::write(&path, report).unwrap();
    let output = run(FLUXSEC, &["audit", "--baseline", path.to_str().unwrap()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let expected = format!(
        "{} is not a baseline: status.findings[0].resource.name: it is missing",
        path.display()
    );
    assert!(said.contains(&expected), "{said}");
    assert!(output.stdout.is_empty());
}

/// No API server has seen it: what it would refuse, or drop without a word, would be another audit than is meant.
#[test]
fn a_policy_that_says_something_else_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("manifest.yaml");
    fs::write(
        &manifest,
        "{apiVersion: v1, kind: Namespace, metadata: {name: flux-system}}",
    )
    .unwrap();
    let audit = |head: &str, spec: &str| {
        let path = folder.path().join("policy.yaml");
        fs::write(&path, format!("{{{head}, metadata: {{name: x}}, spec: {spec}}}")).unwrap();
        let files = [path.to_str().unwrap(), manifest.to_str().unwrap()];
        let output = run(FLUXSEC, &["audit", "--policy", files[0], "-f", files[1]]);
        (output.status.code(), text(&output.stderr))
    };
    let head = "apiVersion: fluxsecurity.dev/v1alpha1, kind: FluxSecurityPolicy";
    let good = "{tenancy: Shared, tenants: {namespaceSelector: {matchLabels: {any: thing}}}}";
    assert_eq!(audit(head, good).0, Some(0), "{}", audit(head, good).1);
    for (head, spec, expected) in [
        (
            "apiVersion: apps/v1, kind: Deployment",
            good,
            "apiVersion: expected fluxsecurity.dev/v1alpha1, found \"apps/v1\"",
        ),
        (
            "apiVersion: fluxsecurity.dev/v1alpha1, kind: FluxSecurityWaiver",
            good,
            "kind: expected FluxSecurityPolicy, found \"FluxSecurityWaiver\"",
        ),
        (head, "{tenancyy: Shared}", "spec.tenancyy: unknown field"),
        (
            head,
            "{controls: [{id: FSP-MT-001}, {id: FSP-MT-002, parameter: {a: b}}]}",
            "spec.controls[1].parameter: unknown field",
        ),
        (
            head,
            "{tenancy: shared}",
            "spec.tenancy: expected one of None, Shared, Dedicated",
        ),
    ] {
        let (code, said) = audit(head, spec);
        assert_eq!(code, Some(2), "{said}");
        assert!(
            said.contains("policy.yaml:1 is not a FluxSecurityPolicy: "),
            "{said}"
        );
        assert!(said.contains(expected), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn files_may_be_named_as_a_shell_expands_a_pattern() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = |name: &str| {
        let path = folder.path().join(name);
        let object = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}");
        fs::write(&path, object).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, two, three) = (manifest("one"), manifest("two"), manifest("three"));
    let output = run(
        FLUXSEC,
        &["audit", "-f", &one, &two, &three, "--tenancy", "Shared"],
    );
    let said = text(&output.stderr);
    assert!(said.contains("objects: 3,"), "{said}");
    let output = run(FLUXSEC, &["audit", &one]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("--filename"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_context_that_does_not_exist_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(
        &kubeconfig,
        "{apiVersion: v1, kind: Config, current-context: gone}",
    )
    .unwrap();
    let audit = |arguments: &[&str]| {
        let output = Command::new(FLUXSEC)
            .args(arguments)
            .env("KUBECONFIG", &kubeconfig)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    for (arguments, context) in [
        (&["audit"][..], "gone"),
        (&["audit", "--context", "prod"], "prod"),
    ] {
        let said = audit(arguments);
        assert!(said.contains(&format!("has no context {context:?}")), "{said}");
    }
}

#[test]
fn an_address_to_listen_on_is_explained() {
    let output = run(FLUXSEC, &["run", "--metrics-address", ":8080"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("for example [::]:8080"), "{said}");
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
        said.contains("is Unmatched: no finding of FSX-SRC-005 matches"),
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
        ("FSP-XYZ-*", &["--expires", "30d"], "there is no control"),
        ("*", &["--expires", "30d"], "spec.control"),
        ("FSP-KUST-001", &["--expires", "366d"], "more than 365 days"),
        ("FSP-KUST-001", &["--expires", "2020-01-01"], "is in the past"),
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
        (String::new(), "waivers.yaml: is empty"),
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

const ACTION: &str = include_str!("../action.yml");
const HOOKS: &str = include_str!("../.pre-commit-hooks.yaml");
/// Fails a control of severity Critical.
const BAD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: kustomize-controller
  namespace: flux-system
  labels: {app.kubernetes.io/part-of: flux, app.kubernetes.io/component: kustomize-controller}
spec:
  selector: {matchLabels: {app: kustomize-controller}}
  template:
    metadata: {labels: {app: kustomize-controller}}
    spec:
      containers:
      - name: manager
        image: ghcr.io/fluxcd/kustomize-controller:v1.9.4
        args: [--insecure-kubeconfig-exec=true]
";

#[test]
fn those_who_run_actions_and_workflows_read_ours() {
    let mut consumers = Consumers::start();
    consumers.read("action", ACTION);
    let typo = ACTION.replace(
        "steps.audit.outputs.sarif }}\n        category",
        "steps.adit.outputs.sarif }}\n        category",
    );
    assert_ne!(typo, ACTION);
    let complaint = consumers.complaint("action", &typo);
    assert!(complaint.contains("adit"), "{complaint}");

    let page = include_str!("../docs/audit.md");
    let blocks = page
        .split("```yaml\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap());
    let workflows: Vec<&str> = blocks.filter(|block| block.contains("\njobs:")).collect();
    assert!(!workflows.is_empty());
    let inputs: Value = serde_saphyr::from_str(ACTION).unwrap();
    for workflow in workflows {
        let read = consumers.read("workflow", workflow);
        let steps = read["jobs"]["audit"]["steps"].as_array().unwrap();
        let ours = steps
            .iter()
            .find(|step| step["uses"].to_string().contains("flux-security-operator"));
        let with = ours.unwrap()["with"].as_object().unwrap();
        assert!(
            with.keys().all(|name| !inputs["inputs"][name].is_null()),
            "{with:?}"
        );
    }
}

/// The steps of the action that are scripts, run as GitHub runs them.
struct Run<'a> {
    folder: &'a Path,
    inputs: BTreeMap<String, String>,
}

impl<'a> Run<'a> {
    fn new(folder: &'a Path, given: &[(&str, &str)]) -> Self {
        let action: Value = serde_saphyr::from_str(ACTION).unwrap();
        let defaults = action["inputs"].as_object().unwrap().iter();
        let mut inputs: BTreeMap<String, String> = defaults
            .map(|(name, input)| (name.clone(), input["default"].as_str().unwrap().to_owned()))
            .collect();
        inputs.insert("fluxsec".to_owned(), FLUXSEC.to_owned());
        for (name, value) in given {
            assert!(
                inputs.insert((*name).to_owned(), (*value).to_owned()).is_some(),
                "{name}"
            );
        }
        Self { folder, inputs }
    }

    /// The exit code, and the output with the name of the file.
    fn finish(&self) -> (i32, Option<String>) {
        let action: Value = serde_saphyr::from_str(ACTION).unwrap();
        let outputs = self.folder.join("outputs");
        fs::write(&outputs, "").unwrap();
        let mut code = 0;
        for step in action["runs"]["steps"].as_array().unwrap() {
            let is_script = !step["run"].is_null() && step["if"].is_null();
            if !is_script || code != 0 {
                continue;
            }
            let mut command = Command::new("bash");
            command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c"]);
            command.arg(step["run"].as_str().unwrap());
            for (name, value) in step["env"].as_object().unwrap() {
                command.env(name, self.value(value.as_str().unwrap()));
            }
            command.env("GITHUB_OUTPUT", &outputs);
            command.env("GITHUB_STEP_SUMMARY", self.folder.join("summary.md"));
            let output = command.current_dir(self.folder).output().unwrap();
            code = output.status.code().unwrap();
        }
        (code, self.output("sarif"))
    }

    /// What an expression comes to: the first of its parts that is not empty.
    fn value(&self, text: &str) -> String {
        let expression = text
            .strip_prefix("${{ ")
            .and_then(|text| text.strip_suffix(" }}"));
        let Some(expression) = expression else {
            return text.replace("${{ runner.temp }}", self.folder.to_str().unwrap());
        };
        let parts = expression
            .split(" || ")
            .map(|part| match part.split_once('.').unwrap() {
                ("inputs", name) => self.inputs[name].clone(),
                ("steps", name) => self.output(name.strip_prefix("audit.outputs.").unwrap()).unwrap(),
                _ => panic!("{part}"),
            });
        parts.into_iter().next().unwrap()
    }

    fn output(&self, name: &str) -> Option<String> {
        let said = fs::read_to_string(self.folder.join("outputs")).unwrap();
        let value = said
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(str::to_owned)
    }
}

#[test]
fn the_action_audits_and_ends_as_the_audit_does() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("clusters/a b");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("bad.yaml"), BAD).unwrap();
    fs::write(
        folder.path().join("good.yaml"),
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
    )
    .unwrap();
    fs::write(folder.path().join("broken.yaml"), "apiVersion: [\n").unwrap();
    let mut consumers = Consumers::start();
    for (given, code) in [
        (&[("path", "clusters/a b\n\ngood.yaml")][..], 1),
        (&[("path", "clusters"), ("fail-on", "none")], 0),
        (
            &[
                ("path", "clusters"),
                ("fail-on", "none"),
                ("require-complete", "true"),
            ],
            3,
        ),
        (&[("path", "good.yaml"), ("tenancy", "shared")], 0),
        // Everything, what is broken among it.
        (&[], 2),
    ] {
        let run = Run::new(folder.path(), given);
        let (exit, file) = run.finish();
        assert_eq!(exit, code, "{given:?}");
        assert_eq!(run.output("exit-code"), Some(code.to_string()));
        let log = consumers.read("sarif", &fs::read_to_string(file.unwrap()).unwrap());
        let told = log["runs"][0]["results"].to_string();
        let has_bad = !given.contains(&("path", "good.yaml"));
        assert_eq!(
            told.contains("\"clusters/a%20b/bad.yaml\""),
            has_bad,
            "{given:?}: {told}"
        );
        let summary = fs::read_to_string(folder.path().join("summary.md")).unwrap();
        assert!(summary.contains("FSP-KUST-001"), "{summary}");
    }
    for given in [
        [("path", "$(touch obeyed)\n`touch obeyed`\n; touch obeyed")],
        [("policy", "\"; touch obeyed; \"")],
        [("fail-on", "none --policy=good.yaml")],
    ] {
        let (code, _) = Run::new(folder.path(), &given).finish();
        assert_eq!(code, 2, "{given:?}");
    }
    assert!(!folder.path().join("obeyed").exists());
}

/// pre-commit checks the definitions itself; here is what it does with them.
#[test]
fn hooks_fail_for_what_an_audit_fails_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("clusters")).unwrap();
    fs::write(folder.path().join("clusters/bad.yaml"), BAD).unwrap();
    let program = Path::new(FLUXSEC).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let hooks: Vec<BTreeMap<String, Value>> = serde_saphyr::from_str(HOOKS).unwrap();
    assert_eq!(hooks.len(), 2);
    for hook in hooks {
        let text = |field: &str| hook[field].as_str().unwrap();
        assert!(text("id").starts_with("fluxsec") && !text("name").is_empty());
        assert!(["rust", "system"].contains(&text("language")));
        // A manifest alone says little: what is audited is the tree.
        assert_eq!(hook["pass_filenames"], false);
        let entry: Vec<&str> = text("entry").split(' ').collect();
        let args = hook["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap());
        let run = |more: &[&str]| {
            let output = Command::new(entry[0])
                .args(&entry[1..])
                .args(args.clone())
                .args(more)
                .env("PATH", &path)
                .current_dir(folder.path())
                .output()
                .unwrap();
            (output.status.code(), text_of(&output))
        };
        let (code, said) = run(&[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("FSP-KUST-001"), "{said}");
        assert_eq!(run(&["--fail-on", "none"]).0, Some(0));
    }
}

fn text_of(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
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
