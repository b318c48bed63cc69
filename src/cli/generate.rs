//! `fluxsec crds`, and the generated files of the repository.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::CLEAN;
use crate::api::crds;
use crate::controls::CATALOGUE;
use crate::monitoring::alerts::ALERTS;
use crate::monitoring::dashboards::DASHBOARDS;
use crate::monitoring::metrics::METRICS;
use crate::render::{chart, control_page, dashboards, metrics_page, rbac, rules, runbook};

/// Where the pages of the controls are.
const PAGES: &str = "docs/controls";
/// Where the templates of the Helm chart are, and the dashboards that one of them reads.
const TEMPLATES: &str = "config/chart/templates";
const CHART_DASHBOARDS: &str = "config/chart/dashboards";
/// What monitoring systems get.
const MONITORING: &str = "config/monitoring";
/// Where the pages of the alerts are.
const RUNBOOKS: &str = "docs/runbooks";

/// Writes the generated files of the repository.
#[derive(Debug, Args)]
pub(super) struct Generate {
    /// Root of the repository.
    #[arg(default_value = ".")]
    root: PathBuf,
}

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        let files = files(&self.root)?;
        for (path, content) in files {
            let path = self.root.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            std::fs::write(path, content)?;
        }
        Ok(CLEAN)
    }
}

pub(super) fn print_crds() -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    for crd in crds::all() {
        writeln!(out, "---\n{}", yaml(&crd)?)?;
    }
    Ok(CLEAN)
}

/// Every generated file: path below the root, and content.
fn files(root: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for crd in crds::all() {
        let (name, yaml) = (&crd.spec.names.plural, yaml(&crd)?);
        files.push((format!("{TEMPLATES}/crds/{name}.yaml"), chart::crd(&yaml)));
        files.push((format!("crds/{name}.yaml"), yaml));
    }
    files.push(("config/default/rbac.yaml".to_owned(), rbac::manifest()));
    files.push((format!("{TEMPLATES}/rbac.yaml"), chart::rbac()));
    files.push(("docs/metrics.md".to_owned(), metrics_page::page(METRICS)));
    files.push((format!("{MONITORING}/rules.yaml"), rules::plain(ALERTS)?));
    let rule = rules::object(ALERTS)?;
    let path = format!("{TEMPLATES}/prometheus-rule.yaml");
    files.push((path, chart::prometheus_rule(&rule)));
    files.push((format!("{MONITORING}/prometheusrule.yaml"), rule));
    for dashboard in DASHBOARDS {
        let (name, json) = (dashboard.name, dashboards::json(dashboard));
        files.push((format!("{CHART_DASHBOARDS}/{name}.json"), json.clone()));
        files.push((format!("{MONITORING}/dashboards/{name}.json"), json));
    }
    files.push((format!("{PAGES}/README.md"), control_page::index(CATALOGUE)));
    files.push((format!("{RUNBOOKS}/README.md"), runbook::index(ALERTS)));
    for control in CATALOGUE {
        let path = format!("{PAGES}/{}.md", control.id);
        files.push(page(root, path, |known| control_page::page(control, known))?);
    }
    for alert in ALERTS {
        let path = format!("{RUNBOOKS}/{}.md", alert.name);
        files.push(page(root, path, |known| runbook::page(alert, known))?);
    }
    Ok(files)
}

/// A page of which only the head is generated: it is made from the page on disk.
fn page(
    root: &Path,
    path: String,
    renew: impl FnOnce(Option<&str>) -> Option<String>,
) -> anyhow::Result<(String, String)> {
    let known = match std::fs::read_to_string(root.join(&path)) {
        Ok(known) => Some(known),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error).context(path),
    };
    let content = renew(known.as_deref())
        .with_context(|| format!("{path} lacks the line {:?}", control_page::MARKER))?;
    Ok((path, content))
}

fn yaml(crd: &CustomResourceDefinition) -> anyhow::Result<String> {
    Ok(serde_saphyr::to_string(&serde_json::to_value(crd)?)?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Generated files are what the code says; `make generate` brings them up to date.
    #[test]
    fn generated_files_are_up_to_date() {
        for (path, content) in super::files(Path::new(".")).unwrap() {
            let on_disk = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(on_disk == content, "{path} is out of date: run `make generate`");
        }
    }
}
