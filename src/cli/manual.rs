//! `fluxsec completions` and `fluxsec man`: what the command line says of itself to shells and to man.

use std::io::Write;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, CLEAN};

/// Prints a completion script for a shell.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Shell to complete for.
    shell: Shell,
}

/// Prints the manual page of this program or of one of its commands, for `man -l -`.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Command whose page is wanted; the program's own when absent.
    command: Option<String>,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        // Into memory first: the generator does not survive a closed pipe.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "fluxsec", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        Ok(CLEAN)
    }
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        let page = page(self.command.as_deref())?;
        std::io::stdout().lock().write_all(&page)?;
        Ok(CLEAN)
    }
}

fn page(command: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let mut program = Arguments::command();
    // Gives the subcommands their names in full.
    program.build();
    let chosen = match command {
        None => program,
        Some(name) => program
            .find_subcommand(name)
            .with_context(|| format!("there is no command {name:?}; `fluxsec --help` lists them"))?
            .clone(),
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(chosen).render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn a_page_has_the_options_of_its_command() {
        let program = String::from_utf8(page(None).unwrap()).unwrap();
        assert!(program.contains(".TH fluxsec 1"), "{program}");
        assert!(program.contains("fluxsec\\-audit(1)"), "{program}");
        let audit = String::from_utf8(page(Some("audit")).unwrap()).unwrap();
        assert!(audit.contains(".TH fluxsec-audit 1"), "{audit}");
        assert!(audit.contains("\\-\\-require\\-complete"), "{audit}");
        assert!(page(Some("nothing")).is_err());
    }
}
