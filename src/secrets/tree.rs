//! What a tree of files has: leaks, ciphertext and its recipients, and what was not looked into.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::api::Severity;

use super::inline::Trace;
use super::layout::{self, Builds};

/// What came of a scan. It holds no value of a secret, nor a part or a hash of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Secrets in plain text, by file and line; the first of them.
    pub leaks: Box<[Leak]>,
    /// How many more there are.
    pub more_leaks: u64,
    /// What is encrypted with SOPS.
    pub encrypted: Box<[Encrypted]>,
    /// How much was looked at.
    pub coverage: Coverage,
    pub(super) builds: Builds,
    /// Where the paths of Flux may begin, when that is not the tree itself.
    pub(super) roots: Box<[Box<str>]>,
    pub(super) folders: HashSet<u64>,
}

/// A secret in plain text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// Path within the tree.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// Who should have seen it.
    pub class: Class,
    /// What gives it away.
    pub trace: Trace,
    /// The object that it is in, as `Secret apps/db`; empty: none is known.
    pub object: Box<str>,
    /// Path of its field within the object; empty: none is known.
    pub field: Box<str>,
    /// How sure that is.
    pub certainty: Certainty,
    /// How bad it is; `None`: as bad as its control says.
    pub severity: Option<Severity>,
}

/// Where a leak belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Data of a Secret, or what kustomize makes one of.
    Secret,
    /// A file that SOPS has encrypted, and somebody has edited, or that SOPS was told to leave in part.
    Sops,
    /// A field of an object of Flux.
    FluxObject,
    /// A credential anywhere else.
    Credential,
}

/// How sure it is that something is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// The shape leaves no doubt.
    Certain,
    /// Its name says so.
    Likely,
}

/// Something that SOPS has encrypted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Encrypted {
    /// Path within the tree.
    pub file: Arc<str>,
    /// Line of its first document, from 1.
    pub line: u32,
    /// How it is written.
    pub format: Format,
    /// Namespace of the object, as far as that is readable; empty: none is known.
    pub namespace: Box<str>,
    /// Whether it is a Secret.
    pub is_secret: bool,
    /// Who can decrypt it.
    pub recipients: Arc<[Recipient]>,
    /// 64 bits of a digest of its authentication code, which a copy has, too. The code is no secret.
    pub code: u64,
}

impl Encrypted {
    /// Whether it needs no key management: whoever decrypts it has a key of age or PGP.
    #[must_use]
    pub fn is_for_keys_alone(&self) -> bool {
        let is_key = |recipient: &Recipient| !matches!(recipient, Recipient::Managed(_));
        !self.recipients.is_empty() && self.recipients.iter().all(is_key)
    }
}

impl Recipient {
    /// As SOPS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Age(text) | Self::Pgp(text) | Self::Managed(text) => text,
        }
    }
}

/// How ciphertext is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
    /// `NAME=value`.
    Dotenv,
    /// Sections of such lines.
    Ini,
    /// An envelope in JSON around anything.
    Binary,
}

/// Who can decrypt, as SOPS writes it down in clear.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipient {
    /// A public key of age.
    Age(Box<str>),
    /// A fingerprint of PGP.
    Pgp(Box<str>),
    /// A key of a key management: AWS, Google, Azure, Vault or another.
    Managed(Box<str>),
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age(key) => write!(f, "the age key {key}"),
            Self::Pgp(fingerprint) => write!(f, "the PGP key {fingerprint}"),
            Self::Managed(key) => write!(f, "the managed key {key}"),
        }
    }
}

/// How much of a tree was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Files that were looked at.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was not looked into: how many, and the first by name.
    pub gaps: BTreeMap<Gap, (u64, Box<str>)>,
}

