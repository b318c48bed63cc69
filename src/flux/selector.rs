//! Label selectors as Flux's controllers read them, and whether two can select one object.
//!
//! `--watch-label-selector` is parsed by k8s.io/apimachinery `labels.Parse`: requirements that all have to hold. Each
//! speaks of one label, so two selectors exclude each other exactly when they do so for one of the labels.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::{Label, Labels};

/// A parsed selector: what each label that it names may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    labels: BTreeMap<String, Allowed>,
}

/// What a selector allows a label to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Allowed {
    /// Whether the label may be missing.
    absent: bool,
    values: Values,
    /// Whether `<` or `>` narrow the values further.
    compared: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Values {
    Only(BTreeSet<String>),
    AllBut(BTreeSet<String>),
}

/// Whether two selectors can select one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// No object is selected by both.
    Disjoint,
    /// There are labels that both select.
    Possible,
    /// A comparison by `<` or `>` decides, which is not calculated.
    Undecided,
}

impl Selector {
    /// Reads a selector; the empty one selects everything.
    ///
    /// # Errors
    /// The controller would refuse it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Tokens { rest: text };
        let mut selector = Self::default();
        if tokens.peek().is_none() {
            return Ok(selector);
        }
        loop {
            let (label, allowed) = requirement(&mut tokens)?;
            selector.require(label, allowed);
            match tokens.next() {
                None => return Ok(selector),
                Some(",") => {}
                Some(other) => return Err(format!("{other:?} where a comma was expected")),
            }
        }
    }

    fn require(&mut self, label: String, allowed: Allowed) {
        let both = match self.labels.get(&label) {
            Some(known) => known.and(&allowed),
            None => allowed,
        };
        self.labels.insert(label, both);
    }

    /// Whether some object can be selected by both.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> Overlap {
        let mut both = self.clone();
        for (label, allowed) in &other.labels {
            both.require(label.clone(), allowed.clone());
        }
        if both.labels.values().any(Allowed::is_impossible) {
            return Overlap::Disjoint;
        }
        if both.labels.values().any(|allowed| allowed.compared) {
            return Overlap::Undecided;
        }
        Overlap::Possible
    }

    /// Whether it selects an object with these labels; `None`: `<` or `>` decides, or a label that is not kept.
    #[must_use]
    pub fn selects(&self, labels: &Labels) -> Option<bool> {
        let fits = |(name, allowed): (&String, &Allowed)| allowed.admits(labels.get(name));
        let verdicts: Vec<Option<bool>> = self.labels.iter().map(fits).collect();
        if verdicts.contains(&Some(false)) {
            return Some(false);
        }
        (!verdicts.contains(&None)).then_some(true)
    }

    /// Whether it selects every object.
    #[must_use]
    pub fn selects_everything(&self) -> bool {
        self.labels.is_empty()
    }
}

impl Allowed {
    const fn present(values: Values) -> Self {
        Self {
            absent: false,
            values,
            compared: false,
        }
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            absent: self.absent && other.absent,
            values: self.values.and(&other.values),
            compared: self.compared || other.compared,
        }
    }

    /// Whether a label fits; `None`: that is not known.
    fn admits(&self, label: Label<'_>) -> Option<bool> {
        match label {
            Label::NotKept => None,
            Label::Absent => Some(self.absent),
            Label::Is(value) if !self.values.include(value) => Some(false),
            Label::Is(_) => (!self.compared).then_some(true),
        }
    }

    /// Whether the label can neither be missing nor have a value.
    fn is_impossible(&self) -> bool {
        !self.absent && matches!(&self.values, Values::Only(values) if values.is_empty())
    }
}

impl Values {
    fn any() -> Self {
        Self::AllBut(BTreeSet::new())
    }

    fn include(&self, value: &str) -> bool {
        match self {
            Self::Only(values) => values.contains(value),
            Self::AllBut(values) => !values.contains(value),
        }
    }

    fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(one), Self::Only(two)) => Self::Only(one & two),
            (Self::AllBut(one), Self::AllBut(two)) => Self::AllBut(one | two),
            (Self::Only(only), Self::AllBut(not)) | (Self::AllBut(not), Self::Only(only)) => {
                Self::Only(only - not)
            }
        }
    }
}

fn requirement(tokens: &mut Tokens<'_>) -> Result<(String, Allowed), String> {
    let first = tokens.next().ok_or("a requirement is missing")?;
    if first == "!" {
        let allowed = Allowed {
            absent: true,
            values: Values::Only(BTreeSet::new()),
            compared: false,
        };
        return Ok((label(tokens.next().unwrap_or_default())?, allowed));
    }
    let label = label(first)?;
    let allowed = match tokens.peek() {
        None | Some(",") => Allowed::present(Values::any()),
        Some(operator) => {
            tokens.next();
            operation(operator, tokens)?
        }
    };
    Ok((label, allowed))
}

