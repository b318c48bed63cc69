//! `fluxsec crds`, and the generated files of the repository.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::CLEAN;
use crate::api::crds;
use crate::render::rbac;

/// Writes the generated files of the repository.
#[derive(Debug, Args)]
pub(super) struct Generate {
    /// Root of the repository.
    #[arg(default_value = ".")]
    root: PathBuf,
}

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        for (path, content) in files()? {
            std::fs::write(self.root.join(path), content)?;
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
fn files() -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for crd in crds::all() {
        files.push((format!("crds/{}.yaml", crd.spec.names.plural), yaml(&crd)?));
    }
    files.push(("config/default/rbac.yaml".to_owned(), rbac::manifest()));
    Ok(files)
}

fn yaml(crd: &CustomResourceDefinition) -> anyhow::Result<String> {
    Ok(serde_saphyr::to_string(&serde_json::to_value(crd)?)?)
}

#[cfg(test)]
mod tests {
    /// Generated files are what the code says; `make generate` brings them up to date.
    #[test]
    fn generated_files_are_up_to_date() {
        for (path, content) in super::files().unwrap() {
            let on_disk = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(on_disk == content, "{path} is out of date: run `make generate`");
        }
    }
}
