//! The functions that expressions may call: those of CEL that need no clock, and texts as Kubernetes extends them. What is
//! not here is refused when an expression is compiled.
#![expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "the interpreter says how functions take their arguments and give their result"
)]

use std::sync::{Arc, LazyLock};

use cel::common::types::{
    self, CelBool, CelInt, CelList, CelMap, CelMapKey, CelString, DYN_TYPE, INT_TYPE, LIST_TYPE, STRING_TYPE,
};
use cel::common::value::{CowVal, FromVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use super::budget::{self, Budget};
use super::pattern::Pattern;

/// Takes the cost of a value and gives it back.
pub(super) const CHARGE: &str = "@charge";
/// Takes the cost of going through a value, some units an item, and gives it back.
pub(super) const LOOP: &str = "@loop";
/// Whether a value has a field: what is no map has none, and of a list it cannot be asked, as in Kubernetes.
pub(super) const HAS: &str = "@has";
/// The name of the budget. No name that is written can begin like that.
pub(super) const BUDGET: &str = "@budget";
/// The beginning of the names of compiled patterns.
pub(super) const PATTERN: &str = "@pattern";

/// A function, and how it may be called.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Whether it is called on a value, as in `text.trim()`.
    pub(super) is_member: bool,
    /// How many arguments it takes, at least and at most.
    pub(super) arguments: (usize, usize),
    /// Whether its cost grows beyond what it is given: it takes the budget as well.
    pub(super) takes_budget: bool,
}

const fn global(name: &'static str) -> Function {
    Function {
        name,
        is_member: false,
        arguments: (1, 1),
        takes_budget: false,
    }
}

const fn member(name: &'static str, least: usize, most: usize) -> Function {
    Function {
        name,
        is_member: true,
        arguments: (least, most),
        takes_budget: false,
    }
}

const fn costly(name: &'static str, least: usize, most: usize) -> Function {
    Function {
        takes_budget: true,
        ..member(name, least, most)
    }
}

/// Every function.
pub(super) const FUNCTIONS: &[Function] = &[
    global("size"),
    global("int"),
    global("uint"),
    global("double"),
    global("string"),
    global("bool"),
    global("bytes"),
    global("type"),
    global("dyn"),
    member("size", 0, 0),
    member("contains", 1, 1),
    member("startsWith", 1, 1),
    member("endsWith", 1, 1),
    costly("matches", 1, 1),
    member("charAt", 1, 1),
    member("indexOf", 1, 2),
    member("lastIndexOf", 1, 2),
    member("lowerAscii", 0, 0),
    member("upperAscii", 0, 0),
    member("trim", 0, 0),
    member("split", 1, 2),
    member("substring", 1, 2),
    costly("find", 1, 1),
    costly("join", 0, 1),
    costly("replace", 2, 3),
];

/// The names of types.
pub(super) const TYPES: [&str; 10] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

/// The functions, declared.
pub(super) static ENVIRONMENT: LazyLock<Result<Arc<Env>, DeclarationError>> = LazyLock::new(|| {
    let mut env = Env::default().with_optional_support(false).with_stdlib();
    declare(&mut env)?;
    Ok(Arc::new(env))
});

fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_overload(CHARGE, CHARGE, vec![DYN_TYPE, DYN_TYPE], charge)?;
    env.add_overload(LOOP, LOOP, vec![DYN_TYPE, INT_TYPE, DYN_TYPE], loop_through)?;
    env.add_overload(HAS, HAS, vec![DYN_TYPE, STRING_TYPE], has)?;
    let mut text = |name: &str, arguments: Vec<types::Type>, op| {
        let id = format!("{name}{}", arguments.len());
        env.add_member_overload(name, &id, STRING_TYPE, arguments, op)
    };
    text("matches", vec![DYN_TYPE, DYN_TYPE], matches)?;
    text("find", vec![DYN_TYPE, DYN_TYPE], find)?;
    text("charAt", vec![INT_TYPE], char_at)?;
    text("indexOf", vec![STRING_TYPE], index_of)?;
    text("indexOf", vec![STRING_TYPE, INT_TYPE], index_of)?;
    text("lastIndexOf", vec![STRING_TYPE], last_index_of)?;
    text("lastIndexOf", vec![STRING_TYPE, INT_TYPE], last_index_of)?;
    text("lowerAscii", vec![], lower_ascii)?;
    text("upperAscii", vec![], upper_ascii)?;
    text("trim", vec![], trim)?;
    text("split", vec![STRING_TYPE], split)?;
    text("split", vec![STRING_TYPE, INT_TYPE], split)?;
    text("substring", vec![INT_TYPE], substring)?;
    text("substring", vec![INT_TYPE, INT_TYPE], substring)?;
    text("replace", vec![STRING_TYPE, STRING_TYPE, DYN_TYPE], replace)?;
    text(
        "replace",
        vec![STRING_TYPE, STRING_TYPE, INT_TYPE, DYN_TYPE],
        replace,
    )?;
    env.add_member_overload("join", "join", LIST_TYPE, vec![DYN_TYPE], join)?;
    env.add_member_overload("join", "join1", LIST_TYPE, vec![STRING_TYPE, DYN_TYPE], join)
}

