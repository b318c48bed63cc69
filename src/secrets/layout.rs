//! How the files of a tree belong together: what kustomize takes in from where, and where charts are.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use rustc_hash::FxHashMap;

use super::document::Build;

/// Folders of a tree that kustomize builds, or that are charts.
const MOST_FOLDERS: usize = 20_000;
/// Paths that all of them take in.
const MOST_PATHS: usize = 200_000;

/// What a file is to whoever makes a Secret of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It is encrypted.
    Encrypted,
    /// It has plain text.
    Plain,
    /// It has nothing, or placeholders alone.
    Empty,
}

/// What is known of the tree as a whole.
#[derive(Debug, Default)]
pub(super) struct Layout {
    builds: Builds,
    charts: BTreeSet<Box<str>>,
    /// Files that Secrets are made of: the folder of the kustomization, the path within the tree.
    secrets: BTreeSet<(Box<str>, Box<str>)>,
    /// What each file is, by a hash of its path: a tree may have very many.
    contents: FxHashMap<u64, Content>,
    /// The folders of all files, by a hash of their paths.
    folders: HashSet<u64>,
    paths: usize,
    /// Whether there is more than is kept.
    pub(super) is_full: bool,
}

/// What kustomize takes in, by folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Builds(BTreeMap<Box<str>, Box<[Box<str>]>>);

impl Layout {
    /// Puts down what a file is.
    pub(super) fn content(&mut self, path: &str, content: Content) {
        let path = plain(path);
        let mut folder = Some(folder(path));
        while let Some(path) = folder
            && self.folders.insert(hash(path))
        {
            folder = parent(path);
        }
        self.put(hash(path), content);
    }

    /// A file may come in parts, and a path twice: what is plain stays plain, what is empty says nothing.
    fn put(&mut self, path: u64, content: Content) {
        let known = self.contents.entry(path).or_insert(content);
        if content == Content::Plain || *known == Content::Empty {
            *known = content;
        }
    }

    /// Puts down that a folder is a chart.
    pub(super) fn chart(&mut self, path: &str) {
        self.is_full |= self.charts.len() >= MOST_FOLDERS;
        if !self.is_full {
            self.charts.insert(folder(plain(path)).into());
        }
    }

    /// Puts down what kustomize builds from a file.
    pub(super) fn build(&mut self, path: &str, build: &Build) {
        let folder = folder(plain(path));
        self.paths += build.takes.len() + build.secrets.len();
        self.is_full |= self.builds.0.len() >= MOST_FOLDERS || self.paths > MOST_PATHS;
        if self.is_full {
            return;
        }
        let secrets = build.secrets.iter().filter_map(|(_, path)| beside(folder, path));
        let secrets: Vec<Box<str>> = secrets.collect();
        let takes = build.takes.iter().filter_map(|path| beside(folder, path));
        let takes: Box<[Box<str>]> = takes.chain(secrets.iter().cloned()).collect();
        self.secrets
            .extend(secrets.into_iter().map(|path| (folder.into(), path)));
        self.builds.0.insert(folder.into(), takes);
    }

    /// Whether a file has plain text.
    pub(super) fn is_plain(&self, path: &str) -> bool {
        self.contents.get(&hash(plain(path))) == Some(&Content::Plain)
    }

    /// Files in plain text that Secrets are made of, with the folder of the kustomization.
    pub(super) fn plain_secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        let secrets = self.secrets.iter().map(|(folder, path)| (&**folder, &**path));
        secrets.filter(|(_, path)| self.contents.get(&hash(path)) == Some(&Content::Plain))
    }

    /// Whether a file has the defaults of a chart.
    pub(super) fn is_of_chart(&self, path: &str) -> bool {
        file_name(path).starts_with("values") && self.charts.contains(folder(plain(path)))
    }

    /// Takes in what is known of other files of the same tree.
    pub(super) fn merge(&mut self, other: Self) {
        self.builds.0.extend(other.builds.0);
        self.charts.extend(other.charts);
        self.secrets.extend(other.secrets);
        for (path, content) in other.contents {
            self.put(path, content);
        }
        self.folders.extend(other.folders);
        self.paths += other.paths;
        self.is_full |= other.is_full || self.paths > MOST_PATHS;
    }

    /// What is kept when all files were seen. Folders are asked for where there are several roots.
    pub(super) fn into_parts(self) -> (Builds, HashSet<u64>) {
        (self.builds, self.folders)
    }
}

impl Builds {
    /// Whether a build of this folder takes in a file.
    pub(super) fn reach(&self, folder: &str) -> Reach<'_> {
        let mut reach = Reach {
            builds: self,
            folders: BTreeSet::new(),
            files: BTreeSet::new(),
        };
        reach.enter(plain(folder).trim_end_matches('/'));
        reach
    }
}

/// What a build of a folder takes in.
#[derive(Debug)]
pub(super) struct Reach<'a> {
    builds: &'a Builds,
    /// Folders without a kustomization: all that is below counts, but for folders that have one.
    folders: BTreeSet<Box<str>>,
    files: BTreeSet<Box<str>>,
}

