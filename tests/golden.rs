//! The verdicts on whole installations, control by control and with their reasons: what a newcomer's first report says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
mod shapes;
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, iter};

use controlplane::flux;
use flux_security_operator::api::report::Controller;
use flux_security_operator::api::{ControlResult, FluxSecurityPolicySpec, Installation, Tenancy};
use flux_security_operator::controls::{CATALOGUE, Outcome, Parameters};
use flux_security_operator::engine::{ControlPosture, Engine, PolicyPosture};
use flux_security_operator::inventory::{Coverage, Delta, Evidence, SubjectKey, TenancyRules, View};
use flux_security_operator::kinds::KindId;
use serde_json::{Value, json};
use shapes::Shape;
use support::{engine, kind_of, posture, upsert};

/// The objects of a plain `flux install` whose kind is watched.
fn installed() -> Vec<Value> {
    let manifests = flux::manifests().unwrap();
    let documents = manifests.split("\n---\n");
    let objects = documents.map(|document| serde_saphyr::from_str::<Value>(document).unwrap());
    objects.filter(is_watched).chain([cluster_admin()]).collect()
}

/// Charts leave it to Helm where their objects go.
fn in_flux_system(mut object: Value) -> Value {
    let is_of_namespace = matches!(
        object["kind"].as_str(),
        Some("Deployment" | "NetworkPolicy" | "ServiceAccount")
    );
    if is_of_namespace {
        object["metadata"]["namespace"] = json!("flux-system");
    }
    object
}

fn is_watched(object: &Value) -> bool {
    let kind = object["kind"].as_str().unwrap_or_default();
    KindId::all().any(|it| it.name() == kind)
}

