//! Who is told when an object fails: the controller's events, the Alerts that choose them, and where these send them.

use super::address;
use super::control::{Defect, Outcome, Parameter};
use super::judges::NamespaceSubject;
use super::lockdown;
use crate::flux::Component;
use crate::flux::command_line::Setting;
use crate::flux::labels::{Label, Labels};
use crate::inventory::{Instance, InstanceKey, Missing, ObjectKey, SubjectKey, View};
use crate::kinds::Kind;
use crate::kinds::flux_objects::notifications::{AlertSpec, EventSource, ProviderSpec};
use crate::kinds::flux_objects::{Alert, Provider, Text};
use crate::kinds::monitoring::PrometheusRule;
use crate::kinds::service::Service;

/// Whether rules of Prometheus count.
pub(super) const PROMETHEUS: Parameter = Parameter {
    name: "prometheus",
    values: &["unproven", "accepted"],
    about: "Whether a PrometheusRule on Flux's metrics counts as an Alert; which objects it covers is not read.",
};

/// An object whose failures somebody should be told of.
pub(super) struct Watched<'a> {
    object: SubjectKey,
    kind: &'static str,
    key: &'a ObjectKey,
    labels: &'a Labels,
    sender: Component,
}

impl<'a> Watched<'a> {
    /// An object, and the controller that sends its events.
    pub(super) fn new<K: Kind>(key: &'a ObjectKey, labels: &'a Labels, sender: Component) -> Self {
        Self {
            object: SubjectKey::object::<K>(key),
            kind: K::DESCRIPTOR.kind,
            key,
            labels,
            sender,
        }
    }
}

/// Fails for each object of the judged namespace of whose failures nobody is told. `prometheus` is the value of
/// [`PROMETHEUS`].
///
/// # Errors
/// What decides is not seen or cannot be interpreted.
pub(super) fn judge(
    subject: &NamespaceSubject<'_>,
    prometheus: &str,
    objects: Vec<Watched<'_>>,
) -> Result<Outcome, Missing> {
    let alerting = Alerting::of(subject.view, subject.name, prometheus)?;
    let mut defects = Vec::new();
    let mut unknown = None;
    for of in objects {
        match alerting.silence(&of) {
            Ok(None) => {}
            Ok(Some(why)) => defects.push(Defect {
                message: format!("nobody is told when {} {} fails: {why}", of.kind, of.key),
                observed: why,
                expected: "an Alert for its errors, and a Provider".to_owned(),
                about: Some(of.object),
                ..Defect::default()
            }),
            Err(missing) => unknown = unknown.or(Some(missing)),
        }
    }
    match unknown {
        Some(missing) if defects.is_empty() => Err(missing),
        _ => Ok(Outcome::from_defects(defects)),
    }
}

/// What is sent of one namespace's objects.
struct Alerting<'a> {
    view: &'a View<'a>,
    routes: Vec<Route<'a>>,
    accepts_rules: bool,
}

/// One of the sources of an Alert.
struct Route<'a> {
    alert: &'a ObjectKey,
    spec: &'a AlertSpec,
    source: &'a EventSource,
}

impl<'a> Alerting<'a> {
    fn of(view: &'a View<'a>, namespace: &'a str, prometheus: &str) -> Result<Self, Missing> {
        let mut routes = Vec::new();
        for (alert, row) in view.table::<Alert>()?.iter() {
            let spec = &row.spec;
            let own = |source: &&EventSource| {
                let foreign = source.objects.foreign(&alert.namespace);
                foreign.unwrap_or(&alert.namespace) == namespace
            };
            let sources = spec.event_sources.iter().filter(own);
            routes.extend(sources.map(|source| Route { alert, spec, source }));
        }
        Ok(Self {
            view,
            routes,
            accepts_rules: prometheus == "accepted",
        })
    }

