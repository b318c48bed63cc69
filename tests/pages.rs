//! Every control has a page in `docs/controls`, and every example on it is judged as it says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use flux_security_operator::api::policy::ControlTuning;
use flux_security_operator::api::{ControlResult, Tenancy};
use flux_security_operator::controls::{self, CATALOGUE, Control, Judges};
use flux_security_operator::engine::PolicyPosture;
use flux_security_operator::kinds::KindId;
use flux_security_operator::kinds::own::PolicyRow;
use flux_security_operator::manifests;
use serde_json::Value;

const PAGES: &str = "docs/controls";
const FENCE: &str = "```";

/// A fenced YAML block: objects, and what the control says to them.
struct Example {
    /// The sentence before the block.
    sentence: String,
    /// What follows `yaml`.
    info: String,
    yaml: String,
}

#[test]
fn every_control_has_a_page_and_every_page_a_control() {
    let pages: BTreeSet<String> = pages().into_keys().collect();
    let controls: BTreeSet<String> = CATALOGUE.iter().map(|control| control.id.to_owned()).collect();
    let missing: Vec<_> = controls.difference(&pages).collect();
    assert!(missing.is_empty(), "no page in {PAGES} for {missing:?}");
    let stray: Vec<_> = pages.difference(&controls).collect();
    assert!(stray.is_empty(), "no control for the pages {stray:?} in {PAGES}");
}

#[test]
fn every_page_shows_a_fail_a_pass_and_an_unknown() {
    for (id, page) in pages() {
        let examples = examples(&page);
        for wanted in wanted(controls::find(&id).unwrap()) {
            let found = examples
                .iter()
                .any(|example| example.info.split(' ').next() == Some(*wanted));
            assert!(found, "{PAGES}/{id}.md has no example `{FENCE}yaml {wanted}`");
        }
    }
}

/// What is known of an object is in the object: only the kind as a whole can be out of sight. And there are verdicts
/// on the cluster that no manifest can change, and one on what only a Secret proves.
fn wanted(control: &Control) -> &'static [&'static str] {
    match control.judges {
        Judges::Controllers { .. } if support::reads_command_lines(control) => &["fail", "pass", "unknown"],
        Judges::Objects(_) if control.id == "FSX-SRC-004" => &["fail", "unknown"],
        Judges::Controllers { .. } | Judges::Objects(_) | Judges::Namespaces(_) => &["fail", "pass"],
        Judges::Cluster(_) | Judges::Custom(_) => &[],
    }
}

