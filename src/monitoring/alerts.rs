//! Every alert, in one table.
//!
//! Replicas come and go, and so do the labels that a scrape gives their series: expressions sum those up and keep what
//! an alert is about. `cluster` is what a Prometheus calls its cluster, where it has a name for it.

/// Where the pages are that say what to do.
pub const RUNBOOKS: &str =
    "https://github.com/flux-security-operator/flux-security-operator/blob/main/docs/runbooks/";

/// An alert.
#[derive(Debug)]
pub struct Alert {
    /// Its name, and that of its page.
    pub name: &'static str,
    /// When it holds, in PromQL.
    pub expr: &'static str,
    /// For how long that has to hold.
    pub hold: &'static str,
    /// How urgent it is.
    pub severity: Urgency,
    /// One line, with its labels.
    pub summary: &'static str,
    /// What it means.
    pub description: &'static str,
}

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody has to look now.
    Critical,
    /// Somebody has to look today.
    Warning,
    /// Worth knowing.
    Info,
}

impl Urgency {
    /// Value of the label `severity`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// All of them: the posture, whether it is known, the waivers, the operator.
pub const ALERTS: &[&Alert] = &[
    &CRITICAL_CONTROL_FAILING,
    &HIGH_CONTROL_FAILING,
    &POSTURE_DRIFTED,
    &COVERAGE_INCOMPLETE,
    &NO_POLICY,
    &POLICY_NOT_AUDITED,
    &WAIVER_EXPIRING_SOON,
    &WAIVER_EXPIRED,
    &WAIVER_UNMATCHED,
    &OPERATOR_ABSENT,
    &NO_LEADER,
    &AUDIT_STALE,
    &REPORTS_NOT_WRITTEN,
    &REPORTS_LATE,
    &EVENTS_DROPPED,
    &KIND_NOT_SYNCED,
    &OBJECTS_UNDECODABLE,
    &WATCHES_RESTARTING,
];

const CRITICAL_CONTROL_FAILING: Alert = Alert {
    name: "FluxSecurityCriticalControlFailing",
    expr: r#"max by (cluster, policy, control) (flux_security_control_status{severity="Critical", result="Fail"}) == 1"#,
    hold: "5m",
    severity: Urgency::Critical,
    summary: "{{ $labels.control }} (Critical) fails under the policy {{ $labels.policy }}",
    description: "A takeover of the cluster is one step away. The report of the policy names the object, what was observed and what is expected; `fluxsec controls {{ $labels.control }}` says how to repair it.",
};

const HIGH_CONTROL_FAILING: Alert = Alert {
    name: "FluxSecurityHighControlFailing",
    expr: r#"max by (cluster, policy, control) (flux_security_control_status{severity="High", result="Fail"}) == 1"#,
    hold: "15m",
    severity: Urgency::Warning,
    summary: "{{ $labels.control }} (High) fails under the policy {{ $labels.policy }}",
    description: "A boundary that Flux's recommendations rely on is missing. The report of the policy names the object, what was observed and what is expected; `fluxsec controls {{ $labels.control }}` says how to repair it.",
};

// A control that was merely unknown, as after a start, has not drifted.
const POSTURE_DRIFTED: Alert = Alert {
    name: "FluxSecurityPostureDrifted",
    expr: r#"max by (cluster, policy, control, severity) (flux_security_control_status{result="Fail"}) == 1
and on (cluster, policy, control)
max by (cluster, policy, control) (max_over_time(flux_security_control_status{result=~"Pass|NotApplicable|Manual|Waived"}[1h])) == 1"#,
    hold: "0m",
    severity: Urgency::Warning,
    summary: "{{ $labels.control }} ({{ $labels.severity }}) fails since the last hour",
    description: "Something changed under the policy {{ $labels.policy }}. The history of its report says when, on which object, and by whom where that is known.",
};

const COVERAGE_INCOMPLETE: Alert = Alert {
    name: "FluxSecurityCoverageIncomplete",
    expr: "min by (cluster, policy) (flux_security_coverage_ratio) < 1",
    hold: "30m",
    severity: Urgency::Warning,
    summary: "Only {{ $value | humanizePercentage }} of the controls of the policy {{ $labels.policy }} can be judged",
    description: "Some controls are unknown because their evidence cannot be read. The condition Complete of the report names the permission, the kind or the object.",
};

const NO_POLICY: Alert = Alert {
    name: "FluxSecurityNoPolicy",
    expr: "max by (cluster) (flux_security_leader) == 1
unless on (cluster)
max by (cluster) (flux_security_report_info)",
    hold: "1h",
    severity: Urgency::Warning,
    summary: "No FluxSecurityPolicy exists: nothing is audited",
    description: "The operator runs and has nothing to do. An empty spec is a sensible audit.",
};

const POLICY_NOT_AUDITED: Alert = Alert {
    name: "FluxSecurityPolicyNotAudited",
    expr: "max by (cluster, policy) (flux_security_report_info)
unless on (cluster, policy)
max by (cluster, policy) (flux_security_score_ratio)",
    hold: "1h",
    severity: Urgency::Warning,
    summary: "The policy {{ $labels.policy }} is suspended or invalid: its report is out of date",
    description: "The last report stays as it was. The condition Stalled of the policy says what is wrong with its spec; spec.suspend stops an audit on purpose.",
};

const WAIVER_EXPIRING_SOON: Alert = Alert {
    name: "FluxSecurityWaiverExpiringSoon",
    expr: "0 < min by (cluster, waiver, control) (flux_security_waiver_expiry_timestamp_seconds) - time() < 7 * 24 * 3600",
    hold: "5m",
    severity: Urgency::Info,
    summary: "The waiver {{ $labels.waiver }} for {{ $labels.control }} ends in {{ $value | humanizeDuration }}",
    description: "From then on, what it covers fails again. Repair it, or let its owner accept the risk again.",
};

const WAIVER_EXPIRED: Alert = Alert {
    name: "FluxSecurityWaiverExpired",
    expr: "time() - min by (cluster, waiver, control) (flux_security_waiver_expiry_timestamp_seconds) >= 0",
    hold: "0m",
    severity: Urgency::Warning,
    summary: "The waiver {{ $labels.waiver }} for {{ $labels.control }} has ended",
    description: "What it covered fails again. Repair it and delete the waiver, or let its owner accept the risk again and give the waiver a new end.",
};

const WAIVER_UNMATCHED: Alert = Alert {
    name: "FluxSecurityWaiverUnmatched",
    expr: r#"max by (cluster) (flux_security_waivers{state="Unmatched"}) > 0"#,
    hold: "1h",
    severity: Urgency::Info,
    summary: "{{ $value }} waivers cover nothing",
    description: "What they were created for no longer fails, or they name the wrong objects. A waiver that covers nothing today may hide something tomorrow. `kubectl get fluxsecuritywaivers` shows which are Unmatched.",
};

// With many clusters in one Prometheus, the one that fell silent is one that was heard within the last day.
const OPERATOR_ABSENT: Alert = Alert {
    name: "FluxSecurityOperatorAbsent",
    expr: "absent(flux_security_build_info)
or
(
  count by (cluster) (last_over_time(flux_security_build_info[1d]))
  unless
  count by (cluster) (flux_security_build_info)
)",
    hold: "10m",
    severity: Urgency::Critical,
    summary: "The Flux Security Operator is absent",
    description: "No replica is scraped: none runs, or Prometheus cannot reach them. Nobody audits Flux, and no other of these alerts can fire.",
};

const NO_LEADER: Alert = Alert {
    name: "FluxSecurityNoLeader",
    expr: "max by (cluster) (flux_security_leader) == 0",
    hold: "5m",
    severity: Urgency::Critical,
    summary: "No replica of the Flux Security Operator leads",
    description: "Replicas run, but none holds the Lease: reports are not written, and the posture has no metrics.",
};

// Nothing is published later than a policy's interval, which is 10 minutes unless it says otherwise.
const AUDIT_STALE: Alert = Alert {
    name: "FluxSecurityAuditStale",
    expr: "time() - max by (cluster, policy) (flux_security_last_success_timestamp_seconds) > 1800
or
(
  max by (cluster, policy) (flux_security_score_ratio)
  unless
  max by (cluster, policy) (flux_security_last_success_timestamp_seconds)
)",
    hold: "5m",
    severity: Urgency::Critical,
    summary: "The report of the policy {{ $labels.policy }} is out of date",
    description: "The report has not been confirmed to be up to date for half an hour, or never: it may show a control as passing that fails by now.",
};

const REPORTS_NOT_WRITTEN: Alert = Alert {
    name: "FluxSecurityReportsNotWritten",
    expr: r#"sum by (cluster) (increase(flux_security_report_writes_total{outcome="error"}[10m])) > 0"#,
    hold: "15m",
    severity: Urgency::Warning,
    summary: "Reports cannot be written",
    description: "Writing some report, namespace report or policy status keeps failing. The operator's log says which and why.",
};

const REPORTS_LATE: Alert = Alert {
    name: "FluxSecurityReportsLate",
    expr: "histogram_quantile(0.9, sum by (cluster, policy, le) (rate(flux_security_change_to_report_seconds_bucket[30m]))) > 5",
    hold: "15m",
    severity: Urgency::Info,
    summary: "One change in ten takes {{ $value | humanizeDuration }} or more to reach the report of {{ $labels.policy }}",
    description: "Usually that takes a second at most. The API server is slow, or the operator has too little CPU.",
};

const EVENTS_DROPPED: Alert = Alert {
    name: "FluxSecurityEventsDropped",
    expr: "sum by (cluster, outcome) (increase(flux_security_events_dropped_total[1h])) > 0",
    hold: "0m",
    severity: Urgency::Info,
    summary: "Events were lost ({{ $labels.outcome }})",
    description: "Whoever listens to Events has missed some. Reports and metrics are complete all the same.",
};

const KIND_NOT_SYNCED: Alert = Alert {
    name: "FluxSecurityKindNotSynced",
    expr: "min by (cluster, kind) (flux_security_kind_synced) == 0",
    hold: "15m",
    severity: Urgency::Warning,
    summary: "Objects of the kind {{ $labels.kind }} cannot be listed",
    description: "They are forbidden, or served only in unknown versions, or their watch fails. Controls that need them are unknown. The operator's log names the reason.",
};

const OBJECTS_UNDECODABLE: Alert = Alert {
    name: "FluxSecurityObjectsUndecodable",
    expr: "max by (cluster, kind) (flux_security_undecodable_objects) > 0",
    hold: "15m",
    severity: Urgency::Warning,
    summary: "{{ $value }} objects of the kind {{ $labels.kind }} cannot be read",
    description: "Their fields do not fit the schema of their kind. Controls that need them are unknown. The operator's log names them.",
};

const WATCHES_RESTARTING: Alert = Alert {
    name: "FluxSecurityWatchesRestarting",
    expr: "max by (cluster, kind) (increase(flux_security_watch_restarts_total[15m])) > 30",
    hold: "15m",
    severity: Urgency::Info,
    summary: "The watch of {{ $labels.kind }} was restarted {{ $value | humanize }} times within 15 minutes",
    description: "The API server, or something on the way to it, ends watches early. What is known may be some seconds older than usual.",
};
