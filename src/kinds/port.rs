//! A port as Services and policies write it.

use serde::Deserialize;

/// A port, by its number or by the name that the other side gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(untagged)]
pub enum Port {
    /// Its number.
    Number(u16),
    /// Its name.
    Name(Box<str>),
}
