//! The layers: what stands between observing and publishing is pure.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of the pure core.
const PURE: [&str; 12] = [
    "api",
    "custom",
    "secrets",
    "kinds",
    "flux",
    "inventory",
    "controls",
    "engine",
    "remedy",
    "render",
    "manifests",
    "monitoring",
];

/// What would make the core impure.
const FORBIDDEN: [&str; 9] = [
    "tokio",
    "kube::Client",
    "kube::Api",
    "std::fs",
    "std::net",
    "std::env::",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
];

/// Who may not know whom: a layer knows only what comes before it.
const UNKNOWN_TO: [(&str, &[&str]); 11] = [
    (
        "custom",
        &[
            "crate::inventory",
            "crate::controls",
            "crate::engine",
            "crate::render",
            "crate::manifests",
            "crate::cluster",
        ],
    ),
    (
        "secrets",
        &[
            "crate::kinds",
            "crate::flux",
            "crate::inventory",
            "crate::controls",
            "crate::engine",
            "crate::render",
            "crate::manifests",
        ],
    ),
    (
        "flux",
        &[
            "crate::kinds",
            "crate::inventory",
            "crate::controls",
            "crate::engine",
            "crate::remedy",
            "crate::render",
        ],
    ),
    (
        "kinds",
        &[
            "crate::controls",
            "crate::engine",
            "crate::remedy",
            "crate::render",
            "crate::artifacts",
            "crate::cluster",
            "crate::publish",
        ],
    ),
    (
        "inventory",
        &[
            "crate::controls",
            "crate::engine",
            "crate::remedy",
            "crate::render",
            "crate::artifacts",
            "crate::cluster",
            "crate::publish",
        ],
    ),
    (
        "controls",
        &[
            "crate::engine",
            "crate::remedy",
            "crate::render",
            "crate::artifacts",
            "crate::cluster",
            "crate::publish",
        ],
    ),
    (
        "engine",
        &[
            "crate::remedy",
            "crate::render",
            "crate::artifacts",
            "crate::cluster",
            "crate::publish",
            "crate::serve",
            "crate::cli",
        ],
    ),
    (
        "remedy",
        &[
            "crate::render",
            "crate::manifests",
            "crate::input",
            "crate::cluster",
            "crate::publish",
            "crate::serve",
            "crate::cli",
        ],
    ),
    (
        "render",
        &[
            "crate::artifacts",
            "crate::cluster",
            "crate::publish",
            "crate::serve",
            "crate::cli",
        ],
    ),
    (
        "monitoring",
        &[
            "crate::engine",
            "crate::render",
            "crate::cluster",
            "crate::publish",
            "crate::serve",
            "crate::cli",
        ],
    ),
    (
        "manifests",
        &[
            "crate::input",
            "crate::artifacts",
            "crate::cluster",
            "crate::publish",
            "crate::serve",
            "crate::cli",
        ],
    ),
];

#[test]
fn the_core_is_pure() {
    for (path, line) in PURE.iter().flat_map(|folder| code_of(folder)) {
        for name in FORBIDDEN {
            assert!(!line.contains(name), "{} names {name}: {line}", path.display());
        }
    }
}

#[test]
fn layers_know_only_what_comes_before_them() {
    for (folder, forbidden) in UNKNOWN_TO {
        for (path, line) in code_of(folder) {
            for name in forbidden {
                assert!(!line.contains(name), "{} names {name}: {line}", path.display());
            }
        }
    }
}

/// The lines of a folder that are code, up to the tests of each file.
fn code_of(folder: &str) -> Vec<(PathBuf, String)> {
    let mut lines = Vec::new();
    for path in rust_files(&Path::new("src").join(folder)) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        lines.extend(
            code.lines()
                .filter(is_code)
                .map(|line| (path.clone(), line.to_owned())),
        );
    }
    assert!(!lines.is_empty(), "src/{folder} has no code");
    lines
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
