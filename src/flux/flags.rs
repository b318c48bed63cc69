//! Every start-up flag of every Flux controller and of flux-operator, with the versions that have it.
//!
//! The rows come from each controller's `main.go` and from the option types of fluxcd/pkg that it binds
//! (`runtime/{acl,client,controller,features,jitter,leaderelection,logger}`, `cache`, `artifact/config`), read at
//! every released tag. `tests/command_line.rs` compares them with what `--help` of real controllers prints.

use crate::flux::Component;

use FlagType::{Bool, Duration, Float, GateMap, Int, String, StringArray, StringSlice, Uint8, Uint16};

/// A released version without pre-release or build parts: `v1.2.0-rc.1` counts as `1.2.0`.
pub type Release = (u64, u64, u64);

/// How a flag's value is parsed (spf13/pflag v1.0.10, except for [`FlagType::GateMap`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagType {
    /// A boolean; the only type whose bare `--name` takes no further element.
    Bool,
    /// Any text.
    String,
    /// A signed 64 bit integer in Go syntax (`0x10`, `1_000`).
    Int,
    /// An unsigned 8 bit integer.
    Uint8,
    /// An unsigned 16 bit integer.
    Uint16,
    /// A 32 bit floating point number.
    Float,
    /// A Go duration such as `1m30s`.
    Duration,
    /// Texts; occurrences append, and each occurrence is one CSV record.
    StringSlice,
    /// Texts; occurrences append, commas do not split.
    StringArray,
    /// `--feature-gates`: `name=bool` pairs (k8s.io/component-base `cli/flag/map_string_bool.go`).
    GateMap,
}

impl FlagType {
    /// The word that `--help` prints after the flag's name; empty for booleans.
    #[must_use]
    pub const fn help_word(self) -> &'static str {
        match self {
            Bool => "",
            String => "string",
            Int => "int",
            Uint8 => "uint8",
            Uint16 => "uint16",
            Float => "float32",
            Duration => "duration",
            StringSlice => "strings",
            StringArray => "stringArray",
            GateMap => "mapStringBool",
        }
    }

    /// Whether `--help` leaves out this default because it is the type's zero value.
    #[must_use]
    pub fn hides_default(self, default: &str) -> bool {
        match self {
            Bool => default == "false",
            String | GateMap => default.is_empty(),
            Int | Uint8 | Uint16 | Float => default == "0",
            Duration => default == "0s",
            StringSlice | StringArray => default == "[]",
        }
    }
}

/// One start-up flag of one controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Name without the dashes.
    pub name: &'static str,
    /// How its value is parsed.
    pub kind: FlagType,
    /// Default of the newest version that has the flag, in the words of `--help` (`30s`, `[]`, `false`).
    pub default: &'static str,
    /// First version with the flag.
    pub since: Release,
    /// First version without the flag.
    pub until: Option<Release>,
    /// Earlier defaults, oldest first: the default of all versions before the given one.
    pub earlier_defaults: &'static [(Release, &'static str)],
    /// Environment variables that replace the default when they are not empty, each from the given version on;
    /// the last one that applies is in force.
    pub default_from_env: &'static [(Release, &'static str)],
    /// Environment variable that wins over the arguments when it is not empty, and the first version that reads it.
    pub overridden_by_env: Option<(Release, &'static str)>,
}

impl Flag {
    const fn until(mut self, version: Release) -> Self {
        self.until = Some(version);
        self
    }

