//! Which contents the history of a repository has, and since when and until when it has them.
//!
//! Each tree is read once, whichever commits have it. What it holds is kept by number, so that the first and the last
//! commit of each content follow from one pass over all of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gix_hash::ObjectId;
use gix_object::{CommitRefIter, Kind, TagRefIter, TreeRefIter};
use rustc_hash::{FxHashMap, FxHashSet};

use super::repository::{Lack, Objects, Repository};

/// How deep folders are looked into.
const DEEPEST: usize = 256;
/// Names of one content that are kept.
const MOST_PATHS: usize = 8;
/// No longer path is kept in full.
const LONGEST_PATH: usize = 1024;
/// How often a tag may lead to another one.
const MOST_HOPS: usize = 8;
/// Nobody knows.
const NONE: u32 = u32::MAX;

/// What the history of a repository has.
#[derive(Default)]
pub(super) struct History {
    nodes: Vec<Node>,
    known: FxHashMap<ObjectId, u32>,
    pub(super) commits: Vec<Commit>,
    commit_at: FxHashMap<ObjectId, u32>,
    /// References, and the nodes of their last states.
    tips: Vec<(String, u32)>,
    /// Commits whose parents the repository has not, and says so.
    cuts: Vec<ObjectId>,
    pub(super) lacks: Lacks,
}

/// What was not looked into: how many of a sort, and the first by name.
#[derive(Default)]
pub(super) struct Lacks(pub(super) BTreeMap<&'static str, (u64, String)>);

impl Lacks {
    pub(super) fn note(&mut self, what: &'static str, which: impl FnOnce() -> String) {
        self.0.entry(what).or_insert_with(|| (0, which())).0 += 1;
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (what, (count, first)) in other.0 {
            self.0.entry(what).or_insert((0, first)).0 += count;
        }
    }

    pub(super) fn object(&mut self, id: &ObjectId, lack: Lack, path: &str) {
        let what = match lack {
            Lack::Missing => "objects that the repository does not have",
            Lack::Corrupt => "objects that cannot be read",
            Lack::TooLarge => "objects that are too large",
        };
        self.note(what, || named(id, path));
    }
}

fn named(id: &ObjectId, path: &str) -> String {
    match path {
        "" => id.to_string(),
        path => format!("{id} ({path})"),
    }
}

/// A tree or the content of a file. What a tree holds has lower numbers than the tree.
struct Node {
    id: ObjectId,
    holds: Box<[u32]>,
    /// The names of a content; a tree has none.
    paths: Vec<Box<str>>,
}

/// A commit, or whatever a reference leads to that is none.
pub(super) struct Commit {
    pub(super) id: ObjectId,
    pub(super) seconds: i64,
    parents: Vec<ObjectId>,
    root: u32,
}

/// The content of a file.
pub(super) struct Blob<'a> {
    pub(super) id: ObjectId,
    pub(super) paths: &'a [Box<str>],
    pub(super) node: u32,
}

/// When something was there.
#[derive(Clone, Copy)]
pub(super) struct Span {
    /// Where the commit is among [`Order`].
    pub(super) first: u32,
    pub(super) last: u32,
    /// A reference whose last state has it.
    pub(super) tip: Option<u32>,
}

impl History {
    /// Reads all commits and trees that references lead to.
    pub(super) fn read(repository: &Repository, objects: &mut Objects) -> Self {
        let mut history = Self {
            cuts: repository.shallow.clone(),
            ..Self::default()
        };
        history.cuts.sort_unstable();
        let head = repository.head.iter().map(|target| ("HEAD", *target));
        let refs = repository.refs.iter();
        for (name, target) in head.chain(refs.map(|(name, target)| (name.as_str(), *target))) {
            if let Some(node) = history.tip(objects, target) {
                history.tips.push((name.to_owned(), node));
            }
        }
        if !history.cuts.is_empty() {
            let count = history.cuts.len() as u64;
            let first = history.cuts[0].to_string();
            let what = "commits whose parents are not here: the clone is shallow";
            history.lacks.0.insert(what, (count, first));
        }
        history
    }

