//! An expression in CEL over one object: compiled once, and stopped when it costs too much.
//!
//! The interpreter knows no budget, so the compiler puts the expression's costs into it: whatever goes through a value,
//! copies one or makes a larger one is wrapped into a call that takes units first. What cannot be bounded so, the depth of
//! the expression and the size of its patterns, is bounded when it is compiled.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators,
};
use cel::common::types::{CelBool, CelInt};
use cel::objects::Value;
use cel::parser::PrattParser;
use cel::parser::pratt_parser::{Lexer, TokenKind};
use cel::{Context, ExecutionError};

use super::budget::Budget;
use super::library::{BUDGET, CHARGE, ENVIRONMENT, FUNCTIONS, HAS, LOOP, PATTERN, TYPES};
use super::pattern::Pattern;
use super::value::Node;

/// Bytes of the longest expression.
pub const LONGEST: usize = 4096;
/// How deep an expression may be: each level takes some of the stack.
const DEEPEST: usize = 48;
/// How deep loops may be within loops.
const DEEPEST_LOOP: usize = 3;
/// The object, as expressions call it.
const OBJECT: &str = "object";

/// Why an expression is none, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {reason}")]
pub struct Invalid {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
}

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    root: IdedExpr,
    patterns: Vec<(String, Pattern)>,
}

/// An object that expressions are evaluated on.
pub struct Object<'v> {
    context: Context<'v, 'v>,
    budget: Budget,
}

/// Why an expression has no result on an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It failed.
    Failed(String),
    /// It would cost too much.
    TooCostly,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// It is no expression, or needs what is not offered.
    pub fn compile(source: &str) -> Result<Self, Invalid> {
        if source.len() > LONGEST {
            return Err(Invalid::at_start(format!("is longer than {LONGEST} bytes")));
        }
        let parser = PrattParser::new()
            .enable_optional_syntax(false)
            .max_recursion_depth(64)
            .error_recovery_limit(1);
        let mut root = parser.parse(source).map_err(|errors| Invalid::parsing(&errors))?;
        let mut compiler = Compiler {
            source,
            variables: vec![OBJECT.to_owned()],
            loops: 0,
            patterns: Vec::new(),
        };
        compiler.check(&root, 0)?;
        match kind_of(&root.expr) {
            None | Some(Kind::Bool) => {}
            Some(kind) => return Err(Invalid::at_start(format!("gives {} and no bool", kind.name()))),
        }
        compiler.rewrite(&mut root);
        Ok(Self {
            root,
            patterns: compiler.patterns,
        })
    }
}

impl<'v> Object<'v> {
    /// Reads an object.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn parse(text: &'v str) -> Result<Self, serde_json::Error> {
        let Node(object) = serde_json::from_str(text)?;
        let environment = ENVIRONMENT.as_ref().map_err(serde::de::Error::custom)?;
        let budget = Budget::default();
        let mut context = Context::with_env(environment.clone());
        context.add_variable_as_val(OBJECT, object);
        context.add_variable_as_val(BUDGET, Box::new(budget.clone()));
        Ok(Self { context, budget })
    }

    /// Evaluates an expression.
    ///
    /// # Errors
    /// It has no result, or none that is a bool.
    pub fn evaluate(&self, expression: &Expression) -> Result<bool, Failure> {
        self.budget.restart();
        let mut scope = self.context.new_inner_scope();
        for (name, pattern) in &expression.patterns {
            scope.add_variable_as_val(name.as_str(), Box::new(pattern.clone()));
        }
        // A panic is an answer that is missing, not the end of the watch.
        let evaluated = catch_unwind(AssertUnwindSafe(|| {
            let value = Value::resolve_val(&expression.root, &scope)?;
            let kind = value.get_type().name().to_owned();
            Ok(value.downcast_ref::<CelBool>().map(|it| *it.inner()).ok_or(kind))
        }));
        // Whatever it made of it: errors may be overruled.
        if self.budget.is_exhausted() {
            return Err(Failure::TooCostly);
        }
        match evaluated {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(kind))) => Err(Failure::Failed(format!("gives {kind} and no bool"))),
            Ok(Err(error)) => Err(Failure::Failed(reason(&error))),
            Err(_) => Err(Failure::Failed("the interpreter gave up".to_owned())),
        }
    }
}

