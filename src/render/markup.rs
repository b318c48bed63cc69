//! What HTML and XML have in common.

use crate::engine::posture::escaped;

/// Text between tags or between double quotes. What a terminal would obey is shown, and so is what XML has no way to
/// write.
#[must_use]
pub fn text(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len());
    for character in escaped(plain).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.extend(character.escape_unicode()),
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn nothing_is_markup() {
        assert_eq!(
            text("<a b='c'>&\"\u{0}\n\u{202e}\u{ffff}é"),
            "&lt;a b=&#39;c&#39;&gt;&amp;&quot;\\u{0}\\n\\u{202e}\\u{ffff}é"
        );
    }
}
