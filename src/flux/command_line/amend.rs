//! What to change of a command line so that one setting is as wanted and every other stays as it is.
//!
//! Whatever is proposed has been tried: the changed command line is evaluated as the controller would, and a change that
//! misses its aim, or hits anything else, is an [`Obstacle`].

use std::collections::BTreeSet;
use std::fmt;

use super::program::{self, Place};
use super::{
    CommandLine, Effective, Environment, Evaluation, ExitCause, GatePair, Occurrence, Origin, Setting,
    Startup, WORKLOAD_IDENTITY_GATE, evaluate,
};
use crate::flux::container::Container;
use crate::flux::flags::{self, FlagType};

/// A setting as a recommendation wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// The flag is true.
    On(&'static str),
    /// The flag is false.
    Off(&'static str),
    /// The flag names an account.
    Named(&'static str),
    /// The flag has this value.
    Is(&'static str, &'static str),
    /// The flag, a list, is empty.
    Absent(&'static str),
    /// No flag that takes one value is set twice.
    Once,
    /// The feature gate is on.
    GateOn(&'static str),
    /// The feature gate is off.
    GateOff(&'static str),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(flag) => write!(f, "--{flag}=true"),
            Self::Off(flag) => write!(f, "--{flag}=false"),
            Self::Named(flag) => write!(f, "--{flag}"),
            Self::Is(flag, value) => write!(f, "--{flag}={value}"),
            Self::Absent(flag) => write!(f, "no --{flag}"),
            Self::Once => f.write_str("no flag twice"),
            Self::GateOn(gate) => write!(f, "--feature-gates={gate}=true"),
            Self::GateOff(gate) => write!(f, "--feature-gates={gate}=false"),
        }
    }
}

/// A change of one element of `command` or of `args`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// One more argument at the end of `args`.
    Append(String),
    /// One more argument before another.
    Insert {
        /// Where.
        spot: Spot,
        /// What stands there before the change.
        before: String,
        /// The argument.
        value: String,
    },
    /// Another text for an element.
    Replace {
        /// Where.
        spot: Spot,
        /// What stands there before the change.
        was: String,
        /// What stands there after it.
        value: String,
    },
    /// One element less.
    Remove {
        /// Where.
        spot: Spot,
        /// What stands there before the change.
        was: String,
    },
}

/// The place of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Whether it is one of `command`; else it is one of `args`.
    pub in_command: bool,
    /// Its position there.
    pub index: usize,
}

/// Why a change of the command line is no remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// This version knows no such flag or gate.
    Unsupported(Wanted),
    /// What is in force cannot be told, and the reason as a phrase.
    Unclear(String),
    /// A variable decides, whatever the arguments are.
    Variable(String),
    /// The controller would not start.
    WouldExit(String),
    /// The change would miss its aim, or change something else.
    Misses,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(wanted) => write!(f, "this version does not know {wanted}: upgrade it"),
            Self::Unclear(reason) => write!(f, "its arguments cannot be told: {reason}"),
            Self::Variable(name) => {
                write!(f, "the variable {name} decides: change it where it is set")
            }
            Self::WouldExit(cause) => write!(f, "it would not start: {cause}"),
            Self::Misses => f.write_str("no single argument decides: change the command by hand"),
        }
    }
}

impl Wanted {
    /// Whether the setting is in force; an error: it cannot be, or nobody can tell.
    ///
    /// # Errors
    /// The version does not have it, or the arguments cannot be told.
    pub fn is_met(self, evaluation: &Evaluation) -> Result<bool, Obstacle> {
        match self {
            Self::On(flag) => self.known(evaluation.bool(flag)),
            Self::Off(flag) => self.known(evaluation.bool(flag)).map(|on| !on),
            Self::Named(flag) => {
                let account = self.known(evaluation.text(flag))?;
                Ok(!account.is_empty() && !account.starts_with('-'))
            }
            Self::Is(flag, value) => Ok(self.known(evaluation.text(flag))? == value),
            Self::Absent(flag) => Ok(self.known(evaluation.list(flag))?.is_empty()),
            Self::Once => Ok(repeated(evaluation).is_none()),
            Self::GateOn(gate) => self.known(evaluation.gate(gate)),
            Self::GateOff(gate) => self.known(evaluation.gate(gate)).map(|on| !on),
        }
    }

