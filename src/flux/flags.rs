//! Every start-up flag of every Flux controller: type, default and the versions that have it.
//!
//! Source: the flag registrations in `main.go` of each controller and in fluxcd/pkg/runtime, tag by tag; for 1.10 and
//! later the release documentation (flux-2.10 section 2).

use semver::Version;

use super::Component;

/// What a flag takes, in pflag's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagKind {
    /// `true` when bare.
    Bool,
    /// Any text.
    Text,
    /// A signed integer of 64 bits.
    Int,
    /// An unsigned integer of 8 bits.
    Uint8,
    /// An unsigned integer of 16 bits.
    Uint16,
    /// A floating point number.
    Float,
    /// A duration as Go writes it.
    Duration,
    /// Repeatable; commas split.
    List,
    /// Repeatable; commas do not split.
    Array,
    /// `--feature-gates`: a map of booleans that accumulates.
    Gates,
}

/// A start-up flag.
#[derive(Debug)]
pub struct Flag {
    /// Name without dashes.
    pub name: &'static str,
    /// What it takes.
    pub kind: FlagKind,
    /// Value when it is absent, as `--help` prints it; empty for none.
    pub default: &'static str,
    /// First version of the controller that has it.
    pub since: (u64, u64, u64),
    /// First version of the controller that has it no more.
    pub until: Option<(u64, u64, u64)>,
}

/// A feature gate.
#[derive(Debug)]
pub struct Gate {
    /// Name.
    pub name: &'static str,
    /// Value when it is not set, by the first version that has this default; oldest first.
    pub defaults: &'static [((u64, u64, u64), bool)],
    /// First version of the controller that refuses it.
    pub until: Option<(u64, u64, u64)>,
    /// First version of the controller that accepts it and ignores its value.
    pub retired: Option<(u64, u64, u64)>,
}

/// Every flag that some version of a controller has.
#[must_use]
pub const fn flags(component: Component) -> &'static [Flag] {
    match component {
        Component::Source => SOURCE,
        Component::Kustomize => KUSTOMIZE,
        Component::Helm => HELM,
        Component::Notification => NOTIFICATION,
        Component::ImageReflector => IMAGE_REFLECTOR,
        Component::ImageAutomation => IMAGE_AUTOMATION,
        Component::SourceWatcher => SOURCE_WATCHER,
    }
}

/// Every feature gate that some version of a controller has.
#[must_use]
pub const fn gates(component: Component) -> &'static [Gate] {
    match component {
        Component::Source => SOURCE_GATES,
        Component::Kustomize => KUSTOMIZE_GATES,
        Component::Helm => HELM_GATES,
        Component::Notification => NOTIFICATION_GATES,
        Component::ImageReflector => IMAGE_REFLECTOR_GATES,
        Component::ImageAutomation => IMAGE_AUTOMATION_GATES,
        Component::SourceWatcher => SOURCE_WATCHER_GATES,
    }
}

/// Whether a version is at least a bound. An unknown version counts as the newest.
#[must_use]
pub fn reaches(version: Option<&Version>, bound: (u64, u64, u64)) -> bool {
    version.is_none_or(|version| (version.major, version.minor, version.patch) >= bound)
}

impl Flag {
    /// Whether a version has the flag.
    #[must_use]
    pub fn exists_in(&self, version: Option<&Version>) -> bool {
        reaches(version, self.since) && !self.until.is_some_and(|until| reaches(version, until))
    }
}

impl Gate {
    /// Whether a version accepts the gate.
    #[must_use]
    pub fn exists_in(&self, version: Option<&Version>) -> bool {
        let since = self.defaults.first().map_or((0, 0, 0), |(since, _)| *since);
        reaches(version, since) && !self.until.is_some_and(|until| reaches(version, until))
    }

    /// Whether a version accepts the gate and ignores its value.
    #[must_use]
    pub fn is_retired_in(&self, version: Option<&Version>) -> bool {
        self.retired.is_some_and(|retired| reaches(version, retired))
    }

    /// The default in a version that has the gate.
    #[must_use]
    pub fn default_in(&self, version: Option<&Version>) -> bool {
        self.defaults
            .iter()
            .rev()
            .find(|(since, _)| reaches(version, *since))
            .is_some_and(|(_, default)| *default)
    }
}

