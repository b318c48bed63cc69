//! What can be seen: the state of every kind, and the objects that could not be read.

use std::fmt;

/// Why something is not known when manifests are audited.
const NOT_IN_INPUT: &str = "NotInInput";

/// How well a kind is watched.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Coverage {
    /// The first list is under way.
    #[default]
    Pending,
    /// Listed and watched: the table is complete.
    Synced,
    /// The cluster does not serve the kind: there are no such objects.
    Absent,
    /// Manifests are audited, and every object of them is in the table. What they refer to may be elsewhere.
    InInput,
    /// Manifests are audited, and they have no object of a kind that every cluster has.
    NotInInput,
    /// The API server refuses to list it.
    Forbidden,
    /// The cluster serves only versions whose shape is not known.
    NotServed {
        /// The served versions.
        versions: String,
    },
    /// The watch fails; rows may be out of date.
    Failing {
        /// Why, in one line.
        error: String,
    },
}

impl Coverage {
    /// Whether the table can be trusted to be complete.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Synced | Self::Absent | Self::InInput)
    }

    /// Whether manifests are audited: what is not among them may exist all the same.
    #[must_use]
    pub const fn is_of_input(&self) -> bool {
        matches!(self, Self::InInput | Self::NotInInput)
    }

    /// Whether the first list has come to an end, for better or worse.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        !matches!(self, Self::Pending)
    }

    /// One CamelCase word.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Pending => "NotSynced",
            Self::Synced => "Synced",
            Self::Absent => "Absent",
            Self::InInput => "InInput",
            Self::NotInInput => NOT_IN_INPUT,
            Self::Forbidden => "Forbidden",
            Self::NotServed { .. } => "VersionNotSupported",
            Self::Failing { .. } => "WatchFailing",
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("not listed yet"),
            Self::Synced => f.write_str("synced"),
            Self::Absent => f.write_str("not installed"),
            Self::InInput => f.write_str("in the input"),
            Self::NotInInput => f.write_str("none is in the input"),
            Self::Forbidden => f.write_str("list and watch are forbidden"),
            Self::NotServed { versions } => write!(f, "served only as {versions}, which is not supported"),
            Self::Failing { error } => write!(f, "watch fails: {error}"),
        }
    }
}

/// Evidence that a control needed and did not get. Becomes `Unknown`, never `Pass`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// One CamelCase word.
    pub reason: &'static str,
    /// One sentence that names the kind, the object or the permission.
    pub message: String,
}

impl Missing {
    /// Evidence that could not be judged for a reason of its own.
    #[must_use]
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// The same where manifests are audited: they tell no status.
    #[must_use]
    pub(crate) fn in_manifests(self) -> Self {
        match self.reason {
            "NotReconciled" => Self::new(NOT_IN_INPUT, self.message),
            _ => self,
        }
    }

    /// Evidence that the audited manifests do not have.
    #[must_use]
    pub fn in_input(what: impl fmt::Display) -> Self {
        Self::new(NOT_IN_INPUT, format!("{what} is not in the input"))
    }
}
