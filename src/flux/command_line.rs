//! What a controller makes of its command line: the effective value of every flag and feature gate.
//!
//! All controllers parse with spf13/pflag v1.0.10 (global flag set, exit on error, no shorthands, no name
//! normalisation) and read `--feature-gates` with k8s.io/component-base. This module repeats that without running
//! anything, including the faults that stop a controller. `tests/command_line.rs` compares it with the originals.

pub mod amend;
mod expand;
mod parse;
mod program;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::flux::Component;
use crate::flux::container::Container;
use crate::flux::flags::{self, Flag, FlagType, Release};
use crate::flux::gates::{self, GateState};

pub(in crate::flux) use expand::{Environment, Text};
use parse::{Assignment, End, Presumption};
use program::Place;
pub(in crate::flux) use value::parse_duration;

/// The gate that workload identity flags depend on until its retirement (fluxcd/pkg `auth/feature_gates.go`).
pub(crate) const WORKLOAD_IDENTITY_GATE: &str = "ObjectLevelWorkloadIdentity";

/// Everything that decides a controller's settings.
#[derive(Clone, Copy, Debug)]
pub struct CommandLine<'a> {
    /// Which controller the container runs.
    pub component: Component,
    /// Version of the controller; without it the newest known one is assumed.
    pub version: Option<&'a semver::Version>,
    /// The container with its command, arguments and environment.
    pub container: &'a Container,
    /// Namespace of the pod, for `fieldRef: metadata.namespace`.
    pub pod_namespace: &'a str,
    /// Name of the pod, for `fieldRef: metadata.name`; a template has none.
    pub pod_name: Option<&'a str>,
}

/// The settings that a controller runs with.
///
/// All settings are [`Setting::Unknown`] when the controller exits or when its arguments cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Whether the controller starts with this command line.
    pub startup: Startup,
    component: Component,
    version: Release,
    /// Why no setting is known.
    blind: Option<String>,
    /// Every flag of this version with its effective value.
    values: BTreeMap<&'static str, Effective>,
    occurrences: BTreeMap<&'static str, Vec<Occurrence>>,
    presumed: Vec<Presumed>,
    /// All pairs of all `--feature-gates`, in order.
    pairs: Vec<GatePair>,
    retired_gates: Vec<RetiredGate>,
}

/// Whether a controller starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Startup {
    /// Nothing that is known about the command line stops it. Values that could not be read are taken to be valid.
    Starts,
    /// It stops at once with this status.
    Exits {
        /// Exit status of the process.
        code: u8,
        /// Why it stops.
        cause: ExitCause,
    },
    /// It cannot be told; the reason as a phrase.
    Unknown(String),
}

/// Why a controller stops at start-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitCause {
    /// The version has no such long flag.
    UnknownFlag {
        /// The element after expansion.
        argument: String,
    },
    /// An element starts with a single dash.
    UnknownShorthand {
        /// The element after expansion.
        argument: String,
    },
    /// An element such as `--=x` or `---x`.
    BadSyntax {
        /// The element after expansion.
        argument: String,
    },
    /// The value cannot be parsed as the flag's type.
    InvalidValue {
        /// Name of the flag.
        flag: String,
        /// The value that was refused.
        value: String,
    },
    /// A flag that needs a value is the last element.
    MissingValue {
        /// Name of the flag.
        flag: String,
    },
    /// `--feature-gates` names a gate that the version does not have.
    UnknownGate {
        /// Name of the gate.
        gate: String,
    },
    /// A workload identity account is set while `ObjectLevelWorkloadIdentity` is off.
    InconsistentGates {
        /// Name of the flag that sets the account.
        flag: String,
    },
    /// `-h` or `--help`.
    Help,
}

impl ExitCause {
    /// Status of the process: pflag exits with 2 (0 for help), the controllers' own checks with 1.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Help => 0,
            Self::UnknownGate { .. } | Self::InconsistentGates { .. } => 1,
            _ => 2,
        }
    }
}

impl fmt::Display for ExitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFlag { argument } => write!(f, "{argument:?} is no flag of this controller version"),
            Self::UnknownShorthand { argument } => {
                write!(
                    f,
                    "{argument:?} has a single dash, and controllers have no such shorthand"
                )
            }
            Self::BadSyntax { argument } => write!(f, "{argument:?} is not written like a flag"),
            Self::InvalidValue { flag, value } => write!(f, "{value:?} is no valid value of --{flag}"),
            Self::MissingValue { flag } => write!(f, "--{flag} is given without its value"),
            Self::UnknownGate { gate } => {
                write!(f, "{gate:?} is no feature gate of this controller version")
            }
            Self::InconsistentGates { flag } => {
                write!(
                    f,
                    "--{flag} is set while the feature gate {WORKLOAD_IDENTITY_GATE} is off"
                )
            }
            Self::Help => f.write_str("help is requested, so the controller prints its flags and ends"),
        }
    }
}

