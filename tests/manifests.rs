//! Audits of files: what they say is judged as in a cluster, what they do not say is unknown, and nothing in them hurts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use controlplane::flux;
use flux_security_operator::api::{ControlResult, Finding, FluxSecurityPolicySpec, Tenancy};
use flux_security_operator::engine::{ControlPosture, PolicyPosture};
use flux_security_operator::manifests::Audited;
use flux_security_operator::{input, manifests};
use serde_json::Value;
use support::{control, engine, policy, upsert};

/// A folder with these files.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = tree.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn audit(&self) -> Audited {
        self.audit_as(Tenancy::Shared)
    }

    fn audit_as(&self, tenancy: Tenancy) -> Audited {
        input::audit(&[self.0.path().to_owned()], "test", &policy(tenancy)).unwrap()
    }

    /// Findings of a control as `file:line object`.
    fn found(&self, audited: &Audited, id: &str) -> Vec<String> {
        let findings = audited.posture.findings.iter().map(|it| &it.finding);
        findings
            .filter(|it| it.control == id)
            .map(|it| self.told(it))
            .collect()
    }

    fn told(&self, finding: &Finding) -> String {
        let root = format!("{}/", self.0.path().display());
        let file = finding
            .location
            .file
            .strip_prefix(&root)
            .unwrap_or(&finding.location.file);
        format!(
            "{file}:{} {}",
            finding.location.line.unwrap_or(0),
            finding.resource.name
        )
    }

    /// Troubles without the folder's own name.
    fn troubles(&self, audited: &Audited) -> Vec<String> {
        let root = format!("{}/", self.0.path().display());
        audited.troubles.iter().map(|it| it.replace(&root, "")).collect()
    }
}

fn of(text: &str) -> PolicyPosture {
    let spec = FluxSecurityPolicySpec {
        tenancy: Tenancy::Shared,
        ..FluxSecurityPolicySpec::default()
    };
    manifests::audit([text], &spec)
}

fn verdict(control: &ControlPosture) -> (ControlResult, &str) {
    (control.result, &control.reason)
}

const GIT: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: NAME
  namespace: flux-system
spec:
  interval: 5m
  # where it is
  url: http://git.example.com/fleet
";
/// The control that such a GitRepository fails.
const PLAIN: &str = "FSX-SRC-005";
const PASS: ControlResult = ControlResult::Pass;
const FAIL: ControlResult = ControlResult::Fail;
const UNKNOWN: ControlResult = ControlResult::Unknown;

fn git(name: &str) -> String {
    GIT.replace("NAME", name)
}

