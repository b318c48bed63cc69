//! Looks at texts in which other objects or configurations are written: patches, manifests, files of a chart.
//!
//! JSON is decoded. Anything else is looked at line by line, for many of these texts are templates and no YAML.

use serde::de::DeserializeSeed;

use super::names::{self, Meaning};
use super::shapes;
use super::tree::{Look, Seen, Target};
use super::{Leaks, Trace, is_public};

/// Whether there is more in a text than a word.
pub(in crate::secrets) fn is_document(text: &str) -> bool {
    text.contains('\n') || is_json(text)
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// What is in a text.
pub(super) fn look(text: &str, depth: u8) -> Seen {
    if is_json(text) {
        let mut decoder = serde_json::Deserializer::from_str(text);
        if let Ok(seen) = Look::at_depth(depth).deserialize(&mut decoder)
            && decoder.end().is_ok()
        {
            return seen;
        }
    }
    let mut scan = Scan::default();
    let mut start = 0;
    for (position, whole) in text.split_inclusive('\n').enumerate() {
        let line = whole.trim_end_matches(['\n', '\r']);
        scan.take(
            position + 1,
            line,
            shapes::trace_within(text, start, start + line.len()),
        );
        start += whole.len();
    }
    scan.end_document();
    Seen::of(scan.leaks, scan.data)
}

/// A line as far as it is YAML: `- key: value`.
struct Line<'a> {
    /// Where the key begins.
    indent: usize,
    /// Whether an item of a list begins.
    begins_item: bool,
    key: &'a str,
    value: &'a str,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut body = line.trim_start_matches(' ');
        let mut begins_item = false;
        while let Some(item) = body.strip_prefix("- ") {
            body = item.trim_start_matches(' ');
            begins_item = true;
        }
        if body.starts_with('#') {
            return None;
        }
        let colon = body
            .match_indices(':')
            .find(|(at, _)| body.as_bytes().get(at + 1) == Some(&b' '));
        let (key, value) = match colon {
            Some((at, _)) => (&body[..at], &body[at + 2..]),
            None => (body.trim_end().strip_suffix(':')?, ""),
        };
        let key = unquoted(key);
        (!key.is_empty() && !key.contains(char::is_whitespace)).then(|| Self {
            indent: line.len() - body.len(),
            begins_item,
            key,
            value: unquoted(without_comment(value)),
        })
    }
}

fn without_comment(value: &str) -> &str {
    let value = value.trim();
    if value.starts_with(['"', '\'']) {
        return value;
    }
    value.split(" #").next().unwrap_or_default().trim_end()
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let within = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

/// What a line of a script or of a file of variables assigns, as far as that is a literal: `export NAME='value'`.
pub(in crate::secrets) fn assignment(line: &str) -> Option<(&str, &str)> {
    const BEFORE: [&str; 11] = [
        "export", "readonly", "local", "declare", "typeset", "-x", "-r", "-gx", "env", "ENV", "ARG",
    ];
    let (before, after) = line.split_once('=')?;
    let is_part = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
    let name = before.trim_end().rsplit(|it| !is_part(it)).next()?;
    let others = before.trim_end().strip_suffix(name)?;
    let is_assignment = !name.is_empty()
        && !after.starts_with('=')
        && (others.is_empty() || others.ends_with([' ', '\t']))
        && others.split_whitespace().all(|word| BEFORE.contains(&word));
    let value = after.trim_start();
    is_assignment.then_some(())?;
    match value.chars().next()? {
        '\'' => Some((name, value[1..].split_once('\'')?.0)),
        '"' => {
            let value = value[1..].split_once('"')?.0;
            (!value.contains(['$', '`', '\\'])).then_some((name, value))
        }
        // Around a sign of its own stand expressions.
        _ if before.ends_with(' ') => None,
        _ => {
            let value = value.split([' ', '\t', ';', '&', '|']).next()?;
            (!value.contains(['$', '`', '(', '"', '\''])).then_some((name, value))
        }
    }
}

/// What is known at a line of a text.
#[derive(Default)]
struct Scan<'a> {
    leaks: Leaks,
    /// Lines that write data of an object that a patch is for.
    data: Vec<Box<str>>,
    /// Lines with data of the document, which a Secret may be.
    of_document: Vec<usize>,
    is_secret: bool,
    version: &'a str,
    /// Where `data` or `stringData` begins.
    section: Option<Section>,
    /// What the name of a variable says, and where it stands.
    named: Option<(usize, Meaning)>,
    /// Where a JSON patch writes.
    path: &'a str,
}