    /// The contents.
    pub(super) fn blobs(&self) -> Vec<Blob<'_>> {
        let count = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        (0..count).filter_map(|node| self.blob(node)).collect()
    }

    /// The content with a number; `None`: it is a tree.
    pub(super) fn blob(&self, number: u32) -> Option<Blob<'_>> {
        let node = self.nodes.get(number as usize)?;
        (!node.paths.is_empty()).then(|| Blob {
            id: node.id,
            paths: &node.paths,
            node: number,
        })
    }

    /// The trees that hold one of these, by what they hold.
    pub(super) fn holders(&self, wanted: &FxHashSet<u32>) -> FxHashMap<u32, Vec<u32>> {
        let mut holders: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (tree, node) in (0..).zip(&self.nodes) {
            for held in node.holds.iter().filter(|held| wanted.contains(held)) {
                holders.entry(*held).or_default().push(tree);
            }
        }
        holders
    }

    /// What a tree holds under a name.
    pub(super) fn child(&self, objects: &mut Objects, tree: u32, name: &str) -> Option<u32> {
        let mut entries = self.entries(objects, tree).into_iter();
        let entry = entries.find(|entry| entry.name == name)?;
        self.known.get(&entry.id).copied().filter(|node| *node != NONE)
    }

    /// Whether a tree holds something under a name that is asked for.
    pub(super) fn holds_as(
        &self,
        objects: &mut Objects,
        tree: u32,
        node: u32,
        is_asked: impl Fn(&str) -> bool,
    ) -> bool {
        let entries = self.entries(objects, tree);
        let mut named = entries.iter().filter(|entry| is_asked(&entry.name));
        named.any(|entry| self.known.get(&entry.id) == Some(&node))
    }

    /// What a tree holds, by name. It was read before: what cannot be read was put down.
    fn entries<'a>(&self, objects: &'a mut Objects, tree: u32) -> Vec<Entry<'a>> {
        let node = self.nodes.get(tree as usize).filter(|node| node.paths.is_empty());
        let read = node.and_then(|node| objects.find(&node.id).ok());
        read.and_then(|(_, data)| entries(data)).unwrap_or_default()
    }

    /// The name of a reference.
    pub(super) fn tip_name(&self, tip: u32) -> &str {
        self.tips.get(tip as usize).map_or("", |(name, _)| name)
    }

    /// Follows a reference to the end; tells the node of its last state.
    fn tip(&mut self, objects: &mut Objects, target: ObjectId) -> Option<u32> {
        let mut target = target;
        for _ in 0..MOST_HOPS {
            let (kind, next) = match objects.find(&target) {
                Err(lack) => {
                    self.lacks.object(&target, lack, "");
                    return None;
                }
                Ok((Kind::Tag, data)) => {
                    let fields = TagRefIter::from_bytes(data, gix_hash::Kind::Sha1);
                    (Kind::Tag, fields.target_id().ok())
                }
                Ok((kind, _)) => (kind, None),
            };
            if kind != Kind::Tag {
                return self.last_state(objects, kind, target);
            }
            let Some(next) = next else { break };
            target = next;
        }
        self.lacks.object(&target, Lack::Corrupt, "");
        None
    }

    /// The node of what a reference leads to, which is no tag.
    fn last_state(&mut self, objects: &mut Objects, kind: Kind, target: ObjectId) -> Option<u32> {
        let root = match kind {
            Kind::Commit => {
                self.commits_from(objects, target);
                let at = *self.commit_at.get(&target)?;
                return Some(self.commits.get(at as usize)?.root);
            }
            // A tag may lead to a tree or to a file, without a commit.
            Kind::Tree => self.tree(objects, target, &mut String::new(), 0)?,
            // It has no name, and may be a manifest.
            Kind::Blob | Kind::Tag => self.name_blob(target, &format!("{target}.yaml")),
        };
        self.put(Commit {
            id: target,
            seconds: 0,
            parents: Vec::new(),
            root,
        });
        Some(root)
    }

    fn put(&mut self, commit: Commit) {
        let number = u32::try_from(self.commits.len()).unwrap_or(NONE);
        self.commit_at.insert(commit.id, number);
        self.commits.push(commit);
    }

    fn commits_from(&mut self, objects: &mut Objects, start: ObjectId) {
        let mut waiting = vec![start];
        while let Some(id) = waiting.pop() {
            if self.commit_at.contains_key(&id) {
                continue;
            }
            // Not asked for twice, whatever comes of it.
            self.commit_at.insert(id, NONE);
            let read = match objects.find(&id) {
                Ok((Kind::Commit, data)) => commit(data).ok_or(Lack::Corrupt),
                Ok(_) => Err(Lack::Corrupt),
                Err(lack) => Err(lack),
            };
            let (tree, mut parents, seconds) = match read {
                Ok(read) => read,
                Err(lack) => {
                    self.lacks.object(&id, lack, "");
                    continue;
                }
            };
            if self.cuts.binary_search(&id).is_ok() {
                parents.clear();
            }
            waiting.extend(parents.iter().copied());
            let root = self.tree(objects, tree, &mut String::new(), 0);
            self.put(Commit {
                id,
                seconds,
                parents,
                root: root.unwrap_or(NONE),
            });
        }
    }

    /// Reads a tree, unless it is known; `None`: it is not there.
    fn tree(&mut self, objects: &mut Objects, id: ObjectId, path: &mut String, depth: usize) -> Option<u32> {
        if let Some(known) = self.known.get(&id) {
            return (*known != NONE).then_some(*known);
        }
        if depth > DEEPEST {
            self.lacks
                .note("folders that are nested too deeply", || named(&id, path));
            return None;
        }
        // One that holds itself is not what it seems.
        self.known.insert(id, NONE);
        let read = match objects.find(&id) {
            Ok((Kind::Tree, data)) => Ok(data.to_vec()),
            Ok(_) => Err(Lack::Corrupt),
            Err(lack) => Err(lack),
        };
        let held = read.as_deref().map_err(|lack| *lack);
        let entries = match held.and_then(|data| entries(data).ok_or(Lack::Corrupt)) {
            Ok(entries) => entries,
            Err(lack) => {
                self.lacks.object(&id, lack, path);
                return None;
            }
        };
        let mut holds = Vec::with_capacity(entries.len());
        let length = path.len();
        for Entry { name, id, is_tree } in entries {
            if length > 0 {
                path.push('/');
            }
            path.push_str(&name);
            holds.extend(if is_tree {
                self.tree(objects, id, path, depth + 1)
            } else {
                Some(self.name_blob(id, path))
            });
            path.truncate(length);
        }
        Some(self.node(id, holds.into(), Vec::new()))
    }

    /// Puts down a content under a name.
    fn name_blob(&mut self, id: ObjectId, path: &str) -> u32 {
        let path = &path[..path.floor_char_boundary(path.len().min(LONGEST_PATH))];
        match self.known.get(&id) {
            Some(known) if *known != NONE => {
                let paths = &mut self.nodes[*known as usize].paths;
                if paths.len() < MOST_PATHS && !paths.iter().any(|it| **it == *path) {
                    paths.push(path.into());
                }
                *known
            }
            _ => self.node(id, Box::default(), vec![path.into()]),
        }
    }

    fn node(&mut self, id: ObjectId, holds: Box<[u32]>, paths: Vec<Box<str>>) -> u32 {
        let number = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        self.nodes.push(Node { id, holds, paths });
        self.known.insert(id, number);
        number
    }
}

