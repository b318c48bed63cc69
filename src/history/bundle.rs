//! A bundle of Git (`git bundle create FILE --all`): references and all objects in one file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use gix_hash::ObjectId;
use gix_pack::bundle::write::Options;

use super::HistoryError;
use super::repository::{LARGEST_OBJECT, Repository, id, unreadable};

/// Lines before the objects begin, and the bytes of each.
const MOST_LINES: usize = 200_000;
const LONGEST_LINE: u64 = 8 * 1024;

/// A bundle that was taken apart. The folder goes with it.
pub(super) struct Bundle {
    pub(super) repository: Repository,
    _folder: Folder,
}

/// A folder that nobody else may read, and that is removed in the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is in the folder for what may be removed.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Bundle {
    pub(super) fn open(path: &Path) -> Result<Self, HistoryError> {
        let file = File::open(path).map_err(|source| unreadable(path, source))?;
        let mut input = BufReader::with_capacity(128 * 1024, file);
        let refs = header(path, &mut input)?;
        let folder = folder()?;
        let packs = folder.0.join("pack");
        fs::create_dir(&packs).map_err(|source| unreadable(&packs, source))?;
        let options = Options {
            alloc_limit_bytes: Some(LARGEST_OBJECT),
            ..Options::default()
        };
        let nothing: Option<gix_object::find::Never> = None;
        gix_pack::Bundle::write_to_directory(
            &mut input,
            Some(packs.as_path()),
            &mut gix_utils::progress::Discard,
            &AtomicBool::new(false),
            nothing,
            gix_hash::Kind::Sha1,
            options,
        )
        .map_err(|_| HistoryError::BrokenBundle(path.to_owned()))?;
        Ok(Self {
            repository: Repository::of_objects(folder.0.clone(), refs),
            _folder: folder,
        })
    }
}

/// The references.
fn header(path: &Path, input: &mut impl BufRead) -> Result<BTreeMap<String, ObjectId>, HistoryError> {
    let broken = || HistoryError::NoBundle(path.to_owned());
    let mut next = || -> Result<String, HistoryError> {
        let mut line = Vec::new();
        let mut bounded = std::io::Read::take(&mut *input, LONGEST_LINE);
        let read = bounded.read_until(b'\n', &mut line);
        read.map_err(|source| unreadable(path, source))?;
        let line = line.strip_suffix(b"\n").ok_or_else(broken)?;
        Ok(String::from_utf8_lossy(line).into_owned())
    };
    if !matches!(next()?.as_str(), "# v2 git bundle" | "# v3 git bundle") {
        return Err(broken());
    }
    let mut refs = BTreeMap::new();
    for _ in 0..MOST_LINES {
        let line = next()?;
        if line.is_empty() {
            return Ok(refs);
        }
        match line.as_bytes()[0] {
            b'@' if line == "@object-format=sha1" => {}
            b'@' if line.starts_with("@object-format=") => {
                return Err(HistoryError::Unsupported("object ids of SHA-256"));
            }
            b'@' | b'-' => return Err(HistoryError::PartialBundle(path.to_owned())),
            _ => {
                let (target, name) = line.split_once(' ').ok_or_else(broken)?;
                refs.insert(name.to_owned(), id(target).ok_or_else(broken)?);
            }
        }
    }
    Err(broken())
}

fn folder() -> Result<Folder, HistoryError> {
    use std::os::unix::fs::DirBuilderExt;
    let base = std::env::temp_dir();
    for attempt in 0..100_u32 {
        let path = base.join(format!("fluxsec-{}-{attempt}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(Folder(path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unreadable(&path, error)),
        }
    }
    let taken = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
    Err(unreadable(&base, taken))
}
