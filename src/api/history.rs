//! What is known of the history of a Git repository: the report of a scan, and when two addresses are of one repository.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use super::common::Severity;

/// The kind of a report.
pub const HISTORY_REPORT: &str = "HistoryReport";

/// What a scan of the history of a repository found. It holds no value of a secret, nor a part of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryReport {
    /// `fluxsecurity.dev/v1alpha1`.
    pub api_version: String,
    /// `HistoryReport`.
    pub kind: String,
    /// Program and version.
    pub scanner: String,
    /// Address of the repository, without what lets somebody in; empty: nobody has told it.
    #[serde(default)]
    pub repository: String,
    /// When it was scanned.
    pub scanned_at: Time,
    /// What was scanned.
    pub range: Range,
    /// Whether all of the history was looked into.
    pub complete: bool,
    /// What was not looked into.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// What was found, by file.
    pub findings: Vec<HistoryFinding>,
    /// How much more was found than is listed.
    #[serde(default)]
    pub more_findings: u64,
}

/// What of a history was scanned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// The commit of HEAD; empty: there is none.
    #[serde(default)]
    pub head: String,
    /// Branches, tags and other references.
    pub refs: u64,
    /// Commits that they lead to.
    pub commits: u64,
    /// Distinct contents of files.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The oldest commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<CommitRef>,
    /// The newest commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<CommitRef>,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitRef {
    /// Its id.
    pub id: String,
    /// When it was made, as it says itself.
    pub time: Time,
}

/// A secret in the history of a repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryFinding {
    /// The scanner's rule that found it.
    pub rule: String,
    /// The same for a person.
    pub message: String,
    /// How bad it is.
    pub severity: Severity,
    /// The file, by a name that it had.
    pub file: String,
    /// Other names that the same content had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_files: Vec<String>,
    /// Line within the file of the last commit that has it.
    pub line: u32,
    /// The object that it is in; empty: none is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// Its field; empty: none is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// The content of the file, by its id, that the line is of.
    pub blob: String,
    /// How many contents of the file have it.
    pub versions: u64,
    /// The first commit that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<CommitRef>,
    /// The last commit that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<CommitRef>,
    /// A reference whose last state still has it; empty: it is in the history alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub still_in: String,
    /// The same for the same text, as long as the key is the same. Without the key nobody can try what the text is.
    pub fingerprint: String,
}

/// What addresses of one repository have in common, however it is reached: host and path. `None`: it is no address.
#[must_use]
pub fn repository(address: &str) -> Option<String> {
    let address = address.trim();
    let (rest, is_url) = match address.split_once("://") {
        Some((scheme, rest)) if !scheme.is_empty() && !scheme.eq_ignore_ascii_case("file") => (rest, true),
        Some(_) => return None,
        None => (address, false),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = match rest.find(['/', ':']) {
        // `git@host:path`, as ssh is told.
        Some(at) if !is_url && rest[at..].starts_with(':') => (&rest[..at], &rest[at + 1..]),
        Some(_) => rest.split_once('/')?,
        None => return None,
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        // A port that says nothing new.
        Some((host, "443" | "80" | "22")) => host,
        _ => host,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_matches('/');
    let is_host = host.contains('.') || host.contains(':') || is_url;
    (is_host && !host.is_empty() && !path.is_empty()).then(|| format!("{}/{path}", host.to_ascii_lowercase()))
}

/// An address without what lets somebody in.
#[must_use]
pub fn without_credentials(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_has_many_addresses() {
        for address in [
            "https://git.example.com/shop/app",
            "https://git.example.com/shop/app.git",
            "https://me:hunter2@GIT.example.com:443/shop/app/",
            "ssh://git@git.example.com/shop/app.git",
            "ssh://git@git.example.com:22/shop/app",
            "git@git.example.com:shop/app.git",
            "http://git.example.com/shop/app?token=1",
        ] {
            let known = repository(address);
            assert_eq!(known.as_deref(), Some("git.example.com/shop/app"), "{address}");
        }
        for other in [
            "https://git.example.com/shop/app2",
            "https://git.example.com/Shop/app",
            "https://git.example.com:8443/shop/app",
            "https://example.com/shop/app",
        ] {
            assert_ne!(
                repository(other).as_deref(),
                Some("git.example.com/shop/app"),
                "{other}"
            );
        }
        for none in [
            "",
            "app",
            "/srv/app.git",
            "file:///srv/app",
            "https://",
            "https://host",
            "://a/b",
        ] {
            assert_eq!(repository(none), None, "{none}");
        }
    }

    #[test]
    fn addresses_are_told_without_what_lets_somebody_in() {
        for (address, told) in [
            ("https://me:p@ss@example.com/a", "https://example.com/a"),
            ("https://example.com/a?private_token=x#y", "https://example.com/a"),
            ("git@example.com:a/b.git", "git@example.com:a/b.git"),
            ("ssh://git@example.com", "ssh://example.com"),
        ] {
            assert_eq!(without_credentials(address), told);
        }
    }
}