fn operation(operator: &str, tokens: &mut Tokens<'_>) -> Result<Allowed, String> {
    match operator {
        "=" | "==" => Ok(Allowed::present(Values::Only([exact(tokens)?].into()))),
        "in" => Ok(Allowed::present(Values::Only(list(tokens)?))),
        // A label that is missing is not equal to anything.
        "!=" | "notin" => {
            let values = match operator {
                "!=" => [exact(tokens)?].into(),
                _ => list(tokens)?,
            };
            Ok(Allowed {
                absent: true,
                values: Values::AllBut(values),
                compared: false,
            })
        }
        "<" | ">" => {
            let bound = exact(tokens)?;
            bound
                .parse::<i64>()
                .map_err(|_| format!("{bound:?} is no number"))?;
            Ok(Allowed {
                compared: true,
                ..Allowed::present(Values::any())
            })
        }
        other => Err(format!("{other:?} is no operator")),
    }
}

/// The value behind an operator; nothing is the empty value.
fn exact(tokens: &mut Tokens<'_>) -> Result<String, String> {
    match tokens.peek() {
        None | Some(",") => Ok(String::new()),
        Some(text) => {
            tokens.next();
            value(text)
        }
    }
}

/// Values in parentheses.
fn list(tokens: &mut Tokens<'_>) -> Result<BTreeSet<String>, String> {
    if tokens.next() != Some("(") {
        return Err("a list of values begins with (".to_owned());
    }
    let nothing = String::new;
    if tokens.next_if(")") {
        return Ok([nothing()].into());
    }
    let mut values = BTreeSet::new();
    loop {
        match tokens.next() {
            // What is before, between and after commas may be nothing; two commas belong together.
            Some(",") => {
                if values.is_empty() {
                    values.insert(nothing());
                }
                if tokens.next_if(",") {
                    values.insert(nothing());
                } else if tokens.next_if(")") {
                    values.insert(nothing());
                    return Ok(values);
                }
            }
            Some(text) => {
                values.insert(value(text)?);
                if tokens.next_if(")") {
                    return Ok(values);
                }
                if tokens.peek() != Some(",") {
                    return Err("a list of values ends with )".to_owned());
                }
            }
            None => return Err("a list of values ends with )".to_owned()),
        }
    }
}

/// A label's name, behind a DNS name or alone.
fn label(text: &str) -> Result<String, String> {
    if is_label(text) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no label"))
}

fn value(text: &str) -> Result<String, String> {
    if is_value(text) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} cannot be the value of a label"))
}

/// Whether Kubernetes allows a label of this name.
#[must_use]
pub fn is_label(text: &str) -> bool {
    match text.split_once('/') {
        None => !text.is_empty() && is_value(text),
        Some((domain, name)) => is_domain(domain) && !name.is_empty() && is_value(name),
    }
}

/// Whether Kubernetes allows this value of a label: up to 63 letters, digits, dashes, underscores and dots, with a letter or
/// digit at both ends, or nothing.
#[must_use]
pub fn is_value(text: &str) -> bool {
    let inner = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
    let ends = text.chars().next().into_iter().chain(text.chars().last());
    text.len() <= 63 && text.chars().all(inner) && ends.into_iter().all(|it| it.is_ascii_alphanumeric())
}

