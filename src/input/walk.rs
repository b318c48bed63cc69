//! Finds the files of folders, in the order of their names.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What manifests are called.
const EXTENSIONS: [&str; 5] = ["yaml", "yml", "json", "jsonl", "ndjson"];

/// A file, or why there is none.
pub(super) type Found = Result<PathBuf, (PathBuf, io::Error)>;

/// Every manifest of a folder, or the file itself whatever it is called.
pub(super) fn files(path: &Path) -> Files {
    let mut files = Files {
        ahead: Vec::new(),
        entered: BTreeSet::new(),
        templates: 0,
    };
    files.ahead.push(Ahead::Asked(path.to_owned()));
    files
}

/// Walks as it is asked for the next file: a large tree is never held as a whole.
pub(super) struct Files {
    /// What is next, the last one first.
    ahead: Vec<Ahead>,
    /// Folders that were entered, as device and number: a link may lead back.
    entered: BTreeSet<(u64, u64)>,
    /// Files of charts, which Helm fills in.
    pub(super) templates: u64,
}

enum Ahead {
    /// Somebody named it.
    Asked(PathBuf),
    /// It is in a folder: another one, or a link to whatever.
    Met(PathBuf),
    /// It is in a folder, a file that is called like a manifest.
    File(PathBuf),
}

impl Iterator for Files {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        while let Some(ahead) = self.ahead.pop() {
            let is_asked = matches!(ahead, Ahead::Asked(_));
            let path = match ahead {
                Ahead::Asked(path) | Ahead::Met(path) => path,
                Ahead::File(path) => return Some(Ok(path)),
            };
            match self.look(&path, is_asked) {
                Ok(true) => return Some(Ok(path)),
                Ok(false) => {}
                Err(error) => return Some(Err((path, error))),
            }
        }
        None
    }
}

impl Files {
    /// Whether it is a file to be read. A folder is entered.
    fn look(&mut self, path: &Path, is_asked: bool) -> io::Result<bool> {
        let is_meant = is_asked || has_extension(path);
        let metadata = match fs::metadata(path) {
            Err(_) if !is_meant => return Ok(false),
            other => other?,
        };
        if metadata.is_dir() {
            if self.entered.insert((metadata.dev(), metadata.ino())) {
                self.enter(path)?;
            }
            return Ok(false);
        }
        // `-f <(kustomize build)` is a pipe; one that merely lies in a folder would be waited for in vain.
        if is_meant && !is_asked && !metadata.is_file() {
            return Err(io::Error::other("is neither a file nor a folder"));
        }
        Ok(is_meant)
    }

    fn enter(&mut self, folder: &Path) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut is_chart = false;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            is_chart |= entry.file_name() == "Chart.yaml";
            if entry.file_name() == ".git" {
                continue;
            }
            let kind = entry.file_type()?;
            let path = entry.path();
            if kind.is_dir() || kind.is_symlink() || has_extension(&path) {
                entries.push((path, kind.is_file()));
            }
        }
        if is_chart {
            let before = entries.len();
            entries.retain(|(path, _)| !path.ends_with("templates"));
            self.templates += (before - entries.len()) as u64;
        }
        entries.sort_unstable_by(|a, b| b.cmp(a));
        let ahead = |(path, is_file)| {
            if is_file {
                Ahead::File(path)
            } else {
                Ahead::Met(path)
            }
        };
        self.ahead.extend(entries.into_iter().map(ahead));
        Ok(())
    }
}

fn has_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}