type Result_<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn failed(function: &str, message: &str) -> ExecutionError {
    ExecutionError::function_error(function, message)
}

fn exhausted() -> ExecutionError {
    failed("budget", "exhausted")
}

fn argument<'a, 'b, 'v, T: FromVal<'a, 'v>>(
    args: &'a [CowVal<'b, 'v>],
    at: usize,
) -> Result<&'a T, ExecutionError> {
    let argument = args.get(at).and_then(|value| value.as_ref().downcast_ref());
    argument.ok_or_else(|| failed("call", "an argument has another type"))
}

fn text<'a>(args: &'a [CowVal<'_, '_>], at: usize) -> Result<&'a str, ExecutionError> {
    Ok(argument::<CelString<'_>>(args, at)?.inner())
}

fn number(args: &[CowVal<'_, '_>], at: usize) -> Result<i64, ExecutionError> {
    Ok(*argument::<CelInt>(args, at)?.inner())
}

fn owned<'b, 'v>(value: impl Val + 'v) -> Result_<'b, 'v> {
    Ok(CowVal::owned(value))
}

fn charge<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let budget: &Budget = argument(&args, 1)?;
    let units = budget::of_value(args[0].as_ref(), budget.left());
    if !budget.take(units) {
        return Err(exhausted());
    }
    Ok(args.swap_remove(0))
}

fn loop_through<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let each = u64::try_from(number(&args, 1)?).unwrap_or(u64::MAX);
    let budget: &Budget = argument(&args, 2)?;
    let range = args[0].as_ref();
    // Of a map the keys alone are gone through.
    let (items, units) = if let Some(map) = range.downcast_ref::<CelMap<'_>>() {
        (map.inner().len(), map.inner().len() as u64)
    } else {
        let list = range.downcast_ref::<CelList<'_>>();
        let items = list.map_or(0, |list| list.inner().len());
        (items, budget::of_value(range, budget.left()))
    };
    if !budget.take(units.saturating_add(each.saturating_mul(items as u64))) {
        return Err(exhausted());
    }
    Ok(args.swap_remove(0))
}

fn has<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let field = CelMapKey::String(CelString::from(text(&args, 1)?.to_owned()));
    if args[0].as_ref().downcast_ref::<CelList<'_>>().is_some() {
        return Err(failed("has", "a list has no fields"));
    }
    let map = args[0].as_ref().downcast_ref::<CelMap<'_>>();
    owned(CelBool::from(
        map.is_some_and(|map| map.inner().contains_key(&field)),
    ))
}

/// The text that a pattern is looked for in, paid for: a bad pattern looks at every place of it many times.
fn searched<'a>(args: &'a [CowVal<'_, '_>]) -> Result<(&'a str, &'a Pattern), ExecutionError> {
    let (this, pattern): (&str, &Pattern) = (text(args, 0)?, argument(args, 1)?);
    let budget: &Budget = argument(args, 2)?;
    if !budget.take(1 + this.len() as u64 / budget::SEARCHED) {
        return Err(exhausted());
    }
    Ok((this, pattern))
}

fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let (this, pattern) = searched(&args)?;
    owned(CelBool::from(pattern.0.is_match(this)))
}

fn find<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let (this, pattern) = searched(&args)?;
    let found = pattern.0.find(this).map_or("", |found| found.as_str());
    owned(CelString::from(found.to_owned()))
}

/// The bytes before so many characters of a text; `None`: there are not as many.
fn offset(text: &str, characters: i64) -> Option<usize> {
    let characters = usize::try_from(characters).ok()?;
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.into_iter().nth(characters)
}

/// The characters before a byte of a text.
fn characters(text: &str, offset: usize) -> CelInt {
    let count = text[..offset].chars().count();
    CelInt::from(i64::try_from(count).unwrap_or(i64::MAX))
}

