//! Numbers of rows, by a hash of what they are found by.

use super::Slot;

/// Hashes and numbers with linear probing. It keeps no keys: the rows have them.
#[derive(Debug, Default)]
pub(super) struct HashIndex {
    /// None, or a power of two, of which at most three quarters are taken.
    buckets: Vec<Bucket>,
    taken: usize,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    hash: u32,
    /// [`FREE`], or the number of a row.
    slot: Slot,
}

const FREE: Slot = Slot::MAX;
const LEAST: usize = 4;

impl HashIndex {
    /// The number with this hash that is the right one.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        let mut at = self.home(hash);
        loop {
            let bucket = self.buckets.get(at)?;
            if bucket.slot == FREE {
                return None;
            }
            if bucket.hash == hash && is_it(bucket.slot) {
                return Some(bucket.slot);
            }
            at = self.after(at);
        }
    }

    /// Takes in a number that is not there.
    pub(super) fn insert(&mut self, hash: u32, slot: Slot) {
        if (self.taken + 1) * 4 > self.buckets.len() * 3 {
            self.grow();
        }
        self.place(Bucket { hash, slot });
        self.taken += 1;
    }

    /// Forgets a number.
    pub(super) fn remove(&mut self, hash: u32, slot: Slot) {
        let mut gap = self.home(hash);
        loop {
            match self.buckets.get(gap).map(|bucket| bucket.slot) {
                None | Some(FREE) => return,
                Some(found) if found == slot => break,
                Some(_) => gap = self.after(gap),
            }
        }
        self.taken -= 1;
        // Those behind move up, as long as that does not bring them before their home.
        let mut next = self.after(gap);
        while self.buckets[next].slot != FREE {
            let home = self.home(self.buckets[next].hash);
            if self.distance(home, next) >= self.distance(gap, next) {
                self.buckets[gap] = self.buckets[next];
                gap = next;
            }
            next = self.after(next);
        }
        self.buckets[gap].slot = FREE;
        if self.taken == 0 {
            self.buckets = Vec::new();
        }
    }

    fn grow(&mut self) {
        let size = LEAST.max(self.buckets.len() * 2);
        let free = Bucket { hash: 0, slot: FREE };
        let old = std::mem::replace(&mut self.buckets, vec![free; size]);
        for bucket in old.into_iter().filter(|bucket| bucket.slot != FREE) {
            self.place(bucket);
        }
    }

    fn place(&mut self, bucket: Bucket) {
        let mut at = self.home(bucket.hash);
        while self.buckets[at].slot != FREE {
            at = self.after(at);
        }
        self.buckets[at] = bucket;
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & self.buckets.len().wrapping_sub(1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.buckets.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.buckets.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::HashIndex;

    /// Hashes that all but collide, and wrap around the end.
    #[test]
    fn what_is_in_is_found_and_nothing_else() {
        let hash = |number: u32| u32::MAX - number % 5;
        let mut index = HashIndex::default();
        let mut known = BTreeSet::new();
        for step in 0..2000_u32 {
            let number = step.wrapping_mul(2_654_435_761) >> 25;
            if known.remove(&number) {
                index.remove(hash(number), number);
            } else {
                index.insert(hash(number), number);
                known.insert(number);
            }
            for number in 0..128 {
                let found = index.find(hash(number), |slot| slot == number);
                assert_eq!(found.is_some(), known.contains(&number), "{number}");
            }
        }
        for number in known {
            index.remove(hash(number), number);
        }
        assert!(index.buckets.is_empty());
    }
}