/// The effective value of a flag or gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting<T> {
    /// The controller runs with this value.
    Known {
        /// The value.
        value: T,
        /// What sets it.
        origin: Origin,
    },
    /// This version has no such flag or gate, or ignores it.
    Unsupported,
    /// It cannot be told; the reason as a phrase.
    Unknown(String),
}

impl<T> Setting<T> {
    /// The value when it is known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unsupported | Self::Unknown(_) => None,
        }
    }
}

/// What gives a setting its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing sets it.
    Default,
    /// An environment variable gives it: instead of the default (source-controller and source-watcher), or instead
    /// of any argument (flux-operator).
    Environment {
        /// Name of the variable.
        name: Arc<str>,
    },
    /// An element of `args` or `command`; for flags that append, the last one.
    Argument {
        /// Position within `args`, or within `command`.
        index: usize,
        /// Whether the position counts in `command`.
        in_command: bool,
        /// The element as written.
        raw: Arc<str>,
    },
}

impl From<&Place> for Origin {
    fn from(place: &Place) -> Self {
        Self::Argument {
            index: place.index,
            in_command: place.in_command,
            raw: place.raw.as_str().into(),
        }
    }
}

/// One appearance of a flag on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Position within `args`, or within `command`.
    pub index: usize,
    /// Whether the position counts in `command`.
    pub in_command: bool,
    /// The element with the flag's name, as written.
    pub raw: String,
    /// The value that this appearance assigns; `None` when it could not be read.
    pub value: Option<String>,
}

impl Occurrence {
    fn new(place: &Place, value: &Text) -> Self {
        Self {
            index: place.index,
            in_command: place.in_command,
            raw: place.raw.clone(),
            value: value.read().ok().map(str::to_owned),
        }
    }
}

/// One appearance of a flag that the table lacks although the version may have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presumed {
    /// Name of the flag.
    pub name: String,
    /// What it would be set to.
    pub occurrence: Occurrence,
}

impl From<&Presumption> for Presumed {
    fn from(it: &Presumption) -> Self {
        Self {
            name: it.name.clone(),
            occurrence: Occurrence::new(&it.place, &it.value),
        }
    }
}

/// A gate that is set although the version ignores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetiredGate {
    /// Name of the gate.
    pub name: String,
    /// The ignored value.
    pub value: bool,
    /// What sets it.
    pub origin: Origin,
}