    const fn before(mut self, earlier: &'static [(Release, &'static str)]) -> Self {
        self.earlier_defaults = earlier;
        self
    }

    const fn env(mut self, names: &'static [(Release, &'static str)]) -> Self {
        self.default_from_env = names;
        self
    }

    const fn overridden(mut self, since: Release, name: &'static str) -> Self {
        self.overridden_by_env = Some((since, name));
        self
    }

    /// Whether this version has the flag.
    #[must_use]
    pub fn exists_in(&self, version: Release) -> bool {
        self.since <= version && self.until.is_none_or(|until| version < until)
    }

    /// The default in this version, disregarding the environment.
    #[must_use]
    pub fn default_in(&self, version: Release) -> &'static str {
        let earlier = self
            .earlier_defaults
            .iter()
            .find(|(changed, _)| version < *changed);
        earlier.map_or(self.default, |(_, default)| default)
    }

    /// The environment variable that replaces the default in this version.
    #[must_use]
    pub fn env_in(&self, version: Release) -> Option<&'static str> {
        let names = self.default_from_env.iter().rev();
        names
            .into_iter()
            .find(|(since, _)| *since <= version)
            .map(|(_, name)| *name)
    }

    /// The environment variable that wins over the arguments in this version.
    #[must_use]
    pub fn override_in(&self, version: Release) -> Option<&'static str> {
        let variable = self.overridden_by_env.filter(|(since, _)| *since <= version);
        variable.map(|(_, name)| name)
    }
}

/// The complete table of a controller's flags over all its versions, sorted by name.
#[must_use]
pub fn flags(component: Component) -> &'static [Flag] {
    match component {
        Component::Source => SOURCE,
        Component::Kustomize => KUSTOMIZE,
        Component::Helm => HELM,
        Component::Notification => NOTIFICATION,
        Component::ImageReflector => IMAGE_REFLECTOR,
        Component::ImageAutomation => IMAGE_AUTOMATION,
        Component::SourceWatcher => SOURCE_WATCHER,
        Component::FluxOperator => FLUX_OPERATOR,
    }
}

/// The flag of exactly this name, whichever versions have it.
#[must_use]
pub fn find(component: Component, name: &str) -> Option<&'static Flag> {
    flags(component).iter().find(|flag| flag.name == name)
}

/// The newest minor version of a program that this table describes: of controllers those of Flux 2.10.
///
/// Flags and gates of later minors are unknown, so nothing can be said about a name that the table lacks.
#[must_use]
pub const fn newest_minor(component: Component) -> (u64, u64) {
    match component {
        Component::Source | Component::Kustomize | Component::Notification => (1, 10),
        Component::Helm => (1, 7),
        Component::ImageReflector | Component::ImageAutomation => (1, 3),
        Component::SourceWatcher => (2, 3),
        Component::FluxOperator => (0, 58),
    }
}

/// Whether a flag of this name may belong to inter-controller mTLS of Flux 2.10 although the table lacks it.
///
/// The release notes of Flux 2.10 announce `--authorized-*-spiffe-id` and `--spiffe-broker-*` for all controllers.
/// Only those of source-controller and kustomize-controller could be read in code and are in the table.
#[must_use]
pub fn may_be_mtls_flag(component: Component, version: Release, name: &str) -> bool {
    let read_in_code = matches!(
        component,
        Component::Source | Component::Kustomize | Component::FluxOperator
    );
    let (major, minor) = newest_minor(component);
    if read_in_code || version < (major, minor, 0) {
        return false;
    }
    let authorized = name.starts_with("authorized-") && name.ends_with("-spiffe-id");
    authorized || name.starts_with("spiffe-broker-")
}

const fn flag(name: &'static str, kind: FlagType, default: &'static str, since: Release) -> Flag {
    Flag {
        name,
        kind,
        default,
        since,
        until: None,
        earlier_defaults: &[],
        default_from_env: &[],
        overridden_by_env: None,
    }
}

