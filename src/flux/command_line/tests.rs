use super::*;
use crate::flux::container::{EnvSource, EnvVar};

fn container(args: &[&str]) -> Container {
    Container {
        args: args.iter().map(ToString::to_string).collect(),
        ..Container::default()
    }
}

fn run_in(component: Component, version: &str, container: &Container) -> Evaluation {
    let version = Version::parse(version).unwrap();
    let input = CommandLine {
        component,
        version: Some(&version),
        container,
        pod_namespace: "flux-system",
        pod_name: None,
    };
    evaluate(&input)
}

fn kustomize(args: &[&str]) -> Evaluation {
    run_in(Component::Kustomize, "1.9.4", &container(args))
}

fn known<T>(setting: Setting<T>) -> T {
    match setting {
        Setting::Known { value, .. } => value,
        Setting::Unsupported => panic!("unsupported"),
        Setting::Unknown(reason) => panic!("unknown: {reason}"),
    }
}

fn exit_code(evaluation: &Evaluation) -> Option<u8> {
    match evaluation.startup {
        Startup::Exits { code, .. } => Some(code),
        _ => None,
    }
}

#[test]
fn rule_1_the_command_replaces_the_entrypoint_and_args_follow_it() {
    let mut given = container(&["--no-remote-bases"]);
    given.command = vec![
        "/usr/local/bin/kustomize-controller".into(),
        "--no-cross-namespace-refs".into(),
    ];
    let evaluation = run_in(Component::Kustomize, "1.9.4", &given);
    assert!(known(evaluation.bool("no-remote-bases")));
    assert!(known(evaluation.bool("no-cross-namespace-refs")));
}

#[test]
fn rule_2_the_double_dash_before_the_controller_belongs_to_tini() {
    let mut given = container(&["--no-remote-bases=true"]);
    given.command = vec!["/sbin/tini".into(), "--".into(), "kustomize-controller".into()];
    assert!(known(
        run_in(Component::Kustomize, "1.9.4", &given).bool("no-remote-bases")
    ));
}

#[test]
fn rule_3_a_shell_cannot_be_followed() {
    let mut given = container(&["--no-remote-bases=true"]);
    given.command = vec!["/bin/sh".into(), "-c".into(), "kustomize-controller".into()];
    assert!(matches!(
        run_in(Component::Kustomize, "1.9.4", &given).startup,
        Startup::Unknown(_)
    ));
    given.command = vec!["/bin/sh".into(), "kustomize-controller".into()];
    assert!(matches!(
        run_in(Component::Kustomize, "1.9.4", &given).startup,
        Startup::Unknown(_)
    ));
}

#[test]
fn rule_4_variables_are_expanded() {
    let mut given = container(&[
        "--default-service-account=$(ACCOUNT)",
        "--events-addr=$$(ACCOUNT)$(NOBODY)",
    ]);
    given.env = vec![EnvVar {
        name: "ACCOUNT".into(),
        source: EnvSource::Literal("tenant".into()),
    }];
    let evaluation = run_in(Component::Kustomize, "1.9.4", &given);
    assert_eq!(known(evaluation.text("default-service-account")), "tenant");
    assert_eq!(known(evaluation.text("events-addr")), "$(ACCOUNT)$(NOBODY)");
}

#[test]
fn rule_4_a_secret_makes_its_flag_unknown_and_no_other() {
    let mut given = container(&["--no-remote-bases=$(SECRET)", "--no-cross-namespace-refs=true"]);
    given.env = vec![EnvVar {
        name: "SECRET".into(),
        source: EnvSource::Unread("Secret a/b".into()),
    }];
    let evaluation = run_in(Component::Kustomize, "1.9.4", &given);
    assert!(
        matches!(evaluation.bool("no-remote-bases"), Setting::Unknown(reason) if reason.contains("Secret a/b"))
    );
    assert!(known(evaluation.bool("no-cross-namespace-refs")));
}

#[test]
fn rule_4_a_secret_that_may_be_a_whole_argument_makes_everything_unknown() {
    let mut given = container(&["$(SECRET)", "--no-cross-namespace-refs=true"]);
    given.env = vec![EnvVar {
        name: "SECRET".into(),
        source: EnvSource::Unread("Secret a/b".into()),
    }];
    assert!(matches!(
        run_in(Component::Kustomize, "1.9.4", &given).startup,
        Startup::Unknown(_)
    ));
}

#[test]
fn rule_5_a_bare_flag_takes_the_next_element_verbatim() {
    let evaluation = kustomize(&["--default-service-account", "--no-remote-bases=true"]);
    assert_eq!(
        known(evaluation.text("default-service-account")),
        "--no-remote-bases=true"
    );
    assert!(!known(evaluation.bool("no-remote-bases")));
    assert_eq!(exit_code(&kustomize(&["--default-service-account"])), Some(2));
}

#[test]
fn rule_6_a_word_after_a_bool_is_a_positional() {
    assert!(known(
        kustomize(&["--no-remote-bases", "false"]).bool("no-remote-bases")
    ));
    assert!(known(
        kustomize(&["--insecure-kubeconfig-exec", "false"]).bool("insecure-kubeconfig-exec")
    ));
}

