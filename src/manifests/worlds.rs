//! Several clusters in one folder. When two folders define the same object, they are of two clusters, or of two stages of
//! one: each is audited apart, with everything that both share. So every definition is judged as itself, references lead
//! to the definition of the same folder, and what only one of them has is no excuse for the other.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{Definition, Of};
use crate::api::ControlResult;
use crate::engine::{ControlPosture, PolicyPosture, WaiverPosture, WaiverPostures};
use crate::inventory::ObjectKey;

/// So many objects are audited, counting those that clusters share once for each of them.
const MOST_OBJECTS: usize = 2_000_000;
/// What a cluster costs beside its objects.
const COST_OF_A_WORLD: usize = 10_000;

/// A folder, or a file with several definitions, whose parts exclude each other.
type Parent = String;

/// Which part of each parent counts: its position among them.
pub(super) type World = Vec<u32>;

/// What is audited together.
#[derive(Debug)]
pub(super) struct Plan {
    /// Of each definition the parents that it is in, and in which part; none when nothing is defined twice.
    memberships: Vec<Membership>,
    definitions: usize,
    pub(super) worlds: Vec<World>,
    /// Parts that are in no world, because there are too many.
    pub(super) left_out: Vec<String>,
}

type Membership = Box<[(u32, u32)]>;

/// The parents, each with its parts in order.
#[derive(Default)]
struct Alternatives {
    numbers: BTreeMap<Parent, u32>,
    parts: Vec<Vec<String>>,
}

impl Plan {
    pub(super) fn new(files: &[Arc<str>], definitions: &[Definition]) -> Self {
        let paths = Paths::new(files, definitions);
        let alternatives = Alternatives::new(&paths);
        let mut plan = Self {
            memberships: Vec::new(),
            definitions: definitions.len(),
            worlds: vec![vec![0; alternatives.parts.len()]],
            left_out: Vec::new(),
        };
        if alternatives.parts.is_empty() {
            return plan;
        }
        let membership = |at| alternatives.membership(&paths.steps(at));
        plan.memberships = (0..definitions.len()).map(membership).collect();
        plan.choose(&alternatives);
        plan
    }

    /// The definitions of a world.
    pub(super) fn members<'a>(&'a self, world: &'a World) -> impl Iterator<Item = usize> + 'a {
        let is_member = move |at: &usize| {
            let mut membership = self.memberships.get(*at).into_iter().flatten();
            membership.all(|(parent, part)| world[*parent as usize] == *part)
        };
        (0..self.definitions).filter(is_member)
    }

    /// A world for each part that the first one does not have.
    fn choose(&mut self, alternatives: &Alternatives) {
        let mut known = HashSet::new();
        let first = self.worlds[0].clone();
        known.insert(fingerprint(&first));
        let mut cost = self.cost(&first);
        for (parent, number) in &alternatives.numbers {
            for (part, name) in alternatives.parts[*number as usize].iter().enumerate().skip(1) {
                if cost > MOST_OBJECTS {
                    self.left_out.push(format!("{parent}/{name}"));
                    continue;
                }
                let world = alternatives.world_with(parent, *number, part, name);
                if known.insert(fingerprint(&world)) {
                    cost += self.cost(&world);
                    self.worlds.push(world);
                }
            }
        }
    }

    fn cost(&self, world: &World) -> usize {
        COST_OF_A_WORLD + self.members(world).count()
    }
}

impl Alternatives {
    fn new(paths: &Paths<'_>) -> Self {
        let mut found: BTreeMap<Parent, BTreeSet<String>> = BTreeMap::new();
        for group in paths.repeated() {
            divide(&group, 0, &mut found);
        }
        let mut alternatives = Self::default();
        for (parent, parts) in found {
            let number = u32::try_from(alternatives.parts.len()).unwrap_or(u32::MAX);
            alternatives.numbers.insert(parent, number);
            alternatives.parts.push(parts.into_iter().collect());
        }
        alternatives
    }

    fn membership(&self, steps: &[String]) -> Membership {
        let mut membership = Vec::new();
        let mut parent = String::new();
        for step in steps {
            if let Some(number) = self.numbers.get(&parent)
                && let Ok(part) = self.parts[*number as usize].binary_search(step)
            {
                membership.push((*number, u32::try_from(part).unwrap_or(u32::MAX)));
            }
            push(&mut parent, step);
        }
        membership.into()
    }