const fn flag(name: &'static str, kind: FlagKind, default: &'static str, since: (u64, u64, u64)) -> Flag {
    Flag {
        name,
        kind,
        default,
        since,
        until: None,
    }
}

const fn gone(
    name: &'static str,
    kind: FlagKind,
    default: &'static str,
    since: (u64, u64, u64),
    until: (u64, u64, u64),
) -> Flag {
    Flag {
        name,
        kind,
        default,
        since,
        until: Some(until),
    }
}

const fn gate(name: &'static str, defaults: &'static [((u64, u64, u64), bool)]) -> Gate {
    Gate {
        name,
        defaults,
        until: None,
        retired: None,
    }
}

const fn retired(
    name: &'static str,
    defaults: &'static [((u64, u64, u64), bool)],
    retired: (u64, u64, u64),
) -> Gate {
    Gate {
        name,
        defaults,
        until: None,
        retired: Some(retired),
    }
}

const fn dropped(
    name: &'static str,
    defaults: &'static [((u64, u64, u64), bool)],
    until: (u64, u64, u64),
) -> Gate {
    Gate {
        name,
        defaults,
        until: Some(until),
        retired: None,
    }
}

static SOURCE: &[Flag] = &[
    flag("artifact-digest-algo", FlagKind::Text, "sha256", (0, 35, 0)),
    flag("artifact-retention-records", FlagKind::Int, "2", (0, 23, 0)),
    flag("artifact-retention-ttl", FlagKind::Duration, "1m0s", (0, 23, 0)),
    flag(
        "authorized-artifact-client-spiffe-id",
        FlagKind::Array,
        "",
        (1, 10, 0),
    ),
    flag(
        "authorized-event-server-spiffe-id",
        FlagKind::Array,
        "",
        (1, 10, 0),
    ),
    flag("concurrent", FlagKind::Int, "2", (0, 0, 1)),
    flag("default-service-account", FlagKind::Text, "", (1, 7, 0)),
    flag("enable-leader-election", FlagKind::Bool, "false", (0, 0, 1)),
    flag("events-addr", FlagKind::Text, "", (0, 0, 2)),
    flag("feature-gates", FlagKind::Gates, "", (0, 25, 0)),
    flag("health-addr", FlagKind::Text, ":9440", (0, 7, 2)),
    flag("helm-cache-max-size", FlagKind::Int, "0", (0, 23, 0)),
    flag("helm-cache-purge-interval", FlagKind::Text, "1m", (0, 23, 0)),
    flag("helm-cache-ttl", FlagKind::Text, "15m", (0, 23, 0)),
    flag("helm-chart-file-max-size", FlagKind::Int, "5242880", (0, 19, 0)),
    flag("helm-chart-max-size", FlagKind::Int, "10485760", (0, 19, 0)),
    flag("helm-index-max-size", FlagKind::Int, "52428800", (0, 19, 0)),
    flag("interval-jitter-percentage", FlagKind::Uint8, "5", (1, 1, 0)),
    flag("kube-api-burst", FlagKind::Int, "300", (0, 7, 0)),
    flag("kube-api-qps", FlagKind::Float, "50", (0, 7, 0)),
    flag(
        "leader-election-lease-duration",
        FlagKind::Duration,
        "35s",
        (0, 10, 0),
    ),
    flag(
        "leader-election-release-on-cancel",
        FlagKind::Bool,
        "true",
        (0, 10, 0),
    ),
    flag(
        "leader-election-renew-deadline",
        FlagKind::Duration,
        "30s",
        (0, 10, 0),
    ),
    flag(
        "leader-election-retry-period",
        FlagKind::Duration,
        "5s",
        (0, 10, 0),
    ),
    flag("log-encoding", FlagKind::Text, "json", (0, 6, 0)),
    gone("log-json", FlagKind::Bool, "false", (0, 0, 1), (0, 6, 0)),
    flag("log-level", FlagKind::Text, "info", (0, 0, 5)),
    flag("max-retry-delay", FlagKind::Duration, "15m0s", (0, 23, 0)),
    flag("metrics-addr", FlagKind::Text, ":8080", (0, 0, 1)),
    flag("min-retry-delay", FlagKind::Duration, "750ms", (0, 23, 0)),
    flag("requeue-dependency", FlagKind::Duration, "30s", (0, 13, 0)),
    flag("spiffe-broker-endpoint", FlagKind::Text, "", (1, 10, 0)),
    flag("spiffe-broker-id", FlagKind::Array, "", (1, 10, 0)),
    flag("ssh-hostkey-algos", FlagKind::List, "", (0, 25, 0)),
    flag("ssh-kex-algos", FlagKind::List, "", (0, 23, 0)),
    flag("storage-addr", FlagKind::Text, ":9090", (0, 0, 1)),
    flag("storage-adv-addr", FlagKind::Text, "", (0, 5, 2)),
    flag("storage-path", FlagKind::Text, "/data", (0, 0, 1)),
    flag(
        "token-cache-max-duration",
        FlagKind::Duration,
        "1h0m0s",
        (1, 6, 0),
    ),
    flag("token-cache-max-size", FlagKind::Int, "100", (1, 6, 0)),
    flag("watch-all-namespaces", FlagKind::Bool, "true", (0, 0, 16)),
    flag(
        "watch-configs-label-selector",
        FlagKind::Text,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 7, 0),
    ),
    flag("watch-label-selector", FlagKind::Text, "", (1, 0, 0)),
];

