//! What custom controls found out of objects, kind by kind. A kind is asked anew when policies ask something else; what was
//! found before counts until the new list is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::coverage::{Coverage, Missing};
use super::table::ObjectKey;
use super::tenancy::namespace_row;
use super::{Changed, Hands, Inventory, attribute};
use crate::api::ResourceRef;
use crate::custom::{Check, CustomRow, Demand, Demands, Failure, Said, Target};
use crate::kinds::{Author, Hand};

/// An object of a kind that custom controls ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomObject {
    /// Its kind.
    pub target: Arc<Target>,
    /// Its namespace and name.
    pub key: ObjectKey,
}

impl fmt::Display for CustomObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.target.kind, self.key)
    }
}

/// What is told of a kind that custom controls ask for.
#[derive(Debug)]
pub struct CustomDelta {
    /// The kind.
    pub target: Arc<Target>,
    /// By which demand.
    pub generation: u64,
    /// What.
    pub news: CustomNews,
}

/// One observed fact.
#[derive(Debug)]
pub enum CustomNews {
    /// An object appeared or changed.
    Upsert(ObjectKey, CustomRow),
    /// The same, and who made it so.
    Written(ObjectKey, CustomRow, Arc<Author>),
    /// An object is gone, or nothing is asked about it.
    Remove(ObjectKey),
    /// An object could not be read.
    Undecodable(ObjectKey, String),
    /// A list is complete: objects that are not in it are gone.
    Resync(Vec<ObjectKey>),
    /// The resource by which the cluster serves it, as in `widgets.example.com`.
    Served(Box<str>),
    /// It is watched better or worse than before.
    Coverage(Coverage),
}

/// What is known by all custom controls.
#[derive(Default)]
pub struct Customs {
    kinds: BTreeMap<Arc<Target>, State>,
    demands: Arc<Demands>,
    generation: u64,
    /// Who made what the last batch changed what it is.
    hands: Hands<CustomObject>,
}

/// How well a kind is seen that custom controls ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomKind {
    /// Which.
    pub target: Arc<Target>,
    /// Its state: that of the answers to what is asked now.
    pub coverage: Coverage,
    /// Objects of which answers are kept.
    pub rows: usize,
    /// Objects that could not be read.
    pub undecodable: usize,
}

struct State {
    table: Answers,
    /// What comes in for a newer demand, as long as that is not complete.
    next: Option<Answers>,
}

/// The answers to one demand.
struct Answers {
    demand: Arc<Demand>,
    resource: Option<Box<str>>,
    coverage: Coverage,
    rows: BTreeMap<ObjectKey, CustomRow>,
    undecodable: BTreeMap<ObjectKey, String>,
    /// Of each expression, of how many objects it is true.
    passes: Vec<usize>,
}

/// What a fact changed, and by whom.
struct News<'a> {
    changed: &'a mut BTreeSet<Changed>,
    hands: &'a mut Hands<CustomObject>,
}

/// What a custom control says of an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is not about it.
    Nothing,
    /// It is as it should be.
    Pass,
    /// It is not.
    Fail,
}

impl Customs {
    /// What is asked of which kinds now. Tells which kinds are asked for no more, or for the first time.
    pub(crate) fn ask(&mut self, wanted: BTreeMap<Arc<Target>, Vec<Arc<Check>>>) -> BTreeSet<Changed> {
        let mut demands = Demands::new();
        for (target, checks) in wanted {
            let known = self
                .demands
                .get(&target)
                .filter(|demand| demand.asks_for(&checks));
            let demand = known.cloned().unwrap_or_else(|| {
                self.generation += 1;
                Arc::new(Demand {
                    target: target.clone(),
                    generation: self.generation,
                    checks: checks.into(),
                })
            });
            demands.insert(target, demand);
        }
        let is_unchanged = demands.len() == self.demands.len()
            && demands
                .iter()
                .zip(self.demands.iter())
                .all(|(a, b)| Arc::ptr_eq(a.1, b.1));
        if is_unchanged {
            return BTreeSet::new();
        }
        let mut changed = BTreeSet::new();
        self.kinds.retain(|target, _| {
            let stays = demands.contains_key(target);
            if !stays {
                changed.insert(Changed::CustomKind(target.clone()));
            }
            stays
        });
        for (target, demand) in &demands {
            match self.kinds.get_mut(target) {
                None => {
                    let table = Answers::none(demand.clone());
                    self.kinds.insert(target.clone(), State { table, next: None });
                    changed.insert(Changed::CustomKind(target.clone()));
                }
                Some(state) if state.newest().demand.generation != demand.generation => {
                    state.next = Some(Answers::none(demand.clone()));
                    // Of what is new nothing is known.
                    changed.insert(Changed::CustomKind(target.clone()));
                }
                Some(_) => {}
            }
        }
        self.demands = Arc::new(demands);
        changed
    }

