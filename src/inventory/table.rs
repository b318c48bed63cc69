//! Rows of one kind, ordered by namespace and name.

use std::any::Any;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::ops::Bound;
use std::sync::Arc;

use super::hash_index::HashIndex;
use crate::kinds::{ErasedRow, Mark};
use crate::shared::word;

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
            namespace: word(namespace),
            name: name.into(),
        }))
    }

    /// The key of an object whose namespace and name others have too.
    pub(super) fn of(namespace: Arc<str>, name: Arc<str>) -> Self {
        Self(Arc::new(Names { namespace, name }))
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

/// No row.
const NONE: Slot = Slot::MAX;

/// Rows of one kind.
///
/// A row is found by a hash of its names, and those of a namespace by a hash of that; whoever walks through them goes
/// from each to the next. The order of keys is asked for only where a row comes or goes.
#[derive(Debug)]
pub struct Table<R: 'static> {
    rows: Rows<R>,
    order: BTreeMap<ObjectKey, Slot>,
    names: HashIndex,
    /// The first row of each namespace.
    namespaces: HashIndex,
    hasher: RandomState,
    /// The first row.
    first: Slot,
    /// Rows that are gone since the last settling.
    gone: BTreeMap<ObjectKey, Slot>,
    free: Vec<Slot>,
    marks: &'static [Mark<R>],
    /// The rows that have each of the marks.
    marked: Vec<BTreeSet<ObjectKey>>,
}

/// A row in its table.
#[derive(Debug)]
struct Entry<R> {
    key: ObjectKey,
    /// The next in the order of keys.
    next: Slot,
    row: R,
}

