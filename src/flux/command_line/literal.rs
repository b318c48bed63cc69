//! Values as Go reads them.

use super::FlagKind;

/// strconv.ParseBool (rule 7).
pub(super) fn bool(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// component-base's map of booleans: pairs split by commas, blanks around keys and values do not count.
pub(super) fn gates(value: &str) -> Option<Vec<(String, bool)>> {
    let pairs = value.split(',').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.trim().to_owned(), bool(value.trim())?))
        })
        .collect()
}

/// Whether pflag accepts the value for a flag of this kind.
pub(super) fn is_valid(kind: FlagKind, value: &str) -> bool {
    match kind {
        FlagKind::Bool => bool(value).is_some(),
        FlagKind::Text | FlagKind::Array => true,
        FlagKind::Int => integer(value).is_some_and(|number| i64::try_from(number).is_ok()),
        FlagKind::Uint8 => {
            integer(value).is_some_and(|number| is_unsigned(value) && u8::try_from(number).is_ok())
        }
        FlagKind::Uint16 => {
            integer(value).is_some_and(|number| is_unsigned(value) && u16::try_from(number).is_ok())
        }
        FlagKind::Float => float(value),
        FlagKind::Duration => duration(value),
        FlagKind::List => list(value),
        FlagKind::Gates => gates(value).is_some(),
    }
}

fn is_unsigned(value: &str) -> bool {
    !value.starts_with(['+', '-'])
}

/// strconv.ParseInt with base 0: prefixes 0x, 0o, 0b and 0 choose the base, underscores separate digits.
fn integer(value: &str) -> Option<i128> {
    let (negative, digits) = match value.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, body, prefixed) = match lower.as_str() {
        text if text.starts_with("0x") => (16, &lower[2..], true),
        text if text.starts_with("0o") => (8, &lower[2..], true),
        text if text.starts_with("0b") => (2, &lower[2..], true),
        text if text.len() > 1 && text.starts_with('0') => (8, &lower[1..], true),
        _ => (10, lower.as_str(), false),
    };
    if !separators_are_well_placed(body, prefixed) {
        return None;
    }
    let body = body.replace('_', "");
    if body.is_empty() || body.len() > 70 || body.starts_with(['+', '-']) {
        return None;
    }
    let number = i128::from_str_radix(&body, base).ok()?;
    Some(if negative { -number } else { number })
}

/// An underscore stands between digits, or between a prefix and a digit.
fn separators_are_well_placed(body: &str, prefixed: bool) -> bool {
    let leading = body.starts_with('_') && !prefixed;
    !leading && !body.ends_with('_') && !body.contains("__")
}

/// strconv.ParseFloat, for what anybody writes: digits, a point, an exponent, infinities.
fn float(value: &str) -> bool {
    !value.is_empty() && value.trim() == value && value.parse::<f64>().is_ok()
}

/// time.ParseDuration: a sign, then numbers with a unit each; a plain 0 needs none.
fn duration(value: &str) -> bool {
    let body = value.strip_prefix(['+', '-']).unwrap_or(value);
    if body == "0" {
        return true;
    }
    let mut rest = body;
    while !rest.is_empty() {
        let number = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let digits = &rest[..number];
        if digits.matches('.').count() > 1 || !digits.contains(|c: char| c.is_ascii_digit()) {
            return false;
        }
        rest = &rest[number..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        if !matches!(&rest[..unit], "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h") {
            return false;
        }
        rest = &rest[unit..];
    }
    !body.is_empty()
}

/// pflag's slices are one line of CSV: quotes must match.
fn list(value: &str) -> bool {
    value.matches('"').count() % 2 == 0 && !value.contains('\n')
}