/// A parsed value in its type.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Bool(bool),
    Text(String),
    Integer { written: String, value: i64 },
    Float { written: String, bits: u32 },
    Duration { written: String, nanoseconds: i64 },
    List(Vec<String>),
    Gates(Vec<(String, bool)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Effective {
    Known { value: Value, origin: Origin },
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum GatePair {
    Known {
        name: String,
        value: bool,
        origin: Origin,
    },
    /// Any gate may be set here.
    Unread(String),
}

/// Tells what a controller makes of its command line.
#[must_use]
pub fn evaluate(input: &CommandLine<'_>) -> Evaluation {
    let environment = Environment::of(input.container, input.pod_namespace, input.pod_name);
    let mut evaluation = Evaluation {
        startup: Startup::Starts,
        component: input.component,
        version: release(input),
        blind: None,
        values: BTreeMap::new(),
        occurrences: BTreeMap::new(),
        presumed: Vec::new(),
        pairs: Vec::new(),
        retired_gates: Vec::new(),
    };
    evaluation.take_defaults(&environment);
    match program::arguments(input.component, input.container, &environment) {
        Ok(words) => evaluation.take_arguments(words),
        Err(why) => evaluation.give_up(why),
    }
    evaluation.take_variables(&environment);
    evaluation
}

/// The version without its pre-release part, or the newest known minor with every possible patch.
fn release(input: &CommandLine<'_>) -> Release {
    let (major, minor) = flags::newest_minor(input.component);
    input.version.map_or((major, minor, u64::MAX), |version| {
        (version.major, version.minor, version.patch)
    })
}

impl Evaluation {
    fn take_defaults(&mut self, environment: &Environment<'_>) {
        for flag in flags::flags(self.component) {
            if flag.exists_in(self.version) {
                self.values
                    .insert(flag.name, default_of(flag, self.version, environment));
            }
        }
    }

    fn take_arguments(&mut self, words: Vec<program::Word>) {
        let parsed = parse::parse(self.component, self.version, words, check_value);
        for assignment in &parsed.assignments {
            self.assign(assignment);
        }
        self.presumed = parsed.presumptions.iter().map(Presumed::from).collect();
        match parsed.end {
            End::Complete => self.check_gates(parsed.doubt),
            End::Exits(cause) => self.exit(cause),
            End::Unclear(why) => self.give_up(why),
        }
    }

    /// Variables that win over the arguments.
    fn take_variables(&mut self, environment: &Environment<'_>) {
        for flag in flags::flags(self.component) {
            let overriding = flag.override_in(self.version);
            if let Some(value) = overriding.and_then(|name| set_by(environment, name, flag.kind)) {
                self.values.insert(flag.name, value);
            }
        }
    }

    fn assign(&mut self, assignment: &Assignment) {
        let name = assignment.flag.name;
        let origin = Origin::from(&assignment.place);
        let occurrence = Occurrence::new(&assignment.place, &assignment.value);
        let first = !self.occurrences.contains_key(name);
        self.occurrences.entry(name).or_default().push(occurrence);
        let new = effective(assignment.flag.kind, &assignment.value, origin);
        if assignment.flag.kind == FlagType::GateMap {
            self.merge_gates(new);
            return;
        }
        let merged = match self.values.remove(name) {
            Some(old) if !first => append(old, new),
            _ => new,
        };
        self.values.insert(name, merged);
    }

    fn merge_gates(&mut self, new: Effective) {
        match new {
            Effective::Known {
                value: Value::Gates(pairs),
                origin,
            } => {
                for (name, value) in pairs {
                    self.pairs.push(GatePair::Known {
                        name,
                        value,
                        origin: origin.clone(),
                    });
                }
            }
            Effective::Known { .. } => {}
            Effective::Unknown(why) => self.pairs.push(GatePair::Unread(why)),
        }
    }

    /// The checks that a controller makes after parsing, in its order.
    fn check_gates(&mut self, doubt: Option<String>) {
        let doubt = match self.unsupported_gate() {
            Some(gate) if !self.is_newer_than_known() => return self.exit(ExitCause::UnknownGate { gate }),
            Some(gate) => Some(format!(
                "whether this version has the feature gate {gate:?} is not known"
            )),
            None => doubt,
        };
        self.collect_retired_gates();
        if let Some(flag) = self.flag_without_gate() {
            return self.exit(ExitCause::InconsistentGates {
                flag: flag.to_owned(),
            });
        }
        if let Some(why) = doubt {
            self.startup = Startup::Unknown(why);
        }
    }

    fn is_newer_than_known(&self) -> bool {
        (self.version.0, self.version.1) > flags::newest_minor(self.component)
    }

    fn unsupported_gate(&self) -> Option<String> {
        self.pairs.iter().find_map(|pair| match pair {
            GatePair::Known { name, .. } if self.gate_state(name) == GateState::Unsupported => {
                Some(name.clone())
            }
            _ => None,
        })
    }

    fn gate_state(&self, name: &str) -> GateState {
        gates::state(self.component, self.version, name)
    }

    fn collect_retired_gates(&mut self) {
        for pair in &self.pairs {
            let GatePair::Known { name, value, origin } = pair else {
                continue;
            };
            if self.gate_state(name) == GateState::Retired {
                let gate = RetiredGate {
                    name: name.clone(),
                    value: *value,
                    origin: origin.clone(),
                };
                self.retired_gates.retain(|known| known.name != gate.name);
                self.retired_gates.push(gate);
            }
        }
    }

    /// The first workload identity flag that is set while its gate is certainly off
    /// (fluxcd/pkg `auth/controller_options.go`, `InconsistentObjectLevelConfiguration`).
    fn flag_without_gate(&self) -> Option<&'static str> {
        if self.gate(WORKLOAD_IDENTITY_GATE).known() != Some(false) {
            return None;
        }
        let accounts = workload_identity_flags(self.component).iter().copied();
        accounts
            .into_iter()
            .find(|flag| self.text(flag).known().is_some_and(|account| !account.is_empty()))
    }

    fn exit(&mut self, cause: ExitCause) {
        self.blind = Some(format!("the controller exits: {cause}"));
        self.startup = Startup::Exits {
            code: cause.code(),
            cause,
        };
    }

    fn give_up(&mut self, why: String) {
        self.blind = Some(why.clone());
        self.startup = Startup::Unknown(why);
    }

    /// The value of a boolean flag.
    #[must_use]
    pub fn bool(&self, flag: &str) -> Setting<bool> {
        self.setting(flag, |value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        })
    }

    /// The text of a flag that is neither boolean nor a list; an empty text equals "not set".
    ///
    /// Numbers and durations are given as written.
    #[must_use]
    pub fn text(&self, flag: &str) -> Setting<&str> {
        self.setting(flag, |value| match value {
            Value::Text(written)
            | Value::Integer { written, .. }
            | Value::Float { written, .. }
            | Value::Duration { written, .. } => Some(written.as_str()),
            Value::Bool(_) | Value::List(_) | Value::Gates(_) => None,
        })
    }

    /// The texts of a flag whose occurrences append.
    #[must_use]
    pub fn list(&self, flag: &str) -> Setting<&[String]> {
        self.setting(flag, |value| match value {
            Value::List(texts) => Some(texts.as_slice()),
            _ => None,
        })
    }

    /// The value of an integer flag of any width.
    #[must_use]
    pub fn integer(&self, flag: &str) -> Setting<i64> {
        self.setting(flag, |value| match value {
            Value::Integer { value, .. } => Some(*value),
            _ => None,
        })
    }

    /// The value of a floating point flag.
    #[must_use]
    pub fn float(&self, flag: &str) -> Setting<f32> {
        self.setting(flag, |value| match value {
            Value::Float { bits, .. } => Some(f32::from_bits(*bits)),
            _ => None,
        })
    }

    /// The value of a duration flag in nanoseconds.
    #[must_use]
    pub fn nanoseconds(&self, flag: &str) -> Setting<i64> {
        self.setting(flag, |value| match value {
            Value::Duration { nanoseconds, .. } => Some(*nanoseconds),
            _ => None,
        })
    }

    fn setting<'a, T>(&'a self, flag: &str, pick: impl Fn(&'a Value) -> Option<T>) -> Setting<T> {
        let Some(effective) = self.values.get(flag) else {
            return self.unlisted_flag(flag);
        };
        if let Some(why) = &self.blind {
            return Setting::Unknown(why.clone());
        }
        let (value, origin) = match effective {
            Effective::Known { value, origin } => (value, origin),
            Effective::Unknown(why) => return Setting::Unknown(why.clone()),
        };
        match pick(value) {
            Some(value) => Setting::Known {
                value,
                origin: origin.clone(),
            },
            None => Setting::Unknown(format!("--{flag} is of another type")),
        }
    }

    fn unlisted_flag<T>(&self, flag: &str) -> Setting<T> {
        let may_exist = flags::may_be_mtls_flag(self.component, self.version, flag);
        if may_exist || self.is_newer_than_known() && flags::find(self.component, flag).is_none() {
            return Setting::Unknown(format!("whether this version has --{flag} is not known"));
        }
        Setting::Unsupported
    }

    /// Whether a feature gate is on; [`Setting::Unsupported`] also for a retired gate, whose value is ignored.
    #[must_use]
    pub fn gate(&self, gate: &str) -> Setting<bool> {
        let GateState::Active { default } = self.gate_state(gate) else {
            return Setting::Unsupported;
        };
        if let Some(why) = &self.blind {
            return Setting::Unknown(why.clone());
        }
        for pair in self.pairs.iter().rev() {
            match pair {
                GatePair::Known { name, value, origin } if name == gate => {
                    return Setting::Known {
                        value: *value,
                        origin: origin.clone(),
                    };
                }
                GatePair::Known { .. } => {}
                GatePair::Unread(why) => return Setting::Unknown(why.clone()),
            }
        }
        Setting::Known {
            value: default,
            origin: Origin::Default,
        }
    }

    /// Whether this version accepts a feature gate and ignores it.
    #[must_use]
    pub fn is_retired(&self, gate: &str) -> bool {
        self.gate_state(gate) == GateState::Retired
    }

    /// Every appearance of a flag that was read, in order, for finding duplicates and contradictions.
    #[must_use]
    pub fn occurrences(&self, flag: &str) -> &[Occurrence] {
        self.occurrences.get(flag).map_or(&[], Vec::as_slice)
    }

    /// Every appearance of a flag that this version may have although the table lacks it, in order.
    #[must_use]
    pub fn presumed(&self) -> &[Presumed] {
        &self.presumed
    }

    /// Whose command line it is.
    #[must_use]
    pub const fn component(&self) -> Component {
        self.component
    }

    /// Why no setting is known: the controller exits, or its arguments cannot be told.
    #[must_use]
    pub fn blind(&self) -> Option<&str> {
        self.blind.as_deref()
    }

    /// Gates that are set although this version accepts and ignores them, each with its last value.
    #[must_use]
    pub fn retired_gates(&self) -> &[RetiredGate] {
        &self.retired_gates
    }
}

