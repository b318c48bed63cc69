//! What a controller makes of its arguments.
//!
//! All Flux controllers parse with spf13/pflag v1.0.10: the global flag set, errors end the process, arguments may be
//! interspersed, names are not normalised. The rules are numbered as in flux-facts 2.6.

mod expand;
mod literal;

use std::collections::BTreeMap;
use std::fmt;

use semver::Version;

use super::Component;
use super::container::Container;
use super::flags::{self, Flag, FlagKind};
use expand::Text;

/// What is evaluated.
#[derive(Clone, Copy, Debug)]
pub struct CommandLine<'a> {
    /// Which controller it is.
    pub component: Component,
    /// Its version; unknown counts as the newest.
    pub version: Option<&'a Version>,
    /// Its container.
    pub container: &'a Container,
    /// Namespace of the pod.
    pub pod_namespace: &'a str,
    /// Name of the pod; `None` for a template.
    pub pod_name: Option<&'a str>,
}

/// What the controller makes of its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Whether the process can start.
    pub startup: Startup,
    component: Component,
    version: Option<Version>,
    occurrences: BTreeMap<&'static str, Vec<Occurrence>>,
    gates: BTreeMap<String, bool>,
    unread_gates: Option<String>,
}

/// Whether a process can start with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Startup {
    /// The arguments are accepted.
    Starts,
    /// The process ends at once.
    Exits {
        /// Exit status.
        code: u8,
        /// Why.
        cause: ExitCause,
    },
    /// The command line cannot be followed; the text says why.
    Unknown(String),
}

/// Why a process ends at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitCause {
    /// No such flag in this version of this controller.
    UnknownFlag(String),
    /// A single dash starts shorthands, and there are none.
    UnknownShorthand(String),
    /// Not of the form that pflag reads, such as `--=value`.
    Malformed(String),
    /// The value is not of the flag's type.
    InvalidValue {
        /// Name of the flag.
        flag: String,
        /// The value.
        value: String,
    },
    /// The flag is the last element and wants a value.
    MissingValue(String),
    /// No such feature gate in this version of this controller.
    UnknownGate(String),
    /// A default account for workload identity is set and the feature gate is off.
    GateRequired(String),
    /// `--help` prints the usage.
    Help,
}

impl fmt::Display for ExitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFlag(flag) => write!(f, "this version has no flag --{flag}"),
            Self::UnknownShorthand(argument) => write!(f, "{argument} is a shorthand, and there are none"),
            Self::Malformed(argument) => write!(f, "{argument} cannot be parsed"),
            Self::InvalidValue { flag, value } => write!(f, "{value:?} is no valid value of --{flag}"),
            Self::MissingValue(flag) => write!(f, "--{flag} needs a value"),
            Self::UnknownGate(gate) => write!(f, "this version has no feature gate {gate}"),
            Self::GateRequired(flag) => write!(f, "--{flag} needs the feature gate {WORKLOAD_IDENTITY}"),
            Self::Help => f.write_str("help was asked for"),
        }
    }
}

/// One setting of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The element as written, before variables are expanded.
    pub raw: String,
    /// Its value after expansion; the error says what could not be read.
    pub value: Result<String, String>,
}

/// The effective value of a flag or a gate.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting<T> {
    /// In force.
    Known {
        /// The value.
        value: T,
        /// The argument that decides; `None` for the default.
        argument: Option<String>,
    },
    /// This version has no such flag or gate.
    Unsupported,
    /// It depends on something that was not read.
    Unknown(String),
}

/// The gate that RFC-0010 put object-level workload identity behind until 1.10.
pub const WORKLOAD_IDENTITY: &str = "ObjectLevelWorkloadIdentity";

/// Parses a command line as the controller would.
#[must_use]
pub fn evaluate(input: &CommandLine<'_>) -> Evaluation {
    let mut evaluation = Evaluation {
        startup: Startup::Starts,
        component: input.component,
        version: input.version.cloned(),
        occurrences: BTreeMap::new(),
        gates: BTreeMap::new(),
        unread_gates: None,
    };
    evaluation.startup = match evaluation.parse(input) {
        Ok(()) => Startup::Starts,
        Err(startup) => startup,
    };
    evaluation
}

impl Evaluation {
    /// The effective value of a boolean flag.
    pub fn bool(&self, flag: &str) -> Setting<bool> {
        self.setting(flag, |value| literal::bool(value).unwrap_or(false))
    }