/// Commits, parents before children.
pub(super) struct Order {
    /// Their numbers.
    pub(super) commits: Vec<u32>,
    spans: Vec<Span>,
}

impl Order {
    pub(super) fn of(history: &History) -> Self {
        let dates = dates(history);
        let mut commits: Vec<u32> = (0..).take(history.commits.len()).collect();
        commits.sort_by_key(|at| (dates[*at as usize], history.commits[*at as usize].id));
        let nowhere = Span {
            first: NONE,
            last: 0,
            tip: None,
        };
        let mut spans = vec![nowhere; history.nodes.len()];
        for (rank, at) in (0..).zip(&commits) {
            if let Some(span) = spans.get_mut(history.commits[*at as usize].root as usize) {
                span.first = span.first.min(rank);
                span.last = rank;
            }
        }
        for (tip, (_, node)) in (0..).zip(&history.tips) {
            if let Some(span) = spans.get_mut(*node as usize) {
                span.tip = Some(span.tip.unwrap_or(tip));
            }
        }
        // What holds something comes behind it.
        for (number, node) in history.nodes.iter().enumerate().rev() {
            let outer = spans[number];
            for inner in &node.holds {
                let inner = &mut spans[*inner as usize];
                inner.first = inner.first.min(outer.first);
                inner.last = inner.last.max(outer.last);
                inner.tip = inner.tip.into_iter().chain(outer.tip).min();
            }
        }
        Self { commits, spans }
    }

