//! What kustomize makes Secrets of, for whoever has no tree of files but their contents one by one.

use super::document;
use super::layout;
use super::node::Node;
use super::scan::{Scan, documents, generated};
use super::tree::Leak;

pub(crate) use layout::{Way, beside, folder, is_kustomization};

/// Without this nothing is made of files.
const FIELD: &str = "secretGenerator";

/// The files that a kustomization makes Secrets of, as it names them.
pub(crate) fn sources(content: &[u8]) -> Vec<Box<str>> {
    let Ok(text) = str::from_utf8(content) else {
        return Vec::new();
    };
    if !text.contains(FIELD) {
        return Vec::new();
    }
    let roots = documents(text)
        .into_iter()
        .filter_map(|(line, document)| Node::parse(document, line).ok());
    let builds = roots.filter_map(|root| document::look(&root, true).build);
    builds
        .flat_map(|build| build.secrets)
        .map(|(_, path)| path)
        .collect()
}

/// The leak that a file is to whoever makes a Secret of it; `None`: it is encrypted, or has nothing.
pub(crate) fn leak(folder: &str, path: &str, content: &[u8]) -> Option<Leak> {
    let mut scan = Scan::default();
    scan.file(path, content);
    scan.is_plain(path).then(|| generated(folder, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_those_of_secret_generators() {
        let text = "secretGenerator:\n- name: a\n  envs: [a.env]\n  files: [k=../k.txt, ca.crt]\nconfigMapGenerator:\n- files: [c]\n";
        assert_eq!(sources(text.as_bytes()), ["../k.txt".into(), "a.env".into()]);
        assert!(sources(b"resources: [a.yaml]\n").is_empty());
        assert!(sources(b"secretGenerator: [\xff]\n").is_empty());
    }

    #[test]
    fn what_has_nothing_in_plain_text_is_no_leak() {
        let leak_of = |content: &str| leak("a", "a/b.env", content.as_bytes());
        assert_eq!(
            leak_of("A=b\n").map(|leak| leak.object),
            Some("secretGenerator of a".into())
        );
        assert!(leak_of("A=${B}\n").is_none() && leak_of("").is_none());
    }
}
