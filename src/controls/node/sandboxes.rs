//! FSP-NODE-003: Tenants' pods run in sandboxes.

use std::collections::BTreeSet;

use super::super::control::{Control, Defect, Outcome, Parameter, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use crate::api::Severity;
use crate::inventory::{Missing, ObjectKey, Owner, Reach, Read, Table};
use crate::kinds::pod::Pod;
use crate::kinds::runtime_class::{RuntimeClass, RuntimeClassRow};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NODE-003",
    title: "Tenants' pods run in sandboxes",
    chapter: "Shared Cluster Multi-tenancy: Node isolation",
    severity: Severities::shared(Severity::Low),
    rationale: "Containers share the kernel of their node. A sandbox puts a second kernel between a tenant and its neighbours.",
    audit: "The pods of each tenant's namespace, wherever they run now: they may share their next node. Passes when each asks for a RuntimeClass whose handler is a known sandbox: gVisor, Kata Containers, Firecracker, Hyper-V. Whether nodes know the handler by that name, and run what it says, cannot be seen. Where some do not, a person has to say whether that is an acceptable risk; the control fails only where its parameter requires sandboxes. Unknown when sandboxes are required and the handler is not recognised, or the class does not exist. Not applicable where no pod runs.",
    remediation: "Install a sandbox on the nodes for tenants, add its RuntimeClass, and have an admission policy require it as runtimeClassName of tenants' pods.",
    reference: "https://fluxcd.io/flux/security/best-practices/#node-isolation",
    reads: &[
        Read::Owners(Reach::Namespace),
        Read::namespace::<Pod>(),
        Read::cluster::<RuntimeClass>(),
    ],
    parameters: &[Parameter {
        name: REQUIRED,
        values: &["no", "yes"],
        about: "Whether tenants' pods must run in a sandbox",
    }],
    judges: Judges::Namespaces(judge),
};

const REQUIRED: &str = "required";

/// What stands between a pod and the kernel of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Isolation {
    /// A kernel of its own.
    Sandbox,
    /// Nothing.
    SharedKernel,
    /// Something that is not known.
    NotKnown,
}

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    if !matches!(subject.view.owner(subject.name)?, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("the namespace belongs to no tenant"));
    }
    let classes = subject.view.table::<RuntimeClass>()?;
    let pods = subject.view.siblings::<Pod>()?;
    let mut asked: BTreeSet<&str> = pods.map(|(_, pod)| &*pod.runtime_class).collect();
    if asked.is_empty() {
        return Ok(Outcome::not_applicable("no pod runs in the namespace"));
    }
    asked.retain(|class| isolation(classes, class) != Isolation::Sandbox);
    if asked.is_empty() {
        return Ok(Outcome::Pass);
    }
    let open = told(&asked);
    if CONTROL.parameter(REQUIRED, subject.parameters) == "no" {
        let message = format!(
            "decide whether it is an acceptable risk that pods of tenants run without a sandbox: in namespace {} {open}",
            subject.name
        );
        return Ok(Outcome::Manual(message.into()));
    }
    asked.retain(|class| isolation(classes, class) == Isolation::SharedKernel);
    if asked.is_empty() {
        let message = format!("in namespace {} {open}, which is no known sandbox", subject.name);
        return Err(Missing::new("HandlerNotKnown", message));
    }
    let observed = told(&asked);
    Ok(Outcome::fail(Defect {
        field: "spec.runtimeClassName".to_owned(),
        expected: "the RuntimeClass of a sandbox".to_owned(),
        message: format!("in namespace {} {observed}", subject.name),
        observed,
        ..Defect::default()
    }))
}

/// Which classes the pods ask for. How many pods do is not told: it changes all day, and the fact stays the same.
fn told(asked: &BTreeSet<&str>) -> String {
    let class = |class: &&str| match *class {
        "" => "no RuntimeClass".to_owned(),
        class => format!("RuntimeClass {class}"),
    };
    let classes: Vec<String> = asked.iter().map(class).collect();
    format!("pods ask for {}", classes.join(", "))
}

/// The names that sandboxes are installed under begin like this.
const SANDBOXES: [&str; 4] = ["runsc", "gvisor", "kata", "firecracker"];
/// Programs that run containers on the kernel of the node.
const PLAIN: [&str; 7] = [
    "runc",
    "crun",
    "youki",
    "nvidia",
    "nvidia-cdi",
    "nvidia-legacy",
    "runhcs-wcow-process",
];

fn isolation(classes: &Table<RuntimeClassRow>, class: &str) -> Isolation {
    if class.is_empty() {
        return Isolation::SharedKernel;
    }
    let class = classes.get(&ObjectKey::new("", class));
    class.map_or(Isolation::NotKnown, |class| of_handler(&class.handler))
}

fn of_handler(handler: &str) -> Isolation {
    if PLAIN.contains(&handler) {
        return Isolation::SharedKernel;
    }
    let is_sandbox = SANDBOXES.iter().any(|sandbox| handler.starts_with(sandbox));
    let is_hyper_v = handler.starts_with("runhcs-") && handler.ends_with("-hypervisor");
    if is_sandbox || is_hyper_v {
        Isolation::Sandbox
    } else {
        Isolation::NotKnown
    }
}