#[test]
fn a_tree_is_read_file_by_file() {
    let tree = Tree::new(&[
        ("a/one.yaml", &git("one")),
        (
            "a/two.yml",
            &format!(
                "# comment\n---\n{}---\n{}",
                git("two"),
                git("three").replace('\n', "\r\n")
            ),
        ),
        ("a/bom.yaml", &format!("\u{feff}{}", git("bom"))),
        (
            "b/list.json",
            &serde_json::to_string_pretty(&list(&["four", "five"])).unwrap(),
        ),
        (
            "b/lines.jsonl",
            &list(&["six", "seven"])["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(Value::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        (
            "b/list.yaml",
            &format!(
                "apiVersion: v1\nitems:\n{}kind: List\n",
                ["eight", "nine"].map(item).concat()
            ),
        ),
        (
            "b/flow.yaml",
            &format!(
                "kind: GitRepositoryList\napiVersion: source.toolkit.fluxcd.io/v1\nitems: [{}]\n",
                list(&["ten"])["items"][0]
            ),
        ),
        ("c/README.md", "# none"),
        ("c/.github/workflow.yaml", "on: push\njobs: {}\n"),
        ("c/values.yaml", "replicas: 1\nimage: {tag: x}\n"),
        (
            "c/secret.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: b}\n",
        ),
        ("chart/Chart.yaml", "apiVersion: v2\nname: chart\n"),
        ("chart/templates/git.yaml", &git("templated")),
        (
            "loose/template.yaml",
            "apiVersion: v1\nkind: ServiceAccount\n{{- if .Values.a }}\nmetadata: {}\n{{- end }}\n",
        ),
        ("loose/named.yaml", &git("\"{{ .Release.Name }}\"")),
    ]);
    let audited = tree.audit();
    assert_eq!(tree.troubles(&audited), [""; 0]);
    let mut found = tree.found(&audited, PLAIN);
    found.sort();
    assert_eq!(
        found,
        [
            "a/bom.yaml:9 bom",
            "a/one.yaml:9 one",
            "a/two.yml:11 two",
            "a/two.yml:21 three",
            "b/flow.yaml:1 ten",
            "b/lines.jsonl:1 six",
            "b/lines.jsonl:2 seven",
            "b/list.json:13 four",
            "b/list.json:25 five",
            "b/list.yaml:11 eight",
            "b/list.yaml:20 nine",
        ]
    );
    let skipped = audited.skipped;
    assert_eq!(
        (skipped.templates, skipped.patches, skipped.of_no_interest),
        (3, 0, 1)
    );
    assert!(skipped.others >= 3, "{skipped:?}");
}

fn list(names: &[&str]) -> Value {
    let object = |name: &&str| serde_saphyr::from_str::<Value>(&git(name)).unwrap();
    let items: Vec<Value> = names.iter().map(object).collect();
    serde_json::json!({"apiVersion": "v1", "items": items, "kind": "List"})
}

fn item(name: &str) -> String {
    let text = git(name);
    let lines = text.lines().enumerate();
    lines.fold(String::new(), |mut item, (number, line)| {
        writeln!(item, "{}{line}", if number == 0 { "- " } else { "  " }).unwrap();
        item
    })
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_audited() {
    let tree = Tree::new(&[
        (
            "a.yaml",
            &format!("{}---\napiVersion: v1\nkind: [\n---\n{}", git("one"), git("two")),
        ),
        (
            "twice.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\nmetadata: {name: b}\n",
        ),
        (
            "types.yaml",
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: [a]}\n",
        ),
        (
            "tabs.yaml",
            "apiVersion: v1\nkind: Namespace\nmetadata:\n\tname: a\n",
        ),
        ("other.yaml", "a: [\n"),
        (
            "twice.json",
            r#"{"apiVersion": "v1", "kind": "Namespace", "kind": "Secret"}"#,
        ),
        ("b.json", "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\""),
    ]);
    fs::write(tree.path("bytes.yaml"), b"apiVersion: v1\nkind: \xff\xfe\n").unwrap();
    fs::write(tree.path("wide.yaml"), b"\xff\xfea\0p\0i\0").unwrap();
    symlink("/nowhere", tree.path("dangling.yaml")).unwrap();
    let audited = tree.audit();
    assert_eq!(tree.found(&audited, PLAIN), ["a.yaml:9 one", "a.yaml:22 two"]);
    let troubles = tree.troubles(&audited);
    let starts: Vec<&str> = troubles.iter().filter_map(|it| it.split(": ").next()).collect();
    assert_eq!(
        starts,
        [
            "a.yaml:12",
            "b.json:1",
            "bytes.yaml:1",
            "dangling.yaml",
            "tabs.yaml:4",
            "twice.json:1",
            "twice.yaml:4",
            "types.yaml:1",
            "wide.yaml:1"
        ],
        "{troubles:#?}"
    );
    let named: Vec<&String> = troubles.iter().filter(|it| it.starts_with("twice")).collect();
    assert!(
        named
            .iter()
            .all(|it| it.contains("duplicate") && !it.contains("Policy")),
        "{named:#?}"
    );
    // What is nothing for Kubernetes may be broken as it likes.
    assert_eq!(audited.skipped.others, 1);
}

/// In a folder, what is broken is told from what is for others by what it says of itself, however early it breaks.
#[test]
fn in_a_folder_what_looks_like_an_object_has_to_be_one() {
    let tree = Tree::new(&[
        ("kind.yaml", "metadata: {name: a}\nkind: Namespace\nspec: [\n"),
        ("version.yaml", "spec:\n  a: b: c\napiVersion: v1\n"),
        (
            "text.yaml",
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    {{ .b }}\n  c: '{{ d }}'\n  e: [\n",
        ),
        (
            "list.yaml",
            "- apiVersion: v1\n  kind: Namespace\n- apiVersion: v1\n  kind: Namespace\n",
        ),
        ("lines.jsonl", "{\"kind\": \"Namespace\", \"metadata\": {\n"),
    ]);
    let good = serde_saphyr::from_str::<Value>(&git("good")).unwrap();
    let lines = fs::read_to_string(tree.path("lines.jsonl")).unwrap() + &good.to_string() + "\n";
    fs::write(tree.path("lines.jsonl"), lines).unwrap();
    for (name, text) in [
        ("values.yaml", "image: {{ .Values.image }}\n"),
        ("prose.yaml", "This is how it goes: first, then: second\n"),
        (
            "patch.yaml",
            "- {op: add, path: /a}\n- {op: add, path: /spec/kind}\n",
        ),
        ("deep.yaml", "source:\n  kind: [\n"),
        (
            "template.yaml",
            "apiVersion: v1\nkind: ConfigMap\ndata: {{ toYaml .Values.data }}\n",
        ),
        ("empty.yaml", "# nothing yet\n"),
        ("tool.json", "{\"a\": // comment\n1}\n"),
    ] {
        fs::write(tree.path(name), text).unwrap();
    }
    let audited = tree.audit();
    let troubles = tree.troubles(&audited);
    let starts: Vec<&str> = troubles.iter().filter_map(|it| it.split(": ").next()).collect();
    assert_eq!(
        starts,
        [
            "kind.yaml:3",
            "lines.jsonl:1",
            "list.yaml:1",
            "text.yaml:7",
            "version.yaml:2"
        ],
        "{troubles:#?}"
    );
    assert_eq!(tree.found(&audited, PLAIN), ["lines.jsonl:2 good"]);
    assert_eq!((audited.skipped.others, audited.skipped.templates), (5, 1));
}

#[test]
fn patches_are_no_objects() {
    let tree = Tree::new(&[
        ("base/git.yaml", &git("base")),
        ("base/kustomization.yaml", "resources: [git.yaml]\n"),
        (
            "over/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../base]\npatches:\n- path: patches/whole.yaml\n- patch: |\n    a: 1\n  target: {kind: A}\npatchesStrategicMerge: [./part.yaml]\n",
        ),
        ("over/patches/whole.yaml", &git("patched")),
        ("over/part.yaml", &git("also-patched")),
        (
            "over/loose.yaml",
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: x, namespace: other}\nspec: {url: 'http://a'}\n",
        ),
        (
            "over/args.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: kustomize-controller, namespace: flux-system}\nspec: {template: {spec: {containers: [{name: manager, args: [--x]}]}}}\n",
        ),
        (
            "over/binding.yaml",
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: x}\nsubjects: []\n",
        ),
    ]);
    let audited = tree.audit();
    assert_eq!(tree.found(&audited, PLAIN), ["base/git.yaml:9 base"]);
    assert_eq!(audited.skipped.patches, 5);
    assert!(audited.posture.installations.is_empty());
}