    /// The flag that it is about, if it is about one.
    #[must_use]
    pub const fn flag(self) -> Option<&'static str> {
        match self {
            Self::On(flag) | Self::Off(flag) | Self::Named(flag) | Self::Is(flag, _) | Self::Absent(flag) => {
                Some(flag)
            }
            Self::Once | Self::GateOn(_) | Self::GateOff(_) => None,
        }
    }

    const fn gate(self) -> Option<&'static str> {
        match self {
            Self::GateOn(gate) | Self::GateOff(gate) => Some(gate),
            _ => None,
        }
    }

    fn known<T>(self, setting: Setting<T>) -> Result<T, Obstacle> {
        match setting {
            Setting::Known { value, .. } => Ok(value),
            Setting::Unsupported => Err(Obstacle::Unsupported(self)),
            Setting::Unknown(reason) => Err(Obstacle::Unclear(reason)),
        }
    }
}

/// Flags that stand twice on purpose: the manifests of a shard are made from the main instance's.
const REPEATED_ON_PURPOSE: &str = "storage-adv-addr";

/// The first flag of one value that is set more than once, with its settings.
#[must_use]
pub fn repeated(evaluation: &Evaluation) -> Option<(&'static str, &[Occurrence])> {
    let flags = flags::flags(evaluation.component()).iter();
    let takes_one = |kind| {
        !matches!(
            kind,
            FlagType::StringSlice | FlagType::StringArray | FlagType::GateMap
        )
    };
    let mut scalars = flags.filter(|flag| takes_one(flag.kind) && flag.name != REPEATED_ON_PURPOSE);
    scalars.find_map(|flag| {
        let occurrences = evaluation.occurrences(flag.name);
        (occurrences.len() > 1).then_some((flag.name, occurrences))
    })
}

/// A command line that is changed step by step.
#[derive(Clone, Debug)]
pub struct Amended<'a> {
    line: CommandLine<'a>,
    container: Container,
}

impl<'a> Amended<'a> {
    /// A command line as it is.
    #[must_use]
    pub fn new(line: CommandLine<'a>) -> Self {
        Self {
            container: line.container.clone(),
            line,
        }
    }

    /// The container as it is after all changes.
    #[must_use]
    pub const fn container(&self) -> &Container {
        &self.container
    }

    /// What the controller makes of it after all changes.
    #[must_use]
    pub fn evaluation(&self) -> Evaluation {
        evaluate(&CommandLine {
            container: &self.container,
            ..self.line
        })
    }

    /// Brings a setting about, and tells how; nothing, when it is in force. `account` is what an account is called that
    /// has no name yet. On an error nothing has changed.
    ///
    /// # Errors
    /// No change of the arguments brings it about.
    pub fn make(&mut self, wanted: Wanted, account: &str) -> Result<Vec<Edit>, Obstacle> {
        let before = self.evaluation();
        if wanted.is_met(&before)? {
            return Ok(Vec::new());
        }
        let unchanged = self.container.clone();
        let made = self
            .attempts(wanted, account)
            .into_iter()
            .find_map(|edits| self.attempt(wanted, &before, edits));
        made.ok_or_else(|| {
            let why = self.obstacle(wanted, account, &before);
            self.container = unchanged;
            why
        })
    }

    /// Makes the changes for good if they do what they should.
    fn attempt(&mut self, wanted: Wanted, before: &Evaluation, edits: Vec<Edit>) -> Option<Vec<Edit>> {
        let unchanged = self.container.clone();
        for edit in &edits {
            edit.apply(&mut self.container);
        }
        let after = self.evaluation();
        let is_good = after.startup == before.startup
            && wanted.is_met(&after) == Ok(true)
            && before.differs_in(&after).iter().all(|it| wanted.is_about(it));
        if !edits.is_empty() && is_good {
            return Some(edits);
        }
        self.container = unchanged;
        None
    }

    /// What may bring it about, the best first.
    fn attempts(&self, wanted: Wanted, account: &str) -> Vec<Vec<Edit>> {
        let evaluation = self.evaluation();
        if wanted == Wanted::Once {
            return vec![self.without_repetitions()];
        }
        if let Wanted::Absent(flag) = wanted {
            return vec![self.without(flag, 0)];
        }
        let argument = wanted.argument(account);
        let decisive = Self::decisive(wanted, &evaluation).into_iter();
        let replaced = decisive.map(|occurrence| self.replaced(wanted, &occurrence, &argument));
        replaced.chain(self.added(&argument)).collect()
    }