/// Why an evaluation failed, without any value of the object.
fn reason(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(name) => format!("no such key: {name}"),
        ExecutionError::NoSuchOverload(error) => {
            let types = error.argument_types().join(" and ");
            format!("no such overload: {} of {types}", error.function())
        }
        ExecutionError::UnexpectedType { got, want } => format!("{got} is no {want}"),
        ExecutionError::FunctionError { function, .. } => format!("{function} failed"),
        ExecutionError::IndexOutOfBounds(_) => "index out of bounds".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "overflow".to_owned(),
        ExecutionError::UnsupportedBinaryOperator(name, left, right) => {
            format!(
                "no such overload: {name} of {} and {}",
                left.type_of(),
                right.type_of()
            )
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} and {} cannot be compared", left.type_of(), right.type_of())
        }
        ExecutionError::DuplicateKey(_) => "a map has a key twice".to_owned(),
        ExecutionError::UnsupportedKeyType(value) => {
            format!("{} is not a usable key of a map", value.type_of())
        }
        _ => "it cannot be evaluated on this object".to_owned(),
    }
}

impl Invalid {
    fn at_start(reason: String) -> Self {
        Self {
            line: 1,
            column: 1,
            reason,
        }
    }

    /// The first complaint of the parser.
    fn parsing(errors: &cel::ParseErrors) -> Self {
        let Some(first) = errors.errors.first() else {
            return Self::at_start("is no expression".to_owned());
        };
        let position = |at: isize| usize::try_from(at).unwrap_or_default().max(1);
        Self {
            line: position(first.pos.0),
            column: position(first.pos.1),
            reason: first.msg.clone(),
        }
    }
}

/// What is known of an expression's type before it meets an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    List,
    Map,
    Null,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::List => "list",
            Self::Map => "map",
            Self::Null => "null",
        }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }
}

/// The type of an expression; `None`: it depends on the object.
fn kind_of(expression: &Expr) -> Option<Kind> {
    match expression {
        Expr::Literal(literal) => Some(match literal {
            LiteralValue::Boolean(_) => Kind::Bool,
            LiteralValue::Bytes(_) => Kind::Bytes,
            LiteralValue::Double(_) => Kind::Double,
            LiteralValue::Int(_) => Kind::Int,
            LiteralValue::Null => Kind::Null,
            LiteralValue::String(_) => Kind::String,
            LiteralValue::UInt(_) => Kind::Uint,
        }),
        Expr::List(_) => Some(Kind::List),
        Expr::Map(_) => Some(Kind::Map),
        Expr::Select(select) => select.test.then_some(Kind::Bool),
        Expr::Comprehension(comprehension) => match &comprehension.result.expr {
            Expr::Ident(_) => kind_of(&comprehension.accu_init.expr),
            result => kind_of(result),
        },
        Expr::Call(call) => kind_of_call(call),
        Expr::Ident(_) | Expr::Struct(_) | Expr::Unspecified => None,
    }
}

fn kind_of_call(call: &CallExpr) -> Option<Kind> {
    let operand = |at: usize| call.args.get(at).and_then(|argument| kind_of(&argument.expr));
    match call.func_name.as_str() {
        operators::LOGICAL_AND
        | operators::LOGICAL_OR
        | operators::LOGICAL_NOT
        | operators::EQUALS
        | operators::NOT_EQUALS
        | operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS
        | operators::IN
        | operators::NOT_STRICTLY_FALSE
        | HAS
        | "bool"
        | "contains"
        | "startsWith"
        | "endsWith"
        | "matches" => Some(Kind::Bool),
        operators::ADD
        | operators::SUBSTRACT
        | operators::MULTIPLY
        | operators::DIVIDE
        | operators::MODULO => operand(0).or_else(|| operand(1)),
        operators::NEGATE => operand(0),
        operators::CONDITIONAL => operand(1).filter(|kind| Some(*kind) == operand(2)),
        "size" | "int" | "indexOf" | "lastIndexOf" => Some(Kind::Int),
        "uint" => Some(Kind::Uint),
        "double" => Some(Kind::Double),
        "string" | "charAt" | "lowerAscii" | "upperAscii" | "trim" | "substring" | "find" | "replace"
        | "join" => Some(Kind::String),
        "bytes" => Some(Kind::Bytes),
        "split" => Some(Kind::List),
        _ => None,
    }
}

