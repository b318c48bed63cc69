//! `fluxsec controls`: the catalogue, without a network.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::CLEAN;
use crate::api::{Severity, Tenancy};
use crate::controls::{self, CATALOGUE, Control};
use crate::render::control_page;

/// Lists the controls, or explains one of them.
#[derive(Debug, Args)]
pub(super) struct Controls {
    /// Id of a control, for example FSP-KUST-003.
    id: Option<String>,
    /// How the catalogue is printed.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// A FluxSecurityPolicy whose custom controls are listed, too.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Markdown,
    Json,
}

impl Controls {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        let mut out = std::io::stdout().lock();
        let all = self.all()?;
        match (self.output, self.chosen(&all)?) {
            (Output::Table, None) => list(&mut out, &all)?,
            (Output::Table, Some(control)) => explain(&mut out, control)?,
            (Output::Markdown, None) => markdown(&mut out, &all)?,
            (Output::Markdown, Some(control)) => markdown(&mut out, &[control])?,
            (Output::Json, None) => json(&mut out, &all)?,
            (Output::Json, Some(control)) => json(&mut out, control)?,
        }
        Ok(CLEAN)
    }

    /// The catalogue, and what a policy adds to it.
    fn all(&self) -> anyhow::Result<Vec<&'static Control>> {
        let mut all = CATALOGUE.to_vec();
        if let Some(path) = &self.policy {
            let policy = super::audit::read_policy(path)?;
            let customs = controls::custom::all(&policy.spec.custom_controls);
            all.extend(customs.map_err(|reason| anyhow::anyhow!("the policy is invalid: {reason}"))?);
        }
        Ok(all)
    }

    fn chosen(&self, all: &[&'static Control]) -> anyhow::Result<Option<&'static Control>> {
        let Some(id) = &self.id else {
            return Ok(None);
        };
        let id = id.to_ascii_uppercase();
        let Some(control) = all.iter().copied().find(|control| control.id == id) else {
            anyhow::bail!("there is no control {id:?}; `fluxsec controls` lists them");
        };
        Ok(Some(control))
    }
}

fn markdown(out: &mut impl Write, controls: &[&Control]) -> std::io::Result<()> {
    let heads: Vec<String> = controls
        .iter()
        .map(|control| control_page::head(control))
        .collect();
    write!(out, "{}", heads.join("\n"))
}

fn json(out: &mut impl Write, value: &(impl Serialize + ?Sized)) -> anyhow::Result<()> {
    writeln!(out, "{}", serde_json::to_string_pretty(value)?)?;
    Ok(())
}

fn list(out: &mut impl Write, controls: &[&Control]) -> std::io::Result<()> {
    writeln!(
        out,
        "{:<13} {:<9} {:<9} {:<9} TITLE",
        "ID", "NONE", "SHARED", "DEDICATED"
    )?;
    for control in controls {
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
    section(out, "Why", control.rationale)?;
    section(out, "What is read", control.audit)?;
    section(out, "How to repair", control.remediation)?;
    section(out, "Reference", control.reference)?;
    for parameter in control.parameters {
        let values = match parameter.values {
            [] => "text".to_owned(),
            values => values.join(", "),
        };
        let title = format!("Parameter {} ({values})", parameter.name);
        section(out, &title, parameter.about)?;
    }
    Ok(())
}

/// A paragraph under its title, in lines that fit a terminal.
fn section(out: &mut impl Write, title: &str, text: &str) -> std::io::Result<()> {
    writeln!(out, "\n{title}")?;
    super::wrapped(text)
        .lines()
        .try_for_each(|line| writeln!(out, "  {line}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{CATALOGUE, json as print, markdown};

    #[test]
    fn json_has_what_an_auditor_needs() {
        let mut out = Vec::new();
        print(&mut out, CATALOGUE).unwrap();
        let all: Vec<Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!(all.len(), CATALOGUE.len());
        let account = all.iter().find(|control| control["id"] == "FSP-MT-008").unwrap();
        let severity = json!({"none": null, "shared": "Critical", "dedicated": null});
        assert_eq!(account["severity"], severity);
        let keys: Vec<&str> = account.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = [
            "id",
            "title",
            "chapter",
            "severity",
            "rationale",
            "audit",
            "remediation",
            "reference",
            "parameters",
        ];
        expected.sort_unstable();
        assert_eq!(keys, expected);
    }

    #[test]
    fn markdown_joins_the_heads() {
        let mut out = Vec::new();
        markdown(&mut out, CATALOGUE).unwrap();
        let out = String::from_utf8(out).unwrap();
        let titles = out.lines().filter(|line| line.starts_with("# ")).count();
        assert_eq!(titles, CATALOGUE.len());
    }
}
