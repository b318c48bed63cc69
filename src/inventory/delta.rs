//! What a shell tells the engine: the only way in.

use std::sync::Arc;

use crate::kinds::{Author, ErasedRow, KindId};

use super::coverage::Coverage;
use super::custom::CustomDelta;
use super::table::ObjectKey;
use super::trees::{TreeKey, TreeState};

/// One observed fact.
#[derive(Debug)]
pub enum Delta {
    /// An object appeared or changed.
    Upsert(KindId, ObjectKey, ErasedRow),
    /// The same, and who made it so.
    Written(KindId, ObjectKey, ErasedRow, Arc<Author>),
    /// An object is gone, or of no interest any more.
    Remove(KindId, ObjectKey),
    /// An object could not be read.
    Undecodable(KindId, ObjectKey, String),
    /// An object exists, by what others say of it, and nothing more is known.
    Mentioned(KindId, ObjectKey),
    /// A list is complete: objects that are not in it are gone.
    Resync(KindId, Vec<ObjectKey>),
    /// A kind is watched better or worse than before.
    Coverage(KindId, Coverage),
    /// Something of a kind that custom controls ask for.
    Custom(CustomDelta),
    /// Whether the files of sources are read at all.
    TreesAreRead(bool),
    /// Each of those that there were has been read once, or could not be.
    TreesAreSettled,
    /// The files of a source were scanned, or could not be.
    Tree(TreeKey, TreeState),
    /// A source is gone.
    NoTree(TreeKey),
}