struct Compiler<'a> {
    source: &'a str,
    /// Names that mean something here.
    variables: Vec<String>,
    /// How many loops this is in.
    loops: usize,
    patterns: Vec<(String, Pattern)>,
}

type Checked = Result<(), Invalid>;

impl Compiler<'_> {
    /// Looks for what is not offered.
    fn check(&mut self, expression: &IdedExpr, depth: usize) -> Checked {
        if depth > DEEPEST {
            return Err(Invalid::at_start(format!(
                "is nested deeper than {DEEPEST} levels"
            )));
        }
        match &expression.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.check_name(name),
            Expr::Select(select) => self.check(&select.operand, depth + 1),
            Expr::List(list) => {
                let mut elements = list.elements.iter();
                elements.try_for_each(|element| self.check(element, depth + 1))?;
                self.check_alike("list", list.elements.iter())
            }
            Expr::Map(map) => {
                let entries = map.entries.iter().filter_map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => Some(entry),
                    EntryExpr::StructField(_) => None,
                });
                let entries: Vec<_> = entries.collect();
                for entry in &entries {
                    self.check(&entry.key, depth + 1)?;
                    self.check(&entry.value, depth + 1)?;
                }
                self.check_alike("map", entries.iter().map(|entry| &entry.key))?;
                self.check_alike("map", entries.iter().map(|entry| &entry.value))
            }
            Expr::Call(call) => self.check_call(call, depth),
            Expr::Comprehension(comprehension) => self.check_loop(comprehension, depth),
            Expr::Struct(made) => {
                let first = made.type_name.split('.').next().unwrap_or_default();
                Err(self.invalid(
                    first,
                    format!("objects of type {} are not offered", made.type_name),
                ))
            }
            Expr::Unspecified => Err(Invalid::at_start("is no expression".to_owned())),
        }
    }

    /// Kubernetes takes literals only of values of one type.
    fn check_alike<'e>(&self, what: &str, values: impl Iterator<Item = &'e IdedExpr>) -> Checked {
        let mut kinds = values.filter_map(|value| kind_of(&value.expr));
        let Some(first) = kinds.next() else {
            return Ok(());
        };
        let Some(other) = kinds.find(|kind| *kind != first) else {
            return Ok(());
        };
        let opening = if what == "list" { "[" } else { "{" };
        let at = self.position_of(|_, text| text == opening);
        Err(Invalid {
            reason: format!("this {what} has {} beside {}", other.name(), first.name()),
            ..at.unwrap_or_else(|| Invalid::at_start(String::new()))
        })
    }

    fn check_name(&self, name: &str) -> Checked {
        let is_known = self.variables.iter().any(|known| known == name) || TYPES.contains(&name);
        if is_known {
            return Ok(());
        }
        Err(self.invalid(
            name,
            format!("{name} is unknown: an expression sees `object` alone"),
        ))
    }

    fn check_call(&mut self, call: &CallExpr, depth: usize) -> Checked {
        let name = call.func_name.as_str();
        for operand in call.target.as_deref().into_iter().chain(&call.args) {
            // `ip.isCanonical(…)`: the function is what is missing.
            if let (Expr::Ident(namespace), Some(target)) = (&operand.expr, call.target.as_deref())
                && std::ptr::eq(target, operand)
                && self.check_name(namespace).is_err()
            {
                return Err(self.invalid(
                    namespace,
                    format!("the function {namespace}.{name} is not offered"),
                ));
            }
            self.check(operand, depth + 1)?;
        }
        if is_operator(name) {
            return self.check_operator(call);
        }
        let is_member = call.target.is_some();
        let named = FUNCTIONS
            .iter()
            .filter(|it| it.name == name && it.is_member == is_member);
        let Some(function) = named.into_iter().next() else {
            return Err(self.invalid(name, format!("the function {name} is not offered")));
        };
        let (least, most) = function.arguments;
        if call.args.len() < least || call.args.len() > most {
            return Err(self.invalid(
                name,
                format!("{name} does not take {} arguments", call.args.len()),
            ));
        }
        let receiver = call.target.as_deref().or(call.args.first());
        if let Some(kind) = receiver.and_then(|it| kind_of(&it.expr))
            && !takes(name, kind)
        {
            return Err(self.invalid(name, format!("no such overload: {name} of {}", kind.name())));
        }
        if is_member && matches!(name, "matches" | "find") {
            return self.check_pattern(call);
        }
        Ok(())
    }

    /// Operands that no object can make fit.
    fn check_operator(&self, call: &CallExpr) -> Checked {
        let kinds: Vec<Option<Kind>> = call.args.iter().map(|argument| kind_of(&argument.expr)).collect();
        let is_bool = |kind: &Option<Kind>| kind.is_none_or(|kind| kind == Kind::Bool);
        let fits = match (call.func_name.as_str(), kinds.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, kinds) => {
                kinds.iter().all(is_bool)
            }
            (operators::CONDITIONAL, [condition, Some(yes), Some(no)]) => is_bool(condition) && yes == no,
            (operators::CONDITIONAL, [condition, ..]) => is_bool(condition),
            (operators::EQUALS | operators::NOT_EQUALS, [Some(Kind::Null), _] | [_, Some(Kind::Null)]) => {
                true
            }
            (
                operators::EQUALS
                | operators::NOT_EQUALS
                | operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO,
                [Some(left), Some(right)],
            ) => left == right,
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [Some(left), Some(right)],
            ) => left == right || left.is_number() && right.is_number(),
            (operators::IN, [_, Some(container)]) => matches!(container, Kind::List | Kind::Map),
            _ => true,
        };
        if fits {
            return Ok(());
        }
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.map_or("dyn", Kind::name)).collect();
        let operator = call.func_name.trim_start_matches('@').replace('_', "");
        let at = self.position_of(|_, text| text == operator);
        Err(Invalid {
            reason: format!("no such overload: {operator} of {}", kinds.join(" and ")),
            ..at.unwrap_or_else(|| Invalid::at_start(String::new()))
        })
    }

    /// A pattern is compiled with the expression, and not on every object.
    fn check_pattern(&mut self, call: &CallExpr) -> Checked {
        let name = call.func_name.as_str();
        let Some(Expr::Literal(LiteralValue::String(pattern))) = call.args.first().map(|it| &it.expr) else {
            return Err(self.invalid(name, format!("the pattern of {name} must be a literal")));
        };
        Pattern::new(pattern.inner())
            .map(drop)
            .map_err(|reason| self.invalid(name, reason))
    }

    fn check_loop(&mut self, comprehension: &ComprehensionExpr, depth: usize) -> Checked {
        self.check(&comprehension.iter_range, depth + 1)?;
        if comprehension.iter_var2.is_some() {
            return Err(self.invalid(
                &comprehension.iter_var,
                "loops with two variables are not offered".to_owned(),
            ));
        }
        self.loops += 1;
        if self.loops > DEEPEST_LOOP {
            let reason = format!("loops are nested deeper than {DEEPEST_LOOP} levels");
            return Err(self.invalid(&comprehension.iter_var, reason));
        }
        let known = self.variables.len();
        self.variables.push(comprehension.accu_var.clone());
        self.check(&comprehension.accu_init, depth + 1)?;
        self.check(&comprehension.result, depth + 1)?;
        self.variables.push(comprehension.iter_var.clone());
        self.check(&comprehension.loop_cond, depth + 1)?;
        self.check(&comprehension.loop_step, depth + 1)?;
        self.variables.truncate(known);
        self.loops -= 1;
        Ok(())
    }

    fn invalid(&self, name: &str, reason: String) -> Invalid {
        let at = self.position_of(|kind, text| kind == TokenKind::TokIdent && text == name);
        Invalid {
            reason,
            ..at.unwrap_or_else(|| Invalid::at_start(String::new()))
        }
    }

    /// Where the first token is that is meant. The parser keeps no places of what it understands.
    fn position_of(&self, is_meant: impl Fn(TokenKind, &str) -> bool) -> Option<Invalid> {
        let mut lexer = Lexer::new(self.source);
        loop {
            let token = lexer.lex();
            if matches!(token.kind, TokenKind::TokEnd | TokenKind::TokError) {
                return None;
            }
            let text = self.source.get(token.start..token.end)?;
            if is_meant(token.kind, text) {
                let before = &self.source[..token.start];
                let line = before.rsplit('\n').next().unwrap_or_default();
                return Some(Invalid {
                    line: before.matches('\n').count() + 1,
                    column: line.chars().count() + 1,
                    reason: String::new(),
                });
            }
        }
    }

    /// Puts the costs into an expression.
    fn rewrite(&mut self, expression: &mut IdedExpr) {
        match &mut expression.expr {
            Expr::Literal(_) | Expr::Ident(_) | Expr::Unspecified | Expr::Struct(_) => {}
            Expr::Select(SelectExpr { operand, .. }) => self.rewrite(operand),
            Expr::List(list) => {
                for element in &mut list.elements {
                    self.rewrite(element);
                    charge(element);
                }
            }
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.rewrite(&mut entry.key);
                        self.rewrite(&mut entry.value);
                        charge(&mut entry.key);
                        charge(&mut entry.value);
                    }
                }
            }
            Expr::Comprehension(comprehension) => {
                let body = size_of(&comprehension.loop_cond) + size_of(&comprehension.loop_step);
                self.rewrite(&mut comprehension.iter_range);
                go_through(&mut comprehension.iter_range, body);
                self.rewrite(&mut comprehension.loop_cond);
                self.rewrite(&mut comprehension.loop_step);
                self.rewrite(&mut comprehension.result);
            }
            Expr::Call(call) => self.rewrite_call(call),
        }
        if let Expr::Select(select) = &mut expression.expr
            && select.test
        {
            let field = LiteralValue::String(std::mem::take(&mut select.field).into());
            let field = IdedExpr {
                id: 0,
                expr: Expr::Literal(field),
            };
            let operand = std::mem::take(&mut *select.operand);
            expression.expr = call(HAS, vec![operand, field]);
        }
        if makes_something(&expression.expr) {
            charge(expression);
        }
    }

    fn rewrite_call(&mut self, call: &mut CallExpr) {
        for operand in call.target.as_deref_mut().into_iter().chain(&mut call.args) {
            self.rewrite(operand);
        }
        // Functions look at all of what they are given.
        if !is_operator(&call.func_name) {
            call.target
                .as_deref_mut()
                .into_iter()
                .chain(&mut call.args)
                .for_each(charge);
        }
        match (call.func_name.as_str(), call.args.as_mut_slice()) {
            ("matches" | "find", [pattern]) => {
                if let Expr::Literal(LiteralValue::String(text)) = &pattern.expr
                    && let Ok(compiled) = Pattern::new(text.inner())
                {
                    let name = format!("{PATTERN}{}", self.patterns.len());
                    pattern.expr = Expr::Ident(name.clone());
                    self.patterns.push((name, compiled));
                }
            }
            (operators::IN, [item, container]) => {
                charge(item);
                go_through(container, 0);
            }
            (operators::INDEX, [_, key]) => charge(key),
            (
                operators::EQUALS
                | operators::NOT_EQUALS
                | operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [left, right],
            ) if !is_small(&left.expr) && !is_small(&right.expr) => charge(left),
            _ => {}
        }
        let takes_budget = FUNCTIONS
            .iter()
            .any(|it| it.name == call.func_name && it.takes_budget);
        if takes_budget {
            call.args.push(ident(BUDGET));
        }
    }
}

