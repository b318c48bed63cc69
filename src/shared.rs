//! What many objects have in common is kept once: names of namespaces and accounts, labels, the rules of roles.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// A value that equal ones share.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shared<T: ?Sized>(Arc<T>);

/// A short text that many objects have.
pub type Word = Shared<str>;

/// Something that may be shared.
pub trait Pooled: Hash + Eq + Send + Sync + 'static {
    /// The values that are shared.
    fn pool() -> &'static Pool<Self>;
}

/// A text that many objects have, as a bare pointer.
#[must_use]
pub fn word(text: &str) -> Arc<str> {
    if text.is_empty() {
        return Arc::default();
    }
    str::pool().share(text, Arc::from)
}

impl Word {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self(word(text))
    }
}

impl<T: Pooled> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(T::pool().share(value, Arc::new))
    }
}

impl<T> From<Vec<T>> for Shared<[T]>
where
    [T]: Pooled,
{
    fn from(values: Vec<T>) -> Self {
        if values.is_empty() {
            return Self(Arc::default());
        }
        Self(<[T]>::pool().share(values, Arc::from))
    }
}

impl<T> FromIterator<T> for Shared<[T]>
where
    [T]: Pooled,
{
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        values.into_iter().collect::<Vec<_>>().into()
    }
}

impl Default for Word {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Pooled + Default> Default for Shared<T> {
    fn default() -> Self {
        T::default().into()
    }
}

impl<T> Default for Shared<[T]> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: ?Sized> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a Shared<[T]> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}

/// Values that are in use, each once.
pub struct Pool<T: ?Sized>(Mutex<Kept<T>>);

struct Kept<T: ?Sized> {
    values: HashSet<Arc<T>>,
    /// How many there may be before those go that nobody uses any more.
    most: usize,
}

/// So few are kept whether they are used or not.
const LEAST: usize = 256;
/// Most bytes of a value that is kept: what is larger is seldom there twice, and nobody makes us keep much.
const LARGEST: usize = 1024;

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        let values = HashSet::new();
        Self(Mutex::new(Kept { values, most: LEAST }))
    }
}

impl<T: ?Sized + Hash + Eq> Pool<T> {
    /// The value that is there already, or this one from now on.
    fn share<V: Borrow<T>>(&self, value: V, make: impl FnOnce(V) -> Arc<T>) -> Arc<T> {
        if bytes_of(value.borrow()) > LARGEST {
            return make(value);
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.values.get(value.borrow()) {
            return known.clone();
        }
        kept.tidy();
        let value = make(value);
        kept.values.insert(value.clone());
        value
    }
}

impl<T: ?Sized + Hash + Eq> Kept<T> {
    fn tidy(&mut self) {
        if self.values.len() < self.most {
            return;
        }
        self.values.retain(|value| Arc::strong_count(value) > 1);
        self.most = LEAST.max(self.values.len() * 2);
        self.values.shrink_to(self.most);
    }
}

/// As much of a value as its hash is made of.
fn bytes_of<T: ?Sized + Hash>(value: &T) -> usize {
    let mut bytes = Bytes(0);
    value.hash(&mut bytes);
    bytes.0
}

/// Counts what is hashed.
struct Bytes(usize);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn finish(&self) -> u64 {
        self.0 as u64
    }
}

/// Says which pool a type has.
macro_rules! pooled {
    ($type:ty) => {
        impl $crate::shared::Pooled for $type {
            fn pool() -> &'static $crate::shared::Pool<Self> {
                static POOL: std::sync::LazyLock<$crate::shared::Pool<$type>> =
                    std::sync::LazyLock::new($crate::shared::Pool::default);
                &POOL
            }
        }
    };
}
pub(crate) use pooled;

pooled!(str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one() {
        let one = Word::from("team-a");
        assert!(Arc::ptr_eq(&one.0, &Word::from("team-a").0));
        assert!(!Arc::ptr_eq(&one.0, &Word::from("team-b").0));
        let long = "a".repeat(LARGEST + 1);
        assert_eq!(Word::from(&*long), Word::from(&*long));
        assert!(!Arc::ptr_eq(&Word::from(&*long).0, &Word::from(&*long).0));
        assert_eq!(&*Word::from(""), "");
    }

    #[test]
    fn what_nobody_uses_goes() {
        let pool = Pool::<str>::default();
        let number = |number: usize| pool.share(&*number.to_string(), Arc::from);
        let used: Vec<_> = (0..LEAST * 4).map(number).collect();
        for unused in LEAST * 4..LEAST * 40 {
            number(unused);
        }
        let kept = |pool: &Pool<str>| pool.0.lock().unwrap().values.len();
        assert!(kept(&pool) <= used.len() * 2, "{}", kept(&pool));
        assert!(Arc::ptr_eq(&used[7], &number(7)));
        drop(used);
        for unused in 0..LEAST * 9 {
            number(unused);
        }
        assert!(kept(&pool) <= LEAST * 9, "{}", kept(&pool));
    }
}
