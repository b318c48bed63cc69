//! The command line evaluator: rule by rule, against the original flag parsers, and against `--help`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
#[path = "support/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::process::Command;

use controlplane::programs;
use flux_security_operator::flux::Component;
use flux_security_operator::flux::command_line::{
    CommandLine, Evaluation, ExitCause, Origin, Setting, Startup, evaluate,
};
use flux_security_operator::flux::container::{Container, EnvSource, EnvVar};
use flux_security_operator::flux::flags::{self, Flag, FlagType, Release};
use flux_security_operator::flux::gates::{self, GateState};
use random::Random;
use semver::Version;
use serde_json::{Value, json};

use Component::{
    FluxOperator, Helm, ImageAutomation, ImageReflector, Kustomize, Notification, Source, SourceWatcher,
};

fn strings(elements: &[&str]) -> Vec<String> {
    elements.iter().map(|element| (*element).to_owned()).collect()
}

fn with_args(args: &[&str]) -> Container {
    Container {
        args: strings(args),
        ..Container::default()
    }
}

fn with_command(command: &[&str], args: &[&str]) -> Container {
    Container {
        command: strings(command),
        args: strings(args),
        ..Container::default()
    }
}

fn with_env(args: &[&str], env: &[(&str, EnvSource)]) -> Container {
    let variable = |(name, source): &(&str, EnvSource)| EnvVar {
        name: (*name).to_owned(),
        source: source.clone(),
    };
    Container {
        args: strings(args),
        env: env.iter().map(variable).collect(),
        ..Container::default()
    }
}

fn literal(value: &str) -> EnvSource {
    EnvSource::Literal(value.to_owned())
}

fn secret() -> EnvSource {
    EnvSource::Unread("Secret vault/token".to_owned())
}

fn judge(component: Component, version: Option<&str>, container: &Container) -> Evaluation {
    let version = version.map(|text| Version::parse(text).unwrap());
    evaluate(&CommandLine {
        component,
        version: version.as_ref(),
        container,
        pod_namespace: "flux-system",
        pod_name: Some("controller-0"),
    })
}

fn args(component: Component, version: &str, args: &[&str]) -> Evaluation {
    judge(component, Some(version), &with_args(args))
}

/// kustomize-controller of Flux 2.9.
fn kustomize(elements: &[&str]) -> Evaluation {
    args(Kustomize, "1.9.4", elements)
}

fn kustomize_with(container: &Container) -> Evaluation {
    judge(Kustomize, Some("1.9.4"), container)
}

fn bool_of(evaluation: &Evaluation, flag: &str) -> bool {
    evaluation
        .bool(flag)
        .known()
        .unwrap_or_else(|| panic!("{flag} of {evaluation:?}"))
}

fn text_of<'a>(evaluation: &'a Evaluation, flag: &str) -> &'a str {
    evaluation
        .text(flag)
        .known()
        .unwrap_or_else(|| panic!("{flag} of {evaluation:?}"))
}

fn is_unknown<T>(setting: &Setting<T>) -> bool {
    matches!(setting, Setting::Unknown(_))
}

#[track_caller]
fn assert_exits(evaluation: &Evaluation, expected_code: u8, expected: &ExitCause) {
    match &evaluation.startup {
        Startup::Exits { code, cause } => assert_eq!((*code, cause), (expected_code, expected)),
        other => panic!("expected {expected:?}, got {other:?}"),
    }
    let settings = evaluation.bool("watch-all-namespaces");
    assert!(
        is_unknown(&settings),
        "a process that ends has no settings: {settings:?}"
    );
}

#[track_caller]
fn assert_all_unknown(evaluation: &Evaluation) {
    assert!(
        matches!(evaluation.startup, Startup::Unknown(_)),
        "{:?}",
        evaluation.startup
    );
    assert!(is_unknown(&evaluation.bool("watch-all-namespaces")));
    assert!(is_unknown(&evaluation.gate("CacheSecretsAndConfigMaps")));
}

fn invalid(flag: &str, value: &str) -> ExitCause {
    ExitCause::InvalidValue {
        flag: flag.to_owned(),
        value: value.to_owned(),
    }
}

fn unknown_flag(argument: &str) -> ExitCause {
    ExitCause::UnknownFlag {
        argument: argument.to_owned(),
    }
}

// The rules.

#[test]
fn rule_01_command_and_args_form_one_command_line() {
    let container = with_command(
        &["kustomize-controller", "--no-remote-bases"],
        &["--sops-age-secret=key"],
    );
    let evaluation = kustomize_with(&container);
    assert_eq!(evaluation.startup, Startup::Starts);
    assert!(bool_of(&evaluation, "no-remote-bases"));
    assert_eq!(text_of(&evaluation, "sops-age-secret"), "key");
    let Setting::Known { origin, .. } = evaluation.bool("no-remote-bases") else {
        panic!()
    };
    let expected = Origin::Argument {
        index: 1,
        in_command: true,
        raw: "--no-remote-bases".into(),
    };
    assert_eq!(origin, expected);
    let Setting::Known { origin, .. } = evaluation.text("sops-age-secret") else {
        panic!()
    };
    let expected = Origin::Argument {
        index: 0,
        in_command: false,
        raw: "--sops-age-secret=key".into(),
    };
    assert_eq!(origin, expected);
}

#[test]
fn rule_01_a_value_may_be_split_between_command_and_args() {
    let container = with_command(
        &["/usr/bin/kustomize-controller", "--sops-age-secret"],
        &["--no-remote-bases"],
    );
    let evaluation = kustomize_with(&container);
    assert_eq!(text_of(&evaluation, "sops-age-secret"), "--no-remote-bases");
    assert!(!bool_of(&evaluation, "no-remote-bases"));
}

#[test]
fn rule_02_the_double_dash_of_tini_ends_nothing() {
    for command in [
        &["/sbin/tini", "--", "kustomize-controller"][..],
        &[
            "tini",
            "-g",
            "-e",
            "143",
            "--",
            "/usr/local/bin/kustomize-controller",
        ],
        &["/sbin/tini", "kustomize-controller"],
    ] {
        let evaluation = kustomize_with(&with_command(command, &["--no-remote-bases"]));
        assert!(bool_of(&evaluation, "no-remote-bases"), "{command:?}");
    }
    let evaluation = kustomize_with(&with_command(
        &["/sbin/tini"],
        &["--", "kustomize-controller", "--no-remote-bases"],
    ));
    assert!(bool_of(&evaluation, "no-remote-bases"));
}