    /// What is asked of which kinds.
    #[must_use]
    pub fn demands(&self) -> Arc<Demands> {
        self.demands.clone()
    }

    /// Whether each kind has been listed once, or could not be.
    #[must_use]
    pub fn are_settled(&self) -> bool {
        self.kinds
            .values()
            .all(|state| state.next.is_none() && state.table.coverage.is_settled())
    }

    /// Kinds that have not been listed.
    pub fn pending(&self) -> impl Iterator<Item = &Target> {
        let pending = self.kinds.iter();
        let pending = pending.filter(|(_, state)| state.next.is_some() || !state.table.coverage.is_settled());
        pending.map(|(target, _)| &**target)
    }

    /// How well each kind is seen.
    pub(crate) fn seen(&self) -> impl Iterator<Item = CustomKind> {
        self.kinds.iter().map(|(target, state)| CustomKind {
            target: target.clone(),
            coverage: state.newest().coverage.clone(),
            rows: state.table.rows.len(),
            undecodable: state.table.undecodable.len(),
        })
    }

    /// A batch begins.
    pub(super) fn begin(&mut self) {
        self.hands.clear();
    }

    /// Who made an object what custom controls say of it now, if the last batch has changed that.
    pub(crate) fn hand(&self, resource: &ResourceRef) -> Hand {
        if self.hands.is_empty() {
            return Hand::Nobody;
        }
        let [group, kind, ..] = resource.identity();
        let key = ObjectKey::new(&resource.namespace, &resource.name);
        let targets = self.kinds.keys().filter(|target| target.is(group, kind));
        let mut hands = targets.filter_map(|target| {
            let target = target.clone();
            let key = key.clone();
            self.hands.get(&CustomObject { target, key })
        });
        hands.next().cloned().unwrap_or(Hand::Nobody)
    }

    pub(super) fn apply(&mut self, delta: CustomDelta, changed: &mut BTreeSet<Changed>) {
        let Some(state) = self.kinds.get_mut(&delta.target) else {
            return;
        };
        if state.table.demand.generation == delta.generation {
            let hands = &mut self.hands;
            state.table.apply(delta.news, &mut News { changed, hands });
            return;
        }
        let Some(next) = state.next.as_mut() else {
            return;
        };
        if next.demand.generation != delta.generation {
            return;
        }
        // Another question is no change of an object.
        let mut nobody = News {
            changed: &mut BTreeSet::new(),
            hands: &mut Hands::new(),
        };
        next.apply(delta.news, &mut nobody);
        if next.coverage.is_settled()
            && let Some(next) = state.next.take()
        {
            state.table = next;
            changed.insert(Changed::CustomKind(delta.target));
        }
    }

    fn answers(&self, target: &Target) -> Option<&Answers> {
        self.kinds.get(target).map(|state| &state.table)
    }

    /// Whether something is known of an object.
    pub(crate) fn contains(&self, object: &CustomObject) -> bool {
        self.row(object).is_some()
    }

    fn row(&self, object: &CustomObject) -> Option<&CustomRow> {
        self.answers(&object.target)?.rows.get(&object.key)
    }

    /// The object as findings and Events name it, and what is known of it.
    pub(super) fn described(&self, object: &CustomObject) -> (ResourceRef, Option<&CustomRow>) {
        let row = self.row(object);
        let api_version = row
            .map(|row| &*row.api_version)
            .filter(|version| !version.is_empty());
        let resource = ResourceRef {
            api_version: api_version.map_or_else(|| object.target.api_version(), str::to_owned),
            kind: object.target.kind.to_string(),
            namespace: object.key.namespace.to_string(),
            name: object.key.name.to_string(),
        };
        (resource, row)
    }

