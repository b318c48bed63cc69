//! What kustomize made Secrets of in some commit. Such a file needs no sign of being one, so that what named it has to
//! be found: the kustomization that stood in the same commit where its path says. Trees tell, read from that kustomization
//! upwards as far as the path leads, and down from there.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use super::fingerprint::Key;
use super::repository::Objects;
use super::walk::{Blob, History};
use super::{Found, Scanned};
use crate::secrets::generator::{self, Way};

/// Trees that are read for it.
const MOST_TREES: usize = 200_000;

/// A content that makes Secrets of files, if it is called as kustomize wants it.
pub(super) struct Generator {
    pub(super) node: u32,
    /// The files, as it names them.
    pub(super) sources: Vec<Box<str>>,
}

/// Adds the files in plain text that Secrets were made of.
pub(super) fn look(history: &History, objects: &mut Objects, key: &Key, scanned: &mut Scanned) {
    let generators = std::mem::take(&mut scanned.generators);
    if generators.is_empty() {
        return;
    }
    let mut search = Search {
        history,
        objects,
        left: MOST_TREES,
        found: BTreeMap::new(),
    };
    if search.all(&generators).is_none() {
        let first = || format!("{} kustomizations", generators.len());
        scanned
            .lacks
            .note("secretGenerators in more commits than are looked into", first);
    }
    for (node, by) in search.found {
        if let Some(found) = leak(history, objects, key, node, &generators[by]) {
            scanned.leaks.push(found);
        }
    }
}

fn leak(
    history: &History,
    objects: &mut Objects,
    key: &Key,
    node: u32,
    generator: &Generator,
) -> Option<Found> {
    let blob = history.blob(node)?;
    let by = history.blob(generator.node)?;
    let (folder, path) = names(&by, generator, &blob);
    // What cannot be read was put down when it was scanned.
    let (_, content) = objects.find(&blob.id).ok()?;
    let leak = generator::leak(folder, path, content)?;
    let fingerprint = key.fingerprint(&leak, content);
    Some(Found {
        node,
        leak,
        fingerprint,
    })
}

/// The folder of the kustomization, and the path that it leads to: of the names that are known those that fit.
fn names<'a>(by: &Blob<'a>, generator: &Generator, blob: &Blob<'a>) -> (&'a str, &'a str) {
    let folders = || by.paths.iter().map(|path| generator::folder(path));
    for folder in folders() {
        let mut named = generator
            .sources
            .iter()
            .filter_map(|source| generator::beside(folder, source));
        let fits = |named: Box<str>| blob.paths.iter().find(|path| **path == named);
        if let Some(path) = named.find_map(fits) {
            return (folder, path);
        }
    }
    let path = blob.paths.first().map_or("", |path| path);
    (folders().next().unwrap_or_default(), path)
}

/// Where the path of a source leads to, within the repository.
fn way(path: &str) -> Option<Way<'_>> {
    Way::of(path).filter(|_| !path.starts_with('/'))
}

/// A search for files. `None` where it was given up.
struct Search<'a> {
    history: &'a History,
    objects: &'a mut Objects,
    /// Trees that may still be read.
    left: usize,
    /// Contents of files, each with the number of what makes a Secret of it.
    found: BTreeMap<u32, usize>,
}

impl Search<'_> {
    fn all(&mut self, generators: &[Generator]) -> Option<()> {
        let ways: Vec<Vec<Way<'_>>> = generators
            .iter()
            .map(|it| it.sources.iter().filter_map(|path| way(path)).collect())
            .collect();
        let mut trees = self.folders(generators)?;
        let mut level = 0;
        while !trees.is_empty() {
            for (number, tree) in &trees {
                for way in ways[*number].iter().filter(|way| way.up == level) {
                    self.down(*number, *tree, &way.down)?;
                }
            }
            level += 1;
            trees.retain(|(number, _)| ways[*number].iter().any(|way| way.up >= level));
            trees = self.around(&trees);
        }
        Some(())
    }

    /// The trees that hold kustomizations, with the numbers of these.
    fn folders(&mut self, generators: &[Generator]) -> Option<BTreeSet<(usize, u32)>> {
        let nodes = generators.iter().map(|it| it.node).collect();
        let holders = self.history.holders(&nodes);
        let mut folders = BTreeSet::new();
        for (number, generator) in generators.iter().enumerate() {
            for tree in holders.get(&generator.node).into_iter().flatten() {
                self.left = self.left.checked_sub(1)?;
                let is_named = |name: &str| generator::is_kustomization(name);
                if self
                    .history
                    .holds_as(self.objects, *tree, generator.node, is_named)
                {
                    folders.insert((number, *tree));
                }
            }
        }
        Some(folders)
    }

    /// The trees around these.
    fn around(&self, trees: &BTreeSet<(usize, u32)>) -> BTreeSet<(usize, u32)> {
        let nodes: FxHashSet<u32> = trees.iter().map(|(_, tree)| *tree).collect();
        let holders = self.history.holders(&nodes);
        let around = trees.iter().flat_map(|(number, tree)| {
            let holders = holders.get(tree).into_iter().flatten();
            holders.map(|holder| (*number, *holder))
        });
        around.collect()
    }

    fn down(&mut self, number: usize, tree: u32, names: &[&str]) -> Option<()> {
        let mut node = tree;
        for name in names {
            self.left = self.left.checked_sub(1)?;
            match self.history.child(self.objects, node, name) {
                Some(child) => node = child,
                None => return Some(()),
            }
        }
        self.found.entry(node).or_insert(number);
        Some(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ways_lead_up_first_and_then_down() {
        for (path, up, down) in [
            ("a.env", 0, &["a.env"][..]),
            ("./a/../b/c.txt", 0, &["b", "c.txt"]),
            ("../../x//y", 2, &["x", "y"]),
            ("a/../../b", 1, &["b"]),
        ] {
            let way = way(path).unwrap();
            assert_eq!((way.up, &*way.down), (up, down), "{path}");
        }
        assert!(way("https://example.com/a").is_none() && way("/etc/a").is_none());
    }
}