#[test]
fn a_version_that_is_not_known_is_no_pass() {
    let posture = of(&git("a").replace("/v1", "/v9").replace("http:", "https:"));
    assert_eq!(verdict(&control(&posture, PLAIN)), (UNKNOWN, "Undecodable"));
    let posture = of(&git("a").replace("/v1", "/v1beta2").replace("http:", "https:"));
    assert_eq!(control(&posture, PLAIN).result, PASS);
    // A Kustomization of kustomize is none of Flux.
    let posture = of("apiVersion: kustomize.config.k8s.io/v1\nkind: Kustomization\nmetadata: {name: a}\n");
    assert_eq!(
        verdict(&control(&posture, "FSX-TEN-007")).0,
        ControlResult::NotApplicable
    );
}

#[test]
fn what_no_manifest_says_is_not_in_the_input() {
    let posture = of("");
    for control in &posture.controls {
        assert_ne!(control.result, PASS, "{}", control.control.id);
    }
    for unknown in ["FSP-KUST-001", "FSX-CFG-001", "FSX-RBAC-001", "FSP-NET-002"] {
        assert_eq!(
            verdict(&control(&posture, unknown)),
            (UNKNOWN, "NotInInput"),
            "{unknown}"
        );
    }
    let none = control(&posture, PLAIN);
    assert_eq!(verdict(&none), (ControlResult::NotApplicable, "NoneExists"));
    assert!(none.message.contains("is in the input"), "{}", none.message);
}