/// `main.go` of source-controller and the options of fluxcd/pkg that it binds, through all tags.
static SOURCE: &[Flag] = &[
    flag("artifact-digest-algo", String, "sha256", (0, 35, 0)),
    flag("artifact-retention-records", Int, "2", (0, 23, 0)),
    flag("artifact-retention-ttl", Duration, "1m0s", (0, 23, 0)),
    flag(
        "authorized-artifact-client-spiffe-id",
        StringArray,
        "[]",
        (1, 10, 0),
    ),
    flag("authorized-event-server-spiffe-id", StringArray, "[]", (1, 10, 0)),
    flag("concurrent", Int, "2", (0, 0, 1)),
    flag("default-service-account", String, "", (1, 7, 0)),
    flag("enable-leader-election", Bool, "false", (0, 0, 1)),
    flag("events-addr", String, "", (0, 0, 2)).env(&[((0, 0, 3), "EVENTS_ADDR")]),
    flag("feature-gates", GateMap, "", (0, 25, 0)),
    flag("health-addr", String, ":9440", (0, 7, 2)),
    flag("helm-cache-max-size", Int, "0", (0, 23, 0)),
    flag("helm-cache-purge-interval", String, "1m", (0, 23, 0)),
    flag("helm-cache-ttl", String, "15m", (0, 23, 0)),
    flag("helm-chart-file-max-size", Int, "5242880", (0, 19, 0)),
    flag("helm-chart-max-size", Int, "10485760", (0, 19, 0)),
    flag("helm-index-max-size", Int, "52428800", (0, 19, 0)),
    flag("interval-jitter-percentage", Uint8, "5", (1, 1, 0)),
    flag("kube-api-burst", Int, "300", (0, 7, 0)).before(&[((0, 22, 0), "50"), ((0, 35, 0), "100")]),
    flag("kube-api-qps", Float, "50", (0, 7, 0)).before(&[((0, 22, 0), "20")]),
    flag("leader-election-lease-duration", Duration, "35s", (0, 10, 0)),
    flag("leader-election-release-on-cancel", Bool, "true", (0, 10, 0)),
    flag("leader-election-renew-deadline", Duration, "30s", (0, 10, 0)),
    flag("leader-election-retry-period", Duration, "5s", (0, 10, 0)),
    flag("log-encoding", String, "json", (0, 6, 0)),
    flag("log-json", Bool, "false", (0, 0, 1)).until((0, 10, 0)),
    flag("log-level", String, "info", (0, 0, 5)),
    flag("max-retry-delay", Duration, "15m0s", (0, 23, 0)),
    flag("metrics-addr", String, ":8080", (0, 0, 1))
        .before(&[((0, 0, 2), ":9090")])
        .env(&[((0, 0, 3), "METRICS_ADDR")]),
    flag("min-retry-delay", Duration, "750ms", (0, 23, 0)),
    flag("requeue-dependency", Duration, "30s", (0, 13, 0)),
    flag("spiffe-broker-endpoint", String, "", (1, 10, 0)),
    flag("spiffe-broker-id", StringArray, "[]", (1, 10, 0)),
    flag("ssh-hostkey-algos", StringSlice, "[]", (0, 25, 0)),
    flag("ssh-kex-algos", StringSlice, "[]", (0, 23, 0)),
    flag("storage-addr", String, ":9090", (0, 0, 1))
        .before(&[((0, 0, 2), ":8080")])
        .env(&[((0, 0, 3), "STORAGE_ADDR"), ((1, 7, 0), "STORAGE_ADDRESS")]),
    flag("storage-adv-addr", String, "", (0, 5, 2)).env(&[((0, 5, 2), "STORAGE_ADV_ADDR")]),
    flag("storage-path", String, "/data", (0, 0, 1))
        .before(&[((1, 7, 0), "")])
        .env(&[((0, 0, 3), "STORAGE_PATH")]),
    flag("token-cache-max-duration", Duration, "1h0m0s", (1, 6, 0)),
    flag("token-cache-max-size", Int, "100", (1, 6, 0)),
    flag("watch-all-namespaces", Bool, "true", (0, 0, 16)),
    flag(
        "watch-configs-label-selector",
        String,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 7, 0),
    ),
    flag("watch-label-selector", String, "", (1, 0, 0)),
];

