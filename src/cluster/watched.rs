//! What a watch is about, and what it tells: a kind of the catalogue, or one that custom controls ask for.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use kube::core::ApiResource;

use super::slim::Slim;
use crate::custom::Demand;
use crate::inventory::{Coverage, CustomDelta, CustomNews, Delta, ObjectKey};
use crate::kinds::{Author, KindId, Meta, id_of};

/// Objects a page of a list for custom controls: nobody knows how large they are.
const PAGE: u32 = 100;

/// What is watched.
#[derive(Clone)]
pub(super) enum Watched {
    /// A kind of the catalogue.
    Kind(KindId),
    /// A kind that custom controls ask for.
    Custom(Arc<Demand>),
}

impl Watched {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Kind(kind) => kind.name(),
            Self::Custom(demand) => &demand.target.kind,
        }
    }

    pub(super) fn page_size(&self) -> u32 {
        match self {
            Self::Kind(kind) => kind.entry().descriptor.page_size,
            Self::Custom(_) => PAGE,
        }
    }

    pub(super) fn is_metadata_only(&self) -> bool {
        match self {
            Self::Kind(kind) => kind.entry().descriptor.metadata_only,
            Self::Custom(_) => false,
        }
    }

    /// Whether its objects tell which other kinds there are.
    pub(super) fn defines_kinds(&self) -> bool {
        matches!(self, Self::Kind(kind) if *kind == id_of::<crate::kinds::crd::CustomResourceDefinition>())
    }

    /// What there is to tell of an object; of one of no interest, that it is gone.
    fn project(
        &self,
        key: &ObjectKey,
        object: Result<(Cow<'_, Meta>, &str), serde_json::Error>,
        author: fn(&Meta) -> Option<Author>,
    ) -> Told {
        match self {
            Self::Kind(kind) => {
                let row = object.and_then(|(meta, text)| {
                    let row = kind.entry().project(&meta, text)?;
                    Ok(row.map(|row| (row, author(&meta))))
                });
                match row {
                    Ok(Some((row, Some(author)))) => {
                        Told::Kept(Delta::Written(*kind, key.clone(), row, Arc::new(author)))
                    }
                    Ok(Some((row, None))) => Told::Kept(Delta::Upsert(*kind, key.clone(), row)),
                    Ok(None) => Told::Gone,
                    Err(error) => Told::Kept(Delta::Undecodable(*kind, key.clone(), error.to_string())),
                }
            }
            Self::Custom(demand) => {
                let row = object.and_then(|(meta, text)| {
                    let row = demand.project(&meta, text)?;
                    Ok(row.map(|row| (row, author(&meta))))
                });
                let news = match row {
                    Ok(Some((row, Some(author)))) => CustomNews::Written(key.clone(), row, Arc::new(author)),
                    Ok(Some((row, None))) => CustomNews::Upsert(key.clone(), row),
                    Ok(None) => return Told::Gone,
                    // What a decoder says may quote a value.
                    Err(_) => {
                        let note = "it is nested too deep, or no JSON".to_owned();
                        CustomNews::Undecodable(key.clone(), note)
                    }
                };
                Told::Kept(self.news(demand, news))
            }
        }
    }

    fn removed(&self, key: ObjectKey) -> Delta {
        match self {
            Self::Kind(kind) => Delta::Remove(*kind, key),
            Self::Custom(demand) => self.news(demand, CustomNews::Remove(key)),
        }
    }

    fn listed(&self, live: Vec<ObjectKey>) -> Delta {
        match self {
            Self::Kind(kind) => Delta::Resync(*kind, live),
            Self::Custom(demand) => self.news(demand, CustomNews::Resync(live)),
        }
    }

    /// The resource by which a custom kind is served.
    pub(super) fn served(&self, resource: &ApiResource) -> Option<Delta> {
        let Self::Custom(demand) = self else {
            return None;
        };
        let name = match resource.group.as_str() {
            "" => resource.plural.clone(),
            group => format!("{}.{group}", resource.plural),
        };
        Some(self.news(demand, CustomNews::Served(name.into())))
    }

    pub(super) fn covered(&self, coverage: Coverage) -> Delta {
        match self {
            Self::Kind(kind) => Delta::Coverage(*kind, coverage),
            Self::Custom(demand) => {
                let target = &demand.target;
                match &coverage {
                    Coverage::Forbidden | Coverage::NotServed { .. } | Coverage::Failing { .. } => {
                        tracing::warn!("{target}, for custom controls: {coverage}");
                    }
                    _ => tracing::debug!("{target}, for custom controls: {coverage}"),
                }
                self.news(demand, CustomNews::Coverage(coverage))
            }
        }
    }

    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    fn news(&self, demand: &Demand, news: CustomNews) -> Delta {
        Delta::Custom(CustomDelta {
            target: demand.target.clone(),
            generation: demand.generation,
            news,
        })
    }
}

/// Whom a watch tells of its objects. A kind of the catalogue that custom controls ask for has several: each takes its own
/// out of the same text, and nothing comes over the wire twice.
pub(super) struct Audience {
    pub(super) what: Watched,
    /// The objects that are kept: removals of others need not be told.
    kept: HashSet<ObjectKey>,
    listed: HashSet<ObjectKey>,
}

impl Audience {
    pub(super) fn new(what: Watched) -> Self {
        Self {
            what,
            kept: HashSet::new(),
            listed: HashSet::new(),
        }
    }

    /// A list begins.
    pub(super) fn begin(&mut self) {
        self.listed.clear();
    }

    /// An object of a list.
    pub(super) fn list<const METADATA_ONLY: bool>(
        &mut self,
        key: &ObjectKey,
        object: &Slim<METADATA_ONLY>,
    ) -> Option<Delta> {
        let Told::Kept(delta) = self.what.project(key, object.read(), Author::of_object) else {
            return None;
        };
        self.listed.insert(key.clone());
        Some(delta)
    }

    /// A list is complete.
    pub(super) fn end(&mut self) -> [Delta; 2] {
        self.kept = std::mem::take(&mut self.listed);
        let live = self.kept.iter().cloned().collect();
        [self.what.listed(live), self.what.covered(Coverage::Synced)]
    }

    /// An object is there, or is another one.
    pub(super) fn apply<const METADATA_ONLY: bool>(
        &mut self,
        key: &ObjectKey,
        object: &Slim<METADATA_ONLY>,
    ) -> Option<Delta> {
        match self.what.project(key, object.read(), Author::of_change) {
            Told::Gone => self.delete(key),
            Told::Kept(delta) => {
                self.kept.insert(key.clone());
                Some(delta)
            }
        }
    }

    /// An object is gone.
    pub(super) fn delete(&mut self, key: &ObjectKey) -> Option<Delta> {
        let is_kept = self.kept.remove(key);
        is_kept.then(|| self.what.removed(key.clone()))
    }
}

/// What an object is to the engine.
enum Told {
    /// There is something to be told of it.
    Kept(Delta),
    /// It is of no interest.
    Gone,
}