/// One object is enough for a kind to be in the input, whatever controls think of it.
#[test]
fn a_kind_is_in_the_input_with_any_object() {
    let missing = |text: &str| -> Vec<String> { of(text).gaps.into_iter().map(|gap| gap.message).collect() };
    let lacks = "the input has no Service".to_owned();
    assert!(missing("").contains(&lacks), "{:?}", missing(""));
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: kubernetes}\nspec: {ports: [{port: 443}]}\n";
    assert!(!missing(service).contains(&lacks), "{:?}", missing(service));
}

/// Flux objects of the input tell who uses Flux. An input without any tells nothing of its namespaces, and none of both is
/// a pass.
#[test]
fn flux_objects_of_the_input_tell_who_the_tenants_are() {
    let flux = flux::manifests().unwrap();
    let judged = |more: &str| {
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n";
        let judged = control(
            &of(&format!("{flux}\n---\n{namespace}---\n{more}")),
            "FSP-NET-004",
        );
        (judged.result, judged.message)
    };
    let applied = |namespace: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: apps, namespace: {namespace}}}\nspec: {{interval: 10m, prune: true, sourceRef: {{kind: GitRepository, name: fleet}}}}\n"
        )
    };
    let (result, message) = judged("");
    assert_eq!(result, UNKNOWN, "{message}");
    assert!(message.contains("Flux object"), "{message}");
    let (result, message) = judged(&applied("flux-system"));
    assert_eq!(result, ControlResult::NotApplicable, "{message}");
    let (result, message) = judged(&applied("team"));
    assert_ne!(result, PASS, "{message}");
    assert_ne!(result, ControlResult::NotApplicable, "{message}");
}

/// Controls that fail for the lack of an object, which manifests cannot show.
const LACKS: [&str; 2] = ["FSP-DED-003", "FSP-NODE-002"];

/// Everything that a plain install says, judged as in a cluster that has nothing else.
#[test]
fn manifests_and_cluster_agree() {
    let text = flux::manifests().unwrap();
    let objects: Vec<Value> = text
        .split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .filter(|object: &Value| {
            flux_security_operator::kinds::KindId::all().any(|it| object["kind"] == it.name())
        })
        .collect();
    for tenancy in [Tenancy::None, Tenancy::Shared, Tenancy::Dedicated] {
        let mut engine = engine(tenancy);
        let cluster_admin = serde_json::json!({
            "kind": "ClusterRole", "metadata": {"name": "cluster-admin"},
            "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        });
        engine.ingest(objects.iter().chain([&cluster_admin]).map(upsert));
        let live = support::posture(&engine);
        let tree = Tree::new(&[("flux-system/gotk-components.yaml", &text)]);
        let audited = tree.audit_as(tenancy);
        assert_eq!(tree.troubles(&audited), [""; 0]);
        let mut judged = 0;
        for (live, offline) in live.controls.iter().zip(&audited.posture.controls) {
            let id = live.control.id;
            if (offline.result, offline.reason.as_str()) == (UNKNOWN, "NotInInput") {
                // Not a kind of which the manifests have any, or something that only runs.
                assert!(
                    live.result != FAIL || LACKS.contains(&id),
                    "{id}: {}",
                    offline.message
                );
                continue;
            }
            judged += 1;
            assert_eq!(
                live.result, offline.result,
                "{id}: {} – {}",
                live.message, offline.message
            );
        }
        assert!(
            judged > live.controls.len() / 2,
            "{judged} of {}",
            live.controls.len()
        );
        assert_eq!(live.installations, audited.posture.installations);
        let without_place = |posture: &PolicyPosture| -> Vec<Finding> {
            let findings = posture.findings.iter().map(|it| it.finding.clone());
            let shown = findings.filter(|finding| !LACKS.contains(&finding.control.as_str()));
            let bare = shown.map(|mut finding| {
                finding.location.file.clear();
                finding.location.line = None;
                finding
            });
            bare.collect()
        };
        assert_eq!(without_place(&live), without_place(&audited.posture));
        for finding in &audited.posture.findings {
            assert!(
                finding.finding.location.line.is_some()
                    || finding.finding.resource.kind == "FluxSecurityPolicy",
                "{finding:?}"
            );
        }
        let passing = control(&audited.posture, "FSP-KUST-001");
        assert!(
            passing.message.contains("not in the input"),
            "{}",
            passing.message
        );
    }
}

const TENANT: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: applier, namespace: team}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: team}
spec: {interval: 10m, prune: true, serviceAccountName: applier, sourceRef: {kind: GitRepository, name: fleet}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: applier, namespace: team}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: KIND, name: ROLE}
subjects: [{kind: ServiceAccount, name: applier, namespace: team}]
---
";

