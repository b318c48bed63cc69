//! Which waivers may be for a finding: by its control, then by what a waiver fixes of the object.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::Name;
use crate::api::waiver::WaivedResource;
use crate::api::{Finding, FluxSecurityWaiverSpec, glob};

/// By id of a control, and by beginning of ids.
#[derive(Default)]
pub(super) struct Index {
    controls: FxHashMap<Box<str>, Bucket>,
    beginnings: Beginnings<Bucket>,
}

/// Waivers for one control, or for the controls of one beginning.
#[derive(Default)]
struct Bucket {
    names: FxHashMap<Box<str>, Names>,
    namespaces: FxHashMap<Box<str>, Names>,
    beginnings_of_names: Beginnings<Names>,
    beginnings_of_namespaces: Beginnings<Names>,
    others: Names,
}

/// A waiver may be here for several of its resources.
#[derive(Default)]
struct Names(BTreeMap<Name, usize>);

/// What is kept under beginnings of texts. They have few different lengths.
struct Beginnings<T> {
    kept: FxHashMap<Box<str>, T>,
    lengths: BTreeMap<usize, usize>,
}

/// Under which part of an object a resource of a waiver is kept: the one that fewest objects share.
enum Slot<'a> {
    Name(&'a str),
    Namespace(&'a str),
    BeginningOfName(&'a str),
    BeginningOfNamespace(&'a str),
    Other,
}

impl<'a> Slot<'a> {
    fn of(resource: &'a WaivedResource) -> Self {
        let WaivedResource { namespace, name, .. } = resource;
        let is_text = |pattern: &str| !pattern.is_empty() && !pattern.contains('*');
        if is_text(name) {
            return Self::Name(name);
        }
        if is_text(namespace) {
            return Self::Namespace(namespace);
        }
        match (glob::prefix(namespace), glob::prefix(name)) {
            ("", "") => Self::Other,
            ("", name) => Self::BeginningOfName(name),
            (namespace, _) => Self::BeginningOfNamespace(namespace),
        }
    }
}

impl Index {
    pub(super) fn insert(&mut self, name: &Name, spec: &FluxSecurityWaiverSpec) {
        let bucket = match spec.control.strip_suffix('*') {
            Some(beginning) => self.beginnings.entry(beginning),
            None => self.controls.entry(spec.control.as_str().into()).or_default(),
        };
        for resource in &spec.resources {
            bucket.names(&Slot::of(resource)).add(name);
        }
    }

    pub(super) fn remove(&mut self, name: &Name, spec: &FluxSecurityWaiverSpec) {
        let bucket = match spec.control.strip_suffix('*') {
            Some(beginning) => self.beginnings.kept.get_mut(beginning),
            None => self.controls.get_mut(spec.control.as_str()),
        };
        let Some(bucket) = bucket else { return };
        for resource in &spec.resources {
            let slot = Slot::of(resource);
            bucket.names(&slot).take_away(name);
            bucket.tidy(&slot);
        }
        if bucket.is_empty() {
            match spec.control.strip_suffix('*') {
                Some(beginning) => self.beginnings.remove(beginning),
                None => drop(self.controls.remove(spec.control.as_str())),
            }
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.controls.is_empty() && self.beginnings.kept.is_empty()
    }

    /// The waivers that may be for a finding.
    pub(super) fn candidates(&self, finding: &Finding) -> BTreeSet<Name> {
        let mut candidates = BTreeSet::new();
        let of_control = self.controls.get(finding.control.as_str()).into_iter();
        for bucket in of_control.chain(self.beginnings.of(&finding.control)) {
            bucket.candidates(&finding.resource.name, finding.resource.home(), &mut candidates);
        }
        candidates
    }
}

impl Bucket {
    fn names(&mut self, slot: &Slot<'_>) -> &mut Names {
        match *slot {
            Slot::Name(name) => self.names.entry(name.into()).or_default(),
            Slot::Namespace(namespace) => self.namespaces.entry(namespace.into()).or_default(),
            Slot::BeginningOfName(beginning) => self.beginnings_of_names.entry(beginning),
            Slot::BeginningOfNamespace(beginning) => self.beginnings_of_namespaces.entry(beginning),
            Slot::Other => &mut self.others,
        }
    }

    /// Drops a slot that holds nothing any more.
    fn tidy(&mut self, slot: &Slot<'_>) {
        if !self.names(slot).0.is_empty() {
            return;
        }
        match *slot {
            Slot::Name(name) => drop(self.names.remove(name)),
            Slot::Namespace(namespace) => drop(self.namespaces.remove(namespace)),
            Slot::BeginningOfName(beginning) => self.beginnings_of_names.remove(beginning),
            Slot::BeginningOfNamespace(beginning) => self.beginnings_of_namespaces.remove(beginning),
            Slot::Other => {}
        }
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty()
            && self.namespaces.is_empty()
            && self.beginnings_of_names.kept.is_empty()
            && self.beginnings_of_namespaces.kept.is_empty()
            && self.others.0.is_empty()
    }

    fn candidates(&self, name: &str, namespace: &str, candidates: &mut BTreeSet<Name>) {
        let by_text = self.names.get(name).into_iter();
        let found = by_text
            .chain(self.namespaces.get(namespace))
            .chain(self.beginnings_of_names.of(name))
            .chain(self.beginnings_of_namespaces.of(namespace))
            .chain([&self.others]);
        candidates.extend(found.flat_map(|names| names.0.keys().cloned()));
    }
}

impl Names {
    fn add(&mut self, name: &Name) {
        *self.0.entry(name.clone()).or_default() += 1;
    }

    fn take_away(&mut self, name: &Name) {
        if let Some(times) = self.0.get_mut(name) {
            *times -= 1;
            if *times == 0 {
                self.0.remove(name);
            }
        }
    }
}

impl<T> Default for Beginnings<T> {
    fn default() -> Self {
        Self {
            kept: FxHashMap::default(),
            lengths: BTreeMap::new(),
        }
    }
}

impl<T: Default> Beginnings<T> {
    fn entry(&mut self, beginning: &str) -> &mut T {
        if !self.kept.contains_key(beginning) {
            *self.lengths.entry(beginning.len()).or_default() += 1;
        }
        self.kept.entry(beginning.into()).or_default()
    }

    fn remove(&mut self, beginning: &str) {
        if self.kept.remove(beginning).is_none() {
            return;
        }
        if let Some(times) = self.lengths.get_mut(&beginning.len()) {
            *times -= 1;
            if *times == 0 {
                self.lengths.remove(&beginning.len());
            }
        }
    }

    /// What is kept under beginnings of a text.
    fn of<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a T> {
        let lengths = self.lengths.range(..=text.len());
        lengths.filter_map(|(length, _)| self.kept.get(text.get(..*length)?))
    }
}
