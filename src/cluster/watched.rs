//! What a watch is about, and what it tells: a kind of the catalogue, or one that custom controls ask for.

use std::borrow::Cow;
use std::sync::Arc;

use kube::core::ApiResource;

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
    pub(super) fn project(
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
            Self::Custom(demand) => match object.and_then(|(meta, text)| demand.project(&meta, text)) {
                Ok(Some(row)) => Told::Kept(self.news(demand, CustomNews::Upsert(key.clone(), row))),
                Ok(None) => Told::Gone,
                // What a decoder says may quote a value.
                Err(_) => {
                    let note = "it is nested too deep, or no JSON".to_owned();
                    Told::Kept(self.news(demand, CustomNews::Undecodable(key.clone(), note)))
                }
            },
        }
    }

    pub(super) fn removed(&self, key: ObjectKey) -> Delta {
        match self {
            Self::Kind(kind) => Delta::Remove(*kind, key),
            Self::Custom(demand) => self.news(demand, CustomNews::Remove(key)),
        }
    }

    pub(super) fn listed(&self, live: Vec<ObjectKey>) -> Delta {
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

/// What an object is to the engine.
pub(super) enum Told {
    /// There is something to be told of it.
    Kept(Delta),
    /// It is of no interest.
    Gone,
}
