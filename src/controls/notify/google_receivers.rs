//! FSX-NOT-003: Receivers of Google's registry verify who calls.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Read};
use crate::kinds::flux_objects::Receiver;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-NOT-003",
    title: "Receivers of Google's registry verify who calls",
    chapter: "Beyond the document: Notifications",
    severity: Severities::always(Severity::High),
    rationale: "A request from Google's registry carries a Google token. Its account and audience are checked since notification-controller 1.8.3 if the Secret names them, and always since 1.9.0; before that, any Google token was accepted.",
    audit: "The versions of notification-controller for each Receiver of type gcr. Fails below 1.8.3. Unknown for 1.8.3 and later 1.8 releases, where it depends on the keys email and audience of the Secret, which is not read, and when the image tag shows no version.",
    remediation: "Upgrade to Flux 2.9, and put the keys email and audience into the Receiver's Secret.",
    reference: "https://fluxcd.io/flux/components/notification/receivers/#gcr",
    reads: &[Read::Controllers(&[Component::Notification])],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<Receiver>(judge)]),
};

/// The first version that can check account and audience, and the first that always does.
const CAN: (u64, u64, u64) = (1, 8, 3);
const ALWAYS: (u64, u64, u64) = (1, 9, 0);

fn judge(subject: &ObjectSubject<'_, Receiver>) -> Result<Outcome, Missing> {
    if subject.row.spec.kind.as_str() != "gcr" {
        return Ok(Outcome::not_applicable("the Receiver is not of type gcr"));
    }
    let controllers = subject.view.accepted_controllers(Component::Notification)?;
    let versions: Vec<_> = controllers.map(|(_, instance)| &instance.version).collect();
    if versions.is_empty() {
        return Ok(Outcome::not_applicable("no notification-controller runs"));
    }
    let release = |version: &semver::Version| (version.major, version.minor, version.patch);
    let known = versions.iter().copied().flatten();
    if let Some(old) = known.clone().find(|version| release(version) < CAN) {
        return Ok(Outcome::fail(Defect {
            field: "spec.type".to_owned(),
            observed: format!("notification-controller {old} accepts any Google token"),
            expected: "notification-controller 1.9.0 or later".to_owned(),
            message: format!(
                "notification-controller {old} does not check the account and audience of Google tokens"
            ),
            ..Defect::default()
        }));
    }
    if versions.iter().any(|version| version.is_none()) {
        let message = "the image of notification-controller shows no version";
        return Err(Missing::new("VersionNotKnown", message));
    }
    if known.clone().any(|version| release(version) < ALWAYS) {
        let message = "whether the Secret has the keys email and audience is not read";
        return Err(Missing::new("SecretNotRead", message));
    }
    Ok(Outcome::Pass)
}
