//! FSX-SRC-010: Git over SSH verifies hosts and allows no outdated algorithm.

use super::super::control::{Control, Outcome, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::{Evaluation, Setting};
use crate::inventory::{Missing, ObjectKey, Read, View};
use crate::kinds::Mark;
use crate::kinds::flux_objects::{GitRepository, Standing};

pub(crate) static CONTROL: Control = Control {
    id: "FSX-SRC-010",
    title: "Git over SSH verifies hosts and allows no outdated algorithm",
    chapter: "Beyond the document: Sources",
    severity: Severities::always(Severity::Medium),
    rationale: "SSH protects a source only if the host proves who it is. Signatures and key exchanges with SHA-1 can be forged, and a host that is not in known_hosts can be anybody.",
    audit: "--ssh-kex-algos and --ssh-hostkey-algos of source-controller and image-automation-controller. Fails for a key exchange with SHA-1 and for ssh-rsa and ssh-dss. Without a list the choice is left to the SSH library, which prefers SHA-1 least; that is not judged. known_hosts is in Secrets, which are not read. A GitRepository over SSH that is Ready had it, because the controller refuses to connect without; unknown while one is not Ready. Not applicable where no list is set and no GitRepository is fetched by SSH.",
    remediation: "Remove the outdated algorithms from the lists, or remove the flags. Update known_hosts in the GitRepository's Secret when its host gets new keys.",
    reference: "https://fluxcd.io/flux/components/source/gitrepositories/#ssh-authentication",
    reads: &[Read::cluster::<GitRepository>()],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Source, Component::ImageAutomation],
        judge,
    },
};

const KEY_EXCHANGES: &str = "ssh-kex-algos";
const HOST_KEYS: &str = "ssh-hostkey-algos";

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let judged = flag::judge(subject, outdated)?;
    if judged != Outcome::Pass {
        return Ok(judged);
    }
    let sources = over_ssh(subject.view)?;
    if sources.is_empty() && !sets_a_list(subject) {
        return Ok(Outcome::not_applicable("nothing is fetched from Git by SSH"));
    }
    match sources.into_iter().find(|(_, ready)| **ready != Standing::True) {
        None => Ok(Outcome::Pass),
        Some((key, _)) => {
            let message = format!(
                "GitRepository {key} is not Ready, and known_hosts is in its Secret, which is not read"
            );
            Err(Missing::new("SecretNotRead", message))
        }
    }
}

/// The first outdated algorithm that is asked for.
fn outdated(evaluation: &Evaluation) -> Result<Option<Objection>, Missing> {
    for flag in [KEY_EXCHANGES, HOST_KEYS] {
        let (algorithms, origin) = match evaluation.list(flag) {
            Setting::Known { value, origin } => (value, origin),
            Setting::Unsupported => continue,
            Setting::Unknown(reason) => {
                return Err(Missing::new("ArgumentNotReadable", format!("--{flag}: {reason}")));
            }
        };
        if let Some(algorithm) = algorithms.iter().find(|it| is_outdated(it)) {
            return Ok(Some(Objection {
                argument: flag::argument(&origin),
                observed: format!("--{flag} has {algorithm}"),
                expected: format!("--{flag} without SHA-1 algorithms"),
            }));
        }
    }
    Ok(None)
}

/// Whether an algorithm uses SHA-1 or DSA. `rsa-sha2-256` and `rsa-sha2-512` take the same keys as `ssh-rsa`.
fn is_outdated(algorithm: &str) -> bool {
    let algorithm = algorithm.trim();
    let host_keys = [
        "ssh-rsa",
        "ssh-dss",
        "ssh-rsa-cert-v01@openssh.com",
        "ssh-dss-cert-v01@openssh.com",
    ];
    algorithm.ends_with("-sha1") || host_keys.contains(&algorithm)
}

fn sets_a_list(subject: &Subject<'_>) -> bool {
    let mut launches = subject.instance.launches.iter();
    let is_set = |evaluation: &Evaluation, flag| !evaluation.occurrences(flag).is_empty();
    launches.any(|it| is_set(&it.evaluation, KEY_EXCHANGES) || is_set(&it.evaluation, HOST_KEYS))
}

fn over_ssh<'a>(view: &View<'a>) -> Result<Vec<(&'a ObjectKey, &'a Standing)>, Missing> {
    let over_ssh = view.marked::<GitRepository>(&Mark::SSH)?;
    Ok(over_ssh.map(|(key, row)| (key, &row.status.ready)).collect())
}