fn char_at<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let this = text(&args, 0)?;
    let at = offset(this, number(&args, 1)?).ok_or_else(|| failed("charAt", "index out of range"))?;
    let character = this[at..].chars().next().map(String::from);
    owned(CelString::from(character.unwrap_or_default()))
}

fn index_of<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let (this, wanted) = (text(&args, 0)?, text(&args, 1)?);
    let from = if args.len() == 2 { 0 } else { number(&args, 2)? };
    let Some(begin) = offset(this, from) else {
        return Err(failed("indexOf", "index out of range"));
    };
    match this[begin..].find(wanted) {
        Some(at) => owned(characters(this, begin + at)),
        None => owned(CelInt::from(-1)),
    }
}

fn last_index_of<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let (this, wanted) = (text(&args, 0)?, text(&args, 1)?);
    let end = if args.len() == 2 {
        this.len()
    } else {
        let last = offset(this, number(&args, 2)?);
        let last = last.ok_or_else(|| failed("lastIndexOf", "index out of range"))?;
        this.len().min(last + wanted.len())
    };
    // What begins at the last place may end within a character of another text.
    let end = this.ceil_char_boundary(end);
    let limit = end.saturating_sub(wanted.len());
    let found = this[..end]
        .rmatch_indices(wanted)
        .map(|(at, _)| at)
        .find(|at| *at <= limit);
    match found {
        Some(at) => owned(characters(this, at)),
        None => owned(CelInt::from(-1)),
    }
}

fn lower_ascii<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    owned(CelString::from(text(&args, 0)?.to_ascii_lowercase()))
}

fn upper_ascii<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    owned(CelString::from(text(&args, 0)?.to_ascii_uppercase()))
}

fn trim<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    owned(CelString::from(text(&args, 0)?.trim().to_owned()))
}

fn split<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let (this, separator) = (text(&args, 0)?, text(&args, 1)?);
    let most = if args.len() == 2 { -1 } else { number(&args, 2)? };
    let parts: Vec<&str> = match (usize::try_from(most), separator) {
        (Ok(0), _) => Vec::new(),
        (Err(_), "") => each_character(this, usize::MAX),
        (Ok(most), "") => each_character(this, most),
        (Err(_), separator) => this.split(separator).collect(),
        (Ok(most), separator) => this.splitn(most, separator).collect(),
    };
    let parts = parts
        .into_iter()
        .map(|part| Box::new(CelString::from(part.to_owned())) as Box<dyn Val + 'v>);
    owned(CelList::from(parts.collect::<Vec<_>>()))
}

/// The characters of a text, the last of so many with all that follow.
fn each_character(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if parts.len() + 1 == most {
            parts.push(rest);
            break;
        }
        let (character, others) = rest.split_at(first.len_utf8());
        parts.push(character);
        rest = others;
    }
    parts
}

fn substring<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let this = text(&args, 0)?;
    let out_of_range = || failed("substring", "index out of range");
    let begin = offset(this, number(&args, 1)?).ok_or_else(out_of_range)?;
    let end = if args.len() == 2 {
        this.len()
    } else {
        offset(this, number(&args, 2)?).ok_or_else(out_of_range)?
    };
    let part = this.get(begin..end).ok_or_else(out_of_range)?;
    owned(CelString::from(part.to_owned()))
}

/// The cost of the result is taken before there is one: it may be as large as both texts multiplied.
fn replace<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let (this, from, to) = (text(&args, 0)?, text(&args, 1)?, text(&args, 2)?);
    let budget: &Budget = argument(&args, args.len() - 1)?;
    let most = if args.len() == 4 { -1 } else { number(&args, 3)? };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let found = this.matches(from).take(most).count();
    let bytes = this.len().saturating_add(found.saturating_mul(to.len()));
    if !budget.take(budget::of_text(bytes)) {
        return Err(exhausted());
    }
    owned(CelString::from(this.replacen(from, to, most)))
}

fn join<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result_<'b, 'v> {
    let list: &CelList<'_> = argument(&args, 0)?;
    let separator = if args.len() == 2 { "" } else { text(&args, 1)? };
    let budget: &Budget = argument(&args, args.len() - 1)?;
    let mut parts = Vec::with_capacity(list.inner().len());
    for item in list.inner() {
        let part = item.as_ref().downcast_ref::<CelString<'_>>();
        parts.push(
            part.ok_or_else(|| failed("join", "an item is no string"))?
                .inner(),
        );
    }
    let bytes: usize = parts.iter().map(|part| part.len() + separator.len()).sum();
    if !budget.take(budget::of_text(bytes)) {
        return Err(exhausted());
    }
    owned(CelString::from(parts.join(separator)))
}
