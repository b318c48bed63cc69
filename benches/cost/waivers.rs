//! What waivers cost beside the verdicts, without an API server: of a finding that comes or goes, of a waiver that changes
//! or ends. It has to be the same whatever number of waivers there is.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use flux_security_operator::api::Tenancy;
use flux_security_operator::engine::{Engine, Posture};
use flux_security_operator::inventory::Delta;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::growth::exponent;
use super::ledger::Ledger;
use super::support;

/// Name of this run.
pub(crate) const RUN: &str = "waivers";
/// Waivers.
pub(crate) const SIZES: [usize; 4] = [0, 100, 1000, 5000];
/// Namespaces, and Kustomizations in each: 50,000 of them fail a control.
const NAMESPACES: usize = 2000;
const OF_A_NAMESPACE: usize = 25;
/// Changes of each sort.
const CHANGES: usize = 200;
const CONTROL: &str = "FSP-MT-010";

/// What changes, and the how-manieth change of it.
type Sort = (&'static str, fn(&mut Scene, usize));

/// Measures with every number of waivers.
pub(crate) fn measure(ledger: &mut Ledger) -> anyhow::Result<()> {
    let mut costs: BTreeMap<&str, BTreeMap<usize, f64>> = BTreeMap::new();
    for size in SIZES {
        ledger.begin(RUN, size)?;
        let mut scene = Scene::new(size);
        let mut page = ledger.page(RUN, size, 1);
        #[expect(clippy::cast_precision_loss, reason = "there are thousands of them")]
        page.note("findings", scene.findings() as f64, "");
        let sorts: [Sort; 5] = [
            ("a finding that is waived", waived_finding),
            ("a finding that is not", other_finding),
            ("a changed waiver", changed_waiver),
            ("a waiver that comes or goes", new_waiver),
            ("a waiver that ends", ended_waiver),
        ];
        let ends = CHANGES.min(size);
        for (sort, change) in sorts {
            if size == 0 && sort != "a finding that is not" {
                continue;
            }
            let times = if sort == "a waiver that ends" {
                scene.wait_for_the_last(ends);
                ends
            } else {
                CHANGES
            };
            let each = scene.each(change, times);
            page.note(sort, each, "s");
            if size > 0 {
                costs.entry(sort).or_default().insert(size, each);
            }
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

/// An engine with findings and waivers, and what was published last.
struct Scene {
    engine: Engine,
    waivers: usize,
    now: Timestamp,
    published: Posture,
}

impl Scene {
    fn new(waivers: usize) -> Self {
        let mut engine = support::engine(Tenancy::Shared);
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        engine.advance(now);
        engine.ingest((0..NAMESPACES).flat_map(|number| {
            let namespace = name(number);
            let object = json!({"kind": "Namespace", "metadata": {"name": namespace}});
            let all = (0..OF_A_NAMESPACE).map(move |position| finding(&namespace, position, true));
            std::iter::once(support::upsert(&object)).chain(all)
        }));
        engine.ingest((0..waivers).map(|number| waiver(number, "accepted for a while")));
        Self {
            published: engine.posture(),
            engine,
            waivers,
            now,
        }
    }

    fn findings(&self) -> usize {
        self.published
            .policies
            .values()
            .map(|policy| policy.findings.len())
            .sum()
    }

    fn takes(&mut self, delta: Delta) {
        self.engine.ingest([delta]);
    }

    /// What a change of a sort takes, until its posture is there. The posture before is still being published.
    #[expect(clippy::cast_precision_loss, reason = "there are hundreds of them")]
    fn each(&mut self, change: fn(&mut Self, usize), times: usize) -> f64 {
        let mut took = Duration::ZERO;
        for number in 0..times {
            let started = Instant::now();
            change(self, number);
            let posture = black_box(self.engine.posture());
            took += started.elapsed();
            self.published = posture;
        }
        took.as_secs_f64() / times as f64
    }

    /// Until only so many waivers are left, and all have been warned of. Each of those uncovers what it was for: where several
    /// are for one finding, it is the last.
    fn wait_for_the_last(&mut self, left: usize) {
        let ended = i64::try_from(self.waivers - left).unwrap_or_default();
        self.now += SignedDuration::from_hours(24 * 30) + SignedDuration::from_secs(ended - 1);
        self.engine.advance(self.now);
        self.published = self.engine.posture();
    }

    /// A waiver, another one each time.
    fn some_waiver(&self, number: usize) -> usize {
        number / 2 * 37 % self.waivers
    }
}

/// In a namespace that the first of the waivers are for, whatever number there is.
fn waived_finding(scene: &mut Scene, number: usize) {
    let namespace = name(number / 2 * 37 % 100);
    scene.takes(finding(&namespace, 0, number % 2 == 1));
}

/// In a namespace that no waiver is for.
fn other_finding(scene: &mut Scene, number: usize) {
    let namespace = format!("free-{:04}", number / 2);
    scene.takes(finding(&namespace, 0, number.is_multiple_of(2)));
}

fn changed_waiver(scene: &mut Scene, number: usize) {
    let reason = format!("accepted for a while, {number}");
    scene.takes(waiver(scene.some_waiver(number), &reason));
}

fn new_waiver(scene: &mut Scene, number: usize) {
    let it = scene.some_waiver(number);
    let delta = waiver(it, "accepted for a while");
    match (number % 2, delta) {
        (0, Delta::Upsert(kind, key, _)) => scene.takes(Delta::Remove(kind, key)),
        (_, delta) => scene.takes(delta),
    }
}

/// They end one a second, in the order of their numbers.
fn ended_waiver(scene: &mut Scene, _: usize) {
    scene.now += SignedDuration::from_secs(1);
    scene.engine.advance(scene.now);
}

fn name(number: usize) -> String {
    format!("team-{number:04}-apps")
}

/// A Kustomization that names an account that is not there, or none: nobody applies it here.
fn finding(namespace: &str, position: usize, fails: bool) -> Delta {
    let account = if fails { "nobody" } else { "" };
    support::upsert(&json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": format!("app-{position}"), "namespace": namespace},
        "spec": {"serviceAccountName": account, "targetNamespace": namespace},
    }))
}

/// A waiver for a namespace, by a glob.
fn waiver(number: usize, reason: &str) -> Delta {
    let begin: Timestamp = "2026-01-31T00:00:00Z".parse().expect("a time");
    let end = begin + SignedDuration::from_secs(i64::try_from(number).unwrap_or_default());
    support::upsert(&json!({
        "kind": "FluxSecurityWaiver",
        "metadata": {"name": format!("waiver-{number}"), "uid": number.to_string(), "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "control": CONTROL, "reason": reason, "owner": "us", "expires": end.to_string(),
            "resources": [{"kind": "Kustom*", "namespace": format!("team-{:04}-*", number % NAMESPACES), "name": "app-*"}],
        },
    }))
}
