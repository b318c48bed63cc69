//! Manifests as objects, and what ours are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::controlplane::programs::{self, Finish};

/// Objects by `kind namespace/name`.
pub(crate) type Objects = BTreeMap<String, Value>;

/// Root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `config/default` renders to.
pub(crate) fn kustomized() -> String {
    kustomize(&root().join("config/default"))
}

/// What a folder renders to.
pub(crate) fn kustomize(folder: &Path) -> String {
    Command::new(programs::core().unwrap().join("kubectl"))
        .arg("kustomize")
        .arg(folder)
        .finish("kubectl kustomize")
        .unwrap()
}

pub(crate) fn objects(manifests: &str) -> Objects {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifests).unwrap();
    let mut objects = Objects::new();
    for mut object in documents.into_iter().filter(|it| !it.is_null()) {
        // Kustomize does not know that they are in no namespace; the API server does.
        if object["kind"]
            .as_str()
            .unwrap()
            .starts_with("ValidatingAdmissionPolicy")
        {
            object["metadata"].as_object_mut().unwrap().remove("namespace");
        }
        let twice = objects.insert(key(&object), object);
        assert!(twice.is_none(), "two of one name: {twice:?}");
    }
    objects
}

pub(crate) fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {}/{}",
        text(&object["kind"]),
        text(&metadata["namespace"]),
        text(&metadata["name"])
    )
}

/// Copies `config` and `crds` into a folder, so that a test may change them.
pub(crate) fn copy_config(to: &Path) -> PathBuf {
    for folder in ["config", "crds"] {
        programs::copy(&root().join(folder), &to.join(folder)).unwrap();
    }
    to.join("config")
}

/// Makes the CRD of policies in this file what it was before it had one of its columns.
pub(crate) fn make_older(file: &Path) {
    const COLUMN: &str = "    - jsonPath: .spec.tenancy\n      name: Tenancy\n      type: string\n";
    let crd = std::fs::read_to_string(file).unwrap();
    assert!(crd.contains(COLUMN), "{crd}");
    std::fs::write(file, crd.replace(COLUMN, "")).unwrap();
}