#[test]
fn rule_03_shells_and_wrappers_are_unknown() {
    for command in [
        &["/bin/sh", "-c", "kustomize-controller --no-remote-bases"][..],
        &["env", "A=b", "kustomize-controller"],
        &["/sbin/tini", "--", "sh", "-c", "kustomize-controller"],
        &["/sbin/tini", "--"],
        &["source-controller"],
        &[""],
    ] {
        assert_all_unknown(&kustomize_with(&with_command(command, &["--no-remote-bases"])));
    }
    let container = Container {
        command: strings(&["$(PROGRAM)"]),
        ..with_env(&[], &[("PROGRAM", secret())])
    };
    assert_all_unknown(&kustomize_with(&container));
}

#[test]
fn rule_04_references_are_expanded_from_literals_and_fields() {
    let env = [
        ("NAME", literal("first")),
        ("NAME", literal("age")),
        ("BOTH", literal("$(NAME)-$(NAMESPACE)-$(POD)")),
        ("NAMESPACE", EnvSource::Field("metadata.namespace".to_owned())),
        ("POD", EnvSource::Field("metadata.name".to_owned())),
    ];
    let secret_name =
        |element: &str| text_of(&kustomize_with(&with_env(&[element], &env)), "sops-age-secret").to_owned();
    assert_eq!(secret_name("--sops-age-secret=$(NAME)"), "age");
    assert_eq!(
        secret_name("--sops-age-secret=$(NAMESPACE)/$(POD)"),
        "flux-system/controller-0"
    );
    assert_eq!(
        secret_name("--sops-age-secret=$(BOTH)"),
        "age-$(NAMESPACE)-$(POD)",
        "only variables above count"
    );
    assert_eq!(secret_name("--sops-age-secret=$$(NAME)"), "$(NAME)");
    assert_eq!(secret_name("--sops-age-secret=$$$(NAME)"), "$age");
    assert_eq!(secret_name("--sops-age-secret=$(ABSENT)"), "$(ABSENT)");
    assert_eq!(secret_name("--sops-age-secret=$(NAME"), "$(NAME");
    assert_eq!(secret_name("--sops-age-secret=a$b$"), "a$b$");
}

#[test]
fn rule_04_a_whole_flag_may_come_from_the_environment() {
    let env = [("FLAG", literal("--no-remote-bases=false"))];
    let evaluation = kustomize_with(&with_env(&["--no-remote-bases", "$(FLAG)"], &env));
    assert!(!bool_of(&evaluation, "no-remote-bases"));
}

#[test]
fn rule_04_a_value_from_a_secret_hides_only_its_flag() {
    let env = [("TOKEN", secret())];
    for elements in [
        &["--sops-age-secret=x$(TOKEN)", "--no-remote-bases"][..],
        &["--sops-age-secret", "$(TOKEN)", "--no-remote-bases"],
    ] {
        let evaluation = kustomize_with(&with_env(elements, &env));
        assert_eq!(evaluation.startup, Startup::Starts);
        assert!(bool_of(&evaluation, "no-remote-bases"));
        let Setting::Unknown(why) = evaluation.text("sops-age-secret") else {
            panic!()
        };
        assert_eq!(why, "$(TOKEN) comes from Secret vault/token");
    }
    let evaluation = kustomize_with(&with_env(
        &["--sops-age-secret=$(TOKEN)", "--sops-age-secret=last"],
        &env,
    ));
    assert_eq!(text_of(&evaluation, "sops-age-secret"), "last");
    let evaluation = kustomize_with(&with_env(&["positional-$(TOKEN)", "--no-remote-bases"], &env));
    assert!(bool_of(&evaluation, "no-remote-bases"));
    let evaluation = kustomize_with(&with_env(
        &[
            "--override-manager=a",
            "--override-manager=$(TOKEN)",
            "--override-manager=b",
        ],
        &env,
    ));
    assert!(is_unknown(&evaluation.list("override-manager")));
}

#[test]
fn rule_04_a_flag_name_from_a_secret_hides_everything() {
    let env = [("TOKEN", secret())];
    for element in [
        "$(TOKEN)",
        "--$(TOKEN)",
        "--no-remote-bases$(TOKEN)",
        "-$(TOKEN)",
        "--sops-$(TOKEN)=x",
    ] {
        assert_all_unknown(&kustomize_with(&with_env(&["--no-remote-bases", element], &env)));
    }
    let evaluation = kustomize_with(&with_env(&["--no-remote-bases", "--", "$(TOKEN)"], &env));
    assert!(
        bool_of(&evaluation, "no-remote-bases"),
        "nothing counts after the double dash"
    );
}

#[test]
fn rule_04_env_from_and_service_variables_may_define_any_name() {
    let container = Container {
        has_env_from: true,
        ..with_args(&["--sops-age-secret=$(X)", "--no-remote-bases"])
    };
    let evaluation = kustomize_with(&container);
    assert!(is_unknown(&evaluation.text("sops-age-secret")));
    assert!(bool_of(&evaluation, "no-remote-bases"));
    let evaluation = kustomize(&["--events-addr=http://$(NOTIFICATION_CONTROLLER_SERVICE_HOST)/"]);
    assert!(is_unknown(&evaluation.text("events-addr")));
}

#[test]
fn rule_05_values_attach_or_follow() {
    let evaluation = kustomize(&["--sops-age-secret=a=b", "--no-remote-bases"]);
    assert_eq!(text_of(&evaluation, "sops-age-secret"), "a=b");
    assert!(bool_of(&evaluation, "no-remote-bases"));
    let evaluation = kustomize(&["--sops-age-secret", "--no-remote-bases"]);
    assert_eq!(text_of(&evaluation, "sops-age-secret"), "--no-remote-bases");
    assert!(!bool_of(&evaluation, "no-remote-bases"));
    let evaluation = kustomize(&["--sops-age-secret", "--", "--no-remote-bases"]);
    assert!(
        bool_of(&evaluation, "no-remote-bases"),
        "a swallowed double dash ends nothing"
    );
    assert_exits(
        &kustomize(&["--sops-age-secret"]),
        2,
        &ExitCause::MissingValue {
            flag: "sops-age-secret".to_owned(),
        },
    );
}

#[test]
fn rule_06_a_bare_bool_takes_no_value() {
    let evaluation = kustomize(&[
        "--no-remote-bases",
        "false",
        "--insecure-kubeconfig-exec",
        "false",
    ]);
    assert!(bool_of(&evaluation, "no-remote-bases"));
    assert!(bool_of(&evaluation, "insecure-kubeconfig-exec"));
}

