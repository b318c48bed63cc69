//! What SOPS has encrypted, value by value: without any key, and without taking its word for it.

use regex::{Regex, RegexBuilder};

use super::node::{Node, Value};
use super::tree::Recipient;

/// What SOPS calls the types of values.
const TYPES: [&str; 7] = ["str", "int", "float", "bytes", "bool", "time", "comment"];
/// A selector may become so large.
const LARGEST_SELECTOR: usize = 1024 * 1024;
/// What it leaves as it is when a file says nothing about that.
const DEFAULT_SUFFIX: &str = "_unencrypted";
/// Recipients of one file that are kept.
const MOST_RECIPIENTS: usize = 64;

/// Whether a text is a value that SOPS has encrypted. What only begins like one is none.
pub(super) fn is_value(text: &str) -> bool {
    let inner = text
        .strip_prefix("ENC[AES256_GCM,data:")
        .and_then(|rest| rest.strip_suffix(']'));
    let parts = inner.and_then(|rest| {
        let (data, rest) = rest.split_once(",iv:")?;
        let (iv, rest) = rest.split_once(",tag:")?;
        let (tag, kind) = rest.split_once(",type:")?;
        Some((data, iv, tag, kind))
    });
    let Some((data, iv, tag, kind)) = parts else {
        return false;
    };
    let is_data = decoded_length(data).is_some_and(|length| length > 0);
    is_data && decoded_length(iv) == Some(32) && decoded_length(tag) == Some(16) && TYPES.contains(&kind)
}

/// How many bytes a text in base64 stands for; `None`: it is no base64.
fn decoded_length(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let is_digit = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/');
    let is_base64 = text.len().is_multiple_of(4) && padding <= 2 && digits.bytes().all(is_digit);
    is_base64.then(|| text.len() / 4 * 3 - padding)
}

/// Whether a text as a whole is a file of SOPS, in any of its formats.
pub(super) fn is_file(text: &str) -> bool {
    const MARKS: [&str; 4] = ["mac: ENC[", "\"mac\": \"ENC[", "\"mac\":\"ENC[", "sops_mac=ENC["];
    MARKS.iter().any(|mark| text.contains(mark))
        || text.contains("[sops]") && text.contains("mac") && text.contains("ENC[")
}

/// Which values SOPS encrypts: the last word of a file about itself.
#[derive(Debug, Default)]
pub(super) struct Selector {
    unencrypted_suffix: Option<String>,
    encrypted_suffix: Option<String>,
    unencrypted_regex: Option<Pattern>,
    encrypted_regex: Option<Pattern>,
    /// Comments decide, which are not looked at.
    by_comments: bool,
}

/// A regular expression as far as it can be understood.
#[derive(Debug)]
struct Pattern(Option<Regex>);

impl Pattern {
    fn new(text: &str) -> Self {
        let mut builder = RegexBuilder::new(text);
        Self(
            builder
                .size_limit(LARGEST_SELECTOR)
                .dfa_size_limit(LARGEST_SELECTOR)
                .build()
                .ok(),
        )
    }

    /// One that is invalid matches nothing, in SOPS as well.
    fn matches(&self, key: &str) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(key))
    }
}

impl Selector {
    /// Whether a value below these keys is to be encrypted.
    pub(super) fn encrypts(&self, keys: &[&str]) -> bool {
        let any = |is_it: &dyn Fn(&str) -> bool| keys.iter().any(|key| is_it(key));
        let mut encrypts = true;
        if let Some(suffix) = &self.unencrypted_suffix
            && any(&|key| key.ends_with(suffix))
        {
            encrypts = false;
        }
        if let Some(suffix) = &self.encrypted_suffix {
            encrypts = any(&|key| key.ends_with(suffix));
        }
        if let Some(pattern) = &self.unencrypted_regex
            && any(&|key| pattern.matches(key))
        {
            encrypts = false;
        }
        if let Some(pattern) = &self.encrypted_regex {
            encrypts = any(&|key| pattern.matches(key));
        }
        encrypts
    }

    /// Whether its words may mean something else than what is read in them.
    pub(super) fn is_unclear(&self) -> bool {
        let mut patterns = self.unencrypted_regex.iter().chain(&self.encrypted_regex);
        self.by_comments || patterns.any(|pattern| pattern.0.is_none())
    }
}

/// What a file says of its own encryption.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    pub(super) selector: Selector,
    pub(super) recipients: Vec<Recipient>,
    /// The authentication code, as far as it is one.
    pub(super) code: Option<String>,
    has_version: bool,
}

