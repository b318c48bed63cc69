//! Rows of one kind, ordered by namespace and name.

use std::any::Any;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use crate::kinds::{ErasedRow, Mark};

/// Namespace and name; the order of both is the order of every listing.
///
/// One pointer: tables, watches and the verdicts of every control hold a key of each object, and all share it.
#[derive(Clone, Debug, Eq)]
pub struct ObjectKey(Arc<Names>);

/// What an [`ObjectKey`] says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Names {
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl PartialEq for ObjectKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Hash for ObjectKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialOrd for ObjectKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectKey {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.0.cmp(&other.0)
    }
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

/// Namespace and name, in a key or not: rows are found without making a key first.
pub(super) trait Named {
    fn names(&self) -> (&str, &str);
}

impl Named for ObjectKey {
    fn names(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

impl Named for (&str, &str) {
    fn names(&self) -> (&str, &str) {
        *self
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.names() == other.names()
    }
}

impl Eq for dyn Named + '_ {}

impl PartialOrd for dyn Named + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Named + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.names().cmp(&other.names())
    }
}

impl<'a> Borrow<dyn Named + 'a> for ObjectKey {
    fn borrow(&self) -> &(dyn Named + 'a) {
        self
    }
}

/// A small number of a row, its own as long as there is the row: whoever keeps something beside each row keeps it in a
/// list. The number of a row that is gone is given to a new one once [`AnyTable::settle`] was called.
pub type Slot = u32;

/// Rows of one kind.
#[derive(Debug)]
pub struct Table<R: 'static> {
    rows: BTreeMap<ObjectKey, (Slot, R)>,
    /// Rows that are gone since the last settling.
    gone: BTreeMap<ObjectKey, Slot>,
    free: Vec<Slot>,
    marks: &'static [Mark<R>],
    /// The rows that have each of the marks.
    marked: Vec<BTreeSet<ObjectKey>>,
}

impl<R: 'static> Table<R> {
    /// An empty table that keeps rows with these marks at hand.
    #[must_use]
    pub fn with_marks(marks: &'static [Mark<R>]) -> Self {
        Self {
            rows: BTreeMap::new(),
            gone: BTreeMap::new(),
            free: Vec::new(),
            marks,
            marked: vec![BTreeSet::new(); marks.len()],
        }
    }

    /// The row of an object.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<&R> {
        self.rows.get(key).map(|(_, row)| row)
    }

    /// The row of the object with this namespace and name.
    #[must_use]
    pub fn find(&self, namespace: &str, name: &str) -> Option<&R> {
        let named: &dyn Named = &(namespace, name);
        self.rows.get(named).map(|(_, row)| row)
    }

    /// The row of an object, with the key that it is kept under.
    #[must_use]
    pub(super) fn get_entry(&self, key: &ObjectKey) -> Option<(&ObjectKey, &R)> {
        self.rows.get_key_value(key).map(|(key, (_, row))| (key, row))
    }

    /// Every row.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &R)> {
        self.rows.iter().map(|(key, (_, row))| (key, row))
    }

    /// The rows of one namespace: costs what the namespace holds, not what the cluster holds.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a ObjectKey, &'a R)> {
        let rows = from(&self.rows, namespace).map(|(key, (_, row))| (key, row));
        rows.take_while(move |(key, _)| &*key.namespace == namespace)
    }

    /// The rows that have a mark.
    #[must_use]
    pub fn marked<'a>(&'a self, mark: &Mark<R>) -> Box<dyn Iterator<Item = (&'a ObjectKey, &'a R)> + 'a> {
        let at_hand = self.marks.iter().position(|known| known.name == mark.name);
        if let Some(keys) = at_hand.and_then(|position| self.marked.get(position)) {
            return Box::new(keys.iter().filter_map(|key| self.get_entry(key)));
        }
        let is_on = mark.is_on;
        Box::new(self.iter().filter(move |(_, row)| is_on(row)))
    }

    /// Takes a row into the marks that it has now, `None` when it is gone.
    fn mark(&mut self, key: &ObjectKey, row: Option<&R>) {
        for (mark, marked) in self.marks.iter().zip(&mut self.marked) {
            if row.is_some_and(mark.is_on) {
                marked.insert(key.clone());
            } else {
                marked.remove(key);
            }
        }
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

    fn new_slot(&mut self, key: &ObjectKey) -> Slot {
        let reused = self.gone.remove(key).or_else(|| self.free.pop());
        // Every number below the highest is a row's, or waits for one.
        let fresh = || Slot::try_from(self.rows.len() + self.gone.len()).unwrap_or(Slot::MAX);
        reused.unwrap_or_else(fresh)
    }
}

/// The entries of a map from the first of a namespace on.
pub(super) fn from<'a, V>(
    map: &'a BTreeMap<ObjectKey, V>,
    namespace: &'a str,
) -> impl Iterator<Item = (&'a ObjectKey, &'a V)> + use<'a, V> {
    let first: &dyn Named = &(namespace, "");
    map.range::<dyn Named, _>((Bound::Included(first), Bound::Unbounded))
}