/// `main.go` of kustomize-controller and the options of fluxcd/pkg that it binds, through all tags.
static KUSTOMIZE: &[Flag] = &[
    flag(
        "authorized-artifact-server-spiffe-id",
        StringArray,
        "[]",
        (1, 10, 0),
    ),
    flag("authorized-event-server-spiffe-id", StringArray, "[]", (1, 10, 0)),
    flag("concurrent", Int, "4", (0, 0, 1)),
    flag("concurrent-ssa", Int, "4", (1, 1, 0)),
    flag("custom-apply-stage-kinds", String, "", (1, 8, 0)),
    flag("default-decryption-service-account", String, "", (1, 7, 0)),
    flag("default-kubeconfig-service-account", String, "", (1, 7, 0)),
    flag("default-service-account", String, "", (0, 20, 0)),
    flag("enable-leader-election", Bool, "false", (0, 0, 1)),
    flag("events-addr", String, "", (0, 0, 2)),
    flag("feature-gates", GateMap, "", (0, 33, 0)),
    flag("health-addr", String, ":9440", (0, 2, 0)),
    flag("http-retry", Int, "9", (0, 9, 2)),
    flag("insecure-kubeconfig-exec", Bool, "false", (0, 23, 0)),
    flag("insecure-kubeconfig-tls", Bool, "false", (0, 23, 0)),
    flag("interval-jitter-percentage", Uint8, "5", (1, 1, 0)),
    flag("kube-api-burst", Int, "300", (0, 6, 1)).before(&[((0, 21, 1), "50"), ((0, 34, 0), "100")]),
    flag("kube-api-qps", Float, "50", (0, 6, 1)).before(&[((0, 21, 1), "20")]),
    flag("leader-election-lease-duration", Duration, "35s", (0, 10, 0)),
    flag("leader-election-release-on-cancel", Bool, "true", (0, 10, 0)),
    flag("leader-election-renew-deadline", Duration, "30s", (0, 10, 0)),
    flag("leader-election-retry-period", Duration, "5s", (0, 10, 0)),
    flag("log-encoding", String, "json", (0, 6, 0)),
    flag("log-json", Bool, "false", (0, 0, 1)).until((0, 10, 0)),
    flag("log-level", String, "info", (0, 0, 3)),
    flag("max-retry-delay", Duration, "15m0s", (0, 24, 3)),
    flag("metrics-addr", String, ":8080", (0, 0, 1)).before(&[((0, 0, 3), ":8282")]),
    flag("min-retry-delay", Duration, "750ms", (0, 24, 3)),
    flag("no-cross-namespace-refs", Bool, "false", (0, 20, 0)),
    flag("no-remote-bases", Bool, "false", (0, 25, 0)),
    flag("override-manager", StringArray, "[]", (1, 2, 0)),
    flag("override-manager-before-dry-run", StringArray, "[]", (1, 10, 0)),
    flag("requeue-dependency", Duration, "30s", (0, 0, 1)),
    flag("sops-age-secret", String, "", (1, 7, 0)),
    flag("sops-vault-configmap", String, "", (1, 9, 0)),
    flag("spiffe-broker-endpoint", String, "", (1, 10, 0)),
    flag("spiffe-broker-id", StringArray, "[]", (1, 10, 0)),
    flag("token-cache-max-duration", Duration, "1h0m0s", (1, 6, 0)),
    flag("token-cache-max-size", Int, "100", (1, 6, 0)),
    flag("watch-all-namespaces", Bool, "true", (0, 0, 11)),
    flag(
        "watch-configs-label-selector",
        String,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 7, 0),
    ),
    flag("watch-label-selector", String, "", (1, 0, 0)),
];

