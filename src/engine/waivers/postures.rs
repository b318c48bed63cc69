//! How every waiver stands. A copy shares what stays the same: thousands of waivers are copied with each change otherwise.

use std::sync::Arc;

use super::WaiverPosture;

/// Most waivers of a piece: what a change copies, at most.
const MOST_OF_A_PIECE: usize = 64;

type Piece = Vec<Arc<WaiverPosture>>;

/// Every waiver, by name, in pieces.
#[derive(Clone, Debug, Default)]
pub struct WaiverPostures {
    pieces: Vec<Arc<Piece>>,
}

impl PartialEq for WaiverPostures {
    fn eq(&self, other: &Self) -> bool {
        self.values().eq(other.values())
    }
}

impl WaiverPostures {
    /// One waiver.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<WaiverPosture>> {
        let piece = self.pieces.get(self.piece_of(name))?;
        let at = piece.binary_search_by(|it| (*it.name).cmp(name)).ok()?;
        Some(&piece[at])
    }

    /// All of them, in order.
    pub fn values(&self) -> impl Iterator<Item = &Arc<WaiverPosture>> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// Those that are others than there, without a look at what both share.
    pub fn news<'a>(&'a self, there: &'a Self) -> impl Iterator<Item = &'a Arc<WaiverPosture>> {
        // Pieces that both have are in the same order, and mostly at the same place.
        let is_shared = |at: usize, piece: &Arc<Piece>| {
            let near = at.saturating_sub(1)..(at + 2).min(there.pieces.len());
            there.pieces[near.start.min(near.end)..near.end]
                .iter()
                .any(|other| Arc::ptr_eq(other, piece))
        };
        let pieces = self.pieces.iter().enumerate();
        let pieces = pieces.filter(move |(at, piece)| !is_shared(*at, piece));
        let waivers = pieces.flat_map(|(_, piece)| piece.iter());
        waivers.filter(|waiver| {
            let other = there.get(&waiver.name);
            !other.is_some_and(|other| Arc::ptr_eq(other, waiver))
        })
    }

    /// The piece that a name is in, or would be.
    fn piece_of(&self, name: &str) -> usize {
        let is_before = |piece: &Arc<Piece>| piece.last().is_some_and(|last| *last.name < *name);
        self.pieces.partition_point(is_before)
    }

    /// Puts in a waiver, in place of the one of that name.
    pub(super) fn insert(&mut self, waiver: Arc<WaiverPosture>) {
        if self.pieces.is_empty() {
            self.pieces.push(Arc::default());
        }
        let at = self.piece_of(&waiver.name).min(self.pieces.len() - 1);
        let piece = Arc::make_mut(&mut self.pieces[at]);
        match piece.binary_search_by(|it| it.name.cmp(&waiver.name)) {
            Ok(there) => piece[there] = waiver,
            Err(there) => piece.insert(there, waiver),
        }
        if piece.len() > MOST_OF_A_PIECE {
            let rest = piece.split_off(MOST_OF_A_PIECE / 2);
            self.pieces.insert(at + 1, Arc::new(rest));
        }
    }

    /// Takes out the waiver of that name.
    pub(super) fn remove(&mut self, name: &str) {
        let at = self.piece_of(name);
        let Some(piece) = self.pieces.get_mut(at) else {
            return;
        };
        let Ok(there) = piece.binary_search_by(|it| (*it.name).cmp(name)) else {
            return;
        };
        Arc::make_mut(piece).remove(there);
        if piece.is_empty() {
            self.pieces.remove(at);
        }
    }
}
