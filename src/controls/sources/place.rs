//! Where a source is, however its address is written.

use std::fmt;

/// A host, and a path on it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    host: String,
    path: String,
}

/// Ports that mean the same as none.
const USUAL_PORTS: [&str; 3] = ["443", "80", "22"];

impl Place {
    /// Of `https://host/path`, `ssh://user@host/path.git`, `oci://host/path`, `git@host:path` or `host/path`. `None`: the
    /// address has parts that not every program reads alike, so that it may lead elsewhere.
    pub(super) fn of(address: &str) -> Option<Self> {
        let address = address.trim().to_ascii_lowercase();
        let is_ambiguous =
            |character: char| character == '\\' || character.is_whitespace() || character.is_control();
        let has_hidden_path = ["%2e", "%2f", "%5c"].iter().any(|code| address.contains(code));
        if address.contains(is_ambiguous) || has_hidden_path {
            return None;
        }
        let rest = match address.split_once("://") {
            Some((_, rest)) => rest.to_owned(),
            None => short(&address),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.rsplit('@').next().unwrap_or_default();
        let host = match host.rsplit_once(':') {
            Some((host, port)) if USUAL_PORTS.contains(&port) => host,
            _ => host,
        };
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        if host.is_empty() || segments.iter().any(|segment| matches!(*segment, "." | "..")) {
            return None;
        }
        let path = segments.join("/");
        Some(Self {
            host: host.trim_end_matches('.').to_owned(),
            path: path.strip_suffix(".git").unwrap_or(&path).to_owned(),
        })
    }

    /// Of an image, which may leave out Docker Hub.
    pub(super) fn of_image(image: &str) -> Option<Self> {
        let is_registry = |name: &str| name.contains(['.', ':']) || name == "localhost";
        match image.split_once('/') {
            Some((registry, _)) if is_registry(registry) => Self::of(image),
            Some(_) => Self::of(&format!("docker.io/{image}")),
            None => Self::of(&format!("docker.io/library/{image}")),
        }
    }

    /// Whether the other one is the same place or below it.
    pub(super) fn holds(&self, other: &Self) -> bool {
        if self.host != other.host {
            return false;
        }
        let rest = other.path.strip_prefix(&self.path);
        self.path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// `user@host:path` is short for `ssh://user@host/path`; a number after the colon is a port.
fn short(address: &str) -> String {
    let Some((host, path)) = address.split_once(':') else {
        return address.to_owned();
    };
    let is_port = path
        .split('/')
        .next()
        .is_some_and(|port| port.chars().all(|it| it.is_ascii_digit()));
    if host.contains('/') || is_port {
        return address.to_owned();
    }
    format!("{host}/{path}")
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn one_place_has_many_addresses() {
        let allowed = Place::of("github.com/My-Org").unwrap();
        for address in [
            "https://github.com/my-org/app",
            "https://GitHub.com/My-Org/app.git",
            "ssh://git@github.com/my-org/app",
            "ssh://git@github.com:22/my-org/app.git/",
            "git@github.com:my-org/app.git",
            "https://me:pw@github.com//my-org/app?x=1",
            "https://github.com./my-org",
        ] {
            assert!(allowed.holds(&Place::of(address).unwrap()), "{address}");
        }
        for address in [
            "https://github.com/my-org-evil/app",
            "https://github.com/other/my-org",
            "https://github.com.evil.example/my-org/app",
            "https://github.com@evil.example/my-org/app",
            "https://evil.example/github.com/my-org",
            "https://github.com:8443/my-org/app",
        ] {
            assert!(!allowed.holds(&Place::of(address).unwrap()), "{address}");
        }
        for address in [
            "https://github.com/my-org/../evil/app",
            "https://github.com/my-org/%2E%2e/evil",
            r"https://evil.example\@github.com/my-org",
            "https:///my-org",
            "",
        ] {
            assert_eq!(Place::of(address), None, "{address}");
        }
    }

    #[test]
    fn an_image_without_a_registry_is_one_of_docker_hub() {
        for (image, allowed) in [
            ("nginx", "docker.io/library"),
            ("my-org/app", "docker.io/my-org"),
            ("registry.example:5000/app", "registry.example:5000"),
            ("localhost/app", "localhost"),
        ] {
            let allowed = Place::of(allowed).unwrap();
            assert!(allowed.holds(&Place::of_image(image).unwrap()), "{image}");
        }
    }

    #[test]
    fn a_repository_is_allowed_by_itself() {
        let allowed = Place::of("https://github.com/my-org/app.git").unwrap();
        assert!(allowed.holds(&Place::of("ssh://git@github.com/my-org/app").unwrap()));
        assert!(!allowed.holds(&Place::of("ssh://git@github.com/my-org/app2").unwrap()));
    }
}