#[test]
fn rule_07_bool_literals_are_strict() {
    for (value, expected) in [
        ("1", true),
        ("t", true),
        ("T", true),
        ("TRUE", true),
        ("true", true),
        ("True", true),
    ]
    .into_iter()
    .chain([
        ("0", false),
        ("f", false),
        ("F", false),
        ("FALSE", false),
        ("false", false),
        ("False", false),
    ]) {
        let evaluation = kustomize(&[&format!("--no-remote-bases={value}")]);
        assert_eq!(bool_of(&evaluation, "no-remote-bases"), expected, "{value}");
    }
    for value in [
        "", "yes", "no", "on", "tRUE", "\"true\"", "'true'", "true ", " true", "2", "false\n",
    ] {
        let evaluation = kustomize(&[&format!("--no-remote-bases={value}")]);
        assert_exits(&evaluation, 2, &invalid("no-remote-bases", value));
    }
}

#[test]
fn rule_08_the_last_scalar_wins() {
    let evaluation = kustomize(&["--no-remote-bases=true", "--no-remote-bases=false"]);
    assert!(!bool_of(&evaluation, "no-remote-bases"));
    let occurrences = evaluation.occurrences("no-remote-bases");
    let seen: Vec<_> = occurrences
        .iter()
        .map(|found| (found.index, found.value.as_deref()))
        .collect();
    assert_eq!(seen, [(0, Some("true")), (1, Some("false"))]);
    assert!(evaluation.occurrences("sops-age-secret").is_empty());
    assert_exits(
        &kustomize(&["--no-remote-bases=maybe", "--no-remote-bases"]),
        2,
        &invalid("no-remote-bases", "maybe"),
    );
}

#[test]
fn rule_08_lists_append_and_only_slices_split() {
    let evaluation = kustomize(&["--override-manager=a,b", "--override-manager", "c"]);
    assert_eq!(evaluation.list("override-manager").known().unwrap(), ["a,b", "c"]);
    let evaluation = args(
        Source,
        "1.9.4",
        &[
            "--ssh-kex-algos=a,\"b,c\"",
            "--ssh-kex-algos=d",
            "--ssh-kex-algos=",
        ],
    );
    assert_eq!(
        evaluation.list("ssh-kex-algos").known().unwrap(),
        ["a", "b,c", "d"]
    );
    assert_exits(
        &args(Source, "1.9.4", &["--ssh-kex-algos=a\"b"]),
        2,
        &invalid("ssh-kex-algos", "a\"b"),
    );
}

#[test]
fn rule_08_gates_merge() {
    let evaluation = kustomize(&[
        "--feature-gates=ExternalArtifact=true, StrictPostBuildSubstitutions = false ,",
        "--feature-gates",
        "ExternalArtifact=F,DirectSourceFetch=1",
    ]);
    assert_eq!(evaluation.gate("ExternalArtifact").known(), Some(false));
    assert_eq!(
        evaluation.gate("StrictPostBuildSubstitutions").known(),
        Some(false)
    );
    assert_eq!(evaluation.gate("DirectSourceFetch").known(), Some(true));
    assert_eq!(
        evaluation.gate("GroupChangeLog"),
        Setting::Known {
            value: false,
            origin: Origin::Default
        }
    );
    for value in [
        "ExternalArtifact",
        "ExternalArtifact=yes",
        "ExternalArtifact=true, ",
    ] {
        let evaluation = kustomize(&[&format!("--feature-gates={value}")]);
        assert_exits(&evaluation, 2, &invalid("feature-gates", value));
    }
}

#[test]
fn rule_08_unread_gates_hide_all_that_is_not_set_later() {
    let elements = [
        "--feature-gates=ExternalArtifact=true,$(MORE)",
        "--feature-gates=DirectSourceFetch=true",
    ];
    let evaluation = kustomize_with(&with_env(&elements, &[("MORE", secret())]));
    assert!(is_unknown(&evaluation.gate("ExternalArtifact")));
    assert!(is_unknown(&evaluation.gate("GroupChangeLog")));
    assert_eq!(evaluation.gate("DirectSourceFetch").known(), Some(true));
}

#[test]
fn rule_09_positionals_are_ignored_and_the_double_dash_ends() {
    let evaluation = kustomize(&[
        "run",
        "-",
        "",
        "--no-remote-bases",
        "--",
        "--no-remote-bases=false",
        "--bogus",
    ]);
    assert_eq!(evaluation.startup, Startup::Starts);
    assert!(bool_of(&evaluation, "no-remote-bases"));
}

#[test]
fn rule_10_a_single_dash_fails_and_help_ends() {
    let cause = ExitCause::UnknownShorthand {
        argument: "-no-remote-bases=true".to_owned(),
    };
    assert_exits(&kustomize(&["-no-remote-bases=true"]), 2, &cause);
    for help in ["-h", "--help", "--help=false", "-hx"] {
        assert_exits(
            &kustomize(&["--no-remote-bases", help, "--bogus"]),
            0,
            &ExitCause::Help,
        );
    }
    assert_eq!(
        kustomize(&["-test.v", "-test.run=x"]).startup,
        Startup::Starts,
        "pflag skips flags of go test"
    );
}

#[test]
fn rule_11_names_are_exact() {
    for argument in [
        "--no_remote_bases",
        "--No-Remote-Bases=true",
        "--no-remote-base",
        "--insecure-allow-http",
    ] {
        assert_exits(
            &kustomize(&["--no-remote-bases", argument]),
            2,
            &unknown_flag(argument),
        );
    }
    for argument in ["--=true", "---no-remote-bases", "--=", "---"] {
        let cause = ExitCause::BadSyntax {
            argument: argument.to_owned(),
        };
        assert_exits(&kustomize(&[argument]), 2, &cause);
    }
    let evaluation = args(Notification, "1.9.3", &["--receiverAddr=:1"]);
    assert_eq!(text_of(&evaluation, "receiverAddr"), ":1");
}

#[test]
fn rule_12_an_empty_text_equals_not_set() {
    let evaluation = kustomize(&["--default-service-account=tenant", "--default-service-account="]);
    assert_eq!(text_of(&evaluation, "default-service-account"), "");
    assert_eq!(text_of(&kustomize(&[]), "default-service-account"), "");
    assert_eq!(
        args(Source, "1.9.4", &["--default-service-account="]).startup,
        Startup::Starts
    );
}

