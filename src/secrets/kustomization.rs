//! Reads the kustomizations that most are: lists of files, and nothing else.

use super::document::Build;

/// Lists of what is taken in, in the order that they are told in.
const LISTS: [&str; 4] = ["resources", "components", "bases", "patchesStrategicMerge"];
const GROUP: &str = "kustomize.config.k8s.io/";

/// What kustomize takes in; `None`: there is more to a kustomization, and a tree has to be built.
pub(super) fn build(text: &str) -> Option<Build> {
    let mut takes: [Vec<Box<str>>; LISTS.len()] = Default::default();
    let mut seen: Vec<&str> = Vec::new();
    // The list that items belong to, and how far they are indented.
    let mut list: Option<(usize, Option<usize>)> = None;
    let (mut has_group, mut has_kind) = (false, false);
    for line in text.split_terminator('\n') {
        let body = line.trim_start_matches(' ');
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        let indent = line.len() - body.len();
        if let Some(item) = body.strip_prefix("- ") {
            let (list, of_items) = list.as_mut()?;
            if *of_items.get_or_insert(indent) != indent || !is_path(item) {
                return None;
            }
            takes[*list].push(item.into());
            continue;
        }
        let (key, value) = body.split_once(':')?;
        if indent > 0 || seen.contains(&key) {
            return None;
        }
        seen.push(key);
        let value = value.trim_start_matches(' ');
        list = LISTS
            .iter()
            .position(|list| *list == key)
            .map(|list| (list, None));
        match key {
            _ if list.is_some() => value.is_empty().then_some(())?,
            "apiVersion" => has_group = value.strip_prefix(GROUP).is_some_and(is_path),
            "kind" if matches!(value, "Kustomization" | "Component") => has_kind = true,
            "namespace" if is_path(value) => {}
            _ => return None,
        }
    }
    // Without a group it is one by its file's name alone, unless it says that it is something else.
    (has_group || !has_kind && !seen.contains(&"apiVersion")).then(|| Build {
        takes: takes.into_iter().flatten().collect(),
        secrets: Vec::new(),
    })
}

/// Whether it is a path, or one word of another sort, and nothing that has to be decoded.
fn is_path(text: &str) -> bool {
    let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'/' | b'_' | b'-');
    !matches!(text, "" | "null" | "Null" | "NULL") && !text.starts_with('-') && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::super::node::Node;
    use super::*;

    #[test]
    fn lists_of_files_are_those_of_a_tree() {
        for text in [
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- a.yaml\n- ../b\n",
            "# what we have\nresources:\n  - a.yaml\n\n  - b\ncomponents:\n- c\nnamespace: apps\n",
            "components:\n- c\nresources:\n- a\n",
            "resources:\n",
            "",
        ] {
            let told = build(text);
            let root = Node::parse(text, 1).ok();
            let wanted = root.and_then(|root| document::look(&root, true).build);
            let takes = |build: Option<Build>| build.map(|build| build.takes);
            assert!(told.is_some(), "{text}");
            assert_eq!(takes(told), takes(wanted), "{text}");
        }
    }

    #[test]
    fn whatever_else_is_there_needs_a_tree() {
        for text in [
            "secretGenerator:\n- name: a\n",
            "resources: [a.yaml]\n",
            "resources:\n- a.yaml # why\n",
            "resources:\n- a\n  b\n",
            "resources:\n- a\n - b\n",
            "resources:\n- \"a\"\n",
            "resources:\n- https://example.com/a\n",
            "resources:\n- null\n",
            "resources:\n- a\nresources:\n- b\n",
            "- a\n",
            "apiVersion: v1\nkind: Kustomization\n",
            "kind: Kustomization\n",
            "patches:\n- path: a\n",
            "resources:\r\n- a\r\n",
        ] {
            assert!(build(text).is_none(), "{text}");
        }
    }
}
