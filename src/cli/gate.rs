//! What an audit is failed for.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::{CLEAN, FINDINGS, INCOMPLETE};
use crate::api::{ControlResult, ReportStatus, Severity};
use crate::render::baseline::Baseline;

/// What decides the exit code.
#[derive(Debug, Args)]
pub(super) struct Gate {
    /// Exit with 1 when a control of this severity or above fails.
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        value_name = "SEVERITY",
        default_value = "high"
    )]
    fail_on: Threshold,
    /// Exit with 3 when nothing fails but something could not be judged.
    #[arg(long)]
    require_complete: bool,
    /// The output of an earlier `fluxsec audit -o json`: only findings that it does not have count.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Threshold {
    Critical,
    High,
    Medium,
    Low,
    Info,
    None,
}

impl Gate {
    /// The baseline, when there is one.
    ///
    /// # Errors
    /// It cannot be read: names the file and the field.
    pub(super) fn baseline(&self) -> anyhow::Result<Option<Baseline>> {
        let Some(path) = &self.baseline else {
            return Ok(None);
        };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let baseline =
            Baseline::parse(&text).with_context(|| format!("{} is not a baseline", path.display()))?;
        Ok(Some(baseline))
    }

    /// The exit code of an audit, by what counts of it.
    pub(super) fn verdict(&self, counted: &ReportStatus) -> u8 {
        let has = |result| move |control: &&crate::api::ControlStatus| control.result == result;
        let mut failing = counted.controls.iter().filter(has(ControlResult::Fail));
        let threshold = self.fail_on.severity();
        if failing.any(|control| threshold.is_some_and(|threshold| control.severity <= threshold)) {
            return FINDINGS;
        }
        let mut unknown = counted.controls.iter().filter(has(ControlResult::Unknown));
        if self.require_complete && unknown.next().is_some() {
            return INCOMPLETE;
        }
        CLEAN
    }
}

impl Threshold {
    const fn severity(self) -> Option<Severity> {
        match self {
            Self::Critical => Some(Severity::Critical),
            Self::High => Some(Severity::High),
            Self::Medium => Some(Severity::Medium),
            Self::Low => Some(Severity::Low),
            Self::Info => Some(Severity::Info),
            Self::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;

    use super::*;
    use crate::render::fixture::{at, control, failing, posture};
    use crate::render::{record, report};

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        gate: Gate,
    }

    fn gate(arguments: &[&str]) -> Gate {
        Arguments::parse_from([&["fluxsec"], arguments].concat()).gate
    }

    fn audited(controls: &[(Severity, ControlResult)]) -> ReportStatus {
        let controls = controls.iter().enumerate();
        let controls = controls.map(|(position, (severity, result))| control(position, *severity, *result));
        report::uncut(&posture(controls.collect()), at(1))
    }

    #[test]
    fn the_exit_code_follows_from_severity_and_completeness() {
        use ControlResult::{Fail, Manual, Pass, Unknown};
        use Severity::{High, Info, Low, Medium};
        type Case<'a> = (&'a [&'a str], &'a [(Severity, ControlResult)], u8);
        let cases: [Case<'_>; 15] = [
            (&[], &[], 0),
            (&[], &[(High, Pass), (High, Manual)], 0),
            (&[], &[(High, Fail)], 1),
            (&[], &[(Medium, Fail)], 0),
            (&["--fail-on", "medium"], &[(Medium, Fail)], 1),
            (&["--fail-on", "critical"], &[(High, Fail)], 0),
            (&["--fail-on", "info"], &[(Info, Fail)], 1),
            (&["--fail-on", "none"], &[(Severity::Critical, Fail)], 0),
            (&[], &[(High, Unknown)], 0),
            (&["--require-complete"], &[(Info, Unknown)], 3),
            (&["--require-complete"], &[(High, Unknown), (High, Fail)], 1),
            (&["--require-complete"], &[(High, Unknown), (Low, Fail)], 3),
            (&["--require-complete"], &[(High, Pass), (Low, Fail)], 0),
            (&["--require-complete"], &[(High, Manual)], 0),
            (
                &["--require-complete", "--fail-on", "none"],
                &[(High, Unknown), (High, Fail)],
                3,
            ),
        ];
        for (arguments, controls, code) in cases {
            assert_eq!(
                gate(arguments).verdict(&audited(controls)),
                code,
                "{arguments:?} {controls:?}"
            );
        }
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_baseline_leaves_what_is_new() {
        let before = report::uncut(&failing(&["a", "b"]), at(1));
        let file = file(&record::json("audit", &before).unwrap());
        let gate = gate(&["--baseline", file.path().to_str().unwrap()]);
        let baseline = gate.baseline().unwrap().unwrap();
        assert_eq!(gate.verdict(&before), FINDINGS);
        assert_eq!(gate.verdict(&baseline.news(&before)), CLEAN);
        let after = report::uncut(&failing(&["a", "b", "c"]), at(1));
        assert_eq!(gate.verdict(&baseline.news(&after)), FINDINGS);
    }

    #[test]
    fn a_broken_baseline_names_file_and_field() {
        let file = file("{\"apiVersion\": \"fluxsecurity.dev/v1alpha1\", \"kind\": \"FluxSecurityPolicy\"}");
        let path = file.path().to_str().unwrap();
        let error = gate(&["--baseline", path]).baseline().unwrap_err();
        let said = crate::cluster::sentence(error.as_ref());
        assert!(
            said.contains(path) && said.contains("kind: expected FluxSecurityReport"),
            "{said}"
        );
        let error = gate(&["--baseline", "/nowhere/at-all"]).baseline().unwrap_err();
        let said = crate::cluster::sentence(error.as_ref());
        assert!(said.contains("cannot read /nowhere/at-all"), "{said}");
    }
}
