//! FSX-POD-003: Nothing was added to the controller's pods.

use super::super::control::{Control, Outcome, Severities};
use super::super::judges::{Judges, Subject};
use super::evidence::{self, Objection};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::Missing;
use crate::inventory::instances::Launch;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-POD-003",
    title: "Nothing was added to the controller's pods",
    chapter: "Beyond the document: Pods",
    severity: Severities::always(Severity::Medium),
    rationale: "A container next to the controller shares its identity and its network, a volume may carry secrets out or instructions in, and another command is another program.",
    audit: "The pods and the template of the controller. Fails for each container that is not a controller, each init container, each hostPath or Secret volume, and a command that replaces the image's own. Sidecars of service meshes and certificate injectors count: a person has to accept them.",
    remediation: "Remove what does not belong there; accept what does with a waiver.",
    reference: "https://fluxcd.io/flux/installation/configuration/boostrap-customization/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    evidence::judge(subject, &evidence::all(subject), additions)
}

fn additions(launch: &Launch) -> Vec<Objection> {
    let whole = |field: &str, observed: &String, expected| Objection {
        container: String::new(),
        field: field.to_owned(),
        observed: observed.clone(),
        expected,
    };
    let companions = launch.companions.iter();
    let companions = companions.map(|name| whole("containers", name, "only controllers"));
    let inits = launch.surroundings.init_containers.iter();
    let inits = inits.map(|name| whole("initContainers", name, "no init container"));
    let volumes = launch.surroundings.foreign_volumes.iter();
    let volumes = volumes.map(|volume| whole("volumes", volume, "no hostPath and no Secret"));
    companions
        .chain(inits)
        .chain(volumes)
        .chain(command(launch))
        .collect()
}

fn command(launch: &Launch) -> Option<Objection> {
    let program = launch.definition.command.first()?;
    Some(Objection {
        container: launch.container.clone(),
        field: "command".to_owned(),
        observed: format!("starts {program}"),
        expected: "the command of the image",
    })
}