#[test]
fn rule_13_an_exit_leaves_no_setting_known() {
    let evaluation = kustomize(&["--no-remote-bases", "--bogus"]);
    let Setting::Unknown(why) = evaluation.bool("no-remote-bases") else {
        panic!()
    };
    assert_eq!(
        why,
        "the controller exits: \"--bogus\" is no flag of this controller version"
    );
    assert_eq!(evaluation.bool("bogus"), Setting::Unsupported);
}

#[test]
fn rule_14_a_pod_and_its_template_differ_only_in_the_pod_name() {
    let container = with_env(
        &["--sops-age-secret=$(P)"],
        &[("P", EnvSource::Field("metadata.name".to_owned()))],
    );
    let version = Version::new(1, 9, 4);
    let template = CommandLine {
        component: Kustomize,
        version: Some(&version),
        container: &container,
        pod_namespace: "flux-system",
        pod_name: None,
    };
    assert!(is_unknown(&evaluate(&template).text("sops-age-secret")));
    let pod = CommandLine {
        pod_name: Some("controller-0"),
        ..template
    };
    assert_eq!(text_of(&evaluate(&pod), "sops-age-secret"), "controller-0");
}

// Versions, gates and defaults.

#[test]
fn unknown_gates_exit_per_version() {
    let gate = |name: &str| ExitCause::UnknownGate {
        gate: name.to_owned(),
    };
    let workload_identity = "--feature-gates=ObjectLevelWorkloadIdentity=true";
    assert_exits(
        &args(Helm, "1.3.0", &[workload_identity]),
        1,
        &gate("ObjectLevelWorkloadIdentity"),
    );
    assert_eq!(args(Helm, "1.4.0", &[workload_identity]).startup, Startup::Starts);
    assert_exits(
        &kustomize(&["--feature-gates=externalartifact=true"]),
        1,
        &gate("externalartifact"),
    );
    assert_exits(&kustomize(&["--feature-gates==true"]), 1, &gate(""));
    let commit_status = "--feature-gates=DisableCommitStatusEvent=true";
    assert_exits(
        &args(Kustomize, "1.9.5", &[commit_status]),
        1,
        &gate("DisableCommitStatusEvent"),
    );
    assert_eq!(
        args(Kustomize, "1.9.6", &[commit_status]).startup,
        Startup::Starts
    );
    assert_exits(
        &args(SourceWatcher, "2.3.1", &[workload_identity]),
        1,
        &gate("ObjectLevelWorkloadIdentity"),
    );
}

#[test]
fn workload_identity_accounts_need_their_gate() {
    let inconsistent = |flag: &str| ExitCause::InconsistentGates {
        flag: flag.to_owned(),
    };
    for (component, version, flag) in [
        (Source, "1.9.4", "default-service-account"),
        (Notification, "1.9.3", "default-service-account"),
        (ImageReflector, "1.2.4", "default-service-account"),
        (ImageAutomation, "1.2.4", "default-service-account"),
        (Kustomize, "1.9.4", "default-decryption-service-account"),
        (Kustomize, "1.9.4", "default-kubeconfig-service-account"),
        (Helm, "1.6.3", "default-kubeconfig-service-account"),
    ] {
        let account = format!("--{flag}=flux");
        assert_exits(&args(component, version, &[&account]), 1, &inconsistent(flag));
        let on = "--feature-gates=ObjectLevelWorkloadIdentity=true";
        let evaluation = args(component, version, &[&account, on]);
        assert_eq!(evaluation.startup, Startup::Starts);
        assert_eq!(text_of(&evaluation, flag), "flux");
    }
    for (component, version) in [(Kustomize, "1.9.4"), (Helm, "1.6.3")] {
        let evaluation = args(component, version, &["--default-service-account=tenant"]);
        assert_eq!(evaluation.startup, Startup::Starts, "impersonation needs no gate");
    }
}

#[test]
fn retired_gates_are_accepted_and_ignored() {
    for (component, version) in [
        (Source, "1.10.0"),
        (Kustomize, "1.10.1"),
        (Helm, "1.7.0"),
        (Notification, "1.10.0"),
        (ImageReflector, "1.3.0"),
    ] {
        let elements = [
            "--feature-gates=ObjectLevelWorkloadIdentity=false",
            "--default-service-account=flux",
        ];
        let evaluation = args(component, version, &elements);
        assert_eq!(evaluation.startup, Startup::Starts, "{component}");
        assert_eq!(
            evaluation.gate("ObjectLevelWorkloadIdentity"),
            Setting::Unsupported
        );
        let retired = evaluation.retired_gates();
        assert_eq!(retired.len(), 1);
        assert_eq!(
            (retired[0].name.as_str(), retired[0].value),
            ("ObjectLevelWorkloadIdentity", false)
        );
    }
    assert!(
        kustomize(&["--feature-gates=ExternalArtifact=true"])
            .retired_gates()
            .is_empty()
    );
}

#[test]
fn flags_exist_from_and_until_a_version() {
    assert_eq!(
        args(Source, "1.10.1", &[]).bool("no-cross-namespace-refs"),
        Setting::Unsupported
    );
    assert_eq!(
        args(Source, "1.6.0", &[]).text("default-service-account"),
        Setting::Unsupported
    );
    let flag = "--default-service-account=x";
    assert_exits(&args(Source, "1.6.0", &[flag]), 2, &unknown_flag(flag));
    assert_exits(&args(SourceWatcher, "2.2.3", &[flag]), 2, &unknown_flag(flag));
    assert_eq!(args(SourceWatcher, "2.3.0", &[flag]).startup, Startup::Starts);
    let flag = "--aws-autologin-for-ecr";
    assert_eq!(args(ImageReflector, "0.35.0", &[flag]).startup, Startup::Starts);
    assert_exits(&args(ImageReflector, "1.0.0", &[flag]), 2, &unknown_flag(flag));
    let flag = "--watch-label-selector=a=b";
    assert_exits(&args(Notification, "1.9.3", &[flag]), 2, &unknown_flag(flag));
    assert_eq!(args(Kustomize, "1.0.0-rc.1", &[flag]).startup, Startup::Starts);
}

#[test]
fn defaults_follow_the_version() {
    let strict = |version| {
        args(Kustomize, version, &[])
            .gate("StrictPostBuildSubstitutions")
            .known()
    };
    assert_eq!((strict("1.8.5"), strict("1.9.0")), (Some(false), Some(true)));
    assert_eq!(
        args(Source, "0.30.0", &[]).integer("kube-api-burst").known(),
        Some(100)
    );
    assert_eq!(
        args(Source, "1.9.4", &[]).integer("kube-api-burst").known(),
        Some(300)
    );
    assert_eq!(
        args(Source, "1.9.4", &[]).float("kube-api-qps").known(),
        Some(50.0)
    );
    assert_eq!(
        kustomize(&[]).nanoseconds("requeue-dependency").known(),
        Some(30_000_000_000)
    );
    assert!(bool_of(&kustomize(&[]), "watch-all-namespaces"));
}