/// Flags that name a ServiceAccount for workload identity.
///
/// `--default-service-account` of kustomize-controller and helm-controller is about impersonation and not among
/// them; source-watcher has never had the gate.
pub(crate) const fn workload_identity_flags(component: Component) -> &'static [&'static str] {
    match component {
        Component::Source
        | Component::Notification
        | Component::ImageReflector
        | Component::ImageAutomation => &["default-service-account"],
        Component::Kustomize => &[
            "default-decryption-service-account",
            "default-kubeconfig-service-account",
        ],
        Component::Helm => &["default-kubeconfig-service-account"],
        Component::SourceWatcher | Component::FluxOperator => &[],
    }
}

fn default_of(flag: &Flag, version: Release, environment: &Environment<'_>) -> Effective {
    let variable = flag.env_in(version);
    if let Some(value) = variable.and_then(|name| set_by(environment, name, flag.kind)) {
        return value;
    }
    let text = Text {
        known: flag.default_in(version).to_owned(),
        unread: None,
    };
    match flag.kind {
        FlagType::StringSlice | FlagType::StringArray => Effective::Known {
            value: Value::List(Vec::new()),
            origin: Origin::Default,
        },
        _ => effective(flag.kind, &text, Origin::Default),
    }
}

/// The value that a variable gives; an empty one gives none.
fn set_by(environment: &Environment<'_>, name: &str, kind: FlagType) -> Option<Effective> {
    let text = environment.variable(name)?;
    let origin = Origin::Environment { name: name.into() };
    let is_set = text.unread.is_some() || !text.known.is_empty();
    is_set.then(|| effective(kind, &text, origin))
}

