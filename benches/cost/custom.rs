//! What custom controls cost: a hundred of them on ten thousand objects, beside the verdicts of the catalogue.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flux_security_operator::api::{FluxSecurityPolicySpec, Tenancy};
use flux_security_operator::custom::{Demand, Object, checks};
use flux_security_operator::engine::Engine;
use flux_security_operator::inventory::{Coverage, CustomDelta, CustomNews, Delta, ObjectKey};
use flux_security_operator::kinds::Meta;
use serde_json::{Value, json};

use super::controlplane::programs;
use super::ledger::{Ledger, shown};
use super::support;

/// Name of this run.
pub(crate) const RUN: &str = "custom";
const OBJECTS: usize = 10_000;
const CONTROLS: usize = 100;

/// What people ask.
const EXPRESSIONS: [&str; 5] = [
    "has(object.metadata.labels) && 'team' in object.metadata.labels",
    "object.spec.template.spec.containers.all(c, has(c.resources) && has(c.resources.limits))",
    "object.spec.template.spec.containers.all(c, c.image.startsWith('registry.example.com/'))",
    "!object.spec.template.spec.containers.exists(c, has(c.securityContext) && has(c.securityContext.privileged) && c.securityContext.privileged)",
    "object.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
];

/// Asks every object everything.
pub(crate) fn measure(ledger: &mut Ledger) -> anyhow::Result<()> {
    ledger.begin(RUN, OBJECTS)?;
    let spec = spec()?;
    let objects: Vec<String> = (0..OBJECTS).map(|number| object(number).to_string()).collect();
    let mut engine = support::engine(Tenancy::None);
    let mut policy = support::policy(Tenancy::None);
    policy.spec.custom_controls.clone_from(&spec.custom_controls);
    engine.pin("test", policy);
    let demand = demand(&engine);

    let started = Instant::now();
    let compiled = checks(&spec.custom_controls).map_err(anyhow::Error::msg)?;
    let compiling = started.elapsed();
    let (mut reading, mut asking) = (Duration::ZERO, Duration::ZERO);
    for text in &objects {
        let started = Instant::now();
        black_box(Object::parse(text)?);
        reading += started.elapsed();
        let meta = Meta::parse(text)?;
        let started = Instant::now();
        let row = demand.project(&meta, text)?;
        asking += started.elapsed();
        let key = ObjectKey::new(&meta.namespace, &meta.name);
        if let Some(row) = row {
            engine.ingest([told(&demand, CustomNews::Upsert(key, row))]);
        }
    }
    engine.ingest([told(&demand, CustomNews::Coverage(Coverage::Synced))]);
    let each =
        |took: Duration, of: usize| took.as_secs_f64() / f64::from(u32::try_from(of).unwrap_or(u32::MAX));
    let one = each(asking.saturating_sub(reading), OBJECTS * CONTROLS);
    let mut page = ledger.page(RUN, OBJECTS, 1);
    page.note("a custom control compiled", each(compiling, compiled.len()), "s");
    page.note("an object read for expressions", each(reading, OBJECTS), "s");
    page.note("an evaluation of a custom control", one, "s");
    for (at, expression) in EXPRESSIONS.iter().enumerate() {
        let took = alone(&spec.custom_controls[at..=at], &objects)?;
        programs::say(&format!("{RUN}: {} each: {expression}", shown(took, "s")));
    }
    programs::say(&format!(
        "{RUN}: {CONTROLS} custom controls on {OBJECTS} objects: {} each, besides {} for reading an object once; a verdict of the catalogue is in the run evaluation",
        shown(one, "s"),
        shown(each(reading, OBJECTS), "s"),
    ));
    ledger.save()
}

/// What one control alone costs an object, without reading it.
fn alone(
    control: &[flux_security_operator::api::custom::CustomControl],
    objects: &[String],
) -> anyhow::Result<f64> {
    let expression = flux_security_operator::custom::Expression::compile(&control[0].expression)?;
    let mut took = Duration::ZERO;
    for text in objects {
        let object = Object::parse(text)?;
        let started = Instant::now();
        drop(black_box(object.evaluate(&expression)));
        took += started.elapsed();
    }
    Ok(took.as_secs_f64() / f64::from(u32::try_from(objects.len())?))
}

fn told(demand: &Demand, news: CustomNews) -> Delta {
    Delta::Custom(CustomDelta {
        target: demand.target.clone(),
        generation: demand.generation,
        news,
    })
}

fn demand(engine: &Engine) -> Arc<Demand> {
    let demands = engine.inventory().customs().demands();
    demands
        .values()
        .next()
        .cloned()
        .unwrap_or_else(|| unreachable!("something is asked"))
}

fn spec() -> anyhow::Result<FluxSecurityPolicySpec> {
    let control = |number: usize| {
        json!({
            "id": format!("ACME-{number:03}"), "title": "it holds",
            "match": {"apiVersion": "apps/v1", "kind": "Deployment"},
            // Each is another one.
            "expression": format!("{} || {number} == -1", EXPRESSIONS[number % EXPRESSIONS.len()]),
        })
    };
    let controls: Vec<Value> = (0..CONTROLS).map(control).collect();
    Ok(serde_json::from_value(json!({"customControls": controls}))?)
}

fn object(number: usize) -> Value {
    let container = |name: &str| {
        json!({
            "name": name, "image": format!("registry.example.com/{name}:v1"), "args": ["--a", "--b"],
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}},
            "securityContext": {"allowPrivilegeEscalation": false, "runAsNonRoot": true},
            "env": [{"name": "A", "value": "x"}, {"name": "B", "value": "y"}],
        })
    };
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": format!("app-{number}"), "namespace": format!("team-{}", number % 100), "uid": format!("uid-{number}"),
            "labels": {"app": "app", "team": "a"}, "annotations": {"a": "b"}, "resourceVersion": "1", "generation": 1,
        },
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "app"}},
            "template": {
                "metadata": {"labels": {"app": "app"}},
                "spec": {"serviceAccountName": "app", "containers": [container("app"), container("proxy")]},
            },
        },
        "status": {"replicas": 2, "readyReplicas": 2, "observedGeneration": 1},
    })
}
