//! FSP-RES-005: Shards are as locked down as their main controller.

use super::super::control::{Control, Defect, Outcome, Parameters, Severities};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use super::lane;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::amend::Wanted;
use crate::inventory::{Missing, Read};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-RES-005",
    title: "Shards are as locked down as their main controller",
    chapter: "Resource Isolation",
    severity: Severities::always(Severity::High),
    rationale: "Whoever may label an object chooses its shard. A shard without the flags of the others is a way around them.",
    audit: "The lock-down flags of each shard, compared with those of the main controllers of its type. Fails for each flag that a main controller sets and the shard does not. What all of them lack is reported by the controls of those flags.",
    remediation: "Make the patch that sets the flags match every controller of the type, including those with another name.",
    reference: "https://fluxcd.io/flux/installation/configuration/sharding/",
    reads: &[Read::Peers],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

type Check = fn(&Subject<'_>, &str) -> Result<Outcome, Missing>;

/// A flag, how it is judged, and what it has to be.
type Lock = (&'static str, Check, fn(&'static str) -> Wanted);

/// The flags that keep tenants in, with what they have to be.
const LOCKS: [Lock; 5] = [
    ("no-cross-namespace-refs", flag::must_be_on, Wanted::On),
    ("default-service-account", flag::must_be_set, Wanted::Named),
    ("no-remote-bases", flag::must_be_on, Wanted::On),
    ("insecure-kubeconfig-exec", flag::must_be_off, Wanted::Off),
    ("insecure-kubeconfig-tls", flag::must_be_off, Wanted::Off),
];

/// What a flag that keeps tenants in has to be.
pub(in crate::controls) fn lock(flag: &str) -> Option<Wanted> {
    let found = LOCKS.iter().find(|(name, ..)| *name == flag);
    found.map(|(name, _, wanted)| wanted(name))
}

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    if subject.instance.shard.is_none() {
        return Ok(Outcome::not_applicable("the controller is not a shard"));
    }
    let mut defects = Vec::new();
    for (name, check, _) in LOCKS {
        if !is_set_on_main(subject, name, check)? || check(subject, name)? == Outcome::Pass {
            continue;
        }
        defects.push(Defect {
            field: format!("--{name}"),
            observed: "weaker than on the main controller".to_owned(),
            expected: "as on the main controller".to_owned(),
            message: format!("{}: --{name} is weaker than on the main controller", subject.key),
            severity: flag::weight(subject),
            ..Defect::default()
        });
    }
    Ok(Outcome::from_defects(defects))
}

fn is_set_on_main(subject: &Subject<'_>, name: &str, check: Check) -> Result<bool, Missing> {
    let parameters = Parameters::new();
    for (key, instance) in lane::others(subject)? {
        let main = Subject {
            key,
            instance,
            view: subject.view,
            parameters: &parameters,
        };
        if instance.shard.is_none() && check(&main, name)? == Outcome::Pass {
            return Ok(true);
        }
    }
    Ok(false)
}
