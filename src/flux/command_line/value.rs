//! Flag values as Go reads them (`strconv`, `time`, `encoding/csv`), because a bad one stops the controller.

/// `strconv.ParseBool`.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// `strconv.ParseInt(text, 0, 64)`.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    let magnitude = i128::from(parse_magnitude(digits)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// `strconv.ParseUint(text, 0, bits)` where `max` is the largest value of that many bits.
pub(super) fn parse_uint(text: &str, max: u64) -> Option<i64> {
    let value = parse_magnitude(text)?;
    if value > max {
        return None;
    }
    i64::try_from(value).ok()
}

fn split_sign(text: &str) -> (bool, &str) {
    if let Some(rest) = text.strip_prefix('-') {
        return (true, rest);
    }
    (false, text.strip_prefix('+').unwrap_or(text))
}

/// Digits with an optional base prefix and underscores between digits.
fn parse_magnitude(text: &str) -> Option<u64> {
    let (base, digits) = split_base(text)?;
    let plain: String = digits.chars().filter(|character| *character != '_').collect();
    if plain.starts_with('+') || plain.is_empty() && !digits.is_empty() {
        return None;
    }
    if plain.len() != digits.len() && !underscores_are_well_placed(text) {
        return None;
    }
    if plain.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(&plain, base).ok()
}

/// The base that the prefix tells, and the digits after it. A lone `0` is an octal number without digits.
fn split_base(text: &str) -> Option<(u32, &str)> {
    let bytes = text.as_bytes();
    if bytes.first()? != &b'0' {
        return Some((10, text));
    }
    let prefix = if bytes.len() >= 3 {
        bytes[1].to_ascii_lowercase()
    } else {
        0
    };
    match prefix {
        b'b' => Some((2, &text[2..])),
        b'o' => Some((8, &text[2..])),
        b'x' => Some((16, &text[2..])),
        _ => Some((8, &text[1..])),
    }
}

/// `strconv.underscoreOK`: an underscore stands between digits or after a base prefix.
fn underscores_are_well_placed(text: &str) -> bool {
    let mut rest = split_sign(text).1.as_bytes();
    let mut previous = b'^';
    let mut hexadecimal = false;
    if rest.len() >= 2 && rest[0] == b'0' && matches!(rest[1].to_ascii_lowercase(), b'b' | b'o' | b'x') {
        hexadecimal = rest[1].eq_ignore_ascii_case(&b'x');
        previous = b'0';
        rest = &rest[2..];
    }
    for &byte in rest {
        let digit = byte.is_ascii_digit() || hexadecimal && byte.is_ascii_hexdigit();
        match byte {
            _ if digit => previous = b'0',
            b'_' if previous != b'0' => return false,
            b'_' => previous = b'_',
            _ if previous == b'_' => return false,
            _ => previous = b'!',
        }
    }
    previous != b'_'
}

/// `strconv.ParseFloat(text, 32)`.
pub(super) fn parse_float(text: &str) -> Option<f32> {
    if let Some(special) = special_float(text) {
        return Some(special);
    }
    if text.contains('_') && !underscores_are_well_placed(text) {
        return None;
    }
    let plain = text.replace('_', "");
    let (negative, magnitude) = split_sign(&plain);
    let value = match magnitude.get(..2) {
        Some("0x" | "0X") => parse_hexadecimal_float(&magnitude[2..])?,
        _ => parse_decimal_float(magnitude)?,
    };
    if value.is_infinite() {
        return None;
    }
    Some(if negative { -value } else { value })
}

fn special_float(text: &str) -> Option<f32> {
    if text.eq_ignore_ascii_case("nan") {
        return Some(f32::NAN);
    }
    let (negative, name) = split_sign(text);
    if !name.eq_ignore_ascii_case("inf") && !name.eq_ignore_ascii_case("infinity") {
        return None;
    }
    Some(if negative {
        f32::NEG_INFINITY
    } else {
        f32::INFINITY
    })
}

fn parse_decimal_float(text: &str) -> Option<f32> {
    let starts_like_a_number = text.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    if !starts_like_a_number {
        return None;
    }
    text.parse().ok()
}

/// Hexadecimal mantissa and mandatory binary exponent, without the prefix.
fn parse_hexadecimal_float(text: &str) -> Option<f32> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let (negative, digits) = split_sign(exponent);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let power: i32 = digits.parse().unwrap_or(10_000).min(10_000);
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let exponent = if negative { -power } else { power } - shift;
    let scaled = if value == 0.0 {
        0.0
    } else {
        value * 2_f64.powi(exponent)
    };
    #[allow(clippy::cast_possible_truncation)] // Rounding to 32 bits is the purpose.
    let rounded = scaled as f32;
    Some(rounded)
}