#[test]
fn rule_7_only_gos_booleans_are_booleans() {
    for value in ["1", "t", "T", "TRUE", "true", "True"] {
        assert!(
            known(kustomize(&[&format!("--no-remote-bases={value}")]).bool("no-remote-bases")),
            "{value}"
        );
    }
    for value in ["", "yes", "tRUE", "\"true\"", "true "] {
        assert_eq!(
            exit_code(&kustomize(&[&format!("--no-remote-bases={value}")])),
            Some(2),
            "{value:?}"
        );
    }
}

#[test]
fn rule_8_the_last_occurrence_wins_and_gates_accumulate() {
    assert!(!known(
        kustomize(&["--no-remote-bases=true", "--no-remote-bases=false"]).bool("no-remote-bases")
    ));
    let evaluation = kustomize(&[
        "--feature-gates=ExternalArtifact=true, StrictPostBuildSubstitutions = false",
        "--feature-gates=GroupChangeLog=true,ExternalArtifact=false",
    ]);
    assert!(!known(evaluation.gate("ExternalArtifact")));
    assert!(!known(evaluation.gate("StrictPostBuildSubstitutions")));
    assert!(known(evaluation.gate("GroupChangeLog")));
}

#[test]
fn rule_9_a_double_dash_ends_parsing_and_positionals_do_not() {
    assert!(!known(
        kustomize(&["--", "--no-remote-bases=true"]).bool("no-remote-bases")
    ));
    assert!(known(
        kustomize(&["word", "-", "--no-remote-bases=true"]).bool("no-remote-bases")
    ));
}

#[test]
fn rule_10_there_are_no_shorthands_but_help() {
    assert_eq!(exit_code(&kustomize(&["-no-remote-bases=true"])), Some(2));
    assert_eq!(exit_code(&kustomize(&["-h"])), Some(0));
    assert_eq!(exit_code(&kustomize(&["--help"])), Some(0));
}

#[test]
fn rule_11_names_are_exact() {
    for argument in [
        "--No-Remote-Bases",
        "--no_remote_bases",
        "--no-remote-base",
        "--=x",
        "---x",
        "--insecure-allow-http",
    ] {
        assert_eq!(exit_code(&kustomize(&[argument])), Some(2), "{argument}");
    }
}

#[test]
fn rule_12_an_empty_text_is_not_set() {
    assert_eq!(
        known(kustomize(&["--default-service-account="]).text("default-service-account")),
        ""
    );
}

#[test]
fn values_are_checked_as_go_does() {
    for argument in [
        "--concurrent=0x10",
        "--concurrent=1_000",
        "--requeue-dependency=1h30m",
        "--requeue-dependency=-1.5s",
    ] {
        assert_eq!(kustomize(&[argument]).startup, Startup::Starts, "{argument}");
    }
    for argument in [
        "--concurrent=4.0",
        "--concurrent=",
        "--requeue-dependency=30",
        "--requeue-dependency=1d",
        "--interval-jitter-percentage=256",
    ] {
        assert_eq!(exit_code(&kustomize(&[argument])), Some(2), "{argument}");
    }
}

#[test]
fn unknown_gates_end_the_process_with_1() {
    assert_eq!(exit_code(&kustomize(&["--feature-gates=Nonsense=true"])), Some(1));
    assert_eq!(
        exit_code(&kustomize(&["--feature-gates=ExternalArtifact"])),
        Some(2)
    );
    let helm = run_in(
        Component::Helm,
        "1.3.0",
        &container(&["--feature-gates=ObjectLevelWorkloadIdentity=true"]),
    );
    assert_eq!(exit_code(&helm), Some(1));
}

#[test]
fn a_workload_identity_account_needs_its_gate_until_it_retires() {
    let args = ["--default-kubeconfig-service-account=tenant"];
    assert_eq!(exit_code(&kustomize(&args)), Some(1));
    let gate = [
        "--default-kubeconfig-service-account=tenant",
        "--feature-gates=ObjectLevelWorkloadIdentity=true",
    ];
    assert_eq!(kustomize(&gate).startup, Startup::Starts);
    assert_eq!(
        run_in(Component::Kustomize, "1.10.1", &container(&args)).startup,
        Startup::Starts
    );
    assert_eq!(
        kustomize(&["--default-service-account=tenant"]).startup,
        Startup::Starts
    );
}

#[test]
fn versions_have_their_own_flags_and_defaults() {
    assert_eq!(
        run_in(Component::Kustomize, "0.24.0", &container(&[])).bool("no-remote-bases"),
        Setting::Unsupported
    );
    let gate = "StrictPostBuildSubstitutions";
    assert!(!known(
        run_in(Component::Kustomize, "1.8.0", &container(&[])).gate(gate)
    ));
    assert!(known(
        run_in(Component::Kustomize, "1.9.0", &container(&[])).gate(gate)
    ));
    assert_eq!(
        exit_code(&run_in(
            Component::Source,
            "1.9.4",
            &container(&["--no-cross-namespace-refs"])
        )),
        Some(2)
    );
}

#[test]
fn every_default_is_a_valid_value() {
    for component in Component::ALL {
        for flag in flags::flags(component) {
            assert!(
                literal::is_valid(flag.kind, flag.default),
                "{component} --{}={:?}",
                flag.name,
                flag.default
            );
        }
    }
}
