//! `fluxsec scan-history`: what the history of a repository has, wherever the repository is scanned.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use k8s_openapi::jiff::Timestamp;

use super::audit::print;
use super::{CLEAN, FINDINGS, INCOMPLETE};
use crate::api::history::HistoryReport;
use crate::history::{self, Key, Place};
use crate::render::history as render;

/// Scans the history of a Git repository for secrets in plain text: every content that a file ever had.
#[derive(Debug, Args)]
pub(super) struct ScanHistory {
    #[command(flatten)]
    place: Where,
    /// Address of the repository, as GitRepositories name it; that of the remote `origin` when absent.
    #[arg(long, value_name = "URL")]
    repository: Option<String>,
    /// A key of at least 16 bytes for fingerprints, so that reports can be compared; a random one for each report when
    /// absent.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// How the result is printed.
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    format: Format,
    /// Exit with 3 when nothing is found but something could not be scanned.
    #[arg(long)]
    require_complete: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Where {
    /// A repository: a bare one, a clone, or its .git.
    #[arg(long, value_name = "PATH")]
    git_dir: Option<PathBuf>,
    /// A copy of a repository in one file, made by `git bundle create FILE --all`.
    #[arg(long, value_name = "FILE")]
    mirror: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal.
    Table,
    /// One HistoryReport.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

impl ScanHistory {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        let key = self.key()?;
        let place = match (&self.place.git_dir, &self.place.mirror) {
            (Some(path), _) => Place::Repository(path),
            (None, Some(path)) => Place::Bundle(path),
            (None, None) => anyhow::bail!("name a repository with --git-dir or --mirror"),
        };
        let report = history::scan(place, self.repository.as_deref(), &key, Timestamp::now())?;
        print(&self.render(&report)?)?;
        Ok(self.verdict(&report))
    }

    fn key(&self) -> anyhow::Result<Key> {
        let Some(path) = &self.key_file else {
            return Ok(Key::random()?);
        };
        let file = || path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", file()))?;
        Key::new(&bytes).with_context(|| format!("{} is not a usable key", file()))
    }

    fn render(&self, report: &HistoryReport) -> anyhow::Result<String> {
        Ok(match self.format {
            Format::Table => render::text(report),
            Format::Json => render::json(report)?,
            Format::Sarif => render::sarif(report)?,
        })
    }

    fn verdict(&self, report: &HistoryReport) -> u8 {
        if !report.findings.is_empty() {
            return FINDINGS;
        }
        if self.require_complete && !report.complete {
            return INCOMPLETE;
        }
        CLEAN
    }
}
