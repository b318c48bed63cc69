//! Packs archives, also such as no program makes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// An archive on its way.
#[derive(Clone, Default)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    /// A file.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(name.as_bytes(), b'0', content.as_ref())
    }

    /// An entry of any type, whose header tells the size of its content.
    pub(crate) fn entry(self, name: &[u8], flag: u8, content: &[u8]) -> Self {
        let size = content.len() as u64;
        self.header(name, flag, size).raw(content)
    }

    /// A header alone.
    pub(crate) fn header(self, name: &[u8], flag: u8, size: u64) -> Self {
        self.raw(&header(name, flag, size))
    }

    /// Extended records before the next entry.
    pub(crate) fn records(self, records: &[(&str, &str)]) -> Self {
        let records: String = records.iter().map(|(key, value)| record(key, value)).collect();
        self.entry(b"records", b'x', records.as_bytes())
    }

    /// Anything, filled up to a block.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        let filled = self.0.len().next_multiple_of(512);
        self.0.resize(filled, 0);
        self
    }

    /// Ends it and compresses it.
    pub(crate) fn gz(&self) -> Vec<u8> {
        self.packed(Compression::fast())
    }

    /// The same, as well compressed as this.
    pub(crate) fn packed(&self, level: Compression) -> Vec<u8> {
        compress(&[&self.0[..], &[0; 1024]].concat(), level)
    }
}

pub(crate) fn header(name: &[u8], flag: u8, size: u64) -> [u8; 512] {
    let mut block = [0_u8; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..107].copy_from_slice(b"0000644");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    sum(&mut block);
    block
}

/// Writes the checksum of a header.
pub(crate) fn sum(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    compress(bytes, Compression::fast())
}

/// As few bytes as it goes.
pub(crate) fn bomb(bytes: &[u8]) -> Vec<u8> {
    compress(bytes, Compression::best())
}

fn compress(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// `length key=value`, where the length counts itself.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length.to_string().len() + rest.len() != length {
        length += 1;
    }
    format!("{length}{rest}")
}