/// Why something was not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Larger than [`super::LONGEST_FILE`].
    TooLarge,
    /// Neither text nor a picture or a font.
    Binary,
    /// Not UTF-8.
    NotText,
    /// A document that is nested deeper, or has more parts, than is looked at.
    TooComplex,
    /// More than is kept of a tree.
    TooMuch,
    /// The name of a file is none that is looked at.
    Name,
    /// What should have been read could not be.
    Unreadable,
    /// A selector of SOPS that is not understood.
    Selector,
    /// Neither a file nor a folder: a link or a device.
    Special,
    /// A file with holes, which archives can hold and Flux does not make.
    Sparse,
    /// An archive that is cut off.
    Truncated,
    /// What is no archive, or none that Flux could unpack.
    Broken,
    /// An archive that inflates to more than is looked at.
    Bomb,
    /// An archive with more entries than are looked at.
    TooMany,
    /// What stands behind the end of an archive.
    Trailing,
    /// An archive that took too long.
    Time,
    /// An archive with a digest that cannot be verified here.
    Unverified,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "too large",
            Self::Binary => "binary",
            Self::NotText => "not UTF-8",
            Self::TooComplex => "nested too deeply or too long",
            Self::TooMuch => "more than is kept",
            Self::Name => "named in a way that is not looked at",
            Self::Unreadable => "not readable",
            Self::Selector => "encrypted with a selector that is not understood",
            Self::Special => "a link or a device",
            Self::Sparse => "a file with holes",
            Self::Truncated => "cut off",
            Self::Broken => "not as Flux could unpack it",
            Self::Bomb => "it inflates to too much",
            Self::TooMany => "too many entries",
            Self::Trailing => "something stands behind its end",
            Self::Time => "it took too long",
            Self::Unverified => "its digest cannot be verified here",
        })
    }
}

impl Coverage {
    /// Adds what another scan looked at.
    pub(super) fn merge(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        for (gap, (count, first)) in other.gaps {
            self.note(gap, &first);
            if let Some((total, _)) = self.gaps.get_mut(&gap) {
                *total += count - 1;
            }
        }
    }

    /// Puts down that something was not looked into.
    pub(super) fn note(&mut self, gap: Gap, path: &str) {
        let (count, first) = self.gaps.entry(gap).or_insert_with(|| (0, path.into()));
        *count += 1;
        if path < &**first {
            *first = path.into();
        }
    }
}

impl Tree {
    /// What is encrypted of what Flux builds from a folder.
    #[must_use]
    pub fn encrypted_in(&self, folder: &str) -> Vec<&Encrypted> {
        if self.encrypted.is_empty() {
            return Vec::new();
        }
        let folders = self.starts(folder);
        let reaches: Vec<_> = folders.iter().map(|folder| self.builds.reach(folder)).collect();
        let is_reached = |it: &&Encrypted| reaches.iter().any(|reach| reach.has(&it.file));
        self.encrypted.iter().filter(is_reached).collect()
    }

    /// Whether files that somebody names are the tree of a source, as far as it has this folder.
    #[must_use]
    pub fn has_folder(&self, folder: &str) -> bool {
        let mut folders = self.starts(folder).into_iter();
        folders.any(|folder| self.folders.contains(&layout::hash(&folder)))
    }

    /// Where a path of Flux may lead to.
    fn starts(&self, folder: &str) -> Vec<Box<str>> {
        if self.roots.is_empty() {
            return layout::beside("", folder).into_iter().collect();
        }
        let starts: BTreeSet<Box<str>> = self
            .roots
            .iter()
            .filter_map(|root| layout::beside(root, folder))
            .collect();
        starts.into_iter().collect()
    }

    /// What was not looked into, in one sentence; `None`: all was.
    #[must_use]
    pub fn lack(&self) -> Option<String> {
        let mut gaps = self.coverage.gaps.iter();
        let (gap, (count, first)) = gaps.next()?;
        let others: u64 = gaps.map(|(_, (count, _))| count).sum();
        let more = count - 1 + others;
        Some(match more {
            0 => format!("{first} was not looked into: {gap}"),
            more => format!("{first} and {more} more were not looked into: {gap}"),
        })
    }
}