/// What every API server makes by itself, and Flux's manifests refer to.
fn cluster_admin() -> Value {
    json!({
        "kind": "ClusterRole", "metadata": {"name": "cluster-admin"},
        "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    })
}

#[test]
fn a_plain_install_gets_these_verdicts() {
    let objects = installed();
    let mut rows: Vec<String> = Vec::new();
    for tenancy in [Tenancy::None, Tenancy::Shared, Tenancy::Dedicated] {
        let mut engine = engine(tenancy);
        engine.ingest(objects.iter().map(upsert));
        for control in posture(&engine).controls {
            let id = control.control.id;
            let verdict = format!("{:<9} {:<14}", control.severity.as_str(), control.result.as_str());
            match rows.iter_mut().find(|row| row.starts_with(id)) {
                Some(row) => row.push_str(&verdict),
                None => rows.push(format!("{id:<13} {verdict}")),
            }
        }
    }
    rows.sort();
    let rows: Vec<&str> = rows.iter().map(|row| row.trim_end()).collect();
    insta::assert_snapshot!(rows.join("\n"));
}

/// Longest message of a table: what follows is in the report.
const LONGEST: usize = 140;

/// One table an installer: every control's result where tenants share the cluster, and why.
macro_rules! tables {
    ($($shape:ident)*) => {$(
        #[test]
        fn $shape() {
            insta::assert_snapshot!(table(&shapes::$shape()));
        }
    )*};
}

tables! {
    locked_down
    shards
    hand_made
    flux_instance
    flux_instance_multitenant
    flux_instance_workload_identity
    flux_instance_sized
    flux_instance_sharded
    flux_instance_openshift
    chart
    chart_multitenant
    aks
    all_in_one
}

/// The table of every minor in one: a control has a line for each span of minors that get the same verdict.
#[test]
fn bootstrap() {
    let releases = shapes::minors();
    let postures: Vec<PolicyPosture> = releases
        .iter()
        .map(|release| audited(&shapes::bootstrap(&release.flux.to_string())))
        .collect();
    let mut lines: Vec<String> = postures.iter().flat_map(installations).collect();
    for (position, control) in postures[0].controls.iter().enumerate() {
        let verdicts: Vec<(u64, String)> = iter::zip(&releases, &postures)
            .map(|(release, posture)| (release.flux.minor, verdict(&posture.controls[position])))
            .collect();
        for same in verdicts.chunk_by(|one, two| one.1 == two.1) {
            let (first, last) = (same[0].0, same[same.len() - 1].0);
            let span = if first == last {
                format!("2.{last}")
            } else {
                format!("2.{first}-2.{last}")
            };
            lines.push(format!("{:<13} {span:<9} {}", control.control.id, same[0].1));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

fn table(shape: &Shape) -> String {
    let posture = audited(shape);
    let rows = posture.controls.iter();
    let rows = rows.map(|control| format!("{:<13} {}", control.control.id, verdict(control)));
    installations(&posture).chain(rows).collect::<Vec<_>>().join("\n")
}

fn audited(shape: &Shape) -> PolicyPosture {
    let mut engine = engine(Tenancy::Shared);
    engine.ingest(shape.objects().iter().map(upsert));
    posture(&engine)
}

/// Which controllers were found, in which versions.
fn installations(posture: &PolicyPosture) -> impl Iterator<Item = String> {
    let describe = |it: &Installation| {
        let controllers = it.controllers.iter();
        let controllers: Vec<String> = controllers
            .map(|it| format!("{} {}", called(it), it.version))
            .collect();
        format!(
            "{} {} in {}: {}",
            it.installer,
            it.version,
            it.namespace,
            controllers.join(", ")
        )
    };
    let found: Vec<String> = posture.installations.iter().map(describe).collect();
    found.into_iter()
}

/// A controller's name, and its shard's.
fn called(controller: &Controller) -> String {
    match controller.shard.as_str() {
        "" => controller.name.clone(),
        shard => format!("{}-{shard}", controller.name),
    }
}

fn verdict(control: &ControlPosture) -> String {
    let found = match control.findings {
        0 => String::new(),
        count => format!(" {count}"),
    };
    let result = format!("{}{found}", control.result);
    let message: String = control.message.chars().take(LONGEST).collect();
    format!("{:<8} {result:<13} {message}", control.severity)
}

/// A rendering, the shape that was written after it, and the controls that may differ.
type Rendering = (&'static str, fn() -> Shape, &'static [&'static str]);

/// The renderings were made offline and without what `flux install` adds to upstream's manifests: images have no digest, and
/// nothing turns the gate for ExternalArtifacts on. Nor do they have the labels of whoever applied them, and the FluxInstance
/// that they were made from stands among the objects, where nobody has reconciled it.
const RENDERINGS: [Rendering; 7] = [
    (
        "install-v2.9.4.yaml",
        || shapes::bootstrap("2.9.4"),
        &["FSX-SRC-011", "FSX-CFG-005"],
    ),
    (
        "install-v2.4.0.yaml",
        || shapes::bootstrap("2.4.0"),
        &["FSX-CFG-005"],
    ),
    (
        "install-v2.9.4-multitenant.yaml",
        shapes::locked_down,
        &["FSX-SRC-011", "FSX-CFG-005"],
    ),
    (
        "fluxinstance-default-v2.9.4.yaml",
        shapes::flux_instance,
        &["FSX-IMG-002", "FSX-OPR-004"],
    ),
    (
        "fluxinstance-multitenant-sharded-v2.9.4.yaml",
        shapes::flux_instance_sharded,
        &["FSX-IMG-002", "FSX-OPR-004"],
    ),
    ("chart-default-v2.8.5.yaml", shapes::chart, &[]),
    ("chart-multitenancy-v2.8.5.yaml", shapes::chart_multitenant, &[]),
];

/// Full renderings of the installers get the verdicts of the shapes, where they are at hand beside the crate.
#[test]
fn shapes_are_judged_as_real_renderings_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/flux");
    if !folder.exists() {
        return;
    }
    let mut different = Vec::new();
    for (file, shape, may_differ) in RENDERINGS {
        let written = shape();
        let yaml = fs::read_to_string(folder.join(file)).unwrap();
        let mut rendered = written.clone();
        let objects = shapes::documents(&yaml).into_iter().filter(is_watched);
        rendered.installed = objects.map(in_flux_system).collect();
        let (written, rendered) = (audited(&written), audited(&rendered));
        for (ours, theirs) in iter::zip(&written.controls, &rendered.controls) {
            let id = ours.control.id;
            if ours.result != theirs.result && !may_differ.contains(&id) {
                different.push(format!("{file} {id}\n  {}\n  {}", verdict(ours), verdict(theirs)));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// What a pass was read from, and then cannot be read, is no reason to pass: for every control, every kind that it reads, and
/// whether nobody may read it or nobody knows its version.
#[test]
fn a_pass_ends_with_its_evidence() {
    let objects = shapes::flux_instance_sharded().objects();
    let mut engine = engine(Tenancy::Shared);
    engine.ingest(objects.iter().map(upsert));
    let whole = posture(&engine);
    let mut pairs = 0;
    for kind in KindId::all() {
        let readers = passing_readers(&engine, kind);
        pairs += readers.len();
        let unknown = Coverage::NotServed {
            versions: "v9".into(),
        };
        for coverage in [Coverage::Forbidden, unknown] {
            engine.ingest([Delta::Coverage(kind, coverage)]);
            for control in posture(&engine).controls {
                let id = control.control.id;
                let passes = control.result == ControlResult::Pass;
                assert!(
                    !passes || !readers.contains(id) || WEIGHED.contains(&id),
                    "{id} without {}",
                    kind.name()
                );
            }
        }
        let of_kind = objects.iter().filter(|object| kind_of(object) == kind);
        engine.ingest(iter::once(Delta::Coverage(kind, Coverage::Synced)).chain(of_kind.map(upsert)));
        assert_eq!(
            posture(&engine).controls,
            whole.controls,
            "{} is seen again",
            kind.name()
        );
    }
    assert!(pairs > 100, "{pairs}");
}

/// Controls that look at accounts to weigh a failure: a pass does not rest on them.
const WEIGHED: [&str; 2] = ["FSP-WI-006", "FSP-WI-007"];

/// The controls that pass somewhere by what they read of a kind.
fn passing_readers(engine: &Engine, kind: KindId) -> BTreeSet<&'static str> {
    let inventory = engine.inventory();
    let rules = TenancyRules::new(&FluxSecurityPolicySpec::default());
    let reads = |evidence: &Evidence| match evidence {
        Evidence::Objects(read, _) => *read == kind,
        Evidence::Controllers(_) | Evidence::Peers => CONTROLLERS.contains(&kind.name()),
        Evidence::Access(_) => ACCESS.contains(&kind.name()),
        // Whether labels and controllers are asked for depends on the namespace.
        Evidence::Owners(_) | Evidence::Trees | Evidence::Scans => false,
        Evidence::Neighbours | Evidence::Tolerations => kind.name() == "Pod",
    };
    let mut readers = BTreeSet::new();
    for control in CATALOGUE {
        for subject in control.judges.subjects(inventory) {
            let view = View::new(inventory, &subject, &rules);
            let judged = control.judges.judge(&view, &Parameters::new());
            let passes = matches!(judged, Some(Ok(Outcome::Pass)));
            if passes && (view.reads().iter().any(reads) || is_subject(&subject, kind)) {
                readers.insert(control.id);
            }
        }
    }
    readers
}

const CONTROLLERS: [&str; 3] = ["Deployment", "StatefulSet", "Pod"];
const ACCESS: [&str; 4] = ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"];

fn is_subject(subject: &SubjectKey, kind: KindId) -> bool {
    match subject {
        SubjectKey::Controller(_) => CONTROLLERS.contains(&kind.name()),
        SubjectKey::Object(of, _) => *of == kind,
        SubjectKey::Namespace(_) => kind.name() == "Namespace",
        SubjectKey::Custom(_) | SubjectKey::Cluster => false,
    }
}
