//! `$(NAME)` in `command` and `args` (rule 4): Kubernetes expands it, the controller never sees it.

use super::CommandLine;
use crate::flux::container::EnvSource;

/// An element of a command line.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// As written.
    pub(super) raw: String,
    /// After expansion; the error says which source was not read.
    pub(super) expanded: Result<String, String>,
}

impl Text {
    /// Whether the element says which flag it sets, whatever its variables hold.
    pub(super) fn flag_name_is_literal(&self) -> bool {
        let name = self.raw.split('=').next().unwrap_or_default();
        self.raw.contains('=') && name.starts_with("--") && !name.contains("$(")
    }
}

/// Expands `$(NAME)`; `$$(NAME)` is an escape, and an unknown name stays as it is.
pub(super) fn expand(raw: &str, input: &CommandLine<'_>) -> Text {
    Text {
        raw: raw.to_owned(),
        expanded: expanded(raw, input),
    }
}

fn expanded(raw: &str, input: &CommandLine<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let reference = rest.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        let Some((name, after)) = reference else {
            out.push('$');
            continue;
        };
        match variable(name, input)? {
            Some(value) => out.push_str(&value),
            None => {
                out.push_str("$(");
                out.push_str(name);
                out.push(')');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of a variable; `None` when no such variable is defined.
fn variable(name: &str, input: &CommandLine<'_>) -> Result<Option<String>, String> {
    let container = input.container;
    let Some(variable) = container.env.iter().rev().find(|variable| variable.name == name) else {
        if container.has_env_from {
            return Err(format!("$({name}) may come from envFrom, which is not read"));
        }
        return Ok(None);
    };
    match &variable.source {
        EnvSource::Literal(value) if value.contains("$(") => {
            Err(format!("$({name}) refers to other variables"))
        }
        EnvSource::Literal(value) => Ok(Some(value.clone())),
        EnvSource::Field(path) => match (path.as_str(), input.pod_name) {
            ("metadata.namespace", _) => Ok(Some(input.pod_namespace.to_owned())),
            ("metadata.name", Some(pod)) => Ok(Some(pod.to_owned())),
            _ => Err(format!(
                "$({name}) comes from the field {path}, which is not read"
            )),
        },
        EnvSource::Unread(source) => Err(format!("$({name}) comes from {source}, which is not read")),
    }
}
