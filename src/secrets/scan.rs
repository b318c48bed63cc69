//! Takes in the files of a tree.

use super::tree::{Coverage, Gap, Tree};

/// No longer file is looked at; Flux decrypts none that is longer either.
pub const LONGEST_FILE: usize = 5 * 1024 * 1024;

/// A scan of one tree. Its memory grows with what it finds, and no further than it is allowed to.
#[derive(Default)]
pub struct Scan {
    coverage: Coverage,
}

impl Scan {
    /// Takes in a file. The order of files does not matter; a path that comes twice is looked at twice.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        if bytes.len() > LONGEST_FILE {
            self.coverage.note(Gap::TooLarge, path);
            return;
        }
        self.coverage.files += 1;
        self.coverage.bytes += bytes.len() as u64;
    }

    /// Puts down a file that cannot be handed over, and why.
    pub fn not_read(&mut self, path: &str, gap: Gap) {
        self.coverage.note(gap, path);
    }

    /// What the tree has.
    #[must_use]
    pub fn finish(self) -> Tree {
        Tree {
            coverage: self.coverage,
            ..Tree::default()
        }
    }
}
