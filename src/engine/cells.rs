//! The verdicts of one control under one set of parameters.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rustc_hash::FxHashMap;

use crate::controls::{Control, Defect, Outcome, Verdict};
use crate::inventory::{Inventory, Missing, Place, Slot, SubjectKey};
use crate::kinds::KindId;

/// Which of its control's reads a verdict looked at beyond its own namespace: a bit each, in their order.
pub(super) type Far = u32;

/// What a verdict is, in so few bytes that millions of them are no burden: most pass or do not apply, and a report only
/// counts those. From [`REASONS`] on, it does not apply, and the rest is the place of the reason.
type State = u16;
/// There is no verdict.
const NONE: State = 0;
const PASS: State = 1;
const FAIL: State = 2;
const UNKNOWN: State = 3;
const MANUAL: State = 4;
const REASONS: State = 5;
/// Set beside any of them when the verdict looked beyond its namespace.
const LOOKS_FAR: State = 1 << 15;

/// The position of a kind among those that are judged.
pub(super) type Column = usize;

/// Where a verdict is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// Beside the verdicts on the other rows of a kind.
    Row(Column, Slot),
    /// Under its subject, which has no row.
    Other,
}

/// What is wrong with a subject, in so few bytes that it can be kept beside the finding that tells of it.
type Digest = u64;

