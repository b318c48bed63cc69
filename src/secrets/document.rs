//! A document of YAML or JSON: which object it is, and what of it is in plain text.

use serde::Deserialize;

use super::inline::{self, Inline, Trace, shown};
use super::node::{Node, Value};
use super::sops::{self, Metadata};
use super::tree::Class;

/// Lists within lists are looked into so deep.
const DEEPEST_LIST: usize = 3;

/// What a document has.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) leaks: Vec<Found>,
    pub(super) encrypted: Vec<Ciphertext>,
    /// What kustomize builds from it.
    pub(super) build: Option<Build>,
    /// Whether a part lies deeper than is looked.
    pub(super) is_unread: bool,
    /// Whether a selector of SOPS is not understood.
    pub(super) is_unclear: bool,
}

/// Something in plain text.
pub(super) struct Found {
    pub(super) line: u32,
    pub(super) class: Class,
    pub(super) trace: Trace,
    pub(super) object: Box<str>,
    pub(super) field: Box<str>,
}

/// What SOPS has encrypted.
pub(super) struct Ciphertext {
    pub(super) line: u32,
    pub(super) namespace: Box<str>,
    pub(super) is_secret: bool,
    pub(super) metadata: Metadata,
}

/// What kustomize builds.
#[derive(Default)]
pub(super) struct Build {
    /// Files and folders that it takes in.
    pub(super) takes: Vec<Box<str>>,
    /// Files that it makes Secrets of, and the lines that say so.
    pub(super) secrets: Vec<(u32, Box<str>)>,
}

/// What an object says of itself.
struct Object<'a> {
    root: &'a Node<'a>,
    kind: &'a str,
    group: &'a str,
    name: Box<str>,
}

impl<'a> Object<'a> {
    fn of(root: &'a Node<'a>) -> Self {
        let version = root.text_at(&["apiVersion"]);
        let kind = root.text_at(&["kind"]);
        let group = version.split_once('/').map_or("", |(group, _)| group);
        Self {
            root,
            kind,
            group,
            name: Self::name(root, kind),
        }
    }

    fn name(root: &Node<'_>, kind: &str) -> Box<str> {
        let [namespace, name] = ["namespace", "name"].map(|field| root.text_at(&["metadata", field]));
        match (kind, namespace, name) {
            ("", ..) => "".into(),
            (kind, _, "") => shown(kind).into(),
            (kind, "", name) => format!("{} {}", shown(kind), shown(name)).into(),
            (kind, namespace, name) => format!("{} {}/{}", shown(kind), shown(namespace), shown(name)).into(),
        }
    }

    /// Whether it is a Secret of Kubernetes, and not one of somebody else.
    fn is_secret(&self) -> bool {
        self.kind == "Secret" && self.root.text_at(&["apiVersion"]) == "v1"
    }

    /// Whether it is one that Flux looks after, and whoever may view its namespace reads.
    fn is_of_flux(&self) -> bool {
        let groups = ["toolkit.fluxcd.io", "fluxcd.controlplane.io"];
        groups.iter().any(|group| self.group.ends_with(group))
    }

    fn found(&self, line: u32, class: Class, trace: Trace, field: impl Into<Box<str>>) -> Found {
        Found {
            line,
            class,
            trace,
            object: self.name.clone(),
            field: field.into(),
        }
    }
}

/// Looks at a document. `is_kustomization`: its file is called like one of kustomize.
pub(super) fn look(root: &Node<'_>, is_kustomization: bool) -> Findings {
    let mut findings = Findings::default();
    findings.take(root, is_kustomization, 0);
    findings
}