/// The lines below `data` or `stringData`.
#[derive(Clone, Copy)]
struct Section {
    indent: usize,
    /// Only Secrets have `stringData`.
    is_of_secret: bool,
}

impl<'a> Scan<'a> {
    /// Takes in a line, and what gives it away whatever it means.
    fn take(&mut self, number: usize, line: &'a str, trace: Option<Trace>) {
        if line.trim_end() == "---" {
            self.end_document();
            return;
        }
        let parsed = Line::parse(line);
        let found = match &parsed {
            _ if trace.is_some() => trace,
            Some(line) => self.trace(number, line),
            None => assignment(line).and_then(|(name, value)| shapes::trace_of_name(name, value)),
        };
        if let Some(trace) = found {
            self.leaks.push(format!(":{number}"), trace);
        }
        if let Some(line) = parsed {
            self.learn(&line);
        }
    }

    /// What gives a line away, after all the lines before it.
    fn trace(&mut self, number: usize, line: &Line<'a>) -> Option<Trace> {
        let literal = || shapes::literal(line.value);
        let fits =
            |meaning: Meaning| literal().is_some_and(|it| meaning.fits(it) && !is_structure(line.value));
        if let Some(section) = self.section
            && line.indent > section.indent
            && shapes::datum(line.value).is_some()
            && !is_public(line.key)
        {
            if section.is_of_secret {
                return Some(Trace::SecretData);
            }
            self.of_document.push(number);
        }
        if line.key == "value" {
            literal()?;
            match Target::of(self.path) {
                Some(Target::SecretData) => return Some(Trace::SecretData),
                Some(Target::Data) => self.data.push(format!(":{number}").into()),
                None if names::meaning(self.path).is_some_and(fits) => return Some(Trace::Name),
                None => {}
            }
            let (_, meaning) = self.named.filter(|(indent, _)| *indent == line.indent)?;
            return fits(meaning).then_some(Trace::Name);
        }
        names::meaning(line.key).is_some_and(fits).then_some(Trace::Name)
    }

    /// What a line says of the lines below it.
    fn learn(&mut self, line: &Line<'a>) {
        if self.section.is_some_and(|section| line.indent <= section.indent) {
            self.section = None;
        }
        if line.begins_item {
            self.path = "";
            self.named = None;
        }
        match line.key {
            "kind" => self.is_secret |= line.value == "Secret" && matches!(self.version, "" | "v1"),
            "apiVersion" => self.version = line.value,
            "path" => self.path = line.value,
            "name" => self.named = names::meaning(line.value).map(|meaning| (line.indent, meaning)),
            "data" | "stringData" if line.value.is_empty() => {
                self.section = Some(Section {
                    indent: line.indent,
                    is_of_secret: line.key == "stringData",
                });
            }
            _ => {}
        }
    }

    fn end_document(&mut self) {
        for number in std::mem::take(&mut self.of_document) {
            let place = format!(":{number}").into();
            if self.is_secret {
                self.leaks.push_datum(place);
            } else {
                self.data.push(place);
            }
        }
        self.is_secret = false;
        self.version = "";
        self.section = None;
        self.named = None;
        self.path = "";
    }
}

