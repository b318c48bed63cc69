//! `fluxsec controls`: the catalogue, without a network.

use std::io::Write;

use clap::Args;

use super::CLEAN;
use crate::api::{Severity, Tenancy};
use crate::controls::{self, CATALOGUE, Control};

/// The catalogue of controls, or one of them explained.
#[derive(Debug, Args)]
pub(super) struct Controls {
    /// Id of a control, for example FSP-KUST-003.
    id: Option<String>,
}

impl Controls {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        let mut out = std::io::stdout().lock();
        match self.id {
            None => list(&mut out)?,
            Some(id) => {
                let Some(control) = controls::find(&id.to_ascii_uppercase()) else {
                    anyhow::bail!("there is no control {id:?}; `fluxsec controls` lists them");
                };
                explain(&mut out, control)?;
            }
        }
        Ok(CLEAN)
    }
}

fn list(out: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{:<13} {:<9} {:<9} {:<9} TITLE",
        "ID", "NONE", "SHARED", "DEDICATED"
    )?;
    for control in CATALOGUE {
        let severity = |tenancy| control.severity.under(tenancy).map_or("-", Severity::as_str);
        writeln!(
            out,
            "{:<13} {:<9} {:<9} {:<9} {}",
            control.id,
            severity(Tenancy::None),
            severity(Tenancy::Shared),
            severity(Tenancy::Dedicated),
            control.title
        )?;
    }
    Ok(())
}

fn explain(out: &mut impl Write, control: &Control) -> std::io::Result<()> {
    writeln!(out, "{}  {}\n", control.id, control.title)?;
    for tenancy in [Tenancy::None, Tenancy::Shared, Tenancy::Dedicated] {
        let severity = control
            .severity
            .under(tenancy)
            .map_or("not applicable", Severity::as_str);
        writeln!(out, "  severity under tenancy {tenancy:<9} {severity}")?;
    }
    writeln!(
        out,
        "\nWhy\n  {}\n\nWhat is read\n  {}",
        control.rationale, control.audit
    )?;
    writeln!(
        out,
        "\nHow to repair\n  {}\n\nReference\n  {}",
        control.remediation, control.reference
    )?;
    for parameter in control.parameters {
        let values = parameter.values.join(", ");
        writeln!(
            out,
            "\nParameter {} ({values})\n  {}",
            parameter.name, parameter.about
        )?;
    }
    Ok(())
}