/// `main.go` of helm-controller and the options of fluxcd/pkg that it binds, through all tags.
static HELM: &[Flag] = &[
    flag("concurrent", Int, "4", (0, 0, 1)),
    flag("default-kubeconfig-service-account", String, "", (1, 4, 0)),
    flag("default-service-account", String, "", (0, 16, 0)),
    flag("enable-leader-election", Bool, "false", (0, 0, 1)),
    flag("events-addr", String, "", (0, 0, 1)),
    flag("feature-gates", GateMap, "", (0, 28, 0)),
    flag("graceful-shutdown-timeout", Duration, "10m0s", (0, 28, 0)).before(&[((0, 28, 1), "-1ns")]),
    flag("health-addr", String, ":9440", (0, 4, 0)),
    flag("http-retry", Int, "9", (0, 8, 1)),
    flag("http-timeout", Duration, "30s", (1, 5, 5)),
    flag("insecure-kubeconfig-exec", Bool, "false", (0, 19, 0)),
    flag("insecure-kubeconfig-tls", Bool, "false", (0, 19, 0)),
    flag("interval-jitter-percentage", Uint8, "5", (0, 36, 0)),
    flag("kube-api-burst", Int, "300", (0, 6, 0)).before(&[((0, 17, 1), "50"), ((0, 30, 0), "100")]),
    flag("kube-api-qps", Float, "50", (0, 6, 0)).before(&[((0, 17, 1), "20")]),
    flag("leader-election-lease-duration", Duration, "35s", (0, 9, 0)),
    flag("leader-election-release-on-cancel", Bool, "true", (0, 9, 0)),
    flag("leader-election-renew-deadline", Duration, "30s", (0, 9, 0)),
    flag("leader-election-retry-period", Duration, "5s", (0, 9, 0)),
    flag("log-encoding", String, "json", (0, 5, 0)),
    flag("log-json", Bool, "false", (0, 0, 1)).until((0, 9, 0)),
    flag("log-level", String, "info", (0, 0, 1)),
    flag("max-retry-delay", Duration, "15m0s", (0, 20, 0)),
    flag("metrics-addr", String, ":8080", (0, 0, 1)),
    flag("min-retry-delay", Duration, "750ms", (0, 20, 0)),
    flag("no-cross-namespace-refs", Bool, "false", (0, 16, 0)),
    flag("oom-watch-current-memory-path", String, "", (0, 31, 1)),
    flag("oom-watch-interval", Duration, "500ms", (0, 31, 0)),
    flag("oom-watch-max-memory-path", String, "", (0, 31, 1)),
    flag("oom-watch-memory-threshold", Uint8, "95", (0, 31, 0)),
    flag("override-manager", StringArray, "[]", (1, 5, 0)),
    flag("requeue-dependency", Duration, "30s", (0, 0, 1)),
    flag("snapshot-digest-algo", String, "sha256", (0, 37, 0)),
    flag("token-cache-max-duration", Duration, "1h0m0s", (1, 4, 0)),
    flag("token-cache-max-size", Int, "100", (1, 4, 0)),
    flag("watch-all-namespaces", Bool, "true", (0, 0, 8)),
    flag(
        "watch-configs-label-selector",
        String,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 4, 0),
    ),
    flag("watch-label-selector", String, "", (0, 32, 0)),
];

