//! What a range of versions tells: whether it has an upper end.

/// Whether no version is too new for the range: `*`, `>=1.0.0`, nothing at all.
pub(super) fn is_open(range: &str) -> bool {
    range.split("||").any(is_open_part)
}

fn is_open_part(part: &str) -> bool {
    let mut operator = "";
    for word in part.split([' ', ',']).filter(|word| !word.is_empty()) {
        let version = word.trim_start_matches(['<', '>', '=', '!', '^', '~']);
        if version.is_empty() {
            operator = word;
            continue;
        }
        let written = &word[..word.len() - version.len()];
        let operator = if written.is_empty() {
            std::mem::take(&mut operator)
        } else {
            written
        };
        let version = version.trim_start_matches('v');
        let limits = !matches!(operator, ">" | ">=" | "=>" | "!=");
        if limits && version.starts_with(|first: char| first.is_ascii_digit()) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_open;

    #[test]
    fn ranges_end_or_do_not() {
        for (range, open) in [
            ("", true),
            ("*", true),
            ("x", true),
            (">=0.0.0", true),
            (">= 1.0.0-0", true),
            ("> 1, != 1.5", true),
            ("1.x || >=3", true),
            ("1.2.3", false),
            ("v1.2.3", false),
            ("= 1.2.3", false),
            ("1.x", false),
            ("^1.2", false),
            ("~ 1.2", false),
            (">=1.0 <2.0", false),
            (">= 1.0, < 2.0", false),
            ("1.2 - 2", false),
        ] {
            assert_eq!(is_open(range), open, "{range}");
        }
    }
}
