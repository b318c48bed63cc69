//! What people say, and until when: which findings do not count, and that controls pass which nobody else can judge.
//!
//! A stage of its own behind the verdicts: it takes the postures as they would be without waivers and shows them with
//! the findings that are covered. Which waivers are for a finding depends on both alone, and is kept; whether one covers
//! it depends on the instant, which whoever has a clock tells. A change of a waiver looks at the findings of its
//! controls, and no verdict is made again.

mod index;
mod places;
mod postures;
mod shown;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::posture::{FindingPosture, PolicyPosture};
use crate::api::history::repository;
use crate::api::policy::{Attestation, ScannedHistory};
use crate::api::{ControlResult, Finding, WaiverState};
use crate::kinds::own::WaiverRow;

use index::Index;
pub use postures::WaiverPostures;
use shown::Shown;

/// So many days before its end there is a warning of it. The first makes it expire soon.
pub const WARNINGS: [i32; 3] = [14, 7, 1];

/// Name of a waiver.
pub(super) type Name = Arc<str>;

/// A finding is known by where it is kept, as long as somebody keeps it: postures that follow each other share those that
/// stay.
type Id = usize;

fn id(finding: &Arc<FindingPosture>) -> Id {
    Arc::as_ptr(finding).addr()
}

/// One waiver, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct WaiverPosture {
    /// Name.
    pub name: Arc<str>,
    /// The waiver.
    pub row: Arc<WaiverRow>,
    /// How it stands.
    pub state: WaiverState,
    /// Findings that it is for.
    pub matched: usize,
    /// Why it is for nothing, or what is not known about that.
    pub doubt: Option<Doubt>,
    /// Days that are left, in steps of [`WARNINGS`]; 0 at the end, `None` while nobody has to be warned.
    pub days_left: Option<i32>,
}

/// Why a waiver is for nothing, or what is not known about that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is not as the API server admits it today, and covers nothing.
    Invalid(String),
    /// No policy audits such a control.
    NoControl,
    /// A control that it is for could not be judged.
    Unjudged,
}

/// The stage.
#[derive(Default)]
pub(super) struct Waivers {
    /// `None`: nobody has told, and nothing is covered.
    now: Option<Timestamp>,
    known: BTreeMap<Name, Known>,
    index: Index,
    /// When any of them changes its state by time alone.
    deadlines: BTreeSet<(Timestamp, Name)>,
    policies: BTreeMap<String, Shown>,
    /// When attestations of policies end.
    attestations: BTreeSet<Timestamp>,
    controls: Controls,
    postures: Arc<WaiverPostures>,
}

/// A waiver, and how much there is for it.
struct Known {
    row: Arc<WaiverRow>,
    invalid: Option<String>,
    matched: usize,
}

/// What there is no more or anew for waivers: each name once a finding.
#[derive(Default)]
struct News {
    gone: Vec<Name>,
    come: Vec<Name>,
}

/// Controls of all policies.
#[derive(Default, PartialEq, Eq)]
struct Controls {
    all: BTreeSet<&'static str>,
    unknown: BTreeSet<&'static str>,
}

impl Waivers {
    /// The posture of every policy, with what is waived.
    pub(super) fn policies(&self) -> BTreeMap<String, Arc<PolicyPosture>> {
        let policies = self.policies.iter();
        policies
            .map(|(name, shown)| (name.clone(), shown.posture().clone()))
            .collect()
    }

    /// Every waiver.
    pub(super) fn postures(&self) -> Arc<WaiverPostures> {
        self.postures.clone()
    }

    /// Whether anything changes by time alone, now or at another time.
    pub(super) fn has_deadlines(&self) -> bool {
        !self.deadlines.is_empty() || !self.attestations.is_empty()
    }