#[test]
fn a_role_that_no_manifest_has_may_allow_anything() {
    let judged = |kind: &str, role: &str, more: &str| {
        let flux = flux::manifests().unwrap();
        let tenant = TENANT.replace("KIND", kind).replace("ROLE", role);
        control(&of(&format!("{flux}\n---\n{tenant}{more}")), "FSX-TEN-002")
    };
    let harmless = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: mine, namespace: team}\nrules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]\n";
    assert_eq!(
        judged("Role", "mine", harmless).result,
        PASS,
        "{}",
        judged("Role", "mine", harmless).message
    );
    let lacking = judged("Role", "mine", "");
    assert_eq!(verdict(&lacking), (UNKNOWN, "NotInInput"), "{}", lacking.message);
    assert!(lacking.message.contains("Role team/mine"), "{}", lacking.message);
    let foreign = judged("ClusterRole", "theirs", "");
    assert_eq!(verdict(&foreign), (UNKNOWN, "NotInInput"), "{}", foreign.message);
    let aggregated = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: theirs}\naggregationRule: {clusterRoleSelectors: []}\nrules: []\n";
    assert_eq!(
        verdict(&judged("ClusterRole", "theirs", aggregated)),
        (UNKNOWN, "NotInInput")
    );
    // A dump has what Kubernetes put together.
    let put_together = aggregated.replace(
        "rules: []",
        "rules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]",
    );
    assert_eq!(judged("ClusterRole", "theirs", &put_together).result, PASS);
    // Kubernetes' own roles are known.
    assert_eq!(judged("ClusterRole", "cluster-admin", "").result, FAIL);
}

#[test]
fn a_namespace_that_is_only_named_is_not_known() {
    let flux = flux::manifests().unwrap();
    let kustomization = TENANT.replace("KIND", "ClusterRole").replace("ROLE", "view");
    let known = of(&format!("{flux}\n---\n{kustomization}"));
    let unknown = of(&format!(
        "{flux}\n---\n{}",
        kustomization.replace("kind: Namespace", "kind: ConfigMap")
    ));
    let id = "FSP-MT-010";
    assert_eq!(
        control(&known, id).result,
        PASS,
        "{}",
        control(&known, id).message
    );
    assert_eq!(verdict(&control(&unknown, id)), (UNKNOWN, "NotInInput"));
    // An account that no manifest has may exist.
    let elsewhere = of(&format!(
        "{flux}\n---\n{}",
        kustomization.replace("kind: ServiceAccount\n", "kind: ConfigMap\n")
    ));
    assert_eq!(verdict(&control(&elsewhere, id)), (UNKNOWN, "NotInInput"));
}

#[test]
fn two_clusters_in_one_tree_are_audited_apart() {
    let sound = |text: String| text.replace("http:", "https:");
    let tree = Tree::new(&[
        ("clusters/a/git.yaml", &sound(git("fleet"))),
        ("clusters/b/git.yaml", &git("fleet")),
        ("clusters/b/more.yaml", &git("more")),
        ("shared/git.yaml", &git("shared")),
        ("twice.yaml", &format!("{}---\n{}", git("twice"), git("twice"))),
    ]);
    let audited = tree.audit();
    let mut found = tree.found(&audited, PLAIN);
    found.sort();
    assert_eq!(
        found,
        [
            "clusters/b/git.yaml:9 fleet",
            "clusters/b/more.yaml:9 more",
            "shared/git.yaml:9 shared",
            "twice.yaml:19 twice",
            "twice.yaml:9 twice",
        ]
    );
    assert_eq!(control(&audited.posture, PLAIN).findings, 5);
    assert_eq!(tree.troubles(&audited), [""; 0]);

    // What only one of them has is no excuse for the other.
    let deny = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: team}\nspec: {podSelector: {}}\n";
    let flux = flux::manifests().unwrap();
    let namespace =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: team, labels: {toolkit.fluxcd.io/tenant: team}}\n";
    let tenants = |with: bool| {
        Tree::new(&[
            ("clusters/a/flux.yaml", &flux),
            ("clusters/a/team.yaml", namespace),
            ("clusters/a/deny.yaml", deny),
            ("clusters/b/flux.yaml", &flux),
            ("clusters/b/team.yaml", namespace),
            ("clusters/b/deny.yaml", if with { deny } else { "" }),
        ])
    };
    let id = "FSP-NET-004";
    let both = tenants(true).audit();
    let one = tenants(false).audit();
    let message = control(&one.posture, id).message;
    assert_eq!(
        control(&both.posture, id).result,
        PASS,
        "{}",
        control(&both.posture, id).message
    );
    assert_eq!(control(&one.posture, id).result, FAIL, "{message}");
}