    /// The objects of which an expression is not true.
    pub(crate) fn not_passing(&self, target: &Arc<Target>, check: &str) -> Vec<CustomObject> {
        let Some(answers) = self.answers(target) else {
            return Vec::new();
        };
        let Some(position) = answers.demand.position(check) else {
            return Vec::new();
        };
        let rows = answers.rows.iter();
        let rows = rows.filter(|(_, row)| matches!(row.said(position), Said::No | Said::Unknown));
        let object = |key: &ObjectKey| CustomObject {
            target: target.clone(),
            key: key.clone(),
        };
        rows.map(|(key, _)| object(key)).collect()
    }
}

impl State {
    fn newest(&self) -> &Answers {
        self.next.as_ref().unwrap_or(&self.table)
    }
}

impl Answers {
    fn none(demand: Arc<Demand>) -> Self {
        Self {
            resource: None,
            coverage: Coverage::Pending,
            rows: BTreeMap::new(),
            undecodable: BTreeMap::new(),
            passes: vec![0; demand.checks.len()],
            demand,
        }
    }

    fn apply(&mut self, fact: CustomNews, news: &mut News<'_>) {
        match fact {
            CustomNews::Upsert(key, row) => self.upsert(key, row, &Hand::Unknown, news),
            CustomNews::Written(key, row, author) => self.upsert(key, row, &Hand::Of(author), news),
            CustomNews::Remove(key) => self.remove(key, news),
            CustomNews::Undecodable(key, note) => {
                self.remove(key.clone(), news);
                if self.undecodable.insert(key, note.clone()) != Some(note) {
                    news.changed.insert(self.kind_changed());
                }
            }
            CustomNews::Resync(live) => {
                let live: BTreeSet<ObjectKey> = live.into_iter().collect();
                let known = self.rows.keys().chain(self.undecodable.keys()).cloned();
                let gone: Vec<ObjectKey> = known.filter(|key| !live.contains(key)).collect();
                for key in gone {
                    self.remove(key, news);
                }
            }
            CustomNews::Served(resource) => self.resource = Some(resource),
            CustomNews::Coverage(coverage) => {
                if self.coverage == coverage {
                    return;
                }
                // What may not be seen any more is no evidence.
                if matches!(
                    coverage,
                    Coverage::Absent | Coverage::Forbidden | Coverage::NotServed { .. }
                ) {
                    self.undecodable.clear();
                    for key in self.rows.keys().cloned().collect::<Vec<_>>() {
                        self.remove(key, news);
                    }
                }
                self.coverage = coverage;
                news.changed.insert(self.kind_changed());
            }
        }
    }

    fn upsert(&mut self, key: ObjectKey, row: CustomRow, hand: &Hand, news: &mut News<'_>) {
        if self.undecodable.remove(&key).is_some() {
            news.changed.insert(self.kind_changed());
        }
        if self.rows.get(&key) == Some(&row) {
            return;
        }
        self.count(&row, true);
        if let Some(before) = self.rows.insert(key.clone(), row) {
            self.count(&before, false);
        }
        self.tell(key, hand, news);
    }

    fn remove(&mut self, key: ObjectKey, news: &mut News<'_>) {
        if self.undecodable.remove(&key).is_some() {
            news.changed.insert(self.kind_changed());
        }
        if let Some(row) = self.rows.remove(&key) {
            self.count(&row, false);
            self.tell(key, &Hand::Unknown, news);
        }
    }

    /// Something else is said of an object.
    fn tell(&self, key: ObjectKey, hand: &Hand, news: &mut News<'_>) {
        let target = self.demand.target.clone();
        let object = CustomObject { target, key };
        attribute(news.hands, &object, hand);
        news.changed.insert(Changed::Custom(Arc::new(object)));
    }

    fn count(&mut self, row: &CustomRow, is_more: bool) {
        for (position, passes) in self.passes.iter_mut().enumerate() {
            match row.said(position) {
                Said::Yes if is_more => *passes += 1,
                Said::Yes => *passes -= 1,
                _ => {}
            }
        }
    }

    fn kind_changed(&self) -> Changed {
        Changed::CustomKind(self.demand.target.clone())
    }

