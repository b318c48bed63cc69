//! Where an artifact may be fetched from.
//!
//! Whoever may write the status of a source chooses the address in it: an address is followed only to the Services of
//! Flux's own controllers, there only to the artifacts of the very object, and to hosts that a policy names. Those may
//! serve over https, which the former do not.

use std::fmt;
use std::net::IpAddr;

use crate::engine::Reading;
use crate::inventory::{Missing, ObjectKey};
use crate::kinds::KindId;
use crate::kinds::flux_objects::ExternalArtifact;
use crate::kinds::id_of;

/// Whose artifact it is.
pub(super) type Source = (KindId, ObjectKey);

/// Where to ask, and for what. Made of checked parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// What is looked up.
    pub(super) host: String,
    /// Port.
    pub(super) port: u16,
    /// What the server is told that it is asked as.
    pub(super) authority: String,
    /// What is asked for.
    pub(super) path: String,
    /// Whether a policy names the host.
    pub(super) is_named: bool,
    /// Whether it has to prove that it is the host.
    pub(super) is_https: bool,
}

/// Why an address is not followed. It is not quoted: it may hold a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Scheme,
    Credentials,
    Shape,
    Host,
    SecuredHost,
    Path,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "its scheme is neither http nor https",
            Self::Credentials => "it carries credentials",
            Self::Shape => "it is more than a host and a plain path",
            Self::Host => {
                "its host is no Service of a source-controller or source-watcher, nor in spec.secrets.artifacts.hosts of a policy"
            }
            Self::SecuredHost => {
                "it is https, and its host is not in spec.secrets.artifacts.hosts of a policy with its port when that is not 443"
            }
            Self::Path => "its path is not that of an artifact of this object",
        })
    }
}

impl Refusal {
    pub(super) fn missing(self, source: &Source) -> Missing {
        let message = format!("the artifact of {} is not fetched: {self}", shown(source));
        Missing::new("AddressRefused", message)
    }
}

/// A source, as messages name it.
pub(super) fn shown((kind, key): &Source) -> String {
    format!("{} {key}", kind.name())
}

/// Where the artifact of a source is fetched from.
pub(super) fn target(source: &Source, url: &str, reading: &Reading) -> Result<Target, Refusal> {
    let (is_https, rest) = match url.split_once("://") {
        Some(("http", rest)) => (false, rest),
        Some(("https", rest)) => (true, rest),
        _ => return Err(Refusal::Scheme),
    };
    let usual_port = if is_https { 443 } else { 80 };
    let (authority, path) = rest.split_at(rest.find('/').ok_or(Refusal::Shape)?);
    if authority.contains('@') {
        return Err(Refusal::Credentials);
    }
    let (name, port) = match authority.split_once(':') {
        Some((name, port)) => (name, port.parse().map_err(|_| Refusal::Shape)?),
        None => (authority, usual_port),
    };
    let name = name.to_ascii_lowercase();
    if !is_host(&name) || !is_path(path) {
        return Err(Refusal::Shape);
    }
    let is_named = is_named(&name, port, usual_port, reading);
    let host = match is_named {
        true => name,
        false if is_https => return Err(Refusal::SecuredHost),
        false => service(&name, port, reading).ok_or(Refusal::Host)?,
    };
    // What others serve lies where they like.
    let is_of_others = is_named && source.0 == id_of::<ExternalArtifact>();
    if !is_of_others && !is_own(path, source) {
        return Err(Refusal::Path);
    }
    Ok(Target {
        host,
        port,
        authority: authority.to_owned(),
        path: path.to_owned(),
        is_named,
        is_https,
    })
}

/// Whether a policy names this host and this port. A host alone stands for the usual port of the scheme.
fn is_named(name: &str, port: u16, usual_port: u16, reading: &Reading) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    reading.hosts.iter().any(|host| match host.split_once(':') {
        Some((host, named)) => host == name && named.parse() == Ok(port),
        None => **host == *name && port == usual_port,
    })
}