/// Row 55.
#[test]
fn input_that_is_made_to_hurt_is_named_and_costs_little() {
    let tree = Tree::new(&[("good.yaml", &git("good")), ("deep/er/git.yaml", &git("deeper"))]);
    let head = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
    let mut bomb = head.to_owned() + "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    fs::write(tree.path("bomb.yaml"), bomb).unwrap();
    fs::write(
        tree.path("nested.yaml"),
        head.to_owned() + "a: " + &"[".repeat(100_000),
    )
    .unwrap();
    fs::write(
        tree.path("nested.json"),
        r#"{"apiVersion":"v1","kind":"#.to_owned() + &"[".repeat(1_000_000),
    )
    .unwrap();
    fs::write(tree.path("bytes.yaml"), [head.as_bytes(), b"a: \xff\n"].concat()).unwrap();
    symlink("..", tree.path("deep/loop")).unwrap();
    symlink("self.yaml", tree.path("self.yaml")).unwrap();
    symlink("/dev/zero", tree.path("device.yaml")).unwrap();
    symlink("/dev/zero", tree.path("device")).unwrap();
    let fifo = Command::new("mkfifo")
        .arg(tree.path("fifo.yaml"))
        .status()
        .unwrap();
    assert!(fifo.success());
    // A gigabyte of one line, and one of nothing: sparse files take no disk.
    let huge = fs::File::create(tree.path("huge.yaml")).unwrap();
    (&huge).write_all(head.as_bytes()).unwrap();
    huge.set_len(1 << 30).unwrap();
    fs::write(tree.path("unreadable.yaml"), "a: 1").unwrap();
    fs::set_permissions(tree.path("unreadable.yaml"), fs::Permissions::from_mode(0o000)).unwrap();

    let began = Instant::now();
    let audited = tree.audit();
    let took = began.elapsed();
    // An input without an end would not come to one; how long it takes is a question of the machine.
    assert!(took < Duration::from_mins(10), "{took:?}");
    assert_eq!(
        tree.found(&audited, PLAIN),
        ["deep/er/git.yaml:9 deeper", "good.yaml:9 good"]
    );
    let troubles = tree.troubles(&audited);
    let named = |file: &str| troubles.iter().any(|it| it.starts_with(file));
    for file in [
        "bomb.yaml:",
        "nested.yaml:4",
        "nested.json:1",
        "bytes.yaml:1",
        "self.yaml",
        "fifo.yaml",
        "device.yaml: is a device",
        "huge.yaml:1",
    ] {
        assert!(named(file), "{file}: {troubles:#?}");
    }
    // Root reads everything.
    let is_refused = fs::read(tree.path("unreadable.yaml")).is_err();
    assert_eq!(named("unreadable.yaml"), is_refused, "{troubles:#?}");
    assert!(troubles.iter().all(|it| it.len() < 1024), "{troubles:#?}");
}

/// Row 55.
#[test]
fn a_million_documents_are_read_in_a_stream() {
    let tree = Tree::new(&[]);
    let mut file = fs::File::create(tree.path("many.yaml")).unwrap();
    let some = "---\nkey: 1\n".repeat(1000);
    for _ in 0..1000 {
        file.write_all(some.as_bytes()).unwrap();
    }
    assert_eq!(tree.audit().skipped.others, 1_000_000);
}

/// Row 55.
#[test]
fn the_same_object_again_and_again_is_bounded() {
    let text: String = (0..20_000)
        .map(|_| "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")
        .collect();
    let mut manifests = manifests::Manifests::default();
    manifests.add("many", text.as_bytes());
    let audited = manifests.audit("test", &policy(Tenancy::None));
    assert!(
        audited.troubles[0].contains("fewer clusters"),
        "{:?}",
        audited.troubles
    );
    assert!(audited.more_troubles > 10_000);
}

