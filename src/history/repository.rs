//! A Git repository on disk: its references and its objects. Nothing of it is run, and nothing is written to it.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gix_hash::ObjectId;
use gix_object::{Find, FindHeader, Kind};
use rustc_hash::FxHashMap;

use super::HistoryError;

/// What one object may take in memory.
pub(super) const LARGEST_OBJECT: usize = 64 * 1024 * 1024;
/// What a thread keeps of what deltas are made from.
const CACHE: usize = 48 * 1024 * 1024;
/// References that are read, and how deep their names go.
const MOST_REFS: usize = 200_000;
const DEEPEST_REF: usize = 32;
/// How often a reference may lead to another one.
const MOST_HOPS: usize = 8;

/// Why an object is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lack {
    /// The repository does not have it.
    Missing,
    /// It cannot be read.
    Corrupt,
    /// It is larger than is looked at.
    TooLarge,
}

/// A place that has objects and references.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    objects: PathBuf,
    /// Names and what they lead to.
    pub(super) refs: BTreeMap<String, ObjectId>,
    /// What HEAD leads to.
    pub(super) head: Option<ObjectId>,
    /// Commits whose parents are not there on purpose.
    pub(super) shallow: Vec<ObjectId>,
    /// Where it was cloned from.
    pub(super) origin: Option<String>,
}

impl Repository {
    /// Opens a bare repository, the `.git` of a clone, or the clone itself.
    pub(super) fn open(path: &Path) -> Result<Self, HistoryError> {
        let git = git_dir(path)?;
        // Worktrees share what they have with the clone that they are of.
        let common = match fs::read_to_string(git.join("commondir")) {
            Ok(text) => git.join(text.trim()),
            Err(_) => git.clone(),
        };
        let config = fs::read_to_string(common.join("config")).unwrap_or_default();
        refuse_others(&config)?;
        let mut named = BTreeMap::new();
        packed_refs(&common.join("packed-refs"), &mut named)?;
        loose_refs(&common.join("refs"), "refs", 0, &mut named)?;
        let head = fs::read_to_string(git.join("HEAD")).ok();
        let head = head.and_then(|text| resolve(text.trim(), &named));
        let refs = named.iter();
        let refs = refs.filter_map(|(name, target)| Some((name.clone(), resolve(target, &named)?)));
        let shallow = fs::read_to_string(common.join("shallow")).unwrap_or_default();
        Ok(Self {
            objects: common.join("objects"),
            refs: refs.collect(),
            head,
            shallow: shallow.lines().filter_map(id).collect(),
            origin: origin(&config),
        })
    }

    /// A repository whose objects are in this folder, and whose references somebody else has told.
    pub(super) fn of_objects(objects: PathBuf, refs: BTreeMap<String, ObjectId>) -> Self {
        Self {
            objects,
            head: refs.get("HEAD").copied(),
            refs: refs.into_iter().filter(|(name, _)| name != "HEAD").collect(),
            shallow: Vec::new(),
            origin: None,
        }
    }

    /// The objects, for one thread.
    pub(super) fn objects(&self) -> Result<Objects, HistoryError> {
        let options = gix_odb::store::init::Options {
            alloc_limit_bytes: Some(LARGEST_OBJECT),
            ..Default::default()
        };
        let mut handle = gix_odb::at_opts(&self.objects, gix_hash::Kind::Sha1, None, options)
            .map_err(|source| unreadable(&self.objects, source))?;
        handle.set_pack_cache(|| Box::new(Bases::default()));
        // What is missing is missing: nobody else writes here.
        handle.refresh_never();
        Ok(Objects {
            handle,
            buffer: Vec::new(),
        })
    }
}

/// Reads objects.
pub(super) struct Objects {
    handle: gix_odb::Handle,
    buffer: Vec<u8>,
}

impl Objects {
    /// An object, whatever it is.
    pub(super) fn find(&mut self, id: &ObjectId) -> Result<(Kind, &[u8]), Lack> {
        let is_too_large = |handle: &gix_odb::Handle| {
            let header = handle.try_header(id).ok().flatten();
            header.is_some_and(|header| header.size > LARGEST_OBJECT as u64)
        };
        match self.handle.try_find(id, &mut self.buffer) {
            Ok(Some(data)) => Ok((data.kind, data.data)),
            Ok(None) => Err(Lack::Missing),
            Err(_) if is_too_large(&self.handle) => Err(Lack::TooLarge),
            Err(_) => Err(Lack::Corrupt),
        }
    }
}

/// An object, how large it is in its pack, and its bytes.
type Base = (Kind, usize, Box<[u8]>);

/// What deltas are made from, the last of it.
#[derive(Default)]
struct Bases {
    known: FxHashMap<(u32, u64), Base>,
    order: VecDeque<(u32, u64)>,
    bytes: usize,
}

