//! The controller of SealedSecrets, which is no part of Flux and keeps keys for what Flux applies.

use std::collections::BTreeMap;

use super::command_line::{Environment, Text, parse_duration};
use super::container::{Container, PodShape};
use super::image::ImageRef;

/// What the controller is called; its image, its Deployment and its ServiceAccount are called so.
const NAME: &str = "sealed-secrets-controller";
/// What its chart is called.
const CHART: &str = "sealed-secrets";
/// The flag, and what it was called before. They set the same value: the last one wins.
const FLAGS: [&str; 2] = ["--key-renew-period", "--rotate-period"];
/// The variables that replace the flags' default, in the order in which they are read.
const VARIABLES: [&str; 2] = ["SEALED_SECRETS_KEY_RENEW_PERIOD", "SEALED_SECRETS_ROTATE_PERIOD"];

/// Whether new keys are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Every 30 days, or as often as it says.
    On,
    /// Never; what says so, as written.
    Off(String),
    /// It cannot be told; the reason as a phrase.
    Unknown(String),
}

/// The container that runs the controller; `None`: the workload does not.
///
/// Asked for every workload of a cluster: it allocates nothing.
#[must_use]
pub fn controller<'a>(
    workload_name: &str,
    labels: &BTreeMap<String, String>,
    shape: &'a PodShape,
) -> Option<&'a Container> {
    let mut containers = shape.containers.iter();
    if let Some(container) = containers.find(|container| is_image(&container.image)) {
        return Some(container);
    }
    let is_labelled = labels
        .get("app.kubernetes.io/name")
        .is_some_and(|name| name == CHART);
    if !is_labelled && workload_name != NAME {
        return None;
    }
    // Rebuilt images are called anything, but the program in them is the same.
    let starts_it = |container: &&Container| {
        let program = container.command.first().and_then(|path| path.rsplit('/').next());
        program == Some("controller")
    };
    shape.containers.iter().find(starts_it)
}

fn is_image(image: &str) -> bool {
    let name = ImageRef::parse(image).last_segment;
    name == CHART || name.ends_with(NAME)
}

/// Whether the controller makes new keys. An argument wins over a variable.
#[must_use]
pub fn renewal(container: &Container, namespace: &str) -> Renewal {
    let environment = Environment::of(container, namespace, None);
    let of_variable = |name: &&str| Some(Period::new(name, &environment.variable(name)?));
    let by_variable = VARIABLES.iter().filter_map(of_variable).last();
    match by_argument(container, &environment).or(by_variable) {
        None => Renewal::On,
        Some(period) => period.renewal(),
    }
}

/// What the last of the flags says.
fn by_argument(container: &Container, environment: &Environment<'_>) -> Option<Period> {
    let mut last = None;
    let words = container.command.iter().chain(&container.args);
    let mut words = words.map(|word| environment.expand(word));
    while let Some(word) = words.next().filter(|word| word.known != "--") {
        let (flag, attached) = match word.known.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word.known.as_str(), None),
        };
        if !FLAGS.contains(&flag) {
            continue;
        }
        let value = match attached {
            Some(value) => Text {
                known: value.to_owned(),
                unread: word.unread.clone(),
            },
            None => words.next()?,
        };
        last = Some(Period::new(flag, &value));
    }
    last
}

/// How often new keys are made, as written.
struct Period {
    said_by: String,
    value: Result<String, String>,
}

impl Period {
    fn new(said_by: &str, value: &Text) -> Self {
        Self {
            said_by: said_by.to_owned(),
            value: value.read().map(str::to_owned).map_err(str::to_owned),
        }
    }

    fn renewal(self) -> Renewal {
        match self.value {
            Err(why) => Renewal::Unknown(format!("{} comes from {why}", self.said_by)),
            Ok(value) => match parse_duration(&value) {
                Some(0) => Renewal::Off(format!("{}={value}", self.said_by)),
                Some(1..) => Renewal::On,
                _ => Renewal::Unknown(format!("{} is no period", self.said_by)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::container::{EnvSource, EnvVar};
    use super::*;

    fn said(args: &[&str], variables: &[(&str, EnvSource)]) -> Renewal {
        let variable = |(name, source): &(&str, EnvSource)| EnvVar {
            name: (*name).to_owned(),
            source: source.clone(),
        };
        let container = Container {
            command: vec!["controller".to_owned()],
            args: args.iter().map(|word| (*word).to_owned()).collect(),
            env: variables.iter().map(variable).collect(),
            ..Container::default()
        };
        renewal(&container, "kube-system")
    }

    #[test]
    fn the_last_setting_counts_and_arguments_before_variables() {
        let off = |text: &str| Renewal::Off(text.to_owned());
        let zero = || {
            [(
                "SEALED_SECRETS_KEY_RENEW_PERIOD",
                EnvSource::Literal("0".to_owned()),
            )]
        };
        assert_eq!(said(&[], &[]), Renewal::On);
        assert_eq!(said(&["--key-renew-period=0"], &[]), off("--key-renew-period=0"));
        assert_eq!(
            said(&["--key-renew-period", "0"], &[]),
            off("--key-renew-period=0")
        );
        assert_eq!(
            said(&["--update-status", "--key-renew-period", "0h0m0s"], &[]),
            off("--key-renew-period=0h0m0s")
        );
        assert_eq!(
            said(&["--key-renew-period=0", "--rotate-period=720h"], &[]),
            Renewal::On
        );
        assert_eq!(said(&["--", "--key-renew-period=0"], &[]), Renewal::On);
        assert_eq!(said(&[], &zero()), off("SEALED_SECRETS_KEY_RENEW_PERIOD=0"));
        assert_eq!(said(&["--key-renew-period=720h"], &zero()), Renewal::On);
        let secret = [("P", EnvSource::Unread("Secret a/b".to_owned()))];
        assert!(matches!(
            said(&["--key-renew-period=$(P)"], &secret),
            Renewal::Unknown(_)
        ));
        assert!(matches!(
            said(&["--key-renew-period=never"], &[]),
            Renewal::Unknown(_)
        ));
    }
}
