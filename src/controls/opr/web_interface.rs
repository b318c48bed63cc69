//! FSX-OPR-003: flux-operator's web interface knows whom it serves.

use std::collections::BTreeSet;

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::exposure::{self, Way};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use super::super::net::closed;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::{Evaluation, Setting};
use crate::inventory::ingress::Admitted;
use crate::inventory::{Ingress, Missing, Read, SubjectKey};
use crate::kinds::crd::CustomResourceDefinition;
use crate::kinds::gateway::{Gateway, HttpRoute};
use crate::kinds::ingress;
use crate::kinds::network_policy::NetworkPolicy;
use crate::kinds::service::Service;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-OPR-003",
    title: "flux-operator's web interface knows whom it serves",
    chapter: "Beyond the document: Flux operator",
    severity: Severities::always(Severity::Medium),
    rationale: "Without a configuration the web interface authenticates nobody and reads the cluster with flux-operator's own rights, those of a cluster-admin. In versions 0.36.0 to 0.39 a user without claims got these rights, too (CVE-2026-23990).",
    audit: "--web-server-port, --web-config and --web-config-secret-name of flux-operator's template and pods, with the variables that replace them; who may reach that port, by NetworkPolicies, Services, Ingresses and HTTPRoutes; the version. Fails for the versions above, and when there is no configuration while every namespace or somebody outside the cluster may reach it. Unknown when there is a configuration and the port is that widely open: the Secret or file that says Anonymous or OAuth2 is not read. Passes when only chosen peers may reach it. Not applicable when the port is 0, and before 0.37.0.",
    remediation: "Configure OAuth2 in web.config of the chart, replace the NetworkPolicy that admits every namespace by one for the ingress controller, and upgrade to 0.40.0 or later; or set web.enabled to false.",
    reference: "https://fluxoperator.dev/docs/web-ui/web-config-api/",
    reads: &[
        Read::namespace::<NetworkPolicy>(),
        Read::namespace::<Service>(),
        Read::namespace::<ingress::Ingress>(),
        Read::cluster::<HttpRoute>(),
        Read::cluster::<Gateway>(),
        Read::cluster::<CustomResourceDefinition>(),
    ],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::FluxOperator],
        judge,
    },
};

/// The versions in which a user without claims is taken for the operator.
const AFFECTED: [(u64, u64, u64); 2] = [(0, 36, 0), (0, 40, 0)];

/// The web interface as one command line starts it.
struct Web {
    port: u16,
    /// Where its configuration is; `None`: it asks nobody who they are.
    configuration: Option<String>,
}

/// What lets everybody in, or somebody from outside of the cluster.
struct Entrance {
    why: String,
    by: Option<SubjectKey>,
    /// An annotation by which callers may be asked who they are on the way.
    authentication: Option<&'static str>,
}

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let mut interfaces = Vec::new();
    for launch in &subject.instance.launches {
        interfaces.extend(web(subject, &launch.evaluation)?);
    }
    let ports: BTreeSet<u16> = interfaces.iter().map(|web| web.port).collect();
    let Some(weakest) = interfaces
        .into_iter()
        .min_by_key(|web| web.configuration.is_some())
    else {
        return Ok(Outcome::not_applicable("flux-operator serves no web interface"));
    };
    if let Some(defect) = known_vulnerability(subject) {
        return Ok(Outcome::fail(defect));
    }
    let mut entrances = ways(subject, &ports)?;
    let (network, mut undecided) = match network(subject, &ports) {
        Ok(entrance) => (entrance, Ok(())),
        Err(missing) => (None, Err(missing)),
    };
    entrances.extend(network);
    let mut defects = Vec::new();
    for entrance in entrances {
        match (&weakest.configuration, entrance.authentication) {
            (None, None) => defects.push(unasked(subject, entrance)),
            (Some(unread), _) => undecided = Err(not_read(&entrance, unread)),
            (None, Some(annotation)) => undecided = Err(not_read(&entrance, annotation)),
        }
    }
    if !defects.is_empty() {
        return Ok(Outcome::Fail(defects));
    }
    undecided?;
    closed::only_network_policies(subject.view)?;
    exposure::only_known_routes(subject.view)?;
    if subject.instance.version.is_none() {
        let message = format!("{}: its image shows no version", subject.key);
        return Err(Missing::new("VersionNotKnown", message));
    }
    Ok(Outcome::Pass)
}