    /// The effective value of a text flag; empty when it is not set.
    pub fn text(&self, flag: &str) -> Setting<String> {
        self.setting(flag, str::to_owned)
    }

    /// Every setting of a flag, in order.
    #[must_use]
    pub fn occurrences(&self, flag: &str) -> &[Occurrence] {
        self.occurrences.get(flag).map_or(&[], Vec::as_slice)
    }

    /// The flags that are set, in order of their names.
    pub fn set_flags(&self) -> impl Iterator<Item = &'static Flag> + '_ {
        flags::flags(self.component)
            .iter()
            .filter(|flag| self.occurrences.contains_key(flag.name))
    }

    /// The effective value of a feature gate.
    pub fn gate(&self, name: &str) -> Setting<bool> {
        let gate = flags::gates(self.component).iter().find(|gate| gate.name == name);
        let Some(gate) = gate.filter(|gate| gate.exists_in(self.version.as_ref())) else {
            return Setting::Unsupported;
        };
        if let Some(reason) = &self.unread_gates {
            return Setting::Unknown(reason.clone());
        }
        match self.gates.get(name) {
            Some(value) => {
                let raw = self
                    .occurrences("feature-gates")
                    .iter()
                    .rev()
                    .find(|o| o.raw.contains(name));
                let argument = raw.map(|occurrence| occurrence.raw.clone()).unwrap_or_default();
                Setting::Known {
                    value: *value,
                    argument: Some(argument),
                }
            }
            None => Setting::Known {
                value: gate.default_in(self.version.as_ref()),
                argument: None,
            },
        }
    }

    /// Whether this version accepts a gate and ignores its value.
    #[must_use]
    pub fn gate_is_retired(&self, name: &str) -> bool {
        let gate = flags::gates(self.component).iter().find(|gate| gate.name == name);
        gate.is_some_and(|gate| gate.is_retired_in(self.version.as_ref()))
    }

    /// The last occurrence wins (rule 8).
    fn setting<T>(&self, name: &str, read: impl Fn(&str) -> T) -> Setting<T> {
        let Some(flag) = self.flag(name) else {
            return Setting::Unsupported;
        };
        let Some(last) = self.occurrences(name).last() else {
            return Setting::Known {
                value: read(flag.default),
                argument: None,
            };
        };
        match &last.value {
            Ok(value) => Setting::Known {
                value: read(value),
                argument: Some(last.raw.clone()),
            },
            Err(reason) => Setting::Unknown(reason.clone()),
        }
    }