/// The Service of one of Flux's controllers that a name means, as `name.namespace.svc`: whatever domain the name claims,
/// that leads into this cluster.
fn service(name: &str, port: u16, reading: &Reading) -> Option<String> {
    if name.parse::<IpAddr>().is_ok() {
        return None;
    }
    let mut labels = name.split('.');
    let (service, namespace, svc) = (labels.next()?, labels.next()?, labels.next()?);
    let mut servers = reading.servers.iter();
    let is_known = servers.any(|it| *it.name == *service && *it.namespace == *namespace && it.port == port);
    (svc == "svc" && is_known).then(|| format!("{service}.{namespace}.svc"))
}

fn is_host(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !name.is_empty() && name.bytes().all(is_plain)
}

/// Segments that mean what they say.
fn is_path(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~+:=".contains(&byte);
    let mut segments = path.split('/').skip(1);
    path.bytes().all(is_plain) && segments.all(|segment| !matches!(segment, "" | "." | ".."))
}

/// Whether a path is `/kind/namespace/name/file` of this object. Another's artifact would show whoever wrote the address
/// what is in it.
fn is_own(path: &str, (kind, key): &Source) -> bool {
    let folder = format!(
        "/{}/{}/{}/",
        kind.name().to_ascii_lowercase(),
        key.namespace,
        key.name
    );
    let file = path.strip_prefix(&folder);
    file.is_some_and(|file| !file.contains('/'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::inventory::Server;
    use crate::kinds::flux_objects::GitRepository;

    fn reading() -> Reading {
        let server = |name: &str| Server {
            namespace: "flux-system".into(),
            name: name.into(),
            port: 80,
        };
        Reading {
            kinds: [id_of::<GitRepository>(), id_of::<ExternalArtifact>()].into(),
            most_bytes: 1,
            hosts: ["artifacts.example.com".into(), "127.0.0.1:9090".into()].into(),
            servers: [server("source-controller"), server("source-watcher")].into(),
        }
    }

    fn git(url: &str) -> Result<Target, Refusal> {
        let source = (id_of::<GitRepository>(), ObjectKey::new("apps", "fleet"));
        target(&source, url, &reading())
    }

    fn external(url: &str) -> Result<Target, Refusal> {
        let source = (id_of::<ExternalArtifact>(), ObjectKey::new("apps", "parts"));
        target(&source, url, &reading())
    }

    const PATH: &str = "/gitrepository/apps/fleet/0123.tar.gz";

    #[test]
    fn a_service_of_flux_is_asked_within_this_cluster() {
        let names = [
            "source-controller.flux-system.svc.cluster.local.",
            "source-controller.flux-system.svc.cluster.local",
            "source-controller.flux-system.svc",
            "SOURCE-controller.flux-system.svc.another.domain",
            "source-controller.flux-system.svc.cluster.local.:80",
        ];
        for name in names {
            let target = git(&format!("http://{name}{PATH}")).unwrap();
            assert_eq!(
                (&*target.host, target.port),
                ("source-controller.flux-system.svc", 80)
            );
            assert_eq!((&*target.authority, &*target.path), (name, PATH));
        }
    }

    #[test]
    fn no_other_host_is_asked() {
        let others = [
            "kubernetes.default.svc",
            "source-controller.tenant.svc.cluster.local",
            "notification-controller.flux-system.svc.cluster.local",
            "source-controller.flux-system",
            "source-controller.flux-system.svcs",
            "flux-system.svc",
            "source-controller.flux-system.svc:9090",
            "169.254.169.254",
            "127.0.0.1",
            "127.0.0.1:9091",
            "artifacts.example.com:8080",
            "evil-artifacts.example.com",
            "example.com",
        ];
        for name in others {
            assert_eq!(git(&format!("http://{name}{PATH}")), Err(Refusal::Host), "{name}");
        }
        assert_eq!(git(&format!("http://[::1]{PATH}")), Err(Refusal::Shape));
        assert_eq!(git(&format!("http://a:b:80{PATH}")), Err(Refusal::Shape));
        assert_eq!(
            git("http://source-controller.flux-system.svc"),
            Err(Refusal::Shape)
        );
    }

    #[test]
    fn an_address_is_a_host_and_a_path() {
        let service = "source-controller.flux-system.svc";
        for scheme in ["ftp://", "file://", "HTTP://", "HTTPS://", "//", ""] {
            assert_eq!(git(&format!("{scheme}{service}{PATH}")), Err(Refusal::Scheme));
        }
        // Flux's own controllers do not serve so.
        assert_eq!(
            git(&format!("https://{service}{PATH}")),
            Err(Refusal::SecuredHost)
        );
        for user in ["me:secret@", "me@", "@"] {
            let url = format!("http://{user}{service}{PATH}");
            assert_eq!(git(&url), Err(Refusal::Credentials));
        }
        for odd in [
            "?token=1",
            "#a",
            "%2e%2e",
            "/../a",
            "//a",
            "/",
            "\\a",
            "\r\nHost: b",
            "é",
            " ",
        ] {
            assert_eq!(
                git(&format!("http://{service}{PATH}{odd}")),
                Err(Refusal::Shape),
                "{odd:?}"
            );
        }
        let message = Refusal::Credentials
            .missing(&(id_of::<GitRepository>(), ObjectKey::new("apps", "fleet")))
            .message;
        assert_eq!(
            message,
            "the artifact of GitRepository apps/fleet is not fetched: it carries credentials"
        );
    }

    #[test]
    fn the_artifact_of_another_object_is_not_read() {
        let service = "http://source-controller.flux-system.svc";
        let others = [
            "/gitrepository/apps/other/0123.tar.gz",
            "/gitrepository/apps/fleet2/0123.tar.gz",
            "/gitrepository/others/fleet/0123.tar.gz",
            "/bucket/apps/fleet/0123.tar.gz",
            "/gitrepository/apps/fleet/more/0123.tar.gz",
            "/gitrepository/apps/fleet",
            "/a",
        ];
        for path in others {
            assert_eq!(git(&format!("{service}{path}")), Err(Refusal::Path), "{path}");
            assert_eq!(
                external(&format!("{service}{path}")),
                Err(Refusal::Path),
                "{path}"
            );
            let named = format!("http://artifacts.example.com{path}");
            assert_eq!(git(&named), Err(Refusal::Path), "{path}");
        }
        assert!(external(&format!("{service}/externalartifact/apps/parts/1.tar.gz")).is_ok());
    }

    #[test]
    fn named_hosts_are_asked_as_they_are_named() {
        let target = external("http://artifacts.example.com./any/where.tgz").unwrap();
        assert_eq!((&*target.host, target.port), ("artifacts.example.com.", 80));
        let target = git(&format!("http://127.0.0.1:9090{PATH}")).unwrap();
        assert_eq!((&*target.host, target.port), ("127.0.0.1", 9090));
    }

    #[test]
    fn named_hosts_may_serve_over_https() {
        let usual = external("https://artifacts.example.com/any/where.tgz").unwrap();
        assert_eq!((&*usual.host, usual.port), ("artifacts.example.com", 443));
        assert!(usual.is_https && usual.is_named);
        let named = external("https://127.0.0.1:9090/any/where.tgz").unwrap();
        assert_eq!((named.port, named.is_https), (9090, true));
        assert!(
            !external("http://artifacts.example.com/any/where.tgz")
                .unwrap()
                .is_https
        );
        for url in [
            // A name without a port stands for the port of the scheme, and no other.
            "https://artifacts.example.com:80/a.tgz",
            "https://artifacts.example.com:8443/a.tgz",
            "http://artifacts.example.com:443/a.tgz",
            "https://127.0.0.1/a.tgz",
            "https://example.com/a.tgz",
            "https://artifacts.example.com.evil.org/a.tgz",
        ] {
            let refused = external(url).unwrap_err();
            assert!(matches!(refused, Refusal::SecuredHost | Refusal::Host), "{url}");
        }
        assert_eq!(
            external("https://me@artifacts.example.com/a.tgz"),
            Err(Refusal::Credentials)
        );
        assert_eq!(
            external("https://artifacts.example.com/a.tgz?token=1"),
            Err(Refusal::Shape)
        );
    }
}
