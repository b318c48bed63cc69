//! What holds for any bundle of Git. Its objects are written as text, and packed here: a fuzzer would get no digest right.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use flux_security_operator::history::{self, Key, Place};
use gix_hash::{Kind, ObjectId, hasher};
use k8s_openapi::jiff::Timestamp;

/// Between two objects.
const BETWEEN: &[u8] = b"\n%%\n";
/// Objects of one bundle.
const MOST_OBJECTS: usize = 40;

/// Scans a bundle. Panics when something does not hold.
///
/// Each object begins with the letter of what it is: `c`ommit, `t`ree, `b`lob, ta`g`, `o` for a delta on the object before and
/// `r` for one on the first. Capitals: four bytes follow that say how long it is, true or not. `@0` to `@9` become the id
/// of that object, `#0` to `#9` its bytes.
#[allow(dead_code, reason = "each fuzz target uses its own part")]
pub(crate) fn for_histories(bytes: &[u8]) {
    let file = Temporary::new(&bundle(bytes));
    let key = Key::new(b"0123456789abcdef").expect("it is long enough");
    let scan = || history::scan(Place::Bundle(&file.0), None, &key, Timestamp::UNIX_EPOCH);
    let Ok(report) = scan() else {
        return;
    };
    assert_eq!(report.complete, report.lacks.is_empty(), "{:?}", report.lacks);
    for finding in &report.findings {
        assert!(finding.line > 0 && finding.versions > 0, "{finding:?}");
        assert_eq!(finding.blob.len(), 40, "{finding:?}");
    }
    assert_eq!(
        scan().ok().as_ref(),
        Some(&report),
        "another time it is another result"
    );
}

/// A file that is there for a while.
struct Temporary(PathBuf);

impl Temporary {
    fn new(bytes: &[u8]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("fluxsec-fuzz-{}-{number}", process::id()));
        fs::write(&path, bytes).expect("there is room for it");
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn bundle(bytes: &[u8]) -> Vec<u8> {
    let parts = parts(bytes);
    let mut ids = Vec::new();
    let mut places = Vec::new();
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend(u32::try_from(parts.len()).unwrap_or(0).to_be_bytes());
    for part in &parts {
        let (kind, rest) = part.split_first().unwrap_or((&b'b', &[]));
        let (claimed, rest) = match rest.split_first_chunk() {
            Some((claimed, rest)) if kind.is_ascii_uppercase() => (Some(u32::from_be_bytes(*claimed)), rest),
            _ => (None, rest),
        };
        let content = with_ids(rest, &ids);
        let size = claimed.map_or(content.len(), |claimed| claimed as usize);
        let begin = pack.len();
        match kind.to_ascii_lowercase() {
            b'o' if !places.is_empty() => {
                head(&mut pack, 6, size);
                distance(&mut pack, begin - places[places.len() - 1]);
            }
            b'r' if !ids.is_empty() => {
                head(&mut pack, 7, size);
                pack.extend(ids[0].as_slice());
            }
            b'c' => head(&mut pack, 1, size),
            b't' => head(&mut pack, 2, size),
            b'g' => head(&mut pack, 4, size),
            _ => head(&mut pack, 3, size),
        }
        let mut deflated = ZlibEncoder::new(&mut pack, Compression::fast());
        deflated
            .write_all(&content)
            .expect("memory takes what is written");
        deflated.finish().expect("memory takes what is written");
        places.push(begin);
        ids.push(id(*kind, &content));
    }
    let mut sum = hasher(Kind::Sha1);
    sum.update(&pack);
    pack.extend(sum.try_finalize().expect("no collision").as_slice());
    let mut bundle = "# v2 git bundle\n".to_owned();
    for (name, id) in ["refs/heads/main", "refs/tags/a"].iter().zip(ids.iter().rev()) {
        let _ = writeln!(bundle, "{id} {name}");
    }
    bundle.push('\n');
    [bundle.into_bytes(), pack].concat()
}

fn parts(bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while parts.len() + 1 < MOST_OBJECTS
        && let Some(end) = rest.windows(BETWEEN.len()).position(|it| it == BETWEEN)
    {
        parts.push(&rest[..end]);
        rest = &rest[end + BETWEEN.len()..];
    }
    parts.push(rest);
    parts
}

fn with_ids(text: &[u8], ids: &[ObjectId]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        let number = bytes.peek().and_then(|next| char::from(**next).to_digit(10));
        match (byte, number.and_then(|number| ids.get(number as usize))) {
            (b'@', Some(id)) => content.extend(id.to_string().bytes()),
            (b'#', Some(id)) => content.extend(id.as_slice()),
            _ => {
                content.push(*byte);
                continue;
            }
        }
        bytes.next();
    }
    content
}

fn id(kind: u8, content: &[u8]) -> ObjectId {
    let kind = match kind.to_ascii_lowercase() {
        b'c' => "commit",
        b't' => "tree",
        b'g' => "tag",
        _ => "blob",
    };
    let mut sum = hasher(Kind::Sha1);
    sum.update(format!("{kind} {}\0", content.len()).as_bytes());
    sum.update(content);
    sum.try_finalize().expect("no collision")
}

/// What an object is, and how long.
fn head(pack: &mut Vec<u8>, kind: u8, size: usize) {
    let low = |bits: usize, size: usize| u8::try_from(size & ((1 << bits) - 1)).unwrap_or(0);
    let mut byte = kind << 4 | low(4, size);
    let mut left = size >> 4;
    while left > 0 {
        pack.push(byte | 0x80);
        byte = low(7, left);
        left >>= 7;
    }
    pack.push(byte);
}

/// How far before it is what a delta is made from.
fn distance(pack: &mut Vec<u8>, distance: usize) {
    let low = |size: usize| u8::try_from(size & 0x7f).unwrap_or(0);
    let mut bytes = vec![low(distance)];
    let mut left = distance >> 7;
    while left > 0 {
        left -= 1;
        bytes.push(0x80 | low(left));
        left >>= 7;
    }
    bytes.reverse();
    pack.extend(bytes);
}