    /// When something changes next by time alone.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let now = self.now?;
        let after = self.deadlines.range((now, Name::from(""))..);
        let mut after = after.map(|(deadline, _)| *deadline);
        let of_waivers = after.find(|deadline| *deadline > now);
        let mut ends = self.attestations.range(now..);
        let of_attestations = ends.find(|end| **end > now).copied();
        of_waivers.into_iter().chain(of_attestations).min()
    }

    /// It is that late now, later or earlier than before. True when anything looks different.
    pub(super) fn advance(&mut self, now: Timestamp) -> bool {
        let Some(before) = self.now.replace(now) else {
            self.show(|shown, stage| {
                shown.look_at_all(stage);
                true
            });
            self.tell_of_all();
            return self.has_deadlines() || !self.known.is_empty();
        };
        let (from, to) = (before.min(now), before.max(now));
        let passed = self.deadlines.range((from, Name::from(""))..);
        let passed = passed.skip_while(|(deadline, _)| *deadline <= from);
        let passed = passed.take_while(|(deadline, _)| *deadline <= to);
        let passed: BTreeSet<Name> = passed.map(|(_, name)| name.clone()).collect();
        let is_within = |end: &Timestamp| *end > from && *end <= to;
        let is_attested = self.attestations.iter().any(is_within);
        if passed.is_empty() && !is_attested {
            return false;
        }
        // A warning covers nothing less.
        let ended = passed.iter().filter(|name| {
            let known = self.known.get(*name);
            known.is_some_and(|known| is_within(&known.row.spec.expires.0))
        });
        let ended: Vec<Name> = ended.cloned().collect();
        self.show(|shown, stage| {
            let looked = ended.iter().filter(|name| shown.look_again(name, stage)).count();
            looked > 0 || is_attested
        });
        self.tell_of(&passed);
        true
    }

    /// Forgets everything but how late it is, and takes in these waivers.
    pub(super) fn restart(&mut self, all: impl IntoIterator<Item = (Name, Option<WaiverRow>)>) {
        *self = Self {
            now: self.now,
            ..Self::default()
        };
        self.take(all);
    }

    /// Takes in waivers that are new, changed, or gone.
    pub(super) fn take(&mut self, changed: impl IntoIterator<Item = (Name, Option<WaiverRow>)>) {
        let mut touched = BTreeSet::new();
        let (mut forgotten, mut learnt) = (Vec::new(), Vec::new());
        for (name, row) in changed {
            touched.insert(name.clone());
            if self.only_status_changed(&name, row.as_ref()) {
                if let (Some(known), Some(row)) = (self.known.get_mut(&name), row) {
                    known.row = Arc::new(row);
                }
                continue;
            }
            if self.forget(&name) {
                forgotten.push(name.clone());
            }
            if let Some(row) = row.and_then(|row| self.learn(&name, row)) {
                learnt.push((name, row));
            }
        }
        if !forgotten.is_empty() || !learnt.is_empty() {
            let mut news = News::default();
            self.show(|shown, stage| {
                let mut differs = false;
                for name in &forgotten {
                    differs |= shown.forget(name, stage, &mut news);
                }
                for (name, row) in &learnt {
                    differs |= shown.learn(name, &row.spec, stage, &mut news);
                }
                differs
            });
            // Those that were forgotten count from nothing.
            self.count(
                &News {
                    gone: Vec::new(),
                    ..news
                },
                &mut touched,
            );
        }
        self.tell_of(&touched);
    }

    /// Follows the postures as they would be without waivers.
    pub(super) fn follow(&mut self, postures: &BTreeMap<String, Arc<PolicyPosture>>) {
        let mut touched = BTreeSet::new();
        let mut news = News::default();
        let mut differs = false;
        let gone: Vec<String> = self
            .policies
            .keys()
            .filter(|name| !postures.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            if let Some(shown) = self.policies.remove(&name) {
                news.gone.extend(shown.selections().cloned());
                differs = true;
            }
        }
        for (name, posture) in postures {
            let known = self.policies.get(name);
            if known.is_some_and(|known| Arc::ptr_eq(known.unwaived(), posture)) {
                continue;
            }
            differs = true;
            let shown = match self.policies.remove(name) {
                Some(before) => before.follow(posture.clone(), self, &mut news),
                None => Shown::new(posture.clone(), self, &mut news),
            };
            self.policies.insert(name.clone(), shown);
        }
        self.count(&news, &mut touched);
        if differs {
            self.attestations = ends(postures.values().map(|posture| &**posture));
        }
        let controls = Controls::of(postures.values().map(|posture| &**posture));
        if differs && controls != self.controls {
            self.controls = controls;
            self.tell_of_all();
        } else {
            self.tell_of(&touched);
        }
    }

    fn only_status_changed(&self, name: &Name, row: Option<&WaiverRow>) -> bool {
        let (Some(known), Some(row)) = (self.known.get(name), row) else {
            return false;
        };
        known.row.uid == row.uid && known.row.created == row.created && known.row.spec == row.spec
    }

    /// Takes in a waiver. `None`: it is for nothing.
    fn learn(&mut self, name: &Name, row: WaiverRow) -> Option<Arc<WaiverRow>> {
        let row = Arc::new(row);
        // One that the API server has not seen would be created now, if there were a clock.
        let created = row.created.or(self.now);
        let invalid = created.and_then(|created| row.spec.check(created).err());
        let is_valid = invalid.is_none();
        if is_valid {
            self.index.insert(name, &row.spec);
            self.deadlines
                .extend(deadlines(&row).map(|deadline| (deadline, name.clone())));
        }
        let known = Known {
            row: row.clone(),
            invalid: invalid.map(|invalid| invalid.to_string()),
            matched: 0,
        };
        self.known.insert(name.clone(), known);
        is_valid.then_some(row)
    }

    /// Forgets a waiver. True when there was one.
    fn forget(&mut self, name: &Name) -> bool {
        let Some(known) = self.known.remove(name) else {
            return false;
        };
        self.index.remove(name, &known.row.spec);
        for deadline in deadlines(&known.row) {
            self.deadlines.remove(&(deadline, name.clone()));
        }
        true
    }

    /// Which waivers are for a finding.
    fn select(&self, policy: &str, finding: &Finding) -> Selection {
        let names = self.index.candidates(finding).into_iter();
        names.filter(|name| self.is_for(name, policy, finding)).collect()
    }

    fn is_for(&self, name: &Name, policy: &str, finding: &Finding) -> bool {
        let Some(known) = self.known.get(name).filter(|known| known.invalid.is_none()) else {
            return false;
        };
        let spec = &known.row.spec;
        spec.is_for_control(&finding.control)
            && spec.is_for_policy(policy)
            && spec.resources.iter().any(|it| it.is_for(&finding.resource))
    }

    /// Counts what waivers are for.
    fn count(&mut self, news: &News, touched: &mut BTreeSet<Name>) {
        for name in &news.gone {
            if let Some(known) = self.known.get_mut(name) {
                known.matched = known.matched.saturating_sub(1);
                touched.insert(name.clone());
            }
        }
        for name in &news.come {
            if let Some(known) = self.known.get_mut(name) {
                known.matched += 1;
                touched.insert(name.clone());
            }
        }
    }

    /// What somebody says about a control of a policy, as long as it counts. Of several the one that ends last; with
    /// scans, the one that ends first, and none as soon as one has ended that no other scan of its repository replaces.
    fn word<'a>(&self, posture: &'a PolicyPosture, control: &str) -> Option<Word<'a>> {
        let now = self.now?;
        let attestations = posture.policy.spec.attestations.iter();
        let about: Vec<&Attestation> = attestations.filter(|it| it.control == control).collect();
        let counts = |it: &&&Attestation| it.expires.0 > now;
        let scans = |it: &&Attestation| {
            it.scans
                .iter()
                .map(|scan| repository(&scan.repository))
                .collect::<Vec<_>>()
        };
        let fresh: BTreeSet<_> = about.iter().filter(counts).flat_map(scans).collect();
        let ended = about.iter().filter(|it| !counts(it)).flat_map(|it| &it.scans);
        let stale = ended
            .filter(|scan| !fresh.contains(&repository(&scan.repository)))
            .max_by_key(|scan| scan.scanned_at.0);
        if let Some(stale) = stale {
            return Some(Word::Stale(stale));
        }
        let in_effect = || about.iter().copied().filter(|it| it.expires.0 > now);
        let with_scans = in_effect().filter(|it| !it.scans.is_empty());
        let counting = with_scans.min_by_key(|it| it.expires.0);
        let counting = counting.or_else(|| in_effect().max_by_key(|it| it.expires.0));
        counting.map(Word::Counts)
    }

    /// Of the waivers that are for a finding, the one that covers it: the one that ends last.
    fn covering(&self, names: &[Name]) -> Option<Name> {
        let now = self.now?;
        let ends = |name: &Name| self.known.get(name).map(|known| known.row.spec.expires.0);
        let in_effect = names
            .iter()
            .filter_map(|name| Some((ends(name).filter(|end| *end > now)?, name)));
        in_effect
            .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)))
            .map(|(_, name)| name.clone())
    }

    /// Changes what is shown of each policy, and shows it anew where that tells that it differs.
    fn show(&mut self, mut change: impl FnMut(&mut Shown, &Self) -> bool) {
        let mut policies = std::mem::take(&mut self.policies);
        for shown in policies.values_mut() {
            if change(shown, self) {
                shown.render(self);
            }
        }
        self.policies = policies;
    }

    fn tell_of_all(&mut self) {
        let all = self.known.keys().cloned().collect();
        self.tell_of(&all);
    }

    /// Makes the postures of waivers that may look different.
    fn tell_of(&mut self, touched: &BTreeSet<Name>) {
        for name in touched {
            let fresh = self.known.get(name).map(|known| self.posture(name, known));
            if fresh.as_ref() == self.postures.get(name).map(|known| &**known) {
                continue;
            }
            let postures = Arc::make_mut(&mut self.postures);
            match fresh {
                Some(fresh) => postures.insert(Arc::new(fresh)),
                None => postures.remove(name),
            }
        }
    }

    fn posture(&self, name: &Name, known: &Known) -> WaiverPosture {
        let doubt = self.doubt(known);
        let days_left = self.now.and_then(|now| days_left(&known.row, now));
        let state = match (days_left, &doubt) {
            (_, Some(Doubt::Invalid(_))) => WaiverState::Unmatched,
            (Some(0), _) => WaiverState::Expired,
            (_, None | Some(Doubt::NoControl)) if known.matched == 0 => WaiverState::Unmatched,
            (Some(_), _) => WaiverState::ExpiringSoon,
            (None, _) => WaiverState::Active,
        };
        WaiverPosture {
            name: name.clone(),
            row: known.row.clone(),
            state,
            matched: known.matched,
            days_left: days_left.filter(|_| known.invalid.is_none()),
            doubt,
        }
    }

    fn doubt(&self, known: &Known) -> Option<Doubt> {
        if let Some(invalid) = &known.invalid {
            return Some(Doubt::Invalid(invalid.clone()));
        }
        if known.matched > 0 {
            return None;
        }
        let spec = &known.row.spec;
        if self.controls.unknown.iter().any(|id| spec.is_for_control(id)) {
            return Some(Doubt::Unjudged);
        }
        let is_audited = self.controls.all.iter().any(|id| spec.is_for_control(id));
        (!is_audited).then_some(Doubt::NoControl)
    }
}