static SOURCE_GATES: &[Gate] = &[
    gate("CacheSecretsAndConfigMaps", &[((0, 34, 0), false)]),
    dropped("ForceGoGitImplementation", &[((0, 32, 0), true)], (0, 33, 0)),
    dropped("GitManagedTransport", &[((0, 25, 0), true)], (0, 26, 0)),
    retired("ObjectLevelWorkloadIdentity", &[((1, 6, 0), false)], (1, 10, 0)),
    dropped("OptimizedGitClones", &[((0, 25, 0), true)], (1, 0, 0)),
];

static KUSTOMIZE: &[Flag] = &[
    flag(
        "authorized-artifact-server-spiffe-id",
        FlagKind::Array,
        "",
        (1, 10, 0),
    ),
    flag(
        "authorized-event-server-spiffe-id",
        FlagKind::Array,
        "",
        (1, 10, 0),
    ),
    flag("concurrent", FlagKind::Int, "4", (0, 0, 1)),
    flag("concurrent-ssa", FlagKind::Int, "4", (1, 1, 0)),
    flag("custom-apply-stage-kinds", FlagKind::Text, "", (1, 8, 0)),
    flag(
        "default-decryption-service-account",
        FlagKind::Text,
        "",
        (1, 7, 0),
    ),
    flag(
        "default-kubeconfig-service-account",
        FlagKind::Text,
        "",
        (1, 7, 0),
    ),
    flag("default-service-account", FlagKind::Text, "", (0, 20, 0)),
    flag("enable-leader-election", FlagKind::Bool, "false", (0, 0, 1)),
    flag("events-addr", FlagKind::Text, "", (0, 0, 2)),
    flag("feature-gates", FlagKind::Gates, "", (0, 33, 0)),
    flag("health-addr", FlagKind::Text, ":9440", (0, 2, 0)),
    flag("http-retry", FlagKind::Int, "9", (0, 9, 2)),
    flag("insecure-kubeconfig-exec", FlagKind::Bool, "false", (0, 23, 0)),
    flag("insecure-kubeconfig-tls", FlagKind::Bool, "false", (0, 23, 0)),
    flag("interval-jitter-percentage", FlagKind::Uint8, "5", (1, 1, 0)),
    flag("kube-api-burst", FlagKind::Int, "300", (0, 6, 1)),
    flag("kube-api-qps", FlagKind::Float, "50", (0, 6, 1)),
    flag(
        "leader-election-lease-duration",
        FlagKind::Duration,
        "35s",
        (0, 10, 0),
    ),
    flag(
        "leader-election-release-on-cancel",
        FlagKind::Bool,
        "true",
        (0, 10, 0),
    ),
    flag(
        "leader-election-renew-deadline",
        FlagKind::Duration,
        "30s",
        (0, 10, 0),
    ),
    flag(
        "leader-election-retry-period",
        FlagKind::Duration,
        "5s",
        (0, 10, 0),
    ),
    flag("log-encoding", FlagKind::Text, "json", (0, 6, 0)),
    gone("log-json", FlagKind::Bool, "false", (0, 0, 1), (0, 6, 0)),
    flag("log-level", FlagKind::Text, "info", (0, 0, 3)),
    flag("max-retry-delay", FlagKind::Duration, "15m0s", (0, 24, 3)),
    flag("metrics-addr", FlagKind::Text, ":8080", (0, 0, 1)),
    flag("min-retry-delay", FlagKind::Duration, "750ms", (0, 24, 3)),
    flag("no-cross-namespace-refs", FlagKind::Bool, "false", (0, 20, 0)),
    flag("no-remote-bases", FlagKind::Bool, "false", (0, 25, 0)),
    flag("override-manager", FlagKind::Array, "", (1, 2, 0)),
    flag("override-manager-before-dry-run", FlagKind::Array, "", (1, 10, 0)),
    flag("requeue-dependency", FlagKind::Duration, "30s", (0, 0, 1)),
    flag("sops-age-secret", FlagKind::Text, "", (1, 7, 0)),
    flag("sops-vault-configmap", FlagKind::Text, "", (1, 9, 0)),
    flag("spiffe-broker-endpoint", FlagKind::Text, "", (1, 10, 0)),
    flag("spiffe-broker-id", FlagKind::Array, "", (1, 10, 0)),
    flag(
        "token-cache-max-duration",
        FlagKind::Duration,
        "1h0m0s",
        (1, 6, 0),
    ),
    flag("token-cache-max-size", FlagKind::Int, "100", (1, 6, 0)),
    flag("watch-all-namespaces", FlagKind::Bool, "true", (0, 0, 11)),
    flag(
        "watch-configs-label-selector",
        FlagKind::Text,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 7, 0),
    ),
    flag("watch-label-selector", FlagKind::Text, "", (1, 0, 0)),
];

