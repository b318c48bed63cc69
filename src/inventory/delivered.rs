//! Secrets that sources delivered in plain text, also those that their files have no more: whoever read the source then
//! knows them now.

use std::collections::BTreeMap;

use super::Inventory;
use super::table::ObjectKey;
use super::trees::TreeKey;
use crate::api::digest::digest;
use crate::api::report::{DeliveredSecret, MOST_DELIVERED};
use crate::api::{ResourceRef, Severity};
use crate::kinds::KindId;
use crate::secrets::{Leak, Tree};

/// Secrets of one source that are remembered.
pub const MOST: usize = 50;

/// Where a secret is, whatever its line and its value are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path within the source.
    pub file: Box<str>,
    /// The object that it is in; empty: none is known.
    pub object: Box<str>,
    /// Its field; empty: none is known.
    pub field: Box<str>,
    /// What gives it away, for a person.
    pub what: Box<str>,
}

/// A secret that a source delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Line within the file, in the last revision that has it.
    pub line: u32,
    /// How bad it is; `None`: as bad as its control says.
    pub severity: Option<Severity>,
    /// The last revision that has it, as far as it was read; empty: it has none.
    pub revision: Box<str>,
    /// Whether a newer revision has it no more.
    pub is_gone: bool,
}

/// What all sources delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    rows: BTreeMap<TreeKey, OfSource>,
}

/// What one source delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfSource {
    /// The secrets.
    pub places: BTreeMap<Place, Delivery>,
    /// Whether there were more than are remembered.
    pub is_full: bool,
}

impl Place {
    fn of(leak: &Leak) -> Self {
        Self {
            file: (&*leak.file).into(),
            object: leak.object.clone(),
            field: leak.field.clone(),
            what: leak.trace.to_string().into(),
        }
    }
}

/// Bytes of what a report remembers.
const MOST_BYTES: usize = 64 * 1024;

impl Inventory {
    /// What reports remember of the secrets that sources delivered: those that are gone first, and of each namespace as
    /// many as of any other, so that no tenant's crowd out those of another one.
    pub(crate) fn remembered(&self) -> Vec<DeliveredSecret> {
        let mut namespaces: BTreeMap<&str, Vec<(bool, &TreeKey, &Place, &Delivery)>> = BTreeMap::new();
        for (key, source) in self.delivered() {
            let TreeKey::Source(_, object) = key else { continue };
            let told = namespaces.entry(&object.namespace).or_default();
            let places = source.places.iter();
            told.extend(places.map(|(place, delivery)| (!delivery.is_gone, key, place, delivery)));
        }
        for told in namespaces.values_mut() {
            told.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
        }
        let most = namespaces.values().map(Vec::len).max().unwrap_or(0);
        let turns = (0..most).flat_map(|turn| namespaces.values().filter_map(move |told| told.get(turn)));
        let mut room = MOST_BYTES;
        let mut remembered = Vec::new();
        for (_, key, place, delivery) in turns.take(MOST_DELIVERED) {
            let secret = self.told(key, place, delivery);
            let size =
                SIZE + secret.file.len() + secret.object.len() + secret.field.len() + secret.revision.len();
            if size > room {
                break;
            }
            room -= size;
            remembered.push(secret);
        }
        remembered.sort_by(|a, b| {
            (&a.source, &a.file, a.line, &a.field).cmp(&(&b.source, &b.file, b.line, &b.field))
        });
        remembered
    }

    fn told(&self, key: &TreeKey, place: &Place, delivery: &Delivery) -> DeliveredSecret {
        let source = key
            .about()
            .and_then(|about| self.described(&about).0)
            .unwrap_or_default();
        let parts: [&str; 7] = [
            &source.kind,
            &source.namespace,
            &source.name,
            &place.file,
            &place.object,
            &place.field,
            &place.what,
        ];
        DeliveredSecret {
            // There is nothing of a value in it.
            fingerprint: digest(&parts),
            source,
            file: place.file.to_string(),
            line: i32::try_from(delivery.line).unwrap_or(i32::MAX),
            object: place.object.to_string(),
            field: place.field.to_string(),
            what: place.what.to_string(),
            severity: delivery.severity,
            revision: delivery.revision.to_string(),
            gone: delivery.is_gone,
        }
    }
}

/// What a secret takes beside its texts: names of fields, the source, the fingerprint.
const SIZE: usize = 320;

/// The source that a report names; `None`: it is of no kind that is known.
pub(super) fn source(source: &ResourceRef) -> Option<TreeKey> {
    let kind = KindId::all().find(|kind| kind.name() == source.kind)?;
    Some(TreeKey::Source(
        kind,
        ObjectKey::new(&source.namespace, &source.name),
    ))
}

/// What a report remembers.
pub(super) fn remembered(secret: DeliveredSecret) -> (Place, Delivery) {
    let place = Place {
        file: secret.file.into(),
        object: secret.object.into(),
        field: secret.field.into(),
        what: secret.what.into(),
    };
    let delivery = Delivery {
        line: u32::try_from(secret.line).unwrap_or(1).max(1),
        severity: secret.severity,
        revision: secret.revision.into(),
        is_gone: secret.gone,
    };
    (place, delivery)
}

impl Deliveries {
    /// The sources that delivered secrets.
    pub fn iter(&self) -> impl Iterator<Item = (&TreeKey, &OfSource)> {
        self.rows.iter()
    }