#[test]
fn every_example_is_judged_as_it_says() {
    let mut wrong = Vec::new();
    for (id, page) in pages() {
        for (position, example) in examples(&page).iter().enumerate() {
            if let Err(why) = check(&id, example) {
                let number = position + 1;
                wrong.push(format!(
                    "{PAGES}/{id}.md, block {number} ({}): {why}",
                    example.info
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(id: &str, example: &Example) -> Result<(), String> {
    let Meaning {
        expected,
        tenancy,
        parameters,
        is_file,
    } = meaning(&example.info)?;
    if !example.sentence.ends_with(['.', ':']) {
        return Err("no sentence before it says why".to_owned());
    }
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(&example.yaml).map_err(|error| format!("no YAML: {error}"))?;
    if objects.is_empty() {
        return Err("no object".to_owned());
    }
    if !is_file {
        objects.iter().try_for_each(is_served)?;
    }
    let mut row = support::policy(tenancy);
    if !parameters.is_empty() {
        row.spec.controls = vec![ControlTuning {
            id: id.to_owned(),
            parameters,
            ..ControlTuning::default()
        }];
    }
    if is_file {
        let posture = manifests::audit([&example.yaml], &row.spec);
        return compare(id, &posture, expected);
    }
    judge(id, &row, &objects, expected)
}

fn judge(id: &str, row: &PolicyRow, objects: &[Value], expected: ControlResult) -> Result<(), String> {
    let mut engine = support::engine(row.spec.tenancy);
    engine.pin("test", row.clone());
    engine.ingest(objects.iter().map(support::upsert));
    let posture = support::posture(&engine);
    if let Some(invalid) = posture.invalid {
        return Err(invalid);
    }
    // An object that cannot be read would make everything unknown.
    if let Some(gap) = posture.gaps.first() {
        return Err(gap.message.clone());
    }
    compare(id, &posture, expected)
}

fn compare(id: &str, posture: &PolicyPosture, expected: ControlResult) -> Result<(), String> {
    let controls = posture.controls.iter();
    let judged = controls.into_iter().find(|control| control.control.id == id);
    let judged = judged.ok_or("no such control")?;
    if judged.result == expected {
        return Ok(());
    }
    Err(format!("{}: {}", judged.result, judged.message))
}

/// What an info string says: `fail`, `fail file`, `fail dedicated`, `fail allowed=github.com/my-org`.
struct Meaning {
    expected: ControlResult,
    /// Shared when none is named.
    tenancy: Tenancy,
    /// Parameters of the control.
    parameters: BTreeMap<String, String>,
    /// Whether it is a file that is audited instead of a cluster.
    is_file: bool,
}

fn meaning(info: &str) -> Result<Meaning, String> {
    let mut words = info.split(' ');
    let expected = match words.next().unwrap_or_default() {
        "fail" => ControlResult::Fail,
        "pass" => ControlResult::Pass,
        "unknown" => ControlResult::Unknown,
        "notapplicable" => ControlResult::NotApplicable,
        "manual" => ControlResult::Manual,
        other => return Err(format!("{other:?} is no result")),
    };
    let mut meaning = Meaning {
        expected,
        tenancy: Tenancy::Shared,
        parameters: BTreeMap::new(),
        is_file: false,
    };
    for word in words {
        match (word, word.split_once('=')) {
            ("none", _) => meaning.tenancy = Tenancy::None,
            ("shared", _) => meaning.tenancy = Tenancy::Shared,
            ("file", _) => meaning.is_file = true,
            ("dedicated", _) => meaning.tenancy = Tenancy::Dedicated,
            (_, Some((name, value))) => {
                meaning.parameters.insert(name.to_owned(), value.to_owned());
            }
            _ => return Err(format!("{word:?} is neither a tenancy nor a parameter")),
        }
    }
    Ok(meaning)
}

/// Kinds of examples whose objects are in no namespace.
const CLUSTER_SCOPED: [&str; 9] = [
    "Namespace",
    "Node",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "RuntimeClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

/// An example that no API server would serve teaches nothing.
fn is_served(object: &Value) -> Result<(), String> {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (api_version, kind) = (text("/apiVersion"), text("/kind"));
    let served = KindId::all().any(|id| {
        let descriptor = id.entry().descriptor;
        let prefix = match descriptor.group {
            "" => String::new(),
            group => format!("{group}/"),
        };
        let mut versions = descriptor.versions.iter();
        descriptor.kind == kind && versions.any(|version| format!("{prefix}{version}") == api_version)
    });
    if !served {
        return Err(format!("{kind} of {api_version} is not watched"));
    }
    let is_cluster_scoped = CLUSTER_SCOPED.contains(&kind);
    let without_namespace = !is_cluster_scoped && text("/metadata/namespace").is_empty();
    if text("/metadata/name").is_empty() || without_namespace {
        return Err(format!("{kind} without name or namespace"));
    }
    Ok(())
}

/// Every page by the id in its file name.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(PAGES).expect("docs/controls exists: run `make generate`") {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let id = name
            .strip_suffix(".md")
            .unwrap_or_else(|| panic!("{PAGES}/{name} is no page"));
        if id != "README" {
            let page = fs::read_to_string(format!("{PAGES}/{name}")).unwrap();
            pages.insert(id.to_owned(), page);
        }
    }
    pages
}

/// The YAML blocks of a page, in order.
fn examples(page: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut sentence = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix(FENCE) else {
            sentence = if line.trim().is_empty() { sentence } else { line };
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != FENCE).collect();
        if let Some(info) = language.strip_prefix("yaml") {
            examples.push(Example {
                sentence: std::mem::take(&mut sentence).to_owned(),
                info: info.trim().to_owned(),
                yaml: body.join("\n"),
            });
        }
    }
    examples
}
