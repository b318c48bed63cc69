//! Where findings are: the file and the line of the object, and of the field within it.

use std::collections::HashMap;
use std::sync::Arc;

use super::split::{Piece, lines_in};
use super::{Definition, yaml};
use crate::api::report::Location;
use crate::engine::FindingPosture;

/// Writes file and line into findings.
pub(super) fn locate(
    findings: &mut [Arc<FindingPosture>],
    definitions: &[Definition],
    members: &[usize],
    files: &[Arc<str>],
) {
    let mut wanted: HashMap<(String, String, String), Vec<usize>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        let resource = &finding.finding.resource;
        let key = (
            resource.kind.clone(),
            resource.namespace.clone(),
            resource.name.clone(),
        );
        wanted.entry(key).or_default().push(at);
    }
    if wanted.is_empty() {
        return;
    }
    let mut key = (String::new(), String::new(), String::new());
    for at in members {
        let definition = &definitions[*at];
        set(&mut key.0, definition.kind.name());
        set(&mut key.1, &definition.key.namespace);
        set(&mut key.2, &definition.key.name);
        for finding in wanted.get(&key).into_iter().flatten() {
            let location = &mut Arc::make_mut(&mut findings[*finding]).finding.location;
            let file = files.get(definition.place.file as usize);
            location.file = file.map(ToString::to_string).unwrap_or_default();
            location.line = i32::try_from(definition.place.line).ok();
        }
    }
    findings.sort_by(|a, b| a.finding.cmp(&b.finding));
}

fn set(text: &mut String, value: &str) {
    text.clear();
    text.push_str(value);
}

/// The lines of places within one object, as far as its text tells them.
#[must_use]
pub fn lines_within(piece: &Piece<'_>, places: &[&Location]) -> Option<Vec<u32>> {
    let text = str::from_utf8(piece.text).ok()?;
    // In lines of JSON, where everything is.
    if !text.trim_end().contains('\n') {
        return Some(vec![piece.line; places.len()]);
    }
    let item = text.trim_start().strip_prefix('-');
    let is_item = item.is_some_and(|rest| rest.starts_with(char::is_whitespace));
    let path = |place: &&Location| match (is_item, place.field.as_str()) {
        (true, field) => format!("[0].{field}"),
        (false, field) => field.to_owned(),
    };
    let paths: Vec<String> = places.iter().map(path).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let by_path = yaml::lines_of(text, &paths)?;
    let within = by_path.into_iter().zip(places).map(|(by_path, place)| {
        let by_text = line_of_argument(text, place).or_else(|| line_of_container(text, place));
        by_text.unwrap_or(by_path)
    });
    Some(within.map(|line| piece.line + line - 1).collect())
}

/// The first line that has the argument as it was written.
fn line_of_argument(text: &str, place: &Location) -> Option<u32> {
    if place.argument.is_empty() {
        return None;
    }
    text.find(&place.argument).map(|at| line_at(text, at))
}

/// The line that names the container.
fn line_of_container(text: &str, place: &Location) -> Option<u32> {
    if place.container.is_empty() {
        return None;
    }
    let containers = text.find("containers")?;
    let is_whole = |at: usize| {
        let next = text[at..].chars().next();
        next.is_none_or(|next| !next.is_ascii_alphanumeric() && next != '-' && next != '.')
    };
    let ways = ["name: ", "name: \"", "\"name\": \"", "\"name\":\""];
    let mut found = ways.into_iter().filter_map(|way| {
        let name = format!("{way}{}", place.container);
        let mut all = text[containers..].match_indices(&name);
        all.find(|(at, name)| is_whole(containers + at + name.len()))
    });
    found.next().map(|(at, _)| line_at(text, containers + at))
}

/// The line of a byte, from 1.
fn line_at(text: &str, at: usize) -> u32 {
    1 + lines_in(&text.as_bytes()[..at])
}

#[cfg(test)]
mod tests {
    use super::super::split::Format;
    use super::*;

    #[test]
    fn a_place_is_where_its_argument_its_container_or_its_field_is() {
        let text = "\
kind: Deployment
metadata: {name: manager}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: manager-proxy
      - image: a
        name: manager
        args:
        - --one=1
        - --two=2
";
        let place = |container: &str, argument: &str, field: &str| Location {
            container: container.to_owned(),
            argument: argument.to_owned(),
            field: field.to_owned(),
            ..Location::default()
        };
        for (place, line) in [
            (place("manager", "--two=2", ""), 22),
            (place("manager", "", "resources.limits"), 19),
            (place("manager-proxy", "", ""), 17),
            (place("", "", "spec.replicas"), 13),
            (place("another", "--three", ""), 10),
        ] {
            let piece = Piece {
                text: text.as_bytes(),
                line: 10,
                format: Format::Yaml,
                has_kind: true,
            };
            assert_eq!(lines_within(&piece, &[&place]), Some(vec![line]), "{place:?}");
        }
    }
}