impl Metadata {
    /// The metadata of a map in YAML or JSON.
    pub(super) fn of(block: &Node<'_>) -> Self {
        let mut metadata = Self::default();
        for (key, value) in block.entries() {
            match &value.value {
                Value::List(items) if key == "key_groups" => {
                    for group in items {
                        group.entries().for_each(|(key, list)| metadata.list(key, list));
                    }
                }
                Value::List(_) => metadata.list(key, value),
                _ => metadata.set(key, value.text().unwrap_or_default()),
            }
        }
        metadata.complete()
    }

    /// The metadata of lines, where the keys of maps and the numbers of lists are part of the name.
    pub(super) fn of_flat<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut metadata = Self::default();
        let mut vaults: Vec<(String, Vec<(String, String)>)> = Vec::new();
        for (name, value) in pairs {
            let Some((list, field)) = name.rsplit_once("__map_") else {
                metadata.set(name, value);
                continue;
            };
            match vaults.iter_mut().find(|(of, _)| of == list) {
                Some((_, fields)) => fields.push((field.to_owned(), value.to_owned())),
                None => vaults.push((list.to_owned(), vec![(field.to_owned(), value.to_owned())])),
            }
        }
        for (list, fields) in vaults {
            let kind = list.rsplit("__map_").next().unwrap_or_default();
            let kind = kind.split("__list_").next().unwrap_or_default();
            let get = |name: &str| {
                fields
                    .iter()
                    .find(|(field, _)| field == name)
                    .map(|(_, value)| value.as_str())
            };
            metadata.add(kind, &get);
        }
        metadata.complete()
    }

    fn set(&mut self, key: &str, text: &str) {
        let selector = &mut self.selector;
        match key {
            _ if text.is_empty() => {}
            "mac" => self.code = is_value(text).then(|| text.to_owned()),
            "version" => self.has_version = true,
            "unencrypted_suffix" => selector.unencrypted_suffix = Some(text.to_owned()),
            "encrypted_suffix" => selector.encrypted_suffix = Some(text.to_owned()),
            "unencrypted_regex" => selector.unencrypted_regex = Some(Pattern::new(text)),
            "encrypted_regex" => selector.encrypted_regex = Some(Pattern::new(text)),
            "unencrypted_comment_regex" | "encrypted_comment_regex" => selector.by_comments = true,
            _ => {}
        }
    }

    fn list(&mut self, kind: &str, list: &Node<'_>) {
        let Value::List(items) = &list.value else { return };
        for item in items {
            self.add(kind, &|name| item.get(name).and_then(Node::text));
        }
    }

    /// Adds the recipient that the fields of an entry name.
    fn add<'a>(&mut self, kind: &str, get: &dyn Fn(&str) -> Option<&'a str>) {
        let joined = |names: &[&str]| {
            let parts: Vec<&str> = names.iter().filter_map(|name| get(name)).collect();
            (!parts.is_empty()).then(|| parts.join("/"))
        };
        let recipient = match kind {
            "age" => get("recipient").map(|key| Recipient::Age(key.trim().into())),
            "pgp" => get("fp").map(|print| Recipient::Pgp(print.trim().to_ascii_uppercase().into())),
            "kms" => get("arn").map(|arn| Recipient::Managed(arn.trim().into())),
            "gcp_kms" => get("resource_id").map(|id| Recipient::Managed(id.trim().into())),
            // The version of a key is not another key.
            "azure_kv" => joined(&["vault_url", "name"]).map(|key| Recipient::Managed(key.into())),
            "hc_vault" => joined(&["vault_address", "engine_path", "key_name"])
                .map(|key| Recipient::Managed(key.into())),
            "hckms" => get("key_id").map(|id| Recipient::Managed(id.trim().into())),
            _ => None,
        };
        if let Some(recipient) = recipient
            && self.recipients.len() < MOST_RECIPIENTS
        {
            self.recipients.push(recipient);
        }
    }

    fn complete(mut self) -> Self {
        self.recipients.sort();
        self.recipients.dedup();
        let selector = &mut self.selector;
        let says_nothing = selector.unencrypted_suffix.is_none()
            && selector.encrypted_suffix.is_none()
            && selector.unencrypted_regex.is_none()
            && selector.encrypted_regex.is_none()
            && !selector.by_comments;
        if says_nothing {
            selector.unencrypted_suffix = Some(DEFAULT_SUFFIX.to_owned());
        }
        self
    }

    /// Whether somebody can decrypt it and would notice a change.
    pub(super) fn is_whole(&self) -> bool {
        self.code.is_some() && self.has_version && !self.recipients.is_empty()
    }

    /// 64 bits of a digest of the authentication code.
    pub(super) fn code_digest(&self) -> u64 {
        use sha2::{Digest, Sha256};
        let Some(code) = &self.code else { return 0 };
        let digest = Sha256::digest(code.as_bytes());
        digest
            .iter()
            .take(8)
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    }
}