    /// Why nobody is told of an object's failures; `None`: somebody is.
    fn silence(&self, of: &Watched<'_>) -> Result<Option<String>, Missing> {
        let Some(why) = self.without_rules(of)? else {
            return Ok(None);
        };
        let mut rules = self.view.table::<PrometheusRule>()?.iter();
        match rules.next() {
            None => Ok(Some(why)),
            Some(_) if self.accepts_rules => Ok(None),
            Some((rule, _)) => {
                let message = format!("{why}; what PrometheusRule {rule} tells of Flux is not read");
                Err(Missing::new("OtherAlerting", message))
            }
        }
    }

    fn without_rules(&self, of: &Watched<'_>) -> Result<Option<String>, Missing> {
        if let Some(why) = self.cut(of.sender)? {
            return Ok(Some(why));
        }
        let mut why = "no Alert chooses its errors".to_owned();
        let mut unknown = None;
        for route in self.routes.iter().filter(|route| route.names(of)) {
            match self.obstacle(route, of.labels) {
                Ok(None) => return Ok(None),
                Ok(Some(obstacle)) => why = obstacle,
                Err(missing) => unknown = unknown.or(Some(missing)),
            }
        }
        match unknown {
            Some(missing) => Err(missing),
            None => Ok(Some(why)),
        }
    }

    /// Why no event of these controllers arrives.
    fn cut(&self, sender: Component) -> Result<Option<String>, Missing> {
        let receivers = self.running(Component::Notification)?;
        if receivers.is_empty() {
            return Ok(Some("no notification-controller runs".to_owned()));
        }
        let senders = self.running(sender)?;
        if senders.is_empty() {
            return Ok(Some(format!("no {sender} runs")));
        }
        for (key, instance) in senders {
            for launch in &instance.launches {
                let unread =
                    |why: String| Missing::new("ArgumentNotReadable", format!("{key}: --events-addr: {why}"));
                let address = match launch.evaluation.text("events-addr") {
                    Setting::Known { value, .. } => value,
                    Setting::Unsupported => return Err(unread("this version has no such flag".to_owned())),
                    Setting::Unknown(why) => return Err(unread(why)),
                };
                if address.is_empty() {
                    return Ok(Some(format!("{key} sends no events, its --events-addr is empty")));
                }
                if !self.reaches(address, &key.namespace, &receivers)? {
                    let nobody =
                        format!("{key} sends events to {address}, where no notification-controller is");
                    return Ok(Some(nobody));
                }
            }
        }
        Ok(None)
    }

    fn running(&self, component: Component) -> Result<Vec<(&'a InstanceKey, &'a Instance)>, Missing> {
        let all = self.view.accepted_controllers(component)?;
        Ok(all.filter(|(_, instance)| !instance.inactive).collect())
    }

    /// Whether an address is that of a Service of one of these controllers.
    fn reaches(
        &self,
        address: &str,
        own: &str,
        receivers: &[(&InstanceKey, &Instance)],
    ) -> Result<bool, Missing> {
        let host = address::host(address).trim_end_matches('.');
        let parts: Vec<&str> = host.split('.').collect();
        let (service, namespace) = match parts[..] {
            [service] => (service, own),
            [service, namespace] | [service, namespace, "svc", ..] => (service, namespace),
            _ => {
                let message = format!("whether events that are sent to {address} arrive is not known");
                return Err(Missing::new("AddressNotKnown", message));
            }
        };
        let services = self.view.table::<Service>()?;
        let Some(row) = services.get(&ObjectKey::new(namespace, service)) else {
            return Ok(false);
        };
        let mut there = receivers.iter().filter(|(key, _)| *key.namespace == *namespace);
        Ok(there.any(|(_, instance)| {
            let mut launches = instance.launches.iter();
            launches.any(|launch| row.selects(&launch.network.labels))
        }))
    }

