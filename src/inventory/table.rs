//! Rows of one kind, ordered by namespace and name.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::kinds::ErasedRow;

/// Namespace and name; the order of both is the order of every listing.
///
/// One pointer: tables, watches and the verdicts of every control hold a key of each object, and all share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Arc<Names>);

/// What an [`ObjectKey`] says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Names {
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl std::ops::Deref for ObjectKey {
    type Target = Names;
    fn deref(&self) -> &Names {
        &self.0
    }
}

impl ObjectKey {
    /// The key of an object.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(Arc::new(Names {
            namespace: namespace.into(),
            name: name.into(),
        }))
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Rows of one kind.
#[derive(Debug)]
pub struct Table<R> {
    rows: BTreeMap<ObjectKey, R>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
        }
    }
}

impl<R> Table<R> {
    /// The row of an object.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<&R> {
        self.rows.get(key)
    }

    /// The row of an object, with the key that it is kept under.
    #[must_use]
    pub(super) fn get_entry(&self, key: &ObjectKey) -> Option<(&ObjectKey, &R)> {
        self.rows.get_key_value(key)
    }

    /// Every row.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &R)> {
        self.rows.iter()
    }

    /// The rows of one namespace: costs what the namespace holds, not what the cluster holds.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a ObjectKey, &'a R)> {
        let start = ObjectKey::new(namespace, "");
        self.rows
            .range((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(key, _)| &*key.namespace == namespace)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// What the inventory does with a table of any kind.
pub trait AnyTable: Send {
    /// Stores a row. False when an equal row is there already, or when the row belongs to another kind.
    fn upsert(&mut self, key: &ObjectKey, row: ErasedRow) -> bool;
    /// Forgets a row. False when there was none.
    fn remove(&mut self, key: &ObjectKey) -> bool;
    /// Whether there is a row.
    fn contains(&self, key: &ObjectKey) -> bool;
    /// The keys of all rows.
    fn keys(&self) -> Vec<ObjectKey>;
    /// How many rows there are.
    fn rows(&self) -> usize;
    /// The table itself, for typed access.
    fn as_any(&self) -> &dyn Any;
}

impl<R: PartialEq + Send + 'static> AnyTable for Table<R> {
    fn upsert(&mut self, key: &ObjectKey, row: ErasedRow) -> bool {
        let Ok(row) = row.0.downcast::<R>() else {
            return false;
        };
        if self.rows.get(key) == Some(&*row) {
            return false;
        }
        self.rows.insert(key.clone(), *row);
        true
    }

    fn remove(&mut self, key: &ObjectKey) -> bool {
        self.rows.remove(key).is_some()
    }

    fn contains(&self, key: &ObjectKey) -> bool {
        self.rows.contains_key(key)
    }

    fn keys(&self) -> Vec<ObjectKey> {
        self.rows.keys().cloned().collect()
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