/// `None`: there is no web interface.
fn web(subject: &Subject<'_>, evaluation: &Evaluation) -> Result<Option<Web>, Missing> {
    let unread = |flag: &str, why: &str| {
        Missing::new("ArgumentNotReadable", format!("{}: --{flag}: {why}", subject.key))
    };
    let port = match evaluation.integer("web-server-port") {
        Setting::Known { value, .. } => u16::try_from(value).unwrap_or_default(),
        Setting::Unsupported => 0,
        Setting::Unknown(why) => return Err(unread("web-server-port", &why)),
    };
    if port == 0 {
        return Ok(None);
    }
    let mut configuration = None;
    for (flag, what) in [("web-config", "file"), ("web-config-secret-name", "Secret")] {
        match evaluation.text(flag) {
            Setting::Known { value: "", .. } | Setting::Unsupported => {}
            Setting::Known { value, .. } => configuration = Some(format!("{what} {value}")),
            Setting::Unknown(why) => return Err(unread(flag, &why)),
        }
    }
    Ok(Some(Web { port, configuration }))
}

fn known_vulnerability(subject: &Subject<'_>) -> Option<Defect> {
    let version = subject.instance.version.as_ref()?;
    let [first, fixed] = AFFECTED;
    if !flag::reaches(Some(version), first) || flag::reaches(Some(version), fixed) {
        return None;
    }
    let observed =
        format!("version {version} may take a user without claims for the operator (CVE-2026-23990)");
    Some(defect(subject, observed, "version 0.40.0 or later".to_owned()))
}

/// From outside of the cluster.
fn ways(subject: &Subject<'_>, ports: &BTreeSet<u16>) -> Result<Vec<Entrance>, Missing> {
    let ways = exposure::ways(subject)?.into_iter();
    let entrance = |way: Way| Entrance {
        why: format!("{} leads to it", way.by),
        by: Some(way.by),
        authentication: way.authentication,
    };
    Ok(ways
        .filter(|way| ports.contains(&way.port))
        .map(entrance)
        .collect())
}

/// From every namespace.
fn network(subject: &Subject<'_>, ports: &BTreeSet<u16>) -> Result<Option<Entrance>, Missing> {
    let entrance = |why: String, by| Entrance {
        why,
        by,
        authentication: None,
    };
    if subject
        .instance
        .launches
        .iter()
        .any(|launch| launch.network.on_host)
    {
        let why = "it uses the host network, where no NetworkPolicy applies".to_owned();
        return Ok(Some(entrance(why, None)));
    }
    let pods = closed::ingress(subject)?;
    for pod in &pods {
        let mut admitted = ports.iter().flat_map(|port| pod.at(*port));
        if let Some((policy, _)) = admitted.find(|(_, who)| *who == Admitted::Everybody) {
            let why = format!("NetworkPolicy {policy} admits everybody");
            return Ok(Some(entrance(
                why,
                Some(SubjectKey::object::<NetworkPolicy>(policy)),
            )));
        }
    }
    if !pods.iter().any(Ingress::is_open) {
        return Ok(None);
    }
    closed::only_network_policies(subject.view)?;
    Ok(Some(entrance("no NetworkPolicy selects it".to_owned(), None)))
}

fn unasked(subject: &Subject<'_>, entrance: Entrance) -> Defect {
    let observed = format!("its web interface authenticates nobody, and {}", entrance.why);
    Defect {
        about: entrance.by,
        ..defect(subject, observed, "OAuth2, or chosen peers only".to_owned())
    }
}

fn not_read(entrance: &Entrance, unread: &str) -> Missing {
    let message = format!(
        "{}: whether callers are authenticated depends on {unread}, which is not read",
        entrance.why
    );
    Missing::new("AuthenticationNotRead", message)
}

fn defect(subject: &Subject<'_>, observed: String, expected: String) -> Defect {
    Defect {
        message: format!("{}: {observed}", subject.key),
        observed,
        expected,
        severity: flag::weight(subject),
        ..Defect::default()
    }
}