static KUSTOMIZE_GATES: &[Gate] = &[
    gate("AdditiveCELDependencyCheck", &[((1, 7, 0), false)]),
    gate("CacheSecretsAndConfigMaps", &[((0, 33, 0), false)]),
    gate("CancelHealthCheckOnNewRevision", &[((1, 7, 0), false)]),
    gate("DirectSourceFetch", &[((1, 8, 0), false)]),
    gate("DisableCommitStatusEvent", &[((1, 9, 6), false)]),
    gate("DisableConfigWatchers", &[((1, 7, 3), false)]),
    gate("DisableFailFastBehavior", &[((1, 1, 0), false)]),
    gate(
        "DisableStatusPollerCache",
        &[((0, 35, 0), false), ((1, 2, 0), true)],
    ),
    gate("ExternalArtifact", &[((1, 7, 0), false)]),
    gate("GroupChangeLog", &[((1, 5, 0), false)]),
    gate("MigrateAPIVersion", &[((1, 8, 4), false)]),
    retired("ObjectLevelWorkloadIdentity", &[((1, 6, 0), false)], (1, 10, 0)),
    gate(
        "StrictPostBuildSubstitutions",
        &[((1, 3, 0), false), ((1, 9, 0), true)],
    ),
];

static HELM: &[Flag] = &[
    flag("concurrent", FlagKind::Int, "4", (0, 0, 1)),
    flag(
        "default-kubeconfig-service-account",
        FlagKind::Text,
        "",
        (1, 4, 0),
    ),
    flag("default-service-account", FlagKind::Text, "", (0, 16, 0)),
    flag("enable-leader-election", FlagKind::Bool, "false", (0, 0, 1)),
    flag("events-addr", FlagKind::Text, "", (0, 0, 1)),
    flag("feature-gates", FlagKind::Gates, "", (0, 28, 0)),
    flag(
        "graceful-shutdown-timeout",
        FlagKind::Duration,
        "10m0s",
        (0, 28, 0),
    ),
    flag("health-addr", FlagKind::Text, ":9440", (0, 4, 0)),
    flag("http-retry", FlagKind::Int, "9", (0, 8, 1)),
    flag("http-timeout", FlagKind::Duration, "30s", (1, 5, 5)),
    flag("insecure-kubeconfig-exec", FlagKind::Bool, "false", (0, 19, 0)),
    flag("insecure-kubeconfig-tls", FlagKind::Bool, "false", (0, 19, 0)),
    flag("interval-jitter-percentage", FlagKind::Uint8, "5", (0, 36, 0)),
    flag("kube-api-burst", FlagKind::Int, "300", (0, 6, 0)),
    flag("kube-api-qps", FlagKind::Float, "50", (0, 6, 0)),
    flag(
        "leader-election-lease-duration",
        FlagKind::Duration,
        "35s",
        (0, 9, 0),
    ),
    flag(
        "leader-election-release-on-cancel",
        FlagKind::Bool,
        "true",
        (0, 9, 0),
    ),
    flag(
        "leader-election-renew-deadline",
        FlagKind::Duration,
        "30s",
        (0, 9, 0),
    ),
    flag(
        "leader-election-retry-period",
        FlagKind::Duration,
        "5s",
        (0, 9, 0),
    ),
    flag("log-encoding", FlagKind::Text, "json", (0, 5, 0)),
    gone("log-json", FlagKind::Bool, "false", (0, 0, 1), (0, 5, 0)),
    flag("log-level", FlagKind::Text, "info", (0, 0, 1)),
    flag("max-retry-delay", FlagKind::Duration, "15m0s", (0, 20, 0)),
    flag("metrics-addr", FlagKind::Text, ":8080", (0, 0, 1)),
    flag("min-retry-delay", FlagKind::Duration, "750ms", (0, 20, 0)),
    flag("no-cross-namespace-refs", FlagKind::Bool, "false", (0, 16, 0)),
    flag("oom-watch-current-memory-path", FlagKind::Text, "", (0, 31, 1)),
    flag("oom-watch-interval", FlagKind::Duration, "500ms", (0, 31, 0)),
    flag("oom-watch-max-memory-path", FlagKind::Text, "", (0, 31, 1)),
    flag("oom-watch-memory-threshold", FlagKind::Uint8, "95", (0, 31, 0)),
    flag("override-manager", FlagKind::Array, "", (1, 5, 0)),
    flag("requeue-dependency", FlagKind::Duration, "30s", (0, 0, 1)),
    flag("snapshot-digest-algo", FlagKind::Text, "sha256", (0, 37, 0)),
    flag(
        "token-cache-max-duration",
        FlagKind::Duration,
        "1h0m0s",
        (1, 4, 0),
    ),
    flag("token-cache-max-size", FlagKind::Int, "100", (1, 4, 0)),
    flag("watch-all-namespaces", FlagKind::Bool, "true", (0, 0, 8)),
    flag(
        "watch-configs-label-selector",
        FlagKind::Text,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 4, 0),
    ),
    flag("watch-label-selector", FlagKind::Text, "", (0, 32, 0)),
];

