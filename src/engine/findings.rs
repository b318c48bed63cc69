//! Findings in report order, of which each posture shares with the one before it what has not changed.

use std::ops::Index;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::posture::FindingPosture;
use crate::api::report::Finding;

/// Most findings of a piece: what a change copies, at most.
const MOST_OF_A_PIECE: usize = 128;

type Piece = Vec<Arc<FindingPosture>>;

/// Findings in report order, in pieces. A copy shares the pieces; a change copies the piece that it is in.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    pieces: Vec<Arc<Piece>>,
    len: usize,
}

impl Findings {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<FindingPosture>> + Clone {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// What is gone and what has come on the way to others, by a look at what both do not share; `None`: they have little in
    /// common.
    pub(super) fn changes(&self, after: &Self) -> Option<(Piece, Piece)> {
        let pieces = |of: &Self| of.pieces.iter().map(Arc::as_ptr).collect::<FxHashSet<_>>();
        let (before_them, with_them) = (pieces(self), pieces(after));
        let own = |of: &Self, others: &FxHashSet<*const Piece>| -> Piece {
            let own = of
                .pieces
                .iter()
                .filter(|piece| !others.contains(&Arc::as_ptr(piece)));
            own.flat_map(|piece| piece.iter().cloned()).collect()
        };
        let (mut gone, mut come) = (own(self, &with_them), own(after, &before_them));
        if (gone.len() + come.len()) * 4 > self.len + after.len + 16 * MOST_OF_A_PIECE {
            return None;
        }
        let known = |all: &Piece| all.iter().map(Arc::as_ptr).collect::<FxHashSet<_>>();
        let (were, are) = (known(&gone), known(&come));
        gone.retain(|finding| !are.contains(&Arc::as_ptr(finding)));
        come.retain(|finding| !were.contains(&Arc::as_ptr(finding)));
        Some((gone, come))
    }

    /// Lets somebody change them at will, and puts them into pieces again.
    pub fn edit<T>(&mut self, edit: impl FnOnce(&mut Vec<Arc<FindingPosture>>) -> T) -> T {
        // Nobody else has them, unless somebody has the whole: what is changed is not copied first.
        let pieces = std::mem::take(&mut self.pieces).into_iter();
        let mut all: Vec<_> = pieces.flat_map(Arc::unwrap_or_clone).collect();
        let result = edit(&mut all);
        *self = Self::from(all);
        result
    }

    /// Puts in a finding where it belongs.
    pub(super) fn insert(&mut self, finding: Arc<FindingPosture>) {
        let (at, within) = self.place(&finding.finding);
        self.len += 1;
        let Some(piece) = self.pieces.get_mut(at) else {
            return self.push(finding);
        };
        let piece = Arc::make_mut(piece);
        piece.insert(within, finding);
        self.split(at);
    }

    /// Puts in a finding behind all others.
    fn push(&mut self, finding: Arc<FindingPosture>) {
        match self.pieces.last_mut() {
            Some(piece) => Arc::make_mut(piece).push(finding),
            None => self.pieces.push(Arc::new(vec![finding])),
        }
        self.split(self.pieces.len() - 1);
    }

    fn split(&mut self, at: usize) {
        if self.pieces[at].len() <= MOST_OF_A_PIECE {
            return;
        }
        let rest = Arc::make_mut(&mut self.pieces[at]).split_off(MOST_OF_A_PIECE / 2);
        self.pieces.insert(at + 1, Arc::new(rest));
    }

    /// Takes out this very finding.
    pub(super) fn remove(&mut self, finding: &Arc<FindingPosture>) {
        let (first, mut within) = self.place(&finding.finding);
        for at in first..self.pieces.len() {
            let mut candidates = self.pieces[at][within..].iter();
            if let Some(found) = candidates.position(|it| Arc::ptr_eq(it, finding)) {
                Arc::make_mut(&mut self.pieces[at]).remove(within + found);
                self.len -= 1;
                if self.pieces[at].is_empty() {
                    self.pieces.remove(at);
                }
                return;
            }
            within = 0;
        }
    }

