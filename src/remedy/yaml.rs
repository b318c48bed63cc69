//! As much of YAML as patches need, with comments.

use std::fmt::Write;

/// A text as a scalar: quoted unless it can be taken for nothing else.
pub(super) fn scalar(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./=".contains(character);
    let is_word =
        text.starts_with("--") || text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let is_taken_for_more = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    if is_word
        && !is_taken_for_more
        && text.len() > 1
        && text.chars().all(is_plain)
        && !text.trim_matches('-').is_empty()
    {
        return text.to_owned();
    }
    // What JSON quotes, YAML reads; what neither need show is escaped.
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            character => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Ids behind a line.
pub(super) fn because<'a>(controls: impl IntoIterator<Item = &'a &'static str>) -> String {
    let controls: Vec<&str> = controls.into_iter().copied().collect();
    controls.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::scalar;

    #[test]
    fn scalars_are_read_back_as_they_were() {
        for text in [
            "--no-remote-bases=true",
            "",
            "-",
            "--",
            "---",
            "true",
            "~",
            "1",
            "0x1",
            "a: b",
            "# c",
            "a #b",
            "'",
            "\"",
            "\\",
            "é\u{1f600}",
            "a\nb",
            "\u{0}",
            "\u{85}\u{2028}\u{feff}",
            "$(A)",
            "- a",
            "{a}",
            "[a]",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a`",
            "Null",
            "1e3",
            "--a=b,c",
            "/spec/0/-",
            "yes",
            "2026-01-01",
            " a ",
            "a:",
            ".inf",
            "n",
        ] {
            let yaml = format!("value: {}\n", scalar(text));
            let read: Value = serde_saphyr::from_str(&yaml).unwrap();
            assert_eq!(read["value"], text, "{yaml}");
        }
        assert_eq!(scalar("--no-remote-bases=true"), "--no-remote-bases=true");
    }
}
