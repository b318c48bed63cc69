//! The ways from outside of the cluster to a controller: Services, Ingresses and routes that lead to its pods.

use std::collections::BTreeSet;

use super::judges::Subject;
use crate::inventory::{Missing, ObjectKey, SubjectKey, View};
use crate::kinds::crd::{CustomResourceDefinition, OTHER_ROUTES};
use crate::kinds::gateway::{Gateway, HttpRoute, Listener, Parent, RouteRow};
use crate::kinds::ingress::{Ingress, Tls};
use crate::kinds::port::Port;
use crate::kinds::service::{Service, ServicePort, ServiceRow};

/// A way from outside of the cluster.
pub(super) struct Way {
    /// The object that opens it.
    pub(super) by: SubjectKey,
    /// The port of the pods that it leads to.
    pub(super) port: u16,
    /// Whether it is encrypted.
    pub(super) tls: Tls,
    /// An annotation by which callers may be asked who they are.
    pub(super) authentication: Option<&'static str>,
}

/// Every way to the pods of a controller, its template's and its running ones.
///
/// # Errors
/// Services, Ingresses, HTTPRoutes or Gateways cannot all be seen.
pub(super) fn ways(subject: &Subject<'_>) -> Result<Vec<Way>, Missing> {
    let services = Services::of(subject)?;
    let mut ways = services.ways();
    ways.extend(by_ingresses(&services)?);
    ways.extend(by_routes(&services)?);
    Ok(ways)
}

/// An Ingress leads to Services of its own namespace only.
fn by_ingresses(services: &Services<'_>) -> Result<Vec<Way>, Missing> {
    let mut ways = Vec::new();
    for (key, ingress) in services.subject.view.siblings::<Ingress>()? {
        for backend in &ingress.backends {
            let ports = services.targets(&backend.service, &backend.port);
            ways.extend(ports.map(|port| Way {
                by: SubjectKey::object::<Ingress>(key),
                port,
                tls: backend.tls,
                authentication: ingress.authentication,
            }));
        }
    }
    Ok(ways)
}

fn by_routes(services: &Services<'_>) -> Result<Vec<Way>, Missing> {
    let Subject { key: own, view, .. } = services.subject;
    let mut ways = Vec::new();
    for (key, route) in view.table::<HttpRoute>()?.iter() {
        let backends = route.backends.iter();
        let here = backends.filter(|it| *or_own(&it.namespace, key) == *own.namespace);
        let ports: BTreeSet<u16> = here
            .flat_map(|it| services.targets(&it.service, &Port::Number(it.port)))
            .collect();
        if ports.is_empty() {
            continue;
        }
        let Some(tls) = encryption(view, key, route)? else {
            continue;
        };
        ways.extend(ports.into_iter().map(|port| Way {
            by: SubjectKey::object::<HttpRoute>(key),
            port,
            tls,
            authentication: None,
        }));
    }
    Ok(ways)
}

/// Other kinds of routes may lead to the pods, too.
///
/// # Errors
/// The cluster knows such a kind, or its kinds cannot be seen.
pub(super) fn only_known_routes(view: &View<'_>) -> Result<(), Missing> {
    let mut kinds = view.table::<CustomResourceDefinition>()?.iter();
    match kinds.find(|(key, _)| OTHER_ROUTES.contains(&&*key.name)) {
        None => Ok(()),
        Some((key, _)) => {
            let message = format!("{} may lead to it, and are not read", key.name);
            Err(Missing::new("OtherRoutes", message))
        }
    }
}

/// The Services that lead to the pods of a controller.
struct Services<'a> {
    subject: &'a Subject<'a>,
    all: Vec<(&'a ObjectKey, &'a ServiceRow)>,
}

impl<'a> Services<'a> {
    fn of(subject: &'a Subject<'a>) -> Result<Self, Missing> {
        let selects = |row: &ServiceRow| {
            let mut launches = subject.instance.launches.iter();
            launches.any(|launch| row.selects(&launch.network.labels))
        };
        let all = subject.view.siblings::<Service>()?;
        Ok(Self {
            subject,
            all: all.filter(|(_, row)| selects(row)).collect(),
        })
    }

    /// Those that are open to the outside by themselves.
    fn ways(&self) -> Vec<Way> {
        let open = self.all.iter().filter(|(_, row)| !row.opened_by.is_empty());
        open.flat_map(|(key, row)| {
            let ports: BTreeSet<u16> = row.ports.iter().flat_map(|port| self.numbers(port)).collect();
            ports.into_iter().map(|port| Way {
                by: SubjectKey::object::<Service>(key),
                port,
                tls: row.certificate.map_or(Tls::Off, Tls::NotTold),
                authentication: None,
            })
        })
        .collect()
    }

    /// The ports of the pods behind one port of a Service of this name.
    fn targets(&self, name: &str, port: &Port) -> impl Iterator<Item = u16> + use<> {
        let service = self.all.iter().find(|(key, _)| *key.name == *name);
        let port = service.and_then(|(_, row)| row.port(port));
        let numbers = port.map(|port| self.numbers(port));
        numbers.into_iter().flatten()
    }

    /// What a port of a Service is on the pods.
    fn numbers(&self, port: &ServicePort) -> BTreeSet<u16> {
        match &port.target {
            Port::Number(number) => [*number].into(),
            Port::Name(name) => {
                let launches = self.subject.instance.launches.iter();
                let named = launches.filter_map(|launch| launch.network.named_ports.get(&**name));
                named.copied().collect()
            }
        }
    }
}

/// Whether callers come to a route by TLS, the worst of all ways; `None`: it is attached to nothing.
fn encryption(view: &View<'_>, key: &ObjectKey, route: &RouteRow) -> Result<Option<Tls>, Missing> {
    let gateways = view.table::<Gateway>()?;
    let mut found = BTreeSet::new();
    for parent in &route.parents {
        if !parent.is_gateway {
            found.insert(Tls::NotTold("a parent that is no Gateway"));
            continue;
        }
        let gateway = gateways.get(&ObjectKey::new(or_own(&parent.namespace, key), &parent.name));
        let listeners = gateway.into_iter().flat_map(|gateway| &gateway.listeners);
        let own = listeners.filter(|listener| is_of(parent, listener));
        found.extend(own.map(|listener| match &*listener.protocol {
            "HTTP" => Tls::Off,
            _ => Tls::On,
        }));
    }
    let worst = [Tls::Off, Tls::NotTold("a parent that is no Gateway"), Tls::On];
    Ok(worst.into_iter().find(|tls| found.contains(tls)))
}

fn is_of(parent: &Parent, listener: &Listener) -> bool {
    let is_named = parent.listener.is_empty() || parent.listener == listener.name;
    is_named && parent.port.is_none_or(|port| port == listener.port)
}

/// A namespace that may be left out.
fn or_own<'a>(namespace: &'a str, key: &'a ObjectKey) -> &'a str {
    if namespace.is_empty() {
        &key.namespace
    } else {
        namespace
    }
}