#[test]
fn an_unknown_version_is_taken_as_the_newest() {
    let evaluation = judge(
        Kustomize,
        None,
        &with_args(&["--sops-vault-configmap=v", "--spiffe-broker-id=x"]),
    );
    assert_eq!(evaluation.startup, Startup::Starts);
    assert_exits(
        &judge(Kustomize, None, &with_args(&["--bogus"])),
        2,
        &unknown_flag("--bogus"),
    );
    assert_eq!(
        judge(Helm, None, &with_args(&[])).gate("ObjectLevelWorkloadIdentity"),
        Setting::Unsupported
    );
}

#[test]
fn flags_of_releases_that_could_not_be_read_are_unknown() {
    let elements = [
        "--authorized-event-server-spiffe-id=self",
        "--no-cross-namespace-refs",
    ];
    let evaluation = args(Helm, "1.7.1", &elements);
    assert!(matches!(evaluation.startup, Startup::Unknown(_)));
    assert!(bool_of(&evaluation, "no-cross-namespace-refs"));
    assert!(is_unknown(&evaluation.list("authorized-event-server-spiffe-id")));
    let presumed: Vec<_> = evaluation
        .presumed()
        .iter()
        .map(|it| (it.name.as_str(), it.occurrence.value.as_deref()))
        .collect();
    assert_eq!(presumed, [("authorized-event-server-spiffe-id", Some("self"))]);
    let evaluation = args(
        Helm,
        "1.7.1",
        &["--spiffe-broker-id", "--no-cross-namespace-refs"],
    );
    assert!(
        !bool_of(&evaluation, "no-cross-namespace-refs"),
        "its value is the next element"
    );
    assert_exits(&args(Helm, "1.6.4", &elements), 2, &unknown_flag(elements[0]));
    assert_exits(&args(Helm, "1.7.1", &["--bogus"]), 2, &unknown_flag("--bogus"));

    let evaluation = args(
        Helm,
        "1.8.0",
        &[
            "--new-flag=1",
            "--no-cross-namespace-refs",
            "--feature-gates=New=true",
        ],
    );
    assert!(matches!(evaluation.startup, Startup::Unknown(_)));
    assert!(bool_of(&evaluation, "no-cross-namespace-refs"));
    assert_all_unknown(&args(Helm, "1.8.0", &["--new-flag", "--no-cross-namespace-refs"]));
    assert!(is_unknown(&args(Helm, "1.8.0", &[]).bool("new-flag")));
}

#[test]
fn the_environment_replaces_defaults_of_the_source_controllers() {
    let env = [
        ("EVENTS_ADDR", literal("http://elsewhere/")),
        ("STORAGE_ADDRESS", literal(":1")),
        ("STORAGE_PATH", literal("")),
    ];
    let evaluation = judge(Source, Some("1.9.4"), &with_env(&[], &env));
    let origin = Origin::Environment {
        name: "EVENTS_ADDR".into(),
    };
    assert_eq!(
        evaluation.text("events-addr"),
        Setting::Known {
            value: "http://elsewhere/",
            origin
        }
    );
    assert_eq!(text_of(&evaluation, "storage-addr"), ":1");
    assert_eq!(text_of(&evaluation, "storage-path"), "/data");
    let evaluation = judge(Source, Some("1.9.4"), &with_env(&["--events-addr="], &env));
    assert_eq!(text_of(&evaluation, "events-addr"), "");
    let evaluation = judge(Source, Some("1.6.0"), &with_env(&[], &env));
    assert_eq!(
        text_of(&evaluation, "storage-addr"),
        ":9090",
        "the variable was STORAGE_ADDR before 1.7.0"
    );
    assert_eq!(text_of(&kustomize_with(&with_env(&[], &env)), "events-addr"), "");
    let evaluation = judge(
        Source,
        Some("1.9.4"),
        &with_env(&[], &[("EVENTS_ADDR", secret())]),
    );
    assert!(is_unknown(&evaluation.text("events-addr")));
}

#[test]
fn the_environment_of_flux_operator_wins_over_its_arguments() {
    let operator = |version: &str, args: &[&str], env: &[(&str, EnvSource)]| {
        judge(FluxOperator, Some(version), &with_env(args, env))
    };
    let account = |name: &str| [("DEFAULT_SERVICE_ACCOUNT", literal(name))];
    let flag = ["--default-service-account=flag"];
    let account_of = |evaluation: Evaluation| text_of(&evaluation, "default-service-account").to_owned();
    assert_eq!(account_of(operator("0.58.1", &flag, &account("env"))), "env");
    assert_eq!(account_of(operator("0.58.1", &flag, &account(""))), "flag");
    assert_eq!(account_of(operator("0.58.1", &[], &account("env"))), "env");
    assert_eq!(
        account_of(operator("0.17.0", &flag, &account("env"))),
        "flag",
        "the variable was not read before 0.18.0"
    );
    let unread = operator("0.58.1", &flag, &[("DEFAULT_SERVICE_ACCOUNT", secret())]);
    assert!(is_unknown(&unread.text("default-service-account")));

    let port = |value: &str| {
        operator(
            "0.58.1",
            &["--web-server-port=1"],
            &[("WEB_SERVER_PORT", literal(value))],
        )
    };
    assert_eq!(port("0").integer("web-server-port").known(), Some(0));
    assert!(is_unknown(&port("none").integer("web-server-port")));
    let old = operator("0.36.0", &[], &[("WEB_SERVER_PORT", literal("9080"))]);
    assert_eq!(old.integer("web-server-port"), Setting::Unsupported);

    let config = [("WEB_CONFIG_SECRET_NAME", literal("env"))];
    let named =
        |args: &[&str]| text_of(&operator("0.58.1", args, &config), "web-config-secret-name").to_owned();
    assert_eq!(named(&[]), "env");
    assert_eq!(named(&["--web-config-secret-name=flag"]), "flag");
}

