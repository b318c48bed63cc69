//! Reads an archive as it comes in: gzip, then tar, then each file into a scan. There is never more of it in memory than
//! one file, whatever it says of itself; what is beyond a bound is a gap of the scan.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::time::{Duration, Instant};

use flate2::bufread::MultiGzDecoder;

use super::tar::{Entry, Kind, Reader};
use crate::secrets::{Gap, LONGEST_FILE, Scan};

/// What gaps of an archive are named after that are of no entry.
pub(super) const ARCHIVE: &str = "the archive";
/// How much is inflated at once.
const CHUNK: usize = 64 * 1024;
/// Up to this size nobody asks how well it was compressed.
const SMALL: u64 = 16 * 1024 * 1024;

/// How far an archive is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that it inflates to.
    pub inflated: u64,
    /// Bytes that each of its bytes inflates to.
    pub ratio: u64,
    /// Entries.
    pub entries: u32,
    /// Bytes of a path.
    pub path: usize,
    /// How long it may take, with the time that its bytes take to come.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inflated: 512 * 1024 * 1024,
            ratio: 200,
            entries: 100_000,
            path: 1024,
            time: Duration::from_mins(2),
        }
    }
}

/// Takes in what an archive has.
pub trait Files {
    /// A file.
    fn file(&mut self, path: &str, content: &[u8]);
    /// Something that cannot be handed over, and why.
    fn not_read(&mut self, path: &str, gap: Gap);
}

impl Files for Scan {
    fn file(&mut self, path: &str, content: &[u8]) {
        Self::file(self, path, content);
    }

    fn not_read(&mut self, path: &str, gap: Gap) {
        Self::not_read(self, path, gap);
    }
}

/// Takes an archive apart. Whatever is wrong with it is a gap; it need not be read to its end.
pub fn read(archive: impl BufRead, limits: &Limits, files: &mut impl Files) {
    let until = Instant::now() + limits.time;
    let received = Received {
        archive,
        bytes: 0,
        until,
    };
    let inflated = Inflated {
        decoder: MultiGzDecoder::new(received),
        bytes: 0,
        limits,
    };
    let mut reader = Reader::new(BufReader::with_capacity(CHUNK, inflated));
    let end = entries(&mut reader, limits, files).and_then(|()| nothing_more(reader.into_rest()));
    if let Err(error) = end {
        files.not_read(ARCHIVE, reason(&error));
    }
}

fn entries<R: BufRead>(reader: &mut Reader<R>, limits: &Limits, files: &mut impl Files) -> io::Result<()> {
    let mut content = Vec::new();
    let mut count = 0;
    while let Some(entry) = reader.entry()? {
        count += 1;
        if count > limits.entries {
            return Err(stop(Gap::TooMany));
        }
        let (path, is_plain) = name(&entry, limits.path);
        match entry.kind {
            Kind::Folder => {}
            Kind::Link | Kind::Device => files.not_read(&path, Gap::Special),
            Kind::File if entry.size > LONGEST_FILE as u64 => files.not_read(&path, Gap::TooLarge),
            Kind::File => {
                content.clear();
                reader.content(entry.size, &mut content)?;
                // Where it says that it goes is of no matter here: it is looked at all the same.
                files.file(&path, &content);
                if !is_plain {
                    files.not_read(&path, Gap::Name);
                }
            }
        }
    }
    Ok(())
}

/// The name of an entry as text, and whether it is one that Flux unpacks.
fn name(entry: &Entry, most: usize) -> (String, bool) {
    let path = entry.path.strip_prefix(b"./").unwrap_or(&entry.path);
    let kept = &path[..path.len().min(most)];
    let text = String::from_utf8_lossy(kept).into_owned();
    let is_odd = kept.len() < path.len()
        || text.is_empty()
        || text.starts_with('/')
        || text.contains(['\\', '\0'])
        || text.split('/').any(|part| part == "..");
    (text, !is_odd)
}

/// Behind the end of an archive there are zeros. What else is there is delivered by nobody, and stands there all the
/// same.
fn nothing_more(mut rest: impl BufRead) -> io::Result<()> {
    loop {
        let bytes = match rest.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if of_limit(&error).is_some() => return Err(error),
            Err(_) => return Err(stop(Gap::Trailing)),
        };
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(stop(Gap::Trailing));
        }
        let length = bytes.len();
        rest.consume(length);
    }
}

/// The bytes of the archive, as long as there is time.
struct Received<R> {
    archive: R,
    bytes: u64,
    until: Instant,
}

impl<R: BufRead> Read for Received<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Received<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if Instant::now() > self.until {
            return Err(stop(Gap::Time));
        }
        self.archive.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes += amount as u64;
        self.archive.consume(amount);
    }
}

/// What the archive inflates to, as long as that is not too much. Members that follow each other are one stream, as in
/// Go.
struct Inflated<'a, R> {
    decoder: MultiGzDecoder<Received<R>>,
    bytes: u64,
    limits: &'a Limits,
}

impl<R: BufRead> Read for Inflated<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = self.decoder.get_ref();
        if received.until < Instant::now() {
            return Err(stop(Gap::Time));
        }
        let of_ratio = received.bytes.saturating_mul(self.limits.ratio).max(SMALL);
        if self.bytes > self.limits.inflated.min(of_ratio) {
            return Err(stop(Gap::Bomb));
        }
        let read = self.decoder.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// A bound that was met, on its way through the readers.
#[derive(Debug)]
struct Stop(Gap);

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for Stop {}

/// Ends the reading.
pub(super) fn stop(gap: Gap) -> io::Error {
    io::Error::other(Stop(gap))
}

/// Why the reading ended. What the readers say themselves may quote the archive, and is not told.
fn reason(error: &io::Error) -> Gap {
    of_limit(error).unwrap_or(match error.kind() {
        ErrorKind::UnexpectedEof => Gap::Truncated,
        _ => Gap::Broken,
    })
}

fn of_limit(error: &io::Error) -> Option<Gap> {
    let inner = error.get_ref()?.downcast_ref::<Stop>();
    inner.map(|stop| stop.0)
}