static HELM_GATES: &[Gate] = &[
    gate("AdditiveCELDependencyCheck", &[((1, 4, 0), false)]),
    gate("AdoptLegacyReleases", &[((0, 37, 0), true), ((1, 5, 0), false)]),
    gate("AllowDNSLookups", &[((0, 31, 0), false)]),
    gate("CacheSecretsAndConfigMaps", &[((0, 28, 0), false)]),
    gate("CancelHealthCheckOnNewRevision", &[((1, 5, 0), false)]),
    gate("CorrectDrift", &[((0, 31, 2), true), ((0, 37, 0), false)]),
    gate("DefaultToRetryOnFailure", &[((1, 5, 2), false)]),
    gate("DetectDrift", &[((0, 31, 0), false)]),
    gate("DirectSourceFetch", &[((1, 5, 0), false)]),
    gate("DisableChartDigestTracking", &[((1, 3, 0), false)]),
    gate("DisableConfigWatchers", &[((1, 4, 4), false)]),
    gate("ExternalArtifact", &[((1, 4, 0), false)]),
    gate("OOMWatch", &[((0, 31, 0), false)]),
    retired("ObjectLevelWorkloadIdentity", &[((1, 4, 0), false)], (1, 7, 0)),
    gate("UseHelm3Defaults", &[((1, 5, 0), false)]),
];

