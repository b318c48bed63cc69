//! What may be shown of a text that somebody else wrote.

use serde_json::Value;

/// Whether a terminal or an editor obeys a character instead of showing it.
pub(crate) fn is_obeyed(character: char) -> bool {
    let turns_text = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || turns_text || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Panics on a line that is not only shown.
pub(crate) fn lines_are(text: &str) {
    for line in text.lines() {
        assert!(!line.contains(is_obeyed), "{line:?}");
    }
}

/// Panics on a text of a report that is not only shown, or that is longer than what may be quoted of an object.
pub(crate) fn report_is(status: &Value) {
    field_is("", status);
}

fn field_is(field: &str, value: &Value) {
    match value {
        Value::String(text) => {
            assert!(!text.contains(is_obeyed), "{field}: {text:?}");
            let is_quoted = matches!(field, "observed" | "argument" | "image");
            assert!(!is_quoted || text.len() <= 256, "{field}: {} bytes", text.len());
            assert!(text.len() <= 1024, "{field}: {} bytes", text.len());
        }
        Value::Array(items) => items.iter().for_each(|item| field_is(field, item)),
        // It is the policy's author who calls the cluster so, and gets it back as it was.
        Value::Object(fields) => fields
            .iter()
            .filter(|(field, _)| *field != "clusterName")
            .for_each(|(field, value)| field_is(field, value)),
        _ => {}
    }
}