    /// The argument that decides.
    fn decisive(wanted: Wanted, evaluation: &Evaluation) -> Option<Occurrence> {
        if let Some(flag) = wanted.flag() {
            return evaluation.occurrences(flag).last().cloned();
        }
        let Setting::Known { origin, .. } = evaluation.gate(wanted.gate()?) else {
            return None;
        };
        let Origin::Argument {
            index,
            in_command,
            raw,
        } = origin
        else {
            return None;
        };
        // Written in another way it may say more than can be seen, and of two settings of a gate the last one wins.
        let value = raw.strip_prefix("--feature-gates=")?.to_owned();
        (!value.contains('$')).then_some(Occurrence {
            index,
            in_command,
            raw: raw.to_string(),
            value: Some(value),
        })
    }

    /// The changes that put an argument in the place of another, and of the element that has its value.
    fn replaced(&self, wanted: Wanted, occurrence: &Occurrence, argument: &str) -> Vec<Edit> {
        let spot = Spot::of(occurrence);
        let value = match (wanted.gate(), &occurrence.value) {
            (Some(gate), Some(pairs)) => with_gate(pairs, gate, matches!(wanted, Wanted::GateOn(_))),
            _ => argument.to_owned(),
        };
        let mut edits = vec![Edit::Replace {
            spot,
            was: occurrence.raw.clone(),
            value,
        }];
        edits.extend(
            self.value_of(occurrence)
                .map(|(spot, was)| Edit::Remove { spot, was }),
        );
        edits
    }

    /// The changes that add an argument: at the end, or before what ends the arguments.
    fn added(&self, argument: &str) -> Vec<Vec<Edit>> {
        let mut ways = vec![vec![Edit::Append(argument.to_owned())]];
        let words = program::arguments(self.line.component, &self.container, &self.environment());
        let ends = words.unwrap_or_default().into_iter();
        ways.extend(
            ends.filter(|word| word.text.read() == Ok("--"))
                .map(|word| Edit::Insert {
                    spot: Spot::at(&word.place),
                    before: word.place.raw,
                    value: argument.to_owned(),
                })
                .map(|edit| vec![edit]),
        );
        ways
    }

    /// The changes that take every setting of a flag away but the last ones.
    fn without(&self, flag: &str, kept: usize) -> Vec<Edit> {
        let mut rest = self.clone();
        let mut edits = Vec::new();
        loop {
            let evaluation = rest.evaluation();
            let occurrences = evaluation.occurrences(flag);
            let Some(first) = occurrences.first().filter(|_| occurrences.len() > kept) else {
                return edits;
            };
            let spot = Spot::of(first);
            let value = rest.value_of(first);
            let was = first.raw.clone();
            // What comes later goes first, so that the places stay what they are.
            let value = value.map(|(spot, was)| Edit::Remove { spot, was });
            for edit in value.into_iter().chain([Edit::Remove { spot, was }]) {
                edit.apply(&mut rest.container);
                edits.push(edit);
            }
        }
    }

    fn without_repetitions(&self) -> Vec<Edit> {
        let mut rest = self.clone();
        let mut edits = Vec::new();
        while let Some((flag, _)) = repeated(&rest.evaluation()) {
            let more = rest.without(flag, 1);
            for edit in &more {
                edit.apply(&mut rest.container);
            }
            edits.extend(more);
        }
        edits
    }

    /// The element that has the value of a flag, when it is not the one that has its name.
    fn value_of(&self, occurrence: &Occurrence) -> Option<(Spot, String)> {
        let name = self.environment().expand(&occurrence.raw);
        let name = name.read().ok()?.strip_prefix("--")?.to_owned();
        let flag = flags::find(self.line.component, &name)?;
        if name.contains('=') || flag.kind == FlagType::Bool {
            return None;
        }
        let Spot { in_command, index } = Spot::of(occurrence);
        let own = if in_command {
            &self.container.command
        } else {
            &self.container.args
        };
        let (spot, list) = if in_command && index + 1 == own.len() {
            (Spot::new(false, 0), &self.container.args)
        } else {
            (Spot::new(in_command, index + 1), own)
        };
        Some((spot, list.get(spot.index)?.clone()))
    }