/// Whether a function takes a value of this type.
fn takes(function: &str, kind: Kind) -> bool {
    match function {
        "size" => matches!(kind, Kind::String | Kind::Bytes | Kind::List | Kind::Map),
        "join" => kind == Kind::List,
        "int" | "uint" | "double" => kind.is_number() || kind == Kind::String,
        "bool" => matches!(kind, Kind::Bool | Kind::String),
        "string" => !matches!(kind, Kind::List | Kind::Map | Kind::Null),
        "bytes" => matches!(kind, Kind::Bytes | Kind::String),
        "type" | "dyn" => true,
        _ => kind == Kind::String,
    }
}

fn is_operator(name: &str) -> bool {
    matches!(
        name,
        operators::CONDITIONAL
            | operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT
            | operators::SUBSTRACT
            | operators::ADD
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::EQUALS
            | operators::NOT_EQUALS
            | operators::GREATER_EQUALS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::LESS
            | operators::NEGATE
            | operators::INDEX
            | operators::NOT_STRICTLY_FALSE
            | operators::IN
    )
}

/// Whether a value is of a size that is known to be small.
fn is_small(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(_) => true,
        Expr::Select(select) => select.test,
        Expr::Call(call) => match kind_of_call(call) {
            Some(kind) => kind == Kind::Bool || kind.is_number(),
            None => call.func_name == "type",
        },
        _ => false,
    }
}

