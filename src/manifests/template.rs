//! Templates: they become manifests when somebody has filled them in.

/// Whether a text has placeholders, `{{ }}`, where YAML takes them for something else. Those within texts are texts, and
/// no excuse for what is wrong around them.
pub(super) fn is_one(text: &str) -> bool {
    let mut block_of: Option<usize> = None;
    for line in text.lines() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if content.is_empty() || block_of.is_some_and(|key| indent > key) {
            continue;
        }
        if has_placeholder(content) {
            return true;
        }
        block_of = block_begins(content).map(|within| indent + within);
    }
    false
}

/// Where in a line that is whose text follows as a block.
fn block_begins(content: &str) -> Option<usize> {
    let before_comment = content.split(" #").next().unwrap_or_default().trim_end();
    let head = before_comment.rsplit(' ').next().unwrap_or_default();
    let is_head = head.starts_with(['|', '>']) && head[1..].chars().all(|it| "+-0123456789".contains(it));
    if !is_head {
        return None;
    }
    let key = content.trim_start_matches("- ");
    let of_item = content.len() - key.len();
    // The text of an item is deeper than its dash, that of a key deeper than the key.
    Some(if key.starts_with(['|', '>']) {
        of_item.saturating_sub(2)
    } else {
        of_item
    })
}

fn has_placeholder(content: &str) -> bool {
    content.match_indices("{{").any(|(at, _)| {
        let (before, rest) = content.split_at(at);
        let Some((inside, _)) = rest.split_once("}}") else {
            return true;
        };
        match open_quote(before) {
            Some(quote) => inside.contains(quote),
            None => is_place_of_value(before) || ["\"", "'", ": ", " #"].iter().any(|it| inside.contains(it)),
        }
    })
}

/// Whether what follows is read as a value, and not as a part of one.
fn is_place_of_value(before: &str) -> bool {
    let text = before.trim_end();
    // A dash marks an item only when a space follows.
    let is_item = text.ends_with('-') && text.len() < before.len();
    text.is_empty() || is_item || text.ends_with([':', ',', '[', '{'])
}

/// The quote that is not closed there.
fn open_quote(before: &str) -> Option<char> {
    before.chars().fold(None, |open, it| match (open, it) {
        (None, '"' | '\'') => Some(it),
        (Some(quote), it) if quote == it => None,
        (open, _) => open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_texts() {
        for template in [
            "{{- if .Values.a }}\na: 1\n{{- end }}\n",
            "a:\n  b: {{ .Values.b }}\n",
            "a:\n- {{ .Values.b | quote }}\n",
            "a: [{{ .Values.b }}]\n",
            "a: \"{{ .Values.b | default \"c\" }}\"\n",
            "a: x-{{ include \"name\" . }}\n",
            "a: {{ .Values.b\n",
            // The block ends where a line is not deeper.
            "a:\n  b: |\n    text\n{{ .Files.Get \"c\" | indent 4 }}\n",
            "a:\n- b: |\n    text\n  c: {{ .Values.c }}\n",
            "{{/*\ncomment\n*/}}\na: 1\n",
        ] {
            assert!(is_one(template), "{template}");
        }
        for manifest in [
            "",
            "a: 1\n",
            "a: \"{{ .Values.b }}\"\n",
            "a: '{{ index .Labels \"b\" }}'\n",
            "a: x-{{ .b }}-y\n",
            "a: |\n  {{ .b }}\n  {{- if \"c\" }}\n",
            "a:\n  b: >- # folded\n    {{ .b }}\n\n    {{ .c }}\n",
            "a:\n- |2\n  {{ .b }}\n- b: |\n    {{ .c }}\n",
            "a: {b: {c: 1}}\n",
        ] {
            assert!(!is_one(manifest), "{manifest}");
        }
    }
}
