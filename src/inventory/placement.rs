//! Which pods are on which node, and which tolerations pods have.
//!
//! Kept incrementally, with what a pod was when it was indexed: one that comes, goes or gets its node touches that node
//! and no other, whatever the number of pods.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::instances::{Instance, InstanceKey};
use super::table::{self, Named, ObjectKey};
use super::tenancy::Owner;
use crate::kinds::pod::PodRow;
use crate::kinds::scheduling::Toleration;

/// The indexes over pods.
#[derive(Debug, Default)]
pub(super) struct Index {
    pods: BTreeMap<ObjectKey, Placed>,
    on_node: BTreeMap<Arc<str>, BTreeSet<ObjectKey>>,
    /// Those that may run a Flux controller.
    candidates: BTreeSet<ObjectKey>,
    /// How many pods of a namespace have these tolerations.
    tolerations: BTreeMap<Tolerant, usize>,
}

/// Tolerations, and the namespace of those who have them.
type Tolerant = (Arc<str>, Box<[Toleration]>);

/// What a pod was when it was indexed.
#[derive(Debug, PartialEq, Eq)]
struct Placed {
    node: Arc<str>,
    tolerations: Box<[Toleration]>,
}

/// What may differ now.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Who runs on these nodes.
    pub(super) nodes: BTreeSet<Arc<str>>,
    /// The controllers of these namespaces.
    pub(super) controllers: BTreeSet<Arc<str>>,
    /// Which tolerations there are, or who has them.
    pub(super) tolerations: bool,
}

impl Index {
    /// Takes in a pod as it is now, `None` when it is gone.
    pub(super) fn pod(&mut self, key: &ObjectKey, row: Option<&PodRow>, touched: &mut Touched) {
        self.candidate(key, row, touched);
        let now = row.map(|row| Placed {
            node: self.known(&row.node),
            tolerations: row.tolerations.clone(),
        });
        if self.pods.get(key) == now.as_ref() {
            return;
        }
        if let Some(old) = self.pods.remove(key) {
            self.detach(key, old, touched);
        }
        if let Some(placed) = now {
            self.attach(key, placed, touched);
        }
    }

    fn candidate(&mut self, key: &ObjectKey, row: Option<&PodRow>, touched: &mut Touched) {
        let is_one = row.is_some_and(|row| row.candidate.is_some());
        let was_one = if is_one {
            !self.candidates.insert(key.clone())
        } else {
            self.candidates.remove(key)
        };
        if is_one || was_one {
            touched.controllers.insert(key.namespace.clone());
        }
    }

    /// The name of a node, shared with all pods there.
    fn known(&self, node: &str) -> Arc<str> {
        match self.on_node.get_key_value(node) {
            Some((known, _)) => known.clone(),
            None => node.into(),
        }
    }

    fn attach(&mut self, key: &ObjectKey, placed: Placed, touched: &mut Touched) {
        touched.nodes.insert(placed.node.clone());
        self.on_node
            .entry(placed.node.clone())
            .or_default()
            .insert(key.clone());
        if !placed.tolerations.is_empty() {
            let tolerant = (key.namespace.clone(), placed.tolerations.clone());
            let count = self.tolerations.entry(tolerant).or_default();
            *count += 1;
            touched.tolerations |= *count == 1;
        }
        self.pods.insert(key.clone(), placed);
    }

    fn detach(&mut self, key: &ObjectKey, placed: Placed, touched: &mut Touched) {
        if let Some(pods) = self.on_node.get_mut(&placed.node) {
            pods.remove(key);
            if pods.is_empty() {
                self.on_node.remove(&placed.node);
            }
        }
        touched.nodes.insert(placed.node);
        let tolerant = (key.namespace.clone(), placed.tolerations);
        if let Some(count) = self.tolerations.get_mut(&tolerant) {
            *count -= 1;
            if *count == 0 {
                self.tolerations.remove(&tolerant);
                touched.tolerations = true;
            }
        }
    }

    /// The pods of a namespace that may run a Flux controller.
    pub(super) fn candidates<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a ObjectKey> {
        let first: &dyn Named = &(namespace, "");
        self.candidates
            .range::<dyn Named, _>((Bound::Included(first), Bound::Unbounded))
            .take_while(move |key| &*key.namespace == namespace)
    }

    /// The namespaces that have pods on a node.
    pub(super) fn namespaces(&self, node: &str) -> Vec<&str> {
        let pods = self.on_node.get(node).into_iter().flatten();
        let mut namespaces: Vec<&str> = pods.map(|key| &*key.namespace).collect();
        namespaces.dedup();
        namespaces
    }

    /// The nodes that pods of a namespace are on.
    pub(super) fn nodes(&self, namespace: &str, touched: &mut BTreeSet<Arc<str>>) {
        let pods = table::from(&self.pods, namespace);
        let own = pods.take_while(|(key, _)| &*key.namespace == namespace);
        touched.extend(own.map(|(_, placed)| placed.node.clone()));
    }

    /// Whether pods of a namespace have any.
    pub(super) fn has_tolerations(&self, namespace: &Arc<str>) -> bool {
        let first: Tolerant = (namespace.clone(), Box::default());
        let mut from_there = self.tolerations.range(first..);
        from_there
            .next()
            .is_some_and(|((found, _), _)| found == namespace)
    }

    /// Tolerations, and the namespaces of those who have them.
    pub(super) fn tolerations(&self) -> impl Iterator<Item = (&str, &[Toleration])> {
        self.tolerations
            .keys()
            .map(|(namespace, tolerations)| (&**namespace, &**tolerations))
    }
}

/// Pods of one namespace on the judged node.
pub struct Neighbours<'a> {
    /// Whom they belong to.
    pub owner: Owner<'a>,
    /// The controllers of Flux that run there, for sure or possibly.
    pub controllers: Vec<(&'a InstanceKey, &'a Instance)>,
}