    fn flag(&self, name: &str) -> Option<&'static Flag> {
        let flag = flags::flags(self.component)
            .iter()
            .find(|flag| flag.name == name)?;
        flag.exists_in(self.version.as_ref()).then_some(flag)
    }

    fn parse(&mut self, input: &CommandLine<'_>) -> Result<(), Startup> {
        let elements = effective(input)?;
        let mut rest = elements.into_iter();
        while let Some(element) = rest.next() {
            // Rule 4: what cannot be expanded could be anything, also another flag.
            let text = match (&element.expanded, element.flag_name_is_literal()) {
                (Ok(text), _) => text.clone(),
                (Err(_), true) => element.raw.clone(),
                (Err(reason), false) => return Err(Startup::Unknown(reason.clone())),
            };
            if text == "--" {
                return self.check_gates(); // Rule 9.
            }
            if text == "-" || !text.starts_with('-') {
                continue; // Rule 9: a positional, which controllers ignore.
            }
            let Some(long) = text.strip_prefix("--") else {
                return Err(shorthand(&text));
            };
            self.long(long, &element, &mut rest)?;
        }
        self.check_gates()
    }

    /// Rules 5 to 8 and 11.
    fn long(
        &mut self,
        long: &str,
        element: &Text,
        rest: &mut impl Iterator<Item = Text>,
    ) -> Result<(), Startup> {
        if long.starts_with('-') || long.starts_with('=') {
            return Err(exit(2, ExitCause::Malformed(format!("--{long}"))));
        }
        let (name, inline) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let Some(flag) = self.flag(name) else {
            if name == "help" {
                return Err(exit(0, ExitCause::Help));
            }
            return Err(exit(2, ExitCause::UnknownFlag(name.to_owned())));
        };
        let mut raw = element.raw.clone();
        let value = match inline {
            Some(value) => element.expanded.clone().map(|_| value),
            None if flag.kind == FlagKind::Bool => Ok("true".to_owned()),
            None => {
                let Some(next) = rest.next() else {
                    return Err(exit(2, ExitCause::MissingValue(name.to_owned())));
                };
                raw = format!("{raw} {}", next.raw);
                next.expanded
            }
        };
        if let Ok(value) = &value {
            self.accept(flag, value)?;
        } else if flag.kind == FlagKind::Gates {
            self.unread_gates = value.clone().err();
        }
        self.occurrences
            .entry(flag.name)
            .or_default()
            .push(Occurrence { raw, value });
        Ok(())
    }

    /// Checks a value as the flag's type does; gates accumulate.
    fn accept(&mut self, flag: &Flag, value: &str) -> Result<(), Startup> {
        let invalid = || {
            exit(
                2,
                ExitCause::InvalidValue {
                    flag: flag.name.to_owned(),
                    value: value.to_owned(),
                },
            )
        };
        if flag.kind == FlagKind::Gates {
            self.gates.extend(literal::gates(value).ok_or_else(invalid)?);
            return Ok(());
        }
        literal::is_valid(flag.kind, value)
            .then_some(())
            .ok_or_else(invalid)
    }

    /// What controllers check after parsing: unknown gates, and default accounts without their gate.
    fn check_gates(&self) -> Result<(), Startup> {
        let known = flags::gates(self.component);
        let version = self.version.as_ref();
        let unknown = self.gates.keys().find(|name| {
            !known
                .iter()
                .any(|gate| gate.name == **name && gate.exists_in(version))
        });
        if let Some(name) = unknown {
            return Err(exit(1, ExitCause::UnknownGate(name.clone())));
        }
        if self.gate_is_retired(WORKLOAD_IDENTITY) {
            return Ok(());
        }
        let off = matches!(self.gate(WORKLOAD_IDENTITY), Setting::Known { value: false, .. });
        let set = self
            .workload_identity_flags()
            .find(|flag| matches!(self.text(flag), Setting::Known { value, .. } if !value.is_empty()));
        match set {
            Some(flag) if off => Err(exit(1, ExitCause::GateRequired(flag.to_owned()))),
            _ => Ok(()),
        }
    }

    /// The default accounts of workload identity; on kustomize and helm `default-service-account` is impersonation.
    pub fn workload_identity_flags(&self) -> impl Iterator<Item = &'static str> + use<> {
        let flags: &'static [&'static str] = match self.component {
            Component::Kustomize => &[
                "default-decryption-service-account",
                "default-kubeconfig-service-account",
            ],
            Component::Helm => &["default-kubeconfig-service-account"],
            _ => &["default-service-account"],
        };
        flags.iter().copied()
    }
}

fn exit(code: u8, cause: ExitCause) -> Startup {
    Startup::Exits { code, cause }
}

/// Rule 10: controllers define no shorthand but pflag knows `-h`.
fn shorthand(text: &str) -> Startup {
    if text.starts_with("-h") {
        return exit(0, ExitCause::Help);
    }
    exit(2, ExitCause::UnknownShorthand(text.to_owned()))
}

/// Rules 1 to 4: the elements that the controller's parser sees.
fn effective(input: &CommandLine<'_>) -> Result<Vec<Text>, Startup> {
    let expand = |raw: &String| expand::expand(raw, input);
    let args = input.container.args.iter().map(expand);
    if input.container.command.is_empty() {
        return Ok(args.collect());
    }
    let command: Vec<Text> = input.container.command.iter().map(expand).collect();
    let is_controller = |text: &Text| {
        let path = text.expanded.as_deref().unwrap_or_default();
        path.rsplit('/').next() == Some(input.component.name())
    };
    // Rule 2: an init such as tini may stand before the controller, with a `--` of its own.
    let position = command.iter().position(is_controller);
    let wrapper = command.first().map(|first| first.raw.clone()).unwrap_or_default();
    let is_init = wrapper
        .rsplit('/')
        .next()
        .is_some_and(|name| matches!(name, "tini" | "dumb-init"));
    match position {
        Some(0) => {}
        Some(_) if is_init => {}
        _ => {
            return Err(Startup::Unknown(format!(
                "the command starts {wrapper:?}, which cannot be followed"
            )));
        }
    }
    let behind = position.map_or(0, |position| position + 1);
    Ok(command.into_iter().skip(behind).chain(args).collect())
}

#[cfg(test)]
mod tests;