/// Whether a new text or a new list is made, whose size nobody has paid for.
fn makes_something(expression: &Expr) -> bool {
    let Expr::Call(call) = expression else {
        return false;
    };
    if call.func_name == operators::ADD {
        let [left, right] = call.args.as_slice() else {
            return false;
        };
        // The interpreter adds to a list in place where a loop makes one: its elements have been paid for.
        let adds_to_list = matches!(&left.expr, Expr::Ident(name) if name.starts_with('@'));
        let is_number = |it: &IdedExpr| kind_of(&it.expr).is_some_and(Kind::is_number);
        return !adds_to_list && !is_number(left) && !is_number(right);
    }
    matches!(
        call.func_name.as_str(),
        "string" | "bytes" | "split" | "substring" | "lowerAscii" | "upperAscii" | "trim" | "find"
    )
}

/// The steps of an expression.
fn size_of(expression: &IdedExpr) -> i64 {
    let within: i64 = match &expression.expr {
        Expr::Literal(_) | Expr::Ident(_) | Expr::Unspecified | Expr::Struct(_) => 0,
        Expr::Select(select) => size_of(&select.operand),
        Expr::List(list) => list.elements.iter().map(size_of).sum(),
        Expr::Map(map) => {
            let entries = map.entries.iter().map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => size_of(&entry.key) + size_of(&entry.value),
                EntryExpr::StructField(_) => 0,
            });
            entries.sum()
        }
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .map(size_of)
            .sum(),
        // A loop within pays for its own rounds.
        Expr::Comprehension(comprehension) => size_of(&comprehension.iter_range) + 4,
    };
    1 + within
}

fn ident(name: &str) -> IdedExpr {
    IdedExpr {
        id: 0,
        expr: Expr::Ident(name.to_owned()),
    }
}

/// Lets a value be paid for.
fn charge(expression: &mut IdedExpr) {
    if !is_small(&expression.expr) {
        wrap(expression, CHARGE, None);
    }
}

/// Lets the way through a value be paid for.
fn go_through(expression: &mut IdedExpr, each: i64) {
    let is_constant = matches!(&expression.expr, Expr::List(list) if each == 0 && list.elements.iter().all(|it| is_small(&it.expr)));
    if !is_constant {
        wrap(expression, LOOP, Some(each));
    }
}

fn wrap(expression: &mut IdedExpr, function: &str, units: Option<i64>) {
    let inner = std::mem::take(expression);
    let units = units.map(|units| IdedExpr {
        id: 0,
        expr: Expr::Literal(LiteralValue::Int(CelInt::from(units))),
    });
    let args = std::iter::once(inner).chain(units).chain([ident(BUDGET)]);
    expression.expr = call(function, args.collect());
}

fn call(function: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr {
        func_name: function.to_owned(),
        target: None,
        args,
    })
}