const DURATION_LIMIT: u64 = 1 << 63;

/// `time.ParseDuration`, in nanoseconds.
pub(in crate::flux) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = split_sign(text);
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (part, after) = take_duration_part(rest)?;
        total = total.checked_add(part).filter(|sum| *sum <= DURATION_LIMIT)?;
        rest = after;
    }
    let total = i128::from(total);
    i64::try_from(if negative { -total } else { total }).ok()
}

/// One number with its unit, and the text after it.
fn take_duration_part(text: &str) -> Option<(u64, &str)> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(after) => split_digits(after),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let unit = nanoseconds_of_unit(&rest[..end])?;
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?
    };
    let nanoseconds = whole
        .checked_mul(unit)
        .filter(|product| *product <= DURATION_LIMIT)?;
    let sum = nanoseconds
        .checked_add(fraction_of(fraction, unit))
        .filter(|sum| *sum <= DURATION_LIMIT)?;
    Some((sum, &rest[end..]))
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn nanoseconds_of_unit(unit: &str) -> Option<u64> {
    match unit {
        "ns" => Some(1),
        "us" | "\u{b5}s" | "\u{3bc}s" => Some(1_000),
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    }
}

/// Go keeps the digits of a fraction that fit into 63 bits and drops the others.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale = 1_f64;
    for digit in digits.bytes() {
        if value > (DURATION_LIMIT - 1) / 10 {
            break;
        }
        let next = value * 10 + u64::from(digit - b'0');
        if next > DURATION_LIMIT {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

/// The first record of a text, as `encoding/csv` reads it with default settings; `[]` for an empty text.
pub(super) fn parse_csv(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let mut lines = csv_lines(text).into_iter();
    let mut line = lines.find(|line| line != "\n" && !line.is_empty())?;
    let mut fields = Vec::new();
    loop {
        let Some(quoted) = line.strip_prefix('"') else {
            let (field, rest) = plain_field(&line)?;
            fields.push(field);
            match rest {
                Some(rest) => line = rest,
                None => return Some(fields),
            }
            continue;
        };
        let (field, rest) = quoted_field(quoted.to_owned(), &mut lines)?;
        fields.push(field);
        match rest {
            Some(rest) => line = rest,
            None => return Some(fields),
        }
    }
}

/// Lines with their line feed; a carriage return before it or before the end is dropped.
fn csv_lines(text: &str) -> Vec<String> {
    let lines = text.split_inclusive('\n');
    lines
        .map(|line| match line.strip_suffix("\r\n") {
            Some(content) => format!("{content}\n"),
            None => line.strip_suffix('\r').unwrap_or(line).to_owned(),
        })
        .collect()
}

/// An unquoted field and, when a comma follows, the line after the comma.
fn plain_field(line: &str) -> Option<(String, Option<String>)> {
    let (field, rest) = match line.split_once(',') {
        Some((field, rest)) => (field, Some(rest.to_owned())),
        None => (line.strip_suffix('\n').unwrap_or(line), None),
    };
    if field.contains('"') {
        return None;
    }
    Some((field.to_owned(), rest))
}

/// A quoted field without its opening quote; it may continue on further lines.
fn quoted_field(
    mut line: String,
    lines: &mut impl Iterator<Item = String>,
) -> Option<(String, Option<String>)> {
    let mut field = String::new();
    loop {
        let Some((before, after)) = line.split_once('"') else {
            field.push_str(&line);
            line = lines.next()?;
            continue;
        };
        field.push_str(before);
        if let Some(rest) = after.strip_prefix('"') {
            field.push('"');
            line = rest.to_owned();
            continue;
        }
        if let Some(rest) = after.strip_prefix(',') {
            return Some((field, Some(rest.to_owned())));
        }
        return (after.is_empty() || after == "\n").then_some((field, None));
    }
}

/// The pairs of one `--feature-gates` value (k8s.io/component-base `cli/flag/map_string_bool.go`).
pub(super) fn parse_gates(text: &str) -> Option<Vec<(String, bool)>> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs.map(parse_gate).collect()
}

fn parse_gate(pair: &str) -> Option<(String, bool)> {
    let (name, value) = pair.split_once('=')?;
    Some((name.trim().to_owned(), parse_bool(value.trim())?))
}
