//! Finds the files of folders, in the order of their names.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What manifests are called.
const EXTENSIONS: [&str; 5] = ["yaml", "yml", "json", "jsonl", "ndjson"];

/// A file of a folder.
pub(super) enum Entry {
    /// One that may have objects.
    Manifest(PathBuf),
    /// Any other.
    Other(PathBuf),
}

/// A file, or why there is none.
pub(super) type Found = Result<Entry, (PathBuf, io::Error)>;

/// Every file of a folder, or the file itself whatever it is called.
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
    /// It is in a folder, maybe of a chart whose manifests Helm fills in: another folder, or a link to whatever.
    Met { path: PathBuf, is_template: bool },
    /// It is in a folder, and a file.
    File { path: PathBuf, is_template: bool },
}

impl Iterator for Files {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        while let Some(ahead) = self.ahead.pop() {
            let (path, look) = match ahead {
                Ahead::Asked(path) => {
                    let look = self.look(&path, true, false);
                    (path, look)
                }
                Ahead::Met { path, is_template } => {
                    let look = self.look(&path, false, is_template);
                    (path, look)
                }
                Ahead::File { path, is_template } => {
                    let is_manifest = has_extension(&path) && !is_template;
                    (path, Ok(Some(is_manifest)))
                }
            };
            match look {
                Ok(Some(true)) => return Some(Ok(Entry::Manifest(path))),
                Ok(Some(false)) => return Some(Ok(Entry::Other(path))),
                Ok(None) => {}
                Err(error) => return Some(Err((path, error))),
            }
        }
        None
    }
}

impl Files {
    /// Whether it is a file of manifests, or any other; `None`: there is nothing to be read. A folder is entered.
    fn look(&mut self, path: &Path, is_asked: bool, is_template: bool) -> io::Result<Option<bool>> {
        let is_meant = is_asked || has_extension(path) && !is_template;
        let metadata = match fs::metadata(path) {
            Err(_) if !is_meant => return Ok(None),
            other => other?,
        };
        if metadata.is_dir() {
            if self.entered.insert((metadata.dev(), metadata.ino())) {
                self.enter(path, is_template)?;
            }
            return Ok(None);
        }
        if is_meant && (metadata.file_type().is_char_device() || metadata.file_type().is_block_device()) {
            return Err(io::Error::other("is a device"));
        }
        // `-f <(kustomize build)` is a pipe; one that merely lies in a folder would be waited for in vain.
        if is_meant && !is_asked && !metadata.is_file() {
            return Err(io::Error::other("is neither a file nor a folder"));
        }
        Ok((is_meant || metadata.is_file()).then_some(is_meant))
    }

    fn enter(&mut self, folder: &Path, is_template: bool) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut is_chart = false;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            is_chart |= entry.file_name() == "Chart.yaml";
            if entry.file_name() == ".git" {
                continue;
            }
            entries.push((entry.path(), entry.file_type()?.is_file()));
        }
        entries.sort_unstable_by(|a, b| b.cmp(a));
        for (path, is_file) in entries {
            let begins_templates = is_chart && path.ends_with("templates");
            self.templates += u64::from(begins_templates);
            let is_template = is_template || begins_templates;
            self.ahead.push(if is_file {
                Ahead::File { path, is_template }
            } else {
                Ahead::Met { path, is_template }
            });
        }
        Ok(())
    }
}

fn has_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}