    /// Fails unless every object can be seen.
    fn complete(&self) -> Result<(), Missing> {
        let target = &self.demand.target;
        if !self.coverage.is_complete() {
            let resource = self.resource.as_deref().unwrap_or(&target.kind);
            let message = match &self.coverage {
                Coverage::Forbidden => {
                    format!(
                        "list and watch of {resource} are forbidden to the auditor: grant it both for custom controls"
                    )
                }
                Coverage::NotInInput => format!("the input has no {}", target.kind),
                other => format!("{target}: {other}"),
            };
            return Err(Missing::new(self.coverage.reason(), message));
        }
        match self.undecodable.first_key_value() {
            None => Ok(()),
            Some((key, note)) => {
                let message = format!("{} {key} cannot be read: {note}", target.kind);
                Err(Missing::new("Undecodable", message))
            }
        }
    }
}

impl Inventory {
    /// What custom controls found out.
    #[must_use]
    pub const fn customs(&self) -> &Customs {
        &self.customs
    }

    /// What policies ask in custom controls.
    pub(crate) fn ask(&mut self, wanted: BTreeMap<Arc<Target>, Vec<Arc<Check>>>) -> BTreeSet<Changed> {
        self.customs.ask(wanted)
    }

    /// Fails unless all objects that a custom control is about can be seen, and it has been asked of them.
    pub(crate) fn custom_complete(&self, target: &Target, check: &str) -> Result<(), Missing> {
        let not_yet = || Missing::new("NotSynced", format!("{target}: {}", Coverage::Pending));
        let answers = self.customs.answers(target).ok_or_else(not_yet)?;
        answers.demand.position(check).ok_or_else(not_yet)?;
        answers.complete()
    }

    /// The coverage of a kind that custom controls ask for.
    pub(crate) fn custom_coverage(&self, target: &Target) -> Option<&Coverage> {
        Some(&self.customs.answers(target)?.coverage)
    }

    /// What an expression says of an object, in namespaces with some labels. `None`: nothing is known of the object.
    ///
    /// # Errors
    /// It has no result, or the labels cannot be seen.
    pub(crate) fn custom_answer(
        &self,
        object: &CustomObject,
        check: &str,
        labels: &BTreeMap<String, String>,
    ) -> Option<Result<Answer, Missing>> {
        let answers = self.customs.answers(&object.target)?;
        let row = answers.rows.get(&object.key)?;
        let position = answers.demand.position(check)?;
        let said = row.said(position);
        if said == Said::Nothing {
            return Some(Ok(Answer::Nothing));
        }
        match self.is_labelled(object, labels) {
            Err(missing) => return Some(Err(missing)),
            Ok(false) => return Some(Ok(Answer::Nothing)),
            Ok(true) => {}
        }
        Some(match said {
            Said::Yes => Ok(Answer::Pass),
            Said::No | Said::Nothing => Ok(Answer::Fail),
            Said::Unknown => Err(match row.reason(position) {
                Some(Failure::Failed(reason)) => {
                    Missing::new("ExpressionFailed", format!("{object}: {reason}"))
                }
                _ => Missing::new(
                    "TooCostly",
                    format!("{object}: the expression was stopped, because it costs too much on this object"),
                ),
            }),
        })
    }

    /// Of how many objects an expression is true.
    pub(crate) fn custom_passes(
        &self,
        target: &Arc<Target>,
        check: &str,
        labels: &BTreeMap<String, String>,
    ) -> usize {
        let Some(answers) = self.customs.answers(target) else {
            return 0;
        };
        let Some(position) = answers.demand.position(check) else {
            return 0;
        };
        if labels.is_empty() {
            return answers.passes[position];
        }
        let passing = answers
            .rows
            .iter()
            .filter(|(_, row)| row.said(position) == Said::Yes);
        let is_meant = |key: &ObjectKey| {
            let object = CustomObject {
                target: target.clone(),
                key: key.clone(),
            };
            self.is_labelled(&object, labels) == Ok(true)
        };
        passing.filter(|(key, _)| is_meant(key)).count()
    }

    /// Whether the namespace of an object has these labels; what is in none always has.
    fn is_labelled(&self, object: &CustomObject, labels: &BTreeMap<String, String>) -> Result<bool, Missing> {
        let is_namespace = &*object.target.kind == "Namespace" && object.target.group.is_empty();
        let home = if is_namespace {
            &object.key.name
        } else {
            &object.key.namespace
        };
        if labels.is_empty() || home.is_empty() {
            return Ok(true);
        }
        let row = namespace_row(self, home)?;
        let label = |name: &String| row.and_then(|row| row.labels.get(name));
        Ok(labels.iter().all(|(name, value)| label(name) == Some(value)))
    }
}