fn is_domain(text: &str) -> bool {
    let is_outer = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_part = |part: &str| {
        part.starts_with(is_outer)
            && part.ends_with(is_outer)
            && part.chars().all(|it| is_outer(it) || it == '-')
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

/// Words and operators, without the blanks between them.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn peek(&self) -> Option<&'a str> {
        Tokens { rest: self.rest }.next()
    }

    /// Takes the next token when it is this one.
    fn next_if(&mut self, token: &str) -> bool {
        let is_next = self.peek() == Some(token);
        if is_next {
            self.next();
        }
        is_next
    }

    fn next(&mut self) -> Option<&'a str> {
        let is_symbol = |it: char| matches!(it, '(' | ')' | ',' | '!' | '=' | '<' | '>');
        let is_blank = |it: char| matches!(it, ' ' | '\t' | '\r' | '\n');
        let rest = self.rest.trim_start_matches(is_blank);
        let operators = ["==", "!="].into_iter().find(|it| rest.starts_with(it));
        let length = match (operators, rest.chars().next()?) {
            (Some(operator), _) => operator.len(),
            (None, first) if is_symbol(first) => first.len_utf8(),
            _ => rest
                .find(|it: char| is_symbol(it) || is_blank(it))
                .unwrap_or(rest.len()),
        };
        let (token, rest) = rest.split_at(length);
        self.rest = rest;
        Some(token)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::{Labels, Overlap, Selector};
    use proptest::prelude::*;

    const VALUES: [&str; 4] = ["", "a", "b", "c"];

    /// One requirement: the label's number, the operator, and values by bits.
    type Requirement = (usize, u8, u8);

    fn values(bits: u8) -> Vec<&'static str> {
        let chosen = (0..3).filter(|bit| bits & (1 << bit) != 0);
        chosen.map(|bit| VALUES[bit]).collect()
    }

    fn text(&(label, operator, bits): &Requirement) -> String {
        let label = ["x", "sharding.fluxcd.io/key"][label];
        let list = values(bits).join(",");
        let first = values(bits)[0];
        match operator {
            0 => label.to_owned(),
            1 => format!("!{label}"),
            2 => format!("{label}={first}"),
            3 => format!("{label} == {first}"),
            4 => format!("{label}!={first}"),
            5 => format!("{label} in ({list})"),
            _ => format!("{label} notin ({list})"),
        }
    }

    fn holds(&(label, operator, bits): &Requirement, labels: &[Option<&str>; 2]) -> bool {
        let value = labels[label];
        let among = |values: &[&str]| value.is_some_and(|value| values.contains(&value));
        match operator {
            0 => value.is_some(),
            1 => value.is_none(),
            2 | 3 => among(&values(bits)[..1]),
            4 => !among(&values(bits)[..1]),
            5 => among(&values(bits)),
            _ => !among(&values(bits)),
        }
    }

    fn selector() -> impl Strategy<Value = Vec<Requirement>> {
        proptest::collection::vec((0..2_usize, 0..7_u8, 1..8_u8), 0..4)
    }

    proptest! {
        #[test]
        fn disjoint_is_what_no_object_satisfies(one in selector(), two in selector()) {
            let parsed = |it: &[Requirement]| {
                let parts: Vec<String> = it.iter().map(text).collect();
                Selector::parse(&parts.join(",")).unwrap()
            };
            let states: Vec<Option<&str>> = VALUES.into_iter().map(Some).chain([None]).collect();
            let found = states.iter().any(|x| {
                states.iter().any(|y| one.iter().chain(&two).all(|it| holds(it, &[*x, *y])))
            });
            let expected = if found { Overlap::Possible } else { Overlap::Disjoint };
            prop_assert_eq!(parsed(&one).overlap(&parsed(&two)), expected);
        }
    }

    proptest! {
        #[test]
        fn an_object_is_selected_when_every_requirement_holds(
            all in selector(), x in 0..5_usize, y in 0..5_usize,
        ) {
            let value = |at: usize| VALUES.get(at).copied();
            let names = ["x", "sharding.fluxcd.io/key"];
            let set = names.iter().zip([value(x), value(y)]);
            let labels = set.filter_map(|(name, value)| Some(((*name).to_owned(), value?.to_owned())));
            let parts: Vec<String> = all.iter().map(text).collect();
            let selector = Selector::parse(&parts.join(",")).unwrap();
            let expected = all.iter().all(|it| holds(it, &[value(x), value(y)]));
            prop_assert_eq!(selector.selects(&Labels::of(&labels.collect())), Some(expected));
        }
    }

    #[test]
    fn what_is_not_known_of_an_object_is_not_decided() {
        let labels = Labels::of(&[("k".to_owned(), "2".to_owned())].into());
        let selects = |text: &str| Selector::parse(text).unwrap().selects(&labels);
        assert_eq!(selects("k>1"), None);
        assert_eq!(selects("other>1"), Some(false));
        assert_eq!(selects("kustomize.toolkit.fluxcd.io/name=a"), None);
        assert_eq!(selects("kustomize.toolkit.fluxcd.io/name=a,k=1"), Some(false));
        assert_eq!(selects(""), Some(true));
    }

    #[test]
    fn what_flux_documents_is_disjoint() {
        let overlap = |one: &str, two: &str| {
            let parse = |text: &str| Selector::parse(text).unwrap();
            parse(one).overlap(&parse(two))
        };
        let main = "!sharding.fluxcd.io/key";
        assert_eq!(overlap(main, "sharding.fluxcd.io/key=a"), Overlap::Disjoint);
        assert_eq!(
            overlap(main, "sharding.fluxcd.io/key in (a, b)"),
            Overlap::Disjoint
        );
        assert_eq!(overlap("k=a", "k = b"), Overlap::Disjoint);
        assert_eq!(overlap("k", "k=a"), Overlap::Possible);
        assert_eq!(overlap("k!=a", ""), Overlap::Possible);
        assert_eq!(overlap("k=", "k"), Overlap::Possible);
        assert_eq!(overlap("k>1", "k<1"), Overlap::Undecided);
        assert_eq!(overlap("k>1", "!k"), Overlap::Disjoint);
    }

    #[test]
    fn what_a_controller_refuses_is_refused() {
        for text in [
            "a b", "a=b c", "a in b", "a in (b", "!", ",", "a=b,", "a=-", "a/=b", "a>b", "(a)",
        ] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }
}
