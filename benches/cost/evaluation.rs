//! What the verdicts themselves cost, without an API server: of everything, and of one change.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use flux_security_operator::api::Tenancy;
use flux_security_operator::controls::{CATALOGUE, Outcome, Parameters};
use flux_security_operator::engine::Engine;
use flux_security_operator::inventory::{Coverage, Delta, TenancyRules, View};
use flux_security_operator::kinds::KindId;
use flux_security_operator::kinds::own::PolicyRow;
use serde_json::{Value, json};

use super::growth::{exponent, median};
use super::ledger::Ledger;
use super::population::{OF_A_TENANT, Object, Population, tenant_name};
use super::{counting, support};

/// Name of this run.
pub(crate) const RUN: &str = "evaluation";
/// Flux objects.
pub(crate) const SIZES: [usize; 4] = [500, 5000, 10_000, 50_000];
/// How often everything is evaluated.
const REPETITIONS: u32 = 5;
/// Changes of each sort.
const CHANGES: usize = 200;
/// Controls whose verdicts are told of: those that take most of the time.
const DEAREST: usize = 10;
/// Name of the only policy.
const POLICY: &str = "test";

/// What changes, and how an object of it looks before and after.
type Change = (&'static str, fn(&str, bool) -> Value);

/// Whatever people change in a cluster, one at a time.
const SORTS: [Change; 5] = [
    ("Kustomization", kustomization),
    ("RoleBinding", role_binding),
    ("NetworkPolicy", network_policy),
    ("Namespace's labels", namespace),
    ("Pod", pod),
];

/// Evaluates clusters of every size.
pub(crate) fn measure(ledger: &mut Ledger) -> anyhow::Result<()> {
    let mut costs: BTreeMap<&str, BTreeMap<usize, f64>> = BTreeMap::new();
    for size in SIZES {
        ledger.begin(RUN, size)?;
        let mut engine = filled(ledger, size);
        whole(ledger, &mut engine, size, &mut costs);
        each_control(ledger, &mut engine, size);
        passes(ledger, &engine, size);
        let mut page = ledger.page(RUN, size, 1);
        for (sort, object) in SORTS {
            let (each, verdicts) = changes(&mut engine, size, object);
            page.note(&format!("a changed {sort}"), each, "s");
            page.note(&format!("a changed {sort}: verdicts"), verdicts, "");
            costs.entry(sort).or_default().insert(size, each);
        }
        ledger.save()?;
    }
    let mut page = ledger.page(RUN, SIZES[SIZES.len() - 1], 1);
    for (of, costs) in costs {
        if let Some(exponent) = exponent(&costs) {
            page.note(&format!("exponent of {of}"), exponent, "");
        }
    }
    ledger.save()
}

/// Evaluates everything, some times.
fn whole(
    ledger: &mut Ledger,
    engine: &mut Engine,
    size: usize,
    costs: &mut BTreeMap<&str, BTreeMap<usize, f64>>,
) {
    let mut all = Vec::new();
    for repetition in 1..=REPETITIONS {
        let before = engine.evaluations();
        let started = Instant::now();
        engine.evaluate_all();
        let took = started.elapsed().as_secs_f64();
        all.push(took);
        #[expect(clippy::cast_precision_loss, reason = "there are millions of them at most")]
        let verdicts = (engine.evaluations() - before) as f64;
        let mut page = ledger.page(RUN, size, repetition);
        page.note("everything", took, "s");
        page.note("verdicts", verdicts, "");
        page.note("a verdict", took / verdicts, "s");
    }
    costs.entry("everything").or_default().insert(size, median(all));
}

/// Takes in the cluster, and tells what that keeps of it.
#[expect(clippy::cast_precision_loss, reason = "there are billions of bytes at most")]
fn filled(ledger: &mut Ledger, size: usize) -> Engine {
    let objects = cluster(size);
    let before = counting::live();
    let mut engine = Engine::default();
    engine.pin(POLICY, only(&[]));
    engine.ingest(KindId::all().map(|kind| Delta::Coverage(kind, Coverage::Synced)));
    engine.ingest(objects.iter().map(support::upsert));
    let kept = counting::live();
    engine.pin(POLICY, support::policy(Tenancy::Shared));
    let judged = counting::live();
    let mut page = ledger.page(RUN, size, 1);
    let each = |bytes: i64| bytes as f64 / size as f64;
    page.note("memory of an object", each(kept - before), "B");
    page.note("memory of its verdicts", each(judged - kept), "B");
    engine
}

/// Audits with each control alone, and tells what a verdict costs by those that take most of the time.
fn each_control(ledger: &mut Ledger, engine: &mut Engine, size: usize) {
    let (_, nothing) = evaluation(engine, &[]);
    let mut costs: Vec<(Duration, u64, &str)> = Vec::new();
    for control in CATALOGUE {
        let (verdicts, took) = evaluation(engine, &[control.id]);
        costs.push((took.saturating_sub(nothing), verdicts, control.id));
    }
    engine.pin(POLICY, support::policy(Tenancy::Shared));
    costs.sort();
    let mut page = ledger.page(RUN, size, 1);
    for (took, verdicts, id) in costs.into_iter().rev().take(DEAREST) {
        #[expect(clippy::cast_precision_loss, reason = "there are millions of them at most")]
        let each = took.as_secs_f64() / verdicts.max(1) as f64;
        page.note(&format!("a verdict of {id}"), each, "s");
    }
}

/// How many verdicts some controls give, and how long that takes.
fn evaluation(engine: &mut Engine, controls: &[&str]) -> (u64, Duration) {
    engine.pin(POLICY, only(controls));
    let (before, started) = (engine.evaluations(), Instant::now());
    engine.evaluate_all();
    (engine.evaluations() - before, started.elapsed())
}

/// A policy that asks for these controls and for no others.
fn only(controls: &[&str]) -> PolicyRow {
    let mut policy = support::policy(Tenancy::Shared);
    let others = CATALOGUE.iter().filter(|control| !controls.contains(&control.id));
    let off = others.map(|control| json!({"id": control.id, "enabled": false}));
    policy.spec.controls = serde_json::from_value(off.collect()).unwrap();
    policy
}

/// Judges everything once more, and tells how often a pass asks for memory.
#[expect(clippy::cast_precision_loss, reason = "there are millions of them at most")]
fn passes(ledger: &mut Ledger, engine: &Engine, size: usize) {
    let inventory = engine.inventory();
    let rules = TenancyRules::new(&support::policy(Tenancy::Shared).spec);
    let (mut passes, mut asked) = (0, 0);
    for control in CATALOGUE {
        for subject in &control.judges.subjects(inventory) {
            let before = counting::allocations();
            let view = View::new(inventory, subject, &rules);
            let verdict = black_box(control.judges.judge(&view, &Parameters::new()));
            if matches!(verdict, Some(Ok(Outcome::Pass))) {
                passes += 1;
                asked += counting::allocations() - before;
            }
        }
    }
    let each = asked as f64 / f64::max(f64::from(passes), 1.0);
    ledger.page(RUN, size, 1).note("allocations of a pass", each, "");
}

/// Changes an object of every so manieth tenant, and that back again. The time of one change, and its verdicts.
#[expect(clippy::cast_precision_loss, reason = "there are thousands of them at most")]
fn changes(engine: &mut Engine, size: usize, object: fn(&str, bool) -> Value) -> (f64, f64) {
    let tenants = size / OF_A_TENANT;
    let (mut took, before) = (Duration::ZERO, engine.evaluations());
    for number in 0..CHANGES {
        let namespace = tenant_name(number / 2 * 37 % tenants);
        let delta = support::upsert(&object(&namespace, number % 2 == 0));
        let started = Instant::now();
        black_box(engine.ingest([delta]));
        took += started.elapsed();
    }
    let verdicts = (engine.evaluations() - before) as f64;
    (took.as_secs_f64() / CHANGES as f64, verdicts / CHANGES as f64)
}

/// Tenants with as much access control and network policy as the real have, and Flux itself.
fn cluster(size: usize) -> Vec<Value> {
    let population = Population::new(size);
    let mut objects: Vec<Value> = population.objects.into_iter().map(Object::whole).collect();
    for tenant in 0..size / OF_A_TENANT {
        let namespace = tenant_name(tenant);
        objects.push(role_binding(&namespace, false));
        if tenant % 2 == 0 {
            objects.push(network_policy(&namespace, false));
            objects.push(binding(
                &namespace,
                "viewers",
                "view",
                &json!({"kind": "Group", "name": namespace}),
            ));
        }
    }
    objects.extend(support::controllers());
    objects
}

fn kustomization(namespace: &str, changed: bool) -> Value {
    let account = if changed { "other" } else { "deployer" };
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "changing", "namespace": namespace},
        "spec": {
            "serviceAccountName": account, "prune": true, "interval": "10m", "targetNamespace": namespace,
            "sourceRef": {"kind": "GitRepository", "name": "app"},
        },
    })
}

fn role_binding(namespace: &str, changed: bool) -> Value {
    let account = json!({"kind": "ServiceAccount", "name": "deployer", "namespace": namespace});
    binding(
        namespace,
        "changing",
        if changed { "edit" } else { "view" },
        &account,
    )
}

fn binding(namespace: &str, name: &str, role: &str, subject: &Value) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    })
}

fn network_policy(namespace: &str, changed: bool) -> Value {
    let ingress = if changed { json!([{}]) } else { json!([]) };
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "changing", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress},
    })
}

fn namespace(name: &str, changed: bool) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, "changed": changed.to_string()}},
    })
}

fn pod(namespace: &str, changed: bool) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "changing", "namespace": namespace, "uid": "u"},
        "spec": {"nodeName": if changed { "a" } else { "b" }, "containers": [{"name": "app", "image": "app"}]},
        "status": {"phase": "Running"},
    })
}