/// Whether more lines, a list or a map follow where a text would be.
fn is_structure(value: &str) -> bool {
    matches!(value, "|" | "|-" | "|+" | ">" | ">-" | ">+") || value.starts_with(['[', '{', '&', '*', '!'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, Trace)> {
        let leaks = look(text, 8).leaks.kept.into_iter();
        leaks.map(|leak| (leak.place.to_string(), leak.trace)).collect()
    }

    fn at(line: usize, trace: Trace) -> Vec<(String, Trace)> {
        vec![(format!(":{line}"), trace)]
    }

    #[test]
    fn lines_are_read_as_yaml() {
        assert_eq!(found("db:\n  password: hunter2\n"), at(2, Trace::Name));
        assert_eq!(found("db:\n  password: 'hunter2' # no\n"), at(2, Trace::Name));
        assert_eq!(found("- password: \"hunter2\"\n  a: b\n"), at(1, Trace::Name));
        assert_eq!(
            found("password: ${PASSWORD}\ntoken: [a, b]\nsecret: |\n"),
            Vec::new()
        );
        assert_eq!(
            found("# password: hunter2\nthe password: is nothing\n"),
            Vec::new()
        );
        assert_eq!(
            found("- name: DB_PASSWORD\n  value: hunter2\n"),
            at(2, Trace::Name)
        );
        assert_eq!(
            found("- name: DB_PASSWORD\n- name: A\n  value: hunter2\n"),
            Vec::new()
        );
        assert_eq!(
            found("a: b\nurl: postgres://a:hunter2@db\n"),
            at(2, Trace::UserInfo)
        );
    }

    #[test]
    fn scripts_assign_literals() {
        for (line, found) in [
            ("DB_PASSWORD=hunter2", Some(("DB_PASSWORD", "hunter2"))),
            (
                "  export DB_PASSWORD='hun$er2' # x",
                Some(("DB_PASSWORD", "hun$er2")),
            ),
            ("ENV DB_PASSWORD=\"hunter 2\"", Some(("DB_PASSWORD", "hunter 2"))),
            ("PASSWORD=hunter2 app; exit", Some(("PASSWORD", "hunter2"))),
            ("  password = \"hunter2\"", Some(("password", "hunter2"))),
            ("password = var.password", None),
            ("PASSWORD=\"$(cat x)\"", None),
            ("PASSWORD=$(cat x)", None),
            ("PASSWORD=\"$password\"", None),
            ("if [ \"$PASSWORD\" = \"\" ]", None),
            ("if password == \"x\"", None),
            ("# PASSWORD=hunter2", None),
            ("the password=hunter2", None),
            ("password != \"x\"", None),
        ] {
            assert_eq!(assignment(line), found, "{line}");
        }
        assert_eq!(
            found("set -e\nexport DB_PASSWORD=hunter2\nTOKEN=$(cat token)\n"),
            at(2, Trace::Name)
        );
    }

    #[test]
    fn manifests_of_secrets_are_found_in_templates() {
        let manifest =
            "kind: Secret\nmetadata:\n  name: << inputs.name >>\ndata:\n  user: YWRtaW4=\n  ca.crt: YQ==\n";
        assert_eq!(found(manifest), at(5, Trace::SecretData));
        assert_eq!(
            found(&format!("apiVersion: example.com/v1\n{manifest}")),
            Vec::new()
        );
        assert_eq!(
            found(&format!("data:\n  a: YWRtaW4=\n---\n{manifest}")),
            at(8, Trace::SecretData)
        );
        assert_eq!(found("kind: ConfigMap\ndata:\n  user: admin\n"), Vec::new());
        assert_eq!(
            found("data:\n  user: YWRtaW4=\nkind: Secret\n"),
            at(2, Trace::SecretData),
            "the kind may come last"
        );
        assert_eq!(found("stringData:\n  user: admin\n"), at(2, Trace::SecretData));
        assert_eq!(
            found("kind: Secret\nstringData:\n  user: << inputs.user >>\n"),
            Vec::new()
        );
    }

    #[test]
    fn json_patches_write_to_fields() {
        let patch = "- op: add\n  path: /stringData/user\n  value: admin\n";
        assert_eq!(found(patch), at(3, Trace::SecretData));
        assert_eq!(
            found("- op: add\n  path: /spec/password\n  value: hunter2\n"),
            at(3, Trace::Name)
        );
        assert_eq!(
            found("- op: add\n  path: /spec/user\n  value: hunter2\n"),
            Vec::new()
        );
        let json = r#"[{"op": "add", "path": "/stringData/user", "value": "admin"}]"#;
        assert_eq!(found(json), vec![("[0].value".to_owned(), Trace::SecretData)]);
        let seen = look("- op: add\n  path: /data/user\n  value: admin\n", 8);
        assert_eq!(
            (seen.leaks.kept.len(), seen.data.len()),
            (0, 1),
            "of a Secret, maybe"
        );
    }
}