/// `main.go` of notification-controller and the options of fluxcd/pkg that it binds, through all tags.
static NOTIFICATION: &[Flag] = &[
    flag("concurrent", Int, "4", (0, 0, 1)),
    flag("default-service-account", String, "", (1, 7, 0)),
    flag("enable-leader-election", Bool, "false", (0, 0, 1)),
    flag("events-addr", String, ":9090", (0, 0, 1)),
    flag("export-http-path-metrics", Bool, "false", (1, 4, 0)),
    flag("feature-gates", GateMap, "", (0, 31, 0)),
    flag("health-addr", String, ":9440", (0, 4, 0)),
    flag("kube-api-burst", Int, "300", (0, 7, 0)).before(&[((0, 23, 0), "50"), ((0, 32, 0), "100")]),
    flag("kube-api-qps", Float, "50", (0, 7, 0)).before(&[((0, 23, 0), "20")]),
    flag("leader-election-lease-duration", Duration, "35s", (0, 11, 0)),
    flag("leader-election-release-on-cancel", Bool, "true", (0, 11, 0)),
    flag("leader-election-renew-deadline", Duration, "30s", (0, 11, 0)),
    flag("leader-election-retry-period", Duration, "5s", (0, 11, 0)),
    flag("log-encoding", String, "json", (0, 6, 0)),
    flag("log-json", Bool, "false", (0, 0, 1)).until((0, 11, 0)),
    flag("log-level", String, "info", (0, 0, 2)),
    flag("max-retry-delay", Duration, "15m0s", (0, 25, 1)),
    flag("metrics-addr", String, ":8080", (0, 0, 1)),
    flag("min-retry-delay", Duration, "750ms", (0, 25, 1)),
    flag("no-cross-namespace-refs", Bool, "false", (0, 21, 0)),
    flag("rate-limit-interval", Duration, "5m0s", (0, 12, 0)),
    flag("receiverAddr", String, ":9292", (0, 0, 1)),
    flag("token-cache-max-duration", Duration, "1h0m0s", (1, 6, 0)),
    flag("token-cache-max-size", Int, "100", (1, 6, 0)),
    flag("watch-all-namespaces", Bool, "true", (0, 0, 10)),
    flag(
        "watch-configs-label-selector",
        String,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 7, 0),
    ),
];

/// `main.go` of image-reflector-controller and the options of fluxcd/pkg that it binds, through all tags.
static IMAGE_REFLECTOR: &[Flag] = &[
    flag("aws-autologin-for-ecr", Bool, "false", (0, 13, 0)).until((1, 0, 0)),
    flag("azure-autologin-for-acr", Bool, "false", (0, 16, 0)).until((1, 0, 0)),
    flag("concurrent", Int, "4", (0, 11, 0)),
    flag("default-service-account", String, "", (1, 0, 0)),
    flag("enable-leader-election", Bool, "false", (0, 1, 0)),
    flag("events-addr", String, "", (0, 1, 0)),
    flag("feature-gates", GateMap, "", (0, 24, 0)),
    flag("gc-interval", Uint16, "10", (0, 35, 0)),
    flag("gcp-autologin-for-gcr", Bool, "false", (0, 16, 0)).until((1, 0, 0)),
    flag("health-addr", String, ":9440", (0, 1, 0)),
    flag("kube-api-burst", Int, "300", (0, 4, 0)).before(&[((0, 17, 0), "50"), ((0, 25, 0), "100")]),
    flag("kube-api-qps", Float, "50", (0, 4, 0)).before(&[((0, 17, 0), "20")]),
    flag("leader-election-lease-duration", Duration, "35s", (0, 8, 0)),
    flag("leader-election-release-on-cancel", Bool, "true", (0, 8, 0)),
    flag("leader-election-renew-deadline", Duration, "30s", (0, 8, 0)),
    flag("leader-election-retry-period", Duration, "5s", (0, 8, 0)),
    flag("log-encoding", String, "json", (0, 2, 0)),
    flag("log-json", Bool, "false", (0, 1, 0)).until((0, 8, 0)),
    flag("log-level", String, "info", (0, 1, 0)),
    flag("max-retry-delay", Duration, "15m0s", (0, 20, 0)),
    flag("metrics-addr", String, ":8080", (0, 1, 0)),
    flag("min-retry-delay", Duration, "750ms", (0, 20, 0)),
    flag("no-cross-namespace-refs", Bool, "false", (0, 16, 0)),
    flag("requeue-dependency", Duration, "30s", (1, 0, 3)),
    flag("storage-compression-threshold", Int, "64", (1, 2, 0)),
    flag("storage-path", String, "/data", (0, 1, 0)),
    flag("storage-value-log-file-size", Int, "268435456", (0, 4, 1)),
    flag("token-cache-max-duration", Duration, "1h0m0s", (0, 35, 0)),
    flag("token-cache-max-size", Int, "100", (0, 35, 0)),
    flag("watch-all-namespaces", Bool, "true", (0, 1, 0)),
    flag(
        "watch-configs-label-selector",
        String,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 0, 0),
    ),
    flag("watch-label-selector", String, "", (0, 27, 0)),
];