    /// The world in which this part counts. Elsewhere that part counts which is called alike, else the first one.
    fn world_with(&self, parent: &str, number: u32, part: usize, name: &str) -> World {
        let alike = |parts: &Vec<String>| {
            let position = parts.binary_search_by(|other| other.as_str().cmp(name));
            u32::try_from(position.unwrap_or(0)).unwrap_or(0)
        };
        let mut world: World = self.parts.iter().map(alike).collect();
        world[number as usize] = u32::try_from(part).unwrap_or(u32::MAX);
        // What leads to it has to count as well.
        let steps: Vec<String> = parent.split('/').map(str::to_owned).collect();
        for (parent, part) in self.membership(&steps) {
            world[parent as usize] = part;
        }
        world
    }
}

/// Finds out where the paths of one object's definitions part.
fn divide(group: &[Vec<String>], depth: usize, found: &mut BTreeMap<Parent, BTreeSet<String>>) {
    if group.len() < 2 {
        return;
    }
    let mut depth = depth;
    // As long as all go the same way.
    while let Some(step) = group[0].get(depth)
        && group.iter().all(|path| path.get(depth) == Some(step))
    {
        depth += 1;
    }
    let mut parts: BTreeMap<&String, Vec<Vec<String>>> = BTreeMap::new();
    for path in group {
        if let Some(step) = path.get(depth) {
            parts.entry(step).or_default().push(path.clone());
        }
    }
    if parts.len() < 2 {
        return;
    }
    let mut parent = String::new();
    for step in &group[0][..depth] {
        push(&mut parent, step);
    }
    let names = parts.keys().map(|name| (*name).clone());
    found.entry(parent).or_default().extend(names);
    for part in parts.values() {
        divide(part, depth + 1, found);
    }
}

fn push(parent: &mut String, step: &str) {
    if !parent.is_empty() {
        parent.push('/');
    }
    parent.push_str(step);
}

fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// The way to each definition: folders, file, and its number when the file has several of the same object.
struct Paths<'a> {
    files: &'a [Arc<str>],
    definitions: &'a [Definition],
    /// The definitions of the same object, where there are several.
    groups: Vec<Vec<usize>>,
    /// The number within its file, where the file has several of the same object.
    numbers: BTreeMap<usize, usize>,
}

impl<'a> Paths<'a> {
    fn new(files: &'a [Arc<str>], definitions: &'a [Definition]) -> Self {
        let mut first: HashMap<(&Of, &ObjectKey), usize> = HashMap::with_capacity(definitions.len());
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, definition) in definitions.iter().enumerate() {
            let first = *first.entry((&definition.kind, &definition.key)).or_insert(at);
            if first != at {
                groups.entry(first).or_insert_with(|| vec![first]).push(at);
            }
        }
        let groups: Vec<Vec<usize>> = groups.into_values().collect();
        let mut numbers = BTreeMap::new();
        for group in &groups {
            for of_file in group.chunk_by(|a, b| definitions[*a].place.file == definitions[*b].place.file) {
                if of_file.len() > 1 {
                    numbers.extend(of_file.iter().enumerate().map(|(number, at)| (*at, number)));
                }
            }
        }
        Self {
            files,
            definitions,
            groups,
            numbers,
        }
    }

    fn steps(&self, at: usize) -> Vec<String> {
        let file = self.files.get(self.definitions[at].place.file as usize);
        let mut steps: Vec<String> = file
            .map(|file| file.split('/').map(str::to_owned).collect())
            .unwrap_or_default();
        if let Some(number) = self.numbers.get(&at) {
            // Ordered as numbers are.
            steps.push(format!("#{number:09}"));
        }
        steps
    }

    fn repeated(&self) -> impl Iterator<Item = Vec<Vec<String>>> {
        self.groups
            .iter()
            .map(|group| group.iter().map(|at| self.steps(*at)).collect())
    }
}

/// Adds the posture of another world: the worse result of each control, and every finding once.
pub(super) fn merge(merged: &mut PolicyPosture, other: PolicyPosture) {
    merged.findings.edit(|findings| {
        findings.extend(other.findings.iter().cloned());
        findings.sort_by(|a, b| a.finding.cmp(&b.finding));
        findings.dedup_by(|a, b| a.finding == b.finding);
    });
    let mut findings: BTreeMap<&str, Counts> = BTreeMap::new();
    for finding in &merged.findings {
        let counts = findings.entry(&finding.finding.control).or_default();
        if finding.finding.is_waived() {
            counts.waived += 1;
        } else {
            counts.open += 1;
        }
    }
    for (control, other) in merged.controls.iter_mut().zip(other.controls) {
        if is_worse(&other, control) {
            *control = other;
        }
        let counts = findings.get(control.control.id).copied().unwrap_or_default();
        (control.findings, control.waived) = (counts.open, counts.waived);
    }
    if merged.tenants != other.tenants {
        Arc::make_mut(&mut merged.tenants).merge(&other.tenants);
    }
    for installation in other.installations {
        if !merged.installations.contains(&installation) {
            merged.installations.push(installation);
        }
    }
    for gap in other.gaps {
        if !merged.gaps.contains(&gap) {
            merged.gaps.push(gap);
        }
    }
}