impl<R: 'static> Table<R> {
    /// An empty table that keeps rows with these marks at hand.
    #[must_use]
    pub fn with_marks(marks: &'static [Mark<R>]) -> Self {
        Self {
            rows: Rows::default(),
            order: BTreeMap::new(),
            names: HashIndex::default(),
            namespaces: HashIndex::default(),
            hasher: RandomState::new(),
            first: NONE,
            gone: BTreeMap::new(),
            free: Vec::new(),
            marks,
            marked: vec![BTreeSet::new(); marks.len()],
        }
    }

    /// The row of an object.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<&R> {
        self.find(&key.namespace, &key.name)
    }

    /// The row of the object with this namespace and name.
    #[must_use]
    pub fn find(&self, namespace: &str, name: &str) -> Option<&R> {
        let slot = self.number(namespace, name)?;
        Some(&self.rows.get(slot)?.row)
    }

    /// The row of an object, with the key that it is kept under.
    #[must_use]
    pub(super) fn get_entry(&self, key: &ObjectKey) -> Option<(&ObjectKey, &R)> {
        let entry = self.rows.get(self.number(&key.namespace, &key.name)?)?;
        Some((&entry.key, &entry.row))
    }

    /// Every row.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &R)> {
        self.from(self.first).map(|(_, entry)| (&entry.key, &entry.row))
    }

    /// The rows of one namespace: costs what the namespace holds, not what the cluster holds.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a ObjectKey, &'a R)> {
        let is_there = move |entry: &Entry<R>| *entry.key.namespace == *namespace;
        let first = self.first_of(namespace).unwrap_or(NONE);
        let rows = self.from(first).take_while(move |(_, entry)| is_there(entry));
        rows.map(|(_, entry)| (&entry.key, &entry.row))
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

    /// Takes a row, or none, into the marks that it has now.
    fn remark(&mut self, key: &ObjectKey) {
        if self.marks.is_empty() {
            return;
        }
        let slot = self.number(&key.namespace, &key.name);
        let row = slot.and_then(|slot| self.rows.get(slot));
        for (mark, marked) in self.marks.iter().zip(&mut self.marked) {
            if row.is_some_and(|entry| (mark.is_on)(&entry.row)) {
                marked.insert(key.clone());
            } else {
                marked.remove(key);
            }
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// A row and those behind it.
    fn from(&self, first: Slot) -> impl Iterator<Item = (Slot, &Entry<R>)> {
        let numbered = |slot: Slot| Some((slot, self.rows.get(slot)?));
        std::iter::successors(numbered(first), move |(_, entry)| numbered(entry.next))
    }

    fn number(&self, namespace: &str, name: &str) -> Option<Slot> {
        let is_it = |entry: &Entry<R>| *entry.key.name == *name && *entry.key.namespace == *namespace;
        let hash = self.hash((namespace, name));
        self.names
            .find(hash, |slot| self.rows.get(slot).is_some_and(is_it))
    }

    fn first_of(&self, namespace: &str) -> Option<Slot> {
        let hash = self.hash(namespace);
        self.namespaces.find(hash, |slot| self.is_in(slot, namespace))
    }

    fn is_in(&self, slot: Slot, namespace: &str) -> bool {
        let entry = self.rows.get(slot);
        entry.is_some_and(|entry| *entry.key.namespace == *namespace)
    }

    /// The half of a hash: whoever chooses names does not know the other half either.
    #[expect(clippy::cast_possible_truncation, reason = "any half is as good as the other")]
    fn hash(&self, text: impl Hash) -> u32 {
        self.hasher.hash_one(text) as u32
    }

    fn insert(&mut self, key: ObjectKey, row: R) {
        let slot = self.new_slot(&key);
        let (before, next) = self.neighbours(&key);
        self.names.insert(self.hash((&*key.namespace, &*key.name)), slot);
        if !self.is_in(before, &key.namespace) {
            let hash = self.hash(&*key.namespace);
            if self.is_in(next, &key.namespace) {
                self.namespaces.remove(hash, next);
            }
            self.namespaces.insert(hash, slot);
        }
        self.link(before, slot);
        self.order.insert(key.clone(), slot);
        self.rows.put(slot, Entry { key, next, row });
    }

    fn take(&mut self, key: &ObjectKey) -> Option<ObjectKey> {
        let (key, slot) = self.order.remove_entry(key)?;
        let next = self.rows.take(slot).map_or(NONE, |entry| entry.next);
        let (before, _) = self.neighbours(&key);
        self.names.remove(self.hash((&*key.namespace, &*key.name)), slot);
        if !self.is_in(before, &key.namespace) {
            let hash = self.hash(&*key.namespace);
            self.namespaces.remove(hash, slot);
            if self.is_in(next, &key.namespace) {
                self.namespaces.insert(hash, next);
            }
        }
        self.link(before, next);
        self.gone.insert(key.clone(), slot);
        Some(key)
    }

    /// The rows before and behind a key that has none.
    fn neighbours(&self, key: &ObjectKey) -> (Slot, Slot) {
        let before = self.order.range::<ObjectKey, _>(..key).next_back();
        let before = before.map_or(NONE, |(_, slot)| *slot);
        let next = self.rows.get(before).map_or(self.first, |entry| entry.next);
        (before, next)
    }

    fn link(&mut self, before: Slot, next: Slot) {
        match self.rows.get_mut(before) {
            Some(entry) => entry.next = next,
            None => self.first = next,
        }
    }

    fn new_slot(&mut self, key: &ObjectKey) -> Slot {
        let reused = self.gone.remove(key).or_else(|| self.free.pop());
        // Every number below the highest is a row's, or waits for one.
        let fresh = || Slot::try_from(self.order.len() + self.gone.len()).unwrap_or(NONE);
        reused.unwrap_or_else(fresh)
    }
}

/// Rows by their numbers, in pieces: none is moved once it is there, and there is no room for more than a piece.
#[derive(Debug)]
struct Rows<R>(Vec<Vec<Option<Entry<R>>>>);

/// Rows of a piece.
const OF_A_PIECE: usize = 32;

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R> Rows<R> {
    fn get(&self, slot: Slot) -> Option<&Entry<R>> {
        let slot = slot as usize;
        self.0.get(slot / OF_A_PIECE)?.get(slot % OF_A_PIECE)?.as_ref()
    }

    fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry<R>> {
        let slot = slot as usize;
        self.0
            .get_mut(slot / OF_A_PIECE)?
            .get_mut(slot % OF_A_PIECE)?
            .as_mut()
    }

    /// Numbers are given one after the other, or again.
    fn put(&mut self, slot: Slot, entry: Entry<R>) {
        let slot = slot as usize;
        let (piece, within) = (slot / OF_A_PIECE, slot % OF_A_PIECE);
        while self.0.len() <= piece {
            // The only piece grows with the table: most tables are small.
            let room = if self.0.is_empty() { 0 } else { OF_A_PIECE };
            self.0.push(Vec::with_capacity(room));
        }
        let piece = &mut self.0[piece];
        while piece.len() <= within {
            piece.push(None);
        }
        piece[within] = Some(entry);
    }

    fn take(&mut self, slot: Slot) -> Option<Entry<R>> {
        let slot = slot as usize;
        self.0
            .get_mut(slot / OF_A_PIECE)?
            .get_mut(slot % OF_A_PIECE)?
            .take()
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
    /// Whether a namespace has rows.
    fn has_any_in(&self, namespace: &str) -> bool;
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
        let known = self.number(&key.namespace, &key.name);
        let known = known.and_then(|slot| self.rows.get_mut(slot));
        let key = match known {
            Some(known) if known.row == *row => return false,
            Some(known) => {
                known.row = *row;
                known.key.clone()
            }
            None => {
                self.insert(key.clone(), *row);
                key.clone()
            }
        };
        self.remark(&key);
        true
    }

    fn remove(&mut self, key: &ObjectKey) -> bool {
        let Some(key) = self.take(key) else {
            return false;
        };
        self.remark(&key);
        true
    }

    fn contains(&self, key: &ObjectKey) -> bool {
        self.number(&key.namespace, &key.name).is_some()
    }

    fn slot(&self, namespace: &str, name: &str) -> Option<Slot> {
        let named: &dyn Named = &(namespace, name);
        let row = self.number(namespace, name);
        row.or_else(|| self.gone.get(named).copied())
    }

    fn settle(&mut self) {
        self.free.extend(std::mem::take(&mut self.gone).into_values());
        if self.is_empty() {
            self.free = Vec::new();
            self.rows = Rows::default();
        }
    }

    fn each(&self) -> Box<dyn Iterator<Item = (&ObjectKey, Slot, &dyn Any)> + '_> {
        let rows = self.from(self.first);
        Box::new(rows.map(|(slot, entry)| (&entry.key, slot, &entry.row as &dyn Any)))
    }

    fn keys(&self) -> Vec<ObjectKey> {
        self.order.keys().cloned().collect()
    }

    fn keys_in(&self, namespace: &str) -> Vec<ObjectKey> {
        self.in_namespace(namespace).map(|(key, _)| key.clone()).collect()
    }

    fn has_any_in(&self, namespace: &str) -> bool {
        self.first_of(namespace).is_some()
    }

    fn rows(&self) -> usize {
        self.len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

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

    /// Rows come and go in several namespaces: whoever looks for them finds what a map finds.
    #[test]
    fn rows_are_found_however_they_came_and_went() {
        let mut table = Table::with_marks(&[]);
        let mut known = BTreeMap::new();
        // A step of a multiple of 7 comes back to each name, in another order each time.
        for step in 0..4000_u32 {
            let number = step.wrapping_mul(2_654_435_761) >> 16;
            let key = ObjectKey::new(&format!("n{}", number % 13), &(number % 101).to_string());
            if number % 5 < 2 {
                assert_eq!(table.remove(&key), known.remove(&key).is_some());
            } else {
                let is_new = known.insert(key.clone(), step) != Some(step);
                assert_eq!(table.upsert(&key, ErasedRow(Box::new(step))), is_new);
            }
            if step % 16 == 0 {
                table.settle();
            }
            if step % 64 != 0 {
                continue;
            }
            assert_eq!(table.iter().collect::<Vec<_>>(), known.iter().collect::<Vec<_>>());
            assert_eq!(table.len(), known.len());
            for space in 0..14 {
                let space = format!("n{space}");
                let own = known.iter().filter(|(key, _)| *key.namespace == *space);
                assert_eq!(
                    table.in_namespace(&space).collect::<Vec<_>>(),
                    own.collect::<Vec<_>>()
                );
            }
            for name in 0..101 {
                let key = ObjectKey::new("n3", &name.to_string());
                assert_eq!(table.get(&key), known.get(&key));
            }
        }
        let slots: BTreeSet<_> = table.each().map(|(_, slot, _)| slot).collect();
        assert_eq!(slots.len(), table.len());
    }
}
