//! The entries of a tar archive, as Go's archive/tar takes it apart: Flux writes and unpacks its archives with that.
//! What is content to Go is content here, and what Go would find somewhere else ends the reading, so that nothing can
//! hide between the two. Nothing of an archive is kept but the name of one entry.

use std::io::{self, BufRead, ErrorKind, Read};

use super::archive::stop;
use crate::secrets::Gap;

/// Headers, and the content between them, come in blocks of this size.
const BLOCK: usize = 512;
/// Most bytes of a long name or of extended records: Go reads no more.
const MOST_EXTENSION: u64 = 1024 * 1024;

/// An entry; its content follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What it is.
    pub(super) kind: Kind,
    /// Its name as written.
    pub(super) path: Vec<u8>,
    /// Bytes of content.
    pub(super) size: u64,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file. So is whatever has an unknown type: Flux unpacks it as one.
    File,
    /// A folder.
    Folder,
    /// A hard or a symbolic link.
    Link,
    /// A device or a pipe.
    Device,
}

impl Kind {
    /// What a type means; links, devices and folders have no content, whatever their headers say.
    fn of(flag: u8, path: &[u8]) -> Self {
        match flag {
            b'1' | b'2' => Self::Link,
            b'3' | b'4' | b'6' => Self::Device,
            b'5' => Self::Folder,
            0 if path.ends_with(b"/") => Self::Folder,
            _ => Self::File,
        }
    }
}

/// Takes an archive apart.
pub(super) struct Reader<R> {
    input: R,
    /// Content of the entry that was not read yet.
    content: u64,
    /// What fills its last block.
    padding: u64,
}

/// What stands before an entry and says more of it than its header has room for.
#[derive(Default)]
struct Extended {
    long_name: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: BufRead> Reader<R> {
    pub(super) const fn new(input: R) -> Self {
        Self {
            input,
            content: 0,
            padding: 0,
        }
    }

    /// The next entry; `None` at the end of the archive.
    ///
    /// # Errors
    /// The archive is broken or cut off, or its input fails.
    pub(super) fn entry(&mut self) -> io::Result<Option<Entry>> {
        let mut extended = Extended::default();
        loop {
            self.pass(self.content + self.padding)?;
            (self.content, self.padding) = (0, 0);
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            match header.flag() {
                b'x' => extended.read_records(&self.extension(header.size()?)?)?,
                b'L' => {
                    let name = until_nul(&self.extension(header.size()?)?).to_vec();
                    extended.long_name = Some(name).filter(|name| !name.is_empty());
                }
                b'K' => drop(self.extension(header.size()?)?),
                b'g' => {
                    drop(self.extension(header.size()?)?);
                    extended = Extended::default();
                }
                b'S' => return Err(stop(Gap::Sparse)),
                flag => return self.begin(flag, &header, extended).map(Some),
            }
        }
    }

    /// Up to so many bytes of the entry's content, appended to the buffer.
    ///
    /// # Errors
    /// The archive is cut off, or its input fails.
    pub(super) fn content(&mut self, most: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
        let wanted = self.content.min(most);
        let read = self.input.by_ref().take(wanted).read_to_end(buffer)?;
        self.content -= read as u64;
        if (read as u64) < wanted {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// What comes after the archive.
    pub(super) fn into_rest(self) -> R {
        self.input
    }

    fn begin(&mut self, flag: u8, header: &Header, extended: Extended) -> io::Result<Entry> {
        let path = extended.long_name.or(extended.path);
        let path = path.unwrap_or_else(|| header.path());
        let kind = Kind::of(flag, &path);
        let size = match kind {
            Kind::File => extended.size.map_or_else(|| header.size(), Ok)?,
            Kind::Folder | Kind::Link | Kind::Device => 0,
        };
        self.expect(size);
        Ok(Entry { kind, path, size })
    }

    /// Content of this size follows.
    fn expect(&mut self, size: u64) {
        self.content = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    /// Records or a long name.
    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MOST_EXTENSION {
            return Err(stop(Gap::Broken));
        }
        self.expect(size);
        let mut extension = Vec::new();
        self.content(size, &mut extension)?;
        Ok(extension)
    }

    /// The next header; `None` at the end: two blocks of zeros, or nothing more.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        if !is_zero(&block) {
            return Header::new(&block).map(Some);
        }
        match self.block()? {
            Some(block) if !is_zero(&block) => Err(stop(Gap::Broken)),
            _ => Ok(None),
        }
    }

    /// The next block; `None`: there is nothing more.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(block))
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        let mut left = bytes;
        while left > 0 {
            let length = match self.input.fill_buf() {
                Ok([]) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(there) => there.len(),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let passed = usize::try_from(left).map_or(length, |left| left.min(length));
            self.input.consume(passed);
            left -= passed as u64;
        }
        Ok(())
    }
}

impl Extended {
    /// Reads `length key=value` records; the last set of them counts, and an empty value says nothing.
    fn read_records(&mut self, mut records: &[u8]) -> io::Result<()> {
        (self.path, self.size) = (None, None);
        while !records.is_empty() {
            let (key, value, rest) = record(records).ok_or_else(|| stop(Gap::Broken))?;
            records = rest;
            if value.is_empty() {
                continue;
            }
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"size" => self.size = Some(decimal(value).ok_or_else(|| stop(Gap::Broken))?),
                _ if key.starts_with(b"GNU.sparse.") => return Err(stop(Gap::Sparse)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The first record, and the others.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&records[..space])?).ok()?;
    let record = records.get(space + 1..length)?;
    let (newline, record) = record.split_last()?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    (*newline == b'\n').then_some((&record[..equals], &record[equals + 1..], &records[length..]))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .parse::<i64>()
        .ok()
        .filter(|_| is_plain)
        .map(i64::unsigned_abs)
}

/// A header, its checksum verified.
struct Header([u8; BLOCK]);

impl Header {
    fn new(block: &[u8; BLOCK]) -> io::Result<Self> {
        let header = Self(*block);
        if !header.has_its_checksum() {
            return Err(stop(Gap::Broken));
        }
        Ok(header)
    }

