//! What the verdicts themselves cost, without an API server: of everything, and of one change.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use flux_security_operator::api::Tenancy;
use flux_security_operator::controls::{CATALOGUE, Outcome, Parameters};
use flux_security_operator::engine::Engine;
use flux_security_operator::inventory::{TenancyRules, View};
use serde_json::{Value, json};

use super::controlplane::programs;
use super::growth::{exponent, median};
use super::ledger::{Ledger, shown};
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
        let mut engine = support::engine(Tenancy::Shared);
        let objects = cluster(size);
        engine.ingest(objects.iter().map(support::upsert));
        whole(ledger, &mut engine, size, &mut costs);
        each_control(ledger, &engine, size);
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

/// Judges everything once more, control by control, and tells what the verdicts of each cost.
#[expect(clippy::cast_precision_loss, reason = "there are millions of them at most")]
fn each_control(ledger: &mut Ledger, engine: &Engine, size: usize) {
    let inventory = engine.inventory();
    let rules = TenancyRules::new(&support::policy(Tenancy::Shared).spec);
    let (mut passes, mut asked) = (0, 0);
    for control in CATALOGUE {
        let subjects = control.judges.subjects(inventory);
        let (mut own_passes, mut own_asked, mut took) = (0, 0, Duration::ZERO);
        for subject in &subjects {
            let (before, started) = (counting::allocations(), Instant::now());
            let view = View::new(inventory, subject, &rules);
            let verdict = black_box(control.judges.judge(&view, &Parameters::new()));
            took += started.elapsed();
            if matches!(verdict, Some(Ok(Outcome::Pass))) {
                own_passes += 1;
                own_asked += counting::allocations() - before;
            }
        }
        programs::say(&format!(
            "{RUN}, {size}: {}: {} verdicts of {}; {own_passes} pass and allocate {:.2} times each",
            control.id,
            subjects.len(),
            shown(took.as_secs_f64() / subjects.len().max(1) as f64, "s"),
            own_asked as f64 / f64::max(f64::from(own_passes), 1.0),
        ));
        passes += own_passes;
        asked += own_asked;
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