    /// A source has these files now. True when anything is new.
    pub(super) fn take(&mut self, key: &TreeKey, revision: &str, tree: &Tree) -> bool {
        if tree.leaks.is_empty() && !self.rows.contains_key(key) {
            return false;
        }
        let before = self.rows.get(key).cloned();
        let row = self.rows.entry(key.clone()).or_default();
        for delivery in row.places.values_mut() {
            delivery.is_gone = true;
        }
        for leak in &tree.leaks {
            row.put(
                Place::of(leak),
                Delivery {
                    line: leak.line,
                    severity: leak.severity,
                    revision: revision.into(),
                    is_gone: false,
                },
            );
        }
        before.as_ref() != self.rows.get(key)
    }

    /// A source delivered this once, as a report remembers. What is known here counts more. True when it is news.
    pub(super) fn recall(
        &mut self,
        key: &TreeKey,
        place: Place,
        mut delivery: Delivery,
        now: Option<&Tree>,
    ) -> bool {
        let row = self.rows.entry(key.clone()).or_default();
        if row.places.contains_key(&place) {
            return false;
        }
        if let Some(tree) = now {
            delivery.is_gone = !tree.leaks.iter().any(|leak| Place::of(leak) == place);
        }
        let was_full = row.is_full;
        row.put(place, delivery) || row.is_full != was_full
    }

    /// A source is gone, and with it what can be said of it. True when something was.
    pub(super) fn forget(&mut self, key: &TreeKey) -> bool {
        self.rows.remove(key).is_some()
    }
}

impl OfSource {
    /// Remembers one more, while there is room; true when it is remembered.
    fn put(&mut self, place: Place, delivery: Delivery) -> bool {
        if self.places.len() >= MOST && !self.places.contains_key(&place) {
            self.is_full = true;
            return false;
        }
        self.places.insert(place, delivery);
        true
    }

    /// Those that the source has no more.
    pub fn gone(&self) -> impl Iterator<Item = (&Place, &Delivery)> {
        self.places.iter().filter(|(_, delivery)| delivery.is_gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::ObjectKey;
    use crate::kinds::flux_objects::GitRepository;
    use crate::kinds::id_of;
    use crate::secrets::Scan;

    fn key() -> TreeKey {
        TreeKey::Source(id_of::<GitRepository>(), ObjectKey::new("apps", "fleet"))
    }

    fn tree(fields: &[&str]) -> Tree {
        let mut text = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n".to_owned();
        for field in fields {
            text.extend(["  ", field, ": admin\n"]);
        }
        let mut scan = Scan::default();
        scan.file("a.yaml", text.as_bytes());
        scan.finish()
    }

    fn gone(deliveries: &Deliveries) -> Vec<(&str, &str)> {
        let all = deliveries.iter().flat_map(|(_, source)| source.gone());
        all.map(|(place, delivery)| (&*place.field, &*delivery.revision))
            .collect()
    }

    #[test]
    fn what_a_source_has_no_more_is_remembered() {
        let mut deliveries = Deliveries::default();
        assert!(!deliveries.take(&key(), "1", &tree(&[])));
        assert!(deliveries.take(&key(), "2", &tree(&["x", "y"])));
        assert_eq!(gone(&deliveries), []);
        assert!(deliveries.take(&key(), "3", &tree(&["y"])));
        assert_eq!(gone(&deliveries), [("stringData.x", "2")]);
        assert!(deliveries.take(&key(), "4", &tree(&[])));
        assert_eq!(gone(&deliveries), [("stringData.x", "2"), ("stringData.y", "3")]);
        // It is there again, and gone again.
        deliveries.take(&key(), "5", &tree(&["x"]));
        assert_eq!(gone(&deliveries), [("stringData.y", "3")]);
        deliveries.take(&key(), "6", &tree(&[]));
        assert_eq!(gone(&deliveries), [("stringData.x", "5"), ("stringData.y", "3")]);
        assert!(deliveries.forget(&key()) && gone(&deliveries).is_empty());
    }

    #[test]
    fn what_a_report_remembers_is_compared_with_what_is_there() {
        let mut deliveries = Deliveries::default();
        deliveries.take(&key(), "2", &tree(&["x", "y"]));
        let (_, source) = deliveries.iter().next().unwrap();
        let known: Vec<_> = source.places.clone().into_iter().collect();
        // Repaired while nobody looked.
        for is_read_first in [true, false] {
            let mut after = Deliveries::default();
            let now = tree(&["y"]);
            if is_read_first {
                after.take(&key(), "3", &now);
            }
            for (place, delivery) in known.clone() {
                after.recall(&key(), place, delivery, is_read_first.then_some(&now));
            }
            after.take(&key(), "3", &now);
            assert_eq!(gone(&after), [("stringData.x", "2")], "{is_read_first}");
        }
    }

    #[test]
    fn memory_has_an_end_and_says_so() {
        let mut scan = Scan::default();
        for number in 0..MOST + 5 {
            let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {user: admin}\n";
            scan.file(&format!("{number}.yaml"), text.as_bytes());
        }
        let mut deliveries = Deliveries::default();
        deliveries.take(&key(), "1", &scan.finish());
        deliveries.take(&key(), "2", &tree(&[]));
        let (_, source) = deliveries.iter().next().unwrap();
        assert!(source.is_full && source.gone().count() == MOST);
    }
}