impl gix_odb::pack::cache::DecodeEntry for Bases {
    fn put(&mut self, pack: u32, offset: u64, data: &[u8], kind: Kind, compressed: usize) {
        if data.len() > CACHE / 8 || self.known.contains_key(&(pack, offset)) {
            return;
        }
        self.bytes += data.len();
        while self.bytes > CACHE
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.known.remove(&oldest);
            self.bytes -= gone.map_or(0, |(_, _, data)| data.len());
        }
        self.order.push_back((pack, offset));
        self.known.insert((pack, offset), (kind, compressed, data.into()));
    }

    fn get(&mut self, pack: u32, offset: u64, out: &mut Vec<u8>) -> Option<(Kind, usize)> {
        let (kind, compressed, data) = self.known.get(&(pack, offset))?;
        out.clear();
        out.extend_from_slice(data);
        Some((*kind, *compressed))
    }
}

/// Where a repository has what it has.
fn git_dir(path: &Path) -> Result<PathBuf, HistoryError> {
    if path.join("objects").is_dir() && path.join("HEAD").is_file() {
        return Ok(path.to_owned());
    }
    let git = path.join(".git");
    if git.is_dir() {
        return git_dir(&git);
    }
    // A worktree or a submodule says where.
    if let Ok(text) = fs::read_to_string(&git)
        && let Some(there) = text.trim().strip_prefix("gitdir:")
    {
        return Ok(path.join(there.trim()));
    }
    Err(HistoryError::NoRepository(path.to_owned()))
}

/// Objects with other ids, and references that are not files, are not read.
fn refuse_others(config: &str) -> Result<(), HistoryError> {
    for line in config.lines() {
        let setting: String = line.split_whitespace().collect::<String>().to_ascii_lowercase();
        if setting == "objectformat=sha256" {
            return Err(HistoryError::Unsupported("object ids of SHA-256"));
        }
        if setting.starts_with("refstorage=") && setting != "refstorage=files" {
            return Err(HistoryError::Unsupported(
                "references that are kept in a reftable",
            ));
        }
    }
    Ok(())
}

/// The address of `remote.origin`.
fn origin(config: &str) -> Option<String> {
    let mut is_origin = false;
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            is_origin = line.replace(char::is_whitespace, "") == "[remote\"origin\"]";
        } else if is_origin
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == "url"
        {
            return Some(value.trim().trim_matches('"').to_owned());
        }
    }
    None
}

fn packed_refs(path: &Path, refs: &mut BTreeMap<String, String>) -> Result<(), HistoryError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(path, error)),
    };
    for line in String::from_utf8_lossy(&text).lines() {
        if let Some((target, name)) = line.split_once(' ')
            && !line.starts_with('#')
        {
            put(refs, name.to_owned(), target.to_owned())?;
        }
    }
    Ok(())
}

/// Files count more than lines of `packed-refs`.
fn loose_refs(
    folder: &Path,
    prefix: &str,
    depth: usize,
    refs: &mut BTreeMap<String, String>,
) -> Result<(), HistoryError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(folder, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, error))?;
        let path = entry.path();
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        // A link leads nowhere that has to be read.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth < DEEPEST_REF {
            loose_refs(&path, &name, depth + 1, refs)?;
        } else if kind.is_file() {
            let text = fs::read(&path).map_err(|error| unreadable(&path, error))?;
            put(refs, name, String::from_utf8_lossy(&text).trim().to_owned())?;
        }
    }
    Ok(())
}

fn put(refs: &mut BTreeMap<String, String>, name: String, target: String) -> Result<(), HistoryError> {
    refs.insert(name, target);
    if refs.len() > MOST_REFS {
        return Err(HistoryError::TooManyRefs(MOST_REFS));
    }
    Ok(())
}

/// The object that a reference leads to.
fn resolve(target: &str, refs: &BTreeMap<String, String>) -> Option<ObjectId> {
    let mut target = target;
    for _ in 0..MOST_HOPS {
        match target.strip_prefix("ref:") {
            None => return id(target),
            Some(name) => target = refs.get(name.trim())?,
        }
    }
    None
}

pub(super) fn id(text: &str) -> Option<ObjectId> {
    ObjectId::from_hex(text.trim().as_bytes()).ok()
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> HistoryError {
    HistoryError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        assert!(refuse_others("[core]\n\trepositoryformatversion = 0\n").is_ok());
        for (config, what) in [
            ("[extensions]\n\tobjectFormat = sha256\n", "SHA-256"),
            ("[extensions]\n\trefStorage = reftable\n", "reftable"),
        ] {
            let error = refuse_others(config).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn the_origin_is_that_of_the_remote() {
        let config = "[remote \"upstream\"]\n\turl = https://a/b\n[remote \"origin\"]\n\turl = https://c/d\n";
        assert_eq!(origin(config).as_deref(), Some("https://c/d"));
        assert_eq!(origin("[core]\n\turl = https://a/b\n"), None);
    }

    #[test]
    fn a_reference_that_leads_to_itself_leads_nowhere() {
        let refs = BTreeMap::from([("refs/a".to_owned(), "ref: refs/a".to_owned())]);
        assert_eq!(resolve("ref: refs/a", &refs), None);
        assert_eq!(resolve("ref: refs/b", &refs), None);
    }
}