fn fluxsec(arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fluxsec"))
        .arg("audit")
        .args(arguments)
        .env("KUBECONFIG", "/nowhere")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever reads no standard input closes it.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_exit_code_says_what_came_of_it() {
    let tree = Tree::new(&[
        ("bad.yaml", &git("bad")),
        ("good.yaml", &git("good").replace("http:", "https:")),
        ("broken.yaml", "apiVersion: [\n"),
    ]);
    let bad = tree.path("bad.yaml");
    let good = tree.path("good.yaml");
    let output = fluxsec(&["-f", path(&bad), "-f", path(&good), "-o", "json"], "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("objects: 2,"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["status"]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|it| it["control"] == PLAIN).unwrap();
    assert_eq!(finding["location"]["file"], path(&bad));
    assert_eq!(finding["location"]["line"], 9);

    let output = fluxsec(&["-f", "-", "--fail-on", "none"], &git("piped"));
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("piped"));

    // The rest is audited all the same.
    let output = fluxsec(&["-f", path(tree.0.path())], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("broken.yaml:1"));
    assert!(String::from_utf8_lossy(&output.stdout).contains(PLAIN));

    let output = fluxsec(&["-f", "/nowhere/at/all"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/at/all"));

    // Nothing fails, and much is not in the input.
    let gates = ["-f", path(&good), "--fail-on", "none"];
    assert_eq!(fluxsec(&gates, "").status.code(), Some(0));
    let output = fluxsec(&[&gates[..], &["--require-complete"]].concat(), "");
    assert_eq!(output.status.code(), Some(3));
    let output = fluxsec(&["-f", "-", "--context", "x"], "");
    assert_eq!(output.status.code(), Some(2));
}

/// Whoever names a file means it: nothing in it is passed over unread.
#[test]
fn what_is_named_has_to_be_readable() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n";
    let cases: [(&[u8], &str); 8] = [
        (b"a: [\n", ":1: "),
        (b"first: 1\n---\nsecond: 'a\n", ":3: "),
        (b"{\"a\": \"b\"\n", ":1: "),
        (b"nothing but prose\n", ":1: is a text and no object"),
        (b"\x7fELF\x02\xff", ":1: is not UTF-8"),
        (b"", ": is empty"),
        (b"\n# only a comment\n---\n", ": is empty"),
        (template.as_bytes(), ": has placeholders: "),
    ];
    for (text, said) in cases {
        let tree = Tree::new(&[("good.yaml", &git("good"))]);
        let file = tree.path("notes");
        fs::write(&file, text).unwrap();
        let output = fluxsec(&["-f", path(&tree.path("good.yaml")), "-f", path(&file)], "");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(
            errors.contains(path(&file)) && errors.contains(said),
            "{said}: {errors}"
        );
        assert!(
            String::from_utf8_lossy(&output.stdout).contains(PLAIN),
            "the rest is audited"
        );
        let Ok(text) = str::from_utf8(text) else { continue };
        let output = fluxsec(&["-f", "-"], text);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(
            errors.contains("standard input") && errors.contains(said),
            "{said}: {errors}"
        );
        // The same in a folder is somebody else's.
        fs::rename(&file, tree.path("notes.yaml")).unwrap();
        let output = fluxsec(&["-f", path(tree.0.path()), "--fail-on", "none"], "");
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let output = fluxsec(&["-f", "/dev/zero"], "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("/dev/zero: is a device"));
    let output = fluxsec(&["-f", "-"], "replicas: 1\n");
    assert_eq!(output.status.code(), Some(0));
    let empty = Tree::new(&[("README.md", "# none")]);
    let output = fluxsec(&["-f", path(empty.0.path())], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no file that is called like a manifest"));
}

/// `fluxsec audit | head` ends as the audit does.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let tree = Tree::new(&[("flux.yaml", &flux::manifests().unwrap())]);
    for format in support::FORMATS {
        let script = format!(
            "\"$0\" audit --tenancy shared -f \"$1\" -o {format} | head -c 1 > \"$1/first\"; echo ${{PIPESTATUS[0]}}"
        );
        let output = Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_fluxsec"), path(tree.0.path())])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "1\n",
            "{format}: {errors}"
        );
        assert_eq!(errors.lines().count(), 1, "{format}: {errors}");
        assert_eq!(fs::read(tree.path("first")).unwrap().len(), 1, "{format}");
    }
}
