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

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Artifacts => "artifacts",
            Self::Events => "events",
        })
    }
}

/// One end of a traffic, and the flag that protects it there.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) traffic: Traffic,
    component: Component,
    is_server: bool,
    /// `None`: its name could not be read in code.
    flag: Option<&'static str>,
}

const ARTIFACT_CLIENTS: &str = "authorized-artifact-client-spiffe-id";
const ARTIFACT_SERVERS: &str = "authorized-artifact-server-spiffe-id";
const EVENT_SERVERS: &str = "authorized-event-server-spiffe-id";

/// Every end. source-watcher fetches artifacts and serves them.
static ENDS: [End; 12] = [
    End::server(Traffic::Artifacts, Component::Source, Some(ARTIFACT_CLIENTS)),
    End::server(
        Traffic::Artifacts,
        Component::SourceWatcher,
        Some(ARTIFACT_CLIENTS),
    ),
    End::client(Traffic::Artifacts, Component::Kustomize, ARTIFACT_SERVERS),
    End::client(Traffic::Artifacts, Component::Helm, ARTIFACT_SERVERS),
    End::client(Traffic::Artifacts, Component::SourceWatcher, ARTIFACT_SERVERS),
    End::server(Traffic::Events, Component::Notification, None),
    End::client(Traffic::Events, Component::Source, EVENT_SERVERS),
    End::client(Traffic::Events, Component::Kustomize, EVENT_SERVERS),
    End::client(Traffic::Events, Component::Helm, EVENT_SERVERS),
    End::client(Traffic::Events, Component::ImageReflector, EVENT_SERVERS),
    End::client(Traffic::Events, Component::ImageAutomation, EVENT_SERVERS),
    End::client(Traffic::Events, Component::SourceWatcher, EVENT_SERVERS),
];

impl End {
    const fn server(traffic: Traffic, component: Component, flag: Option<&'static str>) -> Self {
        Self {
            traffic,
            component,
            is_server: true,
            flag,
        }
    }

    const fn client(traffic: Traffic, component: Component, flag: &'static str) -> Self {
        Self {
            traffic,
            component,
            is_server: false,
            flag: Some(flag),
        }
    }

    /// The ends that a controller is.
    pub(super) fn of(component: Component) -> impl Iterator<Item = &'static Self> {
        ENDS.iter().filter(move |end| end.component == component)
    }

    /// The ends that this one talks to.
    pub(super) fn others(&self) -> impl Iterator<Item = &'static Self> + use<> {
        let (traffic, is_server) = (self.traffic, self.is_server);
        ENDS.iter()
            .filter(move |end| end.traffic == traffic && end.is_server != is_server)
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
    pub(super) fn is_on(&self, subject: &Subject<'_>, launch: &Launch) -> Result<bool, Missing> {
        flag::can_be_read(subject, launch)?;
        let evaluation = &launch.evaluation;
        let Some(flag) = self.flag else {
            return self.is_presumed(subject, launch);
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

    /// Whether a flag whose name was never read protects this end: one that tells by its name, and that a running
    /// process has accepted.
    fn is_presumed(&self, subject: &Subject<'_>, launch: &Launch) -> Result<bool, Missing> {
        let presumed = launch.evaluation.presumed().iter();
        let mut peers = presumed.filter(|it| ids::names_peers(&it.name)).peekable();
        let Some(first) = peers.peek().map(|it| it.name.as_str()) else {
            return Ok(false);
        };
        let tells = peers.any(|it| it.name.contains("event"));
        if tells && flag::is_accepted(subject, launch) {
            return Ok(true);
        }
        Err(not_known(subject.key, first))
    }
}

fn not_known(key: &InstanceKey, flag: &str) -> Missing {
    let message = format!("{key}: what --{flag} does in this version is not known");
    Missing::new("FlagNotKnown", message)
}

/// How a controller stands to one of its ends. The command lines of template and pods may disagree.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) on: bool,
    pub(super) off: bool,
    pub(super) unknown: Option<Missing>,
}

impl Standing {
    pub(super) fn of(subject: &Subject<'_>, end: &End) -> Self {
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

/// The controllers that run, each with how it stands to an end of theirs.
pub(super) fn standings<'a>(
    view: &'a View<'a>,
    end: &'static End,
) -> Result<Vec<(&'a InstanceKey, Standing)>, Missing> {
    let parameters = Parameters::new();
    let standing = |(key, instance): (&'a InstanceKey, &'a Instance)| {
        let subject = Subject {
            key,
            instance,
            view,
            parameters: &parameters,
        };
        (key, Standing::of(&subject, end))
    };
    let controllers = view.accepted_controllers(end.component)?;
    let running = controllers.filter(|(_, instance)| !instance.inactive);
    Ok(running.map(standing).collect())
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
    for end in ENDS.iter().filter(|end| end.traffic == traffic) {
        for (key, standing) in standings(view, end)? {
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