/// What the inventory does with a table of any kind.
pub trait AnyTable: Send {
    /// Stores a row. False when an equal row is there already, or when the row belongs to another kind.
    fn upsert(&mut self, key: &ObjectKey, row: ErasedRow) -> bool;
    /// Forgets a row. False when there was none.
    fn remove(&mut self, key: &ObjectKey) -> bool;
    /// Whether there is a row.
    fn contains(&self, key: &ObjectKey) -> bool;
    /// The number of a row, also of one that is gone since the last settling.
    fn slot(&self, namespace: &str, name: &str) -> Option<Slot>;
    /// Gives away the numbers of rows that are gone.
    fn settle(&mut self);
    /// All rows with their keys and numbers, in order.
    fn each(&self) -> Box<dyn Iterator<Item = (&ObjectKey, Slot, &dyn Any)> + '_>;
    /// The keys of all rows.
    fn keys(&self) -> Vec<ObjectKey>;
    /// The keys of the rows in a namespace.
    fn keys_in(&self, namespace: &str) -> Vec<ObjectKey>;
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
        if self.rows.get(key).is_some_and(|(_, known)| *known == *row) {
            return false;
        }
        self.mark(key, Some(&row));
        if let Some((_, known)) = self.rows.get_mut(key) {
            *known = *row;
            return true;
        }
        let slot = self.new_slot(key);
        self.rows.insert(key.clone(), (slot, *row));
        true
    }

    fn remove(&mut self, key: &ObjectKey) -> bool {
        let Some((key, (slot, _))) = self.rows.remove_entry(key) else {
            return false;
        };
        self.mark(&key, None);
        self.gone.insert(key, slot);
        true
    }

    fn contains(&self, key: &ObjectKey) -> bool {
        self.rows.contains_key(key)
    }

    fn slot(&self, namespace: &str, name: &str) -> Option<Slot> {
        let named: &dyn Named = &(namespace, name);
        let row = self.rows.get(named).map(|(slot, _)| *slot);
        row.or_else(|| self.gone.get(named).copied())
    }

    fn settle(&mut self) {
        self.free.extend(std::mem::take(&mut self.gone).into_values());
        if self.rows.is_empty() {
            self.free = Vec::new();
        }
    }

    fn each(&self) -> Box<dyn Iterator<Item = (&ObjectKey, Slot, &dyn Any)> + '_> {
        let rows = self.rows.iter();
        Box::new(rows.map(|(key, (slot, row))| (key, *slot, row as &dyn Any)))
    }

    fn keys(&self) -> Vec<ObjectKey> {
        self.rows.keys().cloned().collect()
    }

    fn keys_in(&self, namespace: &str) -> Vec<ObjectKey> {
        self.in_namespace(namespace).map(|(key, _)| key.clone()).collect()
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{AnyTable, ObjectKey, Table};
    use crate::kinds::{ErasedRow, Mark};

    const EVEN: Mark<u32> = Mark {
        name: "even",
        is_on: |row| row.is_multiple_of(2),
    };
    const BIG: Mark<u32> = Mark {
        name: "big",
        is_on: |row| *row > 50,
    };

    fn put(table: &mut Table<u32>, name: u32, row: u32) {
        table.upsert(&ObjectKey::new("a", &name.to_string()), ErasedRow(Box::new(row)));
    }

    /// One mark is kept at hand, the other is looked for.
    #[test]
    fn marked_rows_are_those_that_a_look_at_all_rows_finds() {
        let mut table = Table::with_marks(&[EVEN]);
        for name in 0..100 {
            put(&mut table, name, name);
        }
        for name in (0..100).step_by(3) {
            put(&mut table, name, name + 1);
        }
        for name in (0..100).step_by(5) {
            table.remove(&ObjectKey::new("a", &name.to_string()));
        }
        for mark in [EVEN, BIG] {
            let found: Vec<_> = table.iter().filter(|(_, row)| (mark.is_on)(row)).collect();
            assert!(found.len() > 20);
            assert_eq!(table.marked(&mark).collect::<Vec<_>>(), found);
        }
    }

    /// Whatever is kept beside a row stays its own until it is forgotten.
    #[test]
    fn the_number_of_a_row_that_is_gone_is_not_given_away_at_once() {
        let mut table = Table::with_marks(&[]);
        for name in 0..3 {
            put(&mut table, name, name);
        }
        let slot = |table: &Table<u32>, name: &str| table.slot("a", name);
        let gone = slot(&table, "1");
        table.remove(&ObjectKey::new("a", "1"));
        assert_eq!(slot(&table, "1"), gone);
        put(&mut table, 7, 7);
        assert_ne!(slot(&table, "7"), gone);
        table.settle();
        assert_eq!(slot(&table, "1"), None);
        put(&mut table, 8, 8);
        assert_eq!(slot(&table, "8"), gone);
    }
}