/// The waivers that are for one finding, in order.
pub(super) type Selection = Box<[Name]>;

/// What counts of what people say about a control.
enum Word<'a> {
    /// It passes.
    Counts(&'a Attestation),
    /// Nobody knows, since this scan is too old.
    Stale(&'a ScannedHistory),
}

impl Controls {
    fn of<'a>(postures: impl Iterator<Item = &'a PolicyPosture>) -> Self {
        let mut controls = Self::default();
        for control in postures.flat_map(|posture| &posture.controls) {
            controls.all.insert(control.control.id);
            if control.result == ControlResult::Unknown {
                controls.unknown.insert(control.control.id);
            }
        }
        controls
    }
}

/// When attestations end.
fn ends<'a>(postures: impl Iterator<Item = &'a PolicyPosture>) -> BTreeSet<Timestamp> {
    let attestations = postures.flat_map(|posture| &posture.policy.spec.attestations);
    attestations.map(|attestation| attestation.expires.0).collect()
}

/// When a waiver changes its state by time alone.
fn deadlines(row: &WaiverRow) -> impl Iterator<Item = Timestamp> + use<> {
    let end = row.spec.expires.0;
    let warnings = WARNINGS.into_iter().filter_map(move |days| before(end, days));
    warnings.chain([end])
}

/// The moment so many days before another; `None`: time begins later.
fn before(end: Timestamp, days: i32) -> Option<Timestamp> {
    end.checked_sub(SignedDuration::from_hours(i64::from(days) * 24))
        .ok()
}

/// Days that are left, in steps of [`WARNINGS`].
fn days_left(row: &WaiverRow, now: Timestamp) -> Option<i32> {
    let end = row.spec.expires.0;
    if now >= end {
        return Some(0);
    }
    let passed = WARNINGS
        .into_iter()
        .filter(|days| before(end, *days).is_none_or(|warning| now >= warning));
    passed.min()
}