#[test]
fn typed_values_are_validated() {
    for (component, version, flag, value) in [
        (Kustomize, "1.9.4", "concurrent", "4.0"),
        (Kustomize, "1.9.4", "concurrent", "08"),
        (Kustomize, "1.9.4", "concurrent", ""),
        (Kustomize, "1.9.4", "interval-jitter-percentage", "256"),
        (Kustomize, "1.9.4", "requeue-dependency", "30"),
        (Kustomize, "1.9.4", "kube-api-qps", "fast"),
        (ImageReflector, "1.2.4", "gc-interval", "-1"),
    ] {
        let evaluation = args(component, version, &[&format!("--{flag}={value}")]);
        assert_exits(&evaluation, 2, &invalid(flag, value));
    }
    let evaluation = kustomize(&[
        "--concurrent=0x1_0",
        "--requeue-dependency=1h1.5m",
        "--kube-api-qps=.5e1",
    ]);
    assert_eq!(evaluation.integer("concurrent").known(), Some(16));
    assert_eq!(text_of(&evaluation, "concurrent"), "0x1_0");
    assert_eq!(
        evaluation.nanoseconds("requeue-dependency").known(),
        Some(3_690_000_000_000)
    );
    assert_eq!(evaluation.float("kube-api-qps").known(), Some(5.0));
}

#[test]
fn a_setting_of_another_type_is_unknown() {
    let evaluation = kustomize(&[]);
    assert!(is_unknown(&evaluation.bool("concurrent")));
    assert!(is_unknown(&evaluation.text("no-remote-bases")));
    assert!(is_unknown(&evaluation.list("feature-gates")));
}

#[test]
fn every_exit_cause_is_one_lowercase_sentence() {
    let text = || "x".to_owned();
    for (cause, code) in [
        (ExitCause::UnknownFlag { argument: text() }, 2),
        (ExitCause::UnknownShorthand { argument: text() }, 2),
        (ExitCause::BadSyntax { argument: text() }, 2),
        (
            ExitCause::InvalidValue {
                flag: text(),
                value: text(),
            },
            2,
        ),
        (ExitCause::MissingValue { flag: text() }, 2),
        (ExitCause::UnknownGate { gate: text() }, 1),
        (ExitCause::InconsistentGates { flag: text() }, 1),
        (ExitCause::Help, 0),
    ] {
        let sentence = cause.to_string();
        assert!(
            !sentence.ends_with('.') && !sentence.starts_with(char::is_uppercase),
            "{sentence}"
        );
        assert_eq!(cause.code(), code);
    }
}

#[test]
fn tables_are_sorted_and_their_defaults_are_valid() {
    for component in Component::DETECTED {
        let names: Vec<_> = flags::flags(component).iter().map(|flag| flag.name).collect();
        assert!(
            names.is_sorted_by(|one, other| one < other),
            "{component}: {names:?}"
        );
        let gates: Vec<_> = gates::gates(component).iter().map(|gate| gate.name).collect();
        assert!(
            gates.is_sorted_by(|one, other| one < other),
            "{component}: {gates:?}"
        );
        for (major, minor) in [(0, 0), (0, 25), (1, 0), flags::newest_minor(component)] {
            let evaluation = args(component, &format!("{major}.{minor}.0"), &[]);
            for flag in in_force(component, (major, minor, 0)) {
                assert!(value_of(&evaluation, flag).is_some(), "{component} {}", flag.name);
            }
        }
    }
}

// Against the original parsers.

/// Versions whose start-up code could be read, and old ones with other flags.
const COMPARED: [(Component, Release); 12] = [
    (Source, (1, 10, 1)),
    (Source, (1, 9, 4)),
    (Source, (0, 36, 0)),
    (Kustomize, (1, 10, 1)),
    (Kustomize, (1, 9, 4)),
    (Helm, (1, 6, 3)),
    (Helm, (0, 31, 2)),
    (Notification, (1, 9, 3)),
    (ImageReflector, (1, 2, 4)),
    (ImageReflector, (0, 35, 0)),
    (ImageAutomation, (1, 2, 4)),
    (SourceWatcher, (2, 2, 3)),
];

const ARGUMENT_LISTS_PER_VERSION: usize = 2_500;

#[test]
fn random_command_lines_agree_with_the_original_parsers() {
    let mut random = Random(0x5eed_f1e5);
    let mut requests = String::new();
    let mut asked = Vec::new();
    for (component, version) in COMPARED {
        requests.push_str(&declaration(component, version).to_string());
        for _ in 0..ARGUMENT_LISTS_PER_VERSION {
            let list = random_arguments(&mut random, component, version);
            requests.push_str(&json!({ "args": list }).to_string());
            asked.push((component, version, list));
        }
    }
    let answers = ask_oracle(&requests);
    assert_eq!(answers.len(), asked.len());

    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    let mut differences = Vec::new();
    for ((component, version, list), expected) in asked.iter().zip(&answers) {
        let ours = our_answer(*component, *version, list);
        *endings.entry(expected["exit"].to_string()).or_default() += 1;
        if ours != *expected {
            differences.push(format!(
                "{component} {version:?} {list:?}\n  original {expected}\n  ours     {ours}"
            ));
        }
    }
    let shown = differences
        .iter()
        .take(10)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        differences.is_empty(),
        "{} differences, for instance\n{shown}",
        differences.len()
    );
    eprintln!(
        "compared {} command lines with the original parsers; by exit status: {endings:?}",
        asked.len()
    );
}

fn in_force(component: Component, version: Release) -> impl Iterator<Item = &'static Flag> {
    flags::flags(component)
        .iter()
        .filter(move |flag| flag.exists_in(version))
}

/// The oracle's picture of one controller version.
fn declaration(component: Component, version: Release) -> Value {
    let flags: Vec<Value> = in_force(component, version)
        .map(|flag| {
            let kind = if flag.kind == FlagType::Bool {
                "bool"
            } else {
                flag.kind.help_word()
            };
            json!({ "name": flag.name, "kind": kind, "default": flag.default_in(version) })
        })
        .collect();
    let mut supported = BTreeMap::new();
    let mut retired = Vec::new();
    for gate in gates::gates(component) {
        match gate.state_in(version) {
            GateState::Active { default } => {
                supported.insert(gate.name, default);
            }
            GateState::Retired => retired.push(gate.name),
            GateState::Unsupported => {}
        }
    }
    let accounts = match component {
        Kustomize => vec![
            "default-decryption-service-account",
            "default-kubeconfig-service-account",
        ],
        Helm => vec!["default-kubeconfig-service-account"],
        _ => vec!["default-service-account"],
    };
    json!({ "flags": flags, "gates": supported, "retired": retired, "accounts": accounts })
}