static NOTIFICATION: &[Flag] = &[
    flag("concurrent", FlagKind::Int, "4", (0, 0, 1)),
    flag("default-service-account", FlagKind::Text, "", (1, 7, 0)),
    flag("enable-leader-election", FlagKind::Bool, "false", (0, 0, 1)),
    flag("events-addr", FlagKind::Text, ":9090", (0, 0, 1)),
    flag("export-http-path-metrics", FlagKind::Bool, "false", (1, 4, 0)),
    flag("feature-gates", FlagKind::Gates, "", (0, 31, 0)),
    flag("health-addr", FlagKind::Text, ":9440", (0, 4, 0)),
    flag("kube-api-burst", FlagKind::Int, "300", (0, 7, 0)),
    flag("kube-api-qps", FlagKind::Float, "50", (0, 7, 0)),
    flag(
        "leader-election-lease-duration",
        FlagKind::Duration,
        "35s",
        (0, 11, 0),
    ),
    flag(
        "leader-election-release-on-cancel",
        FlagKind::Bool,
        "true",
        (0, 11, 0),
    ),
    flag(
        "leader-election-renew-deadline",
        FlagKind::Duration,
        "30s",
        (0, 11, 0),
    ),
    flag(
        "leader-election-retry-period",
        FlagKind::Duration,
        "5s",
        (0, 11, 0),
    ),
    flag("log-encoding", FlagKind::Text, "json", (0, 6, 0)),
    gone("log-json", FlagKind::Bool, "false", (0, 0, 1), (0, 6, 0)),
    flag("log-level", FlagKind::Text, "info", (0, 0, 2)),
    flag("max-retry-delay", FlagKind::Duration, "15m0s", (0, 25, 1)),
    flag("metrics-addr", FlagKind::Text, ":8080", (0, 0, 1)),
    flag("min-retry-delay", FlagKind::Duration, "750ms", (0, 25, 1)),
    flag("no-cross-namespace-refs", FlagKind::Bool, "false", (0, 21, 0)),
    flag("rate-limit-interval", FlagKind::Duration, "5m0s", (0, 12, 0)),
    flag("receiverAddr", FlagKind::Text, ":9292", (0, 0, 1)),
    flag(
        "token-cache-max-duration",
        FlagKind::Duration,
        "1h0m0s",
        (1, 6, 0),
    ),
    flag("token-cache-max-size", FlagKind::Int, "100", (1, 6, 0)),
    flag("watch-all-namespaces", FlagKind::Bool, "true", (0, 0, 10)),
    flag(
        "watch-configs-label-selector",
        FlagKind::Text,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 7, 0),
    ),
    flag("watch-label-selector", FlagKind::Text, "", (1, 7, 0)),
];

static NOTIFICATION_GATES: &[Gate] = &[
    gate("CacheSecretsAndConfigMaps", &[((0, 31, 0), false)]),
    gate("DisableConfigWatchers", &[((1, 7, 5), false)]),
    retired("ObjectLevelWorkloadIdentity", &[((1, 6, 0), false)], (1, 10, 0)),
];

static IMAGE_REFLECTOR: &[Flag] = &[
    gone(
        "aws-autologin-for-ecr",
        FlagKind::Bool,
        "false",
        (0, 13, 0),
        (1, 0, 0),
    ),
    gone(
        "azure-autologin-for-acr",
        FlagKind::Bool,
        "false",
        (0, 16, 0),
        (1, 0, 0),
    ),
    flag("concurrent", FlagKind::Int, "4", (0, 11, 0)),
    flag("default-service-account", FlagKind::Text, "", (1, 0, 0)),
    flag("enable-leader-election", FlagKind::Bool, "false", (0, 1, 0)),
    flag("events-addr", FlagKind::Text, "", (0, 1, 0)),
    flag("feature-gates", FlagKind::Gates, "", (0, 24, 0)),
    flag("gc-interval", FlagKind::Uint16, "10", (0, 35, 0)),
    gone(
        "gcp-autologin-for-gcr",
        FlagKind::Bool,
        "false",
        (0, 16, 0),
        (1, 0, 0),
    ),
    flag("health-addr", FlagKind::Text, ":9440", (0, 1, 0)),
    flag("kube-api-burst", FlagKind::Int, "300", (0, 4, 0)),
    flag("kube-api-qps", FlagKind::Float, "50", (0, 4, 0)),
    flag(
        "leader-election-lease-duration",
        FlagKind::Duration,
        "35s",
        (0, 8, 0),
    ),
    flag(
        "leader-election-release-on-cancel",
        FlagKind::Bool,
        "true",
        (0, 8, 0),
    ),
    flag(
        "leader-election-renew-deadline",
        FlagKind::Duration,
        "30s",
        (0, 8, 0),
    ),
    flag(
        "leader-election-retry-period",
        FlagKind::Duration,
        "5s",
        (0, 8, 0),
    ),
    flag("log-encoding", FlagKind::Text, "json", (0, 2, 0)),
    gone("log-json", FlagKind::Bool, "false", (0, 1, 0), (0, 2, 0)),
    flag("log-level", FlagKind::Text, "info", (0, 1, 0)),
    flag("max-retry-delay", FlagKind::Duration, "15m0s", (0, 20, 0)),
    flag("metrics-addr", FlagKind::Text, ":8080", (0, 1, 0)),
    flag("min-retry-delay", FlagKind::Duration, "750ms", (0, 20, 0)),
    flag("no-cross-namespace-refs", FlagKind::Bool, "false", (0, 16, 0)),
    flag("requeue-dependency", FlagKind::Duration, "30s", (1, 0, 3)),
    flag("storage-compression-threshold", FlagKind::Int, "64", (1, 2, 0)),
    flag("storage-path", FlagKind::Text, "/data", (0, 1, 0)),
    flag(
        "storage-value-log-file-size",
        FlagKind::Int,
        "268435456",
        (0, 4, 1),
    ),
    flag(
        "token-cache-max-duration",
        FlagKind::Duration,
        "1h0m0s",
        (0, 35, 0),
    ),
    flag("token-cache-max-size", FlagKind::Int, "100", (0, 35, 0)),
    flag("watch-all-namespaces", FlagKind::Bool, "true", (0, 1, 0)),
    flag(
        "watch-configs-label-selector",
        FlagKind::Text,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 0, 0),
    ),
    flag("watch-label-selector", FlagKind::Text, "", (0, 27, 0)),
];

