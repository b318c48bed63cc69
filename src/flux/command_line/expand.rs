//! `$(NAME)` in `command` and `args`, as the kubelet expands it
//! (Kubernetes `third_party/forked/golang/expansion` and `pkg/kubelet/kubelet_pods.go`).

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::flux::container::{Container, EnvSource};

/// Bytes that the references of one container are replaced by at most: thirty variables that are each twice the one
/// before would be a gigabyte, and no controller needs more than a few names.
const MOST: usize = 64 * 1024;
/// Bytes of a reason that is told with where it comes from.
const LONGEST_REASON: usize = 256;

/// A text of which a tail may be unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::flux) struct Text {
    /// The whole text, or the part before the first reference that cannot be resolved.
    pub(in crate::flux) known: String,
    /// Why the text goes on in an unknown way after `known`.
    pub(in crate::flux) unread: Option<String>,
}

impl Text {
    fn known(text: &str) -> Self {
        Self {
            known: text.to_owned(),
            unread: None,
        }
    }

    /// The text, or why it is not known.
    pub(in crate::flux) fn read(&self) -> Result<&str, &str> {
        match &self.unread {
            None => Ok(&self.known),
            Some(why) => Err(why),
        }
    }
}

/// The container's environment as far as it can be known without reading Secrets and ConfigMaps.
pub(in crate::flux) struct Environment<'a> {
    variables: BTreeMap<&'a str, Text>,
    has_env_from: bool,
    /// How many bytes references may still be replaced by.
    room: Cell<usize>,
}

impl<'a> Environment<'a> {
    /// Resolves `env` in order: a value may refer to the variables above it, and a later entry of one name wins.
    pub(in crate::flux) fn of(container: &'a Container, pod_namespace: &str, pod_name: Option<&str>) -> Self {
        let mut environment = Self {
            variables: BTreeMap::new(),
            has_env_from: container.has_env_from,
            room: Cell::new(MOST),
        };
        for variable in &container.env {
            let text = match &variable.source {
                EnvSource::Literal(value) => environment.expand(value),
                EnvSource::Field(path) => field(path, pod_namespace, pod_name),
                EnvSource::Unread(origin) => Text {
                    known: String::new(),
                    unread: Some(origin.clone()),
                },
            };
            environment.variables.insert(&variable.name, text);
        }
        environment
    }

    /// Replaces every `$(NAME)`; `$$` stands for one `$`, and a name without a variable stays as written.
    pub(in crate::flux) fn expand(&self, input: &str) -> Text {
        let mut known = String::new();
        let mut rest = input;
        while let Some(position) = rest.find('$') {
            known.push_str(&rest[..position]);
            rest = &rest[position + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                known.push('$');
                rest = after;
                continue;
            }
            let Some((name, after)) = rest.strip_prefix('(').and_then(|opened| opened.split_once(')')) else {
                known.push('$');
                continue;
            };
            rest = after;
            let value = self.value(name);
            let Some(room) = self.room.get().checked_sub(value.known.len()) else {
                let unread = Some(format!("its references stand for more than {MOST} bytes"));
                return Text { known, unread };
            };
            self.room.set(room);
            known.push_str(&value.known);
            if let Some(why) = value.unread {
                let unread = Some(with_origin(name, why));
                return Text { known, unread };
            }
        }
        known.push_str(rest);
        Text { known, unread: None }
    }

    /// What `$(NAME)` is replaced by.
    fn value(&self, name: &str) -> Text {
        if let Some(text) = self.variables.get(name) {
            return text.clone();
        }
        if let Some(why) = self.may_be_set_elsewhere(name) {
            return Text {
                known: String::new(),
                unread: Some(why),
            };
        }
        Text::known(&format!("$({name})"))
    }

    /// What the process finds in this variable; `None` when it is not set.
    ///
    /// Variables of Services are left out: one named `web-server` sets `WEB_SERVER_PORT` to a URL, with which
    /// flux-operator does not start.
    pub(in crate::flux) fn variable(&self, name: &str) -> Option<Text> {
        if let Some(text) = self.variables.get(name) {
            return Some(text.clone());
        }
        self.has_env_from.then(|| Text {
            known: String::new(),
            unread: Some("envFrom, perhaps".to_owned()),
        })
    }

    fn may_be_set_elsewhere(&self, name: &str) -> Option<String> {
        if self.has_env_from {
            return Some("envFrom, perhaps".to_owned());
        }
        let of_service = ["_SERVICE_HOST", "_PORT"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
            || ["_SERVICE_PORT_", "_PORT_"]
                .iter()
                .any(|part| name.contains(part));
        of_service.then(|| "a Service's variables, perhaps".to_owned())
    }
}

/// Why a reference is not known. Of a long chain of references only the end is told.
fn with_origin(name: &str, why: String) -> String {
    if why.len() > LONGEST_REASON {
        return why;
    }
    format!("$({name}) comes from {why}")
}

fn field(path: &str, pod_namespace: &str, pod_name: Option<&str>) -> Text {
    match (path, pod_name) {
        ("metadata.namespace", _) => Text::known(pod_namespace),
        ("metadata.name", Some(name)) => Text::known(name),
        _ => Text {
            known: String::new(),
            unread: Some(format!("field {path}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flux::container::EnvVar;

    fn container(variables: impl Iterator<Item = (String, EnvSource)>) -> Container {
        Container {
            env: variables.map(|(name, source)| EnvVar { name, source }).collect(),
            ..Container::default()
        }
    }

    #[test]
    fn references_stand_for_so_much_text_and_no_more() {
        let twice = |number: u32| {
            let value = match number.checked_sub(1) {
                None => "x".to_owned(),
                Some(before) => format!("$(V{before})$(V{before})"),
            };
            (format!("V{number}"), EnvSource::Literal(value))
        };
        let few = container((0..=10).map(twice));
        assert_eq!(
            Environment::of(&few, "", None).expand("$(V10)").known.len(),
            1 << 10
        );
        let many = container((0..40).map(twice));
        let environment = Environment::of(&many, "", None);
        let laughs = environment.expand("$(V39)");
        assert!(
            laughs
                .unread
                .is_some_and(|why| why.contains("more than 65536 bytes"))
        );
        let all: usize = environment.variables.values().map(|text| text.known.len()).sum();
        assert!(all <= MOST + 40, "{all} bytes");
    }

    #[test]
    fn the_reason_does_not_grow_with_a_chain_of_references() {
        let link = |number: u32| {
            let source = match number.checked_sub(1) {
                None => EnvSource::Unread("Secret a/b".to_owned()),
                Some(before) => EnvSource::Literal(format!("$(V{before})")),
            };
            (format!("V{number}"), source)
        };
        let container = container((0..1000).map(link));
        let environment = Environment::of(&container, "", None);
        let near = environment.expand("$(V1)").unread.unwrap();
        assert_eq!(near, "$(V1) comes from $(V0) comes from Secret a/b");
        let far = environment.expand("$(V999)").unread.unwrap();
        assert!(
            far.ends_with("comes from Secret a/b") && far.len() < LONGEST_REASON * 2,
            "{far}"
        );
    }
}
