//! Where findings are: the file and the line of the object, and of the field within it.

use std::collections::BTreeMap;

use super::split::Piece;
use super::{Definition, yaml};
use crate::engine::FindingPosture;
use crate::kinds::KindId;

/// Writes file and line into findings.
pub(super) fn locate(
    findings: &mut [FindingPosture],
    definitions: &[Definition],
    members: &[usize],
    files: &[String],
) {
    let mut wanted: BTreeMap<(String, String, String), Vec<usize>> = BTreeMap::new();
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
        set(&mut key.0, KindId::name(definition.kind));
        set(&mut key.1, &definition.key.namespace);
        set(&mut key.2, &definition.key.name);
        for finding in wanted.get(&key).into_iter().flatten() {
            let location = &mut findings[*finding].finding.location;
            location.file = files
                .get(definition.place.file as usize)
                .cloned()
                .unwrap_or_default();
            location.line = i32::try_from(definition.place.line).ok();
        }
    }
    findings.sort_by(|a, b| a.finding.cmp(&b.finding));
}

fn set(text: &mut String, value: &str) {
    text.clear();
    text.push_str(value);
}

/// The lines of fields of one object, as far as its text tells them.
#[must_use]
pub fn lines_of_fields(piece: &Piece<'_>, fields: &[String]) -> Option<Vec<u32>> {
    let text = str::from_utf8(piece.text).ok()?;
    let is_item = text
        .trim_start()
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(char::is_whitespace));
    let paths: Vec<String> = fields
        .iter()
        .map(|field| {
            if is_item {
                format!("[0].{field}")
            } else {
                field.clone()
            }
        })
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let lines = yaml::lines_of(text, &paths)?;
    Some(lines.into_iter().map(|line| piece.line + line - 1).collect())
}