static IMAGE_REFLECTOR_GATES: &[Gate] = &[
    gate("CacheSecretsAndConfigMaps", &[((0, 24, 0), false)]),
    gate("FluxStorage", &[((1, 2, 0), false), ((1, 3, 0), true)]),
    retired("ObjectLevelWorkloadIdentity", &[((0, 35, 0), false)], (1, 3, 0)),
];

static IMAGE_AUTOMATION: &[Flag] = &[
    flag("concurrent", FlagKind::Int, "4", (0, 14, 0)),
    flag("default-service-account", FlagKind::Text, "", (1, 0, 0)),
    flag("enable-leader-election", FlagKind::Bool, "false", (0, 1, 0)),
    flag("events-addr", FlagKind::Text, "", (0, 1, 0)),
    flag("feature-gates", FlagKind::Gates, "", (0, 23, 0)),
    flag("health-addr", FlagKind::Text, ":9440", (0, 1, 0)),
    flag("kube-api-burst", FlagKind::Int, "300", (0, 4, 0)),
    flag("kube-api-qps", FlagKind::Float, "50", (0, 4, 0)),
    flag(
        "leader-election-lease-duration",
        FlagKind::Duration,
        "35s",
        (0, 8, 0),
    ),
    flag(
        "leader-election-release-on-cancel",
        FlagKind::Bool,
        "true",
        (0, 8, 0),
    ),
    flag(
        "leader-election-renew-deadline",
        FlagKind::Duration,
        "30s",
        (0, 8, 0),
    ),
    flag(
        "leader-election-retry-period",
        FlagKind::Duration,
        "5s",
        (0, 8, 0),
    ),
    flag("log-encoding", FlagKind::Text, "json", (0, 3, 0)),
    gone("log-json", FlagKind::Bool, "false", (0, 1, 0), (0, 3, 0)),
    flag("log-level", FlagKind::Text, "info", (0, 1, 0)),
    flag("max-retry-delay", FlagKind::Duration, "15m0s", (0, 22, 0)),
    flag("metrics-addr", FlagKind::Text, ":8080", (0, 1, 0)),
    flag("min-retry-delay", FlagKind::Duration, "750ms", (0, 22, 0)),
    flag("no-cross-namespace-refs", FlagKind::Bool, "false", (0, 20, 0)),
    flag("ssh-hostkey-algos", FlagKind::List, "", (0, 23, 3)),
    flag("ssh-kex-algos", FlagKind::List, "", (0, 22, 0)),
    flag(
        "token-cache-max-duration",
        FlagKind::Duration,
        "1h0m0s",
        (0, 41, 0),
    ),
    flag("token-cache-max-size", FlagKind::Int, "100", (0, 41, 0)),
    flag("watch-all-namespaces", FlagKind::Bool, "true", (0, 1, 0)),
    flag(
        "watch-configs-label-selector",
        FlagKind::Text,
        "reconcile.fluxcd.io/watch=Enabled",
        (1, 0, 0),
    ),
    flag("watch-label-selector", FlagKind::Text, "", (0, 32, 0)),
];

