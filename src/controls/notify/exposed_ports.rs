//! FSX-NOT-006: notification-controller exposes only webhooks, over TLS.

use std::collections::BTreeSet;

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::exposure::{self, Way};
use super::super::flag;
use super::super::judges::{Judges, Subject};
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::Setting;
use crate::inventory::{Missing, Read};
use crate::kinds::crd::CustomResourceDefinition;
use crate::kinds::gateway::{Gateway, HttpRoute};
use crate::kinds::ingress::{Ingress, Tls};
use crate::kinds::service::Service;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-NOT-006",
    title: "notification-controller exposes only webhooks, over TLS",
    chapter: "Beyond the document: Notifications",
    severity: Severities::always(Severity::Medium),
    rationale: "Port 9090 accepts events in the name of any object from anyone who sends them. The path of a webhook is part of its secret, and without TLS it can be read on the way.",
    audit: "The Services that select the controller's pods, and which of them are of type NodePort or LoadBalancer, have external addresses, or are behind an Ingress or an HTTPRoute with its Gateways. Fails when a route leads to a port other than that of --receiverAddr, and when a route to that port has no TLS: an Ingress without spec.tls for the host, a listener with protocol HTTP, a Service that is exposed directly. Unknown when an annotation may add encryption or the controller has flags for mutual TLS, and when CustomResourceDefinitions of other route kinds exist and nothing else fails.",
    remediation: "Point an Ingress or HTTPRoute with TLS at the Service webhook-receiver, and keep the Service notification-controller inside the cluster.",
    reference: "https://fluxcd.io/flux/guides/webhook-receivers/",
    reads: &[
        Read::namespace::<Service>(),
        Read::namespace::<Ingress>(),
        Read::cluster::<HttpRoute>(),
        Read::cluster::<Gateway>(),
        Read::cluster::<CustomResourceDefinition>(),
    ],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Notification],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let ways = exposure::ways(subject)?;
    let webhooks = if ways.is_empty() {
        BTreeSet::new()
    } else {
        webhook_ports(subject)?
    };
    let mut defects = Vec::new();
    let mut undecided = Ok(());
    for way in ways {
        match flaw(subject, &way, &webhooks) {
            Ok(None) => {}
            Ok(Some(observed)) => defects.push(Defect {
                message: format!("{}: {observed}", subject.key),
                observed,
                expected: "routes to webhooks only, over TLS".to_owned(),
                severity: flag::weight(subject),
                about: Some(way.by),
                ..Defect::default()
            }),
            Err(missing) => undecided = undecided.and(Err(missing)),
        }
    }
    if !defects.is_empty() {
        return Ok(Outcome::Fail(defects));
    }
    undecided?;
    exposure::only_known_routes(subject.view)?;
    Ok(Outcome::Pass)
}

fn flaw(subject: &Subject<'_>, way: &Way, webhooks: &BTreeSet<u16>) -> Result<Option<String>, Missing> {
    let Way { by, port, tls, .. } = way;
    if !webhooks.contains(port) {
        let observed = format!("{by} leads to port {port}, which is not that of webhooks");
        return Ok(Some(observed));
    }
    let unread = match tls {
        Tls::On => return Ok(None),
        Tls::NotTold(what) => what,
        Tls::Off if may_serve_tls(subject) => "--authorized-…-spiffe-id of the controller",
        Tls::Off => return Ok(Some(format!("{by} leads to webhooks without TLS"))),
    };
    let message = format!("whether {by} is encrypted depends on {unread}, which is not read");
    Err(Missing::new("EncryptionNotRead", message))
}

/// Since Flux 2.10 callers may have to come by mutual TLS. Of its flags only the form of the name is known.
fn may_serve_tls(subject: &Subject<'_>) -> bool {
    let mut launches = subject.instance.launches.iter();
    launches.any(|launch| {
        let container = &launch.definition;
        let mut arguments = container.command.iter().chain(&container.args);
        arguments.any(|it| it.starts_with("--authorized-") && it.contains("-spiffe-id"))
    })
}

/// Where webhooks are taken.
fn webhook_ports(subject: &Subject<'_>) -> Result<BTreeSet<u16>, Missing> {
    let unread = |why: &str| Missing::new("ArgumentNotReadable", format!("--receiverAddr: {why}"));
    let mut ports = BTreeSet::new();
    for launch in &subject.instance.launches {
        let address = match launch.evaluation.text("receiverAddr") {
            Setting::Known { value, .. } => value,
            Setting::Unsupported => continue,
            Setting::Unknown(why) => return Err(unread(&why)),
        };
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok());
        ports.insert(port.ok_or_else(|| unread("it names no port"))?);
    }
    Ok(ports)
}
