//! FSX-MTLS-004: Controllers that use SPIFFE reach the Workload API.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use super::ids;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::Evaluation;
use crate::flux::container::{Container, EnvSource};
use crate::inventory::Missing;
use crate::inventory::instances::{Launch, LaunchSource};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-MTLS-004",
    title: "Controllers that use SPIFFE reach the Workload API",
    chapter: "Beyond the document: mTLS between controllers",
    severity: Severities::always(Severity::Medium),
    rationale: "A controller with a SPIFFE flag needs its X.509-SVID before anything else. Without the socket that issues it, the controller does not start or waits forever, while pods of the old template keep running without mTLS.",
    audit: "For every controller with a SPIFFE flag: the variable SPIFFE_ENDPOINT_SOCKET, a volume mounted where its socket is, and whether --spiffe-broker-endpoint and --spiffe-broker-id are set together. Pods count as they were admitted; in a template without pods only the flags can fail, because an admission webhook may add the rest. Unknown when the variable comes from a Secret, a ConfigMap or another variable. Not applicable without a SPIFFE flag.",
    remediation: "Set SPIFFE_ENDPOINT_SOCKET to the address of the socket, for instance unix:///spiffe-workload-api/spire-agent.sock, and mount it, usually by the SPIFFE CSI driver. Set both flags of the Broker, or neither.",
    reference: "https://fluxcd.io/flux/installation/configuration/spiffe/",
    reads: &[],
    parameters: &[],
    judges: Judges::Controllers {
        components: &Component::ALL,
        judge,
    },
};

const SOCKET: &str = "SPIFFE_ENDPOINT_SOCKET";

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let (mut defects, mut is_used, mut unknown) = (Vec::<Defect>::new(), false, None);
    for launch in admitted(subject) {
        match objections(subject, launch) {
            Ok(None) => {}
            Ok(Some(objections)) => {
                is_used = true;
                let found = objections
                    .into_iter()
                    .map(|it| flag::defect(subject, launch, it, &[]));
                defects.extend(found.filter(|it| !defects.contains(it)).collect::<Vec<_>>());
            }
            Err(missing) => unknown = unknown.or(Some(missing)),
        }
    }
    if !defects.is_empty() {
        return Ok(Outcome::Fail(defects));
    }
    match unknown {
        Some(missing) => Err(missing),
        None if is_used => Ok(Outcome::Pass),
        None => Ok(Outcome::not_applicable("no SPIFFE flag is set")),
    }
}

/// The pods, else the template that they would be made of.
fn admitted<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a Launch> + use<'a> {
    let launches = &subject.instance.launches;
    let has_pods = launches.iter().any(is_pod);
    launches.iter().filter(move |launch| !has_pods || is_pod(launch))
}

fn is_pod(launch: &Launch) -> bool {
    matches!(launch.source, LaunchSource::Pod { .. })
}

/// What is missing; `None`: no SPIFFE flag is set.
fn objections(subject: &Subject<'_>, launch: &Launch) -> Result<Option<Vec<Objection>>, Missing> {
    flag::can_be_read(subject, launch)?;
    if ids::appearances(&launch.evaluation, ids::is_about_spiffe).is_empty() {
        return Ok(None);
    }
    let lonely = half_a_broker(&launch.evaluation);
    match missing_socket(&launch.definition) {
        Ok(Some(objection)) if is_pod(launch) => Ok(Some(lonely.into_iter().chain([objection]).collect())),
        Ok(None) => Ok(Some(lonely.into_iter().collect())),
        _ if lonely.is_some() => Ok(Some(lonely.into_iter().collect())),
        Ok(Some(objection)) => {
            let message = format!(
                "{}: the template {}, and no pod shows whether something adds it",
                subject.key, objection.observed
            );
            Err(Missing::new("PodsNotSeen", message))
        }
        Err(why) => {
            let message = format!("{}: {SOCKET} {why}", subject.key);
            Err(Missing::new("EnvironmentNotRead", message))
        }
    }
}

/// One of the two flags of the Broker without the other.
fn half_a_broker(evaluation: &Evaluation) -> Option<Objection> {
    let last = |name: &'static str| ids::appearances(evaluation, |flag| flag == name).pop();
    let is_empty = |value: &Option<String>| value.as_deref() == Some("");
    let endpoint = last("spiffe-broker-endpoint").filter(|(_, it)| !is_empty(&it.value));
    let (found, other) = match (endpoint, last("spiffe-broker-id")) {
        (Some(found), None) => (found, "spiffe-broker-id"),
        (None, Some(found)) => (found, "spiffe-broker-endpoint"),
        _ => return None,
    };
    Some(Objection {
        argument: found.1.raw.clone(),
        observed: format!("sets --{} and no --{other}", found.0),
        expected: "both flags of the Broker, or neither".to_owned(),
    })
}

/// What keeps a container from its socket; as an error, why it cannot be told.
fn missing_socket(container: &Container) -> Result<Option<Objection>, String> {
    let variables = container.env.iter().rev();
    let address = match variables
        .into_iter()
        .find(|it| it.name == SOCKET)
        .map(|it| &it.source)
    {
        Some(EnvSource::Literal(address)) if address.contains("$(") => {
            return Err("refers to other variables".to_owned());
        }
        Some(EnvSource::Literal(address)) => address.as_str(),
        Some(EnvSource::Field(path)) => return Err(format!("comes from the field {path}")),
        Some(EnvSource::Unread(from)) => return Err(format!("comes from {from}, which is not read")),
        None if container.has_env_from => {
            return Err("may come from a Secret or a ConfigMap, which is not read".to_owned());
        }
        None => "",
    };
    if address.is_empty() {
        return Ok(Some(objection(format!("has no {SOCKET}"))));
    }
    if address.starts_with("tcp:") {
        return Ok(None);
    }
    let Some(path) = path_of(address) else {
        return Ok(Some(objection(format!(
            "has {SOCKET}={address}, which is no address of a socket"
        ))));
    };
    if container.mounts.iter().any(|mount| holds(mount, path)) {
        return Ok(None);
    }
    Ok(Some(objection(format!("has no volume mounted where {path} is"))))
}

fn path_of(address: &str) -> Option<&str> {
    let path = address.strip_prefix("unix:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    path.starts_with('/').then_some(path)
}

/// Whether what is mounted there has the path.
fn holds(mount: &str, path: &str) -> bool {
    let rest = path.strip_prefix(mount.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn objection(observed: String) -> Objection {
    Objection {
        argument: String::new(),
        observed,
        expected: format!("{SOCKET}=unix://<path>, and a volume mounted there"),
    }
}

#[cfg(test)]
mod tests {
    use super::{holds, path_of};

    #[test]
    fn a_socket_is_below_its_mount() {
        for (mount, address, is_there) in [
            ("/spiffe", "unix:///spiffe/agent.sock", true),
            ("/spiffe/", "unix:///spiffe/agent.sock", true),
            ("/spiffe/agent.sock", "unix:/spiffe/agent.sock", true),
            ("/spiffe", "unix:///spiffe-other/agent.sock", false),
            ("/tmp", "unix:///spiffe/agent.sock", false),
        ] {
            assert_eq!(
                holds(mount, path_of(address).unwrap()),
                is_there,
                "{mount} {address}"
            );
        }
        assert_eq!(path_of("/spiffe/agent.sock"), None);
    }
}