    pub(super) fn span(&self, node: u32) -> Option<Span> {
        self.spans
            .get(node as usize)
            .copied()
            .filter(|span| span.first != NONE)
    }
}

/// When each commit was made, but later than its parents, whatever it says.
fn dates(history: &History) -> Vec<i64> {
    const OPEN: i64 = i64::MIN;
    let commits = &history.commits;
    let mut dates: Vec<Option<i64>> = vec![None; commits.len()];
    for start in 0..commits.len() {
        let mut waiting = vec![start];
        while let Some(at) = waiting.last().copied() {
            let parents = commits[at].parents.iter();
            let parents = parents.filter_map(|id| history.commit_at.get(id).map(|at| *at as usize));
            let parents: Vec<usize> = parents.filter(|at| *at < commits.len()).collect();
            if dates[at].is_none() {
                dates[at] = Some(OPEN);
                let open: Vec<usize> = parents.into_iter().filter(|at| dates[*at].is_none()).collect();
                if !open.is_empty() {
                    waiting.extend(open);
                    continue;
                }
                dates[at] = Some(date(commits[at].seconds, &commits[at].parents, history, &dates));
            } else if dates[at] == Some(OPEN) {
                dates[at] = Some(date(commits[at].seconds, &commits[at].parents, history, &dates));
            }
            waiting.pop();
        }
    }
    dates.into_iter().map(Option::unwrap_or_default).collect()
}

fn date(own: i64, parents: &[ObjectId], history: &History, dates: &[Option<i64>]) -> i64 {
    let parents = parents.iter().filter_map(|id| history.commit_at.get(id));
    let last = parents.filter_map(|at| *dates.get(*at as usize)?).max();
    last.map_or(own, |last| own.max(last.saturating_add(1)))
}

/// The tree, the parents and the time of a commit.
fn commit(data: &[u8]) -> Option<(ObjectId, Vec<ObjectId>, i64)> {
    let mut fields = CommitRefIter::from_bytes(data, gix_hash::Kind::Sha1);
    let tree = fields.tree_id().ok()?;
    let whole = CommitRefIter::from_bytes(data, gix_hash::Kind::Sha1);
    let parents = whole.parent_ids().collect();
    let time = whole.committer().ok().map_or(0, |committer| committer.seconds());
    Some((tree, parents, time))
}

struct Entry<'a> {
    name: Cow<'a, str>,
    id: ObjectId,
    is_tree: bool,
}

/// What a tree holds, without links and without other repositories.
fn entries(data: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut entries = Vec::new();
    for entry in TreeRefIter::from_bytes(data, gix_hash::Kind::Sha1) {
        let entry = entry.ok()?;
        if entry.mode.is_link() || entry.mode.is_commit() {
            continue;
        }
        entries.push(Entry {
            name: String::from_utf8_lossy(entry.filename),
            id: entry.oid.to_owned(),
            is_tree: entry.mode.is_tree(),
        });
    }
    Some(entries)
}
