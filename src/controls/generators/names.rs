//! How far a CEL expression over the name of a namespace reaches, by the few forms that can be told without running it.

/// Which names an expression admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breadth {
    /// Listed ones, or those with a beginning or an end in common.
    Bounded,
    /// All, or all but some.
    Everything,
    /// It cannot be told.
    Unclear,
}

impl Breadth {
    pub(super) fn of(expression: &str) -> Self {
        let alternatives: Vec<Self> = expression.split("||").map(Self::of_all).collect();
        let has = |wanted| alternatives.contains(&wanted);
        if has(Self::Everything) {
            return Self::Everything;
        }
        if has(Self::Unclear) {
            Self::Unclear
        } else {
            Self::Bounded
        }
    }

    /// One bound is enough.
    fn of_all(conditions: &str) -> Self {
        let conditions: Vec<Self> = conditions.split("&&").map(Self::of_one).collect();
        let has = |wanted| conditions.contains(&wanted);
        if has(Self::Bounded) {
            return Self::Bounded;
        }
        if has(Self::Unclear) {
            Self::Unclear
        } else {
            Self::Everything
        }
    }

    fn of_one(condition: &str) -> Self {
        let condition = condition.trim();
        match condition {
            "true" => return Self::Everything,
            "false" => return Self::Bounded,
            _ => {}
        }
        if let Some(denied) = condition.strip_prefix('!') {
            return match Self::of_one(denied) {
                Self::Bounded => Self::Everything,
                _ => Self::Unclear,
            };
        }
        let Some(test) = condition.strip_prefix("ns") else {
            return Self::Unclear;
        };
        let test = test.trim();
        if test
            .strip_prefix("==")
            .is_some_and(|name| literal(name).is_some())
        {
            return Self::Bounded;
        }
        if test
            .strip_prefix("!=")
            .is_some_and(|name| literal(name).is_some())
        {
            return Self::Everything;
        }
        if let Some(list) = test.strip_prefix("in ") {
            return Self::of_list(list.trim());
        }
        Self::of_call(test)
    }

    fn of_list(list: &str) -> Self {
        let names = list.strip_prefix('[').and_then(|list| list.strip_suffix(']'));
        let is_list = names.is_some_and(|names| names.split(',').all(|name| literal(name).is_some()));
        if is_list { Self::Bounded } else { Self::Unclear }
    }

    /// `.startsWith('…')` and its like.
    fn of_call(call: &str) -> Self {
        let call = call.strip_prefix('.').and_then(|call| call.strip_suffix(')'));
        let Some((function, argument)) = call.and_then(|call| call.split_once('(')) else {
            return Self::Unclear;
        };
        let Some(argument) = literal(argument) else {
            return Self::Unclear;
        };
        match (function, argument) {
            ("startsWith" | "endsWith" | "contains" | "matches", "")
            | ("matches", ".*" | ".+" | "^.*$" | "^.+$" | "^.*" | ".*$") => Self::Everything,
            ("startsWith" | "endsWith", _) => Self::Bounded,
            ("matches", pattern) if has_a_beginning(pattern) => Self::Bounded,
            _ => Self::Unclear,
        }
    }
}

/// Whether whatever matches begins with a certain character. An alternative would have a beginning of its own.
fn has_a_beginning(pattern: &str) -> bool {
    let Some(rest) = pattern.strip_prefix('^') else {
        return false;
    };
    let mut characters = rest.chars();
    let first = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric());
    let is_optional = matches!(characters.next(), Some('*' | '?' | '{'));
    first && !is_optional && !rest.contains('|')
}

/// The text of a literal without escapes.
fn literal(text: &str) -> Option<&str> {
    let text = text.trim();
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains([quote, '\\'])).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::Breadth::{self, Bounded, Everything, Unclear};

    #[test]
    fn what_cannot_be_told_is_not_taken_for_bounded() {
        for (expression, breadth) in [
            ("true", Everything),
            ("ns != 'default'", Everything),
            ("!ns.startsWith('kube-')", Everything),
            ("ns.startsWith('')", Everything),
            ("ns.matches('.*')", Everything),
            ("ns == 'shop' || true", Everything),
            ("ns != 'a' && ns != 'b'", Everything),
            ("ns == 'shop'", Bounded),
            ("ns == \"shop\" || ns.startsWith('shop-')", Bounded),
            ("ns in ['shop', 'shop-test']", Bounded),
            ("ns.startsWith('shop-') && ns != 'shop-prod'", Bounded),
            ("ns.matches('^shop-[a-z]+$')", Bounded),
            ("ns.matches('^shop|.*')", Unclear),
            ("ns.matches('^s*')", Unclear),
            ("ns.matches('shop')", Unclear),
            ("ns.contains('a')", Unclear),
            ("(ns == 'shop')", Unclear),
            ("ns in allowed", Unclear),
            ("size(ns) > 3", Unclear),
            ("ns == 'a||b'", Unclear),
            ("", Unclear),
        ] {
            assert_eq!(Breadth::of(expression), breadth, "{expression}");
        }
    }
}
