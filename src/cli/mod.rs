//! The `fluxsec` command line.

mod audit;
mod controls;
mod generate;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cluster::sentence;

/// Nothing at or above the threshold.
pub(crate) const CLEAN: u8 = 0;
/// Findings at or above the threshold.
pub(crate) const FINDINGS: u8 = 1;
/// Wrong usage or unreadable input.
pub(crate) const UNUSABLE: u8 = 2;

/// Audits every Flux installation of a cluster against Flux's Security Best Practices.
#[derive(Debug, Parser)]
#[command(name = "fluxsec", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What is logged, for instance `info` or `flux_security_operator=debug`.
    #[arg(long, global = true, env = "FLUXSEC_LOG", default_value = "info")]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The operator: watches, evaluates, publishes.
    Run(run::Run),
    /// One audit of the cluster in the kubeconfig, printed.
    Audit(audit::Audit),
    /// The catalogue of controls, or one of them explained.
    Controls(controls::Controls),
    /// The CustomResourceDefinitions, as YAML.
    Crds,
    /// Version of this program and of its catalogue.
    Version,
    /// Writes the generated files of the repository.
    #[command(hide = true)]
    Generate(generate::Generate),
}

/// Runs the command line and tells the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    crate::telemetry::start(&arguments.log);
    let result = match arguments.command {
        Command::Run(run) => block_on(run.run()),
        Command::Audit(audit) => block_on(audit.run()),
        Command::Controls(controls) => controls.run(),
        Command::Crds => generate::print_crds(),
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
