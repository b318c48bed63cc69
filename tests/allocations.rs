//! A verdict on an object that passes asks for no memory: nearly all verdicts are of that sort.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/counting.rs"]
mod counting;
#[path = "../benches/cost/population/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the benchmark uses the rest")]
mod population;
mod support;

use std::collections::BTreeMap;

use flux_security_operator::api::Tenancy;
use flux_security_operator::controls::{CATALOGUE, Outcome, Parameters};
use flux_security_operator::inventory::{SubjectKey, TenancyRules, View};
use serde_json::json;

use population::Population;

#[test]
fn a_pass_allocates_nothing() {
    let mut engine = support::engine(Tenancy::Shared);
    let objects = Population::new(200)
        .objects
        .into_iter()
        .map(population::Object::whole);
    let denial = json!({
        "kind": "NetworkPolicy", "metadata": {"name": "deny", "namespace": population::tenant_name(0)},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    });
    let objects = objects.chain(support::controllers()).chain([denial]);
    let objects: Vec<_> = objects.collect();
    engine.ingest(objects.iter().map(support::upsert));
    let inventory = engine.inventory();
    let rules = TenancyRules::new(&support::policy(Tenancy::Shared).spec);
    let parameters = Parameters::new();
    let (mut passes, mut offenders) = (0, BTreeMap::new());
    for control in CATALOGUE {
        for subject in control.judges.subjects(inventory) {
            let before = counting::allocations();
            let view = View::new(inventory, &subject, &rules);
            let verdict = control.judges.judge(&view, &parameters);
            let asked = counting::allocations() - before;
            if !matches!(verdict, Some(Ok(Outcome::Pass))) {
                continue;
            }
            passes += 1;
            // Controllers are a handful, and have command lines of many flags.
            let most = match subject {
                SubjectKey::Controller(_) => 20,
                _ => 0,
            };
            if asked > most {
                offenders.insert(control.id, asked);
            }
        }
    }
    assert!(passes > 500, "{passes}");
    assert_eq!(offenders, BTreeMap::new());
}
