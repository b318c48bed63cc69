//! Judgement that all flag controls share: every command line of a controller counts, the worst wins.

use super::control::{Defect, Outcome};
use super::judges::Subject;
use semver::Version;

use crate::api::Severity;
use crate::flux::command_line::{Evaluation, Origin, Setting, Startup};
use crate::inventory::Missing;
use crate::inventory::instances::{Launch, LaunchSource};
use crate::kinds::pod::Phase;

/// What a control has against one command line.
pub(super) struct Objection {
    /// The deciding argument; empty when it is absent.
    pub(super) argument: String,
    /// What was read.
    pub(super) observed: String,
    /// What the recommendation asks for.
    pub(super) expected: String,
}

/// The flag must be false.
pub(super) fn must_be_off(subject: &Subject<'_>, flag: &str) -> Result<Outcome, Missing> {
    judge(subject, |evaluation| {
        let expected = format!("--{flag}=false (the default)");
        match evaluation.bool(flag) {
            Setting::Known { value: false, .. } => Ok(None),
            Setting::Known { origin, .. } => Ok(Some(objection(flag, &origin, "true", expected))),
            Setting::Unsupported => Ok(Some(unsupported(flag, expected))),
            Setting::Unknown(reason) => Err(unread(flag, &reason)),
        }
    })
}

/// The flag must be true.
pub(super) fn must_be_on(subject: &Subject<'_>, flag: &str) -> Result<Outcome, Missing> {
    judge(subject, |evaluation| {
        let expected = format!("--{flag}=true");
        match evaluation.bool(flag) {
            Setting::Known { value: true, .. } => Ok(None),
            Setting::Known { origin, .. } => Ok(Some(objection(flag, &origin, "false", expected))),
            Setting::Unsupported => Ok(Some(unsupported(flag, expected))),
            Setting::Unknown(reason) => Err(unread(flag, &reason)),
        }
    })
}

/// The feature gate must be off.
pub(super) fn gate_must_be_off(subject: &Subject<'_>, gate: &str) -> Result<Outcome, Missing> {
    judge(subject, |evaluation| match evaluation.gate(gate) {
        Setting::Known { value: false, .. } | Setting::Unsupported => Ok(None),
        Setting::Known { origin, .. } => Ok(Some(Objection {
            argument: argument(&origin),
            observed: format!("the feature gate {gate} is on"),
            expected: format!("{gate} off"),
        })),
        Setting::Unknown(reason) => Err(Missing::new("ArgumentNotReadable", reason)),
    })
}

/// The flag must name something. A value that looks like a flag is one that was swallowed by a missing value.
pub(super) fn must_be_set(subject: &Subject<'_>, flag: &str) -> Result<Outcome, Missing> {
    judge(subject, |evaluation| {
        let expected = format!("--{flag}=<name of a ServiceAccount>");
        match evaluation.text(flag) {
            Setting::Known { value, .. } if !value.is_empty() && !value.starts_with('-') => Ok(None),
            Setting::Known { value, origin } => Ok(Some(objection(flag, &origin, value, expected))),
            Setting::Unsupported => Ok(Some(unsupported(flag, expected))),
            Setting::Unknown(reason) => Err(unread(flag, &reason)),
        }
    })
}

/// Asks every command line. A failure wins over what is unknown, and a running pod is quoted before the template.
pub(super) fn judge(
    subject: &Subject<'_>,
    check: impl Fn(&Evaluation) -> Result<Option<Objection>, Missing>,
) -> Result<Outcome, Missing> {
    let mut worst: Option<(&Launch, Objection)> = None;
    let mut unknown: Option<Missing> = None;
    let mut places: Vec<&'static str> = Vec::new();
    for launch in &subject.instance.launches {
        match can_be_judged(subject, launch).and_then(|()| check(&launch.evaluation)) {
            Ok(None) => {}
            Ok(Some(objection)) => {
                places.push(place(launch));
                worst = Some((launch, objection));
            }
            Err(missing) => unknown = unknown.or(Some(missing)),
        }
    }
    if let Some((launch, objection)) = worst {
        return Ok(Outcome::fail(defect(subject, launch, objection, &places)));
    }
    match unknown {
        Some(missing) => Err(missing),
        None if subject.instance.launches.is_empty() => Err(Missing::new(
            "NoCommandLine",
            format!("{} has no container that can be judged", subject.key),
        )),
        None => Ok(Outcome::Pass),
    }
}

