//! The `fluxsec` command line.

mod attest_history;
mod audit;
mod controls;
mod gate;
mod generate;
mod manual;
mod output;
mod remediate;
mod run;
mod scan_history;
mod waive;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cluster::sentence;

/// Nothing at or above the threshold.
pub(crate) const CLEAN: u8 = 0;
/// Findings at or above the threshold.
pub(crate) const FINDINGS: u8 = 1;
/// Wrong usage or unreadable input.
pub(crate) const UNUSABLE: u8 = 2;
/// Nothing fails, something could not be judged, and completeness was asked for.
pub(crate) const INCOMPLETE: u8 = 3;

/// How wide a paragraph for a terminal is, beside its indentation.
const WIDTH: usize = 90;

/// What kubectl looks for when it is asked for `kubectl fluxsec`.
const PLUGIN: &str = "kubectl-fluxsec";

/// Audits every Flux installation of a cluster against Flux's Security Best Practices.
#[derive(Debug, Parser)]
#[command(name = "fluxsec", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What is logged, such as `debug`; when absent, `info` by `run` and `error` by all others.
    #[arg(long, value_name = "FILTER", global = true, env = "FLUXSEC_LOG")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the operator: watches, evaluates, publishes.
    Run(run::Run),
    /// Audits a cluster or manifests once and prints the result.
    Audit(audit::Audit),
    /// Lists the controls, or explains one of them.
    Controls(controls::Controls),
    /// Prints the patch that makes failing controls pass, after a list of what it breaks.
    Remediate(remediate::Remediate),
    /// Turns reports of history scans into an attestation for a policy.
    AttestHistory(attest_history::AttestHistory),
    /// Scans the history of a Git repository for secrets in plain text.
    ScanHistory(scan_history::ScanHistory),
    /// Prints a waiver, for kubectl or a repository.
    Waive(waive::Waive),
    /// Prints the CustomResourceDefinitions as YAML.
    Crds,
    /// Prints a completion script for a shell.
    Completions(manual::Completions),
    /// Prints the manual page of this program or of one of its commands, for `man -l -`.
    Man(manual::Man),
    /// Prints the version of this program and of its catalogue.
    Version,
    /// Writes the generated files of the repository.
    #[command(hide = true)]
    Generate(generate::Generate),
}

/// Runs the command line and tells the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let called = std::env::args_os().next().map(PathBuf::from);
    let matches = command(called.as_deref()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // What an audit could not read is in its result: no log has to say it once more.
    let usual = match arguments.command {
        Command::Run(_) => "info",
        _ => "error",
    };
    crate::telemetry::start(arguments.log.as_deref().unwrap_or(usual));
    let result = match arguments.command {
        Command::Run(run) => block_on(run.run()),
        Command::Audit(audit) => block_on(audit.run()),
        Command::Controls(controls) => controls.run(),
        Command::Remediate(remediate) => block_on(remediate.run()),
        Command::AttestHistory(attest) => attest.run(),
        Command::ScanHistory(scan) => scan.run(),
        Command::Waive(waive) => waive.run(),
        Command::Crds => generate::print_crds(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
        Command::Version => version(),
        Command::Generate(generate) => generate.run(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::from(CLEAN),
        Err(error) => {
            eprintln!("fluxsec: {}", sentence(error.as_ref()));
            ExitCode::from(UNUSABLE)
        }
    }
}

/// The command line under the name by which it is called: as a plugin it is a part of kubectl.
fn command(called: Option<&Path>) -> clap::Command {
    let command = Arguments::command().mut_subcommands(legible);
    match called.and_then(Path::file_stem).and_then(OsStr::to_str) {
        Some(PLUGIN) => command.bin_name("kubectl fluxsec"),
        _ => command,
    }
}

/// Help whose lines fit a terminal: clap breaks none without a dependency more.
fn legible(command: clap::Command) -> clap::Command {
    command.next_line_help(true).mut_args(|argument| {
        let Some(help) = argument.get_help().map(|help| wrapped(&help.to_string())) else {
            return argument;
        };
        argument.help(help)
    })
}

/// A text in lines of at most [`WIDTH`] characters, as far as its words are shorter.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn block_on(command: impl Future<Output = anyhow::Result<u8>>) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let result = runtime.block_on(command);
    // Tasks in flight are bounded by their own time-outs; do not wait for them.
    runtime.shutdown_background();
    result
}

fn version() -> anyhow::Result<u8> {
    use std::io::Write;
    let catalogue = crate::controls::CATALOGUE.len();
    writeln!(
        std::io::stdout(),
        "fluxsec {} ({catalogue} controls, document of {})",
        env!("CARGO_PKG_VERSION"),
        crate::controls::DOCUMENT_REVISION
    )?;
    Ok(CLEAN)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Arguments, command};
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_fits_a_terminal() {
        let program = command(None);
        let names: Vec<String> = program
            .get_subcommands()
            .map(|it| it.get_name().to_owned())
            .collect();
        for name in names {
            let help = command(None).try_get_matches_from(["fluxsec", name.as_str(), "--help"]);
            let help = help.unwrap_err().to_string();
            // What follows in brackets (values, defaults) and the usage are clap's own.
            let own = |line: &&str| !line.contains('[') && !line.starts_with("Usage:");
            let widest = help.lines().filter(own).map(|line| line.chars().count()).max();
            assert!(widest <= Some(100), "{name}: {widest:?}\n{help}");
        }
    }

    #[test]
    fn help_names_the_command_as_it_was_called() {
        for (called, usage) in [
            (
                "/usr/local/bin/kubectl-fluxsec",
                "Usage: kubectl fluxsec audit [OPTIONS]",
            ),
            ("target/release/fluxsec", "Usage: fluxsec audit [OPTIONS]"),
        ] {
            let help = command(Some(Path::new(called))).try_get_matches_from([called, "audit", "--help"]);
            let help = help.unwrap_err().to_string();
            assert!(help.contains(usage), "{help}");
        }
    }
}