    fn environment(&self) -> Environment<'_> {
        Environment::of(&self.container, self.line.pod_namespace, self.line.pod_name)
    }

    /// Why nothing helps.
    fn obstacle(&self, wanted: Wanted, account: &str, before: &Evaluation) -> Obstacle {
        let mut tried = self.clone();
        let attempts = self.attempts(wanted, account);
        let edits = attempts.first().into_iter().flatten();
        edits.for_each(|edit| edit.apply(&mut tried.container));
        let after = tried.evaluation();
        if after.startup != before.startup
            && let Startup::Exits { cause, .. } = &after.startup
        {
            return Obstacle::WouldExit(cause.to_string());
        }
        let flag = wanted.flag().unwrap_or_default();
        match after.values.get(flag) {
            Some(Effective::Known {
                origin: Origin::Environment { name },
                ..
            }) => Obstacle::Variable(name.to_string()),
            _ => Obstacle::Misses,
        }
    }

    /// The gate that an account for workload identity needs in this version, while it is off.
    #[must_use]
    pub fn gate_for(&self, wanted: Wanted, account: &str) -> Option<Wanted> {
        let mut tried = self.clone();
        Edit::Append(wanted.argument(account)).apply(&mut tried.container);
        let is_missed = matches!(
            tried.evaluation().startup,
            Startup::Exits {
                cause: ExitCause::InconsistentGates { .. },
                ..
            }
        );
        is_missed.then_some(Wanted::GateOn(WORKLOAD_IDENTITY_GATE))
    }
}

impl Wanted {
    fn argument(self, account: &str) -> String {
        match self {
            Self::Named(flag) => format!("--{flag}={account}"),
            _ => self.to_string(),
        }
    }

    /// Whether a difference is the one that is wanted. What is set twice is set as before.
    fn is_about(self, name: &str) -> bool {
        self.flag().or(self.gate()) == Some(name)
    }
}

impl Evaluation {
    /// The flags and the gates that have another value.
    fn differs_in(&self, other: &Self) -> BTreeSet<String> {
        let value = |effective: &Effective| match effective {
            Effective::Known { value, .. } => Ok(value.clone()),
            Effective::Unknown(why) => Err(why.clone()),
        };
        let names: BTreeSet<&str> = self.values.keys().chain(other.values.keys()).copied().collect();
        let flags = names
            .into_iter()
            .filter(|name| self.values.get(name).map(value) != other.values.get(name).map(value));
        let pairs = self.pairs.iter().chain(&other.pairs);
        let gates: BTreeSet<&str> = pairs
            .filter_map(|pair| match pair {
                GatePair::Known { name, .. } => Some(name.as_str()),
                GatePair::Unread(_) => None,
            })
            .collect();
        let gates = gates
            .into_iter()
            .filter(|gate| value_of_gate(self, gate) != value_of_gate(other, gate));
        flags.chain(gates).map(str::to_owned).collect()
    }
}

fn value_of_gate(evaluation: &Evaluation, gate: &str) -> Option<bool> {
    evaluation.gate(gate).known()
}

/// `--feature-gates` with one of its pairs changed.
fn with_gate(pairs: &str, gate: &str, on: bool) -> String {
    let pairs = pairs.split(',').map(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        if name.trim() == gate {
            format!("{gate}={on}")
        } else {
            pair.to_owned()
        }
    });
    format!("--feature-gates={}", pairs.collect::<Vec<_>>().join(","))
}

impl Spot {
    const fn new(in_command: bool, index: usize) -> Self {
        Self { in_command, index }
    }

    const fn of(occurrence: &Occurrence) -> Self {
        Self::new(occurrence.in_command, occurrence.index)
    }

    const fn at(place: &Place) -> Self {
        Self::new(place.in_command, place.index)
    }

    /// The list that it is a place of.
    fn list(self, container: &mut Container) -> &mut Vec<String> {
        if self.in_command {
            &mut container.command
        } else {
            &mut container.args
        }
    }
}