    /// Why an Alert that names an object sends no errors of it.
    fn obstacle(&self, route: &Route<'_>, labels: &Labels) -> Result<Option<String>, Missing> {
        let Route { alert, spec, source } = route;
        if !matches!(spec.event_severity.as_str(), "" | "info" | "error") {
            return Ok(Some(format!("Alert {alert} sends no errors")));
        }
        if spec.suspend {
            return Ok(Some(format!("Alert {alert} is suspended")));
        }
        if source.objects.foreign(&alert.namespace).is_some()
            && lockdown::refuses_other_namespaces(self.view, Component::Notification)? == Some(true)
        {
            let refused =
                format!("notification-controller refuses the events of another namespace to Alert {alert}");
            return Ok(Some(refused));
        }
        if spec.exclusion_list.iter().any(fits_everything) {
            return Ok(Some(format!(
                "the exclusionList of Alert {alert} leaves out everything"
            )));
        }
        if let Some(obstacle) = self.provider_obstacle(alert, spec.provider_ref.name.as_str())? {
            return Ok(Some(obstacle));
        }
        match has_labels(source, labels) {
            Some(true) => {}
            Some(false) => return Ok(Some(format!("Alert {alert} chooses other labels"))),
            None => {
                let message = format!("Alert {alert} chooses by labels of Flux's own, which are not kept");
                return Err(Missing::new("LabelsNotKept", message));
            }
        }
        let lets_all_in = spec.inclusion_list.is_empty() || spec.inclusion_list.iter().any(fits_everything);
        if lets_all_in && spec.exclusion_list.is_empty() {
            return Ok(None);
        }
        let list = if lets_all_in {
            "exclusionList"
        } else {
            "inclusionList"
        };
        let message = format!("whether the {list} of Alert {alert} lets failures through is not known");
        Err(Missing::new("ExpressionsNotRead", message))
    }

    /// Why the Provider of an Alert sends nothing to anybody.
    fn provider_obstacle(&self, alert: &ObjectKey, name: &str) -> Result<Option<String>, Missing> {
        let key = ObjectKey::new(&alert.namespace, name);
        let Some(provider) = self.view.table::<Provider>()?.get(&key) else {
            return Ok(Some(format!("Provider {key} of Alert {alert} does not exist")));
        };
        let spec = &provider.spec;
        if spec.suspend {
            return Ok(Some(format!("Provider {key} is suspended")));
        }
        if COMMITS.contains(&spec.kind.as_str()) {
            let elsewhere = format!(
                "Provider {key} of type {} writes to commits, and alerts nobody",
                spec.kind
            );
            return Ok(Some(elsewhere));
        }
        Ok(has_no_address(spec).then(|| format!("Provider {key} says nowhere where to send")))
    }
}

/// Types of Providers that write the state of a commit or comment on a change.
const COMMITS: [&str; 9] = [
    "azuredevops",
    "bitbucket",
    "bitbucketserver",
    "gitea",
    "giteapullrequestcomment",
    "github",
    "githubpullrequestcomment",
    "gitlab",
    "gitlabmergerequestcomment",
];

/// The address of PagerDuty is known, and its channel is the credential.
fn has_no_address(spec: &ProviderSpec) -> bool {
    spec.address.is_empty() && spec.secret_ref.is_none() && spec.kind.as_str() != "pagerduty"
}

impl Route<'_> {
    fn names(&self, of: &Watched<'_>) -> bool {
        let objects = &self.source.objects;
        let is_named = [&of.key.name, "*"].contains(&objects.name.as_str());
        is_named && objects.kind.as_str() == of.kind
    }
}

/// Whether an object has the labels that a source asks for; `None`: that is not known.
fn has_labels(source: &EventSource, labels: &Labels) -> Option<bool> {
    let fits = |(name, value): (&Text, &Text)| match labels.get(name.as_str()) {
        Label::Is(found) => Some(found == value.as_str()),
        Label::Absent => Some(false),
        Label::NotKept => None,
    };
    let verdicts: Vec<Option<bool>> = source.match_labels.iter().map(fits).collect();
    if verdicts.contains(&Some(false)) {
        return Some(false);
    }
    (!verdicts.contains(&None)).then_some(true)
}

/// Whether a regular expression fits every message, as far as that is plain to see.
fn fits_everything(expression: &Text) -> bool {
    let inner = expression.as_str().trim_start_matches('^').trim_end_matches('$');
    matches!(inner, "" | ".*" | ".+" | ".")
}