impl Findings {
    fn take(&mut self, root: &Node<'_>, is_kustomization: bool, depth: usize) {
        // What is cut off a list comes with its dash.
        let are_objects = root.items().iter().all(|item| item.get("kind").is_some());
        if !root.items().is_empty() && are_objects && depth < DEEPEST_LIST {
            for item in root.items() {
                self.take(item, is_kustomization, depth + 1);
            }
            return;
        }
        let object = Object::of(root);
        if let Some(items) = root.get("items")
            && object.kind.ends_with("List")
            && depth < DEEPEST_LIST
        {
            for item in items.items() {
                self.take(item, false, depth + 1);
            }
            return;
        }
        if object.kind == "CustomResourceDefinition" {
            return;
        }
        let is_of_kustomize =
            object.group == "kustomize.config.k8s.io" || is_kustomization && object.kind.is_empty();
        if is_of_kustomize {
            self.kustomization(&object);
        }
        let encrypted = root
            .get("sops")
            .filter(|block| matches!(block.value, Value::Map(_)));
        if let Some(block) = encrypted {
            self.encrypted(&object, block);
        }
        self.inline(&object);
        self.fakes(&object);
        self.templates(&object);
    }

    /// What SOPS has encrypted, and what it has not.
    fn encrypted(&mut self, object: &Object<'_>, block: &Node<'_>) {
        let metadata = Metadata::of(block);
        if !metadata.is_whole() {
            self.leaks
                .push(object.found(block.line, Class::Sops, Trace::NoRecipient, "sops"));
        }
        self.is_unclear |= metadata.selector.is_unclear() && !object.is_secret();
        for plain in sops::plain_values(object.root, &metadata.selector) {
            let is_datum = object.is_secret() && matches!(plain.path.first(), Some(&("data" | "stringData")));
            let is_public = plain.path.last().is_some_and(|key| inline::is_public(key));
            let trace = match (plain.is_selected, is_datum) {
                (true, _) => Trace::Unencrypted,
                (false, true) if !is_public && inline::is_datum(plain.text) => Trace::LeftPlain,
                (false, _) => continue,
            };
            let keys: Vec<&str> = plain.path.iter().map(|key| shown(key)).collect();
            self.leaks
                .push(object.found(plain.line, Class::Sops, trace, keys.join(".")));
        }
        self.encrypted.push(Ciphertext {
            line: object.root.line,
            namespace: shown_or_none(object.root.text_at(&["metadata", "namespace"])).into(),
            is_secret: object.is_secret(),
            metadata,
        });
    }

    /// What gives itself away, by its name or its shape.
    fn inline(&mut self, object: &Object<'_>) {
        let Ok(inline) = Inline::deserialize(object.root) else {
            self.is_unread = true;
            return;
        };
        self.is_unread |= inline.is_unread();
        for leak in inline.leaks() {
            let line = object.root.line_of(&leak.place);
            let is_told = |known: &Found| {
                known.class == Class::Sops && known.line == line && known.object == object.name
            };
            if leak.place.starts_with("sops.") || self.leaks.iter().any(is_told) {
                continue;
            }
            let is_data = |list: &str| leak.place.starts_with(list);
            let is_datum = object.is_secret() && ["data.", "stringData."].into_iter().any(is_data);
            let class = match leak.trace {
                _ if object.is_of_flux() => Class::FluxObject,
                _ if is_datum => Class::Secret,
                Trace::SecretData => Class::Secret,
                _ => Class::Credential,
            };
            self.leaks
                .push(object.found(line, class, leak.trace, leak.place.clone()));
        }
    }

    /// What stands in for a store of secrets, and holds them itself.
    fn fakes(&mut self, object: &Object<'_>) {
        let group = object.group;
        if group != "external-secrets.io" && group != "generators.external-secrets.io" {
            return;
        }
        let values = object.root.below(&["spec", "provider", "fake", "data"]);
        for (number, datum) in values.map(Node::items).unwrap_or_default().iter().enumerate() {
            if let Some(value) = datum.get("value")
                && value.text().is_some_and(inline::is_datum)
            {
                let field = format!("spec.provider.fake.data[{number}].value");
                self.leaks
                    .push(object.found(value.line, Class::Secret, Trace::SecretData, field));
            }
        }
        if object.kind != "Fake" {
            return;
        }
        let data = object.root.below(&["spec", "data"]);
        for (key, line, value) in data.into_iter().flat_map(Node::lines) {
            if value.text().is_some_and(inline::is_datum) {
                let field = format!("spec.data.{}", shown(key));
                self.leaks
                    .push(object.found(line, Class::Secret, Trace::SecretData, field));
            }
        }
    }

