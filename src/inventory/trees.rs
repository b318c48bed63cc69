//! What the files of sources hold, as far as somebody reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::api::report::DeliveredSecret;
use crate::kinds::KindId;
use crate::secrets;

use super::coverage::Missing;
use super::delivered::{self, Deliveries};
use super::subject::SubjectKey;
use super::table::ObjectKey;

/// What a tree of files belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TreeKey {
    /// The audited manifests themselves.
    Input,
    /// The artifact of a source.
    Source(KindId, ObjectKey),
}

/// The tree of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeState {
    /// It was scanned.
    Scanned {
        /// The revision, as the source tells it; empty: it has none.
        revision: Box<str>,
        /// The digest of the scanned artifact; empty: it has none.
        digest: Box<str>,
        /// What it has.
        tree: Arc<secrets::Tree>,
    },
    /// It was not scanned, or only a former revision was.
    NotRead(Missing),
}

/// The trees of all sources that are read.
#[derive(Clone, Debug, Default)]
pub struct Trees {
    pub(super) is_read: bool,
    /// Whether each has been read once, or could not be.
    pub(super) is_settled: bool,
    pub(super) rows: BTreeMap<TreeKey, TreeState>,
    /// What they delivered, whether or not they are read now.
    pub(super) delivered: Deliveries,
}

impl Trees {
    /// The trees that were scanned.
    pub fn scanned(&self) -> impl Iterator<Item = (&TreeKey, &secrets::Tree)> {
        self.rows.iter().filter_map(|(key, state)| match state {
            TreeState::Scanned { tree, .. } => Some((key, &**tree)),
            TreeState::NotRead(_) => None,
        })
    }

    /// Remembers the secrets of a tree.
    pub(super) fn deliver(&mut self, key: &TreeKey, state: &TreeState) {
        if let (TreeKey::Source(..), TreeState::Scanned { revision, tree, .. }) = (key, state) {
            self.delivered.take(key, revision, tree);
        }
    }

    /// Remembers a secret that a report tells of. True when it is news.
    pub(super) fn recall(&mut self, key: &TreeKey, secret: DeliveredSecret) -> bool {
        let now = match self.rows.get(key) {
            Some(TreeState::Scanned { tree, .. }) => Some(&**tree),
            _ => None,
        };
        let (place, delivery) = delivered::remembered(secret);
        self.delivered.recall(key, place, delivery, now)
    }

    /// The tree of a source; `None`: nobody has told of it.
    #[must_use]
    pub fn get(&self, key: &TreeKey) -> Option<&TreeState> {
        self.rows.get(key)
    }

    /// The tree of a source.
    ///
    /// # Errors
    /// It was not scanned.
    pub fn tree(&self, key: &TreeKey) -> Result<&secrets::Tree, Missing> {
        match self.rows.get(key) {
            Some(TreeState::Scanned { tree, .. }) => Ok(tree),
            Some(TreeState::NotRead(missing)) => Err(missing.clone()),
            None => Err(Missing::new("SourceNotRead", format!("{key} was not read"))),
        }
    }
}

impl TreeKey {
    /// The object that findings about the tree are about; `None`: they are about files alone.
    #[must_use]
    pub fn about(&self) -> Option<SubjectKey> {
        match self {
            Self::Input => None,
            Self::Source(kind, key) => Some(SubjectKey::Object(*kind, key.clone())),
        }
    }
}

impl fmt::Display for TreeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => f.write_str("the input"),
            Self::Source(kind, key) => write!(f, "{} {key}", kind.name()),
        }
    }
}
