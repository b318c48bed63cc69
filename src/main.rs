//! The `fluxsec` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    flux_security_operator::cli::main()
}