    /// What an operator makes Secrets of once it has decrypted it.
    fn templates(&mut self, object: &Object<'_>) {
        if object.kind != "SopsSecret" || object.root.get("sops").is_some() {
            return;
        }
        let templates = object.root.below(&["spec", "secretTemplates"]).map(Node::items);
        for (number, template) in templates.unwrap_or_default().iter().enumerate() {
            for list in ["data", "stringData"] {
                for (key, line, value) in template.get(list).into_iter().flat_map(Node::lines) {
                    if !inline::is_public(key) && value.text().is_some_and(inline::is_datum) {
                        let field = format!("spec.secretTemplates[{number}].{list}.{}", shown(key));
                        self.put(object.found(line, Class::Secret, Trace::SecretData, field));
                    }
                }
            }
        }
    }

    /// Adds a leak whose line is not known for one yet, or only by its name.
    fn put(&mut self, found: Found) {
        self.leaks
            .retain(|known| known.line != found.line || known.class < found.class);
        if !self.leaks.iter().any(|known| known.line == found.line) {
            self.leaks.push(found);
        }
    }

    /// What kustomize takes in, and what it makes Secrets of.
    fn kustomization(&mut self, object: &Object<'_>) {
        let root = object.root;
        let mut build = Build::default();
        for list in ["resources", "components", "bases", "patchesStrategicMerge"] {
            let items = root.get(list).map(Node::items).unwrap_or_default();
            build
                .takes
                .extend(items.iter().filter_map(Node::text).map(Into::into));
        }
        for list in ["patches", "patchesJson6902", "replacements"] {
            let items = root.get(list).map(Node::items).unwrap_or_default();
            build
                .takes
                .extend(items.iter().map(|item| item.text_at(&["path"]).into()));
        }
        for (number, generator) in root
            .get("secretGenerator")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            self.secret_generator(object, number, generator, &mut build);
        }
        let config_maps = root
            .get("configMapGenerator")
            .map(Node::items)
            .unwrap_or_default();
        for (number, generator) in config_maps.iter().enumerate() {
            for literal in generator.get("literals").map(Node::items).unwrap_or_default() {
                let (name, value) = literal
                    .text()
                    .and_then(|text| text.split_once('='))
                    .unwrap_or_default();
                if let Some(trace) = inline::trace_of_variable(name, value) {
                    let field = format!("configMapGenerator[{number}].literals.{}", shown(name));
                    self.leaks
                        .push(object.found(literal.line, Class::Credential, trace, field));
                }
            }
        }
        self.build = Some(build);
    }

    fn secret_generator(
        &mut self,
        object: &Object<'_>,
        number: usize,
        generator: &Node<'_>,
        build: &mut Build,
    ) {
        for literal in generator.get("literals").map(Node::items).unwrap_or_default() {
            let (name, value) = literal
                .text()
                .and_then(|text| text.split_once('='))
                .unwrap_or_default();
            if !inline::is_public(name) && inline::is_datum(value) {
                let field = format!("secretGenerator[{number}].literals.{}", shown(name));
                self.leaks
                    .push(object.found(literal.line, Class::Secret, Trace::Generated, field));
            }
        }
        let of = |list: &str| generator.get(list).map(Node::items).unwrap_or_default().iter();
        for file in of("files").chain(of("envs")).chain(generator.get("env")) {
            let text = file.text().unwrap_or_default();
            let (key, path) = text.split_once('=').unwrap_or((file_name(text), text));
            if !inline::is_public(key) && !path.is_empty() {
                build.secrets.push((file.line, path.into()));
            }
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A name as far as it may be shown.
fn shown_or_none(name: &str) -> &str {
    match shown(name) {
        "*" => "",
        name => name,
    }
}