/// Findings of a control.
#[derive(Clone, Copy, Default)]
struct Counts {
    open: usize,
    waived: usize,
}

/// What waivers are for in all clusters: one may be for objects of some of them only.
pub(super) fn merge_waivers(merged: &mut BTreeMap<Arc<str>, Arc<WaiverPosture>>, others: &WaiverPostures) {
    for other in others.values() {
        let Some(known) = merged.get_mut(&other.name) else {
            merged.insert(other.name.clone(), other.clone());
            continue;
        };
        let matched = known.matched + other.matched;
        if known.matched == 0 {
            *known = other.clone();
        }
        Arc::make_mut(known).matched = matched;
    }
}

fn is_worse(one: &ControlPosture, other: &ControlPosture) -> bool {
    let rank = |control: &ControlPosture| match control.result {
        ControlResult::Fail => (0, control.severity),
        ControlResult::Unknown => (1, control.severity),
        ControlResult::Manual => (2, control.severity),
        ControlResult::Waived => (3, control.severity),
        ControlResult::Pass => (4, control.severity),
        ControlResult::NotApplicable => (5, control.severity),
    };
    rank(one) < rank(other)
}

#[cfg(test)]
mod tests {
    use super::super::{Fact, Place};
    use super::*;
    use crate::kinds::KindId;

    /// The worlds of definitions, as `file object`, each as the numbers of its definitions.
    fn worlds(definitions: &[&str]) -> Vec<Vec<usize>> {
        let mut files: Vec<Arc<str>> = Vec::new();
        let mut all = Vec::new();
        for (line, text) in (1..).zip(definitions) {
            let (file, object) = text.split_once(' ').unwrap();
            if files.last().is_none_or(|last| **last != *file) {
                files.push(file.into());
            }
            all.push(Definition {
                kind: Of::Kind(KindId(0)),
                key: ObjectKey::new("", object),
                fact: Fact::Taken,
                place: Place {
                    file: u32::try_from(files.len() - 1).unwrap(),
                    line,
                },
            });
        }
        let plan = Plan::new(&files, &all);
        plan.worlds
            .iter()
            .map(|world| plan.members(world).collect())
            .collect()
    }

    #[test]
    fn folders_that_define_the_same_are_audited_apart() {
        assert_eq!(worlds(&["a.yaml x", "b.yaml y"]), [[0, 1]]);
        // Two clusters and what they share; the second has something of its own.
        assert_eq!(
            worlds(&[
                "c/prod/a x",
                "c/prod/a y",
                "c/stage/a x",
                "c/stage/b z",
                "infra/a w"
            ]),
            [vec![0, 1, 4], vec![2, 3, 4]]
        );
        // Overlays that are called like the clusters go with them.
        assert_eq!(
            worlds(&["apps/prod/a x", "apps/stage/a x", "c/prod/a y", "c/stage/a y"]),
            [[0, 2], [1, 3]]
        );
        // The same object twice in one file, and in two files of one folder.
        assert_eq!(worlds(&["a x", "a y", "a x"]), [[0, 1], [1, 2]]);
        assert_eq!(worlds(&["f/a x", "f/b x", "f/c y"]), [[0, 2], [1, 2]]);
        // A part that has parts.
        assert_eq!(
            worlds(&["c/p/1/a x", "c/p/2/a x", "c/s/a x"]),
            [vec![0], vec![2], vec![1]]
        );
    }

    #[test]
    fn every_definition_is_in_a_world() {
        let definitions = [
            "a/b/c x", "a/b/d x", "a/b/d y", "a/e/c x", "a/e/c y", "f/c x", "f/c x", "f/g y",
        ];
        let found: BTreeSet<usize> = worlds(&definitions).into_iter().flatten().collect();
        assert_eq!(found.len(), definitions.len());
    }
}
