//! `fluxsec attest-history`: what reports on histories tell, for the attestations of a policy.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::CLEAN;
use super::audit::print;
use super::waive::expiry;
use crate::api::history::{repository, without_credentials};
use crate::api::policy::{Attestation, ScannedHistory};
use crate::history::import::{self, Imported};

/// Turns reports of history scans into an attestation for a FluxSecurityPolicy: reports of `fluxsec scan-history`,
/// GitLeaks, TruffleHog and Kingfisher, in JSON or SARIF. Values are not taken over.
#[derive(Debug, Args)]
pub(super) struct AttestHistory {
    /// Reports. The options below say for all of them what they do not say themselves.
    #[arg(value_name = "FILE", required = true)]
    reports: Vec<PathBuf>,
    /// Who vouches for the reports.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// What was scanned and how, in at least 10 characters.
    #[arg(long, value_name = "TEXT")]
    statement: Option<String>,
    /// When it ends: a duration from now (30d), a day (2030-01-31) or an instant; at most 90 days after the oldest scan,
    /// which is the default.
    #[arg(long, value_name = "DURATION|DATE")]
    expires: Option<String>,
    /// Address of the repository, as GitRepositories name it.
    #[arg(long, value_name = "URL")]
    repository: Option<String>,
    /// Name of the scanner that made the report.
    #[arg(long, value_name = "NAME")]
    scanner: Option<String>,
    /// When the repository was scanned.
    #[arg(long, value_name = "INSTANT")]
    scanned_at: Option<Timestamp>,
    /// The last commit that was scanned.
    #[arg(long, value_name = "COMMIT")]
    head: Option<String>,
    /// The commit after which the scan began, when it did not begin with the first one.
    #[arg(long, value_name = "COMMIT")]
    since: Option<String>,
    /// Only a part of the history was scanned.
    #[arg(long)]
    partial: bool,
}

/// For so long a scan counts.
const LONGEST: SignedDuration = SignedDuration::from_hours(90 * 24);

impl AttestHistory {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        let attestation = self.attestation(Timestamp::now())?;
        print(&serde_saphyr::to_string(&serde_json::to_value([attestation])?)?)?;
        Ok(CLEAN)
    }

    fn attestation(&self, now: Timestamp) -> anyhow::Result<Attestation> {
        let mut scans = Vec::new();
        for path in &self.reports {
            let file = path.display();
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {file}"))?;
            let imported = import::read(&text, self.scanner.as_deref());
            let imported = imported.with_context(|| file.to_string())?;
            scans.push(self.scan(imported).with_context(|| file.to_string())?);
        }
        let oldest = scans.iter().map(|scan| scan.scanned_at.0).min().unwrap_or(now);
        let latest = oldest.checked_add(LONGEST)?;
        let expires = match &self.expires {
            None => latest,
            Some(text) => expiry(text, now)?,
        };
        if expires > latest {
            anyhow::bail!("--expires: a scan counts for at most 90 days, here until {latest}");
        }
        if expires <= now {
            anyhow::bail!("the oldest scan is from {oldest} and has expired: scan again");
        }
        let statement = self.statement.clone().unwrap_or_else(|| {
            let found: i64 = scans.iter().map(|scan| i64::from(scan.findings)).sum();
            format!(
                "histories that were scanned: {}; secrets that were found: {found}",
                scans.len()
            )
        });
        Ok(Attestation {
            control: "FSP-SEC-004".to_owned(),
            statement,
            by: self.by.clone(),
            expires: Time(expires),
            scans,
        })
    }

    fn scan(&self, imported: Imported) -> anyhow::Result<ScannedHistory> {
        let address = self.repository.clone().or(imported.repository);
        let address = address.context("it does not name its repository: name it with --repository")?;
        if repository(&address).is_none() {
            anyhow::bail!(
                "{:?} is not the address of a repository: name it with --repository",
                without_credentials(&address)
            );
        }
        let at = self.scanned_at.or(imported.at);
        let at =
            at.context("it does not say when the repository was scanned: give the time with --scanned-at")?;
        Ok(ScannedHistory {
            repository: without_credentials(&address),
            scanner: imported.scanner,
            scanned_at: Time(Timestamp::from_second(at.as_second())?),
            head: self.head.clone().or(imported.head).unwrap_or_default(),
            since: self.since.clone().unwrap_or_default(),
            complete: !self.partial && imported.is_complete.unwrap_or(true),
            findings: i32::try_from(imported.findings).unwrap_or(i32::MAX),
            places: imported.places,
        })
    }
}
