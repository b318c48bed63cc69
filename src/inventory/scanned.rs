//! Scans of the histories of repositories, as a policy tells of them.

use crate::api::FluxSecurityPolicySpec;
use crate::api::history::repository;
use crate::api::policy::{ScannedHistory, ScannedPlace};

/// A scan of the history of one repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scanned {
    /// Host and path, which all addresses of the repository have in common.
    pub repository: String,
    /// When, in seconds.
    pub at: i64,
    /// The same for a person.
    pub day: String,
    /// Name of the scanner.
    pub scanner: String,
    /// The last commit that was scanned.
    pub head: String,
    /// The commit that it began behind; empty: it began with the first one.
    pub since: String,
    /// Whether all of that was looked into.
    pub is_complete: bool,
    /// How many secrets were found.
    pub findings: usize,
    /// The first of them.
    pub places: Vec<ScannedPlace>,
}

impl Scanned {
    fn of(scan: &ScannedHistory) -> Option<Self> {
        let at = scan.scanned_at.0;
        Some(Self {
            repository: repository(&scan.repository)?,
            at: at.as_second(),
            day: at.to_string().split('T').next().unwrap_or_default().to_owned(),
            scanner: scan.scanner.clone(),
            head: scan.head.clone(),
            since: scan.since.clone(),
            is_complete: scan.complete,
            findings: usize::try_from(scan.findings).unwrap_or(0).max(scan.places.len()),
            places: scan.places.clone(),
        })
    }

    /// Whether its last commit is this one, as far as both are told.
    #[must_use]
    pub fn ends_at(&self, commit: &str) -> bool {
        !self.head.is_empty()
            && !commit.is_empty()
            && (commit.starts_with(&self.head) || self.head.starts_with(commit))
    }
}

/// The scans that a policy tells of, the newest of each repository first.
pub(super) fn of(spec: &FluxSecurityPolicySpec) -> Vec<Scanned> {
    let attestations = spec.attestations.iter();
    let mut scans: Vec<Scanned> = attestations
        .flat_map(|it| &it.scans)
        .filter_map(Scanned::of)
        .collect();
    scans.sort_by(|a, b| (&a.repository, b.at).cmp(&(&b.repository, a.at)));
    scans
}