fn our_answer(component: Component, version: Release, list: &[String]) -> Value {
    let container = Container {
        args: list.to_vec(),
        ..Container::default()
    };
    let (major, minor, patch) = version;
    let evaluation = judge(component, Some(&format!("{major}.{minor}.{patch}")), &container);
    match &evaluation.startup {
        Startup::Exits { code, .. } => return json!({ "exit": code }),
        Startup::Unknown(why) => return json!({ "unknown": why }),
        Startup::Starts => {}
    }
    let mut answer = json!({ "values": {} });
    for flag in in_force(component, version) {
        answer["values"][flag.name] = value_of(&evaluation, flag).unwrap_or_else(|| json!("unknown"));
    }
    for gate in gates::gates(component) {
        if let Some(value) = evaluation.gate(gate.name).known() {
            answer["gates"][gate.name] = json!(value);
        }
    }
    answer
}

/// A flag's value in the oracle's words: numbers as text, because JSON has no "not a number".
fn value_of(evaluation: &Evaluation, flag: &Flag) -> Option<Value> {
    match flag.kind {
        FlagType::Bool => evaluation.bool(flag.name).known().map(Value::from),
        FlagType::String => evaluation.text(flag.name).known().map(Value::from),
        FlagType::Int | FlagType::Uint8 | FlagType::Uint16 => evaluation
            .integer(flag.name)
            .known()
            .map(|value| Value::from(value.to_string())),
        FlagType::Float => evaluation
            .float(flag.name)
            .known()
            .map(|value| Value::from(value.to_string())),
        FlagType::Duration => evaluation
            .nanoseconds(flag.name)
            .known()
            .map(|value| Value::from(value.to_string())),
        FlagType::StringSlice | FlagType::StringArray => evaluation.list(flag.name).known().map(Value::from),
        FlagType::GateMap => Some(Value::Null),
    }
}

fn ask_oracle(requests: &str) -> Vec<Value> {
    let answers = programs::ask_oracle(requests).unwrap();
    answers.into_iter().map(normalize_floats).collect()
}

/// Go and Rust print the same float differently.
fn normalize_floats(mut answer: Value) -> Value {
    if let Some(Value::String(text)) = answer.pointer_mut("/values/kube-api-qps") {
        let number: f32 = text.parse().unwrap();
        *text = number.to_string();
    }
    answer
}

#[rustfmt::skip]
const BOOLS: [&str; 12] = [
    "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False",
];
#[rustfmt::skip]
const ODD_BOOLS: [&str; 10] = [
    "", "yes", "tRUE", "true ", " false", "\"true\"", "2", "on", "ＴＲＵＥ", "truE",
];
#[rustfmt::skip]
const TEXTS: [&str; 14] = [
    "", "tenant", "a=b", "a,b", "--", "-", "--no-remote-bases", "-x", " ", "ä\"ö", "$(NOPE)", "x$", "true",
    ":8080",
];
#[rustfmt::skip]
const INTS: [&str; 12] = [
    "0", "4", "-7", "+7", "0x1f", "0B11", "0o17", "017", "1_000", "0x_f", "9223372036854775807",
    "-9223372036854775808",
];
#[rustfmt::skip]
const ODD_INTS: [&str; 14] = [
    "", "08", "4.0", "_1", "1_", "1__0", "0x", "+", "--1", "+-1", "9223372036854775808", "1e3", "0b12",
    "4 ",
];
const SMALL: [&str; 8] = ["0", "5", "255", "0xff", "256", "65535", "65536", "-1"];
#[rustfmt::skip]
const FLOATS: [&str; 14] = [
    "50", "0.5", ".5", "5.", "1e3", "1E-3", "+1", "-1.5", "0x1p4", "0x1.8P-1", "1_0.5", "inf", "-Infinity",
    "NaN",
];
#[rustfmt::skip]
const ODD_FLOATS: [&str; 15] = [
    "", ".", "e1", "1e", "1e39", "0x1", "0xp1", "1_", "1._5", "+nan", "infin", "0x.p1", "1e+", "++1",
    "0x1p200",
];
#[rustfmt::skip]
const DURATIONS: [&str; 16] = [
    "0", "-0", "30s", "1h1.5m", "-1.5h", "1ms", "1us", "1µs", "1μs", "1ns", ".5s", "5.s", "1h0m0s", "+3s",
    "9223372036854775807ns", "-9223372036854775808ns",
];
#[rustfmt::skip]
const ODD_DURATIONS: [&str; 13] = [
    "", "30", "s", ".s", "1d", "1 s", "1s ", "-", "9223372036854775808ns", "2562048h", "1S", "00", "1.2.3s",
];
#[rustfmt::skip]
const LISTS: [&str; 14] = [
    "", "a", "a,b", ",", "a,", "\"a,b\",c", "\"a\"\"b\"", "a\nb", "\na", "\"a\nb\",c", "a\r\n", " \"",
    "\"a\"\n", "\"\"",
];
#[rustfmt::skip]
const ODD_LISTS: [&str; 10] = [
    "a\"b", "\"a", "\"a\"b", "\n", "\r", "\r\n", "\"\"\"", "a,\"", "\"a\" ,b", "a,b\"\n",
];

fn random_arguments(random: &mut Random, component: Component, version: Release) -> Vec<String> {
    let known: Vec<&Flag> = in_force(component, version).collect();
    let careless = random.one_in(3);
    let mut list = Vec::new();
    for _ in 0..random.below(7) {
        let flag = *random.pick(&known);
        let repeat = if random.one_in(6) { 2 } else { 1 };
        for _ in 0..repeat {
            random_flag(random, flag, component, careless, &mut list);
        }
        if random.one_in(12) {
            list.push((*random.pick(&["-", "--", "", "false", "word", "-test.v", "a--b"])).to_owned());
        }
    }
    if careless && random.one_in(4) {
        let at = random.below(list.len() + 1);
        list.insert(at, random_nuisance(random, component));
    }
    list
}

fn random_flag(
    random: &mut Random,
    flag: &Flag,
    component: Component,
    careless: bool,
    list: &mut Vec<String>,
) {
    // Gates and lists deserve more than their share.
    let flag = match random.below(6) {
        0 => flags::find(component, "feature-gates").unwrap_or(flag),
        1 => flags::flags(component)
            .iter()
            .find(|flag| flag.kind == FlagType::StringSlice)
            .unwrap_or(flag),
        _ => flag,
    };
    let odd = careless && random.one_in(8);
    let value = random_value(random, flag.kind, component, odd);
    let name = if odd && random.one_in(2) {
        near_miss(random, flag.name)
    } else {
        flag.name.to_owned()
    };
    match random.below(if flag.kind == FlagType::Bool { 4 } else { 2 }) {
        0 => list.push(format!("--{name}={value}")),
        1 => list.extend([format!("--{name}"), value]),
        _ => list.push(format!("--{name}")),
    }
}

