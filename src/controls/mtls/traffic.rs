//! Which traffic of Flux's controllers mTLS can protect, and who takes part in it (flux-2.10 section 5).

use std::collections::BTreeSet;
use std::fmt;

use super::super::control::{Outcome, Parameters};
use super::super::flag;
use super::super::judges::Subject;
use super::ids;
use crate::flux::Component;
use crate::flux::flags::Release;
use crate::inventory::instances::Launch;
use crate::inventory::{Instance, InstanceKey, Missing, View};

/// What travels from controller to controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// From source-controller and source-watcher to whoever applies them.
    Artifacts,
    /// From every controller to notification-controller.
    Events,
}

/// Who is called, and who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Artifacts => "artifacts",
            Self::Events => "events",
        })
    }
}

/// One end of a traffic, and the flag that protects it there.
pub(super) struct End {
    pub(super) traffic: Traffic,
    side: Side,
    component: Component,
    /// `None`: its name could not be read in code.
    flag: Option<&'static str>,
}

const ARTIFACT_CLIENTS: Option<&str> = Some("authorized-artifact-client-spiffe-id");
const ARTIFACT_SERVERS: Option<&str> = Some("authorized-artifact-server-spiffe-id");
const EVENT_SERVERS: Option<&str> = Some("authorized-event-server-spiffe-id");

/// Every end. source-watcher fetches artifacts and serves them.
#[rustfmt::skip]
static ENDS: [End; 12] = [
    End::new(Traffic::Artifacts, Side::Server, Component::Source, ARTIFACT_CLIENTS),
    End::new(Traffic::Artifacts, Side::Server, Component::SourceWatcher, ARTIFACT_CLIENTS),
    End::new(Traffic::Artifacts, Side::Client, Component::Kustomize, ARTIFACT_SERVERS),
    End::new(Traffic::Artifacts, Side::Client, Component::Helm, ARTIFACT_SERVERS),
    End::new(Traffic::Artifacts, Side::Client, Component::SourceWatcher, ARTIFACT_SERVERS),
    End::new(Traffic::Events, Side::Server, Component::Notification, None),
    End::new(Traffic::Events, Side::Client, Component::Source, EVENT_SERVERS),
    End::new(Traffic::Events, Side::Client, Component::Kustomize, EVENT_SERVERS),
    End::new(Traffic::Events, Side::Client, Component::Helm, EVENT_SERVERS),
    End::new(Traffic::Events, Side::Client, Component::ImageReflector, EVENT_SERVERS),
    End::new(Traffic::Events, Side::Client, Component::ImageAutomation, EVENT_SERVERS),
    End::new(Traffic::Events, Side::Client, Component::SourceWatcher, EVENT_SERVERS),
];

impl End {
    const fn new(traffic: Traffic, side: Side, component: Component, flag: Option<&'static str>) -> Self {
        Self {
            traffic,
            side,
            component,
            flag,
        }
    }

    /// What has to be set to protect this end.
    pub(super) fn expected(&self) -> String {
        match self.flag {
            Some(flag) => format!("--{flag}=spiffe://<trust domain>/<path>"),
            None => format!("the SPIFFE IDs of those who send {}", self.traffic),
        }
    }

    /// Whether one command line protects this end.
    ///
    /// # Errors
    /// It cannot be told.
    fn is_on(&self, subject: &Subject<'_>, launch: &Launch) -> Result<bool, Missing> {
        flag::can_be_read(subject, launch)?;
        let evaluation = &launch.evaluation;
        let Some(flag) = self.flag else {
            return is_presumed(subject, launch);
        };
        if !evaluation.occurrences(flag).is_empty() {
            return Ok(true);
        }
        let is_presumed = evaluation.presumed().iter().any(|it| it.name == flag);
        if is_presumed && !flag::is_accepted(subject, launch) {
            return Err(not_known(subject.key, flag));
        }
        Ok(is_presumed)
    }
}

