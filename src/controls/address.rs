//! What an address tells: whether it is encrypted, and whether it leaves the cluster.

/// Whether the scheme is plain `http`. Schemes are written in any case.
pub(super) fn is_plain_http(url: &str) -> bool {
    url.get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
}

/// The host without scheme, credentials, port and path.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if let Some(address) = host.strip_prefix('[') {
        return address.split(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default()
}

/// Whether the host is a Service of this cluster or the pod itself.
pub(super) fn is_in_cluster(url: &str) -> bool {
    let host = host(url).trim_end_matches('.').to_ascii_lowercase();
    let local = ["localhost", "127.0.0.1", "::1"];
    let mut services = [".svc", ".svc.cluster.local"].into_iter();
    local.contains(&host.as_str()) || services.any(|suffix| host.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::{host, is_in_cluster, is_plain_http};

    #[test]
    fn addresses_are_taken_apart() {
        for (url, plain, name, inside) in [
            ("http://git.example.com/a@b", true, "git.example.com", false),
            (
                "HTTP://me:pw@git.example.com:8080/a",
                true,
                "git.example.com",
                false,
            ),
            ("https://git.example.com?x=1", false, "git.example.com", false),
            ("ssh://git@git.example.com/a", false, "git.example.com", false),
            (
                "oci://zot.registry.svc.cluster.local:5000/a",
                false,
                "zot.registry.svc.cluster.local",
                true,
            ),
            ("minio.storage.svc", false, "minio.storage.svc", true),
            ("http://[::1]:5000/a", true, "::1", true),
            ("http://evil.svc.example.com", true, "evil.svc.example.com", false),
        ] {
            let seen = (is_plain_http(url), host(url), is_in_cluster(url));
            assert_eq!(seen, (plain, name, inside), "{url}");
        }
    }
}