/// `main.go` of image-automation-controller and the options of fluxcd/pkg that it binds, through all tags.
static IMAGE_AUTOMATION: &[Flag] = &[
    flag("concurrent", Int, "4", (0, 14, 0)),
    flag("default-service-account", String, "", (1, 0, 0)),
    flag("enable-leader-election", Bool, "false", (0, 1, 0)),
    flag("events-addr", String, "", (0, 1, 0)),
    flag("feature-gates", GateMap, "", (0, 23, 0)),
    flag("health-addr", String, ":9440", (0, 1, 0)),
    flag("kube-api-burst", Int, "300", (0, 4, 0)).before(&[((0, 21, 0), "50"), ((0, 30, 0), "100")]),
    flag("kube-api-qps", Float, "50", (0, 4, 0)).before(&[((0, 21, 0), "20")]),
    flag("leader-election-lease-duration", Duration, "35s", (0, 8, 0)),
    flag("leader-election-release-on-cancel", Bool, "true", (0, 8, 0)),
    flag("leader-election-renew-deadline", Duration, "30s", (0, 8, 0)),
    flag("leader-election-retry-period", Duration, "5s", (0, 8, 0)),
    flag("log-encoding", String, "json", (0, 3, 0)),
    flag("log-json", Bool, "false", (0, 1, 0)).until((0, 8, 0)),
    flag("log-level", String, "info", (0, 1, 0)),
    flag("max-retry-delay", Duration, "15m0s", (0, 22, 0)),
    flag("metrics-addr", String, ":8080", (0, 1, 0)),
    flag("min-retry-delay", Duration, "750ms", (0, 22, 0)),
    flag("no-cross-namespace-refs", Bool, "false", (0, 20, 0)),
    flag("ssh-hostkey-algos", StringSlice, "[]", (0, 23, 3)),
    flag("ssh-kex-algos", StringSlice, "[]", (0, 22, 0)),
    flag("token-cache-max-duration", Duration, "1h0m0s", (0, 41, 0)),
    flag("token-cache-max-size", Int, "100", (0, 41, 0)),
    flag("watch-all-namespaces", Bool, "true", (0, 1, 0)),
    flag(
        "watch-configs-label-selector",
        String,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 0, 0),
    ),
    flag("watch-label-selector", String, "", (0, 32, 0)),
];

/// `main.go` of source-watcher and the options of fluxcd/pkg that it binds, through all tags.
static SOURCE_WATCHER: &[Flag] = &[
    flag("artifact-digest-algo", String, "sha256", (2, 0, 0)),
    flag("artifact-retention-records", Int, "2", (2, 0, 0)),
    flag("artifact-retention-ttl", Duration, "1m0s", (2, 0, 0)),
    flag("concurrent", Int, "10", (2, 0, 0)),
    flag("default-service-account", String, "", (2, 3, 0)),
    flag("enable-leader-election", Bool, "false", (2, 0, 0)),
    flag("events-addr", String, "", (2, 0, 0)),
    flag("feature-gates", GateMap, "", (2, 0, 0)),
    flag("health-addr", String, ":9440", (2, 0, 0)),
    flag("http-retry", Int, "9", (2, 0, 0)),
    flag("interval-jitter-percentage", Uint8, "5", (2, 0, 0)),
    flag("kube-api-burst", Int, "300", (2, 0, 0)),
    flag("kube-api-qps", Float, "50", (2, 0, 0)),
    flag("leader-election-lease-duration", Duration, "35s", (2, 0, 0)),
    flag("leader-election-release-on-cancel", Bool, "true", (2, 0, 0)),
    flag("leader-election-renew-deadline", Duration, "30s", (2, 0, 0)),
    flag("leader-election-retry-period", Duration, "5s", (2, 0, 0)),
    flag("log-encoding", String, "json", (2, 0, 0)),
    flag("log-level", String, "info", (2, 0, 0)),
    flag("max-retry-delay", Duration, "15m0s", (2, 0, 0)),
    flag("metrics-addr", String, ":8080", (2, 0, 0)),
    flag("min-retry-delay", Duration, "750ms", (2, 0, 0)),
    flag("no-cross-namespace-refs", Bool, "false", (2, 0, 0)),
    flag("reconciliation-timeout", Duration, "10m0s", (2, 0, 0)),
    flag("requeue-dependency", Duration, "5s", (2, 0, 0)),
    flag("storage-addr", String, ":9090", (2, 0, 0)).env(&[((2, 0, 0), "STORAGE_ADDRESS")]),
    flag("storage-adv-addr", String, "", (2, 0, 0)).env(&[((2, 0, 0), "STORAGE_ADV_ADDR")]),
    flag("storage-path", String, "/data", (2, 0, 0)).env(&[((2, 0, 0), "STORAGE_PATH")]),
    flag("watch-all-namespaces", Bool, "true", (2, 0, 0)),
    flag(
        "watch-configs-label-selector",
        String,
        "reconcile.fluxcd.io/watch=Enabled",
        (2, 0, 0),
    ),
    flag("watch-label-selector", String, "", (2, 0, 0)),
];

