//! What is ordered by a place, and found by one: nobody has to make a key first to look for what is there.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Bound;

/// Three texts and a number, the first of which counts most.
pub(crate) type Place<'a> = (&'a str, &'a str, &'a str, usize);

/// What has a place, or is one.
pub(crate) trait Placed {
    fn place(&self) -> Place<'_>;
}

impl Placed for Place<'_> {
    fn place(&self) -> Place<'_> {
        *self
    }
}

impl PartialEq for dyn Placed + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for dyn Placed + '_ {}

impl PartialOrd for dyn Placed + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Placed + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// A key of a map that is ordered by its place alone.
pub(crate) struct AtPlace<T>(pub(crate) T);

impl<T: Placed> PartialEq for AtPlace<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.place() == other.0.place()
    }
}

impl<T: Placed> Eq for AtPlace<T> {}

impl<T: Placed> PartialOrd for AtPlace<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Placed> Ord for AtPlace<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.place().cmp(&other.0.place())
    }
}

impl<'a, T: Placed + 'a> Borrow<dyn Placed + 'a> for AtPlace<T> {
    fn borrow(&self) -> &(dyn Placed + 'a) {
        &self.0
    }
}

/// All that is at a place or behind it.
pub(crate) fn from<'a>(place: &'a Place<'a>) -> (Bound<&'a Dyn<'a>>, Bound<&'a Dyn<'a>>) {
    (Bound::Included(place), Bound::Unbounded)
}

/// What places are found by.
type Dyn<'a> = dyn Placed + 'a;