impl Reach<'_> {
    fn enter(&mut self, folder: &str) {
        let mut ahead: Vec<Box<str>> = vec![folder.into()];
        let mut entered: BTreeSet<Box<str>> = BTreeSet::new();
        while let Some(path) = ahead.pop() {
            if !entered.insert(path.clone()) {
                continue;
            }
            if let Some(takes) = self.builds.0.get(&path) {
                ahead.extend(takes.iter().cloned());
                continue;
            }
            // Only the folder that Flux begins with may do without a kustomization: it makes one.
            if *path == *folder {
                ahead.extend(self.builds.within(&path).cloned());
                self.folders.insert(path);
            } else {
                self.files.insert(path);
            }
        }
    }

    /// Whether a file is taken in.
    pub(super) fn has(&self, file: &str) -> bool {
        let file = plain(file);
        if self.files.contains(file) {
            return true;
        }
        let mut folder = Some(folder(file));
        while let Some(path) = folder {
            if self.builds.0.contains_key(path) {
                return false;
            }
            if self.folders.contains(path) {
                return is_manifest(file);
            }
            folder = parent(path);
        }
        false
    }
}

impl Builds {
    /// The folders below one that have a kustomization.
    fn within(&self, folder: &str) -> impl Iterator<Item = &Box<str>> {
        let is_within = move |path: &str| {
            folder.is_empty()
                || path
                    .strip_prefix(folder)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        self.0.keys().filter(move |path| is_within(path))
    }
}

/// Flux looks at the ends of names as they are.
fn is_manifest(path: &str) -> bool {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    matches!(extension, Some("yaml" | "yml"))
}

/// A path without the sign that it begins here.
fn plain(path: &str) -> &str {
    let path = path.strip_prefix("./").unwrap_or(path);
    if path == "." { "" } else { path }
}

pub(super) fn hash(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// The folder of a file; empty: that of the tree.
pub(crate) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn parent(folder: &str) -> Option<&str> {
    match folder {
        "" => None,
        folder => Some(folder.rsplit_once('/').map_or("", |(parent, _)| parent)),
    }
}

pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether kustomize begins with a file of this name.
pub(crate) fn is_kustomization(path: &str) -> bool {
    matches!(
        file_name(path),
        "kustomization.yaml" | "kustomization.yml" | "Kustomization"
    )
}

/// Where a path leads to from a folder, without detours.
pub(crate) struct Way<'a> {
    /// How many folders up.
    pub(crate) up: usize,
    /// The names down from there.
    pub(crate) down: Vec<&'a str>,
}

impl<'a> Way<'a> {
    /// The way of a path; `None`: it leads to another machine.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        if path.contains("://") {
            return None;
        }
        let mut way = Self {
            up: 0,
            down: Vec::new(),
        };
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." if way.down.pop().is_some() => {}
                ".." => way.up += 1,
                part => way.down.push(part),
            }
        }
        Some(way)
    }
}

/// A path that is written relative to a folder, without detours; `None`: it leads out of the tree, or to another machine.
pub(crate) fn beside(folder: &str, path: &str) -> Option<Box<str>> {
    if path.contains('\n') {
        return None;
    }
    let way = Way::of(path)?;
    let mut parts: Vec<&str> = folder
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    parts.truncate(parts.len().checked_sub(way.up)?);
    parts.extend(way.down);
    let joined = parts.join("/");
    Some(if folder.starts_with('/') {
        format!("/{joined}").into()
    } else {
        joined.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(builds: &[(&str, &[&str])]) -> Builds {
        let mut layout = Layout::default();
        for (path, takes) in builds {
            let takes = takes.iter().map(|path| (*path).into()).collect();
            let secrets = Vec::new();
            layout.build(path, &Build { takes, secrets });
        }
        layout.into_parts().0
    }

    #[test]
    fn paths_lead_from_folders() {
        for (folder, path, found) in [
            ("/tmp/a", "../b", Some("/tmp/b")),
            ("a/b", "../c/d.yaml", Some("a/c/d.yaml")),
            ("", "./a", Some("a")),
            ("", "./", Some("")),
            ("a", "..", Some("")),
            ("a", "../../b", None),
            ("a", "https://example.com/b", None),
        ] {
            assert_eq!(beside(folder, path).as_deref(), found, "{folder} {path}");
        }
    }

    #[test]
    fn a_folder_without_kustomization_is_taken_as_a_whole() {
        let builds = layout(&[("apps/x/kustomization.yaml", &["a.yaml"])]);
        let reach = builds.reach("./apps");
        assert!(reach.has("apps/b.yaml") && reach.has("apps/y/c.yml"));
        assert!(reach.has("apps/x/a.yaml") && !reach.has("apps/x/other.yaml"));
        assert!(!reach.has("apps/README.md") && !reach.has("infra/a.yaml"));
        assert!(builds.reach("").has("infra/a.yaml"));
    }

    #[test]
    fn a_kustomization_takes_what_it_names() {
        let builds = layout(&[
            (
                "apps/prod/kustomization.yaml",
                &["../base", "own.yaml", "https://example.com/x"],
            ),
            ("apps/base/kustomization.yaml", &["a.yaml", "../prod"]),
        ]);
        let reach = builds.reach("apps/prod/");
        assert!(reach.has("apps/prod/own.yaml") && reach.has("apps/base/a.yaml"));
        assert!(!reach.has("apps/prod/other.yaml") && !reach.has("apps/base/b.yaml"));
    }
}