/// A value in plain text.
pub(super) struct Plain<'a> {
    /// The keys that lead to it.
    pub(super) path: Vec<&'a str>,
    pub(super) text: &'a str,
    pub(super) line: u32,
    /// Whether SOPS was told to encrypt it.
    pub(super) is_selected: bool,
}

/// The values in plain text of a document, but for its metadata.
pub(super) fn plain_values<'a>(root: &'a Node<'a>, selector: &Selector) -> Vec<Plain<'a>> {
    let mut found = Vec::new();
    let mut path = Vec::new();
    for (key, line, value) in root.lines() {
        if key != "sops" {
            path.push(key);
            collect(value, line, selector, &mut path, &mut found);
            path.pop();
        }
    }
    found
}

fn collect<'a>(
    node: &'a Node<'a>,
    line: u32,
    selector: &Selector,
    path: &mut Vec<&'a str>,
    found: &mut Vec<Plain<'a>>,
) {
    match &node.value {
        Value::Null => {}
        Value::Map(entries) => {
            for (key, line, value) in entries {
                path.push(key);
                collect(value, *line, selector, path, found);
                path.pop();
            }
        }
        Value::List(items) => {
            for item in items {
                collect(item, item.line, selector, path, found);
            }
        }
        // It leaves what is empty as it is.
        Value::Text(text) | Value::Plain(text) | Value::Block(text) if text.is_empty() || is_value(text) => {}
        Value::Text(text) | Value::Plain(text) | Value::Block(text) => found.push(Plain {
            text,
            is_selected: selector.encrypts(path),
            path: path.clone(),
            line,
        }),
    }
}

#[cfg(test)]
pub(in crate::secrets) mod tests {
    use super::*;

    /// A value that has the shape, and decrypts to nothing.
    pub(in crate::secrets) const VALUE: &str = "ENC[AES256_GCM,data:c2VjcmV0,iv:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,tag:AAECAwQFBgcICQoLDA0ODw==,type:str]";

    #[test]
    fn what_only_looks_like_a_value_is_none() {
        assert!(is_value(VALUE));
        for (from, to) in [
            ("data:c2VjcmV0", "data:"),
            ("data:c2VjcmV0", "data:not base64!"),
            ("type:str", "type:text"),
            (",type:str", ""),
            ("iv:AAEC", "iv:"),
            ("ODw==", "ODx="),
            ("AES256_GCM", "AES128"),
            ("ENC[", "enc["),
            ("type:str]", "type:str] and more"),
        ] {
            let changed = VALUE.replace(from, to);
            assert!(!is_value(&changed), "{changed}");
        }
    }

    #[test]
    fn selectors_look_at_every_key_of_a_path() {
        let by = |key: &str, text: &str| {
            let mut metadata = Metadata::default();
            metadata.set(key, text);
            metadata.complete().selector
        };
        assert!(by("encrypted_regex", "^(data|stringData)$").encrypts(&["data", "a"]));
        assert!(!by("encrypted_regex", "^(data|stringData)$").encrypts(&["metadata", "name"]));
        assert!(
            by("encrypted_regex", "data").encrypts(&["metadata", "name"]),
            "not anchored"
        );
        assert!(!by("unencrypted_regex", "^kind$").encrypts(&["kind"]));
        assert!(by("unencrypted_regex", "^kind$").encrypts(&["data"]));
        assert!(!by("", "").encrypts(&["a_unencrypted", "b"]));
        assert!(by("", "").encrypts(&["a"]));
        assert!(by("encrypted_suffix", "_secret").encrypts(&["a_secret", "b"]));
        assert!(!by("encrypted_suffix", "_secret").encrypts(&["a"]));
        let invalid = by("encrypted_regex", "(");
        assert!(!invalid.encrypts(&["("]) && invalid.is_unclear());
        let huge = by("encrypted_regex", "(a{1000}){1000}");
        assert!(huge.is_unclear());
        assert!(by("unencrypted_comment_regex", "x").is_unclear());
    }

    #[test]
    fn names_of_lines_carry_their_lists() {
        let metadata = Metadata::of_flat(
            [
                ("mac", VALUE),
                ("version", "3.13.2"),
                ("age__list_0__map_recipient", "age1abc"),
                ("age__list_0__map_enc", "x"),
                ("age__list_1__map_recipient", "age1def"),
                ("azure_kv__list_0__map_vault_url", "https://v"),
                ("azure_kv__list_0__map_name", "n"),
                ("azure_kv__list_0__map_version", "1"),
            ]
            .into_iter(),
        );
        assert!(metadata.is_whole());
        assert_eq!(
            metadata.recipients,
            [
                Recipient::Age("age1abc".into()),
                Recipient::Age("age1def".into()),
                Recipient::Managed("https://v/n".into())
            ]
        );
    }
}
