//! Patterns in which `*` stands for any text.

/// Whether a text fits a pattern. Takes at most the product of their lengths.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // The last star, and up to where it swallows the text.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, seen));
                at += 1;
            }
            (Some(byte), _) if *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            (_, Some((from, swallowed))) => {
                star = Some((from, swallowed + 1));
                at = from + 1;
                seen = swallowed + 1;
            }
            (_, None) => return false,
        }
    }
    has_stars_alone(&pattern[at..])
}

/// The text before the first star.
#[must_use]
pub fn prefix(pattern: &str) -> &str {
    pattern.split('*').next().unwrap_or_default()
}

/// Whether a pattern says anything: one of stars alone fits every text, and so does none.
#[must_use]
pub fn is_fixed(pattern: &str) -> bool {
    !has_stars_alone(pattern.as_bytes())
}

fn has_stars_alone(pattern: &[u8]) -> bool {
    pattern.iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("kube-*", "kube-system", true),
            ("kube-*", "kube-", true),
            ("kube-*", "kubeless", false),
            ("*-system", "flux-system", true),
            ("*-system", "flux-systems", false),
            ("team-*-prod", "team-a-prod", true),
            ("team-*-prod", "team-prod", false),
            ("flux", "flux", true),
            ("flux", "flux-system", false),
            ("*", "", true),
            ("**", "é", true),
            ("*é*", "ñé", true),
            ("", "", true),
            ("", "a", false),
            ("a*a", "a", false),
            ("*aab", "aaab", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!matches(&"*a".repeat(100), &format!("{}b", "a".repeat(250))));
    }

    #[test]
    fn stars_alone_say_nothing() {
        assert!(["", "*", "**"].iter().all(|pattern| !is_fixed(pattern)));
        assert!(["a", "*a", "*-*"].iter().all(|pattern| is_fixed(pattern)));
        assert_eq!(prefix("team-*-prod"), "team-");
    }
}