    const fn flag(&self) -> u8 {
        self.0[156]
    }

    fn path(&self) -> Vec<u8> {
        let name = until_nul(&self.0[..100]);
        let prefix = match &self.0[257..265] {
            b"ustar\x0000" if self.0[508..] == *b"tar\0" => until_nul(&self.0[345..476]),
            b"ustar\x0000" => until_nul(&self.0[345..500]),
            _ => b"",
        };
        match prefix {
            [] => name.to_vec(),
            _ => [prefix, b"/", name].concat(),
        }
    }

    fn size(&self) -> io::Result<u64> {
        number(&self.0[124..136]).ok_or_else(|| stop(Gap::Broken))
    }

    /// The sum of all bytes, with spaces in place of itself. Some programs took bytes for signed.
    fn has_its_checksum(&self) -> bool {
        let Some(wanted) = number(&self.0[148..156]).and_then(|sum| i64::try_from(sum).ok()) else {
            return false;
        };
        let own = &self.0[148..156];
        let unsigned = sum(&self.0) - sum(own) + 8 * i64::from(b' ');
        if wanted == unsigned {
            return true;
        }
        let is_negative = |byte: &&u8| **byte >= 0x80;
        let negative = self.0.iter().filter(is_negative).count() - own.iter().filter(is_negative).count();
        i64::try_from(negative).is_ok_and(|negative| wanted == unsigned - 256 * negative)
    }
}

/// The sum of bytes, four of eight at a time. There are not so many that the sum of one in eight is beyond its room.
fn sum(bytes: &[u8]) -> i64 {
    const EVERY_SECOND: u64 = 0x00ff_00ff_00ff_00ff;
    let (eights, rest) = bytes.as_chunks::<8>();
    let fours = eights.iter().map(|eight| {
        let eight = u64::from_ne_bytes(*eight);
        (eight & EVERY_SECOND) + (eight >> 8 & EVERY_SECOND)
    });
    let fours: u64 = fours.sum();
    let sum = [0, 16, 32, 48].map(|at| fours >> at & 0xffff).iter().sum::<u64>();
    let rest: u64 = rest.iter().map(|byte| u64::from(*byte)).sum();
    (sum + rest).cast_signed()
}

/// Octal digits between blanks, or a binary number when the first bit is set. A negative one is none.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let mut number = u64::from(first & 0x7f);
        for byte in rest {
            number = number.checked_mul(256)? | u64::from(*byte);
        }
        return i64::try_from(number).ok().map(i64::unsigned_abs);
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_blank(byte));
    let Some(start) = start else {
        return Some(0);
    };
    let end = field.iter().rposition(|byte| !is_blank(byte))?;
    let mut number = 0_u64;
    for byte in until_nul(&field[start..=end]) {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 8)?;
        number = number.checked_mul(8)? + u64::from(digit);
    }
    i64::try_from(number).ok().map(i64::unsigned_abs)
}

fn until_nul(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}
