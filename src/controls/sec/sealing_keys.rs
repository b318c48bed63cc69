//! FSP-SEC-015: The controller of SealedSecrets renews its keys.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::flux::container::Container;
use crate::flux::sealing::{self, Renewal};
use crate::inventory::{Missing, ObjectKey, Read, SubjectKey};
use crate::kinds::sealed_secret::SealedSecret;
use crate::kinds::workload::Deployment;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-015",
    title: "The controller of SealedSecrets renews its keys",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::Low),
    rationale: "One key opens everything that was ever sealed with it. With new keys from time to time, a leaked key does not open what is sealed later.",
    audit: "The arguments and variables of each Deployment that runs the controller, recognised by its image or its names. Fails when --key-renew-period (formerly --rotate-period) is 0; the default is 30 days. Unknown when there are SealedSecrets and no such Deployment is seen. Renewal is not rotation: what was sealed before stays sealed with the old key until it is sealed again. Who can read the keys is judged by FSP-SEC-016.",
    remediation: "Remove --key-renew-period=0 (keyrenewperiod of the chart), and seal old SealedSecrets again.",
    reference: "https://github.com/bitnami-labs/sealed-secrets#secret-rotation",
    reads: &[Read::cluster::<Deployment>(), Read::cluster::<SealedSecret>()],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    let deployments = view.table::<Deployment>()?.iter();
    let controllers = deployments.filter_map(|(key, row)| {
        let container = sealing::controller(&key.name, &row.labels, &row.template)?;
        Some((key, container))
    });
    let controllers: Vec<(&ObjectKey, &Container)> = controllers.collect();
    if controllers.is_empty() {
        return absent(view.table::<SealedSecret>()?.is_empty());
    }
    let mut defects = Vec::new();
    let mut unknown = None;
    for (key, container) in controllers {
        match sealing::renewal(container, &key.namespace) {
            Renewal::On => {}
            Renewal::Off(said_by) => defects.push(defect(key, container, said_by)),
            Renewal::Unknown(why) => {
                let message = format!("how often Deployment {key} renews its keys is not known: {why}");
                unknown = Some(Missing::new("ArgumentNotReadable", message));
            }
        }
    }
    match unknown {
        Some(missing) if defects.is_empty() => Err(missing),
        _ => Ok(Outcome::from_defects(defects)),
    }
}

fn absent(nothing_is_sealed: bool) -> Result<Outcome, Missing> {
    if nothing_is_sealed {
        return Ok(Outcome::not_applicable("there are no SealedSecrets"));
    }
    let message = "there are SealedSecrets, but no Deployment of their controller was found";
    Err(Missing::new("ControllerNotFound", message))
}

fn defect(key: &ObjectKey, container: &Container, said_by: String) -> Defect {
    Defect {
        container: container.name.clone(),
        message: format!("Deployment {key} makes no new keys: {said_by}"),
        argument: said_by,
        observed: "keys are not renewed".to_owned(),
        expected: "a new key every 30 days".to_owned(),
        about: Some(SubjectKey::object::<Deployment>(key)),
        ..Defect::default()
    }
}