impl Edit {
    /// Changes a container, as far as it is what was expected.
    pub fn apply(&self, container: &mut Container) {
        match self {
            Self::Append(value) => container.args.push(value.clone()),
            Self::Insert { spot, value, .. } => {
                let list = spot.list(container);
                list.insert(spot.index.min(list.len()), value.clone());
            }
            Self::Replace { spot, value, .. } => {
                if let Some(element) = spot.list(container).get_mut(spot.index) {
                    element.clone_from(value);
                }
            }
            Self::Remove { spot, .. } => {
                let list = spot.list(container);
                if spot.index < list.len() {
                    list.remove(spot.index);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use semver::Version;

    use super::*;
    use crate::flux::Component;
    use crate::flux::container::{EnvSource, EnvVar};

    fn container(command: &[&str], args: &[&str]) -> Container {
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        Container {
            command: owned(command),
            args: owned(args),
            ..Container::default()
        }
    }

    /// `command | args` after the change, or why there is none.
    fn made_of(component: Component, version: &str, container: &Container, wanted: Wanted) -> String {
        let version = Version::parse(version).unwrap();
        let mut amended = Amended::new(CommandLine {
            component,
            version: Some(&version),
            container,
            pod_namespace: "flux-system",
            pod_name: None,
        });
        match amended.make(wanted, "default") {
            Ok(_) => {
                let after = amended.container();
                assert_eq!(amended.clone().make(wanted, "default"), Ok(Vec::new()), "again");
                format!("{} | {}", after.command.join(" "), after.args.join(" "))
            }
            Err(obstacle) => {
                assert_eq!(amended.container(), container, "untouched");
                obstacle.to_string()
            }
        }
    }

    const BASES: Wanted = Wanted::On("no-remote-bases");
    const EXEC: Wanted = Wanted::Off("insecure-kubeconfig-exec");
    const ACCOUNT: Wanted = Wanted::Named("default-service-account");

    #[test]
    fn arguments_are_appended_and_a_wrong_one_is_changed_where_it_stands() {
        let of =
            |args: &[&str], wanted| made_of(Component::Kustomize, "1.9.4", &container(&[], args), wanted);
        for (args, wanted, after) in [
            (
                &["--log-level=info"][..],
                BASES,
                " | --log-level=info --no-remote-bases=true",
            ),
            (&[], BASES, " | --no-remote-bases=true"),
            (&["--no-remote-bases"], BASES, " | --no-remote-bases"),
            (
                &["--no-remote-bases=false", "--concurrent=3"],
                BASES,
                " | --no-remote-bases=true --concurrent=3",
            ),
            // Of two settings the last one wins, and the first is another control's.
            (
                &["--no-remote-bases=true", "--no-remote-bases=false"],
                BASES,
                " | --no-remote-bases=true --no-remote-bases=true",
            ),
            // A bool takes no further element: what follows is ignored, and stays.
            (
                &["--insecure-kubeconfig-exec", "false"],
                EXEC,
                " | --insecure-kubeconfig-exec=false false",
            ),
            // What was swallowed had no effect, and gets none.
            (
                &["--default-service-account", "--no-remote-bases=true"],
                ACCOUNT,
                " | --default-service-account=default",
            ),
            (
                &["--default-service-account=", "--log-level", "debug"],
                ACCOUNT,
                " | --default-service-account=default --log-level debug",
            ),
            (
                &["--log-level", "debug", "--concurrent=2"],
                Wanted::Is("log-level", "info"),
                " | --log-level=info --concurrent=2",
            ),
            // Behind `--` nothing counts.
            (
                &["--log-level=info", "--", "x"],
                BASES,
                " | --log-level=info --no-remote-bases=true -- x",
            ),
            (
                &["--", "--no-remote-bases=true"],
                BASES,
                " | --no-remote-bases=true -- --no-remote-bases=true",
            ),
            (
                &["--concurrent=1", "--concurrent", "2", "--concurrent=3"],
                Wanted::Once,
                " | --concurrent=3",
            ),
            (
                &[
                    "--override-manager-before-dry-run=a",
                    "--log-level=info",
                    "--override-manager-before-dry-run",
                    "b",
                ],
                Wanted::Absent("override-manager-before-dry-run"),
                "this version does not know no --override-manager-before-dry-run: upgrade it",
            ),
            (
                &["--unknown"],
                BASES,
                "its arguments cannot be told: the controller exits: \"--unknown\" is no flag of this controller version",
            ),
        ] {
            assert_eq!(of(args, wanted), after, "{args:?}");
        }
    }

    #[test]
    fn gates_are_changed_within_their_list() {
        let of = |args: &[&str], wanted| made_of(Component::Helm, "1.6.3", &container(&[], args), wanted);
        let dns = Wanted::GateOff("AllowDNSLookups");
        for (args, after) in [
            (
                &["--feature-gates=OOMWatch=true, AllowDNSLookups=true"][..],
                " | --feature-gates=OOMWatch=true,AllowDNSLookups=false",
            ),
            (
                &[
                    "--feature-gates=AllowDNSLookups=true",
                    "--feature-gates=OOMWatch=true",
                ],
                " | --feature-gates=AllowDNSLookups=false --feature-gates=OOMWatch=true",
            ),
            // Of what is written in another way the last word is enough.
            (
                &["--feature-gates", "AllowDNSLookups=true"],
                " | --feature-gates AllowDNSLookups=true --feature-gates=AllowDNSLookups=false",
            ),
        ] {
            assert_eq!(of(args, dns), after, "{args:?}");
        }
    }

    #[test]
    fn arguments_may_stand_in_the_command() {
        let of = |command: &[&str], args: &[&str], wanted| {
            made_of(Component::Kustomize, "1.9.4", &container(command, args), wanted)
        };
        let program = "/usr/local/bin/kustomize-controller";
        assert_eq!(
            of(
                &["/sbin/tini", "--", program, "--insecure-kubeconfig-exec=true"],
                &[],
                EXEC
            ),
            format!("/sbin/tini -- {program} --insecure-kubeconfig-exec=false | ")
        );
        assert_eq!(
            of(
                &[program, "--log-level",],
                &["debug", "--concurrent=1"],
                Wanted::Is("log-level", "info")
            ),
            format!("{program} --log-level=info | --concurrent=1")
        );
        assert_eq!(
            of(&[program, "--"], &["--concurrent=1"], BASES),
            format!("{program} --no-remote-bases=true -- | --concurrent=1")
        );
        assert_eq!(
            of(&[program], &[], BASES),
            format!("{program} | --no-remote-bases=true")
        );
        assert!(of(&["/bin/sh", "-c", program], &[], BASES).starts_with("its arguments cannot be told"));
    }

    #[test]
    fn what_variables_say_is_changed_where_it_is_said() {
        let mut given = container(&[], &["--log-level=info", "$(EXTRA)"]);
        given.env.push(EnvVar {
            name: "EXTRA".to_owned(),
            source: EnvSource::Literal("--insecure-kubeconfig-exec=true".to_owned()),
        });
        assert_eq!(
            made_of(Component::Kustomize, "1.9.4", &given, EXEC),
            " | --log-level=info --insecure-kubeconfig-exec=false"
        );
        let mut operator = container(&[], &["--log-level=info"]);
        operator.env.push(EnvVar {
            name: "DEFAULT_SERVICE_ACCOUNT".to_owned(),
            source: EnvSource::Literal("--".to_owned()),
        });
        assert_eq!(
            made_of(Component::FluxOperator, "0.58.1", &operator, ACCOUNT),
            "the variable DEFAULT_SERVICE_ACCOUNT decides: change it where it is set"
        );
    }

    #[test]
    fn a_version_that_would_not_start_is_left_alone() {
        let of = |component, version, wanted| made_of(component, version, &container(&[], &[]), wanted);
        assert!(
            of(
                Component::Kustomize,
                "1.6.1",
                Wanted::Named("default-kubeconfig-service-account")
            )
            .ends_with("upgrade it")
        );
        let without_gate = of(Component::Source, "1.9.4", ACCOUNT);
        assert!(without_gate.starts_with("it would not start: "), "{without_gate}");
        assert_eq!(
            of(Component::Source, "1.10.1", ACCOUNT),
            " | --default-service-account=default"
        );
        let version = Version::new(1, 9, 4);
        let given = container(&[], &[]);
        let amended = Amended::new(CommandLine {
            component: Component::Source,
            version: Some(&version),
            container: &given,
            pod_namespace: "flux-system",
            pod_name: None,
        });
        assert_eq!(
            amended.gate_for(ACCOUNT, "default"),
            Some(Wanted::GateOn(WORKLOAD_IDENTITY_GATE))
        );
    }
}