fn effective(kind: FlagType, text: &Text, origin: Origin) -> Effective {
    let written = match text.read() {
        Ok(written) => written,
        Err(why) => return Effective::Unknown(why.to_owned()),
    };
    match parse_value(kind, written) {
        Some(value) => Effective::Known { value, origin },
        None => Effective::Unknown(format!("{written:?} is not a valid value")),
    }
}

/// Lists append, everything else is replaced.
fn append(old: Effective, new: Effective) -> Effective {
    match (old, new) {
        (
            Effective::Known {
                value: Value::List(mut texts),
                ..
            },
            Effective::Known {
                value: Value::List(more),
                origin,
            },
        ) => {
            texts.extend(more);
            Effective::Known {
                value: Value::List(texts),
                origin,
            }
        }
        (
            Effective::Unknown(why),
            Effective::Known {
                value: Value::List(_),
                ..
            },
        ) => Effective::Unknown(why),
        (_, new) => new,
    }
}

/// Refuses a value as the flag's `Set` method would; a value that cannot be read passes.
fn check_value(assignment: &Assignment) -> Result<(), ExitCause> {
    let Ok(written) = assignment.value.read() else {
        return Ok(());
    };
    if parse_value(assignment.flag.kind, written).is_some() {
        return Ok(());
    }
    Err(ExitCause::InvalidValue {
        flag: assignment.flag.name.to_owned(),
        value: written.to_owned(),
    })
}

fn parse_value(kind: FlagType, text: &str) -> Option<Value> {
    let written = text.to_owned();
    let integer = |value| Value::Integer {
        written: text.to_owned(),
        value,
    };
    match kind {
        FlagType::Bool => value::parse_bool(text).map(Value::Bool),
        FlagType::String => Some(Value::Text(written)),
        FlagType::Int => value::parse_int(text).map(integer),
        FlagType::Uint8 => value::parse_uint(text, u64::from(u8::MAX)).map(integer),
        FlagType::Uint16 => value::parse_uint(text, u64::from(u16::MAX)).map(integer),
        FlagType::Float => value::parse_float(text).map(|value| Value::Float {
            written,
            bits: value.to_bits(),
        }),
        FlagType::Duration => {
            value::parse_duration(text).map(|nanoseconds| Value::Duration { written, nanoseconds })
        }
        FlagType::StringSlice => value::parse_csv(text).map(Value::List),
        FlagType::StringArray => Some(Value::List(vec![written])),
        FlagType::GateMap => value::parse_gates(text).map(Value::Gates),
    }
}