/// Whether a flag whose name was never read protects events: one that tells by its name, and that a running process has
/// accepted.
fn is_presumed(subject: &Subject<'_>, launch: &Launch) -> Result<bool, Missing> {
    let presumed = launch.evaluation.presumed().iter();
    let peers: Vec<&str> = presumed
        .map(|it| it.name.as_str())
        .filter(|name| ids::names_peers(name))
        .collect();
    let Some(first) = peers.first() else {
        return Ok(false);
    };
    let tells = peers.iter().any(|name| name.contains("event"));
    if tells && flag::is_accepted(subject, launch) {
        return Ok(true);
    }
    Err(not_known(subject.key, first))
}

fn not_known(key: &InstanceKey, flag: &str) -> Missing {
    let message = format!("{key}: what --{flag} does in this version is not known");
    Missing::new("FlagNotKnown", message)
}

/// A controller at one end.
pub(super) struct Participant<'a> {
    pub(super) end: &'static End,
    pub(super) key: &'a InstanceKey,
    pub(super) standing: Standing,
}

/// How a controller stands to one of its ends. The command lines of template and pods may disagree.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) on: bool,
    pub(super) off: bool,
    pub(super) unknown: Option<Missing>,
}

impl Standing {
    fn of(subject: &Subject<'_>, end: &End) -> Self {
        let mut standing = Self::default();
        for launch in &subject.instance.launches {
            match end.is_on(subject, launch) {
                Ok(true) => standing.on = true,
                Ok(false) => standing.off = true,
                Err(missing) => standing.unknown = standing.unknown.or(Some(missing)),
            }
        }
        standing
    }
}

/// The controllers that run at one side.
pub(super) fn participants<'a>(
    view: &View<'a>,
    traffic: Traffic,
    side: Side,
) -> Result<Vec<Participant<'a>>, Missing> {
    let parameters = Parameters::new();
    let mut participants = Vec::new();
    for end in ENDS
        .iter()
        .filter(|end| (end.traffic, end.side) == (traffic, side))
    {
        let controllers = view.accepted_controllers(end.component)?;
        let running = controllers.filter(|(_, instance)| !instance.inactive);
        participants.extend(running.map(|(key, instance)| {
            let subject = Subject {
                key,
                instance,
                view,
                parameters: &parameters,
            };
            let standing = Standing::of(&subject, end);
            Participant { end, key, standing }
        }));
    }
    Ok(participants)
}

/// Whether a traffic is protected at every end: yes, or what a person has to look at. Nothing is asked before the server
/// has come to such a version.
pub(super) fn report(
    view: &View<'_>,
    traffic: Traffic,
    server: Component,
    since: Release,
) -> Result<Outcome, Missing> {
    let mut servers = view.accepted_controllers(server)?;
    let knows = |instance: &Instance| flag::reaches(instance.version.as_ref(), since);
    if !servers.any(|(_, instance)| !instance.inactive && knows(instance)) {
        return Ok(Outcome::not_applicable(format!(
            "no {server} runs that knows mTLS"
        )));
    }
    let (mut is_on, mut off, mut unknown) = (false, BTreeSet::new(), None);
    for side in [Side::Server, Side::Client] {
        for Participant { key, standing, .. } in participants(view, traffic, side)? {
            is_on |= standing.on;
            if standing.off {
                off.insert(key.to_string());
            }
            unknown = unknown.or(standing.unknown);
        }
    }
    match (off.is_empty(), unknown) {
        (true, Some(missing)) => Err(missing),
        (true, None) => Ok(Outcome::Pass),
        (false, _) => Ok(Outcome::Manual(unprotected(traffic, is_on, off).into())),
    }
}

fn unprotected(traffic: Traffic, is_on: bool, off: BTreeSet<String>) -> String {
    let off: Vec<String> = off.into_iter().collect();
    let partly = if is_on {
        ", others use it (FSX-MTLS-003)"
    } else {
        ""
    };
    format!(
        "mTLS for {traffic} is off at {}{partly}: check that NetworkPolicies or a service mesh protect them",
        off.join(", ")
    )
}