static IMAGE_AUTOMATION_GATES: &[Gate] = &[
    gate("CacheSecretsAndConfigMaps", &[((0, 29, 0), false)]),
    dropped("ForceGoGitImplementation", &[((0, 27, 0), true)], (0, 28, 0)),
    gate("GitAllBranchReferences", &[((0, 28, 0), true)]),
    gate("GitForcePushBranch", &[((0, 27, 0), true)]),
    dropped("GitManagedTransport", &[((0, 23, 0), true)], (0, 24, 0)),
    gate("GitShallowClone", &[((0, 28, 0), true)]),
    gate("GitSparseCheckout", &[((1, 0, 0), false)]),
    retired("ObjectLevelWorkloadIdentity", &[((0, 41, 0), false)], (1, 3, 0)),
];

static SOURCE_WATCHER: &[Flag] = &[
    flag("artifact-digest-algo", FlagKind::Text, "sha256", (2, 0, 0)),
    flag("artifact-retention-records", FlagKind::Int, "2", (2, 0, 0)),
    flag("artifact-retention-ttl", FlagKind::Duration, "1m0s", (2, 0, 0)),
    flag("concurrent", FlagKind::Int, "10", (2, 0, 0)),
    flag("default-service-account", FlagKind::Text, "", (2, 3, 0)),
    flag("enable-leader-election", FlagKind::Bool, "false", (2, 0, 0)),
    flag("events-addr", FlagKind::Text, "", (2, 0, 0)),
    flag("feature-gates", FlagKind::Gates, "", (2, 0, 0)),
    flag("health-addr", FlagKind::Text, ":9440", (2, 0, 0)),
    flag("http-retry", FlagKind::Int, "9", (2, 0, 0)),
    flag("interval-jitter-percentage", FlagKind::Uint8, "5", (2, 0, 0)),
    flag("kube-api-burst", FlagKind::Int, "300", (2, 0, 0)),
    flag("kube-api-qps", FlagKind::Float, "50", (2, 0, 0)),
    flag(
        "leader-election-lease-duration",
        FlagKind::Duration,
        "35s",
        (2, 0, 0),
    ),
    flag(
        "leader-election-release-on-cancel",
        FlagKind::Bool,
        "true",
        (2, 0, 0),
    ),
    flag(
        "leader-election-renew-deadline",
        FlagKind::Duration,
        "30s",
        (2, 0, 0),
    ),
    flag(
        "leader-election-retry-period",
        FlagKind::Duration,
        "5s",
        (2, 0, 0),
    ),
    flag("log-encoding", FlagKind::Text, "json", (2, 0, 0)),
    flag("log-level", FlagKind::Text, "info", (2, 0, 0)),
    flag("max-retry-delay", FlagKind::Duration, "15m0s", (2, 0, 0)),
    flag("metrics-addr", FlagKind::Text, ":8080", (2, 0, 0)),
    flag("min-retry-delay", FlagKind::Duration, "750ms", (2, 0, 0)),
    flag("no-cross-namespace-refs", FlagKind::Bool, "false", (2, 0, 0)),
    flag("reconciliation-timeout", FlagKind::Duration, "10m0s", (2, 0, 0)),
    flag("requeue-dependency", FlagKind::Duration, "5s", (2, 0, 0)),
    flag("storage-addr", FlagKind::Text, ":9090", (2, 0, 0)),
    flag("storage-adv-addr", FlagKind::Text, "", (2, 0, 0)),
    flag("storage-path", FlagKind::Text, "/data", (2, 0, 0)),
    flag("watch-all-namespaces", FlagKind::Bool, "true", (2, 0, 0)),
    flag(
        "watch-configs-label-selector",
        FlagKind::Text,
        "reconcile.fluxcd.io/watch=Enabled",
        (2, 0, 0),
    ),
    flag("watch-label-selector", FlagKind::Text, "", (2, 0, 0)),
];

static SOURCE_WATCHER_GATES: &[Gate] = &[gate("DirectSourceFetch", &[((2, 1, 0), false)])];