/// Whether two reasons are the same: most are one text of the program's.
fn is_same(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// Tenants write what is in it: of texts that a quicker hash takes for equal, one would hide the other.
fn digest(defects: &[Defect]) -> Digest {
    let mut hasher = DefaultHasher::new();
    defects.hash(&mut hasher);
    hasher.finish()
}

/// The verdicts. What reports tell of is kept apart from what they only count.
#[derive(Default)]
pub(super) struct Cells {
    /// The verdicts on rows, by their kind and their number.
    rows: Vec<(KindId, Vec<State>)>,
    /// The verdicts on what has no row: controllers, and the cluster.
    others: BTreeMap<SubjectKey, State>,
    failing: BTreeMap<SubjectKey, Digest>,
    /// What is wrong with those that were judged since findings were told the last time.
    untold: FxHashMap<SubjectKey, Vec<Defect>>,
    unknown: BTreeMap<SubjectKey, Missing>,
    manual: BTreeMap<SubjectKey, Cow<'static, str>>,
    /// Why it does not apply: a few texts for all subjects.
    reasons: Vec<Cow<'static, str>>,
    passes: usize,
    fresh: Fresh,
    /// Those that looked beyond their namespace. Most do not.
    far: BTreeMap<SubjectKey, Far>,
}

/// What is told of verdicts that were added one after the other, in the order of their subjects: maps of them are made
/// at once.
#[derive(Default)]
struct Fresh {
    failing: Vec<(SubjectKey, Digest, Vec<Defect>)>,
    unknown: Vec<(SubjectKey, Missing)>,
    manual: Vec<(SubjectKey, Cow<'static, str>)>,
    far: Vec<(SubjectKey, Far)>,
}

impl Cells {
    /// No verdicts as yet.
    pub(super) fn new(control: &Control) -> Self {
        let mut kinds = control.judges.row_kinds();
        kinds.sort();
        Self {
            rows: kinds.into_iter().map(|kind| (kind, Vec::new())).collect(),
            ..Self::default()
        }
    }

    /// Where the verdict on a subject is kept, by the place of its row.
    pub(super) fn at(&self, place: Option<Place>) -> At {
        let Some(Place { kind, slot }) = place else {
            return At::Other;
        };
        match self.column(kind) {
            Some(column) => At::Row(column, slot),
            None => At::Other,
        }
    }

    /// Where the verdicts on the rows of a kind are kept.
    pub(super) fn column(&self, kind: KindId) -> Option<Column> {
        self.rows.iter().position(|(of, _)| *of == kind)
    }

    /// Makes room for the verdicts on so many rows.
    pub(super) fn reserve(&mut self, column: Column, rows: usize) {
        if let Some((_, states)) = self.rows.get_mut(column) {
            states.reserve_exact(rows.saturating_sub(states.len()));
        }
    }

    /// Adds the verdict on a row that has none. Of a kind they come in the order of the keys, and all end with a
    /// [`Cells::close`].
    pub(super) fn add(
        &mut self,
        key: &SubjectKey,
        (column, slot): (Column, Slot),
        verdict: Verdict,
        far: Far,
    ) {
        let mut state = match verdict {
            Verdict::Judged(Outcome::Pass) => {
                self.passes += 1;
                PASS
            }
            Verdict::Judged(Outcome::NotApplicable(reason)) => self.because(reason),
            Verdict::Judged(Outcome::Fail(defects)) => {
                self.fresh.failing.push((key.clone(), digest(&defects), defects));
                FAIL
            }
            Verdict::Judged(Outcome::Manual(checklist)) => {
                self.fresh.manual.push((key.clone(), checklist));
                MANUAL
            }
            Verdict::Unknown(missing) => {
                self.fresh.unknown.push((key.clone(), missing));
                UNKNOWN
            }
        };
        if far != 0 {
            state |= LOOKS_FAR;
            self.fresh.far.push((key.clone(), far));
        }
        self.put(key, At::Row(column, slot), state);
    }

    /// Ends the adding of verdicts. What fails as it failed before is not told again, and not kept either.
    pub(super) fn close(&mut self, before: Option<&Self>) {
        let fresh = std::mem::take(&mut self.fresh);
        let mut known = before.into_iter().flat_map(|before| &before.failing).peekable();
        let failing = fresh.failing.into_iter().map(|(key, digest, defects)| {
            while known.next_if(|(known, _)| **known < key).is_some() {}
            let is_same = |(known, then): &(&SubjectKey, &Digest)| **known == key && **then == digest;
            if known.next_if(is_same).is_none() {
                self.untold.insert(key.clone(), defects);
            }
            (key, digest)
        });
        self.failing.append(&mut failing.collect());
        self.unknown.append(&mut fresh.unknown.into_iter().collect());
        self.manual.append(&mut fresh.manual.into_iter().collect());
        self.far.append(&mut fresh.far.into_iter().collect());
    }

    /// The subjects of which other failures are to be told than by the verdicts before.
    pub(super) fn differing(&self, before: &Self) -> Vec<SubjectKey> {
        let mut differing = Vec::new();
        let mut before = before.failing.iter().peekable();
        for (key, digest) in &self.failing {
            while let Some((gone, _)) = before.next_if(|(known, _)| *known < key) {
                differing.push(gone.clone());
            }
            let known = before.next_if(|(known, _)| *known == key);
            if known.is_none_or(|(_, known)| known != digest) {
                differing.push(key.clone());
            }
        }
        differing.extend(before.map(|(gone, _)| gone.clone()));
        differing
    }

    /// Stores a verdict and how far it looked. True when reports may look different now.
    pub(super) fn set(&mut self, key: &SubjectKey, at: At, verdict: Verdict, far: Far) -> bool {
        let before = self.state(key, at);
        self.look(key, before, far);
        let (state, differs) = match verdict {
            Verdict::Judged(Outcome::Pass) => (PASS, before & !LOOKS_FAR != PASS),
            Verdict::Judged(Outcome::NotApplicable(reason)) => {
                let state = self.because(reason);
                (state, before & !LOOKS_FAR != state)
            }
            // An equal failure is told differently when the object is another one; all else is not.
            Verdict::Judged(Outcome::Fail(defects)) => {
                self.failing.insert(key.clone(), digest(&defects));
                self.untold.insert(key.clone(), defects);
                (FAIL, true)
            }
            Verdict::Judged(Outcome::Manual(checklist)) => {
                let known = self.manual.get(key) == Some(&checklist);
                self.manual.insert(key.clone(), checklist);
                (MANUAL, !known)
            }
            Verdict::Unknown(missing) => {
                let known = self.unknown.get(key) == Some(&missing);
                self.unknown.insert(key.clone(), missing);
                (UNKNOWN, !known)
            }
        };
        if before & !LOOKS_FAR != state {
            self.clear(key, before);
            self.passes += usize::from(state == PASS);
        }
        let looks_far = if far == 0 { 0 } else { LOOKS_FAR };
        self.put(key, at, state | looks_far);
        differs
    }

    /// Forgets the verdict on a subject that is gone. True when there was one.
    pub(super) fn forget(&mut self, key: &SubjectKey, at: At) -> bool {
        let before = self.state(key, at);
        if before == NONE {
            return false;
        }
        self.look(key, before, 0);
        self.clear(key, before);
        self.put(key, at, NONE);
        true
    }

    /// Forgets what was kept of a verdict besides its state.
    fn clear(&mut self, key: &SubjectKey, before: State) {
        match before & !LOOKS_FAR {
            PASS => self.passes -= 1,
            FAIL => drop(self.failing.remove(key)),
            UNKNOWN => drop(self.unknown.remove(key)),
            MANUAL => drop(self.manual.remove(key)),
            _ => {}
        }
    }

    fn look(&mut self, key: &SubjectKey, before: State, far: Far) {
        if far != 0 {
            self.far.insert(key.clone(), far);
        } else if before & LOOKS_FAR != 0 {
            self.far.remove(key);
        }
    }

    fn because(&mut self, reason: Cow<'static, str>) -> State {
        let known = self.reasons.iter().position(|known| is_same(known, &reason));
        let position = known.unwrap_or(self.reasons.len());
        let state = State::try_from(position).map_or(LOOKS_FAR, |position| position + REASONS);
        // A control has a handful of reasons. Whatever comes after the last number stands for the last.
        if state >= LOOKS_FAR {
            return LOOKS_FAR - 1;
        }
        if known.is_none() {
            self.reasons.push(reason);
        }
        state
    }

    fn state(&self, key: &SubjectKey, at: At) -> State {
        let state = match at {
            At::Other => self.others.get(key),
            At::Row(column, slot) => {
                let states = self.rows.get(column);
                states.and_then(|(_, states)| states.get(slot as usize))
            }
        };
        state.copied().unwrap_or(NONE)
    }

    fn put(&mut self, key: &SubjectKey, at: At, state: State) {
        let At::Row(column, slot) = at else {
            match state {
                NONE => drop(self.others.remove(key)),
                _ => drop(self.others.insert(key.clone(), state)),
            }
            return;
        };
        let Some((_, states)) = self.rows.get_mut(column) else {
            return;
        };
        let slot = slot as usize;
        if states.len() <= slot {
            states.resize(slot + 1, NONE);
        }
        states[slot] = state;
    }

    /// The subjects whose verdicts looked at one of these reads beyond their namespace.
    pub(super) fn looking_at(&self, reads: Far) -> impl Iterator<Item = &SubjectKey> {
        let looking = self.far.iter().filter(move |(_, far)| *far & reads != 0);
        looking.map(|(key, _)| key)
    }

    /// What is kept apart from rows, in order.
    pub(super) fn subjects(&self) -> impl Iterator<Item = &SubjectKey> {
        self.others.keys()
    }

    /// What fails, in order.
    pub(super) fn failing(&self) -> impl Iterator<Item = &SubjectKey> {
        self.failing.keys()
    }

    /// Whether a subject fails.
    pub(super) fn fails(&self, key: &SubjectKey) -> bool {
        self.failing.contains_key(key)
    }

    /// What is wrong with a subject; `None`: that was told, and is not kept.
    pub(super) fn untold(&self, key: &SubjectKey) -> Option<&[Defect]> {
        self.untold.get(key).map(Vec::as_slice)
    }

    /// Everything was told.
    pub(super) fn told(&mut self) {
        self.untold = FxHashMap::default();
    }

    /// What is unknown, in order.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (&SubjectKey, &Missing)> {
        self.unknown.iter()
    }

    /// What a person has to judge, in order.
    pub(super) fn manual(&self) -> impl Iterator<Item = (&SubjectKey, &str)> {
        self.manual.iter().map(|(key, checklist)| (key, &**checklist))
    }

    /// How many subjects pass. Counted one by one only where the policy leaves some out.
    pub(super) fn passes(&self, covers: Option<&dyn Fn(&SubjectKey) -> bool>) -> usize {
        let Some(covers) = covers else {
            return self.passes;
        };
        let passing = self
            .others
            .iter()
            .filter(|(_, state)| **state & !LOOKS_FAR == PASS);
        passing.filter(|(key, _)| covers(key)).count()
    }

    /// Why the first subject that it does not apply to is none.
    pub(super) fn not_applicable(
        &self,
        inventory: &Inventory,
        covers: impl Fn(&SubjectKey) -> bool,
    ) -> Option<&str> {
        let others = self.others.iter().filter(|(key, _)| covers(key));
        let others = others.map(|(_, state)| *state);
        let rows = self.rows.iter().flat_map(|(kind, states)| {
            let slots = inventory.slots(*kind);
            slots.filter_map(|slot| states.get(slot as usize).copied())
        });
        others.chain(rows).find_map(|state| self.reason(state))
    }

    fn reason(&self, state: State) -> Option<&str> {
        let position = (state & !LOOKS_FAR).checked_sub(REASONS)?;
        let last = self.reasons.len().saturating_sub(1);
        let reason = self.reasons.get(usize::from(position).min(last))?;
        Some(reason)
    }
}