/// `main.go` of flux-operator and the options of fluxcd/pkg that it binds, through all tags. Of its variables those
/// that controls ask for.
static FLUX_OPERATOR: &[Flag] = &[
    flag("concurrent", Int, "10", (0, 0, 1)).before(&[((0, 14, 0), "4")]),
    flag("default-service-account", String, "", (0, 14, 0)).overridden((0, 18, 0), "DEFAULT_SERVICE_ACCOUNT"),
    flag(
        "default-workload-identity-service-account",
        String,
        "",
        (0, 29, 0),
    )
    .overridden((0, 29, 0), "DEFAULT_WORKLOAD_IDENTITY_SERVICE_ACCOUNT"),
    flag("enable-leader-election", Bool, "true", (0, 0, 1)).before(&[((0, 15, 0), "false")]),
    flag("health-addr", String, ":8081", (0, 0, 1)),
    flag("interval-jitter-percentage", Uint8, "5", (0, 28, 0)),
    flag("leader-election-lease-duration", Duration, "35s", (0, 39, 0)),
    flag("leader-election-release-on-cancel", Bool, "true", (0, 39, 0)),
    flag("leader-election-renew-deadline", Duration, "30s", (0, 39, 0)),
    flag("leader-election-retry-period", Duration, "5s", (0, 39, 0)),
    flag("log-encoding", String, "json", (0, 0, 1)),
    flag("log-level", String, "info", (0, 0, 1)),
    flag("max-retry-delay", Duration, "15m0s", (0, 0, 1)),
    flag("metrics-addr", String, ":8080", (0, 0, 1)),
    flag("min-retry-delay", Duration, "750ms", (0, 0, 1)),
    flag("override-manager", StringArray, "[]", (0, 39, 0)),
    flag("reporting-interval", Duration, "5m0s", (0, 18, 0)),
    flag("requeue-dependency", Duration, "5s", (0, 28, 0)),
    flag("storage-path", String, "/data", (0, 0, 1)),
    flag("token-cache-max-duration", Duration, "1h0m0s", (0, 18, 0)),
    flag("token-cache-max-size", Int, "100", (0, 18, 0)),
    flag(
        "watch-configs-label-selector",
        String,
        "reconcile.fluxcd.io/watch=Enabled",
        (0, 26, 0),
    ),
    flag("web-config", String, "", (0, 37, 0)),
    flag("web-config-secret-name", String, "", (0, 39, 0)).env(&[((0, 39, 0), "WEB_CONFIG_SECRET_NAME")]),
    flag("web-server-only", Bool, "false", (0, 37, 0)),
    flag("web-server-port", Int, "9080", (0, 37, 0)).overridden((0, 37, 0), "WEB_SERVER_PORT"),
];