/// Fails for a command line whose flags cannot be told apart, or that cannot start. Whether the process knows its flags
/// may be in doubt.
pub(super) fn can_be_read(subject: &Subject<'_>, launch: &Launch) -> Result<(), Missing> {
    match &launch.evaluation.startup {
        Startup::Unknown(_) if launch.evaluation.blind().is_none() => Ok(()),
        _ => can_be_judged(subject, launch),
    }
}

/// A command line that cannot start says nothing about what is in force.
fn can_be_judged(subject: &Subject<'_>, launch: &Launch) -> Result<(), Missing> {
    match &launch.evaluation.startup {
        Startup::Starts => Ok(()),
        // A process that runs has settled whether it knows its flags.
        Startup::Unknown(_) if is_understood(subject, launch) => Ok(()),
        Startup::Unknown(reason) => Err(Missing::new(
            "CommandNotReadable",
            format!("{}: {reason}", subject.key),
        )),
        Startup::Exits { cause, .. } if is_accepted(subject, launch) => Err(Missing::new(
            "ModelMismatch",
            format!(
                "{} runs, although {cause}: its arguments are not understood",
                subject.key
            ),
        )),
        Startup::Exits { cause, .. } => Err(Missing::new(
            "CannotStart",
            format!("{} cannot start: {cause}", subject.key),
        )),
    }
}

/// Whether all that was in doubt is whether the process accepts its arguments, and it has.
pub(super) fn is_understood(subject: &Subject<'_>, launch: &Launch) -> bool {
    launch.evaluation.blind().is_none() && is_accepted(subject, launch)
}

/// Whether the process has accepted its arguments.
fn is_ready(launch: &Launch) -> bool {
    matches!(
        launch.source,
        LaunchSource::Pod {
            phase: Phase::Ready,
            ..
        }
    )
}

/// Whether a pod with this very command line is ready: what is thought of its arguments must not say otherwise.
pub(super) fn is_accepted(subject: &Subject<'_>, launch: &Launch) -> bool {
    let mut launches = subject.instance.launches.iter();
    launches.any(|other| is_ready(other) && other.evaluation == launch.evaluation)
}

fn place(launch: &Launch) -> &'static str {
    match launch.source {
        LaunchSource::Template => "template",
        LaunchSource::Pod { .. } => "pod",
    }
}

/// Pods are not named: they are replaced often, and the fact stays the same.
pub(super) fn defect(
    subject: &Subject<'_>,
    launch: &Launch,
    objection: Objection,
    places: &[&str],
) -> Defect {
    let key = subject.key;
    let both = places.contains(&"template") && places.contains(&"pod");
    let place = if both { "pod and template" } else { place(launch) };
    Defect {
        container: launch.container.clone(),
        argument: objection.argument,
        message: format!(
            "{} in namespace {}: {} ({place})",
            key.component, key.namespace, objection.observed
        ),
        observed: objection.observed,
        expected: objection.expected,
        severity: weight(subject),
        ..Defect::default()
    }
}

/// What a controller that does not run does wrong weighs nothing.
pub(super) fn weight(subject: &Subject<'_>) -> Option<Severity> {
    subject.instance.inactive.then_some(Severity::Info)
}

fn objection(flag: &str, origin: &Origin, value: &str, expected: String) -> Objection {
    let observed = match origin {
        Origin::Argument { raw, .. } => format!("started with {raw}"),
        Origin::Environment { name } => format!("--{flag} is set by the variable {name}"),
        Origin::Default if value.is_empty() => format!("--{flag} is not set"),
        Origin::Default => format!("--{flag} is not set, its default is {value}"),
    };
    Objection {
        argument: argument(origin),
        observed,
        expected,
    }
}

/// The deciding argument as written; empty when there is none.
pub(super) fn argument(origin: &Origin) -> String {
    match origin {
        Origin::Argument { raw, .. } => raw.to_string(),
        Origin::Environment { .. } | Origin::Default => String::new(),
    }
}

/// Whether a controller's version is at least a bound. An unknown version counts as the newest.
pub(super) fn reaches(version: Option<&Version>, bound: (u64, u64, u64)) -> bool {
    version.is_none_or(|version| (version.major, version.minor, version.patch) >= bound)
}

fn unsupported(flag: &str, expected: String) -> Objection {
    Objection {
        argument: String::new(),
        observed: format!("this version has no flag --{flag}"),
        expected,
    }
}

fn unread(flag: &str, reason: &str) -> Missing {
    Missing::new("ArgumentNotReadable", format!("--{flag}: {reason}"))
}
