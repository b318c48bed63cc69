//! A cluster of any size, the same for the same size: tenants with objects of Flux as large as real ones, and what is
//! wrong with them.
//!
//! Of a hundred Flux objects 40 are Kustomizations, 25 HelmReleases, 12 GitRepositories, 8 OCIRepositories, 6
//! HelmRepositories and HelmCharts, and 9 others. Ten of them make a tenant: a namespace with an account, its role, and a pod.
//! Every tenth object breaks one to three controls; [`Population::planted`] is the answer to what an audit has to find.

mod objects;
mod status;

pub(crate) use status::renew;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use objects::{Breach, Shape};

/// Where all chance comes from.
const SEED: u64 = 0x0f1a_5ec0;
/// Objects of one tenant.
pub(crate) const OF_A_TENANT: usize = 10;
/// One object in so many breaks a control.
const BROKEN: u64 = 10;

/// Objects, and what is wrong with them.
pub(crate) struct Population {
    /// In an order in which they can be made.
    pub(crate) objects: Vec<Object>,
    /// What an audit has to find.
    pub(crate) planted: BTreeSet<Finding>,
}

/// An object to be made.
pub(crate) struct Object {
    /// What has to be there before it.
    pub(crate) phase: Phase,
    /// `/apis/<group>/<version>/namespaces/<namespace>/<plural>`, where it is posted.
    pub(crate) collection: String,
    /// Without its status.
    pub(crate) body: Value,
    /// Its status, for which there is a request of its own.
    pub(crate) status: Option<Value>,
}

impl Object {
    /// As an API server tells of it, with its status and with whom it is from.
    pub(crate) fn whole(self) -> Value {
        let mut whole = self.body;
        let version = whole["apiVersion"].clone();
        whole["metadata"]["managedFields"] = json!([{
            "apiVersion": version, "fieldsV1": {}, "manager": "kustomize-controller", "operation": "Apply",
        }]);
        if let Some(status) = self.status {
            whole["status"] = status;
        }
        whole
    }
}

/// When an object can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// At once.
    Namespaces,
    /// When there are namespaces.
    Accounts,
    /// When there are accounts.
    Rest,
}

impl Phase {
    /// Every phase, in order.
    pub(crate) const ALL: [Self; 3] = [Self::Namespaces, Self::Accounts, Self::Rest];
}

/// One object that breaks one control.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Id of the control.
    pub(crate) control: String,
    /// `Kustomization team-0001/app-3`
    pub(crate) object: String,
}

impl Finding {
    /// A finding on an object.
    pub(crate) fn new(control: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            control: control.to_owned(),
            object: format!("{kind} {namespace}/{name}"),
        }
    }
}

impl Population {
    /// A population with so many Flux objects.
    pub(crate) fn new(size: usize) -> Self {
        let mut population = Self {
            objects: Vec::new(),
            planted: BTreeSet::new(),
        };
        for tenant in 0..size / OF_A_TENANT {
            population.tenant(tenant);
        }
        for index in 0..size {
            population.flux_object(index);
        }
        population
    }

    /// The Kustomizations that break nothing, as namespace and name.
    pub(crate) fn sound_kustomizations(size: usize) -> Vec<(String, String)> {
        (0..size)
            .filter(|index| Shape::of(*index).kind == "Kustomization" && breaches(*index).is_empty())
            .map(|index| (namespace_of(index), name_of(index)))
            .collect()
    }

    /// What Flux renews the status of all day, as path and status.
    pub(crate) fn renewed(size: usize) -> Vec<(String, Value)> {
        let object = |index: usize| {
            let shape = Shape::of(index);
            let status = shape.status(index, &[])?;
            let path = format!("{}/{}", shape.collection(&namespace_of(index)), name_of(index));
            matches!(shape.kind, "Kustomization" | "HelmRelease").then_some((path, status))
        };
        (0..size).filter_map(object).collect()
    }

    fn tenant(&mut self, tenant: usize) {
        let namespace = tenant_name(tenant);
        let core = |plural: &str| format!("/api/v1/namespaces/{namespace}/{plural}");
        let rbac = |plural: &str| core(plural).replace("/api/v1", "/apis/rbac.authorization.k8s.io/v1");
        let mut push = |phase: Phase, collection: String, body: Value, status: Option<Value>| {
            self.objects.push(Object {
                phase,
                collection,
                body,
                status,
            });
        };
        let namespaces = "/api/v1/namespaces".to_owned();
        push(
            Phase::Namespaces,
            namespaces,
            objects::namespace(&namespace),
            None,
        );
        push(
            Phase::Accounts,
            core("serviceaccounts"),
            objects::account(&namespace),
            None,
        );
        push(Phase::Rest, rbac("roles"), objects::role(&namespace), None);
        push(
            Phase::Rest,
            rbac("rolebindings"),
            objects::binding(&namespace),
            None,
        );
        push(
            Phase::Rest,
            core("pods"),
            objects::pod(&namespace),
            Some(status::pod()),
        );
    }

    fn flux_object(&mut self, index: usize) {
        let (namespace, name) = (namespace_of(index), name_of(index));
        let shape = Shape::of(index);
        let breaches = breaches(index);
        for breach in &breaches {
            for control in breach.controls() {
                self.planted
                    .insert(Finding::new(control, shape.kind, &namespace, &name));
            }
        }
        self.objects.push(Object {
            phase: Phase::Rest,
            collection: shape.collection(&namespace),
            body: shape.object(&namespace, &name, &breaches),
            status: shape.status(index, &breaches),
        });
    }
}

/// What is wrong with an object: one thing for sure, each of the others by chance.
fn breaches(index: usize) -> Vec<Breach> {
    let possible = Shape::of(index).breaches();
    if possible.is_empty() || !chance(index, 0).is_multiple_of(BROKEN) {
        return Vec::new();
    }
    let sure = chance(index, 1) % possible.len() as u64;
    let chosen = (0..)
        .zip(possible)
        .filter(|(position, _)| *position == sure || chance(index, 2 + position).is_multiple_of(4));
    chosen.map(|(_, breach)| *breach).collect()
}

fn namespace_of(index: usize) -> String {
    tenant_name(index / OF_A_TENANT)
}

pub(crate) fn tenant_name(tenant: usize) -> String {
    format!("team-{tenant:05}")
}

fn name_of(index: usize) -> String {
    format!("app-{index:06}")
}

/// A number that only depends on the object and on what it is for (splitmix64).
fn chance(index: usize, purpose: u64) -> u64 {
    let mut z = SEED
        .wrapping_add((index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(purpose.wrapping_mul(0xd1b5_4a32_d192_ed03));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A digest that only depends on the object and on what it is for.
fn digest(index: usize, purpose: u64) -> String {
    let word = |position: u64| format!("{:016x}", chance(index, 1000 + purpose * 4 + position));
    (0..4).map(word).collect()
}