    /// Where a finding is, or where it would be: the piece, and the position in it.
    fn place(&self, finding: &Finding) -> (usize, usize) {
        let is_before = |it: &Arc<FindingPosture>| it.finding < *finding;
        let at = self
            .pieces
            .partition_point(|piece| piece.last().is_some_and(is_before));
        let within = self
            .pieces
            .get(at)
            .map_or(0, |piece| piece.partition_point(is_before));
        (at, within)
    }
}

impl From<Vec<Arc<FindingPosture>>> for Findings {
    /// In the order that they have.
    fn from(all: Vec<Arc<FindingPosture>>) -> Self {
        let pieces = all
            .chunks(MOST_OF_A_PIECE / 2)
            .map(|piece| Arc::new(piece.to_vec()));
        Self {
            pieces: pieces.collect(),
            len: all.len(),
        }
    }
}

impl FromIterator<Arc<FindingPosture>> for Findings {
    fn from_iter<T: IntoIterator<Item = Arc<FindingPosture>>>(all: T) -> Self {
        Self::from(all.into_iter().collect::<Vec<_>>())
    }
}

/// Whether the same is found, however it is cut into pieces.
impl PartialEq for Findings {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && (self.pieces == other.pieces || self.iter().eq(other.iter()))
    }
}

impl Eq for Findings {}

impl Index<usize> for Findings {
    type Output = Arc<FindingPosture>;

    /// # Panics
    /// There are not so many.
    fn index(&self, mut index: usize) -> &Self::Output {
        for piece in &self.pieces {
            if index < piece.len() {
                return &piece[index];
            }
            index -= piece.len();
        }
        panic!("there are {} findings", self.len)
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Arc<FindingPosture>;
    type IntoIter = Box<dyn Iterator<Item = Self::Item> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Findings, MOST_OF_A_PIECE};
    use crate::api::report::{Finding, Location};
    use crate::api::{ResourceRef, Severity};
    use crate::engine::FindingPosture;

    fn finding(name: &str) -> FindingPosture {
        FindingPosture {
            finding: Finding {
                severity: Severity::High,
                control: "T".to_owned(),
                resource: ResourceRef {
                    api_version: "v1".to_owned(),
                    kind: "Namespace".to_owned(),
                    namespace: String::new(),
                    name: name.to_owned(),
                },
                location: Location::default(),
                observed: String::new(),
                expected: String::new(),
                message: String::new(),
                waiver: String::new(),
            },
            uid: String::new(),
            author: None,
        }
    }

    fn sorted(mut all: Vec<Arc<FindingPosture>>) -> Vec<Arc<FindingPosture>> {
        all.sort_by(|a, b| a.finding.cmp(&b.finding));
        all
    }

    /// Two that read the same are still two.
    #[test]
    fn what_is_put_in_is_in_order_and_goes_again() {
        let count = MOST_OF_A_PIECE * 5;
        let scattered = (0..count).map(|number| number * 7919 % count / 2);
        let all: Vec<_> = scattered
            .map(|number| Arc::new(finding(&format!("tenant-{number:04}"))))
            .collect();
        let mut findings = Findings::default();
        for one in &all {
            findings.insert(one.clone());
        }
        assert!(findings.iter().eq(sorted(all.clone()).iter()));
        assert_eq!(findings, Findings::from(sorted(all.clone())));
        let before = findings.clone();
        let (gone, stays) = all.split_at(count / 3);
        for one in gone {
            findings.remove(one);
        }
        assert!(findings.iter().eq(sorted(stays.to_vec()).iter()));
        assert_eq!(findings.len(), stays.len());
        assert_eq!(before, Findings::from(sorted(all.clone())));
        for one in stays {
            findings.remove(one);
        }
        assert_eq!(findings, Findings::default());
    }
}