fn near_miss(random: &mut Random, name: &str) -> String {
    match random.below(6) {
        0 => name.replace('-', "_"),
        1 => name.to_uppercase(),
        2 => name[..name.len() - 1].to_owned(),
        3 => format!("{name}s"),
        4 => format!("-{name}"),
        _ => format!("{name} "),
    }
}

fn random_nuisance(random: &mut Random, component: Component) -> String {
    let name = random.pick(flags::flags(component)).name;
    match random.below(9) {
        0 => "-h".to_owned(),
        1 => "--help".to_owned(),
        2 => "--help=false".to_owned(),
        3 => format!("-{name}"),
        4 => "--=true".to_owned(),
        5 => "---".to_owned(),
        6 => "-x".to_owned(),
        7 => "-testy".to_owned(),
        _ => format!("--{name}"),
    }
}

fn random_value(random: &mut Random, kind: FlagType, component: Component, odd: bool) -> String {
    let choices: &[&str] = match (kind, odd) {
        (FlagType::Bool, false) => &BOOLS,
        (FlagType::Bool, true) => &ODD_BOOLS,
        (FlagType::String | FlagType::StringArray, _) => &TEXTS,
        (FlagType::Int, false) => &INTS,
        (FlagType::Int, true) => &ODD_INTS,
        (FlagType::Uint8 | FlagType::Uint16, false) => &SMALL[..4],
        (FlagType::Uint8 | FlagType::Uint16, true) => &SMALL,
        (FlagType::Float, false) => &FLOATS,
        (FlagType::Float, true) => &ODD_FLOATS,
        (FlagType::Duration, false) => &DURATIONS,
        (FlagType::Duration, true) => &ODD_DURATIONS,
        (FlagType::StringSlice, false) => &LISTS,
        (FlagType::StringSlice, true) => &ODD_LISTS,
        (FlagType::GateMap, _) => return random_gates(random, component, odd),
    };
    if random.one_in(4) && matches!(kind, FlagType::Int | FlagType::Float | FlagType::Duration) && odd {
        return random_number_like(random);
    }
    (*random.pick(choices)).to_owned()
}

/// Characters of numbers in any order.
fn random_number_like(random: &mut Random) -> String {
    let parts = [
        "0",
        "1",
        "9",
        "x",
        "0x",
        "_",
        ".",
        "-",
        "+",
        "e",
        "p",
        "s",
        "ms",
        "h",
        "m",
        "f",
        "b",
        "99999999999",
    ];
    (0..=random.below(6)).map(|_| *random.pick(&parts)).collect()
}

fn random_gates(random: &mut Random, component: Component, odd: bool) -> String {
    let mut pairs = Vec::new();
    for _ in 0..random.below(4) {
        let name = random.pick(gates::gates(component)).name;
        let blank = *random.pick(&["", "", " ", "\t", "\u{a0}"]);
        let value = *random.pick(&BOOLS);
        pairs.push(format!("{blank}{name}{blank}={blank}{value}"));
    }
    if odd {
        let odd_pairs = [
            "",
            " ",
            "A",
            "A=",
            "=true",
            "Unknown=true",
            "a=b=c",
            "ExternalArtifact==true",
            "X=yes",
        ];
        pairs.push((*random.pick(&odd_pairs)).to_owned());
    }
    pairs.join(",")
}

// Against `--help`.

/// One line of `--help`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct HelpLine {
    name: String,
    type_word: String,
    /// Empty where `--help` prints none.
    default: String,
}

/// Reads what pflag's `FlagUsages` prints: `      --name type   usage (default value)`.
fn parse_help(help: &str) -> Vec<HelpLine> {
    let mut lines: Vec<HelpLine> = help.lines().filter_map(parse_help_line).collect();
    lines.sort();
    lines
}

fn parse_help_line(line: &str) -> Option<HelpLine> {
    let declaration = line.trim_start().strip_prefix("--")?;
    let (head, usage) = declaration.split_once("  ")?;
    let (name, type_word) = head.split_once(' ').unwrap_or((head, ""));
    let default = usage
        .rsplit_once(" (default ")
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or("");
    Some(HelpLine {
        name: name.to_owned(),
        type_word: type_word.to_owned(),
        default: default.trim_matches('"').to_owned(),
    })
}

/// What `--help` should print according to the table.
fn expected_help(component: Component, version: Release) -> Vec<HelpLine> {
    let line = |flag: &Flag| {
        let default = flag.default_in(version);
        HelpLine {
            name: flag.name.to_owned(),
            type_word: flag.kind.help_word().to_owned(),
            default: if flag.kind.hides_default(default) {
                String::new()
            } else {
                default.to_owned()
            },
        }
    };
    let mut lines: Vec<HelpLine> = in_force(component, version).map(line).collect();
    lines.sort();
    lines
}

#[test]
fn help_lines_are_read() {
    let help = concat!(
        "Usage of controller:\n",
        "      --concurrent int                  The number. (default 4)\n",
        "      --enable-leader-election          Enable it (see docs).\n",
        "      --log-level string                Can be 'x' (or y). (default \"info\")\n",
        "pflag: help requested\n",
    );
    let line = |name: &str, type_word: &str, default: &str| HelpLine {
        name: name.to_owned(),
        type_word: type_word.to_owned(),
        default: default.to_owned(),
    };
    let expected = [
        line("concurrent", "int", "4"),
        line("enable-leader-election", "", ""),
        line("log-level", "string", "info"),
    ];
    assert_eq!(parse_help(help), expected);
}

#[test]
fn the_flag_table_equals_help() {
    let components = [Source, Kustomize, Helm, Notification];
    for (component, programs) in components.into_iter().zip(&programs::FLUX) {
        let program = programs.folder().unwrap().join(component.name());
        let pinned = programs.version().unwrap();
        let version = Version::parse(pinned.trim_start_matches('v')).unwrap();
        let version = (version.major, version.minor, version.patch);
        let output = Command::new(&program).arg("--help").env_clear().output().unwrap();
        let help = [output.stderr, output.stdout].concat();
        let flags = parse_help(&String::from_utf8_lossy(&help));
        assert!(flags.len() > 10, "{component} {pinned} prints no flags");
        assert_eq!(flags, expected_help(component, version), "{component} {pinned}");
    }
}
